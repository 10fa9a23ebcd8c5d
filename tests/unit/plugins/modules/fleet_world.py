# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of spot_asg share: an account in moto to stand a fleet in, and the module run in it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from moto.autoscaling.models import AutoScalingBackend
from moto.autoscaling.models import FakeAutoScalingGroup
from moto.autoscaling.responses import AutoScalingResponse
from moto.ec2.models.launch_templates import LaunchTemplateBackend

from ansible_collections.ethereal.spot.plugins.module_utils._aws.waiters import Pace
from ansible_collections.ethereal.spot.plugins.modules import spot_asg
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_services import extend_moto
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_services import keep_hook

REGION = "us-east-1"
CANARY = "#!/bin/bash\necho canary-5f2c91\n"
ENCODED = base64.b64encode(CANARY.encode()).decode()
KNOWN_AFTER_APPLY = "(known after apply)"
IMAGE = "ami-0123456789abcdef0"
NEWER_IMAGE = "ami-0123456789abcdef1"
ARM_IMAGE = "ami-0123456789abcdefa"
PARAMETER = "/ethereal/image_id"
ROOT = "arn:aws:iam::123456789012:root"
AUTO_SCALING = "arn:aws:iam::123456789012:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"


def image(image_id: str, snapshot: str, architecture: str = "x86_64", root: str = "/dev/sda1") -> dict[str, Any]:
    """An image with a root of 30 GiB and a data volume, both from snapshots and not encrypted."""
    return {
        "Architecture": architecture,
        "BlockDeviceMappings": [
            {
                "DeviceName": "/dev/sdc",
                "Ebs": {"Encrypted": False, "SnapshotId": snapshot, "VolumeSize": 8, "VolumeType": "gp2"},
            },
            {
                "DeviceName": root,
                "Ebs": {"Encrypted": False, "SnapshotId": snapshot, "VolumeSize": 30, "VolumeType": "gp2"},
            },
        ],
        "ImageId": image_id,
        "RootDeviceName": root,
        "RootDeviceType": "ebs",
        "State": "available",
    }


class World:
    """A VPC with two private subnets and a public one, a security group, a key, and another VPC."""

    def __init__(self) -> None:
        self.ec2 = boto3.client("ec2", REGION)
        self.autoscaling = boto3.client("autoscaling", REGION)
        self.vpc = self.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnets = [self._subnet(self.vpc, "10.0.0.0/24", "a"), self._subnet(self.vpc, "10.0.1.0/24", "b")]
        self.public = self._subnet(self.vpc, "10.0.2.0/24", "c")
        gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self.vpc)
        table = self.ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        self.ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
        self.ec2.associate_route_table(RouteTableId=table, SubnetId=self.public)
        self.security_group = self._security_group(self.vpc)
        self.other_vpc = self.ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
        self.other_subnet = self._subnet(self.other_vpc, "10.1.0.0/24", "a")
        self.other_security_group = self._security_group(self.other_vpc)
        volume = self.ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=8)["VolumeId"]
        self.snapshot = self.ec2.create_snapshot(VolumeId=volume)["SnapshotId"]
        boto3.client("sns", REGION).create_topic(Name="fleet")
        boto3.client("sqs", REGION).create_queue(QueueName="drain")
        self.kms = boto3.client("kms", REGION)
        self.key = self.make_key()

    def make_key(self, *grantees: str, **arguments: Any) -> str:
        """A key that EC2 Auto Scaling may use, or those who are named instead."""
        statements = [
            {
                "Effect": "Allow",
                "Principal": {"AWS": list(grantees) or [AUTO_SCALING]},
                "Action": "kms:*",
                "Resource": "*",
            },
            {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"},
        ]
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        return self.kms.create_key(**{"Policy": policy, **arguments})["KeyMetadata"]["Arn"]

    def _subnet(self, vpc: str, cidr: str, zone: str) -> str:
        made = self.ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=f"{REGION}{zone}")
        return made["Subnet"]["SubnetId"]

    def _security_group(self, vpc: str) -> str:
        return self.ec2.create_security_group(VpcId=vpc, GroupName="nodes", Description="nodes")["GroupId"]

    def options(self, **changed: Any) -> dict[str, Any]:
        given = {
            "region": REGION,
            "name": "gpu-fleet",
            "ami_id": IMAGE,
            "bootstrap_script": CANARY,
            "desired_capacity": 3,
            "iam_instance_profile": "gpu-fleet-node",
            "instance_types": ["g4dn.xlarge", "g5.xlarge"],
            "kms_key_arn": self.key,
            "security_group_ids": [self.security_group],
            "subnet_ids": self.subnets,
            "tags": {"team": "ml", "ethereal-spot:place": "east"},
            **changed,
        }
        return {option: value for option, value in given.items() if value is not None}

    def group(self) -> dict[str, Any]:
        return self.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=["gpu-fleet"])["AutoScalingGroups"][
            0
        ]

    def versions(self) -> list[dict[str, Any]]:
        answer = self.ec2.describe_launch_template_versions(LaunchTemplateName="gpu-fleet")
        return sorted(answer["LaunchTemplateVersions"], key=lambda item: item["VersionNumber"])


# What moto takes from a request and forgets, by the group's attribute that shows it.
FORGOTTEN = {
    "AvailabilityZoneDistribution": "availability_zone_distribution",
    "CapacityRebalance": "capacity_rebalance",
    "CapacityReservationSpecification": "capacity_reservation_specification",
    "DefaultInstanceWarmup": "default_instance_warmup",
    "DeletionProtection": "deletion_protection",
    "MaxInstanceLifetime": "max_instance_lifetime",
    "PlacementGroup": "placement_group",
    "TerminationPolicies": "termination_policies",
}


def keeping(genuine: Callable[..., Any]) -> Callable[..., Any]:
    """The operation of moto, after which the group shows what the request said."""

    def operation(self: Any) -> Any:
        answer = genuine(self)
        params = self._get_params()
        group = self.autoscaling_backend.autoscaling_groups[params["AutoScalingGroupName"]]
        for field, attribute in FORGOTTEN.items():
            if field in params:
                setattr(group, attribute, params[field])
        for hook in params.get("LifecycleHookSpecificationList", []):
            keep_hook(self.autoscaling_backend, group.name, hook)
        return answer

    return operation


def mend_moto(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where moto 5.2.5 differs from AWS in what these tests look at."""
    create = LaunchTemplateBackend.create_launch_template
    update = FakeAutoScalingGroup.update

    def create_template(self: Any, name: str, description: str, data: dict[str, Any], tag_spec: Any) -> Any:
        # moto writes the template's own tags into its data.
        kept = [item for item in data.get("TagSpecifications", []) if item["ResourceType"] != "launch-template"]
        return create(self, name, description, {**data, "TagSpecifications": kept}, tag_spec)

    def enable_metrics(self: Any, name: str, metrics: list[str]) -> None:
        # moto enables none where AWS enables all: when no metric is named.
        self.autoscaling_groups[name].metrics = metrics or ["GroupInServiceInstances"]

    def update_group(self: Any, **arguments: Any) -> None:
        # moto drops the policy where AWS keeps what is not given.
        policy = self.mixed_instances_policy
        update(self, **arguments)
        self.mixed_instances_policy = self.mixed_instances_policy or policy

    for operation in ("create_auto_scaling_group", "update_auto_scaling_group"):
        monkeypatch.setattr(AutoScalingResponse, operation, keeping(getattr(AutoScalingResponse, operation)))
    monkeypatch.setattr(LaunchTemplateBackend, "create_launch_template", create_template)
    monkeypatch.setattr(AutoScalingBackend, "enable_metrics_collection", enable_metrics)
    monkeypatch.setattr(FakeAutoScalingGroup, "update", update_group)
    extend_moto(monkeypatch)


def make_world(recorder: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    """A world in a mended moto, whose images have volumes."""
    mend_moto(monkeypatch)
    monkeypatch.setattr(spot_asg, "PACE", Pace(delay=0.01))

    made = World()

    def images(params: dict[str, Any], region: str) -> dict[str, Any]:
        known = {name: image(name, made.snapshot) for name in (IMAGE, NEWER_IMAGE)}
        known[ARM_IMAGE] = image(ARM_IMAGE, made.snapshot, "arm64")
        return {"Images": [known[name] for name in params["ImageIds"] if name in known]}

    recorder.answer("ec2", "DescribeImages", images)
    return made


def runner(run_module: Callable[..., Any]) -> Callable[..., Any]:
    """Runs spot_asg, and sees that no result shows the user data."""

    def go(options: dict[str, Any], **modes: Any) -> Any:
        result = run_module(spot_asg, options, **modes)
        assert "canary-5f2c91" not in json.dumps(result)
        assert ENCODED not in json.dumps(result)
        return result

    return go


def plain(view: Any) -> Any:
    """A view without what only a real run knows."""
    if isinstance(view, dict):
        return {
            key: plain(value) for key, value in view.items() if value != KNOWN_AFTER_APPLY and key != "launch_template"
        }
    return view


def foretold(run: Callable[..., Any], options: dict[str, Any]) -> Any:
    """The run of what check mode foretold, and a second one that does nothing."""
    predicted = run(options, check_mode=True, diff=True)
    assert not predicted.failed, predicted["msg"]
    assert predicted.mutating == []
    made = run(options, diff=True)
    assert not made.failed, made["msg"]
    assert made["changes"] == predicted["changes"]
    again = run(options)
    assert not again.changed, again["changes"]
    assert again.mutating == []
    return made


def without_blanks(value: Any) -> Any:
    """moto answers empty strings where the model of the API has none."""
    if isinstance(value, dict):
        return {key: without_blanks(item) for key, item in value.items() if item != ""}
    return [without_blanks(item) for item in value] if isinstance(value, list) else value
