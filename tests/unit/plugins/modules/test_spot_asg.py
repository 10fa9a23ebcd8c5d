# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""spot_asg against moto: check, run, run again, change, remove; bad input before any mutating call."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC
from datetime import datetime
from typing import Any

import boto3
import pytest

from ansible_collections.ethereal.spot.plugins.module_utils._aws import autoscaling
from ansible_collections.ethereal.spot.plugins.module_utils._aws import launch_templates
from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError
from ansible_collections.ethereal.spot.plugins.module_utils._aws.waiters import Pace
from ansible_collections.ethereal.spot.plugins.modules import spot_asg
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import ARM_IMAGE
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import CANARY
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import ENCODED
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import IMAGE
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import KNOWN_AFTER_APPLY
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import NEWER_IMAGE
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import PARAMETER
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import REGION
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import World
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import image
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import plain
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import without_blanks


def test_from_nothing_to_nothing(world: World, run: Callable[..., Any]) -> None:
    predicted = run(world.options(), check_mode=True, diff=True)
    assert predicted.changed
    assert predicted.mutating == []
    assert predicted["asg_arn"] == predicted["launch_template_id"] == KNOWN_AFTER_APPLY
    assert predicted["diff"]["before"] == {}

    made = run(world.options(), diff=True)
    assert made.changed
    assert [call.operation for call in made.mutating] == [
        "CreateLaunchTemplate",
        "CreateAutoScalingGroup",
        "EnableMetricsCollection",
    ]
    assert made["changes"] == predicted["changes"]
    assert plain(made["after"]) == plain(predicted["after"])
    assert made["capacity_config"] == {"min": 2, "max": 50, "desired": 3}
    assert made["launch_template_latest_version"] == 1
    assert made["asg_arn"] == world.group()["AutoScalingGroupARN"]

    for modes in ({}, {"check_mode": True}):
        again = run(world.options(), diff=True, **modes)
        assert not again.failed
        assert again["changes"] == []
        assert not again.changed
        assert again.mutating == []
        assert again["diff"]["before"] == again["diff"]["after"] == made["after"]

    removal = {"region": REGION, "name": "gpu-fleet", "state": "absent"}
    predicted = run(removal, check_mode=True)
    assert predicted.changed
    assert predicted.mutating == []
    removed = run(removal)
    assert removed["changes"] == predicted["changes"]
    assert [call.operation for call in removed.mutating] == ["DeleteAutoScalingGroup", "DeleteLaunchTemplate"]
    assert removed.mutating[0].params["ForceDelete"] is True
    states = {
        instance["State"]["Name"]
        for reservation in world.ec2.describe_instances()["Reservations"]
        for instance in reservation["Instances"]
    }
    assert states == {"terminated"}
    again = run(removal)
    assert not again.changed
    assert again.mutating == []


def test_every_volume_is_the_customers(world: World, run: Callable[..., Any], recorder: Any) -> None:
    with_store = image(IMAGE, world.snapshot)
    with_store["BlockDeviceMappings"].append({"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"})
    recorder.answer("ec2", "DescribeImages", {"Images": [with_store]})
    volume = {"disk_size": 200, "ebs_iops": 4000, "ebs_throughput": 1000}
    # moto cannot launch from an instance store.
    run(world.options(**volume, on_demand_base=0, min_size=0, desired_capacity=0))
    data = world.versions()[0]["LaunchTemplateData"]
    encrypted = {"DeleteOnTermination": True, "Encrypted": True, "KmsKeyId": world.key, "VolumeType": "gp3"}
    assert data["BlockDeviceMappings"] == [
        {"DeviceName": "/dev/sda1", "Ebs": {**encrypted, "Iops": 4000, "Throughput": 1000, "VolumeSize": 200}},
        {"DeviceName": "/dev/sdb", "VirtualName": "ephemeral0"},
        {"DeviceName": "/dev/sdc", "Ebs": {**encrypted, "SnapshotId": world.snapshot, "VolumeSize": 8}},
    ]
    assert data["MetadataOptions"] == {
        "HttpEndpoint": "enabled",
        "HttpProtocolIpv6": "disabled",
        "HttpPutResponseHopLimit": 1,
        "HttpTokens": "required",
        "InstanceMetadataTags": "enabled",
    }
    assert data["EbsOptimized"] is True
    assert data["Monitoring"] == {"Enabled": True}
    assert data["NetworkInterfaces"] == [
        {
            "AssociatePublicIpAddress": False,
            "DeleteOnTermination": True,
            "DeviceIndex": 0,
            "Groups": [world.security_group],
        }
    ]
    assert tagged(world) == {*TAGGED, "spot-instances-request"}


TAGGED = {"instance", "network-interface", "volume"}


def tagged(world: World) -> set[str]:
    """What the latest version tags; all of it alike."""
    specifications = world.versions()[-1]["LaunchTemplateData"]["TagSpecifications"]
    assert all({"Key": "team", "Value": "ml"} in item["Tags"] for item in specifications)
    return {item["ResourceType"] for item in specifications}


def test_spot_requests_are_tagged_where_no_launch_is_on_demand(world: World, run: Callable[..., Any]) -> None:
    spot = {"on_demand_base": 0, "min_size": 0}
    run(world.options(**spot))
    assert tagged(world) == {*TAGGED, "spot-instances-request"}
    named = {"region": REGION, "name": "gpu-fleet"}
    for split in ({"on_demand_base": 1}, {"on_demand_percentage_above_base": 10}, {"on_demand_only": True}):
        predicted = run({**named, **split}, check_mode=True)
        changed = run({**named, **split})
        assert changed["changes"] == predicted["changes"]
        assert tagged(world) == TAGGED
        assert changed["after"]["launch_template"]["version"] == str(len(world.versions()))
        assert not run({**named, **split}).changed
        run(world.options(**spot, on_demand_percentage_above_base=0))
        assert tagged(world) == {*TAGGED, "spot-instances-request"}


def test_group_as_asked(world: World, run: Callable[..., Any]) -> None:
    made = run(world.options(ecs_managed=True))
    group = world.group()
    policy = group["MixedInstancesPolicy"]
    assert [item["InstanceType"] for item in policy["LaunchTemplate"]["Overrides"]] == ["g4dn.xlarge", "g5.xlarge"]
    assert policy["LaunchTemplate"]["LaunchTemplateSpecification"]["Version"] == "1"
    assert policy["InstancesDistribution"] == {
        "OnDemandAllocationStrategy": "prioritized",
        "OnDemandBaseCapacity": 2,
        "OnDemandPercentageAboveBaseCapacity": 0,
        "SpotAllocationStrategy": "price-capacity-optimized",
    }
    assert group["CapacityRebalance"] is True
    assert group["TerminationPolicies"][0] == "OldestLaunchTemplate"
    assert (group["HealthCheckType"], group["HealthCheckGracePeriod"]) == ("EC2", 300)
    assert group["MaxInstanceLifetime"] == 604_800
    tags = {tag["Key"]: (tag["Value"], tag["PropagateAtLaunch"]) for tag in group["Tags"]}
    assert tags == {
        "AmazonECSManaged": ("", True),
        "CostCenter": ("HPC-Engineering", True),
        "Environment": ("production", True),
        "Project": ("Ethereal-Cloud-Systems", True),
        "ethereal-spot:capacity-owner": ("playbook", False),
        "ethereal-spot:place": ("east", True),
        "team": ("ml", True),
    }
    assert made["group"]["launch_template"] == {
        "id": policy["LaunchTemplate"]["LaunchTemplateSpecification"]["LaunchTemplateId"],
        "name": "gpu-fleet",
        "version": "1",
    }


def test_partial_update_touches_what_is_named(world: World, run: Callable[..., Any]) -> None:
    run(world.options())
    changed = run({"region": REGION, "name": "gpu-fleet", "desired_capacity": 5}, diff=True)
    assert changed["changes"] == [{"kind": "update_group", "what": "desired_capacity", "before": 3, "after": 5}]
    assert [(call.operation, call.params) for call in changed.mutating] == [
        ("UpdateAutoScalingGroup", {"AutoScalingGroupName": "gpu-fleet", "DesiredCapacity": 5})
    ]
    assert changed["before"] == {**changed["after"], "desired_capacity": 3}
    assert len(world.versions()) == 1

    changed = run({"region": REGION, "name": "gpu-fleet", "disk_size": 150})
    assert [change["what"] for change in changed["changes"]] == ["BlockDeviceMappings", "launch_template"]
    first, second = (version["LaunchTemplateData"] for version in world.versions())
    assert second["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] == 150
    assert {**second, "BlockDeviceMappings": None} == {**first, "BlockDeviceMappings": None}
    assert world.group()["MixedInstancesPolicy"]["LaunchTemplate"]["LaunchTemplateSpecification"]["Version"] == "2"


def test_user_data_shows_as_digest(world: World, run: Callable[..., Any]) -> None:
    run(world.options(bootstrap_script="#!/bin/sh\n"))
    changed = run({"region": REGION, "name": "gpu-fleet", "bootstrap_script": CANARY}, check_mode=True, diff=True)
    (change, _group) = changed["changes"]
    assert change["what"] == "UserData"
    assert change["before"]["size"] == 10
    assert change["after"]["size"] == len(CANARY)
    run({"region": REGION, "name": "gpu-fleet", "user_data": CANARY})
    assert world.versions()[-1]["LaunchTemplateData"]["UserData"] == ENCODED
    run({"region": REGION, "name": "gpu-fleet", "user_data": ""})
    assert "UserData" not in world.versions()[-1]["LaunchTemplateData"]


def test_image_of_a_parameter_is_pinned(world: World, run: Callable[..., Any]) -> None:
    ssm = boto3.client("ssm", REGION)
    ssm.put_parameter(Name=PARAMETER, Type="String", Value=IMAGE)
    options = world.options(ami_id=f"resolve:ssm:{PARAMETER}")
    assert run(options)["after"]["image_id"] == IMAGE
    ssm.put_parameter(Name=PARAMETER, Type="String", Value=NEWER_IMAGE, Overwrite=True)
    assert not run(options).changed
    refreshed = run({"region": REGION, "name": "gpu-fleet", "refresh_image": True})
    assert [change["what"] for change in refreshed["changes"]] == ["ImageId", "launch_template"]
    assert refreshed["after"]["image_id"] == NEWER_IMAGE
    assert not run(options).changed
    assert not run({**options, "refresh_image": True}).changed
    fixed = run(world.options(ami_id=NEWER_IMAGE))
    assert [change["kind"] for change in fixed["changes"]] == ["untag_launch_template"]
    assert fixed["after"]["image_parameter"] is None


def test_types_not_offered_are_left_out(world: World, run: Callable[..., Any]) -> None:
    options = world.options(instance_types=["g5.xlarge", "x9z.xlarge", "g4dn.xlarge"])
    made = run(options)
    assert made["warnings"] == ["instance_types: 'x9z.xlarge' is not offered in us-east-1a, us-east-1b and is left out"]
    assert made["after"]["instance_types"] == ["g5.xlarge", "g4dn.xlarge"]
    assert not run(options).changed


def test_one_type_and_a_fallback(world: World, run: Callable[..., Any]) -> None:
    made = run(world.options(instance_types=None, instance_type="g5.xlarge", fallback_instance_type="g4dn.xlarge"))
    assert made["after"]["instance_types"] == ["g5.xlarge", "g4dn.xlarge"]


def test_on_demand_only(world: World, run: Callable[..., Any]) -> None:
    options = world.options(desired_capacity=None, on_demand_only=True, capacity_owner="placement")
    made = run(options)
    assert world.group()["MixedInstancesPolicy"]["InstancesDistribution"] == {
        "OnDemandAllocationStrategy": "prioritized",
        "OnDemandBaseCapacity": 0,
        "OnDemandPercentageAboveBaseCapacity": 100,
    }
    assert made["capacity_config"] == {"min": 0, "max": 50, "desired": 0}
    assert not run(options).changed


def test_placement_keeps_its_size(world: World, run: Callable[..., Any]) -> None:
    options = world.options(capacity_owner="placement", desired_capacity=None)
    assert run(options)["capacity_config"] == {"min": 0, "max": 50, "desired": 0}
    world.autoscaling.set_desired_capacity(AutoScalingGroupName="gpu-fleet", DesiredCapacity=4)
    assert not run({**options, "desired_capacity": 9}).changed
    assert world.group()["DesiredCapacity"] == 4
    refused = run({"region": REGION, "name": "gpu-fleet", "max_size": 3})
    assert refused.failed
    assert "max_size" in refused["msg"]
    assert refused.mutating == []


def test_scaling_moves_only_into_new_bounds(world: World, run: Callable[..., Any]) -> None:
    options = world.options(capacity_owner="scaling", desired_capacity=4)
    run(options)
    world.autoscaling.set_desired_capacity(AutoScalingGroupName="gpu-fleet", DesiredCapacity=7)
    assert not run(options).changed
    shrunk = run({"region": REGION, "name": "gpu-fleet", "max_size": 5})
    assert {change["what"]: change["after"] for change in shrunk["changes"]} == {"max_size": 5, "desired_capacity": 5}


def test_taking_over_for_placement(world: World, run: Callable[..., Any]) -> None:
    run(world.options())
    taken = run({"region": REGION, "name": "gpu-fleet", "capacity_owner": "placement"})
    assert {change["what"]: change["after"] for change in taken["changes"]} == {
        "min_size": 0,
        "on_demand_base": 0,
        "ethereal-spot:capacity-owner": "placement",
    }
    assert taken["capacity_config"] == {"min": 0, "max": 50, "desired": 3}


def test_tags_of_others_stay(world: World, run: Callable[..., Any]) -> None:
    run(world.options())
    foreign = {"ResourceId": "gpu-fleet", "ResourceType": "auto-scaling-group", "PropagateAtLaunch": True}
    world.autoscaling.create_or_update_tags(Tags=[{**foreign, "Key": "foreign", "Value": "1"}])
    assert not run(world.options()).changed
    changed = run(world.options(tags={"team": "vision"}))
    tags = {tag["Key"]: tag["Value"] for tag in world.group()["Tags"]}
    assert tags["team"] == "vision"
    assert tags["foreign"] == "1"
    assert tags["ethereal-spot:place"] == "east"
    assert {change["kind"] for change in changed["changes"]} == {
        "create_launch_template_version",
        "tag_group",
        "tag_launch_template",
        "update_group",
    }
    assert not run(world.options(tags={"team": "vision"})).changed


def test_drift_of_the_template_is_mended(world: World, run: Callable[..., Any]) -> None:
    run(world.options())
    data = {**world.versions()[0]["LaunchTemplateData"], "MetadataOptions": {"HttpTokens": "optional"}}
    world.ec2.create_launch_template_version(LaunchTemplateName="gpu-fleet", LaunchTemplateData=data)
    specification = {"LaunchTemplateName": "gpu-fleet", "Version": "$Latest"}
    overrides = [{"InstanceType": "g4dn.xlarge"}, {"InstanceType": "g5.xlarge"}]
    policy = world.group()["MixedInstancesPolicy"]
    policy["LaunchTemplate"] = {"LaunchTemplateSpecification": specification, "Overrides": overrides}
    world.autoscaling.update_auto_scaling_group(AutoScalingGroupName="gpu-fleet", MixedInstancesPolicy=policy)
    mended = run(world.options())
    assert mended["after"]["launch_template"]["version"] == "3"
    assert mended["after"]["metadata_options"]["HttpTokens"] == "required"
    assert not run(world.options()).changed


@pytest.mark.parametrize("killed_at", range(3))
def test_killed_between_any_two_calls(
    world: World, run: Callable[..., Any], recorder: Any, monkeypatch: pytest.MonkeyPatch, killed_at: int
) -> None:
    class Killed(BaseException):
        pass

    done = 0

    def kill(genuine: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal done
            answer = genuine(*args, **kwargs)
            done += 1
            if done == killed_at + 1:
                raise Killed
            return answer

        return call

    with monkeypatch.context() as patch:
        patch.setattr(launch_templates, "create_template", kill(launch_templates.create_template))
        patch.setattr(autoscaling, "create_group", kill(autoscaling.create_group))
        patch.setattr(autoscaling, "enable_metrics", kill(autoscaling.enable_metrics))
        with pytest.raises(Killed):
            run(world.options())
    repaired = run(world.options())
    assert not repaired.failed
    assert repaired.changed is (killed_at < 2)
    assert not run(world.options()).changed
    assert len(world.versions()) == 1
    assert world.group()["EnabledMetrics"]


def test_killed_after_a_new_version(world: World, run: Callable[..., Any]) -> None:
    run(world.options())
    data = world.versions()[0]["LaunchTemplateData"]
    data["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] = 150
    world.ec2.create_launch_template_version(LaunchTemplateName="gpu-fleet", LaunchTemplateData=data)
    repaired = run(world.options(disk_size=150))
    assert [change["what"] for change in repaired["changes"]] == ["launch_template"]
    assert len(world.versions()) == 2


def test_killed_while_removing(world: World, run: Callable[..., Any]) -> None:
    run(world.options())
    world.autoscaling.delete_auto_scaling_group(AutoScalingGroupName="gpu-fleet", ForceDelete=True)
    removed = run({"region": REGION, "name": "gpu-fleet", "state": "absent"})
    assert [change["kind"] for change in removed["changes"]] == ["delete_launch_template"]
    assert world.ec2.describe_launch_templates()["LaunchTemplates"] == []


def test_lost_answer_of_the_group(world: World, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The retry of a create whose answer was lost finds its own group."""
    genuine = autoscaling.create_group

    def create(client: Any, request: dict[str, Any]) -> None:
        genuine(client, request)
        raise AwsError("create the Auto Scaling group", "AlreadyExists", "already exists")

    monkeypatch.setattr(autoscaling, "create_group", create)
    result = run(world.options())
    assert not result.failed
    assert result.operations("autoscaling").count("CreateAutoScalingGroup") == 1
    assert world.group()["EnabledMetrics"]
    assert not run(world.options()).changed


def test_profile_that_is_not_known_yet(world: World, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = autoscaling.create_group
    refusals = iter(["You must use a valid fully-formed launch template. Invalid IAM Instance Profile name"] * 2)

    def create(client: Any, request: dict[str, Any]) -> None:
        refusal = next(refusals, None)
        if refusal:
            raise AwsError("create the Auto Scaling group", "ValidationError", refusal)
        genuine(client, request)

    monkeypatch.setattr(autoscaling, "create_group", create)
    assert not run(world.options()).failed
    assert world.group()["DesiredCapacity"] == 3


def failed_launch(number: int) -> dict[str, Any]:
    text = "Could not launch Spot Instances. InsufficientInstanceCapacity - There is no Spot capacity available."
    return {
        "ActivityId": str(number),
        "AutoScalingGroupName": "gpu-fleet",
        "Cause": "a difference between desired and actual capacity",
        "Description": "Launching a new EC2 instance",
        "StartTime": datetime(2026, 1, 1, 0, number, tzinfo=UTC),
        "StatusCode": "Failed",
        "StatusMessage": f"{text} Launching EC2 instance failed.",
    }


def test_waits_until_all_serve(world: World, run: Callable[..., Any]) -> None:
    made = run(world.options(wait=True))
    assert not made.failed
    assert len(made["group"]["instances"]) == 3
    assert made["reasons"] == []


@pytest.fixture
def short(world: World, run: Callable[..., Any], recorder: Any) -> list[dict[str, Any]]:
    """A fleet of three whose instances are never in service; the activities it tells of."""
    run(world.options())
    group = without_blanks(world.group())
    group["Instances"] = [{**group["Instances"][0], "LifecycleState": "Pending"}]
    activities = [failed_launch(1)]
    recorder.answer("autoscaling", "DescribeAutoScalingGroups", {"AutoScalingGroups": [group]})
    recorder.answer("autoscaling", "DescribeScalingActivities", lambda params, region: {"Activities": activities})
    return activities


def test_says_why_instances_are_missing(world: World, run: Callable[..., Any], short: list[dict[str, Any]]) -> None:
    result = run(world.options())
    assert not result.failed
    assert not result.changed
    assert [(reason["code"], reason["scope"], reason["market"]) for reason in result["reasons"]] == [
        ("InsufficientInstanceCapacity", "pool", "spot")
    ]
    short.append({**failed_launch(2), "StatusCode": "Successful", "StatusMessage": "Launched."})
    assert run(world.options())["reasons"] == []


def test_gives_up_when_launches_fail(
    world: World, run: Callable[..., Any], short: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds
        short.append(failed_launch(len(short) + 1))

    monkeypatch.setattr(spot_asg, "PACE", Pace(5, lambda: now, sleep))
    failed = run(world.options(wait=True, give_up_after=30))
    assert failed.failed
    assert now == 30
    assert failed["msg"].startswith(
        "group 'gpu-fleet' lacks 3 of 3 instances: InsufficientInstanceCapacity (pool) spot"
    )
    assert failed["failures"][0]["count"] == 7
    assert [item["lifecycle_state"] for item in failed["instances"]] == ["Pending"]
    assert failed.mutating == []


def test_waits_no_longer_than_told(
    world: World, run: Callable[..., Any], short: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(spot_asg, "PACE", Pace(5, lambda: sum(slept), slept.append))
    # One failed launch is not final: the group tries again.
    failed = run(world.options(wait=True, wait_timeout=60, give_up_after=10))
    assert failed.failed
    assert sum(slept) == 60


def test_values_known_after_apply(world: World, run: Callable[..., Any]) -> None:
    unknown = {
        "ami_id": KNOWN_AFTER_APPLY,
        "iam_instance_profile": KNOWN_AFTER_APPLY,
        "kms_key_arn": KNOWN_AFTER_APPLY,
        "security_group_ids": [KNOWN_AFTER_APPLY],
        "subnet_ids": KNOWN_AFTER_APPLY,
    }
    predicted = run(world.options(**unknown), check_mode=True, diff=True)
    assert not predicted.failed
    assert predicted.changed
    assert predicted["after"]["subnet_ids"] == [KNOWN_AFTER_APPLY]
    assert predicted["after"]["block_devices"] == KNOWN_AFTER_APPLY
    for option, value in unknown.items():
        refused = run(world.options(**{option: value}))
        assert refused.failed
        assert refused["msg"].startswith(f"{option}: ")
        assert "check mode" in refused["msg"]
        assert refused.mutating == []


WEST_KEY = "arn:aws:kms:us-west-2:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"
BAD_INPUT = [
    ({"name": "-fleet"}, "name: '-fleet' must match"),
    ({"name": "fleet_1"}, "name: 'fleet_1' must match"),
    ({"name": "a" * 129}, "must match"),
    ({"ami_id": "ami-XYZ"}, "ami_id: 'ami-XYZ' must be ami-"),
    ({"ami_id": "ami-00000000000000000"}, "ami_id: 'ami-00000000000000000' does not exist in us-east-1"),
    ({"ami_id": "resolve:ssm:/no/such"}, "ami_id: 'resolve:ssm:/no/such' does not hold an image's id"),
    ({"ami_id": ARM_IMAGE}, "is x86_64, image ami-0123456789abcdefa is arm64"),
    ({"ami_id": None}, "ami_id: None is required to create a fleet"),
    ({"kms_key_arn": None}, "kms_key_arn: None is required to create a fleet"),
    ({"kms_key_arn": WEST_KEY}, "is in us-west-2, the volumes are in us-east-1"),
    ({"kms_key_arn": WEST_KEY.replace("arn:aws:", "arn:aws-us-gov:")}, "is in partition aws-us-gov"),
    ({"kms_key_arn": "alias/aws/ebs"}, "must be the ARN of a key or an alias"),
    (
        {"subnet_ids": ["subnet-0123456789abcdef0"]},
        "subnet_ids: 'subnet-0123456789abcdef0' does not exist in us-east-1",
    ),
    ({"subnet_ids": []}, "subnet_ids: [] must be a list with at least one entry"),
    ({"security_group_ids": ["sg-0123456789abcdef0"]}, "security_group_ids: 'sg-0123456789abcdef0' does not exist"),
    ({"instance_types": ["g5.xlarge", "g5.xlarge"]}, "instance_types: 'g5.xlarge' is listed twice"),
    ({"instance_types": ["x9z.xlarge"]}, "instance_types: ['x9z.xlarge'] are not offered in us-east-1a, us-east-1b"),
    ({"instance_types": [f"c{n}.large" for n in range(41)]}, "instance_types: 41 instance types are listed, limit 40"),
    ({"min_size": 5, "max_size": 4}, "min_size: 5 breaks min_size (5) <= max_size (4)"),
    ({"min_size": -1}, "min_size: -1 must be a whole number"),
    ({"min_size": True}, "min_size: True must be a whole number"),
    ({"desired_capacity": 51}, "desired_capacity: 51 breaks desired_capacity (51) <= max_size (50, not given)"),
    ({"desired_capacity": 1}, "desired_capacity: 1 breaks min_size (2, not given) <= desired_capacity (1)"),
    ({"on_demand_base": 51}, "on_demand_base: 51 breaks on_demand_base (51) <= max_size (50, not given)"),
    (
        {"on_demand_percentage_above_base": 101},
        "on_demand_percentage_above_base: 101 must be a whole number from 0 to 100",
    ),
    ({"capacity_owner": "placement", "min_size": 1}, "min_size: 1 must be 0 under capacity_owner: placement"),
    (
        {"capacity_owner": "placement", "on_demand_base": 1},
        "on_demand_base: 1 must be 0 under capacity_owner: placement",
    ),
    ({"disk_size": 20}, "disk_size: 20 is below the 30 GiB of ami-0123456789abcdef0's root"),
    ({"ebs_iops": 2999}, "ebs_iops: 2999"),
    ({"ebs_iops": 60000}, "needs disk_size of at least 120"),
    ({"ebs_throughput": 1000}, "needs ebs_iops of at least 4000"),
    (
        {"root_device_name": "/dev/xvda"},
        "root_device_name: '/dev/xvda' is not the root device of ami-0123456789abcdef0",
    ),
    ({"bootstrap_script": "canary-5f2c91" * 1261}, "bootstrap_script: '16393 bytes' is over the limit of 16384 bytes"),
    ({"metadata_hop_limit": 65}, "metadata_hop_limit: 65 must be a whole number from 1 to 64"),
    (
        {"iam_instance_profile": "no spaces"},
        "iam_instance_profile: 'no spaces' must be an instance profile's name or ARN",
    ),
    ({"tags": {"aws:x": "1"}}, "uses the reserved prefix aws:"),
    ({"tags": {"a b": "1"}}, "tags: 'a b' cannot be shown in instance metadata"),
    ({"tags": {"ethereal-spot:capacity-owner": "placement"}}, "which the collection keeps for itself"),
    ({"wait_timeout": -1}, "wait_timeout: -1 must be a whole number"),
]


def test_bad_input_changes_nothing(world: World, run: Callable[..., Any]) -> None:
    # One world for all rows: making one takes longer than a run.
    wrong = []
    for changed, message in BAD_INPUT:
        result = run(world.options(**changed))
        if not (result.failed and message in result["msg"] and result.mutating == []):
            wrong.append((changed, message, result.get("msg"), result.mutating))
    assert wrong == []


def test_bad_network(world: World, run: Callable[..., Any]) -> None:
    cases = [
        (
            {"subnet_ids": [*world.subnets, world.other_subnet]},
            f"subnet_ids: '{world.other_subnet}' is in {world.other_vpc}, {world.subnets[0]} is in {world.vpc}",
        ),
        (
            {"subnet_ids": [world.public]},
            f"subnet_ids: '{world.public}' routes 0.0.0.0/0 to igw-",
        ),
        (
            {"security_group_ids": [world.other_security_group]},
            f"is in {world.other_vpc}, expected {world.vpc}",
        ),
    ]
    for changed, message in cases:
        result = run(world.options(**changed))
        assert result.failed
        assert message in result["msg"]
        assert result.mutating == []
    accepted = run(world.options(subnet_ids=[world.public], allow_public_subnets=True), check_mode=True)
    assert not accepted.failed


def test_launch_configuration_is_left_alone(world: World, run: Callable[..., Any]) -> None:
    world.autoscaling.create_launch_configuration(
        LaunchConfigurationName="old", ImageId="ami-12c6146b", InstanceType="t3.micro"
    )
    world.autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="gpu-fleet",
        LaunchConfigurationName="old",
        MinSize=0,
        MaxSize=0,
        VPCZoneIdentifier=world.subnets[0],
    )
    for state in ("present", "absent"):
        result = run({"region": REGION, "name": "gpu-fleet", "state": state})
        assert result.failed
        assert "uses a launch configuration" in result["msg"]
        assert result.mutating == []
