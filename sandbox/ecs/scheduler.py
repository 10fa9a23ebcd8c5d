# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ECS scheduler: places tasks on container instances, keeps services at their counts, follows instances that go.

Everything here runs under the context's moto_lock, in the account and region of the request or of the tick. ministack
keeps clusters, task definitions, services and tasks; this decides what becomes of tasks on EC2. Fargate stays with
ministack.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING
from typing import Any

from ministack.core import responses
from ministack.services import ecs

from sandbox.autoscaling import hooks
from sandbox.ecs import nodes
from sandbox.ecs import placement
from sandbox.ecs import runs
from sandbox.ecs.nodes import Node
from sandbox.ecs.nodes import Nodes
from sandbox.ecs.services import Services
from sandbox.ecs.states import DRAINING_HOOK
from sandbox.ecs.states import FARGATE
from sandbox.ecs.states import LIVE
from sandbox.ecs.states import WAITING

if TYPE_CHECKING:
    from sandbox.autoscaling.engine import Engine
    from sandbox.autoscaling.groups import Member
    from sandbox.context import Context

TICK_SECONDS = 0.2


class Scheduler:
    """One per process."""

    def __init__(self, context: Context, engine: Engine) -> None:
        self.context = context
        self.engine = engine
        self.nodes = Nodes()
        self._services = Services(self)
        self._regions: set[str] = set()
        self._ticking = False

    def reset(self) -> None:
        self.nodes.reset()
        self._regions.clear()
        self._ticking = False

    # -- time ---------------------------------------------------------------------------------------------------------

    def arm(self) -> None:
        if not self._ticking:
            self._ticking = True
            self.context.schedule(TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        with self.context.moto_lock:
            self._ticking = False
            for region in sorted(self._regions):
                with responses.request_scope(self.context.account, region):
                    self.advance()

    def advance(self) -> None:
        """Bring everything in the present region as far as it can come now."""
        region = responses.get_region()
        self._regions.add(region)
        for node in [each for each in self.nodes.every() if each.region == region]:
            if node.instance.state_code != 16:
                self._host_gone(node)
        for task in list(self.live_tasks()):
            self._step(task)
        for key, service in list(ecs._services.items()):
            if service["status"] == "ACTIVE" and not on_fargate(service):
                self.reconcile(key)
        waiting = self._release_hooks(region)
        if waiting or any(task["lastStatus"] in WAITING or "_due" in task for task in self.live_tasks()):
            self.arm()

    # -- tasks --------------------------------------------------------------------------------------------------------

    def live_tasks(self, cluster: str | None = None) -> Iterator[dict[str, Any]]:
        """Tasks on container instances that have not stopped, in the present region."""
        for task in list(ecs._tasks.values()):
            mine = "_needs" in task and task["lastStatus"] in LIVE
            if mine and (cluster is None or task["_cluster"] == cluster):
                yield task

    def tasks_on(self, node: Node) -> list[dict[str, Any]]:
        return [task for task in self.live_tasks(node.cluster) if task["containerInstanceArn"] == node.arn]

    def _step(self, task: dict[str, Any]) -> None:
        if time.monotonic() < task.get("_due", float("inf")):
            return
        pause = self.context.market.task_seconds
        if task["lastStatus"] == "PROVISIONING":
            ecs._mark_task_pending(task["taskArn"], task)
            task["_due"] = time.monotonic() + pause
        elif task["lastStatus"] in WAITING:
            ecs._mark_task_running(task["taskArn"], task)
            task["_startup_stable"] = True
            for container in task["containers"]:
                container["lastStatus"] = "RUNNING"
            task.pop("_due")
            if task["_health_checked"]:
                task["_due"] = time.monotonic() + pause
            runs.follow(self, task)
        else:
            task.pop("_due")
            task["healthStatus"] = "HEALTHY"
            for container in task["containers"]:
                if container["name"] in task["_health_checked"]:
                    container["healthStatus"] = "HEALTHY"
        self.say_task(task)

    def start(self, cluster: str, definition: dict, node: Node, provider: str | None, request: dict) -> dict[str, Any]:
        """Put one task on an instance; `request` is RunTask's, without what was decided here."""
        wanted = {key: value for key, value in request.items() if key not in ("launchType", "capacityProviderStrategy")}
        choice = {"capacityProviderStrategy": [{"capacityProvider": provider}]} if provider else {"launchType": "EC2"}
        known = set(ecs._tasks.keys())
        ecs_run_task({**wanted, **choice, "cluster": cluster, "count": 1})
        task = ecs._tasks[next(arn for arn in ecs._tasks.keys() if arn not in known)]  # noqa: SIM118  (no dict)
        used = {gpu for each in self.tasks_on(node) for gpu in each["_gpu_ids"]}
        needed = placement.needs(definition)
        free = [gpu for gpu in node.gpu_ids if gpu not in used]
        checked = [each["name"] for each in definition["containerDefinitions"] if each.get("healthCheck")]
        task.update(
            containerInstanceArn=node.arn,
            availabilityZone=node.instance.placement.zone,
            lastStatus="PROVISIONING" if definition.get("networkMode") == "awsvpc" else "PENDING",
            startedAt=None,
            pullStartedAt=None,
            pullStoppedAt=None,
            cpu=str(needed.cpu),
            memory=str(needed.memory),
            _needs=needed,
            _gpu_ids=free[: needed.gpus],
            _cluster=cluster,
            _family=definition["family"],
            _health_checked=checked,
            _due=time.monotonic() + self.context.market.task_seconds,
        )
        for name in ("platformVersion", "platformFamily", "ephemeralStorage"):
            task.pop(name, None)
        left = list(task["_gpu_ids"])
        for container, defined in zip(task["containers"], definition["containerDefinitions"], strict=True):
            container["lastStatus"] = "PENDING"
            count = sum(int(e["value"]) for e in defined.get("resourceRequirements") or [] if e.get("type") == "GPU")
            if count:
                container["gpuIds"], left = left[:count], left[count:]
        self.refresh(cluster, task["group"])
        self.say_task(task)
        self.arm()
        return task

    def stop(self, task: dict[str, Any], reason: str, code: str) -> None:
        if ecs._mark_task_stopped(task["taskArn"], task, reason, code):
            task.pop("_due", None)
            self.say_task(task)
        self.arm()

    def rooms(self, cluster: str, provider: str | None) -> list[placement.Room]:
        """Container instances that tasks may go to: active, connected, of the provider's group."""
        group = self.group_of(provider) if provider else None
        result = []
        for node in self.nodes.of_cluster(responses.get_region(), cluster):
            if node.status == "ACTIVE" and node.instance.state_code == 16 and (not provider or node.group == group):
                tasks = self.tasks_on(node)
                result.append(node.room([each["_needs"] for each in tasks], [each["_family"] for each in tasks]))
        return result

    def group_of(self, provider: str) -> str | None:
        """The name of the Auto Scaling group behind a capacity provider."""
        found = ecs._capacity_providers.get(provider)
        arn = (found or {}).get("autoScalingGroupProvider", {}).get("autoScalingGroupArn", "")
        return arn.rsplit("autoScalingGroupName/", 1)[-1] if arn else None

    def provider_of(self, node: Node) -> str | None:
        associated = ecs._clusters.get(node.cluster, {}).get("capacityProviders", [])
        return next((name for name in associated if node.group and self.group_of(name) == node.group), None)

    def managed(self, node: Node) -> bool:
        """Whether ECS itself drains the instance, by its capacity provider's managed draining."""
        stored = ecs._capacity_providers.get(self.provider_of(node) or "") or {}
        return stored.get("autoScalingGroupProvider", {}).get("managedDraining") == "ENABLED"

    def reconcile(self, key: str) -> None:
        """Bring one service, `cluster/name`, closer to its count."""
        self._services.reconcile(key)

    # -- counts -------------------------------------------------------------------------------------------------------

    def refresh(self, cluster: str, group: str) -> None:
        """Count a service's tasks and those of its deployments; pending are those that are not yet running."""
        service = ecs._services.get(f"{cluster}/{group.removeprefix('service:')}") if group else None
        if service is not None:
            tasks = [
                task
                for task in ecs._tasks.values()
                if task.get("group") == group and task.get("clusterArn") == service["clusterArn"]
            ]
            _count(service, tasks)
            for deployment in service["deployments"]:
                _count(deployment, [each for each in tasks if each.get("_deployment_id") == deployment["id"]])
        self.recount(cluster)

    def recount(self, cluster: str) -> None:
        found = ecs._clusters.get(cluster)
        if found is None:
            return
        tasks = [task["lastStatus"] for task in ecs._tasks.values() if task.get("clusterArn") == found["clusterArn"]]
        found["runningTasksCount"] = sum(1 for each in tasks if each == "RUNNING")
        found["pendingTasksCount"] = sum(1 for each in tasks if each in WAITING)
        found["registeredContainerInstancesCount"] = len(self.nodes.of_cluster(responses.get_region(), cluster))
        found["activeServicesCount"] = sum(
            1 for key, each in ecs._services.items() if key.startswith(f"{cluster}/") and each["status"] == "ACTIVE"
        )

    # -- container instances ------------------------------------------------------------------------------------------

    def joined(self, node: Node) -> None:
        self.nodes.add(node)
        self.say_node(node)
        self.advance()

    def drain(self, node: Node) -> None:
        if node.status == "ACTIVE":
            node.status = "DRAINING"
            node.version += 1
            self.say_node(node)
            self.arm()

    def leave(self, node: Node, reason: str, code: str) -> None:
        """Take an instance off the cluster; its tasks stop."""
        for task in self.tasks_on(node):
            self.stop(task, reason, code)
        node.status = "INACTIVE"
        self.say_node(node)
        self.nodes.remove(node)
        self.recount(node.cluster)

    def _host_gone(self, node: Node) -> None:
        self.leave(node, f"Host EC2 (instance {node.instance.id}) terminated.", "TerminationNotice")

    def _release_hooks(self, region: str) -> bool:
        """Managed draining: an instance that waits in the hook is drained, and let go once its tasks are gone."""
        waiting = False
        for group in list(self.engine.store.groups(region).values()):
            for member in list(group.members):
                if member.lifecycle_state == "Terminating:Wait" and member.hook and member.hook.name == DRAINING_HOOK:
                    if self._drained(member):
                        hooks.complete(member, "CONTINUE")
                        self.engine.advance(group)
                    else:
                        # ECS waits for up to 48 hours (ECS developer guide, "Tasks and managed instance draining").
                        hooks.heartbeat(self.engine, member, time.monotonic())
                        waiting = True
        return waiting

    def _drained(self, member: Member) -> bool:
        node = self.nodes.of_instance(member.id)
        if node is None:
            return True
        self.drain(node)
        return not self.tasks_on(node)

    # -- events -------------------------------------------------------------------------------------------------------

    def say_task(self, task: dict[str, Any]) -> None:
        self.emit("ECS Task State Change", {**ecs._sanitize(task), "updatedAt": ecs._iso()}, task["taskArn"])

    def say_node(self, node: Node) -> None:
        shown = nodes.view(node, self.tasks_on(node), self.provider_of(node), set())
        cluster = ecs._clusters.get(node.cluster, {}).get("clusterArn", "")
        self.emit("ECS Container Instance State Change", {**shown, "clusterArn": cluster}, node.arn)

    def emit(self, detail_type: str, detail: dict[str, Any], resource: str) -> None:
        self.context.emit(responses.get_region(), "aws.ecs", detail_type, detail, [resource])


# ministack's own, which makes the record of a task; the handler of the API is ours.
ecs_run_task = ecs._run_task


def on_fargate(choice: dict[str, Any]) -> bool:
    """Whether a service, or a request to run tasks, is not for container instances."""
    strategy = choice.get("capacityProviderStrategy") or []
    providers = any(each["capacityProvider"] in FARGATE for each in strategy)
    return choice.get("launchType") in ("FARGATE", "EXTERNAL") or providers


def _count(target: dict[str, Any], tasks: list[dict[str, Any]]) -> None:
    target["runningCount"] = sum(1 for each in tasks if each["lastStatus"] == "RUNNING")
    target["pendingCount"] = sum(1 for each in tasks if each["lastStatus"] in WAITING)
