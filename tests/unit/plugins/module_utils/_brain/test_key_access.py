# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who may use a key, by tables: the statements that AWS documents, those that users write, and what cannot be judged."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.ethereal.spot.plugins.module_utils._brain import key_access

ACCOUNT = "123456789012"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/01234567-89ab-cdef-0123-456789abcdef"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
OTHER_ROLE = f"{ROLE}_CMK"
USE = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"]
FOR_SERVICES = {"Bool": {"kms:GrantIsForAWSResource": True}}
EVERYTHING = {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}
ROOT = {**EVERYTHING, "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}
SEVEN = ["Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext"]
GRANT = {"GranteePrincipal": ROLE, "Operations": [*SEVEN, "DescribeKey", "CreateGrant"]}


def documented(principal: Any) -> list[dict[str, Any]]:
    """The two statements of the EC2 Auto Scaling user guide."""
    use = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": USE, "Resource": "*"}
    return [use, {**use, "Action": ["kms:CreateGrant"], "Condition": FOR_SERVICES}]


def everything(**changed: Any) -> list[dict[str, Any]]:
    return [{**EVERYTHING, **changed}]


def under(**condition: Any) -> list[dict[str, Any]]:
    return everything(Condition=condition)


ALLOWED = {
    "as documented": [ROOT, *documented(ROLE)],
    "as documented, in a list": documented([OTHER_ROLE, ROLE]),
    "as we tell the user": key_access.remedy(ROLE),
    "everybody": everything(),
    "one statement, not a list": EVERYTHING,
    "all but deletion": [
        {"Effect": "Allow", "Principal": "*", "NotAction": "kms:ScheduleKeyDeletion", "Resource": "*"},
    ],
    "by the key's ARN": everything(Resource=[KEY]),
    "the account, as EBS's own key has it": under(
        StringEquals={"kms:CallerAccount": ACCOUNT, "kms:ViaService": "ec2.us-east-1.amazonaws.com"}
    ),
    "by a pattern of the role": under(ArnLike={"aws:PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/*"}),
    "by several services": under(StringLike={"kms:ViaService": ["rds.*.amazonaws.com", "ec2.*.amazonaws.com"]}),
    "by what is not so": under(StringNotEquals={"aws:PrincipalAccount": "210987654321"}),
    "only if it is said": under(StringEqualsIfExists={"kms:CallerAccount": ACCOUNT}),
    "a denial of others": [
        *documented(ROLE),
        {**EVERYTHING, "Effect": "Deny", "Condition": {"StringNotEquals": {"kms:CallerAccount": ACCOUNT}}},
    ],
    "a denial without encryption in transit": [
        *documented(ROLE),
        {**EVERYTHING, "Effect": "Deny", "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
    ],
}

REFUSED = {
    "the account alone": [ROOT],
    "the account by its number": everything(Principal={"AWS": ACCOUNT}),
    "another role": documented(OTHER_ROLE),
    "the role of another account": documented(ROLE.replace(ACCOUNT, "210987654321")),
    "a service": everything(Principal={"Service": "autoscaling.amazonaws.com"}),
    "what a deleted role leaves": everything(Principal={"AWS": "AROAEXAMPLEEXAMPLE123"}),
    "use without grants": documented(ROLE)[:1],
    "grants without use": documented(ROLE)[1:],
    "another key": everything(Resource=KEY.replace("cdef", "0000")),
    "another account": under(StringEquals={"kms:CallerAccount": "210987654321"}),
    "another service": under(StringEquals={"kms:ViaService": "rds.us-east-1.amazonaws.com"}),
    "another region's service": under(StringEquals={"kms:ViaService": "ec2.us-west-2.amazonaws.com"}),
    "another caller": under(ArnEquals={"aws:PrincipalArn": OTHER_ROLE}),
    "grants only": under(**FOR_SERVICES),
    "denied by name": [*documented(ROLE), *everything(Effect="Deny", Action="kms:Decrypt", Principal={"AWS": ROLE})],
    "denied with the account": [*documented(ROLE), {**ROOT, "Effect": "Deny", "Action": "kms:CreateGrant"}],
}

DOUBTFUL = {
    "an organization": under(StringEquals={"aws:PrincipalOrgID": "o-1"}),
    "operations of grants": [
        documented(ROLE)[0],
        {**documented(ROLE)[1], "Condition": {"ForAllValues:StringEquals": {"kms:GrantOperations": ["Decrypt"]}}},
    ],
    "a variable": under(StringEquals={"aws:PrincipalAccount": "${aws:ResourceAccount}"}),
    "an operator of dates": under(DateLessThan={"aws:CurrentTime": "2030-01-01T00:00:00Z"}),
    "one session": everything(Principal={"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/AWSServiceRoleForAutoScaling/x"}),
    "all but somebody": [
        {"Effect": "Allow", "NotPrincipal": {"AWS": OTHER_ROLE}, "Action": "kms:*", "Resource": "*"},
    ],
    "a denial that may apply": [
        *documented(ROLE),
        {**EVERYTHING, "Effect": "Deny", "Condition": {"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}},
    ],
}


def judge(policy: Any, *grants: dict[str, Any]) -> key_access.Access:
    text = json.dumps({"Version": "2012-10-17", "Statement": policy})
    return key_access.may_use(KEY, text, list(grants), ROLE)


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [
        *(pytest.param(policy, True, id=name) for name, policy in ALLOWED.items()),
        *(pytest.param(policy, False, id=name) for name, policy in REFUSED.items()),
        *(pytest.param(policy, None, id=name) for name, policy in DOUBTFUL.items()),
    ],
)
def test_what_a_policy_allows(policy: Any, allowed: bool | None) -> None:
    assert judge(policy).allowed is allowed


def test_what_is_missing_is_named() -> None:
    assert judge(documented(ROLE)[:1]) == key_access.Access(False, ("kms:CreateGrant",), ())
    assert judge(documented(ROLE)[1:]).refused == tuple(sorted(set(key_access.NEEDED) - {"kms:CreateGrant"}))


@pytest.mark.parametrize(
    ("policy", "grant", "allowed"),
    [
        pytest.param([ROOT], GRANT, True, id="a grant in place of statements"),
        pytest.param(documented(ROLE)[:1], {**GRANT, "Operations": ["CreateGrant"]}, True, id="one for the rest"),
        pytest.param([ROOT], {**GRANT, "Operations": SEVEN}, False, id="one that lacks two operations"),
        pytest.param([ROOT], {**GRANT, "GranteePrincipal": OTHER_ROLE}, False, id="one for another role"),
        pytest.param(
            [ROOT], {**GRANT, "Constraints": {"EncryptionContextEquals": {"a": "b"}}}, None, id="one with a condition"
        ),
        pytest.param(everything(Effect="Deny"), GRANT, False, id="one that the policy denies"),
    ],
)
def test_what_grants_allow(policy: Any, grant: dict[str, Any], allowed: bool | None) -> None:
    assert judge(policy, grant).allowed is allowed


@pytest.mark.parametrize("policy", [None, "", "[]", "{}", '{"Statement"'])
def test_a_policy_that_cannot_be_read_refuses_nobody(policy: str | None) -> None:
    assert key_access.may_use(KEY, policy, [], ROLE).allowed is None
    assert key_access.may_use(KEY, policy, [GRANT], ROLE).allowed is True


def test_other_partitions() -> None:
    key = KEY.replace("arn:aws:kms:us-east-1", "arn:aws-cn:kms:cn-north-1")
    role = key_access.service_role(key, ACCOUNT)
    assert role == ROLE.replace("arn:aws:", "arn:aws-cn:")
    for service, allowed in (("ec2.cn-north-1.amazonaws.com.cn", True), ("ec2.cn-north-1.amazonaws.com", False)):
        text = json.dumps({"Statement": under(StringEquals={"kms:ViaService": service})})
        assert key_access.may_use(key, text, [], role).allowed is allowed
