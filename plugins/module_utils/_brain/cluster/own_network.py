# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Subnets of the user's own, in which a private cluster's nodes shall lie. PRIVATE to the collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError

ANYWHERE = ("0.0.0.0/0", "::/0")


def own_subnets(
    given: list[dict[str, Any]],
    vpc_id: str,
    found: list[dict[str, Any]],
    route_tables: list[dict[str, Any]],
    option: str,
) -> list[dict[str, Any]]:
    """The subnets with id, name, zone, cidr and public, as they are.

    `found` are as amazon.aws.ec2_vpc_subnet_info gives them, `route_tables` as amazon.aws.ec2_vpc_route_table_info does.
    """
    known = {subnet["id"]: subnet for subnet in found}
    subnets: list[dict[str, Any]] = []
    for index, subnet in enumerate(given):
        where = f"{option}[{index}].id"
        if subnet["id"] not in known:
            raise InputError(where, subnet["id"], "does not exist in the region")
        is_in = known[subnet["id"]]
        if is_in["vpc_id"] != vpc_id:
            raise InputError(where, subnet["id"], f"is in {is_in['vpc_id']}, private_cluster_vpc_id is {vpc_id}")
        if any(other["id"] == subnet["id"] for other in subnets):
            raise InputError(where, subnet["id"], "is listed twice")
        public = _is_public(subnet["id"], route_tables)
        facts = {"zone": is_in["availability_zone"], "cidr": is_in["cidr_block"], "public": public}
        subnets.append({"name": subnet["name"], "id": subnet["id"], **facts})
    return subnets


def _is_public(subnet_id: str, route_tables: list[dict[str, Any]]) -> bool:
    """Whether the subnet's own route table, or else the main one, leads to an internet gateway."""
    own, main = [], []
    for table in route_tables:
        for association in table["associations"]:
            if association.get("subnet_id") == subnet_id:
                own.append(table)
            elif association.get("main"):
                main.append(table)
    return any(
        str(route.get("gateway_id") or "").startswith("igw-")
        and (route.get("destination_cidr_block") or route.get("destination_ipv6_cidr_block")) in ANYWHERE
        for table in own or main
        for route in table["routes"]
    )
