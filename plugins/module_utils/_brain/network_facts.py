# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a region's zones and a user's own subnets serve a place: rules over what AWS described. PRIVATE to the collection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_facts
from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_subnets
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import EtherealSpotError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError

LARGEST_SUBNETS = 6
SWITCHES = ("enableDnsSupport", "enableDnsHostnames")


def zones_of(services: Iterable[Mapping[str, Any]]) -> dict[str, set[str]]:
    """The zones where each endpoint service of DescribeVpcEndpointServices can have an interface."""
    return {service["ServiceName"]: set(service["AvailabilityZones"]) for service in services}


def offering_zones(offerings: Iterable[Mapping[str, Any]]) -> set[str]:
    """The zones that offer at least one of the types; the offerings are those of zones."""
    return {offering["Location"] for offering in offerings}


def suitable_zones(
    services: Mapping[str, set[str]], offering: set[str] | None, types: list[str], region: str
) -> list[str]:
    """The zones that have every service and offer a type, by name. `offering` is None if no type is asked for."""
    common = set.intersection(*services.values())
    if not common:
        raise EtherealSpotError(f"no zone of {region} has all of {', '.join(sorted(services))}")
    found = common if offering is None else common & offering
    if not found:
        rule = f"are offered in none of the zones of {region} that have all endpoints ({', '.join(sorted(common))})"
        raise InputError("instance_types", types, rule)
    return sorted(found)


def check_zones(
    zones: list[str], services: Mapping[str, set[str]], offering: set[str] | None, types: list[str], suitable: list[str]
) -> None:
    """Zones that the user names have every service and offer a type. Raises InputError."""
    instead = f"; zones that do: {', '.join(suitable)}"
    for zone in zones:
        lacking = sorted(name for name, having in services.items() if zone not in having)
        if lacking:
            raise InputError("zones", zone, f"does not have {', '.join(lacking)}{instead}")
        if offering is not None and zone not in offering:
            raise InputError("zones", zone, f"offers none of {', '.join(types)}{instead}")


def check_listed(subnet_ids: list[str]) -> None:
    """The list itself, before anything is asked."""
    if not 1 <= len(subnet_ids) <= LARGEST_SUBNETS:
        raise InputError("subnet_ids", len(subnet_ids), f"subnets are listed, must be 1 to {LARGEST_SUBNETS}")
    for subnet_id, count in Counter(subnet_ids).items():
        if count > 1:
            raise InputError("subnet_ids", subnet_id, "is listed twice")


def check_own(
    subnet_ids: list[str],
    subnets: list[dict[str, Any]],
    vpc_id: str | None,
    region: str,
    min_free_addresses: int,
) -> tuple[str, list[dict[str, Any]]]:
    """The VPC of the user's subnets and a view of each, in the order given, or InputError.

    EFS takes one mount target a zone (EFS user guide, "Managing mount targets"), hence one subnet a zone.
    """
    of_vpc = fleet_facts.check_subnets(subnet_ids, subnets, region)[0]
    if vpc_id and of_vpc != vpc_id:
        raise InputError("subnet_ids", subnet_ids[0], f"is in {of_vpc}, vpc_id is {vpc_id}")
    found = {subnet["SubnetId"]: subnet for subnet in subnets}
    views: list[dict[str, Any]] = []
    for subnet_id in subnet_ids:
        zone, free = found[subnet_id]["AvailabilityZone"], found[subnet_id]["AvailableIpAddressCount"]
        same = [view["subnet_id"] for view in views if view["zone"] == zone]
        if same:
            raise InputError(
                "subnet_ids", subnet_id, f"is in {zone} as {same[0]} is: a file system has one mount target a zone"
            )
        if free < min_free_addresses:
            raise InputError("subnet_ids", subnet_id, f"has {free} free addresses, needs {min_free_addresses}")
        views.append({"subnet_id": subnet_id, "zone": zone, "free_addresses": free})
    return of_vpc, views


def check_private(subnet_ids: list[str], route_tables: list[dict[str, Any]]) -> None:
    """No subnet has a route to an internet gateway. Raises InputError."""
    fleet_subnets.check_private(subnet_ids, route_tables, "name private subnets")


def check_offered(views: list[dict[str, Any]], offering: set[str], types: list[str]) -> None:
    """Every subnet's zone offers one of the types. Raises InputError."""
    for view in views:
        if view["zone"] not in offering:
            offered = f"; zones that do: {', '.join(sorted(offering))}" if offering else ""
            raise InputError(
                "subnet_ids",
                view["subnet_id"],
                f"is in {view['zone']}, which offers none of {', '.join(types)}{offered}",
            )


def check_switches(vpc_id: str, switches: Mapping[str, bool]) -> None:
    """The VPC resolves names: mount targets and interface endpoints are found by them. Raises InputError."""
    for name in SWITCHES:
        if not switches[name]:
            raise InputError(
                "subnet_ids", vpc_id, f"is their VPC and has {name} off: file systems and endpoints are found by name"
            )
