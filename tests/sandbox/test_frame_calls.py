# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The call log, and which calls change something."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from sandbox_process import Sandbox

ROOT = "arn:aws:iam::123456789012:root"


def test_a_call_is_logged_with_who_where_and_how_it_ended(sandbox: Sandbox) -> None:
    sandbox.client("ec2", "eu-west-1").create_security_group(GroupName="x", Description="x")
    ssm = sandbox.client("ssm")
    with pytest.raises(ssm.exceptions.ParameterNotFound):
        ssm.get_parameter(Name="/none")
    first, second = sandbox.calls()
    for call in (first, second):
        assert call.pop("time") > 0
        call.pop("iam")
    assert first == {
        "service": "ec2",
        "action": "CreateSecurityGroup",
        "region": "eu-west-1",
        "principal": ROOT,
        "status": 200,
        "code": None,
        "mutating": True,
        "change_set": False,
        "via": None,
    }
    assert second == {
        "service": "ssm",
        "action": "GetParameter",
        "region": "us-east-1",
        "principal": ROOT,
        "status": 400,
        "code": "ParameterNotFound",
        "mutating": False,
        "change_set": False,
        "via": None,
    }


@pytest.mark.parametrize(
    ("service", "method", "arguments", "logged", "mutating"),
    [
        ("efs", "describe_file_systems", {}, ("elasticfilesystem", "DescribeFileSystems"), False),
        ("efs", "create_file_system", {"CreationToken": "x"}, ("elasticfilesystem", "CreateFileSystem"), True),
        ("stepfunctions", "list_state_machines", {}, ("states", "ListStateMachines"), False),
        ("cloudwatch", "describe_alarms", {}, ("monitoring", "DescribeAlarms"), False),
        ("apigatewayv2", "create_api", {"Name": "x", "ProtocolType": "HTTP"}, ("apigateway", "CreateApi"), True),
        ("s3", "list_buckets", {}, ("s3", "ListBuckets"), False),
        ("s3", "create_bucket", {"Bucket": "bucket-x"}, ("s3", "CreateBucket"), True),
        ("sts", "get_caller_identity", {}, ("sts", "GetCallerIdentity"), False),
        ("ec2", "get_spot_placement_scores", {"TargetCapacity": 1}, ("ec2", "GetSpotPlacementScores"), False),
        ("kms", "create_key", {}, ("kms", "CreateKey"), True),
        ("sqs", "create_queue", {"QueueName": "x"}, ("sqs", "CreateQueue"), True),
        ("cloudformation", "validate_template", {"TemplateBody": "{}"}, ("cloudformation", "ValidateTemplate"), False),
        ("resourcegroupstaggingapi", "get_resources", {}, ("tagging", "GetResources"), False),
        (
            "service-quotas",
            "list_service_quotas",
            {"ServiceCode": "ec2"},
            ("servicequotas", "ListServiceQuotas"),
            False,
        ),
    ],
)
def test_every_protocol_is_named(
    sandbox: Sandbox, service: str, method: str, arguments: dict, logged: tuple, mutating: bool
) -> None:
    client = sandbox.client(service)
    try:
        getattr(client, method)(**arguments)
    except client.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] in ("InvalidParameterValue", "MissingParameter", "ValidationError")
    call = sandbox.calls()[-1]
    assert ((call["service"], call["action"]), call["mutating"]) == (logged, mutating)


def test_a_dry_run_changes_nothing(sandbox: Sandbox) -> None:
    ec2 = sandbox.client("ec2")
    with pytest.raises(ec2.exceptions.ClientError) as refused:
        ec2.create_security_group(GroupName="x", Description="x", DryRun=True)
    assert refused.value.response["Error"]["Code"] == "DryRunOperation"
    assert sandbox.calls(mutating=True) == []
    assert len(ec2.describe_security_groups()["SecurityGroups"]) == 1


TEMPLATE = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "made"}}}}


def test_change_sets_are_marked_and_drift_detection_reads(sandbox: Sandbox) -> None:
    stacks = sandbox.client("cloudformation")
    stacks.create_stack(StackName="s", TemplateBody=json.dumps(TEMPLATE))
    stacks.get_waiter("stack_create_complete").wait(StackName="s", WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    stacks.create_change_set(StackName="s", ChangeSetName="c", TemplateBody=json.dumps(TEMPLATE))
    stacks.delete_change_set(StackName="s", ChangeSetName="c")
    stacks.detect_stack_drift(StackName="s")
    own = [call for call in sandbox.calls() if call["via"] is None]
    marks = {call["action"]: (call["mutating"], call["change_set"]) for call in own}
    assert marks["CreateStack"] == (True, False)
    assert marks["CreateChangeSet"] == marks["DeleteChangeSet"] == (True, True)
    assert marks["DetectStackDrift"] == (False, False)
    assert "CreateChangeSet" not in {call["action"] for call in sandbox.calls(mutating=True)}


def test_calls_of_a_state_machine_are_logged_as_its_role(sandbox: Sandbox) -> None:
    role = make_role(sandbox, "machine", "states", {"Effect": "Allow", "Action": "ssm:PutParameter", "Resource": "*"})
    definition = {
        "StartAt": "Put",
        "States": {
            "Put": {
                "Type": "Task",
                "Resource": "arn:aws:states:::aws-sdk:ssm:putParameter",
                "Parameters": {"Name": "/by-machine", "Value": "x", "Type": "String"},
                "End": True,
            }
        },
    }
    execution = run_machine(sandbox, role, definition)
    assert execution["status"] == "SUCCEEDED", execution
    call = next(call for call in sandbox.calls() if call["action"] == "PutParameter")
    assert call["principal"] == "arn:aws:sts::123456789012:assumed-role/machine/sandbox"
    assert (call["via"], call["status"], call["mutating"]) == ("states", 200, True)


def test_a_state_machine_may_do_only_what_its_role_may(sandbox: Sandbox) -> None:
    role = make_role(sandbox, "machine", "states", {"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": "*"})
    definition = {
        "StartAt": "Put",
        "States": {
            "Put": {
                "Type": "Task",
                "Resource": "arn:aws:states:::aws-sdk:ssm:putParameter",
                "Parameters": {"Name": "/by-machine", "Value": "x", "Type": "String"},
                "End": True,
            }
        },
    }
    execution = run_machine(sandbox, role, definition)
    assert execution["status"] == "FAILED"
    assert "AccessDenied" in execution["error"]
    assert sandbox.client("ssm").describe_parameters()["Parameters"] == []


def make_role(sandbox: Sandbox, name: str, service: str, *statements: dict[str, Any]) -> str:
    iam = sandbox.client("iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    policy = {"Version": "2012-10-17", "Statement": list(statements)}
    iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=json.dumps(policy))
    return arn


def run_machine(sandbox: Sandbox, role: str, definition: dict[str, Any], payload: dict | None = None) -> dict[str, Any]:
    machines = sandbox.client("stepfunctions")
    arn = machines.create_state_machine(name="m", definition=json.dumps(definition), roleArn=role)["stateMachineArn"]
    execution = machines.start_execution(stateMachineArn=arn, input=json.dumps(payload or {}))["executionArn"]
    for _turn in range(100):
        found = machines.describe_execution(executionArn=execution)
        if found["status"] != "RUNNING":
            return found
        time.sleep(0.1)
    raise AssertionError("the execution did not end")
