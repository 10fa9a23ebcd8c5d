# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fleet and the market as one decision looks at them, and the orders that it collects. PRIVATE to the collection."""

from __future__ import annotations

from ansible_collections.ethereal.spot.plugins.module_utils._brain.ledger import barred
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ledger import keys_of
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.memory import by_age
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.memory import hazards
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import LAUNCH
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import NEVER
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import SPOT
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import TERMINATE
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Action
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Observations
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Quote
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Replica
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import State
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import HOUR
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import Settings


class View:
    """What there is and what has been ordered so far.

    `spot` and `on_demand` are the healthy replicas of each market, oldest first; launches that this decision orders are not
    among them and counted in `ordered`. `rate` is what a replica in a pool costs an hour, expected losses included.
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
        self.on_demand_price = min((quote.price for quote in self.on_demand_quotes), default=0)
        healthy = [replica for replica in observed.replicas if not replica.warned]
        self.spot = [replica for replica in healthy if replica.key in self.spot_quotes]
        self.on_demand = [replica for replica in healthy if replica.key not in self.spot_quotes]
        self.regions = {self.quotes[each.key].pool.region for each in observed.replicas if each.key in self.quotes}
        self.hourly = sum(self.quotes[each.key].price for each in observed.replicas if each.key in self.quotes)
        self.hazard = hazards(state, self.spot_quotes, now, settings)
        self._bars: dict[str, int] = {}

    # What stands against a launch.

    def barred_until(self, key: str) -> int:
        """Until when the pool is not worth a try: by the failure ledger, or while it cools down after a loss."""
        until = self._bars.get(key)
        if until is None:
            memory = self.state.memories.get(key)
            until = 0 if memory is None else memory.cool_until
            if self.state.ledger:
                entry = barred(self.state.ledger, keys_of(self.quotes[key].pool), self.now)
                if entry is not None:
                    until = max(until, entry.expires)
            self._bars[key] = until
        return until

    def room(self, quote: Quote) -> int:
        """How many replicas quota and hourly budget still leave in the pool."""
        room = NEVER if quote.room is None else quote.room - self.ordered.get(quote.key, 0)
        if self.settings.max_hourly is not None:
            left = self.settings.max_hourly - self.hourly
            room = min(room, left // quote.price if quote.price else room)
        return max(0, room)

    def open(self, quote: Quote) -> bool:
        """Whether a launch in the pool may be tried now."""
        return quote.data_ready and self.barred_until(quote.key) <= self.now and self.room(quote) > 0

    # What a pool costs.

    def loss_cost(self, hedged: bool) -> int:
        """What one loss costs while its replica is missed; little where another one stands in."""
        settings = self.settings
        cost = settings.penalty * settings.replicas * self.on_demand_price * settings.gap_seconds // HOUR
        return cost // 4 if hedged else cost

    def rate(self, quote: Quote, hedged: bool = False) -> int:
        """The price of an hour, with the losses to be expected of a replica launched there now."""
        memory = self.state.memories.get(quote.key)
        factor = 1000 if memory is None or memory.down_at < 0 else by_age(self.now - memory.down_at)
        restart = quote.price * self.settings.cold_start_seconds // HOUR
        move = 0 if quote.pool.region in self.regions else self.settings.move_cost
        risk = self.hazard[quote.key] * factor // 1000
        return quote.price + risk * (self.loss_cost(hedged) + restart + move) // 1000

    def risk(self, replica: Replica) -> int:
        """Expected losses of a running replica an hour, in thousandths: what has lasted will last."""
        return self.hazard[replica.key] * by_age(self.now - replica.since) // 1000

    # Orders.

    def launch(self, quote: Quote, count: int, rule: str) -> int:
        """Order as many as there is room for; returns how many."""
        count = min(count, self.room(quote))
        if count > 0:
            self.actions.append(Action(LAUNCH, quote.key, count, "", rule))
            self.ordered[quote.key] = self.ordered.get(quote.key, 0) + count
            self.hourly += quote.price * count
        return max(0, count)

    def terminate(self, replica: Replica, rule: str) -> None:
        self.actions.append(Action(TERMINATE, replica.key, 1, replica.number, rule))
        (self.spot if replica.key in self.spot_quotes else self.on_demand).remove(replica)
