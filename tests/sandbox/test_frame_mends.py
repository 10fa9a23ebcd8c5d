# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ministack lacks or does differently from AWS, as clients see it mended."""

from __future__ import annotations

import io
import json
import threading
import time
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from sandbox_process import Sandbox

ECS = "/aws/service/ecs/optimized-ami"
REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "ap-southeast-2")


def wait(check: Callable[[], Any], seconds: float = 10) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = check()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("it did not happen")


def make_role(sandbox: Sandbox, name: str, service: str, *statements: dict[str, Any]) -> str:
    iam = sandbox.client("iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": f"{service}.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    if statements:
        policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=policy)
    return arn


# Images and their parameters


def test_seeded_images_have_devices_and_differ_by_region(sandbox: Sandbox) -> None:
    seen: set[str] = set()
    for region in REGIONS:
        images = sandbox.client("ec2", region).describe_images(Owners=["amazon"])["Images"]
        by_name = {image["Name"]: image for image in images}
        gpu = next(image for name, image in by_name.items() if name.startswith("al2023-ami-ecs-gpu-hvm"))
        assert gpu["RootDeviceName"] == "/dev/xvda"
        assert [device["DeviceName"] for device in gpu["BlockDeviceMappings"]] == ["/dev/xvda"]
        ubuntu = next(image for name, image in by_name.items() if name.startswith("ubuntu/"))
        assert ubuntu["RootDeviceName"] == "/dev/sda1"
        assert [device["DeviceName"] for device in ubuntu["BlockDeviceMappings"]] == ["/dev/sda1", "/dev/sdb"]
        assert {image["OwnerId"] for image in images} == {"137112412989"}
        ids = {image["ImageId"] for image in images}
        assert not ids & seen
        seen |= ids


def test_parameters_name_the_seeded_images(sandbox: Sandbox) -> None:
    for region in REGIONS:
        ssm = sandbox.client("ssm", region)
        images = {
            image["ImageId"] for image in sandbox.client("ec2", region).describe_images(Owners=["amazon"])["Images"]
        }
        for family in ("amazon-linux-2023/gpu", "amazon-linux-2/gpu", "amazon-linux-2023"):
            name = f"{ECS}/{family}/recommended"
            document = json.loads(ssm.get_parameter(Name=name)["Parameter"]["Value"])
            image = ssm.get_parameter(Name=f"{name}/image_id")["Parameter"]["Value"]
            assert document["image_id"] == image
            assert image in images
        learning = "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id"
        assert ssm.get_parameter(Name=learning)["Parameter"]["Value"] in images
        found = ssm.get_parameters(Names=[f"{ECS}/amazon-linux-2023/gpu/recommended/image_id", f"{ECS}/none"])
        assert len(found["Parameters"]) == 1
        assert found["InvalidParameters"] == [f"{ECS}/none"]
        assert ssm.get_parameter(Name=f"{ECS}/amazon-linux-2023/gpu/recommended")["Parameter"]["ARN"] == (
            f"arn:aws:ssm:{region}::parameter{ECS}/amazon-linux-2023/gpu/recommended"
        )


# EFS


def test_a_mount_target_lives_in_motos_network(sandbox: Sandbox) -> None:
    ec2, efs = sandbox.client("ec2"), sandbox.client("efs")
    vpc = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.1.1.0/24", AvailabilityZone="us-east-1a")["Subnet"]
    group = ec2.create_security_group(GroupName="efs", Description="x", VpcId=vpc)["GroupId"]
    other = ec2.create_security_group(GroupName="other", Description="x", VpcId=vpc)["GroupId"]
    system = efs.create_file_system(CreationToken="t")["FileSystemId"]
    target = efs.create_mount_target(FileSystemId=system, SubnetId=subnet["SubnetId"], SecurityGroups=[group])
    assert (target["VpcId"], target["AvailabilityZoneId"]) == (vpc, subnet["AvailabilityZoneId"])
    [interface] = ec2.describe_network_interfaces(NetworkInterfaceIds=[target["NetworkInterfaceId"]])[
        "NetworkInterfaces"
    ]
    assert interface["PrivateIpAddress"] == target["IpAddress"]
    assert [each["GroupId"] for each in interface["Groups"]] == [group]
    with pytest.raises(ClientError, match="DependencyViolation"):
        ec2.delete_subnet(SubnetId=subnet["SubnetId"])
    efs.modify_mount_target_security_groups(MountTargetId=target["MountTargetId"], SecurityGroups=[other])
    ec2.delete_security_group(GroupId=group)
    efs.delete_mount_target(MountTargetId=target["MountTargetId"])
    ec2.delete_subnet(SubnetId=subnet["SubnetId"])


def test_a_mount_target_needs_what_exists(sandbox: Sandbox) -> None:
    ec2, efs = sandbox.client("ec2"), sandbox.client("efs")
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    foreign = ec2.create_security_group(
        GroupName="x", Description="x", VpcId=ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    )["GroupId"]
    system = efs.create_file_system(CreationToken="t")["FileSystemId"]
    with pytest.raises(efs.exceptions.SubnetNotFound):
        efs.create_mount_target(FileSystemId=system, SubnetId="subnet-0123456789abcdef0")
    with pytest.raises(efs.exceptions.SecurityGroupNotFound):
        efs.create_mount_target(FileSystemId=system, SubnetId=subnet, SecurityGroups=[foreign])


def test_deprecated_tag_calls_of_efs_work(sandbox: Sandbox) -> None:
    efs = sandbox.client("efs")
    system = efs.create_file_system(CreationToken="t")["FileSystemId"]
    efs.create_tags(FileSystemId=system, Tags=[{"Key": "a", "Value": "b"}, {"Key": "c", "Value": "d"}])
    efs.delete_tags(FileSystemId=system, TagKeys=["c"])
    assert efs.describe_tags(FileSystemId=system)["Tags"] == [{"Key": "a", "Value": "b"}]


# Backup, tags


def test_a_vault_that_does_not_exist_is_denied(sandbox: Sandbox) -> None:
    with pytest.raises(ClientError) as error:
        sandbox.client("backup").describe_backup_vault(BackupVaultName="none")
    assert error.value.response["Error"]["Code"] == "AccessDeniedException"


def test_the_tag_sweep_covers_both_emulators(sandbox: Sandbox) -> None:
    tags = {"sweep": "me"}
    pairs = [{"Key": "sweep", "Value": "me"}]
    ec2 = sandbox.client("ec2")

    def spec(kind: str) -> list[dict[str, Any]]:
        return [{"ResourceType": kind, "Tags": pairs}]

    ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=spec("vpc"))
    ec2.create_launch_template(
        LaunchTemplateName="t",
        LaunchTemplateData={"InstanceType": "g5.xlarge"},
        TagSpecifications=spec("launch-template"),
    )
    sandbox.client("ssm").put_parameter(Name="/x", Value="x", Type="String", Tags=pairs)
    sandbox.client("logs").create_log_group(logGroupName="/x", tags=tags)
    sandbox.client("sns").create_topic(Name="t", Tags=pairs)
    sandbox.client("efs").create_file_system(CreationToken="t", Tags=pairs)
    sandbox.client("ecs").create_cluster(clusterName="c", tags=[{"key": "sweep", "value": "me"}])
    sandbox.client("cloudwatch").put_metric_alarm(
        AlarmName="a",
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        MetricName="m",
        Namespace="n",
        Period=60,
        Statistic="Sum",
        Threshold=1,
        Tags=pairs,
    )
    role = make_role(sandbox, "machine", "states")
    sandbox.client("stepfunctions").create_state_machine(
        name="m",
        definition=json.dumps({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}),
        roleArn=role,
        tags=[{"key": "sweep", "value": "me"}],
    )
    sweep = sandbox.client("resourcegroupstaggingapi")
    found = sweep.get_resources(TagFilters=[{"Key": "sweep", "Values": ["me"]}])["ResourceTagMappingList"]
    services = {each["ResourceARN"].split(":")[2] for each in found}
    kinds = {each["ResourceARN"].split(":")[5].split("/")[0] for each in found if ":ec2:" in each["ResourceARN"]}
    assert services >= {"ec2", "ssm", "logs", "sns", "elasticfilesystem", "ecs", "cloudwatch", "states"}
    assert kinds == {"vpc", "launch-template"}
    assert sandbox.client("resourcegroupstaggingapi", "eu-west-1").get_resources()["ResourceTagMappingList"] == []


# Events, functions, state machines


def queue(sandbox: Sandbox, region: str, name: str = "q") -> tuple[str, str]:
    sqs = sandbox.client("sqs", region)
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def test_an_event_crosses_regions_by_bus(sandbox: Sandbox) -> None:
    hub, worker = "us-east-1", "eu-west-1"
    url, arn = queue(sandbox, hub)
    bus = sandbox.client("events", hub).create_event_bus(Name="hub")["EventBusArn"]
    sandbox.client("events", hub).put_rule(Name="r", EventBusName="hub", EventPattern='{"source": ["me"]}')
    sandbox.client("events", hub).put_targets(Rule="r", EventBusName="hub", Targets=[{"Id": "q", "Arn": arn}])
    events = sandbox.client("events", worker)
    events.put_rule(Name="forward", EventPattern='{"source": ["me"]}')
    role = make_role(sandbox, "forward", "events")
    events.put_targets(Rule="forward", Targets=[{"Id": "hub", "Arn": bus, "RoleArn": role}])
    events.put_events(Entries=[{"Source": "me", "DetailType": "t", "Detail": '{"a": 1}'}])
    sqs = sandbox.client("sqs", hub)
    [message] = wait(lambda: sqs.receive_message(QueueUrl=url).get("Messages"))
    body = json.loads(message["Body"])
    assert (body["source"], body["detail"]) == ("me", {"a": 1})


def test_a_client_cannot_speak_for_aws(sandbox: Sandbox) -> None:
    entry = {"Source": "aws.ec2", "DetailType": "t", "Detail": "{}"}
    answer = sandbox.client("events").put_events(Entries=[entry])
    assert answer["FailedEntryCount"] == 1


def test_a_whole_policy_is_put_on_a_bus(sandbox: Sandbox) -> None:
    events = sandbox.client("events")
    arn = events.create_event_bus(Name="b")["EventBusArn"]
    statement = {
        "Sid": "s",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
        "Action": "events:PutEvents",
        "Resource": arn,
    }
    events.put_permission(EventBusName="b", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    assert json.loads(events.describe_event_bus(Name="b")["Policy"])["Statement"] == [statement]


FUNCTION = """
import os

class Full(Exception):
    pass

def handler(event, context):
    raise Full("no room")
"""


def test_an_error_is_caught_by_its_class(sandbox: Sandbox) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("app.py", FUNCTION)
    function = sandbox.client("lambda").create_function(
        FunctionName="f",
        Runtime="python3.12",
        Role=make_role(sandbox, "function", "lambda"),
        Handler="app.handler",
        Code={"ZipFile": archive.getvalue()},
    )["FunctionArn"]
    answer = json.load(sandbox.client("lambda").invoke(FunctionName="f", Payload=b"{}")["Payload"])
    assert (answer["errorType"], answer["errorMessage"]) == ("Full", "no room")
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Parameters": {"FunctionName": function},
        "Catch": [{"ErrorEquals": ["Full"], "Next": "Caught"}],
        "End": True,
    }
    role = make_role(
        sandbox, "machine", "states", {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"}
    )
    assert ended_in(sandbox, role, state) == "Caught"


def test_ssm_errors_are_caught_by_the_sdks_name(sandbox: Sandbox) -> None:
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:ssm:getParameter",
        "Parameters": {"Name": "/none"},
        "Catch": [{"ErrorEquals": ["Ssm.ParameterNotFoundException"], "Next": "Caught"}],
        "End": True,
    }
    role = make_role(sandbox, "machine", "states", {"Effect": "Allow", "Action": "ssm:GetParameter", "Resource": "*"})
    assert ended_in(sandbox, role, state) == "Caught"


def test_a_state_machine_reaches_auto_scaling(sandbox: Sandbox) -> None:
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::aws-sdk:autoscaling:setDesiredCapacity",
        "Parameters": {"AutoScalingGroupName": "none", "DesiredCapacity": 1},
        "Catch": [{"ErrorEquals": ["AutoScaling.AutoScalingException"], "Next": "Caught"}],
        "End": True,
    }
    role = make_role(
        sandbox, "machine", "states", {"Effect": "Allow", "Action": "autoscaling:SetDesiredCapacity", "Resource": "*"}
    )
    assert ended_in(sandbox, role, state) == "Caught"
    call = next(call for call in sandbox.calls() if call["action"] == "SetDesiredCapacity")
    assert (call["via"], call["code"]) == ("states", "ValidationError")


def ended_in(sandbox: Sandbox, role: str, state: dict[str, Any]) -> str:
    """The last state of a machine that runs `state`, then `Caught` if the error is caught."""
    machines = sandbox.client("stepfunctions")
    definition = {"StartAt": "Try", "States": {"Try": state, "Caught": {"Type": "Pass", "End": True}}}
    arn = machines.create_state_machine(name="m", definition=json.dumps(definition), roleArn=role)["stateMachineArn"]
    execution = machines.start_execution(stateMachineArn=arn)["executionArn"]
    wait(lambda: machines.describe_execution(executionArn=execution)["status"] != "RUNNING", 20)
    history = machines.get_execution_history(executionArn=execution)["events"]
    return [event["stateEnteredEventDetails"]["name"] for event in history if "stateEnteredEventDetails" in event][-1]


def test_a_state_machine_may_be_deleted_twice(sandbox: Sandbox) -> None:
    machines = sandbox.client("stepfunctions")
    arn = machines.create_state_machine(
        name="m",
        definition=json.dumps({"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}),
        roleArn=make_role(sandbox, "machine", "states"),
    )["stateMachineArn"]
    machines.delete_state_machine(stateMachineArn=arn)
    machines.delete_state_machine(stateMachineArn=arn)


def test_one_request_at_a_time_does_not_hold_the_others_up(sandbox: Sandbox) -> None:
    """A slow call to moto's half delays no call to ministack's."""
    sandbox.control("POST", "faults", [{"service": "ec2", "delay": 1.5}])
    slow = threading.Thread(target=sandbox.client("ec2", config=Config(read_timeout=10)).describe_vpcs)
    ssm = sandbox.client("ssm")
    slow.start()
    time.sleep(0.3)
    started = time.monotonic()
    ssm.describe_parameters()
    assert time.monotonic() - started < 1
    slow.join()


def test_every_managed_policy_of_aws_can_be_read(sandbox):
    """IAM user guide, AWS managed policies: each has a document, whichever service it is for."""
    iam = sandbox.client("iam")
    arn = "arn:aws:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role"
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    assert "ecs:RegisterContainerInstance" in document["Statement"][0]["Action"]
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_policy(PolicyArn="arn:aws:iam::aws:policy/AdminstratorAccess")
