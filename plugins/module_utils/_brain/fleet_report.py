# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run says of a fleet, under the names that its users know. PRIVATE to the collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_extras import SCALING_POLICIES
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_scaling import CPU_POLICY
from ansible_collections.ethereal.spot.plugins.module_utils._brain.unknown import KNOWN_AFTER_APPLY


def describe(name: str, current: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Identifiers, sizes and network of a fleet; `current` and `after` are those of fleet_plan."""
    group, chosen = current["group"], after["launch_template"]
    arn = group["AutoScalingGroupARN"] if group else KNOWN_AFTER_APPLY
    latest = (current["template"] or {}).get("LatestVersionNumber", chosen["version"])
    if chosen["version"] == KNOWN_AFTER_APPLY:
        latest = KNOWN_AFTER_APPLY
    sizes = {"min": after["min_size"], "max": after["max_size"], "desired": after["desired_capacity"]}
    instances = [member["InstanceId"] for member in group.get("Instances", [])] if group else []
    interfaces = after["network_interfaces"] or [{}]
    groups = interfaces[0].get("Groups", [])
    return {
        "asg_arn": arn,
        "capacity_config": sizes,
        "cpu_scaling_policy_arn": cpu_policy_arn(current, after),
        "fleet_id": name,
        "group": {"arn": arn, "instances": instances, "launch_template": {**chosen, "name": name}, "name": name},
        "launch_template_arn": template_arn(arn, chosen["id"]),
        "launch_template_id": chosen["id"],
        "launch_template_latest_version": latest,
        "security_group_id": groups[0] if groups else None,
        "security_group_ids": groups,
        "subnet_ids": after["subnet_ids"],
    }


def template_arn(group_arn: str, template_id: str) -> str:
    """EC2 tells no ARN of a launch template: it stands in the group's partition, region and account."""
    if KNOWN_AFTER_APPLY in (group_arn, template_id):
        return KNOWN_AFTER_APPLY
    _arn, partition, _service, region, account, _resource = group_arn.split(":", 5)
    return f"arn:{partition}:ec2:{region}:{account}:launch-template/{template_id}"


def cpu_policy_arn(current: dict[str, Any], after: dict[str, Any]) -> str | None:
    """The ARN of the policy that tracks CPU; None if there is none or policies were not looked at."""
    if CPU_POLICY not in after.get(SCALING_POLICIES, {}):
        return None
    return current.get("policy_arns", {}).get(CPU_POLICY, KNOWN_AFTER_APPLY)
