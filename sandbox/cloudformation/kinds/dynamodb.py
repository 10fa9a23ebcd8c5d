# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""DynamoDB tables."""

from __future__ import annotations

import time
from typing import Any

from sandbox.cloudformation.kinds.base import Call
from sandbox.cloudformation.kinds.base import Kind
from sandbox.cloudformation.kinds.base import Properties
from sandbox.cloudformation.kinds.base import as_json
from sandbox.cloudformation.kinds.base import from_json
from sandbox.cloudformation.kinds.base import gone_is_fine
from sandbox.cloudformation.kinds.base import request
from sandbox.cloudformation.kinds.base import same_order
from sandbox.cloudformation.kinds.base import same_reference
from sandbox.cloudformation.kinds.base import tag_changes
from sandbox.cloudformation.kinds.base import tag_list
from sandbox.cloudformation.kinds.base import tags_like


class Table(Kind):
    kind = "AWS::DynamoDB::Table"
    service = "dynamodb"
    given = (
        "AttributeDefinitions",
        "KeySchema",
        "BillingMode",
        "ProvisionedThroughput",
        "OnDemandThroughput",
        "GlobalSecondaryIndexes",
        "LocalSecondaryIndexes",
        "TableClass",
        "DeletionProtectionEnabled",
    )
    # What UpdateTable changes one at a time.
    changeable = (
        "BillingMode",
        "ProvisionedThroughput",
        "TableClass",
        "DeletionProtectionEnabled",
        "OnDemandThroughput",
    )

    def _special(self, properties: Properties) -> dict[str, Any]:
        """Members whose names differ between template and API."""
        result: dict[str, Any] = {}
        if encryption := properties.get("SSESpecification"):
            rest = {name: encryption[name] for name in ("SSEType",) if name in encryption}
            key = {"KMSMasterKeyId": encryption["KMSMasterKeyId"]} if "KMSMasterKeyId" in encryption else {}
            result["SSESpecification"] = {"Enabled": encryption["SSEEnabled"], **rest, **key}
        if stream := properties.get("StreamSpecification"):
            result["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": stream["StreamViewType"]}
        return result

    def create(self, call: Call, wanted: Properties) -> str:
        dynamodb = self.api(call)
        arguments = request(
            dynamodb, "create_table", wanted, [name for name in self.given if name in wanted], Tags="Tags"
        )
        table = wanted.get("TableName") or call.name(255)
        dynamodb.create_table(TableName=table, **arguments, **self._special(wanted))
        call.made(table)
        self._wait(call, table)
        self._configure(call, table, {}, wanted)
        return table

    def _wait(self, call: Call, table: str) -> None:
        for _turn in range(200):
            found = self._find(call, table)
            if found is None or found["TableStatus"] == "ACTIVE":
                return
            time.sleep(0.02)
        raise ValueError(f"Table {table} is {found['TableStatus']}")

    def _configure(self, call: Call, table: str, old: Properties, new: Properties) -> None:
        dynamodb = self.api(call)
        recovery = "PointInTimeRecoverySpecification"
        if old.get(recovery) != new.get(recovery):
            wanted = new.get(recovery) or {"PointInTimeRecoveryEnabled": False}
            dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=wanted)
        before, after = old.get("TimeToLiveSpecification"), new.get("TimeToLiveSpecification")
        if before != after:
            off = {"Enabled": False, "AttributeName": (before or {}).get("AttributeName")}
            if (after or {}).get("Enabled") or (before or {}).get("Enabled"):
                dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=after or off)
        if old.get("ResourcePolicy") != new.get("ResourcePolicy"):
            arn = self.attributes(call, table, new)["Arn"]
            if "ResourcePolicy" in new:
                dynamodb.put_resource_policy(ResourceArn=arn, Policy=as_json(new["ResourcePolicy"]["PolicyDocument"]))
            else:
                gone_is_fine(dynamodb.delete_resource_policy, ResourceArn=arn)

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        dynamodb = self.api(call)
        changed = {name: new[name] for name in self.changeable if name in new and old.get(name) != new[name]}
        if "DeletionProtectionEnabled" in old and "DeletionProtectionEnabled" not in new:
            changed["DeletionProtectionEnabled"] = False
        if changed.get("BillingMode") == "PROVISIONED" and "ProvisionedThroughput" in new:
            changed["ProvisionedThroughput"] = new["ProvisionedThroughput"]
        protection = {name: changed.pop(name) for name in ("TableClass",) if name in changed}
        for part in (changed, protection):
            if part:
                dynamodb.update_table(TableName=physical, **request(dynamodb, "update_table", part, part))
                self._wait(call, physical)
        before, after = self._special(old), self._special(new)
        for name in ("SSESpecification", "StreamSpecification"):
            if before.get(name) != after.get(name):
                off = {"SSESpecification": {"Enabled": False}, "StreamSpecification": {"StreamEnabled": False}}
                dynamodb.update_table(TableName=physical, **{name: after.get(name) or off[name]})
                self._wait(call, physical)
        if any(old.get(name) != new.get(name) for name in ("GlobalSecondaryIndexes", "AttributeDefinitions")):
            raise ValueError("the sandbox does not change the indexes of a table")
        self._configure(call, physical, old, new)
        setting, removing = tag_changes(old.get("Tags"), new.get("Tags"))
        arn = self.attributes(call, physical, new)["Arn"]
        if removing:
            dynamodb.untag_resource(ResourceArn=arn, TagKeys=removing)
        if setting:
            dynamodb.tag_resource(ResourceArn=arn, Tags=tag_list(setting))

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        gone_is_fine(self.api(call).delete_table, TableName=physical)

    def _find(self, call: Call, table: str) -> dict | None:
        answer = gone_is_fine(self.api(call).describe_table, TableName=table)
        return answer["Table"] if answer else None

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        dynamodb = self.api(call)
        found = self._find(call, physical)
        if found is None:
            return None
        names = [name for name in self.given if name not in ("BillingMode", "TableClass")]
        actual = self.shown(found, ("TableName", *names))
        actual["BillingMode"] = found.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
        actual["TableClass"] = found.get("TableClassSummary", {}).get("TableClass", "STANDARD")
        actual["AttributeDefinitions"] = same_order(
            actual["AttributeDefinitions"], expected.get("AttributeDefinitions")
        )
        if encryption := found.get("SSEDescription"):
            wanted = expected.get("SSESpecification", {})
            actual["SSESpecification"] = {
                "SSEEnabled": encryption["Status"] == "ENABLED",
                "SSEType": encryption.get("SSEType"),
                "KMSMasterKeyId": same_reference(encryption.get("KMSMasterKeyArn"), wanted.get("KMSMasterKeyId")),
            }
        if stream := found.get("StreamSpecification"):
            actual["StreamSpecification"] = {"StreamViewType": stream.get("StreamViewType")}
        if "PointInTimeRecoverySpecification" in expected:
            backups = dynamodb.describe_continuous_backups(TableName=physical)["ContinuousBackupsDescription"]
            recovery = backups["PointInTimeRecoveryDescription"]
            enabled = recovery["PointInTimeRecoveryStatus"] == "ENABLED"
            period = (
                {"RecoveryPeriodInDays": recovery["RecoveryPeriodInDays"]} if "RecoveryPeriodInDays" in recovery else {}
            )
            actual["PointInTimeRecoverySpecification"] = {"PointInTimeRecoveryEnabled": enabled, **period}
        if "TimeToLiveSpecification" in expected:
            ttl = dynamodb.describe_time_to_live(TableName=physical)["TimeToLiveDescription"]
            enabled = ttl["TimeToLiveStatus"] in ("ENABLED", "ENABLING")
            attribute = {"AttributeName": ttl["AttributeName"]} if "AttributeName" in ttl else {}
            actual["TimeToLiveSpecification"] = {"Enabled": enabled, **attribute}
        if "ResourcePolicy" in expected:
            answer = gone_is_fine(dynamodb.get_resource_policy, ResourceArn=found["TableArn"])
            if answer:
                actual["ResourcePolicy"] = {"PolicyDocument": from_json(answer["Policy"])}
        tags = dynamodb.list_tags_of_resource(ResourceArn=found["TableArn"]).get("Tags")
        return {**actual, "Tags": tags_like(tags, expected.get("Tags"))}

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        found = self._find(call, physical) or {}
        stream = {"StreamArn": found["LatestStreamArn"]} if found.get("LatestStreamArn") else {}
        return {"Arn": found["TableArn"], **stream}


KINDS = (Table,)
