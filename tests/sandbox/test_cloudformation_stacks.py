# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The life of a stack: create, update, roll back, delete, and what is refused on the way."""

from __future__ import annotations

import time

import pytest
from botocore.exceptions import ClientError
from sandbox_process import Sandbox
from stack_tools import DATA
from stack_tools import NOTHING
from stack_tools import Stacks
from stack_tools import refused

TEMPLATE = """
Parameters:
  Prefix: {Type: String, Default: t, AllowedPattern: "[a-z]+"}
  Days: {Type: Number, Default: 7, AllowedValues: [1, 7, 14]}
  Bad: {Type: String, Default: "no", AllowedValues: ["yes", "no"]}
Conditions:
  Broken: !Equals [!Ref Bad, "yes"]
Resources:
  Logs:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: !Sub "/${Prefix}/logs", RetentionInDays: !Ref Days}
  Topic:
    Type: AWS::SNS::Topic
    Properties: {TopicName: !Sub "${Prefix}-topic", DisplayName: !Ref Days}
  Broken:
    Type: AWS::EC2::Subnet
    Condition: Broken
    DependsOn: [Logs, Topic]
    Properties: {VpcId: vpc-00000000000000000, CidrBlock: 10.0.0.0/24}
Outputs:
  Topic: {Value: !Ref Topic}
"""
COMPLETE = "CREATE_COMPLETE"


@pytest.fixture
def stacks(sandbox: Sandbox) -> Stacks:
    return Stacks(sandbox)


def retention(stacks: Stacks, name: str = "/t/logs") -> int | None:
    groups = stacks.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return groups[0].get("retentionInDays") if groups else None


def test_create_tells_each_step(stacks: Stacks) -> None:
    stack = stacks.create("one", TEMPLATE, ClientRequestToken="token-1")
    assert stack["StackStatus"] == COMPLETE
    assert "LastUpdatedTime" not in stack and "StackStatusReason" not in stack
    assert stacks.events("one") == [
        ("one", "CREATE_IN_PROGRESS", "User Initiated"),
        ("Logs", "CREATE_IN_PROGRESS", ""),
        ("Logs", "CREATE_IN_PROGRESS", "Resource creation Initiated"),
        ("Logs", COMPLETE, ""),
        ("Topic", "CREATE_IN_PROGRESS", ""),
        ("Topic", "CREATE_IN_PROGRESS", "Resource creation Initiated"),
        ("Topic", COMPLETE, ""),
        ("one", COMPLETE, ""),
    ]
    events = stacks.api.describe_stack_events(StackName="one")["StackEvents"]
    assert {event["ClientRequestToken"] for event in events} == {"token-1"}
    listed = stacks.api.list_stack_resources(StackName="one")["StackResourceSummaries"]
    assert {item["LogicalResourceId"]: item["ResourceStatus"] for item in listed} == {
        "Logs": COMPLETE,
        "Topic": COMPLETE,
    }
    one = stacks.api.describe_stack_resource(StackName="one", LogicalResourceId="Logs")["StackResourceDetail"]
    assert one["PhysicalResourceId"] == "/t/logs"


def test_the_template_comes_back_as_it_was_sent(stacks: Stacks) -> None:
    stacks.create("one", TEMPLATE)
    assert stacks.api.get_template(StackName="one")["TemplateBody"] == TEMPLATE
    summary = stacks.api.get_template_summary(StackName="one")
    assert set(summary["ResourceTypes"]) == {"AWS::Logs::LogGroup", "AWS::SNS::Topic", "AWS::EC2::Subnet"}
    assert [item["ParameterKey"] for item in stacks.api.validate_template(TemplateBody=TEMPLATE)["Parameters"]] == [
        "Prefix",
        "Days",
        "Bad",
    ]


def test_update_touches_only_what_differs(stacks: Stacks) -> None:
    stacks.create("one", TEMPLATE)
    before = len(stacks.events("one"))
    stack = stacks.update("one", None, {"Days": 14, "Prefix": NOTHING})
    assert stack["StackStatus"] == "UPDATE_COMPLETE" and "LastUpdatedTime" in stack
    assert stacks.events("one")[before:] == [
        ("one", "UPDATE_IN_PROGRESS", "User Initiated"),
        ("Logs", "UPDATE_IN_PROGRESS", ""),
        ("Logs", "UPDATE_COMPLETE", ""),
        ("Topic", "UPDATE_IN_PROGRESS", ""),
        ("Topic", "UPDATE_COMPLETE", ""),
        ("one", "UPDATE_COMPLETE", ""),
    ]
    assert retention(stacks) == 14
    changed = TEMPLATE.replace("DisplayName: !Ref Days", "DisplayName: alerts")
    stacks.update("one", changed, {"Days": NOTHING})
    assert [logical for logical, status, _reason in stacks.events("one")[-4:] if status == "UPDATE_COMPLETE"] == [
        "Topic",
        "one",
    ]


def test_nothing_to_update(stacks: Stacks) -> None:
    stacks.create("one", TEMPLATE, Tags=[{"Key": "a", "Value": "1"}])
    code, message = refused(stacks.api.update_stack, StackName="one", TemplateBody=TEMPLATE)
    assert (code, message) == ("ValidationError", "No updates are to be performed.")


def test_tags_reach_the_resources_and_change_alone(stacks: Stacks) -> None:
    stacks.create("one", TEMPLATE, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "1"}])
    logs, arn = stacks.client("logs"), "arn:aws:logs:us-east-1:123456789012:log-group:/t/logs"
    identifier = stacks.api.describe_stacks(StackName="one")["Stacks"][0]["StackId"]
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {
        "a": "1",
        "b": "1",
        "aws:cloudformation:stack-name": "one",
        "aws:cloudformation:stack-id": identifier,
        "aws:cloudformation:logical-id": "Logs",
    }
    stack = stacks.update("one", None, Tags=[{"Key": "a", "Value": "2"}])
    assert stack["Tags"] == [{"Key": "a", "Value": "2"}]
    tags = logs.list_tags_for_resource(resourceArn=arn)["tags"]
    assert {key: value for key, value in tags.items() if not key.startswith("aws:")} == {"a": "2"}
    topic = stacks.client("sns").list_tags_for_resource(ResourceArn=stacks.outputs("one")["Topic"])["Tags"]
    assert {"Key": "a", "Value": "2"} in topic


def test_nobody_else_may_put_such_tags(stacks: Stacks) -> None:
    code, _message = refused(
        stacks.client("efs").create_file_system,
        CreationToken="a",
        Tags=[{"Key": "aws:cloudformation:stack-name", "Value": "x"}],
    )
    assert code == "ValidationException"


def test_a_failed_create_rolls_back_and_blocks(stacks: Stacks) -> None:
    stack = stacks.create("one", TEMPLATE, {"Bad": "yes"})
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    events = stacks.events("one")
    assert (
        "one",
        "ROLLBACK_IN_PROGRESS",
        "The following resource(s) failed to create: [Broken]. Rollback requested by user.",
    ) in events
    reason = stacks.reasons("one")["Broken"]
    assert reason.startswith('Resource handler returned message: "')
    assert "vpc-00000000000000000" in reason and "(Service: Ec2, Status Code: 400, Request ID: " in reason
    assert reason.endswith("HandlerErrorCode: NotFound)")
    assert retention(stacks) is None and stacks.physical("one") == {}
    for operation in (stacks.api.update_stack, stacks.api.create_change_set):
        more = {"ChangeSetName": "c"} if operation == stacks.api.create_change_set else {}
        code, message = refused(operation, StackName="one", TemplateBody=TEMPLATE, **more)
        assert code == "ValidationError"
        assert message == f"Stack:{stack['StackId']} is in ROLLBACK_COMPLETE state and can not be updated."
    code, _message = refused(stacks.api.create_stack, StackName="one", TemplateBody=TEMPLATE)
    assert code == "AlreadyExistsException"
    stacks.delete("one")
    assert stacks.create("one", TEMPLATE)["StackStatus"] == COMPLETE


def test_on_failure_delete_leaves_only_the_record(stacks: Stacks) -> None:
    identifier = stacks.api.create_stack(
        StackName="one",
        TemplateBody=TEMPLATE,
        OnFailure="DELETE",
        Parameters=[{"ParameterKey": "Bad", "ParameterValue": "yes"}],
    )["StackId"]
    stack = stacks.wait(identifier)
    assert stack["StackStatus"] == "DELETE_COMPLETE"
    code, message = refused(stacks.api.describe_stacks, StackName="one")
    assert (code, message) == ("ValidationError", "Stack with id one does not exist")
    statuses = [(logical, status) for logical, status, _reason in stacks.events(identifier)]
    assert ("Broken", "CREATE_FAILED") in statuses and statuses[-1] == ("one", "DELETE_COMPLETE")
    assert retention(stacks) is None


def test_on_failure_do_nothing_and_rollback_stack(stacks: Stacks) -> None:
    stack = stacks.create("one", TEMPLATE, {"Bad": "yes"}, OnFailure="DO_NOTHING")
    assert stack["StackStatus"] == "CREATE_FAILED" and retention(stacks) == 7
    stacks.api.rollback_stack(StackName="one")
    assert stacks.wait("one")["StackStatus"] == "ROLLBACK_COMPLETE" and retention(stacks) is None


def test_a_failed_update_goes_back(stacks: Stacks) -> None:
    stacks.create("one", TEMPLATE, Tags=[{"Key": "a", "Value": "1"}])
    body = TEMPLATE.replace("DependsOn: [Logs, Topic]", "DependsOn: [Logs, Topic, More]").replace(
        "Outputs:", "  More: {Type: AWS::SQS::Queue, Properties: {QueueName: more}}\nOutputs:"
    )
    stack = stacks.update("one", body, {"Bad": "yes", "Days": 14}, Tags=[{"Key": "a", "Value": "2"}])
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert stack["Tags"] == [{"Key": "a", "Value": "1"}]
    assert {item["ParameterKey"]: item["ParameterValue"] for item in stack["Parameters"]}["Days"] == "7"
    assert retention(stacks) == 7
    assert set(stacks.physical("one")) == {"Logs", "Topic"}
    assert not stacks.client("sqs").list_queues().get("QueueUrls")
    assert (
        "one",
        "UPDATE_ROLLBACK_IN_PROGRESS",
        "The following resource(s) failed to create: [Broken]. ",
    ) in stacks.events("one")
    assert stacks.api.get_template(StackName="one")["TemplateBody"] == TEMPLATE
    assert stacks.update("one", None, {"Days": 14})["StackStatus"] == "UPDATE_COMPLETE"


def test_a_rollback_that_fails_can_be_continued(stacks: Stacks) -> None:
    stacks.create("one", TEMPLATE)
    stacks.sandbox.control("POST", "faults", [{"service": "ec2", "action": "CreateSubnet", "delay": 1.5}])
    stacks.api.update_stack(
        StackName="one",
        UsePreviousTemplate=True,
        Parameters=[{"ParameterKey": "Bad", "ParameterValue": "yes"}, {"ParameterKey": "Days", "ParameterValue": "14"}],
    )
    deadline = time.monotonic() + 30
    while retention(stacks) != 14 and time.monotonic() < deadline:
        time.sleep(0.02)
    fault = {
        "service": "logs",
        "action": "PutRetentionPolicy",
        "code": "OperationAbortedException",
        "status": 400,
        "times": 1,
    }
    stacks.sandbox.control("POST", "faults", [fault])
    stack = stacks.wait("one")
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    assert stack["StackStatusReason"] == "The following resource(s) failed to update: [Logs]. "
    with pytest.raises(ClientError, match="UPDATE_ROLLBACK_FAILED state and can not be updated"):
        stacks.update("one", None)
    stacks.api.continue_update_rollback(StackName="one")
    time.sleep(0.2)
    assert stacks.wait("one")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert retention(stacks) == 7 and set(stacks.physical("one")) == {"Logs", "Topic"}


def test_a_removed_resource_goes_at_the_end(stacks: Stacks) -> None:
    stacks.create("one", TEMPLATE)
    start = TEMPLATE.index("  Logs:")
    body = TEMPLATE[:start] + TEMPLATE[TEMPLATE.index("  Topic:\n") :].replace(
        "DependsOn: [Logs, Topic]", "DependsOn: Topic"
    )
    before = len(stacks.events("one"))
    assert stacks.update("one", body)["StackStatus"] == "UPDATE_COMPLETE"
    assert [(logical, status) for logical, status, _reason in stacks.events("one")[before:]] == [
        ("one", "UPDATE_IN_PROGRESS"),
        ("one", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"),
        ("Logs", "DELETE_IN_PROGRESS"),
        ("Logs", "DELETE_COMPLETE"),
        ("one", "UPDATE_COMPLETE"),
    ]
    assert retention(stacks) is None


def test_replacement_makes_the_new_one_first(stacks: Stacks) -> None:
    stacks.create("one", TEMPLATE)
    before = stacks.physical("one")
    start = len(stacks.events("one"))
    stacks.update("one", None, {"Prefix": "u"})
    assert stacks.physical("one")["Logs"] == "/u/logs" != before["Logs"]
    assert retention(stacks) is None and retention(stacks, "/u/logs") == 7
    statuses = [(logical, status) for logical, status, _reason in stacks.events("one")[start:]]
    assert statuses.index(("Topic", "UPDATE_COMPLETE")) < statuses.index(("Logs", "DELETE_COMPLETE"))
    reason = "Requested update requires the creation of a new physical resource; hence creating one."
    assert ("Logs", "UPDATE_IN_PROGRESS", reason) in stacks.events("one")


def test_a_named_resource_is_not_replaced_under_its_name(stacks: Stacks) -> None:
    body = """
Parameters: {Path: {Type: String, Default: /a/}}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: named
      Path: !Ref Path
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Principal: {Service: ec2.amazonaws.com}, Action: "sts:AssumeRole"}]
"""
    stacks.create("one", body)
    assert stacks.update("one", None, {"Path": "/b/"})["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert stacks.reasons("one")["Role"] == (
        "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
        "Rename named and update the stack again."
    )
    assert stacks.client("iam").get_role(RoleName="named")["Role"]["Path"] == "/a/"


@pytest.mark.parametrize(
    ("policy", "create_fails", "kept"),
    [
        ("Retain", False, True),
        ("Retain", True, True),
        ("RetainExceptOnCreate", False, True),
        ("RetainExceptOnCreate", True, False),
    ],
)
def test_deletion_policies(stacks: Stacks, policy: str, create_fails: bool, kept: bool) -> None:
    body = TEMPLATE.replace("Type: AWS::Logs::LogGroup", f"Type: AWS::Logs::LogGroup\n    DeletionPolicy: {policy}")
    if create_fails:
        stacks.create("one", body, {"Bad": "yes"})
    else:
        stacks.create("one", body)
        stacks.delete("one")
    assert (retention(stacks) == 7) is kept


@pytest.mark.parametrize("policy", ["Delete", "RetainExceptOnCreate"])
def test_on_failure_delete_keeps_no_data_of_a_failed_create(stacks: Stacks, policy: str) -> None:
    body = TEMPLATE.replace("Type: AWS::Logs::LogGroup", f"Type: AWS::Logs::LogGroup\n    DeletionPolicy: {policy}")
    identifier = stacks.api.create_stack(
        StackName="one",
        TemplateBody=body,
        OnFailure="DELETE",
        Parameters=[{"ParameterKey": "Bad", "ParameterValue": "yes"}],
    )["StackId"]
    assert stacks.wait(identifier)["StackStatus"] == "DELETE_COMPLETE" and retention(stacks) is None


def test_update_replace_policy_keeps_the_old_one(stacks: Stacks) -> None:
    body = TEMPLATE.replace("Type: AWS::Logs::LogGroup", "Type: AWS::Logs::LogGroup\n    UpdateReplacePolicy: Retain")
    stacks.create("one", body)
    stacks.update("one", None, {"Prefix": "u"})
    assert retention(stacks) == 7 and retention(stacks, "/u/logs") == 7
    assert ("Logs", "DELETE_SKIPPED", "") in stacks.events("one")


def test_what_is_in_use_is_not_deleted(stacks: Stacks) -> None:
    stacks.create("net", (DATA / "network.template").read_text())
    physical, ec2 = stacks.physical("net"), stacks.client("ec2")
    interface = ec2.create_network_interface(SubnetId=physical["Private"], Groups=[physical["Nodes"]])[
        "NetworkInterface"
    ]
    stack = stacks.delete("net")
    assert stack["StackStatus"] == "DELETE_FAILED"
    assert stack["StackStatusReason"] == "The following resource(s) failed to delete: [Nodes, Private]. "
    assert "(Service: Ec2, Status Code: 400" in stacks.reasons("net")["Private"]
    # What they need was not even tried.
    assert set(stacks.physical("net")) == {"Nodes", "Private", "Vpc"}
    code, _message = refused(stacks.api.update_stack, StackName="net", UsePreviousTemplate=True)
    assert code == "ValidationError"
    ec2.delete_network_interface(NetworkInterfaceId=interface["NetworkInterfaceId"])
    assert stacks.delete("net")["StackStatus"] == "DELETE_COMPLETE"


def test_retain_resources_and_forced_delete(stacks: Stacks) -> None:
    for options in ({"RetainResources": ["Nodes", "Private"]}, {"DeletionMode": "FORCE_DELETE_STACK"}):
        name = "a" if "RetainResources" in options else "b"
        stacks.create(name, (DATA / "network.template").read_text(), {"Prefix": name * 2})
        physical = stacks.physical(name)
        stacks.client("ec2").create_network_interface(SubnetId=physical["Private"], Groups=[physical["Nodes"]])
        assert stacks.delete(name)["StackStatus"] == "DELETE_FAILED"
        after = stacks.delete(name, **options)["StackStatus"]
        # The VPC cannot go while the retained ones are in it.
        assert after == ("DELETE_FAILED" if name == "a" else "DELETE_COMPLETE")


def test_a_deleted_stack_is_known_by_its_id(stacks: Stacks) -> None:
    first = stacks.create("one", TEMPLATE)["StackId"]
    assert stacks.delete("one")["DeletionTime"]
    code, message = refused(stacks.api.describe_stacks, StackName="one")
    assert (code, message) == ("ValidationError", "Stack with id one does not exist")
    second = stacks.create("one", TEMPLATE)["StackId"]
    assert first != second
    assert stacks.api.describe_stacks(StackName=first)["Stacks"][0]["StackStatus"] == "DELETE_COMPLETE"
    assert stacks.api.describe_stacks(StackName=second)["Stacks"][0]["StackStatus"] == COMPLETE
    assert [item["StackId"] for item in stacks.api.describe_stacks()["Stacks"]] == [second]
    assert {item["StackStatus"] for item in stacks.api.list_stacks()["StackSummaries"]} == {"DELETE_COMPLETE", COMPLETE}
    stacks.api.delete_stack(StackName="never")


def test_termination_protection(stacks: Stacks) -> None:
    stacks.create("one", TEMPLATE, EnableTerminationProtection=True)
    code, message = refused(stacks.api.delete_stack, StackName="one")
    assert code == "ValidationError" and "TerminationProtection is enabled" in message
    stacks.api.update_termination_protection(StackName="one", EnableTerminationProtection=False)
    assert stacks.delete("one")["StackStatus"] == "DELETE_COMPLETE"


def test_an_unknown_attribute_fails(stacks: Stacks) -> None:
    stacks.create(
        "one",
        "Resources: {A: {Type: AWS::SQS::Queue}, B: {Type: AWS::SNS::Topic, Properties: {DisplayName: !GetAtt A.Nope}}}",
    )
    assert stacks.reasons("one")["B"] == "Requested attribute Nope does not exist in schema for AWS::SQS::Queue"


def test_zones_are_those_of_the_region(sandbox: Sandbox) -> None:
    for region in ("us-east-1", "ap-northeast-1", "us-west-1"):
        stacks = Stacks(sandbox, region)
        stacks.create("one", 'Resources: {A: {Type: AWS::SQS::Queue}}\nOutputs: {Z: {Value: !Join [",", !GetAZs ""]}}')
        zones = stacks.client("ec2").describe_availability_zones()["AvailabilityZones"]
        assert stacks.outputs("one")["Z"].split(",") == sorted(zone["ZoneName"] for zone in zones)


def test_exports_block_the_delete_of_their_stack(stacks: Stacks) -> None:
    stacks.create(
        "one", "Resources: {A: {Type: AWS::SQS::Queue}}\nOutputs: {O: {Value: !Ref A, Export: {Name: queue}}}"
    )
    stacks.create("two", "Resources: {B: {Type: AWS::SNS::Topic, Properties: {DisplayName: !ImportValue queue}}}")
    assert stacks.reasons("two") == {}
    assert "is imported by" in refused(stacks.api.delete_stack, StackName="one")[1]
    stacks.delete("two")
    assert stacks.delete("one")["StackStatus"] == "DELETE_COMPLETE"
    assert stacks.api.list_exports()["Exports"] == []


def test_a_reset_ends_what_is_under_way(sandbox: Sandbox) -> None:
    stacks = Stacks(sandbox)
    stacks.api.create_stack(
        StackName="net", TemplateBody=(DATA / "network.template").read_text(), Capabilities=["CAPABILITY_IAM"]
    )
    sandbox.control("POST", "reset")
    time.sleep(0.5)
    assert stacks.api.describe_stacks()["Stacks"] == []
    assert stacks.create("net", (DATA / "network.template").read_text())["StackStatus"] == COMPLETE


def test_a_delete_ends_a_create(stacks: Stacks) -> None:
    identifier = stacks.api.create_stack(
        StackName="net", TemplateBody=(DATA / "network.template").read_text(), Capabilities=["CAPABILITY_IAM"]
    )["StackId"]
    stacks.api.delete_stack(StackName="net")
    assert stacks.wait(identifier)["StackStatus"] == "DELETE_COMPLETE"
    own = [{"Name": "is-default", "Values": ["false"]}]
    assert stacks.client("ec2").describe_vpcs(Filters=own)["Vpcs"] == []


def test_regions_at_once(sandbox: Sandbox) -> None:
    body = (DATA / "network.template").read_text()
    regions = [Stacks(sandbox, region) for region in ("us-east-1", "us-west-2", "eu-west-1", "ap-northeast-1")]
    for stacks in regions:
        stacks.api.create_stack(StackName="net", TemplateBody=body, Capabilities=["CAPABILITY_IAM"])
    for stacks in regions:
        assert stacks.wait("net")["StackStatus"] == COMPLETE
        own = [{"Name": "is-default", "Values": ["false"]}]
        assert len(stacks.client("ec2").describe_vpcs(Filters=own)["Vpcs"]) == 1
    for stacks in regions:
        stacks.api.delete_stack(StackName="net")
    for stacks in regions:
        identifier = stacks.api.list_stacks()["StackSummaries"][0]["StackId"]
        assert stacks.wait(identifier)["StackStatus"] == "DELETE_COMPLETE"


def test_forty_resources_take_seconds(stacks: Stacks) -> None:
    """Generous: the machine may be busy. Measured alone, it is about a second."""
    queues = "\n".join(f"  Q{number}: {{Type: AWS::SQS::Queue}}" for number in range(20))
    subnets = "\n".join(
        f"  S{number}: {{Type: AWS::EC2::Subnet, Properties: {{VpcId: !Ref Vpc, CidrBlock: 10.0.{number}.0/24}}}}"
        for number in range(20)
    )
    body = f"Resources:\n  Vpc: {{Type: AWS::EC2::VPC, Properties: {{CidrBlock: 10.0.0.0/16}}}}\n{queues}\n{subnets}\n"
    start = time.monotonic()
    assert stacks.create("many", body)["StackStatus"] == COMPLETE
    assert time.monotonic() - start < 15
