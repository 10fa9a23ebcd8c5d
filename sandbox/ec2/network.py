# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Network resources that are in use cannot be deleted, and what was deleted is gone."""

from __future__ import annotations

import json
from typing import Any

from moto.core.exceptions import ServiceException
from moto.ec2.exceptions import DependencyViolationError
from moto.ec2.models import EC2Backend
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ec2.responses import EC2Response

NEEDS = [
    "moto.ec2.models.EC2Backend.delete_subnet",
    "moto.ec2.models.EC2Backend.delete_security_group",
    "moto.ec2.models.EC2Backend.delete_vpc",
    "moto.ec2.models.EC2Backend.detach_internet_gateway",
    "moto.ec2.models.EC2Backend.create_vpc_endpoint",
    "moto.ec2.responses.EC2Response.modify_vpc_endpoint",
    "moto.ec2.models.EC2Backend.delete_vpc_endpoints",
    "moto.ec2.models.EC2Backend.delete_network_interface",
]

_same_rule = SecurityGroupRule.__eq__
_delete_subnet = EC2Backend.delete_subnet
_delete_security_group = EC2Backend.delete_security_group
_delete_vpc = EC2Backend.delete_vpc
_detach_internet_gateway = EC2Backend.detach_internet_gateway
_create_vpc_endpoint = EC2Backend.create_vpc_endpoint
_modify_vpc_endpoint = EC2Response.modify_vpc_endpoint
_delete_vpc_endpoints = EC2Backend.delete_vpc_endpoints
_delete_network_interface = EC2Backend.delete_network_interface


def delete_subnet(self: Any, subnet_id: str) -> Any:
    self.get_subnet(subnet_id)
    nat = any(
        each.subnet_id == subnet_id and each.state not in ("deleted", "failed") for each in self.nat_gateways.values()
    )
    if nat or any(each.subnet.id == subnet_id for each in self.enis.values()):
        raise DependencyViolationError(f"The subnet '{subnet_id}' has dependencies and cannot be deleted.")
    return _delete_subnet(self, subnet_id)


def delete_security_group(self: Any, name: str | None = None, group_id: str | None = None) -> Any:
    group = self.get_security_group_from_id(group_id) if group_id else None
    if group is not None:
        used = any(group.id in [each.id for each in interface.group_set] for interface in self.enis.values())
        if used or _referred_to(self, group):
            raise DependencyViolationError(f"resource {group.id} has a dependent object")
        if group.name == "default" and not getattr(self, "sandbox_deleting_vpc", False):
            raise ServiceException(
                "CannotDelete", 'the specified group: "' + group.id + '" name: "default" cannot be deleted by a user'
            )
    return _delete_security_group(self, name, group_id)


def _referred_to(backend: Any, group: Any) -> bool:
    for other in (each for groups in backend.groups.values() for each in groups.values()):
        if other.id == group.id:
            continue
        for rule in [*other.ingress_rules, *other.egress_rules]:
            if (rule.source_group or {}).get("GroupId") == group.id:
                return True
    return False


def delete_vpc(self: Any, vpc_id: str) -> Any:
    self.get_vpc(vpc_id)
    own = [each for each in self.groups.get(vpc_id, {}).values() if each.name != "default"]
    gateways = [each for each in self.internet_gateways.values() if each.vpc and each.vpc.id == vpc_id]
    endpoints = [each for each in self.vpc_end_points.values() if each.vpc_id == vpc_id]
    if own or gateways or endpoints:
        raise DependencyViolationError(f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")
    self.sandbox_deleting_vpc = True
    try:
        return _delete_vpc(self, vpc_id)
    finally:
        self.sandbox_deleting_vpc = False


def detach_internet_gateway(self: Any, internet_gateway_id: str, vpc_id: str) -> None:
    """EC2 refuses while an address in the VPC is mapped to a public one (EC2 API reference, DetachInternetGateway)."""
    gateway = self.get_internet_gateway(internet_gateway_id)
    if gateway.vpc and gateway.vpc.id == vpc_id:
        for interface in self.enis.values():
            if interface.subnet.vpc_id == vpc_id and interface.public_ip:
                raise DependencyViolationError(
                    f"Network {vpc_id} has some mapped public address(es). Please unmap those public address(es) before "
                    "detaching the gateway."
                )
    return _detach_internet_gateway(self, internet_gateway_id, vpc_id)


def delete_vpc_endpoints(self: Any, vpce_ids: list[str] | None = None) -> Any:
    """What was deleted is gone: moto keeps it describable, and fails when it is deleted again."""
    known = [each for each in vpce_ids or [] if each in self.vpc_end_points]
    for endpoint_id in known:
        endpoint = self.vpc_end_points[endpoint_id]
        endpoint.vpc_endpoint_type = endpoint.vpc_endpoint_type or "Gateway"
    result = _delete_vpc_endpoints(self, known)
    for endpoint_id in known:
        del self.vpc_end_points[endpoint_id]
        self.tags.pop(endpoint_id, None)
    return result


def create_vpc_endpoint(self: Any, *arguments: Any, **named: Any) -> Any:
    """Private DNS is for interface endpoints; moto says that gateway endpoints have it."""
    endpoint = _create_vpc_endpoint(self, *arguments, **named)
    if endpoint.vpc_endpoint_type in (None, "Gateway"):
        endpoint.private_dns_enabled = False
    return endpoint


def modify_vpc_endpoint(self: Any) -> Any:
    """moto takes neither PrivateDnsEnabled nor ResetPolicy."""
    answer = _modify_vpc_endpoint(self)
    endpoint = self.ec2_backend.vpc_end_points[self._get_param("VpcEndpointId")]
    private = self._get_param("PrivateDnsEnabled")
    if private is not None:
        endpoint.private_dns_enabled = str(private).lower() == "true"
    if str(self._get_param("ResetPolicy")).lower() == "true":
        endpoint.policy_document = json.dumps(
            {
                "Version": "2008-10-17",
                "Statement": [{"Action": "*", "Effect": "Allow", "Principal": "*", "Resource": "*"}],
            }
        )
    return answer


def delete_network_interface(self: Any, eni_id: str) -> Any:
    interface = self.enis.get(eni_id)
    if interface is not None and interface.instance is not None and interface.instance.state_code in (0, 16, 64, 80):
        raise ServiceException("InvalidNetworkInterface.InUse", f"Network interface '{eni_id}' is currently in use.")
    return _delete_network_interface(self, eni_id)


def rule_description(self: Any) -> str | None:
    """moto shows the description of a rule for addresses only."""
    return self.ip_range.get("Description") or self.source_group.get("Description")


def same_rule(self: Any, other: Any) -> bool:
    """A rule's description is no part of what it allows: EC2 finds a rule without it, and refuses a second one that differs in it."""
    mine, theirs = self.source_group, other.source_group
    self.source_group, other.source_group = _undescribed(mine), _undescribed(theirs)
    try:
        return _same_rule(self, other)
    finally:
        self.source_group, other.source_group = mine, theirs


def _undescribed(group: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in group.items() if name != "Description"}


def install() -> None:
    EC2Response.modify_vpc_endpoint = modify_vpc_endpoint
    SecurityGroupRule.description = property(rule_description)
    SecurityGroupRule.__eq__ = same_rule
    for function in (
        delete_subnet,
        delete_security_group,
        delete_vpc,
        detach_internet_gateway,
        create_vpc_endpoint,
        delete_vpc_endpoints,
        delete_network_interface,
    ):
        setattr(EC2Backend, function.__name__, function)
