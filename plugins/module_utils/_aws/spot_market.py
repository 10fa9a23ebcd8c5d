# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The spot market as EC2 tells it: scores, prices, offers, regions. One call per function. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import translated


@translated("ask for spot placement scores")
def placement_scores(
    client: Any, regions: Sequence[str], instance_types: Sequence[str], target_capacity: int
) -> dict[str, int]:
    """Score from 1 to 10 by region; a region that AWS gives no score is missing.

    At most ten regions a request. Raises AwsError, with code MaxConfigLimitExceeded where the configurations of the last
    24 hours are used up (EC2 user guide, spot placement score): the score is then unknown, not low.
    """
    pages = client.get_paginator("get_spot_placement_scores").paginate(
        RegionNames=list(regions),
        InstanceTypes=list(instance_types),
        TargetCapacity=target_capacity,
        TargetCapacityUnitType="units",
    )
    return {score["Region"]: score["Score"] for page in pages for score in page["SpotPlacementScores"]}


@translated("read current spot prices")
def current_spot_prices(
    client: Any, instance_types: Sequence[str], product_descriptions: Sequence[str], now: datetime
) -> list[dict[str, Any]]:
    """The price records in force: `zone`, `zone_id` (or None), `instance_type`, `product`, `price` (string), `since`.

    With a start time of now, EC2 answers the last change before it, for every type, zone and product that is sold
    (botocore model: DescribeSpotPriceHistory).
    """
    pages = client.get_paginator("describe_spot_price_history").paginate(
        InstanceTypes=list(instance_types), ProductDescriptions=list(product_descriptions), StartTime=now
    )
    return [
        {
            "zone": record["AvailabilityZone"],
            "zone_id": record.get("AvailabilityZoneId"),
            "instance_type": record["InstanceType"],
            "product": record["ProductDescription"],
            "price": record["SpotPrice"],
            "since": record["Timestamp"],
        }
        for page in pages
        for record in page["SpotPriceHistory"]
    ]


@translated("read which instance types are offered")
def offered_types(client: Any, instance_types: Sequence[str]) -> dict[str, frozenset[str]]:
    """Those of the types that the client's region offers, by zone."""
    pages = client.get_paginator("describe_instance_type_offerings").paginate(
        LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": list(instance_types)}]
    )
    offers: dict[str, set[str]] = {}
    for page in pages:
        for offer in page["InstanceTypeOfferings"]:
            offers.setdefault(offer["Location"], set()).add(offer["InstanceType"])
    return {zone: frozenset(types) for zone, types in offers.items()}


@translated("read the account's regions")
def opt_in_statuses(client: Any) -> dict[str, str]:
    """opt-in-not-required, opted-in or not-opted-in by region, of every region in the client's partition."""
    answer = client.describe_regions(AllRegions=True)
    return {region["RegionName"]: region.get("OptInStatus", "opt-in-not-required") for region in answer["Regions"]}
