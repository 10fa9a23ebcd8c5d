# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Services: kept at their counts, rolled out within their percentages, and saying why they cannot.

Sources: ECS developer guide, "Service deployment parameters" and "Service event messages".
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING
from typing import Any

from ministack.core import responses
from ministack.services import ecs

from sandbox.ecs import placement
from sandbox.ecs.states import WAITING

if TYPE_CHECKING:
    from sandbox.ecs.scheduler import Scheduler

LONGEST_BACKOFF = 15.0
KEPT_EVENTS = 100
_SEE = "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."


class Services:
    """The scheduler's half that looks at services."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def reconcile(self, key: str) -> None:
        """Bring one service closer to its count: replace what must go within its percentages, start what lacks."""
        service = ecs._services[key]
        cluster, name = key.split("/", 1)
        primary = ecs._primary_deployment(service)
        tasks = [each for each in self._scheduler.live_tasks(cluster) if each["group"] == f"service:{name}"]
        current = [each for each in tasks if self._stays(each, primary)]
        stale = [each for each in tasks if each not in current]
        desired, limits = service["desiredCount"], service.get("deploymentConfiguration") or {}
        most = desired * int(limits.get("maximumPercent", 200)) // 100
        least = -(-desired * int(limits.get("minimumHealthyPercent", 100)) // 100)
        surplus = sorted(current, key=lambda each: each["createdAt"], reverse=True)[: max(0, len(current) - desired)]
        going = surplus + self._replaceable(current, stale, least)
        for task in going:
            self._scheduler.stop(
                task, f"Scaling activity initiated by (deployment {primary['id']})", "ServiceSchedulerInitiated"
            )
        if going:
            self._event(service, f"has stopped {len(going)} running tasks: {_names(going)}.")
        current = [each for each in current if each not in going]
        stale = [each for each in stale if each not in going]
        missing = min(desired - len(current), most - len(current) - len(stale))
        if missing > 0:
            current += self._start_missing(cluster, service, primary, current, missing)
        self._roll_out(service, primary, current, stale)
        self._scheduler.refresh(cluster, f"service:{name}")

    def _stays(self, task: dict[str, Any], primary: dict[str, Any]) -> bool:
        node = self._scheduler.nodes.find(responses.get_region(), task["_cluster"], task["containerInstanceArn"])
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
            rooms = self._scheduler.rooms(cluster, provider)
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
            node = self._scheduler.nodes.find(responses.get_region(), cluster, room.arn)
            started.append(
                self._scheduler.start(cluster, definition, node, provider, self._task_request(service, primary))
            )
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
        self._scheduler.arm()
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
            self._scheduler.arm()

    def _event(self, service: dict[str, Any], text: str) -> None:
        message = f"(service {service['serviceName']}) {text}"
        service["events"].insert(0, {"id": ecs.new_uuid(), "createdAt": ecs._iso(), "message": message})
        del service["events"][KEPT_EVENTS:]

    def _service_action(self, service: dict[str, Any], kind: str, name: str, **more: Any) -> None:
        detail = {"eventType": kind, "eventName": name, "clusterArn": service["clusterArn"], "createdAt": ecs._iso()}
        self._scheduler.emit("ECS Service Action", {**detail, **more}, service["serviceArn"])


def _serves(task: dict[str, Any]) -> bool:
    """Running, and healthy where a container says how to tell."""
    healthy = task["healthStatus"] == "HEALTHY" or not task["_health_checked"]
    return task["lastStatus"] == "RUNNING" and healthy


def _names(tasks: list[dict[str, Any]]) -> str:
    return " ".join(f"(task {each['taskArn'].rsplit('/', 1)[-1]})" for each in tasks)
