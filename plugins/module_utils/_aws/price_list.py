# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Listings of the Price List API. PRIVATE to the collection."""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.money import money

# Where each partition answers the Price List API (botocore endpoints: api.pricing). GovCloud has no endpoint: its prices
# stand in the commercial partition's list, which GovCloud's credentials cannot read.
PRICING_REGIONS = {
    "aws": "us-east-1",
    "aws-cn": "cn-northwest-1",
    "aws-eusc": "eusc-de-east-1",
    "aws-iso": "us-iso-east-1",
    "aws-iso-b": "us-isob-east-1",
    "aws-iso-e": "eu-isoe-west-1",
    "aws-iso-f": "us-isof-south-1",
}
# The most products that a page holds (botocore model: GetProducts MaxResults).
PAGE = 100


def pricing_region(partition: str) -> str | None:
    """The region to ask for a partition's prices; None where the partition has no Price List API."""
    return PRICING_REGIONS.get(partition)


def products(client: Any, service: str, filters: Iterable[tuple[str, str, str]]) -> list[dict[str, Any]]:
    """One listing, a hundred products a page, as documents; filters are type, field and value.

    botocore's errors are the caller's to translate; ValueError for what is no document.
    """
    pages = client.get_paginator("get_products").paginate(
        ServiceCode=service,
        Filters=[{"Type": kind, "Field": field, "Value": value} for kind, field, value in filters],
        FormatVersion="aws_v1",
        PaginationConfig={"PageSize": PAGE},
    )
    return [json.loads(entry) for page in pages for entry in page["PriceList"]]


def rate(product: dict[str, Any], unit: str) -> Decimal | None:
    """The one rate above 0 by this unit: a term holds one dimension, a dimension one currency (Price List format)."""
    for term in product["terms"].get("OnDemand", {}).values():
        for dimension in term["priceDimensions"].values():
            for amount in map(money, dimension["pricePerUnit"].values()):
                if dimension["unit"] == unit and amount > 0:
                    return amount
    return None
