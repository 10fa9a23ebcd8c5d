# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A secret stays hidden when an option with suboptions is given something else than these."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from typing import Any

import pytest

SECRET = "canary-9d41c7"
# Every option with suboptions, by module.
NESTED = [
    ("spot_asg", "instance_refresh", {"name": "gpu-fleet"}),
    ("spot_estimate_info", "places", {}),
    ("spot_stack_heal", "stacks", {}),
    ("spot_stack_info", "stacks", {}),
]


@pytest.mark.parametrize(("name", "option", "others"), NESTED)
def test_secret_key_stays_hidden(
    run_module: Callable[..., Any], name: str, option: str, others: dict[str, Any]
) -> None:
    module = importlib.import_module(f"ansible_collections.ethereal.spot.plugins.modules.{name}")
    wrong = {
        "region": "us-east-1",
        "secret_key": SECRET,
        "access_key": "AKIAEXAMPLE",
        option: "no such thing",
        **others,
    }
    result = run_module(module, wrong)
    assert result.failed
    assert SECRET not in json.dumps(dict(result))
