# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a decision was taken: its record, as the state keeps it. PRIVATE to the collection."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.launch_errors import kind_of
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ledger import barred
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ledger import keys_of
from ansible_collections.ethereal.spot.plugins.module_utils._brain.money import text
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy import fallback
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy import moves
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.allocation import Costs
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.memory import learned
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import LAUNCH
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import SPOT
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Decision
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Observations
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Quote
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import State
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import DEFAULT
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import HOUR
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import MICRO
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import REFERENCE
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import STRICT
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import Settings
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.view import View

KIND = "policy"
TEXTS = {
    DEFAULT: "each replica where its next hour costs least, losses to be expected there included; on-demand within its "
    "bounds for what spot does not hold; extra replicas where they cost less than the gaps that they bridge",
    STRICT: "as in mode default, with gaps weighed higher: extra replicas stand by, if need be on demand",
    REFERENCE: "all replicas on spot in the place of the best score, the cheapest of equals",
}


def record_of(state: State, observed: Observations, now: int, settings: Settings, decision: Decision) -> dict[str, Any]:
    """The record of a decision, from what it was decided from; JSON-safe, money as strings in USD.

    `inputs` is what was seen, `alternatives` every pool with its price, risk, cost and what stands against it, `rule` which
    rules applied, `orders` what was ordered, `requested` and `realised` the replicas by market that are wanted and that there
    will be, `expected` where they are then, what they cost an hour, and how many of them will be lost an hour.
    """
    past = learned(moves.followed(fallback.accounted(state, now), observed), observed, now, settings)
    view = View(past, observed, now, settings)
    costs = Costs(view, settings.penalty)
    after = _after(view, decision)
    markets = dict.fromkeys(("spot", "on_demand"), 0)
    for key, count in after.items():
        markets[view.quotes[key].pool.market] += count
    return {
        "kind": KIND,
        "inputs": {
            "at": now,
            "replicas": settings.replicas,
            "mode": settings.mode,
            "spread": settings.spread,
            "healthy": {"spot": len(view.spot), "on_demand": len(view.on_demand)},
            "ready": sum(each.ready for each in view.spot + view.on_demand),
            "warned": sorted(each.number for each in observed.replicas if each.warned),
            "refused": [{"pool": each.key, "code": each.code} for each in observed.refusals],
            "spent_on_demand_today": _usd(past.spent // HOUR),
        },
        "alternatives": [_alternative(view, costs, view.quotes[key]) for key in sorted(view.quotes)],
        "rule": {
            "mode": settings.mode,
            "applied": list(dict.fromkeys(action.rule for action in decision.actions)),
            "text": TEXTS[settings.mode],
        },
        "orders": [action.document() for action in decision.actions],
        "requested": {"spot": settings.replicas + decision.state.extra, "on_demand": 0},
        "realised": markets,
        "expected": _expected(view, after),
    }


def _usd(micro: int) -> str:
    return text(Decimal(micro) / MICRO)


def _rate(thousandths: int) -> str:
    return text(Decimal(thousandths) / 1000)


def _alternative(view: View, costs: Costs, quote: Quote) -> dict[str, Any]:
    spot = quote.pool.market == SPOT
    return {
        "pool": quote.key,
        "place": quote.pool.place,
        "market": quote.pool.market,
        "price": _usd(quote.price),
        "losses_per_hour": _rate(view.risk(quote.key) if spot else 0),
        "cost": _usd(costs.of(quote, view.held.get(quote.key, 0) + 1, view.state.extra) if spot else quote.price),
        "held": sum(each.key == quote.key for each in view.spot + view.on_demand),
        "verdict": _verdict(view, quote),
    }


def _verdict(view: View, quote: Quote) -> str:
    """What stands against a launch in the pool, in words."""
    if not quote.data_ready:
        return "its data is not ready"
    entry = barred(view.state.ledger, keys_of(quote.pool), view.now)
    if entry is not None:
        return f"{kind_of(entry.code).says} ({entry.code}): left alone for {entry.expires - view.now} s"
    until = view.barred_until(quote.key)
    if until > view.now:
        return f"left alone for {until - view.now} s after a loss or a throttled call"
    return "open" if view.room(quote) else "no room in quota or budget"


def _after(view: View, decision: Decision) -> dict[str, int]:
    """Replicas by pool once the orders are carried out; what was warned counts as gone."""
    gone = {action.number for action in decision.actions if action.kind != LAUNCH}
    after: dict[str, int] = {}
    for replica in view.spot + view.on_demand:
        if replica.number not in gone and replica.key in view.quotes:
            after[replica.key] = after.get(replica.key, 0) + 1
    for action in decision.actions:
        if action.kind == LAUNCH:
            after[action.key] = after.get(action.key, 0) + action.count
    return dict(sorted(after.items()))


def _expected(view: View, after: dict[str, int]) -> dict[str, Any]:
    places: dict[str, dict[str, int]] = {}
    hourly = 0
    losses = 0
    for key, count in after.items():
        quote = view.quotes[key]
        place = places.setdefault(quote.pool.place, {"spot": 0, "on_demand": 0})
        place[quote.pool.market] += count
        hourly += quote.price * count
        losses += view.risk(key) * count if key in view.spot_quotes else 0
    return {"placement": places, "hourly_cost": _usd(hourly), "losses_per_hour": _rate(losses)}
