# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""EFS: its subnets and groups are moto's, mount targets have interfaces, tag calls that AWS deprecated work, and replication goes on."""

from __future__ import annotations

import json
import re
from typing import Any

from ministack import app as ministack
from ministack.core import responses
from ministack.services import ec2
from ministack.services import efs
from moto.ec2.models import ec2_backends

from sandbox.context import Context

NEEDS = [
    "ministack.services.ec2._subnets",
    "ministack.services.ec2._security_groups",
    "ministack.services.ec2._ensure_defaults_initialized",
    "ministack.services.efs._create_mount_target",
    "ministack.services.efs._delete_mount_target",
    "ministack.services.efs._modify_mount_target_security_groups",
    "ministack.services.efs._mount_targets",
    "ministack.services.efs._describe_replication_configurations",
    "ministack.services.efs._replication_configs",
    "ministack.services.efs._now_iso",
    "ministack.services.efs._list_tags_for_resource",
    "ministack.services.efs._tag_resource",
    "ministack.services.efs._untag_resource",
    "ministack.services.efs.handle_request",
    "moto.ec2.models.EC2Backend.create_network_interface",
    "moto.ec2.models.EC2Backend.delete_network_interface",
]

# CreateTags, DeleteTags, DescribeTags: deprecated, still called by community.aws.efs (botocore model, `deprecated`).
_TAGS = re.compile(r"/2015-02-01/(tags|create-tags|delete-tags)/([^/]+)/?")


def install(context: Context) -> None:
    ec2._subnets = _Subnets(context)
    ec2._security_groups = _SecurityGroups(context)
    ec2._ensure_defaults_initialized = lambda: None
    _Interfaces(context).install()
    _go_on_replicating()
    serve = efs.handle_request

    async def handle(method: str, path: str, headers: dict, body: bytes, query: dict) -> Any:
        found = _TAGS.fullmatch(path)
        if not found:
            return await serve(method, path, headers, body, query)
        if found[1] == "tags":
            return efs._list_tags_for_resource(found[2])
        document = json.loads(body or b"{}")
        if found[1] == "create-tags":
            reply = efs._tag_resource(found[2], document)
        else:
            reply = efs._untag_resource(found[2], document.get("TagKeys", []))
        return (204, reply[1], b"") if reply[0] < 300 else reply

    ministack.SERVICE_HANDLERS["elasticfilesystem"] = handle


def _go_on_replicating() -> None:
    """Whoever looks finds the copy complete up to now: the time moves as long as the replication is enabled (botocore model)."""
    describe = efs._describe_replication_configurations

    def describe_replications(query: dict) -> Any:
        for _key, configuration in efs._replication_configs.all_items():
            for destination in configuration["Destinations"]:
                if destination["Status"] == "ENABLED":
                    destination["LastReplicatedTimestamp"] = efs._now_iso()
        return describe(query)

    efs._describe_replication_configurations = describe_replications


def _backend() -> Any:
    return ec2_backends[responses.get_account_id()][responses.get_region()]


class _Moto(dict):
    """A store of ministack's EC2, which other services look things up in, answered from moto; writes go nowhere."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._lock = context.moto_lock

    def _all(self) -> dict[str, dict[str, Any]]:
        raise NotImplementedError

    def get(self, key: str, default: Any = None) -> Any:
        with self._lock:
            return self._all().get(key, default)

    def __getitem__(self, key: str) -> Any:
        with self._lock:
            return self._all()[key]

    def __contains__(self, key: object) -> bool:
        with self._lock:
            return key in self._all()

    def values(self) -> Any:
        with self._lock:
            return list(self._all().values())

    def items(self) -> Any:
        with self._lock:
            return list(self._all().items())


class _Subnets(_Moto):
    def _all(self) -> dict[str, dict[str, Any]]:
        return {
            subnet.id: {
                "SubnetId": subnet.id,
                "CidrBlock": subnet.cidr_block,
                "AvailabilityZone": subnet.availability_zone,
                "AvailabilityZoneId": subnet._availability_zone.zone_id,
                "VpcId": subnet.vpc_id,
                "State": "available",
                "Ipv6CidrBlockAssociationSet": [],
            }
            for subnets in _backend().subnets.values()
            for subnet in subnets.values()
        }


class _SecurityGroups(_Moto):
    def _all(self) -> dict[str, dict[str, Any]]:
        return {
            group.id: {"GroupId": group.id, "GroupName": group.name, "VpcId": group.vpc_id}
            for groups in _backend().groups.values()
            for group in groups.values()
        }


class _Interfaces:
    """A mount target's network interface: while it exists, its subnet and security groups cannot be deleted."""

    def __init__(self, context: Context) -> None:
        self._lock = context.moto_lock

    def install(self) -> None:
        create, delete = efs._create_mount_target, efs._delete_mount_target
        modify = efs._modify_mount_target_security_groups

        def create_mount_target(body: dict) -> Any:
            reply = create(body)
            if reply[0] == 200:
                self._attach(efs._mount_targets[json.loads(reply[2])["MountTargetId"]], reply)
            return self._with_interface(reply)

        def delete_mount_target(target_id: str) -> Any:
            target = efs._mount_targets.get(target_id)
            reply = delete(target_id)
            if target is not None and reply[0] < 300:
                with self._lock:
                    _backend().enis.pop(target["NetworkInterfaceId"], None)
            return reply

        def modify_security_groups(target_id: str, body: dict) -> Any:
            reply = modify(target_id, body)
            target = efs._mount_targets.get(target_id)
            if target is not None and reply[0] < 300:
                with self._lock:
                    interface = _backend().enis.get(target["NetworkInterfaceId"])
                    groups = [_backend().get_security_group_from_id(group) for group in target["SecurityGroups"]]
                    if interface is not None:
                        interface._group_set = [group for group in groups if group is not None]
            return reply

        efs._create_mount_target = create_mount_target
        efs._delete_mount_target = delete_mount_target
        efs._modify_mount_target_security_groups = modify_security_groups

    def _attach(self, target: dict, reply: Any) -> None:
        with self._lock:
            backend = _backend()
            interface = backend.create_network_interface(
                backend.get_subnet(target["SubnetId"]),
                target.get("IpAddress"),
                group_ids=target["SecurityGroups"],
                description=f"EFS mount target for {target['FileSystemId']} ({target['MountTargetId']})",
            )
        target["NetworkInterfaceId"] = interface.id

    def _with_interface(self, reply: Any) -> Any:
        if reply[0] != 200:
            return reply
        document = json.loads(reply[2])
        document["NetworkInterfaceId"] = efs._mount_targets[document["MountTargetId"]]["NetworkInterfaceId"]
        return reply[0], reply[1], json.dumps(document).encode()
