# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a role may encrypt volumes with a KMS key, by the key's policy and its grants. PRIVATE to the collection.

Three answers: True, False, and None where a statement may apply that this module cannot judge. A service-linked role has
no rights of its own on a customer's key, so a statement that delegates to the account does not help it (EC2 Auto Scaling
user guide, "Required AWS KMS key policy for use with encrypted volumes").
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from typing import TypeAlias

Answer: TypeAlias = "bool | None"

SERVICE_ROLE = "role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
# What EBS asks for (EBS user guide, "Requirements for Amazon EBS encryption"), by a grant's word for it.
NEEDED = {
    "kms:CreateGrant": "CreateGrant",
    "kms:Decrypt": "Decrypt",
    "kms:DescribeKey": "DescribeKey",
    "kms:GenerateDataKeyWithoutPlaintext": "GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom": "ReEncryptFrom",
    "kms:ReEncryptTo": "ReEncryptTo",
}
USE = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]


@dataclass(frozen=True)
class Access:
    """`allowed` for all that is needed; the actions that are refused, and those that are in doubt."""

    allowed: Answer
    refused: tuple[str, ...]
    doubtful: tuple[str, ...]


def service_role(key_arn: str, account: str) -> str:
    """EC2 Auto Scaling's own role in an account, in the key's partition."""
    return f"arn:{key_arn.split(':')[1]}:iam::{account}:{SERVICE_ROLE}"


def remedy(role: str) -> list[dict[str, Any]]:
    """The statements that let a role use the key.

    The role is a condition, since KMS refuses a principal that does not exist, as the service-linked role before the first group.
    """
    who = {
        "StringEquals": {"kms:CallerAccount": role.split(":")[4]},
        "ArnEquals": {"aws:PrincipalArn": role},
    }
    common = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Resource": "*"}
    for_services = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    return [
        {"Sid": "Volumes", **common, "Action": USE, "Condition": who},
        {"Sid": "VolumeGrants", **common, "Action": "kms:CreateGrant", "Condition": {**who, **for_services}},
    ]


def may_use(key_arn: str, policy: str | None, grants: list[dict[str, Any]], role: str) -> Access:
    """Whether the role may use the key: `policy` as GetKeyPolicy gives it (None if unknown), `grants` as ListGrants does."""
    answers = {action: _may(action, key_arn, policy, grants, role) for action in NEEDED}
    refused = tuple(action for action, answer in answers.items() if answer is False)
    doubtful = tuple(action for action, answer in answers.items() if answer is None)
    return Access(False if refused else None if doubtful else True, refused, doubtful)


def _may(action: str, key_arn: str, policy: str | None, grants: list[dict[str, Any]], role: str) -> Answer:
    granted = _any(_grants(grant, action, role) for grant in grants)
    try:
        statements = _list(json.loads(policy)["Statement"]) if policy is not None else None
    except (ValueError, TypeError, KeyError):
        statements = None
    if statements is None:
        return True if granted else None
    known = _context(action, key_arn, role)
    denied = _any(_matches(item, action, key_arn, role, known) for item in statements if item.get("Effect") == "Deny")
    allowed = _any(_matches(item, action, key_arn, role, known) for item in statements if item.get("Effect") == "Allow")
    may = _any([granted, allowed])
    if denied or may is False:
        return False
    return None if denied is None else may


def _grants(grant: dict[str, Any], action: str, role: str) -> Answer:
    if grant.get("GranteePrincipal") != role or NEEDED[action] not in grant.get("Operations", []):
        return False
    # EBS gives the volume's id as the encryption context: a grant for another context does not help.
    return None if grant.get("Constraints") else True


def _matches(statement: dict[str, Any], action: str, key_arn: str, role: str, known: dict[str, str | None]) -> Answer:
    return _all(
        [
            _names(statement, role),
            _element(statement, "Action", lambda pattern: _like(pattern.lower(), action.lower())),
            _element(statement, "Resource", lambda pattern: _like(pattern, key_arn)),
            _condition(statement.get("Condition") or {}, known),
        ]
    )


def _names(statement: dict[str, Any], role: str) -> Answer:
    if "NotPrincipal" in statement:
        return None
    principal = statement.get("Principal")
    named = principal if isinstance(principal, str) else (principal or {}).get("AWS", [])
    account, name = role.split(":")[4], role.rpartition("/")[2]
    for word in _list(named):
        if word in ("*", role):
            return True
        whole = word == account or str(word).endswith(f"::{account}:root")
        if whole and statement.get("Effect") == "Deny":
            return True
        if f":{account}:assumed-role/{name}/" in str(word):
            return None
    return False


def _element(statement: dict[str, Any], element: str, matches: Callable[[str], bool]) -> bool:
    if f"Not{element}" in statement:
        return not any(matches(str(pattern)) for pattern in _list(statement[f"Not{element}"]))
    return any(matches(str(pattern)) for pattern in _list(statement.get(element, [])))


def _context(action: str, key_arn: str, role: str) -> dict[str, str | None]:
    """What AWS says of the service's request, by condition key; None is what the request does not have."""
    _arn, partition, _service, region, _account, _key = key_arn.split(":", 5)
    account = role.split(":")[4]
    suffix = "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"
    return {
        "aws:principalaccount": account,
        "aws:principalarn": role,
        "aws:securetransport": "true",
        "kms:calleraccount": account,
        "kms:grantisforawsresource": "true" if action == "kms:CreateGrant" else None,
        "kms:viaservice": f"ec2.{region}.{suffix}",
    }


def _condition(condition: dict[str, Any], known: dict[str, str | None]) -> Answer:
    return _all(
        _operator(operator, key, [_text(value) for value in _list(values)], known)
        for operator, pairs in condition.items()
        for key, values in pairs.items()
    )


def _like(pattern: str, text: str) -> bool:
    parts = [".*" if char == "*" else "." if char == "?" else re.escape(char) for char in pattern]
    return re.fullmatch("".join(parts), text) is not None


_COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda wanted, found: wanted == found,
    "StringEqualsIgnoreCase": lambda wanted, found: wanted.lower() == found.lower(),
    "StringLike": _like,
    "ArnEquals": _like,
    "ArnLike": _like,
    "Bool": lambda wanted, found: wanted.lower() == found,
}


def _operator(operator: str, key: str, wanted: list[str], known: dict[str, str | None]) -> Answer:
    key = key.lower()
    if key not in known or any("${" in value for value in wanted):
        return None
    found = known[key]
    if operator == "Null":
        return (found is None) == (wanted == ["true"])
    name = operator.removesuffix("IfExists")
    positive = name.replace("Not", "", 1)
    if positive not in _COMPARISONS:
        return None
    negated = positive != name
    if found is None:
        return negated or name != operator
    return any(_COMPARISONS[positive](value, found) for value in wanted) != negated


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _any(answers: Any) -> Answer:
    answers = list(answers)
    return True if True in answers else None if None in answers else False


def _all(answers: Any) -> Answer:
    answers = list(answers)
    return False if False in answers else None if None in answers else True
