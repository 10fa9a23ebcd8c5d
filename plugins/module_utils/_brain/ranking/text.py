# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A ranking as a person reads it. PRIVATE to the collection."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from datetime import UTC
from datetime import datetime
from decimal import Decimal
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.money import text
from ansible_collections.ethereal.spot.plugins.module_utils._brain.quotas import SPOT
from ansible_collections.ethereal.spot.plugins.module_utils._brain.table import NONE
from ansible_collections.ethereal.spot.plugins.module_utils._brain.table import table

HEADINGS = ("#", "place", "region", "score", "USD/h", "on demand", "saves", "work hour", "zone", "type", "why")
# Numbers stand to the right, words to the left.
RIGHT = ("#", "score", "USD/h", "on demand", "saves", "work hour")
# More decimals than prices have mean nothing to a person.
MOST_DECIMALS = 6
HOUR = 3600
WIDTH = 120


def ranking_lines(decision: Mapping[str, Any], now: int, notes: Sequence[str] = ()) -> list[str]:
    """The question and the rule, one line for each place, why the others are out, what is not known, and the outcome.

    `now` is in seconds since 1970, `notes` is what went wrong while asking.
    """
    record = decision["record"]
    inputs = record["inputs"]
    chosen = [entry for entry in decision["ranking"] if entry["rank"] is not None]
    out = [entry for entry in decision["ranking"] if entry["rank"] is None]
    rule = textwrap.wrap(f"Rule: {record['rule']['text']}.", WIDTH, subsequent_indent="      ")
    lines = [_question(inputs), *rule, *_scores(inputs, now)]
    if chosen:
        rows = _rows(chosen)
        headings = _headings(chosen, rows, inputs)
        lines += ["", *table(headings, [[row[name] for name in headings] for row in rows], RIGHT)]
    if out:
        lines += ["", "Not possible:" if chosen else "No place is possible:", *_columns(map(_rejection, out))]
    if notes:
        lines += ["", *(f"Note: {note}" for note in notes)]
    return [*lines, "", *_outcome(decision)]


def _question(inputs: Mapping[str, Any]) -> str:
    market = "on spot" if inputs["market"] == SPOT else "on demand"
    ceiling = f", at most {inputs['max_price']} USD/h" if inputs["max_price"] else ""
    types = " or ".join(filter(None, (", ".join(inputs["instance_types"][:-1]), inputs["instance_types"][-1])))
    return f"{inputs['target_capacity']} x {types} {market}, {inputs['product_description']}{ceiling}"


def _scores(inputs: Mapping[str, Any], now: int) -> list[str]:
    """When the scores were asked, if some are not of now."""
    asked = sorted({region["score_asked_at"] for region in inputs["regions"].values() if region["score_kept"]})
    if not asked:
        return []
    kind = "Zone scores" if inputs["single_zone"] else "Scores"
    return [f"{kind} of {' and '.join(_age(moment, now) for moment in asked)}."]


def _age(moment: str, now: int) -> str:
    then = datetime.fromisoformat(moment)
    seconds = now - int(then.timestamp())
    today = datetime.fromtimestamp(now, UTC).date() == then.date()
    age = f"{seconds // HOUR} h" if seconds >= 2 * HOUR else f"{seconds // 60} min"
    return f"{then:%H:%M} UTC{'' if today else ' yesterday'} ({age} old)"


def _headings(
    chosen: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, str]], inputs: Mapping[str, Any]
) -> list[str]:
    """No column that says nothing: most inventories call a place by its region."""
    idle = {name for name in HEADINGS if all(row[name] == NONE for row in rows)}
    if all(entry["region"] == entry["place"] for entry in chosen):
        idle.add("region")
    if inputs["market"] != SPOT:
        idle |= {"on demand", "saves", "work hour"}
    return [name for name in HEADINGS if name not in idle]


def _rows(chosen: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    prices = _aligned([entry["price"] for entry in chosen])
    on_demand = _aligned([entry["on_demand_price"] for entry in chosen])
    work = _aligned([entry["expected"] and entry["expected"]["cost"] for entry in chosen])
    return [
        {
            "#": str(entry["rank"]),
            "place": entry["place"],
            "region": entry["region"],
            "score": NONE if entry["score"] is None else str(entry["score"]),
            "USD/h": prices[at],
            "on demand": on_demand[at],
            "saves": NONE if entry["savings_percent"] is None else f"{entry['savings_percent']} %",
            "work hour": work[at],
            "zone": _zone(entry),
            "type": entry["instance_type"] or NONE,
            "why": entry["reason"],
        }
        for at, entry in enumerate(chosen)
    ]


def _zone(entry: Mapping[str, Any]) -> str:
    """The zone's name in this account; its id where the name is not known."""
    return entry["zone"] or entry["zone_id"] or NONE


def _aligned(amounts: Sequence[str | None]) -> list[str]:
    """With as many decimals as the most exact one needs, so that the points stand in one column."""
    exponents = [-Decimal(amount).as_tuple().exponent for amount in amounts if amount is not None]
    decimals = min(MOST_DECIMALS, max([2, *exponents]))
    return [NONE if amount is None else f"{Decimal(amount):.{decimals}f}" for amount in amounts]


def _rejection(entry: Mapping[str, Any]) -> tuple[str, str, str]:
    return entry["place"], entry["verdict"], entry["reason"]


def _columns(rows: Iterable[tuple[str, str, str]]) -> list[str]:
    rows = list(rows)
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return [f"  {row[0]:{widths[0]}}  {row[1]:{widths[1]}}  {row[2]}".rstrip() for row in rows]


def _outcome(decision: Mapping[str, Any]) -> list[str]:
    best = decision["best"]
    if best is None:
        return ["No place is left."]
    record = decision["record"]
    capacity = record["inputs"]["target_capacity"]
    where = best["place"] if best["place"] == best["region"] else f"{best['place']} ({best['region']})"
    cost = record["expected"]["hourly_cost"]
    outcome = f"Best: {where}, {f'{cost} USD/h in all' if cost else 'at a price that is not known'}"
    on_demand = None if best["on_demand_price"] is None else Decimal(best["on_demand_price"])
    spot = record["inputs"]["market"] == SPOT
    if spot and on_demand is not None:
        outcome += f" ({text(on_demand * capacity)} on demand)"
    lines = [f"{outcome}."]
    if record["rule"]["reference"] not in (None, best["place"]):
        lines.append(f"By score and then price it would have been {record['rule']['reference']}.")
    if spot and on_demand is not None and Decimal(best["expected"]["cost"]) > on_demand:
        lines.append("With so many interruptions expected, an hour of work on demand would cost less.")
    return lines
