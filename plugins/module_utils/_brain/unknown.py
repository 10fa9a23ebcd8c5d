# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The value that stands for what a real run will learn. PRIVATE to the collection."""

from __future__ import annotations

from typing import Any

KNOWN_AFTER_APPLY = "(known after apply)"


def is_unknown(value: Any) -> bool:
    """Whether a value, or anything inside it, will be known only after an earlier step has really run."""
    if isinstance(value, dict):
        return any(is_unknown(item) for item in value.values())
    if isinstance(value, (list, tuple, set)):
        return any(is_unknown(item) for item in value)
    return isinstance(value, str) and KNOWN_AFTER_APPLY in value
