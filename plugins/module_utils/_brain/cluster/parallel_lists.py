# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The eight variables of the Terraform module that clusters came from, as the role's own. PRIVATE to the collection."""

from __future__ import annotations

import ipaddress
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError

VARIABLES = (
    "region",
    "elastic_ip_names",
    "azs",
    "private_subnets",
    "public_subnets",
    "cidr",
    "homeIPAddress",
    "public_key",
)
LISTS = ("elastic_ip_names", "azs", "private_subnets", "public_subnets")


def from_parallel_lists(variables: dict[str, Any], instance_type: str, user_data: str = "") -> dict[str, Any]:
    """The role's variables for the eight: entry i of every list describes node i, which its Elastic IP's name names.

    A node with an Elastic IP lies in its public subnet, since an address does nothing elsewhere. An empty name means a
    node without one, in its private subnet, named node-1, node-2 and so on.
    """
    unknown, missing = sorted(set(variables) - set(VARIABLES)), [key for key in VARIABLES if key not in variables]
    if unknown or missing:
        raise InputError("private_cluster_nodes", unknown or missing, "is unknown" if unknown else "is missing")
    for name in LISTS:
        if not isinstance(variables[name], list):
            raise InputError(name, type(variables[name]).__name__, "must be a list")
    lengths = {name: len(variables[name]) for name in LISTS}
    if len(set(lengths.values())) != 1:
        raise InputError("private_cluster_nodes", lengths, "must be lists of equal lengths, one entry a node")
    subnets: dict[tuple[str, bool], dict[str, Any]] = {}
    nodes = []
    for index, (name, zone, private, public) in enumerate(zip(*(variables[key] for key in LISTS), strict=True)):
        for cidr, is_public in ((private, False), (public, True)):
            kind = "public" if is_public else "private"
            subnet = {"name": f"{kind}-{index + 1}", "zone": zone, "cidr": cidr, "public": is_public}
            # Two nodes may share a subnet: it is one.
            known = subnets.setdefault((_canonical(cidr, f"{kind}_subnets[{index}]"), is_public), subnet)
            if known["zone"] != zone:
                raise InputError(f"azs[{index}]", zone, f"is not the zone of subnet {cidr} elsewhere: {known['zone']}")
        chosen = (_canonical(public if name else private, "subnets"), bool(name))
        node = {"name": name or f"node-{index + 1}", "subnet": subnets[chosen]["name"], "instance_type": instance_type}
        nodes.append({**node, "elastic_ip": bool(name), "user_data": user_data})
    return {
        "private_cluster_region": variables["region"],
        "private_cluster_cidr": variables["cidr"],
        "private_cluster_home_address": variables["homeIPAddress"],
        "private_cluster_public_key": variables["public_key"],
        "private_cluster_subnets": list(subnets.values()),
        "private_cluster_nodes": nodes,
    }


def _canonical(cidr: Any, option: str) -> str:
    try:
        return str(ipaddress.ip_network(cidr))
    except ValueError:
        raise InputError(option, cidr, "is not an IPv4 network such as 10.0.0.0/24") from None
