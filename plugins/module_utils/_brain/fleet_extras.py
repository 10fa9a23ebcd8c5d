# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What hangs on a group under a name of its own, ours beside that of others. PRIVATE to the collection.

Each kind is read only if something was said of it. `wanted` is {kind: {name: specification, or None for one that shall
go}}, `standing` {kind: {name: specification}} with everything there is; what `wanted` does not name stays.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_hooks
from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_scaling
from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_warm_pool
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError

LIFECYCLE_HOOKS = "lifecycle_hooks"
NOTIFICATIONS = "notifications"
SCALING_POLICIES = "scaling_policies"
SCHEDULED_ACTIONS = "scheduled_actions"
WARM_POOL = fleet_warm_pool.OPTION


@dataclass(frozen=True)
class Kind:
    """How one kind is read from a description, and completed by what stands before both are compared."""

    name_field: str
    read: Callable[[dict[str, Any]], dict[str, Any]]
    put: str
    delete: str
    settle: Callable[[dict[str, Any], dict[str, Any] | None], dict[str, Any]] = lambda wanted, standing: wanted


PUT_HOOK = "put_lifecycle_hook"
KINDS: dict[str, Kind] = {
    LIFECYCLE_HOOKS: Kind(
        "LifecycleHookName",
        fleet_hooks.read_hook,
        PUT_HOOK,
        "delete_lifecycle_hook",
        fleet_hooks.settle_hook,
    ),
    NOTIFICATIONS: Kind(
        "TopicARN",
        fleet_hooks.read_notification,
        "put_notification",
        "delete_notification",
    ),
    SCALING_POLICIES: Kind(
        "PolicyName",
        fleet_scaling.read_policy,
        "put_scaling_policy",
        "delete_scaling_policy",
        fleet_scaling.settle_policy,
    ),
    SCHEDULED_ACTIONS: Kind(
        "ScheduledActionName",
        fleet_scaling.read_action,
        "put_scheduled_action",
        "delete_scheduled_action",
        fleet_scaling.settle_action,
    ),
    # A group has one at most: it goes by the option's name.
    WARM_POOL: Kind("Name", fleet_warm_pool.read_warm_pool, "put_warm_pool", "delete_warm_pool"),
}
SCALES = (SCALING_POLICIES, SCHEDULED_ACTIONS)


def given_extras(
    params: dict[str, Any], region: str, now: datetime | None = None, zones: Collection[str] = ()
) -> dict[str, dict[str, Any]]:
    """What was said of each kind, checked; kinds of which nothing was said are left out."""
    found = {
        LIFECYCLE_HOOKS: fleet_hooks.given_hooks(params, region),
        NOTIFICATIONS: fleet_hooks.given_notifications(params, region),
        SCALING_POLICIES: fleet_scaling.given_policies(params),
        SCHEDULED_ACTIONS: fleet_scaling.given_actions(params, now, zones),
        WARM_POOL: fleet_warm_pool.given_warm_pool(params),
    }
    return {kind: wanted for kind, wanted in found.items() if wanted is not None}


def scales(extras: dict[str, dict[str, Any]]) -> bool:
    """Whether anything given would move the group's size."""
    return any(specification for kind in SCALES for specification in extras.get(kind, {}).values())


def check_owner(extras: dict[str, dict[str, Any]], owner: str, scaling: str) -> None:
    """Only a group that leaves its size to scaling may have something that scales it."""
    for kind in SCALES:
        for name, specification in extras.get(kind, {}).items():
            if specification and owner != scaling:
                option = "enable_cpu_scaling" if name == fleet_scaling.CPU_POLICY else kind
                raise InputError(
                    option, name, f"needs capacity_owner: {scaling}, under {owner} both would set the size"
                )


def with_defaults(
    extras: dict[str, dict[str, Any]], fleet: dict[str, Any], *, scaling: bool
) -> dict[str, dict[str, Any]]:
    """With the reference's policy for a fleet that is created to scale, unless something was said of policies."""
    spot = fleet["on_demand_percentage_above_base"] < 100
    if scaling and spot and SCALING_POLICIES not in extras:
        return {**extras, SCALING_POLICIES: {fleet_scaling.CPU_POLICY: fleet_scaling.cpu_policy()}}
    return extras


def read_extras(described: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """`standing`, from the descriptions of each kind."""
    return {
        kind: {item[KINDS[kind].name_field]: KINDS[kind].read(item) for item in items}
        for kind, items in described.items()
    }


def settled(wanted: dict[str, dict[str, Any]], standing: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """`wanted`, completed by what stands."""
    return {
        kind: {
            name: None if item is None else KINDS[kind].settle(item, standing.get(kind, {}).get(name))
            for name, item in items.items()
        }
        for kind, items in wanted.items()
    }


def differences(
    wanted: dict[str, dict[str, Any]], standing: dict[str, dict[str, Any]]
) -> list[tuple[str, str, dict[str, Any] | None, dict[str, Any] | None]]:
    """(step, name, before, after) of each that must change, in an order that is always the same."""
    result = []
    for kind, items in settled(wanted, standing).items():
        for name, after in sorted(items.items()):
            before = standing.get(kind, {}).get(name)
            if before != after:
                step = KINDS[kind].delete if after is None else KINDS[kind].put
                result.append((step, name, before, after))
    return result


def new_targets(
    differences: list[tuple[str, str, dict[str, Any] | None, dict[str, Any] | None]],
) -> list[tuple[str, str]]:
    """(option, ARN) of each topic and queue that the differences bring or bring more to."""
    result = []
    for step, name, before, after in differences:
        if step == KINDS[NOTIFICATIONS].put:
            result.append(("sns_topic_arn", name))
        target = (after or {}).get("NotificationTargetARN")
        if step == PUT_HOOK and target not in (None, (before or {}).get("NotificationTargetARN")):
            result.append((f"{LIFECYCLE_HOOKS}[{name}].notification_target_arn", target))
    return result


def merged(wanted: dict[str, dict[str, Any]], standing: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What will stand of each kind of which something was said."""
    result = {}
    for kind, items in settled(wanted, standing).items():
        after = {**standing.get(kind, {}), **items}
        result[kind] = {name: item for name, item in sorted(after.items()) if item is not None}
    return result
