# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import json
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from datetime import timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay import recorder
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.canonical import canonical_lines
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.generate import text_of
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import read_trace

START = datetime(2026, 1, 5, 14, 0, 7, tzinfo=UTC)
RECORD = {
    "kind": "region_rank",
    "inputs": {
        "single_zone": True,
        "instance_types": ["g5.xlarge", "g6.xlarge"],
        "target_capacity": 4,
        "product_description": "Linux/UNIX",
        "regions": {
            "us-east-1": {
                "problem": None,
                "score_kept": False,
                "on_demand": {"g5.xlarge": "1.006", "g6.xlarge": "0.8048"},
                "zones": [
                    {
                        "zone": "us-east-1a",
                        "zone_id": "use1-az6",
                        "instance_type": "g6.xlarge",
                        "price": "0.31",
                        "score": 9,
                    },
                    {"zone": None, "zone_id": "use1-az2", "instance_type": "g5.xlarge", "price": "0.4", "score": None},
                ],
            },
            "eu-west-1": {"problem": "Timeout: no answer", "score_kept": False, "on_demand": {}, "zones": []},
        },
    },
    "alternatives": [],
}


def sample(minutes: float = 0, **changes: Any) -> dict[str, Any]:
    return {**recorder.sample_of(RECORD, START + timedelta(minutes=minutes)), **changes}


def zone(score: int | None = 9, price: str = "0.31", region: str = "us-east-1") -> dict[str, Any]:
    return {"region": region, "score": score, "price": price, "instance_type": "g5.xlarge"}


def capacity_of(samples: list[dict[str, Any]], name: str = "a", **how: Any) -> list[list[int]]:
    document, _counts = recorder.recording(samples, recorder.Conversion(**how))
    return document["zones"][name]["capacity_rle"]


def test_a_sample_says_what_was_told_and_no_more() -> None:
    assert recorder.sample_of(RECORD, START.astimezone(timezone(timedelta(hours=9)))) == {
        "format": "spot-sample/1",
        "at": "2026-01-05T14:00:07Z",
        "instance_types": ["g5.xlarge", "g6.xlarge"],
        "capacity": 4,
        "product": "Linux/UNIX",
        "answered": ["us-east-1"],
        "on_demand": {"us-east-1": {"g5.xlarge": "1.006", "g6.xlarge": "0.8048"}},
        "zones": {
            "us-east-1a": {"region": "us-east-1", "score": 9, "price": "0.31", "instance_type": "g6.xlarge"},
            "use1-az2": {"region": "us-east-1", "score": None, "price": "0.4", "instance_type": "g5.xlarge"},
        },
    }


def test_a_score_that_was_kept_is_not_known() -> None:
    record = copy.deepcopy(RECORD)
    record["inputs"]["regions"]["us-east-1"]["score_kept"] = True
    assert recorder.sample_of(record, START)["zones"]["us-east-1a"]["score"] is None


@pytest.mark.parametrize(
    "record",
    [
        None,
        [],
        {},
        "region_rank",
        {**RECORD, "kind": "other"},
        {**RECORD, "inputs": {}},
        {**RECORD, "inputs": {**RECORD["inputs"], "single_zone": False}},
        {**RECORD, "inputs": {**RECORD["inputs"], "regions": {"us-east-1": {}}}},
        {**RECORD, "inputs": {**RECORD["inputs"], "target_capacity": "many"}},
    ],
)
def test_other_records_are_refused(record: Any) -> None:
    with pytest.raises(InputError) as caught:
        recorder.sample_of(record, START)
    assert (caught.value.option, "single_zone" in caught.value.rule) == ("record", True)


def test_samples_are_read_back_in_order_and_broken_lines_counted() -> None:
    lines = canonical_lines([sample(20), sample(0), sample(10)])
    torn = lines + lines[: len(lines) // 7] + b"\n\n[]\n\xff\n"
    assert recorder.read_samples(torn) == ([sample(0), sample(10), sample(20)], 3)
    assert recorder.read_samples(b"") == ([], 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "spot-sample/2"},
        {"at": "2026-1-5T14:00:07Z"},
        {"at": "yesterday"},
        {"capacity": 0},
        {"capacity": None},
        {"capacity": "4"},
        {"capacity": True},
        {"instance_types": "g5.xlarge"},
        {"instance_types": [5]},
        {"answered": None},
        {"product": ""},
        {"on_demand": {"us-east-1": {"g5.xlarge": "NaN"}}},
        {"on_demand": []},
        {"zones": {"a": zone(score=11)}},
        {"zones": {"a": zone(score=0)}},
        {"zones": {"a": {**zone(), "score": "9"}}},
        {"zones": {"a": {**zone(), "score": 9.0}}},
        {"zones": {"a": zone(price="-1")}},
        {"zones": {"a": zone(region="")}},
        {"zones": {"\x1b": zone()}},
        {"zones": {"a": {}}},
    ],
)
def test_what_is_no_sample(changes: dict[str, Any]) -> None:
    assert recorder.read_samples(canonical_lines([]) + json.dumps(sample(**changes)).encode()) == ([], 1)


def test_a_recording() -> None:
    samples = [sample(10 * number) for number in range(6)]
    document, counts = recorder.recording(samples, recorder.Conversion(name="mine"))
    assert counts == {"samples": 6, "other_samples": 0, "ticks": 6, "missing_ticks": 0}
    read = read_trace(text_of(document).encode())
    assert (read.name, read.start, read.gap_seconds, read.ticks) == ("mine", "2026-01-05T14:00:00Z", 600, 6)
    assert (read.kind, read.instance_type, read.probe_limit) == ("availability", "g5.xlarge, g6.xlarge", 4)
    assert read.on_demand_price == 804_800
    first, second = read.zones
    assert (first.name, first.region, first.capacity, first.price) == (
        "us-east-1a",
        "us-east-1",
        ((0, 4),),
        ((0, 310_000),),
    )
    assert (second.name, second.capacity) == ("use1-az2", ((0, 0),))
    assert "5 or more" in document["note"]


@pytest.mark.parametrize(("score", "capacity"), [(1, 0), (4, 0), (5, 4), (10, 4), (None, 0)])
def test_the_score_stands_in_for_capacity(score: int | None, capacity: int) -> None:
    assert capacity_of([sample(zones={"a": zone(score)})]) == [[1, capacity]]
    assert capacity_of([sample(zones={"a": zone(score)})], score_threshold=1) == [[1, 4 if score else 0]]


def test_what_is_missing_is_carried_for_a_while() -> None:
    samples = [sample(0, zones={"a": zone()}), sample(100, zones={"a": zone()})]
    assert capacity_of(samples) == [[4, 4], [6, 0], [1, 4]]
    assert capacity_of(samples, carry_seconds=0) == [[1, 4], [9, 0], [1, 4]]
    assert capacity_of(samples, carry_seconds=599) == [[1, 4], [9, 0], [1, 4]]
    assert capacity_of(samples, carry_seconds=6000) == [[11, 4]]


def test_an_unknown_score_is_as_a_missing_sample() -> None:
    samples = [sample(0, zones={"a": zone()}), *(sample(10 * n, zones={"a": zone(None)}) for n in range(1, 8))]
    assert capacity_of(samples) == [[4, 4], [4, 0]]
    assert capacity_of(samples[1:]) == [[7, 0]]


def test_a_region_that_did_not_answer_is_unknown_and_one_without_the_zone_sells_nothing() -> None:
    there = sample(0, zones={"a": zone()})
    assert capacity_of([there, sample(10, zones={}, answered=[])]) == [[2, 4]]
    assert capacity_of([there, sample(10, zones={})]) == [[1, 4], [1, 0]]


def test_prices_hold_until_the_next_and_from_the_beginning() -> None:
    samples = [
        sample(0, zones={"b": zone(price="1")}),
        sample(20, zones={"a": zone(price="0.3"), "b": zone(price="1")}),
        sample(40, zones={"a": zone(price="0.35"), "b": zone(price="1")}),
    ]
    document, counts = recorder.recording(samples, recorder.Conversion())
    assert document["zones"]["a"]["price_rle"] == [[4, Decimal("0.3")], [1, Decimal("0.35")]]
    assert document["zones"]["a"]["capacity_rle"] == [[2, 0], [3, 4]]
    assert counts["missing_ticks"] == 2


def test_the_last_sample_of_a_tick_counts() -> None:
    samples = [sample(0, zones={"a": zone(9)}), sample(1, zones={"a": zone(1)})]
    assert capacity_of(samples) == [[1, 0]]


def test_a_late_run_is_not_a_missing_one() -> None:
    samples = [sample(minutes, zones={"a": zone()}) for minutes in (0, 10.5, 20.2, 30.9)]
    document, counts = recorder.recording(samples, recorder.Conversion(carry_seconds=0))
    assert (document["ticks"], counts["missing_ticks"]) == (4, 0)


def test_samples_that_ask_something_else_are_left_out() -> None:
    samples = [sample(0, capacity=8), sample(10, instance_types=["g4dn.xlarge"]), sample(20)]
    document, counts = recorder.recording(samples, recorder.Conversion())
    assert (document["ticks"], counts["samples"], counts["other_samples"]) == (1, 1, 2)


def test_the_on_demand_price_is_the_newest_cheapest_or_the_one_given() -> None:
    samples = [
        sample(0),
        sample(10, on_demand={"us-east-1": {"g5.xlarge": "2"}, "eu-west-1": {"g5.xlarge": "3"}}),
        sample(20, on_demand={}),
    ]
    assert recorder.recording(samples, recorder.Conversion())[0]["on_demand_price"] == 2
    given = recorder.Conversion(on_demand_price=Decimal("1.5"))
    assert recorder.recording(samples, given)[0]["on_demand_price"] == Decimal("1.5")
    with pytest.raises(InputError) as caught:
        recorder.recording([sample(on_demand={})], recorder.Conversion())
    assert caught.value.option == "on_demand_price"


def test_samples_that_make_no_recording() -> None:
    for samples in ([], [sample(zones={})], [sample(0), {**sample(0), "at": "2999-01-05T14:00:07Z"}]):
        with pytest.raises(InputError):
            recorder.recording(samples, recorder.Conversion(interval_seconds=60))


@pytest.mark.parametrize(
    ("changes", "option"),
    [
        ({"name": "Mine"}, "name"),
        ({"name": ""}, "name"),
        ({"interval_seconds": 59}, "interval_seconds"),
        ({"interval_seconds": 86_401}, "interval_seconds"),
        ({"interval_seconds": True}, "interval_seconds"),
        ({"carry_seconds": -1}, "carry_seconds"),
        ({"score_threshold": 0}, "score_threshold"),
        ({"score_threshold": 11}, "score_threshold"),
        ({"on_demand_price": Decimal(0)}, "on_demand_price"),
    ],
)
def test_bad_options(changes: dict[str, Any], option: str) -> None:
    with pytest.raises(InputError) as caught:
        recorder.check_conversion(recorder.Conversion(**changes))
    assert caught.value.option == option


ZONES = st.dictionaries(
    st.sampled_from(["a", "b", "c"]),
    st.builds(zone, st.none() | st.integers(1, 10), st.sampled_from(["0", "0.31", "7"])),
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5000), ZONES, st.sampled_from([[], ["us-east-1"]])), min_size=1, max_size=12),
    st.integers(60, 3600),
    st.integers(0, 7200),
)
def test_every_recording_can_be_replayed(entries: list[Any], interval: int, carry: int) -> None:
    samples = [sample(minutes, zones=zones, answered=answered) for minutes, zones, answered in entries]
    samples, broken = recorder.read_samples(canonical_lines(samples))
    assert broken == 0
    conversion = recorder.check_conversion(recorder.Conversion(interval_seconds=interval, carry_seconds=carry))
    try:
        document, counts = recorder.recording(samples, conversion)
    except InputError:
        lasting = {int(datetime.fromisoformat(entry["at"]).timestamp()) // interval: entry for entry in samples}
        assert not any(entry["zones"] for entry in lasting.values())
        return
    read = read_trace(text_of(document).encode())
    assert read.ticks == counts["ticks"] >= 1
    assert counts["missing_ticks"] < read.ticks
    # Nobody has capacity who was not told of for longer than is carried.
    begin = datetime.fromisoformat(read.start).timestamp()
    for each in read.zones:
        told = sorted(
            datetime.fromisoformat(entry["at"]).timestamp()
            for entry in samples
            if (entry["zones"].get(each.name) or {}).get("score") is not None
        )
        for tick, value in each.capacity:
            if value:
                assert any(
                    begin + tick * interval - interval < moment < begin + (tick + 1) * interval for moment in told
                )


@given(st.binary(max_size=300))
def test_any_bytes_are_samples_or_not(content: bytes) -> None:
    samples, broken = recorder.read_samples(content)
    assert samples == []
    assert broken == sum(bool(line.strip()) for line in content.splitlines())


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(st.sampled_from(sorted(sample())), ANY, max_size=2),
    st.dictionaries(st.sampled_from(sorted(zone())), ANY, max_size=2),
)
def test_whatever_is_read_can_be_recorded_or_refused(changes: dict[str, Any], zone_changes: dict[str, Any]) -> None:
    damaged = {**sample(zones={"a": {**zone(), **zone_changes}}), **changes}
    samples, _broken = recorder.read_samples(json.dumps(damaged).encode())
    try:
        document, _counts = recorder.recording(samples, recorder.Conversion())
    except InputError:
        return
    read_trace(text_of(document).encode())
