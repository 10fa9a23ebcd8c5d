# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Settings of the region: the default key for EBS; and images that carry devices of their own."""

from __future__ import annotations

from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult

from sandbox.ec2 import lookups


def default_key(backend: Any) -> str:
    """ARN of the key for volumes that name none."""
    return backend.default_kms_key_id or lookups.managed_key_arn(backend.account_id, backend.region_name)


def get_ebs_default_kms_key_id(self: Any) -> ActionResult:
    # An account that never set one is told the alias (EC2 user guide, "Amazon EBS encryption").
    return ActionResult({"KmsKeyId": self.ec2_backend.default_kms_key_id or "alias/aws/ebs"})


def modify_ebs_default_kms_key_id(self: Any) -> ActionResult:
    asked, backend = self._get_param("KmsKeyId"), self.ec2_backend
    self.error_on_dryrun()
    if lookups.key(backend.account_id, backend.region_name, asked) is None:
        raise ServiceException("InvalidParameterValue", f"The KMS key '{asked}' does not exist")
    backend.default_kms_key_id = lookups.key_arn(backend.account_id, backend.region_name, asked)
    return ActionResult({"KmsKeyId": backend.default_kms_key_id})


def reset_ebs_default_kms_key_id(self: Any) -> ActionResult:
    self.error_on_dryrun()
    self.ec2_backend.default_kms_key_id = ""
    return ActionResult({"KmsKeyId": "alias/aws/ebs"})


def register_image(self: Any) -> ActionResult:
    """RegisterImage with its devices and root device name, which moto drops."""
    name, mappings = self._get_param("Name"), self._get_param("BlockDeviceMappings", [])
    self.error_on_dryrun()
    backend = self.ec2_backend
    if any(image.name == name and image.owner_id == backend.account_id for image in backend.amis.values()):
        raise ServiceException("InvalidAMIName.Duplicate", f"AMI name {name} is already in use by AMI")
    image = backend.register_image(name, self._get_param("Description", ""))
    image.architecture = self._get_param("Architecture", "x86_64")
    image.virtualization_type = self._get_param("VirtualizationType", "hvm")
    image.root_device_name = self._get_param("RootDeviceName", image.root_device_name)
    image.root_device_type = "ebs"
    if mappings:
        image.sandbox_devices = [
            {
                "DeviceName": mapping["DeviceName"],
                "Ebs": {
                    "SnapshotId": image.ebs_snapshot.id,
                    "VolumeSize": 15,
                    "DeleteOnTermination": True,
                    "VolumeType": "gp2",
                    "Encrypted": False,
                    **mapping.get("Ebs", {}),
                },
            }
            for mapping in mappings
        ]
    return ActionResult({"ImageId": image.id})


ACTIONS = {
    "get_ebs_default_kms_key_id": get_ebs_default_kms_key_id,
    "modify_ebs_default_kms_key_id": modify_ebs_default_kms_key_id,
    "reset_ebs_default_kms_key_id": reset_ebs_default_kms_key_id,
    "register_image": register_image,
}
