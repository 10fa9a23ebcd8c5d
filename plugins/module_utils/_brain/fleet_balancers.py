# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet behind load balancers: its target groups, and health checks that need one. PRIVATE to the collection."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain import checks
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError

TARGET_GROUP = re.compile(
    r"arn:(?P<partition>aws(-[a-z]+)*):elasticloadbalancing:(?P<region>[a-z0-9-]+):[0-9]{12}:"
    r"targetgroup/[A-Za-z0-9-]{1,32}/[0-9a-f]{16,17}"
)


def check_target_groups(value: Any, option: str, region: str) -> list[str]:
    """Target groups of the fleet's region, sorted; an empty list is none."""
    if not value:
        return []
    arns = checks.check_words(value, option, TARGET_GROUP, "must be a target group's ARN")
    for arn in arns:
        match = TARGET_GROUP.fullmatch(arn)
        if match:
            checks.check_partition(match["partition"], arn, option, region)
            if match["region"] != region:
                raise InputError(option, arn, f"is in {match['region']}, the fleet is in {region}")
    return sorted(arns)


def read_balancers(group: dict[str, Any]) -> dict[str, Any]:
    """Target groups of a DescribeAutoScalingGroups entry, and whatever else sends traffic to it."""
    arns = sorted(group.get("TargetGroupARNs") or [])
    sources = {item.get("Identifier", "") for item in group.get("TrafficSources") or []} - set(arns)
    return {
        "other_balancers": sorted({*(group.get("LoadBalancerNames") or []), *sources}),
        "target_group_arns": arns,
    }


def check_health(fleet: dict[str, Any], given: dict[str, Any]) -> None:
    """A load balancer's health checks need a load balancer."""
    if not {"health_check_type", "target_group_arns"} & given.keys():
        return
    if "ELB" in fleet["health_check_type"] and not fleet["target_group_arns"] and not fleet.get("other_balancers"):
        raise InputError(
            "health_check_type", fleet["health_check_type"], "needs target_group_arns: no load balancer checks"
        )


def check_described(wanted: list[str], described: list[dict[str, Any]], vpc_id: str | None, region: str) -> None:
    """The target groups exist, take instances, and are in the subnets' VPC as far as that is known."""
    found = {group["TargetGroupArn"]: group for group in described}
    for arn in wanted:
        group = found.get(arn)
        if group is None:
            raise InputError("target_group_arns", arn, f"does not exist in {region}")
        if group.get("TargetType", "instance") != "instance":
            raise InputError("target_group_arns", arn, f"takes targets of type {group['TargetType']}, must be instance")
        if vpc_id and group.get("VpcId", vpc_id) != vpc_id:
            raise InputError("target_group_arns", arn, f"is in {group['VpcId']}, the subnets are in {vpc_id}")
