# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A user's own market: samples of scores and prices, and the recording that they make. PRIVATE to the collection.

A sample says what AWS said at one moment, and nothing of what it did not say. The recording needs a capacity, which nobody can
ask for; a placement score stands in for it, as the recording's note says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any
from typing import TypeVar

from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import check_integer
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.money import money
from ansible_collections.ethereal.spot.plugins.module_utils._brain.money import text
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.canonical import canonical_lines
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import FORMAT
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import LONGEST_LINE
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import MICRO
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import MOST_TICKS

SAMPLE = "spot-sample/1"
TIME = "%Y-%m-%dT%H:%M:%SZ"
NAME = re.compile(r"[a-z0-9-]{1,100}")
# Placement scores are from 1 to 10 (botocore model: SpotPlacementScore).
SCORES = (1, 10)
# A recording's prices are whole millionths.
LEAST_PRICE = Decimal(1) / MICRO
# What must be equal for two samples to speak of the same thing.
QUESTION = ("instance_types", "capacity", "product")

Value = TypeVar("Value")


@dataclass(frozen=True)
class Conversion:
    """How samples become a recording: see the options of spot_record, which they are."""

    name: str = "market"
    interval_seconds: int = 600
    carry_seconds: int = 1800
    score_threshold: int = 5
    on_demand_price: Decimal | None = None


def check_conversion(conversion: Conversion) -> Conversion:
    """The options, if a recording can be made with them."""
    if not isinstance(conversion.name, str) or not NAME.fullmatch(conversion.name):
        raise InputError("name", conversion.name, "must be 1 to 100 lower-case letters, digits and hyphens")
    check_integer(conversion.interval_seconds, "interval_seconds", 60, 86_400)
    check_integer(conversion.carry_seconds, "carry_seconds", 0, 86_400)
    check_integer(conversion.score_threshold, "score_threshold", *SCORES)
    if conversion.on_demand_price is not None and conversion.on_demand_price < LEAST_PRICE:
        raise InputError("on_demand_price", f"{conversion.on_demand_price}", f"must be at least {LEAST_PRICE:f}")
    return conversion


def sample_of(record: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """What a decision record of spot_region_rank with `single_zone` says of the market at `now`.

    `answered` are the regions that told their market: a zone of theirs that is missing is not sold on spot. A score that is None
    is not known. Raises InputError for any other record.
    """
    try:
        sample = _sampled(record["inputs"], now) if record["kind"] == "region_rank" else None
    except (AttributeError, KeyError, TypeError):
        sample = None
    if sample is None or record["inputs"]["single_zone"] is not True or _sample(canonical_lines([sample])) is None:
        raise InputError("record", f"a {type(record).__name__}", "must be that of spot_region_rank with single_zone")
    return sample


def sample_line(sample: Mapping[str, Any]) -> str:
    """A sample in a line for people."""
    zones = sample["zones"].values()
    scores = [zone["score"] for zone in zones if zone["score"] is not None]
    prices = sorted(money(zone["price"]) for zone in zones)
    told = [f"{sample['at']}: {len(zones)} zones of {len(sample['answered'])} regions"]
    told.append(f"scores {min(scores)} to {max(scores)}" if scores else "no scores")
    if len(scores) < len(zones):
        told.append(f"{len(zones) - len(scores)} unknown")
    if prices:
        told.append(f"{text(prices[0])} to {text(prices[-1])} USD an hour")
    return ", ".join(told)


def _sampled(inputs: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    answered = {region: told for region, told in inputs["regions"].items() if not told["problem"]}
    return {
        "format": SAMPLE,
        "at": now.astimezone(UTC).strftime(TIME),
        "instance_types": list(inputs["instance_types"]),
        "capacity": inputs["target_capacity"],
        "product": inputs["product_description"],
        "answered": sorted(answered),
        "on_demand": {region: told["on_demand"] for region, told in answered.items() if told["on_demand"]},
        "zones": {
            zone["zone"] or zone["zone_id"]: {
                "region": region,
                # A score that was kept is as old as a day.
                "score": None if told["score_kept"] else zone["score"],
                "price": zone["price"],
                "instance_type": zone["instance_type"],
            }
            for region, told in answered.items()
            for zone in told["zones"]
        },
    }


def read_samples(content: bytes) -> tuple[list[dict[str, Any]], int]:
    """The samples in a file of JSON lines, oldest first, and how many lines are none: a run may have died while writing."""
    samples = []
    broken = 0
    for line in content.splitlines():
        if not line.strip():
            continue
        sample = _sample(line)
        if sample is None:
            broken += 1
        else:
            samples.append(sample)
    return sorted(samples, key=_seconds), broken


def recording(samples: Sequence[Mapping[str, Any]], conversion: Conversion) -> tuple[dict[str, Any], dict[str, int]]:
    """A document in the format `spot-trace/1` from samples, oldest first; and what became of them, in numbers.

    Only samples that ask what the newest asks are used. Every zone's last known value is carried for `carry_seconds`, then its
    capacity counts as 0. Raises InputError where they make no recording.
    """
    if not samples:
        raise InputError("samples", 0, "samples can be read: at least one is needed")
    newest = samples[-1]
    used = [sample for sample in samples if all(sample[key] == newest[key] for key in QUESTION)]
    gap = conversion.interval_seconds
    by_tick = {_seconds(sample) // gap: sample for sample in used}
    first, last = min(by_tick), max(by_tick)
    ticks = last - first + 1
    if ticks > MOST_TICKS:
        raise InputError("interval_seconds", gap, f"makes {ticks} ticks of these samples, limit {MOST_TICKS}")
    on_demand = conversion.on_demand_price or _on_demand(used)
    if on_demand is None:
        raise InputError("on_demand_price", None, "is needed: no sample tells one")
    by_tick = {tick - first: by_tick[tick] for tick in sorted(by_tick)}
    regions = {name: zone["region"] for sample in by_tick.values() for name, zone in sample["zones"].items()}
    if not regions:
        raise InputError("samples", len(used), "samples name no zone: nothing is sold, or no region answered")
    document = {
        "format": FORMAT,
        "name": conversion.name,
        "start": _time(first * gap),
        "gap_seconds": gap,
        "ticks": ticks,
        "kind": "availability",
        "instance_type": ", ".join(newest["instance_types"])[:LONGEST_LINE],
        "probe_limit": newest["capacity"],
        "on_demand_price": on_demand,
        "currency": "USD/h",
        "source": "recorded with ethereal.spot",
        "licence": "",
        "price_source": "current spot prices of EC2, on-demand price of the Price List API or as given",
        "note": (
            f"capacity is a stand-in: {newest['capacity']} where the single-zone placement score is "
            f"{conversion.score_threshold} or more, else 0; missing samples carry the last one for {conversion.carry_seconds} s"
        ),
        "zones": {
            name: _zone(name, region, by_tick, ticks, newest["capacity"], conversion)
            for name, region in sorted(regions.items())
        },
    }
    counts = {
        "samples": len(used),
        "other_samples": len(samples) - len(used),
        "ticks": ticks,
        "missing_ticks": ticks - len(by_tick),
    }
    return document, counts


def _sample(content: bytes) -> dict[str, Any] | None:
    """The sample on a line, if it is one."""
    try:
        sample = json.loads(content.decode("utf-8"))
        zones = sample["zones"]
        prices = [price for region in sample["on_demand"].values() for price in region.values()]
        for price in (*prices, *(zone["price"] for zone in zones.values())):
            money(price)
        lines = [sample["product"], *sample["instance_types"], *sample["answered"], *zones]
        lines += [zone["region"] for zone in zones.values()]
        whole = [(sample["capacity"], None), *((zone["score"], SCORES[1]) for zone in zones.values())]
        good = (
            sample["format"] == SAMPLE
            and sample["at"] == _time(_seconds(sample))
            and isinstance(sample["instance_types"], list)
            and sample["instance_types"]
            and all(isinstance(line, str) and 0 < len(line) <= LONGEST_LINE and line.isprintable() for line in lines)
            and all(number is None or isinstance(number, int) for number, _most in whole)
            and not any(isinstance(number, bool) for number, _most in whole)
            and all(number is None or 1 <= number <= (most or number) for number, most in whole)
            and sample["capacity"] is not None
        )
        return sample if good else None
    except (InputError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        return None


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime(TIME)


def _seconds(sample: Mapping[str, Any]) -> int:
    return int(datetime.strptime(sample["at"], TIME).replace(tzinfo=UTC).timestamp())


def _on_demand(samples: Iterable[Mapping[str, Any]]) -> Decimal | None:
    """The cheapest on-demand price of the newest sample that tells any: a fallback would run there."""
    newest = None
    for sample in samples:
        prices = [money(price) for prices in sample["on_demand"].values() for price in prices.values()]
        newest = min((price for price in prices if price >= LEAST_PRICE), default=newest)
    return newest


def _zone(
    name: str, region: str, by_tick: Mapping[int, Mapping[str, Any]], ticks: int, limit: int, conversion: Conversion
) -> dict[str, Any]:
    scores: dict[int, int] = {}
    prices: dict[int, Decimal] = {}
    for tick, sample in by_tick.items():
        zone = sample["zones"].get(name)
        if zone is not None:
            prices[tick] = money(zone["price"])
        if zone is None and region in sample["answered"]:
            scores[tick] = 0
        elif zone is not None and zone["score"] is not None:
            scores[tick] = zone["score"]
    lasting = 1 + conversion.carry_seconds // conversion.interval_seconds
    capacity = {0: 0}
    for tick, following in pairwise([*scores, ticks]):
        capacity[tick] = limit if scores[tick] >= conversion.score_threshold else 0
        if following > tick + lasting:
            capacity[tick + lasting] = 0
    # Before its first price a zone is not sold, and no price counts.
    return {
        "region": region,
        "capacity_rle": _runs(capacity, ticks),
        "price_rle": _runs({0: next(iter(prices.values())), **prices}, ticks),
    }


def _runs(changes: Mapping[int, Value], ticks: int) -> list[list[Any]]:
    """Values by the tick from which they hold, in order, as run lengths."""
    runs: list[list[Any]] = []
    for tick, following in pairwise([*changes, ticks]):
        if runs and runs[-1][1] == changes[tick]:
            runs[-1][0] += following - tick
        else:
            runs.append([following - tick, changes[tick]])
    return runs
