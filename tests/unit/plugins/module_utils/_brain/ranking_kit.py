# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Regions as the ranking's tests need them: one zone that sells one type, unless told otherwise."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.price_window import PriceWindow
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.decide import rank
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.survey import Memory
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.survey import Survey
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.wish import Wish

TYPES = ("g4dn.xlarge", "g5.xlarge", "g6.xlarge")
NOW = 1_767_600_000


def window(price: str, median: str | None = None, volatility: str = "0") -> PriceWindow:
    """A price that never moved, unless told otherwise."""
    usual = Decimal(median or price)
    return PriceWindow("", None, "", Decimal(price), usual, max(usual, Decimal(price)), Decimal(volatility))


def survey(region: str, score: int | None = None, price: str | None = None, **more: Any) -> Survey:
    zone_id = f"{region}-az1"
    known: dict[str, Any] = {
        "enabled": True,
        "enabled_word": "opted-in",
        "zones": {zone_id: f"{region}a"},
        "offers": {zone_id: frozenset(TYPES)},
        "prices": {} if price is None else {(zone_id, TYPES[0]): window(price)},
        "scores": {} if score is None else {None: score},
        "on_demand": dict.fromkeys(TYPES, Decimal(1)),
    }
    return Survey(region, **{**known, **more})


def zoned(region: str, pools: dict[tuple[str, str], str], scores: Any = None, **more: Any) -> Survey:
    """A region of several pools: prices by the zone's letter and the type."""
    prices = {(f"{region}-{letter}", name): window(price) for (letter, name), price in pools.items()}
    zones = {zone_id: f"{region}{zone_id[-1]}" for zone_id, _name in prices}
    offers = {zone_id: frozenset(TYPES) for zone_id in zones}
    return survey(region, **{"zones": zones, "offers": offers, "prices": prices, "scores": scores or {}, **more})


def wish_for(*surveys: Survey, **more: Any) -> Wish:
    places = {each.region: each.region for each in surveys}
    return Wish(**{"places": places, "instance_types": TYPES, "check_quota": False, **more})


def decide(*surveys: Survey, memory: Memory | None = None, **wish: Any) -> dict[str, Any]:
    regions = {each.region: each for each in surveys}
    return rank(wish_for(*surveys, **wish), regions, memory or Memory(NOW))


def order(decision: dict[str, Any]) -> list[str]:
    return [entry["place"] for entry in decision["ranking"]]


def verdicts(decision: dict[str, Any]) -> dict[str, str]:
    return {entry["place"]: entry["verdict"] for entry in decision["ranking"]}


def filters_of(decision: dict[str, Any], place: str) -> dict[str, bool | None]:
    entry = next(each for each in decision["ranking"] if each["place"] == place)
    return {each["name"]: each["passed"] for each in entry["filters"]}


def reason_of(decision: dict[str, Any], place: str) -> str:
    return next(each["reason"] for each in decision["ranking"] if each["place"] == place)
