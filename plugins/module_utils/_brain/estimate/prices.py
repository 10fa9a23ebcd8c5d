# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of prices: three levels of each, and where each comes from. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from decimal import Decimal
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import GP3_IOPS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import GP3_THROUGHPUT
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.wish import PlaceWish
from ansible_collections.ethereal.spot.plugins.module_utils._brain.money import money
from ansible_collections.ethereal.spot.plugins.module_utils._brain.price_window import PriceWindow
from ansible_collections.ethereal.spot.plugins.module_utils._brain.regions import partition_of
from ansible_collections.ethereal.spot.plugins.module_utils._brain.regions import suggestion

HOURS_OF_A_MONTH = 730
PRICE_LIST = "Price List API"
SPOT_HISTORY = "spot price history"
GIVEN = "option unit_prices"
DOCUMENTED = "list price of us-east-1"

GIB = "gp3_gib_month"
IOPS = "gp3_iops_month"
MIBPS = "gp3_mibps_month"
ENDPOINT = "endpoint_hour"
NAT_GATEWAY = "nat_gateway_hour"
PUBLIC_ADDRESS = "public_address_hour"
KEY = "kms_key_month"
ALARM = "alarm_month"
DASHBOARD = "dashboard_month"
UNITS = (GIB, IOPS, MIBPS, ENDPOINT, NAT_GATEWAY, PUBLIC_ADDRESS, KEY, ALARM, DASHBOARD)
# What is not read: the list prices that AWS's pages of VPC, KMS and CloudWatch have for us-east-1. Other partitions have others.
DOCUMENTED_PRICES = {
    PUBLIC_ADDRESS: Decimal("0.005"),
    KEY: Decimal("1"),
    ALARM: Decimal("0.10"),
    DASHBOARD: Decimal("3"),
}
DOCUMENTED_PARTITION = "aws"
# What each partition bills in.
CURRENCIES = {"aws-cn": "CNY", "aws-eusc": "EUR"}
USD = "USD"


@dataclass(frozen=True)
class Levels:
    """A price or an amount as it is now, as it was for half of the time, and as it was at worst."""

    current: Decimal
    median: Decimal
    worst: Decimal

    @classmethod
    def same(cls, amount: Decimal) -> Levels:
        return cls(amount, amount, amount)

    def times(self, factor: int) -> Levels:
        return Levels(self.current * factor, self.median * factor, self.worst * factor)

    def plus(self, other: Levels) -> Levels:
        return Levels(self.current + other.current, self.median + other.median, self.worst + other.worst)


NOTHING = Levels.same(Decimal(0))
LEVELS = ("current", "median", "worst")


@dataclass(frozen=True)
class RegionPrices:
    """What one region's prices are. A part that could not be read is None, with why in `problems`; a type that is missing from a
    part that was read is not sold there."""

    spot: Mapping[str, Levels] | None = None
    on_demand: Mapping[str, Decimal] | None = None
    units: Mapping[str, Decimal] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)


def spot_levels(windows: Iterable[PriceWindow]) -> dict[str, Levels]:
    """By type: the cheapest zone now and by the median, the dearest zone's worst."""
    by_type: dict[str, list[PriceWindow]] = {}
    for window in windows:
        by_type.setdefault(window.instance_type, []).append(window)
    return {
        instance_type: Levels(
            min(window.current for window in found),
            min(window.median for window in found),
            max(window.worst for window in found),
        )
        for instance_type, found in sorted(by_type.items())
    }


def any_of(prices: Mapping[str, Levels], instance_types: Iterable[str]) -> Levels | None:
    """An instance of any of these types: the cheapest now and by the median, but the dearest at worst, since it is EC2 that chooses
    the type. None if none of them is sold."""
    sold = [prices[name] for name in instance_types if name in prices]
    if not sold:
        return None
    return Levels(
        min(price.current for price in sold), min(price.median for price in sold), max(price.worst for price in sold)
    )


def check_unit_prices(given: Any, option: str = "unit_prices") -> dict[str, Decimal]:
    """Unit prices that the user knows better."""
    if not isinstance(given, Mapping):
        raise InputError(option, given, "must be a mapping of units to prices")
    checked = {}
    for name, value in given.items():
        if name not in UNITS:
            raise InputError(option, name, f"is no unit that is priced{suggestion(name, UNITS)}")
        if value is not None:
            checked[name] = money(value, f"{option}.{name}")
    return checked


def needed_units(wish: PlaceWish) -> set[str]:
    """The units whose prices a place needs."""
    running = wish.running > 0
    needs = {
        GIB: running,
        IOPS: running and wish.ebs_iops > GP3_IOPS[0],
        MIBPS: running and wish.ebs_throughput > GP3_THROUGHPUT[0],
        ENDPOINT: wish.endpoints > 0,
        NAT_GATEWAY: wish.nat_gateways > 0,
    }
    return {unit for unit, needed in needs.items() if needed}


def unit_price(
    unit: str, region: str, prices: RegionPrices, given: Mapping[str, Decimal]
) -> tuple[Decimal | None, str]:
    """A unit's price and its source; or None and why it is not known."""
    if unit in given:
        return given[unit], GIVEN
    if unit in prices.units:
        return prices.units[unit], PRICE_LIST
    if unit in prices.problems:
        return None, prices.problems[unit]
    if unit in DOCUMENTED_PRICES and partition_of(region) == DOCUMENTED_PARTITION:
        return DOCUMENTED_PRICES[unit], DOCUMENTED
    return None, f"{unit} of {region} was not found in the price list"


def currency_of(wanted: Iterable[PlaceWish]) -> str:
    """What the places are billed in. InputError where that differs, since it could not be added up."""
    found = {CURRENCIES.get(partition_of(wish.region), USD): wish.region for wish in wanted}
    if len(found) > 1:
        each = " and ".join(f"{region} in {currency}" for currency, region in sorted(found.items()))
        raise InputError("places", sorted(found.values()), f"must be billed in one currency: {each}")
    return next(iter(found))
