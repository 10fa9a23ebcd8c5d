# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers of the query protocol: plain structures to XML, members that are not set left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

from ministack.services.cloudformation import helpers

Reply = tuple[int, dict[str, str], bytes]
Action = Callable[[dict[str, list[str]]], Reply]


def element(name: str, value: Any) -> str:
    """One element; nothing for None, an empty string or an empty structure."""
    if value is None or value in ("", {}):
        return ""
    if isinstance(value, dict):
        inner = "".join(element(key, item) for key, item in value.items())
    elif isinstance(value, list):
        inner = "".join(element("member", item) for item in value)
    elif isinstance(value, bool):
        inner = str(value).lower()
    else:
        inner = escape(str(value))
    return f"<{name}>{inner}</{name}>"


def answer(action: str, result: dict[str, Any]) -> Reply:
    inner = "".join(element(key, value) for key, value in result.items())
    return helpers._xml(200, f"{action}Response", f"<{action}Result>{inner}</{action}Result>")


def refuse(message: str, code: str = "ValidationError", status: int = 400) -> Reply:
    return helpers._error(code, message, status)


def parameter(params: dict[str, list[str]], name: str, default: str = "") -> str:
    return helpers._p(params, name, default)
