# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""List what an account holds, service by service and region by region, with nothing but describe and list calls.

Independent of the collection on purpose: it knows no names and no tags. AWS's tag search would not do: it leaves out Auto Scaling
groups and IAM roles, and returns what is already gone.

Usage: leftovers.py URL [REGION ...] prints what the account behind that address holds, a line for each thing, in all regions or in these.
"""

from __future__ import annotations

import concurrent.futures
import contextvars
import sys
from collections.abc import Iterator
from typing import Any

import boto3

REGION = contextvars.ContextVar("REGION", default="us-east-1")

# service: [(paginator or operation, result key, how to name one)]. A name of None means the entry itself is the name.
REGIONAL = {
    "autoscaling": [
        ("describe_auto_scaling_groups", "AutoScalingGroups", "AutoScalingGroupName"),
        ("describe_policies", "ScalingPolicies", "PolicyARN"),
    ],
    "backup": [("list_backup_vaults", "BackupVaultList", "BackupVaultName")],
    "cloudformation": [("describe_stacks", "Stacks", "StackName")],
    "cloudwatch": [
        ("describe_alarms", "MetricAlarms", "AlarmName"),
        ("list_dashboards", "DashboardEntries", "DashboardName"),
    ],
    "dynamodb": [("list_tables", "TableNames", None)],
    "ec2": [
        ("describe_addresses", "Addresses", "AllocationId"),
        ("describe_flow_logs", "FlowLogs", "FlowLogId"),
        ("describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
        ("describe_key_pairs", "KeyPairs", "KeyPairId"),
        ("describe_launch_templates", "LaunchTemplates", "LaunchTemplateName"),
        ("describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
        ("describe_route_tables", "RouteTables", "RouteTableId"),
        ("describe_security_groups", "SecurityGroups", "GroupId"),
        ("describe_subnets", "Subnets", "SubnetId"),
        ("describe_volumes", "Volumes", "VolumeId"),
        ("describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId"),
        ("describe_vpcs", "Vpcs", "VpcId"),
    ],
    "ecr": [
        ("describe_repositories", "repositories", "repositoryName"),
        ("describe_pull_through_cache_rules", "pullThroughCacheRules", "ecrRepositoryPrefix"),
        ("describe_repository_creation_templates", "repositoryCreationTemplates", "prefix"),
    ],
    "ecs": [("list_clusters", "clusterArns", None), ("list_task_definitions", "taskDefinitionArns", None)],
    "efs": [
        ("describe_file_systems", "FileSystems", "FileSystemId"),
        ("describe_access_points", "AccessPoints", "AccessPointId"),
    ],
    "events": [("list_rules", "Rules", "Arn"), ("list_event_buses", "EventBuses", "Arn")],
    "imagebuilder": [
        ("list_images", "imageVersionList", "arn"),
        ("list_image_recipes", "imageRecipeSummaryList", "arn"),
        ("list_components", "componentVersionList", "arn"),
        ("list_infrastructure_configurations", "infrastructureConfigurationSummaryList", "arn"),
        ("list_distribution_configurations", "distributionConfigurationSummaryList", "arn"),
    ],
    "lambda": [("list_functions", "Functions", "FunctionName")],
    "logs": [("describe_log_groups", "logGroups", "logGroupName")],
    "secretsmanager": [("list_secrets", "SecretList", "ARN")],
    "sns": [("list_topics", "Topics", "TopicArn")],
    "sqs": [("list_queues", "QueueUrls", None)],
    "ssm": [
        ("describe_parameters", "Parameters", "Name"),
        ("list_associations", "Associations", "AssociationName"),
    ],
    "stepfunctions": [("list_state_machines", "stateMachines", "stateMachineArn")],
}
GLOBAL = {
    "iam": [
        ("list_roles", "Roles", "RoleName"),
        ("list_instance_profiles", "InstanceProfiles", "InstanceProfileName"),
    ],
    "s3": [("list_buckets", "Buckets", "Name")],
}


def listing(url: str, regions: list[str] | None = None) -> set[str]:
    """Everything in the account as "region service name": keys only while they are in use, instances until they are terminated."""
    clients = {service: _client(service, url) for service in (*REGIONAL, *GLOBAL, "kms")}
    if regions is None:
        regions = sorted(found["RegionName"] for found in clients["ec2"].describe_regions()["Regions"])
    found: set[str] = set()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for names in pool.map(lambda region: _region(clients, region), regions):
            found |= names
    for service, operations in GLOBAL.items():
        found |= {f"global {service} {name}" for name in _names(clients[service], operations)}
    return found


def _client(service: str, url: str) -> Any:
    """A client that signs for the region of the moment: one for each region would cost more than all its calls."""
    client = boto3.client(
        service, region_name="us-east-1", endpoint_url=url, aws_access_key_id="testing", aws_secret_access_key="testing"
    )

    def sign_for_region(request: Any, **_kwargs: Any) -> None:
        request.context["signing"] = {**request.context.get("signing", {}), "region": REGION.get()}

    client.meta.events.register("before-sign", sign_for_region)
    return client


def _region(clients: dict[str, Any], region: str) -> set[str]:
    REGION.set(region)
    names = {
        f"{region} {service} {name}"
        for service, operations in REGIONAL.items()
        for name in _names(clients[service], operations)
    }
    names |= {
        f"{region} ec2 {name}" for each in (_instances, _gateways, _images, _snapshots) for name in each(clients["ec2"])
    }
    names |= {f"{region} kms {name}" for name in _keys(clients["kms"])}
    return names | {f"{region} ecs {name}" for name in _providers(clients["ecs"])}


def _names(client: Any, operations: list[tuple[str, str, str | None]]) -> Iterator[str]:
    for operation, key, name in operations:
        pages = (
            client.get_paginator(operation).paginate()
            if client.can_paginate(operation)
            else [getattr(client, operation)()]
        )
        for page in pages:
            for entry in page.get(key, []):
                yield entry if name is None else entry[name]


def _instances(client: Any) -> Iterator[str]:
    for page in client.get_paginator("describe_instances").paginate():
        for reservation in page["Reservations"]:
            for instance in reservation["Instances"]:
                if instance["State"]["Name"] != "terminated":
                    yield instance["InstanceId"]


def _gateways(client: Any) -> Iterator[str]:
    for page in client.get_paginator("describe_nat_gateways").paginate():
        for gateway in page["NatGateways"]:
            if gateway["State"] != "deleted":
                yield gateway["NatGatewayId"]


def _images(client: Any) -> Iterator[str]:
    for page in client.get_paginator("describe_images").paginate(Owners=["self"]):
        for image in page["Images"]:
            yield image["ImageId"]


def _snapshots(client: Any) -> Iterator[str]:
    for page in client.get_paginator("describe_snapshots").paginate(OwnerIds=["self"]):
        for snapshot in page["Snapshots"]:
            # The emulator lists the snapshots of Amazon's images as the account's own.
            if not snapshot["Description"].startswith("Auto-created snapshot for AMI"):
                yield snapshot["SnapshotId"]


def _keys(client: Any) -> Iterator[str]:
    for page in client.get_paginator("list_keys").paginate():
        for key in page["Keys"]:
            if client.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyState"] != "PendingDeletion":
                yield key["KeyId"]
    for page in client.get_paginator("list_aliases").paginate():
        for alias in page["Aliases"]:
            yield alias["AliasName"]


def _providers(client: Any) -> Iterator[str]:
    for provider in client.describe_capacity_providers()["capacityProviders"]:
        if provider["status"] == "ACTIVE":
            yield provider["name"]


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit("usage: leftovers.py URL [REGION ...]")
    print("\n".join(sorted(listing(sys.argv[1], sys.argv[2:] or None))))
