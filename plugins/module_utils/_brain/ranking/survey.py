# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of a region, and what is remembered of the whole. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from decimal import Decimal

from ansible_collections.ethereal.spot.plugins.module_utils._brain.advisor import Advice
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ledger import Ledger
from ansible_collections.ethereal.spot.plugins.module_utils._brain.losses import Observed
from ansible_collections.ethereal.spot.plugins.module_utils._brain.price_window import PriceWindow
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.wish import Wish

# Zone id and instance type.
PoolKey = tuple[str, str]


@dataclass(frozen=True)
class Survey:
    """What one region answered. Every `..._problem` says why that part is not known; nothing else is then concluded.

    `problem`: why the region could not be asked at all. `enabled`: whether the account can use it, `enabled_word` is AWS's.
    `zones`: this account's names by zone id. `offers`: the wanted types by zone id. `prices`: those that are sold on spot, by
    zone id and type. `scores`: by zone id, or under None the region's own; `asked_at` and `asked_in`: when and where they were
    asked, `kept`: by somebody before. `limits`, `in_use` and `vcpus`: as `_aws/quotas.py` gives them.
    """

    region: str
    problem: str | None = None
    enabled: bool | None = None
    enabled_word: str | None = None
    zones: Mapping[str, str] = field(default_factory=dict)
    offers: Mapping[str, frozenset[str]] = field(default_factory=dict)
    prices: Mapping[PoolKey, PriceWindow] = field(default_factory=dict)
    on_demand: Mapping[str, Decimal] = field(default_factory=dict)
    on_demand_problem: str | None = None
    scores: Mapping[str | None, int] = field(default_factory=dict)
    score_problem: str | None = None
    asked_at: int | None = None
    asked_in: str | None = None
    kept: bool = False
    limits: Mapping[str, Decimal] | None = None
    in_use: Mapping[tuple[str, str], int] | None = None
    vcpus: Mapping[str, int] | None = None
    quota_problem: str | None = None
    advice: Mapping[str, Advice] = field(default_factory=dict)


@dataclass(frozen=True)
class Memory:
    """What the deployment remembers: failed launches, losses by pool, what is placed now. `now` is in seconds since 1970."""

    now: int
    ledger: Ledger = field(default_factory=dict)
    losses: Mapping[PoolKey, Observed] = field(default_factory=dict)
    placement: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Offer:
    """One type in one zone, with what is known of it. `price` is that of the wanted market, now; None if not known."""

    zone_id: str
    zone: str | None
    instance_type: str
    price: Decimal | None
    window: PriceWindow | None
    on_demand: Decimal | None
    score: int | None


def offers_of(survey: Survey, wish: Wish) -> list[Offer]:
    """Every wanted type in every zone that offers it, sold or not."""
    found = []
    for zone_id, types in sorted(survey.offers.items()):
        for instance_type in sorted(types.intersection(wish.types)):
            window = survey.prices.get((zone_id, instance_type))
            on_demand = survey.on_demand.get(instance_type)
            spot = None if window is None else window.current
            found.append(
                Offer(
                    zone_id,
                    survey.zones.get(zone_id),
                    instance_type,
                    spot if wish.spot else on_demand,
                    window,
                    on_demand,
                    survey.scores.get(zone_id if wish.single_zone else None),
                )
            )
    return found


def problems(surveys: Mapping[str, Survey]) -> tuple[list[str], list[str]]:
    """Which regions could not be asked, and what of the others is not known: each problem once with the regions it touches."""
    reached = {region: survey for region, survey in sorted(surveys.items()) if not survey.problem}
    return (
        _by_problem(
            {region: survey.problem for region, survey in sorted(surveys.items()) if survey.enabled is not False}
        ),
        [
            *_by_problem({region: survey.score_problem for region, survey in reached.items()}, "score unknown: "),
            *_by_problem({region: survey.quota_problem for region, survey in reached.items()}, "quota unknown: "),
            *_by_problem(
                {region: survey.on_demand_problem for region, survey in reached.items()}, "on-demand price unknown: "
            ),
        ],
    )


def _by_problem(told: Mapping[str, str | None], what: str = "") -> list[str]:
    found: dict[str, list[str]] = {}
    for region, problem in told.items():
        if problem:
            found.setdefault(problem, []).append(region)
    return [f"{', '.join(regions)}: {what}{problem}" for problem, regions in found.items()]
