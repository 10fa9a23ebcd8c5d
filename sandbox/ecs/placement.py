# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a task goes: pure functions over what a task needs and what container instances have left.

Sources: ECS developer guide, "Service event messages" and "API failure reasons"; botocore model, ContainerInstance.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from typing import Any

# How each kind of resource is called in RunTask's failures, and in a service's events.
FAILURES = {"GPU": "RESOURCE:GPU", "CPU": "RESOURCE:CPU", "MEMORY": "RESOURCE:MEMORY", "PORTS": "RESOURCE:PORTS"}
EVENTS = {
    "GPU": "has insufficient GPU resource available",
    "CPU": "has insufficient CPU units available",
    "MEMORY": "has insufficient memory available",
    "PORTS": "is already using a port required by your task",
    "CONSTRAINT": "is missing an attribute required by your task",
}


@dataclass(frozen=True)
class Needs:
    """What one task takes: CPU units, MiB, GPUs, host ports."""

    cpu: int = 0
    memory: int = 0
    gpus: int = 0
    ports: frozenset[int] = frozenset()


@dataclass
class Room:
    """What a container instance has, and what its tasks have taken of it."""

    arn: str
    zone: str
    cpu: int
    memory: int
    gpu_ids: tuple[str, ...]
    reserved_ports: frozenset[int] = frozenset()
    taken: list[Needs] = field(default_factory=list)
    families: list[str] = field(default_factory=list)

    def left(self) -> Needs:
        ports = self.reserved_ports.union(*(each.ports for each in self.taken))
        return Needs(
            self.cpu - sum(each.cpu for each in self.taken),
            self.memory - sum(each.memory for each in self.taken),
            len(self.gpu_ids) - sum(each.gpus for each in self.taken),
            frozenset(ports),
        )


def needs(task_definition: dict[str, Any]) -> Needs:
    """Resources of a task: the definition's own sizes, else the sum over its containers (ECS: soft limits count)."""
    containers = task_definition.get("containerDefinitions", [])
    cpu = task_definition.get("cpu") or sum(int(each.get("cpu") or 0) for each in containers)
    memory = task_definition.get("memory") or sum(
        int(each.get("memoryReservation") or each.get("memory") or 0) for each in containers
    )
    gpus = sum(
        int(each["value"])
        for container in containers
        for each in container.get("resourceRequirements") or []
        if each.get("type") == "GPU"
    )
    return Needs(int(cpu), int(memory), gpus, _ports(task_definition.get("networkMode"), containers))


def _ports(network_mode: str | None, containers: list[dict[str, Any]]) -> frozenset[int]:
    """Host ports that are fixed: all of them in host mode, the non-zero ones in bridge mode, none in awsvpc."""
    mappings = [each for container in containers for each in container.get("portMappings") or []]
    if network_mode == "host":
        return frozenset(int(each.get("hostPort") or each["containerPort"]) for each in mappings)
    if network_mode in (None, "bridge"):
        return frozenset(int(each["hostPort"]) for each in mappings if each.get("hostPort"))
    return frozenset()


def lacking(room: Room, wanted: Needs) -> str | None:
    """What a container instance lacks for a task; None where it fits."""
    left = room.left()
    if left.gpus < wanted.gpus:
        return "GPU"
    if left.cpu < wanted.cpu:
        return "CPU"
    if left.memory < wanted.memory:
        return "MEMORY"
    return "PORTS" if wanted.ports & left.ports else None


def choose(
    rooms: Iterable[Room], wanted: Needs, family: str, distinct: bool = False, strategies: Sequence[dict] = ()
) -> tuple[Room | None, list[tuple[Room, str]]]:
    """The instance for one task, and what each of the others lacks. `distinct` is the distinctInstance constraint."""
    fit, refused = [], []
    for room in rooms:
        why = "CONSTRAINT" if distinct and family in room.families else lacking(room, wanted)
        if why is None:
            fit.append(room)
        else:
            refused.append((room, why))
    if not fit:
        return None, refused
    return min(fit, key=lambda room: _order(room, fit, strategies)), refused


def _order(room: Room, rooms: Sequence[Room], strategies: Sequence[dict]) -> tuple:
    """Placement strategies in their order; without one, ECS spreads over zones."""
    keys: list[Any] = []
    for strategy in strategies or [{"type": "spread", "field": "attribute:ecs.availability-zone"}]:
        kind, what = strategy.get("type"), strategy.get("field", "")
        if kind == "binpack":
            left = room.left()
            keys.append(left.memory if what.lower() == "memory" else left.cpu)
        elif kind == "spread" and "availability-zone" in what:
            keys.append(sum(len(each.taken) for each in rooms if each.zone == room.zone))
        elif kind == "spread":
            keys.append(len(room.taken))
    return (*keys, len(room.taken), room.arn)


def closest(refused: Sequence[tuple[Room, str]]) -> tuple[Room, str]:
    """The instance that an event names: the one that lacks the least obvious thing."""
    order = ["PORTS", "MEMORY", "CPU", "CONSTRAINT", "GPU"]
    return min(refused, key=lambda each: (order.index(each[1]), each[0].arn))


def provider_targets(desired: int, strategy: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Tasks per capacity provider: bases first, the rest by weight, largest remainders first (botocore model).

    A provider without room is not replaced by another: that is what base and weight mean.
    """
    result = {each["capacityProvider"]: 0 for each in strategy}
    left = desired
    for each in strategy:
        part = min(left, int(each.get("base") or 0))
        result[each["capacityProvider"]] += part
        left -= part
    total = sum(int(each.get("weight") or 0) for each in strategy)
    if not left or not total:
        return result
    shares = {each["capacityProvider"]: left * int(each.get("weight") or 0) / total for each in strategy}
    for name, share in shares.items():
        result[name] += int(share)
    rest = left - sum(int(share) for share in shares.values())
    names = [name for name, share in shares.items() if share]
    for name in sorted(names, key=lambda each: int(shares[each]) - shares[each])[:rest]:
        result[name] += 1
    return result
