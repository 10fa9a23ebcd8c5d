# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWS's Spot Instance Advisor says of interruptions and savings. PRIVATE to the collection.

Its data are public, `spot-advisor-data.json`: `ranges` is a list of `{index, label, max}`, `spot_advisor` an object of
regions, in them `Linux` and `Windows`, in them instance types with `{s, r}`: savings in per cent of the on-demand price,
and the index of the range that the share of interrupted instances of the last 30 days lies in. A day or more old.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from typing import NoReturn

from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError

OPTION = "advisor"
LARGEST_BYTES = 16 * 1024 * 1024
# Other product descriptions are not in the data.
SYSTEMS = {"Linux/UNIX": "Linux", "Windows": "Windows"}
VPC = " (Amazon VPC)"
LONGEST_NAME = 64


@dataclass(frozen=True)
class Advice:
    """Of one type in one region. `interruption_range` is AWS's own word, such as "<5%"; `interruption_max_percent` its
    upper end, None where the data have none."""

    savings_percent: int
    interruption_range: str
    interruption_max_percent: int | None


def read_advice(content: bytes, product_description: str = "Linux/UNIX") -> dict[str, dict[str, Advice]]:
    """Advice by region and instance type. Raises InputError, option `advisor`, for a file that is not as above."""
    if len(content) > LARGEST_BYTES:
        raise InputError(OPTION, f"more than {LARGEST_BYTES} bytes", "must be 16 MiB at most")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(OPTION, f"{len(content)} bytes", f"must be JSON: {type(error).__name__}") from None
    document = _object(document, OPTION)
    ranges = _ranges(document.get("ranges"), f"{OPTION}.ranges")
    system = SYSTEMS.get(product_description.removesuffix(VPC))
    regions = _object(document.get("spot_advisor"), f"{OPTION}.spot_advisor")
    advice = {}
    for region, systems in regions.items():
        where = _below(f"{OPTION}.spot_advisor", region)
        types = _object(_object(systems, where).get(system, {}), f"{where}.{system}")
        advice[region] = {
            name: _advice(entry, ranges, _below(f"{where}.{system}", name)) for name, entry in types.items()
        }
    return advice


def _ranges(value: Any, where: str) -> dict[int, tuple[str, int | None]]:
    """Label and upper end by index."""
    if not isinstance(value, list) or not value:
        _refuse(value, where, "must be a list with at least one range")
    ranges = {}
    for place, entry in enumerate(value):
        here = f"{where}[{place}]"
        label = _object(entry, here).get("label")
        if not isinstance(label, str) or not 0 < len(label) <= LONGEST_NAME:
            _refuse(label, f"{here}.label", f"must be a text of up to {LONGEST_NAME} characters")
        most = entry.get("max")
        most = None if most is None else _integer(most, f"{here}.max", 100)
        ranges[_integer(entry.get("index"), f"{here}.index", 1000)] = (label, most)
    return ranges


def _advice(value: Any, ranges: Mapping[int, tuple[str, int | None]], where: str) -> Advice:
    entry = _object(value, where)
    index = _integer(entry.get("r"), f"{where}.r", 1000)
    if index not in ranges:
        _refuse(index, f"{where}.r", "must be the index of a range")
    return Advice(_integer(entry.get("s"), f"{where}.s", 100), *ranges[index])


def _object(value: Any, where: str) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else _refuse(value, where, "must be an object")


def _integer(value: Any, where: str, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        _refuse(value, where, f"must be a whole number from 0 to {most}")
    return value


def _below(where: str, name: str) -> str:
    return f"{where}.{name[:LONGEST_NAME]}"


def _refuse(value: Any, where: str, rule: str) -> NoReturn:
    """A value from a file may be megabytes long: only short ones are shown."""
    shown = value if value is None or len(str(value)) <= LONGEST_NAME else f"a {type(value).__name__}"
    raise InputError(where, shown, rule)
