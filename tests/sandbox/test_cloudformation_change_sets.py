# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Change sets, as the stock module's check mode uses them, and those that revert drift."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError
from sandbox_process import Sandbox
from stack_tools import DATA
from stack_tools import Stacks

TEMPLATE = """
Parameters:
  Days: {Type: Number, Default: 7}
  Prefix: {Type: String, Default: t}
Resources:
  Logs:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: !Sub "/${Prefix}/logs", RetentionInDays: !Ref Days}
  Topic:
    Type: AWS::SNS::Topic
    Properties: {TopicName: topic, DisplayName: alerts}
  Vpc:
    Type: AWS::EC2::VPC
    Properties: {CidrBlock: 10.0.0.0/16}
  Group:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: nodes
      VpcId: !Ref Vpc
      SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 443, ToPort: 443, CidrIp: 10.0.0.0/8, Description: clients}]
"""
EMPTY = "The submitted information didn't contain changes. Submit different information to create a change set."


@pytest.fixture
def stacks(sandbox: Sandbox) -> Stacks:
    stacks = Stacks(sandbox)
    stacks.create("one", TEMPLATE, Tags=[{"Key": "a", "Value": "1"}])
    return stacks


def change_set(
    stacks: Stacks, body: str | None = None, days: int | None = None, name: str = "set", **options: Any
) -> dict[str, Any]:
    """A change set as DescribeChangeSet has it once it is made."""
    template = {"UsePreviousTemplate": True} if body is None else {"TemplateBody": body}
    parameters = [
        {"ParameterKey": "Days", **({"UsePreviousValue": True} if days is None else {"ParameterValue": str(days)})}
    ]
    made = stacks.api.create_change_set(
        StackName="one", ChangeSetName=name, Parameters=parameters, **template, **options
    )
    return stacks.api.describe_change_set(ChangeSetName=made["Id"], IncludePropertyValues=True)


def changes(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {item["ResourceChange"]["LogicalResourceId"]: item["ResourceChange"] for item in found["Changes"]}


def execute(stacks: Stacks, found: dict[str, Any]) -> str:
    stacks.api.execute_change_set(ChangeSetName=found["ChangeSetId"])
    return stacks.wait("one")["StackStatus"]


def test_without_changes(stacks: Stacks) -> None:
    found = change_set(stacks)
    assert (found["Status"], found["ExecutionStatus"], found["StatusReason"]) == ("FAILED", "UNAVAILABLE", EMPTY)
    assert found["Changes"] == []
    with pytest.raises(ClientError, match="InvalidChangeSetStatus"):
        stacks.api.execute_change_set(ChangeSetName="set", StackName="one")
    stacks.api.delete_change_set(ChangeSetName="set", StackName="one")
    assert stacks.api.list_change_sets(StackName="one")["Summaries"] == []


def test_with_changes(stacks: Stacks) -> None:
    before = stacks.sandbox.calls(mutating=True)
    body = TEMPLATE.replace("  Topic:", "  Queue: {Type: AWS::SQS::Queue}\n  Topic:").replace(
        "TopicName: topic", "TopicName: other"
    )
    found = change_set(stacks, body, days=14)
    assert (found["Status"], found["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
    actions = {logical: (item["Action"], item.get("Replacement")) for logical, item in changes(found).items()}
    assert actions == {"Queue": ("Add", None), "Logs": ("Modify", "False"), "Topic": ("Modify", "True")}
    detail = changes(found)["Logs"]["Details"][0]
    assert detail["Target"]["Name"] == "RetentionInDays" and detail["Target"]["RequiresRecreation"] == "Never"
    # A change set changes nothing but itself.
    assert stacks.sandbox.calls(mutating=True) == before
    assert execute(stacks, found) == "UPDATE_COMPLETE"
    assert set(stacks.physical("one")) == {"Logs", "Topic", "Vpc", "Group", "Queue"}
    again = stacks.api.describe_change_set(ChangeSetName=found["ChangeSetId"])
    assert again["ExecutionStatus"] == "EXECUTE_COMPLETE"


def test_tags_alone_are_changes(stacks: Stacks) -> None:
    found = change_set(stacks, Tags=[{"Key": "a", "Value": "2"}])
    assert set(changes(found)) == {"Logs", "Topic", "Vpc", "Group"}
    assert all(item["Scope"] == ["Tags"] for item in changes(found).values())
    assert change_set(stacks, name="same", Tags=[{"Key": "a", "Value": "1"}])["Status"] == "FAILED"


def test_outputs_alone_can_be_executed(stacks: Stacks) -> None:
    found = change_set(stacks, TEMPLATE + "Outputs: {V: {Value: !Ref Vpc}}\n")
    assert (found["Status"], found["Changes"]) == ("CREATE_COMPLETE", [])
    assert execute(stacks, found) == "UPDATE_COMPLETE"
    assert stacks.outputs("one") == {"V": stacks.physical("one")["Vpc"]}


def test_a_stack_made_by_a_change_set(sandbox: Sandbox) -> None:
    stacks = Stacks(sandbox)
    made = stacks.api.create_change_set(
        StackName="new", ChangeSetName="set", ChangeSetType="CREATE", TemplateBody=TEMPLATE
    )
    assert stacks.wait("new")["StackStatus"] == "REVIEW_IN_PROGRESS"
    with pytest.raises(ClientError, match="already exists"):
        stacks.api.create_stack(StackName="new", TemplateBody=TEMPLATE)
    with pytest.raises(ClientError, match="REVIEW_IN_PROGRESS state and can not be updated"):
        stacks.api.update_stack(StackName="new", TemplateBody=TEMPLATE)
    stacks.api.execute_change_set(ChangeSetName=made["Id"])
    while (stack := stacks.wait("new"))["StackStatus"] == "REVIEW_IN_PROGRESS":
        pass
    assert stack["StackStatus"] == "CREATE_COMPLETE"


def test_a_change_set_of_a_stack_that_is_not_there(sandbox: Sandbox) -> None:
    with pytest.raises(ClientError, match="does not exist"):
        Stacks(sandbox).api.create_change_set(StackName="none", ChangeSetName="set", TemplateBody=TEMPLATE)


def wander(stacks: Stacks) -> dict[str, str]:
    """Change what the stack made, behind its back."""
    physical, ec2 = stacks.physical("one"), stacks.client("ec2")
    stacks.client("logs").put_retention_policy(logGroupName="/t/logs", retentionInDays=1)
    ec2.authorize_security_group_ingress(
        GroupId=physical["Group"],
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
    )
    ec2.create_tags(Resources=[physical["Vpc"]], Tags=[{"Key": "a", "Value": "other"}])
    stacks.client("sns").delete_topic(TopicArn=physical["Topic"])
    return physical


def test_drift_is_nothing_to_an_ordinary_change_set(stacks: Stacks) -> None:
    wander(stacks)
    assert change_set(stacks)["Status"] == "FAILED"
    with pytest.raises(ClientError, match="No updates are to be performed"):
        stacks.update("one", None)


def test_without_drift_there_is_nothing_to_revert(stacks: Stacks) -> None:
    found = change_set(stacks, DeploymentMode="REVERT_DRIFT")
    assert (found["Status"], found["ExecutionStatus"], found["StatusReason"]) == ("FAILED", "UNAVAILABLE", EMPTY)
    assert (found["DeploymentMode"], found["StackDriftStatus"]) == ("REVERT_DRIFT", "IN_SYNC")


def test_drift_is_reverted(stacks: Stacks) -> None:
    physical = wander(stacks)
    found = change_set(stacks, DeploymentMode="REVERT_DRIFT")
    assert (found["Status"], found["ExecutionStatus"], found["StackDriftStatus"]) == (
        "CREATE_COMPLETE",
        "AVAILABLE",
        "DRIFTED",
    )
    statuses = {logical: (item["Action"], item["ResourceDriftStatus"]) for logical, item in changes(found).items()}
    assert statuses == {
        "Logs": ("Modify", "MODIFIED"),
        "Group": ("Modify", "MODIFIED"),
        "Vpc": ("Modify", "MODIFIED"),
        "Topic": ("Add", "DELETED"),
    }
    target = changes(found)["Logs"]["Details"][0]["Target"]
    assert (target["Path"], target["BeforeValue"], target["AfterValue"]) == ("/Properties/RetentionInDays", "1", "7")
    assert (target["BeforeValueFrom"], target["AfterValueFrom"], target["AttributeChangeType"]) == (
        "ACTUAL_STATE",
        "TEMPLATE",
        "Modify",
    )
    assert target["Drift"]["ActualValue"] == "1" and target["Drift"]["PreviousValue"] == "7"
    assert execute(stacks, found) == "UPDATE_COMPLETE"
    assert stacks.drifted("one") == {}
    assert stacks.client("logs").describe_log_groups()["logGroups"][0]["retentionInDays"] == 7
    group = stacks.client("ec2").describe_security_groups(GroupIds=[physical["Group"]])["SecurityGroups"][0]
    assert [rule["FromPort"] for rule in group["IpPermissions"]] == [443]
    assert (
        stacks.client("sns").get_topic_attributes(TopicArn=stacks.physical("one")["Topic"])["Attributes"]["DisplayName"]
        == "alerts"
    )
    assert change_set(stacks, name="again", DeploymentMode="REVERT_DRIFT")["Status"] == "FAILED"


def test_only_what_drifted_is_touched(stacks: Stacks) -> None:
    stacks.client("logs").put_retention_policy(logGroupName="/t/logs", retentionInDays=1)
    before = len(stacks.events("one"))
    execute(stacks, change_set(stacks, DeploymentMode="REVERT_DRIFT"))
    touched = {logical for logical, _status, _reason in stacks.events("one")[before:]}
    assert touched == {"one", "Logs"}


def test_a_new_template_and_drift_together(stacks: Stacks) -> None:
    wander(stacks)
    found = change_set(stacks, days=14, DeploymentMode="REVERT_DRIFT")
    target = next(
        item["Target"] for item in changes(found)["Logs"]["Details"] if item["Target"].get("Name") == "RetentionInDays"
    )
    assert (target["BeforeValue"], target["AfterValue"], target["Drift"]["PreviousValue"]) == ("1", "14", "7")
    assert execute(stacks, found) == "UPDATE_COMPLETE"
    assert stacks.client("logs").describe_log_groups()["logGroups"][0]["retentionInDays"] == 14
    assert stacks.drifted("one") == {}


def test_what_is_lost_is_made_anew_with_what_hangs_on_it(sandbox: Sandbox) -> None:
    stacks = Stacks(sandbox)
    stacks.create("one", TEMPLATE)
    before, ec2 = stacks.physical("one"), stacks.client("ec2")
    ec2.delete_security_group(GroupId=before["Group"])
    ec2.delete_vpc(VpcId=before["Vpc"])
    found = change_set(stacks, DeploymentMode="REVERT_DRIFT")
    assert {logical for logical, item in changes(found).items() if item["ResourceDriftStatus"] == "DELETED"} == {
        "Vpc",
        "Group",
    }
    assert execute(stacks, found) == "UPDATE_COMPLETE"
    after = stacks.physical("one")
    assert after["Vpc"] != before["Vpc"]
    assert ec2.describe_security_groups(GroupIds=[after["Group"]])["SecurityGroups"][0]["VpcId"] == after["Vpc"]


def test_a_failed_revert_goes_back_to_what_was_there(stacks: Stacks) -> None:
    wander(stacks)
    body = (
        TEMPLATE
        + "  Broken: {Type: AWS::EC2::Subnet, DependsOn: [Logs, Group, Topic], Properties: {VpcId: vpc-0, CidrBlock: 10.0.0.0/24}}\n"
    )
    assert execute(stacks, change_set(stacks, body, DeploymentMode="REVERT_DRIFT")) == "UPDATE_ROLLBACK_COMPLETE"
    assert stacks.client("logs").describe_log_groups()["logGroups"][0]["retentionInDays"] == 1
    assert set(stacks.drifted("one")) == {"Logs", "Group", "Vpc", "Topic"}


@pytest.mark.parametrize(
    "options", [{"DeploymentMode": "REVERT"}, {"DeploymentMode": "REVERT_DRIFT", "ChangeSetType": "CREATE"}]
)
def test_modes_that_are_refused(stacks: Stacks, options: dict[str, str]) -> None:
    with pytest.raises(ClientError, match="ValidationError"):
        stacks.api.create_change_set(StackName="one", ChangeSetName="set", TemplateBody=TEMPLATE, **options)


DRIFTED = {
    "AWS::KMS::Key": ("Key", lambda stacks, key: stacks.client("kms").disable_key_rotation(KeyId=key)),
    "AWS::EFS::FileSystem": (
        "Files",
        lambda stacks, files: stacks.client("efs").put_backup_policy(
            FileSystemId=files, BackupPolicy={"Status": "DISABLED"}
        ),
    ),
    "AWS::ECS::Cluster": (
        "Cluster",
        lambda stacks, cluster: stacks.client("ecs").update_cluster_settings(
            cluster=cluster, settings=[{"name": "containerInsights", "value": "disabled"}]
        ),
    ),
    "AWS::IAM::Role": (
        "Role",
        lambda stacks, role: stacks.client("iam").delete_role_policy(RoleName=role, PolicyName="logs"),
    ),
    "AWS::S3::Bucket": ("Bucket", lambda stacks, bucket: stacks.client("s3").delete_public_access_block(Bucket=bucket)),
    "AWS::SSM::Parameter": (
        "Parameter",
        lambda stacks, name: stacks.client("ssm").put_parameter(Name=name, Value="OTHER", Overwrite=True),
    ),
    "AWS::IAM::InstanceProfile": (
        "Profile",
        lambda stacks, profile: stacks.client("iam").remove_role_from_instance_profile(
            InstanceProfileName=profile, RoleName=stacks.physical("region")["Role"]
        ),
    ),
    "AWS::EFS::MountTarget": (
        "MountA",
        lambda stacks, target: stacks.client("efs").modify_mount_target_security_groups(
            MountTargetId=target, SecurityGroups=[stacks.physical("net")["Endpoints"]]
        ),
    ),
}


def test_drift_of_a_region_is_seen_and_reverted(sandbox: Sandbox) -> None:
    stacks = Stacks(sandbox)
    stacks.create("net", (DATA / "network.template").read_text())
    network = stacks.outputs("net")
    values = {"Vpc": network["Vpc"], "Subnets": network["Subnets"], "Group": network["Nodes"]}
    stacks.create("region", (DATA / "region.template").read_text(), values)
    assert stacks.drifted("region") == {}
    physical = stacks.physical("region")
    for logical, change in DRIFTED.values():
        change(stacks, physical[logical])
    assert set(stacks.drifted("region")) == {logical for logical, _changed in DRIFTED.values()}
    made = stacks.api.create_change_set(
        StackName="region",
        ChangeSetName="revert",
        UsePreviousTemplate=True,
        Parameters=[{"ParameterKey": key, "UsePreviousValue": True} for key in values],
        Capabilities=["CAPABILITY_NAMED_IAM"],
        DeploymentMode="REVERT_DRIFT",
    )
    stacks.api.get_waiter("change_set_create_complete").wait(ChangeSetName=made["Id"])
    stacks.api.execute_change_set(ChangeSetName=made["Id"])
    assert stacks.wait("region")["StackStatus"] == "UPDATE_COMPLETE", stacks.reasons("region")
    assert stacks.drifted("region") == {}
    assert stacks.physical("region") == physical


def test_a_condition_that_begins_or_ends_to_hold_adds_or_removes(stacks: Stacks) -> None:
    """CloudFormation user guide, "Condition functions": resources whose condition turns true are made, others deleted."""
    body = """
Parameters:
  Asked: {Type: String}
Conditions:
  IsAsked: !Equals [!Ref Asked, "true"]
Resources:
  Always:
    Type: AWS::SNS::Topic
    Properties: {TopicName: always}
  Sometimes:
    Type: AWS::SNS::Topic
    Condition: IsAsked
    Properties: {TopicName: sometimes}
"""
    stacks.create("two", body, {"Asked": "false"})
    for value, action in (("true", "Add"), ("false", "Remove")):
        on = [{"ParameterKey": "Asked", "ParameterValue": value}]
        made = stacks.api.create_change_set(
            StackName="two", ChangeSetName=f"set-{value}", UsePreviousTemplate=True, Parameters=on
        )
        found = stacks.api.describe_change_set(ChangeSetName=made["Id"])
        changes = [change["ResourceChange"] for change in found["Changes"]]
        assert [(change["Action"], change["LogicalResourceId"]) for change in changes] == [(action, "Sometimes")]
        stacks.api.execute_change_set(ChangeSetName=made["Id"])
        stacks.wait("two")
