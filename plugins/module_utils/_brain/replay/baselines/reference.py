# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The reference rule: all replicas in the region of the best score, the cheapest of equals. PRIVATE to the collection."""

from __future__ import annotations

from bisect import bisect_right

from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.baselines.one_region import Group
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.market import STEP_SECONDS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.market import on_steps
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.market import step_count
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.simulator import NEVER
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.simulator import World
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import Trace

# The reference waits 90 seconds for its instances, then looks three times, a minute apart.
PATIENCE_STEPS = -(-(90 + 3 * 60) // STEP_SECONDS)
# When no region is left it waits, and excludes none any more.
WAIT_STEPS = 600 // STEP_SECONDS
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


class ReferenceRule:
    """All replicas in one region, or none: what falls short is torn down, its region excluded, and the next best tried.

    Without `scored` every score is equal, so that the cheapest region is chosen.
    """

    def __init__(self, trace: Trace, replicas: int, *, scored: bool) -> None:
        self._groups = {
            region: Group([index for index, zone in enumerate(trace.zones) if zone.region == region])
            for region in trace.regions
        }
        self._scores = Scores(trace, replicas) if scored else None
        self._excluded: set[str] = set()
        self._region: str | None = None
        # While launching: when patience ends. While serving: None.
        self._patient_until: int | None = None
        self._wait_until = 0

    def act(self, world: World) -> int:
        if self._region is not None and self._patient_until is None:
            if self._groups[self._region].held(world) >= world.replicas:
                return NEVER
            self._give_up(world)
        if world.step < self._wait_until:
            return self._wait_until
        while True:
            if self._region is None:
                if len(self._excluded) == len(self._groups):
                    self._excluded = set()
                    self._wait_until = world.step + WAIT_STEPS
                    return self._wait_until
                self._region = self._best(world)
                self._patient_until = world.step + PATIENCE_STEPS
            group = self._groups[self._region]
            if group.fill(world, world.replicas):
                self._patient_until = None
                self._excluded = set()
                return NEVER
            if world.step < self._patient_until:
                return min(self._patient_until, group.again(world))
            self._give_up(world)

    def _give_up(self, world: World) -> None:
        for zone in self._groups[self._region].zones:
            for instance in list(world.spot[zone]):
                world.terminate(instance)
        self._excluded.add(self._region)
        self._region = None

    def _best(self, world: World) -> str:
        """A region's score is that of its best zone, its price that of its cheapest."""

        def rank(region: str) -> tuple[int, int, str]:
            zones = self._groups[region].zones
            score = max(self._scores.at(world.step, zone) for zone in zones) if self._scores else 0
            return -score, min(world.price[zone] for zone in zones), region

        return min((region for region in self._groups if region not in self._excluded), key=rank)
