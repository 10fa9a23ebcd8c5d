# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.run import BASELINES
from ansible_collections.ethereal.spot.plugins.module_utils._edge import svg_drawing
from ansible_collections.ethereal.spot.plugins.modules import spot_replay

FIGURES = {
    "availability",
    "cost_ratio",
    "cost_to_omniscient",
    "objective",
    "on_demand_share",
    "preemptions",
    "moves",
    "failed_launches",
    "recovery_seconds",
}
# Two days in two regions: the first zone comes and goes, the second is dear and always there.
RECORDING = {
    "format": "spot-trace/1",
    "name": "made-up",
    "start": "2026-01-01",
    "gap_seconds": 600,
    "ticks": 288,
    "kind": "availability",
    "instance_type": "p3.2xlarge",
    "probe_limit": 4,
    "on_demand_price": 3.06,
    "currency": "USD/h",
    "zones": {
        "us-east-1a": {
            "region": "us-east-1",
            "capacity_rle": [[60, 4], [30, 0], [48, 4], [20, 1], [130, 4]],
            "price_rle": [[288, 0.9]],
        },
        "us-west-2a": {"region": "us-west-2", "capacity_rle": [[288, 4]], "price_rle": [[288, 1.5]]},
    },
}


@pytest.fixture
def recording(tmp_path: Path) -> str:
    path = tmp_path / "market.json"
    path.write_text(json.dumps(RECORDING))
    return str(path)


def test_a_replay(run_module, recording: str) -> None:
    done = run_module(spot_replay, {"trace": recording, "replicas": 2})
    assert (done.failed, done.changed) == (False, False), done.get("msg")
    assert set(done) >= {
        *FIGURES,
        "cost_usd",
        "omniscient",
        "decisions",
        "decisions_sha256",
        "days",
        "text",
        "baselines",
    }
    assert 0 < done["availability"] <= 100
    assert 0 < done["cost_ratio"] < 1
    assert done["days"] == 2
    assert {baseline["name"] for baseline in done["baselines"]} == set(BASELINES)
    for baseline in done["baselines"]:
        assert set(baseline) == {"name", "title", "cost_usd", *FIGURES}
    assert done["text"][0] == "made-up: 2.0 days from 2026-01-01, p3.2xlarge in 2 zones of 2 regions, 2 replicas wanted"
    assert len([line for line in done["text"] if " % " in line]) == len(BASELINES) + 2
    assert done.calls == []


def test_the_same_replay_gives_the_same_result(run_module, recording: str, tmp_path: Path) -> None:
    packed = tmp_path / "market.json.gz"
    packed.write_bytes(gzip.compress(Path(recording).read_bytes()))
    one, other = (run_module(spot_replay, {"trace": str(path), "baselines": []}) for path in (recording, packed))
    drop = {"invocation"}
    assert {k: v for k, v in one.items() if k not in drop} == {k: v for k, v in other.items() if k not in drop}


def test_every_baseline_is_documented() -> None:
    options = yaml.safe_load(spot_replay.DOCUMENTATION)["options"]
    named = set(re.findall(r"V\((\w+)\)", " ".join(options["baselines"]["description"])))
    assert named == set(BASELINES)


def test_baselines_are_those_asked_for(run_module, recording: str) -> None:
    done = run_module(spot_replay, {"trace": recording, "baselines": [BASELINES[0]]})
    assert [baseline["name"] for baseline in done["baselines"]] == [BASELINES[0]]
    assert run_module(spot_replay, {"trace": recording, "baselines": []})["baselines"] == []


def test_files_are_written_where_they_differ(run_module, recording: str, tmp_path: Path) -> None:
    page, decisions = tmp_path / "replay.html", tmp_path / "decisions.jsonl"
    params = {"trace": recording, "replicas": 2, "baselines": [], "page": str(page), "decisions": str(decisions)}
    checked = run_module(spot_replay, params, check_mode=True, diff=True)
    assert (checked.failed, checked.changed, page.exists(), decisions.exists()) == (False, True, False, False)
    done = run_module(spot_replay, params, diff=True)
    assert (done.changed, done["diff"]) == (True, checked["diff"])
    assert done["diff"]["before"] == {"page": None, "decisions": None}
    content = decisions.read_bytes()
    assert done["diff"]["after"]["decisions"] == {"bytes": len(content), "sha256": done["decisions_sha256"]}
    assert hashlib.sha256(content).hexdigest() == done["decisions_sha256"]
    assert len(content.splitlines()) == done["decisions"] > 0
    html = page.read_text()
    for shown in ("Replay of made-up", "us-east-1a", "<dt>replicas</dt><dd>2</dd>", done["decisions_sha256"]):
        assert shown in html
    again = [run_module(spot_replay, params, check_mode=check) for check in (False, True)]
    assert [result.changed for result in again] == [False, False]
    page.write_text("other")
    assert run_module(spot_replay, params).changed
    assert page.read_text() == html


def test_without_matplotlib_a_page_is_refused_before_the_replay(
    run_module, recording: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*args: Any) -> None:
        raise AssertionError("the replay ran")

    monkeypatch.setattr(svg_drawing, "LIBRARY_PROBLEM", "no such module")
    params = {"trace": recording, "baselines": []}
    assert not run_module(spot_replay, params).failed
    monkeypatch.setattr(spot_replay, "replay", never)
    refused = run_module(spot_replay, {**params, "page": str(tmp_path / "replay.html")})
    assert refused.failed
    assert "matplotlib" in refused["msg"]


BLOCKED = """
import sys

class Gate:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("boto3", "botocore", "matplotlib"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Gate())
from ansible.module_utils.testing import patch_module_args
from ansible_collections.ethereal.spot.plugins.modules import spot_replay
with patch_module_args({"trace": sys.argv[1], "baselines": []}):
    spot_replay.main()
"""


def test_runs_where_neither_boto_nor_matplotlib_exist(recording: str) -> None:
    root = Path(spot_replay.__file__).parents[5]
    command = [sys.executable, "-c", BLOCKED, recording]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["days"] == 2


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"replicas": 0}, "replicas: 0 must be a whole number from 1 to 1000"),
        ({"replicas": -1}, "replicas: -1 must be"),
        ({"replicas": 1001}, "replicas: 1001 must be"),
        ({"replicas": True}, "replicas: True must be"),
        ({"replicas": "two"}, "replicas"),
        ({"cold_start_seconds": -1}, "cold_start_seconds: -1 must be"),
        ({"warning_seconds": -1}, "warning_seconds: -1 must be"),
        ({"move_cost": "-0.01"}, "move_cost: '-0.01' must be a finite number"),
        ({"move_cost": "NaN"}, "move_cost: 'NaN' must be a finite number"),
        ({"move_cost": "much"}, "move_cost: 'much' must be a finite number"),
        ({"mode": "lucky"}, "value of mode must be one of: default, strict, reference"),
        ({"policy": {"lucky": True}}, "policy.lucky: "),
        ({"baselines": ["lucky"]}, "baselines[0]: 'lucky' must be one of "),
        ({"page": "/nowhere/at/all.html"}, "page: '/nowhere/at/all.html' is in a folder that does not exist"),
        ({"page": "{tmp}"}, "is not a file"),
        ({"decisions": "{tmp}/nowhere/d"}, "is in a folder that does not exist"),
        ({"trace": "{tmp}/none.json"}, "none.json' does not exist"),
        ({"trace": "{tmp}"}, "is not a file"),
        ({"trace": "/dev/zero"}, "trace: '/dev/zero' is not a file"),
        ({"trace": "{tmp}/other.json"}, "trace.format: 'spot-trace/2' is not the format spot-trace/1"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(
    run_module, recording: str, tmp_path: Path, params: dict[str, Any], message: str
) -> None:
    (tmp_path / "other.json").write_text(json.dumps({**RECORDING, "format": "spot-trace/2"}))
    before = sorted(path.name for path in tmp_path.iterdir())
    given = {"trace": recording, "page": str(tmp_path / "page.html"), **params}
    done = run_module(
        spot_replay, {k: v.replace("{tmp}", str(tmp_path)) if isinstance(v, str) else v for k, v in given.items()}
    )
    assert done.failed
    assert message in done["msg"]
    assert "Traceback" not in done["msg"]
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read(run_module, recording: str) -> None:
    Path(recording).chmod(0)
    done = run_module(spot_replay, {"trace": recording})
    assert done.failed
    assert "cannot be read: Permission denied" in done["msg"]


def test_a_read_that_fails(run_module, recording: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for a file that may not be read, which root, whom tests may run as, can."""

    def refused(*args: Any, **kwargs: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    done = run_module(spot_replay, {"trace": recording})
    assert done.failed
    assert "cannot be read: Permission denied" in done["msg"]


def test_a_large_file_is_not_read_whole(run_module, tmp_path: Path) -> None:
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate(1024**4)
    done = run_module(spot_replay, {"trace": str(path)})
    assert done.failed
    assert "has more than 16777216 bytes" in done["msg"]
