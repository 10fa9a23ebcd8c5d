# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long a place takes from the launch of an instance to a task that runs on it. PRIVATE to the collection.

A start is {instance_id, seconds}. A place's document keeps the newest, oldest first.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

KEPT = 20
# Seconds between the warning and the loss of a spot instance (EC2 user guide, "Spot Instance interruption notices").
NOTICE = 120


def cold_starts(
    tasks: Iterable[Mapping[str, Any]], known: Sequence[Mapping[str, Any]], before: Iterable[str]
) -> list[dict[str, Any]]:
    """The starts to keep, given the tasks that spot_placement saw, the starts known and the instances that were known before.

    Only an instance's first task tells: what starts on an instance that is known already did not wait for it. A task that does not
    run, or whose health check has not passed, has not started.
    """
    seen = {start["instance_id"] for start in known} | set(before)
    first: dict[str, int] = {}
    for task in tasks:
        instance, seconds = task.get("instance_id"), task.get("started_after")
        ready = task.get("status") == "RUNNING" and task.get("health") in (None, "UNKNOWN", "HEALTHY")
        if ready and instance and instance not in seen and seconds is not None:
            first[instance] = min(seconds, first.get(instance, seconds))
    new = [{"instance_id": instance, "seconds": seconds} for instance, seconds in sorted(first.items())]
    return [*map(dict, known), *new][-KEPT:]


def sentence(starts: Sequence[Mapping[str, Any]]) -> str | None:
    """What starts say to a person, with what they mean for an interruption; None if there is none."""
    if not starts:
        return None
    seconds = [int(start["seconds"]) for start in starts]
    median = round(statistics.median(seconds))
    of = f", median {median} s of {len(seconds)}" if len(seconds) > 1 else ""
    meaning = "within" if median <= NOTICE else "longer than"
    return f"a task runs {seconds[-1]} s after its instance's launch{of}: {meaning} the {NOTICE} s of an interruption's notice"
