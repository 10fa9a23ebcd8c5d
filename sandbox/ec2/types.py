# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Instance types: what they have, where they are sold, which meet requirements. Data: moto's copy of AWS's."""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS
from moto.ec2.models.instance_types import INSTANCE_TYPES


def exists(instance_type: str) -> bool:
    return instance_type in INSTANCE_TYPES


def vcpus(instance_type: str) -> int:
    return INSTANCE_TYPES[instance_type]["VCpuInfo"]["DefaultVCpus"]


def cpu_options(instance_type: str) -> dict[str, int]:
    """What an instance has that names none."""
    cores = INSTANCE_TYPES[instance_type]["VCpuInfo"]
    return {"CoreCount": cores["DefaultCores"], "ThreadsPerCore": cores["DefaultThreadsPerCore"]}


def memory_mib(instance_type: str) -> int:
    return INSTANCE_TYPES[instance_type]["MemoryInfo"]["SizeInMiB"]


def gpus(instance_type: str) -> list[dict[str, Any]]:
    return INSTANCE_TYPES[instance_type].get("GpuInfo", {}).get("Gpus", [])


def gpu_count(instance_type: str) -> int:
    return sum(gpu["Count"] for gpu in gpus(instance_type))


def offered(region: str, instance_type: str) -> bool:
    return instance_type in _sold("region", region).get(region, frozenset())


def offered_in_zone(zone: str, instance_type: str) -> bool:
    return instance_type in sold_in_zone(zone)


def sold_in_zone(zone: str) -> frozenset[str]:
    return _sold("availability-zone", zone[:-1]).get(zone, frozenset())


@cache
def _sold(location_type: str, region: str) -> dict[str, frozenset[str]]:
    places: dict[str, set[str]] = {}
    for offer in INSTANCE_TYPE_OFFERINGS[location_type].get(region, []):
        places.setdefault(offer["Location"], set()).add(offer["InstanceType"])
    return {place: frozenset(types) for place, types in places.items()}


def matching(region: str, requirements: dict[str, Any]) -> list[str]:
    """Types sold in the region that meet an InstanceRequirements structure, by name. Empty where none does."""
    return sorted(
        name
        for name in _sold("region", region).get(region, ())
        if name in INSTANCE_TYPES and _meets(name, requirements)
    )


def _meets(name: str, requirements: dict[str, Any]) -> bool:
    data = INSTANCE_TYPES[name]
    cards = gpus(name)
    return (
        _within(vcpus(name), requirements.get("VCpuCount"))
        and _within(memory_mib(name), requirements.get("MemoryMiB"))
        and _within(gpu_count(name), requirements.get("AcceleratorCount"))
        and _within(
            sum(card["MemoryInfo"]["SizeInMiB"] * card["Count"] for card in cards),
            requirements.get("AcceleratorTotalMemoryMiB"),
        )
        and _listed([card["Name"].lower() for card in cards], requirements.get("AcceleratorNames"))
        and _listed([card["Manufacturer"].lower() for card in cards], requirements.get("AcceleratorManufacturers"))
        and _listed(["gpu"] if cards else [], requirements.get("AcceleratorTypes"))
        and _generation(data, requirements.get("InstanceGenerations"))
        and _choice(data.get("BareMetal", False), requirements.get("BareMetal", "excluded"))
        and _choice(
            data.get("BurstablePerformanceSupported", False), requirements.get("BurstablePerformance", "excluded")
        )
        and _allowed(name, requirements)
    )


def _within(value: int, bounds: dict[str, Any] | None) -> bool:
    bounds = bounds or {}
    return int(bounds.get("Min") or 0) <= value and (bounds.get("Max") is None or value <= int(bounds["Max"]))


def _listed(have: list[str], wanted: list[str] | None) -> bool:
    return not wanted or any(name in wanted for name in have)


def _generation(data: dict[str, Any], wanted: list[str] | None) -> bool:
    return not wanted or ("current" if data.get("CurrentGeneration") else "previous") in wanted


def _choice(is_so: bool, wanted: str) -> bool:
    return wanted == "included" or is_so == (wanted == "required")


def _allowed(name: str, requirements: dict[str, Any]) -> bool:
    """Sizes, families and wildcards, for example m5.8xlarge, c5*.*, m5a.*, r* (botocore model)."""
    allowed, excluded = requirements.get("AllowedInstanceTypes"), requirements.get("ExcludedInstanceTypes") or []
    return (not allowed or any(fnmatchcase(name, each) for each in allowed)) and not any(
        fnmatchcase(name, each) for each in excluded
    )
