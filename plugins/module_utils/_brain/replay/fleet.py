# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The product's policy in the simulated world: the same `decide` that the control plane runs. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.ledger import Pool
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy import model
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.decide import decide
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Decision
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Observations
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Quote
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Refusal
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Replica
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import State
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import REFERENCE
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import SINGLE_REGION
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import Settings
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.market import STEP_SECONDS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.scores import Scores
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.simulator import NEVER
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.simulator import Instance
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.simulator import World
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import Trace

REFUSED = "InsufficientInstanceCapacity"
ON_DEMAND = "on-demand"


class FleetPolicy:
    """Observes the world for `decide` and carries out its orders. `orders` collects what was ordered, and when."""

    def __init__(self, trace: Trace, settings: Settings, *, scored: bool = True) -> None:
        self._settings = settings
        self._state = State()
        self._wake = 0
        kind = trace.instance_type
        self._pools = [Pool(zone.region, zone.region, zone.name, kind, model.SPOT) for zone in trace.zones]
        self._zones = {zone.name: index for index, zone in enumerate(trace.zones)}
        self._names = [zone.name for zone in trace.zones]
        # A recording sells on-demand everywhere at one price: it matters in which region only where all are in one.
        together = settings.spread == SINGLE_REGION and settings.replicas > 1
        regions = trace.regions if together else trace.regions[:1]
        self._on_demand = tuple(
            Quote(f"{ON_DEMAND}/{region}", Pool(region, region, None, kind, model.ON_DEMAND), trace.on_demand_price)
            for region in regions
        )
        self._bought: dict[int, str] = {}
        self._scores = Scores(trace, settings.replicas) if settings.mode == REFERENCE and scored else None
        self._prices: list[int] = []
        self._quotes: tuple[Quote, ...] = ()
        self.orders: list[dict[str, Any]] = []

    def act(self, world: World) -> int:
        now = world.now
        if world.price != self._prices or self._scores:
            self._prices = list(world.price)
            self._quotes = (*self._spot_quotes(world), *self._on_demand)
        refusals: tuple[Refusal, ...] = ()
        while True:
            observed = Observations(self._quotes, self._replicas(world), refusals, world.refusals_left)
            decision = decide(self._state, observed, now, self._settings)
            self._state = decision.state
            if not decision.actions:
                break
            self.orders.append({"at": now, "orders": [action.document() for action in decision.actions]})
            refusals = self._carry_out(world, decision)
        self._wake = min(decision.wake_at, NEVER * STEP_SECONDS)
        return -(-self._wake // STEP_SECONDS)

    def _spot_quotes(self, world: World) -> Iterator[Quote]:
        for index, (name, pool, price) in enumerate(zip(self._names, self._pools, world.price, strict=True)):
            score = self._scores.at(world.step, index) if self._scores else None
            yield Quote(name, pool, price, score=score)

    def _replicas(self, world: World) -> tuple[Replica, ...]:
        return tuple(
            Replica(
                str(each.number),
                self._names[each.zone] if each.zone >= 0 else self._bought[each.number],
                each.ready_at <= world.step,
                each.warned,
                each.launched_at * STEP_SECONDS,
            )
            for each in world.alive()
        )

    def _carry_out(self, world: World, decision: Decision) -> tuple[Refusal, ...]:
        refusals = []
        for action in decision.actions:
            if action.kind == model.TERMINATE:
                world.terminate(_find(world, int(action.number)))
                continue
            zone = self._zones.get(action.key)
            for _replica in range(action.count):
                if zone is None:
                    self._bought[world.launch_on_demand().number] = action.key
                elif world.launch_spot(zone) is None:
                    refusals.append(Refusal(action.key, REFUSED))
                    break
        return tuple(refusals)


def _find(world: World, number: int) -> Instance:
    return next(each for each in world.alive() if each.number == number)
