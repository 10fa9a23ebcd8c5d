# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""On-demand prices, as the Price List API tells them. PRIVATE to the collection."""

from __future__ import annotations

import json
from collections.abc import Collection
from decimal import Decimal
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError
from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import translated
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
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
# The list's names of what spot price records call a product description, VPC variants alike.
OPERATING_SYSTEMS = {
    "Linux/UNIX": "Linux",
    "Red Hat Enterprise Linux": "RHEL",
    "SUSE Linux": "SUSE",
    "Windows": "Windows",
}
VPC = " (Amazon VPC)"
# The most products that a page holds (botocore model: GetProducts MaxResults).
PAGE = 100
DOING = "read on-demand prices"


def pricing_region(partition: str) -> str | None:
    """The region to ask for a partition's prices; None where the partition has no Price List API."""
    return PRICING_REGIONS.get(partition)


def on_demand_prices(
    client: Any, regions: Collection[str], instance_types: Collection[str], product_description: str
) -> dict[str, dict[str, Decimal]]:
    """Price an hour by region and type, in the partition's currency; what is not sold on demand is missing.

    `client` is of `pricing_region`. One listing for all regions and types: a hundred products a page. Raises AwsError, with
    code UnreadableAnswer where a product is not as documented.
    """
    found: dict[str, dict[str, Decimal]] = {region: {} for region in regions}
    if not (regions and instance_types):
        return found
    for entry in _products(client, regions, instance_types, OPERATING_SYSTEMS[product_description.removesuffix(VPC)]):
        try:
            product = json.loads(entry)
            attributes = product["product"]["attributes"]
            price = _hourly(product["terms"].get("OnDemand", {}))
            if price is not None:
                found[attributes["regionCode"]][attributes["instanceType"]] = price
        except (AttributeError, KeyError, TypeError, ValueError, InputError) as error:
            raise AwsError(DOING, "UnreadableAnswer", f"a product is not as documented: {error}") from error
    return found


@translated(DOING)
def _products(
    client: Any, regions: Collection[str], instance_types: Collection[str], operating_system: str
) -> list[str]:
    filters = [
        ("ANY_OF", "regionCode", ",".join(sorted(regions))),
        ("ANY_OF", "instanceType", ",".join(sorted(instance_types))),
        ("TERM_MATCH", "operatingSystem", operating_system),
        ("TERM_MATCH", "licenseModel", "No License required"),
        ("TERM_MATCH", "preInstalledSw", "NA"),
        ("TERM_MATCH", "tenancy", "Shared"),
        # Without it the prices of unused capacity reservations come along.
        ("TERM_MATCH", "capacitystatus", "Used"),
    ]
    pages = client.get_paginator("get_products").paginate(
        ServiceCode="AmazonEC2",
        Filters=[{"Type": kind, "Field": field, "Value": value} for kind, field, value in filters],
        FormatVersion="aws_v1",
        PaginationConfig={"PageSize": PAGE},
    )
    return [entry for page in pages for entry in page["PriceList"]]


def _hourly(terms: dict[str, Any]) -> Decimal | None:
    """The one hourly rate above 0: a term holds one dimension, a dimension one currency (Price List format)."""
    for term in terms.values():
        for dimension in term["priceDimensions"].values():
            for amount in map(money, dimension["pricePerUnit"].values()):
                if dimension["unit"] == "Hrs" and amount > 0:
                    return amount
    return None
