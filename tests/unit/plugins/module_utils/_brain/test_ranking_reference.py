# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`score_then_price` against the reference hub's rule, written down anew, and that hub's known mistakes."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ranking_kit import NOW
from ranking_kit import TYPES
from ranking_kit import decide
from ranking_kit import order
from ranking_kit import survey
from ranking_kit import window
from ranking_kit import wish_for
from ranking_kit import zoned

from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking import scores
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.decide import rank
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.survey import Memory


def reference(regions: dict[str, tuple[int, str]], excluded: set[str] = frozenset()) -> str | None:
    """The rule: of the regions that are not excluded those with the best score; of these the cheapest by its latest price."""
    left = {region: told for region, told in regions.items() if region not in excluded}
    if not left:
        return None
    best = max(score for score, _price in left.values())
    tied = {region: Decimal(price) for region, (score, price) in left.items() if score == best}
    return min(tied, key=lambda region: (tied[region], region))


def chosen(regions, excluded=(), **more):
    surveys = [survey(region, score, price) for region, (score, price) in regions.items()]
    decision = decide(*surveys, strategy="score_then_price", excluded=list(excluded), **more)
    return decision["best"] and decision["best"]["place"]


@pytest.mark.parametrize(
    ("regions", "excluded", "best"),
    [
        ({"a": (9, "0.5")}, set(), "a"),
        ({"a": (9, "0.5"), "b": (8, "0.1")}, set(), "a"),
        ({"a": (9, "0.5"), "b": (9, "0.4")}, set(), "b"),
        ({"a": (9, "0.5"), "b": (9, "0.4"), "c": (10, "9")}, set(), "c"),
        ({"a": (9, "0.5"), "b": (9, "0.4"), "c": (10, "9")}, {"c"}, "b"),
        ({"a": (9, "0.5"), "b": (9, "0.4"), "c": (10, "9")}, {"b", "c"}, "a"),
        ({"a": (1, "0.5"), "b": (1, "0.5")}, set(), "a"),
        ({"a": (9, "0.5")}, {"a"}, None),
    ],
)
def test_the_rule_of_the_reference(regions, excluded, best):
    assert reference(regions, excluded) == best
    assert chosen(regions, excluded) == best


REGIONS = [f"r{number}" for number in range(6)]
PRICES = st.decimals("0.0001", "99", places=4).map(str)


@given(
    st.dictionaries(st.sampled_from(REGIONS), st.tuples(st.integers(1, 10), PRICES), min_size=1),
    st.sets(st.sampled_from(REGIONS)),
)
def test_the_rule_of_the_reference_on_any_market(regions, excluded):
    assert chosen(regions, excluded) == reference(regions, excluded)


def test_19_prices_are_compared_as_numbers():
    """As strings 10.10 is less than 9.50."""
    assert chosen({"a": (9, "10.10"), "b": (9, "9.50")}) == "b"


def test_20_the_cheapest_zone_stands_for_its_region():
    """The newest record of all zones let one at 20.0 stand for a region with another at 5.0."""
    one = zoned("a", {("a", "g5.xlarge"): "20.0", ("b", "g4dn.xlarge"): "5.0"}, {None: 9})
    decision = decide(one, survey("b", 9, "6.0"), strategy="score_then_price")
    assert order(decision) == ["a", "b"]
    best = decision["best"]
    assert (best["price"], best["zone"], best["zone_id"], best["instance_type"]) == ("5", "ab", "a-b", "g4dn.xlarge")


def test_21_a_tied_region_without_a_price_is_passed_over():
    """max() of an empty sequence, for ever."""
    decision = decide(survey("a", 9), survey("b", 9, "6.0"), strategy="score_then_price")
    assert decision["best"]["place"] == "b"
    assert [entry["verdict"] for entry in decision["ranking"]] == ["candidate", "rejected"]


def test_22_scores_are_asked_for_every_type_and_what_is_wanted():
    """One type, which makes every score low, and a capacity of 1."""
    (question,) = scores.questions(wish_for(survey("us-east-1"), target_capacity=16))
    assert question.instance_types == tuple(sorted(TYPES))
    assert question.target_capacity == 20


def test_23_no_request_names_more_than_ten_regions():
    """All 17 enabled regions at once are refused."""
    regions = [survey(f"us-east-{number}") for number in range(10)] + [
        survey(f"eu-west-{number}") for number in range(7)
    ]
    asked = [question.regions for question in scores.questions(wish_for(*regions))]
    assert [len(batch) for batch in asked] == [10, 7]
    assert {region for batch in asked for region in batch} == {each.region for each in regions}


def test_24_an_exclusion_is_no_new_question():
    """Each exclusion burnt one of the day's questions, so failing over ended in a refusal."""
    regions = [survey("us-east-1"), survey("us-west-2"), survey("eu-west-1")]
    asked = [scores.questions(wish_for(*regions, excluded=gone)) for gone in ([], ["us-west-2"], ["eu-west-1"])]
    assert asked[0] == asked[1] == asked[2]


def test_24_a_refused_score_is_unknown_and_not_low():
    refused = {"score_problem": "MaxConfigLimitExceeded: wait"}
    decision = decide(
        survey("a", price="0.1", **refused),
        survey("b", 1, "0.9"),
        survey("c", price="0.05"),
        strategy="score_then_price",
    )
    assert order(decision) == ["b", "c", "a"]
    assert [entry["score"] for entry in decision["ranking"]] == [1, None, None]
    assert decision["ranking"][1]["reason"] == "score unknown (AWS gave none): after every known score"
    assert decision["ranking"][2]["reason"].startswith("score unknown (MaxConfigLimitExceeded: wait) as c, dearer")


def test_24_without_any_score_the_price_decides():
    decision = decide(survey("a", price="0.2"), survey("b", price="0.1"), strategy="score_then_price")
    assert decision["best"]["place"] == "b"
    assert decision["best"]["reason"] == "score unknown (AWS gave none), as for every other; cheapest at 0.1"


def test_25_offers_ceilings_and_quotas_are_hard_and_a_small_price_difference_may_outweigh_a_score():
    """No offerings, quota, on-demand price or ceiling; and the price counted only where scores were exactly equal."""
    unoffered = survey("unoffered", 10, "0.1", offers={})
    full = survey("full", 10, "0.1", limits={"L-3819A6DF": Decimal(0)}, in_use={}, vcpus=dict.fromkeys(TYPES, 4))
    dear, ok = survey("dear", 10, "0.9"), survey("ok", 5, "0.5", **{"limits": {}, "in_use": {}, "vcpus": {}})
    decision = decide(
        unoffered, full, dear, ok, check_quota=True, max_price=Decimal("0.8"), strategy="score_then_price"
    )
    assert decision["best"]["place"] == "ok"
    assert {entry["verdict"] for entry in decision["ranking"][1:]} == {"rejected"}
    near = decide(survey("a", 9, "0.60"), survey("b", 8, "0.30"))
    assert near["best"]["place"] == "b"


def test_26_nothing_left_is_an_answer_of_the_same_form():
    decision = decide(survey("a", 9, "0.5"), excluded=["a"], strategy="score_then_price")
    assert decision["best"] is None
    assert decision["record"]["expected"] is None
    assert [entry["verdict"] for entry in decision["ranking"]] == ["excluded"]


def test_27_only_places_are_chosen_whatever_else_is_known():
    """A region without a worker could be chosen."""
    known = {each.region: each for each in (survey("deployed", 1, "9"), survey("elsewhere", 10, "0.1"))}
    decision = rank(wish_for(known["deployed"]), known, Memory(NOW))
    assert order(decision) == ["deployed"]


def test_the_reasons_say_what_decided():
    decision = decide(
        survey("a", 3, "0.10"), survey("b", 9, "10.10"), survey("c", 9, "9.50"), strategy="score_then_price"
    )
    assert [(entry["place"], entry["reason"]) for entry in decision["ranking"]] == [
        ("c", "score 9 is the highest; cheapest at 9.5"),
        ("b", "score 9 as c, dearer: 10.1 against 9.5"),
        ("a", "score 3 is below 9 of b"),
    ]
    assert decision["rule"] == "score_then_price"


def test_equal_score_and_price_go_by_name_and_places_may_share_a_region():
    places = {"two": "us-east-1", "one": "us-east-1"}
    decision = decide(survey("us-east-1", 9, "0.5"), places=places, strategy="score_then_price")
    assert order(decision) == ["one", "two"]
    assert decision["ranking"][1]["reason"] == "score 9 and price as one, later by name"


def test_the_price_in_force_decides_not_the_median():
    pool = ("a-az1", TYPES[0])
    one = survey("a", 9, prices={pool: window("0.2", "0.9", "0.9")})
    decision = decide(one, survey("b", 9, "0.3"), strategy="score_then_price")
    assert decision["best"]["place"] == "a"
