# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""GetProducts of the Price List API for EC2 and VPC. Sources: botocore model; Price List format of the Billing user guide; usage types
and units as AWS's cost and usage reports name them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fleet_kit import refused
from sandbox_process import Sandbox

SHARED = {
    "operatingSystem": "Linux",
    "licenseModel": "No License required",
    "tenancy": "Shared",
    "preInstalledSw": "NA",
    "capacitystatus": "Used",
}


def products(
    sandbox: Sandbox, *filters: tuple[str, str, str], service: str = "AmazonEC2", **terms: str
) -> list[dict[str, Any]]:
    wanted = [*filters, *(("TERM_MATCH", field, value) for field, value in terms.items())]
    pages = (
        sandbox.client("pricing")
        .get_paginator("get_products")
        .paginate(
            ServiceCode=service,
            Filters=[{"Type": kind, "Field": field, "Value": value} for kind, field, value in wanted],
        )
    )
    return [json.loads(product) for page in pages for product in page["PriceList"]]


def price(product: dict[str, Any]) -> str:
    [term] = product["terms"]["OnDemand"].values()
    [dimension] = term["priceDimensions"].values()
    assert dimension["unit"] == "Hrs"
    return dimension["pricePerUnit"]["USD"]


def places(found: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {
        (each["product"]["attributes"]["regionCode"], each["product"]["attributes"]["instanceType"]) for each in found
    }


def test_prices_come_from_the_market(sandbox: Sandbox) -> None:
    sandbox.control("PUT", "market", {"on_demand": {"us-west-2": {"g5.xlarge": "1.25"}}})
    [product] = products(sandbox, regionCode="us-west-2", instanceType="g5.xlarge", **SHARED)
    assert price(product) == "1.2500000000"
    assert product["product"]["attributes"]["vcpu"] == "4"
    assert products(sandbox, regionCode="us-west-2", instanceType="none.large") == []
    assert products(sandbox, regionCode="us-west-2", instanceType="g5.xlarge", colour="red") == []


def test_many_regions_and_types_are_one_listing(sandbox: Sandbox) -> None:
    lists = [("ANY_OF", "regionCode", "eu-west-1,us-west-2"), ("ANY_OF", "instanceType", "g5.xlarge,g6.xlarge")]
    found = products(sandbox, *lists, **SHARED)
    # eu-west-1 sells no g6 in moto's data.
    assert places(found) == {
        ("eu-west-1", "g5.xlarge"),
        ("us-west-2", "g5.xlarge"),
        ("us-west-2", "g6.xlarge"),
    }
    assert len(found) == 3
    assert len([call for call in sandbox.calls() if call["action"] == "GetProducts"]) == 1


def test_without_the_filters_other_products_of_the_same_type_come_along(sandbox: Sandbox) -> None:
    """A reservation that is not used, a dedicated host's instance, an image with software: each is a product."""
    everything = products(sandbox, regionCode="us-west-2", instanceType="g5.xlarge")
    [usual] = products(sandbox, regionCode="us-west-2", instanceType="g5.xlarge", **SHARED)
    assert len({each["product"]["sku"] for each in everything}) == len(everything) > 5
    for left_out in SHARED:
        rest = {field: value for field, value in SHARED.items() if field != left_out}
        found = products(sandbox, regionCode="us-west-2", instanceType="g5.xlarge", **rest)
        # Linux has one licence model only.
        assert (len(found) > 1) == (left_out != "licenseModel")
        assert usual in found
    windows = products(
        sandbox, regionCode="us-west-2", instanceType="g5.xlarge", **{**SHARED, "operatingSystem": "Windows"}
    )
    assert [price(each) > price(usual) for each in windows] == [True]


@pytest.mark.parametrize(
    ("kind", "value", "types"),
    [
        ("EQUALS", "g5.xlarge", {"g5.xlarge"}),
        ("TERM_MATCH", "g5.xlarge,g6.xlarge", set()),
        ("ANY_OF", "g5.xlarge,g6.xlarge", {"g5.xlarge", "g6.xlarge"}),
        ("CONTAINS", "g5.4", {"g5.4xlarge", "g5.48xlarge"}),
    ],
)
def test_kinds_of_filters(sandbox: Sandbox, kind: str, value: str, types: set[str]) -> None:
    found = products(sandbox, (kind, "instanceType", value), regionCode="us-west-2", **SHARED)
    assert {name for _region, name in places(found)} == types


def test_a_listing_comes_in_pages(sandbox: Sandbox) -> None:
    found = products(sandbox, regionCode="us-west-2", **SHARED)
    assert len(found) > 200
    assert len(places(found)) == len(found)
    pages = len([call for call in sandbox.calls() if call["action"] == "GetProducts"])
    assert pages == -(-len(found) // 100)
    none_of = products(sandbox, ("NONE_OF", "instanceType", "g5.xlarge"), regionCode="us-west-2", **SHARED)
    assert places(found) - places(none_of) == {("us-west-2", "g5.xlarge")}


def test_other_regions_have_no_price_list(sandbox: Sandbox) -> None:
    """botocore endpoints: api.pricing."""
    with refused("UnknownOperationException", "us-east-1"):
        sandbox.client("pricing", "us-west-2").get_products(ServiceCode="AmazonEC2")


def units(found: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
    """Unit and price by usage type."""
    told = {}
    for each in found:
        [term] = each["terms"]["OnDemand"].values()
        [dimension] = term["priceDimensions"].values()
        told[each["product"]["attributes"]["usagetype"]] = (dimension["unit"], dimension["pricePerUnit"]["USD"])
    return told


def test_a_gp3_volume_is_three_products(sandbox: Sandbox) -> None:
    """Throughput is listed by the GiB/s, at 1,024 times what EBS's price page says of a MiB/s."""
    found = products(sandbox, volumeApiName="gp3", regionCode="us-east-1", locationType="AWS Region")
    assert units(found) == {
        "EBS:VolumeUsage.gp3": ("GB-Mo", "0.0800000000"),
        "EBS:VolumeP-IOPS.gp3": ("IOPS-Mo", "0.0050000000"),
        "EBS:VolumeP-Throughput.gp3": ("GiBps-mo", "40.9600000000"),
    }
    assert {each["product"]["productFamily"] for each in found} == {
        "Storage",
        "System Operation",
        "Provisioned Throughput",
    }


def test_usage_types_begin_with_the_region_s_short_name(sandbox: Sandbox) -> None:
    regions = ("ANY_OF", "regionCode", "us-west-2,eu-west-1")
    found = products(sandbox, regions, service="AmazonVPC", productFamily="VpcEndpoint")
    assert units(found)["USW2-VpcEndpoint-Hours"] == ("Hrs", "0.0100000000")
    assert units(found)["EU-VpcEndpoint-Hours"] == ("Hrs", "0.0112000000")
    # Data, and endpoints of load balancers, are of the same family.
    assert len(found) == 6
    assert units(found)["EU-VpcEndpoint-Bytes"][0] == "GB"


def test_nat_gateways_of_a_zone_and_of_a_region_are_two_products(sandbox: Sandbox) -> None:
    found = units(products(sandbox, productFamily="NAT Gateway", regionCode="us-west-2"))
    assert found["USW2-NatGateway-Hours"] == ("Hrs", "0.0450000000")
    assert "USW2-RegionalNatGateway-Hours" in found
    assert products(sandbox, productFamily="NAT Gateway", regionCode="us-west-2", service="AmazonVPC") == []
    assert {each["product"]["productFamily"] for each in products(sandbox, regionCode="us-west-2", **SHARED)} == {
        "Compute Instance"
    }
