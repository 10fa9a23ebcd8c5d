# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Instance types chosen by what they must have: the option's words and AWS's InstanceRequirements. PRIVATE to the collection.

Names are AWS's in snake case; ranges are dicts of `min` and `max`.
"""

from __future__ import annotations

import math
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain import checks
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError

# botocore model: InstanceRequirements.
RANGES = {
    "accelerator_count": "AcceleratorCount",
    "accelerator_total_memory_mib": "AcceleratorTotalMemoryMiB",
    "baseline_ebs_bandwidth_mbps": "BaselineEbsBandwidthMbps",
    "memory_mib": "MemoryMiB",
    "network_interface_count": "NetworkInterfaceCount",
    "vcpu_count": "VCpuCount",
}
FRACTIONS = {
    "memory_gib_per_vcpu": "MemoryGiBPerVCpu",
    "network_bandwidth_gbps": "NetworkBandwidthGbps",
    "total_local_storage_gb": "TotalLocalStorageGB",
}
LISTS: dict[str, tuple[str, tuple[str, ...] | None]] = {
    "accelerator_manufacturers": (
        "AcceleratorManufacturers",
        ("nvidia", "amd", "amazon-web-services", "xilinx", "habana"),
    ),
    "accelerator_names": ("AcceleratorNames", None),
    "accelerator_types": ("AcceleratorTypes", ("gpu", "fpga", "inference", "media")),
    "allowed_instance_types": ("AllowedInstanceTypes", None),
    "cpu_manufacturers": ("CpuManufacturers", ("intel", "amd", "amazon-web-services", "apple")),
    "excluded_instance_types": ("ExcludedInstanceTypes", None),
    "instance_generations": ("InstanceGenerations", ("current", "previous")),
    "local_storage_types": ("LocalStorageTypes", ("hdd", "ssd")),
}
INCLUSIONS = {
    "bare_metal": "BareMetal",
    "burstable_performance": "BurstablePerformance",
    "local_storage": "LocalStorage",
}
PERCENTAGES = {
    "max_spot_price_as_percentage_of_optimal_on_demand_price": "MaxSpotPriceAsPercentageOfOptimalOnDemandPrice",
    "on_demand_max_price_percentage_over_lowest_price": "OnDemandMaxPricePercentageOverLowestPrice",
    "spot_max_price_percentage_over_lowest_price": "SpotMaxPricePercentageOverLowestPrice",
}
SWITCHES = {"require_hibernate_support": "RequireHibernateSupport"}
EXCLUSIVE = (
    ("allowed_instance_types", "excluded_instance_types"),
    ("max_spot_price_as_percentage_of_optimal_on_demand_price", "spot_max_price_percentage_over_lowest_price"),
)
KNOWN = {*RANGES, *FRACTIONS, *LISTS, *INCLUSIONS, *PERCENTAGES, *SWITCHES}
LARGEST_LIST = 400


def check_requirements(value: Any, option: str = "instance_requirements") -> dict[str, Any]:
    """Requirements in one form: numbers as numbers, lists sorted."""
    if not isinstance(value, dict):
        raise InputError(option, value, "must be a dictionary")
    result: dict[str, Any] = {}
    for key, wanted in value.items():
        where = f"{option}.{key}"
        if key not in KNOWN:
            raise InputError(option, key, f"is not one of {', '.join(sorted(KNOWN))}")
        if wanted is not None:
            result[key] = _check(key, wanted, where)
    for key in ("vcpu_count", "memory_mib"):
        if "min" not in result.get(key, {}):
            raise InputError(f"{option}.{key}", result.get(key), "needs a min: AWS asks for one of both")
    for one, other in EXCLUSIVE:
        if one in result and other in result:
            raise InputError(option, one, f"excludes {other}")
    return result


def _check(key: str, value: Any, where: str) -> Any:
    if key in RANGES or key in FRACTIONS:
        return _check_range(value, where, whole=key in RANGES)
    if key in LISTS:
        words = value if isinstance(value, list) else [value]
        choices = LISTS[key][1]
        if not words or len(words) > LARGEST_LIST:
            raise InputError(where, len(words), f"entries: must be from 1 to {LARGEST_LIST}")
        checked = [
            checks.check_choice(word, where, choices) if choices else checks.check_text(word, where) for word in words
        ]
        return sorted(set(checked))
    if key in INCLUSIONS:
        return checks.check_choice(value, where, ("included", "excluded", "required"))
    if key in SWITCHES:
        return checks.check_boolean(value, where)
    return checks.check_integer(value, where, 0)


def _check_range(value: Any, where: str, *, whole: bool) -> dict[str, Any]:
    if not isinstance(value, dict) or not value or set(value) - {"min", "max"}:
        raise InputError(where, value, "must be a dictionary of min, max or both")
    check = checks.check_integer if whole else _check_number
    result = {end: check(value[end], f"{where}.{end}") for end in ("min", "max") if value.get(end) is not None}
    if not result or result.get("min", 0) > result.get("max", math.inf):
        raise InputError(where, value, "must have a min that is not above its max")
    return result


def _check_number(value: Any, where: str) -> float:
    try:
        number = float("nan" if isinstance(value, bool) else value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number) or number < 0:
        raise InputError(where, value, "must be a number of at least 0")
    return number


def build_requirements(requirements: dict[str, Any]) -> dict[str, Any]:
    """AWS's InstanceRequirements."""
    result: dict[str, Any] = {}
    for key, value in requirements.items():
        if key in RANGES or key in FRACTIONS:
            result[{**RANGES, **FRACTIONS}[key]] = {end.capitalize(): number for end, number in value.items()}
        elif key in LISTS:
            result[LISTS[key][0]] = value
        else:
            result[{**INCLUSIONS, **PERCENTAGES, **SWITCHES}[key]] = value
    return result


def read_requirements(described: dict[str, Any]) -> dict[str, Any]:
    """As check_requirements returns it; what this collection has no word for is left out."""
    result: dict[str, Any] = {}
    for key, field in {**RANGES, **FRACTIONS}.items():
        ends = {end.lower(): number for end, number in (described.get(field) or {}).items() if number is not None}
        if ends:
            convert = int if key in RANGES else float
            result[key] = {end: convert(ends[end]) for end in ("min", "max") if end in ends}
    for key, (field, _choices) in LISTS.items():
        if described.get(field):
            result[key] = sorted(described[field])
    for key, field in {**INCLUSIONS, **PERCENTAGES, **SWITCHES}.items():
        if described.get(field) is not None:
            result[key] = described[field]
    return result
