# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How instance refreshes replace instances. Sources: botocore model, RefreshPreferences and InstanceRefresh; EC2 Auto

Scaling user guide, "How an instance refresh works", "Add checkpoints to an instance refresh", "Instance refresh events".
"""

from __future__ import annotations

import time
from typing import Any

import pytest
from fleet_kit import Fleet
from fleet_kit import eventually
from fleet_kit import refused
from sandbox_process import Sandbox

NAME = {"AutoScalingGroupName": "g"}
ONE_BY_ONE = {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 100}


@pytest.fixture
def fleet(sandbox: Sandbox) -> Fleet:
    return Fleet(sandbox)


def start(fleet: Fleet, desired: dict[str, Any] | None = None, **preferences: Any) -> str:
    more = {"DesiredConfiguration": desired} if desired else {}
    return fleet.asg.start_instance_refresh(**NAME, Preferences=preferences, **more)["InstanceRefreshId"]


def state(fleet: Fleet) -> dict[str, Any]:
    return fleet.asg.describe_instance_refreshes(**NAME)["InstanceRefreshes"][0]


def until(fleet: Fleet, status: str, seconds: float = 20) -> dict[str, Any]:
    return eventually(lambda: state(fleet), lambda found: found["Status"] == status, seconds=seconds)


def ids(fleet: Fleet, count: int) -> set[str]:
    return {each["InstanceId"] for each in fleet.in_service(count)}


def watch(fleet: Fleet, status: str = "Successful") -> tuple[int, int]:
    """The fewest instances in service and the most that were there while a refresh ran to its end."""
    fewest, most, deadline = 99, 0, time.monotonic() + 20
    while state(fleet)["Status"] != status:
        assert time.monotonic() < deadline, state(fleet)
        states = [each["LifecycleState"] for each in fleet.shown()["Instances"]]
        fewest = min(fewest, states.count("InService"))
        most = max(most, sum(1 for each in states if not each.startswith("Terminating")))
    return fewest, most


def test_at_most_what_the_minimum_leaves_is_out_of_service(fleet: Fleet) -> None:
    """botocore model: without a maximum, an instance is terminated and its replacement launched at the same time."""
    fleet.group(4)
    before = ids(fleet, 4)
    start(fleet, MinHealthyPercentage=50)
    fewest, most = watch(fleet)
    assert fewest >= 2
    assert most <= 4
    assert not before & ids(fleet, 4)
    begun = moves(fleet, 4)
    assert begun[:2] == ["Terminating", "Terminating"]
    assert begun[2:4] == ["Launching", "Launching"]


def moves(fleet: Fleet, before: int) -> list[str]:
    """What was begun after the first activities, in order: Launching or Terminating."""
    return [each["Description"].split()[0] for each in reversed(fleet.activities())][before:]


@pytest.mark.parametrize("preferences", [{"MinHealthyPercentage": 100}, ONE_BY_ONE])
def test_a_minimum_of_100_launches_before_it_terminates(fleet: Fleet, preferences: dict) -> None:
    fleet.group(2)
    before = ids(fleet, 2)
    start(fleet, **preferences)
    fewest, most = watch(fleet)
    assert fewest >= 2
    assert most <= 3
    assert not before & ids(fleet, 2)
    assert moves(fleet, 2)[:2] == ["Launching", "Terminating"]


def test_a_maximum_lets_more_be_launched_ahead(fleet: Fleet) -> None:
    fleet.group(2)
    fleet.in_service(2)
    start(fleet, MinHealthyPercentage=100, MaxHealthyPercentage=200)
    fewest, most = watch(fleet)
    assert fewest >= 2
    assert most <= 4
    fleet.in_service(2)
    assert moves(fleet, 2) == ["Launching", "Launching", "Terminating", "Terminating"]


def test_new_instances_warm_up_before_the_next_go(fleet: Fleet) -> None:
    """botocore model: an instance counts when its warm-up has passed; DefaultInstanceWarmup where none is given."""
    fleet.market(group_wait_scale=0.01)
    fleet.group(1, DefaultInstanceWarmup=300)
    before = ids(fleet, 1)
    start(fleet)
    eventually(lambda: fleet.shown()["Instances"], lambda it: len(it) == 1 and it[0]["InstanceId"] not in before)
    fleet.in_service(1)
    found = state(fleet)
    assert (found["Status"], found["PercentageComplete"], found["InstancesToUpdate"]) == ("InProgress", 0, 1)
    until(fleet, "Successful")


def test_checkpoints_pause_a_refresh_and_are_told(fleet: Fleet) -> None:
    """Events for every checkpoint but 100. The delay is 3600 seconds where none is given."""
    fleet.market(group_wait_scale=0.01)
    heard = fleet.listen({"source": ["aws.autoscaling"], "detail-type": [{"prefix": "EC2 Auto Scaling Instance"}]})
    fleet.group(4)
    before = ids(fleet, 4)
    refresh = start(fleet, CheckpointPercentages=[50, 100], CheckpointDelay=400)
    paused = eventually(lambda: state(fleet), lambda found: found["PercentageComplete"] == 50, seconds=15)
    assert (paused["InstancesToUpdate"], paused["Status"]) == (2, "InProgress")
    assert "checkpoint of 50" in paused["StatusReason"]
    time.sleep(1)
    assert state(fleet)["PercentageComplete"] == 50
    assert len(before & ids(fleet, 4)) == 2
    until(fleet, "Successful")
    kinds = eventually(heard, lambda events: len(events) == 3)
    names = [each["detail-type"].removeprefix("EC2 Auto Scaling Instance Refresh ") for each in kinds]
    assert names == ["Started", "Checkpoint Reached", "Succeeded"]
    assert kinds[1]["detail"] == {
        "InstanceRefreshId": refresh,
        "AutoScalingGroupName": "g",
        "CheckpointPercentage": "50",
    }
    start(fleet, CheckpointPercentages=[100])
    assert state(fleet)["Preferences"]["CheckpointDelay"] == 3600


def test_a_last_checkpoint_below_100_leaves_the_rest_alone(fleet: Fleet) -> None:
    fleet.group(4)
    before = ids(fleet, 4)
    start(fleet, CheckpointPercentages=[50], CheckpointDelay=0)
    until(fleet, "Successful")
    assert len(before & ids(fleet, 4)) == 2


def test_a_refresh_bakes_before_it_is_successful(fleet: Fleet) -> None:
    fleet.market(group_wait_scale=0.01)
    fleet.group(1)
    start(fleet, BakeTime=300)
    found = until(fleet, "Baking")
    assert (found["PercentageComplete"], found["InstancesToUpdate"]) == (100, 0)
    with refused("InstanceRefreshInProgress"):
        start(fleet)
    assert "EndTime" in until(fleet, "Successful")


def test_protected_instances_are_waited_for_ignored_or_replaced(fleet: Fleet) -> None:
    """botocore model: by default a refresh waits one hour, then fails."""
    fleet.market(group_wait_scale=0.0006)
    fleet.group(2)
    one, two = sorted(ids(fleet, 2))
    fleet.asg.set_instance_protection(**NAME, InstanceIds=[one], ProtectedFromScaleIn=True)
    start(fleet)
    failed = until(fleet, "Failed")
    assert f"protected from scale in. For example: {one}" in failed["StatusReason"]
    assert (failed["PercentageComplete"], failed["InstancesToUpdate"]) == (50, 1)
    assert one in ids(fleet, 2)
    assert two not in ids(fleet, 2)
    start(fleet, ScaleInProtectedInstances="Ignore")
    assert until(fleet, "Successful")["PercentageComplete"] == 100
    assert one in ids(fleet, 2)
    start(fleet, ScaleInProtectedInstances="Refresh")
    until(fleet, "Successful")
    assert one not in ids(fleet, 2)


def test_instances_in_standby_are_waited_for_ignored_or_terminated(fleet: Fleet) -> None:
    fleet.group(2)
    one, two = sorted(ids(fleet, 2))
    fleet.asg.enter_standby(**NAME, InstanceIds=[one], ShouldDecrementDesiredCapacity=True)
    start(fleet, StandbyInstances="Ignore")
    until(fleet, "Successful")
    assert {each["InstanceId"] for each in fleet.members(state="Standby")} == {one}
    assert two not in {each["InstanceId"] for each in fleet.members()}
    start(fleet)
    waiting = eventually(lambda: state(fleet), lambda found: "in Standby" in found.get("StatusReason", ""))
    assert waiting["Status"] == "InProgress"
    fleet.asg.exit_standby(**NAME, InstanceIds=[one])
    until(fleet, "Successful")
    assert one not in ids(fleet, 2)
    third = sorted(ids(fleet, 2))[0]
    fleet.asg.enter_standby(**NAME, InstanceIds=[third], ShouldDecrementDesiredCapacity=True)
    start(fleet, StandbyInstances="Terminate")
    until(fleet, "Successful")
    assert third not in ids(fleet, 1)


def test_preferences_are_checked(fleet: Fleet) -> None:
    fleet.group(0)
    for wrong in (
        {"MaxHealthyPercentage": 150},
        {"MinHealthyPercentage": 50, "MaxHealthyPercentage": 200},
        {"CheckpointDelay": 60},
        {"CheckpointPercentages": [50, 20]},
        {"CheckpointPercentages": [50, 50]},
        {"AutoRollback": True},
    ):
        with refused("ValidationError"):
            start(fleet, **wrong)
    assert fleet.asg.describe_instance_refreshes(**NAME)["InstanceRefreshes"] == []


def test_an_instance_maintenance_policy_gives_the_percentages(fleet: Fleet) -> None:
    fleet.group(0, InstanceMaintenancePolicy={"MinHealthyPercentage": 100, "MaxHealthyPercentage": 150})
    start(fleet)
    found = state(fleet)["Preferences"]
    assert (found["MinHealthyPercentage"], found["MaxHealthyPercentage"]) == (100, 150)


def test_cancelling_stops_where_it_is(fleet: Fleet) -> None:
    """botocore model: the instances under way are waited for, and nothing is rolled back."""
    fleet.group(3)
    before = ids(fleet, 3)
    refresh = start(fleet)
    eventually(lambda: fleet.members(state="Terminating"), bool)
    assert fleet.asg.cancel_instance_refresh(**NAME)["InstanceRefreshId"] == refresh
    assert "EndTime" in until(fleet, "Cancelled")
    assert len(before & ids(fleet, 3)) == 2
    start(fleet)
    fleet.asg.cancel_instance_refresh(**NAME, WaitForTransitioningInstances=False)
    assert state(fleet)["Status"] == "Cancelled"
    with refused("ActiveInstanceRefreshNotFound"):
        fleet.asg.cancel_instance_refresh(**NAME)
