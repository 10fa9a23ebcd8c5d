# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A small cloud of the tests' own, and a caller that asks the policy and carries out its orders there.

It knows nothing of the replay's world: pools have a capacity, a price, a standing error; machines take a while to be ready, are
warned, die. What the policy is told is what `Cloud.observe` says.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.ledger import Pool
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.decide import decide
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import LAUNCH
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import ON_DEMAND
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import SPOT
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Action
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Decision
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Observations
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Quote
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Refusal
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Replica
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import State
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import Settings

# Eight in the morning, UTC.
START = 1_800_000_000
MINUTE = 60
HOUR = 3600
DAY = 86_400
PLENTY = 1_000

NO_CAPACITY = "InsufficientInstanceCapacity"
QUOTA = {SPOT: "MaxSpotInstanceCountExceeded", ON_DEMAND: "VcpuLimitExceeded"}
# As many calls may fail in a minute.
TRIES = 3


@dataclass
class Offer:
    """A pool: `capacity` machines can be alive in it, and launches end with the error `code` while it has one."""

    key: str
    pool: Pool
    price: int
    capacity: int = PLENTY
    data_ready: bool = True
    prior_losses: int | None = None
    code: str | None = None
    hidden: bool = False

    @property
    def spot(self) -> bool:
        return self.pool.market == SPOT


def spot(key: str, price: int, region: str = "here", kind: str = "g5.xlarge", **more: Any) -> Offer:
    return Offer(key, Pool(region, region, f"{region}-{key}", kind, SPOT), price, **more)


def on_demand(price: int = 1000, key: str = "od", region: str = "here", kind: str = "g5.xlarge", **more: Any) -> Offer:
    return Offer(key, Pool(region, region, None, kind, ON_DEMAND), price, **more)


@dataclass
class Machine:
    number: str
    key: str
    since: int
    ready_at: int
    warned: bool = False
    dies_at: int | None = None
    hidden: bool = False


@dataclass
class Cloud:
    """`quotas` are machines by (region, market), for every pool there together; None is "not known"."""

    offers: dict[str, Offer]
    cold: int
    now: int = START
    quotas: dict[tuple[str, str], int | None] = field(default_factory=dict)
    machines: dict[str, Machine] = field(default_factory=dict)
    launches: int = 0
    tries_left: int = TRIES
    counting_since: int = START
    # On-demand, in price times seconds, by UTC day.
    spent: dict[int, int] = field(default_factory=dict)

    def alive(self, key: str) -> int:
        return sum(each.key == key for each in self.machines.values())

    def free(self, offer: Offer) -> int:
        return 0 if offer.code else max(0, offer.capacity - self.alive(offer.key))

    def room(self, offer: Offer) -> int | None:
        place = (offer.pool.region, offer.pool.market)
        quota = self.quotas.get(place)
        if quota is None:
            return None
        pools = (each.pool for each in (self.offers[machine.key] for machine in self.machines.values()))
        return max(0, quota - sum((pool.region, pool.market) == place for pool in pools))

    def observe(self, refusals: tuple[Refusal, ...] = ()) -> Observations:
        quotes = tuple(
            Quote(each.key, each.pool, each.price, self.room(each), each.data_ready, each.prior_losses)
            for each in self.offers.values()
            if not each.hidden
        )
        replicas = tuple(
            Replica(each.number, each.key, each.ready_at <= self.now, each.warned, each.since)
            for each in self.machines.values()
            if not each.hidden
        )
        if self.now - self.counting_since >= MINUTE:
            self.tries_left, self.counting_since = TRIES, self.now
        return Observations(quotes, replicas, refusals, self.tries_left)

    def launch(self, key: str, count: int) -> Refusal | None:
        offer = self.offers[key]
        for _machine in range(count):
            room = self.room(offer)
            if offer.code:
                code = offer.code
            elif room is not None and room <= 0:
                code = QUOTA[offer.pool.market]
            elif not self.free(offer):
                code = NO_CAPACITY
            else:
                self.launches += 1
                number = f"i-{self.launches:04}"
                self.machines[number] = Machine(number, key, self.now, self.now + self.cold)
                continue
            self.tries_left = max(0, self.tries_left - 1)
            return Refusal(key, code, "refused by the test")
        return None

    def warn(self, machine: Machine, notice: int) -> None:
        if not machine.warned:
            machine.warned, machine.dies_at = True, self.now + notice

    def next_event(self) -> int | None:
        """When a machine becomes ready or dies."""
        moments = [each.ready_at for each in self.machines.values()]
        moments += [each.dies_at for each in self.machines.values() if each.dies_at is not None]
        return min((moment for moment in moments if moment > self.now), default=None)

    def pass_until(self, moment: int) -> None:
        """Let time pass, over nothing that `next_event` names; on-demand is paid by the second."""
        rate = sum(offer.price * self.alive(offer.key) for offer in self.offers.values() if not offer.spot)
        while self.now < moment:
            day = self.now // DAY
            until = min(moment, (day + 1) * DAY)
            self.spent[day] = self.spent.get(day, 0) + rate * (until - self.now)
            self.now = until
        for each in list(self.machines.values()):
            if each.dies_at is not None and each.dies_at <= self.now:
                del self.machines[each.number]


class Watch:
    """Looks at what is decided. `asked` comes before the orders are carried out, `settled` when nothing is ordered any more."""

    def asked(self, fleet: Fleet, observed: Observations, before: State, decision: Decision) -> None:
        """One decision."""

    def settled(self, fleet: Fleet, observed: Observations, decision: Decision) -> None:
        """The last decision of a moment."""


Order = tuple[str, str, int]


class Fleet:
    """The caller: asks when it is told of something and at `wake_at`, until nothing more is ordered."""

    def __init__(
        self,
        offers: Iterable[Offer],
        settings: Settings,
        watches: Iterable[Watch] = (),
        quotas: dict[tuple[str, str], int | None] | None = None,
        ask: Callable[[State, Observations, int, Settings], Decision] = decide,
    ) -> None:
        self.settings = settings
        self.cloud = Cloud({each.key: each for each in offers}, settings.cold_start_seconds, quotas=dict(quotas or {}))
        self.state = State()
        self.wake_at = START
        self.watches = list(watches)
        # What was ordered and refused, and when: (seconds since START, what).
        self.story: list[tuple[int, str]] = []
        self.clock = 0
        self.ask = ask

    @property
    def now(self) -> int:
        """What the caller's clock says; `clock` is by how much it is wrong."""
        return self.cloud.now + self.clock

    def tell(self, what: str) -> None:
        self.story.append((self.cloud.now - START, what))

    def settle(self) -> list[Order]:
        """Ask and carry out until nothing is ordered; all orders as (kind, pool, count)."""
        orders: list[Order] = []
        refusals: tuple[Refusal, ...] = ()
        # Each round fills a pool, is refused by one, or uses up a try; replicas are given up once. The reference rule launches
        # them one by one, in one place after the other.
        most = len(self.cloud.offers) * (3 + self.settings.replicas) + len(self.cloud.machines) + TRIES
        for _round in range(most):
            observed = self.cloud.observe(refusals)
            before = self.state
            decision = self.ask(before, observed, self.now, self.settings)
            for watch in self.watches:
                watch.asked(self, observed, before, decision)
            self.state = decision.state
            self.wake_at = decision.wake_at - self.clock
            if not decision.actions:
                for watch in self.watches:
                    watch.settled(self, observed, decision)
                return orders
            refusals = tuple(refusal for refusal in map(self._carry_out, decision.actions) if refusal)
            orders += [(each.kind, each.key, each.count) for each in decision.actions]
        raise AssertionError(f"no end of orders at one moment: {orders[-6:]}")

    def _carry_out(self, action: Action) -> Refusal | None:
        self.tell(f"{action.kind} {action.key} x{action.count} {action.number} ({action.rule})")
        if action.kind == LAUNCH:
            refusal = self.cloud.launch(action.key, action.count)
            if refusal:
                self.tell(f"refused {refusal.key} {refusal.code}")
            return refusal
        del self.cloud.machines[action.number]
        return None

    def pass_time(self, seconds: int, asking: bool = True) -> list[Order]:
        """Let time pass and ask whenever there is a reason, or, not `asking`, never."""
        orders: list[Order] = []
        end = self.cloud.now + seconds
        while self.cloud.now < end:
            event = self.cloud.next_event()
            moments = [end] + ([event] if event is not None else [])
            if asking:
                moments.append(max(self.wake_at, self.cloud.now + 1))
            self.cloud.pass_until(min(moments))
            if asking and (self.cloud.now < end or self.cloud.now in (event, self.wake_at)):
                orders += self.settle()
        return orders

    def warn(self, key: str, count: int = 1, notice: int | None = None) -> list[Order]:
        notice = self.settings.warning_seconds if notice is None else notice
        unwarned = [each for each in self.cloud.machines.values() if each.key == key and not each.warned]
        for machine in unwarned[:count]:
            self.cloud.warn(machine, notice)
        return self.settle()

    def lose(self, key: str, count: int = 1) -> list[Order]:
        for machine in [each for each in self.cloud.machines.values() if each.key == key][:count]:
            del self.cloud.machines[machine.number]
        return self.settle()

    def held(self, ready: bool = False) -> dict[str, int]:
        """Machines by pool that are not warned; with `ready` only those that serve."""
        counts: dict[str, int] = {}
        for each in self.cloud.machines.values():
            if not each.warned and (not ready or each.ready_at <= self.cloud.now):
                counts[each.key] = counts.get(each.key, 0) + 1
        return counts
