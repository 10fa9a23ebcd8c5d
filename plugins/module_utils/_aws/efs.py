# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls to EFS, one each. PRIVATE to the collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError
from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import translated


def replication_of(client: Any, file_system: str) -> dict[str, Any] | None:
    """The replication that the file system takes part in; None without one. It can be in one only (botocore model)."""
    try:
        found = _describe_replications(client, file_system)
    except AwsError as error:
        if error.code in ("FileSystemNotFound", "ReplicationNotFound"):
            return None
        raise
    return found[0] if found else None


@translated("describe the replication of the file system")
def _describe_replications(client: Any, file_system: str) -> list[dict[str, Any]]:
    return client.describe_replication_configurations(FileSystemId=file_system)["Replications"]
