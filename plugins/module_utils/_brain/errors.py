# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors that the collection raises on purpose. PRIVATE to the collection."""

from __future__ import annotations

from typing import Any


class EtherealSpotError(Exception):
    """Anything the collection reports to its user; `details` goes into the failed result as it is."""

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class InputError(EtherealSpotError):
    """An option has a value that breaks a rule: found before any mutating call.

    `value` must never be a secret or user data: say its size instead.
    """

    def __init__(self, option: str, value: Any, rule: str) -> None:
        super().__init__(f"{option}: {value!r} {rule}", option=option, rule=rule)
        self.option = option
        self.rule = rule
