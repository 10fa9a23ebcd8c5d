# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import stat
import threading
import time
from datetime import UTC
from datetime import datetime
from datetime import timedelta

import boto3
import pytest

from ansible_collections.ethereal.spot.plugins.module_utils._brain import ledger
from ansible_collections.ethereal.spot.plugins.modules import spot_region_rank

REGIONS = ["us-east-1", "eu-west-1", "ap-northeast-1"]
NOW = datetime.now(UTC)
REFERENCE = {"strategy": "score_then_price"}
LEAN = {"check_quota": False, "on_demand_prices": False}


class Market:
    """AWS's answers in every region; moto has neither scores nor real prices."""

    def __init__(self, recorder):
        self.scores = {"us-east-1": 7, "eu-west-1": 9, "ap-northeast-1": 9}
        # region: {zone letter: score}
        self.zone_scores = {}
        # region: [(zone letter, type, price)], the newest first
        self.prices = {
            "us-east-1": [("a", "g5.xlarge", "0.30")],
            "eu-west-1": [("a", "g5.xlarge", "10.10"), ("b", "g5.xlarge", "20")],
            "ap-northeast-1": [("c", "g4dn.xlarge", "9.50")],
        }
        self.offers = {}
        self.statuses = dict.fromkeys([*REGIONS, "us-west-2"], "opt-in-not-required")
        self.failures = {}
        self.quota = 64.0
        self.running = {}
        self.on_demand = {"us-east-1": "1.006", "eu-west-1": "12.5", "ap-northeast-1": "11"}
        for service, operation, answer in [
            ("ec2", "GetSpotPlacementScores", self.answer_scores),
            ("ec2", "DescribeSpotPriceHistory", self.answer_prices),
            ("ec2", "DescribeInstanceTypeOfferings", self.answer_offers),
            ("ec2", "DescribeRegions", self.answer_regions),
            ("ec2", "DescribeAvailabilityZones", self.answer_zones),
            ("ec2", "DescribeInstanceTypes", self.answer_types),
            ("ec2", "DescribeInstances", self.answer_instances),
            ("ec2", "DescribeSpotInstanceRequests", lambda params, region: {"SpotInstanceRequests": []}),
            ("service-quotas", "GetServiceQuota", self.answer_quota),
            ("pricing", "GetProducts", self.answer_products),
            ("account", "ListRegions", self.answer_account),
        ]:
            recorder.answer(service, operation, self.failing(operation, answer))

    def failing(self, operation, answer):
        def respond(params, region):
            failure = self.failures.get((operation, region)) or self.failures.get(operation)
            if callable(failure):
                failure()
            elif failure:
                raise failure
            return answer(params, region)

        return respond

    def answer_scores(self, params, region):
        """Two a page, in an order that means nothing, the last page with an empty token."""
        if params["SingleAvailabilityZone"]:
            rows = [
                {"Region": name, "AvailabilityZoneId": f"{name}-{letter}", "Score": score}
                for name in params["RegionNames"]
                for letter, score in self.zone_scores.get(name, {}).items()
            ]
            return {"SpotPlacementScores": rows}
        named = [{"Region": name, "Score": self.scores[name]} for name in params["RegionNames"] if name in self.scores]
        start = int(params.get("NextToken", 0))
        rest = str(start + 2) if start + 2 < len(named) else ""
        return {"SpotPlacementScores": named[::-1][start : start + 2], "NextToken": rest}

    def answer_prices(self, params, region):
        """One record a page: a short page with a token is not the end."""
        records = [
            {
                "AvailabilityZone": f"{region}{letter}",
                "AvailabilityZoneId": f"{region}-{letter}",
                "InstanceType": instance_type,
                "ProductDescription": "Linux/UNIX",
                "SpotPrice": price,
                "Timestamp": NOW - timedelta(minutes=minutes + 1),
            }
            for minutes, (letter, instance_type, price) in enumerate(self.prices.get(region, []))
            if instance_type in params["InstanceTypes"]
        ]
        start = int(params.get("NextToken", 0))
        answer = {"SpotPriceHistory": records[start : start + 1]}
        return answer | ({"NextToken": str(start + 1)} if start + 1 < len(records) else {})

    def answer_offers(self, params, region):
        assert params["LocationType"] == "availability-zone-id"
        types = self.offers.get(region, params["Filters"][0]["Values"])
        return {
            "InstanceTypeOfferings": [
                {"InstanceType": name, "LocationType": "availability-zone-id", "Location": f"{region}-{letter}"}
                for name in types
                for letter in "abc"
            ]
        }

    def answer_regions(self, params, region):
        assert params == {"AllRegions": True}
        return {"Regions": [{"RegionName": name, "OptInStatus": status} for name, status in self.statuses.items()]}

    def answer_account(self, params, region):
        words = {"not-opted-in": "DISABLED"}
        return {
            "Regions": [
                {"RegionName": name, "RegionOptStatus": words.get(status, "ENABLED")}
                for name, status in self.statuses.items()
            ]
        }

    def answer_zones(self, params, region):
        zones = [{"ZoneName": f"{region}{letter}", "ZoneId": f"{region}-{letter}"} for letter in "abc"]
        return {"AvailabilityZones": zones}

    def answer_types(self, params, region):
        return {
            "InstanceTypes": [
                {"InstanceType": name, "VCpuInfo": {"DefaultVCpus": 4}} for name in params["Filters"][0]["Values"]
            ]
        }

    def answer_instances(self, params, region):
        one = {"InstanceType": "g5.xlarge", "InstanceLifecycle": "spot", "InstanceId": "i-1"}
        one["CpuOptions"] = {"CoreCount": 2, "ThreadsPerCore": 2}
        return {"Reservations": [{"Instances": [one] * self.running.get(region, 0)}]}

    def answer_quota(self, params, region):
        return {"Quota": {"QuotaCode": params["QuotaCode"], "Value": self.quota}}

    def answer_products(self, params, region):
        wanted = {each["Field"]: each["Value"].split(",") for each in params["Filters"]}
        return {
            "PriceList": [
                json.dumps(
                    {
                        "product": {"attributes": {"regionCode": name, "instanceType": instance_type}},
                        "terms": {
                            "OnDemand": {
                                "t": {
                                    "priceDimensions": {
                                        "d": {"unit": "Hrs", "pricePerUnit": {"USD": self.on_demand[name]}}
                                    }
                                }
                            }
                        },
                    }
                )
                for name in wanted["regionCode"]
                if name in self.on_demand
                for instance_type in wanted["instanceType"]
            ]
        }


@pytest.fixture
def market(recorder):
    return Market(recorder)


@pytest.fixture
def cache_home(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "ethereal.spot" / "scores.json"


@pytest.fixture
def rank(market, run_module, cache_home):
    def run(check_mode=False, **params):
        wish = {} if "places" in params else {"regions": REGIONS}
        return run_module(spot_region_rank, {"cache_file": ""} | wish | params, check_mode=check_mode)

    return run


def order(result):
    return [entry["place"] for entry in result["ranking"]]


def entry_of(result, place):
    return next(entry for entry in result["ranking"] if entry["place"] == place)


def passed(result, place):
    return {each["name"]: each["passed"] for each in entry_of(result, place)["filters"]}


def calls_of(result, operation):
    return [call for call in result.calls if call.operation == operation]


def test_the_reference_rule_scores_first_then_prices_as_numbers(rank):
    result = rank(**REFERENCE)
    assert (result.failed, result["changed"]) == (False, False)
    assert order(result) == ["ap-northeast-1", "eu-west-1", "us-east-1"]
    best = result["best"]
    assert (best["price"], best["zone"], best["zone_id"]) == ("9.5", "ap-northeast-1c", "ap-northeast-1-c")
    assert result["rule"] == result["record"]["rule"]["applied"] == "score_then_price"
    assert result["text"][-1] == "Best: ap-northeast-1, 9.5 USD/h in all (11 on demand)."
    assert "warnings" not in result
    assert result.mutating == []


def test_auto_takes_the_lowest_expected_cost(rank):
    result = rank()
    assert order(result)[0] == "us-east-1"
    assert (result["rule"], result["record"]["rule"]["strategy"]) == ("expected_cost", "auto")
    assert result["record"]["rule"]["reference"] == "ap-northeast-1"
    assert result["best"]["reason"] == "cheapest, and the lowest expected cost"
    assert result["best"]["on_demand_price"] == "1.006"
    assert result["best"]["savings_percent"] == 70


def test_check_mode_answers_the_same(rank):
    wet, dry = rank(), rank(check_mode=True)
    assert {key: wet[key] for key in ("rule", "text")} == {key: dry[key] for key in ("rule", "text")}

    def timeless(result):
        return [{**entry, "score_asked_at": None} for entry in result["ranking"]]

    assert timeless(wet) == timeless(dry)


def test_the_score_request_is_canonical_and_goes_to_the_calling_region(rank):
    result = rank(regions=REGIONS[::-1], region="us-west-2", target_capacity=3, excluded=["eu-west-1"])
    first = calls_of(result, "GetSpotPlacementScores")[0]
    assert first.region == "us-west-2"
    assert first.params == {
        "RegionNames": sorted(REGIONS),
        "InstanceTypes": ["g4dn.xlarge", "g5.xlarge", "g6.xlarge"],
        "TargetCapacity": 5,
        "TargetCapacityUnitType": "units",
        "SingleAvailabilityZone": False,
    }
    assert "eu-west-1" not in [entry["place"] for entry in result["ranking"] if entry["verdict"] == "candidate"]
    assert order(result)[-1] == "eu-west-1"


@pytest.mark.parametrize(("days", "seconds"), [(0, 1), (7, 7 * 86_400), (90, 90 * 86_400)])
def test_prices_are_those_of_the_window_for_the_offered_types(rank, market, days, seconds):
    market.offers["us-east-1"] = ["g5.xlarge"]
    result = rank(product_description="Windows", price_window_days=days)
    call = next(call for call in calls_of(result, "DescribeSpotPriceHistory") if call.region == "us-east-1")
    assert call.params["InstanceTypes"] == ["g5.xlarge"]
    assert call.params["ProductDescriptions"] == ["Windows", "Windows (Amazon VPC)"]
    assert abs(call.params["EndTime"] - datetime.now(UTC)) < timedelta(minutes=1)
    assert call.params["EndTime"] - call.params["StartTime"] == timedelta(seconds=seconds)


def test_more_than_ten_regions_are_asked_in_batches(rank, market):
    names = sorted([f"us-east-{number}" for number in range(10)] + ["us-west-1", "us-west-2"])
    market.statuses = dict.fromkeys(names, "opted-in")
    market.scores = dict.fromkeys(names, 5) | {"us-west-2": 6}
    market.prices = {name: [("a", "g5.xlarge", "1")] for name in names}
    result = rank(regions=names[::-1])
    batches = {tuple(call.params["RegionNames"]) for call in calls_of(result, "GetSpotPlacementScores")}
    assert batches == {tuple(names[:10]), tuple(names[10:])}
    assert order(result) == ["us-west-2", *names[:-1]]


def test_a_refused_score_is_unknown_and_spares_the_other_batch(rank, market, recorder, aws_error):
    names = [f"us-east-{number}" for number in range(10)] + ["us-west-2"]
    market.statuses = dict.fromkeys(names, "opted-in")
    market.prices = {name: [("a", "g5.xlarge", f"{number + 1}")] for number, name in enumerate(names)}

    def answer(params, region):
        if len(params["RegionNames"]) == 10:
            raise aws_error("MaxConfigLimitExceeded", "wait for 24 hours")
        return {"SpotPlacementScores": [{"Region": "us-west-2", "Score": 1}]}

    recorder.answer("ec2", "GetSpotPlacementScores", answer)
    result = rank(regions=names, **REFERENCE)
    assert result["best"]["place"] == "us-west-2"
    assert result["ranking"][1]["score"] is None
    assert order(result)[1:] == names[:-1]
    told = "score unknown: MaxConfigLimitExceeded: wait for 24 hours (asked in us-east-1)"
    assert result["warnings"] == [f"{', '.join(names[:-1])}: {told}"]


@pytest.mark.parametrize("code", ["MaxConfigLimitExceeded", "UnauthorizedOperation"])
def test_another_region_is_asked_where_the_first_refuses(rank, market, aws_error, code):
    market.failures["GetSpotPlacementScores", "us-east-1"] = aws_error(code)
    result = rank(region="us-east-1", score_regions=["us-east-1", "sa-east-1", "us-west-2"])
    assert [call.region for call in calls_of(result, "GetSpotPlacementScores")] == [
        "us-east-1",
        "sa-east-1",
        "sa-east-1",
    ]
    assert result["best"]["score"] == 7
    assert result["record"]["inputs"]["regions"]["us-east-1"]["score_asked_in"] == "sa-east-1"


def test_where_all_refuse_each_is_named(rank, market, aws_error):
    market.failures["GetSpotPlacementScores"] = aws_error("MaxConfigLimitExceeded", "wait")
    result = rank(region="us-east-1", score_regions=["sa-east-1"])
    refused = "MaxConfigLimitExceeded: wait (asked in"
    assert result["warnings"][0].endswith(f"score unknown: {refused} us-east-1); {refused} sa-east-1)")


def test_another_error_is_not_taken_elsewhere(rank, market, aws_error):
    market.failures["GetSpotPlacementScores", "us-east-1"] = aws_error("InvalidParameterValue", "no such type")
    result = rank(region="us-east-1", score_regions=["sa-east-1"])
    assert {call.region for call in calls_of(result, "GetSpotPlacementScores")} == {"us-east-1"}
    assert {entry["score"] for entry in result["ranking"]} == {None}


def test_without_any_score_the_price_decides(rank, market, aws_error):
    market.failures["GetSpotPlacementScores"] = aws_error(
        "UnauthorizedOperation", "no. Encoded authorization failure message: x"
    )
    result = rank(**REFERENCE)
    assert order(result) == ["us-east-1", "ap-northeast-1", "eu-west-1"]
    assert "score unknown: UnauthorizedOperation: no." in result["warnings"][0]
    assert "Encoded" not in str(result)


def test_scores_of_single_zones_are_those_of_this_accounts_zones(rank, market):
    market.zone_scores = {"eu-west-1": {"a": 2, "b": 9}, "us-east-1": {"c": 10}}
    result = rank(single_zone=True, **REFERENCE)
    assert calls_of(result, "GetSpotPlacementScores")[0].params["SingleAvailabilityZone"] is True
    best = result["best"]
    assert (best["place"], best["zone"], best["zone_id"], best["score"]) == (
        "eu-west-1",
        "eu-west-1b",
        "eu-west-1-b",
        9,
    )
    # Its only zone that sells has no score; that of another zone does not stand in for it.
    assert entry_of(result, "us-east-1")["score"] is None
    assert "AWS named other zones as its ten best" in entry_of(result, "ap-northeast-1")["reason"]


@pytest.mark.parametrize("operation", ["DescribeInstanceTypeOfferings", "DescribeSpotPriceHistory"])
def test_a_denied_region_fails_nobody_else(rank, market, aws_error, operation):
    market.failures[operation, "ap-northeast-1"] = aws_error("UnauthorizedOperation", "You may not.")
    result = rank(**REFERENCE)
    assert result["best"]["place"] == "eu-west-1"
    last = result["ranking"][-1]
    assert (last["place"], last["verdict"], last["reason"]) == (
        "ap-northeast-1",
        "unreachable",
        "UnauthorizedOperation: You may not.",
    )
    assert last["score"] == 9
    assert result["warnings"] == ["ap-northeast-1: UnauthorizedOperation: You may not."]


def test_a_slow_region_holds_nobody(rank, market):
    release = threading.Event()
    market.failures["DescribeSpotPriceHistory", "ap-northeast-1"] = lambda: release.wait(20)
    result = rank(timeout=2, **LEAN, **REFERENCE)
    release.set()
    assert result["best"]["place"] == "eu-west-1"
    assert result["ranking"][-1]["reason"] == "DeadlineExceeded: no answer within 2 seconds"


def test_slow_scores_leave_them_unknown(rank, market):
    release = threading.Event()
    market.failures["GetSpotPlacementScores"] = lambda: release.wait(20)
    result = rank(timeout=2, **LEAN, **REFERENCE)
    release.set()
    assert order(result) == ["us-east-1", "ap-northeast-1", "eu-west-1"]
    assert {entry["score"] for entry in result["ranking"]} == {None}


def test_a_batch_of_scores_that_hangs_costs_only_itself(rank, market, recorder):
    names = [f"us-east-{number}" for number in range(10)] + ["us-west-2"]
    market.statuses = dict.fromkeys(names, "opted-in")
    market.prices = {name: [("a", "g5.xlarge", "1")] for name in names}
    release = threading.Event()

    def answer(params, region):
        if len(params["RegionNames"]) == 10:
            release.wait(20)
        return {"SpotPlacementScores": [{"Region": "us-west-2", "Score": 1}]}

    recorder.answer("ec2", "GetSpotPlacementScores", answer)
    result = rank(regions=names, timeout=3, **LEAN, **REFERENCE)
    release.set()
    assert (result["best"]["place"], result["best"]["score"]) == ("us-west-2", 1)


def test_a_region_with_an_unreadable_price_is_its_own_problem(rank, market):
    market.prices["ap-northeast-1"] = [("c", "g5.xlarge", "NaN")]
    result = rank()
    assert result["ranking"][-1]["reason"].startswith("UnreadableAnswer: price: 'NaN' must be")
    assert len([entry for entry in result["ranking"] if entry["rank"]]) == 2


def test_a_region_that_is_not_enabled_does_not_spoil_the_scores_of_the_others(rank, market):
    market.statuses["af-south-1"] = "not-opted-in"
    result = rank(regions=[*REGIONS, "af-south-1", "xx-east-9"])
    request = calls_of(result, "GetSpotPlacementScores")[0]
    assert request.params["RegionNames"] == sorted(REGIONS)
    reasons = {entry["place"]: entry["reason"] for entry in result["ranking"]}
    assert reasons["af-south-1"] == "the account has not enabled it (not-opted-in)"
    assert reasons["xx-east-9"] == "the partition has no such region"
    assert entry_of(result, "af-south-1")["verdict"] == "rejected"


def test_a_denied_list_of_regions_is_read_from_the_account_service(rank, market, aws_error):
    market.statuses["af-south-1"] = "not-opted-in"
    market.failures["DescribeRegions"] = aws_error("UnauthorizedOperation")
    result = rank(regions=[*REGIONS, "af-south-1"])
    assert entry_of(result, "af-south-1")["reason"] == "the account has not enabled it (DISABLED)"
    assert passed(result, "eu-west-1")["opted_in"] is True


def test_lists_of_regions_that_are_denied_both_change_nothing(rank, market, aws_error):
    market.failures["DescribeRegions"] = aws_error("UnauthorizedOperation")
    market.failures["ListRegions"] = aws_error("AccessDeniedException")
    result = rank(**REFERENCE)
    assert result["best"]["place"] == "ap-northeast-1"
    assert passed(result, "ap-northeast-1")["opted_in"] is None
    assert "warnings" not in result


def test_a_region_that_offers_none_is_rejected_without_asking_for_prices(rank, market):
    market.offers["ap-northeast-1"] = []
    result = rank()
    assert "ap-northeast-1" not in {call.region for call in calls_of(result, "DescribeSpotPriceHistory")}
    assert result["ranking"][-1]["verdict"] == "rejected"
    assert result["ranking"][-1]["reason"] == "the region offers none of g4dn.xlarge, g5.xlarge, g6.xlarge"


def test_a_region_without_any_price_is_rejected(rank, market):
    """The reference ends in max() of an empty sequence, for ever."""
    market.prices["ap-northeast-1"] = []
    result = rank(**REFERENCE)
    assert result["ranking"][-1]["reason"] == "no zone sells g4dn.xlarge or g5.xlarge or g6.xlarge on spot now"
    assert result["best"]["place"] == "eu-west-1"


def test_of_several_records_of_one_pool_the_last_counts(rank, market):
    # The list's first record is the newest.
    market.prices["ap-northeast-1"] = [("c", "g5.xlarge", "50"), ("c", "g5.xlarge", "0.01")]
    result = rank(**REFERENCE)
    assert result["best"]["place"] == "eu-west-1"
    assert entry_of(result, "ap-northeast-1")["price"] == "50"


def test_records_without_zone_ids_take_them_from_the_region(rank, recorder, market):
    def nameless(params, region):
        answer = market.answer_prices(params, region)
        for record in answer["SpotPriceHistory"]:
            del record["AvailabilityZoneId"]
        return answer

    recorder.answer("ec2", "DescribeSpotPriceHistory", nameless)
    best = rank(**REFERENCE)["best"]
    assert (best["zone"], best["zone_id"]) == ("ap-northeast-1c", "ap-northeast-1-c")


def test_a_full_quota_rejects_and_tells_its_numbers(rank, market):
    market.running = {"us-east-1": 16}
    result = rank()
    entry = entry_of(result, "us-east-1")
    assert entry["verdict"] == "rejected"
    assert "has 0 of 64 left, 4 would be needed" in entry["reason"]
    assert len([each for each in result["ranking"] if each["rank"]]) == 2


@pytest.mark.parametrize("operation", ["GetServiceQuota", "DescribeInstances", "DescribeInstanceTypes"])
def test_quotas_that_cannot_be_read_reject_nothing(rank, market, aws_error, operation):
    market.failures[operation] = aws_error("AccessDeniedException", "no")
    result = rank()
    assert len([entry for entry in result["ranking"] if entry["rank"]]) == 3
    assert {passed(result, place)["quota"] for place in REGIONS} == {None}
    told = "ap-northeast-1, eu-west-1, us-east-1: quota unknown: AccessDeniedException: no"
    assert result["warnings"] == [told]
    assert f"Note: {told}" in result["text"]


def test_quotas_are_not_asked_for_where_nobody_wants_them(rank):
    result = rank(check_quota=False)
    assert {passed(result, place)["quota"] for place in REGIONS} == {None}
    assert not {"GetServiceQuota", "DescribeInstances", "DescribeInstanceTypes"} & set(result.operations())


def test_a_price_list_that_cannot_be_read_rejects_nothing(rank, market, aws_error):
    market.failures["GetProducts"] = aws_error("AccessDeniedException", "no")
    result = rank()
    assert len([entry for entry in result["ranking"] if entry["rank"]]) == 3
    assert result["best"]["savings_percent"] is None
    assert result["warnings"] == [
        "ap-northeast-1, eu-west-1, us-east-1: on-demand price unknown: AccessDeniedException: no"
    ]


def test_the_price_list_is_one_listing_for_all_regions(rank):
    assert len(calls_of(rank(), "GetProducts")) == 1
    assert calls_of(rank(**LEAN), "GetProducts") == []


def test_on_demand_is_ranked_by_its_price_without_scores(rank, market):
    result = rank(market="on_demand")
    assert order(result) == ["us-east-1", "ap-northeast-1", "eu-west-1"]
    assert result["rule"] == "on_demand_price"
    assert result["best"]["price"] == "1.006"
    assert result["best"]["zone"] == "us-east-1a"
    assert not {"GetSpotPlacementScores", "DescribeSpotPriceHistory"} & set(result.operations())
    codes = {call.params["QuotaCode"] for call in calls_of(result, "GetServiceQuota")}
    assert codes == {"L-DB2E81BA"}


def test_zones_without_names_keep_their_ids(rank, market, aws_error):
    market.failures["DescribeAvailabilityZones"] = aws_error("UnauthorizedOperation")
    best = rank(market="on_demand")["best"]
    assert (best["zone"], best["zone_id"]) == (None, "us-east-1-a")


def test_a_ceiling_is_a_decimal(rank):
    result = rank(max_price="9.5", **REFERENCE)
    assert [entry["place"] for entry in result["ranking"] if entry["rank"]] == ["ap-northeast-1", "us-east-1"]
    assert entry_of(result, "eu-west-1")["reason"] == "the cheapest costs 10.1 USD/h, the ceiling is 9.5"


ADVISOR = {
    "ranges": [{"index": 0, "label": "<5%", "max": 5}, {"index": 4, "label": ">20%", "max": 100}],
    "spot_advisor": {
        "us-east-1": {"Linux": {"g5.xlarge": {"s": 70, "r": 4}}},
        "eu-west-1": {"Linux": {"g5.xlarge": {"s": 70, "r": 0}}},
    },
}


def test_the_advisor_sharpens_what_is_expected(rank, tmp_path):
    data = tmp_path / "advisor.json"
    data.write_text(json.dumps(ADVISOR))
    plain, told = rank(), rank(advisor=str(data))
    rates = [
        [entry_of(result, place)["expected"]["losses_per_hour"] for place in ("us-east-1", "eu-west-1")]
        for result in (plain, told)
    ]
    assert rates == [["0.38", "0.27"], ["0.76", "0.135"]]
    assert entry_of(told, "us-east-1")["advisor"] == ">20%"


def test_an_advisor_that_cannot_be_had_is_left_out(rank, tmp_path):
    result = rank(advisor=str(tmp_path / "none.json"))
    assert result["best"]["place"] == "us-east-1"
    assert result["warnings"][0].startswith("advisor: could not read")


def test_places_have_their_own_names(rank):
    result = rank(
        places={"tokyo": "ap-northeast-1", "osaka": "ap-northeast-1", "ireland": "eu-west-1"},
        excluded=["osaka"],
        **REFERENCE,
    )
    assert order(result) == ["tokyo", "ireland", "osaka"]
    assert (result["best"]["place"], result["best"]["region"]) == ("tokyo", "ap-northeast-1")
    assert len(calls_of(result, "GetSpotPlacementScores")) == 1
    assert calls_of(result, "GetSpotPlacementScores")[0].params["RegionNames"] == ["ap-northeast-1", "eu-west-1"]


def test_nothing_left_is_an_answer(rank):
    result = rank(excluded=REGIONS)
    assert (result.failed, result["best"], result["record"]["expected"]) == (False, None, None)
    assert len(result["ranking"]) == 3
    assert result["text"][-1] == "No place is left."


def test_nothing_left_fails_when_asked_to(rank):
    result = rank(excluded=REGIONS, fail_if_none=True)
    assert result.failed
    assert result["msg"].startswith("no place is left: ap-northeast-1: excluded by the caller; ")
    assert (result["best"], len(result["ranking"])) == (None, 3)


def test_no_region_reachable_is_no_answer(rank, market, aws_error):
    for operation in ("DescribeInstanceTypeOfferings", "GetSpotPlacementScores", "DescribeRegions", "ListRegions"):
        market.failures[operation] = aws_error("AuthFailure", "no such key")
    result = rank()
    assert result.failed
    everywhere = "ap-northeast-1, eu-west-1, us-east-1"
    assert result["msg"] == f"no region could be asked: {everywhere}: AuthFailure: no such key"
    assert len(result["ranking"]) == 3


def test_few_types_are_warned_about(rank):
    assert "low score then says nothing" in rank(instance_types=["g5.xlarge"])["warnings"][0]


# What is kept of scores.


def test_the_same_question_is_asked_once_a_day(rank, cache_home):
    first = rank(cache_file=None)
    again = rank(cache_file=None, excluded=["eu-west-1"], regions=REGIONS[::-1])
    assert len(calls_of(first, "GetSpotPlacementScores")) == 2  # two pages
    assert calls_of(again, "GetSpotPlacementScores") == []
    assert entry_of(again, "us-east-1")["score"] == 7
    assert entry_of(again, "us-east-1")["score_asked_at"] == entry_of(first, "us-east-1")["score_asked_at"]
    assert any(line.startswith("Scores of ") and line.endswith("(0 min old).") for line in again["text"])
    assert not any("old)" in line for line in first["text"])
    assert (first.changed, again.changed) == (False, False)
    assert stat.S_IMODE(os.stat(cache_home).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(cache_home.parent).st_mode) == 0o700


@pytest.mark.parametrize(
    "other",
    [
        {"target_capacity": 2},
        {"instance_types": ["g5.xlarge", "g6.xlarge", "g4dn.2xlarge"]},
        {"regions": REGIONS[:2]},
        {"single_zone": True},
        {"refresh": True},
    ],
)
def test_another_question_is_asked(rank, other):
    rank(cache_file=None)
    assert calls_of(rank(cache_file=None, **other), "GetSpotPlacementScores")


def test_a_refreshed_answer_takes_the_old_ones_place(rank, market, cache_home):
    rank(cache_file=None)
    market.scores["us-east-1"] = 1
    rank(cache_file=None, refresh=True)
    assert entry_of(rank(cache_file=None), "us-east-1")["score"] == 1
    assert len(json.loads(cache_home.read_text())["scores"]) == 1


def test_check_mode_uses_the_cache_and_does_not_fill_it(rank, cache_home):
    dry = rank(cache_file=None, check_mode=True)
    assert not cache_home.parent.exists()
    assert calls_of(dry, "GetSpotPlacementScores")
    rank(cache_file=None)
    before = cache_home.read_bytes()
    assert calls_of(rank(cache_file=None, check_mode=True), "GetSpotPlacementScores") == []
    rank(cache_file=None, check_mode=True, target_capacity=9)
    assert cache_home.read_bytes() == before


def test_a_refusal_is_not_kept(rank, market, aws_error):
    market.failures["GetSpotPlacementScores"] = aws_error("MaxConfigLimitExceeded")
    rank(cache_file=None)
    market.failures.clear()
    assert entry_of(rank(cache_file=None), "us-east-1")["score"] == 7


def test_an_answer_of_yesterday_is_asked_again_and_let_go(rank, cache_home):
    rank(cache_file=None)
    content = json.loads(cache_home.read_text())
    (kept,) = content["scores"].values()
    content["scores"]["another question"] = {**kept, "expires_at": kept["asked_at"] - 1}
    for document in content["scores"].values():
        document["asked_at"] -= 86_400
    cache_home.write_text(json.dumps(content))
    assert calls_of(rank(cache_file=None), "GetSpotPlacementScores")
    assert len(json.loads(cache_home.read_text())["scores"]) == 1


@pytest.mark.parametrize("content", ["", "{", "[]", "7", '{"scores": 7}', '{"schema_version": 1}', "[" * 100_000])
def test_a_damaged_cache_is_an_empty_one(rank, cache_home, content):
    cache_home.parent.mkdir()
    cache_home.write_text(content)
    result = rank(cache_file=None)
    assert entry_of(result, "us-east-1")["score"] == 7
    assert len(json.loads(cache_home.read_text())["scores"]) == 1
    assert "warnings" not in result


def test_the_cache_of_a_newer_version_is_left_alone(rank, cache_home):
    cache_home.parent.mkdir()
    cache_home.write_text('{"schema_version": 2, "answers": []}')
    assert entry_of(rank(cache_file=None), "us-east-1")["score"] == 7
    assert cache_home.read_text() == '{"schema_version": 2, "answers": []}'


def test_a_cache_that_cannot_be_used_costs_only_itself(rank, tmp_path):
    result = rank(cache_file=str(tmp_path))
    assert entry_of(result, "us-east-1")["score"] == 7
    told = "; ".join(result["warnings"])
    assert "kept scores could not be read" in told and "scores could not be kept" in told


def test_no_cache_at_all(rank, tmp_path):
    assert calls_of(rank(cache_file=""), "GetSpotPlacementScores")
    assert list(tmp_path.iterdir()) == []


def test_writers_of_one_file_lose_nothing(rank, cache_home):
    from concurrent.futures import ThreadPoolExecutor

    from ansible_collections.ethereal.spot.plugins.module_utils._aws.score_cache_file import FileCache

    now = int(time.time())
    document = {"expires_at": now + 100}
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda at: FileCache(str(cache_home), now).write(f"question-{at}", document), range(40)))
    kept = FileCache(str(cache_home), now).read([f"question-{at}" for at in range(40)])
    assert len(kept) == 40
    assert sorted(path.name for path in cache_home.parent.iterdir()) == ["scores.json", "scores.json.lock"]


# What the state table keeps and tells.

TABLE = {"prefix": "ethereal", "hub_region": "us-west-2"}


@pytest.fixture
def table(aws):
    """The state table, empty."""
    client = boto3.client("dynamodb", region_name="us-west-2")
    client.create_table(
        TableName="ethereal-state",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        BillingMode="PAY_PER_REQUEST",
    )
    return boto3.resource("dynamodb", region_name="us-west-2").Table("ethereal-state")


def framed(pk, sk, **content):
    return {"pk": pk, "sk": sk, "schema_version": 1, "generation": 1, "epoch": 3, **content}


def test_a_hub_keeps_the_scores_for_everyone(rank, table, cache_home):
    table.put_item(Item=framed("placement", "current", placement={}, active_place=None))
    first, again = rank(**TABLE, cache_file=None), rank(**TABLE, cache_file=None)
    assert [call.operation for call in first.mutating] == ["PutItem"]
    assert again.mutating == []
    assert calls_of(again, "GetSpotPlacementScores") == []
    assert not cache_home.exists()
    (item,) = [each for each in table.scan()["Items"] if each["pk"] == "scores"]
    assert (item["schema_version"], item["generation"], item["epoch"]) == (1, 1, 3)
    assert item["expires_at"] == item["asked_at"] + 86_400
    assert item["question"]["regions"] == sorted(REGIONS)


def test_check_mode_leaves_the_table_alone(rank, table):
    assert rank(**TABLE, check_mode=True).mutating == []
    assert table.scan()["Count"] == 0


def test_a_later_answer_is_not_overwritten(rank, table):
    rank(**TABLE)
    (item,) = table.scan()["Items"]
    item["asked_at"] += 1000
    item["scores"][0]["score"] = 2
    table.put_item(Item=item)
    result = rank(**TABLE, refresh=True)
    assert not result.failed and "warnings" not in result
    assert table.scan()["Items"] == [item]


def test_a_table_that_is_not_there_yet_is_as_an_empty_one(rank, aws):
    result = rank(**TABLE)
    assert (result.failed, result.mutating) == (False, [])
    assert entry_of(result, "us-east-1")["score"] == 7
    assert "warnings" not in result


def test_a_table_that_is_denied_costs_only_what_it_would_tell(rank, recorder, aws_error):
    for operation in ("TransactGetItems", "Query", "PutItem"):
        recorder.answer("dynamodb", operation, aws_error("AccessDeniedException", "no"))
    result = rank(**TABLE)
    assert entry_of(result, "us-east-1")["score"] == 7
    assert {warning.partition(":")[0] for warning in result["warnings"]} == {
        "kept scores could not be read",
        "scores could not be kept",
        "failure ledger unknown",
        "losses seen so far unknown",
    }


def test_failed_launches_that_are_remembered_bar_their_pools(rank, table):
    now = int(time.time())
    pool = ledger.Pool("us-east-1", "us-east-1", None, "g5.xlarge", "spot")
    for name, entry in ledger.record({}, pool, "UnfulfillableCapacity", "none", now - 60).items():
        described = ledger.document(entry)
        del described["key"]
        table.put_item(Item=framed("ledger", name, **described))
    result = rank(**TABLE)
    entry = entry_of(result, "us-east-1")
    assert entry["verdict"] == "rejected"
    assert "no capacity for what was asked (UnfulfillableCapacity), barred for" in entry["reason"]
    assert result["best"]["place"] != "us-east-1"


def test_losses_that_were_seen_count(rank, table):
    table.put_item(
        Item=framed(
            "losses", "us-east-1/us-east-1-a/g5.xlarge", losses=300, exposure_seconds=360_000, since="2026-01-01"
        )
    )
    entry = entry_of(rank(**TABLE), "us-east-1")
    assert entry["observed"] == {"losses": 300, "hours": "100"}
    assert entry["expected"]["losses_per_hour"] == "2.8517"


def test_what_is_placed_already_has_its_room(rank, market, table):
    market.running = {"us-east-1": 16}
    placed = {"us-east-1": {"spot": 16, "on_demand": 0}}
    table.put_item(Item=framed("placement", "current", placement=placed, active_place="us-east-1"))
    assert passed(rank(**TABLE, target_capacity=16), "us-east-1")["quota"] is True
    assert passed(rank(**TABLE, target_capacity=17), "us-east-1")["quota"] is False


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"regions": ["us-east1"]}, "regions[0]: 'us-east1' is not a region's name; did you mean us-east-1?"),
        ({"regions": ["us-east-1", "us-east-1"]}, "regions: 'us-east-1' is listed twice"),
        ({"regions": []}, "regions: [] must name at least one"),
        ({"places": {}}, "places: {} must name at least one"),
        ({"places": {"A b": "us-east-1"}}, "places: 'A b' must match"),
        ({"places": {"tokyo": "Tokyo"}}, "places.tokyo: 'Tokyo' is not a region's name"),
        ({"instance_types": []}, "instance_types: [] must be a list with at least one entry"),
        ({"instance_types": ["g5.xlarge", "g5.xlarge"]}, "instance_types: 'g5.xlarge' is listed twice"),
        ({"instance_types": ["g5 xlarge"]}, "instance_types[0]: 'g5 xlarge' is not an instance type"),
        ({"target_capacity": 0}, "target_capacity: 0 must be a whole number from 1"),
        ({"target_capacity": -1}, "target_capacity: -1 must be a whole number from 1"),
        ({"timeout": 0}, "timeout: 0 must be a whole number from 1"),
        ({"strategy": "cheapest"}, "value of strategy must be one of"),
        ({"market": "reserved"}, "value of market must be one of"),
        ({"max_price": "cheap"}, "max_price: 'cheap' must be a finite number"),
        ({"max_price": "-1"}, "max_price: '-1' must be a finite number"),
        ({"max_price": "nan"}, "max_price: 'nan' must be a finite number"),
        ({"price_window_days": 91}, "price_window_days: 91 must be a whole number from 0 to 90"),
        ({"price_window_days": -1}, "price_window_days: -1 must be a whole number from 0 to 90"),
        ({"score_regions": ["sa-east"]}, "score_regions[0]: 'sa-east' is not a region's name"),
        ({"prefix": "ethereal"}, "parameters are required together"),
        ({"prefix": "AWS", "hub_region": "us-east-1"}, "prefix: 'AWS' must match"),
        ({"prefix": "ethereal", "hub_region": "useast"}, "hub_region: 'useast' is not a region's name"),
        ({"market": "on_demand", "on_demand_prices": False}, "on_demand_prices: False must be true"),
        ({"places": {"a": "us-east-1"}, "regions": ["us-east-1"]}, "mutually exclusive"),
    ],
)
def test_bad_input_fails_before_any_call(rank, params, message):
    result = rank(**params)
    assert result.failed
    assert message in result["msg"]
    assert result.calls == []
