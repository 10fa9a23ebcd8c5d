# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a private cluster is asked to be, checked and made whole before any call to AWS. PRIVATE to the collection."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import GP3_SIZE
from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import INSTANCE_TYPE
from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import check_boolean
from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import check_choice
from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import check_image_id
from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import check_integer
from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import check_subnet_ids
from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import check_tags
from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import check_vpc_id
from ansible_collections.ethereal.spot.plugins.module_utils._brain.cluster.own_network import own_subnets
from ansible_collections.ethereal.spot.plugins.module_utils._brain.cluster.start_up import check_user_data
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.regions import check_region

# A DNS label (RFC 1123), shorter than its 63 characters so that names made of it fit.
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
LABEL_RULE = "must be a DNS label of at most 32 characters: lower-case letters, digits and hyphens inside"
# What EC2 imports (user guide, "Create a key pair for your instance"): RSA and ED25519, no ECDSA.
KEY_KINDS = ("ssh-rsa", "ssh-ed25519")
# AWS keeps the first four addresses of a subnet and the last (VPC user guide, "Subnet CIDR blocks").
RESERVED_FIRST = 4
SMALLEST_SUBNET = 28
LARGEST_SUBNET = 16
# The template with all of them stays within what CloudFormation takes.
MOST_SUBNETS = 60
UBUNTU = "resolve:ssm:/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"
NODE_DEFAULTS = {
    "image": UBUNTU,
    "user_data": "",
    "market": "on-demand",
    "elastic_ip": False,
    "volume_size": None,
    "private_ip": None,
}
NODE_KEYS = {"name", "subnet", "instance_type", "zone", *NODE_DEFAULTS}
SUBNET_KEYS = {"name", "zone", "cidr", "public"}
OWN_SUBNET_KEYS = {"name", "id"}


def check_cluster(wish: dict[str, Any]) -> dict[str, Any]:
    """The wish with every entry checked and every default filled in; InputError otherwise.

    `wish` has region, home (an address or its /32 or /128), vpn (whether a private home address is meant), public_key,
    cidr, nat, endpoints, subnets, nodes and tags. With vpc_id, a VPC of the user's, it has no cidr, and found_subnets and
    route_tables are as own_subnets takes them.
    """
    region = check_region(wish["region"], "private_cluster_region")
    nat = check_boolean(wish.get("nat", False), "private_cluster_nat")
    vpc_id = wish.get("vpc_id") or ""
    if vpc_id:
        check_vpc_id(vpc_id, "private_cluster_vpc_id")
        given = check_own_subnets(wish["subnets"])
        subnets = own_subnets(given, vpc_id, wish["found_subnets"], wish["route_tables"], "private_cluster_subnets")
    else:
        subnets = check_subnets(wish["subnets"], wish["cidr"], region)
    if nat and vpc_id:
        raise InputError("private_cluster_nat", True, "is for a network that the role makes, not for one of yours")
    if nat and not any(subnet["public"] for subnet in subnets):
        raise InputError("private_cluster_nat", True, "needs a public subnet for the gateway")
    return {
        "region": region,
        "home_cidr": check_home(wish["home"], vpn=check_boolean(wish.get("vpn", False), "private_cluster_vpn")),
        "public_key": check_public_key(wish["public_key"]),
        "nat": nat,
        "endpoints": check_boolean(wish.get("endpoints", True), "private_cluster_endpoints"),
        "vpc_id": vpc_id,
        "cidr": "" if vpc_id else str(_network(wish["cidr"], "private_cluster_cidr")),
        "subnets": subnets,
        "nodes": check_nodes(wish["nodes"], subnets),
        "tags": check_tags(wish.get("tags", {}), "private_cluster_tags"),
    }


def check_home(value: Any, option: str = "private_cluster_home_address", *, vpn: bool = False) -> str:
    """The one address that may open SSH, as a /32: it has to be the address that AWS sees."""
    try:
        home = ipaddress.ip_network(value if isinstance(value, str) else "")
    except ValueError as error:
        rule = "has host bits set: give one address" if "host bits" in str(error) else "is not an IP address"
        raise InputError(option, value, rule) from None
    if home.prefixlen == 0:
        raise InputError(option, value, "opens SSH to everyone; refused")
    if home.num_addresses != 1:
        raise InputError(option, value, f"opens SSH to {home.num_addresses} addresses; one is allowed")
    if home.version != 4:
        raise InputError(option, value, "is an IPv6 address, and the cluster's network has IPv4 only")
    address = home.network_address
    if address.is_unspecified or address.is_loopback or address.is_multicast or address.is_link_local:
        raise InputError(option, value, "is no address that a machine calls from")
    if not address.is_global and not vpn:
        raise InputError(
            option, value, "is a private address, which AWS never sees: with a VPN set private_cluster_vpn"
        )
    return str(home)


def check_public_key(value: Any, option: str = "private_cluster_public_key") -> str:
    """An OpenSSH public key of a kind that EC2 imports. What was given is never shown: it may be a private key."""
    shown = f"a text of {len(value)} characters" if isinstance(value, str) else type(value).__name__
    if isinstance(value, str) and "PRIVATE KEY" in value:
        raise InputError(
            option, shown, "is a private key: give the .pub file's content, and replace the key if it was logged"
        )
    words = value.split() if isinstance(value, str) and len(value.strip().splitlines()) == 1 else []
    if len(words) < 2 or words[0] not in KEY_KINDS:
        raise InputError(option, shown, f"must be one line that starts with {' or '.join(KEY_KINDS)}")
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError):
        blob = b""
    # RFC 4253, section 6.6: the blob begins with the kind's length and name.
    kind = words[0].encode()
    if not blob.startswith(len(kind).to_bytes(4, "big") + kind) or len(blob) < len(kind) + 4 + 32:
        raise InputError(option, shown, f"does not hold a key of kind {words[0]}")
    return " ".join(words[:2])


def check_subnets(value: Any, cidr: Any, region: str, option: str = "private_cluster_subnets") -> list[dict[str, Any]]:
    """Subnets with name, zone, cidr and public, inside the VPC's range and apart from each other."""
    vpc = _network(cidr, "private_cluster_cidr")
    seen: list[tuple[str, ipaddress.IPv4Network]] = []
    subnets: list[dict[str, Any]] = []
    if len(_entries(value, option)) > MOST_SUBNETS:
        raise InputError(option, len(value), f"subnets are listed, limit {MOST_SUBNETS}")
    for index, given in enumerate(value):
        where = f"{option}[{index}]"
        _check_keys(given, where, SUBNET_KEYS, ("name", "zone", "cidr"))
        name = _check_name(given["name"], f"{where}.name", [subnet["name"] for subnet in subnets])
        zone = given["zone"]
        if not isinstance(zone, str) or not re.fullmatch(rf"{re.escape(region)}[a-z]", zone):
            raise InputError(f"{where}.zone", zone, f"is not a zone of {region}")
        network = _network(given["cidr"], f"{where}.cidr")
        if not network.subnet_of(vpc):
            raise InputError(f"{where}.cidr", given["cidr"], f"is not inside the VPC's range {vpc}")
        for other, taken in seen:
            if network.overlaps(taken):
                raise InputError(f"{where}.cidr", given["cidr"], f"overlaps {taken} of subnet {other}")
        seen.append((name, network))
        public = check_boolean(given.get("public", False), f"{where}.public")
        subnets.append({"name": name, "zone": zone, "cidr": str(network), "public": public})
    return subnets


def check_own_subnets(value: Any, option: str = "private_cluster_subnets") -> list[dict[str, Any]]:
    """Subnets of the user's own VPC, by name and id."""
    names: list[str] = []
    for index, given in enumerate(_entries(value, option)):
        where = f"{option}[{index}]"
        _check_keys(given, where, OWN_SUBNET_KEYS, ("name", "id"))
        names.append(_check_name(given["name"], f"{where}.name", names))
        check_subnet_ids([given["id"]], f"{where}.id")
    return value


def check_nodes(
    value: Any, subnets: list[dict[str, Any]], option: str = "private_cluster_nodes"
) -> list[dict[str, Any]]:
    """Nodes with their defaults, each in one of the subnets."""
    by_name = {subnet["name"]: subnet for subnet in subnets}
    nodes: list[dict[str, Any]] = []
    for index, given in enumerate(_entries(value, option)):
        where = f"{option}[{index}]"
        _check_keys(given, where, NODE_KEYS, ("name", "subnet", "instance_type"))
        node = {**NODE_DEFAULTS, **given}
        _check_name(node["name"], f"{where}.name", [other["name"] for other in nodes])
        if node["subnet"] not in by_name:
            raise InputError(f"{where}.subnet", node["subnet"], f"is not one of {', '.join(sorted(by_name))}")
        subnet = by_name[node["subnet"]]
        if node.setdefault("zone", subnet["zone"]) != subnet["zone"]:
            raise InputError(
                f"{where}.zone", node["zone"], f"is not where subnet {subnet['name']} is: {subnet['zone']}"
            )
        if not isinstance(node["instance_type"], str) or not INSTANCE_TYPE.fullmatch(node["instance_type"]):
            raise InputError(
                f"{where}.instance_type", node["instance_type"], "is not an instance type such as g5.xlarge"
            )
        check_image_id(node["image"], f"{where}.image")
        check_choice(node["market"], f"{where}.market", ("spot", "on-demand"))
        node["elastic_ip"] = check_boolean(node["elastic_ip"], f"{where}.elastic_ip")
        if node["elastic_ip"] and not subnet["public"]:
            raise InputError(
                f"{where}.elastic_ip",
                True,
                f"needs a public subnet, and {subnet['name']} is private: nothing would reach it",
            )
        if node["volume_size"] is not None:
            node["volume_size"] = check_integer(node["volume_size"], f"{where}.volume_size", *GP3_SIZE)
        if node["private_ip"] is not None:
            _check_private_ip(node["private_ip"], f"{where}.private_ip", subnet, nodes)
        check_user_data(node["user_data"], f"{where}.user_data")
        nodes.append(node)
    return nodes


def _check_private_ip(value: Any, option: str, subnet: dict[str, Any], others: list[dict[str, Any]]) -> None:
    network = ipaddress.ip_network(subnet["cidr"])
    try:
        address = ipaddress.IPv4Address(value if isinstance(value, str) else "")
    except ValueError:
        raise InputError(option, value, "is not an IPv4 address") from None
    if address not in network:
        raise InputError(option, value, f"is not in subnet {subnet['name']}, {network}")
    if int(address) - int(network.network_address) < RESERVED_FIRST or address == network.broadcast_address:
        raise InputError(option, value, "is one of the five addresses of a subnet that AWS keeps")
    if any(other["private_ip"] == value for other in others):
        raise InputError(option, value, "is another node's address")


def _network(value: Any, option: str) -> ipaddress.IPv4Network:
    try:
        network = ipaddress.IPv4Network(value if isinstance(value, str) and "/" in value else "")
    except ValueError as error:
        rule = "has host bits set" if "host bits" in str(error) else "is not an IPv4 network such as 10.0.0.0/16"
        raise InputError(option, value, rule) from None
    if not LARGEST_SUBNET <= network.prefixlen <= SMALLEST_SUBNET:
        raise InputError(option, value, f"must be /{LARGEST_SUBNET} to /{SMALLEST_SUBNET}, as VPCs and subnets are")
    return network


def _check_name(value: Any, option: str, others: list[str]) -> str:
    if not isinstance(value, str) or not LABEL.fullmatch(value):
        raise InputError(option, value, LABEL_RULE)
    if value in others:
        raise InputError(option, value, "is listed twice")
    return value


def _entries(value: Any, option: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not value:
        raise InputError(option, type(value).__name__, "must be a list with at least one entry")
    for index, entry in enumerate(value):
        if not isinstance(entry, dict):
            raise InputError(f"{option}[{index}]", type(entry).__name__, "must be a mapping")
    return value


def _check_keys(entry: dict[str, Any], option: str, known: set[str], required: tuple[str, ...]) -> None:
    for key in entry:
        if key not in known:
            raise InputError(option, key, f"is not one of {', '.join(sorted(known))}")
    for key in required:
        if key not in entry:
            raise InputError(option, sorted(entry), f"lacks {key}")
