# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""NAT gateways come and go in a network that stands, and no node's subnet notices but by its default route."""

from __future__ import annotations

from typing import Any

from sandbox_process import ROOT
from sandbox_process import Sandbox
from stack_tools import Stacks
from stack_tools import load

BODY = (ROOT / "roles/network/files/network.template").read_text()
PARAMETERS = {
    "Prefix": "gpu",
    "Place": "here",
    "VpcCidr": "10.0.0.0/20",
    "SubnetBits": 9,
    **{f"Zone{letter}": f"us-east-1{letter.lower()}" for letter in "ABC"},
    **{name: "false" for name in load(BODY)["Parameters"] if name.startswith("With")},
}


def nodes(ec2: Any, outputs: dict[str, str]) -> dict[str, tuple[tuple[str, bool, str], list[str]]]:
    """By subnet of nodes: its range, whether it gives public addresses, its route table; and where its routes to elsewhere lead."""
    ids = outputs["SubnetIds"].split(",")
    found = {}
    for subnet in ec2.describe_subnets(SubnetIds=ids)["Subnets"]:
        mine = [{"Name": "association.subnet-id", "Values": [subnet["SubnetId"]]}]
        (table,) = ec2.describe_route_tables(Filters=mine)["RouteTables"]
        ways = [
            route.get("NatGatewayId") or route["GatewayId"]
            for route in table["Routes"]
            if route.get("DestinationCidrBlock") == "0.0.0.0/0"
        ]
        found[subnet["SubnetId"]] = (
            (subnet["CidrBlock"], subnet["MapPublicIpOnLaunch"], table["RouteTableId"]),
            ways,
        )
    return found


def gateways(ec2: Any) -> dict[str, str]:
    """NAT gateways that stand, by their zone's subnet."""
    up = [{"Name": "state", "Values": ["available"]}]
    return {each["SubnetId"]: each["NatGatewayId"] for each in ec2.describe_nat_gateways(Filters=up)["NatGateways"]}


def test_nat_gateways_come_and_go_under_nodes_that_stay(sandbox: Sandbox) -> None:
    stacks = Stacks(sandbox)
    ec2 = stacks.client("ec2")
    assert stacks.create("net", BODY, {**PARAMETERS, "Nat": "none"})["StackStatus"] == "CREATE_COMPLETE"
    outputs = stacks.outputs("net")
    at_first = nodes(ec2, outputs)
    assert sorted(kept[0] for kept, _ways in at_first.values()) == ["10.0.0.0/23", "10.0.2.0/23", "10.0.4.0/23"]
    assert all((kept[1], ways) == (False, []) for kept, ways in at_first.values())
    assert ec2.describe_internet_gateways()["InternetGateways"] == []

    for nat, count in (("one", 1), ("per_zone", 3), ("one", 1), ("none", 0), ("per_zone", 3), ("none", 0)):
        assert stacks.update("net", BODY, {**PARAMETERS, "Nat": nat})["StackStatus"] == "UPDATE_COMPLETE"
        made = gateways(ec2)
        assert len(made) == count, nat
        found = nodes(ec2, outputs)
        assert {subnet: kept for subnet, (kept, _ways) in found.items()} == {
            subnet: kept for subnet, (kept, _ways) in at_first.items()
        }
        ways = [way for _kept, each in found.values() for way in each]
        assert set(ways) == set(made.values())
        assert len(ways) == (3 if count else 0)
        # Each NAT gateway is in a subnet of its own, which is no node's.
        assert not set(made) & set(found)
        assert len(ec2.describe_addresses()["Addresses"]) == count
        assert len(ec2.describe_internet_gateways()["InternetGateways"]) == (1 if count else 0)
    assert stacks.outputs("net") == outputs
    assert stacks.drifted("net") == {}

    stacks.update("net", BODY, {**PARAMETERS, "Nat": "per_zone"})
    assert stacks.delete("net")["StackStatus"] == "DELETE_COMPLETE"
    assert [vpc for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]] == []
    assert ec2.describe_addresses()["Addresses"] == []
