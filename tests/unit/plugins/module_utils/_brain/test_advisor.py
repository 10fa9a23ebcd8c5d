# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Spot Instance Advisor's data, and files that are not."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ethereal.spot.plugins.module_utils._brain.advisor import LARGEST_BYTES
from ansible_collections.ethereal.spot.plugins.module_utils._brain.advisor import Advice
from ansible_collections.ethereal.spot.plugins.module_utils._brain.advisor import read_advice
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError

# A cut from the public file, with its other keys.
DATA = {
    "instance_types": {"g5.xlarge": {"emr": True, "cores": 4, "ram_gb": 16.0}},
    "ranges": [
        {"index": 0, "label": "<5%", "dots": 0, "max": 5},
        {"index": 1, "label": "5-10%", "dots": 1, "max": 11},
        {"index": 4, "label": ">20%", "dots": 4, "max": 100},
    ],
    "spot_advisor": {
        "us-west-2": {
            "Linux": {"g5.xlarge": {"s": 62, "r": 4}, "g6.xlarge": {"s": 70, "r": 0}},
            "Windows": {"g5.xlarge": {"s": 40, "r": 1}},
        },
        "eu-west-1": {"Windows": {}},
    },
    "global_rate": "<10%",
}


def content(**changes):
    return json.dumps({**DATA, **changes}).encode()


def test_advice_by_region_and_type():
    assert read_advice(content()) == {
        "us-west-2": {"g5.xlarge": Advice(62, ">20%", 100), "g6.xlarge": Advice(70, "<5%", 5)},
        "eu-west-1": {},
    }


@pytest.mark.parametrize(
    ("product", "expected"),
    [
        ("Linux/UNIX (Amazon VPC)", {"g5.xlarge": 62, "g6.xlarge": 70}),
        ("Windows", {"g5.xlarge": 40}),
        ("SUSE Linux", {}),
    ],
)
def test_each_system_has_advice_of_its_own_or_none(product, expected):
    advice = read_advice(content(), product)["us-west-2"]
    assert {name: each.savings_percent for name, each in advice.items()} == expected


def test_a_range_without_an_upper_end():
    ranges = [{"index": 0, "label": "low"}, {"index": 1, "label": "5-10%", "max": 11}, {"index": 4, "label": ">20%"}]
    assert read_advice(content(ranges=ranges))["us-west-2"]["g5.xlarge"] == Advice(62, ">20%", None)


def entry(**changes):
    data = copy.deepcopy(DATA["spot_advisor"])
    data["us-west-2"]["Linux"]["g5.xlarge"].update(changes)
    return content(spot_advisor=data)


@pytest.mark.parametrize(
    ("data", "option", "rule"),
    [
        (b"\xff\xfe\xff", "advisor", "must be JSON"),
        (b"<html>", "advisor", "must be JSON"),
        (b"[" * 100_000, "advisor", "must be JSON"),
        (b"[]", "advisor", "must be an object"),
        (b"{}", "advisor.ranges", "must be a list with at least one range"),
        (content(ranges=[]), "advisor.ranges", "must be a list with at least one range"),
        (content(ranges=[7]), "advisor.ranges[0]", "must be an object"),
        (content(ranges=[{"index": 0}]), "advisor.ranges[0].label", "must be a text"),
        (content(ranges=[{"index": "0", "label": "<5%"}]), "advisor.ranges[0].index", "must be a whole number"),
        (content(ranges=[{"index": 0, "label": "x", "max": 101}]), "advisor.ranges[0].max", "from 0 to 100"),
        (content(spot_advisor=None), "advisor.spot_advisor", "must be an object"),
        (content(spot_advisor={"us-west-2": 1}), "advisor.spot_advisor.us-west-2", "must be an object"),
        (content(spot_advisor={"r" * 99: 1}), f"advisor.spot_advisor.{'r' * 64}", "must be an object"),
        (content(spot_advisor={"x": {"Linux": []}}), "advisor.spot_advisor.x.Linux", "must be an object"),
        (entry(r=3), "advisor.spot_advisor.us-west-2.Linux.g5.xlarge.r", "must be the index of a range"),
        (entry(r=True), "advisor.spot_advisor.us-west-2.Linux.g5.xlarge.r", "must be a whole number"),
        (entry(s=101), "advisor.spot_advisor.us-west-2.Linux.g5.xlarge.s", "from 0 to 100"),
        (entry(s=62.5), "advisor.spot_advisor.us-west-2.Linux.g5.xlarge.s", "must be a whole number"),
        (entry(s="x" * 5000), "advisor.spot_advisor.us-west-2.Linux.g5.xlarge.s", "must be a whole number"),
        (b" " * (LARGEST_BYTES + 1), "advisor", "must be 16 MiB at most"),
    ],
)
def test_what_is_not_as_published_is_refused_in_a_short_line(data, option, rule):
    with pytest.raises(InputError) as refused:
        read_advice(data)
    assert refused.value.option == option
    assert rule in refused.value.rule
    assert len(refused.value.message) < 250


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["Linux", "s", "r"]), inner),
)


@given(json_values, json_values)
def test_any_document_is_read_or_refused(ranges, advisor):
    data = json.dumps({"ranges": ranges, "spot_advisor": advisor}).encode()
    try:
        advice = read_advice(data)
    except InputError as error:
        assert error.option.startswith("advisor")
    else:
        assert all(0 <= each.savings_percent <= 100 for types in advice.values() for each in types.values())
