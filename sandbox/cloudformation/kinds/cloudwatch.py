# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CloudWatch: log groups, alarms, dashboards."""

from __future__ import annotations

import json
from typing import Any

from sandbox.cloudformation.kinds.base import Call
from sandbox.cloudformation.kinds.base import Kind
from sandbox.cloudformation.kinds.base import Properties
from sandbox.cloudformation.kinds.base import as_json
from sandbox.cloudformation.kinds.base import first
from sandbox.cloudformation.kinds.base import from_json
from sandbox.cloudformation.kinds.base import gone_is_fine
from sandbox.cloudformation.kinds.base import request
from sandbox.cloudformation.kinds.base import same_reference
from sandbox.cloudformation.kinds.base import tag_changes
from sandbox.cloudformation.kinds.base import tag_list
from sandbox.cloudformation.kinds.base import tag_map
from sandbox.cloudformation.kinds.base import tags_like


class LogGroup(Kind):
    kind = "AWS::Logs::LogGroup"
    service = "logs"

    def create(self, call: Call, wanted: Properties) -> str:
        logs = self.api(call)
        group = wanted.get("LogGroupName") or call.name(512)
        arguments = request(logs, "create_log_group", wanted, ("KmsKeyId", "LogGroupClass"))
        if wanted.get("Tags"):
            arguments["tags"] = tag_map(wanted["Tags"])
        if "DeletionProtectionEnabled" in wanted:
            arguments["deletionProtectionEnabled"] = wanted["DeletionProtectionEnabled"]
        logs.create_log_group(logGroupName=group, **arguments)
        call.made(group)
        self._retain(call, group, {}, wanted)
        if "DataProtectionPolicy" in wanted:
            logs.put_data_protection_policy(
                logGroupIdentifier=group, policyDocument=as_json(wanted["DataProtectionPolicy"])
            )
        return group

    def _retain(self, call: Call, group: str, old: Properties, new: Properties) -> None:
        if old.get("RetentionInDays") == new.get("RetentionInDays"):
            return
        if "RetentionInDays" in new:
            self.api(call).put_retention_policy(logGroupName=group, retentionInDays=new["RetentionInDays"])
        else:
            self.api(call).delete_retention_policy(logGroupName=group)

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        logs = self.api(call)
        self._retain(call, physical, old, new)
        if old.get("KmsKeyId") != new.get("KmsKeyId"):
            if "KmsKeyId" in new:
                logs.associate_kms_key(logGroupName=physical, kmsKeyId=new["KmsKeyId"])
            else:
                logs.disassociate_kms_key(logGroupName=physical)
        setting, removing = tag_changes(old.get("Tags"), new.get("Tags"))
        if removing:
            logs.untag_resource(resourceArn=self._arn(call, physical), tagKeys=removing)
        if setting:
            logs.tag_resource(resourceArn=self._arn(call, physical), tags=setting)

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        gone_is_fine(self.api(call).delete_log_group, logGroupName=physical)

    def _find(self, call: Call, group: str) -> dict | None:
        pages = self.api(call).get_paginator("describe_log_groups").paginate(logGroupNamePrefix=group)
        return first(item for page in pages for item in page["logGroups"] if item["logGroupName"] == group)

    def _arn(self, call: Call, group: str) -> str:
        """The ARN by which a group is tagged: the one without the final `:*`."""
        return f"arn:aws:logs:{call.region}:{call.account}:log-group:{group}"

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        found = self._find(call, physical)
        if found is None:
            return None
        names = ("LogGroupName", "RetentionInDays", "LogGroupClass", "KmsKeyId", "DeletionProtectionEnabled")
        actual = self.shown(found, names)
        if "KmsKeyId" in actual:
            actual["KmsKeyId"] = same_reference(actual["KmsKeyId"], expected.get("KmsKeyId"))
        if "DataProtectionPolicy" in expected:
            policy = self.api(call).get_data_protection_policy(logGroupIdentifier=physical).get("policyDocument")
            actual["DataProtectionPolicy"] = from_json(policy, expected["DataProtectionPolicy"])
        tags = self.api(call).list_tags_for_resource(resourceArn=self._arn(call, physical))["tags"]
        return {**actual, "Tags": tags_like(tags, expected.get("Tags"))}

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        return {"Arn": f"{self._arn(call, physical)}:*"}


class Alarm(Kind):
    kind = "AWS::CloudWatch::Alarm"
    service = "cloudwatch"
    given = (
        "AlarmDescription",
        "ActionsEnabled",
        "OKActions",
        "AlarmActions",
        "InsufficientDataActions",
        "MetricName",
        "Namespace",
        "Statistic",
        "ExtendedStatistic",
        "Dimensions",
        "Period",
        "Unit",
        "EvaluationPeriods",
        "DatapointsToAlarm",
        "Threshold",
        "ComparisonOperator",
        "TreatMissingData",
        "EvaluateLowSampleCountPercentile",
        "Metrics",
        "ThresholdMetricId",
    )

    def _put(self, call: Call, alarm: str, wanted: Properties, tags: dict[str, Any]) -> None:
        cloudwatch = self.api(call)
        cloudwatch.put_metric_alarm(
            AlarmName=alarm, **request(cloudwatch, "put_metric_alarm", wanted, self.given), **tags
        )

    def create(self, call: Call, wanted: Properties) -> str:
        alarm = wanted.get("AlarmName") or call.name(255)
        self._put(call, alarm, wanted, {"Tags": tag_list(wanted["Tags"])} if wanted.get("Tags") else {})
        return alarm

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        self._put(call, physical, new, {})
        setting, removing = tag_changes(old.get("Tags"), new.get("Tags"))
        arn = self.attributes(call, physical, new)["Arn"]
        if removing:
            self.api(call).untag_resource(ResourceARN=arn, TagKeys=removing)
        if setting:
            self.api(call).tag_resource(ResourceARN=arn, Tags=tag_list(setting))

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        gone_is_fine(self.api(call).delete_alarms, AlarmNames=[physical])

    def _find(self, call: Call, alarm: str) -> dict | None:
        return first(self.api(call).describe_alarms(AlarmNames=[alarm], AlarmTypes=["MetricAlarm"])["MetricAlarms"])

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        found = self._find(call, physical)
        if found is None:
            return None
        actual = self.shown(found, ("AlarmName", *self.given))
        tags = self.api(call).list_tags_for_resource(ResourceARN=found["AlarmArn"])["Tags"]
        return {**actual, "Tags": tags_like(tags, expected.get("Tags"))}

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        return {"Arn": (self._find(call, physical) or {})["AlarmArn"]}


class Dashboard(Kind):
    kind = "AWS::CloudWatch::Dashboard"
    service = "cloudwatch"

    def __init__(self) -> None:
        super().__init__()
        # ministack has no tags for dashboards: the stack's are left out, a template's are refused.
        self.schema.tags = None

    def create(self, call: Call, wanted: Properties) -> str:
        if "Tags" in wanted:
            raise ValueError("the sandbox cannot apply Tags")
        name = wanted.get("DashboardName") or call.name(255)
        self.update(call, name, {}, wanted)
        return name

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        answer = self.api(call).put_dashboard(DashboardName=physical, DashboardBody=new["DashboardBody"])
        call.made(physical)
        if messages := answer.get("DashboardValidationMessages"):
            raise ValueError("; ".join(item["Message"] for item in messages))

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        gone_is_fine(self.api(call).delete_dashboards, DashboardNames=[physical])

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        found = gone_is_fine(self.api(call).get_dashboard, DashboardName=physical)
        if found is None:
            return None
        body = found["DashboardBody"]
        # The same JSON in other spacing is the same dashboard.
        same = _parsed(body) == _parsed(expected["DashboardBody"])
        return {"DashboardName": physical, "DashboardBody": expected["DashboardBody"] if same else body}


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


KINDS = (LogGroup, Alarm, Dashboard)
