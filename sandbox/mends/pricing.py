# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Price List API for on-demand instances, which neither emulator has; prices are the market's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from ministack import app as ministack
from ministack.core import iam_actions
from ministack.core import router
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend
from moto.ec2.models.instance_types import INSTANCE_TYPES

from sandbox.context import Context
from sandbox.ec2 import types
from sandbox.errors import error_reply
from sandbox.market import Market

NEEDS = ["ministack.core.router.SERVICE_PATTERNS", "ministack.core.iam_actions.SERVICE_TO_IAM_NAMESPACE"]

_PAGE = 100


def install(context: Context) -> None:
    async def handle(method: str, path: str, headers: dict, body: bytes, query: dict) -> Any:
        action = headers.get("x-amz-target", "").rsplit(".", 1)[-1]
        return _answer(context.market, action, json.loads(body or b"{}"))

    ministack.SERVICE_HANDLERS["pricing"] = handle
    router.SERVICE_PATTERNS["pricing"] = {"target_prefixes": ["AWSPriceListService"]}
    iam_actions.SERVICE_TO_IAM_NAMESPACE["pricing"] = "pricing"


def _answer(market: Market, action: str, request: dict) -> Any:
    if action != "GetProducts":
        return error_reply("json", 400, "UnknownOperationException", f"{action} is not served by this sandbox")
    wanted = {item["Field"]: item["Value"] for item in request.get("Filters") or ()}
    products = [] if request.get("ServiceCode") != "AmazonEC2" else list(_products(market, wanted))
    try:
        start = int(request.get("NextToken") or 0)
    except ValueError:
        return error_reply("json", 400, "InvalidNextTokenException", "The pagination token is invalid.")
    end = start + min(int(request.get("MaxResults") or _PAGE), _PAGE)
    answer = {"FormatVersion": "aws_v1", "PriceList": [json.dumps(product) for product in products[start:end]]}
    if end < len(products):
        answer["NextToken"] = str(end)
    return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(answer).encode()


def _products(market: Market, wanted: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Linux on shared tenancy, the one offer that the market prices; a filter on an attribute that it lacks matches nothing."""
    regions = [region.name for region in RegionsAndZonesBackend.regions]
    for region in [wanted["regionCode"]] if "regionCode" in wanted else regions:
        for name in [wanted["instanceType"]] if "instanceType" in wanted else sorted(INSTANCE_TYPES):
            if name not in INSTANCE_TYPES or region not in regions or not types.offered(region, name):
                continue
            attributes = _attributes(region, name)
            price = market.on_demand_price(region, name)
            if price is not None and all(attributes.get(field) == value for field, value in wanted.items()):
                yield _product(attributes, f"{price:.10f}")


def _attributes(region: str, name: str) -> dict[str, str]:
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
        "description": f"${price} per On Demand Linux {attributes['instanceType']} Instance Hour",
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
