# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The order of the candidates: the strategies, and in words why each stands where it stands. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain import hazard
from ansible_collections.ethereal.spot.plugins.module_utils._brain.losses import Observed
from ansible_collections.ethereal.spot.plugins.module_utils._brain.money import text
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.filters import Judged
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.survey import Memory
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.survey import Offer
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.survey import Survey
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.wish import AUTO
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.wish import SCORE_THEN_PRICE
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.wish import Wish

EXPECTED_COST = "expected_cost"
ON_DEMAND_PRICE = "on_demand_price"
RULES = {
    SCORE_THEN_PRICE: "the highest placement score, then the cheapest current spot price, then the place's name; "
    "an unknown score comes after every known one",
    EXPECTED_COST: "the lowest expected cost of an hour of work: the spot price, and what interruptions cost, "
    "as score, Spot Advisor and own losses tell",
    ON_DEMAND_PRICE: "the cheapest on-demand price, then the place's name; on-demand capacity has no placement score",
}
NONE_SEEN = Observed(0, Decimal(0))


@dataclass(frozen=True)
class Standing:
    """A place with the pool that stands for it. `estimate` is None where the pool has no price."""

    judged: Judged
    offer: Offer
    estimate: hazard.Estimate | None

    @property
    def place(self) -> str:
        return self.judged.place


def applied_rule(wish: Wish) -> str:
    """What the strategy comes to in the wanted market."""
    if not wish.spot:
        return ON_DEMAND_PRICE
    return EXPECTED_COST if wish.strategy == AUTO else SCORE_THEN_PRICE


class Estimates:
    """What an hour of work costs in a pool."""

    def __init__(self, wish: Wish, surveys: Mapping[str, Survey], memory: Memory) -> None:
        self._wish = wish
        self._memory = memory
        # The work is worth the same wherever and on whatever type it is done, or a dear region would seem to lose more.
        on_demand = [price for survey in surveys.values() for price in survey.on_demand.values()]
        spot = [window.current for survey in surveys.values() for window in survey.prices.values()]
        self._worth = min(on_demand, default=min(spot, default=Decimal(0)) * hazard.ON_DEMAND_TIMES_SPOT)

    def observed(self, offer: Offer) -> Observed:
        return self._memory.losses.get((offer.zone_id, offer.instance_type), NONE_SEEN)

    def estimate(self, survey: Survey, offer: Offer) -> hazard.Estimate | None:
        if offer.price is None:
            return None
        if not self._wish.spot:
            return hazard.useful_hour(offer.price, self._worth, Decimal(0), Decimal(1))
        advice = survey.advice.get(offer.instance_type)
        seen = self.observed(offer)
        prior = hazard.prior_losses_per_hour(offer.score, advice.interruption_max_percent if advice else None)
        window = offer.window if self._wish.window_days else None
        return hazard.useful_hour(
            hazard.steady_price(offer.price, window and window.median, window and window.volatility),
            self._worth,
            hazard.expected_losses_per_hour(prior, seen.losses, seen.hours),
            hazard.launch_attempts(offer.score),
        )


def standings(rule: str, places: Iterable[Judged], estimates: Estimates) -> list[Standing]:
    """The candidates in the rule's order, each with the pool that the rule would take there."""
    found = []
    for judged in places:
        pools = [Standing(judged, offer, estimates.estimate(judged.survey, offer)) for offer in judged.offers]
        found.append(min(pools, key=ORDERS[rule]))
    return sorted(found, key=lambda standing: (*ORDERS[rule](standing)[:-2], standing.place))


def cheapest(offers: Iterable[Offer]) -> Offer | None:
    """Of pools that have a price."""
    return min(offers, key=lambda offer: (offer.price, offer.zone_id, offer.instance_type), default=None)


def _pool(standing: Standing) -> tuple[Any, ...]:
    offer = standing.offer
    return offer.price is None, offer.price or 0, offer.zone_id, offer.instance_type


def _by_score(standing: Standing) -> tuple[Any, ...]:
    # The lowest score is 1, so an unknown one comes after all.
    return -(standing.offer.score or 0), *_pool(standing)


def _by_cost(standing: Standing) -> tuple[Any, ...]:
    cost = standing.estimate.cost if standing.estimate else 0
    return standing.estimate is None, cost, *_pool(standing)


# Each key ends in the zone and the type, which decide within a place; between places its name does.
ORDERS = {SCORE_THEN_PRICE: _by_score, EXPECTED_COST: _by_cost, ON_DEMAND_PRICE: _pool}


def reasons(rule: str, order: Sequence[Standing]) -> dict[str, str]:
    """Why each place stands where it stands, by place."""
    if rule == EXPECTED_COST:
        low = min(order, key=_pool, default=None)
        return {each.place: _cost_reason(each, order[0], low) for each in order}
    before = [None, *order][: len(order)]
    reason = _score_reason if rule == SCORE_THEN_PRICE else _price_reason
    return {each.place: reason(each, other) for each, other in zip(order, before, strict=True)}


def _cost_reason(standing: Standing, best: Standing, low: Standing) -> str:
    """Against the cheapest for the best place, against the best for all others."""
    if standing is best and standing is low:
        return f"cheapest, and the lowest expected cost{_aside(standing)}"
    if standing is best and low.estimate.price > max(low.offer.price, standing.estimate.price):
        return f"dearer now than {low.place}, whose price is restless and usually {text(low.estimate.price)}"
    if standing is best:
        told = _compared(standing, low)
        return f"{told}{' expected' if told.endswith('interruptions') else ''}{_aside(standing)}"
    if standing.estimate.cost == best.estimate.cost:
        return (
            f"expected cost as {best.place}, {'dearer' if standing.offer.price > best.offer.price else 'later by name'}"
        )
    return f"{_compared(standing, best)}{_aside(standing)}"


def _compared(one: Standing, other: Standing) -> str:
    """One place against another: price, and whatever else makes its hour of work cost more or less."""
    price = _price_against(one.estimate.price, other)
    worse = one.estimate.cost > other.estimate.cost
    facts = _facts(one.estimate, other.estimate)
    explained = next((fact for fact, against in facts if against == worse), None)
    if one.estimate.price == other.estimate.price:
        return f"{price}, {explained}"
    if worse == (one.estimate.price > other.estimate.price):
        if explained or not facts:
            return ", ".join(filter(None, (price, explained)))
        return f"{price}, {'for' if worse else 'though'} {facts[0][0]}"
    return f"{price}, but {explained}"


def _price_against(price: Decimal, other: Standing) -> str:
    if price == other.estimate.price:
        return f"price as {other.place}"
    share = abs(_percent(price, other.estimate.price)) or "under 1"
    return f"{share} % {'dearer' if price > other.estimate.price else 'cheaper'} than {other.place}"


def _facts(one: hazard.Estimate, other: hazard.Estimate) -> list[tuple[str, bool]]:
    """How the first differs beside its price, and whether that is for the worse."""
    facts = []
    if one.losses_per_hour != other.losses_per_hour:
        risk = _times(one.losses_per_hour, other.losses_per_hour)
        facts.append((f"{risk} interruptions", one.losses_per_hour > other.losses_per_hour))
    if one.launch_attempts != other.launch_attempts:
        told = f"{one.launch_attempts:.1f} attempts a launch, not {other.launch_attempts:.1f}"
        facts.append((told, one.launch_attempts > other.launch_attempts))
    return facts


def _times(one: Decimal, other: Decimal) -> str:
    """How many of something there are against another number of it."""
    share = (one * 100 / other).quantize(Decimal(1)) if other else Decimal(1000)
    if 95 <= share <= 105:
        return "slightly more" if one > other else "slightly fewer"
    if 47 <= share <= 53:
        return "half the"
    if share < 100:
        return f"{100 - share} % fewer"
    return "twice the" if 190 <= share <= 210 else f"{share / 100:.1f} times the"


def _aside(standing: Standing) -> str:
    """What the reckoning rests on where that is not plain from the table."""
    notes = []
    if standing.offer.score is None:
        notes.append(f"score unknown, taken as {hazard.NEUTRAL_SCORE}")
    if standing.estimate.price != standing.offer.price:
        notes.append(f"restless price, taken as {text(standing.estimate.price)}")
    return f" ({', '.join(notes)})" if notes else ""


def _percent(one: Decimal, other: Decimal) -> int:
    """How much more one is than the other, in whole per cent."""
    return int(((one - other) * 100 / other).quantize(Decimal(1))) if other else 0


def _score_reason(standing: Standing, before: Standing | None) -> str:
    score = standing.offer.score
    if score is None:
        why = f"score unknown ({standing.judged.survey.score_problem or 'AWS gave none'})"
        if before is None:
            return f"{why}, as for every other; cheapest at {text(standing.offer.price)}"
        if before.offer.score is not None:
            return f"{why}: after every known score"
    else:
        why = f"score {score}"
        if before is None:
            return f"{why} is the highest; cheapest at {text(standing.offer.price)}"
        if score < before.offer.score:
            return f"{why} is below {before.offer.score} of {before.place}"
    if standing.offer.price > before.offer.price:
        prices = f"{text(standing.offer.price)} against {text(before.offer.price)}"
        return f"{why} as {before.place}, dearer: {prices}"
    return f"{why} and price as {before.place}, later by name"


def _price_reason(standing: Standing, before: Standing | None) -> str:
    price = standing.offer.price
    if price is None:
        return "its on-demand price is not known"
    if before is None:
        return f"cheapest at {text(price)}"
    if price > before.offer.price:
        return f"{_percent(price, before.offer.price)} % dearer than {before.place}"
    return f"price as {before.place}, later by name"
