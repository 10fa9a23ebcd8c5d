# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import UTC
from datetime import datetime

import pytest

from ansible_collections.ethereal.spot.plugins.module_utils._aws import cloudformation
from ansible_collections.ethereal.spot.plugins.modules import spot_stack_heal

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ARN = "arn:aws:cloudformation:us-east-1:123456789012:stack/gpu-region/1"
SET = "arn:aws:cloudformation:us-east-1:123456789012:changeSet/revert/1"


class Region:
    """A stack whose security group drifts as CloudFormation sees it, and a key whose rotation only a probe sees."""

    def __init__(self, recorder, aws_error):
        self.status = "UPDATE_COMPLETE"
        self.group_drifted = True
        self.rotates = False
        self.change_set_status = "CREATE_COMPLETE"
        self.change_set_reason = ""
        self.changes = []
        self.after_execution = "UPDATE_COMPLETE"
        self.heals = True
        self.error = aws_error
        for operation in (
            "DescribeStacks",
            "GetTemplate",
            "DetectStackDrift",
            "DescribeStackDriftDetectionStatus",
            "DescribeStackResourceDrifts",
            "ListStackResources",
            "CreateChangeSet",
            "DescribeChangeSet",
            "ExecuteChangeSet",
            "DeleteChangeSet",
            "DescribeStackEvents",
        ):
            recorder.answer("cloudformation", operation, getattr(self, operation))
        recorder.answer("kms", "GetKeyRotationStatus", lambda params, region: {"KeyRotationEnabled": self.rotates})
        recorder.answer("kms", "EnableKeyRotation", self.EnableKeyRotation)

    def DescribeStacks(self, params, region):
        if params["StackName"] not in ("gpu-region", ARN):
            raise self.error("ValidationError", "Stack with id x does not exist")
        parameters = {"Prefix": "gpu", "InitialCount": "0"}
        return {
            "Stacks": [
                {
                    "StackName": "gpu-region",
                    "StackId": ARN,
                    "StackStatus": self.status,
                    "CreationTime": NOW,
                    "Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
                }
            ]
        }

    def GetTemplate(self, params, region):
        return {"TemplateBody": "Resources: {}"}

    def DescribeStackEvents(self, params, region):
        return {"StackEvents": []}

    def DetectStackDrift(self, params, region):
        return {"StackDriftDetectionId": "d" * 36}

    def DescribeStackDriftDetectionStatus(self, params, region):
        return {
            "StackId": ARN,
            "StackDriftDetectionId": "d" * 36,
            "DetectionStatus": "DETECTION_COMPLETE",
            "Timestamp": NOW,
        }

    def DescribeStackResourceDrifts(self, params, region):
        differences = [
            {
                "PropertyPath": "/SecurityGroupEgress/2",
                "ExpectedValue": "null",
                "ActualValue": "{}",
                "DifferenceType": "ADD",
            }
        ]
        return {
            "StackResourceDrifts": [
                {
                    "StackId": ARN,
                    "LogicalResourceId": "NodeGroup",
                    "ResourceType": "AWS::EC2::SecurityGroup",
                    "StackResourceDriftStatus": "MODIFIED" if self.group_drifted else "IN_SYNC",
                    "PropertyDifferences": differences if self.group_drifted else [],
                    "Timestamp": NOW,
                }
            ]
        }

    def ListStackResources(self, params, region):
        return {
            "StackResourceSummaries": [
                {
                    "LogicalResourceId": logical,
                    "PhysicalResourceId": physical,
                    "ResourceType": kind,
                    "LastUpdatedTimestamp": NOW,
                    "ResourceStatus": "CREATE_COMPLETE",
                }
                for logical, physical, kind in (
                    ("NodeGroup", "sg-1", "AWS::EC2::SecurityGroup"),
                    ("Key", "key-1", "AWS::KMS::Key"),
                )
            ]
        }

    def CreateChangeSet(self, params, region):
        return {"Id": SET, "StackId": ARN}

    def DescribeChangeSet(self, params, region):
        return {
            "ChangeSetId": SET,
            "Status": self.change_set_status,
            "StatusReason": self.change_set_reason,
            "Changes": self.changes,
        }

    def ExecuteChangeSet(self, params, region):
        self.status = self.after_execution
        self.group_drifted = self.group_drifted and not self.heals
        return {}

    def DeleteChangeSet(self, params, region):
        return {}

    def EnableKeyRotation(self, params, region):
        self.rotates = True
        return {}


@pytest.fixture
def region(recorder, aws_error, monkeypatch):
    monkeypatch.setattr(cloudformation, "DELAY", 0.01)
    return Region(recorder, aws_error)


@pytest.fixture
def heal(run_module):
    def run(check_mode=False, diff=False, **params):
        stack = {"name": "gpu-region", **params.pop("stack", {})}
        options = {"stacks": [stack], "region": "us-east-1", "wait_timeout": 1, **params}
        return run_module(spot_stack_heal, options, check_mode, diff)

    return run


CHANGES = [
    {
        "stack": "gpu-region",
        "resource": "NodeGroup",
        "type": "AWS::EC2::SecurityGroup",
        "paths": ["/SecurityGroupEgress/2"],
        "how": "change_set",
    },
    {
        "stack": "gpu-region",
        "resource": "Key",
        "type": "AWS::KMS::Key",
        "paths": ["/EnableKeyRotation"],
        "how": "call",
    },
]


def test_heals_what_each_can_heal_and_then_has_nothing_to_do(heal, region):
    result = heal(stack={"parameters": {"InitialCount": ""}}, role_arn="arn:aws:iam::123456789012:role/cfn")
    assert not result.failed, result
    assert result.changed
    assert result["changes"] == CHANGES
    assert result["remaining"] == []
    assert [call.operation for call in result.mutating] == [
        "DeleteChangeSet",
        "CreateChangeSet",
        "ExecuteChangeSet",
        "EnableKeyRotation",
    ]
    (create,) = [call.params for call in result.calls if call.operation == "CreateChangeSet"]
    name = create.pop("ChangeSetName")
    assert create == {
        "StackName": "gpu-region",
        "ChangeSetType": "UPDATE",
        "UsePreviousTemplate": True,
        "Parameters": [
            {"ParameterKey": "Prefix", "UsePreviousValue": True},
            {"ParameterKey": "InitialCount", "ParameterValue": ""},
        ],
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
        "DeploymentMode": "REVERT_DRIFT",
        "RoleARN": "arn:aws:iam::123456789012:role/cfn",
    }
    # What a run that died left under the same name goes first.
    (delete,) = [call.params for call in result.calls if call.operation == "DeleteChangeSet"]
    assert delete == {"StackName": "gpu-region", "ChangeSetName": name}

    again = heal()
    assert not again.changed
    assert again["changes"] == []
    assert again.mutating == []


def test_check_mode_plans_the_same_and_makes_no_change_set(heal, region):
    result = heal(check_mode=True, diff=True)
    assert result.changed
    assert result["changes"] == CHANGES
    assert result["remaining"] == []
    assert result.mutating == []
    assert result["diff"] == {
        "before": {
            "gpu-region/NodeGroup": {"/SecurityGroupEgress/2": "{}"},
            "gpu-region/Key": {"/EnableKeyRotation": False},
        },
        "after": {
            "gpu-region/NodeGroup": {"/SecurityGroupEgress/2": "null"},
            "gpu-region/Key": {"/EnableKeyRotation": True},
        },
    }


def test_a_change_set_that_would_set_what_moves_is_not_executed(heal, region):
    target = {"Attribute": "Properties", "Path": "/Properties/DesiredCount", "AttributeChangeType": "Modify"}
    region.changes = [
        {
            "Type": "Resource",
            "ResourceChange": {
                "LogicalResourceId": "Service",
                "ResourceType": "AWS::ECS::Service",
                "Details": [{"Target": {**target, "BeforeValue": "2", "AfterValue": "0"}}],
            },
        }
    ]
    result = heal()
    assert result.failed
    assert result["msg"] == (
        "reverting the drift of stack gpu-region would set Service/DesiredCount, which belongs to no template"
    )
    assert [call.operation for call in result.mutating] == ["DeleteChangeSet", "CreateChangeSet", "DeleteChangeSet"]


def test_every_call_of_a_change_set_names_its_stack(heal, region):
    """IAM judges change sets by their stack, which a change set's ARN does not tell."""
    result = heal()
    calls = [call for call in result.calls if call.operation.endswith("ChangeSet")]
    assert {call.operation for call in calls} >= {"CreateChangeSet", "DescribeChangeSet", "ExecuteChangeSet"}
    assert {call.params["StackName"] for call in calls} == {"gpu-region"}
    assert len({call.params["ChangeSetName"] for call in calls}) == 1


def test_empty_change_set_is_deleted_and_the_drift_is_told(heal, region):
    region.change_set_status = "FAILED"
    region.change_set_reason = "The submitted information didn't contain changes."
    result = heal()
    assert not result.failed
    assert [call.operation for call in result.mutating] == [
        "DeleteChangeSet",
        "CreateChangeSet",
        "DeleteChangeSet",
        "EnableKeyRotation",
    ]
    assert [(item["stack"], item["resource"]) for item in result["remaining"]] == [("gpu-region", "NodeGroup")]
    assert result["warnings"] == ["NodeGroup of stack gpu-region has drifted and could not be healed"]


def test_failed_change_set_fails_with_its_reason(heal, region):
    region.change_set_status = "FAILED"
    region.change_set_reason = "Parameters: [Prefix] must have values"
    result = heal()
    assert result.failed
    assert "Parameters: [Prefix] must have values" in result["msg"]
    assert "ExecuteChangeSet" not in result.operations()


def test_rollback_fails(heal, region):
    region.after_execution = "UPDATE_ROLLBACK_COMPLETE"
    result = heal()
    assert result.failed
    assert "wait for the stack's update" in result["msg"]


@pytest.mark.parametrize("status", ["UPDATE_IN_PROGRESS", "ROLLBACK_COMPLETE", "DELETE_FAILED"])
def test_a_stack_that_does_not_stand_is_left_alone(heal, region, status):
    region.status = status
    result = heal()
    assert not result.changed
    assert result.mutating == []


def test_absent_stack_is_left_alone(heal, region):
    result = heal(stack={"name": "other"})
    assert not result.failed
    assert not result.changed
