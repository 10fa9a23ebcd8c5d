# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Drift detection: what is seen, what is not looked at, and what is no drift."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError
from sandbox_process import Sandbox
from stack_tools import DATA
from stack_tools import Stacks


@pytest.fixture
def stacks(sandbox: Sandbox) -> Stacks:
    stacks = Stacks(sandbox)
    stacks.create("net", (DATA / "network.template").read_text())
    return stacks


def test_in_sync(stacks: Stacks) -> None:
    found = stacks.drift("net")
    assert {item["StackResourceDriftStatus"] for item in found.values()} == {"IN_SYNC"}
    assert set(found) == set(stacks.physical("net"))
    stack = stacks.api.describe_stacks(StackName="net")["Stacks"][0]
    assert stack["DriftInformation"]["StackDriftStatus"] == "IN_SYNC"
    assert json.loads(found["Vpc"]["ExpectedProperties"])["CidrBlock"] == "10.42.0.0/16"


def test_each_difference_has_its_path(stacks: Stacks) -> None:
    physical, ec2 = stacks.physical("net"), stacks.client("ec2")
    ec2.modify_subnet_attribute(SubnetId=physical["Public"], MapPublicIpOnLaunch={"Value": False})
    ec2.delete_tags(Resources=[physical["Gateway"]], Tags=[{"Key": "Name"}])
    ec2.create_tags(Resources=[physical["Vpc"]], Tags=[{"Key": "Name", "Value": "x"}, {"Key": "new", "Value": "y"}])
    ec2.revoke_security_group_ingress(
        GroupId=physical["Nodes"],
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 8000, "ToPort": 8010, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}],
    )
    ec2.modify_vpc_endpoint(VpcEndpointId=physical["Ecs"], PrivateDnsEnabled=False)
    ec2.delete_route(RouteTableId=physical["PublicTable"], DestinationCidrBlock="0.0.0.0/0")
    found = stacks.drift("net")
    told = {
        logical: sorted((each["PropertyPath"], each["DifferenceType"]) for each in item.get("PropertyDifferences", []))
        for logical, item in found.items()
        if item["StackResourceDriftStatus"] == "MODIFIED"
    }
    assert told == {
        "Public": [("/MapPublicIpOnLaunch", "NOT_EQUAL")],
        "Gateway": [("/Tags/0", "REMOVE")],
        "Vpc": [("/Tags/0/Value", "NOT_EQUAL"), ("/Tags/2", "ADD")],
        "Nodes": [("/SecurityGroupIngress/0", "REMOVE")],
        "Ecs": [("/PrivateDnsEnabled", "NOT_EQUAL")],
    }
    assert found["Out"]["StackResourceDriftStatus"] == "DELETED"
    difference = found["Public"]["PropertyDifferences"][0]
    assert (difference["ExpectedValue"], difference["ActualValue"]) == ("true", "false")
    stack = stacks.api.describe_stacks(StackName="net")["Stacks"][0]
    assert stack["DriftInformation"]["StackDriftStatus"] == "DRIFTED"
    filtered = stacks.api.describe_stack_resource_drifts(StackName="net", StackResourceDriftStatusFilters=["DELETED"])
    assert [item["LogicalResourceId"] for item in filtered["StackResourceDrifts"]] == ["Out"]


def test_one_resource_alone(stacks: Stacks) -> None:
    physical = stacks.physical("net")
    stacks.client("ec2").create_tags(Resources=[physical["Vpc"]], Tags=[{"Key": "team", "Value": "other"}])
    found = stacks.api.detect_stack_resource_drift(StackName="net", LogicalResourceId="Vpc")["StackResourceDrift"]
    assert found["StackResourceDriftStatus"] == "MODIFIED"
    assert [item["PropertyPath"] for item in found["PropertyDifferences"]] == ["/Tags/1/Value"]


def test_kinds_that_aws_cannot_check(stacks: Stacks) -> None:
    network = stacks.outputs("net")
    values = {"Vpc": network["Vpc"], "Subnets": network["Subnets"], "Group": network["Nodes"]}
    stacks.create("region", (DATA / "region.template").read_text(), values)
    assert "Inline" not in stacks.drift("region")
    told = stacks.api.describe_stack_resource(StackName="region", LogicalResourceId="Inline")["StackResourceDetail"]
    assert told["DriftInformation"]["StackResourceDriftStatus"] == "NOT_CHECKED"
    with pytest.raises(ClientError, match="not supported"):
        stacks.api.detect_stack_resource_drift(StackName="region", LogicalResourceId="Inline")


def test_a_rule_that_stands_alone_is_no_drift_of_its_group(stacks: Stacks) -> None:
    physical = stacks.physical("net")
    rule = stacks.client("ec2").describe_security_group_rules(SecurityGroupRuleIds=[physical["NodesToEndpoints"]])[
        "SecurityGroupRules"
    ][0]
    assert rule["GroupId"] == physical["Nodes"]
    assert stacks.drifted("net") == {}
    stacks.client("ec2").revoke_security_group_egress(
        GroupId=physical["Nodes"],
        IpPermissions=[
            {
                "IpProtocol": "tcp",
                "FromPort": 8443,
                "ToPort": 8443,
                "UserIdGroupPairs": [{"GroupId": physical["Endpoints"]}],
            }
        ],
    )
    assert stacks.drifted("net") == {"NodesToEndpoints": ["DELETED"]}


def test_detection_changes_nothing(stacks: Stacks) -> None:
    before = len(stacks.sandbox.calls(mutating=True))
    stacks.drift("net")
    assert len(stacks.sandbox.calls(mutating=True)) == before


def test_a_stack_that_failed_is_not_looked_at(sandbox: Sandbox) -> None:
    stacks = Stacks(sandbox)
    stacks.create("bad", "Resources: {A: {Type: AWS::SQS::Queue, Properties: {DelaySeconds: soon}}}")
    with pytest.raises(ClientError, match="ROLLBACK_COMPLETE"):
        stacks.drift("bad")
