# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every price that an estimate needs, all read at once. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Collection
from collections.abc import Mapping
from collections.abc import Sequence
from datetime import datetime
from datetime import timedelta
from decimal import Decimal
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._aws.concurrency import gather
from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError
from ansible_collections.ethereal.spot.plugins.module_utils._aws.market_survey import SHORTEST_WINDOW
from ansible_collections.ethereal.spot.plugins.module_utils._aws.on_demand_prices import on_demand_prices
from ansible_collections.ethereal.spot.plugins.module_utils._aws.price_history import price_history
from ansible_collections.ethereal.spot.plugins.module_utils._aws.price_list import pricing_region
from ansible_collections.ethereal.spot.plugins.module_utils._aws.score_broker import problem_text
from ansible_collections.ethereal.spot.plugins.module_utils._aws.unit_prices import LISTINGS
from ansible_collections.ethereal.spot.plugins.module_utils._aws.unit_prices import unit_prices
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.prices import Levels
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.prices import RegionPrices
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.prices import needed_units
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.prices import spot_levels
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.wish import PlaceWish
from ansible_collections.ethereal.spot.plugins.module_utils._brain.price_window import price_windows
from ansible_collections.ethereal.spot.plugins.module_utils._brain.regions import partition_of

# What nodes of ECS run.
PRODUCT = "Linux/UNIX"
SPOT = "spot"
ON_DEMAND = "on_demand"
Client = Callable[[str, str], Any]


def survey_prices(
    client: Client,
    wanted: Sequence[PlaceWish],
    given: Collection[str],
    now: datetime,
    days: int,
    seconds: float,
) -> dict[str, RegionPrices]:
    """Prices by region, all within `seconds`; only what the wishes need and the user has not given is asked for.

    No error of AWS leaves this function: it is the problem of those prices.
    """
    regions = sorted({wish.region for wish in wanted})
    types = {region: _types(wanted, region) for region in regions}
    units = {
        region: set().union(*(needed_units(wish) for wish in wanted if wish.region == region)) - set(given)
        for region in regions
    }
    tasks: dict[Any, Callable[[], Any]] = {}
    for region in regions:
        if any(wish.spot for wish in wanted if wish.region == region):
            tasks[SPOT, region] = lambda region=region: _spot(client("ec2", region), types[region], now, days)
    for partition in sorted({partition_of(region) for region in regions}):
        ours = [region for region in regions if partition_of(region) == partition]
        selling = [region for region in ours if types[region]]
        if selling:
            tasks[ON_DEMAND, partition] = lambda partition=partition, selling=selling: on_demand_prices(
                _pricing(client, partition), selling, sorted(set().union(*(types[each] for each in selling))), PRODUCT
            )
        for number, listing in enumerate(LISTINGS):
            asking = [region for region in ours if units[region] & set(listing.rates)]
            if asking:
                tasks[number, partition] = lambda partition=partition, listing=listing, asking=asking: unit_prices(
                    _pricing(client, partition), listing, asking
                )
    answers = gather(tasks, seconds)
    return {region: _region(region, answers) for region in regions}


def _types(wanted: Sequence[PlaceWish], region: str) -> list[str]:
    return sorted({name for wish in wanted if wish.region == region and wish.running for name in wish.instance_types})


def _pricing(client: Client, partition: str) -> Any:
    where = pricing_region(partition)
    if where is None:
        raise AwsError("read prices", "NoPriceList", f"partition {partition} has no Price List API")
    return client("pricing", where)


def _spot(client: Any, types: Sequence[str], now: datetime, days: int) -> dict[str, Levels]:
    start = now - max(timedelta(days=days), SHORTEST_WINDOW)
    records = price_history(client, types, [PRODUCT, f"{PRODUCT} (Amazon VPC)"], start, now)
    try:
        return spot_levels(price_windows(records, start, now).values())
    except InputError as error:
        # One region's broken answer is that region's problem.
        raise AwsError("read spot prices", "UnreadableAnswer", error.message) from error


def _region(region: str, answers: Mapping[Any, Any]) -> RegionPrices:
    problems: dict[str, str] = {}
    partition = partition_of(region)
    spot = _told(answers.get((SPOT, region)), SPOT, problems)
    on_demand = _told(answers.get((ON_DEMAND, partition)), ON_DEMAND, problems)
    units: dict[str, Decimal] = {}
    for number, listing in enumerate(LISTINGS):
        answer = answers.get((number, partition))
        if isinstance(answer, AwsError):
            problems |= dict.fromkeys(listing.rates, problem_text(answer))
        elif answer is not None:
            units |= answer.get(region, {})
    return RegionPrices(spot, None if on_demand is None else on_demand.get(region, {}), units, problems)


def _told(answer: Any, part: str, problems: dict[str, str]) -> Any:
    """An answer, or None and its problem; None as well where nobody asked."""
    if isinstance(answer, AwsError):
        problems[part] = problem_text(answer)
        return None
    return answer
