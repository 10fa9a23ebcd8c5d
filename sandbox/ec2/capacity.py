# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many more instances a pool holds: the market's capacity and the account's quotas against what runs."""

from __future__ import annotations

from typing import Any

from moto.core.exceptions import ServiceException

from sandbox.ec2 import types
from sandbox.market import Market
from sandbox.market import MarketKind

_HOLDING = (0, 16)


class LaunchError(ServiceException):
    """A launch that EC2 refuses, with AWS's code and text."""


def market_of(instance: Any) -> MarketKind:
    return "spot" if instance.lifecycle == "spot" else "on-demand"


def running(backend: Any, market: MarketKind) -> list[Any]:
    """Pending and running instances of one market; what is shutting down has given its capacity back."""
    return [each for each in backend.all_instances() if each.state_code in _HOLDING and market_of(each) == market]


def room(market: Market, backend: Any, zone: str, instance_type: str, kind: MarketKind) -> int:
    """Instances that the pool can still take. 0 where the type is not sold in the zone."""
    if not types.offered_in_zone(zone, instance_type):
        return 0
    held = [each for each in running(backend, kind) if each.instance_type == instance_type]
    in_zone = sum(1 for each in held if each.placement.zone == zone)
    return max(
        0,
        min(
            market.capacity(zone, instance_type, kind) - in_zone,
            market.region_capacity(backend.region_name, instance_type, kind) - len(held),
        ),
    )


def vcpus(instance: Any) -> int:
    """Of an instance as it was launched, hyper-threading off or on."""
    return instance.cpu_options["CoreCount"] * instance.cpu_options["ThreadsPerCore"]


def quota_room(market: Market, backend: Any, instance_type: str, kind: MarketKind) -> bool:
    """Whether the account's vCPU quota has room for one more."""
    region = backend.region_name
    code = market.counting_quota(region, instance_type, kind)
    if code is None:
        return True
    used = sum(
        vcpus(each)
        for each in running(backend, kind)
        if market.counting_quota(region, each.instance_type, kind) == code
    )
    return used + types.vcpus(instance_type) <= market.quota(region, code)


def quota_error(market: Market, region: str, instance_type: str, kind: MarketKind) -> LaunchError:
    if kind == "spot":
        return LaunchError("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded")
    limit = market.quota(region, market.counting_quota(region, instance_type, kind) or "")
    return LaunchError(
        "VcpuLimitExceeded",
        f"You have requested more vCPU capacity than your current vCPU limit of {limit:.0f} allows for the instance bucket "
        "that the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to "
        "request an adjustment to this limit.",
    )


def admit(market: Market, backend: Any, zone: str, instance_type: str, kind: MarketKind) -> None:
    """Raise what EC2 answers where one more instance cannot be had."""
    if not types.exists(instance_type):
        raise LaunchError("InvalidParameterValue", f"Invalid value '{instance_type}' for InstanceType.")
    if not types.offered_in_zone(zone, instance_type):
        raise LaunchError(
            "Unsupported",
            f"Your requested instance type ({instance_type}) is not supported in your requested Availability Zone "
            f"({zone}).",
        )
    if not quota_room(market, backend, instance_type, kind):
        raise quota_error(market, backend.region_name, instance_type, kind)
    if room(market, backend, zone, instance_type, kind) < 1:
        if kind == "spot":
            raise LaunchError(
                "InsufficientInstanceCapacity", "There is no Spot capacity available that matches your request."
            )
        raise LaunchError(
            "InsufficientInstanceCapacity",
            f"We currently do not have sufficient {instance_type} capacity in the Availability Zone you requested "
            f"({zone}). Our system will be working on provisioning additional capacity.",
        )
