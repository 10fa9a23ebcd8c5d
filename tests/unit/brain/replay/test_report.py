# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.report import compared
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.report import duration
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.report import percent
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.report import report_lines
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import Trace
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import Zone


def figures(name: str, objective: float, **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "title": name,
        "availability": 99.5,
        "cost_ratio": 0.4,
        "cost_to_omniscient": 1.05,
        "objective": objective,
        "on_demand_share": 0.0724,
        "preemptions": 12,
        "moves": 3,
        "failed_launches": 40,
        "recovery_seconds": {"p50": 60, "p90": 60, "max": 120},
        **changes,
    }


@pytest.mark.parametrize(
    ("availability", "text"),
    [
        (100.0, "100 %"),
        (99.9999, "99.999 %"),
        (99.5, "99.500 %"),
        (99.0, "99.000 %"),
        (98.999, "98.99 %"),
        (54.29, "54.29 %"),
        (0.0, "0.00 %"),
    ],
)
def test_availability_is_rounded_down(availability: float, text: str) -> None:
    assert percent(availability) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (60, "60 s"), (600, "600 s"), (660, "11 min"), (7200, "120 min"), (366_180, "101.7 h")],
)
def test_durations(seconds: int | None, text: str) -> None:
    assert duration(seconds) == text


@given(st.integers(0, 1_000_000).map(lambda number: number / 10_000))
def test_no_availability_looks_better_than_it_is(availability: float) -> None:
    assert float(percent(availability).removesuffix(" %")) <= availability
    assert (percent(availability) == "100 %") is (availability == 100)


def test_ours_comes_first_then_the_best() -> None:
    result = {**figures("", 9.0), "baselines": [figures("b", 2.0), figures("c", 1.0), figures("a", 2.0)]}
    assert [policy["title"] for policy in compared(result, "strict")] == ["ethereal.spot, mode strict", "c", "a", "b"]


def test_the_table() -> None:
    zone = Zone("us-east-1a", "us-east-1", ((0, 4),), ((0, 1),))
    trace = Trace("made-up", "2026-01-01", 3600, 36, "availability", "p3.2xlarge", 4, 3_060_000, (zone,))
    none = {"recovery_seconds": {"p50": None, "p90": None, "max": None}, "availability": 100.0}
    lines = report_lines(trace, 1, [figures("ours", 0.425), figures("all on-demand", 1.0, **none)], 0.381)
    assert lines[:7] == [
        "made-up: 1.5 days from 2026-01-01, p3.2xlarge in 1 zone of 1 region, 1 replica wanted",
        "",
        "policy           availability   cost  to omniscient  objective  on-demand  lost  moves  failed launches  longest gap",
        "---------------  ------------  -----  -------------  ---------  ---------  ----  -----  ---------------  -----------",
        "ours                 99.500 %  0.400          1.050     0.4250      7.2 %    12      3               40        120 s",
        "all on-demand           100 %  0.400          1.050     1.0000      7.2 %    12      3               40            -",
        "omniscient plan         100 %  0.381          1.000     0.3810          -     -      -                -            -",
    ]
    assert any(line.startswith("objective: ") for line in lines[7:])
