# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ansible_collections.ethereal.spot.plugins.action import spot_validate

PLACES = {"tokyo": {"spot_region": "ap-northeast-1"}, "eu-west-1": {"spot_replicas": 2}}
COLLECTIONS = Path(spot_validate.__file__).parents[5]


def play(tmp_path: Path, arguments: dict[str, Any], *, check_mode: bool = False) -> tuple[dict[str, Any], str]:
    """The result of a run as a user sees it, and what went to the standard error; without an AWS SDK."""
    (tmp_path / "no_sdk").mkdir(exist_ok=True)
    for name in ("boto3", "botocore"):
        (tmp_path / "no_sdk" / f"{name}.py").write_text("raise ImportError('not here')\n")
    task = {"ethereal.spot.spot_validate": arguments}
    play = {"hosts": "localhost", "gather_facts": False, "connection": "local", "tasks": [task]}
    (tmp_path / "play.yml").write_text(json.dumps([play]))
    done = subprocess.run(
        [
            Path(sys.executable).parent / "ansible-playbook",
            *(["--check"] if check_mode else []),
            "-i",
            "localhost,",
            tmp_path / "play.yml",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            "ANSIBLE_HOME": str(tmp_path),
            "PYTHONPATH": str(tmp_path / "no_sdk"),
        },
    )
    return json.loads(done.stdout)["plays"][0]["tasks"][0]["hosts"]["localhost"], done.stderr


def test_a_good_inventory(tmp_path):
    result, _said = play(tmp_path, {"hub": {"us-east-1": {}}, "places": PLACES})
    assert (result.get("failed", False), result["changed"], result["errors"], result["doubts"]) == (
        False,
        False,
        [],
        [],
    )
    assert result["text"] == ["3 places: 0 errors, 0 warnings"]
    assert "warnings" not in result


def test_all_errors_at_once_and_doubts_as_warnings(tmp_path):
    places = {
        "tokyo": {"spot_region": "Tokyo", "spot_replica": 1},
        "eu-west-1": {"spot_disk_size": 0, "spot_user_data": "hush", "spot_container_environment": {"A": "hush"}},
    }
    result, said = play(tmp_path, {"hub": None, "places": places}, check_mode=True)
    assert result["failed"]
    assert result["errors"] == [
        "tokyo: spot_region: 'Tokyo' is not a region's name",
        "eu-west-1: spot_disk_size: 0 must be a whole number from 1 to 65536",
    ]
    assert all(error in result["msg"] for error in result["errors"])
    doubt = "tokyo: spot_replica: is no variable of this collection; did you mean spot_replicas?"
    assert (result["doubts"], result["warnings"]) == ([doubt], [doubt])
    assert "hush" not in str(result) + said


def test_what_is_no_inventory(tmp_path):
    result, _said = play(tmp_path, {"places": "tokyo"})
    assert result["failed"]
    assert "places" in result["msg"]
