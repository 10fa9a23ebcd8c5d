# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Instance refresh: a group's instances replaced a few at a time.

Source: botocore model, StartInstanceRefresh and RefreshPreferences.
"""

from __future__ import annotations

import uuid
from datetime import UTC
from datetime import datetime
from typing import TYPE_CHECKING
from typing import Any

from moto.core.exceptions import ServiceException

from sandbox.autoscaling import requests
from sandbox.autoscaling.groups import Group
from sandbox.autoscaling.groups import Member
from sandbox.autoscaling.groups import Refresh
from sandbox.autoscaling.refusal import invalid
from sandbox.autoscaling.templates import version_of

if TYPE_CHECKING:
    from sandbox.autoscaling.engine import Engine

DEFAULT_MIN_HEALTHY = 90


def start(engine: Engine, group: Group, request: dict[str, Any]) -> str:
    """Begin a refresh; returns its id. Raises InstanceRefreshInProgress, ValidationError."""
    if group.running_refresh():
        raise ServiceException(
            "InstanceRefreshInProgress",
            "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.",
        )
    preferences = dict(request.get("Preferences") or {})
    least = int(preferences.get("MinHealthyPercentage", DEFAULT_MIN_HEALTHY))
    most = preferences.get("MaxHealthyPercentage")
    if most is not None and ("MinHealthyPercentage" not in preferences or int(most) - least > 100):
        raise invalid(
            "MaxHealthyPercentage needs MinHealthyPercentage, and the difference between them must not exceed 100."
        )
    wanted = request.get("DesiredConfiguration")
    if wanted:
        requests.update(
            group, {key: wanted[key] for key in ("LaunchTemplate", "MixedInstancesPolicy") if key in wanted}
        )
    if preferences.get("AutoRollback"):
        _rollback_rule(group, wanted)
    todo = [member for member in group.members if member.lifecycle_state == "InService"]
    if preferences.get("SkipMatching"):
        todo = [member for member in todo if not _matches(group, member)]
    refresh = Refresh(
        values={
            "InstanceRefreshId": str(uuid.uuid4()),
            "AutoScalingGroupName": group.name,
            "Status": "Pending",
            "StartTime": datetime.now(UTC),
            "PercentageComplete": 0,
            "InstancesToUpdate": len(todo),
            "Strategy": request.get("Strategy", "Rolling"),
            "Preferences": {"MinHealthyPercentage": least, **preferences},
            **({"DesiredConfiguration": wanted} if wanted else {}),
        },
        todo=[member.id for member in todo],
        total=len(todo),
    )
    group.refreshes.insert(0, refresh)
    engine.advance(group)
    return refresh.values["InstanceRefreshId"]


def cancel(group: Group) -> str:
    """Stop after the instances under way. Raises ActiveInstanceRefreshNotFound."""
    refresh = group.running_refresh()
    if refresh is None:
        raise ServiceException(
            "ActiveInstanceRefreshNotFound",
            f"No in progress or pending Instance Refresh found for Auto Scaling group {group.name}",
        )
    refresh.values["Status"] = "Cancelling"
    refresh.todo.clear()
    return refresh.values["InstanceRefreshId"]


def step(engine: Engine, group: Group) -> None:
    """One step of the running refresh: replace the next instances when the last ones are in service."""
    refresh = group.running_refresh()
    if refresh is None or "InstanceRefresh" in group.suspended:
        return
    if refresh.values["Status"] == "Pending":
        refresh.values["Status"] = "InProgress"
        return
    refresh.todo = [each for each in refresh.todo if group.member(each)]
    refresh.batch = [each for each in refresh.batch if group.member(each)]
    ready = [each for each in group.held() if each.lifecycle_state == "InService"]
    left = len(refresh.todo) + len(refresh.batch)
    refresh.values["InstancesToUpdate"] = left
    refresh.values["PercentageComplete"] = 100 - 100 * left // refresh.total if refresh.total else 100
    if left == 0 and len(ready) >= min(group.desired, len(group.held())) and not engine.shortfall(group):
        done = refresh.values["Status"] == "Cancelling"
        refresh.values["Status"] = "Cancelled" if done else "Successful"
        refresh.values["EndTime"] = datetime.now(UTC)
        return
    least = int(refresh.values["Preferences"]["MinHealthyPercentage"])
    # At least one at a time, or a small group would never be refreshed (user guide, "instance refresh").
    may_lack = max(1, group.desired - -(-group.desired * least // 100))
    lacking = group.desired - len(ready)
    for name in refresh.todo[: max(0, may_lack - max(0, lacking))]:
        member = group.member(name)
        if member is None or member.protected:
            continue
        refresh.todo.remove(name)
        refresh.batch.append(name)
        engine.terminate(group, member, "in response to an instance refresh.")


def _matches(group: Group, member: Member) -> bool:
    spec = group.template or group.policy["LaunchTemplate"]["LaunchTemplateSpecification"]
    same = member.template["LaunchTemplateId"] == spec["LaunchTemplateId"]
    return same and member.template["Version"] == str(version_of(group, spec).number)


def _rollback_rule(group: Group, wanted: dict[str, Any] | None) -> None:
    spec = group.template or group.policy["LaunchTemplate"]["LaunchTemplateSpecification"]
    if wanted is None or spec.get("Version", "$Default") in ("$Latest", "$Default"):
        raise invalid(
            "Auto rollback needs a desired configuration, and a launch template version other than $Latest or $Default."
        )
