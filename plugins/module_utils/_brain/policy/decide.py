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
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import TERMINATE
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Decision
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Move
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Observations
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import State
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.one_place import in_one_place
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.reference import decide_by_reference
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import REFERENCE
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import SINGLE_REGION
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import Settings
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.steps import MINUTE
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.steps import concluded
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.steps import cover_on_demand
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.steps import fill_with_spot
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.steps import let_go
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.steps import short_since
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.view import View


def decide(state: State, observed: Observations, now: int, settings: Settings) -> Decision:
    """The orders for now. Decide again at once with what came of them, until nothing is ordered: a refused launch leads to the
    next pool, and to on-demand after the last."""
    if settings.mode == REFERENCE:
        return decide_by_reference(state, observed, now, settings)
    state = moves.followed(fallback.accounted(state, now), observed)
    view = View(learned(state, observed, now, settings), observed, now, settings)
    if fallback.ended(view):
        view.state = fallback.episode(view, len(view.on_demand))
    # One replica is in one region anyway.
    if settings.spread == SINGLE_REGION and settings.replicas > 1:
        return in_one_place(view)
    return spread_over_pools(view)


def spread_over_pools(view: View) -> Decision:
    """Every replica in the pool that is cheapest for it, whatever its region."""
    settings, now = view.settings, view.now
    pools = list(view.spot_quotes.values())
    extra, extra_on_demand = extras(view, Costs(view, settings.hedge_penalty), pools)
    costs = Costs(view, settings.penalty)
    moving = moves.in_flight(view)
    target = settings.replicas + extra
    held = len(view.spot) - moving
    view.state = view.state._replace(short_since=short_since(view, held), extra=extra)

    held = fill_with_spot(view, costs, pools, view.on_demand_quotes, held, target, extra, "replace")
    ready = sum(replica.ready for replica in view.spot)
    cover_on_demand(view, view.on_demand_quotes, held, ready, settings.replicas + min(extra, extra_on_demand))
    let_go(view, view.spot, pools, extra, target)
    if any(action.kind == TERMINATE for action in view.actions):
        # A move that is refused could have them bought again.
        view.state = view.state._replace(next_move_at=max(view.state.next_move_at, now + MINUTE))

    state = view.state
    settled = held >= target and not moving and not view.on_demand and not view.actions
    look_at = max(state.next_move_at, now + MINUTE)
    if settled and view.spot and now >= state.next_move_at and view.observed.tries_left > 0:
        to, look_at = moves.move_to_cheaper(view, costs, extra)
        if to is not None:
            view.state = state._replace(moving=Move(to.key), next_move_at=now + settings.move_interval_seconds)
    return concluded(view, len(view.spot) - moving, target, look_at)
