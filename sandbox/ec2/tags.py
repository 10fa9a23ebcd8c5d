# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tags: shapes, and the resource types that DescribeTags names differently from moto."""

from __future__ import annotations

from typing import Any

from moto.ec2 import utils

NEEDS = ["moto.ec2.utils.EC2_PREFIX_TO_RESOURCE"]


def tag_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def by_resource(specifications: list[dict[str, Any]] | None) -> dict[str, dict[str, str]]:
    """TagSpecifications as {resource type: {key: value}}."""
    result: dict[str, dict[str, str]] = {}
    for specification in specifications or []:
        tags = {tag["Key"]: tag.get("Value", "") for tag in specification.get("Tags", [])}
        result.setdefault(specification["ResourceType"], {}).update(tags)
    return result


def install() -> None:
    # botocore model, ResourceType; moto's spot request prefix is the model's name in the plural.
    utils.EC2_PREFIX_TO_RESOURCE.update(
        {
            "nat": "natgateway",
            "eipalloc": "elastic-ip",
            "sir": "spot-instances-request",
            "h": "dedicated-host",
            "fl": "vpc-flow-log",
            "uuid4": "reserved-instances",
        }
    )
