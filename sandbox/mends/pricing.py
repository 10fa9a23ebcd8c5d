# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Price List API for on-demand instances, gp3, endpoints and NAT gateways, which neither emulator has.

Prices of instances are the market's, those of the others AWS's of us-east-1, scaled by region as the market scales instances.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from decimal import Decimal
from itertools import chain
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
# A product's family stands beside its attributes, and is filtered like one.
_FAMILY = "productFamily"
# Of the commercial partition (botocore endpoints: api.pricing).
_ENDPOINTS = ("ap-south-1", "eu-central-1", "us-east-1")
# Product descriptions of spot prices, and what the price list calls these systems.
_SYSTEMS = {
    "Linux/UNIX": "Linux",
    "Red Hat Enterprise Linux": "RHEL",
    "SUSE Linux": "SUSE",
    "Windows": "Windows",
}
# How usage types begin; us-east-1 has no prefix. Of other regions it is made up.
_PREFIXES = {
    "us-east-1": "",
    "us-east-2": "USE2-",
    "us-west-1": "USW1-",
    "us-west-2": "USW2-",
    "eu-west-1": "EU-",
    "eu-central-1": "EUC1-",
    "ap-northeast-1": "APN1-",
}


@dataclass(frozen=True)
class _Unit:
    """A product that is listed by usage type: its service and family, its unit, its price in us-east-1, and what else it says."""

    service: str
    family: str
    usage_type: str
    unit: str
    price: str
    attributes: dict[str, str] = field(default_factory=dict)


# Throughput is listed by the GiB/s: 40.96 USD is 0.04 USD a MiB/s. Families have more than what an hour or a GiB costs.
_UNITS = [
    _Unit("AmazonEC2", "Storage", "EBS:VolumeUsage.gp3", "GB-Mo", "0.08", {"volumeApiName": "gp3"}),
    _Unit("AmazonEC2", "System Operation", "EBS:VolumeP-IOPS.gp3", "IOPS-Mo", "0.005", {"volumeApiName": "gp3"}),
    _Unit(
        *("AmazonEC2", "Provisioned Throughput", "EBS:VolumeP-Throughput.gp3", "GiBps-mo", "40.96"),
        {"volumeApiName": "gp3"},
    ),
    _Unit("AmazonEC2", "Storage", "EBS:VolumeUsage.gp2", "GB-Mo", "0.10", {"volumeApiName": "gp2"}),
    _Unit("AmazonEC2", "NAT Gateway", "NatGateway-Hours", "Hrs", "0.045", {"operation": "NatGateway"}),
    _Unit("AmazonEC2", "NAT Gateway", "NatGateway-Bytes", "GB", "0.045", {"operation": "NatGateway"}),
    _Unit("AmazonEC2", "NAT Gateway", "RegionalNatGateway-Hours", "Hrs", "0.05", {"operation": "RegionalNatGateway"}),
    _Unit("AmazonVPC", "VpcEndpoint", "VpcEndpoint-Hours", "Hrs", "0.01", {"operation": "VpcEndpoint"}),
    _Unit("AmazonVPC", "VpcEndpoint", "VpcEndpoint-Bytes", "GB", "0.01", {"operation": "VpcEndpoint"}),
    _Unit("AmazonVPC", "VpcEndpoint", "VpcEndpoint-GWLBE-Hours", "Hrs", "0.012", {"operation": "VpcEndpoint"}),
]


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
    service, filters = request.get("ServiceCode"), request.get("Filters") or []
    found = chain(_offers(market, filters) if service == "AmazonEC2" else (), _units(market, str(service), filters))
    page = list(islice(found, start, end + 1))
    products = [json.dumps(product) for product in page[: end - start]]
    answer = {"FormatVersion": "aws_v1", "PriceList": products}
    if len(page) > end - start:
        answer["NextToken"] = str(end)
    return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(answer).encode()


def _offers(market: Market, filters: list[dict[str, str]]) -> Iterator[dict[str, Any]]:
    """Instances that match all filters; a filter on an attribute that a product lacks matches nothing."""
    # Not one instance has what a volume is filtered by, so none has to be looked at.
    if not {each["Field"] for each in filters} <= {"ServiceCode", _FAMILY, *_attributes("us-east-1", "m5.large")}:
        return
    regions = [region.name for region in RegionsAndZonesBackend.regions]
    for region in _named(filters, "regionCode", regions):
        for name in _named(filters, "instanceType", sorted(INSTANCE_TYPES)):
            if name not in INSTANCE_TYPES or region not in regions or not types.offered(region, name):
                continue
            linux = market.on_demand_price(region, name)
            for variant, price in _variants(linux) if linux is not None else ():
                attributes = {**_attributes(region, name), **variant}
                if all(_passes({_FAMILY: "Compute Instance", **attributes}, each) for each in filters):
                    yield _product(_instance_hour(attributes, price))


def _units(market: Market, service: str, filters: list[dict[str, str]]) -> Iterator[dict[str, Any]]:
    """What else the service lists and matches all filters."""
    regions = [region.name for region in RegionsAndZonesBackend.regions]
    for region in _named(filters, "regionCode", regions):
        for unit in _UNITS if region in regions else ():
            attributes = {
                "servicecode": service,
                "locationType": "AWS Region",
                "regionCode": region,
                "usagetype": _PREFIXES.get(region, f"{region.upper().replace('-', '')}-") + unit.usage_type,
                **unit.attributes,
            }
            if unit.service == service and all(_passes({_FAMILY: unit.family, **attributes}, each) for each in filters):
                price = market.regional(region, Decimal(unit.price))
                description = f"${price} per {unit.unit} of {attributes['usagetype']}"
                yield _product(_Offer(service, unit.family, attributes, unit.unit, price, description))


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


@dataclass(frozen=True)
class _Offer:
    service: str
    family: str
    attributes: dict[str, str]
    unit: str
    price: Decimal
    description: str


def _instance_hour(attributes: dict[str, str], price: Decimal) -> _Offer:
    what = f"On Demand {attributes['operatingSystem']} {attributes['instanceType']} Instance Hour"
    return _Offer("AmazonEC2", "Compute Instance", attributes, "Hrs", price, f"${price:.10f} per {what}")


def _product(offer: _Offer) -> dict[str, Any]:
    sku = hashlib.sha256(json.dumps(offer.attributes, sort_keys=True).encode()).hexdigest()[:16].upper()
    # JRTCKXETXF and 6YS6EN2CT7 are AWS's codes of the on-demand term and of its rate.
    term_code, rate = f"{sku}.JRTCKXETXF", f"{sku}.JRTCKXETXF.6YS6EN2CT7"
    dimension = {
        "rateCode": rate,
        "unit": offer.unit,
        "beginRange": "0",
        "endRange": "Inf",
        "description": offer.description,
        "pricePerUnit": {"USD": f"{offer.price:.10f}"},
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
        "product": {"productFamily": offer.family, "attributes": offer.attributes, "sku": sku},
        "serviceCode": offer.service,
        "terms": {"OnDemand": {term_code: term}},
        "version": "20260101000000",
        "publicationDate": "2026-01-01T00:00:00Z",
    }
