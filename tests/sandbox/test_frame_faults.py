# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Injected faults, as clients see them."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from botocore.exceptions import ClientError
from sandbox_process import Sandbox

RETRYING = Config(retries={"mode": "standard", "total_max_attempts": 3})


def code(error: pytest.ExceptionInfo[ClientError]) -> str:
    return error.value.response["Error"]["Code"]


@pytest.mark.parametrize(
    ("service", "method", "arguments", "fault", "status"),
    [
        ("ec2", "describe_vpcs", {}, "RequestLimitExceeded", 503),
        ("autoscaling", "describe_auto_scaling_groups", {}, "Throttling", 400),
        ("ssm", "describe_parameters", {}, "ThrottlingException", 400),
        ("ssm", "describe_parameters", {}, "InternalServerError", 500),
        ("efs", "describe_file_systems", {}, "ThrottlingException", 400),
        ("lambda", "list_functions", {}, "TooManyRequestsException", 400),
        ("s3", "list_buckets", {}, "SlowDown", 503),
        ("sqs", "list_queues", {}, "RequestThrottled", 400),
        ("cloudwatch", "describe_alarms", {}, "Throttling", 400),
        ("stepfunctions", "list_state_machines", {}, "ThrottlingException", 400),
    ],
)
def test_an_error_reaches_the_client_in_every_protocol(
    sandbox: Sandbox, service: str, method: str, arguments: dict, fault: str, status: int
) -> None:
    sandbox.control("POST", "faults", [{"service": service, "code": fault, "message": "as if", "times": 1}])
    client = sandbox.client(service)
    with pytest.raises(ClientError) as error:
        getattr(client, method)(**arguments)
    assert code(error) == fault
    assert error.value.response["Error"]["Message"] == "as if"
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert sandbox.calls()[-1]["code"] == fault
    getattr(client, method)(**arguments)


def test_retries_absorb_as_many_as_they_may(sandbox: Sandbox) -> None:
    sandbox.control("POST", "faults", [{"service": "autoscaling", "code": "Throttling", "times": 2}])
    answer = sandbox.client("autoscaling", config=RETRYING).describe_auto_scaling_groups()
    assert answer["ResponseMetadata"]["RetryAttempts"] == 2
    assert [call["status"] for call in sandbox.calls()] == [400, 400, 200]


def test_a_fault_is_for_its_region_and_action(sandbox: Sandbox) -> None:
    fault = {"service": "ec2", "region": "eu-west-1", "action": "DescribeVpcs", "code": "InternalError", "status": 500}
    sandbox.control("POST", "faults", [fault])
    sandbox.client("ec2").describe_vpcs()
    sandbox.client("ec2", "eu-west-1").describe_subnets()
    for _turn in range(3):
        with pytest.raises(ClientError):
            sandbox.client("ec2", "eu-west-1").describe_vpcs()
    sandbox.control("DELETE", "faults")
    sandbox.client("ec2", "eu-west-1").describe_vpcs()


def test_a_refused_write_did_not_happen(sandbox: Sandbox) -> None:
    sandbox.control("POST", "faults", [{"service": "ssm", "action": "PutParameter", "code": "InternalServerError"}])
    with pytest.raises(ClientError):
        sandbox.client("ssm").put_parameter(Name="/x", Value="x", Type="String")
    assert sandbox.client("ssm").describe_parameters()["Parameters"] == []


def test_delay(sandbox: Sandbox) -> None:
    ssm = sandbox.client("ssm")
    ssm.describe_parameters()
    sandbox.control("POST", "faults", [{"service": "ssm", "delay": 0.6, "times": 1}])
    started = time.monotonic()
    ssm.describe_parameters()
    assert 0.6 <= time.monotonic() - started < 2
    started = time.monotonic()
    ssm.describe_parameters()
    assert time.monotonic() - started < 0.5


@pytest.mark.parametrize(("lose", "exists"), [("request", False), ("answer", True)])
def test_a_lost_answer_looks_the_same_whether_the_call_was_done(sandbox: Sandbox, lose: str, exists: bool) -> None:
    sandbox.control("POST", "faults", [{"service": "ssm", "action": "PutParameter", "lose": lose, "times": 1}])
    with pytest.raises(BotoCoreError):
        sandbox.client("ssm").put_parameter(Name="/x", Value="x", Type="String")
    found = sandbox.client("ssm").describe_parameters()["Parameters"]
    assert bool(found) is exists
    assert sandbox.calls(mutating=True)[0]["status"] == 0


def names(client: Any) -> set[str]:
    return {group["GroupName"] for group in client.describe_security_groups()["SecurityGroups"]}


def test_a_stale_read_answers_as_before_the_last_writes(sandbox: Sandbox) -> None:
    ec2 = sandbox.client("ec2")
    assert names(ec2) == {"default"}
    ec2.create_security_group(GroupName="a", Description="x")
    assert names(ec2) == {"default", "a"}
    ec2.create_security_group(GroupName="b", Description="x")
    sandbox.control("POST", "faults", [{"service": "ec2", "action": "DescribeSecurityGroups", "stale": 1, "times": 1}])
    assert names(ec2) == {"default", "a"}
    assert names(ec2) == {"default", "a", "b"}
    sandbox.control("POST", "faults", [{"service": "ec2", "action": "DescribeSecurityGroups", "stale": 2, "times": 2}])
    assert names(ec2) == {"default"}
    assert names(ec2) == {"default"}
    assert names(ec2) == {"default", "a", "b"}


def test_writes_elsewhere_make_no_read_older(sandbox: Sandbox) -> None:
    ec2 = sandbox.client("ec2")
    assert names(ec2) == {"default"}
    sandbox.client("ec2", "eu-west-1").create_security_group(GroupName="a", Description="x")
    sandbox.client("ssm").put_parameter(Name="/x", Value="x", Type="String")
    ec2.create_security_group(GroupName="b", Description="x")
    sandbox.control("POST", "faults", [{"service": "ec2", "stale": 1}])
    assert names(ec2) == {"default"}


def test_a_read_that_was_never_made_is_answered_with_the_code_or_truly(sandbox: Sandbox) -> None:
    ec2 = sandbox.client("ec2")
    group = ec2.create_security_group(GroupName="new", Description="x")["GroupId"]
    sandbox.control("POST", "faults", [{"service": "ec2", "stale": 1, "code": "InvalidGroup.NotFound", "times": 1}])
    with pytest.raises(ClientError) as error:
        ec2.describe_security_groups(GroupIds=[group])
    assert code(error) == "InvalidGroup.NotFound"
    sandbox.control("POST", "faults", [{"service": "ec2", "stale": 1}])
    assert ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["GroupName"] == "new"
