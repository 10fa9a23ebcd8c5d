# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ranking_kit import TYPES

from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking import scores
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.scores import Answer
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.scores import Score
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.wish import Wish
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.wish import different_types
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.wish import warnings_about

REGIONS = [f"eu-west-{number}" for number in range(1, 10)] + [f"us-east-{number}" for number in range(1, 4)]
ENDPOINT = "https://ec2.*.amazonaws.com"


@pytest.mark.parametrize(
    ("asked", "step"),
    [
        (1, 1),
        (2, 2),
        (3, 5),
        (5, 5),
        (6, 10),
        (11, 20),
        (21, 50),
        (51, 100),
        (501, 1000),
        (1_999_999_999, 2 * 10**9),
    ],
)
def test_capacity_goes_up_to_a_step(asked, step):
    assert scores.capacity_step(asked) == step


def test_questions_are_canonical():
    one = Wish({region: region for region in REGIONS}, TYPES, 3)
    other = Wish({f"p-{region}": region for region in reversed(REGIONS)}, TYPES[::-1] + TYPES, 4, excluded=REGIONS[:5])
    questions = scores.questions(one)
    assert questions == scores.questions(other)
    assert [len(question.regions) for question in questions] == [10, 2]
    assert [region for question in questions for region in question.regions] == sorted(REGIONS)
    assert questions[0].instance_types == tuple(sorted(TYPES))
    assert (questions[0].target_capacity, questions[0].single_zone) == (5, False)


def test_two_places_of_one_region_are_asked_for_once():
    wish = Wish({"a": "us-east-1", "b": "us-east-1"}, TYPES)
    assert scores.questions(wish)[0].regions == ("us-east-1",)
    assert scores.questions(wish, ["us-east-1"]) == []


def test_in_china_every_region_is_asked_of_itself():
    wish = Wish({region: region for region in ("cn-north-1", "us-east-1", "cn-northwest-1")}, TYPES)
    asked = {question.regions: question.only_from for question in scores.questions(wish)}
    assert asked == {("cn-north-1",): "cn-north-1", ("cn-northwest-1",): "cn-northwest-1", ("us-east-1",): None}


def test_the_two_kinds_of_scores_are_different_questions():
    wish = Wish({"a": "us-east-1"}, TYPES)
    region = scores.questions(wish)[0]
    zone = scores.questions(Wish({"a": "us-east-1"}, TYPES, single_zone=True))[0]
    assert zone.single_zone and not region.single_zone
    assert scores.fingerprint(region, ENDPOINT) != scores.fingerprint(zone, ENDPOINT)


@given(st.permutations(REGIONS), st.permutations(TYPES), st.integers(6, 10), st.sets(st.sampled_from(REGIONS)))
def test_the_same_question_has_the_same_fingerprint(regions, types, capacity, excluded):
    one = Wish({region: region for region in REGIONS}, TYPES, 10)
    other = Wish({region: region for region in regions}, types, capacity, excluded=sorted(excluded))
    assert [scores.fingerprint(each, ENDPOINT) for each in scores.questions(one)] == [
        scores.fingerprint(each, ENDPOINT) for each in scores.questions(other)
    ]


def test_another_aws_has_other_fingerprints():
    question = scores.questions(Wish({"a": "us-east-1"}, TYPES))[0]
    assert scores.fingerprint(question, ENDPOINT) != scores.fingerprint(question, "http://127.0.0.1:4577")


QUESTION = scores.questions(Wish({"a": "us-east-1"}, TYPES))[0]
KEPT = scores.document(QUESTION, Answer((Score("us-east-1", None, 7),), 1000, "us-west-2"))


def test_an_answer_is_kept_for_a_day():
    kept = json.loads(json.dumps(KEPT))
    assert kept["expires_at"] == 1000 + 24 * 3600
    answer = scores.answer_from(kept, 1000 + 24 * 3600 - 1)
    assert answer == Answer((Score("us-east-1", None, 7),), 1000, "us-west-2", kept=True)
    assert scores.answer_from(kept, 1000 + 24 * 3600) is None


@pytest.mark.parametrize(
    "damage",
    [
        {"schema_version": 2},
        {"asked_at": 5000},
        {"asked_at": "1000"},
        {"asked_at": None},
        {"asked_in": 7},
        {"scores": None},
        {"scores": [7]},
        {"scores": [{"region": "us-east-1", "zone_id": None}]},
        {"scores": [{"region": "us-east-1", "zone_id": None, "score": 11}]},
        {"scores": [{"region": "us-east-1", "zone_id": None, "score": 0}]},
        {"scores": [{"region": "us-east-1", "zone_id": None, "score": "7"}]},
        {"scores": [{"region": None, "zone_id": None, "score": 7}]},
        {"scores": [{"region": "us-east-1", "zone_id": 3, "score": 7}]},
    ],
)
def test_what_is_not_an_answer_of_ours_is_asked_again(damage):
    assert scores.answer_from({**KEPT, **damage}, 2000) is None


@pytest.mark.parametrize("kept", [None, {}, [], "scores", 7])
def test_a_cache_may_hold_anything(kept):
    assert scores.answer_from(kept, 2000) is None


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
    assert different_types(types) == count


def test_warnings_name_what_makes_the_answer_weak():
    wish = Wish({"virginia": "us-east-1"}, ("g5.xlarge",), excluded=["virginia", "us-east-1", "us-west-9"])
    few, unknown = warnings_about(wish)
    assert "counts 1 different" in few and "low score" in few
    assert unknown == "excluded: 'us-west-9' is none of the places and regions"
    assert warnings_about(Wish({"a": "us-east-1"}, TYPES)) == []
    assert warnings_about(Wish({"a": "us-east-1"}, ("g5.xlarge",), market="on_demand")) == []
