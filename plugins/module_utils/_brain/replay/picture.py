# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a timeline's chart shows: a recording and a replay of it as means over equal spans. PRIVATE to the collection.

A recording of weeks has more changes than a picture has columns; a column shows the mean of its span, gaps their seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import Steps
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import Trace

ON_DEMAND = "on-demand"
# About one for every dot of a screen that is as wide as a page.
MOST_SPANS = 900

# From second, to second, and by pool the replicas that are ready and those that are starting.
Stretch = tuple[int, int, Mapping[str, tuple[int, int]]]
# From second, to second, how many.
Held = tuple[int, int, int]


@dataclass(frozen=True)
class Row:
    """One pool: mean instances in each span, and over the whole time.

    `capacity` is None for on-demand, which is always there; `available` is the share of time with any capacity.
    """

    name: str
    region: str
    capacity: tuple[float, ...] | None
    ready: tuple[float, ...]
    available: float
    mean_ready: float


@dataclass(frozen=True)
class Picture:
    """The rows of the zones in the order of regions and names, then on-demand's; all spans but the last are `span_seconds` long."""

    seconds: int
    span_seconds: int
    rows: tuple[Row, ...]
    starting: tuple[float, ...]
    gap_seconds: tuple[int, ...]
    gaps: int

    @property
    def spans(self) -> int:
        return len(self.gap_seconds)


def picture(
    trace: Trace, stretches: Sequence[Stretch], replicas: int, warm_up_seconds: int, most_spans: int = MOST_SPANS
) -> Picture:
    """The picture of one policy's run. A gap is time with fewer than `replicas` ready, after the warm-up."""
    end = stretches[-1][1]
    span = 60 * -(-end // (60 * most_spans))
    count = -(-end // span)
    pools: dict[str, list[Held]] = {zone.name: [] for zone in trace.zones}
    pools[ON_DEMAND] = []
    starting: list[Held] = []
    short: list[Held] = []
    for begin, until, held in stretches:
        for pool, (ready, _starting) in held.items():
            pools[pool].append((begin, until, ready))
        starting.append((begin, until, sum(count for _ready, count in held.values())))
        if sum(ready for ready, _starting in held.values()) < replicas and until > warm_up_seconds:
            short.append((max(begin, warm_up_seconds), until, 1))

    def row(name: str, region: str, capacity: Sequence[Held] | None) -> Row:
        return Row(
            name,
            region,
            None if capacity is None else _means(capacity, span, count, end),
            _means(pools[name], span, count, end),
            1.0 if capacity is None else sum(until - begin for begin, until, value in capacity if value) / end,
            sum((until - begin) * value for begin, until, value in pools[name]) / end,
        )

    zones = sorted(trace.zones, key=lambda zone: (zone.region, zone.name))
    return Picture(
        seconds=end,
        span_seconds=span,
        rows=(
            *(row(zone.name, zone.region, _stretched(zone.capacity, trace.gap_seconds, end)) for zone in zones),
            row(ON_DEMAND, "", None),
        ),
        starting=_means(starting, span, count, end),
        gap_seconds=tuple(_sums(short, span, count)),
        gaps=sum(begin != before for begin, before in _neighbours(short)),
    )


def _stretched(steps: Steps, gap_seconds: int, end: int) -> list[Held]:
    begins = [min(tick * gap_seconds, end) for tick, _value in steps]
    return [
        (begin, until, value)
        for begin, until, (_tick, value) in zip(begins, [*begins[1:], end], steps, strict=True)
        if until > begin
    ]


def _neighbours(stretches: Sequence[Held]) -> Iterable[tuple[int, int]]:
    """Each stretch's beginning and the end of the one before, -1 for the first."""
    return zip([each[0] for each in stretches], [-1, *(each[1] for each in stretches)], strict=False)


def _sums(stretches: Iterable[Held], span: int, count: int) -> list[int]:
    """The sum of value times seconds in each span."""
    sums = [0] * count
    for begin, until, value in stretches:
        if not value:
            continue
        for number in range(begin // span, -(-until // span)):
            sums[number] += value * (min(until, (number + 1) * span) - max(begin, number * span))
    return sums


def _means(stretches: Iterable[Held], span: int, count: int, end: int) -> tuple[float, ...]:
    sums = _sums(stretches, span, count)
    return tuple(value / (min(end, (number + 1) * span) - number * span) for number, value in enumerate(sums))
