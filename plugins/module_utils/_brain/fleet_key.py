# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The key of a fleet's volumes: what it must be, and who must be allowed to use it. PRIVATE to the collection."""

from __future__ import annotations

import json
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain import key_access
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError

OPTION = "kms_key_arn"


def check_key(given: str, metadata: dict[str, Any]) -> None:
    """A customer's symmetric encryption key that is enabled: nothing else encrypts a volume (EBS user guide)."""
    arn = metadata["Arn"]
    named = "" if given == arn else f"stands for {arn}, which "
    if metadata.get("KeyState", "Enabled") != "Enabled":
        raise InputError(OPTION, given, f"{named}is {metadata['KeyState']}, must be Enabled")
    if metadata.get("KeySpec", "SYMMETRIC_DEFAULT") != "SYMMETRIC_DEFAULT":
        raise InputError(OPTION, given, f"{named}is a key of {metadata['KeySpec']}, must be SYMMETRIC_DEFAULT")
    if metadata.get("KeyUsage", "ENCRYPT_DECRYPT") != "ENCRYPT_DECRYPT":
        raise InputError(OPTION, given, f"{named}is for {metadata['KeyUsage']}, must be for ENCRYPT_DECRYPT")
    if metadata.get("KeyManager", "CUSTOMER") != "CUSTOMER":
        raise InputError(OPTION, given, f"{named}is managed by AWS, must be a customer managed key")


def check_access(given: str, role: str, access: key_access.Access) -> list[str]:
    """Warnings on what could not be judged. Raises InputError, with the statements to add, where the role may not use the key."""
    if access.allowed is False:
        statements = key_access.remedy(role)
        error = InputError(
            OPTION,
            given,
            f"may not be used by {role}, which launches the instances: neither the key's policy nor a grant allows it "
            f"{', '.join(access.refused)}; add to the key's policy: {json.dumps(statements)}",
        )
        error.details["remedy"] = statements
        raise error
    if access.allowed is None:
        return [
            f"{OPTION}: {role} may use {given} only if a condition holds that is not known here; see its key policy"
        ]
    return []


def unread(given: str, role: str, what: str) -> str:
    """The warning on a key whose policy or grants the caller may not read."""
    return (
        f"{OPTION}: whether {role} may use {given} is not known: {what} may not be read; instances end at launch if not"
    )


def foreign(given: str, role: str) -> str:
    """The warning on a key of another account that no grant opens: only a grant does (EC2 Auto Scaling user guide)."""
    return (
        f"{OPTION}: {given} belongs to another account, and no grant was found that lets {role} use it: "
        "instances end at launch without one"
    )
