# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bringing a place to its replicas and watching it get there. PRIVATE to the collection.

`clients` gives a botocore client for a service's name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._aws import autoscaling
from ansible_collections.ethereal.spot.plugins.module_utils._aws import ec2
from ansible_collections.ethereal.spot.plugins.module_utils._aws import ecs
from ansible_collections.ethereal.spot.plugins.module_utils._aws import waiters
from ansible_collections.ethereal.spot.plugins.module_utils._aws.fleet_proof import prove
from ansible_collections.ethereal.spot.plugins.module_utils._aws.fleet_wait import known_activities
from ansible_collections.ethereal.spot.plugins.module_utils._aws.fleet_wait import wait_ready
from ansible_collections.ethereal.spot.plugins.module_utils._brain import activities as launches
from ansible_collections.ethereal.spot.plugins.module_utils._brain import placement
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import EtherealSpotError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_status import failure_view
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_status import instance_views
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_status import missing

Clients = Callable[[str], Any]


class Place:
    """One place under a deadline: `timeout` seconds from its making, by the pace's clock."""

    def __init__(self, clients: Clients, wanted: placement.Wanted, timeout: float, patience: float, pace: waiters.Pace):
        self._clients = clients
        self._wanted = wanted
        self._pace = pace
        self._start = pace.clock()
        self._timeout = timeout
        self._patience = patience
        self._health: dict[str, bool] = {}
        self._known: dict[str, set[str]] = {}

    def elapsed(self) -> float:
        return self._pace.clock() - self._start

    def look(self, *, with_tasks: bool = True) -> dict[str, Any]:
        """What placement calls `seen`."""
        wanted = self._wanted
        groups = autoscaling.describe_groups(self._clients("autoscaling"), list(wanted.groups()))
        seen: dict[str, Any] = {
            "groups": {group["AutoScalingGroupName"]: group for group in groups},
            "needs_health": False,
            "nodes": {},
            "service": None,
            "tasks": [],
        }
        if wanted.service:
            seen["service"] = ecs.describe_service(self._clients("ecs"), wanted.cluster, wanted.service)
        if seen["service"] and with_tasks:
            seen["needs_health"] = self._needs_health(seen["service"]["taskDefinition"])
            self._look_at_tasks(seen)
        return seen

    def _needs_health(self, task_definition: str) -> bool:
        if task_definition not in self._health:
            described = ecs.describe_task_definition(self._clients("ecs"), task_definition)
            self._health[task_definition] = placement.has_health_check(described)
        return self._health[task_definition]

    def _look_at_tasks(self, seen: dict[str, Any]) -> None:
        client, cluster = self._clients("ecs"), self._wanted.cluster
        arns = ecs.list_tasks(client, cluster, self._wanted.service)
        seen["tasks"] = ecs.describe_tasks(client, cluster, arns)
        nodes = sorted({task["containerInstanceArn"] for task in seen["tasks"] if task.get("containerInstanceArn")})
        seen["nodes"] = {
            node["containerInstanceArn"]: node.get("ec2InstanceId")
            for node in ecs.describe_container_instances(client, cluster, nodes)
        }

    def remember(self, seen: dict[str, Any]) -> None:
        """Note what launches each group has tried so far: only later ones answer what we do now."""
        wanted = [name for name, count in self._wanted.groups().items() if count and name in seen["groups"]]
        self._known = {name: known_activities(self._clients("autoscaling"), name) for name in wanted}

    def apply(self, changes: list[placement.Change], *, wait: bool) -> None:
        """Make the changes in their order; waits between them where the order would mean nothing otherwise."""
        shrinks = any(change.kind == placement.SET_GROUP and not change.grows for change in changes)
        for change in changes:
            if change.kind == placement.SET_SERVICE:
                ecs.set_desired_count(self._clients("ecs"), self._wanted.cluster, change.what, change.after)
                if not change.grows:
                    self._wait_tasks_stopped()
            else:
                autoscaling.set_desired_capacity(self._clients("autoscaling"), change.what, change.after)
                if change.grows and shrinks and wait:
                    self._wait_grown(change.what)

    def _left(self) -> float:
        return max(0.0, self._timeout - self.elapsed())

    def _wait_grown(self, name: str) -> None:
        client = self._clients("autoscaling")
        wait_ready(client, name, self._known.get(name, set()), self._left(), self._patience, self._pace)

    def _wait_tasks_stopped(self) -> None:
        seen, done = waiters.poll(
            lambda: self.look(with_tasks=False),
            lambda seen, _elapsed: not seen["service"] or seen["service"]["runningCount"] <= self._wanted.total,
            self._left(),
            self._pace,
        )
        if not done:
            raise self._failure(seen, {}, "tasks did not stop")

    def wait(self) -> dict[str, Any]:
        """What is seen once the place is as wanted. EtherealSpotError with everything seen when there is no hope."""

        def look() -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
            seen = self.look()
            short = [name for name, group in seen["groups"].items() if missing(group)]
            client = self._clients("autoscaling")
            return seen, {name: autoscaling.describe_activities(client, name) for name in short}

        def done(looked: tuple[dict[str, Any], dict[str, list[dict[str, Any]]]], elapsed: float) -> bool:
            seen, activities = looked
            return not placement.lacks(self._wanted, seen) or any(
                launches.hopeless(found, self._known.get(name, set()), elapsed, self._patience)
                for name, found in activities.items()
            )

        (seen, activities), _done = waiters.poll(look, done, self._left(), self._pace)
        if placement.lacks(self._wanted, seen):
            raise self._failure(seen, activities, "; ".join(placement.lacks(self._wanted, seen)))
        return seen

    def describe(self, seen: dict[str, Any], *, proved: bool = False) -> dict[str, Any]:
        """Instances of both groups, and the service's tasks, for results; with `proved`, the evidence on the instances too."""
        ids = [member["InstanceId"] for group in seen["groups"].values() for member in group.get("Instances", [])]
        described = ec2.describe_instances(self._clients("ec2"), ids)
        instances = [
            {**view, "group": name}
            for name, group in sorted(seen["groups"].items())
            for view in instance_views(group, described)
        ]
        result = {"instances": instances, "tasks": placement.task_views(seen, described)}
        if proved:
            result["evidence"] = prove(self._clients, list(seen["groups"].values()), described=described)
        return result

    def _failure(
        self, seen: dict[str, Any], activities: dict[str, list[dict[str, Any]]], what: str
    ) -> EtherealSpotError:
        failures = [
            failure_view(failure, seen["groups"][name])
            for name, found in sorted(activities.items())
            for failure in launches.standing_failures(found)
        ]
        stopped = []
        if self._wanted.service:
            client, cluster = self._clients("ecs"), self._wanted.cluster
            arns = ecs.list_tasks(client, cluster, self._wanted.service, "STOPPED")
            stopped = placement.stopped_views(ecs.describe_tasks(client, cluster, arns))
        events = (seen["service"] or {}).get("events", [])
        says = [f"{item['code']} in {item['group']}: {item['message']}" for item in failures]
        if not failures:
            # Instances are there or on their way, so the service itself must say what it lacks.
            says += [placement.stop_sentence(view) for view in stopped[:1]]
            says += [f"ECS says: {events[0]['message']}"] if events else []
        return EtherealSpotError(
            f"the place did not become as wanted after {round(self.elapsed())} seconds: {'; '.join([what, *says])}",
            failures=failures,
            stopped_tasks=stopped,
            **self.describe(seen),
        )
