# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Auto Scaling groups: what they are told and what they show. Sources: botocore model, aws-facts 3.4, sandbox-clients 6a-6c."""

from __future__ import annotations

import json

import pytest
from fleet_kit import TYPES
from fleet_kit import Fleet
from fleet_kit import eventually
from fleet_kit import refused
from sandbox_process import Sandbox

DAY = 86_400


@pytest.fixture
def fleet(sandbox: Sandbox) -> Fleet:
    return Fleet(sandbox)


def test_a_group_shows_awss_defaults(fleet: Fleet) -> None:
    template = fleet.template()
    policy = fleet.policy(template)
    del policy["InstancesDistribution"]
    fleet.group(policy=policy)
    shown = fleet.shown()
    assert shown["MixedInstancesPolicy"]["InstancesDistribution"] == {
        "OnDemandAllocationStrategy": "prioritized",
        "OnDemandBaseCapacity": 0,
        "OnDemandPercentageAboveBaseCapacity": 100,
        "SpotAllocationStrategy": "lowest-price",
        "SpotInstancePools": 2,
    }
    assert shown["MixedInstancesPolicy"]["LaunchTemplate"] == {
        "LaunchTemplateSpecification": {"LaunchTemplateId": template, "LaunchTemplateName": "t", "Version": "1"},
        "Overrides": [{"InstanceType": each} for each in TYPES],
    }
    expected = {
        "DefaultCooldown": 300,
        "HealthCheckType": "EC2",
        "HealthCheckGracePeriod": 0,
        "TerminationPolicies": ["Default"],
        "NewInstancesProtectedFromScaleIn": False,
        "CapacityRebalance": False,
        "SuspendedProcesses": [],
        "EnabledMetrics": [],
        "LoadBalancerNames": [],
        "TargetGroupARNs": [],
        "DesiredCapacity": 0,
        "AvailabilityZones": ["us-west-2a", "us-west-2b", "us-west-2c"],
    }
    assert {key: shown[key] for key in expected} == expected
    assert "MaxInstanceLifetime" not in shown
    assert shown["VPCZoneIdentifier"] == ",".join(fleet.subnets[:3])


def test_what_was_set_is_shown_after_create_and_after_update(fleet: Fleet) -> None:
    settings = {
        "MaxInstanceLifetime": 7 * DAY,
        "CapacityRebalance": True,
        "TerminationPolicies": ["AllocationStrategy", "OldestLaunchTemplate", "Default"],
        "HealthCheckGracePeriod": 300,
        "DefaultInstanceWarmup": 60,
        "NewInstancesProtectedFromScaleIn": True,
        "DefaultCooldown": 10,
    }
    fleet.group(**settings)
    assert {key: fleet.shown()[key] for key in settings} == settings
    changed = {
        **settings,
        "MaxInstanceLifetime": 2 * DAY,
        "CapacityRebalance": False,
        "TerminationPolicies": ["OldestInstance"],
    }
    fleet.asg.update_auto_scaling_group(AutoScalingGroupName="g", **changed)
    assert {key: fleet.shown()[key] for key in changed} == changed
    fleet.asg.update_auto_scaling_group(AutoScalingGroupName="g", MaxInstanceLifetime=0, DefaultInstanceWarmup=-1)
    assert not {"MaxInstanceLifetime", "DefaultInstanceWarmup"} & set(fleet.shown())


def test_an_update_leaves_alone_what_it_does_not_name(fleet: Fleet) -> None:
    fleet.group(policy=fleet.policy(fleet.template(), SpotAllocationStrategy="capacity-optimized", SpotMaxPrice="3.5"))
    before = fleet.shown()
    fleet.asg.update_auto_scaling_group(AutoScalingGroupName="g", MaxSize=5)
    assert {**fleet.shown(), "MaxSize": 10} == before
    fleet.asg.update_auto_scaling_group(
        AutoScalingGroupName="g",
        MixedInstancesPolicy={"InstancesDistribution": {"OnDemandBaseCapacity": 1, "SpotMaxPrice": ""}},
    )
    distribution = fleet.shown()["MixedInstancesPolicy"]["InstancesDistribution"]
    assert (distribution["OnDemandBaseCapacity"], distribution["SpotAllocationStrategy"]) == (1, "capacity-optimized")
    assert "SpotMaxPrice" not in distribution


def test_a_name_is_taken_once_per_region(fleet: Fleet, sandbox: Sandbox) -> None:
    fleet.group()
    with refused("AlreadyExists", "A group with the name g already exists"):
        fleet.group(policy=fleet.policy(fleet.template("u")))
    Fleet(sandbox, "eu-west-1").group()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"MinSize": 3, "MaxSize": 2}, "must be greater than or equal to min bound"),
        ({"DesiredCapacity": 11}, "must be between the specified min size"),
        ({"MaxInstanceLifetime": 3600}, "at least 86400"),
        ({"TerminationPolicies": ["Youngest"]}, "Youngest"),
        ({"VPCZoneIdentifier": "subnet-0123456789abcdef0"}, "does not exist"),
        ({"AvailabilityZones": ["us-west-2a"]}, "do not match"),
    ],
)
def test_bad_settings_are_refused(fleet: Fleet, options: dict, text: str) -> None:
    with refused("ValidationError", text):
        fleet.group(**options)
    assert fleet.shown() == {}


@pytest.mark.parametrize(
    ("distribution", "text"),
    [
        ({"SpotAllocationStrategy": "cheapest"}, "cheapest"),
        ({"OnDemandAllocationStrategy": "dearest"}, "dearest"),
        ({"OnDemandPercentageAboveBaseCapacity": 101}, "100"),
        ({"SpotInstancePools": 3}, "only available with the lowest-price"),
        ({"SpotAllocationStrategy": "lowest-price", "SpotInstancePools": 21}, "20"),
        ({"SpotMaxPrice": "0.0001"}, "0.001"),
    ],
)
def test_bad_distributions_are_refused(fleet: Fleet, distribution: dict, text: str) -> None:
    with refused("ValidationError", text):
        fleet.group(policy=fleet.policy(fleet.template(), **distribution))


def test_bad_overrides_are_refused(fleet: Fleet) -> None:
    template = fleet.template()
    requirements = {"VCpuCount": {"Min": 4}, "MemoryMiB": {"Min": 8192}}
    cases = [
        ([{"InstanceType": "g99.xlarge"}], {}, "do not exist"),
        ([{"InstanceType": "g5.xlarge"}, {"InstanceType": "g5.xlarge"}], {}, "Duplicate"),
        (
            [{"InstanceType": "g5.xlarge", "WeightedCapacity": "1"}, {"InstanceType": "g6.xlarge"}],
            {},
            "for all overrides",
        ),
        ([{"InstanceType": "g5.xlarge"}, {"InstanceRequirements": requirements}], {}, "not both"),
        (
            [{"InstanceRequirements": requirements}],
            {"SpotAllocationStrategy": "capacity-optimized-prioritized"},
            "cannot be used",
        ),
    ]
    for overrides, distribution, text in cases:
        policy = fleet.policy(template, **distribution)
        policy["LaunchTemplate"]["Overrides"] = overrides
        with refused("ValidationError", text):
            fleet.group(policy=policy)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"ImageId": "ami-0123456789abcdef0"}, "The image id '[ami-0123456789abcdef0]' does not exist"),
        ({"SecurityGroupIds": ["sg-0123456789abcdef0"]}, "does not exist"),
        ({"KeyName": "none"}, "does not exist"),
        ({"IamInstanceProfile": {"Name": "none"}}, "Invalid IAM Instance Profile name"),
        ({"InstanceMarketOptions": {"MarketType": "spot"}}, "InstanceMarketOptions"),
    ],
)
def test_a_template_that_cannot_launch_is_refused(fleet: Fleet, data: dict, text: str) -> None:
    with refused("ValidationError", text):
        fleet.group(policy=fleet.policy(fleet.template(**data)))


def test_templates_and_versions_must_exist(fleet: Fleet) -> None:
    with refused("ValidationError", "does not exist"):
        fleet.group(policy=fleet.policy("lt-0123456789abcdef0"))
    policy = fleet.policy(fleet.template())
    policy["LaunchTemplate"]["LaunchTemplateSpecification"]["Version"] = "9"
    with refused("ValidationError", "specified version 9"):
        fleet.group(policy=policy)


def test_unknown_groups_are_validation_errors(fleet: Fleet) -> None:
    for call in (
        lambda: fleet.resize(1, "none"),
        lambda: fleet.asg.update_auto_scaling_group(AutoScalingGroupName="none", MaxSize=1),
        lambda: fleet.asg.delete_auto_scaling_group(AutoScalingGroupName="none"),
        lambda: fleet.activities("none"),
    ):
        with refused("ValidationError", "not found"):
            call()
    assert fleet.shown("none") == {}


def test_sizes_pull_the_desired_capacity_with_them(fleet: Fleet) -> None:
    """aws-facts 3.4, UpdateAutoScalingGroup."""
    fleet.group(4)
    fleet.asg.update_auto_scaling_group(AutoScalingGroupName="g", MaxSize=2)
    assert fleet.shown()["DesiredCapacity"] == 2
    fleet.asg.update_auto_scaling_group(AutoScalingGroupName="g", MaxSize=9, MinSize=3)
    assert fleet.shown()["DesiredCapacity"] == 3
    with refused("ValidationError", "must be between"):
        fleet.asg.update_auto_scaling_group(AutoScalingGroupName="g", DesiredCapacity=1)
    with refused("ValidationError", "New SetDesiredCapacity value 10 is above max value 9 for the AutoScalingGroup."):
        fleet.resize(10)
    with refused("ValidationError", "below min value 3"):
        fleet.resize(2)


def test_a_group_with_instances_is_deleted_by_force_only(fleet: Fleet) -> None:
    fleet.group(2)
    ids = [each["InstanceId"] for each in fleet.in_service(2)]
    with refused("ResourceInUse", "while there are instances"):
        fleet.asg.delete_auto_scaling_group(AutoScalingGroupName="g")
    fleet.asg.delete_auto_scaling_group(AutoScalingGroupName="g", ForceDelete=True)
    assert {fleet.instance(each)["State"]["Name"] for each in ids} == {"shutting-down"}
    assert fleet.shown()["Status"] == "Delete in progress"
    with refused("AlreadyExists", "pending delete"):
        fleet.group(policy=fleet.policy(fleet.template("u")))
    with refused("ValidationError", "pending delete"):
        fleet.resize(1)
    eventually(fleet.shown, lambda found: found == {})
    assert {fleet.instance(each)["State"]["Name"] for each in ids} == {"terminated"}
    kept = fleet.asg.describe_scaling_activities(AutoScalingGroupName="g", IncludeDeletedGroups=True)["Activities"]
    assert len([each for each in kept if each["Description"].startswith("Terminating")]) == 2


def test_deletion_protection(fleet: Fleet) -> None:
    """botocore model, DeletionProtection."""
    fleet.group(1, DeletionProtection="prevent-force-deletion")
    with refused("ValidationError", "deletion protection"):
        fleet.asg.delete_auto_scaling_group(AutoScalingGroupName="g", ForceDelete=True)
    fleet.resize(0)
    eventually(fleet.shown, lambda found: found["Instances"] == [])
    fleet.asg.delete_auto_scaling_group(AutoScalingGroupName="g")
    assert fleet.shown() == {}


def test_an_empty_group_goes_at_once(fleet: Fleet) -> None:
    fleet.group()
    fleet.asg.delete_auto_scaling_group(AutoScalingGroupName="g")
    assert fleet.shown() == {}


def test_tags_of_a_group(fleet: Fleet) -> None:
    fleet.group(Tags=[{"Key": "a", "Value": "1", "PropagateAtLaunch": True}])
    given = {"ResourceId": "g", "ResourceType": "auto-scaling-group", "PropagateAtLaunch": False}
    fleet.asg.create_or_update_tags(Tags=[{**given, "Key": "a", "Value": "2"}, {**given, "Key": "b", "Value": ""}])
    assert [(tag["Key"], tag["Value"], tag["PropagateAtLaunch"]) for tag in fleet.shown()["Tags"]] == [
        ("a", "2", False),
        ("b", "", False),
    ]
    found = fleet.asg.describe_tags(Filters=[{"Name": "key", "Values": ["b"]}])["Tags"]
    assert [(tag["ResourceId"], tag["Key"]) for tag in found] == [("g", "b")]
    by_tag = fleet.asg.describe_auto_scaling_groups(Filters=[{"Name": "tag:a", "Values": ["2"]}])["AutoScalingGroups"]
    assert [each["AutoScalingGroupName"] for each in by_tag] == ["g"]
    fleet.asg.delete_tags(Tags=[{"ResourceId": "g", "ResourceType": "auto-scaling-group", "Key": "a"}])
    assert [tag["Key"] for tag in fleet.shown()["Tags"]] == ["b"]
    with refused("ValidationError", "not found"):
        fleet.asg.create_or_update_tags(Tags=[{**given, "ResourceId": "none", "Key": "a"}])


def test_scaling_policies_keep_enabled_and_belong_to_their_group(fleet: Fleet) -> None:
    """sandbox-clients 6b: a second run must see no difference."""
    fleet.group()
    fleet.group(name="h", policy=fleet.policy(fleet.template("u")))
    tracking = {
        "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"},
        "TargetValue": 70.0,
    }
    request = {"PolicyName": "cpu", "PolicyType": "TargetTrackingScaling", "TargetTrackingConfiguration": tracking}
    arns = {
        group: fleet.asg.put_scaling_policy(AutoScalingGroupName=group, Enabled=group == "g", **request)["PolicyARN"]
        for group in ("g", "h")
    }
    assert arns["g"] != arns["h"]
    assert fleet.asg.put_scaling_policy(AutoScalingGroupName="g", Enabled=True, **request)["PolicyARN"] == arns["g"]
    shown = fleet.asg.describe_policies(AutoScalingGroupName="h")["ScalingPolicies"][0]
    assert shown["Enabled"] is False
    assert shown["TargetTrackingConfiguration"] == {**tracking, "DisableScaleIn": False}
    assert "PredictiveScalingConfiguration" not in shown
    fleet.asg.delete_policy(AutoScalingGroupName="g", PolicyName="cpu")
    assert fleet.asg.describe_policies(AutoScalingGroupName="g")["ScalingPolicies"] == []
    assert fleet.asg.describe_policies(AutoScalingGroupName="h")["ScalingPolicies"]
    with refused("ValidationError", "TargetTrackingConfiguration is required"):
        fleet.asg.put_scaling_policy(AutoScalingGroupName="g", PolicyName="x", PolicyType="TargetTrackingScaling")


def test_notifications_are_kept_by_topic_and_delivered(fleet: Fleet, sandbox: Sandbox) -> None:
    """sandbox-clients 6c."""
    sns, sqs = sandbox.client("sns", fleet.region), sandbox.client("sqs", fleet.region)
    fleet.group()
    topics = [sns.create_topic(Name=name)["TopicArn"] for name in ("one", "two")]
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allow = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{**allow, "Resource": arn}]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    sns.subscribe(TopicArn=topics[0], Protocol="sqs", Endpoint=arn, Attributes={"RawMessageDelivery": "true"})
    for topic in topics:
        fleet.asg.put_notification_configuration(
            AutoScalingGroupName="g", TopicARN=topic, NotificationTypes=["autoscaling:EC2_INSTANCE_LAUNCH"]
        )
    fleet.resize(1)
    fleet.in_service(1)
    heard: list[str] = []

    def read() -> list[str]:
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        heard.extend(message["Body"] for message in found)
        return heard

    eventually(read, lambda bodies: any('"autoscaling:EC2_INSTANCE_LAUNCH"' in each for each in bodies))
    fleet.asg.delete_notification_configuration(AutoScalingGroupName="g", TopicARN=topics[1])
    left = fleet.asg.describe_notification_configurations(AutoScalingGroupNames=["g"])["NotificationConfigurations"]
    assert [each["TopicARN"] for each in left] == topics[:1]


def test_metrics_hooks_limits_and_suspended_processes(fleet: Fleet) -> None:
    fleet.group()
    name = {"AutoScalingGroupName": "g"}
    fleet.asg.enable_metrics_collection(**name, Granularity="1Minute", Metrics=["GroupTotalInstances", "GroupMinSize"])
    assert [each["Metric"] for each in fleet.shown()["EnabledMetrics"]] == ["GroupMinSize", "GroupTotalInstances"]
    fleet.asg.disable_metrics_collection(**name, Metrics=["GroupMinSize"])
    assert [each["Metric"] for each in fleet.shown()["EnabledMetrics"]] == ["GroupTotalInstances"]
    hook = {"LifecycleHookName": "h", "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING"}
    fleet.asg.put_lifecycle_hook(**name, **hook)
    shown = fleet.asg.describe_lifecycle_hooks(**name)["LifecycleHooks"][0]
    assert (shown["HeartbeatTimeout"], shown["DefaultResult"]) == (3600, "ABANDON")
    assert "RoleARN" not in shown
    fleet.asg.delete_lifecycle_hook(**name, LifecycleHookName="h")
    assert fleet.asg.describe_lifecycle_hooks(**name)["LifecycleHooks"] == []
    fleet.asg.suspend_processes(**name, ScalingProcesses=["Launch"])
    assert [each["ProcessName"] for each in fleet.shown()["SuspendedProcesses"]] == ["Launch"]
    fleet.resize(1)
    assert fleet.shown()["Instances"] == []
    fleet.asg.resume_processes(**name)
    fleet.in_service(1)
    limits = fleet.asg.describe_account_limits()
    assert (limits["MaxNumberOfAutoScalingGroups"], limits["NumberOfAutoScalingGroups"]) == (500, 1)


def test_what_the_sandbox_does_not_play_is_an_unknown_action(fleet: Fleet) -> None:
    """An action left to moto would work on moto's own, empty store."""
    with refused("InvalidAction"):
        fleet.asg.describe_warm_pool(AutoScalingGroupName="g")
