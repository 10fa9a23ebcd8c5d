# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a place's starts are, and what they say."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.ethereal.spot.plugins.filter import cold_starts as filter_file
from ansible_collections.ethereal.spot.plugins.module_utils._brain.cold_start import KEPT
from ansible_collections.ethereal.spot.plugins.module_utils._brain.cold_start import cold_starts
from ansible_collections.ethereal.spot.plugins.module_utils._brain.cold_start import sentence


def task(
    instance: str | None, seconds: int | None, status: str = "RUNNING", health: str | None = None
) -> dict[str, Any]:
    return {"instance_id": instance, "started_after": seconds, "status": status, "health": health}


def start(instance: str, seconds: int) -> dict[str, Any]:
    return {"instance_id": instance, "seconds": seconds}


@pytest.mark.parametrize(
    ("tasks", "known", "before", "kept"),
    [
        ([], [], [], []),
        ([task("i-1", 90)], [], [], [start("i-1", 90)]),
        ([task("i-1", 90)], [start("i-1", 80)], [], [start("i-1", 80)]),
        ([task("i-1", 9000)], [], ["i-1"], []),
        ([task("i-2", 70)], [start("i-1", 80)], ["i-1"], [start("i-1", 80), start("i-2", 70)]),
        ([task("i-1", 95), task("i-1", 90), task("i-1", 99)], [], [], [start("i-1", 90)]),
        (
            [task("i-1", 90, health="HEALTHY"), task("i-2", 91, health="UNKNOWN")],
            [],
            [],
            [start("i-1", 90), start("i-2", 91)],
        ),
        (
            [task("i-1", 90, health="UNHEALTHY"), task("i-2", None), task(None, 5), task("i-3", 4, "STOPPED")],
            [],
            [],
            [],
        ),
    ],
)
def test_only_the_first_task_of_a_new_instance_is_a_start(tasks, known, before, kept):
    assert cold_starts(tasks, known, before) == kept
    assert cold_starts(tasks, kept, before) == kept, "a second look adds nothing"


def test_the_newest_are_kept():
    known = [start(f"i-{number}", number) for number in range(KEPT)]
    assert cold_starts([task("i-new", 7)], known, []) == [*known[1:], start("i-new", 7)]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        ([96], "a task runs 96 s after its instance's launch: within the 120 s of an interruption's notice"),
        ([121], "a task runs 121 s after its instance's launch: longer than the 120 s of an interruption's notice"),
        (
            [100, 200, 90],
            "a task runs 90 s after its instance's launch, median 100 s of 3: within the 120 s of an interruption's notice",
        ),
    ],
)
def test_what_starts_say(seconds, said):
    assert sentence([start(f"i-{index}", value) for index, value in enumerate(seconds)]) == said


def test_nothing_is_said_of_nothing():
    assert sentence([]) is None


def test_the_filter_reads_a_places_document():
    document = {"instances": [{"instance_id": "i-1"}], "cold_starts": [start("i-0", 60)]}
    assert filter_file.cold_starts([task("i-1", 10), task("i-2", 20)], document) == [start("i-0", 60), start("i-2", 20)]
    assert filter_file.cold_starts([task("i-1", 10)], {}) == [start("i-1", 10)]
