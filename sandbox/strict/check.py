# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decoded parameters against the constraints of their shapes."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import regex
from botocore.model import Shape

from sandbox.strict.decode import is_unread
from sandbox.strict.problems import Problem


def check(shape: Shape, value: Any, path: str = "") -> Iterator[Problem]:
    """Everything in `value` that the model forbids: required members, enumerations, patterns, lengths, bounds."""
    if value is None or is_unread(value):
        return
    kind = shape.type_name
    if kind == "structure":
        if not isinstance(value, dict) or getattr(shape, "is_document_type", False):
            return
        for name in shape.required_members:
            if name not in value:
                yield Problem("missing", f"{path}.{name}" if path else name, shape.members[name], None)
        for name, item in value.items():
            yield from check(shape.members[name], item, f"{path}.{name}" if path else name)
    elif kind == "list":
        yield from _length(shape, value, path)
        for number, item in enumerate(value, 1):
            yield from check(shape.member, item, f"{path}.{number}.member")
    elif kind == "map":
        yield from _length(shape, value, path)
        for key, item in value.items():
            yield from check(shape.key, key, f"{path}.key")
            yield from check(shape.value, item, f"{path}.{key}.member")
    elif kind == "string":
        yield from _string(shape, value, path)
    elif kind == "blob":
        yield from _length(shape, value, path)
    elif kind in ("integer", "long", "float", "double") and not isinstance(value, str):
        least, most = shape.metadata.get("min"), shape.metadata.get("max")
        if least is not None and value < float(least):
            yield Problem("minimum", path, shape, value, least)
        if most is not None and value > float(most):
            yield Problem("maximum", path, shape, value, most)


def _string(shape: Shape, value: str, path: str) -> Iterator[Problem]:
    allowed = shape.metadata.get("enum")
    if allowed and value not in allowed:
        yield Problem("enum", path, shape, value, allowed)
        return
    yield from _length(shape, value, path)
    pattern = shape.metadata.get("pattern")
    if pattern:
        compiled = _compiled(pattern)
        if compiled is not None and not compiled.fullmatch(value):
            yield Problem("pattern", path, shape, value, pattern)


def _length(shape: Shape, value: Any, path: str) -> Iterator[Problem]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if least is not None and len(value) < int(least):
        yield Problem("shortest", path, shape, value, least)
    if most is not None and len(value) > int(most):
        yield Problem("longest", path, shape, value, most)


@functools.cache
def _compiled(pattern: str) -> regex.Pattern[str] | None:
    """The pattern as AWS means it: Java's syntax, matching the whole value. None for one that cannot be read here."""
    # Java writes characters beyond the basic plane as surrogate pairs.
    readable = pattern.replace(r"\uD800\uDC00-\uDBFF\uDFFF", r"\U00010000-\U0010FFFF")
    try:
        return regex.compile(readable, regex.V0)
    except regex.error:
        return None
