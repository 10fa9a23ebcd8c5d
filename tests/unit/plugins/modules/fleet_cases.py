# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fleets that stand, and single changes of each: what is given alone, which calls it takes, what differs afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from typing import NamedTuple

import boto3

from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_versions import MARK
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import NEWER_IMAGE
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import PARAMETER
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import REGION
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import World

ONE = {"region": REGION, "name": "gpu-fleet"}
GPU = {
    "name": "gpu",
    "target_value": 75,
    "custom_metric": {"namespace": "CWAgent", "name": "gpu", "dimensions": {"fleet": "gpu-fleet"}},
}
NETWORK = {"name": "network", "target_value": 1e6, "metric": "ASGAverageNetworkIn", "disable_scale_in": True}
MORNING = {"name": "morning", "recurrence": "0 8 * * 1-5", "time_zone": "Europe/Berlin", "min_size": 2}
LAUNCH_DAY = {"name": "launch-day", "start_time": "2099-01-31T08:00:00+01:00", "desired_capacity": 20}
DRAIN = {
    "name": "drain",
    "transition": "terminating",
    "heartbeat_timeout": 90,
    "notification_target_arn": "arn:aws:sqs:us-east-1:123456789012:drain",
    "role_arn": "arn:aws:iam::123456789012:role/hook",
}
WARM = {"max_group_prepared_capacity": 3, "min_size": 1}
TOPIC = "arn:aws:sns:us-east-1:123456789012:fleet"
RESOURCE_GROUP = "arn:aws:resource-groups:us-east-1:123456789012:group/gpu"
NEEDS = {"vcpu_count": {"min": 4}, "memory_mib": {"min": 16384, "max": 65536}, "accelerator_types": ["gpu"]}


class Things:
    """What else an account has that a fleet may be changed to."""

    def __init__(self, world: World, recorder: Any) -> None:
        elb = boto3.client("elbv2", REGION)
        self.ssm = boto3.client("ssm", REGION)
        self.subnet = world.ec2.create_subnet(VpcId=world.vpc, CidrBlock="10.0.3.0/24", AvailabilityZone=f"{REGION}d")[
            "Subnet"
        ]["SubnetId"]
        made = world.ec2.create_security_group(VpcId=world.vpc, GroupName="more", Description="more")
        self.security_group = made["GroupId"]
        self.open_group = world.ec2.create_security_group(VpcId=world.vpc, GroupName="fabric", Description="fabric")[
            "GroupId"
        ]
        rule = [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": self.open_group}]}]
        world.ec2.authorize_security_group_ingress(GroupId=self.open_group, IpPermissions=rule)
        world.ec2.authorize_security_group_egress(GroupId=self.open_group, IpPermissions=rule)
        self.key = world.make_key()
        self.targets = [
            elb.create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=world.vpc)["TargetGroups"][0][
                "TargetGroupArn"
            ]
            for name in ("one", "two")
        ]
        recorder.answer("ec2", "DescribePlacementGroups", placement_groups)
        recorder.answer(
            "ec2", "GetInstanceTypesFromInstanceRequirements", {"InstanceTypes": [{"InstanceType": "g5.xlarge"}]}
        )

    def release(self, image_id: str) -> None:
        """The image's parameter holds this image from now on."""
        self.ssm.put_parameter(Name=PARAMETER, Value=image_id, Type="String", Overwrite=True)


def outgrown(world: World) -> None:
    """A version of the template that is not needed any more."""
    (latest,) = world.versions()
    world.ec2.create_launch_template_version(
        LaunchTemplateName="gpu-fleet",
        LaunchTemplateData={**latest["LaunchTemplateData"], "ImageId": NEWER_IMAGE},
        VersionDescription=MARK,
    )


def placement_groups(params: dict[str, Any], region: str) -> dict[str, Any]:
    (name,) = params["Filters"][0]["Values"]
    return {"PlacementGroups": [{"GroupName": name, "Strategy": "spread", "State": "available"}]}


Options = dict[str, Any]
# The options that each fleet was made with; nothing stands in the first.
FLEETS: dict[str, Callable[[World, Things], Options | None]] = {
    "nothing": lambda world, things: None,
    "plain": lambda world, things: world.options(),
    "scaling": lambda world, things: world.options(
        capacity_owner="scaling",
        enable_cpu_scaling=True,
        lifecycle_hooks=[DRAIN],
        scaling_policies=[GPU],
        scheduled_actions=[MORNING, LAUNCH_DAY],
        sns_topic_arn=TOPIC,
    ),
    "served": lambda world, things: world.options(
        deletion_protection="prevent-force-deletion",
        health_check_type="ELB",
        instance_weights={"g4dn.xlarge": 1, "g5.xlarge": 2},
        placement_group="spread",
        spot_instance_pools=3,
        spot_max_price="1.5",
        spot_strategy="lowest-price",
        target_group_arns=things.targets[:1],
    ),
    # moto launches no type that it is not told.
    "needs": lambda world, things: world.options(
        desired_capacity=0, instance_requirements=NEEDS, instance_types=None, min_size=0
    ),
    "on demand": lambda world, things: world.options(on_demand_only=True, desired_capacity=1, max_size=4),
    "warmed": lambda world, things: world.options(on_demand_only=True, desired_capacity=1, max_size=4, warm_pool=WARM),
    "parameter": lambda world, things: world.options(ami_id=f"resolve:ssm:{PARAMETER}"),
    "fabric": lambda world, things: world.options(
        instance_types=["p4d.24xlarge"], security_group_ids=[things.open_group], subnet_ids=world.subnets[:1]
    ),
}


class Case(NamedTuple):
    fleet: str
    # What is given beside the name, or a function of world and things that returns it.
    wish: Options | Callable[[World, Things], Options]
    calls: tuple[str, ...]
    # The fields of a result that differ afterwards.
    touched: set[str]
    # What some of them are then.
    values: dict[str, Any] = {}

    def options(self, world: World, things: Things) -> Options:
        return self.wish(world, things) if callable(self.wish) else {**ONE, **self.wish}


UPDATE = ("UpdateAutoScalingGroup",)
VERSION = ("CreateLaunchTemplateVersion", "UpdateAutoScalingGroup")
TAGS = (*VERSION, "CreateTags", "CreateOrUpdateTags")
CREATION = ("CreateLaunchTemplate", "CreateAutoScalingGroup", "EnableMetricsCollection")
REMOVAL = ("DeleteAutoScalingGroup", "DeleteLaunchTemplate")
TAGGED = {"group_tags", "launch_template", "tag_specifications"}
DISK = {"block_devices", "launch_template"}


def group(field: str, value: Any, fleet: str = "plain") -> Case:
    """A field of the group by an option of its name."""
    values = {} if field == "capacity_reservation" else {field: value}
    return Case(fleet, {field: value}, UPDATE, {field}, values)


CASES: dict[str, Case] = {
    "smallest size": group("min_size", 1),
    "largest size": group("max_size", 40),
    "more instances": group("desired_capacity", 5),
    "fewer instances": group("desired_capacity", 2),
    "seen in service": Case("plain", {"desired_capacity": 4, "wait": True}, UPDATE, {"desired_capacity"}),
    "smallest size above the wanted": Case(
        "scaling", {"min_size": 4}, UPDATE, {"min_size", "desired_capacity"}, {"min_size": 4, "desired_capacity": 4}
    ),
    "left to a placement": Case(
        "plain",
        {"capacity_owner": "placement"},
        (*UPDATE, "CreateOrUpdateTags"),
        {"capacity_owner", "group_tags", "min_size", "on_demand_base"},
    ),
    "left to scaling": Case(
        "plain", {"capacity_owner": "scaling"}, ("CreateOrUpdateTags",), {"capacity_owner", "group_tags"}
    ),
    "on-demand base": group("on_demand_base", 1),
    "on-demand share": group("on_demand_percentage_above_base", 50),
    "on-demand only": Case(
        "plain", {"on_demand_only": True}, UPDATE, {"on_demand_percentage_above_base", "spot_strategy"}
    ),
    "types": group("instance_types", ["g5.xlarge", "g6.xlarge"]),
    "order of types": group("instance_types", ["g5.xlarge", "g4dn.xlarge"]),
    "one type": Case("plain", {"instance_type": "g5.xlarge"}, UPDATE, {"instance_types"}),
    "a pair of types": Case(
        "plain",
        {"instance_type": "g5.xlarge", "fallback_instance_type": "g6.xlarge"},
        UPDATE,
        {"instance_types"},
    ),
    "weights": group("instance_weights", {"g4dn.xlarge": 1, "g5.xlarge": 4}),
    "no weights": group("instance_weights", {}, "served"),
    "requirements in place of types": Case(
        "plain",
        {"instance_requirements": NEEDS},
        UPDATE,
        {"instance_requirements", "instance_types", "on_demand_strategy"},
    ),
    "other requirements": group("instance_requirements", {**NEEDS, "bare_metal": "excluded"}, "needs"),
    "types in place of requirements": Case(
        "needs", {"instance_types": ["g5.xlarge"]}, UPDATE, {"instance_requirements", "instance_types"}
    ),
    "spot by capacity": group("spot_strategy", "capacity-optimized"),
    "spot by order": group("spot_strategy", "capacity-optimized-prioritized"),
    "spot by price": Case("plain", {"spot_strategy": "lowest-price"}, UPDATE, {"spot_strategy", "spot_instance_pools"}),
    "pools": group("spot_instance_pools", 5, "served"),
    "spot not by price": Case(
        "served", {"spot_strategy": "capacity-optimized"}, UPDATE, {"spot_strategy", "spot_instance_pools"}
    ),
    "ceiling": group("spot_max_price", "0.75"),
    "no ceiling": group("spot_max_price", "", "served"),
    "on-demand by price": group("on_demand_strategy", "lowest-price"),
    "no rebalancing": group("capacity_rebalance", False),
    "zones": group("availability_zone_distribution", "balanced-only"),
    "placement group": group("placement_group", "spread"),
    "no placement group": group("placement_group", "", "served"),
    "warmup": group("default_instance_warmup", 120),
    "lifetime": group("max_instance_lifetime", 86400),
    "no lifetime": group("max_instance_lifetime", 0),
    "grace period": group("health_check_grace_period", 60),
    "termination": group("termination_policies", ["OldestInstance", "Default"]),
    "protection": group("deletion_protection", "prevent-all-deletion"),
    "no protection": group("deletion_protection", "none", "served"),
    "no reservations": group("capacity_reservation", {"preference": "none"}),
    "reservations": group(
        "capacity_reservation",
        {"preference": "capacity-reservations-first", "resource_group_arns": [RESOURCE_GROUP]},
    ),
    "fabric adapters": Case("fabric", {"efa": True}, VERSION, {"launch_template", "network_interfaces"}),
    "versions": Case(
        "plain",
        lambda world, things: outgrown(world) or {**ONE, "keep_versions": 0},
        ("DeleteLaunchTemplateVersions",),
        set(),
    ),
    "subnets": Case(
        "plain",
        lambda world, things: {**ONE, "subnet_ids": [world.subnets[0], things.subnet]},
        UPDATE,
        {"subnet_ids"},
    ),
    "public subnets": Case(
        "plain",
        lambda world, things: {**ONE, "subnet_ids": [world.public], "allow_public_subnets": True},
        UPDATE,
        {"subnet_ids"},
    ),
    "health by EC2": group("health_check_type", "EC2", "served"),
    "target group": Case(
        "plain",
        lambda world, things: {**ONE, "target_group_arns": things.targets},
        ("AttachLoadBalancerTargetGroups",),
        {"target_group_arns"},
    ),
    "other target group": Case(
        "served",
        lambda world, things: {**ONE, "target_group_arns": things.targets[1:]},
        ("AttachLoadBalancerTargetGroups", "DetachLoadBalancerTargetGroups"),
        {"target_group_arns"},
    ),
    "image": Case("plain", {"ami_id": NEWER_IMAGE}, VERSION, {"image_id", "launch_template"}),
    "image by parameter": Case(
        "plain",
        {"ami_id": f"resolve:ssm:{PARAMETER}"},
        ("CreateTags",),
        {"image_parameter"},
    ),
    "image by id": Case(
        "parameter",
        {"ami_id": NEWER_IMAGE},
        (*VERSION, "DeleteTags"),
        {"image_id", "image_parameter", "launch_template"},
    ),
    "image that the parameter holds now": Case(
        "parameter",
        lambda world, things: things.release(NEWER_IMAGE) or {**ONE, "refresh_image": True},
        VERSION,
        {"image_id", "launch_template"},
    ),
    "security groups": Case(
        "plain",
        lambda world, things: {**ONE, "security_group_ids": [world.security_group, things.security_group]},
        VERSION,
        {"launch_template", "network_interfaces"},
    ),
    "key": Case("plain", lambda world, things: {**ONE, "kms_key_arn": things.key}, VERSION, DISK),
    "disk": Case("plain", {"disk_size": 200}, VERSION, DISK),
    "IOPS": Case("plain", {"ebs_iops": 4000}, VERSION, DISK),
    "throughput": Case("plain", {"ebs_throughput": 500}, VERSION, DISK),
    "root device": Case("plain", {"root_device_name": "/dev/sda1"}, (), set()),
    "user data": Case("plain", {"bootstrap_script": "#!/bin/sh\ntrue\n"}, VERSION, {"launch_template", "user_data"}),
    "no user data": Case("plain", {"bootstrap_script": ""}, VERSION, {"launch_template", "user_data"}),
    "profile": Case("plain", {"iam_instance_profile": "other"}, VERSION, {"iam_instance_profile", "launch_template"}),
    "hop limit": Case("plain", {"metadata_hop_limit": 2}, VERSION, {"launch_template", "metadata_options"}),
    "tags": Case("plain", {"tags": {"team": "vision", "shift": "night"}}, TAGS, TAGGED),
    "environment": Case("plain", {"environment": "staging"}, TAGS, TAGGED),
    "cost center": Case("plain", {"cost_center": "ML"}, TAGS, TAGGED),
    "project": Case("plain", {"project": "folding"}, TAGS, TAGGED),
    "mark of ECS": Case("plain", {"ecs_managed": True}, ("CreateOrUpdateTags",), {"group_tags"}),
    "target of CPU": Case("scaling", {"target_cpu_utilization": 50}, ("PutScalingPolicy",), {"scaling_policies"}),
    "no CPU policy": Case("scaling", {"enable_cpu_scaling": False}, ("DeletePolicy",), {"scaling_policies"}),
    "another policy": Case("scaling", {"scaling_policies": [NETWORK]}, ("PutScalingPolicy",), {"scaling_policies"}),
    "target of a policy": Case(
        "scaling", {"scaling_policies": [{**GPU, "target_value": 80}]}, ("PutScalingPolicy",), {"scaling_policies"}
    ),
    "no policy": Case(
        "scaling",
        {"scaling_policies": [{"name": "gpu", "state": "absent"}]},
        ("DeletePolicy",),
        {"scaling_policies"},
    ),
    "another scheduled action": Case(
        "scaling",
        {"scheduled_actions": [{**MORNING, "name": "evening", "recurrence": "0 20 * * *"}]},
        ("PutScheduledUpdateGroupAction",),
        {"scheduled_actions"},
    ),
    "time of a scheduled action": Case(
        "scaling",
        {"scheduled_actions": [{**MORNING, "recurrence": "0 7 * * 1-5"}]},
        ("PutScheduledUpdateGroupAction",),
        {"scheduled_actions"},
    ),
    "no scheduled action": Case(
        "scaling",
        {"scheduled_actions": [{"name": "launch-day", "state": "absent"}]},
        ("DeleteScheduledAction",),
        {"scheduled_actions"},
    ),
    "hook": Case("plain", {"lifecycle_hooks": [DRAIN]}, ("PutLifecycleHook",), {"lifecycle_hooks"}),
    "patience of a hook": Case(
        "scaling",
        {"lifecycle_hooks": [{"name": "drain", "transition": "terminating", "heartbeat_timeout": 60}]},
        ("PutLifecycleHook",),
        {"lifecycle_hooks"},
    ),
    "no hook": Case(
        "scaling",
        {"lifecycle_hooks": [{"name": "drain", "state": "absent"}]},
        ("DeleteLifecycleHook",),
        {"lifecycle_hooks"},
    ),
    "warm pool": Case("on demand", {"warm_pool": WARM}, ("PutWarmPool",), {"warm_pool"}),
    "another warm pool": Case(
        "warmed",
        {"warm_pool": {**WARM, "pool_state": "running", "reuse_on_scale_in": True}},
        ("PutWarmPool",),
        {"warm_pool"},
    ),
    "the same warm pool": Case("warmed", {"warm_pool": WARM}, (), set()),
    "no warm pool": Case("warmed", {"warm_pool": {"state": "absent"}}, ("DeleteWarmPool",), {"warm_pool"}),
    "topic": Case("plain", {"sns_topic_arn": TOPIC}, ("PutNotificationConfiguration",), {"notifications"}),
    "fewer events": Case(
        "scaling",
        {"sns_topic_arn": TOPIC, "notification_types": ["autoscaling:EC2_INSTANCE_LAUNCH_ERROR"]},
        ("PutNotificationConfiguration",),
        {"notifications"},
    ),
    "no events": Case(
        "scaling",
        {"sns_topic_arn": TOPIC, "notification_types": []},
        ("DeleteNotificationConfiguration",),
        {"notifications"},
    ),
    "nothing to refresh": Case("plain", {"instance_refresh": {}}, (), set()),
    "image, refreshed": Case(
        "plain",
        {"ami_id": NEWER_IMAGE, "instance_refresh": {}},
        (*VERSION, "StartInstanceRefresh"),
        {"image_id", "launch_template"},
    ),
    "types, refreshed": Case(
        "plain",
        {"instance_types": ["g5.xlarge"], "instance_refresh": {"checkpoint_percentages": [50, 100]}},
        (*UPDATE, "StartInstanceRefresh"),
        {"instance_types"},
    ),
    "image by a refresh that can go back": Case(
        "plain",
        {"ami_id": NEWER_IMAGE, "instance_refresh": {"auto_rollback": True}},
        ("CreateLaunchTemplateVersion", "StartInstanceRefresh"),
        set(),
    ),
    "creation": Case("nothing", lambda world, things: world.options(), CREATION, set()),
    "creation, for on-demand only": Case(
        "nothing", lambda world, things: world.options(on_demand_only=True, desired_capacity=None), CREATION, set()
    ),
    "creation, for a placement": Case(
        "nothing", lambda world, things: world.options(capacity_owner="placement"), CREATION, set()
    ),
    "creation, with all that hangs on a group": Case(
        "nothing",
        FLEETS["scaling"],
        (*CREATION[:2], "PutNotificationConfiguration", *["PutScalingPolicy"] * 2)
        + ("PutScheduledUpdateGroupAction",) * 2
        + CREATION[2:],
        set(),
    ),
    "creation, served": Case("nothing", FLEETS["served"], CREATION, set()),
    "removal": Case("plain", {"state": "absent"}, REMOVAL, set()),
    "removal, with all that hangs on a group": Case("scaling", {"state": "absent"}, REMOVAL, set()),
    "removal, protected": Case(
        "served", {"state": "absent", "deletion_protection": "none"}, (*UPDATE, *REMOVAL), set()
    ),
}
