# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether subnets are private, by the route tables of their VPC. PRIVATE to the collection.

A subnet is public that has a route to an internet gateway, whatever its destination (VPC user guide, "Subnet types"); whether it
gives out public addresses is another question. Routes to NAT and egress-only internet gateways let nobody in.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError

INTERNET_GATEWAY = "igw-"


def view(subnet_id: str, route_tables: list[dict[str, Any]]) -> dict[str, Any]:
    """The table that a subnet uses, how it came to it, and its routes to internet gateways by destination.

    `private` is None where no table was found: then nothing is known.
    """
    main: dict[str, Any] | None = None
    explicit: dict[str, Any] | None = None
    for table in route_tables:
        for association in table.get("Associations", []):
            if association.get("SubnetId") == subnet_id:
                explicit = table
            if association.get("Main"):
                main = table
    # A subnet without a table of its own uses the VPC's main one.
    table = explicit or main
    routes = {
        _destination(route): route["GatewayId"]
        for route in (table or {}).get("Routes", [])
        if str(route.get("GatewayId", "")).startswith(INTERNET_GATEWAY)
    }
    return {
        "association": "explicit" if explicit else "main" if main else None,
        "internet_routes": routes,
        "private": None if table is None else not routes,
        "route_table_id": table["RouteTableId"] if table else None,
    }


def _destination(route: dict[str, Any]) -> str:
    fields = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")
    return next((str(route[field]) for field in fields if route.get(field)), "")


def check_private(
    wanted: list[str], route_tables: list[dict[str, Any]], remedy: str = "set allow_public_subnets to accept"
) -> None:
    """No subnet has a route to an internet gateway; `route_tables` are those of the subnets' VPC. Raises InputError."""
    for subnet_id in wanted:
        seen = view(subnet_id, route_tables)
        for destination, gateway in seen["internet_routes"].items():
            rule = f"routes {destination} to {gateway}: public; {remedy}"
            raise InputError("subnet_ids", subnet_id, rule)
        if seen["private"] is None:
            rule = f"has no route table that you may see, so it is not known to be private; {remedy}"
            raise InputError("subnet_ids", subnet_id, rule)
