# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write `schemas.json`: what AWS's resource schemas say of the kinds that the sandbox serves, as cfn-lint ships them.

`python -m sandbox.cloudformation.extract` in an environment that has cfn-lint. Only what decides how a template is
applied is kept: names, types, what is required, what replaces, what can be read back, and how the kind is tagged.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

KINDS = {
    "ApiGateway": ("Deployment", "Method", "Resource", "RestApi", "Stage"),
    "CloudWatch": ("Alarm", "Dashboard"),
    "DynamoDB": ("Table",),
    "EC2": (
        "EIP",
        "FlowLog",
        "InternetGateway",
        "KeyPair",
        "NatGateway",
        "Route",
        "RouteTable",
        "SecurityGroup",
        "SecurityGroupEgress",
        "SecurityGroupIngress",
        "Subnet",
        "SubnetRouteTableAssociation",
        "VPC",
        "VPCEndpoint",
        "VPCGatewayAttachment",
    ),
    "ECR": ("PullThroughCacheRule", "RepositoryCreationTemplate"),
    "ECS": ("CapacityProvider", "Cluster", "ClusterCapacityProviderAssociations", "Service", "TaskDefinition"),
    "EFS": ("AccessPoint", "FileSystem", "MountTarget"),
    "Events": ("EventBus", "EventBusPolicy", "Rule"),
    "IAM": ("InstanceProfile", "ManagedPolicy", "Policy", "Role", "RolePolicy"),
    "ImageBuilder": ("Component", "DistributionConfiguration", "Image", "ImageRecipe", "InfrastructureConfiguration"),
    "KMS": ("Alias", "Key"),
    "Lambda": ("Function", "Permission"),
    "Logs": ("LogGroup",),
    "S3": ("Bucket", "BucketPolicy"),
    "SNS": ("Subscription", "Topic", "TopicPolicy"),
    "SQS": ("Queue", "QueuePolicy"),
    "SSM": ("Association", "Parameter"),
    "StepFunctions": ("StateMachine",),
}

NAMED = ("properties", "definitions", "patternProperties")
KEPT = ("$ref", "type", "enum", "required", "items", "additionalProperties")


def pruned(schema: Any) -> Any:
    """A JSON schema without descriptions, patterns, formats and alternatives."""
    if not isinstance(schema, dict):
        return schema
    kept: dict[str, Any] = {name: schema[name] for name in KEPT if name in schema}
    for name in ("items", "additionalProperties"):
        if name in kept:
            kept[name] = pruned(kept[name])
    for name in NAMED:
        if isinstance(schema.get(name), dict):
            kept[name] = {key: pruned(value) for key, value in schema[name].items()}
    return kept


def paths(schema: dict, name: str) -> list[str]:
    return sorted(path.removeprefix("/properties/") for path in schema.get(name, []))


def condensed(schema: dict) -> dict:
    """One kind's entry in `schemas.json`."""
    tagging = schema.get("tagging") or {}
    tag_property = tagging.get("tagProperty", "/properties/Tags").removeprefix("/properties/")
    return {
        "schema": pruned(schema),
        "create_only": paths(schema, "createOnlyProperties"),
        "conditional": paths(schema, "conditionalCreateOnlyProperties"),
        "read_only": paths(schema, "readOnlyProperties"),
        "write_only": paths(schema, "writeOnlyProperties"),
        "primary": paths(schema, "primaryIdentifier"),
        "readable": "read" in schema.get("handlers", {}),
        "tags": tag_property if tag_property in schema["properties"] else None,
        "system_tags": tagging.get("cloudFormationSystemTags", True) if tagging else False,
    }


def main() -> None:
    found = importlib.util.find_spec("cfnlint")
    if not found or not found.origin:
        raise SystemExit("cfn-lint is not installed here")
    data = Path(found.origin).parent / "data" / "schemas"
    index = json.loads((data / "providers" / "us-east-1.json").read_text())
    kinds = [f"AWS::{service}::{name}" for service, names in KINDS.items() for name in names]
    entries = {kind: condensed(json.loads((data / "resources" / f"{index[kind]}.json").read_text())) for kind in kinds}
    lines = [
        f"{json.dumps(kind)}: {json.dumps(entry, sort_keys=True, separators=(',', ':'))}"
        for kind, entry in entries.items()
    ]
    target = Path(__file__).with_name("schemas.json")
    target.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
