# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Spot in one region, as an Auto Scaling group launches it. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.simulator import NEVER
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.simulator import REFUSALS_A_STEP
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.simulator import World


class Group:
    """Launches in the zone that holds the fewest, the cheapest of equals; a zone that refused comes last for a step."""

    def __init__(self, zones: Sequence[int]) -> None:
        self.zones = zones
        self._resting: set[int] = set()

    def held(self, world: World) -> int:
        """How many replicas are held that are not warned."""
        return sum(not instance.warned for zone in self.zones for instance in world.spot[zone])

    def fill(self, world: World, wanted: int) -> bool:
        """Launch until so many are held, or every zone has refused. Returns whether they are."""
        missing = wanted - self.held(world)
        if missing <= 0:
            return True
        order = {zone: (zone in self._resting, world.price[zone], zone) for zone in self.zones}
        open_zones = set(self.zones)
        while missing and open_zones and world.refusals_left > 0:
            zone = min(open_zones, key=lambda each: (order[each][0], len(world.spot[each]), order[each]))
            instance = world.launch_spot(zone)
            if instance is None or instance.warned:
                open_zones.remove(zone)
            else:
                missing -= 1
        # With few zones all of them are asked in each step, so that none has to wait.
        self._resting = set(self.zones) - open_zones if len(self.zones) > REFUSALS_A_STEP else set()
        return not missing

    def again(self, world: World) -> int:
        """When to try again what was not launched: in the next step, which only zones with room need."""
        if len(self.zones) > REFUSALS_A_STEP or world.room(self.zones):
            return world.step + 1
        world.wait_for_room(self.zones, len(self.zones))
        return NEVER


class OneRegion:
    """A group and nothing else."""

    def __init__(self, zones: Sequence[int]) -> None:
        self._group = Group(zones)

    def act(self, world: World) -> int:
        return NEVER if self._group.fill(world, world.replicas) else self._group.again(world)
