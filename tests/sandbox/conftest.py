# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One sandbox process for the session, emptied between tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sandbox_process import Sandbox


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator[Sandbox]:
    process = Sandbox()
    yield process
    process.stop()


@pytest.fixture
def sandbox(sandbox_process: Sandbox) -> Sandbox:
    """An empty sandbox."""
    sandbox_process.control("POST", "reset")
    return sandbox_process
