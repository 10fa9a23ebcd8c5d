# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A replay: the policy on a recording, beside baselines and a plan that knows the future. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from decimal import Decimal
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import check_integer
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.money import money
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import DEFAULT
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import MICRO
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import Settings
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import settings_for
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.baselines import registry
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.canonical import decisions_sha256
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.figures import figures
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.fleet import FleetPolicy
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.market import STEP_SECONDS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.omniscient import omniscient
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.simulator import Stretch
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.simulator import World
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import Trace

BASELINES = tuple(registry.BASELINES)
LONGEST_SECONDS = 86_400
DAY = 86_400


@dataclass(frozen=True)
class Options:
    """What is replayed. `move_cost` in USD; `policy` are settings by the names that users give.

    The policy draws nothing by lot, so the seed changes no decision; it is part of what a result says that it came from.
    """

    replicas: int = 1
    cold_start_seconds: int = 180
    warning_seconds: int = 120
    move_cost: Decimal = Decimal("0.20")
    mode: str = DEFAULT
    policy: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True)
class Outcome:
    """What came of it. `timeline` has for `policy` stretches `(from, to, {pool: (ready, starting)})` in seconds, `decision_records`
    what is hashed: the time and the orders of every decision that ordered anything."""

    result: Mapping[str, Any]
    timeline: Mapping[str, Sequence[Stretch]]
    decision_records: Sequence[Mapping[str, Any]]

    def public(self) -> dict[str, Any]:
        return dict(self.result)


def check_options(options: Options) -> Options:
    """The options, or InputError with the name of the wrong one."""
    settings_of(options)
    check_integer(options.seed, "seed")
    return options


def settings_of(options: Options) -> Settings:
    """The policy's settings of a replay."""
    return settings_for(
        options.replicas,
        options.mode,
        options.policy,
        cold_start_seconds=check_integer(options.cold_start_seconds, "cold_start_seconds", 0, LONGEST_SECONDS),
        warning_seconds=check_integer(options.warning_seconds, "warning_seconds", 0, LONGEST_SECONDS),
        move_cost=int(money(options.move_cost, "move_cost") * MICRO),
    )


def replay(trace: Trace, options: Options, baselines: Sequence[str] | None = None) -> Outcome:
    """Play the policy, the plan and the named baselines (all by default) on the recording."""
    if trace.seconds < STEP_SECONDS:
        raise InputError("trace", f"{trace.seconds} seconds", f"must be {STEP_SECONDS} seconds long at least")
    settings = settings_of(options)
    timing = (settings.cold_start_seconds, settings.warning_seconds, settings.move_cost)
    fleet = FleetPolicy(trace, settings)
    world = World(trace, settings.replicas, *timing, timeline=[])
    ours = figures([world.run(fleet)])
    plan = figures([omniscient(trace, settings.replicas, *timing)])["cost_ratio"]
    others = [
        registry.run_baseline(name, trace, settings.replicas, *timing)
        for name in (BASELINES if baselines is None else baselines)
    ]
    return Outcome(
        result={
            **_beside(ours, plan),
            "omniscient": {"cost_ratio": plan},
            "baselines": [_beside(other, plan) for other in others],
            "decisions": len(fleet.orders),
            "decisions_sha256": decisions_sha256(fleet.orders),
            "days": round(trace.seconds / DAY, 2),
        },
        timeline={"policy": world.timeline},
        decision_records=fleet.orders,
    )


def _beside(figures: Mapping[str, Any], plan: float) -> dict[str, Any]:
    return {**figures, "cost_to_omniscient": round(figures["cost_ratio"] / plan, 6)}
