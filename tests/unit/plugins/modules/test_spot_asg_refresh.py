# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Instance refreshes: started, followed, gone on with, taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.ethereal.spot.plugins.module_utils._aws.waiters import Pace
from ansible_collections.ethereal.spot.plugins.modules import spot_asg
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_services import kept_by
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_services import refreshes_of
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_services import standing_group
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import NEWER_IMAGE
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import REGION
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import World
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import plain

ONE = {"region": REGION, "name": "gpu-fleet"}
NEWER = {**ONE, "ami_id": NEWER_IMAGE, "instance_refresh": {}}


class Refreshes:
    """The one group's refreshes."""

    @property
    def all(self) -> list[dict[str, Any]]:
        """Newest first."""
        return refreshes_of(standing_group())

    def end(self, *statuses: str | None) -> None:
        """What looks at the refresh in progress will make of it, one look after the other; None leaves it."""
        kept_by(standing_group(), "refresh_ends", list).extend(statuses)


@pytest.fixture
def refreshes(world: World, run: Callable[..., Any]) -> Refreshes:
    run(world.options())
    return Refreshes()


def version_of(world: World) -> str:
    return world.group()["MixedInstancesPolicy"]["LaunchTemplate"]["LaunchTemplateSpecification"]["Version"]


def own(result: Any) -> list[str]:
    return [call.operation for call in result.mutating]


def test_starts_only_where_instances_differ(world: World, run: Callable[..., Any], refreshes: Refreshes) -> None:
    calm = run({**ONE, "instance_refresh": {}})
    assert not calm.changed
    assert calm["refresh"] is None
    predicted = run(NEWER, check_mode=True)
    assert predicted.mutating == []
    started = run(NEWER)
    assert started["changes"] == predicted["changes"]
    assert own(started) == ["CreateLaunchTemplateVersion", "UpdateAutoScalingGroup", "StartInstanceRefresh"]
    assert refreshes.all[0]["Preferences"] == {
        "AutoRollback": False,
        "MinHealthyPercentage": 50,
        "SkipMatching": True,
    }
    assert started["refresh"]["status"] == "InProgress"
    assert len(started["changes"][-1]["before"]) == 3


def test_one_in_progress_is_followed_to_its_end(world: World, run: Callable[..., Any], refreshes: Refreshes) -> None:
    run(NEWER)
    again = run(NEWER)
    assert not again.changed
    assert again.mutating == []
    assert again["refresh"] == {
        "id": "refresh-1",
        "instances_to_update": None,
        "percentage_complete": 40,
        "reason": None,
        "status": "InProgress",
    }
    refreshes.end(None, None, "Baking", "Successful")
    followed = run({**NEWER, "wait": True})
    assert not followed.failed
    assert not followed.changed
    assert followed["refresh"]["status"] == "Successful"
    assert not run({**NEWER, "wait": True}).changed
    assert len(refreshes.all) == 1


def test_an_interrupted_run_is_gone_on_with(world: World, run: Callable[..., Any], refreshes: Refreshes) -> None:
    run({**ONE, "ami_id": NEWER_IMAGE})
    started = run(NEWER)
    assert [change["kind"] for change in started["changes"]] == ["start_refresh"]


def test_types_that_are_not_listed_any_more(world: World, run: Callable[..., Any], refreshes: Refreshes) -> None:
    started = run({**ONE, "instance_types": ["g5.xlarge"], "instance_refresh": {"min_healthy_percentage": 90}})
    assert [change["kind"] for change in started["changes"]] == ["update_group", "start_refresh"]
    assert refreshes.all[0]["Preferences"]["MinHealthyPercentage"] == 90


def test_what_can_be_taken_back_is_brought_by_the_refresh(
    world: World, run: Callable[..., Any], refreshes: Refreshes
) -> None:
    wish = {**NEWER, "instance_refresh": {"auto_rollback": True}, "max_size": 20}
    predicted = run(wish, check_mode=True)
    awaited = run({**wish, "wait": True}, check_mode=True)
    started = run(wish)
    assert own(started) == ["CreateLaunchTemplateVersion", "UpdateAutoScalingGroup", "StartInstanceRefresh"]
    # Until the refresh is through, the group shows what it had.
    assert predicted["after"] == started["after"]
    assert started.mutating[1].params == {"AutoScalingGroupName": "gpu-fleet", "MaxSize": 20}
    brought = refreshes.all[0]["DesiredConfiguration"]["MixedInstancesPolicy"]
    assert brought["LaunchTemplate"]["LaunchTemplateSpecification"]["Version"] == "2"
    assert version_of(world) == "1"
    # A second run finds it on its way and leaves the group alone.
    again = run(wish)
    assert again.mutating == []
    assert not again.changed
    beside = {**wish, "max_size": 30}
    predicted = run(beside, check_mode=True)
    assert run(beside)["after"] == predicted["after"]
    other = run({**wish, "instance_types": ["g5.xlarge"]})
    assert "instance refresh refresh-1 to another configuration is in progress" in other["msg"]
    assert other.mutating == []
    refreshes.end("Successful")
    followed = run({**wish, "wait": True})
    assert followed["after"]["launch_template"]["version"] == "2"
    assert plain(followed["after"]) == plain(awaited["after"])
    assert not run(wish).changed


@pytest.mark.parametrize("status", ["Failed", "Cancelled", "RollbackSuccessful", "RollbackFailed"])
def test_a_bad_end_is_an_error(world: World, run: Callable[..., Any], refreshes: Refreshes, status: str) -> None:
    refreshes.end(status)
    failed = run({**NEWER, "wait": True})
    assert failed.failed
    assert f"instance refresh refresh-1 of group 'gpu-fleet' ended as {status} at 40 %" in failed["msg"]
    assert failed["refresh"]["status"] == status


def test_waits_no_longer_than_told(
    world: World, run: Callable[..., Any], refreshes: Refreshes, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(spot_asg, "PACE", Pace(5, lambda: sum(slept), slept.append))
    failed = run({**NEWER, "wait": True, "wait_timeout": 60})
    assert "is InProgress still, a later run follows it at 40 %" in failed["msg"]
    assert sum(slept) == 60


BAD_INPUT = [
    ({"min_healthy_percentage": 101}, "instance_refresh.min_healthy_percentage: 101 must be a whole number from 0"),
    ({"max_healthy_percentage": 99}, "instance_refresh.max_healthy_percentage: 99 must be a whole number from 100"),
    ({"max_healthy_percentage": 151}, "instance_refresh.max_healthy_percentage: 151 is more than 100 above"),
    ({"checkpoint_percentages": [50, 20]}, "instance_refresh.checkpoint_percentages: [50, 20] must ascend"),
    ({"checkpoint_percentages": [0]}, "instance_refresh.checkpoint_percentages: 0 must be a whole number from 1"),
    ({"checkpoint_delay": 60}, "instance_refresh.checkpoint_delay: 60 needs checkpoint_percentages"),
    ({"bake_time": 172_801}, "instance_refresh.bake_time: 172801 must be a whole number from 0 to 172800"),
]


def test_bad_input_changes_nothing(world: World, run: Callable[..., Any]) -> None:
    wrong = []
    for refresh, message in BAD_INPUT:
        result = run(world.options(instance_refresh=refresh))
        if not (result.failed and message in result["msg"] and result.mutating == []):
            wrong.append((refresh, message, result.get("msg"), result.mutating))
    assert wrong == []
