# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""DescribeSpotPriceHistory. Source: botocore model."""

from __future__ import annotations

import base64
import json
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends

from sandbox.ec2 import types

if TYPE_CHECKING:
    from sandbox.context import Context

PRODUCTS = (
    "Linux/UNIX",
    "Linux/UNIX (Amazon VPC)",
    "Red Hat Enterprise Linux",
    "Red Hat Enterprise Linux (Amazon VPC)",
    "SUSE Linux",
    "SUSE Linux (Amazon VPC)",
    "Windows",
    "Windows (Amazon VPC)",
)
# Other systems cost more than Linux. VPC variants are priced alike, and answered only where they are asked for by name.
SURCHARGES = {
    "Linux/UNIX": Decimal(0),
    "Red Hat Enterprise Linux": Decimal("0.0600"),
    "SUSE Linux": Decimal("0.1000"),
    "Windows": Decimal("0.1840"),
}
OLDEST = timedelta(days=90)
# Changes that nobody set, newest first: age in hours, and the price against today's.
CHANGES = (
    (2, Decimal("1")),
    (26, Decimal("1.04")),
    (75, Decimal("0.97")),
    (150, Decimal("1.10")),
    (2000, Decimal("0.95")),
)

_FILTERS = (
    "availability-zone",
    "availability-zone-id",
    "instance-type",
    "product-description",
    "spot-price",
    "timestamp",
)


class Prices:
    """Price records of a region, made from the market."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def action(self, response: Any) -> ActionResult:
        request = _request(response)
        response.error_on_dryrun()
        records = self._records(response.region, request)
        return ActionResult(self._page(records, response, request))

    def _records(self, region: str, request: dict[str, Any]) -> list[dict[str, Any]]:
        filters, records = request["filters"], []
        for zone in ec2_backends[self._context.account][region].describe_availability_zones():
            if not _named(zone, request["zone"], request["zone_id"], filters):
                continue
            for name in sorted(request["types"] or types.sold_in_zone(zone.name)):
                if "instance-type" in filters and name not in filters["instance-type"]:
                    continue
                if not types.offered_in_zone(zone.name, name):
                    continue
                for product in request["products"]:
                    changes = self._changes(region, zone.name, name, product)
                    records += _history(zone, name, product, changes, request["start"], request["end"])
        if "spot-price" in filters:
            records = [record for record in records if record["SpotPrice"] in filters["spot-price"]]
        return sorted(records, key=lambda record: record["Timestamp"], reverse=True)

    def _changes(self, region: str, zone: str, name: str, product: str) -> list[tuple[datetime, Decimal]]:
        """Time and price, newest first: as the market sets them, or made up before the price in force."""
        market, more = self._context.market, SURCHARGES[product.removesuffix(" (Amazon VPC)")]
        price, changes = market.spot_price(region, zone, name), market.price_changes(region, zone, name)
        if price is not None and not changes:
            hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
            return [(hour - timedelta(hours=age), (price + more) * factor) for age, factor in CHANGES]
        return [(since, each + more) for since, each in changes]

    def _page(self, records: list[dict[str, Any]], response: Any, request: dict[str, Any]) -> dict[str, Any]:
        """The last page's token is "" (boto3#130). A page may be shorter than MaxResults and still not be the last."""
        asked = response._get_int_param("MaxResults", 1000)
        size = min(asked, self._context.market.setting("price_page_size"))
        start = _offset(response._get_param("NextToken"))
        more = start + size < len(records)
        token = base64.b64encode(json.dumps({"o": start + size}).encode()).decode() if more else ""
        return {"SpotPriceHistory": records[start : start + size], "NextToken": token}


def _named(zone: Any, name: str | None, zone_id: str | None, filters: dict[str, list[str]]) -> bool:
    return (
        name in (None, zone.name)
        and zone_id in (None, zone.zone_id)
        and zone.name in filters.get("availability-zone", [zone.name])
        and zone.zone_id in filters.get("availability-zone-id", [zone.zone_id])
    )


def _history(
    zone: Any,
    name: str,
    product: str,
    changes: list[tuple[datetime, Decimal]],
    start: datetime | None,
    end: datetime,
) -> list[dict[str, Any]]:
    """Changes from start to end, and the last one before start: the price in force at the start time (botocore model)."""
    records = []
    for at, price in changes:
        if at > end:
            continue
        records.append(
            {
                "AvailabilityZone": zone.name,
                "AvailabilityZoneId": zone.zone_id,
                "InstanceType": name,
                "ProductDescription": product,
                "SpotPrice": f"{price.quantize(Decimal('0.000001'))}",
                "Timestamp": at,
            }
        )
        if start is not None and at <= start:
            break
    return records


def _request(response: Any) -> dict[str, Any]:
    filters = response._filters_from_querystring()
    unknown = [name for name in filters if name not in _FILTERS]
    if unknown:
        raise ServiceException("InvalidParameterValue", f"The filter '{unknown[0]}' is invalid")
    now = datetime.now(UTC)
    start, end = _time(response._get_param("StartTime")), _time(response._get_param("EndTime")) or now
    if start is not None and start < now - OLDEST:
        start = now - OLDEST
    if start is not None and start > end:
        raise ServiceException("InvalidParameterValue", "The StartTime must be before the EndTime.")
    zone, zone_id = response._get_param("AvailabilityZone"), response._get_param("AvailabilityZoneId")
    if zone and zone_id:
        raise ServiceException(
            "InvalidParameterCombination", "AvailabilityZone and AvailabilityZoneId cannot be specified together."
        )
    asked = response._get_param("ProductDescriptions", []) or list(SURCHARGES)
    return {
        "types": response._get_param("InstanceTypes", []),
        "products": [each for each in asked if each in filters.get("product-description", PRODUCTS)],
        "zone": zone,
        "zone_id": zone_id,
        "filters": filters,
        "start": start,
        "end": end,
    }


def _time(value: Any) -> datetime | None:
    if value is None or isinstance(value, datetime):
        return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)
    return datetime.fromisoformat(str(value).replace("Z", "+00:00"))


def _offset(token: str | None) -> int:
    if not token:
        return 0
    try:
        return int(json.loads(base64.b64decode(token))["o"])
    except (ValueError, KeyError, TypeError):
        raise ServiceException("InvalidNextToken", f"The token '{token}' is invalid.") from None
