# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Permissions are enforced: for users and roles, with resources and conditions, in front of moto as well."""

from __future__ import annotations

import io
import json
import time
import zipfile
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from sandbox_process import Sandbox

ACCOUNT = "123456789012"


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: str | list[str], resource: str | list[str] = "*", **condition: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return {**statement, "Condition": condition} if condition else statement


class User:
    """An IAM user with one inline policy; `client` is as in Sandbox."""

    def __init__(self, sandbox: Sandbox, *statements: dict[str, Any], name: str = "user") -> None:
        iam = sandbox.client("iam")
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document(*statements))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        self._sandbox = sandbox
        self.arn = f"arn:aws:iam::{ACCOUNT}:user/{name}"
        self.key, self.secret = key["AccessKeyId"], key["SecretAccessKey"]

    def client(self, service: str, region: str = "us-east-1", **options: Any) -> Any:
        return self._sandbox.client(service, region, self.key, self.secret, **options)


def denied(code: str) -> Any:
    return pytest.raises(ClientError, match=rf"\({code}\)")


def make_role(sandbox: Sandbox, name: str, service: str = "ec2", *statements: dict[str, Any]) -> str:
    iam = sandbox.client("iam")
    principal = (
        {"Service": f"{service}.amazonaws.com"} if service != "account" else {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    )
    trust = document({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"})
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document(*statements))
    return arn


@pytest.mark.parametrize("key", ["AKIANOBODY0000000000", "test", "000000000000", "999999999999"])
@pytest.mark.parametrize(
    ("service", "method", "codes"),
    [
        ("ec2", "describe_vpcs", {"AuthFailure"}),
        ("autoscaling", "describe_auto_scaling_groups", {"InvalidClientTokenId"}),
        ("ssm", "describe_parameters", {"UnrecognizedClientException"}),
        ("s3", "list_buckets", {"InvalidAccessKeyId"}),
        ("sts", "get_caller_identity", {"InvalidClientTokenId"}),
    ],
)
def test_an_unknown_key_is_refused(sandbox: Sandbox, key: str, service: str, method: str, codes: set[str]) -> None:
    with pytest.raises(ClientError) as error:
        getattr(sandbox.client(service, key=key, secret="testing"), method)()
    assert error.value.response["Error"]["Code"] in codes


def test_a_wrong_secret_is_refused(sandbox: Sandbox) -> None:
    user = User(sandbox, allow("*"))
    user.secret = "wrong"
    with denied("AuthFailure"):
        user.client("ec2").describe_vpcs()


def test_a_user_may_do_what_its_policy_says(sandbox: Sandbox) -> None:
    user = User(sandbox, allow(["ec2:Describe*", "autoscaling:Describe*"]))
    user.client("ec2").describe_vpcs()
    user.client("autoscaling").describe_auto_scaling_groups()
    with denied("UnauthorizedOperation"):
        user.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")
    with denied("AccessDenied"):
        user.client("autoscaling").set_desired_capacity(AutoScalingGroupName="x", DesiredCapacity=1)
    with denied("AccessDeniedException"):
        user.client("ssm").put_parameter(Name="/x", Value="x", Type="String")
    with denied("AccessDeniedException"):
        user.client("ecs").create_cluster(clusterName="x")
    call = next(call for call in sandbox.calls() if call["action"] == "CreateVpc")
    assert (call["principal"], call["status"]) == (user.arn, 403)
    assert call["iam"] == [
        {"action": "ec2:CreateVpc", "resource": f"arn:aws:ec2:us-east-1:{ACCOUNT}:vpc/*", "allowed": False}
    ]
    assert len(sandbox.client("ec2").describe_vpcs()["Vpcs"]) == 1


def test_a_policy_is_held_to_its_resources(sandbox: Sandbox) -> None:
    groups = f"arn:aws:autoscaling:*:{ACCOUNT}:autoScalingGroup:*:autoScalingGroupName"
    user = User(
        sandbox,
        allow("ssm:*", f"arn:aws:ssm:*:{ACCOUNT}:parameter/mine/*"),
        allow("autoscaling:SuspendProcesses", f"{groups}/mine-*"),
        allow("dynamodb:PutItem", f"arn:aws:dynamodb:*:{ACCOUNT}:table/mine"),
    )
    user.client("ssm").put_parameter(Name="/mine/x", Value="x", Type="String")
    with denied("AccessDeniedException"):
        user.client("ssm").put_parameter(Name="/other/x", Value="x", Type="String")
    with denied("ValidationError"):
        user.client("autoscaling").suspend_processes(AutoScalingGroupName="mine-1")
    with denied("AccessDenied"):
        user.client("autoscaling").suspend_processes(AutoScalingGroupName="other")
    with denied("ResourceNotFoundException"):
        user.client("dynamodb").put_item(TableName="mine", Item={"pk": {"S": "x"}})
    with denied("AccessDeniedException"):
        user.client("dynamodb").put_item(TableName="other", Item={"pk": {"S": "x"}})


def test_conditions_hold(sandbox: Sandbox) -> None:
    user = User(
        sandbox,
        allow("ec2:CreateVpc", StringEquals={"aws:RequestedRegion": "eu-west-1"}),
        allow("ec2:CreateSecurityGroup", StringEquals={"aws:RequestTag/owner": "me"}),
        allow("ec2:CreateTags", StringEquals={"ec2:CreateAction": "CreateSecurityGroup"}),
        allow("ec2:DeleteSecurityGroup", StringEquals={"aws:ResourceTag/owner": "me"}),
    )
    user.client("ec2", "eu-west-1").create_vpc(CidrBlock="10.0.0.0/16")
    with denied("UnauthorizedOperation"):
        user.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")

    def tagged(owner: str) -> list[dict[str, Any]]:
        return [{"ResourceType": "security-group", "Tags": [{"Key": "owner", "Value": owner}]}]

    ec2 = user.client("ec2")
    mine = ec2.create_security_group(GroupName="a", Description="a", TagSpecifications=tagged("me"))["GroupId"]
    with denied("UnauthorizedOperation"):
        ec2.create_security_group(GroupName="b", Description="b", TagSpecifications=tagged("you"))
    with denied("UnauthorizedOperation"):
        ec2.create_security_group(GroupName="b", Description="b")
    root = sandbox.client("ec2")
    other = root.create_security_group(GroupName="c", Description="c", TagSpecifications=tagged("you"))["GroupId"]
    ec2.delete_security_group(GroupId=mine)
    with denied("UnauthorizedOperation"):
        ec2.delete_security_group(GroupId=other)


def test_describing_takes_no_resource(sandbox: Sandbox) -> None:
    """EC2's Describe actions know no resources: a statement with an ARN never allows them (Service Authorization Reference)."""
    user = User(sandbox, allow("ec2:DescribeInstances", f"arn:aws:ec2:*:{ACCOUNT}:instance/*"))
    with denied("UnauthorizedOperation"):
        user.client("ec2").describe_instances(InstanceIds=["i-0123456789abcdef0"])


@pytest.mark.parametrize(
    ("action", "service", "method", "request_"),
    [
        ("servicequotas:GetServiceQuota", "service-quotas", "get_service_quota", {"QuotaCode": "L-3819A6DF"}),
        ("servicequotas:ListServiceQuotas", "service-quotas", "list_service_quotas", {}),
        ("pricing:GetProducts", "pricing", "get_products", {"MaxResults": 1}),
    ],
)
def test_reading_limits_and_prices_takes_no_resource(
    sandbox: Sandbox, action: str, service: str, method: str, request_: dict
) -> None:
    """Service Authorization Reference: these actions know none, so a statement with an ARN never allows them."""
    code = {"service-quotas": "ec2", "pricing": "AmazonEC2"}[service]
    named = User(sandbox, allow(action, "arn:aws:servicequotas:*:*:ec2/*"), name="named")
    with denied("AccessDeniedException"):
        getattr(named.client(service), method)(ServiceCode=code, **request_)
    getattr(User(sandbox, allow(action)).client(service), method)(ServiceCode=code, **request_)
    judged = [each for call in sandbox.calls() if call["action"] == action.split(":")[1] for each in call["iam"]]
    assert [(each["action"], each["resource"], each["allowed"]) for each in judged] == [
        (action, "*", False),
        (action, "*", True),
    ]


def test_a_role_is_assumed_and_judged(sandbox: Sandbox) -> None:
    role = make_role(sandbox, "worker", "account", allow("ec2:DescribeVpcs"))
    user = User(sandbox, allow("sts:AssumeRole", role))
    session = user.client("sts").assume_role(RoleArn=role, RoleSessionName="me")["Credentials"]
    ec2 = sandbox.client(
        "ec2", key=session["AccessKeyId"], secret=session["SecretAccessKey"], aws_session_token=session["SessionToken"]
    )
    ec2.describe_vpcs()
    with denied("UnauthorizedOperation"):
        ec2.describe_subnets()
    assert sandbox.calls()[-1]["principal"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/worker/me"


def test_passing_a_role_must_be_allowed(sandbox: Sandbox) -> None:
    make_role(sandbox, "task", "ecs-tasks")
    make_role(sandbox, "other", "ecs-tasks")
    task = f"arn:aws:iam::{ACCOUNT}:role/task"
    user = User(
        sandbox,
        allow("ecs:RegisterTaskDefinition"),
        allow("iam:PassRole", task, StringEquals={"iam:PassedToService": "ecs-tasks.amazonaws.com"}),
    )
    container = {"name": "c", "image": "i", "memory": 128}
    ecs = user.client("ecs")
    ecs.register_task_definition(family="f", containerDefinitions=[container], taskRoleArn=task)
    with denied("AccessDeniedException"):
        ecs.register_task_definition(
            family="f", containerDefinitions=[container], taskRoleArn=f"arn:aws:iam::{ACCOUNT}:role/other"
        )
    assert "iam:PassRole" in {decision["action"] for decision in sandbox.calls()[-1]["iam"]}


def test_running_a_task_passes_the_roles_of_its_definition(sandbox: Sandbox) -> None:
    """Service Authorization Reference: RunTask has the dependent action iam:PassRole."""
    task = make_role(sandbox, "task", "ecs-tasks")
    root = sandbox.client("ecs")
    root.create_cluster(clusterName="c")
    root.register_task_definition(
        family="f",
        containerDefinitions=[{"name": "c", "image": "i", "memory": 128}],
        taskRoleArn=f"arn:aws:iam::{ACCOUNT}:role/task",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
    )
    subnet = sandbox.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
    request = {
        "cluster": "c",
        "taskDefinition": "f",
        "launchType": "FARGATE",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": [subnet]}},
    }
    with denied("AccessDeniedException"):
        User(sandbox, allow("ecs:RunTask"), name="runs").client("ecs").run_task(**request)
    user = User(sandbox, allow("ecs:RunTask"), allow("iam:PassRole", task), name="passes")
    assert user.client("ecs").run_task(**request)["tasks"]


def test_a_group_from_a_template_needs_the_right_to_launch(sandbox: Sandbox) -> None:
    iam = sandbox.client("iam")
    node = make_role(sandbox, "node")
    iam.create_instance_profile(InstanceProfileName="node")
    iam.add_role_to_instance_profile(InstanceProfileName="node", RoleName="node")
    image = sandbox.client("ec2").describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    data = {"ImageId": image, "InstanceType": "g5.xlarge", "IamInstanceProfile": {"Name": "node"}}
    template = sandbox.client("ec2").create_launch_template(LaunchTemplateName="t", LaunchTemplateData=data)
    subnet = sandbox.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
    group = {
        "MinSize": 0,
        "MaxSize": 1,
        "VPCZoneIdentifier": subnet,
        "LaunchTemplate": {"LaunchTemplateId": template["LaunchTemplate"]["LaunchTemplateId"], "Version": "$Latest"},
    }
    create = allow("autoscaling:CreateAutoScalingGroup")
    launch = allow("ec2:RunInstances")
    hand_over = allow("iam:PassRole", node)
    cases = {
        "nothing": [create],
        "launch": [create, launch],
        "role": [create, hand_over],
        "both": [create, launch, hand_over],
    }
    allowed = {}
    for name, statements in cases.items():
        user = User(sandbox, *statements, name=name)
        try:
            user.client("autoscaling").create_auto_scaling_group(AutoScalingGroupName=name, **group)
            allowed[name] = True
        except ClientError as error:
            assert error.response["Error"]["Code"] == "AccessDenied"
            allowed[name] = False
    assert allowed == {"nothing": False, "launch": False, "role": False, "both": True}


FUNCTION = """
import boto3

def handler(event, context):
    boto3.client("ssm").put_parameter(Name=event["name"], Value="x", Type="String", Overwrite=True)
    return "done"
"""


def test_a_function_may_do_what_its_role_may(sandbox: Sandbox) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("app.py", FUNCTION)
    mine = f"arn:aws:ssm:*:{ACCOUNT}:parameter/mine/*"
    role = make_role(sandbox, "function", "lambda", allow("ssm:PutParameter", mine))
    functions = sandbox.client("lambda", "eu-west-1", config=Config(read_timeout=60))
    functions.create_function(
        FunctionName="f",
        Runtime="python3.12",
        Role=role,
        Handler="app.handler",
        Code={"ZipFile": archive.getvalue()},
        Timeout=30,
    )
    answers = {}
    for name in ("/mine/x", "/other/x"):
        payload = json.dumps({"name": name}).encode()
        answers[name] = json.load(functions.invoke(FunctionName="f", Payload=payload)["Payload"])
    assert answers["/mine/x"] == "done"
    assert "AccessDeniedException" in answers["/other/x"]["errorMessage"]
    assert answers["/other/x"]["errorType"] == "AccessDeniedException"
    calls = [call for call in sandbox.calls() if call["action"] == "PutParameter"]
    assert {(call["principal"], call["via"], call["region"]) for call in calls} == {
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/function/f", "lambda", "eu-west-1")
    }


STACK = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "made"}}}}


def ended(sandbox: Sandbox, name: str) -> str:
    stacks = sandbox.client("cloudformation")
    for _turn in range(100):
        status = stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]
        if not status.endswith("_IN_PROGRESS"):
            return status
        time.sleep(0.1)
    raise AssertionError(f"{name} stays {status}")


def test_a_stack_is_made_with_the_rights_of_its_caller(sandbox: Sandbox) -> None:
    weak = User(sandbox, allow("cloudformation:*"), name="weak")
    strong = User(sandbox, allow("cloudformation:*"), allow("sns:*"), name="strong")
    outcome = {}
    for name, user in (("weak", weak), ("strong", strong)):
        user.client("cloudformation").create_stack(StackName=name, TemplateBody=json.dumps(STACK))
        outcome[name] = ended(sandbox, name)
    assert outcome == {"weak": "ROLLBACK_COMPLETE", "strong": "CREATE_COMPLETE"}
    calls = [call for call in sandbox.calls() if call["action"] == "CreateTopic"]
    assert [(call["principal"], call["via"], call["code"]) for call in calls] == [
        (weak.arn, "cloudformation", "AuthorizationError"),
        (strong.arn, "cloudformation", None),
    ]


def test_a_stack_is_made_with_the_rights_of_its_role(sandbox: Sandbox) -> None:
    role = make_role(sandbox, "stack", "cloudformation", allow("sns:*"))
    user = User(sandbox, allow("cloudformation:*"), allow("iam:PassRole", role))
    user.client("cloudformation").create_stack(StackName="s", TemplateBody=json.dumps(STACK), RoleARN=role)
    assert ended(sandbox, "s") == "CREATE_COMPLETE"
    [call] = [call for call in sandbox.calls() if call["action"] == "CreateTopic"]
    assert call["principal"].startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/stack/")


def test_an_association_is_judged_by_its_route_table_and_a_table_by_its_tags_arn(sandbox: Sandbox) -> None:
    """Service authorization reference: DisassociateRouteTable takes route table and subnet, ListTagsOfResource the table."""
    ec2 = sandbox.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/24")["Subnet"]["SubnetId"]
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    association = ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"]
    made = sandbox.client("dynamodb").create_table(
        TableName="state",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
    )["TableDescription"]["TableArn"]
    scoped = User(
        sandbox,
        allow("ec2:DisassociateRouteTable", ["arn:aws:ec2:*:*:route-table/*", "arn:aws:ec2:*:*:subnet/*"]),
        allow("dynamodb:ListTagsOfResource", made),
        name="scoped",
    )
    other = User(
        sandbox,
        allow("ec2:DisassociateRouteTable", "arn:aws:ec2:*:*:vpc/*"),
        allow("dynamodb:ListTagsOfResource", f"{made}-other"),
        name="other",
    )
    with denied("UnauthorizedOperation"):
        other.client("ec2").disassociate_route_table(AssociationId=association)
    with denied("AccessDeniedException"):
        other.client("dynamodb").list_tags_of_resource(ResourceArn=made)
    scoped.client("ec2").disassociate_route_table(AssociationId=association)
    scoped.client("dynamodb").list_tags_of_resource(ResourceArn=made)


def test_an_address_is_let_go_by_whoever_may_touch_that_address(sandbox: Sandbox) -> None:
    """Service authorization reference: DisassociateAddress, which names an association, takes the address."""
    ec2 = sandbox.client("ec2")
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    instance = ec2.run_instances(ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1)["Instances"][0]
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    association = ec2.associate_address(AllocationId=address, InstanceId=instance["InstanceId"])["AssociationId"]
    other = User(sandbox, allow("ec2:DisassociateAddress", "arn:aws:ec2:*:*:elastic-ip/eipalloc-1"), name="other")
    own = User(sandbox, allow("ec2:DisassociateAddress", f"arn:aws:ec2:*:*:elastic-ip/{address}"), name="own")
    with denied("UnauthorizedOperation"):
        other.client("ec2").disassociate_address(AssociationId=association)
    own.client("ec2").disassociate_address(AssociationId=association)
