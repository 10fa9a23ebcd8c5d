# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.generate import Options
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.generate import Random
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.generate import generate
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.generate import text_of
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import Trace
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import Zone
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import read_trace

HALF_HOUR = 1800
EIGHT_HOURS = 8 * 3600


def recording(options: Options) -> Trace:
    return read_trace(text_of(generate(options)).encode())


def test_the_same_options_give_the_same_bytes_everywhere() -> None:
    content = text_of(generate(Options(seed=1, days=3, zones=4, regions=2))).encode()
    assert hashlib.sha256(content).hexdigest() == "4ee30f6bec7c0f7b57b1a6dad233b19db23ab315873fb239fa29363ecceb4497"


def test_splitmix64_gives_its_published_sequence() -> None:
    # The first value of the reference implementation for the seed 0 is 0xe220a8397b1dcdaf.
    assert Random(0).between(0, (1 << 64) - 1) == 0xE220A8397B1DCDAF


def test_waiting_times_are_exponential() -> None:
    draw = Random(1)
    times = sorted(draw.exponential(10_000) for _time in range(20_000))
    assert sum(times) / len(times) == pytest.approx(10_000, rel=0.03)
    # Median and nine tenths of an exponential distribution: ln 2 and ln 10 times its mean.
    assert times[10_000] == pytest.approx(6_931, rel=0.03)
    assert times[18_000] == pytest.approx(23_026, rel=0.03)


@settings(max_examples=50, deadline=None)
@given(
    st.builds(
        Options,
        seed=st.integers(0, 1 << 70),
        days=st.integers(1, 4),
        zones=st.integers(3, 12),
        regions=st.integers(1, 3),
        probe_limit=st.sampled_from((1, 2, 4, 16)),
        gap_seconds=st.sampled_from((37, 60, 300, 3600)),
        availability=st.sampled_from(((1, 999), (1, 1), (999, 999), (300, 900))),
        together=st.sampled_from(((0, 0), (1000, 1000), (0, 1000))),
        price=st.sampled_from(((1, 1), (1000, 1000), (200, 600))),
        price_changes_a_day=st.sampled_from((0, 4, 100)),
        flat=st.sampled_from((0, 500, 1000)),
        on_demand_price=st.sampled_from((100, 3_060_000, 98_320_000)),
    )
)
def test_every_recording_is_read(options: Options) -> None:
    trace = recording(options)
    assert (len(trace.zones), len(trace.regions)) == (options.zones, options.regions)
    assert trace.seconds == options.days * 86_400 // options.gap_seconds * options.gap_seconds
    assert generate(options) == generate(options)


def spells(zone: Zone, trace: Trace) -> list[tuple[bool, int]]:
    """Whether there is capacity, and for how many seconds."""
    merged: list[tuple[int, bool]] = []
    for tick, value in zone.capacity:
        if not merged or merged[-1][1] != bool(value):
            merged.append((tick, bool(value)))
    merged.append((trace.ticks, False))
    return [(up, (end - begin) * trace.gap_seconds) for (begin, up), (end, _next) in pairwise(merged)]


def test_recordings_look_like_real_ones() -> None:
    """The bounds are those of seven recordings of 2022 and 2023, with room for so many zones."""
    traces = [recording(Options(seed=seed, days=60, zones=6, regions=2, gap_seconds=60)) for seed in range(6)]
    zones = [(zone, trace) for trace in traces for zone in trace.zones]
    young = old = young_hours = old_hours = 0.0
    for zone, trace in zones:
        up = [length for there, length in spells(zone, trace) if there]
        share = sum(up) / trace.seconds
        assert 0.12 <= share <= 0.97
        young += sum(length <= HALF_HOUR for length in up)
        young_hours += sum(min(length, HALF_HOUR) for length in up) / 3600
        old += sum(length > EIGHT_HOURS for length in up)
        old_hours += sum(length - EIGHT_HOURS for length in up if length > EIGHT_HOURS) / 3600
        values = {value for _tick, value in zone.capacity}
        assert values <= set(range(5)) and 4 in values
        prices = [price / trace.on_demand_price for _tick, price in zone.price]
        assert all(0.2 <= price <= 0.62 for price in prices)
        assert len(prices) == 1 or 2 <= len(prices) / 60 <= 5
    assert 0.8 <= young / young_hours <= 2.3
    assert 0.04 <= old / old_hours <= 0.18


def test_zones_of_one_region_go_together_and_regions_do_not() -> None:
    within = []
    across = []
    for seed in range(6):
        trace = recording(Options(seed=seed, days=60, zones=6, regions=2, gap_seconds=600))
        series = [available(zone, trace) for zone in trace.zones]
        for index, one in enumerate(trace.zones):
            for other in range(index):
                pairs = within if one.region == trace.zones[other].region else across
                pairs.append(correlation(series[index], series[other]))
    assert 0.1 <= sum(within) / len(within) <= 0.7
    assert -0.1 <= sum(across) / len(across) <= 0.1


def available(zone: Zone, trace: Trace) -> list[bool]:
    return [there for there, seconds in spells(zone, trace) for _tick in range(seconds // trace.gap_seconds)]


def correlation(one: list[bool], other: list[bool]) -> float:
    first = sum(one) / len(one)
    second = sum(other) / len(other)
    both = sum(a and b for a, b in zip(one, other, strict=True)) / len(one)
    return (both - first * second) / (first * (1 - first) * second * (1 - second)) ** 0.5


@pytest.mark.parametrize(
    ("changed", "option"),
    [
        ({"days": 0}, "days"),
        ({"zones": 2, "regions": 3}, "zones"),
        ({"regions": 11}, "regions"),
        ({"gap_seconds": 0}, "gap_seconds"),
        ({"availability": (0, 500)}, "availability"),
        ({"availability": (600, 500)}, "availability"),
        ({"price": (200, 1001)}, "price"),
        ({"flat": 1001}, "flat"),
        ({"on_demand_price": 99}, "on_demand_price"),
    ],
)
def test_what_cannot_be_made_is_refused(changed: dict[str, int], option: str) -> None:
    with pytest.raises(InputError) as caught:
        Options(**changed)
    assert caught.value.option == option
