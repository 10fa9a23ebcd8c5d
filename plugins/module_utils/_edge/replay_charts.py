# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The charts of a replay: policies compared, and where replicas ran. PRIVATE to the collection."""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

try:
    from matplotlib.figure import Figure
except ImportError:
    pass  # svg_drawing.LIBRARY_PROBLEM has it.

from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.picture import Picture
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.picture import Row
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.report import percent
from ansible_collections.ethereal.spot.plugins.module_utils._edge.svg_drawing import POOL_PAINTS
from ansible_collections.ethereal.spot.plugins.module_utils._edge.svg_drawing import STAND_INS
from ansible_collections.ethereal.spot.plugins.module_utils._edge.svg_drawing import settings
from ansible_collections.ethereal.spot.plugins.module_utils._edge.svg_drawing import svg

# Inches, of 72 units each.
WIDTH = 10.5
HEADING = {"loc": "left", "fontsize": 9.0, "color": STAND_INS["soft"], "pad": 6}
DASHED = {"color": STAND_INS["ink"], "linewidth": 1, "linestyle": (0, (4, 3)), "clip_on": False}
# The availability axis ends here: on a recording of weeks nobody can tell more nines from no gap at all.
MOST_NINES = 5
LONGEST_LABEL = 40


def policies_chart(policies: Sequence[Mapping[str, Any]], omniscient: float, title: str, description: str) -> str:
    """Availability and cost of each policy, the first in the colour of ours; the omniscient plan's cost as a line.

    Each policy has `title`, `availability` (percent) and `cost_ratio`. The scale of availability is in nines.
    """
    height = 0.34 * len(policies) + 0.85
    places = range(len(policies))
    paints = [STAND_INS["ours"], *[STAND_INS["others"]] * (len(policies) - 1)]
    titles = [textwrap.fill(policy["title"], LONGEST_LABEL) for policy in policies]
    # A letter takes this much of the width at most.
    labels = 0.02 + 0.0078 * max(len(line) for title in titles for line in title.splitlines())
    half = (1 - labels) / 2

    def axes_at(begin: float, heading: str, most: float) -> Any:
        axes = figure.add_axes((begin, 0.32 / height, half - 0.09, 1 - 0.8 / height))
        axes.set_title(heading, **HEADING)
        axes.set_xlim(0, most)
        axes.set_ylim(len(policies) - 0.4, -0.95)
        axes.set_yticks([])
        axes.grid(axis="x", color=STAND_INS["rule"], linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines["bottom"].set_visible(False)
        return axes

    def column(axes: Any, at: float, texts: Iterable[str], side: str) -> None:
        for place, text in enumerate(texts):
            weight = "bold" if place == 0 else "normal"
            where = axes.get_yaxis_transform()
            axes.text(at, place, text, transform=where, ha=side, va="center", fontweight=weight)

    with settings():
        figure = Figure(figsize=(WIDTH, height))
        left = axes_at(labels, "Availability", MOST_NINES)
        column(left, -0.03, titles, "right")
        column(left, 1.03, (percent(policy["availability"]) for policy in policies), "left")
        nines = [_nines(policy["availability"]) for policy in policies]
        left.hlines(places, 0, nines, colors=paints, linewidth=1.6, clip_on=False)
        left.scatter(nines, places, s=38, c=paints, linewidths=0, zorder=3, clip_on=False)
        left.set_xticks(range(MOST_NINES + 1), ["0", "90", "99", "99.9", "99.99", "100 %"])

        costs = [policy["cost_ratio"] for policy in policies]
        right = axes_at(labels + half + 0.02, "Cost, all on-demand = 1", max(1.0, *costs))
        column(right, 1.03, (f"{cost:.3f}" for cost in costs), "left")
        right.barh(places, costs, 0.56, color=paints, clip_on=False)
        right.axvline(omniscient, **DASHED)
        _beside(right, f"omniscient {omniscient:.3f}", (omniscient, -0.62))
        return svg(figure, "policies", title, description)


def timeline_chart(picture: Picture, replicas: int, title: str, description: str) -> str:
    """Where replicas ran: stacked over time, then the gaps, then each pool against what it had to give."""
    stack_height, gap_height, row_height = 2.0, 0.22, 0.52
    stack_top, gap_top, rows_top = 0.42, 2.52, 3.24
    height = rows_top + row_height * len(picture.rows) + 0.45
    edges = [min(number * picture.span_seconds, picture.seconds) / 86_400 for number in range(picture.spans + 1)]
    paints = _pool_paints(picture.rows)

    def axes_at(top: float, tall: float, most: float, label: str = "", note: str = "") -> Any:
        axes = figure.add_axes((0.115, 1 - (top + tall) / height, 0.74, tall / height))
        axes.set_xlim(0, edges[-1])
        axes.set_ylim(0, most)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.set_ylabel(label, rotation=0, ha="right", va="center", labelpad=6)
        axes.text(1.01, 0.5, note, transform=axes.transAxes, va="center", fontsize=8, linespacing=1.3)
        return axes

    with settings():
        figure = Figure(figsize=(WIDTH, height))
        layers = [*(row.ready for row in picture.rows), picture.starting]
        ceilings = list(
            itertools.accumulate(layers, lambda low, high: [sum(pair) for pair in zip(low, high, strict=True)])
        )
        stack = axes_at(stack_top, stack_height, 1.04 * max(replicas, *ceilings[-1]))
        stack.set_title("Replicas ready, by where they ran", **HEADING)
        # From the top down, each to the floor: an edge that two fills share would shine through.
        for ceiling, paint in reversed(list(zip(ceilings, [*paints, STAND_INS["rule"]], strict=True))):
            _fill(stack, edges, ceiling, paint)
        stack.axhline(replicas, **DASHED)
        stack.set_yticks([0, replicas], ["0", f"{replicas}"])
        _beside(stack, "wanted", (edges[-1], replicas))

        minutes = sum(picture.gap_seconds) / 60
        gaps = axes_at(gap_top, gap_height, 1, "gaps", f"{picture.gaps} gaps, {minutes:,.0f} min")
        marks = [sum(edges[number : number + 2]) / 2 for number, seconds in enumerate(picture.gap_seconds) if seconds]
        gaps.vlines(marks, 0, 1, colors=STAND_INS["gap"], linewidth=1.1, clip_on=False)

        for number, (row, paint) in enumerate(zip(picture.rows, paints, strict=True)):
            axes = axes_at(
                rows_top + number * row_height, row_height * 0.8, _most(row, replicas), _label(row), _note(row)
            )
            if number == 0:
                axes.set_title("Pale: what each zone could have run. Full: what ran there.", **HEADING)
            if row.capacity is not None:
                _fill(axes, edges, row.capacity, paint, alpha=0.24)
            _fill(axes, edges, row.ready, paint)
        axes.set_xticks(*_ticks(edges[-1]))
        return svg(figure, "timeline", title, description)


def _nines(availability: float) -> float:
    lacking = 1 - availability / 100
    return min(MOST_NINES, -math.log10(lacking)) if lacking > 0 else MOST_NINES


def _beside(axes: Any, text: str, where: tuple[float, float]) -> None:
    axes.annotate(text, where, (5, 0), textcoords="offset points", va="center", annotation_clip=False)


def _pool_paints(rows: Sequence[Row]) -> list[str]:
    """A colour for each region, or for each zone where there is one region only; on-demand's own is the last."""
    kinds = [row.region for row in rows[:-1]]
    if len(set(kinds)) == 1:
        kinds = [row.name for row in rows[:-1]]
    order = list(dict.fromkeys(kinds))
    return [*(STAND_INS[f"pool-{order.index(kind) % POOL_PAINTS + 1}"] for kind in kinds), STAND_INS["demand"]]


def _most(row: Row, replicas: int) -> float:
    """The top of a row's scale; on-demand has no limit, and is drawn to the scale of what was wanted."""
    return max(replicas if row.capacity is None else 1, *row.ready, *(row.capacity or ()))


def _label(row: Row) -> str:
    return row.name if row.name.startswith(row.region) else f"{row.name}\n{row.region}"


def _note(row: Row) -> str:
    ready = f"{row.mean_ready:.2f} ready"
    return ready if row.capacity is None else f"{ready}\nup {100 * row.available:.0f} %"


def _ticks(days: float) -> tuple[list[float], list[str]]:
    """A dozen round times at most, and their names."""
    if days <= 2:
        step = next(step for step in (1, 2, 3, 6) if days * 24 / step <= 12)
        hours = range(0, math.floor(days * 24) + 1, step)
        return [hour / 24 for hour in hours], [f"{hour} h" for hour in hours]
    step = next((step for step in (1, 2, 5, 7, 14, 28, 56) if days / step <= 12), 364)
    whole = range(0, math.floor(days) + 1, step)
    return list(whole), [f"day {day}" for day in whole]


def _fill(axes: Any, edges: Sequence[float], heights: Sequence[float], paint: str, **how: Any) -> None:
    """A step curve, filled down to 0, without the points at which nothing changes."""
    kept = [number for number in range(len(heights)) if number == 0 or heights[number] != heights[number - 1]]
    ends = [*kept[1:], len(heights)]
    curve = [(edges[at], heights[begin]) for begin, end in zip(kept, ends, strict=True) for at in (begin, end)]
    outline = [(edges[0], 0.0), *curve, (edges[-1], 0.0)]
    axes.fill(*zip(*outline, strict=True), color=paint, linewidth=0, clip_on=False, **how)
