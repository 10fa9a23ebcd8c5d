# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Groups and their parts in the shape in which Auto Scaling describes them."""

from __future__ import annotations

from typing import Any

from sandbox.autoscaling.groups import Group
from sandbox.autoscaling.groups import Member
from sandbox.autoscaling.groups import Policy


def group(each: Group) -> dict[str, Any]:
    shown = {
        "AutoScalingGroupName": each.name,
        "AutoScalingGroupARN": each.arn,
        "MinSize": each.min_size,
        "MaxSize": each.max_size,
        "DesiredCapacity": each.desired,
        "AvailabilityZones": each.zones,
        "VPCZoneIdentifier": each.vpc_zone_identifier,
        "CreatedTime": each.created,
        "Status": each.status,
        "Instances": [instance(member) for member in each.members],
        "Tags": sorted(each.tags, key=lambda tag: tag["Key"]),
        "SuspendedProcesses": [
            {"ProcessName": name, "SuspensionReason": reason} for name, reason in sorted(each.suspended.items())
        ],
        "EnabledMetrics": [{"Metric": name, "Granularity": "1Minute"} for name in each.metrics],
        **each.values,
    }
    settings = each.settings
    if settings.policy:
        shown["MixedInstancesPolicy"] = settings.policy
    else:
        shown["LaunchTemplate"] = settings.template
    shown["ServiceLinkedRoleARN"] = each.role
    return {key: value for key, value in shown.items() if value is not None}


def instance(member: Member) -> dict[str, Any]:
    shown = {
        "InstanceId": member.id,
        "InstanceType": member.instance.instance_type,
        "AvailabilityZone": member.zone,
        "LifecycleState": member.lifecycle_state,
        "HealthStatus": "Healthy" if member.healthy else "Unhealthy",
        "LaunchTemplate": member.template,
        "ProtectedFromScaleIn": member.protected,
    }
    if member.weight != 1:
        shown["WeightedCapacity"] = str(member.weight)
    return shown


def instance_of(each: Group, member: Member) -> dict[str, Any]:
    """An entry of DescribeAutoScalingInstances, which writes the health status in capitals."""
    shown = instance(member)
    return {**shown, "AutoScalingGroupName": each.name, "HealthStatus": shown["HealthStatus"].upper()}


def policy(each: Group, name: str, stored: Policy) -> dict[str, Any]:
    return {"AutoScalingGroupName": each.name, "PolicyName": name, "PolicyARN": stored.arn, **stored.values}
