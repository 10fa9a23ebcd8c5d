# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from replay_kit import recording
from replay_kit import recordings
from replay_kit import zone

from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.baselines.registry import BASELINES
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.baselines.registry import run_baseline
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.scores import Scores
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.simulator import Account
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.simulator import Policy
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.simulator import World
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import Trace

# An hour, of which the second half counts; capacity is away from minute 40 to 50, and that is known from 38 on.
OUTAGE = recording(zone("easta", ((0, 1), (40, 0), (50, 1))), ticks=60, limit=1)
ALWAYS = ((0, 4),)
NOT_AT_ALL = ((0, 0),)


def run(name: str, trace: Trace, replicas: int = 1, move_cost: int = 0) -> tuple[float, float, int]:
    """Minutes without enough replicas, cost in minutes of one on-demand replica, and failed launches."""
    result = run_baseline(name, trace, replicas, 180, 120, move_cost)
    minutes = trace.seconds / 60
    short = (100 - result["availability"]) / 100 * (minutes - 30)
    return round(short, 3), round(result["cost_ratio"] * minutes * replicas, 3), result["failed_launches"]


@pytest.mark.parametrize(
    ("name", "short", "cost", "failed"),
    [
        ("on_demand", 0, 60, 0),
        # Refused from the warning on, each minute; launched at minute 50, ready at 53.
        ("one_region", 13, 0.3 * 50, 12),
        ("round_robin", 13, 0.3 * 50, 12),
        # On-demand for the first three minutes, and from the warning on, ready a minute after the loss, until spot is.
        ("round_robin_on_demand", 1, 0.3 * 50 + 3 + 15, 12),
        ("spothedge", 1, 0.3 * 50 + 3 + 15, 36),
        # On-demand all the time, since the second spot replica is never there.
        ("spothedge_1", 0, 0.3 * 50 + 60, 180),
        # Torn down at the warning, then ten minutes without a region; refused at 48 and 49.
        ("reference", 15, 0.3 * (38 + 10), 2),
        ("cheapest_region", 15, 0.3 * (38 + 10), 2),
    ],
)
def test_an_outage_of_the_only_zone(name: str, short: float, cost: float, failed: int) -> None:
    assert run(name, OUTAGE) == (short, round(cost, 3), failed)


def test_one_region_is_the_mean_over_all() -> None:
    trace = recording(zone("easta", ALWAYS), zone("westa", NOT_AT_ALL), ticks=60)
    assert run("one_region", trace) == (15, 0.3 * 30, 30)


def test_one_region_spreads_over_its_zones() -> None:
    zones = [zone(f"east{letter}", ((0, 4), (40, 0) if letter == "a" else (41, 4))) for letter in "ab"]
    # Of four replicas the two in the zone that fails are warned at 38 and have successors at 41. The first attempt, in that zone,
    # gives one that is warned as well.
    assert run("one_region", recording(*zones, ticks=60), 4) == (1, round(0.3 * (4 * 60 + 3 * 2), 3), 0)


def test_round_robin_goes_on_from_zone_to_zone() -> None:
    dear = ((0, 900_000),)
    zones = [zone("easta", ((0, 1), (40, 0))), zone("eastb", NOT_AT_ALL), zone("westa", ALWAYS, dear)]
    # Refused in easta, which is full until it is lost, and in eastb; in westa at once.
    assert run("round_robin", recording(*zones, ticks=60)) == (1, 0.3 * 40 + 0.9 * 22, 2)


def test_the_reference_rule_prefers_the_score_to_the_price() -> None:
    cheap = zone("easta", ((0, 0), (30, 1)), ((0, 100_000),))
    steady = zone("westa", ((0, 1),))
    # The cheap region has nothing yet, and after half an hour there is no reason to leave the other.
    assert run("reference", recording(cheap, steady, ticks=60)) == (0, 0.3 * 60, 0)
    # Without scores it is tried for five minutes first.
    assert run("cheapest_region", recording(cheap, steady, ticks=60)) == (0, 0.3 * 55, 6)


def test_the_reference_rule_keeps_all_replicas_in_one_region() -> None:
    zones = [zone("easta", ((0, 4), (40, 3))), zone("westa", ((0, 4),), ((0, 400_000),))]
    # One of four is lost; all four are torn down at the warning and launched elsewhere.
    assert run("reference", recording(*zones, ticks=60), 4) == (3, round(4 * (0.3 * 38 + 0.4 * 22), 3), 0)


def test_a_score_is_the_mean_over_half_an_hour() -> None:
    scores = Scores(recording(zone("easta", ((0, 4), (10, 0), (20, 1), (50, 4))), ticks=90), 2)
    # At its beginning what is known; then sums over 30 minutes of two replicas at most.
    assert [scores.at(step, 0) for step in (0, 10, 20, 30, 50, 80)] == [60, 60, 30, 30, 30, 60]


def test_spothedge_prefers_cheap_zones_without_replicas() -> None:
    zones = [
        zone("easta", ALWAYS, ((0, 100_000),)),
        zone("eastb", ALWAYS, ((0, 200_000),)),
        zone("westa", ALWAYS, ((0, 300_000),)),
    ]
    assert run("spothedge", recording(*zones, ticks=60)) == (0, round(0.1 * 60 + 3, 3), 0)
    assert run("spothedge", recording(*zones, ticks=60), 3) == (0, round(0.6 * 60 + 9, 3), 0)


def test_moves_are_paid_and_counted() -> None:
    trace = recording(zone("easta", ((0, 1), (40, 0))), zone("westa", ((0, 1),)), ticks=60)
    result = run_baseline("round_robin", trace, 1, 180, 120, 60_000)
    assert (result["moves"], result["preemptions"]) == (1, 1)
    assert round(result["cost_ratio"] * 60, 3) == round(0.3 * 62 + 2 * 0.06 * 60, 3)


class EachMinute:
    """Asks a policy in each step."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def act(self, world: World) -> int:
        self._policy.act(world)
        return world.step + 1


def told(account: Account) -> dict[str, object]:
    return vars(account)


@settings(max_examples=150, deadline=None)
@given(
    recordings(),
    st.integers(1, 5),
    st.sampled_from((0, 60, 180, 600)),
    st.sampled_from((0, 60, 120)),
    st.sampled_from([name for name in BASELINES if name != "on_demand"]),
)
def test_waiting_changes_no_decision(trace: Trace, replicas: int, cold_start: int, warning: int, name: str) -> None:
    """A policy that waits for what it can hear of decides as one that is asked each minute."""
    runs = BASELINES[name].runs
    for (seen, waiting), (_seen, asked) in zip(runs(trace, replicas), runs(trace, replicas), strict=True):
        world = World(seen, replicas, cold_start, warning, 200_000)
        each_minute = World(seen, replicas, cold_start, warning, 200_000)
        assert told(world.run(waiting)) == told(each_minute.run(EachMinute(asked)))


@settings(max_examples=100, deadline=None)
@given(recordings(), st.integers(1, 5), st.sampled_from(list(BASELINES)))
def test_figures_are_within_their_bounds(trace: Trace, replicas: int, name: str) -> None:
    result = run_baseline(name, trace, replicas, 180, 120, 200_000)
    assert 0 <= result["availability"] <= 100
    assert result["cost_ratio"] >= 0
    assert result["failed_launches"] <= 3 * trace.seconds / 60
    assert (result["recovery_seconds"]["max"] is None) == (result["availability"] == 100)
