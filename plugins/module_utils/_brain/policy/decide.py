# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What to do now: `decide(state, observations, now, settings)`. PRIVATE to the collection."""

from __future__ import annotations

from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy import fallback
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy import moves
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.allocation import Costs
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.allocation import extras
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.memory import learned
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import LAUNCH
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import NEVER
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Decision
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Move
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Observations
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import State
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import Settings
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.view import View

MINUTE = 60


def decide(state: State, observed: Observations, now: int, settings: Settings) -> Decision:
    """The orders for now. Decide again at once with what came of them, until nothing is ordered: a refused launch leads to the
    next pool, and to on-demand after the last."""
    state = moves.followed(fallback.accounted(state, now), observed)
    state = learned(state, observed, now, settings)
    view = View(state, observed, now, settings)
    return spread_over_pools(view)


def spread_over_pools(view: View) -> Decision:
    """Every replica in the pool that is cheapest for it, whatever its region."""
    settings, now, observed = view.settings, view.now, view.observed
    extra, extra_on_demand = extras(view, Costs(view, settings.hedge_penalty))
    costs = Costs(view, settings.penalty)
    moving = moves.in_flight(view)
    target = settings.replicas + extra
    held = len(view.spot) - moving

    short_since = view.state.short_since
    short_since = None if held >= settings.replicas else min(now, now if short_since is None else short_since)
    view.state = view.state._replace(short_since=short_since)

    # Spot first, where one more is cheapest; not above the price of on-demand, where that may be had.
    ceiling = view.on_demand_price if fallback.possible(view) else NEVER
    while held < target:
        following = {
            quote.key: costs.of(quote, view.held.get(quote.key, 0) + view.ordered.get(quote.key, 0) + 1, extra)
            for quote in view.spot_quotes.values()
            if quote.price < ceiling and view.open(quote)
        }
        if len(view.ordered) >= observed.tries_left:
            following = {key: cost for key, cost in following.items() if key in view.ordered}
        if not following:
            break
        key = min(following, key=lambda key: (following[key], key))
        # Together what belongs together: without extras one pool for all, with them as many as they cover.
        count = max(1, extra - view.held.get(key, 0) - view.ordered.get(key, 0)) if extra else target - held
        rule = "replace" if held < settings.replicas else "hedge"
        held += view.launch(view.spot_quotes[key], min(count, target - held), rule)

    _on_demand(view, held, settings.replicas + min(extra, extra_on_demand))

    _let_go(view, costs, extra, target)

    state = view.state
    settled = held >= target and not moving and not view.on_demand and not view.actions
    look_at = max(state.next_move_at, now + MINUTE)
    if settled and view.spot and now >= state.next_move_at and observed.tries_left > 0:
        to, look_at = moves.move_to_cheaper(view, costs, extra)
        if to is not None:
            view.state = state._replace(moving=Move(to.key), next_move_at=now + settings.move_interval_seconds)

    return _decision(view, target, moving, look_at)


def _on_demand(view: View, spot: int, wanted: int) -> None:
    """Cover with on-demand what spot does not hold, within the bounds; let go what ready spot replicas have taken over."""
    ready = sum(replica.ready for replica in view.spot)
    missing = max(0, wanted - spot)
    most = 0 if fallback.ended(view) else fallback.allowed(view, max(missing, wanted - ready))
    rule = "spot serves again" if most >= wanted - ready else "bound of on-demand reached"
    # Those that do not serve yet first, then the youngest.
    surplus = sorted(view.on_demand, key=lambda each: (each.ready, -each.since, each.number))
    for replica in surplus[: max(0, len(surplus) - most)]:
        view.terminate(replica, rule)
    running = len(view.on_demand)
    for quote in sorted(view.on_demand_quotes, key=lambda quote: (quote.price, quote.key)):
        if running >= min(missing, most):
            break
        if view.open(quote):
            running += view.launch(quote, min(missing, most) - running, "fall back to on-demand")
    view.state = fallback.episode(view, running)


def _let_go(view: View, costs: Costs, extra: int, target: int) -> None:
    """Terminate ready replicas beyond the target, the dearest first, of equals the youngest."""
    ready = [replica for replica in view.spot if replica.ready]
    surplus = len(ready) - target
    while surplus > 0:
        last = costs.of_last(extra)
        quoted = [replica for replica in ready if replica.key in last]
        if not quoted:
            break
        worst = max(quoted, key=lambda each: (last[each.key], each.since, each.number))
        ready.remove(worst)
        view.terminate(worst, "another serves in its place")
        surplus -= 1


def _decision(view: View, target: int, moving: int, look_at: int) -> Decision:
    """The collected orders; terminated replicas are no longer expected, so that their end is no loss."""
    state = view.state
    gone = {action.number for action in view.actions if action.kind != LAUNCH}
    if gone:
        seen = {number: replica for number, replica in state.seen.items() if number not in gone}
        state = state._replace(seen=seen)
    running = len(view.on_demand)
    wake = fallback.wake_at(view, state, running)
    if len(view.spot) - moving < target:
        ordered = sum(view.ordered.values())
        uncovered = len(view.spot) - moving + running + ordered < view.settings.replicas
        quotes = view.quotes if uncovered else view.spot_quotes
        opening = [view.barred_until(key) for key, quote in quotes.items() if quote.data_ready]
        wake = min(wake, max(min(opening, default=NEVER), view.now + MINUTE))
    elif not running:
        wake = min(wake, max(look_at, view.now + MINUTE))
    return Decision(tuple(view.actions), state, wake)
