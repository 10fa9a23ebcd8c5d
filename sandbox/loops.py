# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Coroutines run from synchronous code, on whichever thread that is."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from collections.abc import Coroutine
from typing import Any

# How many loops are blocked below the present code, each waiting for the next.
_depth: contextvars.ContextVar[int] = contextvars.ContextVar("sandbox_loop_depth", default=0)


class Loops:
    """The serving loop, and side loops for code that blocks a loop while it waits for a call of its own."""

    def __init__(self) -> None:
        self._main: asyncio.AbstractEventLoop | None = None
        self._side: list[asyncio.AbstractEventLoop] = []
        self._lock = threading.Lock()

    def serving(self, loop: asyncio.AbstractEventLoop) -> None:
        """Name the loop that serves the port."""
        self._main = loop

    def run(self, make: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Run `make()` to its end and return its result.

        Off a loop, the serving loop runs it. On a loop (ministack's handlers run there), that loop is blocked, so another one
        must: the next side loop.
        """
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            depth = _depth.get()
        else:
            depth = _depth.get() + 1
        loop = self._loop(depth)

        async def deeper() -> Any:
            _depth.set(depth)
            return await make()

        return asyncio.run_coroutine_threadsafe(deeper(), loop).result()

    def _loop(self, depth: int) -> asyncio.AbstractEventLoop:
        if depth == 0:
            assert self._main is not None
            return self._main
        with self._lock:
            while len(self._side) < depth:
                loop = asyncio.new_event_loop()
                threading.Thread(target=loop.run_forever, name=f"loop-{len(self._side) + 1}", daemon=True).start()
                self._side.append(loop)
            return self._side[depth - 1]
