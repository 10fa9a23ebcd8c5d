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
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING
from typing import Any

from ministack.core import responses
from ministack.services import ecs

from sandbox.autoscaling import hooks
from sandbox.ecs import nodes
from sandbox.ecs import placement
from sandbox.ecs.nodes import Node
from sandbox.ecs.nodes import Nodes

if TYPE_CHECKING:
    from sandbox.autoscaling.engine import Engine
    from sandbox.autoscaling.groups import Member
    from sandbox.context import Context

TICK_SECONDS = 0.2
LONGEST_BACKOFF = 15.0
KEPT_EVENTS = 100
DRAINING_HOOK = "ecs-managed-draining-termination-hook"
LIVE = ("PROVISIONING", "PENDING", "ACTIVATING", "RUNNING")
WAITING = ("PROVISIONING", "PENDING", "ACTIVATING")
_SEE = "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."


class Scheduler:
    """One per process."""

    def __init__(self, context: Context, engine: Engine) -> None:
        self.context = context
        self.engine = engine
        self.nodes = Nodes()
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
        for key in [key for key, service in ecs._services.items() if service["status"] == "ACTIVE"]:
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

    # -- services -----------------------------------------------------------------------------------------------------

    def reconcile(self, key: str) -> None:
        """Bring one service closer to its count: replace what must go within its percentages, start what lacks."""
        service = ecs._services[key]
        cluster, name = key.split("/", 1)
        primary = ecs._primary_deployment(service)
        tasks = [each for each in self.live_tasks(cluster) if each["group"] == f"service:{name}"]
        current = [each for each in tasks if self._stays(each, primary)]
        stale = [each for each in tasks if each not in current]
        desired, limits = service["desiredCount"], service.get("deploymentConfiguration") or {}
        most = desired * int(limits.get("maximumPercent", 200)) // 100
        least = -(-desired * int(limits.get("minimumHealthyPercent", 100)) // 100)
        surplus = sorted(current, key=lambda each: each["createdAt"], reverse=True)[: max(0, len(current) - desired)]
        going = surplus + self._replaceable(current, stale, least)
        for task in going:
            self.stop(task, f"Scaling activity initiated by (deployment {primary['id']})", "ServiceSchedulerInitiated")
        if going:
            self._event(service, f"has stopped {len(going)} running tasks: {_names(going)}.")
        current = [each for each in current if each not in going]
        stale = [each for each in stale if each not in going]
        missing = min(desired - len(current), most - len(current) - len(stale))
        if missing > 0:
            current += self._start_missing(cluster, service, primary, current, missing)
        self._roll_out(service, primary, current, stale)
        self.refresh(cluster, f"service:{name}")

    def _stays(self, task: dict[str, Any], primary: dict[str, Any]) -> bool:
        node = self.nodes.find(responses.get_region(), task["_cluster"], task["containerInstanceArn"])
        return task["_deployment_id"] == primary["id"] and node is not None and node.status == "ACTIVE"

    def _replaceable(self, current: list[dict], stale: list[dict], least: int) -> list[dict]:
        """Old tasks that may stop now: those that do not run, and of the others as many as the minimum allows."""
        idle = [each for each in stale if each["lastStatus"] in WAITING]
        busy = [each for each in stale if each["lastStatus"] == "RUNNING"]
        running = sum(1 for each in current if _serves(each)) + sum(1 for each in busy if _serves(each))
        return idle + busy[: max(0, running - least)]

    def _start_missing(
        self, cluster: str, service: dict, primary: dict, current: list[dict], missing: int
    ) -> list[dict[str, Any]]:
        definition = ecs._task_defs.get(ecs._resolve_td_key(primary["taskDefinition"]))
        if definition is None:
            return []
        strategy, started = service.get("capacityProviderStrategy") or [], []
        blocked: set[str | None] = set()
        while missing > 0:
            provider = self._next_provider(service["desiredCount"], strategy, current + started, blocked)
            if provider in blocked:
                break
            rooms = self.rooms(cluster, provider)
            distinct = any(each["type"] == "distinctInstance" for each in service.get("placementConstraints") or [])
            room, refused = placement.choose(
                rooms,
                placement.needs(definition),
                definition["family"],
                distinct,
                service.get("placementStrategy") or [],
            )
            if room is None:
                blocked.add(provider)
                self._unplaced(service, provider, refused)
                continue
            node = self.nodes.find(responses.get_region(), cluster, room.arn)
            started.append(self.start(cluster, definition, node, provider, self._task_request(service, primary)))
            missing -= 1
        if started:
            service.pop("_retry", None)
            self._event(service, f"has started {len(started)} tasks: {_names(started)}.")
        return started

    def _next_provider(self, desired: int, strategy: list, tasks: list[dict], blocked: set) -> str | None:
        if not strategy:
            return None
        have = Counter(each.get("capacityProviderName") for each in tasks)
        lack = {name: n - have[name] for name, n in placement.provider_targets(desired, strategy).items()}
        open_ones = [name for name in lack if name not in blocked and lack[name] > 0]
        return max(open_ones, key=lambda name: lack[name]) if open_ones else next(iter(blocked), None)

    def _task_request(self, service: dict[str, Any], primary: dict[str, Any]) -> dict[str, Any]:
        tags = list(service.get("tags") or []) if service.get("propagateTags") == "SERVICE" else []
        if service.get("propagateTags") == "TASK_DEFINITION":
            tags = list(ecs._tags.get(primary["taskDefinition"], []))
        if service.get("enableECSManagedTags"):
            cluster = service["clusterArn"].rsplit("/", 1)[-1]
            tags.append({"key": "aws:ecs:clusterName", "value": cluster})
            tags.append({"key": "aws:ecs:serviceName", "value": service["serviceName"]})
        return {
            "taskDefinition": primary["taskDefinition"],
            "group": f"service:{service['serviceName']}",
            "startedBy": primary["id"],
            "networkConfiguration": service.get("networkConfiguration"),
            "enableExecuteCommand": service.get("enableExecuteCommand", False),
            "tags": tags,
            "_deploymentId": primary["id"],
        }

    def _unplaced(self, service: dict[str, Any], provider: str | None, refused: list) -> None:
        """Say why a task could not be placed: at once, then at growing intervals."""
        self.arm()
        now, retry = time.monotonic(), service.setdefault("_retry", {"at": 0.0, "failures": 0})
        service["_steady"] = False
        if now < retry["at"]:
            return
        retry["failures"] += 1
        retry["at"] = now + min(LONGEST_BACKOFF, 2.0 ** (retry["failures"] - 1))
        if refused:
            room, why = placement.closest(refused)
            instance = room.arn.rsplit("/", 1)[-1]
            text = f"The closest matching (container-instance {instance}) {placement.EVENTS[why]}."
            reason = placement.FAILURES.get(why, "ATTRIBUTE")
        else:
            text = (
                f"Reason: No Container Instances were found in your {'capacity provider' if provider else 'cluster'}."
            )
            reason = "RESOURCE:CPU"
        requirement = "was unable to place a task because no container instance met all of its requirements."
        self._event(service, f"{requirement} {text} {_SEE}")
        self._service_action(service, "ERROR", "SERVICE_TASK_PLACEMENT_FAILURE", reason=reason)

    def _roll_out(self, service: dict, primary: dict, current: list[dict], stale: list[dict]) -> None:
        ready = sum(1 for each in current if _serves(each)) == service["desiredCount"]
        steady = ready and len(current) == service["desiredCount"] and not stale
        if steady and primary["rolloutState"] == "IN_PROGRESS":
            primary.update(
                rolloutState="COMPLETED",
                rolloutStateReason=f"ECS deployment {primary['id']} completed.",
                updatedAt=ecs._iso(),
            )
            service["deployments"] = [primary]
            self._event(service, f"(deployment {primary['id']}) deployment completed.")
        if steady and not service.get("_steady"):
            self._event(service, "has reached a steady state.")
            self._service_action(service, "INFO", "SERVICE_STEADY_STATE")
        service["_steady"] = steady
        if not steady:
            self.arm()

    def _event(self, service: dict[str, Any], text: str) -> None:
        message = f"(service {service['serviceName']}) {text}"
        service["events"].insert(0, {"id": ecs.new_uuid(), "createdAt": ecs._iso(), "message": message})
        del service["events"][KEPT_EVENTS:]

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
        self._emit("ECS Task State Change", {**ecs._sanitize(task), "updatedAt": ecs._iso()}, task["taskArn"])

    def say_node(self, node: Node) -> None:
        shown = nodes.view(node, self.tasks_on(node), self.provider_of(node), set())
        cluster = ecs._clusters.get(node.cluster, {}).get("clusterArn", "")
        self._emit("ECS Container Instance State Change", {**shown, "clusterArn": cluster}, node.arn)

    def _service_action(self, service: dict[str, Any], kind: str, name: str, **more: Any) -> None:
        detail = {"eventType": kind, "eventName": name, "clusterArn": service["clusterArn"], "createdAt": ecs._iso()}
        self._emit("ECS Service Action", {**detail, **more}, service["serviceArn"])

    def _emit(self, detail_type: str, detail: dict[str, Any], resource: str) -> None:
        self.context.emit(responses.get_region(), "aws.ecs", detail_type, detail, [resource])


# ministack's own, which makes the record of a task; the handler of the API is ours.
ecs_run_task = ecs._run_task


def _serves(task: dict[str, Any]) -> bool:
    """Running, and healthy where a container says how to tell."""
    healthy = task["healthStatus"] == "HEALTHY" or not task["_health_checked"]
    return task["lastStatus"] == "RUNNING" and healthy


def _count(target: dict[str, Any], tasks: list[dict[str, Any]]) -> None:
    target["runningCount"] = sum(1 for each in tasks if each["lastStatus"] == "RUNNING")
    target["pendingCount"] = sum(1 for each in tasks if each["lastStatus"] in WAITING)


def _names(tasks: list[dict[str, Any]]) -> str:
    return " ".join(f"(task {each['taskArn'].rsplit('/', 1)[-1]})" for each in tasks)
