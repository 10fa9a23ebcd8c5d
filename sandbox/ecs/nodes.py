# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Container instances: what registered, and how ECS describes it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from datetime import UTC
from datetime import datetime
from typing import Any

from sandbox.ec2 import types
from sandbox.ecs.placement import Needs
from sandbox.ecs.placement import Room
from sandbox.ecs.states import WAITING

# Ports that the ECS agent and the host keep for themselves (botocore model, Resource; ECS developer guide).
RESERVED_PORTS = frozenset({22, 2375, 2376, 51678, 51679})
# Of an instance's memory the agent registers what the kernel leaves: about 95 percent on GPU instances.
REGISTERED_MEMORY = 0.95


@dataclass(eq=False)
class Node:
    """A container instance."""

    arn: str
    cluster: str
    region: str
    instance: Any
    group: str | None
    cpu: int
    memory: int
    gpu_ids: tuple[str, ...]
    attributes: list[dict[str, Any]] = field(default_factory=list)
    status: str = "ACTIVE"
    version: int = 1
    registered: float = field(default_factory=lambda: datetime.now(UTC).timestamp())

    @property
    def id(self) -> str:
        return self.arn.rsplit("/", 1)[-1]

    def room(self, taken: list[Needs], families: list[str]) -> Room:
        zone = self.instance.placement.zone
        return Room(self.arn, zone, self.cpu, self.memory, self.gpu_ids, RESERVED_PORTS, taken, families)


class Nodes:
    """All container instances, by region."""

    def __init__(self) -> None:
        self._nodes: dict[str, dict[str, Node]] = {}

    def reset(self) -> None:
        self._nodes.clear()

    def every(self) -> Iterator[Node]:
        for nodes in list(self._nodes.values()):
            yield from list(nodes.values())

    def of_cluster(self, region: str, cluster: str) -> list[Node]:
        return [each for each in self._nodes.get(region, {}).values() if each.cluster == cluster]

    def of_instance(self, instance_id: str) -> Node | None:
        return next((each for each in self.every() if each.instance.id == instance_id), None)

    def find(self, region: str, cluster: str, reference: str) -> Node | None:
        """By ARN or id."""
        for node in self.of_cluster(region, cluster):
            if reference in (node.arn, node.id):
                return node
        return None

    def add(self, node: Node) -> None:
        self._nodes.setdefault(node.region, {})[node.arn] = node

    def remove(self, node: Node) -> None:
        self._nodes.get(node.region, {}).pop(node.arn, None)


def make(arn: str, cluster: str, region: str, instance: Any, group: str | None, attributes: list[dict]) -> Node:
    name = instance.instance_type
    return Node(
        arn=arn,
        cluster=cluster,
        region=region,
        instance=instance,
        group=group,
        cpu=types.vcpus(name) * 1024,
        memory=int(types.memory_mib(name) * REGISTERED_MEMORY),
        gpu_ids=gpu_ids(instance),
        attributes=attributes,
    )


def gpu_ids(instance: Any) -> tuple[str, ...]:
    """Ids of the instance's GPUs, the same whenever they are asked for."""
    count = types.gpu_count(instance.instance_type)
    return tuple(f"GPU-{uuid.uuid5(uuid.NAMESPACE_OID, f'{instance.id}/{number}')}" for number in range(count))


def attributes(instance: Any) -> list[dict[str, str]]:
    """What the agent says of itself (ECS developer guide, "Amazon ECS container instance attributes")."""
    named = {
        "ecs.availability-zone": instance.placement.zone,
        "ecs.instance-type": instance.instance_type,
        "ecs.ami-id": instance.image_id,
        "ecs.os-type": "linux",
        "ecs.os-family": "LINUX",
        "ecs.cpu-architecture": instance.architecture,
        "ecs.subnet-id": instance.subnet_id,
        "ecs.vpc-id": instance.vpc_id,
    }
    flags = ["com.amazonaws.ecs.capability.docker-remote-api.1.44", "ecs.capability.task-eni", "ecs.capability.efs"]
    flags += ["com.amazonaws.ecs.capability.logging-driver.awslogs", "ecs.capability.execution-role-awslogs"]
    if types.gpu_count(instance.instance_type):
        flags.append("ecs.capability.nvidia-driver-version-550.127.05")
        named["ecs.gpu-count"] = str(types.gpu_count(instance.instance_type))
    return [{"name": name, "value": value} for name, value in named.items()] + [{"name": name} for name in flags]


def resources(cpu: int, memory: int, gpus: tuple[str, ...] | None, ports: frozenset[int]) -> list[dict[str, Any]]:
    """In AWS's shape; `gpus` is None for a type that has none."""

    def number(name: str, value: int) -> dict[str, Any]:
        return {"name": name, "type": "INTEGER", "doubleValue": 0.0, "longValue": 0, "integerValue": value}

    def strings(name: str, values: list[str]) -> dict[str, Any]:
        empty = {"doubleValue": 0.0, "longValue": 0, "integerValue": 0}
        return {"name": name, "type": "STRINGSET", **empty, "stringSetValue": values}

    result = [number("CPU", cpu), number("MEMORY", memory), strings("PORTS", [str(port) for port in sorted(ports)])]
    result.append(strings("PORTS_UDP", []))
    if gpus is not None:
        result.append(strings("GPU", list(gpus)))
    return result


def view(node: Node, tasks: list[dict[str, Any]], provider: str | None, include: set[str]) -> dict[str, Any]:
    """The container instance as DescribeContainerInstances shows it."""
    room = node.room([each["_needs"] for each in tasks], [])
    left = room.left()
    used = {gpu for each in tasks for gpu in each.get("_gpu_ids", [])}
    free = tuple(gpu for gpu in node.gpu_ids if gpu not in used) if node.gpu_ids else None
    shown = {
        "containerInstanceArn": node.arn,
        "ec2InstanceId": node.instance.id,
        "version": node.version,
        "versionInfo": {"agentVersion": "1.98.0", "agentHash": "1a2b3c4d", "dockerVersion": "DockerVersion: 25.0.8"},
        "registeredResources": resources(node.cpu, node.memory, node.gpu_ids or None, RESERVED_PORTS),
        "remainingResources": resources(left.cpu, left.memory, free, left.ports),
        "status": node.status,
        "agentConnected": node.instance.state_code == 16,
        "runningTasksCount": sum(1 for each in tasks if each["lastStatus"] == "RUNNING"),
        "pendingTasksCount": sum(1 for each in tasks if each["lastStatus"] in WAITING),
        "attributes": node.attributes,
        "registeredAt": node.registered,
        "attachments": [],
        "tags": [],
    }
    if provider:
        shown["capacityProviderName"] = provider
    if "CONTAINER_INSTANCE_HEALTH" in include:
        status = {"type": "CONTAINER_RUNTIME", "status": "OK", "lastUpdated": node.registered}
        shown["healthStatus"] = {"overallStatus": "OK", "details": [status]}
    return shown
