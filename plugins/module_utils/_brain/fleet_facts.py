# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the account must have for a fleet's options to be right: rules over what AWS described. PRIVATE to the collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError


def check_subnets(wanted: list[str], subnets: list[dict[str, Any]], region: str) -> tuple[str, list[str]]:
    """The one VPC of the subnets, and their zones."""
    found = {subnet["SubnetId"]: subnet for subnet in subnets}
    for subnet_id in wanted:
        if subnet_id not in found:
            raise InputError("subnet_ids", subnet_id, f"does not exist in {region}")
    vpc_id = found[wanted[0]]["VpcId"]
    for subnet_id in wanted:
        if found[subnet_id]["VpcId"] != vpc_id:
            raise InputError("subnet_ids", subnet_id, f"is in {found[subnet_id]['VpcId']}, {wanted[0]} is in {vpc_id}")
    return vpc_id, sorted({found[subnet_id]["AvailabilityZone"] for subnet_id in wanted})


def check_security_groups(wanted: list[str], groups: list[dict[str, Any]], vpc_id: str, region: str) -> None:
    """All security groups exist, in the subnets' VPC."""
    found = {group["GroupId"]: group for group in groups}
    for group_id in wanted:
        if group_id not in found:
            raise InputError("security_group_ids", group_id, f"does not exist in {region}")
        if found[group_id]["VpcId"] != vpc_id:
            raise InputError("security_group_ids", group_id, f"is in {found[group_id]['VpcId']}, expected {vpc_id}")


def check_image(image_id: str, image: dict[str, Any] | None, region: str, option: str = "ami_id") -> dict[str, Any]:
    """The image, if it exists here and can be launched."""
    if image is None:
        rule = f"does not exist in {region}; give {option} per region, or resolve:ssm: and a parameter"
        raise InputError(option, image_id, rule)
    if image.get("State", "available") != "available":
        raise InputError(option, image_id, f"is {image['State']}, must be available")
    return image


def check_architecture(image: dict[str, Any], types: list[dict[str, Any]], option: str = "instance_types") -> None:
    """Every instance type can run the image."""
    architecture = image.get("Architecture", "x86_64")
    for described in types:
        supported = described.get("ProcessorInfo", {}).get("SupportedArchitectures", [])
        if supported and architecture not in supported:
            raise InputError(
                option,
                described["InstanceType"],
                f"is {'/'.join(supported)}, image {image['ImageId']} is {architecture}",
            )


def offered_types(wanted: list[str], offerings: list[dict[str, Any]], where: str) -> tuple[list[str], list[str]]:
    """The types that can be bought there, in the order wanted, and those that cannot; an error if none is left."""
    offered = {offering["InstanceType"] for offering in offerings}
    kept = [name for name in wanted if name in offered]
    if not kept:
        raise InputError("instance_types", wanted, f"are not offered in {where}")
    return kept, [name for name in wanted if name not in offered]


def check_placement_group(name: str, groups: list[dict[str, Any]], zones: list[str], region: str) -> None:
    """The placement group exists, can be used, and spans the zones: one of a cluster stands in a single one."""
    group = next((item for item in groups if item["GroupName"] == name), None)
    if group is None:
        raise InputError("placement_group", name, f"does not exist in {region}")
    if group.get("State", "available") != "available":
        raise InputError("placement_group", name, f"is {group['State']}, must be available")
    if group.get("Strategy") == "cluster" and len(zones) > 1:
        rule = f"is a cluster, which stands in one zone: subnet_ids are in {', '.join(zones)}"
        raise InputError("placement_group", name, rule)


def check_met(requirements: dict[str, Any], types: list[str], image: dict[str, Any], region: str) -> None:
    """Some instance type can run the image and is as required."""
    if not types:
        rule = f"are met by no instance type of {region} that runs {image.get('Architecture', 'x86_64')} images"
        raise InputError("instance_requirements", sorted(requirements), rule)
