# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Policies that keep what a formula makes of several metrics."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_scaling import read_policy
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import REGION
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import World
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import foretold

ONE = {"region": REGION, "name": "gpu-fleet"}
WAITING = {
    "id": "waiting",
    "namespace": "AWS/SQS",
    "name": "ApproximateNumberOfMessagesVisible",
    "statistic": "Sum",
    "dimensions": {"QueueName": "jobs"},
}
SERVING = {"id": "serving", "namespace": "AWS/AutoScaling", "name": "GroupInServiceInstances"}
BACKLOG = {"id": "backlog", "expression": "waiting / MAX([serving, 1])", "return_data": True}
QUERIES = [
    {"Expression": "waiting / MAX([serving, 1])", "Id": "backlog", "ReturnData": True},
    {
        "Id": "serving",
        "MetricStat": {
            "Metric": {"MetricName": "GroupInServiceInstances", "Namespace": "AWS/AutoScaling"},
            "Stat": "Average",
        },
        "ReturnData": False,
    },
    {
        "Id": "waiting",
        "MetricStat": {
            "Metric": {
                "Dimensions": [{"Name": "QueueName", "Value": "jobs"}],
                "MetricName": "ApproximateNumberOfMessagesVisible",
                "Namespace": "AWS/SQS",
            },
            "Stat": "Sum",
        },
        "ReturnData": False,
    },
]


def policy(*metrics: dict[str, Any], target: float = 10) -> dict[str, Any]:
    return {"scaling_policies": [{"name": "backlog", "target_value": target, "metrics": list(metrics)}]}


def specification(world: World) -> dict[str, Any]:
    found = world.autoscaling.describe_policies(AutoScalingGroupName="gpu-fleet")["ScalingPolicies"]
    return read_policy(found[0])["TargetTrackingConfiguration"]["CustomizedMetricSpecification"]


def test_queue_depth_for_each_instance(world: World, run: Callable[..., Any]) -> None:
    foretold(run, world.options(**policy(WAITING, SERVING, BACKLOG)))
    assert specification(world) == {"Metrics": QUERIES}
    # The order is nobody's matter; a formula and a period are.
    assert not run({**ONE, **policy(BACKLOG, SERVING, WAITING)}).changed
    assert not run({**ONE, **policy(BACKLOG, {**SERVING, "period": 60}, WAITING)}).changed
    foretold(run, {**ONE, **policy(WAITING, SERVING, {**BACKLOG, "expression": "waiting / serving"})})
    foretold(run, {**ONE, **policy({**WAITING, "period": 10}, SERVING, {**BACKLOG, "label": "jobs for each"})})
    waiting = specification(world)["Metrics"][-1]["MetricStat"]
    assert waiting["Period"] == 10


def test_one_metric_of_high_resolution(world: World, run: Callable[..., Any]) -> None:
    metric = {"namespace": "CWAgent", "name": "gpu", "period": 10}
    foretold(run, world.options(scaling_policies=[{"name": "backlog", "target_value": 75, "custom_metric": metric}]))
    assert specification(world)["Period"] == 10


def test_what_aws_adds_is_no_difference() -> None:
    """botocore model: a period of 60 and ReturnData true are AWS's own."""
    described = {
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingConfiguration": {
            "TargetValue": 10,
            "CustomizedMetricSpecification": {
                "Dimensions": [],
                "Metrics": [
                    {**QUERIES[2], "Period": 60},
                    {key: value for key, value in QUERIES[0].items() if key != "ReturnData"},
                    {**QUERIES[1], "MetricStat": {**QUERIES[1]["MetricStat"], "Period": 60, "Unit": ""}},
                ],
            },
        },
    }
    read = read_policy(described)["TargetTrackingConfiguration"]
    assert read["CustomizedMetricSpecification"] == {"Metrics": QUERIES}


@pytest.mark.parametrize(
    ("metrics", "says"),
    [
        ([], "metrics.return_data: [] must be true for exactly one"),
        ([WAITING, SERVING], "metrics.return_data: [] must be true for exactly one"),
        ([{**WAITING, "return_data": True}, SERVING, BACKLOG], "['waiting', 'backlog'] must be true for exactly one"),
        ([WAITING, WAITING, BACKLOG], "metrics: 'waiting' is listed twice"),
        ([{**WAITING, "id": "Waiting"}], "metrics[Waiting].id: 'Waiting' must begin with a small letter"),
        ([{**WAITING, "id": "w-1"}], "must begin with a small letter and have letters, digits and _ only"),
        ([WAITING, BACKLOG], "metrics[backlog].expression: 'serving' is the id of none of backlog, waiting"),
        ([{**BACKLOG, "expression": "backlog * 2"}], "metrics[backlog].expression: 'backlog' refers to itself"),
        ([{**BACKLOG, "expression": "x" * 2048}], "has 2048 characters, limit 2047"),
        ([WAITING, SERVING, {**BACKLOG, "name": "n", "statistic": "Sum"}], "['name', 'statistic'] do not go with"),
        ([{"id": "a", "name": "n", "return_data": True}], "must have either expression, or name and namespace"),
        ([{"id": "a", "return_data": True}], "must have either expression, or name and namespace"),
    ],
)
def test_bad_metrics(world: World, run: Callable[..., Any], metrics: list[dict[str, Any]], says: str) -> None:
    refused = run(world.options(**policy(*metrics)))
    assert refused.failed
    assert says in refused["msg"], refused["msg"]
    assert "scaling_policies[backlog].metrics" in refused["msg"]
    assert refused.mutating == []


def test_strings_of_an_expression_name_no_metric(world: World, run: Callable[..., Any]) -> None:
    quoted = {**BACKLOG, "expression": "waiting / SUM([serving, 'it is no id'])"}
    assert not run(world.options(**policy(WAITING, SERVING, quoted)), check_mode=True).failed
