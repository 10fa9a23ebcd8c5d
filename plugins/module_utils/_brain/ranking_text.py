# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A ranking as a table that a person reads. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.table import NONE
from ansible_collections.ethereal.spot.plugins.module_utils._brain.table import table

HEADINGS = ("rank", "place", "region", "score", "USD/h", "zone", "type", "why")
# Numbers stand to the right, words to the left.
RIGHT = ("rank", "score", "USD/h")


def ranking_lines(decision: dict[str, Any]) -> list[str]:
    """The decision's request and rule, then one line per place, then the outcome."""
    inputs = decision["record"]["inputs"]
    rule = decision["record"]["rule"]
    rows = _rows(decision["ranking"])
    # Most inventories call a place by its region: no column twice.
    headings = [name for name in HEADINGS if name != "region" or any(row["region"] != row["place"] for row in rows)]
    lines = [
        f"{inputs['target_capacity']} x {' or '.join(inputs['instance_types'])}, {inputs['product_description']}",
        f"Rule {rule['strategy']}: {rule['text']}.",
        "",
        *table(headings, [[row[name] for name in headings] for row in rows], RIGHT),
        "",
    ]
    best = decision["best"]
    if best is None:
        return [*lines, "No place is left."]
    where = best["place"] if best["place"] == best["region"] else f"{best['place']} ({best['region']})"
    cost = decision["record"]["expected"]["hourly_cost"]
    return [*lines, f"Best: {where}, {cost} USD an hour in all at the cheapest current price."]


def _rows(ranking: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    amounts = [entry["price"] for entry in ranking if entry["price"] is not None]
    # As many decimals as the most exact price needs, so that the points stand in one column.
    decimals = max([2, *(-Decimal(amount).as_tuple().exponent for amount in amounts)])
    return [
        {
            "rank": NONE if entry["rank"] is None else str(entry["rank"]),
            "place": entry["place"],
            "region": entry["region"],
            "score": NONE if entry["score"] is None else str(entry["score"]),
            "USD/h": NONE if entry["price"] is None else f"{Decimal(entry['price']):.{decimals}f}",
            "zone": " ".join(filter(None, (entry["zone"], entry["zone_id"]))) or NONE,
            "type": entry["instance_type"] or NONE,
            "why": entry["reason"] if entry["verdict"] == "candidate" else f"{entry['verdict']}: {entry['reason']}",
        }
        for entry in ranking
    ]
