# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""spot_asg and the key of its volumes against moto: aliases, and every key that would let instances die at launch."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import AUTO_SCALING
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import REGION
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import ROOT
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import World
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import make_world
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import runner
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import without_blanks

ALIAS = f"arn:aws:kms:{REGION}:123456789012:alias/volumes"
OPERATIONS = [
    "Encrypt",
    "Decrypt",
    "ReEncryptFrom",
    "ReEncryptTo",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "DescribeKey",
    "CreateGrant",
]


@pytest.fixture
def world(aws: None, recorder: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    return make_world(recorder, monkeypatch)


@pytest.fixture
def run(run_module: Callable[..., Any]) -> Callable[..., Any]:
    return runner(run_module)


def key_id(arn: str) -> str:
    return arn.rpartition("/")[2]


def keys_of(version: dict[str, Any]) -> set[str]:
    return {item["Ebs"]["KmsKeyId"] for item in version["LaunchTemplateData"]["BlockDeviceMappings"]}


def test_an_alias_stands_for_its_key(world: World, run: Callable[..., Any]) -> None:
    world.kms.create_alias(AliasName="alias/volumes", TargetKeyId=key_id(world.key))
    made = run(world.options(kms_key_arn=ALIAS))
    assert not made.failed, made["msg"]
    assert keys_of(world.versions()[0]) == {world.key}
    for given in (ALIAS, world.key):
        again = run(world.options(kms_key_arn=given))
        assert again["changes"] == []
        assert again.mutating == []

    other = world.make_key()
    world.kms.update_alias(AliasName="alias/volumes", TargetKeyId=key_id(other))
    predicted = run(world.options(kms_key_arn=ALIAS), check_mode=True, diff=True)
    assert predicted.mutating == []
    moved = run(world.options(kms_key_arn=ALIAS), diff=True)
    assert moved["changes"] == predicted["changes"]
    shown = moved["diff"]["before"]["block_devices"], moved["diff"]["after"]["block_devices"]
    assert [{item["Ebs"]["KmsKeyId"] for item in devices.values()} for devices in shown] == [{world.key}, {other}]
    assert keys_of(world.versions()[1]) == {other}
    assert not run(world.options(kms_key_arn=ALIAS)).changed


def test_what_a_key_costs(world: World, run: Callable[..., Any]) -> None:
    world.kms.create_alias(AliasName="alias/volumes", TargetKeyId=key_id(world.key))
    assert run(world.options()).operations("kms") == ["DescribeKey", "GetKeyPolicy"]
    assert run(world.options()).operations("kms") == []
    assert run(world.options(kms_key_arn=ALIAS)).operations("kms") == ["DescribeKey"]


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("KeyState", "Disabled", "is Disabled, must be Enabled"),
        ("KeyState", "PendingDeletion", "is PendingDeletion, must be Enabled"),
        ("KeyState", "PendingImport", "is PendingImport, must be Enabled"),
        ("KeySpec", "RSA_2048", "is a key of RSA_2048, must be SYMMETRIC_DEFAULT"),
        ("KeyUsage", "GENERATE_VERIFY_MAC", "is for GENERATE_VERIFY_MAC, must be for ENCRYPT_DECRYPT"),
        ("KeyManager", "AWS", "is managed by AWS, must be a customer managed key"),
    ],
)
def test_a_key_that_encrypts_no_volume(
    world: World, run: Callable[..., Any], recorder: Any, field: str, value: str, rule: str
) -> None:
    metadata = {**world.kms.describe_key(KeyId=world.key)["KeyMetadata"], field: value}
    recorder.answer("kms", "DescribeKey", {"KeyMetadata": metadata})
    for given, shown in ((world.key, rule), (ALIAS, f"stands for {world.key}, which {rule}")):
        refused = run(world.options(kms_key_arn=given))
        assert refused.failed
        assert refused["msg"] == f"kms_key_arn: '{given}' {shown}"
        assert refused.mutating == []


def test_a_key_that_auto_scaling_may_not_use(world: World, run: Callable[..., Any]) -> None:
    key = world.make_key(ROOT)
    for modes in ({}, {"check_mode": True}):
        refused = run(world.options(kms_key_arn=key), **modes)
        assert refused.failed
        assert refused.mutating == []
        assert f"kms_key_arn: '{key}' may not be used by {AUTO_SCALING}" in refused["msg"]
        assert "kms:CreateGrant, kms:Decrypt" in refused["msg"]
        assert json.dumps(refused["remedy"]) in refused["msg"]
        assert refused.operations("kms") == ["DescribeKey", "GetKeyPolicy", "ListGrants"]

    statements = [{"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:*", "Resource": "*"}]
    policy = json.dumps({"Version": "2012-10-17", "Statement": [*statements, *refused["remedy"]]})
    world.kms.put_key_policy(KeyId=key_id(key), PolicyName="default", Policy=policy)
    assert not run(world.options(kms_key_arn=key)).failed


def test_a_grant_in_place_of_a_policy(world: World, run: Callable[..., Any]) -> None:
    key = world.make_key(ROOT)
    world.kms.create_grant(KeyId=key_id(key), GranteePrincipal=AUTO_SCALING, Operations=OPERATIONS)
    made = run(world.options(kms_key_arn=key))
    assert not made.failed, made["msg"]
    assert made.get("warnings", []) == []


def test_the_role_of_an_existing_group(world: World, run: Callable[..., Any], recorder: Any) -> None:
    run(world.options())
    own = f"{AUTO_SCALING}_fleet"
    group = {**world.group(), "ServiceLinkedRoleARN": own}
    recorder.answer("autoscaling", "DescribeAutoScalingGroups", {"AutoScalingGroups": [without_blanks(group)]})
    refused = run({"region": REGION, "name": "gpu-fleet", "kms_key_arn": world.make_key()}, check_mode=True)
    assert f"may not be used by {own}," in refused["msg"]
    accepted = run({"region": REGION, "name": "gpu-fleet", "kms_key_arn": world.make_key(own)}, check_mode=True)
    assert not accepted.failed


def test_what_may_not_be_read_is_told(
    world: World, run: Callable[..., Any], recorder: Any, aws_error: Callable[..., Exception]
) -> None:
    key = world.make_key(ROOT)
    denied = aws_error("AccessDeniedException")
    recorder.answer("kms", "ListGrants", denied)
    told = run(world.options(kms_key_arn=key), check_mode=True)
    assert not told.failed
    assert f"whether {AUTO_SCALING} may use {key} is not known: its grants may not be read" in told["warnings"][0]

    recorder.answer("kms", "GetKeyPolicy", denied)
    told = run(world.options(kms_key_arn=key), check_mode=True)
    assert not told.failed
    assert "is not known: its key policy may not be read" in told["warnings"][0]

    grant = {"GranteePrincipal": AUTO_SCALING, "Operations": OPERATIONS}
    recorder.answer("kms", "ListGrants", {"Grants": [grant]})
    assert run(world.options(kms_key_arn=key), check_mode=True).get("warnings", []) == []


def test_a_key_of_another_account(
    world: World, run: Callable[..., Any], recorder: Any, aws_error: Callable[..., Exception]
) -> None:
    key = world.key.replace("123456789012", "210987654321")
    metadata = {**world.kms.describe_key(KeyId=world.key)["KeyMetadata"], "Arn": key, "AWSAccountId": "210987654321"}
    recorder.answer("kms", "DescribeKey", {"KeyMetadata": metadata})
    recorder.answer("kms", "GetKeyPolicy", aws_error("AccessDeniedException"))
    recorder.answer("kms", "ListGrants", {"Grants": []})
    told = run(world.options(kms_key_arn=key), check_mode=True)
    assert not told.failed
    assert f"{key} belongs to another account, and no grant was found that lets {AUTO_SCALING}" in told["warnings"][0]
    recorder.answer("kms", "ListGrants", {"Grants": [{"GranteePrincipal": AUTO_SCALING, "Operations": OPERATIONS}]})
    assert run(world.options(kms_key_arn=key), check_mode=True).get("warnings", []) == []


def test_other_errors_of_kms_are_not_taken_for_denials(
    world: World, run: Callable[..., Any], recorder: Any, aws_error: Callable[..., Exception]
) -> None:
    recorder.answer("kms", "GetKeyPolicy", aws_error("KMSInternalException"))
    failed = run(world.options())
    assert "could not read the key policy: KMSInternalException" in failed["msg"]
    assert failed.mutating == []
