# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Price List API for on-demand instances, which neither emulator has; prices are the market's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from decimal import Decimal
from itertools import islice
from typing import Any

from ministack import app as ministack
from ministack.core import iam_actions
from ministack.core import responses
from ministack.core import router
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend
from moto.ec2.models.instance_types import INSTANCE_TYPES

from sandbox.context import Context
from sandbox.ec2 import types
from sandbox.ec2.prices import SURCHARGES
from sandbox.errors import error_reply
from sandbox.market import Market

NEEDS = ["ministack.core.router.SERVICE_PATTERNS", "ministack.core.iam_actions.SERVICE_TO_IAM_NAMESPACE"]

_PAGE = 100
# Of the commercial partition (botocore endpoints: api.pricing).
_ENDPOINTS = ("ap-south-1", "eu-central-1", "us-east-1")
# Product descriptions of spot prices, and what the price list calls these systems.
_SYSTEMS = {
    "Linux/UNIX": "Linux",
    "Red Hat Enterprise Linux": "RHEL",
    "SUSE Linux": "SUSE",
    "Windows": "Windows",
}


def install(context: Context) -> None:
    async def handle(method: str, path: str, headers: dict, body: bytes, query: dict) -> Any:
        action = headers.get("x-amz-target", "").rsplit(".", 1)[-1]
        return _answer(context.market, action, json.loads(body or b"{}"))

    ministack.SERVICE_HANDLERS["pricing"] = handle
    router.SERVICE_PATTERNS["pricing"] = {"target_prefixes": ["AWSPriceListService"]}
    iam_actions.SERVICE_TO_IAM_NAMESPACE["pricing"] = "pricing"


def _answer(market: Market, action: str, request: dict) -> Any:
    if responses.get_region() not in _ENDPOINTS:
        message = f"AWS has no Price List API there, only in {', '.join(_ENDPOINTS)}."
        return error_reply("json", 400, "UnknownOperationException", message)
    if action != "GetProducts":
        return error_reply("json", 400, "UnknownOperationException", f"{action} is not served by this sandbox")
    try:
        start = int(request.get("NextToken") or 0)
    except ValueError:
        return error_reply("json", 400, "InvalidNextTokenException", "The pagination token is invalid.")
    end = start + min(int(request.get("MaxResults") or _PAGE), _PAGE)
    found = _offers(market, request.get("Filters") or []) if request.get("ServiceCode") == "AmazonEC2" else iter(())
    page = list(islice(found, start, end + 1))
    products = [json.dumps(_product(attributes, f"{price:.10f}")) for attributes, price in page[: end - start]]
    answer = {"FormatVersion": "aws_v1", "PriceList": products}
    if len(page) > end - start:
        answer["NextToken"] = str(end)
    return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(answer).encode()


def _offers(market: Market, filters: list[dict[str, str]]) -> Iterator[tuple[dict[str, str], Decimal]]:
    """Attributes and price of what matches all filters; a filter on an attribute that a product lacks matches nothing."""
    regions = [region.name for region in RegionsAndZonesBackend.regions]
    for region in _named(filters, "regionCode", regions):
        for name in _named(filters, "instanceType", sorted(INSTANCE_TYPES)):
            if name not in INSTANCE_TYPES or region not in regions or not types.offered(region, name):
                continue
            linux = market.on_demand_price(region, name)
            for variant, price in _variants(linux) if linux is not None else ():
                attributes = {**_attributes(region, name), **variant}
                if all(_passes(attributes, each) for each in filters):
                    yield attributes, price


def _variants(linux: Decimal) -> Iterator[tuple[dict[str, str], Decimal]]:
    """Of one type in one region AWS lists many products; only the right filters leave the one that a launch is paid by."""
    for product, system in _SYSTEMS.items():
        yield {"operatingSystem": system}, linux + SURCHARGES[product]
    yield {"operatingSystem": "Windows", "licenseModel": "Bring your own license"}, linux
    yield {"preInstalledSw": "SQL Web"}, linux + Decimal("0.0680")
    yield {"tenancy": "Dedicated"}, linux * Decimal("1.1")
    yield {"capacitystatus": "UnusedCapacityReservation"}, linux * Decimal("1.5")
    yield {"capacitystatus": "AllocatedCapacityReservation"}, Decimal(0)


def _named(filters: list[dict[str, str]], field: str, otherwise: list[str]) -> list[str]:
    """The values that a filter lists for a field, so that not every product has to be looked at."""
    for each in filters:
        if each["Field"] == field and each["Type"] in ("TERM_MATCH", "EQUALS", "ANY_OF"):
            return each["Value"].split(",")
    return otherwise


def _passes(attributes: dict[str, str], wanted: dict[str, str]) -> bool:
    """Source: botocore model, Filter; lists are separated by commas."""
    field = "servicecode" if wanted["Field"] == "ServiceCode" else wanted["Field"]
    if field not in attributes:
        return False
    value, given = attributes[field], wanted["Value"]
    return {
        "TERM_MATCH": value == given,
        "EQUALS": value == given,
        "CONTAINS": given in value,
        "ANY_OF": value in given.split(","),
        "NONE_OF": value not in given.split(","),
    }[wanted["Type"]]


def _attributes(region: str, name: str) -> dict[str, str]:
    """Of Linux on shared tenancy."""
    data = INSTANCE_TYPES[name]
    return {
        "servicecode": "AmazonEC2",
        "locationType": "AWS Region",
        "regionCode": region,
        "instanceType": name,
        "instanceFamily": "GPU instance" if types.gpu_count(name) else "General purpose",
        "currentGeneration": "Yes" if data.get("CurrentGeneration") else "No",
        "vcpu": str(types.vcpus(name)),
        "memory": f"{types.memory_mib(name) / 1024:g} GiB",
        "gpu": str(types.gpu_count(name)),
        "operatingSystem": "Linux",
        "licenseModel": "No License required",
        "preInstalledSw": "NA",
        "tenancy": "Shared",
        "capacitystatus": "Used",
        "marketoption": "OnDemand",
        "operation": "RunInstances",
        "usagetype": f"BoxUsage:{name}",
    }


def _product(attributes: dict[str, str], price: str) -> dict[str, Any]:
    sku = hashlib.sha256(json.dumps(attributes, sort_keys=True).encode()).hexdigest()[:16].upper()
    # JRTCKXETXF and 6YS6EN2CT7 are AWS's codes of the on-demand term and of its hourly rate.
    offer, rate = f"{sku}.JRTCKXETXF", f"{sku}.JRTCKXETXF.6YS6EN2CT7"
    dimension = {
        "rateCode": rate,
        "unit": "Hrs",
        "beginRange": "0",
        "endRange": "Inf",
        "description": f"${price} per On Demand {attributes['operatingSystem']} {attributes['instanceType']} Instance Hour",
        "pricePerUnit": {"USD": price},
        "appliesTo": [],
    }
    term = {
        "sku": sku,
        "offerTermCode": "JRTCKXETXF",
        "effectiveDate": "2026-01-01T00:00:00Z",
        "priceDimensions": {rate: dimension},
        "termAttributes": {},
    }
    return {
        "product": {"productFamily": "Compute Instance", "attributes": attributes, "sku": sku},
        "serviceCode": "AmazonEC2",
        "terms": {"OnDemand": {offer: term}},
        "version": "20260101000000",
        "publicationDate": "2026-01-01T00:00:00Z",
    }
