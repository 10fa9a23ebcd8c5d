# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A recording of a spot market, format `spot-trace/1`. PRIVATE to the collection.

Prices are whole millionths of a USD an hour: sums over weeks of seconds stay exact and fast.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN
from decimal import Decimal
from decimal import InvalidOperation
from io import BytesIO
from typing import Any
from typing import NoReturn

from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.money import money

FORMAT = "spot-trace/1"
KINDS = ("availability", "preemption")
# After unpacking: what a browser, a function and a test can hold at once.
LARGEST_BYTES = 16 * 1024 * 1024
MICRO = 1_000_000
GZIP = b"\x1f\x8b"
# More ticks than a year of seconds is a slip of the pen.
MOST_TICKS = 366 * 86_400
LONGEST_LINE = 200

# Values that change: `(tick, value)` pairs, the first at tick 0, each until the next.
Steps = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Zone:
    """One zone of a recording: how many instances could run, and what one cost in millionths of a USD an hour."""

    name: str
    region: str
    capacity: Steps
    price: Steps


@dataclass(frozen=True)
class Trace:
    """A recording: one instance type, one time axis, zones in the order of their names."""

    name: str
    start: str
    gap_seconds: int
    ticks: int
    kind: str
    instance_type: str
    probe_limit: int
    on_demand_price: int
    zones: tuple[Zone, ...]
    source: str = ""
    licence: str = ""

    @property
    def seconds(self) -> int:
        return self.gap_seconds * self.ticks

    @property
    def regions(self) -> tuple[str, ...]:
        return tuple(sorted({zone.region for zone in self.zones}))


def read_trace(content: bytes) -> Trace:
    """The recording in a file's content, `.json` or `.json.gz`. Raises InputError, option `trace`, for a malformed one."""
    return trace_from(_document(_unpacked(content)))


def trace_from(document: Any) -> Trace:
    """The recording in a parsed document whose numbers are int or Decimal."""
    if not isinstance(document, Mapping):
        _refuse(document, "must be a JSON object")
    if document.get("format") != FORMAT:
        _refuse(document.get("format"), f"is not the format {FORMAT}", "format")
    ticks = _integer(document, "ticks", 1, MOST_TICKS)
    limit = _integer(document, "probe_limit", 1)
    zones = document.get("zones")
    if not isinstance(zones, Mapping) or not zones:
        _refuse(zones, "must be an object with one zone or more", "zones")
    kind = document.get("kind")
    if kind not in KINDS:
        _refuse(kind, f"must be one of {', '.join(KINDS)}", "kind")
    on_demand = _price(document.get("on_demand_price"), "on_demand_price")
    if not on_demand:
        _refuse(document.get("on_demand_price"), "must be above 0", "on_demand_price")
    return Trace(
        name=_word(document, "name"),
        start=_word(document, "start"),
        gap_seconds=_integer(document, "gap_seconds", 1, 86_400),
        ticks=ticks,
        kind=kind,
        instance_type=_word(document, "instance_type"),
        probe_limit=limit,
        on_demand_price=on_demand,
        zones=tuple(_zone(_line(name, "zones"), zones[name], ticks, limit) for name in sorted(zones)),
        source=str(document.get("source") or ""),
        licence=str(document.get("licence") or ""),
    )


def _refuse(value: Any, rule: str, where: str = "") -> NoReturn:
    raise InputError(f"trace.{where}" if where else "trace", _shown(value), rule)


def _shown(value: Any) -> Any:
    """A value as an error may show it: a file may hold megabytes, or lists nested deeper than `repr` goes."""
    if isinstance(value, Decimal):
        value = str(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | str):
        return value if len(str(value)) <= LONGEST_LINE else f"{str(value)[:LONGEST_LINE]}..."
    return f"a {type(value).__name__}"


def _unpacked(content: bytes) -> bytes:
    if content[:2] == GZIP:
        try:
            with gzip.open(BytesIO(content)) as packed:
                content = packed.read(LARGEST_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:
            _refuse(f"{len(content)} bytes", f"is not a whole gzip file: {error}")
    if len(content) > LARGEST_BYTES:
        _refuse(f"more than {LARGEST_BYTES} bytes", "must be 16 MiB at most after unpacking")
    return content


def _document(content: bytes) -> Any:
    def constant(name: str) -> NoReturn:
        _refuse(name, "is no number")

    try:
        return json.loads(content.decode("utf-8"), parse_float=Decimal, parse_constant=constant)
    except (ValueError, RecursionError, InvalidOperation) as error:
        # An exponent of twenty digits is JSON, but no Decimal.
        _refuse(f"{len(content)} bytes", f"is not JSON in UTF-8: {error}")


def _integer(document: Mapping[str, Any], key: str, least: int, most: int | None = None) -> int:
    value = document.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or value < least or (most is not None and value > most):
        _refuse(value, f"must be a whole number from {least}" + (f" to {most}" if most is not None else ""), key)
    return value


def _word(document: Mapping[str, Any], key: str) -> str:
    return _line(document.get(key), key)


def _line(value: Any, where: str) -> str:
    """A text that can stand in a terminal and on a page."""
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST_LINE or not value.isprintable():
        _refuse(value, f"must be 1 to {LONGEST_LINE} printable characters", where)
    return value


def _price(value: Any, where: str) -> int:
    if not isinstance(value, int | Decimal):
        _refuse(value, "must be a number", where)
    try:
        amount = money(value)
    except InputError as error:
        _refuse(value, error.rule, where)
    return int((amount * MICRO).to_integral_value(ROUND_HALF_EVEN))


def _zone(name: str, zone: Any, ticks: int, limit: int) -> Zone:
    where = f"zones.{name}"
    if not isinstance(zone, Mapping):
        _refuse(zone, "must be an object", where)

    def capacity(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= limit:
            _refuse(value, f"must be a whole number from 0 to the probe limit {limit}", f"{where}.capacity_rle")
        return value

    return Zone(
        name,
        _line(zone.get("region"), f"{where}.region"),
        _steps(zone.get("capacity_rle"), capacity, ticks, f"{where}.capacity_rle"),
        _steps(zone.get("price_rle"), lambda value: _price(value, f"{where}.price_rle"), ticks, f"{where}.price_rle"),
    )


def _steps(runs: Any, convert: Any, ticks: int, where: str) -> Steps:
    """Run lengths as changes; runs of the same value are one."""
    if not isinstance(runs, list):
        _refuse(runs, "must be a list of [count, value] pairs", where)
    tick = 0
    steps: list[tuple[int, int]] = []
    for run in runs:
        if not isinstance(run, list) or len(run) != 2:
            _refuse(run, "must be a pair [count, value]", where)
        count, value = run
        if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= ticks:
            _refuse(count, f"must be a count from 1 to the {ticks} ticks", where)
        value = convert(value)
        if not steps or steps[-1][1] != value:
            steps.append((tick, value))
        tick += count
    if tick != ticks:
        _refuse(tick, f"counts in all, must be the {ticks} ticks", where)
    return tuple(steps)
