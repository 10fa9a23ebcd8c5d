# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hard filters: what rules a place out, and which of its pools are left. PRIVATE to the collection.

A pool is one type in one zone. Every filter is judged for every place, in the order below, on the pools that the filters before it
left. What is not known rules nothing out.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain import launch_errors
from ansible_collections.ethereal.spot.plugins.module_utils._brain import ledger
from ansible_collections.ethereal.spot.plugins.module_utils._brain import quotas
from ansible_collections.ethereal.spot.plugins.module_utils._brain.money import text
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.survey import Memory
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.survey import Offer
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.survey import Survey
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.survey import offers_of
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.wish import Wish

CANDIDATE = "candidate"
REJECTED = "rejected"
UNREACHABLE = "unreachable"
EXCLUDED = "excluded"
VERDICTS = (CANDIDATE, REJECTED, UNREACHABLE, EXCLUDED)
NOT_ASKED = "not judged: the region did not answer"
NONE_LEFT = "not judged: no pool is left"


@dataclass(frozen=True)
class Filter:
    """One filter's verdict on a place: True, False, or None where it is not known."""

    name: str
    passed: bool | None
    detail: str


@dataclass(frozen=True)
class Judged:
    """A place after all filters. `offers` are the pools that are left; `sold` those that have a price, left or not."""

    place: str
    survey: Survey
    filters: tuple[Filter, ...]
    offers: tuple[Offer, ...]
    sold: tuple[Offer, ...]
    verdict: str
    reason: str


@dataclass(frozen=True)
class _Case:
    place: str
    survey: Survey
    wish: Wish
    memory: Memory


# What a filter says of the pools that are left: its verdict, why, and which of them it leaves.
_Finding = tuple["bool | None", str, Sequence[Offer]]


def judge(place: str, survey: Survey, wish: Wish, memory: Memory) -> Judged:
    """Put a place through every filter."""
    case = _Case(place, survey, wish, memory)
    left: Sequence[Offer] = offers_of(survey, wish)
    sold = tuple(offer for offer in left if offer.price is not None)
    filters = []
    for name, judged in FILTERS:
        if name in _unjudged(survey, left):
            asked = survey.problem is None and survey.enabled is not False
            filters.append(Filter(name, None, NONE_LEFT if asked else NOT_ASKED))
            continue
        passed, detail, left = judged(case, left)
        filters.append(Filter(name, passed, detail))
    failed = next((each for each in filters if each.passed is False), None)
    verdict = CANDIDATE if failed is None else _VERDICTS.get(failed.name, REJECTED)
    reason = "" if failed is None else failed.detail
    return Judged(place, survey, tuple(filters), tuple(left) if failed is None else (), sold, verdict, reason)


def _unjudged(survey: Survey, left: Sequence[Offer]) -> frozenset[str]:
    """The filters that have nothing to judge: a region that was not asked has no pools, which says nothing of it."""
    if survey.enabled is False:
        return ABOUT_POOLS | {"reachable"}
    if survey.problem is not None:
        return ABOUT_POOLS
    return frozenset() if left else ABOUT_POOLS - {"offered"}


def public(filters: Sequence[Filter]) -> list[dict[str, Any]]:
    """As plain JSON."""
    return [vars(each) for each in filters]


def _excluded(case: _Case, left: Sequence[Offer]) -> _Finding:
    if case.place in case.wish.excluded:
        return False, "excluded by the caller", left
    if case.survey.region in case.wish.excluded:
        return False, f"its region {case.survey.region} is excluded by the caller", left
    return True, "not excluded", left


def _opted_in(case: _Case, left: Sequence[Offer]) -> _Finding:
    word = case.survey.enabled_word
    if case.survey.enabled is None:
        return None, "the account's list of regions could not be read", left
    if case.survey.enabled:
        return True, word or "the account can use it", left
    return False, f"the account has not enabled it ({word})" if word else "the partition has no such region", left


def _reachable(case: _Case, left: Sequence[Offer]) -> _Finding:
    return case.survey.problem is None, case.survey.problem or "it answered", left


def _offered(case: _Case, left: Sequence[Offer]) -> _Finding:
    by_type = {name: [offer.zone_id for offer in left if offer.instance_type == name] for name in case.wish.types}
    if not left:
        return False, f"the region offers none of {', '.join(case.wish.types)}", left
    there = [f"{name} in {' '.join(zones)}" for name, zones in by_type.items() if zones]
    missing = [name for name, zones in by_type.items() if not zones]
    return True, "; ".join(there) + (f"; not {', '.join(missing)}" if missing else ""), left


def _sold(case: _Case, left: Sequence[Offer]) -> _Finding:
    if not case.wish.spot and case.survey.on_demand_problem:
        return None, f"on-demand prices are not known: {case.survey.on_demand_problem}", left
    sold = [offer for offer in left if offer.price is not None]
    names = " or ".join(sorted({offer.instance_type for offer in left}))
    if not sold and case.wish.spot:
        return False, f"no zone sells {names} on spot now", sold
    if not sold:
        return False, f"{names} has no on-demand price here", sold
    return True, f"{_of(sold, left)} a price", sold


def _price_ceiling(case: _Case, left: Sequence[Offer]) -> _Finding:
    ceiling = case.wish.max_price
    if ceiling is None:
        return True, "there is none", left
    known = [offer.price for offer in left if offer.price is not None]
    if not known:
        return None, f"no price is known that could be held against {text(ceiling)}", left
    below = [offer for offer in left if offer.price is None or offer.price <= ceiling]
    if not below:
        return False, f"the cheapest costs {text(min(known))} USD/h, the ceiling is {text(ceiling)}", below
    return True, f"{_of(below, left)} a price of at most {text(ceiling)} USD/h", below


def _quota(case: _Case, left: Sequence[Offer]) -> _Finding:
    if not case.wish.check_quota:
        return None, "not asked for", left
    survey, wish = case.survey, case.wish
    vcpus = survey.vcpus or {}
    verdicts = quotas.verdicts(
        survey.region,
        wish.market,
        wish.target_capacity,
        {offer.instance_type: vcpus.get(offer.instance_type) for offer in left},
        survey.limits,
        survey.in_use,
        held=case.memory.placement.get(case.place, {}).get(wish.market, 0),
        problem=survey.quota_problem,
    )
    full = {name for each in verdicts if each.enough is False for name in each.instance_types}
    room = [offer for offer in left if offer.instance_type not in full]
    detail = "; ".join(each.reason for each in verdicts)
    if not room:
        return False, detail, room
    return True if any(each.enough for each in verdicts) else None, detail, room


def _ledger(case: _Case, left: Sequence[Offer]) -> _Finding:
    known, now = case.memory.ledger, case.memory.now
    found = {offer: ledger.barred(known, ledger.keys_of(_pool(case, offer)), now) for offer in left}
    free = [offer for offer, entry in found.items() if entry is None]
    entries = {entry.key: entry for entry in found.values() if entry is not None}
    detail = "; ".join(
        f"{launch_errors.kind_of(entry.code).says} ({entry.code}), barred for {_minutes(entry.expires - now)}"
        for _key, entry in sorted(entries.items())
    )
    if not entries:
        return True, "no failed launch bars it", free
    return bool(free), detail if not free else f"{_of(free, left)} no bar; {detail}", free


def _pool(case: _Case, offer: Offer) -> ledger.Pool:
    zone = offer.zone or offer.zone_id
    return ledger.Pool(case.place, case.survey.region, zone, offer.instance_type, case.wish.market)


def _of(some: Sequence[Offer], all_of_them: Sequence[Offer]) -> str:
    return f"{len(some)} of {len(all_of_them)} pools (a type in a zone) {'has' if len(some) == 1 else 'have'}"


def _minutes(seconds: int) -> str:
    minutes = -(-seconds // 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"


FILTERS: tuple[tuple[str, Callable[[_Case, Sequence[Offer]], _Finding]], ...] = (
    ("excluded", _excluded),
    ("opted_in", _opted_in),
    ("reachable", _reachable),
    ("offered", _offered),
    ("sold", _sold),
    ("price_ceiling", _price_ceiling),
    ("quota", _quota),
    ("ledger", _ledger),
)
ABOUT_POOLS = frozenset({"offered", "sold", "price_ceiling", "quota", "ledger"})
_VERDICTS = {"excluded": EXCLUDED, "reachable": UNREACHABLE}
