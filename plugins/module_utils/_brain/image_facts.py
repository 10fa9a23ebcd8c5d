# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images and the instance types that they are meant for. PRIVATE to the collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import INSTANCE_TYPE
from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import check_image_id
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_facts import check_architecture
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_template import IMAGE_PREFIX


def image_option(index: int) -> str:
    return f"launches[{index}].image"


def check_launches(launches: list[dict[str, str]]) -> None:
    """Form only, before anything is asked."""
    for index, launch in enumerate(launches):
        check_image_id(launch["image"], image_option(index))
        if not INSTANCE_TYPE.fullmatch(launch["instance_type"]):
            rule = "is not an instance type such as g5.xlarge"
            raise InputError(f"launches[{index}].instance_type", launch["instance_type"], rule)


def parameter_of(image: str) -> str | None:
    """The SSM parameter that stands for the image, if one does."""
    return image.removeprefix(IMAGE_PREFIX) if image.startswith(IMAGE_PREFIX) else None


def check_types(
    launches: list[dict[str, str]], images: dict[str, dict[str, Any]], types: list[dict[str, Any]], region: str
) -> None:
    """The region has every instance type, and it runs its image. `images` and `types` are as EC2 describes them."""
    described = {each["InstanceType"]: each for each in types}
    for index, launch in enumerate(launches):
        option, name = f"launches[{index}].instance_type", launch["instance_type"]
        if name not in described:
            raise InputError(option, name, f"does not exist in {region}")
        check_architecture(images[launch["image"]], [described[name]], option)


def view(image: dict[str, Any]) -> dict[str, Any]:
    """What a launch template needs to know: the id, and the volumes that come with it."""
    devices = [device for device in image.get("BlockDeviceMappings", []) if "Ebs" in device]
    return {
        "image_id": image["ImageId"],
        "root_device_name": image["RootDeviceName"],
        "volumes": [{"device_name": each["DeviceName"], "size": each["Ebs"]["VolumeSize"]} for each in devices],
    }
