# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""EC2 and Auto Scaling are served by moto: the handlers that ministack's front calls for them."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

from ministack.core import responses
from moto.autoscaling.responses import AutoScalingResponse
from moto.core import errors
from moto.core.request import Request
from moto.core.responses import BaseResponse
from moto.ec2.responses import EC2Response

from sandbox.errors import Reply
from sandbox.errors import error_reply

SERVICES: dict[str, type[BaseResponse]] = {"ec2": EC2Response, "autoscaling": AutoScalingResponse}


class Bridge:
    """moto in process, one call at a time: its backends are plain dictionaries without locks."""

    def __init__(self, lock: threading.RLock) -> None:
        # moto guesses a service from an exception's module: there is none behind a plain ServiceException.
        guess = errors.get_exception_service_model
        errors.get_exception_service_model = lambda error: (
            None if error.__module__.startswith("moto.core") else guess(error)
        )
        self._lock = lock
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="moto")

    def handler(self, service: str):
        """A coroutine function with the signature of ministack's service handlers."""

        async def handle(method: str, path: str, headers: dict, body: bytes, query: dict) -> Reply:
            run = contextvars.copy_context().run
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._pool, run, self._call, service, method, path, headers, body, query)

        return handle

    def _call(self, service: str, method: str, path: str, headers: dict, body: bytes, query: dict) -> Reply:
        protocol = "ec2" if service == "ec2" else "query"
        region = responses.get_region()
        url = f"https://{service}.{region}.amazonaws.com{path}"
        if query:
            url += "?" + urlencode(query, doseq=True)
        request = Request.from_primitives(method, url, headers, body)
        with self._lock:
            try:
                status, reply_headers, reply = SERVICES[service].dispatch(request)
            except NotImplementedError as error:
                return error_reply(protocol, 400, "InvalidAction", str(error))
            except Exception as error:
                traceback.print_exc()
                return error_reply(protocol, 500, "InternalFailure", f"{type(error).__name__}: {error}")
        return int(status), dict(reply_headers), reply if isinstance(reply, bytes) else str(reply).encode()
