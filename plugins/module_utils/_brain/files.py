# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A place's file system: what may be asked of it, and its copy in another region. PRIVATE to the collection."""

from __future__ import annotations

import re
from datetime import UTC
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import check_integer
from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import check_kms_key_arn
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.regions import partition_of

# EFS takes these (botocore model: TransitionToIARules), and 0 is never.
INFREQUENT_AFTER = (0, 1, 7, 14, 30, 60, 90, 180, 270, 365)
FILE_SYSTEM_ID = re.compile(r"fs-[0-9a-f]{8,40}")


def check_infrequent_after(value: Any, option: str) -> int:
    """Days until a file that nobody reads moves to the infrequent access class."""
    days = check_integer(value, option)
    if days not in INFREQUENT_AFTER:
        raise InputError(option, value, f"must be one of {', '.join(map(str, INFREQUENT_AFTER))}")
    return days


def check_file_system_id(value: Any, option: str) -> str:
    """An id, not an ARN."""
    if not isinstance(value, str) or not FILE_SYSTEM_ID.fullmatch(value):
        raise InputError(option, value, "must be a file system's id, fs-...")
    return value


def check_throughput(mode: str, mibps: int, option: str) -> None:
    """MiB/s belong to provisioned throughput, and to no other."""
    if (mode == "provisioned") != (mibps > 0):
        raise InputError(option, mibps, "must be 1 to 3414 with throughput mode provisioned, and 0 with any other")


def check_replica(replica: str, region: str, option: str) -> None:
    """The copy lies in another region of the same partition."""
    if replica == region:
        raise InputError(option, replica, "is the place's own region, the copy is for another")
    if partition_of(replica) != partition_of(region):
        raise InputError(option, replica, f"is in another partition than {region}")


def check_replica_key(key: str, replica: str | None, option: str, region_option: str) -> None:
    """The copy's key is one of the copy's region."""
    if replica is None:
        raise InputError(option, key, f"needs {region_option}, whose copy it encrypts")
    check_kms_key_arn(key, option, replica, "the copy is")


def replication_view(configuration: dict[str, Any], file_system: str) -> dict[str, Any] | None:
    """The copy of a file system and how old it is; None for one that is itself the copy.

    What was written before `last_replicated` is in the copy, what was written later may not be (botocore model:
    LastReplicatedTimestamp). It is None until the first copy is complete.
    """
    if configuration["SourceFileSystemId"] != file_system:
        return None
    (destination,) = configuration["Destinations"]
    last = destination.get("LastReplicatedTimestamp")
    return {
        "file_system_id": destination["FileSystemId"],
        "last_replicated": last.astimezone(UTC).isoformat(timespec="seconds") if last else None,
        "message": destination.get("StatusMessage"),
        "region": destination["Region"],
        "status": destination["Status"],
    }


def why_replication(file_system: str, view: dict[str, Any] | None) -> list[str]:
    """Sentences for a copy that is missing, or that AWS does not keep up to date."""
    if view is None:
        return [f"File system {file_system} is not replicated."]
    if view["status"] in ("ENABLED", "ENABLING"):
        return []
    said = f": {view['message']}" if view["message"] else "."
    return [f"The replication of {file_system} to {view['region']} is {view['status']}{said}"]
