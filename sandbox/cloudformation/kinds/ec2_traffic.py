# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""EC2: endpoints of a VPC, and flow logs."""

from __future__ import annotations

from typing import Any

from sandbox.cloudformation.kinds.base import Call
from sandbox.cloudformation.kinds.base import Properties
from sandbox.cloudformation.kinds.base import as_json
from sandbox.cloudformation.kinds.base import from_json
from sandbox.cloudformation.kinds.base import gone_is_fine
from sandbox.cloudformation.kinds.base import request
from sandbox.cloudformation.kinds.base import same_order
from sandbox.cloudformation.kinds.ec2 import Ec2Kind
from sandbox.cloudformation.kinds.ec2 import tag_specifications


class VpcEndpoint(Ec2Kind):
    kind = "AWS::EC2::VPCEndpoint"
    described = "describe_vpc_endpoints", "VpcEndpointIds", "VpcEndpoints"
    sets = ("RouteTableIds", "SubnetIds", "SecurityGroupIds")

    def create(self, call: Call, wanted: Properties) -> str:
        ec2 = self.api(call)
        names = (
            "VpcId",
            "ServiceName",
            "VpcEndpointType",
            "PrivateDnsEnabled",
            "PolicyDocument",
            "IpAddressType",
            *self.sets,
        )
        arguments = request(ec2, "create_vpc_endpoint", wanted, names)
        return ec2.create_vpc_endpoint(**arguments, **tag_specifications("vpc-endpoint", wanted))["VpcEndpoint"][
            "VpcEndpointId"
        ]

    def find(self, call: Call, physical: str) -> dict | None:
        found = super().find(call, physical)
        return None if found is None or found.get("State", "").lower() in ("deleting", "deleted") else found

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        changes: dict[str, Any] = {}
        for name in self.sets:
            before, after = set(old.get(name) or []), set(new.get(name) or [])
            changes.update({f"Add{name}": sorted(after - before)} if after - before else {})
            changes.update({f"Remove{name}": sorted(before - after)} if before - after else {})
        if old.get("PolicyDocument") != new.get("PolicyDocument"):
            document = new.get("PolicyDocument")
            changes.update({"ResetPolicy": True} if document is None else {"PolicyDocument": as_json(document)})
        for name in ("PrivateDnsEnabled", "IpAddressType"):
            if name in new and old.get(name) != new[name]:
                changes[name] = new[name]
        if changes:
            self.api(call).modify_vpc_endpoint(VpcEndpointId=physical, **changes)
        self.retag(call, physical, old, new)

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        gone_is_fine(self.api(call).delete_vpc_endpoints, VpcEndpointIds=[physical])

    def properties_of(self, call: Call, found: dict, expected: Properties) -> Properties:
        actual = self.shown(found, ("VpcId", "ServiceName", "VpcEndpointType", "PrivateDnsEnabled", "IpAddressType"))
        actual["PolicyDocument"] = from_json(found.get("PolicyDocument"), expected.get("PolicyDocument"))
        members = {
            "RouteTableIds": found.get("RouteTableIds", []),
            "SubnetIds": found.get("SubnetIds", []),
            "SecurityGroupIds": [group["GroupId"] for group in found.get("Groups", [])],
        }
        return {**actual, **{name: same_order(value, expected.get(name)) for name, value in members.items()}}

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        found = self.find(call, physical) or {}
        return {
            "Id": physical,
            "CreationTimestamp": str(found.get("CreationTimestamp", "")),
            "NetworkInterfaceIds": found.get("NetworkInterfaceIds", []),
            "DnsEntries": [
                f"{item.get('HostedZoneId', '')}:{item.get('DnsName', '')}" for item in found.get("DnsEntries", [])
            ],
        }


class FlowLog(Ec2Kind):
    kind = "AWS::EC2::FlowLog"
    described = "describe_flow_logs", "FlowLogIds", "FlowLogs"
    given = (
        "ResourceType",
        "TrafficType",
        "LogDestinationType",
        "LogDestination",
        "LogGroupName",
        "DeliverLogsPermissionArn",
        "DeliverCrossAccountRole",
        "LogFormat",
        "MaxAggregationInterval",
    )

    def create(self, call: Call, wanted: Properties) -> str:
        ec2 = self.api(call)
        arguments = request(ec2, "create_flow_logs", wanted, self.given)
        answer = ec2.create_flow_logs(
            ResourceIds=[wanted["ResourceId"]], **arguments, **tag_specifications("vpc-flow-log", wanted)
        )
        if answer.get("Unsuccessful"):
            raise ValueError(answer["Unsuccessful"][0]["Error"]["Message"])
        return answer["FlowLogIds"][0]

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        gone_is_fine(self.api(call).delete_flow_logs, FlowLogIds=[physical])

    def properties_of(self, call: Call, found: dict, expected: Properties) -> Properties:
        actual = self.shown(found, [name for name in self.given if name != "ResourceType"], ResourceId="ResourceId")
        # The API does not show the type; the id's prefix is the type.
        prefixes = {"vpc": "VPC", "subnet": "Subnet", "eni": "NetworkInterface", "tgw": "TransitGateway"}
        return {**actual, "ResourceType": prefixes.get(found["ResourceId"].split("-")[0])}

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        return {"Id": physical}


KINDS = (VpcEndpoint, FlowLog)
