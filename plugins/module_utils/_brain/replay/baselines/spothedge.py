# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SpotHedge, the policy of SkyServe (Mao et al., EuroSys 2025). PRIVATE to the collection."""

from __future__ import annotations

from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.baselines.on_demand import cover
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.baselines.on_demand import lasting
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.simulator import NEVER
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.simulator import REFUSALS_A_STEP
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.simulator import World

FEWEST_AVAILABLE = 2


class SpotHedge:
    """Keeps `extra` spot replicas more than are wanted, and on-demand for what spot has not ready.

    A zone counts as preempting after a loss or a refusal; when fewer than two are left, all count as available again. The next
    launch is in the cheapest available zone that holds no replica, or else in the cheapest available.
    """

    def __init__(self, zones: int, extra: int) -> None:
        self._all = frozenset(range(zones))
        self._available = self._all
        self._extra = extra
        # Cheapest first, and what holds replicas: as of the last act.
        self._order: list[int] = []
        self._used: frozenset[int] = frozenset()
        self._waiting_since: int | None = None

    def act(self, world: World) -> int:
        if self._waiting_since is not None:
            self._refused_steps(world.step - self._waiting_since - 1)
            self._waiting_since = None
        # What was warned was counted at the warning.
        for instance in world.warned + [each for each in world.lost if not each.warned]:
            self._available = self._without(instance.zone, self._available)
        self._order = sorted(self._all, key=world.price.__getitem__)
        target = world.replicas + self._extra
        held = len(lasting(world))
        misses = 0
        while held < target and world.refusals_left > 0 and misses < REFUSALS_A_STEP:
            self._used = frozenset(zone for zone in self._all if world.spot[zone])
            zone = self._next(self._available)
            instance = world.launch_spot(zone)
            if instance is None or instance.warned:
                misses += 1
                self._available = self._without(zone, self._available)
            else:
                held += 1
        cover(world, target)
        if held >= target:
            return NEVER
        if world.room(self._all):
            return world.step + 1
        self._used = frozenset(zone for zone in self._all if world.spot[zone])
        self._waiting_since = world.step
        world.wait_for_room(self._all, REFUSALS_A_STEP)
        return NEVER

    def _without(self, zone: int, available: frozenset[int]) -> frozenset[int]:
        left = available - {zone}
        return left if len(left) >= FEWEST_AVAILABLE else self._all

    def _next(self, available: frozenset[int]) -> int:
        empty = available - self._used
        return next(zone for zone in self._order if zone in (empty or available))

    def _refused_steps(self, steps: int) -> None:
        """What so many steps of refused launches do to the list; it soon repeats itself."""
        seen: dict[frozenset[int], int] = {}
        passed: list[frozenset[int]] = []
        available = self._available
        while len(passed) < steps and available not in seen:
            seen[available] = len(passed)
            passed.append(available)
            for _refusal in range(REFUSALS_A_STEP):
                available = self._without(self._next(available), available)
        if len(passed) < steps:
            first = seen[available]
            available = passed[first + (steps - first) % (len(passed) - first)]
        self._available = available
