# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ECS agent on a group's instances: it joins the cluster that the user data names, with the instance's own role.

The rule: an instance joins cluster X where its user data sets ECS_CLUSTER=X. Like the real agent it calls
RegisterContainerInstance with the credentials of the instance profile, so that an instance without a profile, or whose
role is not allowed to, never becomes part of the cluster.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING
from typing import Any

import botocore.exceptions
from ministack.core import responses
from ministack.services import iam

from sandbox.ecs import nodes

if TYPE_CHECKING:
    from sandbox.context import Context

RETRY_SECONDS = 1.0
_CLUSTER = re.compile(r"ECS_CLUSTER=[\"']?([A-Za-z0-9_-]{1,255})")
_DRAINS = re.compile(r"ECS_ENABLE_SPOT_INSTANCE_DRAINING=[\"']?true")


def user_data(instance: Any) -> str:
    try:
        return instance.user_data.decode() if instance.user_data else ""
    except UnicodeDecodeError:
        return ""


def cluster_of(instance: Any) -> str | None:
    found = _CLUSTER.search(user_data(instance))
    return found.group(1) if found else None


def drains_on_notice(instance: Any) -> bool:
    """Off unless the user data turns it on (ECS developer guide, "Spot Instance draining")."""
    return bool(_DRAINS.search(user_data(instance)))


def role_of(instance: Any, account: str) -> str | None:
    """ARN of the role behind the instance's profile."""
    wanted = (instance.iam_instance_profile or {}).get("Arn")
    with responses.request_scope(account, responses.get_region()):
        for profile in iam._instance_profiles.values():
            if profile["Arn"] == wanted and profile.get("Roles"):
                name = profile["Roles"][0]
                role = iam._roles.get(name if isinstance(name, str) else name["RoleName"])
                return role["Arn"] if role else None
    return None


def boot(context: Context, region: str, instance: Any, wanted: Callable[[], bool]) -> None:
    """Register the instance once it has booted, and go on trying while it runs and is `wanted`."""

    def register() -> None:
        if instance.state_code != 16 or not wanted():
            return
        role, cluster = role_of(instance, context.account), cluster_of(instance)
        if role is None or cluster is None or not _register(context, region, instance, cluster, role):
            context.schedule(RETRY_SECONDS, register)

    context.schedule(context.market.boot_seconds, register)


def _register(context: Context, region: str, instance: Any, cluster: str, role: str) -> bool:
    node = nodes.make("", cluster, region, instance, None, [])
    client = context.client("ecs", region, principal=role)
    try:
        client.register_container_instance(
            cluster=cluster,
            instanceIdentityDocument=json.dumps(
                {"instanceId": instance.id, "region": region, "accountId": context.account}
            ),
            totalResources=nodes.resources(node.cpu, node.memory, node.gpu_ids or None, nodes.RESERVED_PORTS),
            attributes=nodes.attributes(instance),
        )
    except (botocore.exceptions.ClientError, botocore.exceptions.HTTPClientError):
        return False
    return True
