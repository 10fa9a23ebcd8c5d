# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Spot prices over time. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import translated


@translated("read the spot price history")
def price_history(
    client: Any,
    instance_types: Sequence[str],
    product_descriptions: Sequence[str],
    start: datetime,
    end: datetime | None = None,
) -> list[dict[str, Any]]:
    """Every change since the start, and for each zone, type and product the last one before it: `zone`, `zone_id` (or
    None), `instance_type`, `product`, `price` (string), `since` (botocore model: DescribeSpotPriceHistory).

    Without an end up to now, by EC2's clock: ours may be ahead. A zone without a record does not sell the type.
    """
    window = {"StartTime": start} if end is None else {"StartTime": start, "EndTime": end}
    pages = client.get_paginator("describe_spot_price_history").paginate(
        InstanceTypes=list(instance_types), ProductDescriptions=list(product_descriptions), **window
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
