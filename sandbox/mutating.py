# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which AWS actions change something: the one table behind the call log's `mutating`.

An action is a read when its name starts with a read's verb; exceptions stand below, each for a reason. What the table does not know
changes something: a check-mode test must fail on an unknown call rather than pass.
"""

from __future__ import annotations

READ_VERBS = (
    "Describe",
    "List",
    "Get",
    "Head",
    "Search",
    "Lookup",
    "BatchGet",
    "BatchCheck",
    "BatchDescribe",
    "Query",
    "Scan",
    "Select",
    "Filter",
    "Simulate",
    "Validate",
    "Estimate",
    "Detect",
    "Check",
    "Test",
    "Preview",
    "View",
)

# Reads by any other name. All of sts issues credentials and changes nothing.
READS = {
    "dynamodb": {"TransactGetItems"},
    "iam": {"GenerateCredentialReport", "GenerateServiceLastAccessedDetails"},
    "kms": {
        "Decrypt",
        "Encrypt",
        "ReEncrypt",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateMac",
        "GenerateRandom",
        "Sign",
        "Verify",
        "VerifyMac",
    },
    "logs": {"StartQuery", "StopQuery", "StartLiveTail"},
    "sts": {
        "AssumeRole",
        "AssumeRoleWithSAML",
        "AssumeRoleWithWebIdentity",
        "DecodeAuthorizationMessage",
    },
}

# Changes by a read's name: an image that is read through a rule is imported.
CHANGES = {"ecr": {"BatchGetImage"}}

# Change sets are how check mode asks CloudFormation: they change nothing but themselves, and are marked so that a test can except them.
CHANGE_SETS = {"CreateChangeSet", "DeleteChangeSet"}


def is_mutating(service: str, action: str, dry_run: bool = False) -> bool:
    """Whether a call changes something; `service` is the name in the credential scope. A dry run changes nothing."""
    if dry_run or action in READS.get(service, ()):
        return False
    return action in CHANGES.get(service, ()) or not action.startswith(READ_VERBS)


def is_change_set(service: str, action: str) -> bool:
    return service == "cloudformation" and action in CHANGE_SETS
