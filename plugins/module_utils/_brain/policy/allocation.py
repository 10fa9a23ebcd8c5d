# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one more replica in a pool costs an hour, and how many extra ones the risk is worth. PRIVATE to the collection.

A loss is a gap only where more is lost at once than stands by. So with `extra` replicas beside those wanted, the first
`extra` replicas of a pool are covered, whatever happens to the pool; the next one makes the loss of the whole pool a gap; more
add nothing to that. Without extras, each replica that is lost alone is a gap as well.
"""

from __future__ import annotations

from ansible_collections.ethereal.spot.plugins.module_utils._brain.hazard import ON_DEMAND_TIMES_SPOT
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import NEVER
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Quote
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import HOUR
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.view import View

# Per mille of the losses that take all that is held in a zone; the others take one replica. Neither recordings nor
# replays tell between 500 and 900; they cost more with 300.
WHOLE_POOL = 800
# With extras a gap takes a second loss within one cold start.
SECOND_LOSS = 8
# Extra replicas are let go only where that saves more: the next refusal would have them bought again.
WORTH_KEEPING_PERCENT = 5


class Costs:
    """The marginal costs of one decision, in millionths of a USD an hour."""

    def __init__(self, view: View, penalty: int) -> None:
        settings = view.settings
        self._view = view
        self._move = settings.move_cost
        self._cold = settings.cold_start_seconds
        self.loss = penalty * settings.replicas * _reference(view) * settings.gap_seconds // HOUR
        self.risk = view.risks

    def of(self, quote: Quote, count: int, extra: int) -> int:
        """The cost of the `count`-th replica in the pool."""
        data = 0 if count > 1 or quote.pool.region in self._view.regions else self._move
        cost = quote.price * self._cold // HOUR + data
        if count == extra + 1:
            cost += self.loss * WHOLE_POOL // 1000
        alone = self.loss * (1000 - WHOLE_POOL) // 1000
        cost += alone // SECOND_LOSS if extra else alone
        return quote.price + self.risk[quote.key] * cost // 1000

    def of_last(self, extra: int) -> dict[str, int]:
        """The cost of the last replica in every pool that holds one and is quoted: what letting it go would save."""
        view = self._view
        return {
            key: self.of(view.spot_quotes[key], count, extra)
            for key, count in view.held.items()
            if count and key in view.spot_quotes
        }


def _reference(view: View) -> int:
    """The on-demand price, or where nobody knows it what spot lets suppose."""
    if view.on_demand_quotes:
        return view.on_demand_price
    return ON_DEMAND_TIMES_SPOT * max((quote.price for quote in view.spot_quotes.values()), default=0)


def extras(view: View, costs: Costs, pools: list[Quote]) -> tuple[int, int]:
    """How many extra replicas pay as spot, and how many of them even on demand: the number with the least total cost of a fleet
    placed anew, replica by replica, where each is cheapest."""
    settings = view.settings
    if not settings.max_extra:
        return 0, 0
    totals = [fleet_cost(view, costs, pools, extra) for extra in range(settings.max_extra + 1)]
    spot = min(range(len(totals)), key=lambda extra: (totals[extra], extra))
    kept = min(view.state.extra, settings.max_extra)
    if spot < kept and totals[kept] * 100 < totals[spot] * (100 + WORTH_KEEPING_PERCENT):
        spot = kept
    # Hours that stand by would be missed when they are needed.
    if not settings.hedge_on_demand or settings.on_demand_max_hours is not None:
        return spot, 0
    dearer = max(0, _reference(view) - min((quote.price for quote in pools), default=0))
    dear = [total + extra * dearer for extra, total in enumerate(totals)]
    return spot, min(range(len(dear)), key=lambda extra: (dear[extra], extra))


def fleet_cost(view: View, costs: Costs, pools: list[Quote], extra: int) -> int:
    """The cost an hour of all wanted replicas and the extra ones in those pools that hold some or are open, on-demand beyond."""
    room = {quote.key: NEVER if view.takes(quote) else view.held.get(quote.key, 0) for quote in pools}
    count = dict.fromkeys(room, 0)
    following = {quote.key: costs.of(quote, 1, extra) for quote in pools if room[quote.key]}
    left = view.settings.replicas + extra
    total = 0
    while left and following:
        key = min(following, key=lambda key: (following[key], key))
        # Between the steps in its cost a pool takes as many as it can.
        least, most = count[key] + 1, room[key]
        if least == extra + 1 or least == 1:
            most = least
        elif least <= extra:
            most = min(most, extra)
        taken = min(left, most - count[key])
        total += taken * following[key]
        count[key] += taken
        left -= taken
        if count[key] < room[key]:
            following[key] = costs.of(view.spot_quotes[key], count[key] + 1, extra)
        else:
            del following[key]
    return total + left * _reference(view)
