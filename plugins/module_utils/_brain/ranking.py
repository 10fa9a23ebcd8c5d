# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which place is best now: canonical requests to AWS, and the order of what came back. PRIVATE to the collection."""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.money import text

# A placement score request names at most ten regions, and is answered with ten at most (botocore model).
REGIONS_PER_REQUEST = 10
# botocore model: SpotPlacementScoresTargetCapacity.
LARGEST_CAPACITY = 2_000_000_000
# With fewer, or with variations of one type, every score is low (EC2 user guide, spot placement score, limitations).
FEWEST_TYPES = 3

CANDIDATE = "candidate"
EXCLUDED = "excluded"
REJECTED = "rejected"
UNREACHABLE = "unreachable"
VERDICTS = (CANDIDATE, REJECTED, UNREACHABLE, EXCLUDED)

SCORE_THEN_PRICE = "score_then_price"
# What each strategy applies at present; `auto` will learn from the fleet's own history.
STRATEGIES = {"auto": SCORE_THEN_PRICE, SCORE_THEN_PRICE: SCORE_THEN_PRICE}
RULES = {
    SCORE_THEN_PRICE: "the highest placement score, then the cheapest current spot price, then the place's name; "
    "an unknown score comes after every known one"
}


@dataclass(frozen=True)
class Price:
    """The current spot price of one type in one zone, USD an hour."""

    zone: str
    zone_id: str | None
    instance_type: str
    amount: Decimal


@dataclass(frozen=True)
class Survey:
    """What is known of one region.

    `offers` are the wanted types by zone; `score` is None when AWS gave none, and `score_problem` says why; `problem`
    says why the region could not be asked, and then offers and prices mean nothing.
    """

    region: str
    offers: Mapping[str, frozenset[str]]
    prices: Sequence[Price] = ()
    score: int | None = None
    score_problem: str | None = None
    problem: str | None = None


@dataclass(frozen=True)
class Wish:
    """What the caller wants placed. `places` maps a place to its region; `excluded` names places or regions."""

    places: Mapping[str, str]
    instance_types: Sequence[str]
    target_capacity: int = 1
    excluded: Sequence[str] = ()
    strategy: str = "auto"
    product_description: str = "Linux/UNIX"


def capacity_step(target_capacity: int) -> int:
    """The capacity to ask scores for: the next of 1, 2, 5, 10, 20, 50, ... so that growing a fleet a little is not a new
    configuration against AWS's 24-hour limit."""
    step = 1
    while True:
        for digit in (1, 2, 5):
            if digit * step >= target_capacity:
                return min(digit * step, LARGEST_CAPACITY)
        step *= 10


def batches(regions: Iterable[str]) -> list[list[str]]:
    """All regions, sorted, each once, in batches that one score request can name."""
    rest = iter(sorted(set(regions)))
    return list(iter(lambda: list(islice(rest, REGIONS_PER_REQUEST)), []))


def score_requests(wish: Wish, unavailable: Iterable[str] = ()) -> list[dict[str, Any]]:
    """The canonical score requests. They hold every allowed region whatever is excluded, since each other set of regions
    is a new configuration; only regions that the account cannot use (`unavailable`) are left out."""
    return [
        {
            "regions": batch,
            "instance_types": sorted(set(wish.instance_types)),
            "target_capacity": capacity_step(wish.target_capacity),
        }
        for batch in batches(set(wish.places.values()) - set(unavailable))
    ]


def different_types(instance_types: Iterable[str]) -> int:
    """How many types AWS will count as different: one with local disks is a variation of the one without."""
    kinds = set()
    for instance_type in instance_types:
        family, size = instance_type.split(".", 1)
        parts = re.match(r"([a-z]+[0-9]+)(.*)", family)
        kinds.add((parts[1], parts[2].replace("d", ""), size) if parts else (family, "", size))
    return len(kinds)


def warnings_about(wish: Wish) -> list[str]:
    """What makes the answer say less than it seems to."""
    found = []
    kinds = different_types(wish.instance_types)
    if kinds < FEWEST_TYPES:
        found.append(
            f"instance_types: AWS counts {kinds} different, and gives low scores for fewer than {FEWEST_TYPES}: "
            "a low score then says nothing about a place"
        )
    known = {*wish.places, *wish.places.values()}
    found += [f"excluded: {name!r} is none of the places and regions" for name in wish.excluded if name not in known]
    return found


def warnings_from(surveys: Mapping[str, Survey]) -> list[str]:
    """What went wrong while asking, each problem once with the regions that it touches."""
    problems: dict[str, list[str]] = {}
    for region, survey in sorted(surveys.items()):
        if survey.problem:
            problems.setdefault(survey.problem, []).append(region)
        elif survey.score_problem:
            problems.setdefault(f"score unknown: {survey.score_problem}", []).append(region)
    return [f"{', '.join(regions)}: {problem}" for problem, regions in problems.items()]


def cheapest_by_zone(survey: Survey) -> list[Price]:
    """The cheapest offered type of every zone that sells one, cheapest zone first.

    A zone without a price is not sold there, and a price without an offer cannot be launched.
    """
    best: dict[str, Price] = {}
    for price in sorted(survey.prices, key=_price_order):
        if price.instance_type in survey.offers.get(price.zone, ()):
            best.setdefault(price.zone, price)
    return list(best.values())


def _price_order(price: Price) -> tuple[Decimal, str, str]:
    return price.amount, price.zone_id or price.zone, price.instance_type


def rank(wish: Wish, surveys: Mapping[str, Survey]) -> dict[str, Any]:
    """Order the places. Returns `ranking`, `best`, `rule` and `record`, JSON-safe, prices as strings.

    Every place has exactly one entry; candidates come first and only they have a rank.
    """
    verdicts = {place: _verdict(place, wish, surveys[region]) for place, region in wish.places.items()}
    zones = {place: cheapest_by_zone(surveys[region]) for place, region in wish.places.items()}

    def order(place: str) -> tuple[Any, ...]:
        verdict = verdicts[place][0]
        if verdict != CANDIDATE:
            return (VERDICTS.index(verdict), place)
        # The lowest score is 1, so an unknown one comes after all.
        return (0, -(surveys[wish.places[place]].score or 0), zones[place][0].amount, place)

    ranking: list[dict[str, Any]] = []
    for place in sorted(wish.places, key=order):
        survey = surveys[wish.places[place]]
        verdict, reason = verdicts[place]
        cheapest = zones[place][0] if zones[place] else None
        entry = {
            "place": place,
            "region": survey.region,
            "rank": len(ranking) + 1 if verdict == CANDIDATE else None,
            "verdict": verdict,
            "score": survey.score,
            "price": text(cheapest.amount) if cheapest else None,
            "zone": cheapest.zone if cheapest else None,
            "zone_id": cheapest.zone_id if cheapest else None,
            "instance_type": cheapest.instance_type if cheapest else None,
        }
        if verdict == CANDIDATE:
            reason = _place_in_order(entry, survey, ranking[-1] if ranking else None) + reason
        ranking.append({**entry, "reason": reason})

    best = ranking[0] if ranking and ranking[0]["verdict"] == CANDIDATE else None
    rule = STRATEGIES[wish.strategy]
    record = {
        "kind": "region_rank",
        "inputs": {
            "places": dict(sorted(wish.places.items())),
            "excluded": sorted(wish.excluded),
            "instance_types": sorted(set(wish.instance_types)),
            "target_capacity": wish.target_capacity,
            "product_description": wish.product_description,
            "scored_capacity": capacity_step(wish.target_capacity),
            "regions": {
                region: _survey_record(survey)
                for region, survey in sorted(surveys.items())
                if region in wish.places.values()
            },
        },
        "alternatives": ranking,
        "rule": {"strategy": wish.strategy, "applied": rule, "text": RULES[rule]},
        "expected": _expected(best, wish.target_capacity),
    }
    return {"ranking": ranking, "best": best, "rule": rule, "record": record}


def _verdict(place: str, wish: Wish, survey: Survey) -> tuple[str, str]:
    """The verdict on a place; the reason, or for a candidate what is to be added to it."""
    types = sorted(set(wish.instance_types))
    if place in wish.excluded:
        return EXCLUDED, "excluded by the caller"
    if survey.region in wish.excluded:
        return EXCLUDED, f"its region {survey.region} is excluded by the caller"
    if survey.problem:
        return UNREACHABLE, survey.problem
    offered = frozenset().union(*survey.offers.values())
    if not offered.intersection(types):
        return REJECTED, f"the region offers none of {', '.join(types)}"
    if not cheapest_by_zone(survey):
        return REJECTED, f"no zone sells {' or '.join(sorted(offered.intersection(types)))} on spot now"
    missing = [name for name in types if name not in offered]
    return CANDIDATE, f"; does not offer {', '.join(missing)}" if missing else ""


def _place_in_order(entry: dict[str, Any], survey: Survey, before: dict[str, Any] | None) -> str:
    """Why a candidate stands where it stands: against the one before it."""
    score = entry["score"]
    if score is None:
        why = f"score unknown ({survey.score_problem or 'AWS gave none'})"
        if before is None:
            return f"{why}, as for every other; cheapest at {entry['price']}"
        if before["score"] is not None:
            return f"{why}: after every known score"
    else:
        why = f"score {score}"
        if before is None:
            return f"{why} is the highest; cheapest at {entry['price']}"
        if score < before["score"]:
            return f"{why} is below {before['score']} of {before['place']}"
    if Decimal(entry["price"]) > Decimal(before["price"]):
        return f"{why} as {before['place']}, dearer: {entry['price']} against {before['price']}"
    return f"{why} and price as {before['place']}, later by name"


def _survey_record(survey: Survey) -> dict[str, Any]:
    """What decided, and no more: the cheapest price of each zone."""
    return {
        "score": survey.score,
        "score_problem": survey.score_problem,
        "problem": survey.problem,
        "offered_types": sorted(frozenset().union(*survey.offers.values())),
        "zones": [
            {
                "zone": price.zone,
                "zone_id": price.zone_id,
                "instance_type": price.instance_type,
                "price": text(price.amount),
            }
            for price in cheapest_by_zone(survey)
        ],
    }


def _expected(best: dict[str, Any] | None, target_capacity: int) -> dict[str, Any] | None:
    if best is None:
        return None
    return {
        **{key: best[key] for key in ("place", "region", "zone", "zone_id", "instance_type", "price")},
        "hourly_cost": text(Decimal(best["price"]) * target_capacity),
    }
