# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls for what hangs on a group: policies, actions, hooks, notifications; one each. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import translated
from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_extras
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_hooks import by_topic


@translated("describe the scaling policies")
def describe_policies(client: Any, name: str) -> list[dict[str, Any]]:
    pages = client.get_paginator("describe_policies").paginate(AutoScalingGroupName=name)
    return pages.build_full_result()["ScalingPolicies"]


@translated("put the scaling policy")
def put_policy(client: Any, name: str, policy: str, specification: dict[str, Any]) -> None:
    client.put_scaling_policy(AutoScalingGroupName=name, PolicyName=policy, **specification)


@translated("delete the scaling policy")
def delete_policy(client: Any, name: str, policy: str, specification: None = None) -> None:
    client.delete_policy(AutoScalingGroupName=name, PolicyName=policy)


@translated("describe the scheduled actions")
def describe_actions(client: Any, name: str) -> list[dict[str, Any]]:
    pages = client.get_paginator("describe_scheduled_actions").paginate(AutoScalingGroupName=name)
    return pages.build_full_result()["ScheduledUpdateGroupActions"]


@translated("put the scheduled action")
def put_action(client: Any, name: str, action: str, specification: dict[str, Any]) -> None:
    client.put_scheduled_update_group_action(AutoScalingGroupName=name, ScheduledActionName=action, **specification)


@translated("delete the scheduled action")
def delete_action(client: Any, name: str, action: str, specification: None = None) -> None:
    client.delete_scheduled_action(AutoScalingGroupName=name, ScheduledActionName=action)


@translated("describe the lifecycle hooks")
def describe_hooks(client: Any, name: str) -> list[dict[str, Any]]:
    return client.describe_lifecycle_hooks(AutoScalingGroupName=name)["LifecycleHooks"]


@translated("put the lifecycle hook")
def put_hook(client: Any, name: str, hook: str, specification: dict[str, Any]) -> None:
    client.put_lifecycle_hook(AutoScalingGroupName=name, LifecycleHookName=hook, **specification)


@translated("delete the lifecycle hook")
def delete_hook(client: Any, name: str, hook: str, specification: None = None) -> None:
    client.delete_lifecycle_hook(AutoScalingGroupName=name, LifecycleHookName=hook)


@translated("describe the notifications of the Auto Scaling group")
def describe_notifications(client: Any, name: str) -> list[dict[str, Any]]:
    pages = client.get_paginator("describe_notification_configurations").paginate(AutoScalingGroupNames=[name])
    return by_topic(pages.build_full_result()["NotificationConfigurations"])


@translated("put the notifications of the Auto Scaling group")
def put_notification(client: Any, name: str, topic: str, specification: dict[str, Any]) -> None:
    """All events of a topic: what was there of it is replaced (botocore model)."""
    client.put_notification_configuration(AutoScalingGroupName=name, TopicARN=topic, **specification)


@translated("delete the notifications of the Auto Scaling group")
def delete_notification(client: Any, name: str, topic: str, specification: None = None) -> None:
    client.delete_notification_configuration(AutoScalingGroupName=name, TopicARN=topic)


@translated("describe the warm pool")
def describe_warm_pool(client: Any, name: str) -> list[dict[str, Any]]:
    """The group's pool under the name of the option, unless there is none or it is going."""
    found = client.describe_warm_pool(AutoScalingGroupName=name, MaxRecords=1).get("WarmPoolConfiguration")
    return [{**found, "Name": fleet_extras.WARM_POOL}] if found and found.get("Status") != "PendingDelete" else []


@translated("put the warm pool")
def put_warm_pool(client: Any, name: str, pool: str, specification: dict[str, Any]) -> None:
    client.put_warm_pool(AutoScalingGroupName=name, **specification)


@translated("delete the warm pool")
def delete_warm_pool(client: Any, name: str, pool: str, specification: None = None) -> None:
    """With the instances in it."""
    client.delete_warm_pool(AutoScalingGroupName=name, ForceDelete=True)


READERS: dict[str, Callable[[Any, str], list[dict[str, Any]]]] = {
    fleet_extras.LIFECYCLE_HOOKS: describe_hooks,
    fleet_extras.NOTIFICATIONS: describe_notifications,
    fleet_extras.SCALING_POLICIES: describe_policies,
    fleet_extras.SCHEDULED_ACTIONS: describe_actions,
    fleet_extras.WARM_POOL: describe_warm_pool,
}
# By the steps of fleet_extras.KINDS.
STEPS: dict[str, Callable[[Any, str, str, Any], None]] = {
    "put_lifecycle_hook": put_hook,
    "delete_lifecycle_hook": delete_hook,
    "put_notification": put_notification,
    "delete_notification": delete_notification,
    "put_scaling_policy": put_policy,
    "delete_scaling_policy": delete_policy,
    "put_scheduled_action": put_action,
    "delete_scheduled_action": delete_action,
    "put_warm_pool": put_warm_pool,
    "delete_warm_pool": delete_warm_pool,
}


def describe_extras(client: Any, name: str, kinds: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
    """What hangs on the group, of these kinds."""
    return {kind: READERS[kind](client, name) for kind in kinds}
