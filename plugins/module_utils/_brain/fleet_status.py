# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a fleet has, against what it should have, and why they differ. PRIVATE to the collection."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.activities import Failure
from ansible_collections.ethereal.spot.plugins.module_utils._brain.activities import failed_launches
from ansible_collections.ethereal.spot.plugins.module_utils._brain.activities import last_launch
from ansible_collections.ethereal.spot.plugins.module_utils._brain.activities import sentence
from ansible_collections.ethereal.spot.plugins.module_utils._brain.activities import standing_failures
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_group import read_group
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_group import tags_of

IN_SERVICE = "InService"


def is_ready(member: dict[str, Any]) -> bool:
    """Whether a group's member serves, as the group sees it."""
    return member["LifecycleState"] == IN_SERVICE and member["HealthStatus"].lower() == "healthy"


def ready_members(group: dict[str, Any]) -> list[dict[str, Any]]:
    """The members that serve."""
    return [member for member in group.get("Instances", []) if is_ready(member)]


def serving_capacity(group: dict[str, Any]) -> int:
    """What the serving members amount to: each counts one, or its weight where types have weights."""
    return sum(int(member.get("WeightedCapacity") or 1) for member in ready_members(group))


def missing(group: dict[str, Any]) -> int:
    """How much serving capacity the group lacks."""
    return max(0, int(group["DesiredCapacity"]) - serving_capacity(group))


def instance_views(group: dict[str, Any], described: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The group's members with what EC2 knows of them, ordered by id; unknown fields are None.

    EC2 names a lifecycle for spot instances only, so every other one that it describes is on-demand.
    """
    details = {instance["InstanceId"]: instance for instance in described}
    views = []
    for member in sorted(group.get("Instances", []), key=lambda item: item["InstanceId"]):
        detail = details.get(member["InstanceId"])
        launch_time = (detail or {}).get("LaunchTime")
        views.append(
            {
                "health": member["HealthStatus"].lower(),
                "instance_id": member["InstanceId"],
                "instance_type": member.get("InstanceType") or (detail or {}).get("InstanceType"),
                "launch_time": launch_time.isoformat() if launch_time else None,
                "lifecycle": detail.get("InstanceLifecycle", "on-demand") if detail else None,
                "lifecycle_state": member["LifecycleState"],
                "private_ip": (detail or {}).get("PrivateIpAddress"),
                "state": (detail or {}).get("State", {}).get("Name"),
                "zone": member["AvailabilityZone"],
            }
        )
    return views


def counts(instances: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """How many instances serve, by market and by zone."""
    serving = [item for item in instances if item["lifecycle_state"] == IN_SERVICE and item["health"] == "healthy"]
    return {
        "by_market": dict(sorted(Counter(item["lifecycle"] or "unknown" for item in serving).items())),
        "by_zone": dict(sorted(Counter(item["zone"] for item in serving).items())),
    }


def wanted_view(group: dict[str, Any]) -> dict[str, Any]:
    """What the group is set to."""
    fields = (
        "capacity_owner",
        "desired_capacity",
        "instance_types",
        "max_size",
        "min_size",
        "on_demand_base",
        "on_demand_percentage_above_base",
        "spot_strategy",
    )
    standing = read_group(group)
    return {field: standing[field] for field in fields}


def wanted_on_demand(group: dict[str, Any]) -> int:
    """How many of the wanted instances the group's split buys on demand; AWS rounds up in favour of on-demand."""
    standing = read_group(group)
    base = min(standing["on_demand_base"], standing["desired_capacity"])
    above = standing["desired_capacity"] - base
    return base + -(-above * standing["on_demand_percentage_above_base"] // 100)


def why(group: dict[str, Any], instances: list[dict[str, Any]], failures: list[Failure]) -> list[str]:
    """Sentences for the difference between wanted and actual; empty if there is none."""
    name = group["AutoScalingGroupName"]
    desired = int(group["DesiredCapacity"])
    serving = serving_capacity(group)
    sentences = []
    if str(group.get("Status") or "").startswith("Delete"):
        sentences.append(f"{name} is being deleted.")
    if serving != desired:
        sentences.append(f"{name} wants {desired} instances, {serving} serve.")
    for state, number in sorted(Counter(item["lifecycle_state"] for item in instances).items()):
        if state != IN_SERVICE:
            sentences.append(f"{number} are {state}.")
    unhealthy = [item["instance_id"] for item in instances if item["health"] != "healthy"]
    if unhealthy:
        sentences.append(f"Unhealthy: {', '.join(unhealthy)}.")
    if serving < desired:
        sentences += [f"Launches fail: {sentence(failure)}" for failure in failures]
        suspended = {item["ProcessName"] for item in group.get("SuspendedProcesses", [])}
        if "Launch" in suspended:
            sentences.append("Launches are suspended in this group.")
    on_demand = sum(1 for item in instances if item["lifecycle"] == "on-demand")
    if instances and on_demand > wanted_on_demand(group):
        sentences.append(f"{on_demand} instances are on-demand, the split asks for {wanted_on_demand(group)}.")
    return sentences


def service_view(service: dict[str, Any]) -> dict[str, Any]:
    """An ECS service's counts, and its latest event while it is not steady."""
    steady = (
        service["runningCount"] == service["desiredCount"]
        and not service["pendingCount"]
        and len(service.get("deployments", [])) <= 1
    )
    events = service.get("events", [])
    return {
        "cluster": service["clusterArn"].rpartition("/")[2],
        "event": events[0]["message"] if events and not steady else None,
        "name": service["serviceName"],
        "pending": service["pendingCount"],
        "running": service["runningCount"],
        "status": service["status"],
        "steady": steady,
        "wanted": service["desiredCount"],
    }


def why_service(name: str, view: dict[str, Any] | None) -> list[str]:
    """Sentences for a service that is not steady, or not there."""
    if view is None:
        return [f"Service {name} does not exist."]
    if view["steady"]:
        return []
    text = f"Service {name} wants {view['wanted']} tasks, {view['running']} run, {view['pending']} are pending."
    return [text, *([f"ECS says: {view['event']}"] if view["event"] else [])]


def failure_view(failure: Failure, group: dict[str, Any]) -> dict[str, Any]:
    """A failed launch with what its group says of it: the group's name, its types, and its market if it has but one."""
    standing = read_group(group)
    split = (standing["on_demand_base"], standing["on_demand_percentage_above_base"])
    market = "spot" if split == (0, 0) else "on-demand" if split[1] == 100 else None
    return {
        **failure.public(),
        "group": group["AutoScalingGroupName"],
        "instance_types": standing["instance_types"],
        "market": failure.market or market,
    }


def group_view(
    group: dict[str, Any], described: list[dict[str, Any]], activities: list[dict[str, Any]], since: datetime
) -> dict[str, Any]:
    """All of it for one group; `since` is how far back failed launches are told."""
    instances = instance_views(group, described)
    recovery = last_launch(activities)
    failures = [
        {**failure.public(), "recovered": recovery is not None and failure.time < recovery.isoformat()}
        for failure in failed_launches(activities, since=since)
    ]
    return {
        "actual": {**counts(instances), "in_service": len(ready_members(group)), "instances": instances},
        "arn": group["AutoScalingGroupARN"],
        "exists": True,
        "failures": failures,
        "name": group["AutoScalingGroupName"],
        "tags": tags_of(group),
        "wanted": wanted_view(group),
        "why": why(group, instances, standing_failures(activities)),
    }
