# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan without gaps by one who knows the future: what a policy's cost is measured by. PRIVATE to the collection.

Each replica goes from zone to zone, or to on-demand, and its successor is launched a cold start before it takes over. The
cheapest such way is found replica by replica, each over the capacity that those before it leave.
"""

from __future__ import annotations

from bisect import bisect_left
from bisect import bisect_right
from collections.abc import Iterable
from collections.abc import Iterator
from itertools import accumulate
from itertools import pairwise
from operator import itemgetter
from typing import NamedTuple

from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.market import STEP_SECONDS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.market import on_steps
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.market import step_count
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.simulator import NEVER
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.simulator import ON_DEMAND
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.simulator import Account
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.simulator import World
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import Trace

HOUR_STEPS = 3600 // STEP_SECONDS
# What can happen at a step, in this order: a zone's price changes, its capacity begins, a replica may enter it, may leave it,
# must leave it.
PRICE, BEGIN, ENTER, LEAVE, END = range(5)
Moment = tuple[int, int, int, int]


class Stay(NamedTuple):
    """One replica in one zone, or ON_DEMAND: paid from the step `launch` up to the step `end`."""

    zone: int
    launch: int
    end: int


class Link(NamedTuple):
    """The end of a way so far: the stay that took over at the step `since`, and the way before."""

    zone: int
    launch: int
    since: int
    before: Link | None


class PlannedFleet:
    """The policy that follows stays. Replicas of one zone stand in for each other: at a stay's end the youngest goes."""

    def __init__(self, stays: Iterable[Stay]) -> None:
        self._changes: dict[int, dict[int, int]] = {}
        for stay in stays:
            for step, change in ((stay.launch, 1), (stay.end, -1)):
                at = self._changes.setdefault(step, {})
                at[stay.zone] = at.get(stay.zone, 0) + change
        self._steps = sorted(self._changes, reverse=True)
        self._wanted: dict[int, int] = {}

    def act(self, world: World) -> int:
        while self._steps and self._steps[-1] <= world.step:
            for zone, change in self._changes[self._steps.pop()].items():
                self._wanted[zone] = self._wanted.get(zone, 0) + change
        held = {zone: world.on_demand if zone == ON_DEMAND else world.spot[zone] for zone in self._wanted}
        for zone, wanted in self._wanted.items():
            for _surplus in range(len(held[zone]) - wanted):
                world.terminate(held[zone][-1])
        for zone, wanted in self._wanted.items():
            for _missing in range(wanted - len(held[zone])):
                if zone == ON_DEMAND:
                    world.launch_on_demand()
                else:
                    world.launch_spot(zone)
        return self._steps[-1] if self._steps else NEVER


def omniscient(trace: Trace, replicas: int, cold_start_seconds: int, warning_seconds: int, move_cost: int) -> Account:
    """What the plan comes to in the simulated world. `move_cost` in millionths of a USD."""
    world = World(trace, replicas, cold_start_seconds, warning_seconds, move_cost)
    return world.run(PlannedFleet(plan(trace, replicas, world.cold_steps, move_cost)))


def plan(trace: Trace, replicas: int, cold_steps: int, move_cost: int) -> list[Stay]:
    """The stays of all replicas."""
    market = _Market(trace, cold_steps, move_cost)
    stays: list[Stay] = []
    left = replicas
    while left:
        way = market.cheapest_way()
        copies = market.take(way, left)
        stays += way * copies
        left -= copies
    return stays


class _Market:
    """The recording less what is taken of it."""

    def __init__(self, trace: Trace, cold_steps: int, move_cost: int) -> None:
        self._count = step_count(trace)
        self._cold = cold_steps
        self._move = move_cost * HOUR_STEPS
        self._on_demand_price = trace.on_demand_price
        # The state after the last zone is on-demand, in no region.
        self._regions = [zone.region for zone in trace.zones] + [""]
        self._capacity = [on_steps(zone.capacity, trace.gap_seconds, self._count) for zone in trace.zones]
        prices = [on_steps(zone.price, trace.gap_seconds, self._count) for zone in trace.zones]
        self._price_moments = sorted(
            moment for zone, of_zone in enumerate(prices) for moment in self._of_prices(zone, of_zone)
        )
        # By region: at which steps another replica is there already, so that one more brings no data along.
        self._served = {region: bytearray(self._count) for region in self._regions}

    def _of_prices(self, zone: int, prices: list[tuple[int, int]]) -> Iterator[Moment]:
        yield 0, PRICE, zone, prices[0][1]
        for (_step, before), (step, price) in pairwise(prices):
            yield step, PRICE, zone, price
            # A handover is best where the leaver becomes dearer, or where the successor, launched a cold start before, becomes
            # cheaper: between such moments the sum of both prices goes only up or only down.
            if price > before:
                yield step, LEAVE, zone, 0
            else:
                yield step + self._cold, ENTER, zone, 0

    def _of_capacity(self, zone: int) -> Iterator[Moment]:
        for (_step, before), (step, value) in pairwise([(0, 0), *self._capacity[zone]]):
            if value and not before:
                yield step, BEGIN, zone, 0
                yield step + self._cold, ENTER, zone, 0
            elif before and not value:
                yield step, END, zone, 0

    def cheapest_way(self) -> list[Stay]:
        """One replica's stays from the first step to the last."""
        moments = self._price_moments + [
            moment for zone in range(len(self._capacity)) for moment in self._of_capacity(zone)
        ]
        ways = _Ways(self._regions, self._on_demand_price, self._cold, self._move, self._served)
        for step, kind, zone, value in sorted(moments):
            if step < self._count:
                ways.pass_moment(step, kind, zone, value)
        return list(self._stays(ways.cheapest(self._count)))

    def _stays(self, link: Link) -> Iterator[Stay]:
        end = self._count
        last: Link | None = link
        on_demand = len(self._capacity)
        while last is not None:
            if end > last.launch:
                yield Stay(ON_DEMAND if last.zone == on_demand else last.zone, last.launch, end)
            end, last = last.since, last.before

    def take(self, way: list[Stay], most: int) -> int:
        """Take the capacity of a way, as often as it is there. Returns how often that was."""
        copies = most
        zones: dict[int, list[Stay]] = {}
        for stay in way:
            if stay.zone != ON_DEMAND:
                zones.setdefault(stay.zone, []).append(stay)
                copies = min(copies, self._least(stay))
        for zone, stays in zones.items():
            self._capacity[zone] = _less(self._capacity[zone], stays, copies)
            served = self._served[self._regions[zone]]
            for stay in stays:
                served[stay.launch : stay.end] = b"\1" * (stay.end - stay.launch)
        return copies

    def _least(self, stay: Stay) -> int:
        """The least capacity during a stay."""
        changes = self._capacity[stay.zone]
        first = bisect_right(changes, stay.launch, key=itemgetter(0)) - 1
        last = bisect_left(changes, stay.end, key=itemgetter(0))
        return min(value for _step, value in changes[first:last])


def _less(changes: list[tuple[int, int]], stays: list[Stay], copies: int) -> list[tuple[int, int]]:
    """What is left of a capacity, given as changes `(step, value)`, when stays take so much of it."""
    differences = {step: value - before for (_step, before), (step, value) in pairwise([(0, 0), *changes])}
    for stay in stays:
        differences[stay.launch] = differences.get(stay.launch, 0) - copies
        differences[stay.end] = differences.get(stay.end, 0) + copies
    steps = sorted(differences)
    return list(zip(steps, accumulate(differences[step] for step in steps), strict=True))


class _Ways:
    """The cheapest way to each zone as time passes. Costs in millionths of a USD times steps an hour."""

    def __init__(
        self, regions: list[str], on_demand_price: int, cold: int, move: int, served: dict[str, bytearray]
    ) -> None:
        self._regions = regions
        self._cold = cold
        self._move = move
        self._served = served
        on_demand = len(regions) - 1
        # By zone: the prices so far as (step, cost from step 0 to then, price).
        self._prices: list[list[tuple[int, int, int]]] = [[] for _zone in range(on_demand)] + [
            [(0, 0, on_demand_price)]
        ]
        # Since when the zones with capacity have it.
        self._begin = {on_demand: 0}
        # For the zones that a way leads to: its last link, and its cost less that of the zone from step 0 on, which stays as it is.
        self._links = {on_demand: Link(on_demand, 0, 0, None)}
        self._costs = {on_demand: 0}

    def pass_moment(self, step: int, kind: int, zone: int, price: int) -> None:
        if kind == PRICE:
            self._prices[zone].append((step, self._paid(zone, step) if step else 0, price))
        elif kind == BEGIN:
            self._begin[zone] = step
            if not step:
                self._links[zone] = Link(zone, 0, 0, None)
                self._costs[zone] = 0 if self._served[self._regions[zone]][0] else self._move
        elif kind == ENTER:
            self._enter(step, zone)
        else:
            self._leave(step, zone)
            if kind == END:
                del self._begin[zone]
                if self._costs.pop(zone, None) is not None:
                    del self._links[zone]

    def cheapest(self, step: int) -> Link:
        return self._links[min(self._costs, key=lambda zone: (self._costs[zone] + self._paid(zone, step), zone))]

    def _paid(self, zone: int, step: int) -> int:
        """What the zone has cost from step 0 to a step."""
        prices = self._prices[zone]
        index = len(prices) - 1
        while prices[index][0] > step:
            index -= 1
        since, paid, price = prices[index]
        return paid + price * (step - since)

    def _enter(self, step: int, zone: int) -> None:
        """A successor in the zone takes over now, if that makes a cheaper way to it."""
        launch = step - self._cold
        if zone not in self._begin or self._begin[zone] > launch:
            return
        region = self._regions[zone]
        best, origin = min(
            (cost + self._paid(leaver, step) + self._data(region, leaver, launch), leaver)
            for leaver, cost in self._costs.items()
        )
        self._hand_over(step, origin, zone, launch, best)

    def _leave(self, step: int, zone: int) -> None:
        """The replica in the zone hands over now, wherever that makes a cheaper way."""
        if zone not in self._costs:
            return
        cost = self._costs[zone] + self._paid(zone, step)
        launch = max(0, step - self._cold)
        for successor, begin in self._begin.items():
            if begin <= launch and successor != zone:
                data = self._data(self._regions[successor], zone, launch)
                self._hand_over(step, zone, successor, launch, cost + data)

    def _data(self, region: str, leaver: int, launch: int) -> int:
        """What it costs to bring the data to a region: nothing where a replica is at the launch, the leaver or another."""
        there = region == self._regions[leaver] and self._cold
        return 0 if there or not region or self._served[region][launch] else self._move

    def _hand_over(self, step: int, leaver: int, successor: int, launch: int, cost: int) -> None:
        cost -= self._paid(successor, launch)
        if successor not in self._costs or cost < self._costs[successor]:
            self._costs[successor] = cost
            self._links[successor] = Link(successor, launch, step, self._links[leaver])
