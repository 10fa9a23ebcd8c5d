# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The worker as AWS describes it: everything encrypted with its key, nothing public, containers kept from the node's credentials."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

REGION = "eu-west-1"
NAME = "ethereal-ireland"
TAGS = {"team": "molecule", "ethereal-spot:deployment": "ethereal", "ethereal-spot:place": "ireland"}


@pytest.fixture
def key(client: Callable[[str], Any]) -> dict[str, Any]:
    return client("kms").describe_key(KeyId=f"alias/{NAME}-worker")["KeyMetadata"]


@pytest.fixture
def files(client: Callable[[str], Any]) -> dict[str, Any]:
    (found,) = client("efs").describe_file_systems()["FileSystems"]
    return found


@pytest.fixture
def subnets(client: Callable[[str], Any]) -> dict[str, str]:
    """The subnets' ids and zones."""
    own = [{"Name": "tag:Name", "Values": ["molecule-worker"]}]
    found = client("ec2").describe_subnets(Filters=own)["Subnets"]
    return {subnet["SubnetId"]: subnet["AvailabilityZone"] for subnet in found}


@pytest.fixture
def instances(client: Callable[[str], Any]) -> list[dict[str, Any]]:
    own = [
        {"Name": "tag:aws:autoscaling:groupName", "Values": [NAME]},
        {"Name": "instance-state-name", "Values": ["pending", "running"]},
    ]
    found = client("ec2").describe_instances(Filters=own)["Reservations"]
    return [instance for reservation in found for instance in reservation["Instances"]]


@pytest.fixture
def task(client: Callable[[str], Any]) -> dict[str, Any]:
    return client("ecs").describe_task_definition(taskDefinition=NAME)["taskDefinition"]


def named(client: Callable[[str], Any], name: str) -> dict[str, Any]:
    (group,) = client("ec2").describe_security_groups(Filters=[{"Name": "tag:Name", "Values": [f"{NAME}-{name}"]}])[
        "SecurityGroups"
    ]
    return group


def test_key(client: Callable[[str], Any], key: dict[str, Any]) -> None:
    assert (key["KeyManager"], key["KeyState"]) == ("CUSTOMER", "Enabled")
    assert client("kms").get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"] is True


def test_files_are_encrypted_and_backed_up(
    client: Callable[[str], Any], files: dict[str, Any], key: dict[str, Any]
) -> None:
    efs = client("efs")
    assert (files["Encrypted"], files["KmsKeyId"]) == (True, key["Arn"])
    assert TAGS.items() <= {tag["Key"]: tag["Value"] for tag in files["Tags"]}.items()
    assert efs.describe_backup_policy(FileSystemId=files["FileSystemId"])["BackupPolicy"]["Status"] == "ENABLED"


def test_files_are_as_asked_for(client: Callable[[str], Any], files: dict[str, Any]) -> None:
    assert (files["ThroughputMode"], files["ProvisionedThroughputInMibps"]) == ("provisioned", 64)
    policies = client("efs").describe_lifecycle_configuration(FileSystemId=files["FileSystemId"])["LifecyclePolicies"]
    assert {"TransitionToIA": "AFTER_7_DAYS"} in policies


def test_files_are_reached_over_tls_through_the_access_point(
    client: Callable[[str], Any], files: dict[str, Any]
) -> None:
    policy = json.loads(client("efs").describe_file_system_policy(FileSystemId=files["FileSystemId"])["Policy"])
    assert [statement["Effect"] for statement in policy["Statement"]] == ["Deny", "Deny"]
    assert policy["Statement"][0]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert policy["Statement"][1]["Condition"] == {"Null": {"elasticfilesystem:AccessPointArn": "true"}}


def test_mount_targets_admit_their_clients_only(
    client: Callable[[str], Any], files: dict[str, Any], subnets: dict[str, str]
) -> None:
    efs = client("efs")
    targets = efs.describe_mount_targets(FileSystemId=files["FileSystemId"])["MountTargets"]
    assert {target["SubnetId"] for target in targets} == set(subnets)
    group = named(client, "files")
    for target in targets:
        found = efs.describe_mount_target_security_groups(MountTargetId=target["MountTargetId"])
        assert found["SecurityGroups"] == [group["GroupId"]]
    (rule,) = group["IpPermissions"]
    assert (rule["FromPort"], rule["ToPort"], rule["IpRanges"]) == (2049, 2049, [])
    assert [pair["GroupId"] for pair in rule["UserIdGroupPairs"]] == [named(client, "files-clients")["GroupId"]]


def test_nodes_admit_clients_of_the_service_only(client: Callable[[str], Any]) -> None:
    (rule,) = named(client, "nodes")["IpPermissions"]
    assert (rule["FromPort"], rule["ToPort"]) == (8000, 8000)
    assert [source["CidrIp"] for source in rule["IpRanges"]] == ["10.0.0.0/8"]


def test_fleet(client: Callable[[str], Any], subnets: dict[str, str]) -> None:
    groups = {
        group["AutoScalingGroupName"]: group
        for group in client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    }
    assert set(groups) == {NAME, f"{NAME}-od"}
    sizes = {name: (found["MinSize"], found["DesiredCapacity"]) for name, found in groups.items()}
    assert sizes == {NAME: (0, 2), f"{NAME}-od": (0, 0)}
    assert groups[NAME]["MaxSize"] == 3
    for group in groups.values():
        assert set(group["VPCZoneIdentifier"].split(",")) == set(subnets)
        assert TAGS.items() <= {tag["Key"]: tag["Value"] for tag in group["Tags"]}.items()
    spread = {name: found["MixedInstancesPolicy"]["InstancesDistribution"] for name, found in groups.items()}
    assert spread[NAME]["OnDemandBaseCapacity"] == 1
    assert spread[NAME]["OnDemandPercentageAboveBaseCapacity"] == 0
    assert spread[f"{NAME}-od"]["OnDemandPercentageAboveBaseCapacity"] == 100


def test_instances_are_private_and_keep_their_credentials(
    instances: list[dict[str, Any]], subnets: dict[str, str]
) -> None:
    assert sorted(instance.get("InstanceLifecycle", "on-demand") for instance in instances) == ["on-demand", "spot"]
    for instance in instances:
        assert instance["SubnetId"] in subnets
        assert not instance.get("PublicIpAddress")
        assert instance["MetadataOptions"]["HttpTokens"] == "required"
        assert instance["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
        assert instance["IamInstanceProfile"]["Arn"].endswith(f":instance-profile/{NAME}-node")
        assert TAGS.items() <= {tag["Key"]: tag["Value"] for tag in instance["Tags"]}.items()


def test_instances_may_mount_the_files(client: Callable[[str], Any], instances: list[dict[str, Any]]) -> None:
    wanted = {named(client, name)["GroupId"] for name in ("nodes", "files-clients")}
    for instance in instances:
        assert {group["GroupId"] for group in instance["SecurityGroups"]} == wanted


def test_volumes_are_encrypted_with_the_key(
    client: Callable[[str], Any], instances: list[dict[str, Any]], key: dict[str, Any]
) -> None:
    ids = [device["Ebs"]["VolumeId"] for instance in instances for device in instance["BlockDeviceMappings"]]
    volumes = client("ec2").describe_volumes(VolumeIds=ids)["Volumes"]
    assert len(volumes) >= len(instances) == 2
    for volume in volumes:
        assert (volume["Encrypted"], volume["KmsKeyId"], volume["VolumeType"]) == (True, key["Arn"], "gp3")
        assert TAGS.items() <= {tag["Key"]: tag["Value"] for tag in volume["Tags"]}.items()


def test_cluster_and_service(client: Callable[[str], Any]) -> None:
    ecs = client("ecs")
    (cluster,) = ecs.describe_clusters(clusters=[NAME], include=["SETTINGS"])["clusters"]
    assert set(cluster["capacityProviders"]) == {NAME, f"{NAME}-od"}
    assert {"name": "containerInsights", "value": "enabled"} in cluster["settings"]
    (service,) = ecs.describe_services(cluster=NAME, services=[NAME])["services"]
    assert (service["status"], service["desiredCount"], service["launchType"]) == ("ACTIVE", 0, "EC2")
    assert service["enableExecuteCommand"] is False


def test_container(task: dict[str, Any], files: dict[str, Any]) -> None:
    (container,) = task["containerDefinitions"]
    assert task["networkMode"] == "bridge"
    assert (container["privileged"], container["readonlyRootFilesystem"]) == (False, True)
    assert container["command"] == ["serve", "--port", "8000"]
    assert container["resourceRequirements"] == [{"type": "GPU", "value": "1"}]
    assert container["environment"] == [{"name": "MODE", "value": "test"}]
    secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:token-AbCdEf"
    assert container["secrets"] == [{"name": "TOKEN", "valueFrom": secret}]
    (volume,) = task["volumes"]
    mounted = volume["efsVolumeConfiguration"]
    assert (mounted["fileSystemId"], mounted["transitEncryption"]) == (files["FileSystemId"], "ENABLED")
    assert mounted["authorizationConfig"]["iam"] == "ENABLED"


def test_logs_are_encrypted_and_kept_for_a_while(client: Callable[[str], Any], key: dict[str, Any]) -> None:
    found = {group["logGroupName"]: group for group in client("logs").describe_log_groups()["logGroups"]}
    assert set(found) == {"/ecs/ethereal/ireland", "/ethereal/ireland/flow"}
    for group in found.values():
        assert (group["kmsKeyId"], group["retentionInDays"]) == (key["Arn"], 30)


def test_rejected_traffic_is_logged(client: Callable[[str], Any]) -> None:
    (log,) = client("ec2").describe_flow_logs()["FlowLogs"]
    assert (log["TrafficType"], log["LogGroupName"]) == ("REJECT", "/ethereal/ireland/flow")


def test_roles_grant_what_they_are_for(client: Callable[[str], Any], files: dict[str, Any]) -> None:
    iam = client("iam")
    own = {role["RoleName"] for role in iam.list_roles()["Roles"] if role["RoleName"].startswith(NAME)}
    assert own == {f"{NAME}-{name}" for name in ("node", "task", "exec", "flow")}
    mount, write = iam.get_role_policy(RoleName=f"{NAME}-task", PolicyName="models")["PolicyDocument"]["Statement"]
    assert (mount["Action"], write["Action"]) == ("elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite")
    assert mount["Resource"] == write["Resource"] == files["FileSystemArn"]
    granted = iam.get_role_policy(RoleName=f"{NAME}-exec", PolicyName="start")["PolicyDocument"]["Statement"]
    everywhere = [statement["Action"] for statement in granted if statement["Resource"] == "*"]
    assert everywhere == ["ecr:GetAuthorizationToken"]


def test_stacks(stack: Callable[[str], dict[str, Any]], key: dict[str, Any], files: dict[str, Any]) -> None:
    region, workload = stack(f"{NAME}-region"), stack(f"{NAME}-workload")
    assert (region["status"], workload["status"]) == ("CREATE_COMPLETE", "CREATE_COMPLETE")
    assert (region["outputs"]["KeyArn"], region["outputs"]["FileSystemId"]) == (key["Arn"], files["FileSystemId"])
    for found in (region, workload):
        assert TAGS.items() <= found["tags"].items()
