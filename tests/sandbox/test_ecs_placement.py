# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where tasks go: the pure part. Sources: ECS developer guide, botocore model."""

from __future__ import annotations

import pytest
from fleet_kit import load

placement = load("sandbox/ecs/placement.py")
Needs, Room = placement.Needs, placement.Room


def room(name: str = "a", zone: str = "z", gpus: int = 1, taken: tuple = (), cpu: int = 4096, memory: int = 8000):
    ids = tuple(f"GPU-{number}" for number in range(gpus))
    return Room(name, zone, cpu, memory, ids, frozenset({22}), list(taken))


def container(**more) -> dict:
    return {"name": "main", "cpu": 256, "memory": 1024, **more}


def test_needs_are_the_sizes_of_the_definition_or_the_sum_of_its_containers() -> None:
    gpu = [{"type": "GPU", "value": "2"}]
    containers = [container(resourceRequirements=gpu), container(memoryReservation=512)]
    assert placement.needs({"containerDefinitions": containers}) == Needs(512, 1536, 2)
    assert placement.needs({"cpu": "1024", "memory": "2048", "containerDefinitions": containers}) == Needs(
        1024, 2048, 2
    )


@pytest.mark.parametrize(
    ("mode", "mapping", "ports"),
    [
        ("host", {"containerPort": 80}, {80}),
        ("bridge", {"containerPort": 80, "hostPort": 8080}, {8080}),
        ("bridge", {"containerPort": 80, "hostPort": 0}, set()),
        ("bridge", {"containerPort": 80}, set()),
        ("awsvpc", {"containerPort": 80}, set()),
    ],
)
def test_only_fixed_ports_are_taken(mode: str, mapping: dict, ports: set) -> None:
    definition = {"networkMode": mode, "containerDefinitions": [container(portMappings=[mapping])]}
    assert placement.needs(definition).ports == ports


@pytest.mark.parametrize(
    ("wanted", "lacks"),
    [
        (Needs(1, 1, 1), None),
        (Needs(1, 1, 2), "GPU"),
        (Needs(9999, 1, 0), "CPU"),
        (Needs(1, 9999, 0), "MEMORY"),
        (Needs(1, 1, 0, frozenset({22})), "PORTS"),
    ],
)
def test_what_an_instance_lacks(wanted, lacks) -> None:
    assert placement.lacking(room(), wanted) == lacks


def test_a_gpu_is_taken_once() -> None:
    assert placement.lacking(room(gpus=2, taken=(Needs(gpus=1),)), Needs(gpus=1)) is None
    assert placement.lacking(room(gpus=2, taken=(Needs(gpus=1), Needs(gpus=1))), Needs(gpus=1)) == "GPU"


def test_tasks_spread_over_zones_unless_told_to_pack() -> None:
    rooms = [room("a", "z1", 4, (Needs(cpu=1000),)), room("b", "z2", 4), room("c", "z1", 4)]
    assert placement.choose(rooms, Needs(), "f")[0].arn == "b"
    packed, _why = placement.choose(rooms, Needs(), "f", strategies=[{"type": "binpack", "field": "cpu"}])
    assert packed.arn == "a"
    spread, _why = placement.choose(rooms, Needs(), "f", strategies=[{"type": "spread", "field": "instanceId"}])
    assert spread.arn == "b"


def test_distinct_instances() -> None:
    held = Room("a", "z", 4096, 8000, (), frozenset(), [Needs()], ["f"])
    chosen, refused = placement.choose([held], Needs(), "f", distinct=True)
    assert chosen is None
    assert refused == [(held, "CONSTRAINT")]
    assert placement.choose([held], Needs(), "g", distinct=True)[0] is held


@pytest.mark.parametrize(
    ("desired", "strategy", "expected"),
    [
        (10, [("a", 0, 1), ("b", 0, 1)], {"a": 5, "b": 5}),
        (10, [("a", 2, 1), ("b", 0, 3)], {"a": 4, "b": 6}),
        (1, [("a", 0, 1), ("b", 0, 1)], {"a": 1, "b": 0}),
        (3, [("a", 5, 1), ("b", 0, 1)], {"a": 3, "b": 0}),
        (4, [("a", 1, 0), ("b", 0, 1)], {"a": 1, "b": 3}),
        (0, [("a", 0, 1)], {"a": 0}),
    ],
)
def test_bases_and_weights_of_a_strategy(desired: int, strategy: list, expected: dict) -> None:
    """botocore model, CapacityProviderStrategyItem."""
    items = [{"capacityProvider": name, "base": base, "weight": weight} for name, base, weight in strategy]
    assert placement.provider_targets(desired, items) == expected
