# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from decimal import Decimal

import botocore.session
import pytest

from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError
from ansible_collections.ethereal.spot.plugins.module_utils._aws.on_demand_prices import on_demand_prices
from ansible_collections.ethereal.spot.plugins.module_utils._aws.price_list import PRICING_REGIONS
from ansible_collections.ethereal.spot.plugins.module_utils._aws.price_list import pricing_region

REGIONS = ["us-west-2", "eu-west-1"]
TYPES = ["g5.xlarge", "g6.xlarge"]


def client():
    return botocore.session.get_session().create_client("pricing", region_name="us-east-1")


def product(region, instance_type, amount, currency="USD", unit="Hrs"):
    """An entry as the Price List API words it, cut to a few attributes."""
    rate = {"unit": unit, "beginRange": "0", "endRange": "Inf", "pricePerUnit": {currency: amount}}
    return json.dumps(
        {
            "product": {
                "productFamily": "Compute Instance",
                "attributes": {"regionCode": region, "instanceType": instance_type, "operatingSystem": "Linux"},
                "sku": "SKU",
            },
            "terms": {
                "OnDemand": {"SKU.JRTCKXETXF": {"priceDimensions": {"SKU.JRTCKXETXF.6YS6EN2CT7": rate}}},
                "Reserved": {"SKU.38NPMPTW36": {"priceDimensions": {"x": {"pricePerUnit": {currency: "9999"}}}}},
            },
        }
    )


def answer(recorder, *pages):
    tokens = [None, *(str(number) for number in range(1, len(pages)))]
    replies = {
        token: {"PriceList": list(page), **({"NextToken": following} if following else {})}
        for token, page, following in zip(tokens, pages, [*tokens[1:], None], strict=True)
    }
    recorder.answer("pricing", "GetProducts", lambda params, _region: replies[params.get("NextToken")])


def test_all_regions_and_types_are_one_listing(recorder):
    answer(
        recorder,
        [product("us-west-2", "g5.xlarge", "1.0060000000"), product("eu-west-1", "g5.xlarge", "1.1230000000")],
        [product("us-west-2", "g6.xlarge", "0.8048000000")],
    )
    assert on_demand_prices(client(), REGIONS, TYPES, "Linux/UNIX") == {
        "us-west-2": {"g5.xlarge": Decimal("1.006"), "g6.xlarge": Decimal("0.8048")},
        "eu-west-1": {"g5.xlarge": Decimal("1.123")},
    }
    assert len(recorder.calls) == 2
    assert recorder.calls[0].params["ServiceCode"] == "AmazonEC2"
    filters = {each["Field"]: (each["Type"], each["Value"]) for each in recorder.calls[0].params["Filters"]}
    assert filters == {
        "regionCode": ("ANY_OF", "eu-west-1,us-west-2"),
        "instanceType": ("ANY_OF", "g5.xlarge,g6.xlarge"),
        "operatingSystem": ("TERM_MATCH", "Linux"),
        "licenseModel": ("TERM_MATCH", "No License required"),
        "preInstalledSw": ("TERM_MATCH", "NA"),
        "tenancy": ("TERM_MATCH", "Shared"),
        "capacitystatus": ("TERM_MATCH", "Used"),
    }


@pytest.mark.parametrize(
    ("description", "system"),
    [
        ("Linux/UNIX (Amazon VPC)", "Linux"),
        ("Red Hat Enterprise Linux", "RHEL"),
        ("SUSE Linux", "SUSE"),
        ("Windows (Amazon VPC)", "Windows"),
    ],
)
def test_systems_by_the_names_of_the_list(recorder, description, system):
    answer(recorder, [])
    assert on_demand_prices(client(), ["us-west-2"], TYPES, description) == {"us-west-2": {}}
    assert {"Type": "TERM_MATCH", "Field": "operatingSystem", "Value": system} in recorder.calls[0].params["Filters"]


def test_prices_of_china_are_in_its_currency(recorder):
    answer(recorder, [product("cn-north-1", "g5.xlarge", "11.5600000000", "CNY")])
    assert on_demand_prices(client(), ["cn-north-1"], TYPES, "Linux/UNIX") == {
        "cn-north-1": {"g5.xlarge": Decimal("11.56")}
    }


def test_what_has_no_hourly_rate_has_no_price(recorder):
    reserved_only = json.loads(product("us-west-2", "g5.xlarge", "1"))
    del reserved_only["terms"]["OnDemand"]
    answer(
        recorder,
        [
            json.dumps(reserved_only),
            product("us-west-2", "g6.xlarge", "0.0000000000"),
            product("eu-west-1", "g6.xlarge", "3", unit="Quantity"),
        ],
    )
    assert on_demand_prices(client(), REGIONS, TYPES, "Linux/UNIX") == {"us-west-2": {}, "eu-west-1": {}}


@pytest.mark.parametrize(
    "entry",
    [
        "{",
        "[]",
        "{}",
        json.dumps({"product": {"attributes": {}}, "terms": {"OnDemand": {"x": {}}}}),
        product("us-west-2", "g5.xlarge", "cheap"),
        product("us-west-2", "g5.xlarge", "NaN"),
        # Not asked for: the filter was not understood as meant.
        product("sa-east-1", "g5.xlarge", "1"),
    ],
)
def test_what_is_not_as_documented_is_an_error_with_a_code(recorder, entry):
    answer(recorder, [entry])
    with pytest.raises(AwsError) as refused:
        on_demand_prices(client(), REGIONS, TYPES, "Linux/UNIX")
    assert refused.value.code == "UnreadableAnswer"


def test_a_refusal_keeps_its_code(recorder, aws_error):
    recorder.answer("pricing", "GetProducts", aws_error("AccessDeniedException"))
    with pytest.raises(AwsError) as denied:
        on_demand_prices(client(), REGIONS, TYPES, "Linux/UNIX")
    assert denied.value.denied


def test_nothing_asked_is_no_call(recorder):
    assert on_demand_prices(client(), [], TYPES, "Linux/UNIX") == {}
    assert on_demand_prices(client(), REGIONS, [], "Linux/UNIX") == {"us-west-2": {}, "eu-west-1": {}}
    assert recorder.calls == []


def test_where_each_partition_answers():
    """As botocore's endpoints say, but for GovCloud, which has none."""
    assert pricing_region("aws") == "us-east-1"
    assert pricing_region("aws-cn") == "cn-northwest-1"
    assert pricing_region("aws-us-gov") is None
    endpoints = botocore.session.get_session().get_data("endpoints")
    known = {
        partition["partition"]: set(partition["services"].get("api.pricing", {}).get("endpoints", {}))
        for partition in endpoints["partitions"]
    }
    assert {name for name, regions in known.items() if regions} == set(PRICING_REGIONS)
    assert all(region in known[name] for name, region in PRICING_REGIONS.items())
