# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prices of what stands beside the instances, as the Price List API tells them. PRIVATE to the collection."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError
from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import translated
from ansible_collections.ethereal.spot.plugins.module_utils._aws.price_list import products
from ansible_collections.ethereal.spot.plugins.module_utils._aws.price_list import rate
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate import prices

DOING = "read prices of volumes and networks"
# Usage types begin with a short name of the region, except in us-east-1.
REGION_PREFIX = "([A-Z0-9]+-)?"


@dataclass(frozen=True)
class Rate:
    """Which product of a listing a unit's price is: its usage type, the unit it is listed by, and how many of ours that is."""

    usage_type: str
    unit: str
    size: int = 1


@dataclass(frozen=True)
class Listing:
    """One listing of a service, and the units that it tells."""

    service: str
    filters: tuple[tuple[str, str], ...]
    rates: dict[str, Rate]


# gp3's three products have the volume's API name in common. Throughput is listed by the GiB/s, described by the MiB/s.
VOLUMES = Listing(
    "AmazonEC2",
    (("volumeApiName", "gp3"),),
    {
        prices.GIB: Rate(r"EBS:VolumeUsage\.gp3", "GB-Mo"),
        prices.IOPS: Rate(r"EBS:VolumeP-IOPS\.gp3", "IOPS-Mo"),
        prices.MIBPS: Rate(r"EBS:VolumeP-Throughput\.gp3", "GiBps-mo", 1024),
    },
)
# The family has data, and endpoints of other kinds, as well.
ENDPOINTS = Listing(
    "AmazonVPC", (("productFamily", "VpcEndpoint"),), {prices.ENDPOINT: Rate("VpcEndpoint-Hours", "Hrs")}
)
# The family has gateways of a whole region as well, RegionalNatGateway-Hours.
NAT_GATEWAYS = Listing(
    "AmazonEC2", (("productFamily", "NAT Gateway"),), {prices.NAT_GATEWAY: Rate("NatGateway-Hours", "Hrs")}
)
LISTINGS = (VOLUMES, ENDPOINTS, NAT_GATEWAYS)


def unit_prices(client: Any, listing: Listing, regions: Collection[str]) -> dict[str, dict[str, Decimal]]:
    """Price by region and unit; what is not listed is missing. `client` is of `pricing_region`.

    Raises AwsError, with code UnreadableAnswer where a product is not as documented.
    """
    found: dict[str, dict[str, Decimal]] = {region: {} for region in regions}
    try:
        for product in _products(client, listing, regions):
            attributes = product["product"]["attributes"]
            for unit, wanted in listing.rates.items():
                if not re.fullmatch(REGION_PREFIX + wanted.usage_type, attributes["usagetype"]):
                    continue
                price = rate(product, wanted.unit)
                if price is not None:
                    # Of two products of one usage type the dearer one: an estimate should not be too low.
                    known = found[attributes["regionCode"]]
                    known[unit] = max(price / wanted.size, known.get(unit, Decimal(0)))
    except (AttributeError, KeyError, TypeError, ValueError, InputError) as error:
        raise AwsError(DOING, "UnreadableAnswer", f"a product is not as documented: {error}") from error
    return found


@translated(DOING)
def _products(client: Any, listing: Listing, regions: Collection[str]) -> list[dict[str, Any]]:
    filters = [
        ("ANY_OF", "regionCode", ",".join(sorted(regions))),
        # Local Zones and Outposts have prices of their own.
        ("TERM_MATCH", "locationType", "AWS Region"),
        *(("TERM_MATCH", name, value) for name, value in listing.filters),
    ]
    return products(client, listing.service, filters)
