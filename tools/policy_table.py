# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Print how policies compare on recordings, as a table in Markdown: availability in percent / cost beside all on-demand.

Usage: policy_table.py [--cold-start 180] [--warning 120] [--move-cost 0.20] RECORDING[:REPLICAS,...] ...

RECORDING is a file, or a folder for all in it. Without REPLICAS each is replayed with one replica, and with as many as it was
recorded for.
"""

from __future__ import annotations

import argparse
import pathlib
import statistics
import sys
import time
from collections.abc import Callable
from collections.abc import Iterator
from functools import partial
from typing import Any
from typing import NamedTuple

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / ".collections"))

from ansible_collections.ethereal.spot.plugins.module_utils._brain.money import money
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import MODES
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import settings_for
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.baselines.registry import BASELINES
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.baselines.registry import run_baseline
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.figures import figures
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.fleet import FleetPolicy
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.omniscient import omniscient
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.simulator import World
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import MICRO
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import Trace
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import read_trace

Figures = dict[str, Any]


class Timing(NamedTuple):
    cold_start_seconds: int
    warning_seconds: int
    move_cost: int


Row = Callable[[Trace, int, Timing], Figures]


def planned(trace: Trace, replicas: int, timing: Timing) -> Figures:
    return figures([omniscient(trace, replicas, *timing)])


def baseline(name: str, trace: Trace, replicas: int, timing: Timing) -> Figures:
    return run_baseline(name, trace, replicas, *timing)


def ours(mode: str, trace: Trace, replicas: int, timing: Timing) -> Figures:
    settings = settings_for(replicas, mode, **timing._asdict())
    return figures([World(trace, replicas, *timing).run(FleetPolicy(trace, settings))])


OMNISCIENT = "omniscient"
ROWS: dict[str, Row] = {
    OMNISCIENT: planned,
    **{entry.title: partial(baseline, name) for name, entry in BASELINES.items()},
    **{f"ethereal.spot, mode {mode}": partial(ours, mode) for mode in MODES},
}


def cases(recordings: list[str]) -> Iterator[tuple[Trace, int]]:
    for recording in recordings:
        name, _colon, replicas = recording.partition(":")
        path = pathlib.Path(name)
        for file in sorted(path.glob("*.json*")) if path.is_dir() else [path]:
            trace = read_trace(file.read_bytes())
            wanted = [int(count) for count in replicas.split(",")] if replicas else sorted({1, trace.probe_limit})
            yield from ((trace, count) for count in wanted)


def worst_a_day(results: list[Figures], days: list[float], key: str) -> str:
    return f"{max(result[key] / length for result, length in zip(results, days, strict=True)):.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Print how policies compare on recordings.")
    parser.add_argument("recordings", nargs="+", metavar="RECORDING[:REPLICAS,...]")
    parser.add_argument("--cold-start", type=int, default=180, metavar="SECONDS")
    parser.add_argument("--warning", type=int, default=120, metavar="SECONDS")
    parser.add_argument("--move-cost", type=money, default="0.20", metavar="USD")
    given = parser.parse_args()
    timing = Timing(given.cold_start, given.warning, int(given.move_cost * MICRO))
    columns = list(cases(given.recordings))
    days = [trace.seconds / 86_400 for trace, _replicas in columns]
    means = ["mean", "cost / omniscient", "J", "moves a day", "failed launches a day", "CPU s"]
    headings = ["policy", *(f"{trace.name} N={replicas}" for trace, replicas in columns), *means]
    print(f"cold start {timing.cold_start_seconds} s, warning {timing.warning_seconds} s; availability % / cost\n")
    print(f"| {' | '.join(headings)} |")
    print("|" + "---|" * len(headings))
    best: list[float] = []
    for title, row in ROWS.items():
        began = time.process_time()
        results = [row(trace, replicas, timing) for trace, replicas in columns]
        spent = time.process_time() - began
        costs = [result["cost_ratio"] for result in results]
        if title == OMNISCIENT:
            best = costs
        cells = [f"{result['availability']:.2f} / {result['cost_ratio']:.3f}" for result in results]
        cells += [
            f"{statistics.mean(result['availability'] for result in results):.2f} / {statistics.mean(costs):.3f}",
            f"{statistics.mean(cost / least for cost, least in zip(costs, best, strict=True)):.2f}",
            f"{statistics.mean(result['objective'] for result in results):.3f}",
            worst_a_day(results, days, "moves"),
            worst_a_day(results, days, "failed_launches"),
            f"{spent:.2f}",
        ]
        print(f"| {title} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
