# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The network as AWS describes it: private, closed, with the endpoints that nodes need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

REGION = "us-west-2"
NAME = "ethereal-oregon"
INTERFACES = ("ecs", "ecs-agent", "ecs-telemetry", "ecr.api", "ecr.dkr", "logs")


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


def test_subnets_are_private(ec2: Any, here: list[dict[str, Any]]) -> None:
    subnets = ec2.describe_subnets(Filters=here)["Subnets"]
    assert sorted(subnet["CidrBlock"] for subnet in subnets) == [
        f"10.60.{third}.0/18" for third in ("0", "128", "192", "64")
    ]
    assert len({subnet["AvailabilityZone"] for subnet in subnets}) == 4
    assert not any(subnet["MapPublicIpOnLaunch"] for subnet in subnets)
    tables = {
        association["SubnetId"]: [route for route in table["Routes"] if route["GatewayId"] != "local"]
        for table in ec2.describe_route_tables(Filters=here)["RouteTables"]
        for association in table["Associations"]
        if not association["Main"]
    }
    assert set(tables) == {subnet["SubnetId"] for subnet in subnets}
    for routes in tables.values():
        assert all(route["GatewayId"].startswith("vpce-") for route in routes), routes


def test_no_way_to_the_internet(ec2: Any, vpc: dict[str, Any], here: list[dict[str, Any]]) -> None:
    attached = [{"Name": "attachment.vpc-id", "Values": [vpc["VpcId"]]}]
    assert ec2.describe_internet_gateways(Filters=attached)["InternetGateways"] == []
    assert ec2.describe_nat_gateways(Filters=here)["NatGateways"] == []


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
    groups = {group["GroupId"] for service in INTERFACES for group in found[service]["Groups"]}
    (group,) = ec2.describe_security_groups(GroupIds=sorted(groups))["SecurityGroups"]
    (rule,) = group["IpPermissions"]
    assert (rule["FromPort"], rule["ToPort"]) == (443, 443)
    assert [source["CidrIp"] for source in rule["IpRanges"]] == ["10.60.0.0/16"]
    (rule,) = group["IpPermissionsEgress"]
    assert [target["CidrIp"] for target in rule["IpRanges"]] == ["127.0.0.1/32"]


def test_stack(stack: Callable[[str], dict[str, Any]], vpc: dict[str, Any]) -> None:
    found = stack(f"{NAME}-network")
    assert found["status"] == "CREATE_COMPLETE"
    assert found["outputs"]["VpcId"] == vpc["VpcId"]
    assert found["tags"]["team"] == "molecule"
    assert len(found["tags"]["ethereal-spot:template"]) == 64
