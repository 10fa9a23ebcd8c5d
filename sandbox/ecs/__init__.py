# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ECS on EC2: container instances, placement with GPUs, services that follow their instances."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import ecs

from sandbox import autoscaling
from sandbox import ec2
from sandbox.ecs import agent
from sandbox.ecs.actions import Actions
from sandbox.ecs.providers import ProviderActions
from sandbox.ecs.refusal import Refusal
from sandbox.ecs.scheduler import Scheduler

if TYPE_CHECKING:
    from sandbox.autoscaling.groups import Group
    from sandbox.autoscaling.groups import Member
    from sandbox.context import Context

NEEDS = [
    f"ministack.services.ecs.{name}"
    for name in (
        "_ACTION_MAP",
        "_capacity_providers",
        "_clusters",
        "_create_capacity_provider",
        "_create_cluster",
        "_create_service",
        "_delete_cluster",
        "_delete_service",
        "_describe_capacity_providers",
        "_describe_clusters",
        "_describe_services",
        "_describe_tasks",
        "_get_docker",
        "_iso",
        "_list_tasks",
        "_make_deployment",
        "_mark_task_pending",
        "_mark_task_running",
        "_mark_task_stopped",
        "_primary_deployment",
        "_put_cluster_capacity_providers",
        "_recount_cluster",
        "_reconcile_service_tasks",
        "_refresh_service_state",
        "_resolve_capacity_provider_name",
        "_resolve_cluster_name",
        "_resolve_service_ref",
        "_resolve_td_key",
        "_run_task",
        "_sanitize",
        "_services",
        "_stop_task",
        "_tags",
        "_task_defs",
        "_tasks",
        "_update_service",
        "new_uuid",
    )
] + ["ministack.services.iam._instance_profiles", "ministack.services.iam._roles"]

_make_deployment = ecs._make_deployment


class _Parts:
    scheduler: Scheduler


def install(context: Context) -> None:
    engine = autoscaling.engine()
    _Parts.scheduler = scheduler = Scheduler(context, engine)
    actions, providers = Actions(scheduler), ProviderActions(scheduler)
    for name, handler in {**actions.table, **providers.table}.items():
        ecs._ACTION_MAP[name] = _guarded(context, handler)
    # Step Functions and ministack's own code call these by name.
    ecs._run_task = ecs._ACTION_MAP["RunTask"]
    ecs._describe_tasks = ecs._ACTION_MAP["DescribeTasks"]
    ecs._reconcile_service_tasks = actions.reconcile
    ecs._refresh_service_state = lambda cluster, group: scheduler.refresh(cluster, group or "")
    ecs._recount_cluster = scheduler.recount
    ecs._make_deployment = _deployment
    # Containers are never run, whatever the machine has installed.
    ecs._get_docker = lambda: None
    engine.listeners.append(lambda what, group, member: _follow(context, scheduler, what, group, member))
    ec2.instances_of().watchers.append(lambda instance: scheduler.arm())


def reset(context: Context) -> None:
    _Parts.scheduler.reset()


def _guarded(context: Context, handler: Callable[[dict], Any]) -> Callable[[dict], Any]:
    def handle(data: dict) -> Any:
        with context.moto_lock:
            try:
                return handler(data)
            except Refusal as refusal:
                return error_response_json(refusal.code, refusal.message, 400)

    return handle


def _deployment(task_definition: str, desired: int, status: str = "PRIMARY") -> dict[str, Any]:
    """A new deployment is in progress until its tasks run: ministack calls the first one completed at once."""
    deployment = _make_deployment(task_definition, desired, status)
    reason = f"ECS deployment {deployment['id']} in progress."
    return {**deployment, "rolloutState": "IN_PROGRESS", "rolloutStateReason": reason}


def _follow(context: Context, scheduler: Scheduler, what: str, group: Group, member: Member) -> None:
    """What becomes of a group's instance in ECS."""
    if what == "launched" and agent.cluster_of(member.instance):
        agent.boot(context, group.region, member.instance, lambda: scheduler.nodes.of_instance(member.id) is None)
    elif what == "warned":
        node = scheduler.nodes.of_instance(member.id)
        # Managed draining hears of warnings by itself (ECS developer guide, "Managed instance draining and Spot Instance draining").
        if node is not None and (scheduler.managed(node) or agent.drains_on_notice(member.instance)):
            scheduler.drain(node)
    elif what in ("terminating", "gone"):
        scheduler.arm()
