# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one form in which a list of decisions is written and hashed. PRIVATE to the collection.

One JSON object a line, each line ended by a line feed, keys sorted, no spaces, UTF-8 without escapes beyond those that JSON
demands. Numbers are whole: a float's shortest form is no fact about the decision, so amounts are strings.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any


def canonical_lines(records: Iterable[Mapping[str, Any]]) -> bytes:
    """The records in canonical form; no records are no bytes.

    Raises TypeError for what has no such form: floats, Decimals, sets, keys that are no strings.
    """
    lines: list[str] = []
    for record in records:
        _check(record)
        lines.append(json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n")
    return "".join(lines).encode("utf-8")


def decisions_sha256(records: Iterable[Mapping[str, Any]]) -> str:
    """The SHA-256 of the canonical form, in hexadecimal: equal where two lists of decisions are the same."""
    return hashlib.sha256(canonical_lines(records)).hexdigest()


def _check(value: Any) -> None:
    """json.dumps would take floats, and turn keys of other types into strings."""
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"a decision has the key {key!r}, which is no string")
            _check(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _check(item)
    elif not (value is None or isinstance(value, str | int)):
        raise TypeError(f"a decision holds {value!r}, which has no canonical form")
