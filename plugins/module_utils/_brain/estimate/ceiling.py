# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The most that a deployment may cost, held against its estimate at the worst spot price. PRIVATE to the collection."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP
from decimal import Decimal
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.prices import HOURS_OF_A_MONTH
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.prices import USD
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.reckon import PRECISION
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.reckon import Place
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.reckon import Total
from ansible_collections.ethereal.spot.plugins.module_utils._brain.money import money
from ansible_collections.ethereal.spot.plugins.module_utils._brain.money import text


@dataclass(frozen=True)
class Breach:
    """A ceiling that does not hold: the option, its value, the rule."""

    option: str
    value: str
    rule: str

    def __str__(self) -> str:
        return f"{self.option}: {self.value} {self.rule}"


def ceiling(value: Any, option: str) -> Decimal:
    """A finite amount above 0."""
    amount = money(value, option)
    if amount == 0:
        raise InputError(option, value, "must be more than 0")
    return amount


def check_currency(currency: str, **given: Decimal | None) -> None:
    """A ceiling in USD says nothing of an estimate in another currency."""
    for option, value in given.items():
        if value is not None and currency != USD:
            raise InputError(option, text(value), f"is in {USD}, and the places are billed in {currency}")


def breaches(
    total: Total, places: list[Place], max_hourly_usd: Decimal | None, max_monthly_usd: Decimal | None
) -> list[Breach]:
    """Every ceiling that the estimate exceeds, or that cannot be held against it since a price is not known."""
    found = []
    worst = total.amount.worst
    for option, value, hours in (
        ("max_hourly_usd", max_hourly_usd, HOURS_OF_A_MONTH),
        ("max_monthly_usd", max_monthly_usd, 1),
    ):
        if value is None:
            continue
        unit = "USD/h" if hours > 1 else "USD a month"
        least = "at least " if total.lower_bound else ""
        if worst > value * hours:
            amount = text((worst / hours).quantize(PRECISION, ROUND_HALF_UP))
            rule = f"is less than the estimate at the worst spot price, {least}{amount} {unit}"
            found.append(Breach(option, text(value), rule))
        elif total.lower_bound:
            missing = "; ".join(
                f"{place.wish.place}: {item.name}: {item.source}" for place in places for item in place.unknown
            )
            rule = f"cannot be held against the estimate, in which prices are unknown: {missing}"
            found.append(Breach(option, text(value), rule))
    return found
