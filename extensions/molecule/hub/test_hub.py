# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hub as AWS describes it: the state table, encrypted with a key of its own, recoverable, expiring what may go."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

REGION = "us-east-1"
NAME = "ethereal-virginia"


@pytest.fixture
def key(client: Callable[[str], Any]) -> dict[str, Any]:
    return client("kms").describe_key(KeyId=f"alias/{NAME}-hub")["KeyMetadata"]


@pytest.fixture
def table(client: Callable[[str], Any]) -> dict[str, Any]:
    return client("dynamodb").describe_table(TableName="ethereal-state")["Table"]


def test_table(table: dict[str, Any]) -> None:
    assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert [(part["AttributeName"], part["KeyType"]) for part in table["KeySchema"]] == [
        ("pk", "HASH"),
        ("sk", "RANGE"),
    ]


def test_table_is_encrypted_with_the_hubs_key(table: dict[str, Any], key: dict[str, Any]) -> None:
    assert table["SSEDescription"]["Status"] == "ENABLED"
    assert table["SSEDescription"]["SSEType"] == "KMS"
    assert table["SSEDescription"]["KMSMasterKeyArn"] == key["Arn"]


def test_table_can_be_recovered_and_forgets(client: Callable[[str], Any]) -> None:
    dynamodb = client("dynamodb")
    backups = dynamodb.describe_continuous_backups(TableName="ethereal-state")["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"
    expiry = dynamodb.describe_time_to_live(TableName="ethereal-state")["TimeToLiveDescription"]
    assert expiry == {"AttributeName": "expires_at", "TimeToLiveStatus": "ENABLED"}


def test_key(client: Callable[[str], Any], key: dict[str, Any]) -> None:
    kms = client("kms")
    assert (key["KeyManager"], key["KeyState"]) == ("CUSTOMER", "Enabled")
    assert kms.get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"] is True
    policy = json.loads(kms.get_key_policy(KeyId=key["KeyId"], PolicyName="default")["Policy"])
    (statement,) = policy["Statement"]
    assert statement["Principal"] == {"AWS": "arn:aws:iam::123456789012:root"}


def test_tags(client: Callable[[str], Any], table: dict[str, Any], key: dict[str, Any]) -> None:
    of_table = client("dynamodb").list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]
    of_key = client("kms").list_resource_tags(KeyId=key["KeyId"])["Tags"]
    for tags in (
        {tag["Key"]: tag["Value"] for tag in of_table},
        {tag["TagKey"]: tag["TagValue"] for tag in of_key},
    ):
        assert tags["team"] == "molecule"
        assert tags["ethereal-spot:deployment"] == "ethereal"
        assert tags["ethereal-spot:place"] == "virginia"


def test_stack(stack: Callable[[str], dict[str, Any]], table: dict[str, Any], key: dict[str, Any]) -> None:
    found = stack(f"{NAME}-hub")
    assert found["status"] == "CREATE_COMPLETE"
    assert found["outputs"] == {"TableName": table["TableName"], "KeyArn": key["Arn"]}
    assert len(found["tags"]["ethereal-spot:template"]) == 64
