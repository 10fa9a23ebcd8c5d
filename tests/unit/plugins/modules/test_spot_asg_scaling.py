# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What moves a fleet's size, against moto: policies and scheduled actions, ours beside those of others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.ethereal.spot.plugins.module_utils._aws import fleet_extras
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import REGION
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import World
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import foretold

ONE = {"region": REGION, "name": "gpu-fleet"}
GPU = {
    "name": "gpu",
    "target_value": 75,
    "custom_metric": {"namespace": "CWAgent", "name": "gpu", "dimensions": {"b": "2", "a": "1"}},
}
MORNING = {"name": "morning", "recurrence": "0 8 * * 1-5", "time_zone": "Europe/Berlin", "min_size": 4}


def policies(world: World) -> dict[str, Any]:
    found = world.autoscaling.describe_policies(AutoScalingGroupName="gpu-fleet")["ScalingPolicies"]
    return {policy["PolicyName"]: policy["TargetTrackingConfiguration"] for policy in found}


def actions(world: World) -> dict[str, Any]:
    found = world.autoscaling.describe_scheduled_actions(AutoScalingGroupName="gpu-fleet")
    return {action["ScheduledActionName"]: action for action in found["ScheduledUpdateGroupActions"]}


def test_cpu_scaling_as_the_reference_has_it(world: World, run: Callable[..., Any]) -> None:
    predicted = run(world.options(capacity_owner="scaling"), check_mode=True)
    assert predicted["cpu_scaling_policy_arn"] == "(known after apply)"
    made = run(world.options(capacity_owner="scaling"))
    assert made["changes"] == predicted["changes"]
    assert [call.operation for call in made.mutating] == [
        "CreateLaunchTemplate",
        "CreateAutoScalingGroup",
        "PutScalingPolicy",
        "EnableMetricsCollection",
    ]
    assert policies(world)["cpu-target-tracking"]["TargetValue"] == 70
    assert made["cpu_scaling_policy_arn"].endswith(":policyName/cpu-target-tracking")
    # Nothing is said of scaling: nothing is read of it.
    assert "DescribePolicies" not in run(world.options(capacity_owner="scaling")).operations()

    changed = foretold(run, {**ONE, "target_cpu_utilization": 55})
    assert [change["what"] for change in changed["changes"]] == ["cpu-target-tracking"]
    assert policies(world)["cpu-target-tracking"]["TargetValue"] == 55
    kept = run({**ONE, "enable_cpu_scaling": True})
    assert not kept.changed
    assert kept["cpu_scaling_policy_arn"] == made["cpu_scaling_policy_arn"]
    gone = foretold(run, {**ONE, "enable_cpu_scaling": False, "target_cpu_utilization": 70})
    assert gone["cpu_scaling_policy_arn"] is None
    assert policies(world) == {}


def test_what_scales_makes_scaling_the_owner(world: World, run: Callable[..., Any]) -> None:
    made = run(world.options(enable_cpu_scaling=True))
    assert made["after"]["capacity_owner"] == "scaling"
    world.autoscaling.set_desired_capacity(AutoScalingGroupName="gpu-fleet", DesiredCapacity=7)
    assert not run(world.options(enable_cpu_scaling=True)).changed


def test_no_policy_where_nothing_shall_scale(world: World, run: Callable[..., Any]) -> None:
    made = run(world.options(capacity_owner="scaling", enable_cpu_scaling=False))
    assert made.operations("autoscaling").count("PutScalingPolicy") == 0
    assert not run(world.options(capacity_owner="scaling", enable_cpu_scaling=False)).changed


def test_killed_before_the_policy(world: World, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def kill(*args: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setitem(fleet_extras.STEPS, "put_scaling_policy", kill)
        with pytest.raises(Killed):
            run(world.options(capacity_owner="scaling"))
    repaired = foretold(run, world.options(capacity_owner="scaling"))
    assert [change["kind"] for change in repaired["changes"]] == ["put_scaling_policy", "enable_metrics"]


def test_several_policies_beside_those_of_others(world: World, run: Callable[..., Any]) -> None:
    network = {"name": "network", "target_value": 1e6, "metric": "ASGAverageNetworkIn", "disable_scale_in": True}
    options = world.options(capacity_owner="scaling", scaling_policies=[GPU, network])
    foretold(run, options)
    assert set(policies(world)) == {"gpu", "network"}
    metric = policies(world)["gpu"]["CustomizedMetricSpecification"]
    assert metric["Dimensions"] == [{"Name": "a", "Value": "1"}, {"Name": "b", "Value": "2"}]
    assert policies(world)["network"]["DisableScaleIn"] is True
    tracking = {"PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageNetworkOut"}, "TargetValue": 5}
    world.autoscaling.put_scaling_policy(
        AutoScalingGroupName="gpu-fleet",
        PolicyName="foreign",
        PolicyType="TargetTrackingScaling",
        TargetTrackingConfiguration=tracking,
    )
    assert not run(options).changed
    changed = foretold(run, {**ONE, "scaling_policies": [{**GPU, "target_value": 80}, {**network, "state": "absent"}]})
    assert [(change["kind"], change["what"]) for change in changed["changes"]] == [
        ("put_scaling_policy", "gpu"),
        ("delete_scaling_policy", "network"),
    ]
    assert set(policies(world)) == {"gpu", "foreign"}


def test_scheduled_actions_beside_those_of_others(world: World, run: Callable[..., Any]) -> None:
    once = {"name": "launch-day", "start_time": "2099-01-31T08:00:00+01:00", "desired_capacity": 20}
    past = {"name": "past", "start_time": "2020-01-01T00:00:00Z", "desired_capacity": 20}
    options = world.options(capacity_owner="scaling", scheduled_actions=[MORNING, once, past])
    foretold(run, options)
    assert set(actions(world)) == {"morning", "launch-day"}
    assert actions(world)["morning"]["TimeZone"] == "Europe/Berlin"
    assert actions(world)["launch-day"]["StartTime"].isoformat() == "2099-01-31T07:00:00+00:00"
    world.autoscaling.put_scheduled_update_group_action(
        AutoScalingGroupName="gpu-fleet", ScheduledActionName="foreign", Recurrence="0 1 * * *", MinSize=0
    )
    assert not run(options).changed
    moved = {**MORNING, "recurrence": "0 7 * * 1-5"}
    changed = foretold(run, {**ONE, "scheduled_actions": [moved, {"name": "launch-day", "state": "absent"}]})
    assert [change["kind"] for change in changed["changes"]] == ["delete_scheduled_action", "put_scheduled_action"]
    assert set(actions(world)) == {"morning", "foreign"}


SCALING = {"capacity_owner": "scaling"}
BAD_INPUT = [
    ({"capacity_owner": "playbook", "enable_cpu_scaling": True}, "needs capacity_owner: scaling, under playbook"),
    (
        {"capacity_owner": "placement", "desired_capacity": None, "scaling_policies": [GPU]},
        "scaling_policies: 'gpu' needs capacity_owner: scaling, under placement",
    ),
    (
        {"capacity_owner": "playbook", "scheduled_actions": [MORNING]},
        "scheduled_actions: 'morning' needs capacity_owner",
    ),
    ({"target_cpu_utilization": 0}, "target_cpu_utilization: 0.0 must be a finite number above 0"),
    ({"target_cpu_utilization": 101}, "target_cpu_utilization: 101.0 must be a number above 0 and at most 100"),
    ({"target_cpu_utilization": "nan"}, "target_cpu_utilization: nan must be a finite number above 0"),
    ({"scaling_policies": [GPU, GPU]}, "scaling_policies: 'gpu' is listed twice"),
    ({"scaling_policies": [{**GPU, "name": "a:b"}]}, "scaling_policies[0].name: 'a:b' must have no colon"),
    ({"scaling_policies": [{**GPU, "name": "cpu-target-tracking"}]}, "is what enable_cpu_scaling makes"),
    ({"scaling_policies": [{**GPU, "target_value": None}]}, "scaling_policies[gpu].target_value: None is required"),
    (
        {"scaling_policies": [{**GPU, "metric": "ASGAverageNetworkIn"}]},
        "must have exactly one of custom_metric, metric, metrics",
    ),
    (
        {"scaling_policies": [{"name": "a", "target_value": 1}]},
        "must have exactly one of custom_metric, metric, metrics",
    ),
    (
        {"scaling_policies": [{"name": "a", "target_value": 1, "metric": "ALBRequestCountPerTarget"}]},
        "scaling_policies[a].resource_label: None goes with metric: ALBRequestCountPerTarget",
    ),
    ({"scheduled_actions": [{**MORNING, "time_zone": "Europe/Berln"}]}, "'Europe/Berln' must be an IANA time zone"),
    ({"scheduled_actions": [{**MORNING, "time_zone": "+02:00"}]}, "'+02:00' must be an IANA time zone"),
    ({"scheduled_actions": [{**MORNING, "recurrence": "daily"}]}, "'daily' must be five fields of cron"),
    ({"scheduled_actions": [{**MORNING, "min_size": 5, "max_size": 4}]}, "5 breaks MinSize <= MaxSize (4)"),
    ({"scheduled_actions": [{"name": "a", "recurrence": "0 8 * * *"}]}, "must have min_size, max_size or desired"),
    ({"scheduled_actions": [{"name": "a", "min_size": 1}]}, "must have start_time or recurrence"),
    ({"scheduled_actions": [{**MORNING, "start_time": "2099-01-01"}]}, "must say its offset from UTC"),
    ({"scheduled_actions": [{**MORNING, "start_time": "soon"}]}, "'soon' must be a time such as"),
    (
        {"scheduled_actions": [{**MORNING, "start_time": "2099-01-02T00:00Z", "end_time": "2099-01-01T00:00Z"}]},
        "must come after start_time",
    ),
]


def test_bad_input_changes_nothing(world: World, run: Callable[..., Any]) -> None:
    wrong = []
    for changed, message in BAD_INPUT:
        result = run(world.options(**{**SCALING, **changed}))
        if not (result.failed and message in result["msg"] and result.mutating == []):
            wrong.append((changed, message, result.get("msg"), result.mutating))
    assert wrong == []
