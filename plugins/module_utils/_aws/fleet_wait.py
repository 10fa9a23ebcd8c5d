# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting for a group's instances. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._aws import autoscaling
from ansible_collections.ethereal.spot.plugins.module_utils._aws import waiters
from ansible_collections.ethereal.spot.plugins.module_utils._brain import activities as launches
from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_refresh
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import EtherealSpotError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_status import failure_view
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_status import instance_views
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_status import missing


def known_activities(client: Any, name: str) -> set[str]:
    """The ids of the activities so far: what comes later is the answer to what we do now, by no clock of ours."""
    return {activity["ActivityId"] for activity in autoscaling.describe_activities(client, name)}


def wait_ready(
    client: Any, name: str, known: Collection[str], timeout: float, patience: float, pace: waiters.Pace
) -> dict[str, Any]:
    """The group once all its wanted instances serve. EtherealSpotError with what was seen when there is no hope."""

    def look() -> tuple[dict[str, Any], list[dict[str, Any]]]:
        groups = autoscaling.describe_groups(client, [name])
        if not groups:
            raise EtherealSpotError(f"group {name!r} was deleted while its instances were waited for")
        return groups[0], autoscaling.describe_activities(client, name) if missing(groups[0]) else []

    def done(seen: tuple[dict[str, Any], list[dict[str, Any]]], elapsed: float) -> bool:
        return not missing(seen[0]) or launches.hopeless(seen[1], known, elapsed, patience)

    (group, activities), _done = waiters.poll(look, done, timeout, pace)
    if missing(group):
        failures = launches.standing_failures(activities)
        says = "; ".join(launches.sentence(failure) for failure in failures) or "no launch has failed"
        raise EtherealSpotError(
            f"group {name!r} lacks {missing(group)} of {group['DesiredCapacity']} instances: {says}",
            failures=[failure_view(failure, group) for failure in failures],
            instances=instance_views(group, []),
        )
    return group


def follow_refresh(client: Any, name: str, refresh_id: str, timeout: float, pace: waiters.Pace) -> dict[str, Any]:
    """The refresh once it has succeeded. EtherealSpotError when it ended otherwise, or not in time."""

    def look() -> dict[str, Any]:
        found = autoscaling.describe_refreshes(client, name, refresh_id)
        if not found:
            raise EtherealSpotError(f"instance refresh {refresh_id} of group {name!r} is gone")
        return found[0]

    refresh, done = waiters.poll(look, lambda seen, _elapsed: seen["Status"] not in fleet_refresh.ACTIVE, timeout, pace)
    fleet_refresh.judge(name, refresh, done=done)
    return refresh
