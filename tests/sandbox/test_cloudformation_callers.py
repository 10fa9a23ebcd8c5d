# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stack's calls are made as its caller, or as its role."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sandbox_process import Sandbox
from stack_tools import Stacks

TEMPLATE = """
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}
  Queue: {Type: AWS::SQS::Queue, DependsOn: Vpc, Properties: {QueueName: q}}
"""
STACKS = ["cloudformation:*"]
NETWORK = ["ec2:*"]
QUEUES = ["sqs:*"]


def policy(actions: list[str]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]})


def user(sandbox: Sandbox, actions: list[str]) -> Stacks:
    """Stacks as a new user who may do these actions."""
    iam = sandbox.client("iam")
    iam.create_user(UserName="deployer")
    iam.put_user_policy(UserName="deployer", PolicyName="p", PolicyDocument=policy(actions))
    key = iam.create_access_key(UserName="deployer")["AccessKey"]
    return Stacks(sandbox, key=key["AccessKeyId"], secret=key["SecretAccessKey"])


def role(sandbox: Sandbox, actions: list[str]) -> str:
    trust = {"Effect": "Allow", "Principal": {"Service": "cloudformation.amazonaws.com"}, "Action": "sts:AssumeRole"}
    iam = sandbox.client("iam")
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = iam.create_role(RoleName="stacks", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    iam.put_role_policy(RoleName="stacks", PolicyName="p", PolicyDocument=policy(actions))
    return arn


def made_by(sandbox: Sandbox) -> set[tuple[str, str]]:
    """Who made which mutating calls on a stack's behalf."""
    return {
        (call["action"], call["principal"]) for call in sandbox.calls(mutating=True) if call["via"] == "cloudformation"
    }


def test_a_caller_who_may(sandbox: Sandbox) -> None:
    stacks = user(sandbox, STACKS + NETWORK + QUEUES)
    assert stacks.create("one", TEMPLATE)["StackStatus"] == "CREATE_COMPLETE"
    arn = "arn:aws:iam::123456789012:user/deployer"
    assert {("CreateVpc", arn), ("CreateQueue", arn)} <= made_by(sandbox)


def test_a_caller_who_may_not(sandbox: Sandbox) -> None:
    stacks = user(sandbox, STACKS + QUEUES)
    assert stacks.create("one", TEMPLATE)["StackStatus"] == "ROLLBACK_COMPLETE"
    reason = stacks.reasons("one")["Vpc"]
    assert reason.startswith('Resource handler returned message: "')
    assert "You are not authorized to perform" in reason or "is not authorized to perform: ec2:CreateVpc" in reason
    assert "HandlerErrorCode: AccessDenied)" in reason


def test_denied_half_way_leaves_nothing(sandbox: Sandbox) -> None:
    stacks = user(sandbox, STACKS + NETWORK)
    assert stacks.create("one", TEMPLATE)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "is not authorized to perform: sqs:" in stacks.reasons("one")["Queue"].lower().replace(
        "sqs:createqueue", "sqs:CreateQueue"
    )
    own = [{"Name": "is-default", "Values": ["false"]}]
    assert sandbox.client("ec2").describe_vpcs(Filters=own)["Vpcs"] == []


@pytest.mark.parametrize("how", ["stack", "change set"])
def test_a_role_stands_in_for_the_caller_and_stays(sandbox: Sandbox, how: str) -> None:
    arn = role(sandbox, NETWORK + QUEUES)
    stacks = user(sandbox, [*STACKS, "iam:PassRole"])
    options: dict[str, Any] = {"RoleARN": arn}
    if how == "stack":
        stack = stacks.create("one", TEMPLATE, **options)
    else:
        made = stacks.api.create_change_set(
            StackName="one", ChangeSetName="c", ChangeSetType="CREATE", TemplateBody=TEMPLATE, **options
        )
        stacks.api.execute_change_set(ChangeSetName=made["Id"])
        while (stack := stacks.wait("one"))["StackStatus"] == "REVIEW_IN_PROGRESS":
            pass
    assert (stack["StackStatus"], stack["RoleARN"]) == ("CREATE_COMPLETE", arn)
    assert {principal.split("/")[1] for _action, principal in made_by(sandbox)} == {"stacks"}
    assert stacks.delete("one")["StackStatus"] == "DELETE_COMPLETE"


def test_a_role_may_do_no_more_than_its_policy(sandbox: Sandbox) -> None:
    arn = role(sandbox, QUEUES)
    stacks = Stacks(sandbox)
    assert stacks.create("one", TEMPLATE, RoleARN=arn)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "HandlerErrorCode: AccessDenied)" in stacks.reasons("one")["Vpc"]


def test_drift_is_read_as_the_caller(sandbox: Sandbox) -> None:
    Stacks(sandbox).create("one", TEMPLATE)
    stacks = user(sandbox, STACKS + NETWORK)
    detection = stacks.api.detect_stack_drift(StackName="one")["StackDriftDetectionId"]
    status = stacks.api.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
    assert status["DetectionStatus"] == "DETECTION_FAILED"
    assert status["DetectionStatusReason"] == "Failed to detect drift on resource(s) [Queue]"


def test_calls_meet_faults(sandbox: Sandbox) -> None:
    sandbox.control(
        "POST", "faults", [{"service": "ec2", "action": "CreateVpc", "code": "VpcLimitExceeded", "status": 400}]
    )
    stacks = Stacks(sandbox)
    assert stacks.create("one", TEMPLATE)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "HandlerErrorCode: ServiceLimitExceeded)" in stacks.reasons("one")["Vpc"]
