# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options that are lists of things with names. PRIVATE to the collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain import checks
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError

NAME_LIMIT = 255


def check_name(value: Any, option: str) -> str:
    """The name of something on a group; a colon would end it (botocore model: ScalingPolicy)."""
    text = checks.check_text(value, option, NAME_LIMIT)
    if ":" in text or text != text.strip():
        raise InputError(option, value, "must have no colon and no blank at its ends")
    return text


def named(entries: list[dict[str, Any]], option: str, key: str = "name") -> dict[str, dict[str, Any]]:
    """Entries by their names, which stand under `key`, each name once; `None` values are those that were not given."""
    result: dict[str, dict[str, Any]] = {}
    for number, entry in enumerate(entries):
        name = check_name(entry.get(key), f"{option}[{number}].{key}")
        if name in result:
            raise InputError(option, name, "is listed twice")
        result[name] = {field: value for field, value in entry.items() if value is not None}
    return result
