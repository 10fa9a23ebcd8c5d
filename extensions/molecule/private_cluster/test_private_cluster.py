# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cluster as AWS describes it: two nodes behind one group, encrypted, SSH from one address, no way in but that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

REGION = "us-east-2"
NAME = "ethereal-ohio"
TAGS = {"team": "molecule", "ethereal-spot:deployment": "ethereal", "ethereal-spot:place": "ohio"}


def tags_of(found: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in found["Tags"]}


@pytest.fixture
def ec2(client: Callable[[str], Any]) -> Any:
    return client("ec2")


@pytest.fixture
def key(client: Callable[[str], Any]) -> dict[str, Any]:
    return client("kms").describe_key(KeyId=f"alias/{NAME}-cluster")["KeyMetadata"]


@pytest.fixture
def nodes(ec2: Any) -> dict[str, dict[str, Any]]:
    own = [
        {"Name": "tag-key", "Values": ["ethereal-spot:node"]},
        {"Name": "instance-state-name", "Values": ["pending", "running"]},
    ]
    found = [item for pack in ec2.describe_instances(Filters=own)["Reservations"] for item in pack["Instances"]]
    return {tags_of(item)["ethereal-spot:node"]: item for item in found}


def test_nodes(ec2: Any, nodes: dict[str, dict[str, Any]]) -> None:
    assert {name: item.get("InstanceLifecycle") for name, item in nodes.items()} == {"gate": None, "work": "spot"}
    assert nodes["gate"]["PrivateIpAddress"] == "10.62.0.10"
    zones = {name: item["Placement"]["AvailabilityZone"] for name, item in nodes.items()}
    assert zones == {"gate": "us-east-2a", "work": "us-east-2b"}
    (key_pair,) = ec2.describe_key_pairs()["KeyPairs"]
    for item in nodes.values():
        assert item["KeyName"] == key_pair["KeyName"]
        assert item["MetadataOptions"]["HttpTokens"] == "required"
        assert item["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
        assert item["IamInstanceProfile"]["Arn"].endswith(f":instance-profile/{NAME}-node")
        assert TAGS.items() <= tags_of(item).items()


def test_one_address_only_where_it_was_asked_for(ec2: Any, nodes: dict[str, dict[str, Any]]) -> None:
    (address,) = ec2.describe_addresses()["Addresses"]
    assert address["InstanceId"] == nodes["gate"]["InstanceId"]
    assert nodes["gate"]["PublicIpAddress"] == address["PublicIp"]
    assert not nodes["work"].get("PublicIpAddress")
    assert TAGS.items() <= tags_of(address).items()


def test_groups(ec2: Any, nodes: dict[str, dict[str, Any]]) -> None:
    names = [f"{NAME}-members", f"{NAME}-nodes"]
    found = ec2.describe_security_groups(Filters=[{"Name": "tag:Name", "Values": names}])["SecurityGroups"]
    members, group = sorted(found, key=lambda each: tags_of(each)["Name"])
    for item in nodes.values():
        assert {each["GroupId"] for each in item["SecurityGroups"]} == {members["GroupId"], group["GroupId"]}
    for rules in (members["IpPermissions"], members["IpPermissionsEgress"]):
        assert [source["CidrIp"] for rule in rules for source in rule["IpRanges"]] == ["127.0.0.1/32"]
    came = {
        (rule["FromPort"], rule["ToPort"], source)
        for rule in group["IpPermissions"]
        for source in (
            *(source["CidrIp"] for source in rule["IpRanges"]),
            *(pair["GroupId"] for pair in rule["UserIdGroupPairs"]),
        )
    }
    assert came == {(22, 22, "8.8.8.8/32"), (80, 80, members["GroupId"]), (443, 443, members["GroupId"])}
    assert sorted((rule["FromPort"], rule["ToPort"]) for rule in group["IpPermissionsEgress"]) == [(80, 80), (443, 443)]


def test_only_the_public_subnet_has_a_way_to_the_internet(ec2: Any, nodes: dict[str, dict[str, Any]]) -> None:
    vpc = [{"Name": "vpc-id", "Values": [nodes["gate"]["VpcId"]]}]
    out = {
        association.get("SubnetId")
        for table in ec2.describe_route_tables(Filters=vpc)["RouteTables"]
        for association in table["Associations"]
        if any(route.get("DestinationCidrBlock") == "0.0.0.0/0" for route in table["Routes"])
    }
    assert out == {nodes["gate"]["SubnetId"]}
    endpoints = ec2.describe_vpc_endpoints(Filters=vpc)["VpcEndpoints"]
    services = {item["ServiceName"].rpartition(".")[2]: item["VpcEndpointType"] for item in endpoints}
    interfaces = dict.fromkeys(("ssm", "ssmmessages"), "Interface")
    assert services == {"s3": "Gateway", **interfaces}
    assert not any(subnet["MapPublicIpOnLaunch"] for subnet in ec2.describe_subnets(Filters=vpc)["Subnets"])


def test_volumes_are_encrypted_with_the_key(
    ec2: Any, nodes: dict[str, dict[str, Any]], key: dict[str, Any], client: Callable[[str], Any]
) -> None:
    assert (key["KeyManager"], key["KeyState"]) == ("CUSTOMER", "Enabled")
    assert client("kms").get_key_rotation_status(KeyId=key["KeyId"])["KeyRotationEnabled"] is True
    for item in nodes.values():
        ids = {device["DeviceName"]: device["Ebs"]["VolumeId"] for device in item["BlockDeviceMappings"]}
        volumes = ec2.describe_volumes(VolumeIds=sorted(ids.values()))["Volumes"]
        for volume in volumes:
            assert (volume["Encrypted"], volume["KmsKeyId"], volume["VolumeType"]) == (True, key["Arn"], "gp3")
            assert TAGS.items() <= tags_of(volume).items()
        if item is nodes["work"]:
            assert [volume["Size"] for volume in volumes if volume["VolumeId"] == ids[item["RootDeviceName"]]] == [20]


def test_role_of_the_nodes(client: Callable[[str], Any]) -> None:
    iam = client("iam")
    (attached,) = iam.list_attached_role_policies(RoleName=f"{NAME}-node")["AttachedPolicies"]
    assert attached["PolicyArn"] == "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
    assert iam.list_role_policies(RoleName=f"{NAME}-node")["PolicyNames"] == []


def test_stack(stack: Callable[[str], dict[str, Any]], key: dict[str, Any]) -> None:
    found = stack(f"{NAME}-cluster")
    assert found["status"] == "CREATE_COMPLETE"
    assert found["outputs"]["KeyArn"] == key["Arn"]
    assert TAGS.items() <= found["tags"].items()
