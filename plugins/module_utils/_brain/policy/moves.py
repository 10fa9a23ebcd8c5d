# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Moves to a cheaper pool before the dearer one is given up. PRIVATE to the collection."""

from __future__ import annotations

from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.allocation import Costs
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import NEVER
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Move
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Observations
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Quote
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import State
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import HOUR
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.view import View

MINUTE = 60
# Prices that change ask for a decision by themselves; ages do not.
LOOK_SECONDS = 900


def followed(state: State, observed: Observations) -> State:
    """The state with the move's successors known by number, and without the move once none of them is on its way."""
    move = state.moving
    if move is None:
        return state
    numbers = move.numbers
    if numbers is None:
        launched = (each.number for each in observed.replicas if each.key == move.key and each.number not in state.seen)
        numbers = tuple(sorted(launched))
    on_their_way = {each.number for each in observed.replicas if not each.ready and not each.warned}
    numbers = tuple(number for number in numbers if number in on_their_way)
    return state._replace(moving=Move(move.key, numbers) if numbers else None)


def in_flight(view: View) -> int:
    """How many successors are on their way."""
    return len(view.state.moving.numbers or ()) if view.state.moving else 0


def pays(view: View, here: int, there: int, quote: Quote) -> bool:
    """Whether a replica of rate `here` should move to the pool of rate `there`: by the declared advantage, and by more over the
    life that is expected there than the move costs."""
    settings = view.settings
    if there * 100 >= here * (100 - settings.advantage_percent):
        return False
    life = min(settings.horizon_seconds, 1000 * HOUR // max(1, view.hazard[quote.key]))
    data = 0 if quote.pool.region in view.regions else settings.move_cost
    return (here - there) * life // HOUR > data + quote.price * settings.cold_start_seconds // HOUR


def move_to_cheaper(view: View, costs: Costs, extra: int) -> tuple[Quote | None, int]:
    """Order the successors of the dearest pool's replicas in the cheapest open pool that pays.

    Returns that pool, or None and when to look again: when a pool that would pay opens, or when risks have changed with age.
    """
    last = costs.of_last(extra)
    dearest = max(
        (each for each in view.spot if each.key in last),
        key=lambda each: (last[each.key], each.since, each.number),
        default=None,
    )
    if dearest is None:
        return None, NEVER
    settled_at = dearest.since + view.settings.minimum_stay_seconds
    if view.now < settled_at:
        return None, settled_at
    here = last[dearest.key]
    opens = view.now + LOOK_SECONDS
    following = {
        quote.key: costs.of(quote, view.held.get(quote.key, 0) + 1, extra)
        for quote in view.spot_quotes.values()
        if quote.key != dearest.key and quote.price < here
    }
    for key in sorted(following, key=lambda key: (following[key], key)):
        quote = view.spot_quotes[key]
        if following[key] >= here:
            break
        if not quote.data_ready or not pays(view, here, following[key], quote):
            continue
        if view.open(quote):
            count = view.held[dearest.key]
            if extra:
                count = min(count, max(1, extra - view.held.get(key, 0)))
            view.launch(quote, count, "move to a cheaper pool")
            return quote, view.now
        opens = min(opens, max(view.barred_until(key), view.now + MINUTE))
    return None, opens
