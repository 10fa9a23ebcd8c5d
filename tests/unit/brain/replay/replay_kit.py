# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Small recordings for the tests of the replay, by hand and drawn."""

from __future__ import annotations

from hypothesis import strategies as st

from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.market import STEP_SECONDS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import Steps
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import Trace
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import Zone

# USD an hour in millionths: on-demand at 1, spot at three tenths of it.
ON_DEMAND_PRICE = 1_000_000
SPOT_PRICE = 300_000


def zone(name: str, capacity: Steps, price: Steps = ((0, SPOT_PRICE),)) -> Zone:
    """A zone whose region is its name without the last letter."""
    return Zone(name, name[:-1], capacity, price)


def recording(*zones: Zone, ticks: int, gap_seconds: int = STEP_SECONDS, limit: int = 4) -> Trace:
    return Trace(
        "made-up", "2026-01-01", gap_seconds, ticks, "availability", "p3.2xlarge", limit, ON_DEMAND_PRICE, tuple(zones)
    )


@st.composite
def changes(draw: st.DrawFn, values: st.SearchStrategy[int], ticks: int, most: int) -> Steps:
    """A value that changes up to so often."""
    starts = draw(st.lists(st.integers(1, ticks - 1), max_size=most, unique=True).map(sorted))
    steps: list[tuple[int, int]] = []
    for start in [0, *starts]:
        value = draw(values)
        if not steps or steps[-1][1] != value:
            steps.append((start, value))
    return tuple(steps)


@st.composite
def recordings(draw: st.DrawFn) -> Trace:
    """Hours in which capacity comes and goes in up to six zones of up to three regions."""
    ticks = draw(st.integers(2, 90))
    gap_seconds = draw(st.sampled_from((40, 60, 240)))
    limit = draw(st.integers(1, 3))
    zones = [
        zone(
            f"{region}{letter}",
            draw(changes(st.integers(0, limit), ticks, 12)),
            draw(changes(st.sampled_from((200_000, 300_000, 400_000, 1_100_000)), ticks, 3)),
        )
        for region in draw(st.sampled_from((("east",), ("east", "west"), ("east", "north", "west"))))
        for letter in draw(st.sampled_from(("a", "ab", "abcde")))
    ]
    return recording(*sorted(zones[:6], key=lambda each: each.name), ticks=ticks, gap_seconds=gap_seconds, limit=limit)
