# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What brings a place to its replicas, and whether it has got there. PRIVATE to the collection.

One replica is one task on one instance. A place is a spot group, an on-demand group and, on both, an ECS service. `seen` is
a dict with `groups` (DescribeAutoScalingGroups entries by name), `service` (DescribeServices entry or None), `tasks`
(DescribeTasks), `nodes` (EC2 instance id by container instance ARN) and `needs_health` (whether the task definition has a
health check).
"""

from __future__ import annotations

from dataclasses import asdict
from dataclasses import dataclass
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import check_text
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import EtherealSpotError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet import PLACEMENT
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_group import read_group
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_status import ready_members

SET_GROUP = "set_desired_capacity"
SET_SERVICE = "set_desired_count"
# What ECS says of a task that went because the service wants fewer.
SCALED_DOWN = "Scaling activity initiated by"


@dataclass(frozen=True)
class Wanted:
    """A place and what it shall have; without a service only the groups are looked after."""

    spot_group: str
    on_demand_group: str
    spot: int
    on_demand: int
    cluster: str | None = None
    service: str | None = None

    @property
    def total(self) -> int:
        return self.spot + self.on_demand

    def groups(self) -> dict[str, int]:
        """Wanted instances by group."""
        return {self.spot_group: self.spot, self.on_demand_group: self.on_demand}

    def counts(self) -> dict[str, Any]:
        """The wanted sizes as results show them."""
        tasks = {"tasks": self.total} if self.service else {}
        return {"spot": self.spot, "on_demand": self.on_demand, **tasks}


@dataclass(frozen=True)
class Change:
    """One size that changes: a group's desired capacity or the service's task count."""

    kind: str
    what: str
    before: int
    after: int

    def public(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def grows(self) -> bool:
        return self.after > self.before


def check_service(cluster: str | None, service: str | None) -> None:
    """Cluster and service are given together, as text, or not at all; an explicit null counts as not given."""
    for option, value, other in (("cluster", cluster, service), ("service", service, cluster)):
        if value is not None:
            check_text(value, option, 255)
        elif other is not None:
            raise InputError(option, value, "is needed: cluster and service are given together or not at all")


def current_counts(wanted: Wanted, seen: dict[str, Any]) -> dict[str, Any]:
    """The sizes that stand, in the terms of Wanted.counts; what does not exist counts as 0."""
    groups = seen["groups"]
    counts: dict[str, Any] = {
        market: int(groups[name]["DesiredCapacity"]) if name in groups else 0
        for market, name in (("spot", wanted.spot_group), ("on_demand", wanted.on_demand_group))
    }
    if wanted.service:
        counts["tasks"] = seen["service"]["desiredCount"] if seen["service"] else 0
    return counts


def check_place(wanted: Wanted, seen: dict[str, Any], *, check_mode: bool) -> None:
    """The place is there, is the placement's to scale, and can hold the replicas; an error otherwise.

    In check mode groups and service may be missing: an earlier step of a real run would have made them.
    """
    for option, name, count in (
        ("spot", wanted.spot_group, wanted.spot),
        ("on_demand", wanted.on_demand_group, wanted.on_demand),
    ):
        group = seen["groups"].get(name)
        if group is None:
            # A place without a fallback group is complete while nothing is wanted of it.
            if check_mode or (option == "on_demand" and count == 0):
                continue
            raise EtherealSpotError(f"group {name!r} does not exist: create it with spot_asg before it is scaled")
        standing = read_group(group)
        if standing["capacity_owner"] != PLACEMENT:
            raise EtherealSpotError(
                f"group {name!r} belongs to capacity_owner {standing['capacity_owner']!r}, not to {PLACEMENT!r}: "
                "set it with spot_asg before it is scaled"
            )
        if count > standing["max_size"]:
            raise InputError(option, count, f"is above max_size ({standing['max_size']}) of group {name!r}")
        if count < standing["min_size"]:
            raise InputError(option, count, f"is below min_size ({standing['min_size']}) of group {name!r}")
    if wanted.service and seen["service"] is None and not check_mode:
        raise EtherealSpotError(f"service {wanted.service!r} does not exist in cluster {wanted.cluster!r}")


def plan(wanted: Wanted, seen: dict[str, Any]) -> list[Change]:
    """The changes in the order in which they are made: groups grow, the service follows, groups shrink last.

    So a task never loses its instance while it could have moved, and no instance is paid for that no task needs.
    """
    standing = current_counts(wanted, seen)
    groups = [
        Change(SET_GROUP, name, standing[market], count)
        for market, name, count in (
            ("spot", wanted.spot_group, wanted.spot),
            ("on_demand", wanted.on_demand_group, wanted.on_demand),
        )
        if standing[market] != count
    ]
    service = []
    if wanted.service and standing["tasks"] != wanted.total:
        service = [Change(SET_SERVICE, wanted.service, standing["tasks"], wanted.total)]
    return [
        *(change for change in groups if change.grows),
        *service,
        *(change for change in groups if not change.grows),
    ]


def has_health_check(task_definition: dict[str, Any]) -> bool:
    """Whether ECS reports a task's health: an essential container must have a check (ECS developer guide)."""
    return any(
        container.get("healthCheck") and container.get("essential", True)
        for container in task_definition.get("containerDefinitions", [])
    )


def is_ready_task(task: dict[str, Any], seen: dict[str, Any], members: set[str]) -> bool:
    """Whether a task runs what the service wants, is healthy if ECS can tell, and sits on one of the place's instances."""
    return (
        task["lastStatus"] == "RUNNING"
        and task.get("desiredStatus", "RUNNING") == "RUNNING"
        and task["taskDefinitionArn"] == seen["service"]["taskDefinition"]
        and (not seen["needs_health"] or task.get("healthStatus") == "HEALTHY")
        and seen["nodes"].get(task.get("containerInstanceArn")) in members
    )


def lacks(wanted: Wanted, seen: dict[str, Any]) -> list[str]:
    """What is still missing or still there, in sentences; empty once the place is as wanted."""
    sentences = []
    members: set[str] = set()
    for name, count in wanted.groups().items():
        group = seen["groups"].get(name)
        if group is None:
            if count:
                sentences.append(f"group {name} does not exist")
            continue
        ready = {member["InstanceId"] for member in ready_members(group)}
        members |= ready
        present = len(group.get("Instances", []))
        if int(group["DesiredCapacity"]) != count:
            sentences.append(f"group {name} wants {group['DesiredCapacity']} instances, not {count}")
        if len(ready) < count:
            sentences.append(f"group {name} has {len(ready)} of {count} instances in service")
        if present > count:
            sentences.append(f"group {name} still has {present} instances, {count} shall stay")
    if wanted.service:
        sentences += _lacks_of_service(wanted, seen, members)
    return sentences


def _lacks_of_service(wanted: Wanted, seen: dict[str, Any], members: set[str]) -> list[str]:
    service = seen["service"]
    if service is None:
        return [f"service {wanted.service} does not exist"]
    sentences = []
    if service["desiredCount"] != wanted.total:
        sentences.append(f"service {wanted.service} wants {service['desiredCount']} tasks, not {wanted.total}")
    ready = sum(is_ready_task(task, seen, members) for task in seen["tasks"])
    if ready < wanted.total:
        word = "healthy" if seen["needs_health"] else "running"
        sentences.append(
            f"service {wanted.service} has {ready} of {wanted.total} tasks {word} on the place's instances"
        )
    if service["runningCount"] > wanted.total:
        sentences.append(f"service {wanted.service} still runs {service['runningCount']} tasks")
    return sentences


def task_views(seen: dict[str, Any], instances: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The service's tasks for results; `started_after` is seconds from the instance's launch to the task's start."""
    launched = {item["InstanceId"]: item.get("LaunchTime") for item in instances}
    views = []
    for task in sorted(seen["tasks"], key=lambda item: item["taskArn"]):
        instance_id = seen["nodes"].get(task.get("containerInstanceArn"))
        started, launch = task.get("startedAt"), launched.get(instance_id)
        views.append(
            {
                "arn": task["taskArn"],
                "health": task.get("healthStatus"),
                "instance_id": instance_id,
                "started_after": round((started - launch).total_seconds()) if started and launch else None,
                "started_at": started.isoformat() if started else None,
                "status": task["lastStatus"],
                "zone": task.get("availabilityZone"),
            }
        )
    return views


def stopped_views(tasks: list[dict[str, Any]], limit: int = 5) -> list[dict[str, Any]]:
    """Why the newest stopped tasks stopped, but for those that a smaller count stopped."""
    unwanted = [
        task
        for task in tasks
        if task.get("stoppedAt") and not str(task.get("stoppedReason", "")).startswith(SCALED_DOWN)
    ]
    newest = sorted(unwanted, key=lambda task: task["stoppedAt"], reverse=True)
    return [
        {
            "arn": task["taskArn"],
            "containers": [
                {"exit_code": item.get("exitCode"), "name": item["name"], "reason": item.get("reason")}
                for item in task.get("containers", [])
            ],
            "reason": task.get("stoppedReason"),
            "stopped_at": task["stoppedAt"].isoformat(),
        }
        for task in newest[:limit]
    ]


def stop_sentence(view: dict[str, Any]) -> str:
    """One stopped task for a person to read; a container's own reason says more than the task's."""
    containers = [
        f"{item['name']}: {item['reason'] or 'exit code ' + str(item['exit_code'])}"
        for item in view["containers"]
        if item["reason"] or item["exit_code"]
    ]
    return f"a task stopped: {'; '.join([view['reason'] or 'no reason given', *containers])}"
