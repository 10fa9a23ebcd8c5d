# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Launching and terminating instances: what moto's RunInstances leaves out of a template, and the way out over time."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC
from datetime import datetime
from typing import TYPE_CHECKING
from typing import Any

from moto.ec2 import utils
from moto.ec2.models import EC2Backend
from moto.ec2.models import amis
from moto.ec2.models.iam_instance_profile import IamInstanceProfileAssociation
from moto.ec2.models.instances import Instance
from moto.ec2.models.instances import MetadataOptions
from moto.ec2.models.instances import StateReason

from sandbox.ec2 import capacity
from sandbox.ec2 import devices
from sandbox.ec2 import lookups
from sandbox.ec2 import settings
from sandbox.ec2 import tags
from sandbox.ec2 import types
from sandbox.ec2.capacity import LaunchError

if TYPE_CHECKING:
    from sandbox.context import Context
    from sandbox.ec2.spot_requests import SpotRequests

NEEDS = [
    "moto.ec2.utils.filter_dict_attribute_mapping",
    "moto.ec2.models.iam_instance_profile.IamInstanceProfileAssociation",
    "moto.ec2.models.EC2Backend.run_instances",
    "moto.ec2.models.EC2Backend._get_template_from_args",
    "moto.ec2.models.EC2Backend.modify_instance_metadata_options",
    "moto.ec2.models.amis.Ami.block_device_mappings",
    "moto.ec2.models.instances.Instance.terminate",
    "moto.ec2.models.instances.MetadataOptions",
]

# How long an instance stays in shutting-down: long enough to be seen by a client that looks at once.
SHUTDOWN_SECONDS = 0.25

SPOT_REQUEST_TYPE = "spot-instances-request"

USER_SHUTDOWN = StateReason("Client.UserInitiatedShutdown: User initiated shutdown", "Client.UserInitiatedShutdown")
SPOT_TERMINATION = StateReason(
    "Server.SpotInstanceTermination: Spot instance termination", "Server.SpotInstanceTermination"
)

# Filters of DescribeInstances that moto lacks, to the attributes behind them.
_MORE_FILTERS = {
    "instance-lifecycle": "lifecycle",
    "spot-instance-request-id": "spot_instance_request_id",
    "iam-instance-profile.arn": "iam_instance_profile.Arn",
}

_CLOSING = {
    "Server.SpotInstanceTermination": (
        "instance-terminated-no-capacity",
        "Your Spot instance was terminated because there is no Spot capacity available.",
    ),
    "Client.UserInitiatedShutdown": (
        "instance-terminated-by-user",
        "Spot Instance terminated due to user-initiated termination.",
    ),
}


class Instances:
    """The patched behaviour; one per process."""

    def __init__(self, context: Context, requests: SpotRequests) -> None:
        self._context = context
        self._requests = requests
        # Called with every instance that starts to shut down or has ended, under moto's lock.
        self.watchers: list[Callable[[Any], None]] = []
        self._run = EC2Backend.run_instances
        self._associate = IamInstanceProfileAssociation.__init__
        self._terminate = Instance.terminate

    def install(self) -> None:
        owner = self

        def run_instances(backend: Any, image_id: Any, count: int, user_data: Any, names: list[str], **options: Any):
            return owner.run(backend, image_id, count, user_data, names, options)

        def associated(association: Any, backend: Any, name: str, instance: Any, profile: Any) -> None:
            owner._associate(association, backend, name, instance, profile)
            # moto shows the association's id where EC2 shows the profile's.
            instance.iam_instance_profile = {"Arn": profile.arn, "Id": profile.id}

        IamInstanceProfileAssociation.__init__ = associated
        utils.filter_dict_attribute_mapping.update(_MORE_FILTERS)
        EC2Backend.run_instances = run_instances
        Instance.terminate = lambda instance: owner.terminate(instance, USER_SHUTDOWN)
        EC2Backend.modify_instance_metadata_options = _keeping_metadata_options(
            EC2Backend.modify_instance_metadata_options
        )
        amis.Ami.block_device_mappings = property(image_devices)

    def run(self, backend: Any, image_id: Any, count: int, user_data: Any, names: list[str], options: dict) -> Any:
        """RunInstances: request over template, capacity, quotas, volumes, tags. Raises ServiceException."""
        data = {}
        if options.get("launch_template"):
            data = backend._get_template_from_args(options["launch_template"]).data
        image = _image(backend, image_id or data.get("ImageId"))
        extra = _Extra(backend, data, options)
        tagged = _tags(data, options.pop("tags", None))
        # The role that a group launches with.
        role = options.pop("group_role", None)
        if role is None and extra.market != "spot" and SPOT_REQUEST_TYPE in tagged:
            # github-aws-runners#4561: only Auto Scaling takes such a template for on-demand instances.
            raise LaunchError(
                "InvalidParameterValue",
                f"'{SPOT_REQUEST_TYPE}' is not a valid taggable resource type for this operation.",
            )
        mappings = devices.merged(
            image.block_device_mappings, data.get("BlockDeviceMappings"), options.pop("block_device_mappings", None)
        )
        reservation = None
        for _turn in range(count):
            capacity.admit(self._context.market, backend, extra.zone, extra.instance_type, extra.market)
            made = self._run(
                backend,
                image.id,
                1,
                user_data if user_data is not None else data.get("UserData"),
                names or data.get("SecurityGroups", []),
                **extra.options(),
                block_device_mappings=[],
                tags={"instance": tagged.get("instance", {})},
            )
            if reservation is None:
                reservation = made
            else:
                made.instances[0].ami_launch_index = len(reservation.instances)
                reservation.instances.append(made.instances[0])
                del backend.reservations[made.id]
            self._finish(backend, made.instances[0], extra, mappings, tagged, role)
        return reservation

    def _finish(
        self, backend: Any, instance: Any, extra: _Extra, mappings: list[dict], tagged: dict, role: str | None
    ) -> None:
        extra.apply(instance)
        region, account = backend.region_name, backend.account_id
        mappings = [_with_key_arn(account, region, mapping) for mapping in mappings]
        volumes = devices.attach(
            backend, instance, mappings, settings.default_key(backend), backend.ebs_encryption_by_default
        )
        for volume in volumes:
            volume.add_tags(tagged.get("volume", {}))
        for interface in instance.nics.values():
            interface.add_tags(tagged.get("network-interface", {}))
        if extra.market == "spot":
            instance.lifecycle = "spot"
            instance.spot_instance_request_id = self._requests.open(
                backend, instance, tagged.get(SPOT_REQUEST_TYPE, {})
            )
        self._say(instance, "pending")
        faults = (lookups.key_fault(account, region, each.kms_key_id, role) for each in volumes if each.encrypted)
        fault = next(filter(None, faults), None)
        if fault:
            # AWS launches the instance and lets it die: the request itself succeeds.
            self.terminate(instance, StateReason(fault, fault.split(":")[0]))
        else:
            self._say(instance, "running")

    def terminate(self, instance: Any, reason: StateReason) -> Any:
        """Start the way out: shutting-down now, terminated a little later. Returns the previous state. Repeats change nothing."""
        previous = copy.copy(instance._state)
        if instance.state_code in (32, 48):
            return previous
        instance._state.name, instance._state.code = "shutting-down", 32
        instance._reason = f"User initiated ({datetime.now(UTC):%Y-%m-%d %H:%M:%S} GMT)"
        if reason.code != USER_SHUTDOWN.code:
            instance._reason = reason.code
        instance.state_reason = reason
        code, message = _CLOSING.get(reason.code, _CLOSING["Client.UserInitiatedShutdown"])
        self._requests.close(instance.ec2_backend.region_name, instance.id, code, message)
        self._say(instance, "shutting-down")
        self._watched(instance)
        self._context.schedule(SHUTDOWN_SECONDS, lambda: self._end(instance))
        return previous

    def _end(self, instance: Any) -> None:
        with self._context.moto_lock:
            reason, text = instance.state_reason, instance._reason
            self._terminate(instance)
            instance.state_reason, instance._reason = reason, text
            for address in list(instance._private_ips):
                subnet = instance.ec2_backend.get_subnet(instance._subnet_id) if instance._subnet_id else None
                if subnet and address in subnet._subnet_ips:
                    subnet.del_subnet_ip(address)
            instance._private_ips.clear()
            self._say(instance, "terminated")
            self._watched(instance)

    def _watched(self, instance: Any) -> None:
        for watcher in self.watchers:
            watcher(instance)

    def _say(self, instance: Any, state: str) -> None:
        region = instance.ec2_backend.region_name
        self._context.emit(
            region,
            "aws.ec2",
            "EC2 Instance State-change Notification",
            {"instance-id": instance.id, "state": state},
            [instance_arn(self._context.account, region, instance.id)],
        )


def _keeping_metadata_options(genuine: Callable[..., Any]) -> Callable[..., Any]:
    """What a request leaves out stays (EC2 API reference, ModifyInstanceMetadataOptions); moto takes the default for it."""
    attributes = {
        "http_tokens": "http_tokens",
        "hop_limit": "http_put_response_hop_limit",
        "http_endpoint": "http_endpoint",
        "http_protocol": "http_protocol_ipv6",
        "metadata_tags": "instance_metadata_tags",
    }

    def modify(backend: Any, instance_id: str, **given: Any) -> Any:
        before = backend.get_instance(instance_id).metadata_options
        made = genuine(backend, instance_id, **given)
        for argument, attribute in attributes.items():
            if given.get(argument) is None:
                setattr(made, attribute, getattr(before, attribute))
        return made

    return modify


def instance_arn(account: str, region: str, instance_id: str) -> str:
    return f"arn:{lookups.get_partition(region)}:ec2:{region}:{account}:instance/{instance_id}"


class _Extra:
    """What the request says, and where it is silent the template (EC2 API reference, RunInstances: the request wins)."""

    def __init__(self, backend: Any, data: dict[str, Any], options: dict[str, Any]) -> None:
        self._options = dict(options)
        default_type = options.get("is_instance_type_default") and data.get("InstanceType")
        self.instance_type = default_type or options.get("instance_type") or "m1.small"
        self.market = "spot" if _market(data, options) == "spot" else "on-demand"
        self._interfaces = _interfaces(options.get("nics") or data.get("NetworkInterfaces") or [])
        self._subnet = options.get("subnet_id") or next(
            (each["SubnetId"] for each in self._interfaces if each.get("SubnetId")), None
        )
        placement = options.get("placement") or (data.get("Placement") or {}).get("AvailabilityZone")
        if self._subnet:
            self.zone = backend.get_subnet(self._subnet).availability_zone
        else:
            self._subnet, self.zone = _default_subnet(backend, placement)
        self._groups = list(options.get("security_group_ids") or [])
        self._groups += [group for each in self._interfaces for group in each.get("Groups") or []]
        self._groups = list(dict.fromkeys(self._groups or data.get("SecurityGroupIds") or []))
        for group in self._groups:
            if backend.get_security_group_from_id(group) is None:
                raise LaunchError("InvalidGroup.NotFound", f"The security group '{group}' does not exist")
        self._metadata = {**(data.get("MetadataOptions") or {}), **(options.get("metadata_options") or {})}
        asked = options.get("monitoring_state") == "enabled"
        self._monitored = asked or (data.get("Monitoring") or {}).get("Enabled") is True
        self._ebs_optimized = bool(options.get("ebs_optimized") or data.get("EbsOptimized"))
        self._cpu_options = data.get("CpuOptions") or {}
        self._key_name = options.get("key_name") or data.get("KeyName")
        if self._key_name and self._key_name not in backend.key_pairs:
            raise LaunchError("InvalidKeyPair.NotFound", f"The key pair '{self._key_name}' does not exist")
        profile = data.get("IamInstanceProfile") or {}
        name = options.get("iam_instance_profile_name") or profile.get("Name")
        arn = options.get("iam_instance_profile_arn") or profile.get("Arn")
        self._profile = lookups.instance_profile(name, arn) if name or arn else None
        # The API's own handler associates a profile that the request names, but with the first instance only.
        self._left_to_moto = bool(options.get("iam_instance_profile_name") or options.get("iam_instance_profile_arn"))

    def options(self) -> dict[str, Any]:
        """What is handed to moto for one instance; it changes what it gets, so every instance needs its own."""
        kept = ("launch_template", "private_ip", "client_token", "disable_api_stop", "hibernation_options")
        kept += ("instance_initiated_shutdown_behavior", "ipv6_address_count", "region_name", "placement_hostid")
        return {
            **{name: self._options[name] for name in kept if name in self._options},
            "instance_type": self.instance_type,
            "is_instance_type_default": False,
            "subnet_id": self._subnet,
            "placement": self.zone,
            "nics": [{k: v for k, v in each.items() if k != "Groups"} for each in copy.deepcopy(self._interfaces)],
            "associate_public_ip": self._options.get("associate_public_ip"),
            "security_group_ids": list(self._groups),
            "key_name": self._key_name,
            "ebs_optimized": self._ebs_optimized,
            "monitoring_state": "enabled" if self._monitored else "disabled",
            "metadata_options": self._metadata,
        }

    def apply(self, instance: Any) -> None:
        instance.state_reason = None
        instance.metadata_options = MetadataOptions(self._metadata)
        instance.cpu_options = {**types.cpu_options(self.instance_type), **self._cpu_options}
        if self._profile and not (self._left_to_moto and instance.ami_launch_index == 0):
            instance.ec2_backend.associate_iam_instance_profile(
                instance_id=instance.id, iam_instance_profile_arn=self._profile.arn
            )
        kept = {int(each["DeviceIndex"]) for each in self._interfaces if each.get("DeleteOnTermination") is False}
        for index, interface in instance.nics.items():
            interface.delete_on_termination = index not in kept


def _market(data: dict[str, Any], options: dict[str, Any]) -> str | None:
    asked = options.get("instance_market_options")
    if isinstance(asked, dict):
        asked = asked.get("MarketType")
    return asked or (data.get("InstanceMarketOptions") or {}).get("MarketType")


def _interfaces(specifications: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"DeviceIndex": index, **dict(each)} for index, each in enumerate(specifications)]


def _default_subnet(backend: Any, zone: str | None) -> tuple[str | None, str]:
    """EC2 puts an instance without a subnet into the default VPC, in a zone of its choice."""
    subnets = backend.get_default_subnets()
    if not subnets:
        raise LaunchError("MissingInput", "No subnets found for the default VPC. Please specify a subnet.")
    chosen = zone or sorted(subnets)[0]
    if chosen not in subnets:
        raise LaunchError("InvalidInput", f"No default subnet for availability zone: '{chosen}'.")
    return subnets[chosen].id, chosen


def _image(backend: Any, image_id: str | None) -> Any:
    if not image_id:
        raise LaunchError("MissingParameter", "The request must contain the parameter ImageId")
    image = backend.amis.get(lookups.image_id(backend.account_id, backend.region_name, image_id))
    if image is None:
        raise LaunchError("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist")
    return image


def image_devices(image: Any) -> list[dict[str, Any]]:
    """moto's images have one 15 GiB magnetic root that outlives its instance; AWS's are like this."""
    return getattr(image, "sandbox_devices", None) or [
        {
            "DeviceName": image.root_device_name,
            "Ebs": {
                "SnapshotId": image.ebs_snapshot.id,
                "VolumeSize": 15,
                "DeleteOnTermination": True,
                "VolumeType": "gp2",
                "Encrypted": False,
            },
        }
    ]


def _tags(data: dict[str, Any], asked: dict[str, dict[str, str]] | None) -> dict[str, dict[str, str]]:
    """Tags by resource type: the request's over the template's."""
    result = tags.by_resource(data.get("TagSpecifications"))
    for resource_type, values in (asked or {}).items():
        result[resource_type] = {**result.get(resource_type, {}), **values}
    return result


def _with_key_arn(account: str, region: str, mapping: dict[str, Any]) -> dict[str, Any]:
    key_id = mapping["Ebs"].get("KmsKeyId")
    if not key_id:
        return mapping
    return {**mapping, "Ebs": {**mapping["Ebs"], "KmsKeyId": lookups.key_arn(account, region, key_id)}}
