# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a fleet buys and how it chooses: types, weights, requirements, strategies, price. PRIVATE to the collection."""

from __future__ import annotations

import re
from decimal import Decimal
from decimal import InvalidOperation
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain import checks
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_requirements import build_requirements
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_requirements import check_requirements
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_requirements import read_requirements

LOWEST_PRICE = "lowest-price"
PRIORITIZED = "prioritized"
SPOT_PRIORITIZED = "capacity-optimized-prioritized"
SPOT_STRATEGIES = (
    "price-capacity-optimized",
    "capacity-optimized",
    SPOT_PRIORITIZED,
    LOWEST_PRICE,
)
ON_DEMAND_STRATEGIES = (PRIORITIZED, LOWEST_PRICE)
# botocore model: InstancesDistribution, LaunchTemplateOverrides.
POOLS = (1, 20)
AWS_POOLS = 2
WEIGHTS = (1, 999)
LOWEST_CEILING = Decimal("0.001")
PRICE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
POLICY_FIELDS = (
    "instance_requirements",
    "instance_types",
    "instance_weights",
    "on_demand_base",
    "on_demand_percentage_above_base",
    "on_demand_strategy",
    "spot_instance_pools",
    "spot_max_price",
    "spot_strategy",
)
CAPACITY_DEFAULTS: dict[str, Any] = {
    "instance_requirements": {},
    "instance_types": ["g4dn.xlarge", "g5.xlarge", "g6.xlarge"],
    "instance_weights": {},
    "on_demand_percentage_above_base": 0,
    "on_demand_strategy": None,
    "spot_instance_pools": None,
    "spot_max_price": "",
    "spot_strategy": SPOT_STRATEGIES[0],
}


def given_capacity(params: dict[str, Any]) -> dict[str, Any]:
    """The options that were given, checked one by one."""
    given: dict[str, Any] = {}
    for option in ("spot_strategy", "on_demand_strategy"):
        if params.get(option) is not None:
            given[option] = params[option]
    if params.get("spot_instance_pools") is not None:
        given["spot_instance_pools"] = checks.check_integer(
            params["spot_instance_pools"], "spot_instance_pools", *POOLS
        )
    if params.get("spot_max_price") is not None:
        given["spot_max_price"] = check_ceiling(params["spot_max_price"])
    if params.get("instance_weights") is not None:
        weights = params["instance_weights"]
        if weights:
            checks.check_instance_types(list(weights), "instance_weights")
        given["instance_weights"] = {
            name: checks.check_integer(weight, f"instance_weights.{name}", *WEIGHTS) for name, weight in weights.items()
        }
    if params.get("instance_requirements") is not None:
        given["instance_requirements"] = check_requirements(params["instance_requirements"])
    return given


def check_ceiling(value: Any, option: str = "spot_max_price") -> str:
    """A price in US dollars an hour, without needless zeros; an empty string is no ceiling."""
    text = str(value).strip()
    if not text:
        return ""
    if isinstance(value, bool) or not PRICE.fullmatch(text) or Decimal(text) < LOWEST_CEILING:
        raise InputError(option, value, f"must be a price of at least {LOWEST_CEILING} US dollars, or empty for none")
    return _plain(Decimal(text))


def _plain(price: Decimal) -> str:
    return f"{price.normalize():f}"


def settle_capacity(fleet: dict[str, Any], given: dict[str, Any]) -> None:
    """Make the parts fit together, in place; InputError where what was given contradicts itself or what stands."""
    if given.get("instance_requirements"):
        if "instance_types" in given:
            raise InputError("instance_requirements", sorted(given["instance_requirements"]), "excludes instance_types")
        fleet["instance_types"] = []
    elif "instance_types" in given:
        fleet["instance_requirements"] = {}
    _settle_weights(fleet, given)
    _settle_strategies(fleet, given)


def _settle_weights(fleet: dict[str, Any], given: dict[str, Any]) -> None:
    names, weights = fleet["instance_types"], fleet["instance_weights"]
    if fleet["instance_requirements"]:
        if given.get("instance_weights"):
            raise InputError("instance_weights", given["instance_weights"], "excludes instance_requirements")
        fleet["instance_weights"] = {}
        return
    if not weights:
        return
    for name in names:
        if name not in weights:
            raise InputError("instance_weights", name, "has no weight and others have: give all or none")
    if "instance_weights" in given:
        for name in weights:
            if name not in names:
                raise InputError("instance_weights", name, "is not one of instance_types")
    fleet["instance_weights"] = {name: weights[name] for name in names}


def _settle_strategies(fleet: dict[str, Any], given: dict[str, Any]) -> None:
    ordered = {"spot_strategy": SPOT_PRIORITIZED, "on_demand_strategy": PRIORITIZED}
    if fleet["instance_requirements"]:
        for option, strategy in ordered.items():
            if given.get(option) == strategy:
                raise InputError(
                    option, strategy, "goes by the order of instance_types, instance_requirements have none"
                )
            if fleet[option] == strategy:
                fleet[option] = None
    if fleet["on_demand_percentage_above_base"] < 100:
        fleet["spot_strategy"] = fleet["spot_strategy"] or CAPACITY_DEFAULTS["spot_strategy"]
    else:
        # Nothing is bought on the spot market: whatever strategy the group carries has no effect.
        fleet["spot_strategy"] = None
    if not fleet["on_demand_strategy"]:
        fleet["on_demand_strategy"] = LOWEST_PRICE if fleet["instance_requirements"] else PRIORITIZED
    if fleet["spot_strategy"] == LOWEST_PRICE:
        fleet["spot_instance_pools"] = fleet["spot_instance_pools"] or AWS_POOLS
    elif "spot_instance_pools" in given:
        raise InputError("spot_instance_pools", given["spot_instance_pools"], f"needs spot_strategy: {LOWEST_PRICE}")
    else:
        fleet["spot_instance_pools"] = None


def read_capacity(group: dict[str, Any]) -> dict[str, Any]:
    """The options of a DescribeAutoScalingGroups entry."""
    policy = group.get("MixedInstancesPolicy") or {}
    overrides = (policy.get("LaunchTemplate") or {}).get("Overrides") or []
    split = policy.get("InstancesDistribution") or {}
    # AWS's own default where a policy is silent, and what a group without one amounts to.
    percentage = int(split.get("OnDemandPercentageAboveBaseCapacity", 100))
    strategy = split.get("SpotAllocationStrategy", LOWEST_PRICE) if percentage < 100 else None
    required = next((item["InstanceRequirements"] for item in overrides if item.get("InstanceRequirements")), {})
    usual = LOWEST_PRICE if required else PRIORITIZED
    return {
        "instance_requirements": read_requirements(required),
        "instance_types": [item["InstanceType"] for item in overrides if item.get("InstanceType")],
        "instance_weights": {
            item["InstanceType"]: int(item["WeightedCapacity"])
            for item in overrides
            if item.get("InstanceType") and item.get("WeightedCapacity")
        },
        "on_demand_base": int(split.get("OnDemandBaseCapacity", 0)),
        "on_demand_percentage_above_base": percentage,
        "on_demand_strategy": split.get("OnDemandAllocationStrategy") or usual,
        "spot_instance_pools": int(split.get("SpotInstancePools") or AWS_POOLS) if strategy == LOWEST_PRICE else None,
        "spot_max_price": _read_ceiling(split.get("SpotMaxPrice")),
        "spot_strategy": strategy,
    }


def _read_ceiling(value: Any) -> str:
    try:
        return _plain(Decimal(str(value))) if value else ""
    except InvalidOperation:
        return str(value)


def build_overrides(fleet: dict[str, Any]) -> list[dict[str, Any]]:
    """What the group may launch: types in order, with their weights, or one set of requirements."""
    if fleet["instance_requirements"]:
        return [{"InstanceRequirements": build_requirements(fleet["instance_requirements"])}]
    weights = fleet["instance_weights"]
    return [
        {"InstanceType": name, **({"WeightedCapacity": str(weights[name])} if weights else {})}
        for name in fleet["instance_types"]
    ]


def build_distribution(fleet: dict[str, Any], *, clear_price: bool = False) -> dict[str, Any]:
    """How both markets are bought; AWS takes a ceiling away for an empty string only."""
    split: dict[str, Any] = {
        "OnDemandAllocationStrategy": fleet["on_demand_strategy"],
        "OnDemandBaseCapacity": fleet["on_demand_base"],
        "OnDemandPercentageAboveBaseCapacity": fleet["on_demand_percentage_above_base"],
    }
    if fleet["spot_strategy"]:
        split["SpotAllocationStrategy"] = fleet["spot_strategy"]
    if fleet["spot_instance_pools"]:
        split["SpotInstancePools"] = fleet["spot_instance_pools"]
    if fleet["spot_max_price"] or clear_price:
        split["SpotMaxPrice"] = fleet["spot_max_price"]
    return split
