# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which capacity reservations a fleet's on-demand instances use. PRIVATE to the collection.

The group's own CapacityReservationSpecification says so, not the launch template's: it prefers reserved capacity and falls
back to other (EC2 Auto Scaling user guide, "Target Capacity Reservations from your Auto Scaling group"), takes several
targets, makes no version of the template, and says nothing to spot instances, which cannot run in a reservation (EC2
user guide, "Capacity Reservation limitations"). Capacity blocks and interruptible reservations need a market type of their
own in the launch template, which excludes spot; they are refused.
"""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain import checks
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError

OPTION = "capacity_reservation"
DEFAULT = "default"
NONE = "none"
RESERVING = ("capacity-reservations-first", "capacity-reservations-only")
# botocore model: CapacityReservationPreference.
PREFERENCES = (DEFAULT, NONE, *RESERVING)
UNRESERVED: dict[str, Any] = {"ids": [], "preference": DEFAULT, "resource_group_arns": []}
RESERVATION_ID = re.compile(r"cr-[0-9a-f]{17}")
RESOURCE_GROUP = re.compile(
    r"arn:(?P<partition>aws(-[a-z]+)*):resource-groups:(?P<region>[a-z0-9-]+):[0-9]{12}:group/[A-Za-z0-9_./-]{1,300}"
)
# A reservation in another state is on its way (botocore model: CapacityReservationState).
ENDED = frozenset({"cancelled", "cancelling", "expired", "failed", "payment-failed", "unsupported"})
# What takes part in the rules between options.
TOGETHER = frozenset(
    {
        OPTION,
        "availability_zone_distribution",
        "capacity_owner",
        "on_demand_base",
        "on_demand_percentage_above_base",
    }
)


def check_reservation(value: dict[str, Any], option: str) -> dict[str, Any]:
    """A preference with its targets; in the form of UNRESERVED."""
    preference = checks.check_choice(value.get("preference"), f"{option}.preference", PREFERENCES)
    ids, arns = value.get("ids") or [], value.get("resource_group_arns") or []
    if (ids or arns) and preference not in RESERVING:
        rule = f"needs preference: {' or '.join(RESERVING)}"
        raise InputError(f"{option}.{'ids' if ids else 'resource_group_arns'}", ids or arns, rule)
    rule = "must be cr- and 17 hexadecimal digits"
    groups = "must be the ARN of a resource group"
    return {
        "ids": sorted(checks.check_words(ids, f"{option}.ids", RESERVATION_ID, rule, empty=True)),
        "preference": preference,
        "resource_group_arns": sorted(
            checks.check_words(arns, f"{option}.resource_group_arns", RESOURCE_GROUP, groups, empty=True)
        ),
    }


def check_region(reservation: dict[str, Any], region: str) -> None:
    """The resource groups are where the fleet is."""
    for arn in reservation["resource_group_arns"]:
        checks.check_regional_arn(arn, RESOURCE_GROUP, f"{OPTION}.resource_group_arns", "resource group", region)


def read_reservation(described: dict[str, Any] | None) -> dict[str, Any]:
    """A CapacityReservationSpecification as check_reservation has it."""
    described = described or {}
    target = described.get("CapacityReservationTarget") or {}
    return {
        "ids": sorted(target.get("CapacityReservationIds") or []),
        "preference": described.get("CapacityReservationPreference") or DEFAULT,
        "resource_group_arns": sorted(target.get("CapacityReservationResourceGroupArns") or []),
    }


def build_reservation(reservation: dict[str, Any]) -> dict[str, Any]:
    """The CapacityReservationSpecification of a request."""
    targets = {
        "CapacityReservationIds": reservation["ids"],
        "CapacityReservationResourceGroupArns": reservation["resource_group_arns"],
    }
    target = {field: names for field, names in targets.items() if names}
    return {
        "CapacityReservationPreference": reservation["preference"],
        **({"CapacityReservationTarget": target} if target else {}),
    }


def check_useful(fleet: dict[str, Any], given: dict[str, Any]) -> None:
    """What was given together with what stands can use reservations, if it is said to."""
    if not TOGETHER & given.keys():
        return
    preference, zones = fleet[OPTION]["preference"], fleet["availability_zone_distribution"]
    on_demand = fleet["on_demand_base"] or fleet["on_demand_percentage_above_base"] or given.get("on_demand_group")
    if preference in RESERVING and not on_demand:
        rule = "has no effect: spot instances run in no reservation, and on_demand_base and "
        raise InputError(f"{OPTION}.preference", preference, f"{rule}on_demand_percentage_above_base are 0")
    if preference == NONE and zones == "reservations-then-balanced":
        raise InputError("availability_zone_distribution", zones, f"excludes {OPTION}.preference: {NONE}")


def check_described(fleet: dict[str, Any], described: list[dict[str, Any]], zones: list[str], region: str) -> None:
    """The reservations exist and some instance of the fleet can run in each; `zones` are those of its subnets."""
    found = {item["CapacityReservationId"]: item for item in described}
    option = f"{OPTION}.ids"
    for name in fleet[OPTION]["ids"]:
        item = found.get(name)
        if item is None:
            raise InputError(option, name, f"does not exist in {region}")
        if item.get("State") in ENDED:
            raise InputError(option, name, f"is {item['State']}: no instance can run in it")
        if item.get("ReservationType") == "capacity-block" or item.get("Interruptible"):
            kind = "is interruptible" if item.get("Interruptible") else "is a Capacity Block"
            raise InputError(option, name, f"{kind}, which needs a market type that excludes spot instances")
        types = fleet["instance_types"]
        if types and item.get("InstanceType") not in types:
            raise InputError(option, name, f"is for {item.get('InstanceType')}, which is not one of instance_types")
        if zones and item.get("AvailabilityZone") not in (None, *zones):
            rule = f"is in {item['AvailabilityZone']}, subnet_ids are in {', '.join(zones)}"
            raise InputError(option, name, rule)
