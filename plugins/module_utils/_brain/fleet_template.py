# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet's launch template: the request, what stands, and whether both say the same. PRIVATE to the collection."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import EtherealSpotError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_efa import build_interfaces
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_efa import count_adapters
from ansible_collections.ethereal.spot.plugins.module_utils._brain.unknown import KNOWN_AFTER_APPLY
from ansible_collections.ethereal.spot.plugins.module_utils._brain.unknown import is_unknown

TAGGED_RESOURCES = ("instance", "network-interface", "volume")
# Only where no launch can turn out on-demand: that launch would fail for the tag (github-aws-runners issue 4561).
SPOT_REQUEST = "spot-instances-request"
# What EC2 adds to a description on its own.
ADDED_BY_EC2 = frozenset({"Operator"})
IMAGE_PREFIX = "resolve:ssm:"


def build_template(fleet: dict[str, Any], image: dict[str, Any] | None) -> dict[str, Any]:
    """LaunchTemplateData for a fleet; `image` is its DescribeImages entry, None while it is not known yet."""
    data: dict[str, Any] = {
        "BlockDeviceMappings": build_devices(fleet, image) if image else KNOWN_AFTER_APPLY,
        "EbsOptimized": True,
        "ImageId": fleet["image_id"],
        "MetadataOptions": {
            "HttpEndpoint": "enabled",
            "HttpProtocolIpv6": "disabled",
            "HttpPutResponseHopLimit": fleet["metadata_hop_limit"],
            "HttpTokens": "required",
            "InstanceMetadataTags": "enabled",
        },
        "Monitoring": {"Enabled": True},
        "NetworkInterfaces": build_interfaces(fleet["security_group_ids"], fleet["efa_adapters"]),
    }
    profile = fleet["iam_instance_profile"]
    if profile:
        data["IamInstanceProfile"] = {"Arn" if profile.startswith("arn:") else "Name": profile}
    if fleet["user_data"]:
        data["UserData"] = fleet["user_data"]
    if fleet["tags"]:
        tags = [{"Key": key, "Value": value} for key, value in sorted(fleet["tags"].items())]
        kinds = (*TAGGED_RESOURCES, SPOT_REQUEST) if surely_spot(fleet) else TAGGED_RESOURCES
        data["TagSpecifications"] = [{"ResourceType": kind, "Tags": tags} for kind in kinds]
    return data


def surely_spot(fleet: dict[str, Any]) -> bool:
    """Whether the fleet's split buys no on-demand instance, whatever its size."""
    return not fleet["on_demand_base"] and not fleet["on_demand_percentage_above_base"]


def build_devices(fleet: dict[str, Any], image: dict[str, Any]) -> list[dict[str, Any]]:
    """Every block device of the image, root first: each EBS volume gp3 and encrypted with the fleet's key.

    Raises InputError when the image's root is another device, is no EBS volume, or needs a larger disk.
    """
    root = image.get("RootDeviceName")
    mappings = {mapping["DeviceName"]: mapping for mapping in image.get("BlockDeviceMappings", [])}
    if fleet["root_device_name"] not in (None, root):
        rule = f"is not the root device of {image['ImageId']}, which is {root}"
        raise InputError("root_device_name", fleet["root_device_name"], rule)
    if root not in mappings or "Ebs" not in mappings[root]:
        raise InputError("ami_id", image["ImageId"], "has no EBS volume as its root device")
    smallest = mappings[root]["Ebs"].get("VolumeSize", 1)
    if fleet["disk_size"] < smallest:
        raise InputError("disk_size", fleet["disk_size"], f"is below the {smallest} GiB of {image['ImageId']}'s root")
    devices = [_root_device(fleet, root)]
    for name in sorted(set(mappings) - {root}):
        mapping = mappings[name]
        if "Ebs" in mapping:
            devices.append(_data_device(fleet, name, mapping["Ebs"]))
        else:
            devices.append({key: mapping[key] for key in ("DeviceName", "VirtualName", "NoDevice") if key in mapping})
    return devices


def _root_device(fleet: dict[str, Any], name: str) -> dict[str, Any]:
    return {
        "DeviceName": name,
        "Ebs": {
            "DeleteOnTermination": True,
            "Encrypted": True,
            "Iops": fleet["ebs_iops"],
            "KmsKeyId": fleet["kms_key_arn"],
            "Throughput": fleet["ebs_throughput"],
            "VolumeSize": fleet["disk_size"],
            "VolumeType": "gp3",
        },
    }


def _data_device(fleet: dict[str, Any], name: str, volume: dict[str, Any]) -> dict[str, Any]:
    ebs = {
        "DeleteOnTermination": True,
        "Encrypted": True,
        "KmsKeyId": fleet["kms_key_arn"],
        "VolumeSize": volume["VolumeSize"],
        "VolumeType": "gp3",
    }
    if volume.get("SnapshotId"):
        # Without it the mapping would stand for an empty volume.
        ebs["SnapshotId"] = volume["SnapshotId"]
    return {"DeviceName": name, "Ebs": ebs}


def read_template(data: dict[str, Any], root: str | None = None) -> dict[str, Any]:
    """A fleet's template options as LaunchTemplateData has them; the root volume is the first unless named."""
    volumes = [mapping for mapping in data.get("BlockDeviceMappings") or [] if mapping.get("Ebs")]
    chosen = next((volume for volume in volumes if volume["DeviceName"] == root), volumes[0] if volumes else {})
    ebs = chosen.get("Ebs", {})
    interfaces = data.get("NetworkInterfaces") or [{}]
    profile = data.get("IamInstanceProfile") or {}
    metadata = data.get("MetadataOptions") or {}
    return {
        "disk_size": ebs.get("VolumeSize"),
        "ebs_iops": ebs.get("Iops"),
        "ebs_throughput": ebs.get("Throughput"),
        "efa": bool(count_adapters(interfaces)),
        "efa_adapters": count_adapters(interfaces),
        "iam_instance_profile": profile.get("Arn") or profile.get("Name"),
        "image_id": data.get("ImageId"),
        "kms_key_arn": ebs.get("KmsKeyId"),
        "metadata_hop_limit": metadata.get("HttpPutResponseHopLimit", 1),
        "root_device_name": chosen.get("DeviceName"),
        "security_group_ids": sorted(interfaces[0].get("Groups") or data.get("SecurityGroupIds") or []),
        "spot_requests_tagged": SPOT_REQUEST in _tagged(data),
        "tags": _tagged(data).get("instance", {}),
        "user_data": data.get("UserData") or None,
    }


def _tagged(data: dict[str, Any]) -> dict[str, dict[str, str]]:
    """The tags by the kind of resource that gets them."""
    return {
        specification["ResourceType"]: {tag["Key"]: tag["Value"] for tag in specification.get("Tags", [])}
        for specification in data.get("TagSpecifications") or []
    }


def same_template(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two LaunchTemplateData ask for the same instances, whatever their order and spelling."""
    return normal(one) == normal(other)


def normal(data: dict[str, Any]) -> dict[str, Any]:
    """LaunchTemplateData in one form: nothing empty, lists in one order, user data as its bytes' digest."""
    result = {key: value for key, value in _without_empty(data).items() if key not in ADDED_BY_EC2}
    if isinstance(result.get("MetadataOptions"), dict):
        result["MetadataOptions"] = {key: value for key, value in result["MetadataOptions"].items() if key != "State"}
    if "UserData" in result:
        result["UserData"] = user_data_summary(result["UserData"])
    if isinstance(result.get("BlockDeviceMappings"), list):
        result["BlockDeviceMappings"] = {mapping["DeviceName"]: mapping for mapping in result["BlockDeviceMappings"]}
    if "TagSpecifications" in result:
        result["TagSpecifications"] = {
            item["ResourceType"]: {tag["Key"]: tag.get("Value", "") for tag in item.get("Tags", [])}
            for item in result["TagSpecifications"]
        }
    for interface in result.get("NetworkInterfaces", []):
        if "Groups" in interface:
            interface["Groups"] = sorted(interface["Groups"])
    return result


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        pairs = {key: _without_empty(item) for key, item in value.items()}
        return {key: item for key, item in pairs.items() if item not in (None, "", [], {})}
    if isinstance(value, list):
        return [_without_empty(item) for item in value]
    return value


def user_data_summary(encoded: str) -> dict[str, Any]:
    """Size and SHA-256 of user data: all that may be shown of it."""
    try:
        content = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        # Somebody else's template may carry what EC2 took as it came.
        content = encoded.encode()
    return {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}


def choose_image(
    ami_id: str | None, remembered: str | None, current_image: str | None, *, refresh: bool
) -> dict[str, str | None]:
    """Which image a fleet takes: `image_id`, `image_parameter`, and `resolve`, the parameter to read first if any.

    An image found by a parameter stays until a refresh is asked for, so that a new release of the image changes
    nothing by itself.
    """
    if ami_id is not None and is_unknown(ami_id):
        return {"image_id": KNOWN_AFTER_APPLY, "image_parameter": None, "resolve": None}
    if ami_id is not None and not ami_id.startswith(IMAGE_PREFIX):
        return {"image_id": ami_id, "image_parameter": None, "resolve": None}
    parameter = ami_id.removeprefix(IMAGE_PREFIX) if ami_id is not None else remembered
    pinned = current_image is not None and (ami_id is None or parameter == remembered)
    if pinned and not (refresh and parameter):
        return {"image_id": current_image, "image_parameter": parameter, "resolve": None}
    return {"image_id": None, "image_parameter": parameter, "resolve": parameter}


def check_resolved(parameter: str, value: str | None, option: str = "ami_id") -> str:
    """The image id that a parameter holds."""
    if not value or not value.startswith("ami-"):
        rule = "does not hold an image's id"
        if value and value.lstrip().startswith("{"):
            # ECS has a document beside a parameter for each of its members (ECS developer guide).
            rule += f": give one member of its document, such as {parameter}/image_id"
        raise InputError(option, f"{IMAGE_PREFIX}{parameter}", rule)
    return value


def in_force(group: dict[str, Any]) -> dict[str, str] | None:
    """The launch template specification of a group: `id`, `name`, `version`; None for a launch configuration."""
    policy = group.get("MixedInstancesPolicy") or {}
    specification = (policy.get("LaunchTemplate") or {}).get("LaunchTemplateSpecification")
    specification = specification or group.get("LaunchTemplate")
    if not specification:
        return None
    return {
        "id": specification.get("LaunchTemplateId", ""),
        "name": specification.get("LaunchTemplateName", ""),
        # A group without a version follows the template's default (botocore model: LaunchTemplateSpecification).
        "version": specification.get("Version") or "$Default",
    }


def need_template(group: dict[str, Any]) -> dict[str, str]:
    """As in_force; an error for a group that has none."""
    specification = in_force(group)
    if specification is None:
        raise EtherealSpotError(
            f"group {group['AutoScalingGroupName']!r} uses a launch configuration, which this module cannot manage"
        )
    return specification
