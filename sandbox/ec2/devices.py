# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which volumes an instance gets: the image's own devices, overridden by name by the template's and the request's."""

from __future__ import annotations

from typing import Any

Mapping = dict[str, Any]

# botocore model, EbsBlockDevice: gp3 has these without being asked.
GP3_IOPS, GP3_THROUGHPUT = 3000, 125


def merged(*layers: list[Mapping] | None) -> list[Mapping]:
    """Device mappings, later layers over earlier ones by DeviceName; what a layer leaves out of Ebs stays as it was.

    An entry with NoDevice removes the device (botocore model, BlockDeviceMapping).
    """
    devices: dict[str, Mapping] = {}
    for layer in layers:
        for entry in layer or []:
            name = entry["DeviceName"]
            if entry.get("NoDevice") is not None:
                devices.pop(name, None)
                continue
            base, given = devices.get(name, {}).get("Ebs", {}), _present(entry.get("Ebs"))
            if given.get("VolumeType", base.get("VolumeType")) != base.get("VolumeType"):
                # What the image says of speed is meant for its own volume type.
                base = {key: value for key, value in base.items() if key not in ("Iops", "Throughput")}
            ebs = {**base, **given}
            devices[name] = {"DeviceName": name, "Ebs": ebs}
    return list(devices.values())


def _present(ebs: Mapping | None) -> Mapping:
    return {key: value for key, value in dict(ebs or {}).items() if value is not None}


def attach(backend: Any, instance: Any, mappings: list[Mapping], default_key: str, encrypt: bool) -> list[Any]:
    """Create and attach the volumes; returns them. ``encrypt`` is the region's encryption by default."""
    volumes = []
    for mapping in mappings:
        ebs = mapping["Ebs"]
        encrypted = encrypt or ebs.get("Encrypted") is True
        kind = ebs.get("VolumeType") or "gp2"
        volume = backend.create_volume(
            size=ebs.get("VolumeSize"),
            zone_name=instance.placement.zone,
            snapshot_id=ebs.get("SnapshotId"),
            encrypted=encrypted,
            kms_key_id=(ebs.get("KmsKeyId") or default_key) if encrypted else None,
            volume_type=kind,
            iops=ebs.get("Iops") or (GP3_IOPS if kind == "gp3" else None),
            throughput=ebs.get("Throughput") or (GP3_THROUGHPUT if kind == "gp3" else None),
        )
        backend.attach_volume(volume.id, instance.id, mapping["DeviceName"], ebs.get("DeleteOnTermination", True))
        volumes.append(volume)
    return volumes
