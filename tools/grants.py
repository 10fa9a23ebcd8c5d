# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hold docs/policies/*.json against the calls that the playbooks make.

Usage: grants.py URL prints what a running sandbox has recorded and the policy does not grant, and the other way round.
"""

from __future__ import annotations

import json
import pathlib
import sys
import urllib.request
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parent.parent
POLICIES = ROOT / "docs/policies"
# Granted although no run on the sandbox is judged for them: what AWS asks for by itself, with sources in docs/policies/README.md.
IMPLIED = frozenset(
    {
        "cloudwatch:ListTagsForResource",
        "cloudwatch:TagResource",
        "cloudwatch:UntagResource",
        "ec2:ModifyVpcEndpoint",
        "ecr:PutLifecyclePolicy",
        "ecr:UpdateRepositoryCreationTemplate",
        "ecs:TagResource",
        "imagebuilder:CancelImageCreation",
        "imagebuilder:DeleteImage",
        "imagebuilder:UntagResource",
        "imagebuilder:UpdateDistributionConfiguration",
        "imagebuilder:UpdateInfrastructureConfiguration",
        "ecs:UntagResource",
        "ecs:UpdateClusterSettings",
        "elasticfilesystem:CreateReplicationConfiguration",
        "elasticfilesystem:DeleteReplicationConfiguration",
        "elasticfilesystem:DescribeReplicationConfigurations",
        "elasticfilesystem:UpdateFileSystem",
        "elasticfilesystem:UntagResource",
        "dynamodb:DeleteItem",
        "dynamodb:UntagResource",
        "events:TagResource",
        "events:UntagResource",
        "iam:CreateServiceLinkedRole",
        "iam:TagRole",
        "iam:UntagRole",
        "kms:CreateGrant",
        "kms:Decrypt",
        "kms:GenerateDataKeyWithoutPlaintext",
        "kms:UntagResource",
        "logs:TagResource",
        "logs:UntagResource",
        "secretsmanager:GetSecretValue",
        "servicequotas:ListServiceQuotas",
    }
)


# For images that nodes are launched from, which only few have: whoever uses the playbooks, or role worker alone, needs it for them as well.
FOR_IMAGES = POLICIES / "provisioner-image.json"


def granted(policy: dict[str, Any]) -> set[str]:
    """The actions that the policy allows."""
    return {
        action
        for statement in policy["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }


def of_role(role: str) -> list[pathlib.Path]:
    """The policies for whoever uses one role alone: none if it has none of its own."""
    return sorted(POLICIES.glob(f"roles/{role}*.json")) + ([FOR_IMAGES] if role == "worker" else [])


def granted_to_role(role: str) -> set[str]:
    """The actions that one role's own policies allow together."""
    return set().union(*(granted(json.loads(policy.read_text())) for policy in of_role(role)))


def all_granted() -> set[str]:
    """The actions that the policies for the playbooks allow together, without images; those of single roles are for who uses no other."""
    policies = [policy for policy in POLICIES.glob("*.json") if policy != FOR_IMAGES]
    return set().union(*(granted(json.loads(policy.read_text())) for policy in policies))


def recorded(calls: list[dict[str, Any]], principal: str) -> set[str]:
    """The actions that the principal, or CloudFormation in its name, was judged for."""
    return {judged["action"] for call in calls if call["principal"].endswith(principal) for judged in call["iam"] or []}


def main() -> None:
    with urllib.request.urlopen(f"{sys.argv[1]}/_sandbox/calls", timeout=60) as answer:
        calls = json.loads(answer.read())
    allowed = all_granted()
    made = recorded(calls, "user/controller")
    print("recorded, not granted:", *sorted(made - allowed), sep="\n  ")
    print("granted, not recorded:", *sorted(allowed - made - IMPLIED), sep="\n  ")


if __name__ == "__main__":
    main()
