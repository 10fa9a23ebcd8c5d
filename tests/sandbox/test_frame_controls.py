# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The control interface: health, reset, market, faults, and what it refuses."""

from __future__ import annotations

import json
import time

import pytest
from sandbox_process import Sandbox


def test_health(sandbox: Sandbox) -> None:
    assert sandbox.control("GET", "health") == {"status": "ok"}


def test_reset_clears_everything_in_every_region_and_keeps_the_seeds(sandbox: Sandbox) -> None:
    images = {}
    for region in ("us-east-1", "eu-west-1"):
        ec2 = sandbox.client("ec2", region)
        images[region] = {image["ImageId"] for image in ec2.describe_images(Owners=["amazon"])["Images"]}
        ec2.create_security_group(GroupName="left", Description="left")
        ec2.create_launch_template(LaunchTemplateName="left", LaunchTemplateData={"InstanceType": "g5.xlarge"})
        sandbox.client("ssm", region).put_parameter(Name="/left", Value="x", Type="String")
        sandbox.client("dynamodb", region).create_table(
            TableName="left",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
    sandbox.client("iam").create_user(UserName="left")
    sandbox.control("PUT", "market", {"scores": {"us-west-2": 9}})
    sandbox.control("POST", "faults", [{"service": "ssm", "code": "ThrottlingException"}])
    sandbox.control("POST", "reset")
    assert sandbox.control("GET", "market") == {}
    assert sandbox.control("GET", "faults") == []
    assert sandbox.calls() == []
    for region in ("us-east-1", "eu-west-1"):
        ec2 = sandbox.client("ec2", region)
        assert {image["ImageId"] for image in ec2.describe_images(Owners=["amazon"])["Images"]} == images[region]
        groups = ec2.describe_security_groups()["SecurityGroups"]
        assert [group["GroupName"] for group in groups] == ["default"]
        assert ec2.describe_launch_templates()["LaunchTemplates"] == []
        assert sandbox.client("ssm", region).describe_parameters()["Parameters"] == []
        assert sandbox.client("dynamodb", region).list_tables()["TableNames"] == []
    assert sandbox.client("iam").list_users()["Users"] == []


def test_market_merges_and_null_clears(sandbox: Sandbox) -> None:
    sandbox.control("PUT", "market", {"scores": {"us-west-2": 9, "us-east-1": 3}})
    sandbox.control("PUT", "market", {"scores": {"us-east-1": None, "eu-west-1": 2}})
    assert sandbox.control("GET", "market") == {"scores": {"us-west-2": 9, "eu-west-1": 2}}
    assert sandbox.control("PUT", "market", {"scores": None}) == {}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("PUT", "market", "{", 400, "not JSON"),
        ("PUT", "market", "[]", 400, "object"),
        ("PUT", "market", '{"scores": {"us-west-2": 11}}', 400, "scores.us-west-2"),
        ("PUT", "market", '{"weather": 1}', 400, "weather"),
        ("PUT", "market", b"\xff", 400, "UTF-8"),
        ("POST", "faults", "{}", 400, "must be a list"),
        ("POST", "faults", "[1]", 400, "faults[0]: must be an object"),
        ("POST", "faults", "[{}]", 400, "says nothing to do"),
        ("POST", "faults", '[{"servce": "ec2", "code": "X"}]', 400, "faults[0].servce: unknown key"),
        ("POST", "faults", '[{"code": "X"}, {"code": "X", "times": 0}]', 400, "faults[1].times"),
        ("POST", "faults", '[{"code": "X", "times": true}]', 400, "faults[0].times"),
        ("POST", "faults", '[{"code": "X", "status": 200}]', 400, "faults[0].status"),
        ("POST", "faults", '[{"status": 500}]', 400, "faults[0].status: needs a code"),
        ("POST", "faults", '[{"delay": -1}]', 400, "faults[0].delay"),
        ("POST", "faults", '[{"lose": "both"}]', 400, "faults[0].lose"),
        ("POST", "faults", '[{"stale": 1.5}]', 400, "faults[0].stale"),
        ("GET", "nothing", None, 404, "no control 'nothing'"),
        ("DELETE", "market", None, 405, "GET, PUT"),
    ],
)
def test_a_bad_control_is_one_line(
    sandbox: Sandbox, method: str, path: str, body: str | bytes | None, status: int, words: str
) -> None:
    answer, content = sandbox.raw(method, f"/_sandbox/{path}", body)
    assert answer == status
    assert words in content.decode()
    assert content.decode().count("\n") == 1 and content.endswith(b"\n")
    assert sandbox.control("GET", "market") == {}
    assert sandbox.control("GET", "faults") == []


def test_controls_are_not_aws_calls(sandbox: Sandbox) -> None:
    sandbox.control("GET", "health")
    sandbox.control("PUT", "market", {"scores": {"us-west-2": 9}})
    assert sandbox.calls() == []


def test_the_health_answer_is_json(sandbox: Sandbox) -> None:
    status, content = sandbox.raw("GET", "/_sandbox/health")
    assert (status, json.loads(content)) == (200, {"status": "ok"})


def test_what_was_under_way_does_not_survive_a_reset(sandbox: Sandbox) -> None:
    iam = sandbox.client("iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    role = iam.create_role(RoleName="machine", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    put = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:sns:createTopic",
        "Parameters": {"Name": "late"},
        "End": True,
    }
    definition = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 1, "Next": "Put"}, "Put": put}}
    machines = sandbox.client("stepfunctions")
    arn = machines.create_state_machine(name="m", definition=json.dumps(definition), roleArn=role)["stateMachineArn"]
    machines.start_execution(stateMachineArn=arn)
    sandbox.control("POST", "reset")
    time.sleep(1.5)
    assert sandbox.client("sns").list_topics()["Topics"] == []
    assert [call["action"] for call in sandbox.calls()] == ["ListTopics"]
