# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from decimal import Decimal

import pytest
from ranking_kit import NOW
from ranking_kit import TYPES
from ranking_kit import decide
from ranking_kit import filters_of
from ranking_kit import reason_of
from ranking_kit import survey
from ranking_kit import verdicts
from ranking_kit import window
from ranking_kit import zoned

from ansible_collections.ethereal.spot.plugins.module_utils._brain import ledger
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.survey import Memory

NAMES = ("excluded", "opted_in", "reachable", "offered", "sold", "price_ceiling", "quota", "ledger")
LIMIT = {"L-3819A6DF": Decimal(16)}
VCPUS = dict.fromkeys(TYPES, 4)


def detail(decision, place, name):
    entry = next(each for each in decision["ranking"] if each["place"] == place)
    return next(each["detail"] for each in entry["filters"] if each["name"] == name)


def failed(region, zone, instance_type, code, market="spot", place=None):
    """A ledger with one failed launch, a minute ago."""
    pool = ledger.Pool(place or region, region, zone, instance_type, market)
    return ledger.record({}, pool, code, "as the test says", NOW - 60)


def test_every_place_has_every_filters_verdict():
    decision = decide(survey("a", 9, "0.5"), survey("b", problem="DeadlineExceeded: late"), excluded=["a"])
    for entry in decision["ranking"]:
        assert tuple(each["name"] for each in entry["filters"]) == NAMES
        assert all(each["detail"] for each in entry["filters"])


def test_a_place_that_passes():
    passed = filters_of(decide(survey("a", 9, "0.5")), "a")
    # Quotas were not asked for.
    assert passed == {**dict.fromkeys(NAMES, True), "quota": None}


def test_the_first_filter_that_fails_gives_the_verdict_and_the_reason():
    decision = decide(
        survey("ok", 9, "0.1"),
        survey("denied", 10, problem="UnauthorizedOperation: no", offers={}),
        survey("shut", 10, enabled=False, enabled_word="not-opted-in", problem="AuthFailure: no"),
        survey("void", 10, enabled=False, enabled_word=None, problem="EndpointConnectionError: no"),
        survey("none", 10, offers={}),
        survey("unsold", 10),
        survey("dear", 10, "0.6"),
        survey("gone", 10, "0.1"),
        excluded=["gone"],
        max_price=Decimal("0.5"),
    )
    assert [(entry["place"], entry["verdict"], entry["rank"]) for entry in decision["ranking"]] == [
        ("ok", "candidate", 1),
        ("dear", "rejected", None),
        ("none", "rejected", None),
        ("shut", "rejected", None),
        ("unsold", "rejected", None),
        ("void", "rejected", None),
        ("denied", "unreachable", None),
        ("gone", "excluded", None),
    ]
    assert {entry["place"]: entry["reason"] for entry in decision["ranking"][1:]} == {
        "dear": "the cheapest costs 0.6 USD/h, the ceiling is 0.5",
        "denied": "UnauthorizedOperation: no",
        "gone": "excluded by the caller",
        "none": "the region offers none of g4dn.xlarge, g5.xlarge, g6.xlarge",
        "shut": "the account has not enabled it (not-opted-in)",
        "unsold": "no zone sells g4dn.xlarge or g5.xlarge or g6.xlarge on spot now",
        "void": "the partition has no such region",
    }


def test_a_region_excludes_all_its_places():
    decision = decide(
        survey("us-east-1", 9, "0.5"), places={"x": "us-east-1", "y": "us-east-1"}, excluded=["us-east-1"]
    )
    assert decision["best"] is None
    assert {entry["reason"] for entry in decision["ranking"]} == {"its region us-east-1 is excluded by the caller"}


def test_a_region_that_is_not_enabled_is_not_judged_by_its_misleading_answer():
    decision = decide(survey("a", enabled=False, enabled_word="not-opted-in", problem="AuthFailure: bad key"))
    assert filters_of(decision, "a")["reachable"] is None
    assert "AuthFailure" not in str(decision["ranking"][0])


def test_an_unknown_opt_in_status_rules_nothing_out():
    decision = decide(survey("a", 9, "0.5", enabled=None, enabled_word=None))
    assert filters_of(decision, "a")["opted_in"] is None
    assert verdicts(decision) == {"a": "candidate"}


def test_offers_are_told_by_zone_id():
    decision = decide(zoned("r", {("a", "g5.xlarge"): "0.4"}, offers={"r-a": frozenset({"g5.xlarge"})}))
    assert detail(decision, "r", "offered") == "g5.xlarge in r-a; not g4dn.xlarge, g6.xlarge"


def test_a_price_of_a_type_that_the_zone_does_not_offer_does_not_count():
    offers = {"r-a": frozenset({"g4dn.xlarge"}), "r-b": frozenset({"g5.xlarge"})}
    decision = decide(zoned("r", {("a", "g5.xlarge"): "0.1", ("b", "g5.xlarge"): "0.4"}, offers=offers))
    assert (decision["best"]["zone_id"], decision["best"]["price"]) == ("r-b", "0.4")
    assert detail(decision, "r", "sold") == "1 of 2 pools (a type in a zone) has a price"


def test_a_ceiling_takes_pools_and_the_place_only_with_the_last():
    pools = {("a", "g5.xlarge"): "0.4", ("b", "g5.xlarge"): "0.6"}
    low, high = decide(zoned("r", pools), max_price=Decimal("0.4")), decide(zoned("r", pools), max_price=Decimal("0.3"))
    assert low["best"]["zone_id"] == "r-a"
    assert high["best"] is None
    # What it would have cost is told all the same.
    assert (high["ranking"][0]["price"], high["ranking"][0]["zone_id"]) == ("0.4", "r-a")
    assert filters_of(high, "r")["ledger"] is None


@pytest.mark.parametrize(
    ("used", "capacity", "held", "passed"),
    [(0, 4, 0, True), (0, 5, 0, False), (12, 1, 0, True), (13, 1, 0, False), (16, 4, 4, True), (16, 5, 4, False)],
)
def test_a_quota_needs_room_for_what_does_not_run_yet(used, capacity, held, passed):
    known = {"limits": LIMIT, "in_use": {("G and VT", "spot"): used}, "vcpus": VCPUS}
    memory = Memory(NOW, placement={"a": {"spot": held, "on_demand": 0}})
    decision = decide(survey("a", 9, "0.5", **known), memory=memory, target_capacity=capacity, check_quota=True)
    assert filters_of(decision, "a")["quota"] is passed
    assert verdicts(decision) == {"a": "candidate" if passed else "rejected"}
    assert "L-3819A6DF" in detail(decision, "a", "quota")


def test_the_quota_of_the_other_market_says_nothing():
    known = {"limits": LIMIT, "in_use": {("G and VT", "on_demand"): 16}, "vcpus": VCPUS}
    assert verdicts(decide(survey("a", 9, "0.5", **known), check_quota=True)) == {"a": "candidate"}


@pytest.mark.parametrize(
    ("missing", "why"), [("limits", "AccessDenied: no"), ("in_use", "AccessDenied: no"), ("vcpus", "vCPUs of")]
)
def test_a_quota_that_is_not_known_rejects_nothing(missing, why):
    known = {"limits": LIMIT, "in_use": {("G and VT", "spot"): 16}, "vcpus": VCPUS, missing: None}
    decision = decide(survey("a", 9, "0.5", quota_problem="AccessDenied: no", **known), check_quota=True)
    assert filters_of(decision, "a")["quota"] is None
    assert why in detail(decision, "a", "quota")
    assert verdicts(decision) == {"a": "candidate"}


def test_a_full_quota_of_one_family_leaves_the_pools_of_another():
    pools = {("a", "g5.xlarge"): "0.4", ("a", "p3.2xlarge"): "0.9"}
    known = {
        "offers": {"r-a": frozenset({"g5.xlarge", "p3.2xlarge"})},
        "limits": {"L-3819A6DF": Decimal(0), "L-7212CCBC": Decimal(64)},
        "in_use": {},
        "vcpus": {"g5.xlarge": 4, "p3.2xlarge": 8},
    }
    decision = decide(zoned("r", pools, **known), check_quota=True, instance_types=["g5.xlarge", "p3.2xlarge"])
    assert decision["best"]["instance_type"] == "p3.2xlarge"


def test_a_failed_launch_takes_its_pool_and_leaves_the_others():
    pools = {("a", "g5.xlarge"): "0.4", ("b", "g5.xlarge"): "0.6"}
    memory = Memory(NOW, ledger=failed("r", "ra", "g5.xlarge", "InsufficientInstanceCapacity"))
    decision = decide(zoned("r", pools), memory=memory)
    assert decision["best"]["zone_id"] == "r-b"
    assert filters_of(decision, "r")["ledger"] is True
    assert "no capacity (InsufficientInstanceCapacity), barred for" in detail(decision, "r", "ledger")


@pytest.mark.parametrize("code", ["UnfulfillableCapacity", "MaxSpotInstanceCountExceeded", "UnauthorizedOperation"])
def test_a_failure_of_the_whole_region_rejects_the_place_until_it_expires(code):
    known = failed("r", None, "g5.xlarge", code)
    (entry,) = known.values()
    pools = {("a", "g5.xlarge"): "0.4", ("b", "g5.xlarge"): "0.6"}
    barred = decide(zoned("r", pools), memory=Memory(NOW, ledger=known))
    assert verdicts(barred) == {"r": "rejected"}
    assert code in reason_of(barred, "r")
    assert verdicts(decide(zoned("r", pools), memory=Memory(entry.expires, ledger=known))) == {"r": "candidate"}


def test_a_throttled_call_bars_nothing():
    known = failed("r", None, "g5.xlarge", "RequestLimitExceeded")
    assert known
    assert verdicts(decide(zoned("r", {("a", "g5.xlarge"): "0.4"}), memory=Memory(NOW, ledger=known))) == {
        "r": "candidate"
    }


def test_a_spot_failure_does_not_bar_on_demand():
    known = failed("r", "ra", "g5.xlarge", "InsufficientInstanceCapacity")
    one = zoned("r", {("a", "g5.xlarge"): "0.4"}, offers={"r-a": frozenset({"g5.xlarge"})})
    assert verdicts(decide(one, memory=Memory(NOW, ledger=known), market="on_demand")) == {"r": "candidate"}


def test_on_demand_prices_that_are_not_known_reject_nothing():
    unknown = survey("a", on_demand={}, on_demand_problem="AccessDenied: no")
    unsold = survey("b", on_demand={})
    decision = decide(unknown, unsold, survey("c"), market="on_demand", max_price=Decimal(2))
    assert verdicts(decision) == {"c": "candidate", "a": "candidate", "b": "rejected"}
    assert [entry["price"] for entry in decision["ranking"]] == ["1", None, None]
    passed = filters_of(decision, "a")
    assert (passed["sold"], passed["price_ceiling"]) == (None, None)
    assert reason_of(decision, "b") == "g4dn.xlarge or g5.xlarge or g6.xlarge has no on-demand price here"


def test_a_window_is_not_needed_for_the_price_in_force():
    decision = decide(survey("a", 9, "0.5"), window_days=0)
    assert decision["best"]["price_window"] is None
    one = survey("a", 9, prices={("a-az1", "g5.xlarge"): window("0.5", "0.4", "0.0312")})
    found = decide(one, window_days=30)["best"]["price_window"]
    assert found == {"days": 30, "median": "0.4", "worst": "0.5", "volatility": "0.0312"}
