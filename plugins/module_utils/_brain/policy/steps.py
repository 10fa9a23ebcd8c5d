# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The steps of a decision that every spread takes: fill with spot, cover on demand, let go. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy import fallback
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.allocation import Costs
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.allocation import extras
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import LAUNCH
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import NEVER
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Decision
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Quote
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Replica
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.view import View

MINUTE = 60


def fill_with_spot(
    view: View,
    costs: Costs,
    quotes: Iterable[Quote],
    on_demand: Iterable[Quote],
    held: int,
    target: int,
    extra: int,
    rule: str,
) -> int:
    """Order what is missing of the target in those of the pools where one more is cheapest. Returns how many are held then.

    Not above the price at which one of the on-demand pools would take it or has taken it already, and extras never above on-demand's.
    """
    prices = {quote.key: quote.price for quote in on_demand}
    running = [view.state.seen[each.number].price for each in view.on_demand if each.key in prices]
    one_more = fallback.price_of_one_more(view, on_demand)
    wanted = view.settings.replicas
    while held < target:
        covered = held + len(running) >= wanted
        ceiling = min([one_more, *running, *prices.values()]) if covered else one_more
        following = {
            quote.key: costs.of(quote, view.held.get(quote.key, 0) + view.ordered.get(quote.key, 0) + 1, extra)
            for quote in quotes
            if quote.price < ceiling and view.open(quote)
        }
        if len(view.ordered) >= view.observed.tries_left:
            following = {key: cost for key, cost in following.items() if key in view.ordered}
        if not following:
            break
        key = min(following, key=lambda key: (following[key], key))
        # Together what belongs together: without extras one pool for all, with them as many as they cover.
        count = max(1, extra - view.held.get(key, 0) - view.ordered.get(key, 0)) if extra else target - held
        if view.spot_quotes[key].price >= min([one_more, *running]):
            count = min(count, wanted - held - len(running))
        why = rule if held < wanted else "hedge"
        held += view.launch(view.spot_quotes[key], min(count, target - held), why)
    return held


def cover_on_demand(view: View, quotes: Iterable[Quote], held: int, ready: int, wanted: int) -> None:
    """Cover on demand what spot does not hold, within the bounds; let go what ready spot replicas have taken over."""
    missing = max(0, wanted - held)
    most = 0 if fallback.ended(view) else fallback.allowed(view, max(missing, wanted - ready))
    bound = most < wanted - ready
    # Whether spot takes over is known when the launches that were just ordered have been answered.
    if bound or not view.ordered:
        # Those that do not serve yet first, then the youngest.
        surplus = sorted(view.on_demand, key=lambda each: (each.ready, -each.since, each.number))
        for replica in surplus[: max(0, len(surplus) - most)]:
            # What was launched at this moment was wanted a decision ago.
            if bound or replica.since < view.now:
                view.terminate(replica, "bound of on-demand reached" if bound else "spot serves again")
    running = len(view.on_demand)
    for quote in sorted(quotes, key=lambda quote: (quote.price, quote.key)):
        if running >= min(missing, most):
            break
        if view.open(quote):
            running += view.launch(quote, min(missing, most) - running, "fall back to on-demand")
    view.state = fallback.episode(view, running, ready)


def let_go(view: View, replicas: Iterable[Replica], pools: list[Quote], extra: int, target: int) -> None:
    """Terminate ready ones of the replicas beyond the target, the dearest first, of equals the youngest.

    What would be bought again as soon as it is gone stays: a pool that is held counts as room, and its region as paid for.
    """
    ready = [replica for replica in replicas if replica.ready]
    after = view.copy()
    costs = Costs(after, view.settings.penalty)
    surplus: list[Replica] = []
    while len(ready) > target:
        last = costs.of_last(extra)
        quoted = [replica for replica in ready if replica.key in last]
        if not quoted:
            break
        worst = max(quoted, key=lambda each: (last[each.key], each.since, each.number))
        ready.remove(worst)
        surplus.append(worst)
        after.terminate(worst, "another serves in its place")
    if not surplus or extras(after, Costs(after, view.settings.hedge_penalty), pools)[0] > extra:
        return
    for replica in surplus:
        view.terminate(replica, "another serves in its place")


def concluded(view: View, held: int, target: int, look_at: int) -> Decision:
    """The collected orders; terminated replicas are no longer expected, so that their end is no loss."""
    state, now = view.state, view.now
    gone = {action.number for action in view.actions if action.kind != LAUNCH}
    if gone:
        seen = {number: replica for number, replica in state.seen.items() if number not in gone}
        state = state._replace(seen=seen)
    running = len(view.on_demand)
    wake = fallback.wake_at(view, state, running)
    if held < target:
        covered = held + running + sum(view.ordered.get(quote.key, 0) for quote in view.on_demand_quotes)
        quotes = view.spot_quotes if covered >= view.settings.replicas else view.quotes
        opening = [view.barred_until(key) for key, quote in quotes.items() if quote.data_ready]
        wake = min(wake, max(min(opening, default=NEVER), now + MINUTE))
    if held >= target and not running:
        wake = min(wake, max(look_at, now + MINUTE))
    return Decision(tuple(view.actions), state, wake)


def short_since(view: View, held: int) -> int | None:
    """Since when spot has not held every replica; None while it does."""
    if held >= view.settings.replicas:
        return None
    before = view.state.short_since
    return view.now if before is None else min(view.now, before)
