# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ethereal.spot.plugins.module_utils._brain import ranking
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking import Price
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking import Survey
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking import Wish
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking_text import ranking_lines

TYPES = ("g4dn.xlarge", "g5.xlarge", "g6.xlarge")


def survey(region, score=None, price=None, **more):
    """A region with one zone that sells one type, unless told otherwise."""
    offers = {f"{region}a": frozenset(TYPES)}
    prices = [] if price is None else [Price(f"{region}a", f"{region}-az1", TYPES[0], Decimal(price))]
    return Survey(region, **{"offers": offers, "prices": prices, "score": score, **more})


def decide(*surveys, places=None, **wish):
    regions = {survey.region: survey for survey in surveys}
    wish = Wish(**{"places": places or {region: region for region in regions}, "instance_types": TYPES, **wish})
    return ranking.rank(wish, regions)


def order(decision):
    return [entry["place"] for entry in decision["ranking"]]


@pytest.mark.parametrize(
    ("asked", "step"),
    [
        (1, 1),
        (2, 2),
        (3, 5),
        (5, 5),
        (6, 10),
        (10, 10),
        (11, 20),
        (21, 50),
        (51, 100),
        (501, 1000),
        (1_999_999_999, 2 * 10**9),
    ],
)
def test_capacity_goes_up_to_a_step(asked, step):
    assert ranking.capacity_step(asked) == step


def test_score_requests_are_canonical():
    regions = [f"eu-west-{number}" for number in range(1, 10)] + [f"us-east-{number}" for number in range(1, 4)]
    one = Wish({region: region for region in regions}, TYPES, 3)
    shuffled = Wish(
        {f"p-{region}": region for region in reversed(regions)}, TYPES[::-1] + TYPES, 4, excluded=regions[:5]
    )
    requests = ranking.score_requests(one)
    assert requests == ranking.score_requests(shuffled)
    assert [len(request["regions"]) for request in requests] == [10, 2]
    assert [region for request in requests for region in request["regions"]] == sorted(regions)
    assert requests[0]["instance_types"] == sorted(TYPES)
    assert requests[0]["target_capacity"] == 5


def test_two_places_of_one_region_are_asked_for_once():
    wish = Wish({"a": "us-east-1", "b": "us-east-1"}, TYPES)
    assert ranking.score_requests(wish)[0]["regions"] == ["us-east-1"]
    assert ranking.score_requests(wish, ["us-east-1"]) == []


@pytest.mark.parametrize(
    ("types", "count"),
    [
        (TYPES, 3),
        (("g5.xlarge", "g5.xlarge"), 1),
        (("m3.xlarge", "m3d.xlarge"), 1),
        (("c6g.xlarge", "c6gd.xlarge", "c6gn.xlarge"), 2),
        (("g4dn.xlarge", "g4ad.xlarge"), 2),
        (("g5.xlarge", "g5.2xlarge"), 2),
        (("u-12tb1.112xlarge", "mac2-m2.metal"), 2),
    ],
)
def test_variations_of_a_type_are_not_different(types, count):
    assert ranking.different_types(types) == count


def test_warnings_name_what_makes_the_answer_weak():
    wish = Wish({"virginia": "us-east-1"}, ("g5.xlarge",), excluded=["virginia", "us-east-1", "us-west-9"])
    few, unknown = ranking.warnings_about(wish)
    assert "counts 1 different" in few and "low score" in few
    assert unknown == "excluded: 'us-west-9' is none of the places and regions"
    assert ranking.warnings_about(Wish({"a": "us-east-1"}, TYPES)) == []


def test_problems_are_told_once_with_their_regions():
    refused = {"score_problem": "MaxConfigLimitExceeded: wait"}
    surveys = [
        survey("b", **refused),
        survey("a", **refused),
        survey("c", problem="UnauthorizedOperation: no"),
        survey("d", 1),
    ]
    assert ranking.warnings_from({one.region: one for one in surveys}) == [
        "a, b: score unknown: MaxConfigLimitExceeded: wait",
        "c: UnauthorizedOperation: no",
    ]


def test_the_best_score_wins_over_the_cheapest_price():
    decision = decide(survey("a", 3, "0.10"), survey("b", 9, "0.90"))
    assert order(decision) == ["b", "a"]
    assert decision["best"]["place"] == "b"
    assert [entry["reason"] for entry in decision["ranking"]] == [
        "score 9 is the highest; cheapest at 0.9",
        "score 3 is below 9 of b",
    ]


def test_prices_are_compared_as_numbers():
    """The reference compares them as strings and takes 10.10 for less than 9.50."""
    decision = decide(survey("a", 9, "10.10"), survey("b", 9, "9.50"))
    assert order(decision) == ["b", "a"]
    assert decision["ranking"][1]["reason"] == "score 9 as b, dearer: 10.1 against 9.5"


def test_the_cheapest_zone_stands_for_its_region():
    """The reference takes the newest record of all zones: one at 20.0 stood for a region with one at 5.0."""
    prices = [Price("az", "a-az2", "g5.xlarge", Decimal("20.0")), Price("ay", "a-az1", "g4dn.xlarge", Decimal("5.0"))]
    offers = {"az": frozenset(TYPES), "ay": frozenset(TYPES)}
    decision = decide(survey("a", 9, offers=offers, prices=prices), survey("b", 9, "6.0"))
    assert order(decision) == ["a", "b"]
    best = decision["best"]
    assert (best["price"], best["zone"], best["zone_id"], best["instance_type"]) == ("5", "ay", "a-az1", "g4dn.xlarge")


def test_a_price_of_a_type_that_the_zone_does_not_offer_does_not_count():
    prices = [Price("ay", "a-az1", "g5.xlarge", Decimal("0.1")), Price("az", "a-az2", "g5.xlarge", Decimal("0.4"))]
    offers = {"ay": frozenset({"g4dn.xlarge"}), "az": frozenset({"g5.xlarge"})}
    assert decide(survey("a", 9, offers=offers, prices=prices))["best"]["zone"] == "az"


def test_equal_score_and_price_go_by_name_and_places_may_share_a_region():
    decision = decide(survey("us-east-1", 9, "0.5"), places={"two": "us-east-1", "one": "us-east-1"})
    assert order(decision) == ["one", "two"]
    assert decision["ranking"][1]["reason"] == "score 9 and price as one, later by name"


def test_an_unknown_score_is_not_a_low_one():
    refused = {"score_problem": "MaxConfigLimitExceeded: wait"}
    decision = decide(survey("a", price="0.1", **refused), survey("b", 1, "0.9"), survey("c", price="0.05"))
    assert order(decision) == ["b", "c", "a"]
    assert [entry["score"] for entry in decision["ranking"]] == [1, None, None]
    assert decision["ranking"][1]["reason"] == "score unknown (AWS gave none): after every known score"
    assert decision["ranking"][2]["reason"].startswith("score unknown (MaxConfigLimitExceeded: wait) as c, dearer")


def test_without_any_score_the_price_decides():
    decision = decide(survey("a", price="0.2"), survey("b", price="0.1"))
    assert decision["best"]["place"] == "b"
    assert decision["best"]["reason"] == "score unknown (AWS gave none), as for every other; cheapest at 0.1"


def test_those_that_cannot_be_chosen_come_last_with_their_reasons():
    decision = decide(
        survey("a", 9, "0.1"),
        survey("b", 8, "0.1"),
        survey("c", 10, problem="UnauthorizedOperation: no", offers={}),
        survey("d", 10, offers={}),
        survey("e", 10, prices=[]),
        survey("f", 2, "0.3", offers={"fa": frozenset({"g4dn.xlarge"})}),
        excluded=["a"],
    )
    assert [(entry["place"], entry["verdict"], entry["rank"]) for entry in decision["ranking"]] == [
        ("b", "candidate", 1),
        ("f", "candidate", 2),
        ("d", "rejected", None),
        ("e", "rejected", None),
        ("c", "unreachable", None),
        ("a", "excluded", None),
    ]
    reasons = {entry["place"]: entry["reason"] for entry in decision["ranking"]}
    assert reasons == {
        "a": "excluded by the caller",
        "b": "score 8 is the highest; cheapest at 0.1",
        "c": "UnauthorizedOperation: no",
        "d": "the region offers none of g4dn.xlarge, g5.xlarge, g6.xlarge",
        "e": "no zone sells g4dn.xlarge or g5.xlarge or g6.xlarge on spot now",
        "f": "score 2 is below 8 of b; does not offer g5.xlarge, g6.xlarge",
    }


def test_a_region_excludes_all_its_places():
    decision = decide(
        survey("us-east-1", 9, "0.5"), places={"x": "us-east-1", "y": "us-east-1"}, excluded=["us-east-1"]
    )
    assert decision["best"] is None
    assert {entry["reason"] for entry in decision["ranking"]} == {"its region us-east-1 is excluded by the caller"}
    assert decision["record"]["expected"] is None


def test_the_record_holds_what_decided_and_survives_json():
    decision = decide(survey("b", 9, "0.5"), survey("a", 9, "0.1234567"), target_capacity=3, excluded=["a"])
    record = decision["record"]
    assert json.loads(json.dumps(record)) == record
    assert record["inputs"]["scored_capacity"] == 5
    assert record["inputs"]["regions"]["a"]["zones"] == [
        {"zone": "aa", "zone_id": "a-az1", "instance_type": "g4dn.xlarge", "price": "0.1234567"}
    ]
    assert record["rule"] == {
        "strategy": "auto",
        "applied": "score_then_price",
        "text": ranking.RULES["score_then_price"],
    }
    assert record["expected"]["hourly_cost"] == "1.5"
    assert record["alternatives"] == decision["ranking"]
    assert decision["rule"] == "score_then_price"


def test_the_table_is_aligned_and_says_all():
    decision = decide(
        survey("us-east-1", 9, "0.5"),
        survey("eu-west-1", 9, "10.0625"),
        survey("ap-south-1", problem="AuthFailure: no"),
    )
    assert ranking_lines(decision) == [
        "1 x g4dn.xlarge or g5.xlarge or g6.xlarge, Linux/UNIX",
        f"Rule auto: {ranking.RULES['score_then_price']}.",
        "",
        "rank  place       score    USD/h  zone                      type         why",
        "----  ----------  -----  -------  ------------------------  -----------  " + "-" * 49,
        "   1  us-east-1       9   0.5000  us-east-1a us-east-1-az1  g4dn.xlarge  score 9 is the highest; cheapest at 0.5",
        "   2  eu-west-1       9  10.0625  eu-west-1a eu-west-1-az1  g4dn.xlarge  score 9 as us-east-1, dearer: "
        "10.0625 against 0.5",
        "   -  ap-south-1      -        -  -                         -            unreachable: AuthFailure: no",
        "",
        "Best: us-east-1, 0.5 USD an hour in all at the cheapest current price.",
    ]


def test_the_table_names_regions_only_where_places_are_called_otherwise():
    lines = ranking_lines(decide(survey("us-east-1", 1, "0.5"), places={"virginia": "us-east-1"}, target_capacity=4))
    assert lines[3].split() == ["rank", "place", "region", "score", "USD/h", "zone", "type", "why"]
    assert lines[-1] == "Best: virginia (us-east-1), 2 USD an hour in all at the cheapest current price."
    assert ranking_lines(decide(survey("a", 1)))[-1] == "No place is left."


prices = st.decimals(min_value="0.0001", max_value="99", places=4)


@st.composite
def markets(draw):
    regions = [f"r{number}" for number in range(draw(st.integers(1, 6)))]
    surveys = {}
    for region in regions:
        zones = [f"{region}{letter}" for letter in "abc"[: draw(st.integers(0, 3))]]
        offers = {zone: frozenset(draw(st.sets(st.sampled_from(TYPES)))) for zone in zones}
        sold = draw(st.lists(st.tuples(st.sampled_from(zones or ["none"]), st.sampled_from(TYPES), prices), max_size=6))
        surveys[region] = Survey(
            region,
            offers,
            [Price(zone, None, instance_type, amount) for zone, instance_type, amount in sold],
            draw(st.none() | st.integers(1, 10)),
            problem=draw(st.none() | st.none() | st.just("Broken: yes")),
        )
    names = draw(st.lists(st.sampled_from("abcdefgh"), min_size=1, unique=True))
    places = {name: draw(st.sampled_from(regions)) for name in names}
    excluded = draw(st.lists(st.sampled_from([*names, *regions])))
    return Wish(places, TYPES, draw(st.integers(1, 100)), excluded), surveys


@given(markets(), st.randoms(use_true_random=False))
def test_ranking_is_total_deterministic_and_never_takes_what_it_may_not(market, shuffler: random.Random):
    wish, surveys = market
    decision = ranking.rank(wish, surveys)
    entries = decision["ranking"]

    assert sorted(order(decision)) == sorted(wish.places)
    assert all(entry["reason"] for entry in entries)
    candidates = [entry for entry in entries if entry["verdict"] == "candidate"]
    assert entries[: len(candidates)] == candidates
    assert [entry["rank"] for entry in candidates] == list(range(1, len(candidates) + 1))
    assert decision["best"] == (candidates[0] if candidates else None)

    keys = [
        (entry["score"] is None, -(entry["score"] or 0), Decimal(entry["price"]), entry["place"])
        for entry in candidates
    ]
    assert keys == sorted(keys)
    for entry in entries:
        survey = surveys[entry["region"]]
        if {entry["place"], entry["region"]} & set(wish.excluded):
            assert entry["verdict"] == "excluded"
        elif survey.problem:
            assert entry["verdict"] == "unreachable"
        else:
            sold = [price.amount for price in survey.prices if price.instance_type in survey.offers.get(price.zone, ())]
            assert entry["verdict"] == ("candidate" if sold else "rejected")
            assert entry["price"] is None or Decimal(entry["price"]) == min(sold)

    def shuffled(items):
        items = list(items)
        shuffler.shuffle(items)
        return items

    again = Wish(dict(shuffled(wish.places.items())), shuffled(TYPES), wish.target_capacity, shuffled(wish.excluded))
    others = {
        region: Survey(region, one.offers, shuffled(one.prices), one.score, one.score_problem, one.problem)
        for region, one in shuffled(surveys.items())
    }
    assert ranking.rank(again, others) == decision
    assert json.loads(json.dumps(decision)) == decision


@given(markets())
def test_excluding_never_changes_what_is_asked_or_the_order_of_the_rest(market):
    wish, surveys = market
    free = Wish(wish.places, wish.instance_types, wish.target_capacity)
    assert ranking.score_requests(free) == ranking.score_requests(wish)
    chosen = [entry["place"] for entry in ranking.rank(wish, surveys)["ranking"] if entry["verdict"] == "candidate"]
    before = [entry["place"] for entry in ranking.rank(free, surveys)["ranking"] if entry["verdict"] == "candidate"]
    assert chosen == [place for place in before if place in chosen]
