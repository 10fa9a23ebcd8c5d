# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tasks that RunTask starts: what is asked of one on Fargate, and how one ends.

No container is ever run, so the market's `runs` says which families end by themselves, when and with which exit code.
Sources: botocore model, RunTask; ECS API reference for codes and texts; ECS developer guide, "Task lifecycle".
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from ministack.services import ecs

from sandbox.ecs.refusal import Refusal
from sandbox.ecs.states import LIVE

if TYPE_CHECKING:
    from sandbox.ecs.scheduler import Scheduler

Data = dict[str, Any]


def check_network(definition: Data, data: Data) -> None:
    if definition.get("networkMode") == "awsvpc" and not data.get("networkConfiguration"):
        raise Refusal(
            "InvalidParameterException",
            "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
        )


def check_fargate(definition: Data) -> None:
    if "FARGATE" not in (definition.get("requiresCompatibilities") or []):
        raise Refusal("InvalidParameterException", "Task definition does not support launch_type FARGATE.")


def follow(scheduler: Scheduler, task: Data) -> None:
    """Let a task that has begun to run end as the market says; a service's tasks run on."""
    family = task["taskDefinitionArn"].rsplit("/", 1)[-1].split(":")[0]
    end = None if task.get("group", "").startswith("service:") else scheduler.context.market.end_of_run(family)
    if end is not None:
        seconds, exit_code = end
        scheduler.context.schedule(seconds, lambda: _end(scheduler, task, exit_code))


def _end(scheduler: Scheduler, task: Data, exit_code: int) -> None:
    with scheduler.context.moto_lock:
        if task["lastStatus"] in LIVE:
            for container in task["containers"]:
                container["exitCode"] = exit_code
            scheduler.stop(task, "Essential container in task exited", "EssentialContainerExited")


def started(answer: Data) -> list[Data]:
    """The records of the tasks in RunTask's answer."""
    return [ecs._tasks[task["taskArn"]] for task in answer["tasks"]]
