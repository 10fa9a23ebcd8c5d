# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Money as Decimal, never float. PRIVATE to the collection."""

from __future__ import annotations

from decimal import Decimal
from decimal import InvalidOperation
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError

# Above any price or budget that AWS could ask; keeps 1e400 and the like out of arithmetic.
LARGEST = Decimal("1e9")


def money(value: Any, option: str = "price") -> Decimal:
    """A finite amount in USD that is not negative, from the string or number that a caller or AWS gave.

    Raises InputError for anything else: NaN, infinity, booleans, words.
    """
    rule = f"must be a finite number from 0 to {LARGEST}"
    if isinstance(value, bool):
        raise InputError(option, value, rule)
    try:
        # str() first: Decimal(0.1) would carry the binary error of the float.
        amount = Decimal(str(value))
    except InvalidOperation:
        raise InputError(option, value, rule) from None
    if not amount.is_finite() or amount < 0 or amount > LARGEST:
        raise InputError(option, value, rule)
    return amount


def text(amount: Decimal) -> str:
    """The shortest plain notation, without exponent or trailing zeros: what results and state documents carry."""
    plain = format(amount, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain
