# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A recording on the replay's time axis: what changes at which step. PRIVATE to the collection."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import lru_cache

from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import Steps
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import Trace

STEP_SECONDS = 60

CAPACITY = 0
FORESEEN = 1
PRICE = 2
# (step, zone's index, CAPACITY | FORESEEN | PRICE, value)
Change = tuple[int, int, int, int]


def step_count(trace: Trace) -> int:
    """Whole steps in the recording."""
    return trace.seconds // STEP_SECONDS


def on_steps(values: Steps, gap_seconds: int, count: int) -> list[tuple[int, int]]:
    """The values at the beginning of each step, as changes `(step, value)`; a value that no step begins in is not seen."""
    seen: list[tuple[int, int]] = []
    for tick, value in values:
        step = -(-tick * gap_seconds // STEP_SECONDS)
        if step >= count:
            break
        if seen and seen[-1][0] == step:
            seen.pop()
        if not seen or seen[-1][1] != value:
            seen.append((step, value))
    return seen


def least_ahead(changes: list[tuple[int, int]], steps: int, count: int) -> list[tuple[int, int]]:
    """The least value from each step to `steps` later, as changes: what a warning that long ahead tells of."""
    if not steps:
        return changes
    ends = [step for step, _value in changes[1:]] + [count]
    window: deque[tuple[int, int]] = deque()
    seen: list[tuple[int, int]] = []
    # A value enters the window `steps` before it begins and leaves it when it ends: nothing else moves the least.
    moments = sorted({0} | {max(0, step - steps) for step, _value in changes} | set(ends[:-1]))
    coming = iter(zip(changes, ends, strict=True))
    following = next(coming, None)
    for moment in moments:
        while following is not None and following[0][0] <= moment + steps:
            (_begin, value), end = following
            while window and window[-1][1] >= value:
                window.pop()
            window.append((end, value))
            following = next(coming, None)
        while window[0][0] <= moment:
            window.popleft()
        if not seen or seen[-1][1] != window[0][1]:
            seen.append((moment, window[0][1]))
    return seen


@lru_cache(maxsize=16)
def changes_of(trace: Trace, warning_steps: int) -> tuple[Change, ...]:
    """Every change of every zone in the order of steps; within one step capacity first, then what it foretells, then price."""
    count = step_count(trace)

    def all_changes() -> Iterator[Change]:
        for index, zone in enumerate(trace.zones):
            capacity = on_steps(zone.capacity, trace.gap_seconds, count)
            yield from ((step, index, CAPACITY, value) for step, value in capacity)
            ahead = least_ahead(capacity, warning_steps, count)
            yield from ((step, index, FORESEEN, value) for step, value in ahead)
            prices = on_steps(zone.price, trace.gap_seconds, count)
            yield from ((step, index, PRICE, value) for step, value in prices)

    return tuple(sorted(all_changes(), key=lambda change: (change[0], change[2], change[1])))
