# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""On-demand instances in place of spot instances that are not to be had, against moto, by the runs of a declared bound."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC
from datetime import datetime
from typing import Any

import pytest
from moto.autoscaling.models import autoscaling_backends

from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import REGION
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import World
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import foretold

OURS = "gpu-fleet"
TWIN = "gpu-fleet-od"
BOTH = {"region": REGION, "name": OURS, "on_demand_group": True}
LACKING = (
    "Could not launch Spot Instances. UnfulfillableCapacity - There is no capacity. Launching EC2 instance failed."
)


class Market:
    """A spot market as the spot group sees it: how many instances it lacks, and what was said of the last launches."""

    def __init__(self, recorder: Any) -> None:
        self.messages: list[str] = []
        recorder.answer("autoscaling", "DescribeScalingActivities", lambda params, region: self._activities(params))

    def _activities(self, params: dict[str, Any]) -> dict[str, Any]:
        assert params["AutoScalingGroupName"] == OURS
        started = datetime(2026, 1, 1, tzinfo=UTC)
        return {
            "Activities": [
                {
                    "ActivityId": str(number),
                    "AutoScalingGroupName": OURS,
                    "Cause": "a difference between desired and actual capacity",
                    "Description": "Launching a new EC2 instance",
                    "StartTime": started,
                    "StatusCode": "Failed",
                    "StatusMessage": message,
                }
                for number, message in enumerate(self.messages)
            ]
        }

    def lack(self, number: int, message: str | None = LACKING) -> None:
        states = autoscaling_backends["123456789012"][REGION].autoscaling_groups[OURS].instance_states
        for index, state in enumerate(states):
            state.health_status = "Unhealthy" if index < number else "Healthy"
        self.messages = [message] if message else []


@pytest.fixture
def market(recorder: Any) -> Market:
    return Market(recorder)


def on_demand(world: World) -> int:
    found = world.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[TWIN])["AutoScalingGroups"]
    return found[0]["DesiredCapacity"]


@pytest.mark.parametrize("owner", ["playbook", "scaling"])
def test_whole_life(world: World, run: Callable[..., Any], market: Market, owner: str) -> None:
    options = world.options(
        on_demand_group=True,
        on_demand_fallback_max=2,
        capacity_owner=owner,
        desired_capacity=4,
        min_size=0,
        on_demand_base=0,
        enable_cpu_scaling=False if owner == "scaling" else None,
    )
    made = foretold(run, options)
    assert on_demand(world) == 0
    assert made["on_demand_group"]["after"]["capacity_owner"] == "playbook"

    # Launches are under way: nothing is bought.
    market.lack(4, message=None)
    assert not run(options).changed

    market.lack(1)
    covered = foretold(run, options)
    assert covered["changes"] == []
    assert [(change["what"], change["after"]) for change in covered["on_demand_group"]["changes"]] == [
        ("desired_capacity", 1)
    ]
    market.lack(4)
    foretold(run, options)
    assert on_demand(world) == 2
    # A first spot instance sends nobody away, the last one all.
    market.lack(1)
    assert not run(options).changed
    market.lack(0)
    foretold(run, options)
    assert on_demand(world) == 0


def test_only_the_option_is_needed_and_a_lower_bound_holds(
    world: World, run: Callable[..., Any], market: Market
) -> None:
    run(world.options(on_demand_group=True, desired_capacity=4, min_size=0, on_demand_base=0))
    market.lack(3)
    assert not run(BOTH).changed
    foretold(run, {**BOTH, "on_demand_fallback_max": 3})
    assert on_demand(world) == 3
    foretold(run, {**BOTH, "on_demand_fallback_max": 1})
    assert on_demand(world) == 1
    assert not run(BOTH).changed
    foretold(run, {**BOTH, "on_demand_fallback_max": 0})
    assert on_demand(world) == 0


def test_activities_are_read_only_while_something_is_missing(
    world: World, run: Callable[..., Any], market: Market
) -> None:
    options = world.options(on_demand_group=True, desired_capacity=2, min_size=0, on_demand_base=0)
    run({**options, "on_demand_fallback_max": 2})
    without = run(options).operations()
    assert run({**options, "on_demand_fallback_max": 2}).operations() == without
    assert "DescribeScalingActivities" not in without


@pytest.mark.parametrize(
    "code",
    [
        "MaxSpotInstanceCountExceeded",
        "SpotMaxPriceTooLow",
        "UnauthorizedOperation",
        "RequestLimitExceeded",
        "InvalidAMIID.NotFound",
    ],
)
def test_what_is_no_want_of_capacity_buys_nothing(
    world: World, run: Callable[..., Any], market: Market, code: str
) -> None:
    options = world.options(on_demand_group=True, desired_capacity=2, min_size=0, on_demand_base=0)
    run(options)
    market.lack(2, LACKING.replace("UnfulfillableCapacity", code))
    assert not run({**options, "on_demand_fallback_max": 2}).changed


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"on_demand_group": False}, "on_demand_fallback_max: 1 needs on_demand_group: true"),
        ({"on_demand_fallback_max": -1}, "on_demand_fallback_max: -1 must be a whole number from 0"),
        ({"max_size": 4, "on_demand_fallback_max": 5}, "on_demand_fallback_max: 5 is more than max_size (4)"),
        (
            {"capacity_owner": "placement", "desired_capacity": None, "min_size": None},
            "on_demand_fallback_max: 1 must be 0 or left out under capacity_owner: placement",
        ),
    ],
)
def test_bad_input_changes_nothing(world: World, run: Callable[..., Any], bad: dict[str, Any], message: str) -> None:
    wanted = {"on_demand_group": True, "on_demand_fallback_max": 1, "min_size": 0, "on_demand_base": 0, **bad}
    refused = run(world.options(**wanted))
    assert refused.failed
    assert message in refused["msg"]
    assert refused.mutating == []


def test_a_placement_keeps_its_on_demand_group(world: World, run: Callable[..., Any]) -> None:
    options = world.options(
        on_demand_group=True, capacity_owner="placement", desired_capacity=None, on_demand_fallback_max=0
    )
    run(options)
    world.autoscaling.set_desired_capacity(AutoScalingGroupName=TWIN, DesiredCapacity=3)
    assert not run(options).changed
    assert on_demand(world) == 3


def test_what_the_group_shall_have_at_least_stays(world: World, run: Callable[..., Any]) -> None:
    run(world.options(on_demand_group=True, min_size=0, on_demand_base=0))
    world.autoscaling.update_auto_scaling_group(AutoScalingGroupName=TWIN, MinSize=1, DesiredCapacity=2)
    foretold(run, {**BOTH, "on_demand_fallback_max": 0})
    assert on_demand(world) == 1
