# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of calls that change something."""

from __future__ import annotations

import pytest
from fleet_kit import load

mutating = load("sandbox/mutating.py")

READS = """
ec2 DescribeInstances, ec2 GetSpotPlacementScores, ec2 DescribeSpotPriceHistory, ec2 GetEbsDefaultKmsKeyId, ec2 SearchTransitGatewayRoutes,
autoscaling DescribeAutoScalingGroups, cloudformation DetectStackDrift, cloudformation DetectStackResourceDrift,
cloudformation DescribeStackDriftDetectionStatus, cloudformation ValidateTemplate, cloudformation EstimateTemplateCost,
cloudformation ListStacks, dynamodb Query, dynamodb Scan, dynamodb GetItem, dynamodb BatchGetItem, dynamodb TransactGetItems,
kms Decrypt, kms GenerateDataKey, kms Verify, sts AssumeRole, sts GetCallerIdentity, logs FilterLogEvents, logs StartQuery,
iam SimulatePrincipalPolicy, iam GenerateServiceLastAccessedDetails, s3 HeadObject, s3 ListObjectsV2, s3 GetObject, events TestEventPattern,
states ValidateStateMachineDefinition, states TestState, servicequotas GetServiceQuota, tagging GetResources, ssm GetParametersByPath,
ecr DescribeImages, ecr BatchCheckLayerAvailability
"""

WRITES = """
ec2 RunInstances, ec2 CreateTags, ec2 EnableEbsEncryptionByDefault, ec2 ModifyEbsDefaultKmsKeyId, ec2 AllocateAddress, ec2 ImportKeyPair,
autoscaling SetDesiredCapacity, autoscaling StartInstanceRefresh, autoscaling TerminateInstanceInAutoScalingGroup, ecs RunTask,
ecs RegisterTaskDefinition, ecs PutClusterCapacityProviders, dynamodb PutItem, dynamodb TransactWriteItems, dynamodb BatchWriteItem,
dynamodb ExecuteStatement, kms CreateGrant, kms EnableKeyRotation, sqs ReceiveMessage, sqs SendMessage, sns Publish, lambda Invoke,
states StartExecution, states SendTaskSuccess, events PutEvents, ssm SendCommand, acm-pca IssueCertificate, ses VerifyEmailIdentity,
cloudformation CreateChangeSet, cloudformation ExecuteChangeSet, cloudformation CancelUpdateStack, tagging TagResources, none Whatever,
ecr BatchGetImage
"""


def pairs(text: str) -> list[tuple[str, ...]]:
    return [tuple(entry.split()) for entry in text.replace("\n", " ").split(",")]


@pytest.mark.parametrize(("service", "action"), pairs(READS))
def test_reads(service: str, action: str) -> None:
    assert not mutating.is_mutating(service, action)


@pytest.mark.parametrize(("service", "action"), pairs(WRITES))
def test_writes(service: str, action: str) -> None:
    assert mutating.is_mutating(service, action)
    assert not mutating.is_mutating(service, action, dry_run=True)


def test_change_sets_are_known() -> None:
    marked = {action for action in ("CreateChangeSet", "DeleteChangeSet", "ExecuteChangeSet", "CreateStack")
              if mutating.is_change_set("cloudformation", action)}  # fmt: skip
    assert marked == {"CreateChangeSet", "DeleteChangeSet"}
