# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.picture import MOST_SPANS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.picture import ON_DEMAND
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.picture import Stretch
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.picture import picture
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import Trace
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import Zone


def recording(*zones: Zone, ticks: int = 4, gap_seconds: int = 300) -> Trace:
    return Trace("made-up", "2026-01-01", gap_seconds, ticks, "availability", "p3.2xlarge", 4, 3_060_000, zones)


B = Zone("us-east-1b", "us-east-1", ((0, 4), (2, 0)), ((0, 1),))
A = Zone("us-west-2a", "us-west-2", ((0, 0), (1, 2)), ((0, 1),))
RUN: list[Stretch] = [
    (0, 180, {"us-east-1b": (0, 2)}),
    (180, 600, {"us-east-1b": (2, 0)}),
    (600, 660, {"us-west-2a": (1, 0), ON_DEMAND: (0, 1)}),
    (660, 1200, {"us-west-2a": (1, 0), ON_DEMAND: (1, 0)}),
]


def test_one_span_for_each_minute_of_a_short_recording() -> None:
    seen = picture(recording(A, B), RUN, 2, 0)
    assert (seen.seconds, seen.span_seconds, seen.spans) == (1200, 60, 20)
    assert [row.name for row in seen.rows] == ["us-east-1b", "us-west-2a", ON_DEMAND]
    east, west, demand = seen.rows
    assert east.capacity == (4.0,) * 10 + (0.0,) * 10
    assert west.capacity == (0.0,) * 5 + (2.0,) * 15
    assert demand.capacity is None
    assert east.ready == (0.0,) * 3 + (2.0,) * 7 + (0.0,) * 10
    assert west.ready == (0.0,) * 10 + (1.0,) * 10
    assert demand.ready == (0.0,) * 11 + (1.0,) * 9
    assert seen.starting == (2.0,) * 3 + (0.0,) * 7 + (1.0,) + (0.0,) * 9
    assert (east.available, west.available, demand.available) == (0.5, 0.75, 1.0)
    assert east.mean_ready == pytest.approx(2 * 420 / 1200)
    assert (seen.gap_seconds, seen.gaps) == ((60,) * 3 + (0,) * 7 + (60,) + (0,) * 9, 2)


def test_the_warm_up_is_no_gap() -> None:
    assert picture(recording(A, B), RUN, 2, 180).gaps == 1
    cut = picture(recording(A, B), RUN, 2, 90)
    assert (cut.gap_seconds[:4], cut.gaps) == ((0, 30, 60, 0), 2)


def test_a_span_shows_the_mean_of_what_it_covers() -> None:
    seen = picture(recording(A, B), RUN, 2, 0, most_spans=3)
    assert (seen.span_seconds, seen.spans) == (420, 3)
    assert seen.rows[0].capacity == pytest.approx((4, 4 * 180 / 420, 0))
    assert seen.rows[0].ready == pytest.approx((2 * 240 / 420, 2 * 180 / 420, 0))
    # The last span is shorter than the others.
    assert seen.rows[1].ready == pytest.approx((0, 240 / 420, 1))
    assert seen.gap_seconds == (180, 60, 0)


def test_neighbouring_stretches_of_a_gap_are_one() -> None:
    run: list[Stretch] = [(0, 60, {}), (60, 120, {"us-east-1b": (1, 0)}), (120, 1200, {"us-east-1b": (2, 0)})]
    seen = picture(recording(A, B), run, 2, 0)
    assert (seen.gaps, sum(seen.gap_seconds)) == (1, 120)


@given(st.data())
def test_time_is_neither_lost_nor_made(data: st.DataObject) -> None:
    ends = sorted(data.draw(st.sets(st.integers(1, 4000), min_size=1, max_size=30)))
    run: list[Stretch] = [
        (
            60 * begin,
            60 * end,
            data.draw(
                st.dictionaries(st.sampled_from(["us-east-1b", ON_DEMAND]), st.tuples(st.integers(0, 3), st.just(1)))
            ),
        )
        for begin, end in zip([0, *ends], ends, strict=False)
    ]
    seen = picture(recording(A, B, ticks=ends[-1], gap_seconds=60), run, 2, 0)
    assert seen.spans <= MOST_SPANS
    lengths = [min(seen.seconds, (n + 1) * seen.span_seconds) - n * seen.span_seconds for n in range(seen.spans)]
    assert min(lengths) > 0
    for row in seen.rows:
        whole = sum(mean * length for mean, length in zip(row.ready, lengths, strict=True))
        assert whole == pytest.approx(sum((end - begin) * held.get(row.name, (0, 0))[0] for begin, end, held in run))
        assert row.mean_ready == pytest.approx(whole / seen.seconds)
    short = sum(end - begin for begin, end, held in run if sum(ready for ready, _starting in held.values()) < 2)
    assert sum(seen.gap_seconds) == short
    assert (seen.gaps > 0) is (short > 0)
