# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls to KMS, one each. PRIVATE to the collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import translated


@translated("describe the KMS key")
def describe_key(client: Any, key: str) -> dict[str, Any]:
    """A key's metadata, by its id or ARN."""
    return client.describe_key(KeyId=key)["KeyMetadata"]
