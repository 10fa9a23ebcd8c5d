# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""EC2 networks: VPC, subnets, routes, gateways, addresses."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from sandbox.cloudformation.kinds.base import Call
from sandbox.cloudformation.kinds.base import Kind
from sandbox.cloudformation.kinds.base import Properties
from sandbox.cloudformation.kinds.base import first
from sandbox.cloudformation.kinds.base import gone_is_fine
from sandbox.cloudformation.kinds.base import is_gone
from sandbox.cloudformation.kinds.base import request
from sandbox.cloudformation.kinds.ec2 import Ec2Kind
from sandbox.cloudformation.kinds.ec2 import tag_specifications


class Vpc(Ec2Kind):
    kind = "AWS::EC2::VPC"
    described = "describe_vpcs", "VpcIds", "Vpcs"
    switches = {"EnableDnsSupport": ("enableDnsSupport", True), "EnableDnsHostnames": ("enableDnsHostnames", False)}

    def create(self, call: Call, wanted: Properties) -> str:
        ec2 = self.api(call)
        arguments = request(
            ec2, "create_vpc", wanted, ("CidrBlock", "InstanceTenancy", "Ipv4IpamPoolId", "Ipv4NetmaskLength")
        )
        vpc = ec2.create_vpc(**arguments, **tag_specifications("vpc", wanted))["Vpc"]["VpcId"]
        call.made(vpc)
        ec2.get_waiter("vpc_available").wait(VpcIds=[vpc], WaiterConfig={"Delay": 0, "MaxAttempts": 40})
        self._switch(call, vpc, {}, wanted)
        return vpc

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        self._switch(call, physical, old, new)
        self.retag(call, physical, old, new)

    def _switch(self, call: Call, vpc: str, old: Properties, new: Properties) -> None:
        for name, (_attribute, default) in self.switches.items():
            if old.get(name, default) != new.get(name, default):
                self.api(call).modify_vpc_attribute(VpcId=vpc, **{name: {"Value": new.get(name, default)}})

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        gone_is_fine(self.api(call).delete_vpc, VpcId=physical)

    def properties_of(self, call: Call, found: dict, expected: Properties) -> Properties:
        actual = self.shown(found, ("CidrBlock", "InstanceTenancy"))
        for name, (attribute, _default) in self.switches.items():
            if name in expected:
                answer = self.api(call).describe_vpc_attribute(VpcId=found["VpcId"], Attribute=attribute)
                actual[name] = answer[name]["Value"]
        return actual

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        ec2 = self.api(call)
        vpc = ec2.describe_vpcs(VpcIds=[physical])["Vpcs"][0]
        here = {"Name": "vpc-id", "Values": [physical]}
        groups = ec2.describe_security_groups(Filters=[here, {"Name": "group-name", "Values": ["default"]}])[
            "SecurityGroups"
        ]
        acls = ec2.describe_network_acls(Filters=[here, {"Name": "default", "Values": ["true"]}])["NetworkAcls"]
        return {
            "VpcId": physical,
            "CidrBlock": vpc["CidrBlock"],
            "CidrBlockAssociations": [item["AssociationId"] for item in vpc.get("CidrBlockAssociationSet", [])],
            "Ipv6CidrBlocks": [item["Ipv6CidrBlock"] for item in vpc.get("Ipv6CidrBlockAssociationSet", [])],
            "DefaultSecurityGroup": groups[0]["GroupId"],
            "DefaultNetworkAcl": acls[0]["NetworkAclId"],
        }


class Subnet(Ec2Kind):
    kind = "AWS::EC2::Subnet"
    described = "describe_subnets", "SubnetIds", "Subnets"

    def create(self, call: Call, wanted: Properties) -> str:
        ec2 = self.api(call)
        names = ("VpcId", "CidrBlock", "Ipv6CidrBlock", "AvailabilityZone", "AvailabilityZoneId")
        arguments = request(ec2, "create_subnet", wanted, names)
        subnet = ec2.create_subnet(**arguments, **tag_specifications("subnet", wanted))["Subnet"]["SubnetId"]
        call.made(subnet)
        self._switch(call, subnet, {}, wanted)
        return subnet

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        self._switch(call, physical, old, new)
        self.retag(call, physical, old, new)

    def _switch(self, call: Call, subnet: str, old: Properties, new: Properties) -> None:
        for name in ("MapPublicIpOnLaunch", "AssignIpv6AddressOnCreation", "EnableDns64"):
            if old.get(name, False) != new.get(name, False):
                self.api(call).modify_subnet_attribute(SubnetId=subnet, **{name: {"Value": new.get(name, False)}})

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        gone_is_fine(self.api(call).delete_subnet, SubnetId=physical)

    def properties_of(self, call: Call, found: dict, expected: Properties) -> Properties:
        return self.shown(
            found,
            (
                "VpcId",
                "CidrBlock",
                "AvailabilityZone",
                "AvailabilityZoneId",
                "MapPublicIpOnLaunch",
                "AssignIpv6AddressOnCreation",
                "EnableDns64",
            ),
        )

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        found = self.find(call, physical) or {}
        names = ("SubnetId", "AvailabilityZone", "AvailabilityZoneId", "CidrBlock", "VpcId")
        return {name: found[name] for name in names if name in found}


class RouteTable(Ec2Kind):
    kind = "AWS::EC2::RouteTable"
    described = "describe_route_tables", "RouteTableIds", "RouteTables"

    def create(self, call: Call, wanted: Properties) -> str:
        answer = self.api(call).create_route_table(VpcId=wanted["VpcId"], **tag_specifications("route-table", wanted))
        return answer["RouteTable"]["RouteTableId"]

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        gone_is_fine(self.api(call).delete_route_table, RouteTableId=physical)

    def properties_of(self, call: Call, found: dict, expected: Properties) -> Properties:
        return self.shown(found, ("VpcId",))

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        return {"RouteTableId": physical}


class Route(Kind):
    kind = "AWS::EC2::Route"
    service = "ec2"
    destinations = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")
    targets = (
        "GatewayId",
        "NatGatewayId",
        "NetworkInterfaceId",
        "TransitGatewayId",
        "VpcPeeringConnectionId",
        "InstanceId",
        "VpcEndpointId",
        "EgressOnlyInternetGatewayId",
    )

    def _arguments(self, call: Call, method: str, properties: Properties) -> dict:
        return request(self.api(call), method, properties, ("RouteTableId", *self.destinations, *self.targets))

    def _destination(self, properties: Properties) -> str:
        return next(properties[name] for name in self.destinations if name in properties)

    def create(self, call: Call, wanted: Properties) -> str:
        self.api(call).create_route(**self._arguments(call, "create_route", wanted))
        return f"{wanted['RouteTableId']}|{self._destination(wanted)}"

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        self.api(call).replace_route(**self._arguments(call, "replace_route", new))

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        arguments = request(self.api(call), "delete_route", properties, ("RouteTableId", *self.destinations))
        gone_is_fine(self.api(call).delete_route, **arguments)

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        try:
            table = self.api(call).describe_route_tables(RouteTableIds=[expected["RouteTableId"]])["RouteTables"][0]
        except ClientError as error:
            if is_gone(error):
                return None
            raise
        destination = self._destination(expected)
        found = first(
            route for route in table["Routes"] if destination in [route.get(name) for name in self.destinations]
        )
        if found is None:
            return None
        return {"RouteTableId": table["RouteTableId"], **self.shown(found, (*self.destinations, *self.targets))}

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        return {"CidrBlock": physical.partition("|")[2]}


class SubnetRouteTableAssociation(Kind):
    kind = "AWS::EC2::SubnetRouteTableAssociation"
    service = "ec2"

    def create(self, call: Call, wanted: Properties) -> str:
        answer = self.api(call).associate_route_table(RouteTableId=wanted["RouteTableId"], SubnetId=wanted["SubnetId"])
        return answer["AssociationId"]

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        gone_is_fine(self.api(call).disassociate_route_table, AssociationId=physical)

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        mine = {"Name": "association.route-table-association-id", "Values": [physical]}
        tables = self.api(call).describe_route_tables(Filters=[mine])["RouteTables"]
        found = first(
            item for table in tables for item in table["Associations"] if item["RouteTableAssociationId"] == physical
        )
        return self.shown(found, ("SubnetId", "RouteTableId")) if found else None

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        return {"Id": physical}


class InternetGateway(Ec2Kind):
    kind = "AWS::EC2::InternetGateway"
    described = "describe_internet_gateways", "InternetGatewayIds", "InternetGateways"

    def create(self, call: Call, wanted: Properties) -> str:
        answer = self.api(call).create_internet_gateway(**tag_specifications("internet-gateway", wanted))
        return answer["InternetGateway"]["InternetGatewayId"]

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        gone_is_fine(self.api(call).delete_internet_gateway, InternetGatewayId=physical)

    def properties_of(self, call: Call, found: dict, expected: Properties) -> Properties:
        return {}

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        return {"InternetGatewayId": physical}


class VpcGatewayAttachment(Kind):
    kind = "AWS::EC2::VPCGatewayAttachment"
    service = "ec2"

    def create(self, call: Call, wanted: Properties) -> str:
        if "InternetGatewayId" not in wanted:
            raise ValueError("the sandbox attaches internet gateways only")
        self.api(call).attach_internet_gateway(VpcId=wanted["VpcId"], InternetGatewayId=wanted["InternetGatewayId"])
        return f"IGW|{wanted['VpcId']}"

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        self.delete(call, physical, old)
        self.create(call, new)

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        arguments = {"VpcId": properties["VpcId"], "InternetGatewayId": properties["InternetGatewayId"]}
        try:
            gone_is_fine(self.api(call).detach_internet_gateway, **arguments)
        except ClientError as error:
            if error.response["Error"]["Code"] != "Gateway.NotAttached":
                raise

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        mine = {"Name": "attachment.vpc-id", "Values": [expected["VpcId"]]}
        found = first(self.api(call).describe_internet_gateways(Filters=[mine])["InternetGateways"])
        return {"VpcId": expected["VpcId"], "InternetGatewayId": found["InternetGatewayId"]} if found else None

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        return {"AttachmentType": "IGW"}


class Eip(Ec2Kind):
    kind = "AWS::EC2::EIP"
    described = "describe_addresses", "PublicIps", "Addresses"

    def create(self, call: Call, wanted: Properties) -> str:
        answer = self.api(call).allocate_address(Domain="vpc", **tag_specifications("elastic-ip", wanted))
        call.made(answer["PublicIp"])
        if "InstanceId" in wanted:
            self.api(call).associate_address(AllocationId=answer["AllocationId"], InstanceId=wanted["InstanceId"])
        return answer["PublicIp"]

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        found = self.find(call, physical) or {}
        self.retag(call, found["AllocationId"], old, new)

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        found = self.find(call, physical)
        if found:
            gone_is_fine(self.api(call).release_address, AllocationId=found["AllocationId"])

    def properties_of(self, call: Call, found: dict, expected: Properties) -> Properties:
        return self.shown(found, ("Domain", "InstanceId"))

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        return {"AllocationId": (self.find(call, physical) or {})["AllocationId"], "PublicIp": physical}


class NatGateway(Ec2Kind):
    kind = "AWS::EC2::NatGateway"
    described = "describe_nat_gateways", "NatGatewayIds", "NatGateways"
    given = ("SubnetId", "AllocationId", "ConnectivityType", "PrivateIpAddress")

    def create(self, call: Call, wanted: Properties) -> str:
        ec2 = self.api(call)
        arguments = request(ec2, "create_nat_gateway", wanted, self.given)
        gateway = ec2.create_nat_gateway(**arguments, **tag_specifications("natgateway", wanted))["NatGateway"][
            "NatGatewayId"
        ]
        call.made(gateway)
        ec2.get_waiter("nat_gateway_available").wait(
            NatGatewayIds=[gateway], WaiterConfig={"Delay": 0.05, "MaxAttempts": 200}
        )
        return gateway

    def find(self, call: Call, physical: str) -> dict | None:
        found = super().find(call, physical)
        return None if found is None or found.get("State") in ("deleting", "deleted") else found

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        ec2 = self.api(call)
        if gone_is_fine(ec2.delete_nat_gateway, NatGatewayId=physical):
            # Until then it holds its address.
            ec2.get_waiter("nat_gateway_deleted").wait(
                NatGatewayIds=[physical], WaiterConfig={"Delay": 0.05, "MaxAttempts": 200}
            )

    def properties_of(self, call: Call, found: dict, expected: Properties) -> Properties:
        actual = self.shown(found, ("SubnetId", "ConnectivityType"))
        address = first(found.get("NatGatewayAddresses", [])) or {}
        return {**actual, **self.shown(address, ("AllocationId",), PrivateIpAddress="PrivateIp")}

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        return {"NatGatewayId": physical}


KINDS = (
    Vpc,
    Subnet,
    RouteTable,
    Route,
    SubnetRouteTableAssociation,
    InternetGateway,
    VpcGatewayAttachment,
    Eip,
    NatGateway,
)
