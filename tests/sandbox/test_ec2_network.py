# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Networks: what is in use stays, what was deleted is gone. Sources: EC2 API reference; sandbox-clients 6i, 6j, 6l."""

from __future__ import annotations

import pytest
from fleet_kit import Fleet
from fleet_kit import eventually
from fleet_kit import refused
from sandbox_process import Sandbox


@pytest.fixture
def fleet(sandbox: Sandbox) -> Fleet:
    return Fleet(sandbox)


@pytest.fixture
def network(fleet: Fleet) -> dict[str, str]:
    vpc = fleet.ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = fleet.ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24", AvailabilityZone="us-west-2a")["Subnet"]
    group = fleet.ec2.create_security_group(GroupName="own", Description="own", VpcId=vpc)["GroupId"]
    return {"vpc": vpc, "subnet": subnet["SubnetId"], "group": group}


def test_what_an_instance_uses_cannot_be_deleted_until_it_has_ended(fleet: Fleet, network: dict[str, str]) -> None:
    made = fleet.ec2.run_instances(
        ImageId=fleet.image["ImageId"],
        InstanceType="g5.xlarge",
        MinCount=1,
        MaxCount=1,
        SubnetId=network["subnet"],
        SecurityGroupIds=[network["group"]],
    )["Instances"][0]["InstanceId"]
    for delete in (
        lambda: fleet.ec2.delete_subnet(SubnetId=network["subnet"]),
        lambda: fleet.ec2.delete_security_group(GroupId=network["group"]),
        lambda: fleet.ec2.delete_vpc(VpcId=network["vpc"]),
    ):
        with refused("DependencyViolation"):
            delete()
    fleet.ec2.terminate_instances(InstanceIds=[made])
    eventually(lambda: fleet.instance(made)["State"]["Name"], lambda state: state == "terminated")
    fleet.ec2.delete_subnet(SubnetId=network["subnet"])
    fleet.ec2.delete_security_group(GroupId=network["group"])
    fleet.ec2.delete_vpc(VpcId=network["vpc"])


def test_a_group_that_another_refers_to_and_the_default_one_stay(fleet: Fleet, network: dict[str, str]) -> None:
    other = fleet.ec2.create_security_group(GroupName="other", Description="x", VpcId=network["vpc"])["GroupId"]
    permission = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": [{"GroupId": network["group"]}]}
    fleet.ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=[permission])
    with refused("DependencyViolation"):
        fleet.ec2.delete_security_group(GroupId=network["group"])
    groups = fleet.ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [network["vpc"]]}])
    default = next(each["GroupId"] for each in groups["SecurityGroups"] if each["GroupName"] == "default")
    with refused("CannotDelete"):
        fleet.ec2.delete_security_group(GroupId=default)


def test_a_vpc_with_gateway_groups_or_endpoints_stays(fleet: Fleet, network: dict[str, str]) -> None:
    fleet.ec2.delete_subnet(SubnetId=network["subnet"])
    gateway = fleet.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    fleet.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=network["vpc"])
    with refused("DependencyViolation"):
        fleet.ec2.delete_internet_gateway(InternetGatewayId=gateway)
    fleet.ec2.delete_security_group(GroupId=network["group"])
    with refused("DependencyViolation"):
        fleet.ec2.delete_vpc(VpcId=network["vpc"])
    fleet.ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=network["vpc"])
    fleet.ec2.delete_internet_gateway(InternetGatewayId=gateway)
    fleet.ec2.delete_vpc(VpcId=network["vpc"])


def test_a_gateway_stays_attached_while_addresses_are_mapped(fleet: Fleet) -> None:
    vpc = fleet.ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"][0]["VpcId"]
    gateway = fleet.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    fleet.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    made = fleet.ec2.run_instances(
        ImageId=fleet.image["ImageId"], InstanceType="g5.xlarge", MinCount=1, MaxCount=1, SubnetId=fleet.subnets[0]
    )["Instances"][0]["InstanceId"]
    assert fleet.instance(made)["PublicIpAddress"]
    with refused("DependencyViolation", "mapped public address"):
        fleet.ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)


def test_a_deleted_endpoint_is_gone_and_can_be_deleted_again(fleet: Fleet, network: dict[str, str]) -> None:
    service = f"com.amazonaws.{fleet.region}.s3"
    made = fleet.ec2.create_vpc_endpoint(VpcId=network["vpc"], ServiceName=service)["VpcEndpoint"]["VpcEndpointId"]
    for _turn in range(2):
        fleet.ec2.delete_vpc_endpoints(VpcEndpointIds=[made])
        with refused("InvalidVpcEndpointId.NotFound"):
            fleet.ec2.describe_vpc_endpoints(VpcEndpointIds=[made])


def test_an_attached_interface_cannot_be_deleted(fleet: Fleet) -> None:
    fleet.ec2.run_instances(
        ImageId=fleet.image["ImageId"], InstanceType="g5.xlarge", MinCount=1, MaxCount=1, SubnetId=fleet.subnets[0]
    )
    interface = fleet.ec2.describe_network_interfaces()["NetworkInterfaces"][0]["NetworkInterfaceId"]
    with refused("InvalidNetworkInterface.InUse"):
        fleet.ec2.delete_network_interface(NetworkInterfaceId=interface)


def nat_state(fleet: Fleet, gateway: str) -> str:
    return fleet.ec2.describe_nat_gateways(NatGatewayIds=[gateway])["NatGateways"][0]["State"]


def test_a_nat_gateway_goes_through_its_states_and_holds_its_address(fleet: Fleet, network: dict[str, str]) -> None:
    """VPC user guide, "Work with NAT gateways" and "Troubleshoot NAT gateways"."""
    gateway = fleet.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    fleet.ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=network["vpc"])
    address = fleet.ec2.allocate_address(Domain="vpc")["AllocationId"]
    arguments = {"SubnetId": network["subnet"], "AllocationId": address}
    made = fleet.ec2.create_nat_gateway(**arguments)["NatGateway"]
    assert made["State"] == "pending"
    nat = made["NatGatewayId"]
    eventually(lambda: nat_state(fleet, nat), lambda state: state == "available")
    held = fleet.ec2.describe_addresses(AllocationIds=[address])["Addresses"][0]
    assert held["AssociationId"]
    assert held["NetworkInterfaceId"] == made["NatGatewayAddresses"][0]["NetworkInterfaceId"]
    with refused("InvalidIPAddress.InUse"):
        fleet.ec2.release_address(AllocationId=address)
    with refused("DependencyViolation", "mapped public address"):
        fleet.ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=network["vpc"])
    # Two gateways cannot share an address.
    other = fleet.ec2.create_nat_gateway(**arguments)["NatGateway"]["NatGatewayId"]
    eventually(lambda: nat_state(fleet, other), lambda state: state == "failed")

    fleet.ec2.delete_nat_gateway(NatGatewayId=nat)
    assert nat_state(fleet, nat) == "deleting"
    eventually(lambda: nat_state(fleet, nat), lambda state: state == "deleted")
    assert "AssociationId" not in fleet.ec2.describe_addresses(AllocationIds=[address])["Addresses"][0]
    fleet.ec2.release_address(AllocationId=address)
    fleet.ec2.detach_internet_gateway(InternetGatewayId=gateway, VpcId=network["vpc"])
    fleet.ec2.delete_subnet(SubnetId=network["subnet"])


def test_a_nat_gateway_fails_without_an_internet_gateway(fleet: Fleet, network: dict[str, str]) -> None:
    address = fleet.ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = fleet.ec2.create_nat_gateway(SubnetId=network["subnet"], AllocationId=address)["NatGateway"]["NatGatewayId"]
    eventually(lambda: nat_state(fleet, nat), lambda state: state == "failed")
    fleet.ec2.release_address(AllocationId=address)
    with refused("NatGatewayNotFound"):
        fleet.ec2.delete_nat_gateway(NatGatewayId="nat-0123456789abcdef0")


def test_tags_are_described_with_awss_resource_types(fleet: Fleet, network: dict[str, str]) -> None:
    address = fleet.ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = fleet.ec2.create_nat_gateway(SubnetId=network["subnet"], AllocationId=address)["NatGateway"]["NatGatewayId"]
    fleet.ec2.create_tags(Resources=[address, nat], Tags=[{"Key": "a", "Value": "b"}])
    found = fleet.ec2.describe_tags(Filters=[{"Name": "key", "Values": ["a"]}])["Tags"]
    assert {each["ResourceId"]: each["ResourceType"] for each in found} == {address: "elastic-ip", nat: "natgateway"}
    with refused("DependencyViolation"):
        fleet.ec2.delete_subnet(SubnetId=network["subnet"])
