# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading
from datetime import UTC
from datetime import datetime
from datetime import timedelta

import pytest

from ansible_collections.ethereal.spot.plugins.modules import spot_region_rank

REGIONS = ["us-east-1", "eu-west-1", "ap-northeast-1"]
NOW = datetime.now(UTC)


class Market:
    """EC2's answers in every region; moto has neither scores nor real prices."""

    def __init__(self, recorder):
        self.scores = {"us-east-1": 7, "eu-west-1": 9, "ap-northeast-1": 9}
        # region: [(zone letter, type, price)]
        self.prices = {
            "us-east-1": [("a", "g5.xlarge", "0.30")],
            "eu-west-1": [("a", "g5.xlarge", "10.10"), ("b", "g5.xlarge", "20")],
            "ap-northeast-1": [("c", "g4dn.xlarge", "9.50")],
        }
        self.offers = {}
        self.statuses = dict.fromkeys([*REGIONS, "us-west-2"], "opt-in-not-required")
        self.failures = {}
        for operation, answer in {
            "GetSpotPlacementScores": self.answer_scores,
            "DescribeSpotPriceHistory": self.answer_prices,
            "DescribeInstanceTypeOfferings": self.answer_offers,
            "DescribeRegions": self.answer_regions,
        }.items():
            recorder.answer("ec2", operation, self.failing(operation, answer))

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
                "Timestamp": NOW - timedelta(minutes=minutes),
            }
            for minutes, (letter, instance_type, price) in enumerate(self.prices.get(region, []))
            if instance_type in params["InstanceTypes"]
        ]
        start = int(params.get("NextToken", 0))
        answer = {"SpotPriceHistory": records[start : start + 1]}
        return answer | ({"NextToken": str(start + 1)} if start + 1 < len(records) else {})

    def answer_offers(self, params, region):
        types = self.offers.get(region, params["Filters"][0]["Values"])
        return {
            "InstanceTypeOfferings": [
                {"InstanceType": name, "LocationType": "availability-zone", "Location": f"{region}{letter}"}
                for name in types
                for letter in "abc"
            ]
        }

    def answer_regions(self, params, region):
        assert params == {"AllRegions": True}
        return {"Regions": [{"RegionName": name, "OptInStatus": status} for name, status in self.statuses.items()]}


@pytest.fixture
def market(recorder):
    return Market(recorder)


@pytest.fixture
def rank(market, run_module):
    def run(check_mode=False, **params):
        wish = {} if "places" in params else {"regions": REGIONS}
        return run_module(spot_region_rank, wish | params, check_mode=check_mode)

    return run


def order(result):
    return [entry["place"] for entry in result["ranking"]]


def calls_of(result, operation):
    return [call for call in result.calls if call.operation == operation]


def test_scores_first_then_prices_as_numbers(rank):
    result = rank()
    assert (result.failed, result["changed"]) == (False, False)
    assert order(result) == ["ap-northeast-1", "eu-west-1", "us-east-1"]
    best = result["best"]
    assert (best["price"], best["zone"], best["zone_id"]) == ("9.5", "ap-northeast-1c", "ap-northeast-1-c")
    assert result["rule"] == "score_then_price"
    assert result["record"]["rule"]["strategy"] == "auto"
    assert result["text"][-1].startswith("Best: ap-northeast-1, 9.5 USD")
    assert "warnings" not in result
    assert result.mutating == []


def test_check_mode_answers_the_same(rank):
    wet, dry = rank(), rank(check_mode=True)
    assert {key: wet[key] for key in ("ranking", "best", "record", "text")} == {
        key: dry[key] for key in ("ranking", "best", "record", "text")
    }


def test_the_score_request_is_canonical_and_goes_to_the_calling_region(rank):
    result = rank(regions=REGIONS[::-1], region="us-west-2", target_capacity=3, excluded=["eu-west-1"])
    first = calls_of(result, "GetSpotPlacementScores")[0]
    assert first.region == "us-west-2"
    assert first.params == {
        "RegionNames": sorted(REGIONS),
        "InstanceTypes": ["g4dn.xlarge", "g5.xlarge", "g6.xlarge"],
        "TargetCapacity": 5,
        "TargetCapacityUnitType": "units",
    }
    assert "eu-west-1" not in [entry["place"] for entry in result["ranking"] if entry["verdict"] == "candidate"]
    assert order(result)[-1] == "eu-west-1"


def test_prices_are_those_of_now_for_the_offered_types(rank, market):
    market.offers["us-east-1"] = ["g5.xlarge"]
    result = rank(product_description="Windows")
    call = next(call for call in calls_of(result, "DescribeSpotPriceHistory") if call.region == "us-east-1")
    assert call.params["InstanceTypes"] == ["g5.xlarge"]
    assert call.params["ProductDescriptions"] == ["Windows", "Windows (Amazon VPC)"]
    assert abs(call.params["StartTime"] - datetime.now(UTC)) < timedelta(minutes=1)
    assert "EndTime" not in call.params


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
    result = rank(regions=names)
    assert result["best"]["place"] == "us-west-2"
    assert result["ranking"][1]["score"] is None
    assert order(result)[1:] == names[:-1]
    assert result["warnings"] == [f"{', '.join(names[:-1])}: score unknown: MaxConfigLimitExceeded: wait for 24 hours"]


def test_without_any_score_the_price_decides(rank, market, aws_error):
    market.failures["GetSpotPlacementScores"] = aws_error(
        "UnauthorizedOperation", "no. Encoded authorization failure message: x"
    )
    result = rank()
    assert order(result) == ["us-east-1", "ap-northeast-1", "eu-west-1"]
    assert "score unknown: UnauthorizedOperation: no." in result["warnings"][0]
    assert "Encoded" not in str(result)


@pytest.mark.parametrize("operation", ["DescribeInstanceTypeOfferings", "DescribeSpotPriceHistory"])
def test_a_denied_region_fails_nobody_else(rank, market, aws_error, operation):
    market.failures[operation, "ap-northeast-1"] = aws_error("UnauthorizedOperation", "You may not.")
    result = rank()
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
    result = rank(timeout=1)
    release.set()
    assert result["best"]["place"] == "eu-west-1"
    assert result["ranking"][-1]["reason"] == "DeadlineExceeded: no answer within 1 seconds"


def test_slow_scores_leave_them_unknown(rank, market):
    release = threading.Event()
    market.failures["GetSpotPlacementScores"] = lambda: release.wait(20)
    result = rank(timeout=1)
    release.set()
    assert order(result) == ["us-east-1", "ap-northeast-1", "eu-west-1"]
    assert {entry["score"] for entry in result["ranking"]} == {None}


def test_a_region_with_an_unreadable_price_is_its_own_problem(rank, market):
    market.prices["ap-northeast-1"] = [("c", "g5.xlarge", "NaN")]
    result = rank()
    assert result["best"]["place"] == "eu-west-1"
    assert result["ranking"][-1]["reason"].startswith("UnreadableAnswer: price: 'NaN' must be")


def test_a_region_that_is_not_enabled_does_not_spoil_the_scores_of_the_others(rank, market):
    market.statuses["af-south-1"] = "not-opted-in"
    result = rank(regions=[*REGIONS, "af-south-1", "xx-east-9"])
    request = calls_of(result, "GetSpotPlacementScores")[0]
    assert request.params["RegionNames"] == sorted(REGIONS)
    reasons = {entry["place"]: entry["reason"] for entry in result["ranking"]}
    assert reasons["af-south-1"] == "the account has not enabled it (not-opted-in)"
    assert reasons["xx-east-9"] == "the partition has no such region"


def test_a_denied_list_of_regions_changes_nothing(rank, market, aws_error):
    market.failures["DescribeRegions"] = aws_error("UnauthorizedOperation")
    result = rank()
    assert result["best"]["place"] == "ap-northeast-1"
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
    result = rank()
    assert result["ranking"][-1]["reason"] == "no zone sells g4dn.xlarge or g5.xlarge or g6.xlarge on spot now"
    assert result["best"]["place"] == "eu-west-1"


def test_of_several_records_of_one_pool_the_last_counts(rank, market):
    # The list's first record is the newest.
    market.prices["ap-northeast-1"] = [("c", "g5.xlarge", "50"), ("c", "g5.xlarge", "0.01")]
    assert rank()["best"]["place"] == "eu-west-1"


def test_places_have_their_own_names(rank):
    result = rank(
        places={"tokyo": "ap-northeast-1", "osaka": "ap-northeast-1", "ireland": "eu-west-1"}, excluded=["osaka"]
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
    for operation in ("DescribeInstanceTypeOfferings", "GetSpotPlacementScores", "DescribeRegions"):
        market.failures[operation] = aws_error("AuthFailure", "no such key")
    result = rank()
    assert result.failed
    everywhere = "ap-northeast-1, eu-west-1, us-east-1"
    assert result["msg"] == f"no region could be asked: {everywhere}: AuthFailure: no such key"
    assert len(result["ranking"]) == 3


def test_few_types_are_warned_about(rank):
    assert "low score then says nothing" in rank(instance_types=["g5.xlarge"])["warnings"][0]


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
        ({"places": {"a": "us-east-1"}, "regions": ["us-east-1"]}, "mutually exclusive"),
    ],
)
def test_bad_input_fails_before_any_call(rank, params, message):
    result = rank(**params)
    assert result.failed
    assert message in result["msg"]
    assert result.calls == []
