# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls to KMS, one each, and to STS for whose account it is. PRIVATE to the collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import translated


@translated("describe the KMS key")
def describe_key(client: Any, key: str) -> dict[str, Any]:
    """A key's metadata, by its id or ARN, or an alias's ARN."""
    return client.describe_key(KeyId=key)["KeyMetadata"]


@translated("read the key policy")
def get_key_policy(client: Any, arn: str) -> str:
    """The one policy of a key, as JSON."""
    return client.get_key_policy(KeyId=arn, PolicyName="default")["Policy"]


@translated("list the grants of the KMS key")
def list_grants(client: Any, arn: str, grantee: str) -> list[dict[str, Any]]:
    """A principal's grants on a key. Every encrypted volume has some, so all of them would be many."""
    pages = client.get_paginator("list_grants").paginate(KeyId=arn, GranteePrincipal=grantee)
    return pages.build_full_result()["Grants"]
