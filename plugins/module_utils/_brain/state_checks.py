# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules for what a caller may write into the state. PRIVATE to the collection."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import check_integer
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.names import check_place
from ansible_collections.ethereal.spot.plugins.module_utils._brain.regions import check_region
from ansible_collections.ethereal.spot.plugins.module_utils._brain.state import FRAME

STATUSES = ("PROVISIONING", "COMPLETED", "NOTAVAILABLE", "FAILED", "DISABLED")
MARKETS = ("spot", "on_demand")
# One transaction takes 100 documents (botocore model); the others beside the places are five.
LARGEST_PLACES = 90
# DynamoDB's item limit is 400 KB; the text of a document is somewhat shorter than the item.
LARGEST_DOCUMENT = 300_000
# DynamoDB keeps 38 digits.
LARGEST_NUMBER = 10**38
FIELD = re.compile(r"[a-z][a-z0-9_]{0,63}")


def check_placement(value: Mapping[str, Any], option: str = "placement") -> dict[str, dict[str, int]]:
    """Replicas by place and market. A place with none is left out: it says the same as its absence."""
    placement = {}
    for place, replicas in value.items():
        check_place(place, option=option)
        where = f"{option}.{place}"
        if not isinstance(replicas, Mapping):
            raise InputError(where, replicas, "must be a mapping with spot and on_demand")
        unknown = sorted(set(replicas) - set(MARKETS))
        if unknown:
            raise InputError(f"{where}.{unknown[0]}", replicas[unknown[0]], "is unknown; known are spot and on_demand")
        counts = {market: check_integer(replicas.get(market, 0), f"{where}.{market}", 0, 10_000) for market in MARKETS}
        if any(counts.values()):
            placement[place] = counts
    return placement


def check_places(value: Mapping[str, Any], option: str = "places") -> dict[str, dict[str, Any] | None]:
    """Documents to merge by place; None removes one."""
    if len(value) > LARGEST_PLACES:
        raise InputError(option, len(value), f"places are given, limit {LARGEST_PLACES}")
    documents: dict[str, dict[str, Any] | None] = {}
    for place, document in value.items():
        check_place(place, option=option)
        where = f"{option}.{place}"
        if document is None:
            documents[place] = None
            continue
        documents[place] = check_document(document, where)
        for field in document:
            if not FIELD.fullmatch(field) or field in FRAME:
                raise InputError(f"{where}.{field}", field, "is not a name that a document of a place can have")
        if "region" in document:
            check_region(document["region"], f"{where}.region")
        if not isinstance(document.get("instances") or [], list):
            raise InputError(f"{where}.instances", document["instances"], "must be a list")
    return documents


def check_document(value: Any, option: str) -> dict[str, Any]:
    """A mapping that JSON and DynamoDB both hold exactly."""
    if not isinstance(value, Mapping):
        raise InputError(option, value, "must be a mapping")
    size = _check_exact(value, option)
    if size > LARGEST_DOCUMENT:
        raise InputError(option, f"{size} bytes", f"is over the limit of {LARGEST_DOCUMENT} bytes")
    return dict(value)


def _check_exact(value: Any, option: str, depth: int = 0) -> int:
    """The text's size in bytes; InputError for what has no exact form. DynamoDB nests 32 levels deep."""
    if depth > 28:
        raise InputError(option, "...", "is nested too deep")
    if value is None or isinstance(value, bool) or (isinstance(value, int) and abs(value) < LARGEST_NUMBER):
        return len(str(value))
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, (list, tuple)):
        return sum(_check_exact(item, f"{option}[{at}]", depth + 1) + 1 for at, item in enumerate(value))
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str):
                raise InputError(option, name, "is not a string, as names are")
        return sum(
            len(name.encode()) + _check_exact(item, f"{option}.{name}", depth + 1) for name, item in value.items()
        )
    rule = (
        "must be a string, since a fraction has no exact form"
        if isinstance(value, float)
        else "has no exact form in JSON and DynamoDB"
    )
    raise InputError(option, value, rule)
