# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The key of a fleet's volumes, looked up and judged before anything is launched. PRIVATE to the collection.

`clients` gives a botocore client for a service's name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._aws import kms
from ansible_collections.ethereal.spot.plugins.module_utils._aws import sts
from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError
from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_key
from ansible_collections.ethereal.spot.plugins.module_utils._brain import key_access
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError

Clients = Callable[[str], Any]


def settle_key(
    clients: Clients, given: str, standing: str | None, group: dict[str, Any] | None
) -> tuple[str, list[str]]:
    """The ARN of the key that is meant, and warnings. A key that stands was judged when it came. Raises InputError."""
    if given == standing:
        return given, []
    try:
        metadata = kms.describe_key(clients("kms"), given)
    except AwsError as error:
        if error.code != "NotFoundException":
            raise
        raise InputError("kms_key_arn", given, "does not exist") from error
    arn = metadata["Arn"]
    if arn == standing:
        return arn, []
    fleet_key.check_key(given, metadata)
    return arn, _judge(clients, given, arn, (group or {}).get("ServiceLinkedRoleARN"))


def _judge(clients: Clients, given: str, arn: str, role: str | None) -> list[str]:
    """Warnings on whether the group's role may use the key; InputError if it may not."""
    owner = arn.split(":")[4]
    try:
        # KMS gives a key's policy to callers of the key's own account only.
        policy = kms.get_key_policy(clients("kms"), arn)
    except AwsError as error:
        if not error.denied:
            raise
        return _judge_unread(clients, given, arn, role)
    role = role or key_access.service_role(arn, owner)
    access = key_access.may_use(arn, policy, [], role)
    if access.allowed:
        return []
    grants = _grants(clients, arn, role)
    if grants is None:
        return [fleet_key.unread(given, role, "its grants")]
    return fleet_key.check_access(given, role, key_access.may_use(arn, policy, grants, role))


def _judge_unread(clients: Clients, given: str, arn: str, role: str | None) -> list[str]:
    account = role.split(":")[4] if role else sts.caller_account(clients("sts"))
    role = role or key_access.service_role(arn, account)
    grants = _grants(clients, arn, role)
    if grants is not None and key_access.may_use(arn, None, grants, role).allowed:
        return []
    if account != arn.split(":")[4] and grants is not None:
        return [fleet_key.foreign(given, role)]
    return [fleet_key.unread(given, role, "its key policy")]


def _grants(clients: Clients, arn: str, role: str) -> list[dict[str, Any]] | None:
    try:
        return kms.list_grants(clients("kms"), arn, role)
    except AwsError as error:
        if error.denied:
            return None
        raise
