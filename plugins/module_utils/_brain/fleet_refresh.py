# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Replacing running instances that are not as the fleet is now: when, and how. PRIVATE to the collection.

`current` has `refreshes` (DescribeInstanceRefreshes, newest first), a fleet has `refresh` (AWS's preferences, None where
nobody asked).
"""

from __future__ import annotations

from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain import checks
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import EtherealSpotError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_capacity import POLICY_FIELDS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_capacity import read_capacity
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_group import build_policy
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_plan import START_REFRESH
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_plan import UPDATE_GROUP
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_plan import Change
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_plan import choose_version
from ansible_collections.ethereal.spot.plugins.module_utils._brain.unknown import KNOWN_AFTER_APPLY

# botocore model: InstanceRefresh.Status.
ACTIVE = frozenset({"Pending", "InProgress", "Baking", "Cancelling", "RollbackInProgress"})
SUCCESS = "Successful"
PROTECTED_CHOICES = ("Refresh", "Ignore", "Wait")
STANDBY_CHOICES = ("Terminate", "Ignore", "Wait")
LONGEST_DELAY = 172_800
WIDEST_RANGE = 100
# What the policy of the group says of an instance: what a refresh can bring in place of an update.
LAUNCHED_BY = frozenset({*POLICY_FIELDS, "launch_template"})
LEAVING = ("Terminat", "Detach")


def given_refresh(wanted: dict[str, Any] | None, option: str = "instance_refresh") -> dict[str, Any] | None:
    """AWS's RefreshPreferences; None if no refresh was asked for."""
    if wanted is None:
        return None
    preferences: dict[str, Any] = {
        "AutoRollback": bool(wanted.get("auto_rollback", False)),
        "MinHealthyPercentage": checks.check_integer(
            wanted.get("min_healthy_percentage", 50), f"{option}.min_healthy_percentage", 0, 100
        ),
        "SkipMatching": bool(wanted.get("skip_matching", True)),
    }
    numbers = {
        "bake_time": ("BakeTime", 0, LONGEST_DELAY),
        "checkpoint_delay": ("CheckpointDelay", 0, LONGEST_DELAY),
        "instance_warmup": ("InstanceWarmup", 0, 21_600),
        "max_healthy_percentage": ("MaxHealthyPercentage", 100, 200),
    }
    for key, (field, *limits) in numbers.items():
        if wanted.get(key) is not None:
            preferences[field] = checks.check_integer(wanted[key], f"{option}.{key}", *limits)
    for key, field in (
        ("scale_in_protected_instances", "ScaleInProtectedInstances"),
        ("standby_instances", "StandbyInstances"),
    ):
        if wanted.get(key) is not None:
            preferences[field] = wanted[key]
    largest, smallest = preferences.get("MaxHealthyPercentage", 100), preferences["MinHealthyPercentage"]
    if largest - smallest > WIDEST_RANGE:
        rule = f"is more than {WIDEST_RANGE} above min_healthy_percentage ({smallest})"
        raise InputError(f"{option}.max_healthy_percentage", largest, rule)
    _check_checkpoints(wanted, preferences, option)
    return preferences


def _check_checkpoints(wanted: dict[str, Any], preferences: dict[str, Any], option: str) -> None:
    where = f"{option}.checkpoint_percentages"
    points = [checks.check_integer(point, where, 1, 100) for point in wanted.get("checkpoint_percentages") or []]
    if points != sorted(set(points)):
        raise InputError(where, points, "must ascend, each number once")
    if points:
        preferences["CheckpointPercentages"] = points
    elif "CheckpointDelay" in preferences:
        raise InputError(f"{option}.checkpoint_delay", preferences["CheckpointDelay"], "needs checkpoint_percentages")


def active(refreshes: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The refresh in progress: a group has one at most."""
    return next((refresh for refresh in refreshes if refresh["Status"] in ACTIVE), None)


def to_follow(refreshes: list[dict[str, Any]], changes: list[Change]) -> dict[str, Any] | None:
    """The refresh in progress, or the one just started, which may have ended at once."""
    started = any(change.kind == START_REFRESH for change in changes)
    return active(refreshes) or (refreshes[0] if started and refreshes else None)


def differing(current: dict[str, Any], fleet: dict[str, Any], chosen: dict[str, str]) -> list[str]:
    """Members that were launched otherwise than the fleet would launch them now."""
    number = chosen["version"]
    if number.startswith("$"):
        number = str(current["in_force"]["number"])
    result = []
    for member in current["group"].get("Instances", []):
        template = member.get("LaunchTemplate") or {}
        same = (template.get("LaunchTemplateId"), template.get("Version")) == (chosen["id"], number)
        wrong_type = fleet["instance_types"] and member.get("InstanceType") not in (None, *fleet["instance_types"])
        if not member["LifecycleState"].startswith(LEAVING) and (not same or wrong_type):
            result.append(member["InstanceId"])
    return sorted(result)


def plan(
    current: dict[str, Any], fleet: dict[str, Any], data: dict[str, Any] | None, changes: list[Change]
) -> list[Change]:
    """The changes with a refresh where one is needed; one in progress that leads there is left to go on."""
    if fleet.get("refresh") is None or current["group"] is None:
        return changes
    chosen = choose_version(current, data)
    launched = [change for change in changes if change.kind == UPDATE_GROUP and change.what in LAUNCHED_BY]
    running = active(current.get("refreshes", []))
    if running is not None:
        if launched and not _leads_to(running, fleet, chosen):
            raise EtherealSpotError(
                f"instance refresh {running['InstanceRefreshId']} to another configuration is in progress: "
                "wait for its end or cancel it",
                refresh=view(running),
            )
        return [change for change in changes if change not in launched]
    old = differing(current, fleet, chosen)
    if not old:
        return changes
    rollback = fleet["refresh"]["AutoRollback"]
    if rollback and chosen["version"].startswith("$"):
        rule = f"cannot go back: the group follows version {chosen['version']} of its launch template"
        raise InputError("instance_refresh.auto_rollback", True, rule)
    start = Change(START_REFRESH, "instances", old, fleet["refresh"])
    if not rollback:
        return [*changes, start]
    # Only what the refresh itself brings can it take back.
    brought = [Change(START_REFRESH, change.what, change.before, change.after) for change in launched]
    return [*(change for change in changes if change not in launched), *brought, start]


def meanwhile(
    current: dict[str, Any], fleet: dict[str, Any], data: dict[str, Any] | None, changes: list[Change]
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Fleet and template data as the group shows them after the changes, while a refresh has yet to bring the rest."""
    if current["group"] is None:
        return fleet, data
    updated = {change.what for change in changes if change.kind == UPDATE_GROUP}
    standing = read_capacity(current["group"])
    shown = {**fleet, **{field: standing[field] for field in POLICY_FIELDS if field not in updated}}
    return shown, data if "launch_template" in updated else None


def _leads_to(refresh: dict[str, Any], fleet: dict[str, Any], chosen: dict[str, str]) -> bool:
    """Whether a refresh brings what is wanted."""
    policy = (refresh.get("DesiredConfiguration") or {}).get("MixedInstancesPolicy")
    if not policy or chosen["version"] == KNOWN_AFTER_APPLY:
        return False
    specification = policy["LaunchTemplate"]["LaunchTemplateSpecification"]
    if (specification.get("LaunchTemplateId"), specification.get("Version")) != (chosen["id"], chosen["version"]):
        return False
    brought = read_capacity({"MixedInstancesPolicy": policy})
    return all(brought[field] == fleet[field] for field in POLICY_FIELDS)


def start_request(name: str, fleet: dict[str, Any], template_id: str, version: str) -> dict[str, Any]:
    """StartInstanceRefresh; with what it shall bring, where it shall be able to take that back."""
    request: dict[str, Any] = {
        "AutoScalingGroupName": name,
        "Preferences": fleet["refresh"],
        "Strategy": "Rolling",
    }
    if fleet["refresh"]["AutoRollback"]:
        request["DesiredConfiguration"] = {"MixedInstancesPolicy": build_policy(fleet, template_id, version)}
    return request


def view(refresh: dict[str, Any] | None) -> dict[str, Any] | None:
    """A refresh as results show it."""
    if refresh is None:
        return None
    return {
        "id": refresh["InstanceRefreshId"],
        "instances_to_update": refresh.get("InstancesToUpdate"),
        "percentage_complete": refresh.get("PercentageComplete"),
        "reason": refresh.get("StatusReason"),
        "status": refresh["Status"],
    }


def judge(name: str, refresh: dict[str, Any], *, done: bool) -> None:
    """EtherealSpotError with what was seen, unless the refresh came to a good end."""
    if refresh["Status"] == SUCCESS:
        return
    shown = view(refresh) or {}
    reason = f": {shown['reason']}" if shown["reason"] else ""
    what = f"ended as {refresh['Status']}" if done else f"is {refresh['Status']} still, a later run follows it"
    raise EtherealSpotError(
        f"instance refresh {shown['id']} of group {name!r} {what} at {shown['percentage_complete'] or 0} %{reason}",
        refresh=shown,
    )
