# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Round robin. PRIVATE to the collection."""

from __future__ import annotations

from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.baselines.on_demand import cover
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.baselines.on_demand import lasting
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.simulator import NEVER
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.simulator import REFUSALS_A_STEP
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.simulator import World


class RoundRobin:
    """Spot in all zones in turn: the next is tried after a refusal or a warning. With `on_demand` for what is not ready."""

    def __init__(self, zones: int, *, on_demand: bool) -> None:
        self._zones = range(zones)
        self._on_demand = on_demand
        self._turn = 0
        self._waiting_since: int | None = None

    def act(self, world: World) -> int:
        refused_a_step = min(len(self._zones), REFUSALS_A_STEP)
        if self._waiting_since is not None:
            self._turn += refused_a_step * (world.step - self._waiting_since - 1)
            self._waiting_since = None
        held = len(lasting(world))
        misses = 0
        while held < world.replicas and world.refusals_left > 0 and misses < len(self._zones):
            instance = world.launch_spot(self._turn % len(self._zones))
            if instance is None or instance.warned:
                misses += 1
                self._turn += 1
            else:
                misses = 0
                held += 1
        if self._on_demand:
            cover(world, world.replicas)
        if held >= world.replicas:
            return NEVER
        if world.room(self._zones):
            return world.step + 1
        self._waiting_since = world.step
        world.wait_for_room(self._zones, refused_a_step)
        return NEVER
