# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to happen to the nodes that stand, so that they are those that are wanted. PRIVATE to the collection."""

from __future__ import annotations

import hashlib
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.cluster.start_up import wrapped
from ansible_collections.ethereal.spot.plugins.module_utils._brain.table import NONE
from ansible_collections.ethereal.spot.plugins.module_utils._brain.table import table

TAG_NODE = "ethereal-spot:node"
TAG_WISH = "ethereal-spot:wish"
# What only a new instance can bring. An Elastic IP moves.
PARTS = ("image", "instance_type", "market", "private_ip", "subnet", "user_data", "volume_size")
ALIVE = ("pending", "running", "stopping", "stopped")


def wish_tag(node: dict[str, Any]) -> str:
    """What an instance was launched for, part by part, short enough for a tag: later runs say by it what differs."""
    return " ".join(f"{part}:{hashlib.sha256(str(node[part]).encode()).hexdigest()[:8]}" for part in PARTS)


def plan_nodes(
    nodes: list[dict[str, Any]], instances: list[dict[str, Any]], *, replace: bool = False
) -> dict[str, Any]:
    """Nodes to launch, the images that they need, instances to terminate, nodes that differ and stay, and the instances that stay.

    `nodes` are checked (`check_nodes`); `instances` are as amazon.aws.ec2_instance_info gives them. A node whose instance
    is gone - an interrupted spot node - is launched again. Of several instances of one node the oldest stays.
    """
    wanted = {node["name"]: node for node in nodes}
    standing: dict[str, dict[str, Any]] = {}
    terminate: list[str] = []
    alive = [instance for instance in instances if instance["state"]["name"] in ALIVE]
    for instance in sorted(alive, key=lambda item: (str(item["launch_time"]), item["instance_id"])):
        name = instance["tags"].get(TAG_NODE)
        if name not in wanted or name in standing:
            terminate.append(instance["instance_id"])
        else:
            standing[name] = instance
    differs = {name: parts for name, found in standing.items() if (parts := _differences(wanted[name], found))}
    if replace:
        terminate += [standing.pop(name)["instance_id"] for name in differs]
        differs = {}
    launch = [node for name, node in wanted.items() if name not in standing]
    return {
        "launch": [{**node, **_launch_facts(node)} for node in launch],
        "images": [{key: node[key] for key in ("image", "instance_type")} for node in launch],
        "terminate": terminate,
        "differs": differs,
        "standing": {name: found["instance_id"] for name, found in standing.items()},
    }


def _launch_facts(node: dict[str, Any]) -> dict[str, str]:
    return {"wish": wish_tag(node), "wrapped_user_data": wrapped(node["user_data"])}


def _differences(node: dict[str, Any], instance: dict[str, Any]) -> list[str]:
    was = dict(part.split(":", 1) for part in instance["tags"].get(TAG_WISH, "").split() if ":" in part)
    now = dict(part.split(":", 1) for part in wish_tag(node).split())
    return [part for part in PARTS if was.get(part) != now[part]]


def plan_addresses(
    nodes: list[dict[str, Any]], standing: dict[str, str], addresses: list[dict[str, Any]]
) -> dict[str, list[dict[str, Any]]]:
    """Elastic IPs to associate (with the node's own address, if it has one already) and to release.

    `addresses` are as amazon.aws.ec2_eip_info gives them, with the node's name in their tags.
    """
    own: dict[str, dict[str, Any]] = {}
    release = []
    wanted = {node["name"] for node in nodes if node["elastic_ip"]}
    for address in sorted(addresses, key=lambda item: item["allocation_id"]):
        name = address["tags"].get(TAG_NODE)
        if name in wanted and name not in own:
            own[name] = address
        else:
            release.append({"public_ip": address["public_ip"], "instance_id": address.get("instance_id")})
    associate = [
        {"node": name, "instance_id": standing[name], "public_ip": own.get(name, {}).get("public_ip")}
        for name in sorted(wanted)
        if name in standing and own.get(name, {}).get("instance_id") != standing[name]
    ]
    return {"associate": associate, "release": release}


def reach_lines(
    nodes: list[dict[str, Any]], instances: list[dict[str, Any]], region: str, *, sessions: bool
) -> list[str]:
    """How to reach each node, one line a node: SSH where it has a public address, Session Manager where its agent has a way."""
    found = {item["tags"].get(TAG_NODE): item for item in instances if item["state"]["name"] in ALIVE}
    public_way = {node["name"] for node in nodes if node["elastic_ip"]}
    rows = []
    for node in nodes:
        item = found.get(node["name"], {})
        ssh = f"ssh ubuntu@{item['public_ip_address']}" if item.get("public_ip_address") else NONE
        session = sessions or node["name"] in public_way
        start = f"aws ssm start-session --region {region} --target {item['instance_id']}" if item and session else NONE
        state = item["state"]["name"] if item else "missing"
        rows.append((node["name"], node["zone"], state, item.get("private_ip_address") or NONE, ssh, start))
    return table(("node", "zone", "state", "address", "ssh from home", "session"), rows)
