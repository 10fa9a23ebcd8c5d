# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lifecycle hooks: instances that wait. Sources: botocore model, PutLifecycleHook, CompleteLifecycleAction and

RecordLifecycleActionHeartbeat; EC2 Auto Scaling user guide, "How lifecycle hooks work"; ECS developer guide, "Managed
instance draining".
"""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from fleet_kit import Fleet
from fleet_kit import eventually
from fleet_kit import refused
from sandbox_process import Sandbox

NAME = {"AutoScalingGroupName": "g", "LifecycleHookName": "h"}
LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"


@pytest.fixture
def fleet(sandbox: Sandbox) -> Fleet:
    return Fleet(sandbox)


def waiting(fleet: Fleet, state: str = "Pending:Wait") -> str:
    return eventually(lambda: fleet.members(state=state), bool)[0]["InstanceId"]


def hook_role(fleet: Fleet, actions: list[str]) -> str:
    iam = fleet.client("iam")
    allow = {"Effect": "Allow", "Principal": {"Service": "autoscaling.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    arn = iam.create_role(RoleName="hook", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    grant = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]}
    iam.put_role_policy(RoleName="hook", PolicyName="p", PolicyDocument=json.dumps(grant))
    return arn


def test_a_launching_instance_waits_and_enters_service_when_told_to(fleet: Fleet) -> None:
    heard = fleet.listen({"source": ["aws.autoscaling"], "detail-type": ["EC2 Instance-launch Lifecycle Action"]})
    fleet.group(0)
    fleet.asg.put_lifecycle_hook(**NAME, LifecycleTransition=LAUNCHING, NotificationMetadata="m")
    fleet.resize(1)
    instance = waiting(fleet)
    event = eventually(heard, bool)[0]
    assert event["resources"][0] == fleet.shown()["AutoScalingGroupARN"]
    detail = event["detail"]
    token = detail.pop("LifecycleActionToken")
    assert detail == {
        "AutoScalingGroupName": "g",
        "LifecycleHookName": "h",
        "EC2InstanceId": instance,
        "LifecycleTransition": LAUNCHING,
        "NotificationMetadata": "m",
        "Origin": "EC2",
        "Destination": "AutoScalingGroup",
    }
    time.sleep(0.7)
    assert waiting(fleet) == instance
    fleet.asg.complete_lifecycle_action(**NAME, LifecycleActionToken=token, LifecycleActionResult="CONTINUE")
    assert fleet.in_service(1)[0]["InstanceId"] == instance
    with refused("ValidationError", "No active Lifecycle Action found"):
        fleet.asg.complete_lifecycle_action(**NAME, InstanceId=instance, LifecycleActionResult="CONTINUE")


@pytest.mark.parametrize(("result", "kept"), [("CONTINUE", True), ("ABANDON", False)])
def test_a_heartbeat_that_runs_out_ends_with_the_default_result(fleet: Fleet, result: str, kept: bool) -> None:
    fleet.market(group_wait_scale=0.03)
    hook = {"LifecycleHookName": "h", "LifecycleTransition": LAUNCHING, "HeartbeatTimeout": 30, "DefaultResult": result}
    fleet.group(1, LifecycleHookSpecificationList=[hook])
    instance = waiting(fleet)
    if kept:
        assert fleet.in_service(1)[0]["InstanceId"] == instance
    else:
        eventually(lambda: fleet.shown()["Instances"], lambda found: found and found[0]["InstanceId"] != instance)
        failed = eventually(lambda: fleet.activities(status="Failed"), bool)
        assert "Lifecycle Action" in failed[0]["StatusMessage"]
        assert fleet.instance(instance)["State"]["Name"] in ("shutting-down", "terminated")


def test_heartbeats_put_the_timeout_off_but_not_for_ever(fleet: Fleet) -> None:
    """User guide: at most 48 hours, or 100 times the heartbeat timeout, whichever is smaller."""
    fleet.market(group_wait_scale=0.05)
    fleet.group(0)
    fleet.asg.put_lifecycle_hook(**NAME, LifecycleTransition=LAUNCHING, HeartbeatTimeout=30, DefaultResult="CONTINUE")
    fleet.resize(1)
    instance = waiting(fleet)
    for _beat in range(4):
        time.sleep(0.7)
        fleet.asg.record_lifecycle_action_heartbeat(**NAME, InstanceId=instance)
    assert waiting(fleet) == instance
    fleet.in_service(1)
    shown = fleet.asg.describe_lifecycle_hooks(AutoScalingGroupName="g")["LifecycleHooks"][0]
    assert (shown["HeartbeatTimeout"], shown["GlobalTimeout"], shown["DefaultResult"]) == (30, 3000, "CONTINUE")
    fleet.asg.put_lifecycle_hook(**NAME, HeartbeatTimeout=7200)
    shown = fleet.asg.describe_lifecycle_hooks(AutoScalingGroupName="g")["LifecycleHooks"][0]
    assert (shown["GlobalTimeout"], shown["DefaultResult"]) == (172_800, "CONTINUE")


def test_hooks_have_limits_and_defaults(fleet: Fleet) -> None:
    fleet.group(0)
    for wrong in ({"HeartbeatTimeout": 29}, {"HeartbeatTimeout": 7201}, {"DefaultResult": "RETRY"}):
        with refused("ValidationError"):
            fleet.asg.put_lifecycle_hook(**NAME, LifecycleTransition=LAUNCHING, **wrong)
    with refused("ValidationError", "LifecycleTransition"):
        fleet.asg.put_lifecycle_hook(**NAME)
    fleet.asg.put_lifecycle_hook(**NAME, LifecycleTransition=LAUNCHING)
    shown = fleet.asg.describe_lifecycle_hooks(AutoScalingGroupName="g")["LifecycleHooks"]
    assert shown == [
        {
            **NAME,
            "LifecycleTransition": LAUNCHING,
            "HeartbeatTimeout": 3600,
            "GlobalTimeout": 172_800,
            "DefaultResult": "ABANDON",
        }
    ]


def test_a_terminating_instance_goes_either_way_and_proceeds(fleet: Fleet) -> None:
    """User guide: ABANDON and CONTINUE both let a terminating instance go; ABANDON skips the hooks that remain."""
    fleet.group(1)
    instance = fleet.in_service(1)[0]["InstanceId"]
    for name in ("h", "never"):
        fleet.asg.put_lifecycle_hook(**{**NAME, "LifecycleHookName": name}, LifecycleTransition=TERMINATING)
    fleet.resize(0)
    assert waiting(fleet, "Terminating:Wait") == instance
    fleet.asg.complete_lifecycle_action(**NAME, InstanceId=instance, LifecycleActionResult="ABANDON")
    assert [each["LifecycleState"] for each in fleet.shown()["Instances"]] in ([], ["Terminating:Proceed"])
    eventually(fleet.shown, lambda found: found["Instances"] == [])


@pytest.mark.parametrize("topic", [True, False])
def test_a_hook_writes_to_its_target_as_its_role(fleet: Fleet, topic: bool) -> None:
    """botocore model: a test message when the hook is put, with the event autoscaling:TEST_NOTIFICATION."""
    target, messages = fleet.mailbox(topic=topic)
    role = hook_role(fleet, ["sns:Publish", "sqs:SendMessage"])
    fleet.group(0)
    options: dict[str, Any] = {"LifecycleTransition": LAUNCHING, "NotificationTargetARN": target}
    with refused("ValidationError", "Unable to publish test message to notification target"):
        fleet.asg.put_lifecycle_hook(**NAME, **options)
    with refused("ValidationError", "Unable to publish test message to notification target"):
        fleet.asg.put_lifecycle_hook(**NAME, **{**options, "NotificationTargetARN": f"{target}x"}, RoleARN=role)
    assert fleet.asg.describe_lifecycle_hooks(AutoScalingGroupName="g")["LifecycleHooks"] == []
    fleet.asg.put_lifecycle_hook(**NAME, **options, RoleARN=role)
    fleet.resize(1)
    instance = waiting(fleet)
    found = eventually(messages, lambda found: len(found) == 2)
    if topic:
        assert (
            found[1]["Subject"] == f"Auto Scaling:  Lifecycle action 'LAUNCHING' for instance {instance} in progress."
        )
        found = [json.loads(each["Message"]) for each in found]
    assert (found[0]["Event"], found[0]["AutoScalingGroupName"]) == ("autoscaling:TEST_NOTIFICATION", "g")
    assert found[1]["Service"] == "AWS Auto Scaling"
    assert (found[1]["LifecycleTransition"], found[1]["EC2InstanceId"]) == (LAUNCHING, instance)
    fleet.asg.complete_lifecycle_action(
        **NAME, LifecycleActionToken=found[1]["LifecycleActionToken"], LifecycleActionResult="CONTINUE"
    )
    fleet.in_service(1)


def test_a_role_that_may_not_write_to_the_target_loses_the_message(fleet: Fleet, sandbox: Sandbox) -> None:
    target, messages = fleet.mailbox(topic=False)
    role = hook_role(fleet, ["sns:Publish"])
    fleet.group(0)
    fleet.asg.put_lifecycle_hook(**NAME, LifecycleTransition=LAUNCHING, NotificationTargetARN=target, RoleARN=role)

    def denied() -> list[dict[str, Any]]:
        calls = sandbox.control("GET", "calls")
        return [each for each in calls if each["action"] == "SendMessage" and "/hook" in each["principal"]]

    call = eventually(denied, lambda found: found and found[0]["status"])[0]
    assert (call["status"], call["via"]) == (403, "sandbox")
    assert messages() == []


def test_managed_draining_holds_a_terminating_instance_until_its_tasks_have_moved(fleet: Fleet) -> None:
    """ECS sets the instance to DRAINING, and completes its hook when no task is left on it."""
    fleet.cluster_with_nodes(2)
    fleet.definition()
    fleet.service(1, deploymentConfiguration={"minimumHealthyPercent": 100, "maximumPercent": 200})
    fleet.running(1)
    busy = fleet.tasks()[0]["containerInstanceArn"]

    def node(arn: str) -> dict[str, Any]:
        return fleet.ecs.describe_container_instances(cluster="c", containerInstances=[arn])["containerInstances"][0]

    instance = node(busy)["ec2InstanceId"]
    fleet.market(task_seconds=1.5)
    fleet.asg.terminate_instance_in_auto_scaling_group(InstanceId=instance, ShouldDecrementDesiredCapacity=True)
    eventually(lambda: node(busy)["status"], lambda status: status == "DRAINING")
    assert waiting(fleet, "Terminating:Wait") == instance
    assert fleet.instance(instance)["State"]["Name"] == "running"
    assert fleet.seen()["runningCount"] == 1
    left = fleet.in_service(1)
    assert left[0]["InstanceId"] != instance
    fleet.running(1)
    assert fleet.tasks()[0]["containerInstanceArn"] != busy


def test_a_refresh_of_a_provider_group_drains_every_instance(fleet: Fleet) -> None:
    """ECS developer guide: managed draining covers instance refreshes."""
    fleet.cluster_with_nodes(1)
    before = fleet.in_service(1)[0]["InstanceId"]
    fleet.service(1, deploymentConfiguration={"minimumHealthyPercent": 100, "maximumPercent": 200})
    fleet.running(1)
    fleet.asg.start_instance_refresh(AutoScalingGroupName="g")
    assert waiting(fleet, "Terminating:Wait") == before
    eventually(
        lambda: fleet.asg.describe_instance_refreshes(AutoScalingGroupName="g")["InstanceRefreshes"][0]["Status"],
        lambda status: status == "Successful",
        seconds=20,
    )
    assert fleet.in_service(1)[0]["InstanceId"] != before
    fleet.running(1)
