# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""On-demand beside spot, as the baselines use it. PRIVATE to the collection."""

from __future__ import annotations

from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.simulator import NEVER
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.simulator import Instance
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.simulator import World


def lasting(world: World) -> list[Instance]:
    """The spot replicas that are not warned."""
    return [instance for held in world.spot for instance in held if not instance.warned]


def cover(world: World, target: int) -> None:
    """As many on-demand replicas as spot replicas are not ready of the `target`, never more than are wanted."""
    ready = sum(instance.ready_at <= world.step for instance in lasting(world))
    wanted = min(world.replicas, max(0, target - ready))
    while len(world.on_demand) < wanted:
        world.launch_on_demand()
    while len(world.on_demand) > wanted:
        world.terminate(world.on_demand[-1])


class AllOnDemand:
    """No spot."""

    def act(self, world: World) -> int:
        cover(world, world.replicas)
        return NEVER
