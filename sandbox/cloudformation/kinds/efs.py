# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""EFS: file systems, mount targets, access points."""

from __future__ import annotations

import time
from typing import Any

from sandbox.cloudformation.kinds.base import Call
from sandbox.cloudformation.kinds.base import Kind
from sandbox.cloudformation.kinds.base import Properties
from sandbox.cloudformation.kinds.base import as_json
from sandbox.cloudformation.kinds.base import first
from sandbox.cloudformation.kinds.base import from_json
from sandbox.cloudformation.kinds.base import gone_is_fine
from sandbox.cloudformation.kinds.base import request
from sandbox.cloudformation.kinds.base import same_order
from sandbox.cloudformation.kinds.base import same_reference
from sandbox.cloudformation.kinds.base import tag_changes
from sandbox.cloudformation.kinds.base import tag_list
from sandbox.cloudformation.kinds.base import tags_like


class EfsKind(Kind):
    service = "efs"

    def wait(self, call: Call, find: Any, until: str | None) -> None:
        """Wait until the resource's life cycle state is `until`, or until it is gone."""
        for _turn in range(100):
            found = find(call)
            if (found or {}).get("LifeCycleState") == until:
                return
            time.sleep(0.02)
        raise ValueError(f"Exceeded attempts to wait: {(found or {}).get('LifeCycleState')}")

    def retag(self, call: Call, resource: str, name: str, old: Properties, new: Properties) -> None:
        setting, removing = tag_changes(old.get(name), new.get(name))
        if removing:
            self.api(call).untag_resource(ResourceId=resource, TagKeys=removing)
        if setting:
            self.api(call).tag_resource(ResourceId=resource, Tags=tag_list(setting))


class FileSystem(EfsKind):
    kind = "AWS::EFS::FileSystem"
    given = (
        "PerformanceMode",
        "Encrypted",
        "KmsKeyId",
        "ThroughputMode",
        "ProvisionedThroughputInMibps",
        "AvailabilityZoneName",
    )
    unreadable = {"BypassPolicyLockoutSafetyCheck": "an instruction to the call that sets the policy"}

    def create(self, call: Call, wanted: Properties) -> str:
        efs = self.api(call)
        arguments = request(efs, "create_file_system", wanted, self.given, Tags="FileSystemTags")
        file_system = efs.create_file_system(CreationToken=call.name(64), **arguments)["FileSystemId"]
        call.made(file_system)
        self.wait(call, lambda call: self._find(call, file_system), "available")
        self._configure(call, file_system, {}, wanted)
        self._replicate(call, file_system, {}, wanted)
        return file_system

    def _replicate(self, call: Call, file_system: str, old: Properties, new: Properties) -> None:
        """A replication cannot change: another destination takes another replication (EFS has no call to update one)."""
        efs = self.api(call)
        before, after = old.get("ReplicationConfiguration"), new.get("ReplicationConfiguration")
        if before == after:
            return
        if before:
            gone_is_fine(efs.delete_replication_configuration, SourceFileSystemId=file_system)
        if after:
            arguments = request(efs, "create_replication_configuration", after, ("Destinations",))
            efs.create_replication_configuration(SourceFileSystemId=file_system, **arguments)

    def _configure(self, call: Call, file_system: str, old: Properties, new: Properties) -> None:
        efs = self.api(call)
        if old.get("LifecyclePolicies", []) != new.get("LifecyclePolicies", []):
            policies = new.get("LifecyclePolicies", [])
            efs.put_lifecycle_configuration(FileSystemId=file_system, LifecyclePolicies=policies)
        if old.get("FileSystemPolicy") != new.get("FileSystemPolicy"):
            if "FileSystemPolicy" in new:
                bypass = request(efs, "put_file_system_policy", new, ("BypassPolicyLockoutSafetyCheck",))
                efs.put_file_system_policy(FileSystemId=file_system, Policy=as_json(new["FileSystemPolicy"]), **bypass)
            else:
                gone_is_fine(efs.delete_file_system_policy, FileSystemId=file_system)
        off = {"Status": "DISABLED"}
        if old.get("BackupPolicy", off)["Status"] != new.get("BackupPolicy", off)["Status"]:
            efs.put_backup_policy(FileSystemId=file_system, BackupPolicy=new.get("BackupPolicy", off))
        if old.get("FileSystemProtection") != new.get("FileSystemProtection") and "FileSystemProtection" in new:
            arguments = request(
                efs, "update_file_system_protection", new["FileSystemProtection"], ("ReplicationOverwriteProtection",)
            )
            efs.update_file_system_protection(FileSystemId=file_system, **arguments)

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        efs = self.api(call)
        names = ("ThroughputMode", "ProvisionedThroughputInMibps")
        if [old.get(name) for name in names] != [new.get(name) for name in names]:
            efs.update_file_system(FileSystemId=physical, **request(efs, "update_file_system", new, names))
            self.wait(call, lambda call: self._find(call, physical), "available")
        self._configure(call, physical, old, new)
        self._replicate(call, physical, old, new)
        self.retag(call, physical, "FileSystemTags", old, new)

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        gone_is_fine(self.api(call).delete_file_system, FileSystemId=physical)
        self.wait(call, lambda call: self._find(call, physical), None)

    def _find(self, call: Call, file_system: str) -> dict | None:
        answer = gone_is_fine(self.api(call).describe_file_systems, FileSystemId=file_system)
        return first(answer["FileSystems"]) if answer else None

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        efs = self.api(call)
        found = self._find(call, physical)
        if found is None:
            return None
        actual = self.shown(found, (*self.given, "FileSystemProtection"))
        if "KmsKeyId" in actual:
            actual["KmsKeyId"] = same_reference(actual["KmsKeyId"], expected.get("KmsKeyId"))
        if "LifecyclePolicies" in expected:
            policies = efs.describe_lifecycle_configuration(FileSystemId=physical)["LifecyclePolicies"]
            actual["LifecyclePolicies"] = same_order(policies, expected["LifecyclePolicies"])
        if "FileSystemPolicy" in expected:
            answer = gone_is_fine(efs.describe_file_system_policy, FileSystemId=physical)
            if answer:
                actual["FileSystemPolicy"] = as_put(
                    from_json(answer["Policy"]), from_json(expected["FileSystemPolicy"])
                )
        if "BackupPolicy" in expected:
            status = efs.describe_backup_policy(FileSystemId=physical)["BackupPolicy"]["Status"]
            actual["BackupPolicy"] = {"Status": {"ENABLING": "ENABLED", "DISABLING": "DISABLED"}.get(status, status)}
        wanted = expected.get("ReplicationConfiguration", {}).get("Destinations")
        answer = gone_is_fine(efs.describe_replication_configurations, FileSystemId=physical) if wanted else None
        if answer:
            (destination,) = answer["Replications"][0]["Destinations"]
            # The key of the copy is not told in the source's region.
            destination = {name: destination.get(name, value) for name, value in wanted[0].items()}
            actual["ReplicationConfiguration"] = {"Destinations": [destination]}
        return {**actual, "FileSystemTags": tags_like(found.get("Tags"), expected.get("FileSystemTags"))}

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        return {"Arn": (self._find(call, physical) or {})["FileSystemArn"], "FileSystemId": physical}


def as_put(policy: dict, expected: dict) -> dict:
    """A file system policy without what EFS fills in: Id, Sid and Resource (API reference, PutFileSystemPolicy)."""
    wanted = expected.get("Statement", [])
    statements = [
        {
            key: value
            for key, value in statement.items()
            if key not in ("Sid", "Resource") or number >= len(wanted) or key in wanted[number]
        }
        for number, statement in enumerate(policy.get("Statement", []))
    ]
    rest = {key: value for key, value in policy.items() if key != "Id" or "Id" in expected}
    return {**rest, "Statement": statements}


class MountTarget(EfsKind):
    kind = "AWS::EFS::MountTarget"

    def create(self, call: Call, wanted: Properties) -> str:
        efs = self.api(call)
        names = ("FileSystemId", "SubnetId", "IpAddress", "Ipv6Address", "IpAddressType", "SecurityGroups")
        target = efs.create_mount_target(**request(efs, "create_mount_target", wanted, names))["MountTargetId"]
        call.made(target)
        self.wait(call, lambda call: self._find(call, target), "available")
        return target

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        self.api(call).modify_mount_target_security_groups(MountTargetId=physical, SecurityGroups=new["SecurityGroups"])

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        gone_is_fine(self.api(call).delete_mount_target, MountTargetId=physical)
        self.wait(call, lambda call: self._find(call, physical), None)

    def _find(self, call: Call, target: str) -> dict | None:
        answer = gone_is_fine(self.api(call).describe_mount_targets, MountTargetId=target)
        return first(answer["MountTargets"]) if answer else None

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        found = self._find(call, physical)
        if found is None:
            return None
        actual = self.shown(found, ("FileSystemId", "SubnetId", "IpAddress", "Ipv6Address"))
        groups = self.api(call).describe_mount_target_security_groups(MountTargetId=physical)["SecurityGroups"]
        return {**actual, "SecurityGroups": same_order(groups, expected.get("SecurityGroups"))}

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        return {"Id": physical, "IpAddress": (self._find(call, physical) or {}).get("IpAddress", "")}


class AccessPoint(EfsKind):
    kind = "AWS::EFS::AccessPoint"

    def create(self, call: Call, wanted: Properties) -> str:
        efs = self.api(call)
        names = ("FileSystemId", "PosixUser", "RootDirectory")
        arguments = request(efs, "create_access_point", wanted, names, Tags="AccessPointTags")
        token = wanted.get("ClientToken") or call.name(64)
        point = efs.create_access_point(ClientToken=token, **arguments)["AccessPointId"]
        call.made(point)
        self.wait(call, lambda call: self._find(call, point), "available")
        return point

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        self.retag(call, physical, "AccessPointTags", old, new)

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        gone_is_fine(self.api(call).delete_access_point, AccessPointId=physical)

    def _find(self, call: Call, point: str) -> dict | None:
        answer = gone_is_fine(self.api(call).describe_access_points, AccessPointId=point)
        return first(answer["AccessPoints"]) if answer else None

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        found = self._find(call, physical)
        if found is None:
            return None
        actual = self.shown(found, ("FileSystemId", "PosixUser", "RootDirectory", "ClientToken"))
        return {**actual, "AccessPointTags": tags_like(found.get("Tags"), expected.get("AccessPointTags"))}

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        return {"Arn": (self._find(call, physical) or {})["AccessPointArn"], "AccessPointId": physical}


KINDS = (FileSystem, MountTarget, AccessPoint)
