# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A world for a fleet and spot_asg run in it; test files of other modules have fixtures of these names of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

# The collection is importable only once pytest has read every conftest.py that its arguments name.


@pytest.fixture
def world(aws: None, recorder: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    from ansible_collections.ethereal.spot.tests.unit.plugins.modules import fleet_world

    return fleet_world.make_world(recorder, monkeypatch)


@pytest.fixture
def run(run_module: Callable[..., Any]) -> Callable[..., Any]:
    from ansible_collections.ethereal.spot.tests.unit.plugins.modules import fleet_world

    return fleet_world.runner(run_module)
