# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ethereal.spot.plugins.module_utils._brain.attribute_values import deserialize
from ansible_collections.ethereal.spot.plugins.module_utils._brain.attribute_values import deserialize_item
from ansible_collections.ethereal.spot.plugins.module_utils._brain.attribute_values import serialize
from ansible_collections.ethereal.spot.plugins.module_utils._brain.attribute_values import serialize_item

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**37), 10**37) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(st.dictionaries(st.text(), values, max_size=5))
def test_what_is_written_is_what_is_read(item):
    again = deserialize_item(serialize_item(item))
    assert again == item
    assert repr(again) == repr(item)  # True is not 1


@pytest.mark.parametrize(
    ("value", "attribute"),
    [
        (None, {"NULL": True}),
        (True, {"BOOL": True}),
        (1, {"N": "1"}),
        (Decimal("0.10"), {"N": "0.10"}),
        ("", {"S": ""}),
        ([1, "a"], {"L": [{"N": "1"}, {"S": "a"}]}),
        ((1,), {"L": [{"N": "1"}]}),
        ({"a": {"b": False}}, {"M": {"a": {"M": {"b": {"BOOL": False}}}}}),
    ],
)
def test_forms(value, attribute):
    assert serialize(value) == attribute


@pytest.mark.parametrize("value", [0.5, float("nan"), b"x", {1}, object(), {"a": [1.5]}, {1: "a"}])
def test_what_has_no_exact_form_is_refused(value):
    with pytest.raises(TypeError):
        serialize(value)


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ({"N": "1"}, 1),
        ({"N": "1.50"}, Decimal("1.5")),
        ({"N": "1E+2"}, 100),
        ({"SS": ["b", "a"]}, ["a", "b"]),
        ({"NS": ["2", "1"]}, [1, 2]),
    ],
)
def test_other_writers_forms_are_read(attribute, value):
    assert deserialize(attribute) == value
    assert type(deserialize(attribute)) is type(value)


def test_binary_is_refused():
    with pytest.raises(TypeError, match="kind B are not used here"):
        deserialize({"B": b"x"})
