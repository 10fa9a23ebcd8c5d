# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""On-demand prices, as the Price List API tells them. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError
from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import translated
from ansible_collections.ethereal.spot.plugins.module_utils._aws.price_list import products
from ansible_collections.ethereal.spot.plugins.module_utils._aws.price_list import rate
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError

# The list's names of what spot price records call a product description, VPC variants alike.
OPERATING_SYSTEMS = {
    "Linux/UNIX": "Linux",
    "Red Hat Enterprise Linux": "RHEL",
    "SUSE Linux": "SUSE",
    "Windows": "Windows",
}
VPC = " (Amazon VPC)"
DOING = "read on-demand prices"


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
    try:
        for product in _products(
            client, regions, instance_types, OPERATING_SYSTEMS[product_description.removesuffix(VPC)]
        ):
            attributes = product["product"]["attributes"]
            price = rate(product, "Hrs")
            if price is not None:
                found[attributes["regionCode"]][attributes["instanceType"]] = price
    except (AttributeError, KeyError, TypeError, ValueError, InputError) as error:
        raise AwsError(DOING, "UnreadableAnswer", f"a product is not as documented: {error}") from error
    return found


@translated(DOING)
def _products(
    client: Any, regions: Collection[str], instance_types: Collection[str], operating_system: str
) -> list[dict[str, Any]]:
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
    return products(client, "AmazonEC2", filters)
