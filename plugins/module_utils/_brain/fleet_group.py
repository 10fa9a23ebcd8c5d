# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet's Auto Scaling group: requests, and what stands in a fleet's terms. PRIVATE to the collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain import names
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet import OWNERS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet import PLAYBOOK
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_balancers import read_balancers
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_capacity import build_distribution
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_capacity import build_overrides
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_capacity import read_capacity
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_extras import LIFECYCLE_HOOKS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_hooks import hook_specifications
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_settings import NO_PROTECTION
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_settings import SETTINGS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_settings import creation_settings
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_settings import read_settings

METRICS_GRANULARITY = "1Minute"

# What UpdateAutoScalingGroup takes one by one, by the fleet's names; the rest is the mixed-instances policy.
PLAIN_FIELDS = {
    "capacity_rebalance": "CapacityRebalance",
    "desired_capacity": "DesiredCapacity",
    "max_size": "MaxSize",
    "min_size": "MinSize",
    "subnet_ids": "VPCZoneIdentifier",
    **{option: setting.field for option, setting in SETTINGS.items()},
}


def read_group(group: dict[str, Any]) -> dict[str, Any]:
    """A fleet's group options from a DescribeAutoScalingGroups entry."""
    owner = tags_of(group).get(names.TAG_CAPACITY_OWNER, PLAYBOOK)
    return {
        "capacity_owner": owner if owner in OWNERS else PLAYBOOK,
        "capacity_rebalance": bool(group.get("CapacityRebalance", False)),
        "desired_capacity": int(group["DesiredCapacity"]),
        "max_size": int(group["MaxSize"]),
        "min_size": int(group["MinSize"]),
        "subnet_ids": sorted(filter(None, (group.get("VPCZoneIdentifier") or "").split(","))),
        **read_balancers(group),
        **read_capacity(group),
        **read_settings(group),
    }


def tags_of(group: dict[str, Any]) -> dict[str, str]:
    """The group's tags as a mapping."""
    return {tag["Key"]: tag.get("Value", "") for tag in group.get("Tags", [])}


def build_tags(name: str, tags: dict[str, str]) -> list[dict[str, Any]]:
    """Tags in the form of CreateOrUpdateTags; the owner's mark stays on the group, all else reaches the instances."""
    return [
        {
            "Key": key,
            "PropagateAtLaunch": key != names.TAG_CAPACITY_OWNER,
            "ResourceId": name,
            "ResourceType": "auto-scaling-group",
            "Value": value,
        }
        for key, value in sorted(tags.items())
    ]


def build_policy(fleet: dict[str, Any], template_id: str, version: str, *, clear_price: bool = False) -> dict[str, Any]:
    """The mixed-instances policy, whole: an update replaces lists and keeps what is left out."""
    return {
        "InstancesDistribution": build_distribution(fleet, clear_price=clear_price),
        "LaunchTemplate": {
            "LaunchTemplateSpecification": {"LaunchTemplateId": template_id, "Version": version},
            "Overrides": build_overrides(fleet),
        },
    }


def create_request(name: str, fleet: dict[str, Any], template_id: str, version: str) -> dict[str, Any]:
    """CreateAutoScalingGroup for a fleet, tags included, so that no group ever stands without its owner."""
    hooks = hook_specifications(fleet["extras"].get(LIFECYCLE_HOOKS, {}))
    return {
        "AutoScalingGroupName": name,
        "CapacityRebalance": fleet["capacity_rebalance"],
        "DesiredCapacity": fleet["desired_capacity"],
        "MaxSize": fleet["max_size"],
        "MinSize": fleet["min_size"],
        "MixedInstancesPolicy": build_policy(fleet, template_id, version),
        "NewInstancesProtectedFromScaleIn": False,
        "Tags": build_tags(name, fleet["group_tags"]),
        "VPCZoneIdentifier": ",".join(fleet["subnet_ids"]),
        **({"TargetGroupARNs": fleet["target_group_arns"]} if fleet["target_group_arns"] else {}),
        **({"LifecycleHookSpecificationList": hooks} if hooks else {}),
        **creation_settings(fleet),
    }


def update_request(
    name: str, fleet: dict[str, Any], fields: set[str], template_id: str, version: str
) -> dict[str, Any]:
    """UpdateAutoScalingGroup for the fields that change and nothing else."""
    request: dict[str, Any] = {"AutoScalingGroupName": name}
    for field in sorted(fields):
        if field == "subnet_ids":
            request[PLAIN_FIELDS[field]] = ",".join(fleet[field])
        elif field in SETTINGS:
            request[PLAIN_FIELDS[field]] = SETTINGS[field].build(fleet[field])
        elif field in PLAIN_FIELDS:
            request[PLAIN_FIELDS[field]] = fleet[field]
        else:
            clear = "spot_max_price" in fields
            request["MixedInstancesPolicy"] = build_policy(fleet, template_id, version, clear_price=clear)
    return request


def unprotect_request(name: str) -> dict[str, Any]:
    """UpdateAutoScalingGroup that lets the group be deleted."""
    return {"AutoScalingGroupName": name, "DeletionProtection": NO_PROTECTION}
