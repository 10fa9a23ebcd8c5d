# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""spot_fleet_info: wanted, actual, and sentences for the difference."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from typing import Any

import pytest

from ansible_collections.ethereal.spot.plugins.modules import spot_fleet_info

REGION = "us-east-1"
NOW = datetime.now(UTC)
SPOT, ON_DEMAND, NEW = "i-00000000000000001", "i-00000000000000002", "i-00000000000000003"


def member(instance_id: str, zone: str, state: str = "InService", health: str = "Healthy") -> dict[str, Any]:
    return {
        "AvailabilityZone": zone,
        "HealthStatus": health,
        "InstanceId": instance_id,
        "InstanceType": "g5.xlarge",
        "LifecycleState": state,
        "ProtectedFromScaleIn": False,
    }


def group(
    name: str = "llm", desired: int = 3, members: list[dict[str, Any]] | None = None, **more: Any
) -> dict[str, Any]:
    split = {
        "OnDemandBaseCapacity": 1,
        "OnDemandPercentageAboveBaseCapacity": 0,
        "SpotAllocationStrategy": "price-capacity-optimized",
    }
    return {
        "AutoScalingGroupARN": f"arn:aws:autoscaling:{REGION}:123456789012:autoScalingGroup:1:autoScalingGroupName/{name}",
        "AutoScalingGroupName": name,
        "AvailabilityZones": ["us-east-1a"],
        "CreatedTime": NOW,
        "DefaultCooldown": 300,
        "DesiredCapacity": desired,
        "HealthCheckType": "EC2",
        "Instances": members or [],
        "MaxSize": 10,
        "MinSize": 0,
        "MixedInstancesPolicy": {
            "InstancesDistribution": split,
            "LaunchTemplate": {"Overrides": [{"InstanceType": "g5.xlarge"}, {"InstanceType": "g6.xlarge"}]},
        },
        "Tags": [{"Key": "ethereal-spot:capacity-owner", "Value": "placement"}],
        **more,
    }


def failure(minutes_ago: int, **more: Any) -> dict[str, Any]:
    return {
        "ActivityId": str(minutes_ago),
        "AutoScalingGroupName": "llm",
        "Cause": "a difference between desired and actual capacity",
        "Description": "Launching a new EC2 instance",
        "Details": '{"Availability Zone": "us-east-1a"}',
        "StartTime": NOW - timedelta(minutes=minutes_ago),
        "StatusCode": "Failed",
        "StatusMessage": "Could not launch Spot Instances. UnfulfillableCapacity - No capacity. Launching EC2 instance failed.",
        **more,
    }


@pytest.fixture
def run(recorder: Any, run_module: Callable[..., Any]) -> Callable[..., Any]:
    described = [
        {"InstanceId": SPOT, "InstanceLifecycle": "spot", "LaunchTime": NOW, "State": {"Name": "running"}},
        {"InstanceId": ON_DEMAND, "LaunchTime": NOW, "PrivateIpAddress": "10.0.0.4", "State": {"Name": "running"}},
    ]
    recorder.answer("ec2", "DescribeInstances", {"Reservations": [{"Instances": described}]})

    def go(groups: list[dict[str, Any]], activities: list[dict[str, Any]] | None = None, **options: Any) -> Any:
        recorder.answer("autoscaling", "DescribeAutoScalingGroups", {"AutoScalingGroups": groups})
        recorder.answer("autoscaling", "DescribeScalingActivities", {"Activities": activities or []})
        result = run_module(
            spot_fleet_info, {"region": REGION, **({"names": ["llm"]} if not options else {}), **options}
        )
        assert not result.changed
        assert result.mutating == []
        return result

    return go


def test_a_fleet_that_lacks_instances(run: Callable[..., Any]) -> None:
    members = [member(SPOT, "us-east-1a"), member(ON_DEMAND, "us-east-1b"), member(NEW, "us-east-1b", "Pending")]
    result = run([group(members=members)], [failure(2), failure(3), failure(90)])
    (fleet,) = result["fleets"]
    assert fleet["wanted"] == {
        "capacity_owner": "placement",
        "desired_capacity": 3,
        "instance_types": ["g5.xlarge", "g6.xlarge"],
        "max_size": 10,
        "min_size": 0,
        "on_demand_base": 1,
        "on_demand_percentage_above_base": 0,
        "spot_strategy": "price-capacity-optimized",
    }
    actual = fleet["actual"]
    assert actual["in_service"] == 2
    assert actual["by_market"] == {"on-demand": 1, "spot": 1}
    assert actual["by_zone"] == {"us-east-1a": 1, "us-east-1b": 1}
    assert [(item["instance_id"], item["lifecycle"], item["private_ip"]) for item in actual["instances"]] == [
        (SPOT, "spot", None),
        (ON_DEMAND, "on-demand", "10.0.0.4"),
        (NEW, None, None),
    ]
    (told,) = fleet["failures"]
    assert (told["code"], told["scope"], told["count"], told["recovered"]) == (
        "UnfulfillableCapacity",
        "region",
        2,
        False,
    )
    assert fleet["why"][:2] == ["llm wants 3 instances, 2 serve.", "1 are Pending."]
    assert fleet["why"][2].startswith("Launches fail: UnfulfillableCapacity (region) spot in us-east-1a: No capacity")
    assert result["why"] == fleet["why"]


def test_a_fleet_that_is_as_wanted(run: Callable[..., Any]) -> None:
    members = [member(SPOT, "us-east-1a"), member(ON_DEMAND, "us-east-1b")]
    recovered = failure(1, StatusCode="Successful", StatusMessage="Launched.")
    result = run([group(desired=2, members=members)], [recovered, failure(2)])
    assert result["why"] == []
    assert [item["recovered"] for item in result["fleets"][0]["failures"]] == [True]


def test_other_reasons(run: Callable[..., Any]) -> None:
    members = [member(SPOT, "us-east-1a", health="Unhealthy")]
    suspended = [{"ProcessName": "Launch", "SuspensionReason": "by a user"}]
    result = run([group(desired=1, members=members, SuspendedProcesses=suspended, Status="Delete in progress")])
    assert result["why"] == [
        "llm is being deleted.",
        "llm wants 1 instances, 0 serve.",
        f"Unhealthy: {SPOT}.",
        "Launches are suspended in this group.",
    ]


def test_more_on_demand_than_asked_for(run: Callable[..., Any]) -> None:
    split = {"OnDemandBaseCapacity": 0, "OnDemandPercentageAboveBaseCapacity": 0}
    policy = {"InstancesDistribution": split, "LaunchTemplate": {"Overrides": []}}
    result = run([group(desired=1, members=[member(ON_DEMAND, "us-east-1a")], MixedInstancesPolicy=policy)])
    assert result["why"] == ["1 instances are on-demand, the split asks for 0."]


def test_a_group_that_is_not_there(run: Callable[..., Any]) -> None:
    result = run([], names=["llm-od"])
    assert result["fleets"] == [{"exists": False, "name": "llm-od", "why": ["llm-od does not exist."]}]


def test_a_deployments_groups(run: Callable[..., Any]) -> None:
    result = run([group("b", 0), group("a", 0)], prefix="llm")
    assert [fleet["name"] for fleet in result["fleets"]] == ["a", "b"]
    assert result.calls[0].params["Filters"] == [{"Name": "tag:ethereal-spot:deployment", "Values": ["llm"]}]
    assert result.operations("ec2") == []


@pytest.mark.parametrize(
    ("running", "status", "why"),
    [
        (2, "ACTIVE", []),
        (
            1,
            "ACTIVE",
            [
                "Service llm wants 2 tasks, 1 run, 0 are pending.",
                "ECS says: (service llm) was unable to place a task",
            ],
        ),
        (0, "INACTIVE", ["Service llm does not exist."]),
    ],
)
def test_a_service(run: Callable[..., Any], recorder: Any, running: int, status: str, why: list[str]) -> None:
    service = {
        "clusterArn": f"arn:aws:ecs:{REGION}:123456789012:cluster/llm",
        "deployments": [{}],
        "desiredCount": 2,
        "events": [{"message": "(service llm) was unable to place a task"}, {"message": "older"}],
        "pendingCount": 0,
        "runningCount": running,
        "serviceName": "llm",
        "status": status,
    }
    recorder.answer("ecs", "DescribeServices", {"services": [service]})
    result = run([group(desired=0)], names=["llm"], cluster="llm", service="llm")
    assert result["why"] == why
    if status == "ACTIVE":
        assert result["service"]["steady"] is (running == 2)


def test_a_cluster_that_is_not_there(run: Callable[..., Any], recorder: Any, aws_error: Callable[..., Any]) -> None:
    recorder.answer("ecs", "DescribeServices", aws_error("ClusterNotFoundException"))
    result = run([group(desired=0)], names=["llm"], cluster="llm", service="llm")
    assert result["service"] is None
    assert result["why"] == ["Service llm does not exist."]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"failures_within": 5}, "names: None is needed, or prefix"),
        ({"names": []}, "names: [] must name at least one group"),
        ({"names": ["a b"]}, "names[0]: 'a b' must match"),
        ({"prefix": "A"}, "prefix: 'A' must match"),
        ({"names": ["llm"], "service": "llm"}, "cluster: None is needed"),
        ({"names": ["llm"], "failures_within": -1}, "failures_within: -1 must be a whole number"),
    ],
)
def test_bad_input(run: Callable[..., Any], options: dict[str, Any], message: str) -> None:
    result = run([], **options)
    assert result.failed
    assert message in result["msg"]
    assert result.calls == []


FILES = "fs-0123456789abcdef0"


def test_the_copy_of_the_files(run: Callable[..., Any], recorder: Any) -> None:
    copy = {
        "FileSystemId": "fs-0123456789abcdef1",
        "Region": "eu-central-1",
        "Status": "ENABLED",
        "LastReplicatedTimestamp": datetime(2026, 3, 1, 11, 58, 7, tzinfo=UTC),
    }
    standing = {
        "SourceFileSystemId": FILES,
        "SourceFileSystemRegion": REGION,
        "SourceFileSystemArn": f"arn:aws:elasticfilesystem:{REGION}:123456789012:file-system/{FILES}",
        "OriginalSourceFileSystemArn": f"arn:aws:elasticfilesystem:{REGION}:123456789012:file-system/{FILES}",
        "CreationTime": NOW,
    }
    recorder.answer(
        "efs", "DescribeReplicationConfigurations", {"Replications": [{**standing, "Destinations": [copy]}]}
    )
    members = [member(SPOT, "us-east-1a"), member(ON_DEMAND, "us-east-1b")]
    result = run([group(desired=2, members=members)], names=["llm"], file_system_id=FILES)
    assert result["replication"]["last_replicated"] == "2026-03-01T11:58:07+00:00"
    assert (result["replication"]["region"], result["why"]) == ("eu-central-1", [])
    recorder.answer("efs", "DescribeReplicationConfigurations", {"Replications": []})
    result = run([group(desired=2, members=members)], names=["llm"], file_system_id=FILES)
    assert (result["replication"], result["why"]) == (None, [f"File system {FILES} is not replicated."])
