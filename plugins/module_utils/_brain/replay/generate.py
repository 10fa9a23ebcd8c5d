# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Recordings of markets that never were, for tests and for trying a policy on. PRIVATE to the collection.

They resemble what recordings of 2022 and 2023 show: a zone can run instances 30 to 90 % of the time, in spells whose hazard
falls with their age; zones of one region go together, regions hardly; prices differ between regions and drift, or stand still.

Whole numbers only, from a generator of our own: the same options give the same bytes everywhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import check_integer
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import FORMAT
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import MICRO

DAY = 86_400
REGIONS = (
    "us-east-1",
    "us-west-2",
    "eu-west-1",
    "us-east-2",
    "eu-central-1",
    "ap-northeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "sa-east-1",
    "ap-south-1",
)
# EC2 shows spot prices to the hundredth of a cent.
PRICE_UNIT = 100

# Mixtures of exponential spells, the mean of each: many short and few long ones give the falling hazard. Up in seconds; down
# in per mille of the mean that the wanted availability asks for.
UP_SPELLS = (1_500,) * 5 + (8_000,) * 3 + (48_000,) * 2
MEAN_UP = sum(UP_SPELLS) // len(UP_SPELLS)
DOWN_SPELLS = (250,) * 13 + (1_500,) * 5 + (4_625,) * 2
# Per mille of the time that a zone's availability may lie off its region's usual.
ZONES_DIFFER = 150
# A region as a whole goes up and down more slowly than each of its zones.
REGION_PACE = 2000
# Levels between none and all, where the recording asks for several instances at once.
STEP_SECONDS = 900
DIP_SECONDS = 2_400
BETWEEN_DIPS = 36_000


@dataclass(frozen=True)
class Options:
    """What a recording shall be like.

    `availability`, `together` and `price` are ranges in per mille that zones or regions are drawn from: the time with
    capacity, how much of a zone's unavailability is its region's, and the price beside that of on-demand.
    `on_demand_price` is in millionths of a USD an hour; `flat` is the per mille of regions whose prices stand still.
    """

    seed: int = 0
    days: int = 14
    zones: int = 9
    regions: int = 3
    probe_limit: int = 4
    gap_seconds: int = 300
    availability: tuple[int, int] = (300, 900)
    together: tuple[int, int] = (200, 900)
    price: tuple[int, int] = (220, 550)
    price_changes_a_day: int = 4
    flat: int = 300
    on_demand_price: int = 3_060_000

    def __post_init__(self) -> None:
        check_integer(self.seed, "seed")
        check_integer(self.days, "days", 1, 366)
        check_integer(self.regions, "regions", 1, len(REGIONS))
        check_integer(self.zones, "zones", self.regions, 26 * self.regions)
        check_integer(self.probe_limit, "probe_limit", 1, 1000)
        check_integer(self.gap_seconds, "gap_seconds", 1, DAY)
        check_integer(self.price_changes_a_day, "price_changes_a_day", 0, 1440)
        check_integer(self.flat, "flat", 0, 1000)
        check_integer(self.on_demand_price, "on_demand_price", PRICE_UNIT)
        for name, least, most in (("availability", 1, 999), ("together", 0, 1000), ("price", 1, 1000)):
            low, high = getattr(self, name)
            check_integer(low, name, least, most)
            check_integer(high, name, least, most)
            if low > high:
                raise InputError(name, f"{low} to {high}", "must go from the lower to the higher")


class Random:
    """Sebastiano Vigna's splitmix64; a stream of its own for each name, so that one zone's fate moves no other's."""

    MASK = (1 << 64) - 1

    def __init__(self, seed: int, *name: int) -> None:
        self._state = seed & self.MASK
        for part in name:
            self._state = self._next() ^ (part & self.MASK)

    def _next(self) -> int:
        self._state = (self._state + 0x9E3779B97F4A7C15) & self.MASK
        mixed = self._state
        mixed = ((mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9) & self.MASK
        mixed = ((mixed ^ (mixed >> 27)) * 0x94D049BB133111EB) & self.MASK
        return mixed ^ (mixed >> 31)

    def between(self, low: int, high: int) -> int:
        """A whole number of the range, ends included."""
        return low + self._next() * (high - low + 1) // (1 << 64)

    def chance(self, per_mille: int) -> bool:
        return self.between(1, 1000) <= per_mille

    def exponential(self, mean: int) -> int:
        """A waiting time, at least 1. By von Neumann's comparisons, since logarithms differ between platforms."""
        whole = 0
        while True:
            first = last = self._next()
            falls = 1
            while (following := self._next()) < last:
                last = following
                falls += 1
            if falls % 2:
                return max(1, whole * mean + (first * mean >> 64))
            whole += 1

    def spell(self, means: Sequence[int], scale: int) -> int:
        """A spell out of a mixture, its mean times `scale` per mille."""
        return self.exponential(max(1, means[self.between(0, len(means) - 1)] * scale // 1000))


def generate(options: Options) -> dict[str, Any]:
    """A document in the format `spot-trace/1`, prices as Decimal."""
    ticks = options.days * DAY // options.gap_seconds
    if not ticks:
        raise InputError("gap_seconds", options.gap_seconds, f"is longer than {options.days} days")
    zones: dict[str, dict[str, Any]] = {}
    for index in range(options.regions):
        zones.update(_region(options, index, ticks))
    return {
        "format": FORMAT,
        "name": f"generated-{options.seed}",
        "start": "2024-01-01T00:00:00Z",
        "gap_seconds": options.gap_seconds,
        "ticks": ticks,
        "kind": "availability",
        "instance_type": "generated",
        "probe_limit": options.probe_limit,
        "on_demand_price": _usd(options.on_demand_price),
        "currency": "USD/h",
        "source": "generated, no real market",
        "licence": "GPL-3.0-or-later",
        "zones": {name: zones[name] for name in sorted(zones)},
    }


def text_of(document: dict[str, Any]) -> str:
    """A document as JSON on one line; its decimals are short enough that floats print them exactly."""
    return json.dumps(document, default=float, separators=(",", ":")) + "\n"


def _usd(micro: int) -> Decimal:
    return Decimal(micro) / MICRO


def _region(options: Options, index: int, ticks: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """The zones of one region. What takes all of them down is drawn once, what takes one down once for each."""
    draw = Random(options.seed, index, 0)
    count = options.zones // options.regions + (index < options.zones % options.regions)
    seconds = ticks * options.gap_seconds
    low, high = options.availability
    usual = draw.between(low, high)
    wanted = [min(high, max(low, usual + draw.between(-ZONES_DIFFER, ZONES_DIFFER))) for _zone in range(count)]
    # A region is up more often than its best zone, or as often where all the trouble is the region's.
    region_up = 1000 - (1000 - max(wanted)) * draw.between(*options.together) // 1000
    pace = draw.between(600, 1700)
    whole = _spells(draw, region_up, REGION_PACE * pace // 1000, seconds)
    level = draw.between(*options.price)
    still = draw.chance(options.flat) or not options.price_changes_a_day
    levels = [(0, level)] if still else _drift(draw, level, options, seconds)
    for number, up in enumerate(wanted):
        own = Random(options.seed, index, number + 1)
        alone = _spells(own, min(999, up * 1000 // region_up), pace, seconds)
        capacity = _levels(own, _both(whole, alone), options.probe_limit)
        offset = own.between(-60, 60)
        prices = [(0, level * (1000 + offset) // 1000)] if still else _prices(own, levels, offset, options, seconds)
        yield (
            f"{REGIONS[index]}{chr(ord('a') + number)}",
            {
                "region": REGIONS[index],
                "capacity_rle": _runs(capacity, ticks, options.gap_seconds),
                "price_rle": [
                    [length, _usd(options.on_demand_price * value // 1000 // PRICE_UNIT * PRICE_UNIT)]
                    for length, value in _runs(prices, ticks, options.gap_seconds)
                ],
            },
        )


def _spells(draw: Random, up: int, pace: int, seconds: int) -> list[tuple[int, int]]:
    """When there is capacity, as `(begin, end)`: `up` per mille of the time, spells `pace` per mille as long as usual."""
    if up >= 1000:
        return [(0, seconds)]
    mean_down = MEAN_UP * (1000 - up) // up
    now = 0 if draw.chance(up) else draw.spell(DOWN_SPELLS, mean_down * pace // 1000)
    spells: list[tuple[int, int]] = []
    while now < seconds:
        end = now + draw.spell(UP_SPELLS, pace)
        spells.append((now, min(end, seconds)))
        now = end + draw.spell(DOWN_SPELLS, mean_down * pace // 1000)
    return spells


def _both(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Where the spells of both overlap."""
    overlaps: list[tuple[int, int]] = []
    left = iter(one)
    right = iter(other)
    first = next(left, None)
    second = next(right, None)
    while first and second:
        begin = max(first[0], second[0])
        end = min(first[1], second[1])
        if begin < end:
            overlaps.append((begin, end))
        if first[1] <= second[1]:
            first = next(left, None)
        else:
            second = next(right, None)
    return overlaps


def _levels(draw: Random, spells: list[tuple[int, int]], limit: int) -> list[tuple[int, int]]:
    """Capacity as changes `(second, value)`: all at once or in steps at a spell's ends, with dips between."""
    changes = [(0, 0)]
    for begin, end in spells:
        now = begin
        value = limit
        if limit > 1 and draw.chance(300):
            value = draw.between(1, limit - 1)
        changes.append((now, value))
        while value < limit:
            now += draw.exponential(STEP_SECONDS)
            value = draw.between(value + 1, limit)
            if now < end:
                changes.append((now, value))
        last = end
        falls: list[tuple[int, int]] = []
        if limit > 1 and draw.chance(400):
            value = 0
            while value < limit - 1:
                last -= draw.exponential(STEP_SECONDS)
                value = draw.between(value + 1, limit - 1)
                falls.insert(0, (last, value))
        while limit > 1:
            now += draw.exponential(BETWEEN_DIPS)
            back = now + draw.exponential(DIP_SECONDS)
            if back >= last:
                break
            changes += [(now, draw.between(1, limit - 1)), (back, limit)]
            now = back
        changes += [fall for fall in falls if fall[0] > changes[-1][0]]
        changes.append((end, 0))
    return changes


def _drift(draw: Random, level: int, options: Options, seconds: int) -> list[tuple[int, int]]:
    """A region's price level as changes: every other day a step of up to a twelfth."""
    changes = [(0, level)]
    now = draw.exponential(2 * DAY)
    low, high = options.price
    while now < seconds:
        level = min(high, max(low, level + draw.between(-level, level) // 12))
        changes.append((now, level))
        now += draw.exponential(2 * DAY)
    return changes


def _prices(
    draw: Random, levels: list[tuple[int, int]], offset: int, options: Options, seconds: int
) -> list[tuple[int, int]]:
    """A zone's price as changes: small steps about the region's level, `offset` per mille off it."""
    ahead = iter(levels)
    coming = next(ahead, None)
    aim = value = levels[0][1] * (1000 + offset) // 1000
    changes = [(0, value)]
    now = 0
    while True:
        now += draw.exponential(DAY // options.price_changes_a_day)
        if now >= seconds:
            return changes
        while coming and coming[0] <= now:
            aim = coming[1] * (1000 + offset) // 1000
            coming = next(ahead, None)
        value = max(1, value + (aim - value) // 4 + draw.between(-value, value) // 60)
        changes.append((now, value))


def _runs(changes: list[tuple[int, int]], ticks: int, gap_seconds: int) -> list[list[int]]:
    """Changes by the second as run lengths: each tick has the value at its beginning."""
    starts: list[tuple[int, int]] = []
    for second, value in changes:
        tick = -(-second // gap_seconds)
        if tick >= ticks:
            break
        if starts and starts[-1][0] == tick:
            starts.pop()
        if not starts or starts[-1][1] != value:
            starts.append((tick, value))
    ends = [tick for tick, _value in starts[1:]] + [ticks]
    return [[end - tick, value] for (tick, value), end in zip(starts, ends, strict=True)]
