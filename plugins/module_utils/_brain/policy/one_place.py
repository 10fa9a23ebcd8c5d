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
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.fallback import price_of_one_more
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
    """A place's pools and its healthy replicas, of both markets."""

    name: str
    pools: list[Quote]
    on_demand_pools: list[Quote]
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
        serving = (
            (successor if successor is not None and _alive(places[successor]) else None)
            or _best(view, costs, places)
            or _first_on_demand(view, places)
            or serving
        )
        successor = None
        state = state._replace(settled_at=now)
    view.state = state = state._replace(serving=serving, successor=successor)
    if serving not in places:
        return concluded(view, 0, settings.replicas, NEVER)

    here = places[serving]
    if successor is not None and places[successor].ready >= settings.replicas:
        return _handed_over(view, here, places[successor])
    extra, extra_on_demand = extras(view, Costs(view, settings.hedge_penalty), here.pools)
    target = settings.replicas + extra
    view.state = state = state._replace(short_since=short_since(view, len(here.spot)), extra=extra)
    # Once the successor holds every replica nothing more is bought for the place that it takes over from.
    taken_over = successor is not None and len(places[successor].spot) >= settings.replicas
    pools, on_demand_pools = ([], []) if taken_over else (here.pools, here.on_demand_pools)
    held = fill_with_spot(view, costs, pools, on_demand_pools, len(here.spot), target, extra, "replace")
    cover_on_demand(view, on_demand_pools, held, here.ready, settings.replicas + min(extra, extra_on_demand))
    let_go(view, here.spot, here.pools, extra, target)

    look_at = NEVER
    if successor is not None:
        look_at = _fill_successor(view, costs, here, places[successor])
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
        place = places.setdefault(name, Place(name, [], [], [], []))
        (place.pools if quote.key in view.spot_quotes else place.on_demand_pools).append(quote)
    for replica in view.spot + view.on_demand:
        quote = view.quotes.get(replica.key)
        if quote is not None:
            place = places[quote.pool.place]
            (place.spot if replica.key in view.spot_quotes else place.on_demand).append(replica)
    return places


def _alive(place: Place) -> bool:
    return bool(place.spot or place.on_demand)


def _best(view: View, costs: Costs, places: dict[str, Place], but: str | None = None) -> str | None:
    """The place where the whole fleet is cheapest, among those with a spot pool that is open and cheaper than their on-demand.

    Of places `but` one only those that could hold every replica, as far as quotas, budget and ledger tell.
    """
    ceilings = {name: price_of_one_more(view, place.on_demand_pools) for name, place in places.items()}
    found = {
        name: fleet_cost(view, costs, place.pools, 0)
        for name, place in places.items()
        if name != but
        and any(quote.price < ceilings[name] and view.open(quote) for quote in place.pools)
        and (but is None or _could_hold_all(view, costs, place))
    }
    return min(found, key=lambda name: (found[name], name), default=None)


def _could_hold_all(view: View, costs: Costs, place: Place) -> bool:
    trial = view.copy()
    return _fill(trial, costs, place, "try") >= view.settings.replicas


def _fill(view: View, costs: Costs, place: Place, rule: str) -> int:
    """Order in the place what is missing of all replicas. Returns how many it holds then."""
    held = len(place.spot)
    return fill_with_spot(
        view, costs, place.pools, place.on_demand_pools, held, view.settings.replicas, extra=0, rule=rule
    )


def _first_on_demand(view: View, places: dict[str, Place]) -> str | None:
    """The place with the cheapest on-demand pool that may be used now."""
    found = {name: price_of_one_more(view, place.on_demand_pools) for name, place in places.items()}
    return min((name for name in found if found[name] < NEVER), key=lambda name: (found[name], name), default=None)


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
    _fill(view, costs, there, rule)
    return now + MINUTE


def _handed_over(view: View, here: Place, there: Place) -> Decision:
    """The successor holds every replica ready: let the former place go."""
    later = view.now + view.settings.move_interval_seconds
    for replica in [*here.spot, *here.on_demand]:
        view.terminate(replica, "its successor serves")
    view.state = view.state._replace(
        serving=there.name, successor=None, settled_at=view.now, next_move_at=later, short_since=None
    )
    return concluded(view, len(there.spot), view.settings.replicas, later)


def _fill_successor(view: View, costs: Costs, here: Place, there: Place) -> int:
    """Fill the successor; one that cannot hold every replica is given up, unless its share is missed. Returns when to look again."""
    settings, now = view.settings, view.now
    missing = settings.replicas - len(there.spot)
    held = _fill(view, costs, there, "fill the successor")
    tried = view.observed.tries_left <= 0 or view.actions
    missed = there.ready and here.ready < settings.replicas
    if missing > 0 and held < settings.replicas and not tried and not missed:
        for replica in list(there.spot):
            view.terminate(replica, "the successor does not hold every replica")
        later = now + settings.move_interval_seconds
        view.state = view.state._replace(successor=None, next_move_at=later)
        return later
    return now + MINUTE
