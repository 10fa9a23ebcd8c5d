# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""spot_network_info: zones that serve, and subnets of the user's own, each refused for one reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest

from ansible_collections.ethereal.spot.plugins.modules import spot_network_info

REGION = "us-east-1"
TYPE = "g5.xlarge"


class Network:
    """A VPC with a private subnet in zones a and b, and answers of EC2 that moto has otherwise."""

    def __init__(self, recorder: Any) -> None:
        self.ec2 = boto3.client("ec2", REGION)
        self.vpc = self.make_vpc("10.0.0.0/16")
        self.subnets = [self.make_subnet(1, "a"), self.make_subnet(2, "b")]
        self.offered = ["us-east-1a", "us-east-1b"]
        self.services = {"ecs": ["us-east-1a", "us-east-1b", "us-east-1c"], "logs": ["us-east-1b", "us-east-1c"]}
        recorder.answer("ec2", "DescribeInstanceTypeOfferings", self.offerings)
        recorder.answer("ec2", "DescribeVpcEndpointServices", self.endpoint_services)

    def make_vpc(self, cidr: str) -> str:
        vpc = self.ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]
        self.ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
        return vpc

    def make_subnet(self, number: int, zone: str, vpc: str | None = None, bits: int = 24) -> str:
        cidr, where = f"10.0.{number}.0/{bits}", f"{REGION}{zone}"
        made = self.ec2.create_subnet(VpcId=vpc or self.vpc, CidrBlock=cidr, AvailabilityZone=where)
        return made["Subnet"]["SubnetId"]

    def route_out(self, subnet: str, destination: str) -> str:
        gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=self.vpc)
        table = self.ec2.create_route_table(VpcId=self.vpc)["RouteTable"]["RouteTableId"]
        where = "DestinationIpv6CidrBlock" if ":" in destination else "DestinationCidrBlock"
        self.ec2.create_route(RouteTableId=table, GatewayId=gateway, **{where: destination})
        self.ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        return gateway

    def offerings(self, params: dict[str, Any], region: str) -> dict[str, Any]:
        assert params["LocationType"] == "availability-zone"
        asked = {item["Name"]: item["Values"] for item in params["Filters"]}
        zones = [zone for zone in self.offered if zone in asked["location"]]
        kind = {"InstanceType": TYPE, "LocationType": "availability-zone"}
        return {
            "InstanceTypeOfferings": [{**kind, "Location": zone} for zone in zones if TYPE in asked["instance-type"]]
        }

    def endpoint_services(self, params: dict[str, Any], region: str) -> dict[str, Any]:
        names = [name.removeprefix(f"com.amazonaws.{region}.") for name in params["ServiceNames"]]
        return {"ServiceDetails": [{"ServiceName": name, "AvailabilityZones": self.services[name]} for name in names]}


@pytest.fixture
def network(aws: None, recorder: Any) -> Network:
    return Network(recorder)


@pytest.fixture
def run(run_module: Callable[..., Any]) -> Callable[..., Any]:
    return lambda **options: run_module(spot_network_info, {"region": REGION, **options})


def test_zones_have_every_service_and_offer_a_type(network: Network, run: Callable[..., Any]) -> None:
    services = {"services": ["ecs", "logs"]}
    assert run(**services)["zones"] == ["us-east-1b", "us-east-1c"]
    assert run(**services, instance_types=["p5.48xlarge", TYPE])["zones"] == ["us-east-1b"]
    assert run(**services, instance_types=[TYPE], zones=["us-east-1b"])["zones"] == ["us-east-1b"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"zones": ["us-east-1a"]}, "zones: 'us-east-1a' does not have logs; zones that do: us-east-1b"),
        ({"zones": ["us-east-1c"]}, "zones: 'us-east-1c' offers none of g5.xlarge; zones that do: us-east-1b"),
        ({"zones": ["us-east-1z"]}, "zones: 'us-east-1z' does not have ecs, logs; zones that do: us-east-1b"),
        (
            {"instance_types": ["p5.48xlarge"]},
            "instance_types: ['p5.48xlarge'] are offered in none of the zones of us-east-1 that have all endpoints "
            "(us-east-1b, us-east-1c)",
        ),
        ({"instance_types": [""]}, "instance_types[0]: '' is not an instance type such as g5.xlarge"),
    ],
)
def test_zones_that_do_not_serve(network: Network, run: Callable[..., Any], options: Any, message: str) -> None:
    result = run(**{"services": ["ecs", "logs"], "instance_types": [TYPE], **options})
    assert result["failed"]
    assert result["msg"] == message


def test_no_zone_has_all_services(network: Network, run: Callable[..., Any]) -> None:
    network.services["logs"] = ["us-east-1d"]
    assert run(services=["ecs", "logs"])["msg"] == "no zone of us-east-1 has all of ecs, logs"


def test_own_subnets_that_serve(network: Network, run: Callable[..., Any]) -> None:
    result = run(subnet_ids=network.subnets[::-1], vpc_id=network.vpc, instance_types=[TYPE], min_free_addresses=2)
    assert (result["vpc_id"], result["zones"]) == (network.vpc, ["us-east-1b", "us-east-1a"])
    first = {"subnet_id": network.subnets[1], "zone": "us-east-1b", "free_addresses": 251}
    assert result["subnets"][0] == first
    assert result["changed"] is False


@pytest.mark.parametrize("destination", ["0.0.0.0/0", "::/0"])
def test_a_public_subnet(network: Network, run: Callable[..., Any], destination: str) -> None:
    gateway = network.route_out(network.subnets[1], destination)
    assert run(subnet_ids=network.subnets)["msg"] == (
        f"subnet_ids: '{network.subnets[1]}' routes {destination} to {gateway}: public; name private subnets"
    )


def test_own_subnets_that_do_not_serve(network: Network, run: Callable[..., Any]) -> None:
    one, two = network.subnets
    same = network.make_subnet(3, "b")
    other_vpc = network.make_vpc("10.0.0.0/16")
    other = network.make_subnet(4, "c", other_vpc)
    small, unsold = network.make_subnet(5, "c", bits=28), network.make_subnet(6, "d")
    for options, message in (
        ({"subnet_ids": [one, one]}, f"'{one}' is listed twice"),
        ({"subnet_ids": [f"subnet-{n}" for n in range(7)]}, "7 subnets are listed, must be 1 to 6"),
        ({"subnet_ids": [one, "subnet-12345678"]}, "'subnet-12345678' does not exist in us-east-1"),
        ({"subnet_ids": [one, other]}, f"'{other}' is in {other_vpc}, {one} is in {network.vpc}"),
        ({"subnet_ids": [one], "vpc_id": other_vpc}, f"'{one}' is in {network.vpc}, vpc_id is {other_vpc}"),
        (
            {"subnet_ids": [one, two, same]},
            f"'{same}' is in us-east-1b as {two} is: a file system has one mount target a zone",
        ),
        ({"subnet_ids": [small], "min_free_addresses": 12}, f"'{small}' has 11 free addresses, needs 12"),
        (
            {"subnet_ids": [one, unsold], "instance_types": [TYPE]},
            f"'{unsold}' is in us-east-1d, which offers none of g5.xlarge; zones that do: us-east-1a",
        ),
    ):
        result = run(**options)
        assert result["failed"]
        assert result["msg"] == f"subnet_ids: {message}"


@pytest.mark.parametrize("switch", ["EnableDnsSupport", "EnableDnsHostnames"])
def test_a_vpc_that_resolves_no_names(network: Network, run: Callable[..., Any], switch: str) -> None:
    network.ec2.modify_vpc_attribute(VpcId=network.vpc, **{switch: {"Value": False}})
    name = switch[0].lower() + switch[1:]
    assert run(subnet_ids=network.subnets)["msg"] == (
        f"subnet_ids: '{network.vpc}' is their VPC and has {name} off: file systems and endpoints are found by name"
    )
