# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the front under hypercorn on a socket that listens already, and end at once when told to."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import logging
import os
import shutil
import signal
import socket
import threading
from pathlib import Path

from hypercorn.asyncio import serve as hypercorn_serve
from hypercorn.config import Config

from sandbox.context import Context
from sandbox.front import Front
from sandbox.parts import install


def serve(server: socket.socket, port: int, scratch: str) -> None:
    """Serve until SIGTERM or SIGINT; never returns."""
    logging.disable(logging.WARNING)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _end(scratch))
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
    """The shutdown trigger: ending is the signal handler's, so that it never waits for an open connection."""
    await asyncio.Event().wait()


def _announce(port: int) -> None:
    """Say that the sandbox is ready once it answers: the socket takes connections before that."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/_sandbox/health")
    if connection.getresponse().status == 200:
        print(f"sandbox ready http://127.0.0.1:{port}", flush=True)
    connection.close()


def _descendants(pid: int) -> list[int]:
    """Process ids below `pid`, children first. Empty where there is no /proc."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in path.read_text().split():
                found += [int(child), *_descendants(int(child))]
    return found


def _end(scratch: str) -> None:
    """Leave no child process (Lambda workers) and no file behind, and wait for nobody."""
    for pid in _descendants(os.getpid()):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
            # Reaped here: where nobody adopts orphans, the killed ones would stay as zombies.
            os.waitpid(pid, 0)
    shutil.rmtree(scratch, ignore_errors=True)
    os._exit(0)
