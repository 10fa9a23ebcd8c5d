# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""On-demand within declared bounds: after so long, so many, for so long, for so much. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import NEVER
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import ON_DEMAND
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Quote
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import State
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import DAY
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import HOUR
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.view import View

# An instance that the budget would end sooner is not worth its start.
LEAST_SECONDS = 900
# The next decision may come as late.
MARGIN_SECONDS = 60


def accounted(state: State, now: int) -> State:
    """The state with the on-demand seconds since the last decision paid, on the day that they fall on."""
    rate = sum(replica.price for replica in state.seen.values() if replica.market == ON_DEMAND)
    elapsed = max(0, now - state.decided_at)
    if state.short_since is not None and state.short_since > now:
        # The clock was put back.
        state = state._replace(short_since=now)
    day = now // DAY
    if day > state.day:
        return state._replace(day=day, spent=rate * min(now - day * DAY, elapsed))
    return state._replace(spent=state.spent + rate * elapsed)


def allowed(view: View, wanted: int) -> int:
    """How many on-demand replicas may run in all now, of so many wanted."""
    settings, state, now = view.settings, view.state, view.now
    most = min(wanted, settings.most_on_demand)
    if most <= 0:
        return 0
    running = len(view.on_demand)
    if state.on_demand_barred_until > now:
        return 0
    if not running and state.short_since is not None and now - state.short_since < settings.on_demand_after_seconds:
        return 0
    if settings.on_demand_budget is not None:
        left = settings.on_demand_budget * HOUR - state.spent
        price = max((quote.price for quote in view.on_demand_quotes), default=0)
        if price:
            # Strictly more than the margin, so that the next look comes before the last cent.
            kept = min(running, max(0, left - 1) // (price * MARGIN_SECONDS))
            most = min(most, max(kept, max(0, left) // (price * LEAST_SECONDS)))
    return most


def price_of_one_more(view: View, quotes: Iterable[Quote]) -> int:
    """What one more on-demand replica in those pools would cost an hour; NEVER where none could be launched now."""
    running = len(view.on_demand)
    if ended(view) or allowed(view, running + 1) <= running:
        return NEVER
    return min((quote.price for quote in quotes if view.open(quote)), default=NEVER)


def ended(view: View) -> bool:
    """Whether the running episode of on-demand is over by its hours."""
    settings, state = view.settings, view.state
    if settings.on_demand_max_hours is None or state.on_demand_since is None:
        return False
    return view.now - state.on_demand_since >= settings.on_demand_max_hours * HOUR


def episode(view: View, running: int, ready: int = 0) -> State:
    """The state with the episode begun, ended or served out, once this decision runs `running` on-demand replicas beside `ready`
    ones on spot."""
    state, settings = view.state, view.settings
    if ended(view) and not running:
        # Then spot alone, until it has held every replica again or the episode's length has passed once more.
        until = view.now + settings.on_demand_max_hours * HOUR
        state = state._replace(on_demand_since=None, on_demand_barred_until=until)
    elif running and state.on_demand_since is None:
        state = state._replace(on_demand_since=view.now)
    elif not running:
        state = state._replace(on_demand_since=None)
    if ready >= settings.replicas and state.on_demand_barred_until:
        state = state._replace(on_demand_barred_until=0)
    return state


def wake_at(view: View, state: State, running: int) -> int:
    """When a bound of on-demand will have to be looked at."""
    settings, now = view.settings, view.now
    moments = [NEVER]
    if running and settings.on_demand_max_hours is not None and state.on_demand_since is not None:
        moments.append(state.on_demand_since + settings.on_demand_max_hours * HOUR)
    if running and settings.on_demand_budget is not None:
        rate = running * max((quote.price for quote in view.on_demand_quotes), default=0)
        left = settings.on_demand_budget * HOUR - state.spent
        moments.append(now + max(1, left // max(1, rate) - MARGIN_SECONDS))
        moments.append((now // DAY + 1) * DAY)
    if not running and state.short_since is not None:
        moments.append(max(state.short_since + settings.on_demand_after_seconds, state.on_demand_barred_until))
        if settings.on_demand_budget is not None:
            moments.append((now // DAY + 1) * DAY)
    return min(moment for moment in moments if moment > now)
