# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What groups launch, where, and what becomes of instances. Sources: aws-facts 3.4, EC2 Auto Scaling user guide."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from fleet_kit import Fleet
from fleet_kit import eventually
from fleet_kit import refused
from sandbox_process import Sandbox

NO_CAPACITY = (
    "Could not launch Spot Instances. UnfulfillableCapacity - There is no capacity available that matches your request. "
    "Launching EC2 instance failed."
)


@pytest.fixture
def fleet(sandbox: Sandbox) -> Fleet:
    return Fleet(sandbox)


def test_base_and_percentage_split_the_markets_over_zones(fleet: Fleet) -> None:
    policy = fleet.policy(fleet.template(), OnDemandBaseCapacity=1, OnDemandPercentageAboveBaseCapacity=25)
    fleet.group(5, policy=policy)
    found = fleet.in_service(5)
    assert fleet.lifecycles() == {"on-demand": 2, "spot": 3}
    assert sorted(Counter(each["AvailabilityZone"] for each in found).values()) == [1, 2, 2]


def test_instances_are_what_template_overrides_and_tags_say(fleet: Fleet) -> None:
    specification = [{"ResourceType": kind, "Tags": [{"Key": "of", "Value": kind}, {"Key": "Name", "Value": "template"}]}
                     for kind in ("instance", "volume")]  # fmt: skip
    template = fleet.template(
        MetadataOptions={"HttpTokens": "required"},
        BlockDeviceMappings=[
            {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 99, "VolumeType": "gp3", "Encrypted": True}}
        ],
        TagSpecifications=specification,
    )
    tags = [
        {"Key": "Name", "Value": "group", "PropagateAtLaunch": True},
        {"Key": "kept", "Value": "here", "PropagateAtLaunch": False},
    ]
    fleet.group(1, policy=fleet.policy(template, ("g6.xlarge",)), Tags=tags)
    member = fleet.in_service(1)[0]
    assert member["InstanceType"] == "g6.xlarge"
    assert member["LaunchTemplate"]["Version"] == "1"
    made = fleet.instance(member["InstanceId"])
    assert made["MetadataOptions"]["HttpTokens"] == "required"
    assert {tag["Key"]: tag["Value"] for tag in made["Tags"]} == {
        "of": "instance",
        "Name": "group",
        "aws:autoscaling:groupName": "g",
        "aws:ec2launchtemplate:id": template,
        "aws:ec2launchtemplate:version": "1",
    }
    volumes = fleet.volumes(member["InstanceId"])
    assert list(volumes) == ["/dev/xvda"]
    assert volumes["/dev/xvda"]["Encrypted"]
    assert {tag["Key"]: tag["Value"] for tag in volumes["/dev/xvda"]["Tags"]} == {"of": "volume", "Name": "template"}


def test_a_template_without_a_policy_launches_in_its_own_market(fleet: Fleet) -> None:
    spot = fleet.template("spot", InstanceMarketOptions={"MarketType": "spot"})
    fleet.group(2, LaunchTemplate={"LaunchTemplateId": spot, "Version": "$Latest"})
    fleet.in_service(2)
    assert fleet.lifecycles() == {"spot": 2}
    assert fleet.shown()["LaunchTemplate"] == {
        "LaunchTemplateId": spot,
        "LaunchTemplateName": "spot",
        "Version": "$Latest",
    }


def test_weights_count_towards_the_desired_capacity(fleet: Fleet) -> None:
    policy = fleet.policy(fleet.template(), ("g5.xlarge",))
    policy["LaunchTemplate"]["Overrides"][0]["WeightedCapacity"] = "2"
    fleet.group(5, policy=policy)
    found = fleet.in_service(3)
    assert {each["WeightedCapacity"] for each in found} == {"2"}


def test_requirements_are_met_by_real_types(fleet: Fleet) -> None:
    policy = fleet.policy(fleet.template(InstanceType="m5.large"))
    policy["LaunchTemplate"]["Overrides"] = [
        {
            "InstanceRequirements": {
                "VCpuCount": {"Min": 4, "Max": 4},
                "MemoryMiB": {"Min": 16384},
                "AcceleratorCount": {"Min": 1},
                "AllowedInstanceTypes": ["g5*"],
            }
        }
    ]
    fleet.group(1, policy=policy)
    assert fleet.in_service(1)[0]["InstanceType"] in ("g5.xlarge", "g5g.2xlarge")


def test_the_template_may_ask_for_latest_or_default(fleet: Fleet) -> None:
    template = fleet.template()
    policy = fleet.policy(template)
    policy["LaunchTemplate"]["LaunchTemplateSpecification"]["Version"] = "$Latest"
    fleet.group(1, policy=policy)
    fleet.ec2.create_launch_template_version(
        LaunchTemplateId=template, SourceVersion="1", LaunchTemplateData={"EbsOptimized": True}
    )
    fleet.in_service(1)
    fleet.resize(2)
    assert sorted(each["LaunchTemplate"]["Version"] for each in fleet.in_service(2)) == ["1", "2"]
    shown = fleet.shown()["MixedInstancesPolicy"]["LaunchTemplate"]["LaunchTemplateSpecification"]
    assert shown["Version"] == "$Latest"


def test_no_spot_capacity_is_told_by_activity_and_event_and_used_when_it_comes(fleet: Fleet) -> None:
    """Wording: aws-facts 3.4. SetDesiredCapacity itself never carries a capacity error."""
    fleet.market(capacity={fleet.region: {"*": 0}})
    heard = fleet.listen({"source": ["aws.autoscaling"]})
    fleet.group()
    fleet.resize(2)
    failed = eventually(lambda: fleet.activities(status="Failed"), lambda found: len(found) >= 2)
    assert failed[0]["StatusMessage"] == NO_CAPACITY
    assert failed[0]["Description"] == f"Launching a new EC2 instance.  Status Reason: {NO_CAPACITY}"
    assert failed[0]["Progress"] == 100
    event = eventually(heard, bool)[0]
    assert event["detail-type"] == "EC2 Instance Launch Unsuccessful"
    assert event["resources"] == [fleet.shown()["AutoScalingGroupARN"]]
    assert event["detail"]["AutoScalingGroupName"] == "g"
    assert event["detail"]["StatusCode"] == "Failed"
    assert event["detail"]["StatusMessage"] == NO_CAPACITY
    assert fleet.shown()["Instances"] == []
    fleet.market(capacity=None)
    fleet.in_service(2)
    ok = eventually(
        heard, lambda events: sum(1 for e in events if e["detail-type"] == "EC2 Instance Launch Successful") == 2
    )[-1]
    assert ok["detail"]["EC2InstanceId"] in ok["resources"][1]
    assert ok["detail"]["Details"]["Availability Zone"].startswith(fleet.region)


def test_capacity_of_a_pool_is_respected_and_the_rest_fails(fleet: Fleet) -> None:
    fleet.market(capacity={fleet.region: {"*": 0, "g5.xlarge": 2}, "us-west-2a": {"g5.xlarge": 0}})
    fleet.group(4)
    eventually(fleet.members, lambda found: len(found) == 2)
    eventually(lambda: fleet.activities(status="Failed"), bool)
    found = fleet.shown()["Instances"]
    assert {each["InstanceType"] for each in found} == {"g5.xlarge"}
    assert "us-west-2a" not in {each["AvailabilityZone"] for each in found}


def test_one_market_failing_does_not_hold_the_other_back(fleet: Fleet) -> None:
    fleet.market(on_demand_capacity={fleet.region: {"*": 0}})
    fleet.group(3, policy=fleet.policy(fleet.template(), OnDemandBaseCapacity=1))
    fleet.in_service(2)
    assert fleet.lifecycles() == {"spot": 2}
    message = fleet.activities(status="Failed")[0]["StatusMessage"]
    assert message.startswith("Could not launch On-Demand Instances. UnfulfillableCapacity - ")


def test_there_is_no_fallback_to_on_demand(fleet: Fleet) -> None:
    fleet.market(capacity={fleet.region: {"*": 0}})
    fleet.group(2)
    eventually(lambda: fleet.activities(status="Failed"), bool)
    assert fleet.shown()["Instances"] == []


@pytest.mark.parametrize(
    ("market", "percentage", "text"),
    [
        ({"quotas": {"L-3819A6DF": 0}}, 0, "Could not launch Spot Instances. MaxSpotInstanceCountExceeded - "),
        (
            {"quotas": {"L-DB2E81BA": 0}},
            100,
            "Could not launch On-Demand Instances. VcpuLimitExceeded - You have requested",
        ),
    ],
)
def test_quotas_stop_launches(fleet: Fleet, market: dict, percentage: int, text: str) -> None:
    fleet.market(**market)
    fleet.group(1, policy=fleet.policy(fleet.template(), OnDemandPercentageAboveBaseCapacity=percentage))
    message = eventually(lambda: fleet.activities(status="Failed"), bool)[0]["StatusMessage"]
    assert message.startswith(text)
    assert len(message) <= 255


def test_a_price_ceiling_below_the_market_is_told(fleet: Fleet) -> None:
    fleet.group(1, policy=fleet.policy(fleet.template(), SpotMaxPrice="0.001"))
    message = eventually(lambda: fleet.activities(status="Failed"), bool)[0]["StatusMessage"]
    assert "SpotMaxPriceTooLow - Your Spot request price of 0.001 is lower than" in message


def test_a_single_pool_on_demand_fails_with_its_own_words(fleet: Fleet) -> None:
    fleet.market(on_demand_capacity={fleet.region: {"*": 0}})
    fleet.group(
        1,
        LaunchTemplate={"LaunchTemplateId": fleet.template(), "Version": "1"},
        VPCZoneIdentifier=fleet.subnets[0],
    )
    message = eventually(lambda: fleet.activities(status="Failed"), bool)[0]["StatusMessage"]
    assert message.startswith("We currently do not have sufficient g4dn.xlarge capacity in the Availability Zone")
    assert message.endswith("Launching EC2 instance failed.")


def test_a_template_that_is_gone_fails_launches_not_descriptions(fleet: Fleet) -> None:
    template = fleet.template(InstanceMarketOptions={"MarketType": "spot"})
    fleet.group(1, LaunchTemplate={"LaunchTemplateId": template, "Version": "1"})
    fleet.in_service(1)
    fleet.ec2.delete_launch_template(LaunchTemplateId=template)
    fleet.resize(2)
    message = eventually(lambda: fleet.activities(status="Failed"), bool)[0]["StatusMessage"]
    assert "valid fully-formed launch template" in message
    assert len(fleet.shown()["Instances"]) == 1


def test_an_instance_that_goes_is_replaced(fleet: Fleet) -> None:
    fleet.group(2)
    before = {each["InstanceId"] for each in fleet.in_service(2)}
    gone = sorted(before)[0]
    heard = fleet.listen({"source": ["aws.autoscaling"], "detail-type": ["EC2 Instance Terminate Successful"]})
    fleet.ec2.terminate_instances(InstanceIds=[gone])
    eventually(heard, lambda events: [each["detail"]["EC2InstanceId"] for each in events] == [gone])
    after = {each["InstanceId"] for each in fleet.in_service(2)}
    assert gone not in after
    assert len(before & after) == 1
    activity = next(each for each in fleet.activities() if each["Description"] == f"Terminating EC2 instance: {gone}")
    assert "in response to an EC2 health check" in activity["Cause"]


def test_scale_in_takes_the_market_in_excess_then_the_fullest_zone_and_spares_the_protected(fleet: Fleet) -> None:
    fleet.group(4, policy=fleet.policy(fleet.template(), OnDemandBaseCapacity=1))
    found = fleet.in_service(4)
    protected = next(
        each["InstanceId"] for each in found if fleet.instance(each["InstanceId"]).get("InstanceLifecycle")
    )
    fleet.asg.set_instance_protection(AutoScalingGroupName="g", InstanceIds=[protected], ProtectedFromScaleIn=True)
    fleet.resize(2)
    left = fleet.in_service(2)
    assert fleet.lifecycles() == {"spot": 1, "on-demand": 1}
    assert protected in {each["InstanceId"] for each in left}
    fleet.resize(0)
    assert [each["InstanceId"] for each in fleet.in_service(1)] == [protected]


def test_a_new_split_replaces_instances_gradually(fleet: Fleet) -> None:
    """botocore model, UpdateAutoScalingGroup: new ones are launched before old ones go."""
    template = fleet.template()
    fleet.group(3, policy=fleet.policy(template))
    fleet.in_service(3)
    fleet.asg.update_auto_scaling_group(
        AutoScalingGroupName="g", MixedInstancesPolicy=fleet.policy(template, OnDemandBaseCapacity=2)
    )
    fleet.in_service(3)
    assert fleet.lifecycles() == {"spot": 1, "on-demand": 2}


def test_terminating_one_instance_with_and_without_replacement(fleet: Fleet) -> None:
    fleet.group(2, MinSize=1)
    first, second = (each["InstanceId"] for each in fleet.in_service(2))
    fleet.asg.terminate_instance_in_auto_scaling_group(InstanceId=first, ShouldDecrementDesiredCapacity=True)
    assert [each["InstanceId"] for each in fleet.in_service(1)] == [second]
    with refused("ValidationError", "min size"):
        fleet.asg.terminate_instance_in_auto_scaling_group(InstanceId=second, ShouldDecrementDesiredCapacity=True)
    fleet.asg.terminate_instance_in_auto_scaling_group(InstanceId=second, ShouldDecrementDesiredCapacity=False)
    assert fleet.in_service(1)[0]["InstanceId"] != second


def test_an_unhealthy_instance_is_replaced(fleet: Fleet) -> None:
    fleet.group(1)
    sick = fleet.in_service(1)[0]["InstanceId"]
    fleet.asg.set_instance_health(InstanceId=sick, HealthStatus="Unhealthy")
    assert eventually(fleet.members, lambda found: found and found[0]["InstanceId"] != sick)


def test_detach_standby_and_attach(fleet: Fleet) -> None:
    fleet.group(2)
    first, second = (each["InstanceId"] for each in fleet.in_service(2))
    name = {"AutoScalingGroupName": "g"}
    fleet.asg.detach_instances(**name, InstanceIds=[first], ShouldDecrementDesiredCapacity=True)
    assert [each["InstanceId"] for each in fleet.in_service(1)] == [second]
    assert fleet.instance(first)["State"]["Name"] == "running"
    fleet.asg.attach_instances(**name, InstanceIds=[first])
    fleet.in_service(2)
    fleet.asg.enter_standby(**name, InstanceIds=[first], ShouldDecrementDesiredCapacity=True)
    assert [each["InstanceId"] for each in fleet.members(state="Standby")] == [first]
    fleet.asg.exit_standby(**name, InstanceIds=[first])
    fleet.in_service(2)
    found = fleet.asg.describe_auto_scaling_instances(InstanceIds=[first])["AutoScalingInstances"][0]
    assert (found["AutoScalingGroupName"], found["HealthStatus"]) == ("g", "HEALTHY")


def test_a_terminating_instance_waits_in_its_hook(fleet: Fleet) -> None:
    fleet.group(1)
    waiting = fleet.in_service(1)[0]["InstanceId"]
    name = {"AutoScalingGroupName": "g", "LifecycleHookName": "drain"}
    fleet.asg.put_lifecycle_hook(**name, LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING")
    heard = fleet.listen({"source": ["aws.autoscaling"], "detail-type": ["EC2 Instance-terminate Lifecycle Action"]})
    fleet.resize(0)
    assert fleet.members(state="Terminating:Wait")[0]["InstanceId"] == waiting
    assert fleet.instance(waiting)["State"]["Name"] == "running"
    event = eventually(heard, bool)[0]["detail"]
    assert (event["EC2InstanceId"], event["LifecycleHookName"]) == (waiting, "drain")
    fleet.asg.record_lifecycle_action_heartbeat(**name, InstanceId=waiting)
    fleet.asg.complete_lifecycle_action(
        **name, LifecycleActionToken=event["LifecycleActionToken"], LifecycleActionResult="CONTINUE"
    )
    eventually(fleet.shown, lambda found: found["Instances"] == [])


def test_a_launching_instance_that_its_hook_abandons_is_replaced(fleet: Fleet) -> None:
    hook = {"LifecycleHookName": "up", "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING"}
    fleet.group(1, LifecycleHookSpecificationList=[hook])
    waiting = eventually(lambda: fleet.members(state="Pending:Wait"), bool)[0]["InstanceId"]
    fleet.asg.complete_lifecycle_action(
        AutoScalingGroupName="g", LifecycleHookName="up", InstanceId=waiting, LifecycleActionResult="ABANDON"
    )
    other = eventually(
        lambda: fleet.members(state="Pending:Wait"), lambda found: found and found[0]["InstanceId"] != waiting
    )
    fleet.asg.complete_lifecycle_action(
        AutoScalingGroupName="g",
        LifecycleHookName="up",
        InstanceId=other[0]["InstanceId"],
        LifecycleActionResult="CONTINUE",
    )
    fleet.in_service(1)


def test_an_instance_refresh_replaces_all_and_runs_alone(fleet: Fleet) -> None:
    """aws-facts 3.4: one at a time (InstanceRefreshInProgress), MinHealthy 90 by default."""
    template = fleet.template()
    fleet.group(2, policy=fleet.policy(template))
    before = {each["InstanceId"] for each in fleet.in_service(2)}
    name = {"AutoScalingGroupName": "g"}
    refresh = fleet.asg.start_instance_refresh(**name)["InstanceRefreshId"]
    with refused("InstanceRefreshInProgress"):
        fleet.asg.start_instance_refresh(**name)

    def state() -> dict:
        return fleet.asg.describe_instance_refreshes(**name, InstanceRefreshIds=[refresh])["InstanceRefreshes"][0]

    done = eventually(state, lambda found: found["Status"] == "Successful", seconds=15)
    assert done["PercentageComplete"] == 100
    assert done["Preferences"]["MinHealthyPercentage"] == 90
    assert not before & {each["InstanceId"] for each in fleet.in_service(2)}
    with refused("ActiveInstanceRefreshNotFound"):
        fleet.asg.cancel_instance_refresh(**name)
    skipped = fleet.asg.start_instance_refresh(**name, Preferences={"SkipMatching": True})["InstanceRefreshId"]
    again = {each["InstanceId"] for each in fleet.in_service(2)}
    eventually(
        lambda: fleet.asg.describe_instance_refreshes(**name)["InstanceRefreshes"][0],
        lambda found: (found["InstanceRefreshId"], found["Status"]) == (skipped, "Successful"),
    )
    assert {each["InstanceId"] for each in fleet.in_service(2)} == again


def test_a_refresh_can_be_cancelled(fleet: Fleet) -> None:
    fleet.group(3)
    before = {each["InstanceId"] for each in fleet.in_service(3)}
    name = {"AutoScalingGroupName": "g"}
    fleet.asg.start_instance_refresh(**name)
    fleet.asg.cancel_instance_refresh(**name)
    eventually(
        lambda: fleet.asg.describe_instance_refreshes(**name)["InstanceRefreshes"][0]["Status"],
        lambda status: status == "Cancelled",
    )
    assert before & {each["InstanceId"] for each in fleet.in_service(3)}


def test_regions_work_at_the_same_time_without_touching_each_other(sandbox: Sandbox) -> None:
    regions = ("us-east-1", "us-west-2", "eu-west-1", "us-east-2")

    def work(region: str) -> set[str]:
        fleet = Fleet(sandbox, region)
        fleet.group(3, policy=fleet.policy(fleet.template(), ("g4dn.xlarge", "g5.xlarge")))
        return {each["AvailabilityZone"][:-1] for each in fleet.in_service(3)}

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, regions)) == [{region} for region in regions]


def test_a_reset_ends_everything_under_way(sandbox: Sandbox) -> None:
    fleet = Fleet(sandbox)
    fleet.market(capacity={fleet.region: {"*": 0}})
    fleet.group(3)
    eventually(lambda: fleet.activities(status="Failed"), bool)
    sandbox.control("POST", "reset")
    again = Fleet(sandbox)
    again.group(1)
    again.in_service(1)
    assert again.activities(status="Failed") == []
