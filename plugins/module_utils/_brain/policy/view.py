# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fleet and the market as one decision looks at them, and the orders that it collects. PRIVATE to the collection."""

from __future__ import annotations

from copy import copy
from functools import cached_property

from ansible_collections.ethereal.spot.plugins.module_utils._brain.ledger import barred
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ledger import keys_of
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ledger import throttled_until
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.memory import by_age
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.memory import hazards
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import LAUNCH
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import NEVER
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import SPOT
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import TERMINATE
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Action
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Memory
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Observations
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Quote
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Replica
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import State
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import Settings


class View:
    """What there is and what has been ordered so far.

    `spot` and `on_demand` are the healthy replicas of each market, oldest first; launches that this decision orders are not
    among them and counted in `ordered`. `held` counts the healthy spot replicas by pool. `paid` are all replicas that cost, `regions` where
    they are.
    """

    def __init__(self, state: State, observed: Observations, now: int, settings: Settings) -> None:
        self.state = state
        self.observed = observed
        self.now = now
        self.settings = settings
        self.actions: list[Action] = []
        self.ordered: dict[str, int] = {}
        self.quotes = {quote.key: quote for quote in observed.quotes}
        self.spot_quotes = {key: quote for key, quote in self.quotes.items() if quote.pool.market == SPOT}
        self.on_demand_quotes = [quote for quote in observed.quotes if quote.pool.market != SPOT]
        self.on_demand_price = min((quote.price for quote in self.on_demand_quotes), default=NEVER)
        seen = state.seen
        healthy = sorted((each for each in observed.replicas if not each.warned), key=_oldest_first)
        self.spot = [each for each in healthy if seen[each.number].market == SPOT]
        self.on_demand = [each for each in healthy if seen[each.number].market != SPOT]
        self.held: dict[str, int] = {}
        for replica in self.spot:
            self.held[replica.key] = self.held.get(replica.key, 0) + 1
        self.paid = list(observed.replicas)
        self.regions = self._paid_regions()
        self.hourly = sum(seen[each.number].price for each in observed.replicas)
        self.hazard = hazards(state, self.spot_quotes, now, settings)
        self._bars: dict[str, int] = {}

    def copy(self) -> View:
        """The same, to try orders on."""
        other = copy(self)
        for name in ("actions", "spot", "on_demand", "paid"):
            setattr(other, name, list(getattr(self, name)))
        for name in ("ordered", "held"):
            setattr(other, name, dict(getattr(self, name)))
        return other

    def _paid_regions(self) -> set[str]:
        return {self.quotes[each.key].pool.region for each in self.paid if each.key in self.quotes}

    # What stands against a launch.

    def barred_until(self, key: str) -> int:
        """Until when the pool is not worth a try: by the failure ledger, or while it cools down after a loss."""
        until = self._bars.get(key)
        if until is None:
            memory = self.state.memories.get(key)
            until = 0 if memory is None else memory.cool_until
            if self.state.ledger:
                pool = self.quotes[key].pool
                entry = barred(self.state.ledger, keys_of(pool), self.now)
                if entry is not None:
                    until = max(until, entry.expires)
                # No word about capacity, but the same call at once would be throttled again.
                until = max(until, throttled_until(self.state.ledger, pool))
            self._bars[key] = until
        return until

    def quota(self, quote: Quote) -> int:
        """How many replicas the quota still leaves in the pool."""
        if quote.room is None:
            return NEVER
        taken = sum(count for key, count in self.ordered.items() if _one_quota(self.quotes[key], quote))
        return max(0, quote.room - taken)

    def room(self, quote: Quote) -> int:
        """How many replicas quota and hourly budget still leave in the pool."""
        room = self.quota(quote)
        if self.settings.max_hourly is not None and quote.price:
            room = min(room, (self.settings.max_hourly - self.hourly) // quote.price)
        return max(0, room)

    def takes(self, quote: Quote) -> bool:
        """Whether the pool would take a replica of a fleet that is placed anew, for which nothing is paid yet."""
        return quote.data_ready and self.barred_until(quote.key) <= self.now and self.quota(quote) > 0

    def open(self, quote: Quote) -> bool:
        """Whether a launch in the pool may be tried now."""
        return self.takes(quote) and self.room(quote) > 0

    @cached_property
    def risks(self) -> dict[str, int]:
        """The risk of every spot pool."""
        return {key: self.risk(key) for key in self.spot_quotes}

    def risk(self, key: str) -> int:
        """Expected losses of a replica in the pool an hour, in thousandths: capacity that has lasted will last."""
        memory = self.state.memories.get(key, Memory())
        if memory.down_at >= 0:
            factor = by_age(self.now - memory.down_at)
        else:
            factor = min(1000, by_age(self.now - memory.up_since)) if memory.up_since < NEVER else 1000
        return self.hazard[key] * factor // 1000

    # Orders.

    def launch(self, quote: Quote, count: int, rule: str) -> int:
        """Order as many as there is room for; returns how many."""
        count = min(count, self.room(quote))
        if count > 0:
            # One call for what goes to one pool: each fails alone.
            before = next((each for each in self.actions if each.kind == LAUNCH and each.key == quote.key), None)
            if before is None:
                self.actions.append(Action(LAUNCH, quote.key, count, "", rule))
            else:
                self.actions[self.actions.index(before)] = before._replace(count=before.count + count)
            self.ordered[quote.key] = self.ordered.get(quote.key, 0) + count
            self.hourly += quote.price * count
        return max(0, count)

    def terminate(self, replica: Replica, rule: str) -> None:
        self.actions.append(Action(TERMINATE, replica.key, 1, replica.number, rule))
        self.paid.remove(replica)
        self.regions = self._paid_regions()
        if replica in self.spot:
            self.spot.remove(replica)
            self.held[replica.key] -= 1
        else:
            self.on_demand.remove(replica)


def _oldest_first(replica: Replica) -> tuple[int, str]:
    return replica.since, replica.number


def _one_quota(one: Quote, other: Quote) -> bool:
    """Whether both count against the same quota."""
    return (one.pool.region, one.pool.market, one.pool.family) == (
        other.pool.region,
        other.pool.market,
        other.pool.family,
    )
