# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay import trace

SHIPPED = Path(__file__).parents[4] / "playbooks/files/traces/aws-2023-08-v100x4.json"
ZONE = {"region": "us-east-1", "capacity_rle": [[2, 0], [3, 4]], "price_rle": [[5, 0.918]]}
GOOD = {
    "format": "spot-trace/1",
    "name": "made-up",
    "start": "2026-01-01",
    "gap_seconds": 300,
    "ticks": 5,
    "kind": "availability",
    "instance_type": "p3.2xlarge",
    "probe_limit": 4,
    "on_demand_price": 3.06,
    "currency": "USD/h",
    "zones": {"us-east-1a": ZONE},
}


def recording(**changes: Any) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


def zone(**changes: Any) -> dict[str, Any]:
    return {"zones": {"us-east-1a": {**ZONE, **changes}}}


def test_a_recording_as_the_format_describes_it() -> None:
    read = trace.read_trace(recording(source="somebody@1", licence="CC0-1.0", unknown=[None]))
    assert (read.name, read.start, read.kind, read.instance_type) == (
        "made-up",
        "2026-01-01",
        "availability",
        "p3.2xlarge",
    )
    assert (read.gap_seconds, read.ticks, read.seconds, read.probe_limit) == (300, 5, 1500, 4)
    assert (read.on_demand_price, read.source, read.licence) == (3_060_000, "somebody@1", "CC0-1.0")
    assert read.zones == (trace.Zone("us-east-1a", "us-east-1", ((0, 0), (2, 4)), ((0, 918_000),)),)


def test_packed_is_as_unpacked() -> None:
    assert trace.read_trace(gzip.compress(recording(), mtime=0)) == trace.read_trace(recording())


def test_zones_are_in_the_order_of_their_names() -> None:
    read = trace.read_trace(recording(zones={"b": {**ZONE, "region": "two"}, "a": {**ZONE, "region": "one"}}))
    assert [zone.name for zone in read.zones] == ["a", "b"]
    assert read.regions == ("one", "two")


def test_runs_of_the_same_value_are_one() -> None:
    read = trace.read_trace(recording(**zone(capacity_rle=[[1, 4], [1, 4], [1, 0], [2, 0]])))
    assert read.zones[0].capacity == ((0, 4), (2, 0))


def test_prices_are_whole_millionths() -> None:
    read = trace.read_trace(recording(**zone(price_rle=[[1, 0], [1, 1], [1, 0.3], [1, 0.0000005], [1, 1e-30]])))
    assert [price for _tick, price in read.zones[0].price] == [0, 1_000_000, 300_000, 0]


def test_the_recording_that_the_collection_ships() -> None:
    read = trace.read_trace(SHIPPED.read_bytes())
    assert (read.name, read.ticks, read.gap_seconds) == (SHIPPED.stem, 3156, 300)
    assert read.regions == ("us-east-1", "us-east-2", "us-west-2")
    assert read.licence.startswith("Apache-2.0, Copyright 2026 The SkyNomad Authors")


@pytest.mark.parametrize(
    ("changes", "option", "rule"),
    [
        ({"format": "spot-trace/2"}, "trace.format", "is not the format spot-trace/1"),
        ({"format": None}, "trace.format", "is not the format"),
        ({"format": ["spot-trace/1"]}, "trace.format", "is not the format"),
        ({"name": ""}, "trace.name", "1 to 200 printable characters"),
        ({"name": "x" * 201}, "trace.name", "1 to 200 printable characters"),
        ({"name": "\x1b[31m"}, "trace.name", "printable"),
        ({"name": "\ud800"}, "trace.name", "printable"),
        ({"start": 2026}, "trace.start", "printable"),
        ({"instance_type": None}, "trace.instance_type", "printable"),
        ({"gap_seconds": 0}, "trace.gap_seconds", "whole number from 1"),
        ({"gap_seconds": -300}, "trace.gap_seconds", "whole number from 1"),
        ({"gap_seconds": 300.0}, "trace.gap_seconds", "whole number from 1"),
        ({"gap_seconds": True}, "trace.gap_seconds", "whole number from 1"),
        ({"gap_seconds": 86_401}, "trace.gap_seconds", "to 86400"),
        ({"ticks": 0}, "trace.ticks", "whole number from 1"),
        ({"ticks": -5}, "trace.ticks", "whole number from 1"),
        ({"ticks": "5"}, "trace.ticks", "whole number from 1"),
        ({"ticks": 10**4000}, "trace.ticks", "whole number from 1"),
        ({"kind": "weather"}, "trace.kind", "must be one of availability, preemption"),
        ({"kind": {}}, "trace.kind", "must be one of"),
        ({"probe_limit": 0}, "trace.probe_limit", "whole number from 1"),
        ({"probe_limit": -1}, "trace.probe_limit", "whole number from 1"),
        ({"on_demand_price": 0}, "trace.on_demand_price", "must be above 0"),
        ({"on_demand_price": -3.06}, "trace.on_demand_price", "finite number from 0"),
        ({"on_demand_price": "3.06"}, "trace.on_demand_price", "must be a number"),
        ({"on_demand_price": True}, "trace.on_demand_price", "finite number from 0"),
        ({"on_demand_price": None}, "trace.on_demand_price", "must be a number"),
        ({"on_demand_price": 1e10}, "trace.on_demand_price", "finite number from 0"),
        ({"on_demand_price": float("nan")}, "trace", "is no number"),
        ({"on_demand_price": float("inf")}, "trace", "is no number"),
        ({"zones": None}, "trace.zones", "one zone or more"),
        ({"zones": {}}, "trace.zones", "one zone or more"),
        ({"zones": [ZONE]}, "trace.zones", "one zone or more"),
        ({"zones": {"": ZONE}}, "trace.zones", "printable"),
        ({"zones": {"\n": ZONE}}, "trace.zones", "printable"),
        ({"zones": {"a": []}}, "trace.zones.a", "must be an object"),
        (zone(region=""), "trace.zones.us-east-1a.region", "printable"),
        (zone(region=None), "trace.zones.us-east-1a.region", "printable"),
        (zone(region=1), "trace.zones.us-east-1a.region", "printable"),
        (zone(capacity_rle=None), "trace.zones.us-east-1a.capacity_rle", "must be a list"),
        (zone(capacity_rle=[]), "trace.zones.us-east-1a.capacity_rle", "must be the 5 ticks"),
        (zone(capacity_rle=[[4, 1]]), "trace.zones.us-east-1a.capacity_rle", "must be the 5 ticks"),
        (zone(capacity_rle=[[5, 1], [1, 0]]), "trace.zones.us-east-1a.capacity_rle", "must be the 5 ticks"),
        (zone(capacity_rle=[[6, 1]]), "trace.zones.us-east-1a.capacity_rle", "a count from 1 to the 5 ticks"),
        (zone(capacity_rle=[[10**4299, 1]] * 20), "trace.zones.us-east-1a.capacity_rle", "a count from 1"),
        (zone(capacity_rle=[[0, 1], [5, 1]]), "trace.zones.us-east-1a.capacity_rle", "a count from 1"),
        (zone(capacity_rle=[[-1, 1], [6, 1]]), "trace.zones.us-east-1a.capacity_rle", "a count from 1"),
        (zone(capacity_rle=[[True, 1], [4, 1]]), "trace.zones.us-east-1a.capacity_rle", "a count from 1"),
        (zone(capacity_rle=[[5.0, 1]]), "trace.zones.us-east-1a.capacity_rle", "a count from 1"),
        (zone(capacity_rle=[[5]]), "trace.zones.us-east-1a.capacity_rle", "must be a pair"),
        (zone(capacity_rle=[[5, 1, 1]]), "trace.zones.us-east-1a.capacity_rle", "must be a pair"),
        (zone(capacity_rle=[5, 1]), "trace.zones.us-east-1a.capacity_rle", "must be a pair"),
        (zone(capacity_rle=[[5, -1]]), "trace.zones.us-east-1a.capacity_rle", "from 0 to the probe limit 4"),
        (zone(capacity_rle=[[5, 5]]), "trace.zones.us-east-1a.capacity_rle", "from 0 to the probe limit 4"),
        (zone(capacity_rle=[[5, 1.5]]), "trace.zones.us-east-1a.capacity_rle", "from 0 to the probe limit 4"),
        (zone(capacity_rle=[[5, False]]), "trace.zones.us-east-1a.capacity_rle", "from 0 to the probe limit 4"),
        (zone(price_rle=[[5, -0.1]]), "trace.zones.us-east-1a.price_rle", "finite number from 0"),
        (zone(price_rle=[[5, None]]), "trace.zones.us-east-1a.price_rle", "must be a number"),
        (zone(price_rle=[[5, float("nan")]]), "trace", "is no number"),
        (zone(price_rle=[[4, 1]]), "trace.zones.us-east-1a.price_rle", "must be the 5 ticks"),
    ],
)
def test_malformed_recordings_are_refused(changes: dict[str, Any], option: str, rule: str) -> None:
    with pytest.raises(InputError) as caught:
        trace.read_trace(recording(**changes))
    assert (caught.value.option, rule in caught.value.rule) == (option, True), caught.value.message


@pytest.mark.parametrize("key", [key for key in GOOD if key != "currency"])
def test_every_key_is_needed(key: str) -> None:
    with pytest.raises(InputError) as caught:
        trace.read_trace(json.dumps({name: value for name, value in GOOD.items() if name != key}).encode())
    assert caught.value.option == f"trace.{key}"


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "is not JSON in UTF-8"),
        (b"\xff\xfe", "is not JSON in UTF-8"),
        (recording().decode().encode("utf-16"), "is not JSON in UTF-8"),
        (b"\xef\xbb\xbf" + recording(), "is not JSON in UTF-8"),
        (recording()[:-1], "is not JSON in UTF-8"),
        (b"[" * 100_000, "is not JSON in UTF-8"),
        (recording(ticks=5).replace(b'"ticks": 5', b'"ticks": ' + b"5" * 5000), "is not JSON in UTF-8"),
        (recording().replace(b"3.06", b"1e" + b"9" * 30), "is not JSON in UTF-8"),
        (recording().replace(b"3.06", b"1e-" + b"9" * 30), "is not JSON in UTF-8"),
        (recording().replace(b"3.06", b"1e9999999"), "finite number"),
        (b"[]", "must be a JSON object"),
        (b'"spot-trace/1"', "must be a JSON object"),
        (b"\x1f\x8b", "is not a whole gzip file"),
        (gzip.compress(recording(), mtime=0)[:-4], "is not a whole gzip file"),
        (gzip.compress(recording(), mtime=0)[:-8] + b"\0" * 8, "is not a whole gzip file"),
        (b"\x1f\x8b\x08\x00" + b"\xff" * 200, "is not a whole gzip file"),
        (b" " * (16 * 1024 * 1024 + 1), "16 MiB at most"),
        (gzip.compress(b"\0" * (64 * 1024 * 1024), mtime=0), "16 MiB at most"),
    ],
    ids=lambda value: value[:20] if isinstance(value, bytes) else value,
)
def test_what_is_no_document_is_refused(content: bytes, rule: str) -> None:
    with pytest.raises(InputError) as caught:
        trace.read_trace(content)
    assert rule in caught.value.rule


def test_the_largest_file_is_read() -> None:
    content = recording()
    assert trace.read_trace(content + b" " * (trace.LARGEST_BYTES - len(content))).name == "made-up"


@pytest.mark.parametrize(
    "changes",
    [{"format": "x" * 100_000}, {"ticks": [[["x"] * 1000] * 100]}, {"name": 10**4000}, {"zones": {"z" * 9999: ZONE}}],
)
def test_an_error_never_repeats_much_of_the_file(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        trace.read_trace(recording(**changes))
    assert len(caught.value.message) < 400


def read_or_refuse(content: bytes) -> None:
    try:
        read = trace.read_trace(content)
    except InputError as error:
        assert error.option.split(".")[0] == "trace"
        return
    for zone_read in read.zones:
        for steps in (zone_read.capacity, zone_read.price):
            ticks = [tick for tick, _value in steps]
            assert ticks[0] == 0
            assert ticks == sorted(set(ticks))
            assert ticks[-1] < read.ticks
        assert all(0 <= value <= read.probe_limit for _tick, value in zone_read.capacity)


@given(st.binary(max_size=400))
@example(b"\x1f\x8b\x08\x04")
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    read_or_refuse(content)
    read_or_refuse(b"\x1f\x8b" + content)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_damage_is_read_or_refused(data: st.DataObject) -> None:
    content = bytearray(recording())
    for _number in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content) - 1))
        end = data.draw(st.integers(start, min(len(content), start + 12)))
        content[start:end] = data.draw(
            st.binary(max_size=6) | st.sampled_from([b"-", b"9" * 20, b"1e99", b"NaN", b"]"])
        )
        if not content:
            break
    read_or_refuse(bytes(content))
    packed = bytearray(gzip.compress(bytes(content), mtime=0))
    packed[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(0, 255))
    read_or_refuse(bytes(packed))


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
RUNS = st.lists(st.tuples(st.integers(-1, 6) | ANY, st.integers(-1, 6) | ANY).map(list) | ANY, max_size=4) | ANY


@settings(max_examples=500, deadline=None)
@given(
    st.dictionaries(st.sampled_from(sorted(GOOD)), ANY, max_size=2),
    st.dictionaries(st.sampled_from(sorted(ZONE)), RUNS, max_size=2),
)
def test_any_values_are_read_or_refused(keys: dict[str, Any], zone_keys: dict[str, Any]) -> None:
    document = {**GOOD, "zones": {"us-east-1a": {**ZONE, **zone_keys}}, **keys}
    read_or_refuse(json.dumps(document).encode())
