# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The decision: every place in order, the rule, and the record of what decided. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from datetime import UTC
from datetime import datetime
from decimal import ROUND_FLOOR
from decimal import Decimal
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.hazard import Estimate
from ansible_collections.ethereal.spot.plugins.module_utils._brain.money import text
from ansible_collections.ethereal.spot.plugins.module_utils._brain.price_window import PriceWindow
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking import filters
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.filters import CANDIDATE
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.filters import VERDICTS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.filters import Judged
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.order import RULES
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.order import Estimates
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.order import Standing
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.order import applied_rule
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.order import cheapest
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.order import reasons
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.order import standings
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.scores import capacity_step
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.survey import Memory
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.survey import Offer
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.survey import Survey
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.wish import SCORE_THEN_PRICE
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.wish import Wish


def rank(wish: Wish, surveys: Mapping[str, Survey], memory: Memory) -> dict[str, Any]:
    """Order the places. Returns `ranking`, `best`, `rule` and `record`, JSON-safe, money as strings.

    Every place has exactly one entry; candidates come first and only they have a rank.
    """
    rule = applied_rule(wish)
    estimates = Estimates(wish, surveys, memory)
    judged = [filters.judge(place, surveys[region], wish, memory) for place, region in wish.places.items()]
    order = standings(rule, [each for each in judged if each.verdict == CANDIDATE], estimates)
    others = sorted(
        (each for each in judged if each.verdict != CANDIDATE),
        key=lambda each: (VERDICTS.index(each.verdict), each.place),
    )
    why = reasons(rule, order)
    ranking = [
        {
            **_entry(each.judged, each.offer, each.estimate, wish, estimates),
            "rank": number,
            "reason": why[each.place],
        }
        for number, each in enumerate(order, start=1)
    ]
    ranking += [
        {**_entry(each, cheapest(each.sold), None, wish, estimates), "rank": None, "reason": each.reason}
        for each in others
    ]
    best = ranking[0] if order else None
    record = {
        "kind": "region_rank",
        "inputs": _inputs(wish, surveys),
        "alternatives": ranking,
        "rule": {
            "strategy": wish.strategy,
            "applied": rule,
            "text": RULES[rule],
            "reference": _reference(wish, order, estimates),
        },
        "expected": _expected(best, wish.target_capacity),
    }
    return {"ranking": ranking, "best": best, "rule": rule, "record": record}


def _reference(wish: Wish, order: Sequence[Standing], estimates: Estimates) -> str | None:
    """The place that score_then_price would choose."""
    if not wish.spot or not order:
        return None
    return standings(SCORE_THEN_PRICE, [each.judged for each in order], estimates)[0].place


def _entry(
    judged: Judged, offer: Offer | None, estimate: Estimate | None, wish: Wish, estimates: Estimates
) -> dict[str, Any]:
    survey = judged.survey
    scores = list(survey.scores.values())
    advice = survey.advice.get(offer.instance_type) if offer else None
    seen = estimates.observed(offer) if offer else None
    return {
        "place": judged.place,
        "region": survey.region,
        "verdict": judged.verdict,
        "score": offer.score if offer else max(scores, default=None),
        "score_asked_at": _moment(survey.asked_at) if scores else None,
        "price": _money(offer and offer.price),
        "zone": offer.zone if offer else None,
        "zone_id": offer.zone_id if offer else None,
        "instance_type": offer.instance_type if offer else None,
        "on_demand_price": _money(offer and offer.on_demand),
        "savings_percent": _savings(offer),
        "price_window": _window(offer.window, wish) if offer else None,
        "advisor": advice.interruption_range if advice else None,
        "observed": {"losses": seen.losses, "hours": _hours(seen.hours)} if seen and seen.hours else None,
        "expected": _estimate(estimate),
        "filters": filters.public(judged.filters),
    }


def _money(amount: Decimal | None) -> str | None:
    return None if amount is None else text(amount)


def _hours(hours: Decimal) -> str:
    return text(hours.quantize(Decimal("0.01")))


def _moment(seconds: int | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()


def _savings(offer: Offer | None) -> int | None:
    """What spot costs less than on-demand, in whole per cent, rounded down; below 0 where it costs more."""
    spot = offer.window.current if offer and offer.window else None
    if spot is None or not offer.on_demand:
        return None
    return int((100 - spot * 100 / offer.on_demand).to_integral_value(ROUND_FLOOR))


def _window(window: PriceWindow | None, wish: Wish) -> dict[str, Any] | None:
    if window is None or not wish.window_days:
        return None
    return {
        "days": wish.window_days,
        "median": text(window.median),
        "worst": text(window.worst),
        "volatility": text(window.volatility),
    }


def _estimate(estimate: Estimate | None) -> dict[str, str] | None:
    return None if estimate is None else {name: text(value) for name, value in vars(estimate).items()}


def _inputs(wish: Wish, surveys: Mapping[str, Survey]) -> dict[str, Any]:
    return {
        "places": dict(sorted(wish.places.items())),
        "excluded": sorted(wish.excluded),
        "instance_types": wish.types,
        "target_capacity": wish.target_capacity,
        "product_description": wish.product_description,
        "market": wish.market,
        "max_price": _money(wish.max_price),
        "single_zone": wish.single_zone,
        "price_window_days": wish.window_days,
        "scored_capacity": capacity_step(wish.target_capacity),
        "regions": {region: _survey(surveys[region], wish) for region in wish.regions},
    }


def _survey(survey: Survey, wish: Wish) -> dict[str, Any]:
    """What decided, and no more: the cheapest price of each zone."""
    zones = {}
    for (zone_id, instance_type), window in sorted(survey.prices.items(), key=lambda item: (item[1].current, item[0])):
        if instance_type in survey.offers.get(zone_id, ()):
            zones.setdefault(
                zone_id,
                {
                    "zone": survey.zones.get(zone_id),
                    "zone_id": zone_id,
                    "instance_type": instance_type,
                    "price": text(window.current),
                    "score": survey.scores.get(zone_id if wish.single_zone else None),
                },
            )
    return {
        "score": max(survey.scores.values(), default=None),
        "score_problem": survey.score_problem,
        "score_asked_at": _moment(survey.asked_at),
        "score_asked_in": survey.asked_in,
        "score_kept": survey.kept,
        "enabled": survey.enabled,
        "problem": survey.problem,
        "offered_types": sorted(frozenset().union(*survey.offers.values())),
        "on_demand": {name: text(price) for name, price in sorted(survey.on_demand.items())},
        "zones": list(zones.values()),
    }


def _expected(best: dict[str, Any] | None, target_capacity: int) -> dict[str, Any] | None:
    if best is None:
        return None
    cost = None if best["price"] is None else text(Decimal(best["price"]) * target_capacity)
    return {
        **{key: best[key] for key in ("place", "region", "zone", "zone_id", "instance_type", "price")},
        "hourly_cost": cost,
        "estimate": best["expected"],
    }
