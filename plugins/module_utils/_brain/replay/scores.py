# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands in for placement scores, which no recording has. PRIVATE to the collection."""

from __future__ import annotations

from bisect import bisect_right

from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.market import STEP_SECONDS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.market import on_steps
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.market import step_count
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import Trace

SCORE_STEPS = 1800 // STEP_SECONDS


class Scores:
    """What stands in for placement scores: of the wanted replicas, how many could have run in a zone, on average over the half
    hour before, times its steps."""

    def __init__(self, trace: Trace, replicas: int) -> None:
        self._zones = [
            _Sums(on_steps(zone.capacity, trace.gap_seconds, step_count(trace)), replicas) for zone in trace.zones
        ]

    def at(self, step: int, zone: int) -> int:
        sums = self._zones[zone]
        begin = max(0, step - SCORE_STEPS)
        # In the first half hour, what is known of it; at its very beginning, the first step.
        seen = max(1, step - begin)
        return (sums.until(begin + seen) - sums.until(begin)) * SCORE_STEPS // seen


class _Sums:
    """Sums over steps of a value given as changes."""

    def __init__(self, changes: list[tuple[int, int]], most: int) -> None:
        self._steps = [step for step, _value in changes]
        self._values = [min(value, most) for _step, value in changes]
        self._sums = [0]
        for index in range(1, len(changes)):
            length = self._steps[index] - self._steps[index - 1]
            self._sums.append(self._sums[-1] + length * self._values[index - 1])

    def until(self, step: int) -> int:
        index = bisect_right(self._steps, step) - 1
        return self._sums[index] + (step - self._steps[index]) * self._values[index]
