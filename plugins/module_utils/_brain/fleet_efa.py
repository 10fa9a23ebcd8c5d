# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Elastic Fabric Adapters: how many a fleet's instances have, and what these need. PRIVATE to the collection.

Facts are from the EC2 user guide, "Elastic Fabric Adapter for AI/ML and HPC workloads".
"""

from __future__ import annotations

from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError

EFA = "efa"
# Without an address of its own, so that large instances do not use a subnet up.
EFA_ONLY = "efa-only"
ALL_TRAFFIC = "-1"


def build_interfaces(groups: list[str], adapters: int) -> list[dict[str, Any]]:
    """A launch template's network interfaces; none has a public address. Without adapters, one plain interface.

    The primary one is on card 0 as device 0, every other one on a card of its own as device 1.
    """
    primary = {
        "AssociatePublicIpAddress": False,
        "DeleteOnTermination": True,
        "DeviceIndex": 0,
        "Groups": sorted(groups),
    }
    if not adapters:
        return [primary]
    others = [
        {
            "DeleteOnTermination": True,
            "DeviceIndex": 1,
            "Groups": sorted(groups),
            "InterfaceType": EFA_ONLY,
            "NetworkCardIndex": card,
        }
        for card in range(1, adapters)
    ]
    return [{**primary, "InterfaceType": EFA, "NetworkCardIndex": 0}, *others]


def count_adapters(interfaces: list[dict[str, Any]]) -> int:
    """How many of a launch template's interfaces are adapters."""
    return sum(interface.get("InterfaceType") in (EFA, EFA_ONLY) for interface in interfaces)


def adapters_of(types: list[dict[str, Any]]) -> int:
    """The most adapters that every one of the DescribeInstanceTypes entries takes, since one template serves them all."""
    result = []
    for described in types:
        network = described.get("NetworkInfo", {})
        if not network.get("EfaSupported"):
            raise InputError("efa", True, f"is not supported by instance type {described['InstanceType']}")
        largest = network.get("EfaInfo", {}).get("MaximumEfaInterfaces", 1)
        result.append(min(largest, network.get("MaximumNetworkCards", 1)))
    return max(1, min(result, default=1))


def check_group(group_ids: list[str], described: list[dict[str, Any]]) -> None:
    """Some security group lets all traffic in from itself and out to itself, by name and not by addresses.

    Else the adapter is there and the traffic that bypasses the kernel is dropped.
    """

    def open_to_itself(group: dict[str, Any], direction: str) -> bool:
        return any(
            rule.get("IpProtocol") == ALL_TRAFFIC
            and any(pair.get("GroupId") == group["GroupId"] for pair in rule.get("UserIdGroupPairs", []))
            for rule in group.get(direction, [])
        )

    if not any(
        open_to_itself(group, "IpPermissions") and open_to_itself(group, "IpPermissionsEgress") for group in described
    ):
        rule = "must allow all traffic from itself and to itself, one of them at least: efa does not work without"
        raise InputError("security_group_ids", group_ids, rule)


def advice(fleet: dict[str, Any], zones: list[str]) -> list[str]:
    """Warnings about where the instances stand: adapters do not reach over zones."""
    if len(zones) > 1:
        return [f"efa: its traffic does not cross zones, and subnet_ids are in {', '.join(zones)}"]
    if not fleet["placement_group"]:
        return ["efa: AWS advises a cluster placement_group, for low latency"]
    return []
