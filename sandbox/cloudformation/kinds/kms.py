# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""KMS keys and aliases."""

from __future__ import annotations

from typing import Any

from sandbox.cloudformation.kinds.base import Call
from sandbox.cloudformation.kinds.base import Kind
from sandbox.cloudformation.kinds.base import Properties
from sandbox.cloudformation.kinds.base import as_json
from sandbox.cloudformation.kinds.base import first
from sandbox.cloudformation.kinds.base import from_json
from sandbox.cloudformation.kinds.base import gone_is_fine
from sandbox.cloudformation.kinds.base import request
from sandbox.cloudformation.kinds.base import tag_changes
from sandbox.cloudformation.kinds.base import tag_list
from sandbox.cloudformation.kinds.base import tags_like

WINDOW = 30


class Key(Kind):
    kind = "AWS::KMS::Key"
    service = "kms"
    unreadable = {
        "PendingWindowInDays": "it only shows as the deletion date of a deleted key",
        "BypassPolicyLockoutSafetyCheck": "an instruction to the call that sets the policy",
    }

    def create(self, call: Call, wanted: Properties) -> str:
        kms = self.api(call)
        names = ("Description", "KeySpec", "KeyUsage", "MultiRegion", "Origin", "BypassPolicyLockoutSafetyCheck")
        arguments = request(kms, "create_key", wanted, names, Policy="KeyPolicy")
        if wanted.get("Tags"):
            arguments["Tags"] = tag_list(wanted["Tags"], "TagKey", "TagValue")
        key = kms.create_key(**arguments)["KeyMetadata"]["KeyId"]
        call.made(key)
        self._rotate(call, key, {}, wanted)
        if not wanted.get("Enabled", True):
            kms.disable_key(KeyId=key)
        return key

    def _rotate(self, call: Call, key: str, old: Properties, new: Properties) -> None:
        kms = self.api(call)
        names = ("EnableKeyRotation", "RotationPeriodInDays")
        if [old.get(name) for name in names] == [new.get(name) for name in names]:
            return
        if new.get("EnableKeyRotation"):
            kms.enable_key_rotation(KeyId=key, **request(kms, "enable_key_rotation", new, ("RotationPeriodInDays",)))
        elif old.get("EnableKeyRotation"):
            kms.disable_key_rotation(KeyId=key)

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        kms = self.api(call)
        if old.get("KeyPolicy") != new.get("KeyPolicy"):
            document = new.get("KeyPolicy") or default_policy(call)
            bypass = request(kms, "put_key_policy", new, ("BypassPolicyLockoutSafetyCheck",))
            kms.put_key_policy(KeyId=physical, PolicyName="default", Policy=as_json(document), **bypass)
        if old.get("Description", "") != new.get("Description", ""):
            kms.update_key_description(KeyId=physical, Description=new.get("Description", ""))
        if old.get("Enabled", True) != new.get("Enabled", True):
            (kms.enable_key if new.get("Enabled", True) else kms.disable_key)(KeyId=physical)
        self._rotate(call, physical, old, new)
        setting, removing = tag_changes(old.get("Tags"), new.get("Tags"))
        if removing:
            kms.untag_resource(KeyId=physical, TagKeys=removing)
        if setting:
            kms.tag_resource(KeyId=physical, Tags=tag_list(setting, "TagKey", "TagValue"))

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        if self._metadata(call, physical):
            window = properties.get("PendingWindowInDays", WINDOW)
            self.api(call).schedule_key_deletion(KeyId=physical, PendingWindowInDays=window)

    def _metadata(self, call: Call, key: str) -> dict | None:
        answer = gone_is_fine(self.api(call).describe_key, KeyId=key)
        pending = ("PendingDeletion", "PendingReplicaDeletion")
        return None if answer is None or answer["KeyMetadata"]["KeyState"] in pending else answer["KeyMetadata"]

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        kms = self.api(call)
        metadata = self._metadata(call, physical)
        if metadata is None:
            return None
        actual = self.shown(metadata, ("Description", "KeySpec", "KeyUsage", "MultiRegion", "Origin", "Enabled"))
        policy = kms.get_key_policy(KeyId=physical, PolicyName="default")["Policy"]
        actual["KeyPolicy"] = from_json(policy, expected.get("KeyPolicy"))
        rotation = kms.get_key_rotation_status(KeyId=physical)
        actual.update(self.shown(rotation, ("RotationPeriodInDays",), EnableKeyRotation="KeyRotationEnabled"))
        actual["Tags"] = tags_like(kms.list_resource_tags(KeyId=physical)["Tags"], expected.get("Tags"))
        return actual

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        metadata = self.api(call).describe_key(KeyId=physical)["KeyMetadata"]
        return {"Arn": metadata["Arn"], "KeyId": metadata["KeyId"]}


def default_policy(call: Call) -> dict[str, Any]:
    """What KMS gives a key that is created without a policy."""
    root = f"arn:aws:iam::{call.account}:root"
    statement = {
        "Sid": "Enable IAM User Permissions",
        "Effect": "Allow",
        "Principal": {"AWS": root},
        "Action": "kms:*",
        "Resource": "*",
    }
    return {"Version": "2012-10-17", "Id": "key-default-1", "Statement": [statement]}


class Alias(Kind):
    kind = "AWS::KMS::Alias"
    service = "kms"

    def create(self, call: Call, wanted: Properties) -> str:
        self.api(call).create_alias(AliasName=wanted["AliasName"], TargetKeyId=wanted["TargetKeyId"])
        return wanted["AliasName"]

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        self.api(call).update_alias(AliasName=physical, TargetKeyId=new["TargetKeyId"])

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        gone_is_fine(self.api(call).delete_alias, AliasName=physical)

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        pages = self.api(call).get_paginator("list_aliases").paginate()
        found = first(item for page in pages for item in page["Aliases"] if item["AliasName"] == physical)
        if found is None:
            return None
        target, wanted = found.get("TargetKeyId"), expected["TargetKeyId"]
        return {"AliasName": physical, "TargetKeyId": wanted if target == key_id(wanted) else target}


def key_id(reference: str) -> str:
    """The id of a key that is given by id or ARN."""
    return reference.rsplit("/", 1)[-1]


KINDS = (Key, Alias)
