# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet's lifecycle hooks and its notifications. PRIVATE to the collection.

Both are kept as AWS's requests have them, without the names of group, hook and topic.
"""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain import checks
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.named_entries import named

TRANSITIONS = {
    "launching": "autoscaling:EC2_INSTANCE_LAUNCHING",
    "terminating": "autoscaling:EC2_INSTANCE_TERMINATING",
}
TERMINATING = TRANSITIONS["terminating"]
RESULTS = ("continue", "abandon")
# botocore model: PutLifecycleHook.
HEARTBEATS = (30, 7_200)
AWS_HEARTBEAT = 3_600
HOOK_NAME = re.compile(r"[A-Za-z0-9_/-]{1,255}")
# Managed draining is this hook, which ECS puts on the groups of capacity providers (ECS developer guide, "Configuring Amazon ECS
# capacity providers to safely shut down instances").
ECS_HOOK = "ecs-managed-draining-termination-hook"
METADATA = re.compile(r"[\x09\x0a\x0d\x20-\x7e]{1,4000}")
# EC2 takes a spot instance two minutes after its notice, whatever a hook still waits for.
NOTICE_SECONDS = 120
TARGET = re.compile(
    r"arn:(?P<partition>aws(-[a-z]+)*):(sqs|sns):(?P<region>[a-z0-9-]+):[0-9]{12}:[A-Za-z0-9_.-]{1,256}"
)
TOPIC = re.compile(r"arn:(?P<partition>aws(-[a-z]+)*):sns:(?P<region>[a-z0-9-]+):[0-9]{12}:[A-Za-z0-9_-]{1,256}")
NOTIFICATION_TYPES = (
    "autoscaling:EC2_INSTANCE_LAUNCH",
    "autoscaling:EC2_INSTANCE_LAUNCH_ERROR",
    "autoscaling:EC2_INSTANCE_TERMINATE",
    "autoscaling:EC2_INSTANCE_TERMINATE_ERROR",
)


def given_hooks(params: dict[str, Any], region: str) -> dict[str, Any] | None:
    """Hooks by name, None for one that shall go; None altogether if nothing was said of any."""
    if params.get("lifecycle_hooks") is None:
        return None
    result: dict[str, Any] = {}
    for name, entry in named(params["lifecycle_hooks"], "lifecycle_hooks").items():
        where = f"lifecycle_hooks[{name}]"
        if not HOOK_NAME.fullmatch(name):
            raise InputError(f"{where}.name", name, "may hold letters, digits and - _ / only")
        if name == ECS_HOOK:
            raise InputError(f"{where}.name", name, "is ECS's own, by which capacity providers drain instances")
        result[name] = None if entry.get("state") == "absent" else check_hook(entry, where, region)
    return result


def check_hook(entry: dict[str, Any], where: str, region: str) -> dict[str, Any]:
    """One hook. One that ends instances lets them go in time and does so on, unless told otherwise."""
    if "transition" not in entry:
        raise InputError(f"{where}.transition", None, "is required")
    ending = entry["transition"] == "terminating"
    usual = NOTICE_SECONDS if ending else AWS_HEARTBEAT
    heartbeat = checks.check_integer(entry.get("heartbeat_timeout", usual), f"{where}.heartbeat_timeout", *HEARTBEATS)
    hook: dict[str, Any] = {
        "DefaultResult": entry.get("default_result", "continue" if ending else "abandon").upper(),
        "HeartbeatTimeout": heartbeat,
        "LifecycleTransition": TRANSITIONS[entry["transition"]],
    }
    target, role = entry.get("notification_target_arn"), entry.get("role_arn")
    if (target is None) != (role is None):
        missing = "role_arn" if role is None else "notification_target_arn"
        raise InputError(
            f"{where}.{missing}", None, "is required with the other of role_arn and notification_target_arn"
        )
    if target is not None:
        hook["NotificationTargetARN"] = checks.check_regional_arn(
            target, TARGET, f"{where}.notification_target_arn", "queue or topic", region
        )
        hook["RoleARN"] = checks.check_role_arn(role, f"{where}.role_arn", region)
    if "notification_metadata" in entry:
        if not METADATA.fullmatch(entry["notification_metadata"]):
            size = len(entry["notification_metadata"])
            raise InputError(f"{where}.notification_metadata", f"{size} characters", "must be 1 to 4000 of ASCII")
        hook["NotificationMetadata"] = entry["notification_metadata"]
    return hook


def read_hook(described: dict[str, Any]) -> dict[str, Any]:
    """A LifecycleHook as given_hooks has it."""
    fields = (
        "DefaultResult",
        "HeartbeatTimeout",
        "LifecycleTransition",
        "NotificationMetadata",
        "NotificationTargetARN",
        "RoleARN",
    )
    return {field: described[field] for field in fields if described.get(field) not in (None, "")}


def settle_hook(wanted: dict[str, Any], standing: dict[str, Any] | None) -> dict[str, Any]:
    """The hook with what it has and nobody spoke of: an update keeps it (botocore model: PutLifecycleHook)."""
    kept = ("NotificationMetadata", "NotificationTargetARN", "RoleARN")
    return {**{field: standing[field] for field in kept if field in (standing or {})}, **wanted} if standing else wanted


def hook_specifications(hooks: dict[str, Any]) -> list[dict[str, Any]]:
    """For CreateAutoScalingGroup, so that no instance is launched before its hooks are there."""
    return [{"LifecycleHookName": name, **hook} for name, hook in sorted(hooks.items()) if hook]


def late_hooks(hooks: dict[str, Any], fleet: dict[str, Any]) -> list[str]:
    """Warnings for hooks that would wait longer than a spot instance has after its notice."""
    if fleet["on_demand_percentage_above_base"] >= 100:
        return []
    return [
        f"lifecycle_hooks[{name}].heartbeat_timeout: {hook['HeartbeatTimeout']} is over the {NOTICE_SECONDS} seconds "
        "that an interrupted spot instance has: what is not done by then is lost"
        for name, hook in sorted(hooks.items())
        if hook and hook["LifecycleTransition"] == TERMINATING and hook["HeartbeatTimeout"] > NOTICE_SECONDS
    ]


def check_topic(value: Any, option: str, region: str) -> str:
    """The ARN of a standard SNS topic in the region."""
    return checks.check_regional_arn(value, TOPIC, option, "standard SNS topic", region)


def given_notifications(params: dict[str, Any], region: str) -> dict[str, Any] | None:
    """The topic with the events that it shall hear of, None if of none; None altogether if no topic was given."""
    topic, types = params.get("sns_topic_arn"), params.get("notification_types")
    if topic is None:
        if types is not None:
            raise InputError("notification_types", types, "needs sns_topic_arn")
        return None
    check_topic(topic, "sns_topic_arn", region)
    wanted = sorted(set(NOTIFICATION_TYPES if types is None else types))
    return {topic: {"NotificationTypes": wanted} if wanted else None}


def by_topic(described: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """NotificationConfigurations, which name one event each, as one for each topic."""
    topics: dict[str, list[str]] = {}
    for item in described:
        topics.setdefault(item["TopicARN"], []).append(item["NotificationType"])
    return [{"TopicARN": topic, "NotificationTypes": sorted(types)} for topic, types in sorted(topics.items())]


def read_notification(described: dict[str, Any]) -> dict[str, Any]:
    """One of by_topic as given_notifications has it."""
    return {"NotificationTypes": described["NotificationTypes"]}
