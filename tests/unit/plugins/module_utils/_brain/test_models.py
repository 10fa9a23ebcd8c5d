# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Models of a place's cache: names and sources, what is lacking, what a fill may read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ethereal.spot.plugins.module_utils._brain import models
from ansible_collections.ethereal.spot.plugins.module_utils._brain import task_run
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError

SYNC = ["s3", "sync", "{source}", "{path}", "--metadata", "name={name}"]
NAMES = st.from_regex(models.NAME, fullmatch=True)
SOURCES = st.from_regex(models.SOURCE, fullmatch=True)


@pytest.mark.parametrize(
    ("value", "option", "rule"),
    [
        (["llama"], "models", "must map a model's name"),
        ({"../up": "s3://models/a"}, "models", "letters, digits, dots"),
        ({"": "s3://models/a"}, "models", "letters, digits, dots"),
        ({7: "s3://models/a"}, "models", "letters, digits, dots"),
        ({"a": "models/a"}, "models.a", "must be s3://BUCKET/PREFIX"),
        ({"a": "s3://Models/a"}, "models.a", "must be s3://BUCKET/PREFIX"),
        ({"a": "s3://models/*"}, "models.a", "without wildcards"),
        ({"a": "s3://models/${AWS::AccountId}"}, "models.a", "without wildcards"),
        ({"a": "s3://models/a b"}, "models.a", "must be s3://BUCKET/PREFIX"),
        ({"a": "s3://models/a\n"}, "models.a", "must be s3://BUCKET/PREFIX"),
        ({"a": None}, "models.a", "must be s3://BUCKET/PREFIX"),
    ],
)
def test_what_is_refused(value, option, rule):
    with pytest.raises(InputError) as refused:
        models.check_models(value)
    assert (refused.value.option, rule in refused.value.rule) == (option, True)


def test_a_slash_at_the_end_says_nothing():
    assert models.check_models({"a": "s3://models/a/", "b": "s3://models"}) == {
        "a": "s3://models/a",
        "b": "s3://models",
    }


def test_what_is_lacking_is_filled_in_the_order_of_names():
    wanted = {"zephyr": "s3://models/zephyr/", "llama": "s3://models/llama/3"}
    first, second = models.fills(wanted, "", "/models/", SYNC)
    assert first["command"] == ["s3", "sync", "s3://models/llama/3", "/models/llama", "--metadata", "name=llama"]
    assert (first["name"], second["name"], second["source"]) == ("llama", "zephyr", "s3://models/zephyr")
    assert models.fills(wanted, models.record(wanted), "/models", SYNC) == []
    half = models.record({"llama": "s3://models/llama/3"})
    assert [fill["name"] for fill in models.fills(wanted, half, "/models", SYNC)] == ["zephyr"]


def test_a_model_that_is_there_is_never_written_again():
    held = models.record({"llama": "s3://models/llama/3"})
    for ask in (models.fills, models.record):
        arguments = (held, "/models") if ask is models.fills else (held,)
        with pytest.raises(InputError) as refused:
            ask({"llama": "s3://models/llama/4"}, *arguments)
        assert refused.value.option == "models.llama"
        assert "s3://models/llama/3" in refused.value.rule


def test_what_is_wanted_no_longer_is_still_there():
    held = models.record({"llama": "s3://models/llama/3"})
    assert models.record({}, held) == held
    assert json.loads(models.record({"b": "s3://models/b"}, held)) == {
        "b": "s3://models/b",
        "llama": "s3://models/llama/3",
    }


def test_no_models_leave_no_record():
    assert (models.record({}), models.fills({}, "", "/models"), models.statements({})) == ("", [], [])


def test_a_record_ends_where_a_parameter_does():
    with pytest.raises(InputError, match="4096"):
        models.record({f"model-{number}": f"s3://models/{'x' * 60}/{number}" for number in range(50)})


def test_the_statements_read_nothing_beside_a_model():
    listing, reading = models.statements({"a": "s3://models/llama/3/", "same": "s3://models/llama/3"})
    assert listing["Resource"] == {"Fn::Sub": "arn:${AWS::Partition}:s3:::models"}
    assert listing["Condition"] == {"StringLike": {"s3:prefix": "llama/3/*"}}
    assert reading["Resource"] == {"Fn::Sub": "arn:${AWS::Partition}:s3:::models/llama/3/*"}
    assert [each["Action"] for each in (listing, reading)] == ["s3:ListBucket", "s3:GetObject"]


@given(wanted=st.dictionaries(NAMES, SOURCES, max_size=4), more=st.dictionaries(NAMES, SOURCES, max_size=4))
def test_filled_and_remembered_leaves_nothing_to_do(wanted, more):
    together = {**more, **wanted}
    held = models.record(wanted)
    left = models.fills(together, held, "/models", SYNC)
    assert {fill["name"] for fill in left} == set(more) - set(wanted)
    assert models.fills(together, models.record(together, held), "/models", SYNC) == []


@given(name=NAMES, source=SOURCES)
def test_a_models_job_is_its_own_and_one_that_ecs_takes(name, source):
    (fill,) = models.fills({name: source}, "", "/models", SYNC)
    assert task_run.JOB.fullmatch(fill["job"])
    assert models.fills({name: source}, "", "/elsewhere")[0]["job"] == fill["job"]
    assert models.fills({name + "x": source}, "", "/models")[0]["job"] != fill["job"]
