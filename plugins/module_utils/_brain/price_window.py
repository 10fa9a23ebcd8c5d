# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a spot price was over a window of time: usual, worst, and how restless. PRIVATE to the collection.

Records are those of `_aws/price_history.py`: each a change, in force until the next.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from datetime import timedelta
from decimal import Decimal
from itertools import accumulate
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.money import money

# As far back as EC2 keeps prices (botocore model: DescribeSpotPriceHistory StartTime).
LONGEST_WINDOW = timedelta(days=90)
RATIO = Decimal("0.0001")

# A price and how long it was in force, in microseconds.
Spell = tuple[Decimal, int]


@dataclass(frozen=True)
class PriceWindow:
    """The prices of one type in one zone, USD an hour.

    `current` is in force at the window's end. `median` is the price below which it was for half of the time. `volatility`
    is the mean distance from the median over time, in parts of the median: 0 for a price that never moved.
    """

    zone: str
    zone_id: str | None
    instance_type: str
    current: Decimal
    median: Decimal
    worst: Decimal
    volatility: Decimal


def check_window(start: datetime, end: datetime, option: str = "price_window") -> None:
    """A window has a length, and EC2 still knows its prices."""
    if not timedelta(0) < end - start <= LONGEST_WINDOW:
        raise InputError(
            option, f"{start.isoformat()} to {end.isoformat()}", "must be longer than 0 and 90 days at most"
        )


def price_windows(
    records: Iterable[dict[str, Any]], start: datetime, end: datetime
) -> dict[tuple[str, str], PriceWindow]:
    """Windows by zone and type, from `start` to `end`. A zone that has no record up to the end is not sold there, so it
    has no window; one whose first record is after the start counts from that record on.

    Records of several products (`Linux/UNIX` and its VPC variant) are taken as one series, the latest in force. InputError
    for a price that is none.
    """
    check_window(start, end)
    pools: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for record in records:
        if record["since"] <= end:
            pools.setdefault((record["zone"], record["instance_type"]), []).append(record)
    return {pool: _window(pool, found, start, end) for pool, found in sorted(pools.items())}


def _window(pool: tuple[str, str], records: list[dict[str, Any]], start: datetime, end: datetime) -> PriceWindow:
    # Products that change at the same moment: the dearer one, so that the order of the answer does not decide.
    changes = sorted((record["since"], money(record["price"])) for record in records)
    spells = _spells(changes, start, end)
    median = _median(spells)
    return PriceWindow(
        zone=pool[0],
        zone_id=next((record["zone_id"] for record in records if record.get("zone_id")), None),
        instance_type=pool[1],
        current=changes[-1][1],
        median=median,
        worst=max([changes[-1][1], *(price for price, _time in spells)]),
        volatility=_volatility(spells, median),
    )


def _spells(changes: list[tuple[datetime, Decimal]], start: datetime, end: datetime) -> list[Spell]:
    """Each price with the time that it was in force within the window; only the current one if that is no time at all."""
    ends = [since for since, _price in changes[1:]] + [end]
    microsecond = timedelta(microseconds=1)
    spells = [
        (price, (until - max(since, start)) // microsecond)
        for (since, price), until in zip(changes, ends, strict=True)
        if until > max(since, start)
    ]
    return spells or [(changes[-1][1], 1)]


def _median(spells: list[Spell]) -> Decimal:
    """The lowest price such that it was that or less for half of the time or more."""
    prices = sorted(spells)
    times = list(accumulate(time for _price, time in prices))
    return next(price for (price, _time), below in zip(prices, times, strict=True) if 2 * below >= times[-1])


def _volatility(spells: list[Spell], median: Decimal) -> Decimal:
    if median == 0:
        return Decimal(0).quantize(RATIO)
    total = sum(time for _price, time in spells)
    distance = sum((abs(price - median) * time for price, time in spells), Decimal(0))
    return (distance / (total * median)).quantize(RATIO)
