# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.canonical import canonical_lines
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.canonical import decisions_sha256

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=8,
)
RECORDS = st.lists(
    st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), VALUES, max_size=4), max_size=4
)


def test_the_form() -> None:
    records = [{"to": {"b": 1, "a": [True, None]}, "at": 60}, {"zone": "Zürich\n\u2028"}]
    expected = '{"at":60,"to":{"a":[true,null],"b":1}}\n{"zone":"Zürich\\n\u2028"}\n'.encode()
    assert canonical_lines(records) == expected
    assert decisions_sha256(records) == hashlib.sha256(expected).hexdigest()


def test_no_decisions_are_no_bytes() -> None:
    assert canonical_lines([]) == b""
    assert decisions_sha256([]) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(
    "value", [0.5, 1.0, float("nan"), Decimal(1), {1: "a"}, {None: 1}, {"a": {True: 1}}, [[0.1]], {1, 2}, b"x"]
)
def test_what_has_no_canonical_form(value: Any) -> None:
    with pytest.raises(TypeError):
        canonical_lines([{"value": value}])


@given(RECORDS)
def test_the_form_can_be_read_back_and_does_not_depend_on_the_order_of_keys(records: list[dict[str, Any]]) -> None:
    content = canonical_lines(records)
    assert [json.loads(line) for line in content.decode().split("\n")[:-1]] == records
    turned = [dict(reversed(record.items())) for record in records]
    assert decisions_sha256(turned) == decisions_sha256(records)


@given(RECORDS, RECORDS)
def test_different_decisions_have_different_hashes(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (decisions_sha256(one) == decisions_sha256(other)) is same
