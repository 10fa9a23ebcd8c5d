# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ranking twenty regions costs on the local AWS, every call made a tenth of a second slower.

Usage: measure_ranking.py [--port N] [--delay SECONDS] [--text]. Runs spot_region_rank's main() in a process of its own: with nothing
kept, within the cache, with one region that never answers and one that is denied, and with one that answers late. `asking` is from the
first call to the last answer as the local AWS saw them, `whole` is that of the process, imports and all; --text prints what a person reads.
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
from typing import Any

import local_aws

ROOT = pathlib.Path(__file__).resolve().parent.parent
REGIONS = (
    "af-south-1", "ap-east-1", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1",
    "ap-southeast-2", "ca-central-1", "eu-central-1", "eu-north-1", "eu-south-1", "eu-west-1", "eu-west-2", "eu-west-3",
    "sa-east-1", "us-east-1", "us-east-2", "us-west-1", "us-west-2",
)  # fmt: skip
MARKET = {
    "opt_in": {"af-south-1": True, "ap-east-1": True, "eu-south-1": True},
    "scores": {"us-west-2": 9, "eu-west-1": 9, "ap-south-1": 7, "ca-central-1": 2},
}
HUNG, DENIED = "ap-south-1", "sa-east-1"
# What --timeout of the module is while a region hangs; nobody waits for it otherwise.
TIMEOUT = 5
RUN = """
import sys
from ansible.module_utils.testing import patch_module_args
from ansible_collections.ethereal.spot.plugins.modules import spot_region_rank
import json
with patch_module_args(json.loads(sys.argv[1])):
    spot_region_rank.main()
"""


def run(aws: local_aws.Sandbox, cache: str, faults: list[dict[str, Any]], **options: Any) -> dict[str, Any]:
    """One run of the module; what it found and what it cost."""
    aws.control("POST", "faults", faults)
    known = len(aws.control("GET", "calls"))
    arguments = {"region": "us-east-1", "regions": REGIONS, "cache_file": cache, "timeout": TIMEOUT, **options}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps(arguments)],
        env={**os.environ, **local_aws.environment(aws.port), "PYTHONPATH": str(ROOT / ".collections")},
        capture_output=True,
        text=True,
        check=False,
    )
    whole = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        result = json.loads(done.stdout)
    except ValueError:
        raise SystemExit(f"the module gave no result: {done.stdout[-500:]} {done.stderr[-2000:]}") from None
    if done.returncode:
        raise SystemExit(f"the module failed: {result['msg']}")
    calls = [call for call in aws.control("GET", "calls")[known:] if call["via"] is None]
    delay = max((fault.get("delay", 0) for fault in faults if "region" not in fault), default=0)
    moments = [call["time"] for call in calls]
    return {
        "result": result,
        "calls": collections.Counter(f"{call['service']}:{call['action']}" for call in calls),
        "asking": max(moments) - min(moments) + delay,
        "whole": whole,
        "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
    }


def told(name: str, found: dict[str, Any]) -> str:
    verdicts = collections.Counter(entry["verdict"] for entry in found["result"]["ranking"])
    counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items()))
    return f"{name:38} {found['calls'].total():5} {found['asking']:7.2f} {found['whole']:6.2f} {found['cpu']:6.2f}  {counts}"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--port", type=int)
    options.add_argument("--delay", type=float, default=0.1)
    options.add_argument("--text", action="store_true")
    wanted = options.parse_args()
    slow = {"delay": wanted.delay}
    hung = {"region": HUNG, "action": "DescribeInstanceTypeOfferings", "delay": 60}
    denied = {"region": DENIED, "action": "DescribeSpotPriceHistory", "code": "UnauthorizedOperation"}
    with local_aws.running(wanted.port) as aws, tempfile.TemporaryDirectory() as folder:
        aws.control("PUT", "market", MARKET)
        cache = f"{folder}/scores.json"
        runs = {
            "nothing kept": run(aws, cache, [slow]),
            "again, within the cache": run(aws, cache, [slow]),
            "lean: no quotas, no on-demand prices": run(aws, cache, [slow], check_quota=False, on_demand_prices=False),
            f"one region hangs, one denied ({TIMEOUT} s)": run(aws, cache, [hung, denied, slow]),
        }
    print(f"{len(REGIONS)} regions, {wanted.delay:g} s on every call")
    print(f"{'':38} {'calls':>5} {'asking':>7} {'whole':>6} {'CPU':>6}")
    for name, found in runs.items():
        print(told(name, found))
    if wanted.text:
        print("", *runs[f"one region hangs, one denied ({TIMEOUT} s)"]["result"]["text"], sep="\n")
    for action, count in sorted(runs["nothing kept"]["calls"].items()):
        print(f"  {action:45} {count:4}")


if __name__ == "__main__":
    main()
