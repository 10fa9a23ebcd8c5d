# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from ranking_kit import NOW
from ranking_kit import TYPES
from ranking_kit import decide
from ranking_kit import order
from ranking_kit import reason_of
from ranking_kit import survey
from ranking_kit import window
from ranking_kit import zoned

from ansible_collections.ethereal.spot.plugins.module_utils._brain.advisor import Advice
from ansible_collections.ethereal.spot.plugins.module_utils._brain.losses import Observed
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking import scores
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.decide import rank
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.order import RULES
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.survey import Memory
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.survey import Survey
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.wish import Wish

FEW = Advice(60, "<5%", 5)
MANY = Advice(60, ">20%", 100)


def test_a_dearer_place_with_fewer_interruptions_is_the_better_bargain():
    decision = decide(survey("oregon", 5, "0.30"), survey("ireland", 10, "0.33"))
    assert order(decision) == ["ireland", "oregon"]
    assert decision["rule"] == "expected_cost"
    assert reason_of(decision, "ireland") == "10 % dearer than oregon, but 56 % fewer interruptions expected"
    assert reason_of(decision, "oregon") == "9 % cheaper than ireland, but 2.3 times the interruptions"


def test_a_price_that_is_far_lower_outweighs_a_better_score():
    decision = decide(survey("oregon", 7, "0.20"), survey("ireland", 9, "0.80"))
    assert order(decision) == ["oregon", "ireland"]
    assert reason_of(decision, "oregon") == "cheapest, and the lowest expected cost"
    assert reason_of(decision, "ireland") == "300 % dearer than oregon, for 29 % fewer interruptions"
    assert decision["record"]["rule"]["reference"] == "ireland"


def test_an_unknown_score_is_neither_low_nor_last():
    decision = decide(survey("low", 1, "0.30"), survey("unknown", None, "0.30"), survey("high", 9, "0.30"))
    assert order(decision) == ["high", "unknown", "low"]
    assert reason_of(decision, "unknown").endswith("(score unknown, taken as 5)")
    assert [entry["score"] for entry in decision["ranking"]] == [9, None, 1]


def test_the_advisor_decides_between_equals():
    advised = [
        survey("calm", 7, "0.30", advice={TYPES[0]: FEW}),
        survey("rough", 7, "0.30", advice={TYPES[0]: MANY}),
        survey("silent", 7, "0.30"),
    ]
    decision = decide(*advised)
    assert order(decision) == ["calm", "silent", "rough"]
    assert [entry["advisor"] for entry in decision["ranking"]] == ["<5%", None, ">20%"]
    assert reason_of(decision, "silent") == "price as calm, twice the interruptions"


def test_own_losses_outweigh_what_others_say():
    calm, rough = survey("calm", 7, "0.30", advice={TYPES[0]: MANY}), survey("rough", 7, "0.30", advice={TYPES[0]: FEW})
    seen = {
        ("calm-az1", TYPES[0]): Observed(0, Decimal(100)),
        ("rough-az1", TYPES[0]): Observed(40, Decimal(50)),
    }
    decision = decide(calm, rough, memory=Memory(NOW, losses=seen))
    assert order(decision) == ["calm", "rough"]
    assert decision["ranking"][1]["observed"] == {"losses": 40, "hours": "50"}


def test_of_a_places_pools_the_one_of_the_lowest_expected_cost_stands_for_it():
    seen = {("r-a", "g5.xlarge"): Observed(50, Decimal(50))}
    pools = {("a", "g5.xlarge"): "0.40", ("b", "g5.xlarge"): "0.42"}
    one = zoned("r", pools, {None: 7})
    assert decide(one)["best"]["zone_id"] == "r-a"
    assert decide(one, memory=Memory(NOW, losses=seen))["best"]["zone_id"] == "r-b"
    assert decide(one, memory=Memory(NOW, losses=seen), strategy="score_then_price")["best"]["zone_id"] == "r-a"


def test_a_low_of_a_restless_price_is_taken_as_its_median():
    pool = ("restless-az1", TYPES[0])
    restless = survey("restless", 7, prices={pool: window("0.20", "0.40", "0.3")})
    decision = decide(restless, survey("steady", 7, "0.30"))
    assert order(decision) == ["steady", "restless"]
    assert decision["ranking"][1]["expected"]["price"] == "0.4"
    assert reason_of(decision, "steady") == "dearer now than restless, whose price is restless and usually 0.4"
    assert reason_of(decision, "restless") == "33 % dearer than steady (restless price, taken as 0.4)"
    assert order(decide(restless, survey("steady", 7, "0.30"), window_days=0)) == ["restless", "steady"]


def test_a_price_list_that_could_not_be_read_costs_its_region_nothing():
    known = survey("known", 5, "0.30", on_demand={TYPES[0]: Decimal(1)})
    unread = survey("unread", 5, "0.30", on_demand={}, on_demand_problem="AccessDenied: no")
    decision = decide(known, unread)
    assert [entry["expected"]["cost"] for entry in decision["ranking"]] == [decision["best"]["expected"]["cost"]] * 2
    assert [entry["savings_percent"] for entry in decision["ranking"]] == [70, None]


def test_without_any_price_list_work_is_worth_three_times_the_cheapest_spot_price():
    blind = [survey(name, 5, price, on_demand={}) for name, price in (("a", "0.30"), ("b", "0.40"))]
    seeing = [
        survey(name, 5, price, on_demand={TYPES[0]: Decimal("0.9")}) for name, price in (("a", "0.30"), ("b", "0.40"))
    ]
    costs = [[entry["expected"]["cost"] for entry in decide(*each)["ranking"]] for each in (blind, seeing)]
    assert costs[0] == costs[1]


def test_an_outage_costs_the_same_wherever_it_is():
    """On-demand prices differ by region and type; the work that is not done is worth the same."""
    decision = decide(
        survey("dear", 5, "0.30", on_demand={TYPES[0]: Decimal(9)}),
        survey("cheap", 5, "0.31", on_demand={TYPES[0]: Decimal(1)}),
    )
    assert order(decision) == ["dear", "cheap"]
    assert reason_of(decision, "cheap") == "3 % dearer than dear"


def test_small_differences_are_told_as_small():
    seen = {("b-az1", TYPES[0]): Observed(3, Decimal(6))}
    decision = decide(survey("a", 5, "0.3000"), survey("b", 5, "0.3001"), memory=Memory(NOW, losses=seen))
    assert reason_of(decision, "b") == "under 1 % dearer than a, but slightly fewer interruptions expected"
    assert reason_of(decision, "a") == "under 1 % cheaper than b, but slightly more interruptions"


def test_a_reason_names_what_made_the_difference():
    """Fewer interruptions do not explain why a place comes later: its launches do."""
    decision = decide(
        survey("hard", 1, "0.30", advice={TYPES[0]: FEW}),
        survey("easy", 5, "0.30", advice={TYPES[0]: Advice(60, "10-15%", 16)}),
    )
    assert order(decision) == ["easy", "hard"]
    assert reason_of(decision, "hard") == "price as easy, 10.0 attempts a launch, not 2.0"


def test_on_demand_goes_by_its_price_alone():
    decision = decide(
        survey("dear", 10, "0.1", on_demand={TYPES[0]: Decimal(2)}),
        survey("cheap", 1, "0.9", on_demand={TYPES[0]: Decimal(1)}),
        market="on_demand",
    )
    assert order(decision) == ["cheap", "dear"]
    assert decision["rule"] == "on_demand_price"
    assert [reason_of(decision, place) for place in ("cheap", "dear")] == ["cheapest at 1", "100 % dearer than cheap"]
    assert decision["record"]["rule"]["reference"] is None
    assert decision["best"]["expected"]["cost"] == "1"


def test_scores_of_single_zones_choose_the_zone():
    pools = {("a", "g5.xlarge"): "0.30", ("b", "g5.xlarge"): "0.35"}
    one = zoned("r", pools, {"r-a": 3, "r-b": 9})
    other = zoned("s", {("a", "g5.xlarge"): "0.10"}, {})
    by_score = decide(one, other, single_zone=True, strategy="score_then_price")
    assert order(by_score) == ["r", "s"]
    assert (by_score["best"]["zone_id"], by_score["best"]["score"]) == ("r-b", 9)
    assert decide(one, single_zone=True)["best"]["zone_id"] == "r-b"
    # A region's own score never stands for one of its zones.
    assert decide(zoned("r", pools, {None: 9}), single_zone=True)["best"]["score"] is None


def test_savings_are_rounded_down_and_may_be_losses():
    one, other = survey("a", 9, "0.301"), survey("b", 9, "1.2")
    decision = decide(one, other)
    assert [entry["savings_percent"] for entry in decision["ranking"]] == [69, -20]


def test_the_record_holds_what_decided_and_survives_json():
    decision = decide(survey("b", 9, "0.5"), survey("a", 9, "0.1234567"), target_capacity=3, excluded=["a"])
    record = decision["record"]
    assert json.loads(json.dumps(record)) == record
    inputs = record["inputs"]
    assert (inputs["scored_capacity"], inputs["market"], inputs["excluded"]) == (5, "spot", ["a"])
    assert inputs["regions"]["a"]["zones"] == [
        {"zone": "aa", "zone_id": "a-az1", "instance_type": "g4dn.xlarge", "price": "0.1234567", "score": 9}
    ]
    assert record["rule"] == {
        "strategy": "auto",
        "applied": "expected_cost",
        "text": RULES["expected_cost"],
        "reference": "b",
    }
    assert record["expected"]["hourly_cost"] == "1.5"
    assert record["expected"]["estimate"] == decision["best"]["expected"]
    assert record["alternatives"] == decision["ranking"]


def test_an_answer_that_was_kept_says_when_it_was_given():
    decision = decide(survey("a", 9, "0.5", asked_at=NOW - 3600, asked_in="us-west-2", kept=True))
    assert decision["best"]["score_asked_at"] == "2026-01-05T07:00:00+00:00"
    told = decision["record"]["inputs"]["regions"]["a"]
    assert (told["score_asked_in"], told["score_kept"]) == ("us-west-2", True)


PRICES = st.decimals(min_value="0.0001", max_value="99", places=4)


@st.composite
def markets(draw):
    regions = [f"r{number}" for number in range(draw(st.integers(1, 5)))]
    surveys = {}
    for region in regions:
        zones = {f"{region}-{letter}": f"{region}{letter}" for letter in "abc"[: draw(st.integers(0, 3))]}
        pools = st.tuples(st.sampled_from(sorted(zones) or ["none"]), st.sampled_from(TYPES))
        surveys[region] = Survey(
            region,
            enabled=draw(st.sampled_from([True, True, None, False])),
            zones=zones,
            offers={zone_id: frozenset(draw(st.sets(st.sampled_from(TYPES)))) for zone_id in zones},
            prices={
                pool: window(str(price), str(median), str(volatility))
                for pool, (price, median, volatility) in draw(
                    st.dictionaries(pools, st.tuples(PRICES, PRICES, st.decimals("0", "1", places=4)), max_size=6)
                ).items()
            },
            on_demand=draw(st.dictionaries(st.sampled_from(TYPES), PRICES)),
            on_demand_problem=draw(st.none() | st.just("AccessDenied: no")),
            scores=draw(st.dictionaries(st.sampled_from([None, *zones]), st.integers(1, 10))),
            advice=draw(st.dictionaries(st.sampled_from(TYPES), st.sampled_from([FEW, MANY]))),
            problem=draw(st.none() | st.none() | st.just("Broken: yes")),
        )
    names = draw(st.lists(st.sampled_from("abcdefgh"), min_size=1, unique=True))
    wish = Wish(
        {name: draw(st.sampled_from(regions)) for name in names},
        TYPES,
        draw(st.integers(1, 100)),
        draw(st.lists(st.sampled_from([*names, *regions]))),
        draw(st.sampled_from(["auto", "score_then_price"])),
        market=draw(st.sampled_from(["spot", "spot", "on_demand"])),
        max_price=draw(st.none() | PRICES),
        single_zone=draw(st.booleans()),
        window_days=draw(st.sampled_from([0, 7])),
    )
    return wish, surveys


@given(markets(), st.randoms(use_true_random=False))
@settings(max_examples=300)
def test_ranking_is_total_deterministic_and_never_takes_what_it_may_not(market, shuffler: random.Random):
    wish, surveys = market
    decision = rank(wish, surveys, Memory(NOW))
    entries = decision["ranking"]

    assert sorted(order(decision)) == sorted(wish.places)
    assert all(entry["reason"] for entry in entries)
    candidates = [entry for entry in entries if entry["verdict"] == "candidate"]
    assert entries[: len(candidates)] == candidates
    assert [entry["rank"] for entry in candidates] == list(range(1, len(candidates) + 1))
    assert decision["best"] == (candidates[0] if candidates else None)
    for entry in entries:
        survey = surveys[entry["region"]]
        failed = [each["name"] for each in entry["filters"] if each["passed"] is False]
        assert (entry["verdict"] == "candidate") == (not failed)
        assert ("excluded" in failed) == bool({entry["place"], entry["region"]} & set(wish.excluded))
        if entry["verdict"] == "candidate":
            assert survey.problem is None and survey.enabled is not False
            assert entry["instance_type"] in survey.offers[entry["zone_id"]]
            if entry["price"] is not None:
                assert wish.max_price is None or Decimal(entry["price"]) <= wish.max_price
            if wish.market == "spot":
                sold = survey.prices[entry["zone_id"], entry["instance_type"]]
                assert Decimal(entry["price"]) == sold.current

    def shuffled(items):
        items = list(items)
        shuffler.shuffle(items)
        return items

    again = Wish(
        **{
            **vars(wish),
            "places": dict(shuffled(wish.places.items())),
            "instance_types": shuffled(TYPES),
            "excluded": shuffled(wish.excluded),
        }
    )
    others = {
        region: Survey(**{**vars(one), "prices": dict(shuffled(one.prices.items()))})
        for region, one in shuffled(surveys.items())
    }
    assert rank(again, others, Memory(NOW)) == decision
    assert json.loads(json.dumps(decision)) == decision


@given(markets())
def test_each_rule_keeps_its_own_order(market):
    wish, surveys = market
    decision = rank(wish, surveys, Memory(NOW))
    candidates = [entry for entry in decision["ranking"] if entry["rank"]]

    def price(entry):
        return entry["price"] is None, Decimal(entry["price"] or 0)

    keys = {
        "score_then_price": lambda entry: (
            entry["score"] is None,
            -(entry["score"] or 0),
            price(entry),
            entry["place"],
        ),
        "expected_cost": lambda entry: (Decimal(entry["expected"]["cost"]), price(entry), entry["place"]),
        "on_demand_price": lambda entry: (price(entry), entry["place"]),
    }
    found = [keys[decision["rule"]](entry) for entry in candidates]
    assert found == sorted(found)


@given(markets())
def test_excluding_never_changes_what_is_asked_or_the_order_of_the_rest(market):
    wish, surveys = market
    free = Wish(**{**vars(wish), "excluded": ()})
    assert scores.questions(free) == scores.questions(wish)
    chosen = [entry["place"] for entry in rank(wish, surveys, Memory(NOW))["ranking"] if entry["rank"]]
    before = [entry["place"] for entry in rank(free, surveys, Memory(NOW))["ranking"] if entry["rank"]]
    assert chosen == [place for place in before if place in chosen]


@pytest.mark.parametrize("rule", sorted(RULES))
def test_every_rule_is_a_sentence_without_its_dot(rule):
    assert len(RULES[rule]) > 30 and not RULES[rule].endswith(".")
