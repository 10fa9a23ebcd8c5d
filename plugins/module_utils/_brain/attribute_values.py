# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""DynamoDB's attribute values to and from plain Python, without float. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any


def serialize(value: Any) -> dict[str, Any]:
    """One attribute value. Takes None, bool, int, Decimal, str, lists and mappings with string keys; TypeError otherwise."""
    # bool before int: it is one.
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, (int, Decimal)):
        return {"N": str(value)}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, (list, tuple)):
        return {"L": [serialize(item) for item in value]}
    if isinstance(value, Mapping):
        return {"M": serialize_item(value)}
    raise TypeError(f"{type(value).__name__} has no exact form in DynamoDB")


def serialize_item(item: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """A whole item, or the inside of a map."""
    if not all(isinstance(name, str) for name in item):
        raise TypeError("names of attributes are strings")
    return {name: serialize(value) for name, value in item.items()}


def deserialize(value: Mapping[str, Any]) -> Any:
    """The plain value; whole numbers as int, others as Decimal, sets as sorted lists."""
    ((kind, content),) = value.items()
    if kind == "NULL":
        return None
    if kind in ("BOOL", "S"):
        return content
    if kind == "N":
        return _number(content)
    if kind == "L":
        return [deserialize(item) for item in content]
    if kind == "M":
        return deserialize_item(content)
    if kind == "SS":
        return sorted(content)
    if kind == "NS":
        return sorted(_number(number) for number in content)
    raise TypeError(f"attribute values of kind {kind} are not used here")


def deserialize_item(item: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """A whole item, or the inside of a map."""
    return {name: deserialize(value) for name, value in item.items()}


def _number(digits: str) -> int | Decimal:
    number = Decimal(digits)
    return int(number) if number == number.to_integral_value() else number
