# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which keys groups can launch with, and how instances end whose key they cannot use."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from fleet_kit import Fleet
from fleet_kit import eventually
from sandbox_process import Sandbox

ROOT = "arn:aws:iam::123456789012:root"
ROLE = "arn:aws:iam::123456789012:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
GRANTED = ["CreateGrant", "Decrypt", "DescribeKey", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom", "ReEncryptTo"]


@pytest.fixture
def fleet(sandbox: Sandbox) -> Fleet:
    return Fleet(sandbox)


def key_policy(*principals: str, **changed: Any) -> str:
    each = {"Effect": "Allow", "Action": "kms:*", "Resource": "*", **changed}
    statements = [{**each, "Principal": {"AWS": principal}} for principal in principals]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def encrypted(fleet: Fleet, key: str) -> str:
    ebs = {"VolumeSize": 50, "Encrypted": True, "KmsKeyId": key}
    return fleet.template(BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": ebs}])


@pytest.mark.parametrize(
    ("policy", "grant"),
    [
        pytest.param(key_policy(ROOT), [], id="the account alone"),
        pytest.param(key_policy(ROOT), GRANTED[1:], id="a grant that makes no grants"),
        pytest.param(key_policy(ROLE, Action=["kms:Encrypt", "kms:Decrypt"]), [], id="some actions"),
        pytest.param(key_policy(f"{ROLE}_other"), [], id="another role"),
        pytest.param(
            key_policy("*", Condition={"StringEquals": {"kms:ViaService": "rds.us-west-2.amazonaws.com"}}),
            [],
            id="another service",
        ),
    ],
)
def test_a_key_that_auto_scaling_may_not_use_kills_instances(fleet: Fleet, policy: str, grant: list[str]) -> None:
    """EC2 Auto Scaling user guide, "Required AWS KMS key policy for use with encrypted volumes"; kops#11545."""
    key = fleet.kms.create_key(Policy=policy)["KeyMetadata"]["Arn"]
    if grant:
        fleet.kms.create_grant(KeyId=key, GranteePrincipal=ROLE, Operations=grant)
    fleet.group(1, policy=fleet.policy(encrypted(fleet, key)))
    message = eventually(lambda: fleet.activities(status="Failed"), bool)[0]["StatusMessage"]
    assert "Client.InternalError" in message


@pytest.mark.parametrize(
    ("policy", "grant"),
    [
        pytest.param(key_policy(ROOT, ROLE), [], id="by its name"),
        pytest.param(key_policy("*", Condition={"ArnEquals": {"aws:PrincipalArn": ROLE}}), [], id="by a condition"),
        pytest.param(
            key_policy("*", Condition={"StringEquals": {"kms:ViaService": "ec2.us-west-2.amazonaws.com"}}),
            [],
            id="through EC2",
        ),
        pytest.param(key_policy(ROOT), GRANTED, id="by a grant"),
    ],
)
def test_a_key_that_auto_scaling_may_use(fleet: Fleet, policy: str, grant: list[str]) -> None:
    key = fleet.kms.create_key(Policy=policy)["KeyMetadata"]["Arn"]
    if grant:
        fleet.kms.create_grant(KeyId=key, GranteePrincipal=ROLE, Operations=grant)
    fleet.group(1, policy=fleet.policy(encrypted(fleet, key)))
    fleet.in_service(1)


def test_an_unusable_key_kills_instances_on_launch(fleet: Fleet) -> None:
    key = fleet.kms.create_key(Policy=key_policy(ROOT, ROLE))["KeyMetadata"]["Arn"]
    fleet.kms.disable_key(KeyId=key)
    fleet.group(1, policy=fleet.policy(encrypted(fleet, key)))
    message = eventually(lambda: fleet.activities(status="Failed"), bool)[0]["StatusMessage"]
    assert "Client.InvalidKMSKey.InvalidState" in message
    time.sleep(3)
    launched = fleet.ec2.describe_instances()["Reservations"]
    assert len(launched) <= 4, "a group must not launch dying instances without a pause"
