# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import UTC
from datetime import datetime
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.price_window import price_windows

END = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
START = END - 10 * HOUR


def record(hours_ago, price, zone="us-west-2a", instance_type="g5.xlarge", product="Linux/UNIX", zone_id="usw2-az1"):
    return {
        "zone": zone,
        "zone_id": zone_id,
        "instance_type": instance_type,
        "product": product,
        "price": price,
        "since": END - hours_ago * HOUR,
    }


def only(records, start=START, end=END):
    (window,) = price_windows(records, start, end).values()
    return window


@pytest.mark.parametrize(
    ("changes", "current", "median", "worst", "volatility"),
    [
        # One price all the time, set before the window.
        ([(500, "0.4")], "0.4", "0.4", "0.4", "0.0000"),
        # 6 h at 0.4, then 4 h at 0.5: off by 0.1 for 4 of 10 hours, of a median of 0.4.
        ([(500, "0.4"), (4, "0.5")], "0.5", "0.4", "0.5", "0.1000"),
        # Half and half: the lower one was enough for half of the time.
        ([(500, "0.5"), (5, "0.4")], "0.4", "0.4", "0.5", "0.1250"),
        # An hour's peak is the worst price, whatever is in force now.
        ([(500, "0.4"), (3, "2"), (2, "0.4")], "0.4", "0.4", "2", "0.4000"),
        # Before the window prices do not count, but for the last.
        ([(500, "9"), (11, "0.4")], "0.4", "0.4", "0.4", "0.0000"),
        ([(500, "9"), (10, "0.4")], "0.4", "0.4", "0.4", "0.0000"),
        # Sold for the last three hours only: 2 h at 0.3, 1 h at 0.6.
        ([(3, "0.3"), (1, "0.6")], "0.6", "0.3", "0.6", "0.3333"),
        # Changed at the very end: in force now, for no time yet.
        ([(500, "0.4"), (0, "0.7")], "0.7", "0.4", "0.7", "0.0000"),
        ([(0, "0.7")], "0.7", "0.7", "0.7", "0.0000"),
        ([(500, "0")], "0", "0", "0", "0.0000"),
    ],
)
def test_windows(changes, current, median, worst, volatility):
    window = only([record(*change) for change in changes])
    assert (window.current, window.median, window.worst) == (Decimal(current), Decimal(median), Decimal(worst))
    assert str(window.volatility) == volatility


def test_the_shortest_peak_is_the_worst():
    peak = record(0, "5")
    peak["since"] = END - timedelta(microseconds=1)
    assert only([record(500, "0.4"), peak]).worst == Decimal(5)


def test_each_zone_and_type_has_its_own_window_and_the_unsold_none():
    records = [
        record(500, "0.4"),
        record(500, "0.3", zone="us-west-2b", zone_id=None),
        record(500, "0.2", instance_type="g6.xlarge"),
        # Sold only after the window's end.
        record(-1, "0.1", zone="us-west-2c"),
    ]
    windows = price_windows(records, START, END)
    assert {pool: (each.current, each.zone_id) for pool, each in windows.items()} == {
        ("us-west-2a", "g5.xlarge"): (Decimal("0.4"), "usw2-az1"),
        ("us-west-2a", "g6.xlarge"): (Decimal("0.2"), "usw2-az1"),
        ("us-west-2b", "g5.xlarge"): (Decimal("0.3"), None),
    }
    assert price_windows([], START, END) == {}


def test_products_are_one_series_in_which_the_latest_record_is_in_force():
    vpc = "Linux/UNIX (Amazon VPC)"
    window = only([record(500, "0.4"), record(5, "0.6", product=vpc), record(500, "0.3", product=vpc)])
    assert (window.current, window.median, window.worst) == (Decimal("0.6"), Decimal("0.4"), Decimal("0.6"))


@pytest.mark.parametrize("days", [0, -1, 91])
def test_a_window_is_of_some_time_and_of_ninety_days_at_most(days):
    with pytest.raises(InputError, match="90 days at most") as refused:
        price_windows([], END - timedelta(days=days), END)
    assert refused.value.option == "price_window"


def test_a_price_that_is_none_is_refused():
    with pytest.raises(InputError, match="finite"):
        only([record(500, "NaN")])


prices = st.decimals("0.0001", "100", places=4)
change_lists = st.lists(st.tuples(st.integers(0, 20_000), prices), min_size=1, max_size=30)


def at(minutes_ago, price):
    made = record(0, str(price))
    made["since"] = END - timedelta(minutes=minutes_ago)
    return made


@given(change_lists, st.integers(1, 20_000))
def test_bounds(changes, minutes):
    window = only([at(*change) for change in changes], END - timedelta(minutes=minutes))
    known = {price for _ago, price in changes}
    assert {window.current, window.median, window.worst} <= known
    assert window.worst >= max(window.median, window.current)
    assert window.volatility >= 0
    assert window.worst != window.median or window.volatility <= 1
    assert -window.volatility.as_tuple().exponent == 4


@given(change_lists, st.integers(1, 20_000), st.randoms())
def test_neither_order_nor_repetition_matters(changes, minutes, random):
    start = END - timedelta(minutes=minutes)
    records = [at(*change) for change in changes]
    expected = only(records, start)
    shuffled = [*records, *records]
    random.shuffle(shuffled)
    assert only(shuffled, start) == expected


@given(change_lists, st.integers(1, 20_000), st.sampled_from([2, 10, Decimal("0.5")]))
def test_volatility_has_no_unit(changes, minutes, factor):
    start = END - timedelta(minutes=minutes)
    window = only([at(ago, price) for ago, price in changes], start)
    scaled = only([at(ago, price * factor) for ago, price in changes], start)
    assert scaled.volatility == window.volatility
    assert (scaled.median, scaled.worst) == (window.median * factor, window.worst * factor)


def slow_average_distance(changes, minutes, median):
    """The definition, minute by minute."""
    total = 0
    spoken = 0
    for minute in range(minutes, 0, -1):
        in_force = [
            price for ago, price in sorted(changes, key=lambda change: (-change[0], change[1])) if ago >= minute
        ]
        if in_force:
            spoken += 1
            total += abs(in_force[-1] - median)
    return total / spoken / median if spoken else Decimal(0)


@given(st.lists(st.tuples(st.integers(0, 200), prices), min_size=1, max_size=10), st.integers(1, 150))
def test_volatility_is_the_mean_distance_from_the_median(changes, minutes):
    window = only([at(*change) for change in changes], END - timedelta(minutes=minutes))
    assert abs(window.volatility - slow_average_distance(changes, minutes, window.median)) <= Decimal("0.00005")
