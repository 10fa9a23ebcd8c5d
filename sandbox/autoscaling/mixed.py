# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Mixed instances policies: overrides and distribution, checked. Sources: botocore model, EC2 Auto Scaling API reference."""

from __future__ import annotations

import re
from decimal import Decimal
from decimal import InvalidOperation
from typing import Any

from sandbox.autoscaling.allocation import Distribution
from sandbox.autoscaling.groups import Group
from sandbox.autoscaling.refusal import invalid
from sandbox.autoscaling.templates import launchable
from sandbox.autoscaling.templates import specification
from sandbox.ec2 import types

SPOT_STRATEGIES = ("lowest-price", "capacity-optimized", "capacity-optimized-prioritized", "price-capacity-optimized")
ON_DEMAND_STRATEGIES = ("lowest-price", "prioritized")
MOST_OVERRIDES, MOST_TEMPLATES, MOST_REQUIREMENTS = 40, 20, 4


def override(group: Group, asked: dict[str, Any]) -> dict[str, Any]:
    override = dict(asked)
    if override.get("LaunchTemplateSpecification"):
        override["LaunchTemplateSpecification"] = specification(group, override["LaunchTemplateSpecification"])
        launchable(group, override["LaunchTemplateSpecification"])
    return override


def override_rules(overrides: list[dict[str, Any]], data: dict[str, Any]) -> None:
    if (data.get("InstanceMarketOptions") or {}).get("MarketType") == "spot":
        raise invalid(
            "Incompatible launch template: You cannot use a launch template that is set to request Spot Instances "
            "(InstanceMarketOptions) when you configure an Auto Scaling group with a mixed instances policy. Add a "
            "different launch template to the group and try again."
        )
    if len(overrides) > MOST_OVERRIDES:
        raise invalid(f"The number of overrides must not exceed {MOST_OVERRIDES}.")
    if sum(1 for each in overrides if each.get("LaunchTemplateSpecification")) > MOST_TEMPLATES:
        raise invalid(f"The number of launch templates in overrides must not exceed {MOST_TEMPLATES}.")
    by_requirements = [each for each in overrides if each.get("InstanceRequirements")]
    if by_requirements and any(each.get("InstanceType") for each in overrides):
        raise invalid("Overrides must contain either InstanceType or InstanceRequirements, not both.")
    if len(by_requirements) > MOST_REQUIREMENTS:
        raise invalid(f"The number of InstanceRequirements must not exceed {MOST_REQUIREMENTS}.")
    names = [each["InstanceType"] for each in overrides if each.get("InstanceType")]
    unknown = [each for each in names if not types.exists(each)]
    if unknown:
        raise invalid(f"The following supplied instance types do not exist: [{', '.join(unknown)}]")
    twice = sorted({each for each in names if names.count(each) > 1})
    if twice:
        raise invalid(f"Duplicate instance types in overrides: [{', '.join(twice)}]")
    if not names and not by_requirements and not data.get("InstanceType") and not data.get("InstanceRequirements"):
        raise invalid("You must use a valid fully-formed launch template. The parameter InstanceType is missing.")
    weights = [each.get("WeightedCapacity") for each in overrides]
    if any(weights) and not all(weights):
        raise invalid("WeightedCapacity must be specified for all overrides or for none.")
    for weight in filter(None, weights):
        if not re.fullmatch(r"[1-9][0-9]{0,2}", str(weight)):
            raise invalid(f"Invalid WeightedCapacity: {weight}. It must be a whole number from 1 to 999.")


def distribution(asked: dict[str, Any], overrides: list[dict[str, Any]]) -> tuple[dict[str, Any], Distribution]:
    """InstancesDistribution with AWS's defaults, as shown and as used."""
    by_requirements = any(each.get("InstanceRequirements") for each in overrides)
    shown = {
        "OnDemandAllocationStrategy": "lowest-price" if by_requirements else "prioritized",
        "OnDemandBaseCapacity": 0,
        "OnDemandPercentageAboveBaseCapacity": 100,
        "SpotAllocationStrategy": "lowest-price",
        **{key: value for key, value in asked.items() if value is not None},
    }
    for key in ("OnDemandBaseCapacity", "OnDemandPercentageAboveBaseCapacity"):
        shown[key] = int(shown[key])
    spot, on_demand = shown["SpotAllocationStrategy"], shown["OnDemandAllocationStrategy"]
    if spot not in SPOT_STRATEGIES:
        raise invalid(f"Invalid SpotAllocationStrategy: {spot}. Valid values are [{', '.join(SPOT_STRATEGIES)}].")
    if on_demand not in ON_DEMAND_STRATEGIES:
        raise invalid(f"Invalid OnDemandAllocationStrategy: {on_demand}.")
    if by_requirements and spot == "capacity-optimized-prioritized":
        raise invalid("capacity-optimized-prioritized cannot be used with InstanceRequirements.")
    if by_requirements and on_demand == "prioritized":
        raise invalid("The prioritized on-demand strategy cannot be used with InstanceRequirements.")
    if shown["OnDemandBaseCapacity"] < 0 or not 0 <= shown["OnDemandPercentageAboveBaseCapacity"] <= 100:
        raise invalid("OnDemandBaseCapacity must be at least 0, OnDemandPercentageAboveBaseCapacity from 0 to 100.")
    pools = asked.get("SpotInstancePools")
    if spot == "lowest-price":
        shown["SpotInstancePools"] = int(pools or 2)
        if not 1 <= shown["SpotInstancePools"] <= 20:
            raise invalid(f"Invalid SpotInstancePools: {pools}. It must be from 1 to 20.")
    elif pools:
        raise invalid("SpotInstancePools option is only available with the lowest-price allocation strategy.")
    limit = _price_limit(shown.get("SpotMaxPrice"))
    if limit is None:
        # botocore model: an empty string takes the maximum price away.
        shown.pop("SpotMaxPrice", None)
    return shown, Distribution(
        on_demand_base=shown["OnDemandBaseCapacity"],
        on_demand_percentage=shown["OnDemandPercentageAboveBaseCapacity"],
        on_demand_strategy=on_demand,
        spot_strategy=spot,
        spot_pools=shown.get("SpotInstancePools", 2),
        spot_max_price=limit,
    )


def _price_limit(value: Any) -> Decimal | None:
    if value in (None, ""):
        return None
    try:
        limit = Decimal(str(value))
    except InvalidOperation:
        raise invalid(f"Invalid SpotMaxPrice: {value}.") from None
    if limit < Decimal("0.001"):
        raise invalid(f"Invalid SpotMaxPrice: {value}. It must be at least 0.001.")
    return limit
