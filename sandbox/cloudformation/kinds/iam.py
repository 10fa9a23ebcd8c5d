# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""IAM: roles, policies, instance profiles."""

from __future__ import annotations

from typing import Any

from sandbox.cloudformation.kinds.base import Call
from sandbox.cloudformation.kinds.base import Kind
from sandbox.cloudformation.kinds.base import Properties
from sandbox.cloudformation.kinds.base import as_json
from sandbox.cloudformation.kinds.base import from_json
from sandbox.cloudformation.kinds.base import gone_is_fine
from sandbox.cloudformation.kinds.base import request
from sandbox.cloudformation.kinds.base import same_order
from sandbox.cloudformation.kinds.base import tag_changes
from sandbox.cloudformation.kinds.base import tag_list
from sandbox.cloudformation.kinds.base import tags_like


class Role(Kind):
    kind = "AWS::IAM::Role"
    service = "iam"

    def create(self, call: Call, wanted: Properties) -> str:
        iam = self.api(call)
        names = ("AssumeRolePolicyDocument", "Description", "MaxSessionDuration", "Path", "PermissionsBoundary", "Tags")
        arguments = request(iam, "create_role", wanted, names)
        role = wanted.get("RoleName") or call.name(64)
        iam.create_role(RoleName=role, **arguments)
        call.made(role)
        self._move(call, role, {}, wanted)
        return role

    def _move(self, call: Call, role: str, old: Properties, new: Properties) -> None:
        iam = self.api(call)
        before = {item["PolicyName"]: item["PolicyDocument"] for item in old.get("Policies") or []}
        after = {item["PolicyName"]: item["PolicyDocument"] for item in new.get("Policies") or []}
        for name in before.keys() - after.keys():
            gone_is_fine(iam.delete_role_policy, RoleName=role, PolicyName=name)
        for name, document in after.items():
            if before.get(name) != document:
                iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=as_json(document))
        attached, wanted = set(old.get("ManagedPolicyArns") or []), set(new.get("ManagedPolicyArns") or [])
        for arn in sorted(attached - wanted):
            gone_is_fine(iam.detach_role_policy, RoleName=role, PolicyArn=arn)
        for arn in sorted(wanted - attached):
            iam.attach_role_policy(RoleName=role, PolicyArn=arn)

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        iam = self.api(call)
        if old.get("AssumeRolePolicyDocument") != new["AssumeRolePolicyDocument"]:
            iam.update_assume_role_policy(RoleName=physical, PolicyDocument=as_json(new["AssumeRolePolicyDocument"]))
        defaults = {"Description": "", "MaxSessionDuration": 3600}
        if any(old.get(name, default) != new.get(name, default) for name, default in defaults.items()):
            iam.update_role(RoleName=physical, **{name: new.get(name, default) for name, default in defaults.items()})
        boundary = new.get("PermissionsBoundary")
        if old.get("PermissionsBoundary") != boundary:
            if boundary:
                iam.put_role_permissions_boundary(RoleName=physical, PermissionsBoundary=boundary)
            else:
                iam.delete_role_permissions_boundary(RoleName=physical)
        self._move(call, physical, old, new)
        setting, removing = tag_changes(old.get("Tags"), new.get("Tags"))
        if removing:
            iam.untag_role(RoleName=physical, TagKeys=removing)
        if setting:
            iam.tag_role(RoleName=physical, Tags=tag_list(setting))

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        iam = self.api(call)
        if gone_is_fine(iam.get_role, RoleName=physical) is None:
            return
        for item in iam.list_attached_role_policies(RoleName=physical)["AttachedPolicies"]:
            iam.detach_role_policy(RoleName=physical, PolicyArn=item["PolicyArn"])
        for name in iam.list_role_policies(RoleName=physical)["PolicyNames"]:
            iam.delete_role_policy(RoleName=physical, PolicyName=name)
        iam.delete_role(RoleName=physical)

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        iam = self.api(call)
        answer = gone_is_fine(iam.get_role, RoleName=physical)
        if answer is None:
            return None
        role = answer["Role"]
        actual = self.shown(role, ("RoleName", "Path", "Description", "MaxSessionDuration"))
        actual["AssumeRolePolicyDocument"] = from_json(role["AssumeRolePolicyDocument"])
        if boundary := role.get("PermissionsBoundary"):
            actual["PermissionsBoundary"] = boundary["PermissionsBoundaryArn"]
        if "Tags" in expected:
            actual["Tags"] = tags_like(iam.list_role_tags(RoleName=physical)["Tags"], expected["Tags"])
        if "ManagedPolicyArns" in expected:
            attached = iam.list_attached_role_policies(RoleName=physical)["AttachedPolicies"]
            arns = [
                item["PolicyArn"]
                for item in attached
                if item["PolicyArn"] not in self._attached_by_others(call, physical)
            ]
            actual["ManagedPolicyArns"] = same_order(arns, expected["ManagedPolicyArns"])
        if "Policies" in expected:
            actual["Policies"] = self._inline(call, physical, expected["Policies"])
        return actual

    def _inline(self, call: Call, role: str, expected: list[dict]) -> list[dict]:
        """The role's inline policies, but for those that a policy resource of the stack puts there."""
        iam = self.api(call)
        foreign = {
            item["Properties"]["PolicyName"]
            for item in call.siblings
            if item["ResourceType"] in ("AWS::IAM::Policy", "AWS::IAM::RolePolicy")
            and role in [*item["Properties"].get("Roles", []), item["Properties"].get("RoleName")]
        }
        names = [name for name in iam.list_role_policies(RoleName=role)["PolicyNames"] if name not in foreign]
        return [
            {
                "PolicyName": name,
                "PolicyDocument": from_json(iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]),
            }
            for name in same_order(names, [item["PolicyName"] for item in expected])
        ]

    def _attached_by_others(self, call: Call, role: str) -> set[str]:
        return {
            item["PhysicalResourceId"]
            for item in call.siblings
            if item["ResourceType"] == "AWS::IAM::ManagedPolicy" and role in item["Properties"].get("Roles", [])
        }

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        role = self.api(call).get_role(RoleName=physical)["Role"]
        return {"Arn": role["Arn"], "RoleId": role["RoleId"]}


class Policy(Kind):
    """An inline policy put on roles, users and groups under the same name."""

    kind = "AWS::IAM::Policy"
    service = "iam"
    holders = {"Roles": ("role", "RoleName"), "Users": ("user", "UserName"), "Groups": ("group", "GroupName")}

    def create(self, call: Call, wanted: Properties) -> str:
        physical = call.name(64)
        call.made(physical)
        self.update(call, physical, {}, wanted)
        return physical

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        iam = self.api(call)
        document = as_json(new["PolicyDocument"])
        for name, (holder, argument) in self.holders.items():
            for each in new.get(name) or []:
                put = getattr(iam, f"put_{holder}_policy")
                put(**{argument: each}, PolicyName=new["PolicyName"], PolicyDocument=document)
        if old:
            renamed = old["PolicyName"] != new["PolicyName"]
            leaving = {
                name: [each for each in old.get(name) or [] if renamed or each not in (new.get(name) or [])]
                for name in self.holders
            }
            self._take_away(call, leaving, old["PolicyName"])

    def _take_away(self, call: Call, holders: Properties, policy: str) -> None:
        for name, (holder, argument) in self.holders.items():
            for each in holders.get(name) or []:
                gone_is_fine(getattr(self.api(call), f"delete_{holder}_policy"), **{argument: each}, PolicyName=policy)

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        self._take_away(call, properties, properties["PolicyName"])

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        iam = self.api(call)
        actual: Properties = {}
        for name, (holder, argument) in self.holders.items():
            for each in expected.get(name) or []:
                get = getattr(iam, f"get_{holder}_policy")
                found = gone_is_fine(get, **{argument: each}, PolicyName=expected["PolicyName"])
                if found is None:
                    continue
                actual.setdefault(name, []).append(each)
                actual["PolicyName"] = found["PolicyName"]
                actual["PolicyDocument"] = from_json(found["PolicyDocument"], expected["PolicyDocument"])
        return actual or None

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        return {"Id": physical}


class RolePolicy(Kind):
    kind = "AWS::IAM::RolePolicy"
    service = "iam"

    def create(self, call: Call, wanted: Properties) -> str:
        self.update(call, "", {}, wanted)
        return f"{wanted['PolicyName']}|{wanted['RoleName']}"

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        document = as_json(new["PolicyDocument"])
        self.api(call).put_role_policy(RoleName=new["RoleName"], PolicyName=new["PolicyName"], PolicyDocument=document)

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        names = {"RoleName": properties["RoleName"], "PolicyName": properties["PolicyName"]}
        gone_is_fine(self.api(call).delete_role_policy, **names)

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        names = {"RoleName": expected["RoleName"], "PolicyName": expected["PolicyName"]}
        found = gone_is_fine(self.api(call).get_role_policy, **names)
        return {**names, "PolicyDocument": from_json(found["PolicyDocument"])} if found else None


class ManagedPolicy(Kind):
    kind = "AWS::IAM::ManagedPolicy"
    service = "iam"
    holders = Policy.holders
    # IAM keeps five versions of a policy.
    versions = 5

    def create(self, call: Call, wanted: Properties) -> str:
        iam = self.api(call)
        arguments = request(iam, "create_policy", wanted, ("Description", "Path", "PolicyDocument"))
        name = wanted.get("ManagedPolicyName") or call.name(128)
        arn = iam.create_policy(PolicyName=name, **arguments)["Policy"]["Arn"]
        call.made(arn)
        self._attach(call, arn, {}, wanted)
        return arn

    def _attach(self, call: Call, arn: str, old: Properties, new: Properties) -> None:
        for name, (holder, argument) in self.holders.items():
            before, after = set(old.get(name) or []), set(new.get(name) or [])
            for each in sorted(before - after):
                gone_is_fine(getattr(self.api(call), f"detach_{holder}_policy"), **{argument: each}, PolicyArn=arn)
            for each in sorted(after - before):
                getattr(self.api(call), f"attach_{holder}_policy")(**{argument: each}, PolicyArn=arn)

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        iam = self.api(call)
        if old.get("PolicyDocument") != new["PolicyDocument"]:
            versions = iam.list_policy_versions(PolicyArn=physical)["Versions"]
            spare = [item for item in versions if not item["IsDefaultVersion"]]
            if len(versions) >= self.versions:
                oldest = min(spare, key=lambda item: item["CreateDate"])
                iam.delete_policy_version(PolicyArn=physical, VersionId=oldest["VersionId"])
            iam.create_policy_version(
                PolicyArn=physical, PolicyDocument=as_json(new["PolicyDocument"]), SetAsDefault=True
            )
        self._attach(call, physical, old, new)

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        iam = self.api(call)
        if gone_is_fine(iam.get_policy, PolicyArn=physical) is None:
            return
        self._attach(call, physical, self._attached(call, physical), {})
        for item in iam.list_policy_versions(PolicyArn=physical)["Versions"]:
            if not item["IsDefaultVersion"]:
                iam.delete_policy_version(PolicyArn=physical, VersionId=item["VersionId"])
        iam.delete_policy(PolicyArn=physical)

    def _attached(self, call: Call, arn: str) -> Properties:
        found = self.api(call).list_entities_for_policy(PolicyArn=arn)
        return {
            "Roles": [item["RoleName"] for item in found["PolicyRoles"]],
            "Users": [item["UserName"] for item in found["PolicyUsers"]],
            "Groups": [item["GroupName"] for item in found["PolicyGroups"]],
        }

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        iam = self.api(call)
        answer = gone_is_fine(iam.get_policy, PolicyArn=physical)
        if answer is None:
            return None
        policy = answer["Policy"]
        actual = self.shown(policy, ("Path", "Description"), ManagedPolicyName="PolicyName")
        version = iam.get_policy_version(PolicyArn=physical, VersionId=policy["DefaultVersionId"])["PolicyVersion"]
        actual["PolicyDocument"] = from_json(version["Document"], expected["PolicyDocument"])
        if any(name in expected for name in self.holders):
            attached = self._attached(call, physical)
            actual.update({name: same_order(attached[name], expected.get(name)) for name in self.holders})
        return actual

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        policy = self.api(call).get_policy(PolicyArn=physical)["Policy"]
        return {"PolicyArn": physical, "PolicyId": policy["PolicyId"], "DefaultVersionId": policy["DefaultVersionId"]}


class InstanceProfile(Kind):
    kind = "AWS::IAM::InstanceProfile"
    service = "iam"

    def create(self, call: Call, wanted: Properties) -> str:
        iam = self.api(call)
        profile = wanted.get("InstanceProfileName") or call.name(128)
        arguments = request(iam, "create_instance_profile", wanted, ("Path", "Tags"))
        iam.create_instance_profile(InstanceProfileName=profile, **arguments)
        call.made(profile)
        for role in wanted["Roles"]:
            iam.add_role_to_instance_profile(InstanceProfileName=profile, RoleName=role)
        return profile

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        iam = self.api(call)
        if old.get("Roles") != new["Roles"]:
            for role in old.get("Roles") or []:
                gone_is_fine(iam.remove_role_from_instance_profile, InstanceProfileName=physical, RoleName=role)
            for role in new["Roles"]:
                iam.add_role_to_instance_profile(InstanceProfileName=physical, RoleName=role)
        setting, removing = tag_changes(old.get("Tags"), new.get("Tags"))
        if removing:
            iam.untag_instance_profile(InstanceProfileName=physical, TagKeys=removing)
        if setting:
            iam.tag_instance_profile(InstanceProfileName=physical, Tags=tag_list(setting))

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        iam = self.api(call)
        found = gone_is_fine(iam.get_instance_profile, InstanceProfileName=physical)
        if found is None:
            return
        for role in found["InstanceProfile"]["Roles"]:
            iam.remove_role_from_instance_profile(InstanceProfileName=physical, RoleName=role["RoleName"])
        iam.delete_instance_profile(InstanceProfileName=physical)

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        answer = gone_is_fine(self.api(call).get_instance_profile, InstanceProfileName=physical)
        if answer is None:
            return None
        profile = answer["InstanceProfile"]
        actual = self.shown(profile, ("InstanceProfileName", "Path"))
        actual["Roles"] = [role["RoleName"] for role in profile["Roles"]]
        actual["Tags"] = tags_like(profile.get("Tags"), expected.get("Tags"))
        return actual

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        return {"Arn": self.api(call).get_instance_profile(InstanceProfileName=physical)["InstanceProfile"]["Arn"]}


KINDS = (Role, Policy, RolePolicy, ManagedPolicy, InstanceProfile)
