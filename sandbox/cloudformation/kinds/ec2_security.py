# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Security groups, and rules that stand as resources of their own."""

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
from sandbox.cloudformation.kinds.base import same_order
from sandbox.cloudformation.kinds.ec2 import Ec2Kind
from sandbox.cloudformation.kinds.ec2 import tag_specifications

# What EC2 gives every new group of a VPC, and CloudFormation takes away from one whose template has egress rules.
EVERYTHING_OUT = {"IpProtocol": "-1", "CidrIp": "0.0.0.0/0"}

# Template property -> list in the API's permission, member of its elements.
PEERS = {
    "CidrIp": ("IpRanges", "CidrIp"),
    "CidrIpv6": ("Ipv6Ranges", "CidrIpv6"),
    "SourcePrefixListId": ("PrefixListIds", "PrefixListId"),
    "DestinationPrefixListId": ("PrefixListIds", "PrefixListId"),
    "SourceSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
    "DestinationSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
}
INGRESS, EGRESS = "SecurityGroupIngress", "SecurityGroupEgress"


def permission(rule: Properties) -> dict[str, Any]:
    """One rule of a template as the API's permission."""
    result: dict[str, Any] = {name: rule[name] for name in ("IpProtocol", "FromPort", "ToPort") if name in rule}
    for name, (group, member) in PEERS.items():
        if name in rule:
            described = {"Description": rule["Description"]} if rule.get("Description") else {}
            result[group] = [{member: rule[name], **described}]
    return result


def rules_of(permissions: list[dict], egress: bool) -> list[Properties]:
    """The API's permissions as rules of a template, one for each peer."""
    side = "Destination" if egress else "Source"
    names = {
        "IpRanges": ("CidrIp", "CidrIp"),
        "Ipv6Ranges": ("CidrIpv6", "CidrIpv6"),
        "PrefixListIds": (f"{side}PrefixListId", "PrefixListId"),
        "UserIdGroupPairs": (f"{side}SecurityGroupId", "GroupId"),
    }
    rules = []
    for item in permissions:
        ports = {name: item[name] for name in ("IpProtocol", "FromPort", "ToPort") if item.get(name) is not None}
        for group, (name, member) in names.items():
            for peer in item.get(group, []):
                described = {"Description": peer["Description"]} if peer.get("Description") else {}
                rules.append({**ports, name: peer[member], **described})
    return rules


def without_owner(rule: Properties) -> Properties:
    """A template's rule without what the API does not show of a rule inside the account."""
    return {
        name: value
        for name, value in rule.items()
        if name not in ("SourceSecurityGroupOwnerId", "GroupId", "GroupName")
    }


class SecurityGroup(Ec2Kind):
    kind = "AWS::EC2::SecurityGroup"
    described = "describe_security_groups", "GroupIds", "SecurityGroups"

    def create(self, call: Call, wanted: Properties) -> str:
        ec2 = self.api(call)
        group = ec2.create_security_group(
            GroupName=wanted.get("GroupName") or call.name(255),
            Description=wanted["GroupDescription"],
            **request(ec2, "create_security_group", wanted, ("VpcId",)),
            **tag_specifications("security-group", wanted),
        )["GroupId"]
        call.made(group)
        self._move(call, group, {}, wanted)
        return group

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        self._move(call, physical, old, new)
        self.retag(call, physical, old, new)

    def _move(self, call: Call, group: str, old: Properties, new: Properties) -> None:
        """From the old rules to the new ones; rules that neither names stay."""
        ec2 = self.api(call)
        operations = {
            INGRESS: (ec2.revoke_security_group_ingress, ec2.authorize_security_group_ingress, []),
            EGRESS: (ec2.revoke_security_group_egress, ec2.authorize_security_group_egress, [EVERYTHING_OUT]),
        }
        for name, (revoke, authorize, default) in operations.items():
            before = [permission(rule) for rule in old.get(name) or default]
            after = [permission(rule) for rule in new.get(name) or default]
            # Revoked first: a rule that only changes its description is a duplicate of itself.
            if leaving := [rule for rule in before if rule not in after]:
                gone_is_fine(revoke, GroupId=group, IpPermissions=leaving)
            if coming := [rule for rule in after if rule not in before]:
                authorize(GroupId=group, IpPermissions=coming)

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        gone_is_fine(self.api(call).delete_security_group, GroupId=physical)

    def properties_of(self, call: Call, found: dict, expected: Properties) -> Properties:
        # A rule that is a resource of its own belongs to that resource. Whether AWS shows it as drift of the group is not
        # documented; a stack must not be drifted as soon as it is made.
        others = [
            {**without_owner(item["Properties"]), "of": item["ResourceType"]}
            for item in call.siblings
            if item["ResourceType"] in (f"AWS::EC2::{INGRESS}", f"AWS::EC2::{EGRESS}")
            and item["Properties"].get("GroupId") == found["GroupId"]
        ]
        actual = self.shown(found, ("GroupName", "VpcId"), GroupDescription="Description")
        for name, member in ((INGRESS, "IpPermissions"), (EGRESS, "IpPermissionsEgress")):
            foreign = [
                {key: value for key, value in rule.items() if key != "of"} for rule in others if name in rule["of"]
            ]
            own = [rule for rule in rules_of(found[member], name == EGRESS) if rule not in foreign]
            actual[name] = same_order(own, [without_owner(rule) for rule in expected.get(name) or []])
        return actual

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        found = self.find(call, physical) or {}
        return {"GroupId": physical, "Id": physical, "VpcId": found.get("VpcId", "")}


class Rule(Kind):
    """A standing rule; its physical id is EC2's id of the rule."""

    service = "ec2"
    egress: bool

    def _operations(self, call: Call) -> tuple[Any, Any]:
        ec2 = self.api(call)
        if self.egress:
            return ec2.authorize_security_group_egress, ec2.revoke_security_group_egress
        return ec2.authorize_security_group_ingress, ec2.revoke_security_group_ingress

    def create(self, call: Call, wanted: Properties) -> str:
        authorize, _revoke = self._operations(call)
        answer = authorize(GroupId=wanted["GroupId"], IpPermissions=[permission(wanted)])
        return answer["SecurityGroupRules"][0]["SecurityGroupRuleId"]

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        # Only the description can change in place. EC2 would say so with UpdateSecurityGroupRuleDescriptions...
        ec2 = self.api(call)
        describe = (
            ec2.update_security_group_rule_descriptions_egress
            if self.egress
            else ec2.update_security_group_rule_descriptions_ingress
        )
        describe(GroupId=new["GroupId"], IpPermissions=[permission(new)])

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        _authorize, revoke = self._operations(call)
        gone_is_fine(revoke, GroupId=properties["GroupId"], IpPermissions=[permission(properties)])

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        try:
            found = first(
                self.api(call).describe_security_group_rules(SecurityGroupRuleIds=[physical])["SecurityGroupRules"]
            )
        except ClientError as error:
            if is_gone(error):
                return None
            raise
        if found is None:
            return None
        side = "Destination" if self.egress else "Source"
        actual = self.shown(
            found,
            ("GroupId", "IpProtocol", "FromPort", "ToPort", "Description"),
            CidrIp="CidrIpv4",
            CidrIpv6="CidrIpv6",
            **{f"{side}PrefixListId": "PrefixListId"},
        )
        if peer := found.get("ReferencedGroupInfo"):
            actual[f"{side}SecurityGroupId"] = peer["GroupId"]
        return actual

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        return {"Id": physical}


class IngressRule(Rule):
    kind = f"AWS::EC2::{INGRESS}"
    egress = False


class EgressRule(Rule):
    kind = f"AWS::EC2::{EGRESS}"
    egress = True


KINDS = (SecurityGroup, IngressRule, EgressRule)
