# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The policies that a replay compares with. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from typing import NamedTuple

from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import REFERENCE
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import settings_for
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.baselines.on_demand import AllOnDemand
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.baselines.one_region import OneRegion
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.baselines.round_robin import RoundRobin
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.baselines.spothedge import SpotHedge
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.figures import figures
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.fleet import FleetPolicy
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.simulator import Policy
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.simulator import World
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import Trace


class Baseline(NamedTuple):
    """A policy's title, and its runs: several where the mean over them is meant, each a policy and the recording that it sees."""

    title: str
    runs: Callable[[Trace, int], list[tuple[Trace, Policy]]]


def _alone(make: Callable[[Trace, int], Policy]) -> Callable[[Trace, int], list[tuple[Trace, Policy]]]:
    return lambda trace, replicas: [(trace, make(trace, replicas))]


def _in_each_region(trace: Trace, _replicas: int) -> list[tuple[Trace, Policy]]:
    regions = [tuple(zone for zone in trace.zones if zone.region == region) for region in trace.regions]
    return [(replace(trace, zones=zones), OneRegion(range(len(zones)))) for zones in regions]


def _reference(trace: Trace, replicas: int, *, scored: bool) -> Policy:
    """Without scores every one is equal, so that the cheapest region is chosen."""
    return FleetPolicy(trace, settings_for(replicas, REFERENCE), scored=scored)


BASELINES: dict[str, Baseline] = {
    "on_demand": Baseline("all on-demand", _alone(lambda trace, replicas: AllOnDemand())),
    "one_region": Baseline("spot in one region, spread over its zones (mean over regions)", _in_each_region),
    "cheapest_region": Baseline(
        "reference rule without scores: cheapest region",
        _alone(lambda trace, replicas: _reference(trace, replicas, scored=False)),
    ),
    "reference": Baseline(
        "reference rule: score, then price",
        _alone(lambda trace, replicas: _reference(trace, replicas, scored=True)),
    ),
    "round_robin": Baseline(
        "round robin", _alone(lambda trace, replicas: RoundRobin(len(trace.zones), on_demand=False))
    ),
    "round_robin_on_demand": Baseline(
        "round robin with on-demand", _alone(lambda trace, replicas: RoundRobin(len(trace.zones), on_demand=True))
    ),
    "spothedge": Baseline("SpotHedge", _alone(lambda trace, replicas: SpotHedge(len(trace.zones), 0))),
    "spothedge_1": Baseline(
        "SpotHedge, 1 extra replica", _alone(lambda trace, replicas: SpotHedge(len(trace.zones), 1))
    ),
    "spothedge_2": Baseline(
        "SpotHedge, 2 extra replicas", _alone(lambda trace, replicas: SpotHedge(len(trace.zones), 2))
    ),
}


def run_baseline(
    name: str, trace: Trace, replicas: int, cold_start_seconds: int, warning_seconds: int, move_cost: int
) -> dict[str, Any]:
    """Name, title and figures of a baseline. `move_cost` in millionths of a USD."""
    baseline = BASELINES[name]
    accounts = [
        World(seen, replicas, cold_start_seconds, warning_seconds, move_cost).run(policy)
        for seen, policy in baseline.runs(trace, replicas)
    ]
    return {"name": name, "title": baseline.title, **figures(accounts)}
