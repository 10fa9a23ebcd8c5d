# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The public images that every region has: a few that the collection's users run, instead of moto's hundreds.

Ids are derived from region and name, so that they differ by region and stay the same from run to run.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC
from datetime import datetime
from typing import Any

from moto.ec2.models.amis import Ami
from moto.ec2.models.amis import AmiBackend

from sandbox.context import Context

NEEDS = ["moto.ec2.models.amis.AmiBackend._load_amis"]


@dataclass(frozen=True)
class Image:
    """One public image. `devices`: device name -> GiB, the root device first. `parameters`: the SSM parameters that name it."""

    name: str
    description: str
    devices: tuple[tuple[str, int], ...]
    parameters: tuple[str, ...]
    os: str = ""

    def id(self, region: str) -> str:
        return "ami-" + hashlib.sha256(f"{region}/{self.name}".encode()).hexdigest()[:17]


_ECS = "/aws/service/ecs/optimized-ami"
_AL = "/aws/service/ami-amazon-linux-latest"
_DLAMI = "/aws/service/deeplearning/ami/x86_64"
_UBUNTU = "/aws/service/canonical/ubuntu/server"

IMAGES = (
    Image(
        "al2023-ami-ecs-gpu-hvm-2023.0.20260115-kernel-6.1-x86_64-ebs",
        "Amazon Linux AMI 2023.0.20260115 x86_64 ECS HVM EBS, NVIDIA",
        (("/dev/xvda", 30),),
        (f"{_ECS}/amazon-linux-2023/gpu/recommended",),
        "Amazon Linux 2023",
    ),
    Image(
        "amzn2-ami-ecs-gpu-hvm-2.0.20260115-x86_64-ebs",
        "Amazon Linux AMI 2.0.20260115 x86_64 ECS HVM GP2, NVIDIA",
        (("/dev/xvda", 30),),
        (f"{_ECS}/amazon-linux-2/gpu/recommended",),
        "Amazon Linux 2",
    ),
    Image(
        "al2023-ami-ecs-hvm-2023.0.20260115-kernel-6.1-x86_64",
        "Amazon Linux AMI 2023.0.20260115 x86_64 ECS HVM EBS",
        (("/dev/xvda", 30),),
        (f"{_ECS}/amazon-linux-2023/recommended",),
        "Amazon Linux 2023",
    ),
    Image(
        "al2023-ami-2023.9.20260115.0-kernel-6.1-x86_64",
        "Amazon Linux 2023 AMI 2023.9.20260115.0 x86_64 HVM kernel-6.1",
        (("/dev/xvda", 8),),
        (f"{_AL}/al2023-ami-kernel-default-x86_64", f"{_AL}/al2023-ami-kernel-6.1-x86_64"),
    ),
    Image(
        # DLAMI developer guide, "Finding the ID of a DLAMI".
        "Deep Learning Base OSS Nvidia Driver GPU AMI (Ubuntu 22.04) 20260115",
        "Supported EC2 instances: G4dn, G5, G6, Gr6, P4, P4de, P5",
        (("/dev/sda1", 75),),
        (f"{_DLAMI}/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id",),
    ),
    Image(
        "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-20260115",
        "Canonical, Ubuntu, 24.04, amd64 noble image, with a data volume",
        (("/dev/sda1", 8), ("/dev/sdb", 100)),
        (f"{_UBUNTU}/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id",),
    ),
)


def install(context: Context) -> None:
    AmiBackend._load_amis = _load


def _load(backend: Any) -> None:
    for image in IMAGES:
        ami = Ami(
            backend,
            image.id(backend.region_name),
            name=image.name,
            description=image.description,
            owner_id="137112412989",
            owner_alias="amazon",
            public=True,
            virtualization_type="hvm",
            architecture="x86_64",
            creation_date=datetime(2026, 1, 15, tzinfo=UTC).replace(tzinfo=None),
            image_location=f"amazon/{image.name}",
            hypervisor="xen",
            root_device_type="ebs",
            root_device_name=image.devices[0][0],
            region_name=f"{backend.region_name}a",
            boot_mode="uefi-preferred",
        )
        snapshots = [ami.ebs_snapshot.id, *(_snapshot(backend, ami) for _turn in image.devices[1:])]
        ami.sandbox_devices = [
            {
                "DeviceName": name,
                "Ebs": {
                    "SnapshotId": snapshot,
                    "VolumeSize": size,
                    "DeleteOnTermination": True,
                    "VolumeType": "gp3",
                    "Iops": 3000,
                    "Throughput": 125,
                    "Encrypted": False,
                },
            }
            for (name, size), snapshot in zip(image.devices, snapshots, strict=True)
        ]
        backend.amis[ami.id] = ami


def _snapshot(backend: Any, ami: Ami) -> str:
    """A snapshot for a device beyond the root; moto's images bring one only."""
    volume = backend.create_volume(size=1, zone_name=f"{backend.region_name}a")
    snapshot = backend.create_snapshot(volume.id, f"Data of {ami.id}", ami.owner_id, from_ami=ami.id)
    backend.delete_volume(volume.id)
    return snapshot.id
