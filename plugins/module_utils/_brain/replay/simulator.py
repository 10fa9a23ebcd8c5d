# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a policy's launches and terminations come to on a recorded market. PRIVATE to the collection.

Steps of a minute; between two events nothing happens, so only steps with an event are computed. Capacity is the most
spot instances that can be alive in a zone: a launch is granted up to what is free and fails at once otherwise, and when
capacity falls below what is held, the warned and then the youngest are lost. On-demand is always granted.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Protocol

from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.market import FORESEEN
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.market import PRICE
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.market import STEP_SECONDS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.market import Change
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.market import changes_of
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.market import step_count
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import Trace

ON_DEMAND = -1
# How a timeline calls it.
ON_DEMAND_NAME = "on-demand"
# From second, to second, and by pool the replicas that are ready and those that are starting.
Stretch = tuple[int, int, Mapping[str, tuple[int, int]]]
NEVER = 1 << 60
# Failed calls in one step: more would be throttled.
REFUSALS_A_STEP = 3
# The first launches are no achievement of a policy.
WARM_UP_SECONDS = 1800


class Instance:
    """One instance that is paid for: `zone` is an index, or ON_DEMAND. `warned` from the warning on."""

    __slots__ = ("launched_at", "number", "ready_at", "warned", "zone")

    def __init__(self, number: int, zone: int, launched_at: int, ready_at: int) -> None:
        self.number = number
        self.zone = zone
        self.launched_at = launched_at
        self.ready_at = ready_at
        self.warned = False


class Policy(Protocol):
    """Looks at the world, and launches and terminates in it. Returns the step at which to be asked again, or NEVER.

    It is asked before that when a replica was lost, warned or became ready, and when a price has changed: what an account is
    told. A change of capacity is no such event.
    """

    def act(self, world: World) -> int: ...


class World:
    """The market and the fleet at one step, and what it has come to so far.

    Policies read `now` (seconds), `step`, `spot` (alive, oldest first, by zone), `on_demand` (oldest first), `price` (by
    zone), `lost`, `warned` and `readied` (since the last act), and call `launch_spot`, `launch_on_demand` and `terminate`.
    """

    def __init__(
        self,
        trace: Trace,
        replicas: int,
        cold_start_seconds: int,
        warning_seconds: int,
        move_cost: int,
        timeline: list[Stretch] | None = None,
    ) -> None:
        self.trace = trace
        self.timeline = timeline
        self.replicas = replicas
        self.regions = [zone.region for zone in trace.zones]
        self.on_demand_price = trace.on_demand_price
        self.cold_steps = -(-cold_start_seconds // STEP_SECONDS)
        self.warning_steps = warning_seconds // STEP_SECONDS
        self.move_cost = move_cost
        zones = len(trace.zones)
        self.step = 0
        self.now = 0
        self.spot: list[list[Instance]] = [[] for _zone in range(zones)]
        self.on_demand: list[Instance] = []
        self.capacity = [0] * zones
        self.price = [0] * zones
        self.lost: list[Instance] = []
        self.warned: list[Instance] = []
        self.readied = False
        self.refusals_left = REFUSALS_A_STEP
        self._foreseen = [0] * zones
        self._watched: frozenset[int] = frozenset()
        self._refused_a_step = 0
        self._number = 0
        self._last_region: str | None = None
        self._account = Account(trace, replicas)

    # What policies do.

    def launch_spot(self, zone: int) -> Instance | None:
        """The instance, or None where the zone has no capacity left."""
        alive = self.spot[zone]
        if len(alive) >= self.capacity[zone]:
            self.refusals_left -= 1
            self._account.failed_launches += 1
            return None
        instance = self._launch(zone)
        alive.append(instance)
        self._settle(self.regions[zone])
        self._warn(zone)
        return instance

    def launch_on_demand(self) -> Instance:
        instance = self._launch(ON_DEMAND)
        self.on_demand.append(instance)
        return instance

    def terminate(self, instance: Instance) -> None:
        held = self.on_demand if instance.zone == ON_DEMAND else self.spot[instance.zone]
        held.remove(instance)

    def wait_for_room(self, zones: Iterable[int], refusals: int) -> None:
        """To be asked when one of these full zones has room, as one who tries them in each step would find: each step until then
        counts as many refused launches."""
        self._watched = frozenset(zones)
        self._refused_a_step = refusals

    # What policies see.

    def room(self, zones: Iterable[int]) -> bool:
        """Whether a launch in one of the zones would be granted now."""
        return any(self.capacity[zone] > len(self.spot[zone]) for zone in zones)

    def alive(self) -> list[Instance]:
        return [instance for held in self.spot for instance in held] + self.on_demand

    def _launch(self, zone: int) -> Instance:
        self._number += 1
        return Instance(self._number, zone, self.step, self.step + self.cold_steps)

    def _settle(self, region: str) -> None:
        """The first replica of a region brings the data there: that is paid, and a move unless the last such was the same."""
        if sum(len(held) for held, name in zip(self.spot, self.regions, strict=True) if name == region) > 1:
            return
        self._account.cost_of_moves += self.move_cost
        if self._last_region not in (None, region):
            self._account.moves += 1
        self._last_region = region

    # What the market does.

    def run(self, policy: Policy) -> Account:
        """Play the recording to its end."""
        changes = changes_of(self.trace, self.warning_steps)
        count = step_count(self.trace)
        position, _moment = self._play(changes, 0, 0)
        while self.step < count:
            self.refusals_left = REFUSALS_A_STEP
            self._watched = frozenset()
            self._refused_a_step = 0
            wake = max(policy.act(self), self.step + 1)
            self.lost = []
            self.warned = []
            ready = self._next_ready()
            rates = self._account.rates(self)
            position, following = self._play(changes, position, min(wake, ready, count))
            self._account.pass_time(rates, self.step, following)
            if self.timeline is not None:
                self.timeline.append(self._stretch(following))
            self._account.failed_launches += self._refused_a_step * (following - self.step - 1)
            self.readied = following == ready
            self.step = following
            self.now = following * STEP_SECONDS
        self._account.close()
        return self._account

    def _stretch(self, until: int) -> Stretch:
        """What runs from this step to another."""
        running = {}
        for name, held in [
            *zip((zone.name for zone in self.trace.zones), self.spot, strict=True),
            (ON_DEMAND_NAME, self.on_demand),
        ]:
            if held:
                ready = sum(each.ready_at <= self.step for each in held)
                running[name] = (ready, len(held) - ready)
        return self.now, until * STEP_SECONDS, running

    def _play(self, changes: Sequence[Change], position: int, until: int) -> tuple[int, int]:
        """Apply the changes from `position` on up to the first step that the policy hears of, or up to the step `until`. Returns
        the next position and that step."""
        while position < len(changes) and (step := changes[position][0]) <= until:
            heard = False
            while position < len(changes) and changes[position][0] == step:
                heard |= self._apply(changes[position])
                position += 1
            if heard:
                return position, step
        return position, until

    def _apply(self, change: Change) -> bool:
        """Whether the policy hears of it."""
        _step, zone, kind, value = change
        held = self.spot[zone]
        if kind == PRICE:
            self.price[zone] = value
            return True
        if kind == FORESEEN:
            self._foreseen[zone] = value
            if not held:
                return False
            self._warn(zone)
            return bool(self.warned)
        self.capacity[zone] = value
        while len(held) > value:
            victim = next((each for each in reversed(held) if each.warned), held[-1])
            held.remove(victim)
            self.lost.append(victim)
            self._account.preemptions += 1
        return bool(self.lost) or (zone in self._watched and value > len(held))

    def _warn(self, zone: int) -> None:
        held = self.spot[zone]
        doomed = len(held) - self._foreseen[zone]
        if doomed <= 0 or not self.warning_steps:
            return
        doomed -= sum(each.warned for each in held)
        for each in reversed(held):
            if doomed <= 0:
                break
            if not each.warned:
                each.warned = True
                self.warned.append(each)
                doomed -= 1

    def _next_ready(self) -> int:
        step = self.step
        return min((each.ready_at for each in self.alive() if each.ready_at > step), default=NEVER)


class Account:
    """What a run has cost and achieved. Money in millionths of a USD times seconds where it says so."""

    def __init__(self, trace: Trace, replicas: int) -> None:
        self.replicas = replicas
        self.seconds = step_count(trace) * STEP_SECONDS
        self.on_demand_price = trace.on_demand_price
        self.preemptions = 0
        self.moves = 0
        self.failed_launches = 0
        self.cost_of_moves = 0
        self.cost_seconds = 0
        self.on_demand_seconds = 0
        self.spot_seconds = 0
        self.short_seconds = 0
        self.gaps: list[int] = []
        self._gap = 0

    def rates(self, world: World) -> tuple[int, int, int, int]:
        """What stands at this step: cost an hour, replicas on spot and on-demand, and how many of all are ready."""
        step = world.step
        rate = 0
        ready = 0
        spot = 0
        for held, price in zip(world.spot, world.price, strict=True):
            if held:
                rate += len(held) * price
                spot += len(held)
                for each in held:
                    ready += each.ready_at <= step
        rate += len(world.on_demand) * self.on_demand_price
        for each in world.on_demand:
            ready += each.ready_at <= step
        return rate, spot, len(world.on_demand), ready

    def pass_time(self, rates: tuple[int, int, int, int], step: int, until: int) -> None:
        """From one step to another at these rates."""
        rate, spot, on_demand, ready = rates
        seconds = (until - step) * STEP_SECONDS
        self.cost_seconds += rate * seconds
        self.spot_seconds += spot * seconds
        self.on_demand_seconds += on_demand * seconds
        begin = max(step * STEP_SECONDS, WARM_UP_SECONDS)
        end = until * STEP_SECONDS
        if ready < self.replicas and end > begin:
            self.short_seconds += end - begin
            self._gap += end - begin
        else:
            self.close()

    def close(self) -> None:
        """The gap that is open has ended, if there is one."""
        if self._gap:
            self.gaps.append(self._gap)
            self._gap = 0

    @property
    def judged_seconds(self) -> int:
        """How much of the recording counts for availability."""
        return max(0, self.seconds - WARM_UP_SECONDS)

    @property
    def availability(self) -> float:
        return 1 - self.short_seconds / max(1, self.judged_seconds)

    @property
    def cost_ratio(self) -> float:
        whole = self.replicas * self.on_demand_price * self.seconds
        return (self.cost_seconds + self.cost_of_moves * 3600) / whole
