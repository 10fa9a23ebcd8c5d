# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The policies that a replay compares with. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from typing import NamedTuple

from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.baselines.on_demand import AllOnDemand
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.baselines.one_region import OneRegion
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.baselines.reference import ReferenceRule
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.baselines.round_robin import RoundRobin
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.baselines.spothedge import SpotHedge
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.figures import figures
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.simulator import Policy
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.simulator import World
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import Trace


class Baseline(NamedTuple):
    """A policy's title, and what makes it: several where the mean over them is meant, such as one for each region."""

    title: str
    policies: Callable[[Trace, int], list[Policy]]


def _one_region(trace: Trace, _replicas: int) -> list[Policy]:
    regions = [[index for index, zone in enumerate(trace.zones) if zone.region == region] for region in trace.regions]
    return [OneRegion(zones) for zones in regions]


BASELINES: dict[str, Baseline] = {
    "on_demand": Baseline("all on-demand", lambda trace, replicas: [AllOnDemand()]),
    "one_region": Baseline("spot in one region, spread over its zones (mean over regions)", _one_region),
    "cheapest_region": Baseline(
        "reference rule without scores: cheapest region",
        lambda trace, replicas: [ReferenceRule(trace, replicas, scored=False)],
    ),
    "reference": Baseline(
        "reference rule: score, then price", lambda trace, replicas: [ReferenceRule(trace, replicas, scored=True)]
    ),
    "round_robin": Baseline("round robin", lambda trace, replicas: [RoundRobin(len(trace.zones), on_demand=False)]),
    "round_robin_on_demand": Baseline(
        "round robin with on-demand", lambda trace, replicas: [RoundRobin(len(trace.zones), on_demand=True)]
    ),
    "spothedge": Baseline("SpotHedge", lambda trace, replicas: [SpotHedge(len(trace.zones), 0)]),
    "spothedge_1": Baseline("SpotHedge, 1 extra replica", lambda trace, replicas: [SpotHedge(len(trace.zones), 1)]),
    "spothedge_2": Baseline("SpotHedge, 2 extra replicas", lambda trace, replicas: [SpotHedge(len(trace.zones), 2)]),
}


def run_baseline(
    name: str, trace: Trace, replicas: int, cold_start_seconds: int, warning_seconds: int, move_cost: int
) -> dict[str, Any]:
    """Name, title and figures of a baseline. `move_cost` in millionths of a USD."""
    baseline = BASELINES[name]
    accounts = [
        World(trace, replicas, cold_start_seconds, warning_seconds, move_cost).run(policy)
        for policy in baseline.policies(trace, replicas)
    ]
    return {"name": name, "title": baseline.title, **figures(accounts)}
