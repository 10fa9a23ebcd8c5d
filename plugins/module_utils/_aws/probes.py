# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks at what CloudFormation's drift detection does not cover, and direct calls that mend it. PRIVATE to the collection.

`clients` gives a botocore client for a service's name. `EXPECTED` says what our templates declare for these kinds; a unit test holds
the two together.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

try:
    from botocore.exceptions import ClientError
except ImportError:
    pass  # See errors.py.

from ansible_collections.ethereal.spot.plugins.module_utils._aws import managed_draining
from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import translated

Clients = Callable[[str], Any]

_CLIENT_ACTIONS = [f"elasticfilesystem:{action}" for action in ("ClientMount", "ClientRootAccess", "ClientWrite")]
FILE_SYSTEM_POLICY: dict[str, Any] = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "AccessPointOnly",
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": _CLIENT_ACTIONS,
            "Resource": "*",
            "Condition": {"Null": {"elasticfilesystem:AccessPointArn": "true"}},
        },
        {
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": "*",
            "Resource": "*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    ],
}
LIFECYCLE = [{"TransitionToIA": "AFTER_30_DAYS"}, {"TransitionToPrimaryStorageClass": "AFTER_1_ACCESS"}]

EXPECTED: dict[str, dict[str, Any]] = {
    "AWS::KMS::Key": {"/EnableKeyRotation": True},
    "AWS::ECS::Cluster": {"/ClusterSettings": [{"Name": "containerInsights", "Value": "enabled"}]},
    "AWS::EFS::FileSystem": {
        "/BackupPolicy/Status": "ENABLED",
        "/FileSystemPolicy": FILE_SYSTEM_POLICY,
        "/LifecyclePolicies": LIFECYCLE,
        "/ThroughputMode": "elastic",
    },
    "AWS::EC2::VPCEndpoint": {"/PrivateDnsEnabled": True},
    managed_draining.KIND: managed_draining.EXPECTED,
}
# Drift detection looks at the resource; what ECS itself has put on its group is in no template.
BESIDE_DETECTION = frozenset({managed_draining.KIND})
PROVISIONED = "/ProvisionedThroughputInMibps"


def expected(kind: str, parameters: Mapping[str, str]) -> dict[str, Any]:
    """What a stack's template declares with these parameters; a stack that does not have them yet has the standing values."""
    wanted = dict(EXPECTED[kind])
    if kind == "AWS::EFS::FileSystem":
        wanted["/BackupPolicy/Status"] = parameters.get("FilesBackup", wanted["/BackupPolicy/Status"])
        wanted["/ThroughputMode"] = parameters.get("FilesThroughput", wanted["/ThroughputMode"])
        if wanted["/ThroughputMode"] == "provisioned":
            wanted[PROVISIONED] = float(parameters["FilesProvisionedMibps"])
        if "FilesInfrequentAfter" in parameters:
            after = parameters["FilesInfrequentAfter"]
            wanted["/LifecyclePolicies"] = [{"TransitionToIA": after}, *LIFECYCLE[1:]] if after else []
    return wanted


@translated("read the key's rotation")
def read_key(clients: Clients, key: str) -> dict[str, Any] | None:
    try:
        return {"/EnableKeyRotation": clients("kms").get_key_rotation_status(KeyId=key)["KeyRotationEnabled"]}
    except ClientError as error:
        return _gone(error, "NotFoundException")


@translated("read the cluster's settings")
def read_cluster(clients: Clients, cluster: str) -> dict[str, Any] | None:
    found = clients("ecs").describe_clusters(clusters=[cluster], include=["SETTINGS"])["clusters"]
    if not found or found[0]["status"] == "INACTIVE":
        return None
    settings = [{"Name": item["name"], "Value": item["value"]} for item in found[0].get("settings", [])]
    return {"/ClusterSettings": settings}


@translated("read the file system's settings")
def read_file_system(clients: Clients, file_system: str) -> dict[str, Any] | None:
    client = clients("efs")
    try:
        found = client.describe_file_systems(FileSystemId=file_system)["FileSystems"][0]
    except ClientError as error:
        return _gone(error, "FileSystemNotFound")
    return {
        "/BackupPolicy/Status": _backup_status(client, file_system),
        "/FileSystemPolicy": _file_system_policy(client, file_system),
        "/LifecyclePolicies": _lifecycle(client, file_system),
        "/ThroughputMode": found["ThroughputMode"],
        **({PROVISIONED: found["ProvisionedThroughputInMibps"]} if found["ThroughputMode"] == "provisioned" else {}),
    }


def _backup_status(client: Any, file_system: str) -> str:
    try:
        return client.describe_backup_policy(FileSystemId=file_system)["BackupPolicy"]["Status"]
    except ClientError as error:
        return _gone(error, "PolicyNotFound") or "DISABLED"


def _lifecycle(client: Any, file_system: str) -> list[dict[str, str]]:
    policies = client.describe_lifecycle_configuration(FileSystemId=file_system)["LifecyclePolicies"]
    return sorted(policies, key=sorted)


def _file_system_policy(client: Any, file_system: str) -> dict[str, Any] | None:
    try:
        return normal_policy(json.loads(client.describe_file_system_policy(FileSystemId=file_system)["Policy"]))
    except ClientError as error:
        return _gone(error, "PolicyNotFound")


def normal_policy(policy: dict[str, Any]) -> dict[str, Any]:
    """A policy without what means nothing: its id, and the order of statements and actions."""
    statements = [
        {**statement, "Action": sorted(statement["Action"])} if isinstance(statement.get("Action"), list) else statement
        for statement in policy.get("Statement", [])
    ]
    statements.sort(key=lambda statement: statement.get("Sid", ""))
    return {"Version": policy.get("Version"), "Statement": statements}


@translated("read the VPC endpoint")
def read_endpoint(clients: Clients, endpoint: str) -> dict[str, Any] | None:
    """Gateway endpoints have no private DNS; for them it is enough to be there."""
    try:
        found = clients("ec2").describe_vpc_endpoints(VpcEndpointIds=[endpoint])["VpcEndpoints"]
    except ClientError as error:
        return _gone(error, "InvalidVpcEndpointId.NotFound", "InvalidVpcEndpoint.NotFound")
    if not found or found[0]["State"].lower() == "deleted":
        return None
    return {"/PrivateDnsEnabled": found[0]["VpcEndpointType"] != "Interface" or found[0]["PrivateDnsEnabled"]}


READERS: dict[str, Callable[[Clients, str], dict[str, Any] | None]] = {
    "AWS::KMS::Key": read_key,
    "AWS::ECS::Cluster": read_cluster,
    "AWS::EFS::FileSystem": read_file_system,
    "AWS::EC2::VPCEndpoint": read_endpoint,
    managed_draining.KIND: managed_draining.read,
}


def _gone(error: ClientError, *codes: str) -> None:
    if error.response.get("Error", {}).get("Code") not in codes:
        raise error


@translated("enable the key's rotation")
def enable_rotation(clients: Clients, key: str, wanted: Mapping[str, Any]) -> None:
    clients("kms").enable_key_rotation(KeyId=key)


@translated("set the cluster's settings")
def set_cluster_settings(clients: Clients, cluster: str, wanted: Mapping[str, Any]) -> None:
    settings = [{"name": item["Name"], "value": item["Value"]} for item in wanted["/ClusterSettings"]]
    clients("ecs").update_cluster_settings(cluster=cluster, settings=settings)


@translated("set the file system's backups")
def set_backups(clients: Clients, file_system: str, wanted: Mapping[str, Any]) -> None:
    clients("efs").put_backup_policy(FileSystemId=file_system, BackupPolicy={"Status": wanted["/BackupPolicy/Status"]})


@translated("set the file system's policy")
def set_file_system_policy(clients: Clients, file_system: str, wanted: Mapping[str, Any]) -> None:
    clients("efs").put_file_system_policy(FileSystemId=file_system, Policy=json.dumps(wanted["/FileSystemPolicy"]))


@translated("set the file system's lifecycle")
def set_lifecycle(clients: Clients, file_system: str, wanted: Mapping[str, Any]) -> None:
    clients("efs").put_lifecycle_configuration(FileSystemId=file_system, LifecyclePolicies=wanted["/LifecyclePolicies"])


@translated("set the file system's throughput mode")
def set_throughput(clients: Clients, file_system: str, wanted: Mapping[str, Any]) -> None:
    mibps = {"ProvisionedThroughputInMibps": wanted[PROVISIONED]} if PROVISIONED in wanted else {}
    clients("efs").update_file_system(FileSystemId=file_system, ThroughputMode=wanted["/ThroughputMode"], **mibps)


@translated("enable the VPC endpoint's private DNS")
def enable_private_dns(clients: Clients, endpoint: str, wanted: Mapping[str, Any]) -> None:
    clients("ec2").modify_vpc_endpoint(VpcEndpointId=endpoint, PrivateDnsEnabled=True)


_HEALERS: dict[tuple[str, str], Callable[[Clients, str, Mapping[str, Any]], None]] = {
    ("AWS::KMS::Key", "/EnableKeyRotation"): enable_rotation,
    ("AWS::ECS::Cluster", "/ClusterSettings"): set_cluster_settings,
    ("AWS::EFS::FileSystem", "/BackupPolicy/Status"): set_backups,
    ("AWS::EFS::FileSystem", "/FileSystemPolicy"): set_file_system_policy,
    ("AWS::EFS::FileSystem", "/LifecyclePolicies"): set_lifecycle,
    ("AWS::EFS::FileSystem", "/ThroughputMode"): set_throughput,
    ("AWS::EFS::FileSystem", PROVISIONED): set_throughput,
    ("AWS::EC2::VPCEndpoint", "/PrivateDnsEnabled"): enable_private_dns,
    (managed_draining.KIND, managed_draining.HOOK_PATH): managed_draining.restore,
}


def heal(clients: Clients, kind: str, resource: str, paths: Iterable[str], parameters: Mapping[str, str]) -> None:
    """Set the given paths of one resource to what is expected with its stack's parameters, one call for each that has its own."""
    wanted = expected(kind, parameters)
    for healer in dict.fromkeys(_HEALERS[kind, path] for path in paths):
        healer(clients, resource, wanted)
