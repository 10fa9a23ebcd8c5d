# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every single change of a fleet: check mode foretells the run, the run does that and nothing else, the next does nothing.

What AWS shows is read without the product's code, before and after.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.ethereal.spot.plugins.modules import spot_asg
from ansible_collections.ethereal.spot.tests.unit.plugins.modules import fleet_reading
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_cases import CASES
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_cases import FLEETS
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_cases import Case
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_cases import Things
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_reading import happened
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_reading import look
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_reading import shown
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_reading import touched
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_services import Snapshot
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import IMAGE
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import KNOWN_AFTER_APPLY
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import World

# What AWS assigns, and check mode cannot foretell: the template's id and the number of a version.
ASSIGNED = {("launch_template", "id"), ("launch_template", "version")}
HANGING = {*fleet_reading.HANGING, "notifications"}
# Options that no case gives: how long a run waits, a second group and what stands in there, the proof of instances. They have their own.
ELSEWHERE = {"give_up_after", "on_demand_fallback_max", "on_demand_group", "prove", "violations", "wait_timeout"}


@pytest.mark.parametrize("fleet", FLEETS)
def test_foretold_done_and_done_with(
    world: World, recorder: Any, run: Callable[..., Any], subtests: Any, fleet: str
) -> None:
    things = Things(world, recorder)
    things.release(IMAGE)
    options = FLEETS[fleet](world, things)
    if options:
        made = run(options)
        assert not made.failed, made["msg"]
    standing = Snapshot()
    for name, case in CASES.items():
        if case.fleet == fleet:
            with subtests.test(msg=name):
                things.release(IMAGE)
                standing.restore()
                check(world, run, case, case.options(world, things))


def check(world: World, run: Callable[..., Any], case: Case, options: dict[str, Any]) -> None:
    before = look(world)
    predicted = run(options, check_mode=True, diff=True)
    assert not predicted.failed, predicted["msg"]
    assert predicted.mutating == []
    assert look(world) == before

    made = run(options, diff=True)
    assert not made.failed, made["msg"]
    after = look(world)
    assert tuple(call.operation for call in made.mutating) == case.calls
    if before["group"] and after["group"]:
        assert touched(before, after) == case.touched
        assert {field: shown(after)[field] for field in case.values} == case.values
    for call in made.mutating:
        if call.operation == "UpdateAutoScalingGroup":
            assert call.params.keys() == {"AutoScalingGroupName", *sent(before, after, case)}

    tells(predicted, made, before, after, options)
    again = run(options)
    assert not again.failed, again["msg"]
    assert again["changes"] == []
    assert again.changed is False
    assert again.mutating == []


def sent(before: dict[str, Any], after: dict[str, Any], case: Case) -> set[str]:
    """The fields of the group's update, by AWS's names."""
    if not after["group"]:
        return {"DeletionProtection"}
    plain = {fleet_reading.PLAIN[field][0] for field in case.touched & fleet_reading.PLAIN.keys()}
    return plain | ({"MixedInstancesPolicy"} if case.touched & fleet_reading.POLICY.keys() else set())


def tells(predicted: Any, made: Any, before: dict[str, Any], after: dict[str, Any], options: dict[str, Any]) -> None:
    """Both results tell what AWS showed before, and shows after."""
    kinds = HANGING & made["after"].keys()
    assert made["before"] == predicted["before"] == shown(before, kinds if before["group"] else None)
    assert made["after"] == shown(after, kinds)
    assert predicted["after"].keys() == made["after"].keys()
    for field, value in predicted["after"].items():
        assert foreseen(value, made["after"][field], (field,)), (field, value, made["after"][field])
    for result in (predicted, made):
        assert result["diff"] == {"before": result["before"], "after": result["after"]}
        assert result.changed is bool(result["changes"])

    assert made["changes"] == predicted["changes"]
    refreshed = {change["what"] for change in made["changes"] if change["kind"] == "start_refresh"}
    changes = [
        change for change in made["changes"] if change["kind"] != "start_refresh" or change["what"] == "instances"
    ]
    assert {(change["kind"], change["what"]) for change in changes} == happened(before, after)
    assert len(changes) == len(happened(before, after))
    if "auto_rollback" in (options.get("instance_refresh") or {}):
        assert "launch_template" in refreshed
    for change in changes:
        if change["kind"] == "update_group" and after["group"]:
            assert change["before"] == shown(before)[change["what"]]
            assert foreseen(change["after"], shown(after)[change["what"]], (change["what"],))
        if change["kind"] in ("tag_group", "put_scaling_policy", "put_lifecycle_hook"):
            where = {"tag_group": "group_tags"}.get(change["kind"]) or change["kind"].removeprefix("put_")
            where = {"scaling_policy": "scaling_policies", "lifecycle_hook": "lifecycle_hooks"}.get(where, where)
            assert change["before"] == shown(before, HANGING).get(where, {}).get(change["what"])
            assert change["after"] == shown(after, HANGING)[where][change["what"]]


def foreseen(predicted: Any, real: Any, path: tuple[str, ...]) -> bool:
    """Whether a value is as foretold, or one that only AWS could know."""
    if isinstance(predicted, dict) and isinstance(real, dict):
        return predicted.keys() == real.keys() and all(
            foreseen(predicted[key], real[key], (*path, key)) for key in predicted
        )
    return predicted == real or (predicted == KNOWN_AFTER_APPLY and path in ASSIGNED)


def test_every_option_is_in_some_case(world: World, recorder: Any, run: Callable[..., Any]) -> None:
    things = Things(world, recorder)
    run(world.options())
    given = {option for case in CASES.values() for option in case.options(world, things)}
    assert spot_asg.ARGUMENTS.keys() - given == ELSEWHERE
