# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The market of every region at once, each answering for itself. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._aws import spot_market
from ansible_collections.ethereal.spot.plugins.module_utils._aws.concurrency import gather
from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.money import money
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking import Price
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking import Survey
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking import Wish
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking import score_requests

# The key of the calling region's own task among those of the regions.
SCORES = ("scores",)
USABLE = ("opt-in-not-required", "opted-in")
# An EC2 refusal ends in a blob of a kilobyte or more, which only sts:DecodeAuthorizationMessage can read.
ENCODED = " Encoded authorization failure message:"


def survey_regions(
    client: Callable[[str], Any], calling_region: str, wish: Wish, now: datetime, seconds: float
) -> dict[str, Survey]:
    """Ask every region for offers and prices, and the calling region for scores, all within `seconds`.

    `client` gives an EC2 client for a region. No error of AWS leaves this function: it is the region's `problem`, or the
    `score_problem` of the regions that the refused request named.
    """
    regions = sorted(set(wish.places.values()))
    clients = {region: client(region) for region in {*regions, calling_region}}
    tasks: dict[Any, Callable[[], Any]] = {
        region: lambda region=region: _market(clients[region], wish, now) for region in regions
    }
    tasks[SCORES] = lambda: _scores(clients[calling_region], wish)
    answers = gather(tasks, seconds)
    scores = answers.pop(SCORES)
    if isinstance(scores, AwsError):
        scores = {"unusable": {}, "scores": {}, "problems": dict.fromkeys(regions, problem_text(scores))}
    return {region: _survey(region, answers[region], scores) for region in regions}


def problem_text(error: AwsError) -> str:
    """AWS's code and message in one line."""
    return f"{error.code}: {error.reason.partition(ENCODED)[0]}"


def _market(client: Any, wish: Wish, now: datetime) -> dict[str, Any]:
    types = sorted(set(wish.instance_types))
    offers = spot_market.offered_types(client, types)
    products = [wish.product_description, f"{wish.product_description} (Amazon VPC)"]
    offered = sorted(frozenset().union(*offers.values()))
    records = spot_market.current_spot_prices(client, offered, products, now) if offered else []
    try:
        return {"offers": offers, "prices": _in_force(records)}
    except InputError as error:
        # One region's broken answer is that region's problem.
        raise AwsError("read current spot prices", "UnreadableAnswer", error.message) from error


def _in_force(records: list[dict[str, Any]]) -> list[Price]:
    """The last record of every type, zone and product."""
    latest: dict[tuple[str, str, str], dict[str, Any]] = {}
    for record in sorted(records, key=lambda record: record["since"]):
        latest[record["zone"], record["instance_type"], record["product"]] = record
    return [
        Price(record["zone"], record["zone_id"], record["instance_type"], money(record["price"]))
        for record in latest.values()
    ]


def _scores(client: Any, wish: Wish) -> dict[str, Any]:
    """Scores by region, problems by region, and the regions that the account cannot use.

    One region that is not enabled would have the whole request refused, so they are known before.
    """
    try:
        statuses = spot_market.opt_in_statuses(client)
    except AwsError:
        # An organisation may deny DescribeRegions; the regions' own answers must then do.
        statuses = {}
    unusable = {
        region: f"the account has not enabled it ({statuses[region]})"
        if region in statuses
        else "the partition has no such region"
        for region in set(wish.places.values())
        if statuses and statuses.get(region) not in USABLE
    }
    found: dict[str, Any] = {"unusable": unusable, "scores": {}, "problems": {}}
    for request in score_requests(wish, unusable):
        try:
            found["scores"].update(spot_market.placement_scores(client, **request))
        except AwsError as error:
            found["problems"].update(dict.fromkeys(request["regions"], problem_text(error)))
    return found


def _survey(region: str, market: dict[str, Any] | AwsError, scores: dict[str, Any]) -> Survey:
    known = {"score": scores["scores"].get(region), "score_problem": scores["problems"].get(region)}
    if region in scores["unusable"]:
        return Survey(region, {}, problem=scores["unusable"][region])
    if isinstance(market, AwsError):
        return Survey(region, {}, problem=problem_text(market), **known)
    return Survey(region, market["offers"], tuple(market["prices"]), **known)
