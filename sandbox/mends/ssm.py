# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Systems Manager: the public parameters that name the seeded images."""

from __future__ import annotations

import json
from typing import Any

from ministack.core import responses
from ministack.services import ssm

from sandbox.context import Context
from sandbox.mends.images import IMAGES
from sandbox.mends.images import Image

NEEDS = ["ministack.services.ssm._public_parameter"]

_PUBLISHED = 1768435200.0


def install(context: Context) -> None:
    ssm._public_parameter = _parameter


def _parameter(name: str) -> dict[str, Any] | None:
    region = responses.get_region()
    value = _values(region).get(name)
    if value is None:
        return None
    return {
        "Name": name,
        "Type": "String",
        "Value": value,
        "Version": 1,
        "LastModifiedDate": _PUBLISHED,
        "ARN": f"arn:aws:ssm:{region}::parameter{name}",
        "DataType": "aws:ec2:image" if value.startswith("ami-") else "text",
    }


def _values(region: str) -> dict[str, str]:
    """Parameter name -> value. An ECS parameter is a JSON document, with its members as parameters below it (ECS developer
    guide, "Retrieving Amazon ECS-optimized Linux AMI metadata")."""
    values = {}
    for image in IMAGES:
        for name in image.parameters:
            if image.os:
                members = _ecs(image, region)
                values[name] = json.dumps(members)
                values.update({f"{name}/{member}": str(value) for member, value in members.items()})
            else:
                values[name] = image.id(region)
    return values


def _ecs(image: Image, region: str) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "image_name": image.name,
        "image_id": image.id(region),
        "os": image.os,
        "ecs_runtime_version": "Docker version 25.0.13",
        "ecs_agent_version": "1.101.0",
        "source_image_name": "al2023-ami-minimal-2023.9.20260115.0-kernel-6.1-x86_64",
    }
