# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tasks that are run to their end: what a job wants, what is still to be started, how its tasks ended. PRIVATE to the collection."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError

# Tasks of one call (botocore model: RunTask).
MOST_TASKS = 10
# What startedBy takes (botocore model: RunTask).
JOB = re.compile(r"[A-Za-z0-9/_-]{1,128}")
# Far longer than ECS takes to list a task that it started.
TOKEN_SECONDS = 300
LAUNCH_TYPES = ("EC2", "FARGATE")

# Why a task stopped that was not stopped by anybody (botocore model: TaskStopCode).
BY_ITSELF = "EssentialContainerExited"

RUNNING = "running"
SUCCEEDED = "succeeded"
FAILED = "failed"


@dataclass(frozen=True)
class Wanted:
    """A job's tasks; `strategy` is the option capacity_provider_strategy of spot_task_run, the others are called as their options."""

    cluster: str
    job: str
    count: int = 1
    launch_type: str | None = None
    strategy: Sequence[Mapping[str, Any]] = ()
    subnet_ids: Sequence[str] = ()
    security_group_ids: Sequence[str] = ()
    overrides: Sequence[Mapping[str, Any]] = ()
    tags: Mapping[str, str] | None = None


def check_wanted(params: Mapping[str, Any]) -> Wanted:
    """The options, or InputError for what ECS would refuse."""
    job, count = params["job"], params["count"]
    if not JOB.fullmatch(job):
        raise InputError("job", job, "must be 1 to 128 letters, digits, hyphens, slashes and underscores")
    if not 1 <= count <= MOST_TASKS:
        raise InputError("count", count, f"must be 1 to {MOST_TASKS}, as many as one call starts")
    if params["launch_type"] and params["capacity_provider_strategy"]:
        raise InputError("launch_type", params["launch_type"], "and capacity_provider_strategy exclude each other")
    if params["security_group_ids"] and not params["subnet_ids"]:
        raise InputError("security_group_ids", params["security_group_ids"], "need subnet_ids")
    for index, item in enumerate(params["capacity_provider_strategy"]):
        if not 0 <= item["weight"] <= 1000:
            raise InputError(f"capacity_provider_strategy[{index}].weight", item["weight"], "must be 0 to 1000")
    names = [item["name"] for item in params["overrides"]]
    for name in names:
        if names.count(name) > 1:
            raise InputError("overrides", name, "is listed twice")
    return Wanted(
        cluster=params["cluster"],
        job=job,
        count=count,
        launch_type=params["launch_type"],
        strategy=params["capacity_provider_strategy"],
        subnet_ids=params["subnet_ids"],
        security_group_ids=params["security_group_ids"],
        overrides=params["overrides"],
        tags=params["tags"],
    )


def check_definition(wanted: Wanted, definition: Mapping[str, Any]) -> None:
    """What a request must and must not have for this task definition (botocore model: RunTask)."""
    family = definition["family"]
    if definition.get("status") not in (None, "ACTIVE"):
        raise InputError("task_definition", definition["taskDefinitionArn"], f"is {definition['status']}")
    awsvpc = definition.get("networkMode") == "awsvpc"
    if awsvpc and not wanted.subnet_ids:
        raise InputError(
            "subnet_ids", list(wanted.subnet_ids), f"must be given: tasks of {family} have network interfaces"
        )
    if wanted.subnet_ids and not awsvpc:
        raise InputError(
            "subnet_ids", list(wanted.subnet_ids), f"is only for network mode awsvpc, which {family} has not"
        )
    known = [container["name"] for container in definition["containerDefinitions"]]
    for item in wanted.overrides:
        if item["name"] not in known:
            raise InputError("overrides", item["name"], f"is no container of {family} ({', '.join(known)})")


def of_job(tasks: Iterable[Mapping[str, Any]], wanted: Wanted, definition: str) -> list[Mapping[str, Any]]:
    """The job's tasks of this revision of the task definition, as DescribeTasks gives them, oldest first."""
    own = [task for task in tasks if task.get("startedBy") == wanted.job and task["taskDefinitionArn"] == definition]
    return sorted(own, key=lambda task: (str(task.get("createdAt", "")), task["taskArn"]))


def outcome(task: Mapping[str, Any], essential: Iterable[str]) -> str:
    """A task has succeeded if it stopped by itself and every essential container ended with 0.

    A container that is told to stop, by a person or before its spot instance is lost, may end with 0 as well, and has not done its work.
    """
    if task["lastStatus"] != "STOPPED":
        return RUNNING
    if task.get("stopCode") != BY_ITSELF:
        return FAILED
    codes = {container["name"]: container.get("exitCode") for container in task.get("containers", [])}
    return SUCCEEDED if all(codes.get(name) == 0 for name in essential) else FAILED


def essential_containers(definition: Mapping[str, Any]) -> list[str]:
    """Containers whose end is the task's; essential unless told otherwise."""
    return [item["name"] for item in definition["containerDefinitions"] if item.get("essential", True)]


def missing(tasks: Sequence[Mapping[str, Any]], essential: Sequence[str], count: int) -> int:
    """How many to start: as many as neither run nor have succeeded. What failed is run again."""
    return max(0, count - sum(outcome(task, essential) != FAILED for task in tasks))


def request(
    wanted: Wanted, definition: str, known: Sequence[Mapping[str, Any]], count: int, now: float
) -> dict[str, Any]:
    """RunTask's arguments to start more tasks than those that are known; `now` in seconds.

    The token is the same for the same request after the same tasks: a run that died after its call starts nothing twice, before
    ListTasks shows what it started. ECS gives the first answer again for up to 24 hours, and does not say whether that holds for one
    in which nothing was placed (API reference, "Ensuring idempotency"), so that a token is kept for some minutes only.
    """
    found: dict[str, Any] = {
        "cluster": wanted.cluster,
        "taskDefinition": definition,
        "count": count,
        "startedBy": wanted.job,
        "propagateTags": "TASK_DEFINITION",
    }
    if wanted.launch_type:
        found["launchType"] = wanted.launch_type
    if wanted.strategy:
        found["capacityProviderStrategy"] = [
            {"capacityProvider": item["capacity_provider"], "weight": item["weight"], "base": item["base"]}
            for item in wanted.strategy
        ]
    if wanted.subnet_ids:
        network = {"subnets": list(wanted.subnet_ids), "assignPublicIp": "DISABLED"}
        if wanted.security_group_ids:
            network["securityGroups"] = list(wanted.security_group_ids)
        found["networkConfiguration"] = {"awsvpcConfiguration": network}
    if wanted.overrides:
        found["overrides"] = {"containerOverrides": [_override(item) for item in wanted.overrides]}
    if wanted.tags:
        found["tags"] = [{"key": key, "value": str(value)} for key, value in sorted(wanted.tags.items())]
    story = json.dumps([found, [task["taskArn"] for task in known], now // TOKEN_SECONDS], sort_keys=True)
    return {**found, "clientToken": hashlib.sha256(story.encode()).hexdigest()}


def _override(item: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"name": item["name"]}
    if item.get("command"):
        found["command"] = list(item["command"])
    if item.get("environment"):
        found["environment"] = [
            {"name": name, "value": str(value)} for name, value in sorted(item["environment"].items())
        ]
    return found


def to_stop(tasks: Iterable[Mapping[str, Any]], family: str | None = None) -> list[Mapping[str, Any]]:
    """Tasks that run on their own, of one family or of any; a service would replace those that are its own."""
    return [
        task
        for task in tasks
        if task["lastStatus"] != "STOPPED"
        and not task.get("group", "").startswith("service:")
        and family in (None, task["taskDefinitionArn"].rpartition("/")[2].partition(":")[0])
    ]


def refusals(failures: Iterable[Mapping[str, Any]]) -> list[str]:
    """RunTask's failures for people: each reason with what it is about (ECS developer guide, "API failure reasons")."""
    return [" ".join(filter(None, (item.get("reason"), item.get("arn"), item.get("detail")))) for item in failures]


def view(task: Mapping[str, Any], essential: Sequence[str]) -> dict[str, Any]:
    """A task for results."""
    return {
        "arn": task["taskArn"],
        "outcome": outcome(task, essential),
        "status": task["lastStatus"],
        "stop_code": task.get("stopCode") or None,
        "stopped_reason": task.get("stoppedReason") or None,
        "started_at": task["startedAt"].isoformat() if task.get("startedAt") else None,
        "stopped_at": task["stoppedAt"].isoformat() if task.get("stoppedAt") else None,
        "containers": [
            {"name": item["name"], "exit_code": item.get("exitCode"), "reason": item.get("reason")}
            for item in task.get("containers", [])
        ],
    }


def verdict(task: Mapping[str, Any]) -> str:
    """Why a view's task failed, in one line."""
    parts = [
        f"{item['name']} ended with {item['exit_code']}"
        if item["exit_code"] is not None
        else f"{item['name']} did not run"
        for item in task["containers"]
        if item["exit_code"] != 0
    ]
    parts += [task[name] for name in ("stop_code", "stopped_reason") if task[name]]
    parts += [item["reason"] for item in task["containers"] if item["reason"]]
    return f"{task['arn']}: {', '.join(parts) or 'no reason given'}"
