# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The on-demand group beside a fleet, by the same run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import REGION
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import World

OURS = "gpu-fleet"
TWIN = "gpu-fleet-od"


def groups(world: World) -> dict[str, dict[str, Any]]:
    found = world.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]
    return {group["AutoScalingGroupName"]: group for group in found}


def sizes(group: dict[str, Any]) -> tuple[int, int, int]:
    return group["MinSize"], group["DesiredCapacity"], group["MaxSize"]


def test_whole_life(world: World, run: Callable[..., Any]) -> None:
    options = world.options(on_demand_group=True, desired_capacity=3, min_size=1, max_size=7, on_demand_base=1)
    foretold = run(options, check_mode=True, diff=True)
    assert foretold.mutating == []
    assert set(foretold["diff"]["after"]) == {OURS, TWIN}
    made = run(options)
    assert made["changed"]
    assert {name: sizes(group) for name, group in groups(world).items()} == {OURS: (1, 3, 7), TWIN: (0, 0, 7)}
    split = {name: group["MixedInstancesPolicy"]["InstancesDistribution"] for name, group in groups(world).items()}
    assert split[OURS]["OnDemandPercentageAboveBaseCapacity"] == 0
    assert split[OURS]["OnDemandBaseCapacity"] == 1
    assert split[TWIN]["OnDemandPercentageAboveBaseCapacity"] == 100
    assert split[TWIN]["OnDemandBaseCapacity"] == 0
    assert groups(world)[OURS]["CapacityRebalance"] is True
    twin = made["on_demand_group"]
    assert twin["asg_name"] == TWIN
    assert twin["asg_arn"] == groups(world)[TWIN]["AutoScalingGroupARN"]
    assert twin["after"] == {
        **foretold["on_demand_group"]["after"],
        "launch_template": {"id": twin["launch_template_id"], "version": "1"},
    }
    again = run(options, diff=True)
    assert not again["changed"]
    assert again.mutating == []
    assert again["diff"]["before"] == again["diff"]["after"]
    gone = run({"region": REGION, "name": OURS, "on_demand_group": True, "state": "absent"})
    assert gone["changed"]
    assert [change["kind"] for change in gone["on_demand_group"]["changes"]] == [
        "delete_group",
        "delete_launch_template",
    ]
    assert groups(world) == {}
    assert world.ec2.describe_launch_templates()["LaunchTemplates"] == []


def test_one_change_reaches_both_and_sizes_only_one(world: World, run: Callable[..., Any]) -> None:
    run(world.options(on_demand_group=True, desired_capacity=2, min_size=0, on_demand_base=0))
    world.autoscaling.set_desired_capacity(AutoScalingGroupName=TWIN, DesiredCapacity=1)
    both = {"region": REGION, "name": OURS, "on_demand_group": True}
    grown = run({**both, "desired_capacity": 3})
    assert grown["changed"]
    assert grown["on_demand_group"]["changes"] == []
    assert {name: group["DesiredCapacity"] for name, group in groups(world).items()} == {OURS: 3, TWIN: 1}
    wider = run({**both, "disk_size": 200})
    assert [change["what"] for change in wider["changes"]] == ["BlockDeviceMappings", "launch_template"]
    assert wider["on_demand_group"]["changes"] and not run({**both, "disk_size": 200})["changed"]


def test_alone_it_stays(world: World, run: Callable[..., Any]) -> None:
    run(world.options(on_demand_group=True))
    gone = run({"region": REGION, "name": OURS, "state": "absent"})
    assert "on_demand_group" not in gone
    assert set(groups(world)) == {TWIN}


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"on_demand_only": True}, "on_demand_group: True has no meaning with on_demand_only: true"),
        ({"name": "a" * 126}, "name: 'aaa"),
        ({"desired_capacity": 9, "max_size": 8}, "desired_capacity"),
    ],
)
def test_nothing_of_either_is_made(world: World, run: Callable[..., Any], bad: dict[str, Any], message: str) -> None:
    refused = run(world.options(on_demand_group=True, **bad))
    assert refused.failed
    assert message in refused["msg"]
    assert refused.mutating == []


def test_a_group_made_before_its_twin_is_repaired(world: World, run: Callable[..., Any]) -> None:
    options = world.options(on_demand_group=True)
    run(world.options())
    found = run(options)
    assert found["changes"] == []
    assert found["changed"]
    assert set(groups(world)) == {OURS, TWIN}
