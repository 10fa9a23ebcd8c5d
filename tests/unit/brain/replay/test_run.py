# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from replay_kit import recording
from replay_kit import recordings
from replay_kit import zone

from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.canonical import decisions_sha256
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.generate import Options as Market
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.generate import generate
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.generate import text_of
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.market import STEP_SECONDS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.run import BASELINES
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.run import Options
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.run import check_options
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.run import replay
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.simulator import ON_DEMAND_NAME
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import Trace
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import read_trace

COLD_STEPS = 3


@pytest.fixture(scope="module")
def market() -> Trace:
    return read_trace(text_of(generate(Market(seed=3, days=6, zones=6, regions=3))).encode())


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"replicas": 0}, "replicas"),
        ({"replicas": True}, "replicas"),
        ({"replicas": 1001}, "replicas"),
        ({"cold_start_seconds": -1}, "cold_start_seconds"),
        ({"warning_seconds": 1.5}, "warning_seconds"),
        ({"move_cost": Decimal("NaN")}, "move_cost"),
        ({"move_cost": Decimal(-1)}, "move_cost"),
        ({"mode": "brave"}, "mode"),
        ({"seed": "x"}, "seed"),
        ({"policy": {"brave": 1}}, "policy.brave"),
        ({"policy": {"max_extra": -1}}, "policy.max_extra"),
        ({"policy": {"advantage_percent": 101}}, "policy.advantage_percent"),
        ({"policy": {"spread": "everywhere"}}, "policy.spread"),
        ({"policy": {"max_hourly_usd": 0}}, "policy.max_hourly_usd"),
        ({"policy": {"on_demand_budget_usd": "1e400"}}, "policy.on_demand_budget_usd"),
    ],
)
def test_wrong_options_are_refused_by_name(options, option):
    with pytest.raises(InputError) as refusal:
        check_options(Options(**options))
    assert refusal.value.option == option


def test_a_recording_shorter_than_a_step_is_refused():
    short = recording(zone("easta", ((0, 1),)), ticks=1, gap_seconds=STEP_SECONDS - 1)
    with pytest.raises(InputError, match="60 seconds long"):
        replay(short, Options())


def test_a_calm_market_is_served_from_its_cheapest_zone():
    trace = recording(zone("easta", ((0, 1),)), zone("westa", ((0, 1),), ((0, 200_000),)), ticks=600)
    result = replay(trace, Options(move_cost=Decimal(0))).public()
    assert result["availability"] == 100
    assert result["cost_ratio"] == 0.2
    assert result["cost_to_omniscient"] == 1
    assert (result["preemptions"], result["moves"], result["failed_launches"]) == (0, 0, 0)
    assert result["recovery_seconds"] == {"p50": None, "p90": None, "max": None}


@pytest.mark.parametrize(("cold", "warning", "gap"), [(180, 120, 60), (120, 120, None), (180, 0, 180), (600, 120, 480)])
def test_a_loss_is_a_gap_from_the_end_of_the_notice_to_the_end_of_the_cold_start(cold, warning, gap):
    trace = recording(zone("easta", ((0, 1), (200, 0))), zone("westa", ((0, 1),), ((0, 900_000),)), ticks=600)
    options = Options(cold_start_seconds=cold, warning_seconds=warning, policy={"max_extra": 0})
    result = replay(trace, options, []).public()
    assert result["preemptions"] == 1
    assert result["recovery_seconds"]["max"] == gap


def test_on_demand_bridges_what_spot_does_not_hold_and_ends_with_it():
    trace = recording(zone("easta", ((0, 1), (200, 0), (300, 1))), ticks=600)
    outcome = replay(trace, Options(policy={"max_extra": 0}), [])
    on_demand = [(begin, end) for begin, end, running in outcome.timeline["policy"] if ON_DEMAND_NAME in running]
    # From the warning, two steps before the loss, until a spot replica is ready again; it is tried every ten minutes.
    assert on_demand[0][0] == 198 * STEP_SECONDS
    assert 300 + COLD_STEPS <= on_demand[-1][1] / STEP_SECONDS <= 310 + COLD_STEPS


def test_the_timeline_covers_the_recording_without_holes(market):
    timeline = replay(market, Options(replicas=3), []).timeline["policy"]
    assert timeline[0][0] == 0
    assert timeline[-1][1] == market.seconds
    assert all(one[1] == other[0] for one, other in pairwise(timeline))


def test_all_baselines_are_compared_and_only_those_named(market):
    named = replay(market, Options(replicas=2), ["on_demand", "spothedge"]).public()["baselines"]
    every = replay(market, Options(replicas=2)).public()["baselines"]
    assert [baseline["name"] for baseline in named] == ["on_demand", "spothedge"]
    assert [baseline["name"] for baseline in every] == list(BASELINES)


@pytest.mark.parametrize("mode", ["default", "strict", "reference"])
def test_the_same_decisions_in_another_process_with_another_hash_seed(market, mode, tmp_path):
    ours = replay(market, Options(replicas=3, mode=mode), []).public()["decisions_sha256"]
    program = """
import sys
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.generate import Options as Market, generate, text_of
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.run import Options, replay
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import read_trace
market = read_trace(text_of(generate(Market(seed=3, days=6, zones=6, regions=3))).encode())
print(replay(market, Options(replicas=3, mode=sys.argv[1]), []).public()["decisions_sha256"])
"""
    # Where this very collection was imported from.
    root = Path(sys.modules[replay.__module__].__file__).parents[7]
    environment = {**os.environ, "PYTHONHASHSEED": "4711", "PYTHONPATH": str(root)}
    answer = subprocess.run(
        [sys.executable, "-c", program, mode], env=environment, capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert answer.stdout.strip() == ours


def test_decisions_are_hashed_as_they_are_recorded(market):
    outcome = replay(market, Options(replicas=2), [])
    assert outcome.public()["decisions_sha256"] == decisions_sha256(outcome.decision_records)
    assert outcome.public()["decisions"] == len(outcome.decision_records) > 0


def test_strict_mode_is_more_available_for_more_money(market):
    default, strict = (replay(market, Options(replicas=2, mode=mode), []).public() for mode in ("default", "strict"))
    assert strict["availability"] > default["availability"]
    assert strict["cost_ratio"] > default["cost_ratio"]


def test_one_place_serves_at_a_time_outside_a_handover(market):
    outcome = replay(market, Options(replicas=3, policy={"spread": "single_region"}), [])
    region_of = {each.name: each.region for each in market.zones}
    for _begin, _end, running in outcome.timeline["policy"]:
        serving = {region_of[name] for name, (ready, _starting) in running.items() if name in region_of and ready >= 3}
        assert len(serving) <= 1
    assert outcome.public()["moves"] > 0


@settings(max_examples=60, deadline=None, derandomize=True)
@given(trace=recordings(), replicas=st.integers(1, 5), spread=st.sampled_from(("any", "single_region")))
def test_with_notice_and_a_cold_start_as_long_nothing_is_ever_missed(trace, replicas, spread):
    options = Options(replicas=replicas, cold_start_seconds=120, warning_seconds=120, policy={"spread": spread})
    assert replay(trace, options, []).public()["availability"] == 100


@settings(max_examples=60, deadline=None, derandomize=True)
@given(trace=recordings(), replicas=st.integers(1, 4), most=st.integers(1, 3))
def test_on_demand_is_bounded(trace, replicas, most):
    outcome = replay(trace, Options(replicas=replicas, policy={"on_demand_max_replicas": most}), [])
    assert all(sum(running.get(ON_DEMAND_NAME, (0, 0))) <= most for _begin, _end, running in outcome.timeline["policy"])
