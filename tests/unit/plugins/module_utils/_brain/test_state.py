# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ethereal.spot.plugins.module_utils._brain import state
from ansible_collections.ethereal.spot.plugins.module_utils._brain import state_checks
from ansible_collections.ethereal.spot.plugins.module_utils._brain import views
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.launch_outcomes import Failed
from ansible_collections.ethereal.spot.plugins.module_utils._brain.launch_outcomes import Launched
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ledger import Pool
from ansible_collections.ethereal.spot.plugins.module_utils._brain.state import StaleEpoch
from ansible_collections.ethereal.spot.plugins.module_utils._brain.state import Wish

NOW = 1_800_000_000
PLACES = ["us-east-1", "eu-west-1", "ap-south-1"]


def after(wish, documents=None):
    documents = documents or {}
    return state.apply_changes(documents, state.plan(documents, wish, NOW))


@pytest.mark.parametrize(
    ("placement", "active"),
    [
        ({}, None),
        ({"a": {"spot": 1, "on_demand": 0}}, "a"),
        ({"b": {"spot": 1, "on_demand": 1}, "a": {"spot": 1, "on_demand": 0}}, "b"),
        ({"b": {"spot": 2, "on_demand": 0}, "a": {"spot": 0, "on_demand": 2}}, "a"),
        ({"b": {"spot": 0, "on_demand": 3}, "a": {"spot": 2, "on_demand": 0}}, "b"),
    ],
)
def test_the_active_place_is_the_largest_of_equals_the_first_by_name(placement, active):
    assert state.active_place(placement) == active


def test_decision_ids_depend_on_content_and_epoch_alone():
    record = {"b": [1, {"y": 2, "x": 1}], "a": "ü"}
    again = json.loads(json.dumps({"a": "ü", "b": [1, {"x": 1, "y": 2}]}))
    assert state.decision_id(record, 3) == state.decision_id(again, 3)
    assert state.decision_id(record, 3).startswith("00000003-")
    assert (
        len({state.decision_id(record, 3), state.decision_id(record, 4), state.decision_id({**record, "c": 1}, 3)}) == 3
    )


def test_decisions_expire_and_nothing_else_does():
    documents = after(
        Wish(placement={"us-east-1": {"spot": 1, "on_demand": 0}}, decision={"a": 1}, switch=True, status="FAILED")
    )
    expiring = {key[0]: document["expires_at"] for key, document in documents.items() if "expires_at" in document}
    assert expiring == {"decision": NOW + 90 * 86_400}
    decision = documents["decision", documents[state.PLACEMENT]["decision_id"]]
    assert decision["record"] == {"a": 1}
    assert decision["decided_at"] == "2027-01-15T08:00:00+00:00"


@pytest.mark.parametrize(
    ("wish", "region"),
    [
        (
            {"places": {"tokyo": {"region": "ap-northeast-1"}}, "decision": {"inputs": {"places": {"tokyo": "x"}}}},
            "ap-northeast-1",
        ),
        ({"places": {"tokyo": {"tasks": 1}}, "decision": {"inputs": {"places": {"tokyo": "x"}}}}, "ap-northeast-3"),
        ({"places": {"tokyo": None}}, "ap-northeast-3"),
    ],
)
def test_a_places_region_is_taken_from_whoever_knows_it(wish, region):
    documents = after(Wish(places={"tokyo": {"region": "ap-northeast-3"}}))
    placed = after(Wish(placement={"tokyo": {"spot": 1, "on_demand": 0}}, **wish), documents)
    assert placed[state.PLACEMENT]["active_region"] == region


def test_a_places_region_may_be_in_the_decision_or_be_its_name():
    tokyo = {"placement": {"tokyo": {"spot": 1, "on_demand": 0}}}
    decided = after(Wish(**tokyo, decision={"inputs": {"places": {"tokyo": "ap-northeast-1"}}}))
    assert decided[state.PLACEMENT]["active_region"] == "ap-northeast-1"
    named = after(Wish(placement={"us-east-1": {"spot": 1, "on_demand": 0}}))
    assert named[state.PLACEMENT]["active_region"] == "us-east-1"
    for decision in (None, {}, {"inputs": None}, {"inputs": {"places": None}}):
        with pytest.raises(InputError, match="has no known region"):
            after(Wish(**tokyo, decision=decision))


def test_nothing_placed_is_no_placement():
    assert state.plan({}, Wish(placement={}), NOW) == []


def test_versions_are_checked_before_anything_else():
    documents = {state.SWITCH: {"schema_version": None, "enabled": True}}
    with pytest.raises(Exception, match="switch/current has schema_version None"):
        state.plan(documents, Wish(), NOW)


HERE = Pool("oregon", "us-west-2", "us-west-2a", "g5.xlarge", "spot")
SHORT = Failed(HERE, "InsufficientInstanceCapacity", "", NOW - 10)


def test_the_mark_of_the_ledger_comes_and_goes_with_its_entries():
    documents = after(Wish(failures=[SHORT]))
    assert set(documents) == {state.REMEMBERED, ("ledger", "pool/us-west-2a/g5.xlarge/spot")}
    assert {document["expires_at"] for document in documents.values()} == {NOW + 590}
    assert state.remembers(documents, NOW + 590)
    assert not state.remembers(documents, NOW + 591)
    assert state.plan(documents, Wish(failures=[SHORT]), NOW + 5) == []
    assert after(Wish(successes=[Launched(HERE, NOW)]), documents) == {}
    # DynamoDB removes what has expired in any order.
    del documents[state.REMEMBERED]
    assert after(Wish(successes=[Launched(HERE, NOW)]), documents) == {}
    later = state.apply_changes(documents, state.plan(documents, Wish(failures=[replace(SHORT, at=NOW)]), NOW))
    assert later[state.REMEMBERED]["until"] == NOW + 1200


def test_the_mark_lasts_as_long_as_the_longest_entry():
    lasting = Failed(replace(HERE, zone="us-west-2b"), "Unsupported", "", NOW)
    documents = after(Wish(failures=[SHORT, lasting]))
    assert documents[state.REMEMBERED]["until"] == NOW + 60 * 86_400
    documents = after(Wish(successes=[Launched(lasting.pool, NOW)]), documents)
    assert documents[state.REMEMBERED]["until"] == NOW + 590


names = st.sampled_from(PLACES)
counts = st.integers(0, 3)
placements = st.dictionaries(names, st.fixed_dictionaries({"spot": counts, "on_demand": counts})).map(
    state_checks.check_placement
)
documents_of_places = st.dictionaries(
    st.sampled_from(["status", "tasks", "reasons"]), st.integers(0, 2) | st.sampled_from(["a", "b"]), max_size=3
)
maybe = st.none


@st.composite
def wishes(draw):
    return Wish(
        switch=draw(maybe() | st.booleans()),
        initial_switch=draw(maybe() | st.booleans()),
        placement=draw(maybe() | placements),
        decision=draw(maybe() | st.dictionaries(st.sampled_from("ab"), st.integers(0, 2), max_size=2)),
        places=draw(maybe() | st.dictionaries(names, maybe() | documents_of_places)),
        status=draw(maybe() | st.sampled_from(state_checks.STATUSES)),
    )


def with_epoch(wish, epoch):
    return Wish(**{**vars(wish), "expected_epoch": epoch})


@st.composite
def histories(draw):
    """The documents after a few wishes in turn, and the epochs they went through."""
    documents = {}
    for number, wish in enumerate(draw(st.lists(wishes(), max_size=4))):
        documents = state.apply_changes(
            documents, state.plan(documents, with_epoch(wish, state.epoch_of(documents)), NOW + number)
        )
    return documents


@given(histories(), wishes())
def test_a_plan_brings_what_was_wished_and_a_second_one_nothing(documents, wish):
    epoch = state.epoch_of(documents)
    changes = state.plan(documents, with_epoch(wish, epoch), NOW + 100)
    then = state.apply_changes(documents, changes)
    summary = state.summary(then)

    # Decided from the epoch that the first plan made, or without naming one, there is nothing left to do.
    assert state.plan(then, with_epoch(wish, summary["epoch"]), NOW + 200) == []
    assert state.plan(then, wish, NOW + 200) == []

    assert all(change.before != change.after for change in changes)
    assert len({change.key for change in changes}) == len(changes)
    if wish.placement is not None:
        assert summary["placement"] == wish.placement
        assert (summary["active_place"] is None) == (not wish.placement)
    if wish.switch is not None:
        assert summary["switch"] is wish.switch
    if wish.status is not None:
        assert summary["status"] == wish.status
    for place, document in (wish.places or {}).items():
        if document is None:
            assert place not in summary["places"]
        else:
            assert document.items() <= summary["places"][place].items()


@given(histories(), wishes())
def test_the_epoch_grows_by_one_with_each_new_placement_and_with_nothing_else(documents, wish):
    epoch = state.epoch_of(documents)
    before = state.summary(documents)["placement"]
    then = after(with_epoch(wish, epoch), documents)
    differs = wish.placement is not None and wish.placement != before
    assert state.epoch_of(then) == epoch + differs
    for key, document in then.items():
        assert document["schema_version"] == 1
        assert document["epoch"] <= state.epoch_of(then)
        if documents.get(key) != document:
            assert document["epoch"] == state.epoch_of(then)


@given(histories(), wishes(), st.integers(0, 6))
def test_a_wish_from_another_epoch_changes_nothing(documents, wish, expected):
    epoch = state.epoch_of(documents)
    if expected == epoch:
        return
    changes = state.plan(documents, with_epoch(wish, epoch), NOW + 100)
    if changes:
        with pytest.raises(StaleEpoch, match=f"{expected} was decided from, but the state is at epoch {epoch}"):
            state.plan(documents, with_epoch(wish, expected), NOW + 100)
    else:
        assert state.plan(documents, with_epoch(wish, expected), NOW + 100) == []


@given(histories(), wishes())
def test_an_initial_switch_never_turns_one(documents, wish):
    switch = state.summary(documents)["switch"]
    wish = Wish(initial_switch=wish.initial_switch)
    then = state.summary(after(wish, documents))["switch"]
    assert then is (switch if switch is not None else wish.initial_switch)


@given(histories())
def test_views_follow_the_state_and_a_second_publication_changes_nothing(documents):
    summary = state.summary(documents)
    wanted = views.views_of(summary)
    changes = views.plan_views({}, wanted)
    published = views.apply_views({}, changes)
    assert views.plan_views(published, wanted) == []
    assert all(published.values())
    assert published.get("region") == summary["active_region"]
    gone = views.plan_views(published, dict.fromkeys(views.VIEWS))
    assert views.apply_views(published, gone) == {}


@given(st.integers(0, 400), st.integers(0, 40), st.booleans())
def test_any_number_of_instances_fits_and_as_many_as_possible_are_shown(count, width, ascii_only):
    filler = ("x" if ascii_only else "ü") * width
    instances = [{"instance_id": f"i-{number}", "zone": filler} for number in range(count)]
    text = views.instances_info(
        {"b": {"instances": instances[: count // 2]}, "a": {"instances": instances[count // 2 :]}}, "b"
    )
    view = json.loads(text)
    assert len(text.encode()) <= views.LARGEST_VALUE
    assert view["total"] == count == view["omitted"] + len(view["instances"])
    if view["omitted"]:
        one_more = (
            len(json.dumps({"instance_id": f"i-{count}", "zone": filler, "place": "b"}, separators=(",", ":"))) + 1
        )
        assert len(text) + one_more + 1 > views.LARGEST_VALUE
    if count > 1:
        assert view["instances"][0]["place"] == "b"


def test_instances_of_any_form_are_published():
    instances = ["i-1", {"instance_id": "i-2", "private_ip": None, "secret": "x", "public_ip": "1.2.3.4"}]
    view = json.loads(views.instances_info({"a": {"instances": instances}, "b": {}, "c": {"instances": None}}, "a"))
    assert view["instances"] == [
        {"instance_id": "i-1", "place": "a"},
        {"instance_id": "i-2", "public_ip": "1.2.3.4", "place": "a"},
    ]
