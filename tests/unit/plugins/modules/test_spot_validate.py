# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ansible_collections.ethereal.spot.plugins.modules import spot_validate

PLACES = {"tokyo": {"spot_region": "ap-northeast-1"}, "eu-west-1": {"spot_replicas": 2}}


def test_a_good_inventory(run_module):
    result = run_module(spot_validate, {"hub": {"us-east-1": {}}, "places": PLACES})
    assert (result.failed, result["changed"], result["errors"], result["doubts"]) == (False, False, [], [])
    assert result["text"] == ["3 places: 0 errors, 0 warnings"]
    assert "warnings" not in result
    assert result.calls == []


def test_all_errors_at_once_and_doubts_as_warnings(run_module):
    places = {"tokyo": {"spot_region": "Tokyo", "spot_replica": 1}, "eu-west-1": {"spot_disk_size": 0}}
    result = run_module(spot_validate, {"hub": None, "places": places}, check_mode=True)
    assert result.failed
    assert result["errors"] == [
        "tokyo: spot_region: 'Tokyo' is not a region's name",
        "eu-west-1: spot_disk_size: 0 must be a whole number from 1 to 65536",
    ]
    assert all(error in result["msg"] for error in result["errors"])
    doubt = "tokyo: spot_replica: is no variable of this collection; did you mean spot_replicas?"
    assert (result["doubts"], result["warnings"]) == ([doubt], [doubt])


def test_the_arguments_are_not_repeated(run_module):
    places = {"eu-west-1": {"spot_user_data": "hush", "spot_container_environment": {"A": "hush"}}}
    assert "hush" not in str(run_module(spot_validate, {"places": places}))


def test_no_sdk_is_needed():
    """As a user runs it who has installed nothing but Ansible."""
    root = Path(spot_validate.__file__).parents[2]
    program = f"""
import sys
for name in ("boto3", "botocore"):
    sys.modules[name] = None
sys.path.insert(0, {str(root.parents[2])!r})
import runpy
from ansible.module_utils.testing import patch_module_args
with patch_module_args({{"places": {PLACES!r}}}):
    runpy.run_path({spot_validate.__file__!r}, run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert '"errors": []' in done.stdout
