# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An estimate as a person reads it. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from decimal import ROUND_HALF_UP
from decimal import Decimal
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.ceiling import Breach
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.prices import DOCUMENTED
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.prices import GIVEN
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.prices import HOURS_OF_A_MONTH
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.prices import LEVELS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.prices import PRICE_LIST
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.prices import SPOT_HISTORY
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.prices import Levels
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.reckon import NOT_SOLD
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.reckon import PRICED
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.reckon import UNKNOWN
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.reckon import USAGE
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.reckon import Item
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.reckon import Place
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.reckon import Total
from ansible_collections.ethereal.spot.plugins.module_utils._brain.money import text
from ansible_collections.ethereal.spot.plugins.module_utils._brain.table import NONE
from ansible_collections.ethereal.spot.plugins.module_utils._brain.table import table

HEADINGS = ("place", "item", "quantity", "each", "per", "now/h", "median/h", "worst/h", "now/month", "price")
TYPES = ("place", "type", "on demand", "now", "median", "worst", "saves")
RIGHT = (*HEADINGS[2:4], *HEADINGS[5:9], *TYPES[2:])
# In a table; the result has the whole word.
SOURCES = {PRICE_LIST: "list", SPOT_HISTORY: "history", GIVEN: "given", DOCUMENTED: "documented"}
HOURLY = Decimal("0.0001")
MONTHLY = Decimal("0.01")
UNKNOWN_MARK = "?"


def estimate_lines(
    places: Sequence[Place], total: Total, days: int, currency: str, broken: Iterable[Breach] = ()
) -> list[str]:
    """Every item of every place, the types one by one, what is not in the sum, and the sum."""
    window = f"spot prices of {days} day{'s' * (days != 1)}" if days else "spot prices of now"
    lines = [f"{len(places)} place{'s' * (len(places) != 1)}, {window}, {currency}, {HOURS_OF_A_MONTH} hours a month"]
    lines += ["", *table(HEADINGS, [row for place in places for row in _rows(place)], RIGHT)]
    types = [row for place in places for row in _type_rows(place)]
    if types:
        lines += ["", f"The types, {currency}/h each:", "", *table(TYPES, types, RIGHT)]
    lines += _section("Unknown, and not in the sum:", _reasons(places, UNKNOWN))
    lines += _section("Not sold, so that nothing runs there:", _reasons(places, NOT_SOLD))
    lines += _section("Not estimated, since it depends on use:", _used(places))
    return [*lines, "", *_outcome(places, total, currency), *(f"Refused: {breach}." for breach in broken)]


def _rows(place: Place) -> list[list[str]]:
    shown = [item for item in place.items if item.status != USAGE]
    rows = [_row(place.wish.place if index == 0 else "", item) for index, item in enumerate(shown)]
    name = "" if rows else place.wish.place
    at_least = "at least" if place.unknown else ""
    return [*rows, [name, "sum", "", at_least, "", *_amounts(place.standing.plus(place.running)), ""]]


def _row(place: str, item: Item) -> list[str]:
    cells = [place, item.name, str(item.quantity)]
    if item.price is None or item.monthly is None:
        mark = UNKNOWN_MARK if item.status == UNKNOWN else NONE
        return [*cells, mark, item.per, mark, mark, mark, mark, "not sold" if item.status == NOT_SOLD else UNKNOWN]
    return [*cells, text(item.price.current), item.per, *_amounts(item.monthly), SOURCES[item.source]]


def _amounts(monthly: Levels) -> list[str]:
    hours = [_rounded(getattr(monthly, name) / HOURS_OF_A_MONTH, HOURLY) for name in LEVELS]
    return [*hours, _rounded(monthly.current, MONTHLY)]


def _rounded(amount: Decimal, step: Decimal) -> str:
    return format(amount.quantize(step, ROUND_HALF_UP), "f")


def _type_rows(place: Place) -> list[list[str]]:
    def row(index: int, entry: Any) -> list[str]:
        saves = entry["savings_percent"]
        return [
            place.wish.place if index == 0 else "",
            entry["instance_type"],
            entry["on_demand"] or NONE,
            *(entry["spot"][name] if entry["spot"] else NONE for name in LEVELS),
            NONE if saves is None else f"{saves} %",
        ]

    return [row(index, entry) for index, entry in enumerate(place.types)]


def _section(heading: str, lines: list[str]) -> list[str]:
    return ["", heading, *(f"  {line}" for line in lines)] if lines else []


def _reasons(places: Sequence[Place], status: str) -> list[str]:
    """What has no price and why, with all the places that it is so in."""
    found: dict[str, list[str]] = {}
    for place in places:
        for item in place.items:
            if item.status == status:
                found.setdefault(f"{item.name}: {item.source}", []).append(place.wish.place)
    return [f"{', '.join(names)}: {what}" for what, names in found.items()]


def _used(places: Sequence[Place]) -> list[str]:
    found: dict[str, list[str]] = {}
    for place in places:
        for item in place.items:
            if item.status == USAGE:
                found.setdefault(item.name, []).append(place.wish.place)
    return [f"{what} ({', '.join(names)})" for what, names in found.items()]


def _outcome(places: Sequence[Place], total: Total, currency: str) -> list[str]:
    least = "at least " if total.lower_bound else ""
    rows = []
    for name, word in zip(LEVELS, ("now", "median", "worst"), strict=True):
        monthly, saved = getattr(total.amount, name), total.savings()[name]
        beside = NONE if total.on_demand is None else _rounded(getattr(total.on_demand, name), MONTHLY)
        rows.append(
            [
                word,
                least + _rounded(monthly / HOURS_OF_A_MONTH, HOURLY),
                least + _rounded(monthly, MONTHLY),
                beside,
                NONE if saved is None else f"{saved} %",
            ]
        )
    headings = ("in all", f"{currency}/h", f"{currency}/month", "all on demand/month", "saves")
    lines = table(headings, rows, headings[1:])
    if total.cheapest is not None:
        hourly = _rounded(total.cheapest.current / HOURS_OF_A_MONTH, HOURLY)
        where = f"in {total.cheapest_place}, the cheapest now, it is {hourly} {currency}/h"
        lines += ["", f"The placement runs the instances in one of the places. The dearest is counted; {where}."]
    elif sum(place.wish.placed and place.wish.running > 0 for place in places) > 1:
        lines += ["", "The placement runs the instances in one of the places. The dearest is counted."]
    if any(item.source == DOCUMENTED for place in places for item in place.items):
        lines.append(f"A documented price is the {DOCUMENTED}; unit_prices takes a better one.")
    if any(item.status == PRICED and item.price and item.running for place in places for item in place.items):
        lines.append(
            "Now and median are of the cheapest type and zone, worst of the dearest, since EC2 chooses among them."
        )
    return lines
