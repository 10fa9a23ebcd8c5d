# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ECS's draining hook on a capacity provider's group: whether it is there, and how it comes back. PRIVATE to the collection.

Managed draining is this hook: without it every instance that Auto Scaling ends, capacity rebalancing's too, takes its tasks with it,
while the provider still says ENABLED. `clients` gives a botocore client for a service's name.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

try:
    from botocore.exceptions import ClientError
except ImportError:
    pass  # See errors.py.

from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import translated
from ansible_collections.ethereal.spot.plugins.module_utils._aws.waiters import Pace
from ansible_collections.ethereal.spot.plugins.module_utils._aws.waiters import poll
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import EtherealSpotError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_hooks import ECS_HOOK

KIND = "AWS::ECS::CapacityProvider"
HOOK_PATH = "/AutoScalingGroup/LifecycleHook"
EXPECTED = {HOOK_PATH: ECS_HOOK}
DELAY = 2.0
UPDATE_SECONDS = 300


@translated("describe the capacity provider")
def _describe(client: Any, provider: str) -> dict[str, Any] | None:
    found = client.describe_capacity_providers(capacityProviders=[provider])["capacityProviders"]
    return found[0] if found and found[0]["status"] != "INACTIVE" else None


@translated("read the group's draining hook")
def _has_hook(client: Any, group: str) -> bool:
    try:
        found = client.describe_lifecycle_hooks(AutoScalingGroupName=group, LifecycleHookNames=[ECS_HOOK])
    except ClientError as error:
        # A group that is gone lacks more than a hook, and is told of by itself.
        if error.response.get("Error", {}).get("Code") != "ValidationError":
            raise
        return True
    return bool(found["LifecycleHooks"])


def read(clients: Callable[[str], Any], provider: str) -> dict[str, Any] | None:
    """The hook's name where it is as it shall be: on the group of a provider that drains; None where there is no provider."""
    found = _describe(clients("ecs"), provider)
    if found is None:
        return None
    group = found.get("autoScalingGroupProvider", {})
    if group.get("managedDraining") != "ENABLED":
        return dict(EXPECTED)
    name = group["autoScalingGroupArn"].rpartition("autoScalingGroupName/")[2]
    return {HOOK_PATH: ECS_HOOK if _has_hook(clients("autoscaling"), name) else None}


@translated("set the capacity provider's managed draining")
def _set(client: Any, provider: str, setting: str) -> None:
    client.update_capacity_provider(name=provider, autoScalingGroupProvider={"managedDraining": setting})


def restore(clients: Callable[[str], Any], provider: str, wanted: Mapping[str, Any]) -> None:
    """Have ECS put its hook anew, by turning managed draining off and on (ECS developer guide, "Configuring Amazon ECS capacity
    providers to safely shut down instances"). A run that dies in between leaves drift that CloudFormation sees and reverts.
    """
    client = clients("ecs")
    for setting in ("DISABLED", "ENABLED"):
        _set(client, provider, setting)
        found, done = poll(
            lambda: _describe(client, provider) or {},
            lambda seen, _elapsed: seen.get("updateStatus") != "UPDATE_IN_PROGRESS",
            UPDATE_SECONDS,
            Pace(DELAY),
        )
        if not done or found.get("updateStatus") == "UPDATE_FAILED":
            reason = found.get("updateStatusReason", f"not done after {UPDATE_SECONDS} s")
            raise EtherealSpotError(f"capacity provider {provider}: managed draining could not be {setting}: {reason}")
