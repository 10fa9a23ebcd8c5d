# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Instance refreshes begun, cancelled, rolled back and ended; rolling.py takes them forward.

Sources: botocore model, StartInstanceRefresh, CancelInstanceRefresh, RollbackInstanceRefresh and InstanceRefresh; EC2
Auto Scaling user guide, "How an instance refresh works" and "Instance refresh events".
"""

from __future__ import annotations

import time
import uuid
from datetime import UTC
from datetime import datetime
from typing import TYPE_CHECKING
from typing import Any

from moto.core.exceptions import ServiceException

from sandbox.autoscaling import preferences
from sandbox.autoscaling import requests
from sandbox.autoscaling.groups import HELD
from sandbox.autoscaling.groups import Group
from sandbox.autoscaling.groups import Refresh
from sandbox.autoscaling.refusal import invalid

if TYPE_CHECKING:
    from sandbox.autoscaling.engine import Engine


def start(engine: Engine, group: Group, request: dict[str, Any]) -> str:
    """Begin a refresh; returns its id. Raises InstanceRefreshInProgress, ValidationError."""
    if group.running_refresh():
        raise ServiceException(
            "InstanceRefreshInProgress",
            "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.",
        )
    if request.get("Strategy", "Rolling") != "Rolling":
        raise invalid("The sandbox plays the Rolling strategy only.")
    wanted, before = request.get("DesiredConfiguration"), group.launches
    asked = preferences.checked(group, dict(request.get("Preferences") or {}))
    if wanted:
        keys = ("LaunchTemplate", "MixedInstancesPolicy")
        requests.update(group, {key: wanted[key] for key in keys if key in wanted})
    if asked["AutoRollback"]:
        problem = preferences.reversible(group, [before, group.launches], wanted)
        if problem:
            group.launches = before
            raise invalid(f"AutoRollback cannot be enabled. {problem}")
    members = [each for each in group.members if each.lifecycle_state in (*HELD, "Standby")]
    old = [
        each.id
        for each in members
        if not (asked["SkipMatching"] and preferences.matches(group, each.instance.instance_type, each.template))
        and not (asked["ScaleInProtectedInstances"] == "Ignore" and each.protected)
        and not (asked["StandbyInstances"] == "Ignore" and each.lifecycle_state == "Standby")
    ]
    values = {
        "InstanceRefreshId": str(uuid.uuid4()),
        "AutoScalingGroupName": group.name,
        "Status": "Pending",
        "StartTime": datetime.now(UTC),
        "PercentageComplete": 0,
        "InstancesToUpdate": len(old),
        "Strategy": "Rolling",
        "Preferences": asked,
    }
    if wanted:
        values["DesiredConfiguration"] = wanted
    refresh = Refresh(
        values=values,
        old=old,
        kept={each.id for each in members},
        total=len(old),
        left=len(old),
        checkpoints=[int(each) for each in asked.get("CheckpointPercentages") or []],
        before=before if wanted else None,
        progress_at=time.monotonic(),
    )
    group.refreshes.insert(0, refresh)
    engine.advance(group)
    return values["InstanceRefreshId"]


def cancel(engine: Engine, group: Group, wait: bool) -> str:
    """Stop after the instances under way, or at once. Raises ActiveInstanceRefreshNotFound."""
    refresh = _running(group)
    refresh.values["Status"] = "Cancelling"
    refresh.old.clear()
    refresh.surge = 0
    _restore(group, refresh)
    if not wait:
        end(engine, group, refresh, "Cancelled", "The instance refresh was cancelled.")
    engine.advance(group)
    return refresh.values["InstanceRefreshId"]


def rollback(engine: Engine, group: Group) -> str:
    """Put back what a refresh has replaced. Raises ActiveInstanceRefreshNotFound, IrreversibleInstanceRefresh."""
    refresh = _running(group)
    if refresh.values["Status"] not in ("Pending", "InProgress", "Baking"):
        raise _not_found(group)
    both = [refresh.before, group.launches]
    problem = preferences.reversible(group, both, refresh.values.get("DesiredConfiguration"))
    if problem:
        raise ServiceException("IrreversibleInstanceRefresh", f"The instance refresh cannot be rolled back. {problem}")
    turn_back(engine, group, refresh, "A user request rolled the instance refresh back.")
    engine.advance(group)
    return refresh.values["InstanceRefreshId"]


def fail(engine: Engine, group: Group, refresh: Refresh, reason: str) -> None:
    """A refresh that cannot go on: rolled back where that was asked for, else failed."""
    if refresh.values["Status"] == "RollbackInProgress":
        end(engine, group, refresh, "RollbackFailed", reason)
    elif refresh.values["Preferences"]["AutoRollback"]:
        turn_back(engine, group, refresh, f"The instance refresh failed. {reason}")
    else:
        _restore(group, refresh)
        end(engine, group, refresh, "Failed", reason)


def turn_back(engine: Engine, group: Group, refresh: Refresh, reason: str) -> None:
    values = refresh.values
    new = [
        each.id for each in group.members if each.id not in refresh.kept and each.lifecycle_state in (*HELD, "Standby")
    ]
    values.update(
        Status="RollbackInProgress",
        StatusReason=reason,
        RollbackDetails={
            "RollbackReason": reason,
            "RollbackStartTime": datetime.now(UTC),
            "PercentageCompleteOnRollback": values["PercentageComplete"],
            "InstancesToUpdateOnRollback": values["InstancesToUpdate"],
        },
    )
    _restore(group, refresh)
    refresh.old, refresh.kept = new, {each.id for each in group.members}
    refresh.total = refresh.left = len(new)
    refresh.checkpoints, refresh.paused_until = [], 0.0
    refresh.surge, refresh.progress_at = 0, time.monotonic()
    say(engine, group, refresh, "Rollback Started")


def end(engine: Engine, group: Group, refresh: Refresh, status: str, reason: str = "") -> None:
    events = {
        "Successful": "Succeeded",
        "RollbackSuccessful": "Rollback Succeeded",
        "RollbackFailed": "Rollback Failed",
    }
    refresh.values.update(Status=status, EndTime=datetime.now(UTC))
    refresh.values.pop("StatusReason", None)
    if reason:
        refresh.values["StatusReason"] = reason
    refresh.surge = 0
    say(engine, group, refresh, events.get(status, status))


def say(engine: Engine, group: Group, refresh: Refresh, what: str, **more: Any) -> None:
    detail = {"InstanceRefreshId": refresh.values["InstanceRefreshId"], "AutoScalingGroupName": group.name, **more}
    name = f"EC2 Auto Scaling Instance Refresh {what}"
    engine.context.emit(group.region, "aws.autoscaling", name, detail, [group.arn])


def _restore(group: Group, refresh: Refresh) -> None:
    """Back to the group's own settings: only a refresh that succeeds changes them."""
    if refresh.before:
        group.launches, refresh.before = refresh.before, None


def _running(group: Group) -> Refresh:
    refresh = group.running_refresh()
    if refresh is None:
        raise _not_found(group)
    return refresh


def _not_found(group: Group) -> ServiceException:
    return ServiceException(
        "ActiveInstanceRefreshNotFound",
        f"No in progress or pending Instance Refresh found for Auto Scaling group {group.name}",
    )
