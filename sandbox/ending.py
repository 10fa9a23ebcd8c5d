# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How the process ends: at once, with every child process, leaving no file."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import signal
from pathlib import Path


def arrange(scratch: str) -> None:
    """End on SIGTERM and SIGINT with status 0, waiting for nobody; remove the scratch directory however the process ends."""
    atexit.register(shutil.rmtree, scratch, ignore_errors=True)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _end(scratch))


def _end(scratch: str) -> None:
    for pid in _descendants(os.getpid()):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
            # Reaped here: where nobody adopts orphans, the killed ones would stay as zombies.
            os.waitpid(pid, 0)
    shutil.rmtree(scratch, ignore_errors=True)
    os._exit(0)


def _descendants(pid: int) -> list[int]:
    """Process ids below `pid` (Lambda workers), children first. Empty where there is no /proc."""
    found: list[int] = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in path.read_text().split():
                found += [int(child), *_descendants(int(child))]
    return found
