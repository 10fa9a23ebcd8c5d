# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import threading
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from decimal import Decimal

import pytest

from ansible_collections.ethereal.spot.plugins.modules import spot_estimate_info

NOW = datetime.now(UTC)
PLACES = {"us-west-2": "us-west-2", "ireland": "eu-west-1"}
# Usage type, unit and price of what is listed beside the instances, by service.
LISTED = {
    "AmazonEC2": [
        ("EBS:VolumeUsage.gp3", "GB-Mo", "0.08"),
        ("EBS:VolumeP-IOPS.gp3", "IOPS-Mo", "0.005"),
        ("EBS:VolumeP-Throughput.gp3", "GiBps-mo", "40.96"),
        ("NatGateway-Hours", "Hrs", "0.045"),
    ],
    "AmazonVPC": [("VpcEndpoint-Hours", "Hrs", "0.01")],
}


class Prices:
    """AWS's answers; moto has no prices."""

    def __init__(self, recorder):
        # region: {type: [(days ago, zone letter, price)]}
        self.spot = {
            "us-west-2": {"g5.xlarge": [(0.1, "a", "0.4"), (3, "a", "0.9"), (8, "a", "0.5")]},
            "eu-west-1": {"g5.xlarge": [(0.1, "b", "0.5")], "g6.xlarge": [(0.2, "b", "0.45")]},
        }
        self.on_demand = {"g5.xlarge": "1.0", "g6.xlarge": "0.8"}
        self.failures = {}
        recorder.answer("ec2", "DescribeSpotPriceHistory", self.answer_history)
        recorder.answer("pricing", "GetProducts", self.answer_products)

    def answer_history(self, params, region):
        self.fail("history", region)
        return {
            "SpotPriceHistory": [
                {
                    "AvailabilityZone": f"{region}{letter}",
                    "InstanceType": name,
                    "ProductDescription": "Linux/UNIX",
                    "SpotPrice": price,
                    "Timestamp": NOW - timedelta(days=days),
                }
                for name, changes in self.spot.get(region, {}).items()
                for days, letter, price in changes
                if name in params["InstanceTypes"]
            ]
        }

    def fail(self, *key):
        failure = self.failures.get(key)
        if callable(failure):
            failure()
        elif failure:
            raise failure

    def answer_products(self, params, region):
        wanted = {each["Field"]: each["Value"] for each in params["Filters"]}
        regions = wanted["regionCode"].split(",")
        if "instanceType" in wanted:
            self.fail("on demand")
            entries = [
                entry(name, {"instanceType": kind}, "Hrs", self.on_demand[kind])
                for name in regions
                for kind in wanted["instanceType"].split(",")
                if kind in self.on_demand
            ]
        else:
            self.fail(params["ServiceCode"])
            assert wanted["locationType"] == "AWS Region"
            entries = [
                entry(name, {"usagetype": usage_type}, unit, price)
                for name in regions
                for usage_type, unit, price in LISTED[params["ServiceCode"]]
            ]
        return {"PriceList": entries}


def entry(region, attributes, unit, price):
    rate = {"unit": unit, "pricePerUnit": {"USD": price}}
    return json.dumps(
        {
            "product": {"attributes": {"regionCode": region, **attributes}},
            "terms": {"OnDemand": {"t": {"priceDimensions": {"d": rate}}}},
        }
    )


@pytest.fixture
def listed(recorder):
    return Prices(recorder)


@pytest.fixture
def estimate(listed, run_module):
    def run(check_mode=False, **params):
        wish = {"places": PLACES, "instance_types": ["g5.xlarge", "g6.xlarge"]}
        return run_module(spot_estimate_info, wish | params, check_mode=check_mode)

    return run


def items_of(result, place):
    found = next(each for each in result["places"] if each["place"] == place)
    return {each["name"]: each for each in found["items"]}


def test_an_estimate_of_two_places(estimate):
    result = estimate()
    assert (result.failed, result.changed, result.mutating) == (False, False, [])
    assert [each["place"] for each in result["places"]] == ["us-west-2", "ireland"]
    oregon = items_of(result, "us-west-2")
    assert oregon["spot instances"]["unit_price"] == {"current": "0.4", "median": "0.5", "worst": "0.9"}
    assert oregon["spot instances"]["source"] == "spot price history"
    assert oregon["root volumes, 100 GiB of gp3 each"]["monthly"]["current"] == "8"
    assert oregon["interface endpoints in 2 zones"]["hourly"]["current"] == "0.12"
    assert oregon["KMS keys"]["source"] == "list price of us-east-1"
    assert items_of(result, "ireland")["spot instances"]["unit_price"] == {
        "current": "0.45",
        "median": "0.45",
        "worst": "0.5",
    }
    total = result["total"]
    monthly = (Decimal("0.4") + Decimal("0.45")) * 730 + 16 + Decimal("0.24") * 730 + 2
    assert total["monthly"]["current"] == f"{monthly.normalize():f}"
    assert (total["lower_bound"], total["cheapest"]) == (False, None)
    assert result["currency"] == "USD"
    assert result["text"][0] == "2 places, spot prices of 7 days, USD, 730 hours a month"


def test_every_price_is_asked_for_once(estimate):
    result = estimate(places={**PLACES, "second": "us-west-2"})
    assert sorted(result.operations()) == [
        "DescribeSpotPriceHistory",
        "DescribeSpotPriceHistory",
        "GetProducts",
        "GetProducts",
        "GetProducts",
    ]
    assert {call.region for call in result.calls if call.service == "pricing"} == {"us-east-1"}
    history = [call for call in result.calls if call.operation == "DescribeSpotPriceHistory"]
    assert all(timedelta(days=6.9) < NOW - call.params["StartTime"] < timedelta(days=7.1) for call in history)


def test_nothing_is_asked_for_in_vain(estimate):
    given = {"gp3_gib_month": "0.07", "endpoint_hour": "0.02"}
    hub = estimate(places={"us-east-1": {"worker": False, "hub": True}})
    assert hub.calls == []
    empty = estimate(instances=0)
    assert empty.operations() == ["GetProducts"]
    on_demand = estimate(on_demand_base=1, unit_prices=given)
    assert on_demand.operations() == ["GetProducts"]
    assert items_of(on_demand, "ireland")["on-demand instances"]["unit_price"]["current"] == "0.8"
    assert items_of(on_demand, "ireland")["interface endpoints in 2 zones"]["source"] == "option unit_prices"


def test_check_mode_tells_the_same(estimate):
    assert estimate(check_mode=True)["text"] == estimate()["text"]


def test_a_window_of_nothing_tells_the_price_in_force(estimate):
    result = estimate(price_window_days=0)
    prices = items_of(result, "us-west-2")["spot instances"]["unit_price"]
    assert prices == {"current": "0.4", "median": "0.4", "worst": "0.4"}
    assert "spot prices of now" in result["text"][0]


def test_gateways_and_larger_volumes(estimate):
    result = estimate(nat_gateways=1, ebs_iops=4000, ebs_throughput=225)
    items = items_of(result, "ireland")
    assert items["NAT gateways"]["unit_price"]["current"] == "0.045"
    assert items["root volumes' IOPS above 3000"]["monthly"]["current"] == "5"
    assert items["root volumes' MiB/s above 125"]["monthly"]["current"] == "4"
    assert len([call for call in result.calls if call.operation == "GetProducts"]) == 4


@pytest.mark.parametrize(
    ("failing", "name"),
    [
        (("history", "eu-west-1"), "spot instances"),
        (("AmazonVPC",), "interface endpoints in 2 zones"),
        (("AmazonEC2",), "root volumes, 100 GiB of gp3 each"),
    ],
)
def test_what_cannot_be_read_is_unknown(estimate, listed, aws_error, failing, name):
    listed.failures[failing] = aws_error("AccessDenied", "not you")
    result = estimate()
    item = items_of(result, "ireland")[name]
    assert (item["status"], item["unit_price"], item["monthly"]) == ("unknown", None, None)
    assert item["source"] == "AccessDenied: not you"
    assert result["total"]["lower_bound"]
    assert result["total"]["savings_percent"] == {"current": None, "median": None, "worst": None}
    assert any("Unknown, and not in the sum:" in line for line in result["text"])
    # A ceiling that cannot be held against all of it does not hold.
    refused = estimate(max_hourly_usd="1000")
    assert refused.failed
    assert refused["msg"].startswith("max_hourly_usd: 1000 cannot be held against the estimate")


def test_without_on_demand_prices_there_is_no_saving(estimate, listed, aws_error):
    listed.failures["on demand",] = aws_error("AccessDenied", "not you")
    total = estimate()["total"]
    assert (total["lower_bound"], total["on_demand_monthly"]) == (False, None)


def test_a_region_that_hangs_holds_nobody(estimate, listed):
    release = threading.Event()
    listed.failures["history", "eu-west-1"] = lambda: release.wait(20) and None
    try:
        result = estimate(timeout=1)
    finally:
        release.set()
    assert items_of(result, "ireland")["spot instances"]["source"].startswith("DeadlineExceeded")
    assert items_of(result, "us-west-2")["spot instances"]["status"] == "priced"


def test_broken_prices_are_unknown(estimate, listed):
    listed.spot["eu-west-1"]["g5.xlarge"] = [(1, "a", "free")]
    assert items_of(estimate(), "ireland")["spot instances"]["source"].startswith("UnreadableAnswer")


def test_a_partition_without_a_price_list(estimate, listed):
    listed.spot["us-gov-west-1"] = listed.spot["us-west-2"]
    result = estimate(places={"gov": "us-gov-west-1"})
    statuses = {name: each["status"] for name, each in items_of(result, "gov").items() if each["status"] != "usage"}
    assert statuses == {
        "spot instances": "priced",
        "root volumes, 100 GiB of gp3 each": "unknown",
        "interface endpoints in 2 zones": "unknown",
        "KMS keys": "unknown",
    }


def test_a_ceiling_is_held_against_the_worst_price(estimate):
    assert not estimate(max_hourly_usd="2.00", max_monthly_usd=1500).failed
    refused = estimate(max_hourly_usd="1.50", max_monthly_usd="1500")
    assert refused.failed
    assert (refused["option"], len(refused["breaches"])) == ("max_hourly_usd", 1)
    assert refused["msg"].startswith("max_hourly_usd: 1.5 is less than the estimate at the worst spot price, 1.664")
    assert refused["total"]["hourly"]["worst"].startswith("1.664")
    assert refused["text"][-1].startswith("Refused: max_hourly_usd")
    assert "could not" not in refused["msg"]


@pytest.mark.parametrize(
    ("params", "option"),
    [
        ({"places": {}}, "places"),
        ({"places": {"tokyo": "japan"}}, "places.tokyo.region"),
        ({"places": {"tokyo": {"region": "ap-northeast-1", "gpus": 1}}}, "places.tokyo"),
        ({"places": {"a": "us-west-2", "b": "cn-north-1"}}, "places"),
        ({"instance_types": []}, "instance_types"),
        ({"instances": -1}, "instances"),
        ({"on_demand_percentage_above_base": 101}, "on_demand_percentage_above_base"),
        ({"disk_size": 0}, "disk_size"),
        ({"ebs_throughput": 1000}, "ebs_throughput"),
        ({"endpoint_zones": 0}, "endpoint_zones"),
        ({"price_window_days": 91}, "price_window_days"),
        ({"unit_prices": {"gp3_gib_month": "NaN"}}, "unit_prices.gp3_gib_month"),
        ({"max_hourly_usd": "0"}, "max_hourly_usd"),
        ({"max_hourly_usd": "inf"}, "max_hourly_usd"),
        ({"max_monthly_usd": "-3"}, "max_monthly_usd"),
        ({"places": {"b": "cn-north-1"}, "max_monthly_usd": "3"}, "max_monthly_usd"),
        ({"timeout": 0}, "timeout"),
    ],
)
def test_bad_input_fails_before_any_call(estimate, params, option):
    result = estimate(**params)
    assert (result.failed, result["option"]) == (True, option)
    assert result["msg"].startswith(f"{option}: ")
    assert result["rule"]
    assert result.calls == []
