# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Any text and any JSON in the options of spot_asg: a result or a refusal, no traceback, no change, nothing secret shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies

from ansible_collections.ethereal.spot.plugins.modules import spot_asg
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_cases import DRAIN
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_cases import GPU
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_cases import LAUNCH_DAY
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_cases import MORNING
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_cases import NEEDS
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_cases import ONE
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_cases import RESOURCE_GROUP
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_cases import Things
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import World

# Text that can reach a module: YAML and JSON have no lone surrogates.
TEXT = strategies.text(strategies.characters(exclude_categories=("Cs",)), max_size=12)
WORDS = ("", " ", "0", "-1", "1.5", "1e400", "nan", "true", "null", "*", "{{ x }}", "$(id)", "a/../b", "\0", "é", "\n")
LIKELY = strategies.sampled_from(
    (*WORDS, "ami-0123456789abcdef0", "g5.xlarge", "arn:aws:sns:us-east-1:123456789012:x", "2099-01-01T00:00:00Z")
)
NUMBERS = strategies.integers(-(2**70), 2**70) | strategies.floats()
SCALARS = strategies.none() | strategies.booleans() | NUMBERS | LIKELY | TEXT
# The names of suboptions, so that values get past ansible-core.
KEYS = (
    LIKELY
    | TEXT
    | strategies.sampled_from(
        sorted(
            {
                *("name", "state", "min", "max", "team", "vcpu_count", "memory_mib"),
                *spot_asg.LIFECYCLE_HOOK,
                *spot_asg.SCALING_POLICY,
                *spot_asg.SCHEDULED_ACTION,
                *spot_asg.INSTANCE_REFRESH,
            }
        )
    )
)
VALUES = strategies.recursive(
    SCALARS,
    lambda inner: strategies.lists(inner, max_size=3) | strategies.dictionaries(KEYS, inner, max_size=3),
    max_leaves=5,
)
# Options with parts, right as they are: one part at a time is made wrong.
RIGHT: dict[str, Any] = {
    "capacity_reservation": {"preference": "capacity-reservations-first", "resource_group_arns": [RESOURCE_GROUP]},
    "instance_refresh": {"checkpoint_percentages": [50, 100], "checkpoint_delay": 60, "bake_time": 60},
    "instance_requirements": NEEDS,
    "instance_weights": {"g4dn.xlarge": 1, "g5.xlarge": 2},
    "lifecycle_hooks": [DRAIN],
    "scaling_policies": [GPU],
    "scheduled_actions": [MORNING, LAUNCH_DAY],
    "tags": {"team": "ml", "shift": "night"},
}
CANARY = "canary-5f2c91"
OPTIONS = sorted(spot_asg.ARGUMENTS.keys() - {"wait"})


@strategies.composite
def wishes(draw: Callable[..., Any]) -> dict[str, Any]:
    """One to three options with any value, or with one that is right but for a part of it."""
    wish: dict[str, Any] = {}
    for option in draw(strategies.lists(strategies.sampled_from(OPTIONS), min_size=1, max_size=3, unique=True)):
        if option in RIGHT and draw(strategies.booleans()):
            wish[option] = draw(nearly(RIGHT[option]))
        else:
            wish[option] = draw(VALUES)
    return wish


@strategies.composite
def nearly(draw: Callable[..., Any], value: Any) -> Any:
    """The value with one of its parts replaced by anything."""
    if isinstance(value, list):
        number = draw(strategies.integers(0, len(value) - 1))
        return [draw(nearly(item)) if number == index else item for index, item in enumerate(value)]
    if isinstance(value, dict):
        key = draw(strategies.sampled_from(sorted(value)))
        return {**value, key: draw(nearly(value[key]))}
    return draw(VALUES)


def judge(world: World, run: Callable[..., Any], wish: dict[str, Any], *, standing: bool) -> None:
    # Whoever draws the user data may not see it either.
    script = wish.get("bootstrap_script")
    if isinstance(script, (str, list, dict)) or script is None:
        wish = {**wish, "bootstrap_script": f"{CANARY}\n{script or ''}"}
    options = {**(ONE if standing else world.options()), **wish}
    # `run` sees that no result shows the canary, and that each is one of Ansible's.
    result = run(options, check_mode=True)
    assert result.mutating == []
    assert "Traceback" not in str(result.get("msg")) + str(result.get("exception"))
    if not result.failed:
        assert isinstance(result["changes"], list)
        return
    again = run(options)
    assert again.failed
    assert again.mutating == []


@pytest.mark.parametrize("examples", [150, pytest.param(3000, marks=pytest.mark.slow)], ids=["sample", "many"])
@pytest.mark.parametrize("standing", [False, True], ids=["creation", "fleet"])
def test_any_value_is_taken_or_refused(
    world: World, recorder: Any, run: Callable[..., Any], examples: int, standing: bool
) -> None:
    Things(world, recorder)
    if standing:
        assert not run(world.options(capacity_owner="scaling")).failed

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=examples < 1000,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(wishes())
    def judged(wish: dict[str, Any]) -> None:
        judge(world, run, wish, standing=standing)

    judged()
