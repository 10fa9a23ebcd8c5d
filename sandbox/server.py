# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the front under hypercorn on a socket that listens already."""

from __future__ import annotations

import asyncio
import http.client
import logging
import socket
import threading

from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config

from sandbox.context import Context
from sandbox.front import Front
from sandbox.parts import install


def serve(server: socket.socket, port: int) -> None:
    """Serve until the process is ended; never returns."""
    logging.disable(logging.WARNING)
    context = Context(port)
    front = Front(context)
    install(context)
    front.close_side_doors()
    config = Config()
    config.bind = [f"fd://{server.detach()}"]
    config.keep_alive_timeout = 75
    config.loglevel = "CRITICAL"
    config.errorlog = None
    threading.Thread(target=_announce, args=(port,), daemon=True).start()
    asyncio.run(hypercorn_serve(front, config, mode="asgi", shutdown_trigger=_never))


async def _never() -> None:
    """The shutdown trigger: the signal handler ends the process, so that it never waits for an open connection."""
    await asyncio.Event().wait()


def _announce(port: int) -> None:
    """Say that the sandbox is ready once it answers: the socket takes connections before that."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/_sandbox/health")
    if connection.getresponse().status == 200:
        print(f"sandbox ready http://127.0.0.1:{port}", flush=True)
    connection.close()
