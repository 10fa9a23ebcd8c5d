# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every part of the sandbox is handed: state, controls, and ways to call, to emit and to wait."""

from __future__ import annotations

import contextvars
import io
import json
import queue
import threading
from collections.abc import Callable
from collections.abc import Iterable
from typing import TYPE_CHECKING
from typing import Any

import botocore.session
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from ministack.core import responses
from ministack.services import eventbridge

from sandbox import calls
from sandbox.bridge import Bridge
from sandbox.calls import CallLog
from sandbox.environment import ACCOUNT
from sandbox.faults import Faults
from sandbox.iam import identity
from sandbox.loops import Loops
from sandbox.market import Market

if TYPE_CHECKING:
    from sandbox.front import Front


class Context:
    """One per process. `front` is set by the front itself."""

    account = ACCOUNT

    def __init__(self, port: int) -> None:
        self.port = port
        self.market = Market()
        self.faults = Faults()
        self.calls = CallLog()
        # Held around every use of a moto backend. Never call `client` while holding it: the call would wait for the lock in another thread.
        self.moto_lock = threading.RLock()
        self.bridge = Bridge(self.moto_lock)
        self.loops = Loops()
        self.front: Front
        self._session = botocore.session.Session()
        self._clients: dict[tuple, Any] = {}
        self._clients_lock = threading.Lock()
        self._timers: set[threading.Timer] = set()
        self._timers_lock = threading.Lock()
        self._events: queue.SimpleQueue[tuple[int, contextvars.Context, str, dict]] = queue.SimpleQueue()
        self._generation = 0
        threading.Thread(target=self._deliver, name="events", daemon=True).start()

    def region(self) -> str:
        """The region that the present request is for."""
        return responses.get_region()

    def caller(self) -> str:
        """The ARN of whoever made the present request; root where there is none."""
        call = calls.current.get()
        return call.principal if call is not None and call.principal else identity.ROOT_ARN

    def emit(self, region: str, source: str, detail_type: str, detail: dict, resources: Iterable[str] = ()) -> None:
        """Put an event on the region's default bus; `aws.*` sources are allowed. Delivered in order, from another thread."""
        entry = {
            "Source": source,
            "DetailType": detail_type,
            "Detail": json.dumps(detail, default=str),
            "Resources": list(resources),
            "EventBusName": "default",
        }
        self._events.put((self._generation, contextvars.copy_context(), region, entry))

    def _deliver(self) -> None:
        while True:
            generation, context, region, entry = self._events.get()
            if generation == self._generation:
                context.run(self._put, region, entry)

    def _put(self, region: str, entry: dict) -> None:
        with responses.request_scope(self.account, region):
            eventbridge._put_events({"Entries": [entry]}, allow_aws_source=True)

    def client(self, service: str, region: str, principal: str | None = None) -> Any:
        """A botocore client whose requests go through the front without a socket: logged, judged, faulted like any other.

        `principal` is the ARN on whose behalf the calls are made (None: root). The call log's `via` names the service whose call is
        being served. Works on any thread; one that serves the front's own loop is blocked meanwhile.
        """
        key = (service, region, principal)
        with self._clients_lock:
            if key not in self._clients:
                credentials = identity.credentials(principal)
                client = self._session.create_client(
                    service,
                    region_name=region,
                    endpoint_url=f"http://127.0.0.1:{self.port}",
                    aws_access_key_id=credentials.access_key,
                    aws_secret_access_key=credentials.secret_key,
                    aws_session_token=credentials.token,
                    config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
                )
                client.meta.events.register("before-send", self._send)
                self._clients[key] = client
            return self._clients[key]

    def _send(self, request: Any, **_: Any) -> AWSResponse:
        status, headers, body = self.loops.run(lambda: self.front.inside(request))
        return AWSResponse(request.url, status, headers, _Raw(body))

    def schedule(self, delay: float, function: Callable[[], Any]) -> None:
        """Run a function after `delay` seconds on a thread of its own, in the present account and region. A reset cancels it."""
        generation = self._generation
        scope = responses.get_account_id(), responses.get_region()

        def run() -> None:
            with self._timers_lock:
                self._timers.discard(timer)
            if generation == self._generation:
                with responses.request_scope(*scope):
                    function()

        timer = threading.Timer(delay, run)
        timer.daemon = True
        with self._timers_lock:
            self._timers.add(timer)
        timer.start()

    def forget(self) -> None:
        """Drop what the frame itself holds: market, faults, calls, timers, events under way, credentials of clients."""
        self._generation += 1
        with self._timers_lock:
            for timer in self._timers:
                timer.cancel()
            self._timers.clear()
        with self._clients_lock:
            self._clients.clear()
        self.market.reset()
        self.faults.reset()
        self.calls.reset()


class _Raw(io.BytesIO):
    """The body of a response as botocore reads it from urllib3."""

    def stream(self, amount: int = 65536, **_: Any) -> Iterable[bytes]:
        while chunk := self.read(amount):
            yield chunk
