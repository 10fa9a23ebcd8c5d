# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""spot_asg killed before and after every request, and every answer lost: the next run brings the same as an undisturbed one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_cases import DRAIN
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_cases import FLEETS
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_cases import GPU
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_cases import NETWORK
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_cases import ONE
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_cases import TOPIC
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_cases import Things
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_faults import FAULTS
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_faults import LOSE_ANSWER
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_faults import Killed
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_faults import Wire
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_reading import canonical
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_reading import look
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_services import Snapshot
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import NEWER_IMAGE
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import PARAMETER
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import World

Options = dict[str, Any]
UPDATE = {
    **ONE,
    "ami_id": f"resolve:ssm:{PARAMETER}",
    "enable_cpu_scaling": False,
    "instance_refresh": {},
    "keep_versions": 0,
    "lifecycle_hooks": [{**DRAIN, "heartbeat_timeout": 60}, {"name": "warm", "transition": "launching"}],
    "max_size": 40,
    "min_size": 4,
    "notification_types": ["autoscaling:EC2_INSTANCE_LAUNCH_ERROR"],
    "scaling_policies": [{**GPU, "target_value": 80}, NETWORK],
    "scheduled_actions": [{"name": "launch-day", "state": "absent"}],
    "sns_topic_arn": TOPIC,
    "tags": {"team": "vision"},
}
# The fleet that stands, what is wanted of it, and how many requests an undisturbed run makes at least.
PLAYS: dict[str, tuple[str, Callable[[World, Things], Options], int]] = {
    "creation": (
        "nothing",
        lambda world, things: {**(FLEETS["scaling"](world, things) or {}), "target_group_arns": things.targets},
        25,
    ),
    "creation with its on-demand group": (
        "nothing",
        lambda world, things: world.options(capacity_owner="placement", lifecycle_hooks=[DRAIN], on_demand_group=True),
        25,
    ),
    "update": ("scaling", lambda world, things: {**UPDATE, "target_group_arns": things.targets}, 25),
    "update by a refresh that can go back": (
        "plain",
        lambda world, things: {
            **ONE,
            "ami_id": NEWER_IMAGE,
            "instance_refresh": {"auto_rollback": True},
            "instance_types": ["g5.xlarge"],
            "max_size": 40,
        },
        12,
    ),
    "removal": ("scaling", lambda world, things: {**ONE, "state": "absent"}, 7),
    "removal under protection": (
        "served",
        lambda world, things: {**ONE, "deletion_protection": "none", "state": "absent"},
        8,
    ),
}


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["sample", "every"])
@pytest.mark.parametrize("play", PLAYS)
def test_repaired_by_the_next_run(
    world: World,
    recorder: Any,
    run: Callable[..., Any],
    mutating: Any,
    monkeypatch: pytest.MonkeyPatch,
    play: str,
    every: bool,
) -> None:
    fleet, wish, fewest = PLAYS[play]
    things = Things(world, recorder)
    things.release(NEWER_IMAGE)
    options = FLEETS[fleet](world, things)
    if options:
        assert not run(options).failed
    options = wish(world, things)
    standing = Snapshot()
    wire = Wire(monkeypatch)
    undisturbed = run(options)
    assert not undisturbed.failed, undisturbed["msg"]
    requests, reference = list(wire.operations), state(world)
    assert len(requests) >= fewest
    changing = {call.operation for call in mutating(undisturbed.calls)}
    points = [(at, fault) for at in range(len(requests)) for fault in FAULTS]
    if not every:
        # Each request that changes something, with one fault after the other.
        chosen = [at for at, name in enumerate(requests) if name in changing]
        points = [(at, FAULTS[number % len(FAULTS)]) for number, at in enumerate(chosen)]

    lost = []
    for at, fault in points:
        standing.restore()
        wire.arm(fault, at)
        with contextlib.suppress(Killed) if fault == LOSE_ANSWER else pytest.raises(Killed):
            run(options)
        wire.arm()
        second = run(options)
        after = state(world)
        third = run(options)
        if second.failed or after != reference or third["changes"] or third.mutating:
            lost.append((requests[at], fault, second.get("msg"), third.get("changes"), third.get("msg")))
    print(f"{play}: {len(points) - len(lost)} of {len(points)} repaired")
    assert lost == []


def state(world: World) -> list[Any]:
    """Both groups that a run may make, and whatever else it leaves."""
    return [canonical(look(world, name)) for name in ("gpu-fleet", "gpu-fleet-od")]
