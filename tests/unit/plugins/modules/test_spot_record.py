# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.recorder import read_samples
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import read_trace
from ansible_collections.ethereal.spot.plugins.module_utils._edge.files import append_line
from ansible_collections.ethereal.spot.plugins.modules import spot_record

RECORD = {
    "kind": "region_rank",
    "inputs": {
        "single_zone": True,
        "instance_types": ["g5.xlarge"],
        "target_capacity": 4,
        "product_description": "Linux/UNIX",
        "regions": {
            "us-east-1": {
                "problem": None,
                "score_kept": False,
                "on_demand": {"g5.xlarge": "1.006"},
                "zones": [
                    {
                        "zone": "us-east-1a",
                        "zone_id": "use1-az6",
                        "instance_type": "g5.xlarge",
                        "price": "0.31",
                        "score": 9,
                    },
                    {
                        "zone": "us-east-1b",
                        "zone_id": "use1-az1",
                        "instance_type": "g5.xlarge",
                        "price": "0.4",
                        "score": None,
                    },
                ],
            },
        },
    },
}


def test_a_sample_is_added_and_a_recording_made(run_module, tmp_path: Path) -> None:
    params = {"samples": str(tmp_path / "market.jsonl"), "record": RECORD, "trace": str(tmp_path / "market.json.gz")}
    checked = run_module(spot_record, params, check_mode=True, diff=True)
    assert (checked.failed, checked.changed, list(tmp_path.iterdir())) == (False, True, [])
    done = run_module(spot_record, params, diff=True)
    assert (done.failed, done.changed, done["broken_lines"]) == (False, True, 0)
    assert {**done["sample"], "at": ""} == {**checked["sample"], "at": ""}
    assert done["diff"]["before"] == {"samples": 0, "trace": None}
    assert done["diff"]["after"]["samples"] == 1
    assert read_samples((tmp_path / "market.jsonl").read_bytes()) == ([done["sample"]], 0)
    trace = read_trace((tmp_path / "market.json.gz").read_bytes())
    assert (trace.name, trace.ticks, trace.probe_limit, trace.on_demand_price) == ("market", 1, 4, 1_006_000)
    assert [zone.capacity for zone in trace.zones] == [((0, 4),), ((0, 0),)]
    assert done["text"][0].endswith("2 zones of 1 regions, scores 9 to 9, 1 unknown, 0.31 to 0.4 USD an hour")
    assert done["text"][1].endswith("1 samples, 0 of 1 ticks without one")
    again = run_module(spot_record, params)
    assert len(read_samples((tmp_path / "market.jsonl").read_bytes())[0]) == 2
    assert again["counts"]["samples"] == 2
    assert again.calls == []


def test_making_a_recording_again_changes_nothing(run_module, tmp_path: Path) -> None:
    samples = tmp_path / "market.jsonl"
    run_module(spot_record, {"samples": str(samples), "record": RECORD})
    before = samples.read_bytes()
    params = {"samples": str(samples), "trace": str(tmp_path / "market.json"), "name": "mine"}
    results = [run_module(spot_record, params, check_mode=check) for check in (True, False, False, True)]
    assert [result.changed for result in results] == [True, True, False, False]
    assert all("sample" not in result for result in results)
    assert json.loads((tmp_path / "market.json").read_text())["name"] == "mine"
    assert samples.read_bytes() == before


def test_files_are_where_the_user_is(run_module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = run_module(spot_record, {"samples": "market.jsonl", "record": RECORD, "trace": "market.json"})
    assert (done.failed, done.changed) == (False, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["market.json", "market.jsonl"]


def test_a_torn_line_is_ended_and_left_out(run_module, tmp_path: Path) -> None:
    samples = tmp_path / "market.jsonl"
    samples.write_bytes(b'{"format":"spot-sample/1","at":"2026')
    done = run_module(spot_record, {"samples": str(samples), "record": RECORD, "trace": str(tmp_path / "t.json")})
    assert (done.failed, done["broken_lines"], done["counts"]["samples"]) == (False, 1, 1)
    assert samples.read_bytes().startswith(b'{"format":"spot-sample/1","at":"2026\n{')


def test_many_writers_lose_nothing(tmp_path: Path) -> None:
    path = str(tmp_path / "lines")
    lines = [f"{number:05}".encode() * 2000 + b"\n" for number in range(24)]
    threads = [threading.Thread(target=append_line, args=(path, "samples", line)) for line in lines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(Path(path).read_bytes().splitlines(keepends=True)) == lines


def without_on_demand() -> dict[str, Any]:
    record = copy.deepcopy(RECORD)
    record["inputs"]["regions"]["us-east-1"]["on_demand"] = {}
    return record


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "one of the following is required: record, trace"),
        ({"record": {}}, "record: 'a dict' must be that of spot_region_rank with single_zone"),
        ({"record": RECORD, "samples": "/"}, "samples: '/' is not a file"),
        ({"record": RECORD, "samples": "/nowhere/at/all"}, "is in a folder that does not exist"),
        ({"record": RECORD, "trace": "/nowhere/at/all"}, "trace: '/nowhere/at/all' is in a folder that does not exist"),
        ({"trace": "{tmp}/t.json"}, "samples: 0 samples can be read"),
        ({"record": RECORD, "name": "Mine"}, "name: 'Mine' must be"),
        ({"record": RECORD, "interval_seconds": 0}, "interval_seconds: 0 must be a whole number from 60 to 86400"),
        ({"record": RECORD, "carry_seconds": -1}, "carry_seconds: -1 must be"),
        ({"record": RECORD, "score_threshold": 11}, "score_threshold: 11 must be a whole number from 1 to 10"),
        ({"record": RECORD, "on_demand_price": "NaN"}, "on_demand_price: 'NaN' must be a finite number"),
        ({"record": RECORD, "on_demand_price": "0"}, "on_demand_price: '0' must be at least 0.000001"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(
    run_module, tmp_path: Path, params: dict, message: str
) -> None:
    given = {"samples": "{tmp}/market.jsonl", **params}
    given = {k: v.replace("{tmp}", str(tmp_path)) if isinstance(v, str) else v for k, v in given.items()}
    done = run_module(spot_record, given)
    assert done.failed
    assert message in done["msg"]
    assert list(tmp_path.iterdir()) == []


def test_the_sample_is_kept_where_no_recording_can_be_made(run_module, tmp_path: Path) -> None:
    params = {
        "samples": str(tmp_path / "market.jsonl"),
        "record": without_on_demand(),
        "trace": str(tmp_path / "t.json"),
    }
    done = run_module(spot_record, params)
    assert done.failed
    assert "on_demand_price: None is needed: no sample tells one" in done["msg"]
    assert [path.name for path in tmp_path.iterdir()] == ["market.jsonl"]
