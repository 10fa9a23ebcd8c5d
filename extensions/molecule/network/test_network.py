# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The network as AWS describes it: nodes' subnets private, with the endpoints that nodes need and NAT gateways of their own zones."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

REGION = "us-west-2"
NAME = "ethereal-oregon"
STANDING = ("ecs", "ecs-agent", "ecs-telemetry", "ecr.api", "ecr.dkr", "logs")
ASKED = ("ssm", "ssmmessages", "secretsmanager")
INTERFACES = (*STANDING, *ASKED)


@pytest.fixture
def ec2(client: Callable[[str], Any]) -> Any:
    return client("ec2")


@pytest.fixture
def vpc(ec2: Any) -> dict[str, Any]:
    (found,) = ec2.describe_vpcs(Filters=[{"Name": "tag:Name", "Values": [NAME]}])["Vpcs"]
    return found


@pytest.fixture
def here(vpc: dict[str, Any]) -> list[dict[str, Any]]:
    """The filter for what lies in the VPC."""
    return [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]


def test_vpc(ec2: Any, vpc: dict[str, Any]) -> None:
    assert vpc["CidrBlock"] == "10.60.0.0/16"
    for attribute in ("enableDnsSupport", "enableDnsHostnames"):
        found = ec2.describe_vpc_attribute(VpcId=vpc["VpcId"], Attribute=attribute)
        assert found[attribute[0].upper() + attribute[1:]]["Value"] is True
    tags = {tag["Key"]: tag["Value"] for tag in vpc["Tags"]}
    assert tags["team"] == "molecule"
    assert tags["ethereal-spot:deployment"] == "ethereal"
    assert tags["ethereal-spot:place"] == "oregon"


@pytest.fixture
def nodes(ec2: Any, stack: Callable[[str], dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The subnets that nodes get, by id."""
    ids = stack(f"{NAME}-network")["outputs"]["SubnetIds"].split(",")
    return {subnet["SubnetId"]: subnet for subnet in ec2.describe_subnets(SubnetIds=ids)["Subnets"]}


@pytest.fixture
def ways(ec2: Any, here: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Where each subnet's routes lead, the VPC itself and gateway endpoints left out."""
    found = {}
    for table in ec2.describe_route_tables(Filters=here)["RouteTables"]:
        targets = [route.get("NatGatewayId") or route["GatewayId"] for route in table["Routes"]]
        for association in table["Associations"]:
            if not association["Main"]:
                found[association["SubnetId"]] = [
                    each for each in targets if each != "local" and not each.startswith("vpce-")
                ]
    return found


def test_subnets_of_nodes_are_private(nodes: dict[str, dict[str, Any]], ways: dict[str, list[str]]) -> None:
    assert sorted(subnet["CidrBlock"] for subnet in nodes.values()) == [
        f"10.60.{third}.0/19" for third in ("0", "32", "64", "96")
    ]
    assert len({subnet["AvailabilityZone"] for subnet in nodes.values()}) == 4
    assert not any(subnet["MapPublicIpOnLaunch"] for subnet in nodes.values())
    for subnet in nodes:
        (way,) = ways[subnet]
        assert way.startswith("nat-")


def test_nat_gateways(
    ec2: Any, here: list[dict[str, Any]], nodes: dict[str, dict[str, Any]], ways: dict[str, list[str]]
) -> None:
    gateways = {each["NatGatewayId"]: each for each in ec2.describe_nat_gateways(Filters=here)["NatGateways"]}
    subnets = {subnet["SubnetId"]: subnet for subnet in ec2.describe_subnets(Filters=here)["Subnets"]}
    assert len(gateways) == 4
    assert {gateway["State"] for gateway in gateways.values()} == {"available"}
    for node, subnet in nodes.items():
        public = subnets[gateways[ways[node][0]]["SubnetId"]]
        assert public["AvailabilityZone"] == subnet["AvailabilityZone"]
        assert public["SubnetId"] not in nodes
        assert not public["MapPublicIpOnLaunch"]
        (way,) = ways[public["SubnetId"]]
        assert way.startswith("igw-")
    assert len(subnets) == 8


def test_endpoints(ec2: Any, here: list[dict[str, Any]]) -> None:
    found = {
        endpoint["ServiceName"].removeprefix(f"com.amazonaws.{REGION}."): endpoint
        for endpoint in ec2.describe_vpc_endpoints(Filters=here)["VpcEndpoints"]
    }
    assert set(found) == {"s3", "dynamodb", *INTERFACES}
    for service in INTERFACES:
        assert found[service]["VpcEndpointType"] == "Interface"
        assert found[service]["PrivateDnsEnabled"] is True
        assert len(found[service]["SubnetIds"]) == 2
    for service in ("s3", "dynamodb"):
        assert found[service]["VpcEndpointType"] == "Gateway"
    for service in ("dynamodb", "logs", "ssm", "secretsmanager"):
        (statement,) = json.loads(found[service]["PolicyDocument"])["Statement"]
        assert statement["Condition"] == {"StringEquals": {"aws:PrincipalAccount": "123456789012"}}
    groups = {group["GroupId"] for service in INTERFACES for group in found[service]["Groups"]}
    (group,) = ec2.describe_security_groups(GroupIds=sorted(groups))["SecurityGroups"]
    (rule,) = group["IpPermissions"]
    assert (rule["FromPort"], rule["ToPort"]) == (443, 443)
    assert [source["CidrIp"] for source in rule["IpRanges"]] == ["10.60.0.0/16"]
    (rule,) = group["IpPermissionsEgress"]
    assert [target["CidrIp"] for target in rule["IpRanges"]] == ["127.0.0.1/32"]


def test_the_default_security_group_is_closed(ec2: Any, here: list[dict[str, Any]]) -> None:
    default = {"Name": "group-name", "Values": ["default"]}
    (group,) = ec2.describe_security_groups(Filters=[*here, default])["SecurityGroups"]
    assert (group["IpPermissions"], group["IpPermissionsEgress"]) == ([], [])


def test_stack(stack: Callable[[str], dict[str, Any]], vpc: dict[str, Any]) -> None:
    found = stack(f"{NAME}-network")
    assert found["status"] == "CREATE_COMPLETE"
    assert found["outputs"]["VpcId"] == vpc["VpcId"]
    assert found["tags"]["team"] == "molecule"
    assert len(found["tags"]["ethereal-spot:template"]) == 64
