# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Schedules, policies, warm pools and the switches of a group. Sources: botocore model; EC2 Auto Scaling user guide,

"Scheduled scaling", "Warm pools" (limitations), "Suspend and resume processes", "Temporarily remove instances".
"""

from __future__ import annotations

from datetime import UTC
from datetime import datetime
from datetime import timedelta
from typing import Any

import pytest
from fleet_kit import Fleet
from fleet_kit import eventually
from fleet_kit import refused
from sandbox_process import Sandbox

NAME = {"AutoScalingGroupName": "g"}


@pytest.fixture
def fleet(sandbox: Sandbox) -> Fleet:
    return Fleet(sandbox)


def schedule(fleet: Fleet, name: str = "s", **values: Any) -> None:
    fleet.asg.put_scheduled_update_group_action(**NAME, ScheduledActionName=name, **values)


def scheduled(fleet: Fleet, **filters: Any) -> list[dict[str, Any]]:
    return fleet.asg.describe_scheduled_actions(**filters)["ScheduledUpdateGroupActions"]


def test_scheduled_actions_are_kept_with_their_time_zone(fleet: Fleet) -> None:
    fleet.group(0)
    schedule(fleet, Recurrence="30 7 * * 1-5", TimeZone="Europe/Paris", MinSize=1, MaxSize=5, DesiredCapacity=2)
    schedule(fleet, "night", Recurrence="0 20 * * *", DesiredCapacity=0)
    found = scheduled(fleet, **NAME)
    arn = found[0].pop("ScheduledActionARN")
    assert ":scheduledUpdateGroupAction:" in arn
    assert arn.endswith(":autoScalingGroupName/g:scheduledActionName/s")
    assert found[0] == {
        **NAME,
        "ScheduledActionName": "s",
        "Recurrence": "30 7 * * 1-5",
        "TimeZone": "Europe/Paris",
        "MinSize": 1,
        "MaxSize": 5,
        "DesiredCapacity": 2,
    }
    assert not {"TimeZone", "MinSize", "MaxSize"} & set(found[1])
    assert found[1]["DesiredCapacity"] == 0
    assert [each["ScheduledActionName"] for each in scheduled(fleet, ScheduledActionNames=["night"])] == ["night"]
    schedule(fleet, Recurrence="0 8 * * *", MaxSize=3)
    again = scheduled(fleet, **NAME)[0]
    assert (again["Recurrence"], again["ScheduledActionARN"]) == ("0 8 * * *", arn)
    assert "TimeZone" not in again
    fleet.asg.delete_scheduled_action(**NAME, ScheduledActionName="s")
    assert [each["ScheduledActionName"] for each in scheduled(fleet, **NAME)] == ["night"]
    with refused("ValidationError", "not found"):
        fleet.asg.delete_scheduled_action(**NAME, ScheduledActionName="s")


def test_bad_schedules_are_refused(fleet: Fleet) -> None:
    fleet.group(0)
    past = datetime.now(UTC) - timedelta(hours=1)
    for wrong, text in (
        ({"Recurrence": "0 8 * * *"}, "must be specified"),
        ({"StartTime": past, "MinSize": 1}, "Given start time is in the past"),
        ({"Recurrence": "0 0 8 * * *", "MinSize": 1}, "Given recurrence string: 0 0 8 * * * is invalid"),
        ({"Recurrence": "cron(0 8 * * ? *)", "MinSize": 1}, "is invalid"),
        ({"Recurrence": "0 8 * * *", "MinSize": 1, "TimeZone": "Mars/Olympus"}, "Mars/Olympus"),
    ):
        with refused("ValidationError", text):
            schedule(fleet, **wrong)
    assert scheduled(fleet, **NAME) == []


def test_a_one_time_action_runs_once(fleet: Fleet) -> None:
    fleet.group(0)
    schedule(fleet, StartTime=datetime.now(UTC) + timedelta(seconds=2), DesiredCapacity=1)
    assert scheduled(fleet, **NAME)[0]["StartTime"] > datetime.now(UTC)
    fleet.in_service(1)
    assert scheduled(fleet, **NAME) == []


def test_tracking_of_a_custom_metric_is_shown_as_it_was_put(fleet: Fleet) -> None:
    fleet.group(0)
    stat = {
        "Metric": {"Namespace": "Fleet", "MetricName": "Backlog", "Dimensions": [{"Name": "Queue", "Value": "q"}]},
        "Stat": "Sum",
        "Unit": "Count",
    }
    customized = [
        {
            "Metrics": [
                {"Id": "m", "MetricStat": stat, "ReturnData": False},
                {"Id": "e", "Expression": "m / 2", "Label": "each", "ReturnData": True},
            ]
        },
        {
            "MetricName": "Backlog",
            "Namespace": "Fleet",
            "Dimensions": [{"Name": "Queue", "Value": "q"}],
            "Statistic": "Average",
            "Unit": "Count",
            "Period": 10,
        },
    ]
    for number, metric in enumerate(customized):
        tracking = {"CustomizedMetricSpecification": metric, "TargetValue": 5.5, "DisableScaleIn": True}
        fleet.asg.put_scaling_policy(
            **NAME,
            PolicyName=f"p{number}",
            PolicyType="TargetTrackingScaling",
            TargetTrackingConfiguration=tracking,
            EstimatedInstanceWarmup=90,
            Enabled=number == 0,
        )
        shown = fleet.asg.describe_policies(**NAME, PolicyNames=[f"p{number}"])["ScalingPolicies"][0]
        assert shown["TargetTrackingConfiguration"] == tracking
        assert (shown["EstimatedInstanceWarmup"], shown["Enabled"]) == (90, number == 0)


def test_step_policies_are_shown_as_they_were_put(fleet: Fleet) -> None:
    fleet.group(0)
    steps = [
        {"MetricIntervalLowerBound": 0.0, "MetricIntervalUpperBound": 10.0, "ScalingAdjustment": 1},
        {"MetricIntervalLowerBound": 10.0, "ScalingAdjustment": 3},
    ]
    fleet.asg.put_scaling_policy(
        **NAME,
        PolicyName="p",
        PolicyType="StepScaling",
        AdjustmentType="PercentChangeInCapacity",
        MinAdjustmentMagnitude=2,
        MetricAggregationType="Maximum",
        StepAdjustments=steps,
    )
    shown = fleet.asg.describe_policies(**NAME)["ScalingPolicies"][0]
    assert shown["StepAdjustments"] == steps
    assert (shown["AdjustmentType"], shown["MinAdjustmentMagnitude"]) == ("PercentChangeInCapacity", 2)
    assert (shown["MetricAggregationType"], shown["Enabled"]) == ("Maximum", True)


def test_warm_pools_are_refused_for_spot_and_for_weights(fleet: Fleet) -> None:
    """User guide, "Warm pools", limitations: since November 2025 mixed groups may have one, but not with spot or weights."""
    fleet.group(0)
    text = "You can't add a warm pool to an Auto Scaling group that"
    with refused("ValidationError", text):
        fleet.asg.put_warm_pool(**NAME)
    weighted = fleet.policy(fleet.template("w"), OnDemandPercentageAboveBaseCapacity=100)
    weighted["LaunchTemplate"]["Overrides"] = [{"InstanceType": "g5.xlarge", "WeightedCapacity": "2"}]
    fleet.group(0, "weighted", weighted)
    with refused("ValidationError", text):
        fleet.asg.put_warm_pool(AutoScalingGroupName="weighted")
    fleet.group(0, "od", fleet.policy(fleet.template("o"), OnDemandPercentageAboveBaseCapacity=100))
    with refused("InvalidAction", "does not play"):
        fleet.asg.put_warm_pool(AutoScalingGroupName="od")


def test_suspended_processes_do_nothing_until_they_are_resumed(fleet: Fleet) -> None:
    fleet.group(2)
    sick = fleet.in_service(2)[0]["InstanceId"]
    fleet.asg.suspend_processes(**NAME, ScalingProcesses=["ReplaceUnhealthy", "Terminate"])
    fleet.asg.set_instance_health(InstanceId=sick, HealthStatus="Unhealthy")
    fleet.resize(1)
    assert len(fleet.in_service(2)) == 2
    assert [each["ProcessName"] for each in fleet.shown()["SuspendedProcesses"]] == ["ReplaceUnhealthy", "Terminate"]
    with refused("ValidationError", "Sleep"):
        fleet.asg.suspend_processes(**NAME, ScalingProcesses=["Sleep"])
    fleet.asg.resume_processes(**NAME, ScalingProcesses=["ReplaceUnhealthy", "Terminate"])
    eventually(fleet.shown, lambda found: [each["InstanceId"] for each in found["Instances"]] != [sick])
    fleet.in_service(1)
    fleet.asg.suspend_processes(**NAME, ScalingProcesses=["InstanceRefresh"])
    fleet.asg.start_instance_refresh(**NAME)
    assert fleet.asg.describe_instance_refreshes(**NAME)["InstanceRefreshes"][0]["Status"] == "Pending"


def test_standby_without_less_capacity_is_replaced(fleet: Fleet) -> None:
    fleet.group(1)
    out = fleet.in_service(1)[0]["InstanceId"]
    fleet.asg.enter_standby(**NAME, InstanceIds=[out], ShouldDecrementDesiredCapacity=False)
    eventually(fleet.members, lambda found: len(found) == 1 and found[0]["InstanceId"] != out)
    assert fleet.shown()["DesiredCapacity"] == 1
    assert fleet.instance(out)["State"]["Name"] == "running"
    with refused("ValidationError", "not in InService"):
        fleet.asg.enter_standby(**NAME, InstanceIds=[out], ShouldDecrementDesiredCapacity=True)
    fleet.asg.exit_standby(**NAME, InstanceIds=[out])
    fleet.in_service(2)
    assert fleet.shown()["DesiredCapacity"] == 2


def test_new_instances_are_protected_where_the_group_says_so(fleet: Fleet) -> None:
    fleet.group(1, NewInstancesProtectedFromScaleIn=True)
    instance = fleet.in_service(1)[0]
    assert instance["ProtectedFromScaleIn"] is True
    fleet.resize(0)
    fleet.in_service(1)
    fleet.asg.set_instance_protection(**NAME, InstanceIds=[instance["InstanceId"]], ProtectedFromScaleIn=False)
    eventually(fleet.shown, lambda found: found["Instances"] == [])


def test_a_group_that_no_deletion_is_allowed_for_stays(fleet: Fleet) -> None:
    """botocore model, DeletionProtection: prevent-all-deletion blocks forced deletion and any other."""
    fleet.group(0, DeletionProtection="prevent-all-deletion")
    for forced in (True, False):
        with refused("ValidationError", "deletion protection"):
            fleet.asg.delete_auto_scaling_group(**NAME, ForceDelete=forced)
    assert fleet.shown()["DeletionProtection"] == "prevent-all-deletion"
    fleet.asg.update_auto_scaling_group(**NAME, DeletionProtection="none")
    fleet.asg.delete_auto_scaling_group(**NAME)
    assert fleet.shown() == {}


def test_all_metrics_are_enabled_where_none_is_named(fleet: Fleet) -> None:
    fleet.group(0)
    with refused("ValidationError", "1Minute"):
        fleet.asg.enable_metrics_collection(**NAME, Granularity="5Minutes")
    fleet.asg.enable_metrics_collection(**NAME, Granularity="1Minute")
    shown = fleet.shown()["EnabledMetrics"]
    assert {each["Granularity"] for each in shown} == {"1Minute"}
    assert len(shown) == 20
    fleet.asg.disable_metrics_collection(**NAME)
    assert fleet.shown()["EnabledMetrics"] == []


def test_reservations_come_first_where_asked(fleet: Fleet) -> None:
    """botocore model: CapacityDistributionStrategy, CapacityReservationSpecification."""
    target = {"CapacityReservationResourceGroupArns": ["arn:aws:resource-groups:us-east-1:123456789012:group/g"]}
    wanted = {
        "AvailabilityZoneDistribution": {"CapacityDistributionStrategy": "reservations-then-balanced"},
        "CapacityReservationSpecification": {
            "CapacityReservationPreference": "capacity-reservations-first",
            "CapacityReservationTarget": target,
        },
    }
    fleet.group(0)
    assert fleet.shown()["CapacityReservationSpecification"] == {"CapacityReservationPreference": "default"}
    fleet.asg.update_auto_scaling_group(**NAME, **wanted)
    assert {key: fleet.shown()[key] for key in wanted} == wanted
    for preference in ("default", "none"):
        with refused("ValidationError", f"CapacityReservationPreference {preference}"):
            fleet.asg.update_auto_scaling_group(
                **NAME,
                CapacityReservationSpecification={
                    "CapacityReservationPreference": preference,
                    "CapacityReservationTarget": target,
                },
            )
