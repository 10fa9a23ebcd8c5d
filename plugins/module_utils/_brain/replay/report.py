# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A replay's figures as people read them: in a terminal and on the page. PRIVATE to the collection."""

from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import Trace
from ansible_collections.ethereal.spot.plugins.module_utils._brain.table import NONE
from ansible_collections.ethereal.spot.plugins.module_utils._brain.table import table

# What a policy's row says, and how it is read from a result.
COLUMNS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "availability": lambda policy: percent(policy["availability"]),
    "cost": lambda policy: f"{policy['cost_ratio']:.3f}",
    "to omniscient": lambda policy: f"{policy['cost_to_omniscient']:.3f}",
    "objective": lambda policy: f"{policy['objective']:.4f}",
    "on-demand": lambda policy: f"{100 * policy['on_demand_share']:.1f} %",
    "lost": lambda policy: f"{policy['preemptions']}",
    "moves": lambda policy: f"{policy['moves']}",
    "failed launches": lambda policy: f"{policy['failed_launches']}",
    "longest gap": lambda policy: duration(policy["recovery_seconds"]["max"]),
}
LEGEND = (
    "cost: beside that of all on-demand; to omniscient: beside a plan without gaps that knows the future;",
    "objective: cost + 5 x unavailability, the smaller the better; lost: instances; moves: between regions",
)


def percent(availability: float) -> str:
    """Rounded down: what is not always there must not look like it."""
    places = 3 if availability >= 99 else 2
    whole = math.floor(round(availability * 10**places, 6)) / 10**places
    return "100 %" if whole == 100 else f"{whole:.{places}f} %"


def duration(seconds: int | None) -> str:
    """In seconds to ten minutes, in minutes to two hours, then in hours."""
    if seconds is None:
        return NONE
    if seconds <= 600:
        return f"{seconds} s"
    return f"{seconds / 60:.0f} min" if seconds <= 7200 else f"{seconds / 3600:.1f} h"


def compared(result: Mapping[str, Any], mode: str) -> list[Mapping[str, Any]]:
    """Ours and the baselines, each with a title: ours first, then the best objective first."""
    ours = {**result, "title": f"ethereal.spot, mode {mode}"}
    return [ours, *sorted(result["baselines"], key=lambda baseline: (baseline["objective"], baseline["name"]))]


def summary(trace: Trace, replicas: int) -> str:
    """What was replayed, in a line."""
    return (
        f"{trace.seconds / 86_400:.1f} days from {trace.start}, {trace.instance_type} in {_many(len(trace.zones), 'zone')} of "
        f"{_many(len(trace.regions), 'region')}, {_many(replicas, 'replica')} wanted"
    )


def report_lines(trace: Trace, replicas: int, policies: Sequence[Mapping[str, Any]], omniscient: float) -> list[str]:
    """A table of all policies under a summary."""
    rows = [[policy["title"], *(cell(policy) for cell in COLUMNS.values())] for policy in policies]
    plan = ["omniscient plan", percent(100), f"{omniscient:.3f}", f"{1:.3f}", f"{omniscient:.4f}"]
    rows.append([*plan, *[NONE] * (len(COLUMNS) + 1 - len(plan))])
    headings = ["policy", *COLUMNS]
    return [f"{trace.name}: {summary(trace, replicas)}", "", *table(headings, rows, right=headings[1:]), "", *LEGEND]


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
