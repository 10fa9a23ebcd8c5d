# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls to EC2 about what instances need and are, one each. PRIVATE to the collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError
from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import translated

# DescribeInstanceTypes and filters take this many values (botocore model; EC2 API reference).
BATCH = 100
IMAGE_GONE = frozenset({"InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"})


def describe_image(client: Any, image_id: str) -> dict[str, Any] | None:
    """The image; None if the region has none of that id that we may use."""
    try:
        images = _describe_image(client, image_id)
    except AwsError as error:
        if error.code in IMAGE_GONE:
            return None
        raise
    return images[0] if images else None


@translated("describe the image")
def _describe_image(client: Any, image_id: str) -> list[dict[str, Any]]:
    return client.describe_images(ImageIds=[image_id])["Images"]


@translated("describe subnets")
def describe_subnets(client: Any, subnet_ids: list[str]) -> list[dict[str, Any]]:
    """Those that exist."""
    return _filtered(client, "describe_subnets", "Subnets", {"subnet-id": subnet_ids})


@translated("describe security groups")
def describe_security_groups(client: Any, group_ids: list[str]) -> list[dict[str, Any]]:
    """Those that exist."""
    return _filtered(client, "describe_security_groups", "SecurityGroups", {"group-id": group_ids})


@translated("describe default security groups")
def describe_default_groups(client: Any, vpc_ids: list[str]) -> list[dict[str, Any]]:
    """Those of these VPCs."""
    filters = {"vpc-id": vpc_ids, "group-name": ["default"]}
    return _filtered(client, "describe_security_groups", "SecurityGroups", filters)


@translated("describe route tables")
def describe_route_tables(client: Any, vpc_id: str) -> list[dict[str, Any]]:
    """All of a VPC."""
    return _filtered(client, "describe_route_tables", "RouteTables", {"vpc-id": [vpc_id]})


@translated("describe the VPC's attribute")
def vpc_switch(client: Any, vpc_id: str, name: str) -> bool:
    """Whether an attribute of the VPC is on: enableDnsSupport or enableDnsHostnames."""
    answer = client.describe_vpc_attribute(VpcId=vpc_id, Attribute=name)
    return answer[name[0].upper() + name[1:]]["Value"]


@translated("describe the endpoint services")
def describe_endpoint_services(client: Any, names: list[str], region: str) -> list[dict[str, Any]]:
    """Those services, named without the region's prefix; an error of EC2's if the region lacks one. All are asked for at once."""
    # The operation has a token but no paginator (botocore model); this many names are answered on one page.
    services = [f"com.amazonaws.{region}.{name}" for name in names]
    return client.describe_vpc_endpoint_services(ServiceNames=services)["ServiceDetails"]


@translated("describe instance types")
def describe_instance_types(client: Any, names: list[str]) -> list[dict[str, Any]]:
    """Those that the region has."""
    return _filtered(client, "describe_instance_types", "InstanceTypes", {"instance-type": names})


@translated("describe where instance types are offered")
def describe_offerings(client: Any, names: list[str], zones: list[str]) -> list[dict[str, Any]]:
    """Offerings of the types in these zones; without zones, in the region."""
    filters = {"instance-type": names, **({"location": zones} if zones else {})}
    kind = "availability-zone" if zones else "region"
    return _filtered(client, "describe_instance_type_offerings", "InstanceTypeOfferings", filters, LocationType=kind)


@translated("find the instance types that meet the requirements")
def types_meeting(client: Any, requirements: dict[str, Any], architecture: str) -> list[str]:
    """Types of the region that run images of that architecture and are as required; the virtualization is always hvm."""
    pages = client.get_paginator("get_instance_types_from_instance_requirements").paginate(
        ArchitectureTypes=[architecture], VirtualizationTypes=["hvm"], InstanceRequirements=requirements
    )
    return [item["InstanceType"] for item in pages.build_full_result()["InstanceTypes"]]


@translated("describe the placement group")
def describe_placement_groups(client: Any, name: str) -> list[dict[str, Any]]:
    """The group of that name; none if there is none."""
    filters = [{"Name": "group-name", "Values": [name]}]
    return client.describe_placement_groups(Filters=filters)["PlacementGroups"]


@translated("describe the capacity reservations")
def describe_reservations(client: Any, reservation_ids: list[str]) -> list[dict[str, Any]]:
    """Those that exist, own and shared ones; a filter has no id, and an id that is missing is an error."""
    pages = client.get_paginator("describe_capacity_reservations").paginate()
    found = pages.build_full_result()["CapacityReservations"]
    return [item for item in found if item["CapacityReservationId"] in reservation_ids]


@translated("describe instances")
def describe_instances(client: Any, instance_ids: list[str]) -> list[dict[str, Any]]:
    """Those that exist still: EC2 forgets terminated instances after about an hour."""
    found = []
    for start in range(0, len(instance_ids), BATCH):
        filters = {"instance-id": instance_ids[start : start + BATCH]}
        for reservation in _filtered(client, "describe_instances", "Reservations", filters):
            found.extend(reservation["Instances"])
    return found


@translated("describe the instances' volumes")
def describe_volumes(client: Any, instance_ids: list[str]) -> list[dict[str, Any]]:
    """All volumes that are attached to the instances."""
    found = []
    for start in range(0, len(instance_ids), BATCH):
        filters = {"attachment.instance-id": instance_ids[start : start + BATCH]}
        found.extend(_filtered(client, "describe_volumes", "Volumes", filters))
    return found


@translated("tag the launch template")
def create_tags(client: Any, resource_id: str, tags: dict[str, str]) -> None:
    client.create_tags(
        Resources=[resource_id], Tags=[{"Key": key, "Value": value} for key, value in sorted(tags.items())]
    )


@translated("remove tags of the launch template")
def delete_tags(client: Any, resource_id: str, keys: list[str]) -> None:
    client.delete_tags(Resources=[resource_id], Tags=[{"Key": key} for key in sorted(keys)])


def _filtered(client: Any, operation: str, key: str, filters: dict[str, list[str]], **extra: Any) -> list[Any]:
    arguments = {**extra, "Filters": [{"Name": name, "Values": values} for name, values in filters.items()]}
    return client.get_paginator(operation).paginate(**arguments).build_full_result()[key]
