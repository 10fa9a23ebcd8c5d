# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All replicas in one place, which is moved as a whole: first the successor, then the end. PRIVATE to the collection."""

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy import moves
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.allocation import Costs
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.allocation import extras
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.allocation import fleet_cost
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import NEVER
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Decision
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Quote
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Replica
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import HOUR
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.steps import MINUTE
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.steps import concluded
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.steps import cover_on_demand
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.steps import fill_with_spot
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.steps import let_go
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.steps import short_since
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.view import View


class Place(NamedTuple):
    """A place's spot pools, and its healthy replicas of both markets."""

    name: str
    pools: list[Quote]
    spot: list[Replica]
    on_demand: list[Replica]

    @property
    def ready(self) -> int:
        return sum(replica.ready for replica in self.spot)


def in_one_place(view: View) -> Decision:
    """Every replica in the serving place; another takes over when it holds all of them, or when the serving one has nothing left."""
    settings, now, state = view.settings, view.now, view.state
    costs = Costs(view, settings.penalty)
    places = _places(view)
    serving = state.serving
    successor = state.successor if state.successor in places else None
    if serving is None or serving not in places or not _alive(places[serving]):
        # Nothing is left to be given up: what is on its way elsewhere serves, or the best place there is.
        serving = successor or _best(view, costs, places, None) or serving
        successor = None
        state = state._replace(settled_at=now)
    view.state = state = state._replace(serving=serving, successor=successor)
    if serving not in places:
        return concluded(view, 0, settings.replicas, NEVER)

    here = places[serving]
    extra, extra_on_demand = extras(view, Costs(view, settings.hedge_penalty), here.pools)
    target = settings.replicas + extra
    view.state = state = state._replace(short_since=short_since(view, len(here.spot)), extra=extra)
    held = fill_with_spot(view, costs, here.pools, len(here.spot), target, extra, "replace")
    quotes = [quote for quote in view.on_demand_quotes if quote.pool.place == serving]
    cover_on_demand(view, quotes, held, here.ready, settings.replicas + min(extra, extra_on_demand))
    let_go(view, costs, here.spot, extra, target)

    look_at = NEVER
    if successor is not None:
        look_at = _hand_over(view, costs, here, places[successor])
    elif now < state.next_move_at:
        look_at = state.next_move_at
    elif view.observed.tries_left > 0:
        look_at = _begin_move(view, costs, here, places)
    decision = concluded(view, held, target, look_at)
    # A move is looked for while spot is short, too.
    return decision._replace(wake_at=max(now + 1, min(decision.wake_at, look_at)))


def _places(view: View) -> dict[str, Place]:
    places: dict[str, Place] = {}
    for quote in view.quotes.values():
        name = quote.pool.place
        place = places.setdefault(name, Place(name, [], [], []))
        if quote.key in view.spot_quotes:
            place.pools.append(quote)
    for replica in view.spot + view.on_demand:
        quote = view.quotes.get(replica.key)
        if quote is not None:
            place = places[quote.pool.place]
            (place.spot if replica.key in view.spot_quotes else place.on_demand).append(replica)
    return places


def _alive(place: Place) -> bool:
    return bool(place.spot or place.on_demand)


def _best(view: View, costs: Costs, places: dict[str, Place], but: str | None) -> str | None:
    """The place where the whole fleet is cheapest, among those with a pool that is open."""
    found = {
        name: fleet_cost(view, costs, place.pools, 0)
        for name, place in places.items()
        if name != but and any(view.open(quote) for quote in place.pools)
    }
    return min(found, key=lambda name: (found[name], name), default=None)


def _begin_move(view: View, costs: Costs, here: Place, places: dict[str, Place]) -> int:
    """Order a successor where that pays: spot has been short for too long here, or it is cheaper there by the declared advantage.
    Returns when to look again."""
    settings, now, state = view.settings, view.now, view.state
    name = _best(view, costs, places, here.name)
    if name is None:
        return now + moves.LOOK_SECONDS
    there = places[name]
    cost_there = fleet_cost(view, costs, there.pools, 0)
    if state.short_since is not None:
        patient_until = state.short_since + (settings.move_after_seconds if here.spot else 0)
        if now < patient_until:
            return patient_until
        rule = "move to where there is spot"
    else:
        settled_at = max(state.settled_at, max((each.since for each in here.spot), default=0))
        if now < settled_at + settings.minimum_stay_seconds:
            return settled_at + settings.minimum_stay_seconds
        cost_here = fleet_cost(view, costs, here.pools, 0)
        gain = (cost_here - cost_there) * settings.horizon_seconds // HOUR
        overlap = cost_there * settings.cold_start_seconds // HOUR
        if cost_there * 100 >= cost_here * (100 - settings.advantage_percent) or gain <= overlap + settings.move_cost:
            return now + moves.LOOK_SECONDS
        rule = "move to a cheaper place"
    if view.actions:
        return now + MINUTE
    view.state = state._replace(successor=name)
    fill_with_spot(view, costs, there.pools, len(there.spot), settings.replicas, 0, rule)
    return now + MINUTE


def _hand_over(view: View, costs: Costs, here: Place, there: Place) -> int:
    """Fill the successor; once it holds every replica ready, let the former place go. One that cannot is given up."""
    settings, now = view.settings, view.now
    later = now + settings.move_interval_seconds
    if there.ready >= settings.replicas:
        for replica in [*here.spot, *here.on_demand]:
            if replica in view.spot or replica in view.on_demand:
                view.terminate(replica, "its successor serves")
        view.state = view.state._replace(
            serving=there.name, successor=None, settled_at=now, next_move_at=later, short_since=None
        )
        return later
    missing = settings.replicas - len(there.spot)
    held = fill_with_spot(view, costs, there.pools, len(there.spot), settings.replicas, 0, "fill the successor")
    tried = view.observed.tries_left <= 0 or view.actions
    if missing > 0 and held < settings.replicas and not tried:
        for replica in list(there.spot):
            view.terminate(replica, "the successor does not hold every replica")
        view.state = view.state._replace(successor=None, next_move_at=later)
        return later
    return now + MINUTE
