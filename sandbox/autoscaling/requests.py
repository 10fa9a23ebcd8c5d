# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Create- and UpdateAutoScalingGroup say, checked as AWS checks it and put into a group.

Sources: botocore model; EC2 Auto Scaling API reference.
"""

from __future__ import annotations

from typing import Any

from moto.core.exceptions import ServiceException
from moto.ec2.models import ec2_backends

from sandbox.autoscaling import mixed
from sandbox.autoscaling.allocation import Distribution
from sandbox.autoscaling.groups import Group
from sandbox.autoscaling.refusal import invalid
from sandbox.autoscaling.templates import launchable
from sandbox.autoscaling.templates import specification

TERMINATION_POLICIES = (
    "OldestInstance",
    "OldestLaunchConfiguration",
    "NewestInstance",
    "ClosestToNextInstanceHour",
    "Default",
    "OldestLaunchTemplate",
    "AllocationStrategy",
)
HEALTH_CHECK_TYPES = ("EC2", "ELB", "VPC_LATTICE", "EBS")
DISTRIBUTIONS = ("balanced-only", "balanced-best-effort", "reservations-then-balanced")
DELETION_PROTECTIONS = ("none", "prevent-force-deletion", "prevent-all-deletion")
SHORTEST_LIFETIME = 86_400

# Kept as they come and shown as they are, with AWS's defaults.
PLAIN = {
    "DefaultCooldown": 300,
    "HealthCheckType": "EC2",
    "HealthCheckGracePeriod": 0,
    "PlacementGroup": None,
    "TerminationPolicies": ["Default"],
    "NewInstancesProtectedFromScaleIn": False,
    "CapacityRebalance": False,
    "MaxInstanceLifetime": None,
    "DefaultInstanceWarmup": None,
    "ServiceLinkedRoleARN": None,
    "DesiredCapacityType": None,
    "Context": None,
    "InstanceMaintenancePolicy": None,
    "AvailabilityZoneDistribution": {"CapacityDistributionStrategy": "balanced-best-effort"},
    "AvailabilityZoneImpairmentPolicy": {
        "ZonalShiftEnabled": False,
        "ImpairedZoneHealthCheckBehavior": "ReplaceUnhealthy",
    },
    "CapacityReservationSpecification": {"CapacityReservationPreference": "default"},
    "DeletionProtection": "none",
    "LoadBalancerNames": [],
    "TargetGroupARNs": [],
    "TrafficSources": [],
}


def create(region: str, account: str, request: dict[str, Any]) -> Group:
    """The group that a CreateAutoScalingGroup request makes. Raises ValidationError."""
    name = request["AutoScalingGroupName"]
    sources = ("LaunchTemplate", "MixedInstancesPolicy", "LaunchConfigurationName", "InstanceId")
    given = [each for each in sources if request.get(each)]
    if len(given) != 1:
        raise invalid(
            "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or "
            "MixedInstancesPolicy parameter."
        )
    if given[0] in ("LaunchConfigurationName", "InstanceId"):
        raise ServiceException(
            "UnsupportedOperation",
            "The Launch Configuration creation operation is not available in your account. Use launch templates.",
        )
    if ":" in name:
        raise invalid("The Auto Scaling group name must not contain a colon.")
    subnets, identifier = _places(region, account, request)
    if not subnets:
        raise invalid("At least one Availability Zone or VPC Subnet is required.")
    least, most = int(request["MinSize"]), int(request["MaxSize"])
    desired = request.get("DesiredCapacity")
    group = Group(
        name=name,
        region=region,
        account=account,
        min_size=least,
        max_size=most,
        desired=least if desired is None else int(desired),
        subnets=subnets,
        vpc_zone_identifier=identifier,
        values={key: request.get(key, default) for key, default in PLAIN.items()},
        tags=[tag(name, each) for each in request.get("Tags") or []],
    )
    _sizes(group.min_size, group.max_size, group.desired)
    _plain(group.values, group)
    _configure(group, request)
    return group


def update(group: Group, request: dict[str, Any]) -> int:
    """Put an UpdateAutoScalingGroup request into the group; returns the desired capacity to go to. Raises first."""
    if request.get("LaunchTemplate") and request.get("MixedInstancesPolicy"):
        raise invalid("Valid requests must contain either LaunchTemplate or MixedInstancesPolicy parameter.")
    refresh = group.running_refresh()
    if refresh and refresh.before and (request.get("LaunchTemplate") or request.get("MixedInstancesPolicy")):
        # User guide, "How an instance refresh works", limitations.
        raise invalid(
            "An active instance refresh with a desired configuration exists. All configuration options derived from the "
            "desired configuration are not available for update while the instance refresh is active."
        )
    least = int(request.get("MinSize", group.min_size))
    most = int(request.get("MaxSize", group.max_size))
    # botocore model, UpdateAutoScalingGroup: sizes that move pull the desired capacity with them.
    desired = request.get("DesiredCapacity")
    desired = min(max(group.desired, least), most) if desired is None else int(desired)
    _sizes(least, most, desired)
    values = {**group.values, **{key: request[key] for key in PLAIN if key in request}}
    _plain(values, group)
    subnets, identifier = _places(group.region, group.account, request)
    if request.get("LaunchTemplate") or request.get("MixedInstancesPolicy"):
        _configure(group, request)
    if subnets:
        group.subnets, group.vpc_zone_identifier = subnets, identifier
    group.values, group.min_size, group.max_size = values, least, most
    return desired


def _sizes(least: int, most: int, desired: int) -> None:
    if least < 0 or most < 0:
        raise invalid("Min and max size must not be negative.")
    if least > most:
        raise invalid(f"Max bound, {most}, must be greater than or equal to min bound, {least}")
    if not least <= desired <= most:
        raise invalid(f"Desired capacity:{desired} must be between the specified min size:{least} and max size:{most}")


def _plain(values: dict[str, Any], group: Group) -> None:
    lifetime = values["MaxInstanceLifetime"]
    if lifetime is not None and int(lifetime) != 0 and int(lifetime) < SHORTEST_LIFETIME:
        raise invalid("Maximum instance lifetime must be 0 or at least 86400 seconds.")
    values["MaxInstanceLifetime"] = int(lifetime) or None if lifetime is not None else None
    for each in str(values["HealthCheckType"]).split(","):
        if each not in HEALTH_CHECK_TYPES:
            raise invalid(f"Invalid HealthCheckType: {each}.")
    values["TerminationPolicies"] = values["TerminationPolicies"] or ["Default"]
    for each in values["TerminationPolicies"]:
        if each not in TERMINATION_POLICIES and not each.startswith("arn:"):
            raise invalid(f"Invalid termination policy: {each}.")
    spread = (values["AvailabilityZoneDistribution"] or {}).get("CapacityDistributionStrategy")
    if spread not in DISTRIBUTIONS:
        raise invalid(f"Invalid CapacityDistributionStrategy: {spread}.")
    reservation = values["CapacityReservationSpecification"] or {}
    preference = reservation.get("CapacityReservationPreference", "default")
    if reservation.get("CapacityReservationTarget") and not preference.startswith("capacity-reservations-"):
        # botocore model, CapacityReservationSpecification.
        raise invalid(
            f"A CapacityReservationTarget cannot be specified with CapacityReservationPreference {preference}."
        )
    if values["DeletionProtection"] not in DELETION_PROTECTIONS:
        raise invalid(f"Invalid DeletionProtection: {values['DeletionProtection']}.")
    if values["DefaultInstanceWarmup"] == -1:
        values["DefaultInstanceWarmup"] = None


def _places(region: str, account: str, request: dict[str, Any]) -> tuple[dict[str | None, str], str]:
    """Subnets (or None for a default subnet) to zones, and the identifier as given. Empty where the request names none."""
    backend = ec2_backends[account][region]
    identifier, zones = request.get("VPCZoneIdentifier") or "", request.get("AvailabilityZones") or []
    subnets: dict[str | None, str] = {}
    for subnet_id in [each.strip() for each in identifier.split(",") if each.strip()]:
        found = next((each[subnet_id] for each in backend.subnets.values() if subnet_id in each), None)
        if found is None:
            raise invalid(f"The subnet ID '{subnet_id}' does not exist")
        subnets[subnet_id] = found.availability_zone
    if subnets:
        vpcs = {backend.get_subnet(each).vpc_id for each in subnets}
        if len(vpcs) > 1:
            raise invalid("The subnets of an Auto Scaling group must belong to one VPC.")
        if zones and set(zones) != set(subnets.values()):
            raise invalid("The availability zones of the specified subnets and the Auto Scaling group do not match")
        return subnets, identifier
    defaults = backend.get_default_subnets()
    for zone in zones:
        if zone not in defaults:
            raise invalid(f"Invalid availability zones: [{zone}]")
        subnets[defaults[zone].id] = zone
    return subnets, ""


def _configure(group: Group, request: dict[str, Any]) -> None:
    """What to launch: a template, or a policy over one."""
    if request.get("LaunchTemplate"):
        template = specification(group, request["LaunchTemplate"])
        launchable(group, template)
        group.template, group.policy, group.distribution = template, None, Distribution()
        return
    asked = request["MixedInstancesPolicy"]
    launch = asked.get("LaunchTemplate") or _kept(group)
    if not launch.get("LaunchTemplateSpecification"):
        raise invalid("MixedInstancesPolicy must contain a LaunchTemplate.")
    base = specification(group, launch["LaunchTemplateSpecification"])
    data = launchable(group, base)
    overrides = [mixed.override(group, each) for each in launch.get("Overrides") or []]
    mixed.override_rules(overrides, data)
    before = dict((group.policy or {}).get("InstancesDistribution", {}))
    wanted = asked.get("InstancesDistribution") or {}
    if wanted.get("SpotAllocationStrategy", "lowest-price") != "lowest-price":
        before.pop("SpotInstancePools", None)
    shown, distribution = mixed.distribution({**before, **wanted}, overrides)
    group.template = None
    group.policy = {
        "LaunchTemplate": {"LaunchTemplateSpecification": base, "Overrides": overrides},
        "InstancesDistribution": shown,
    }
    group.distribution = distribution


def _kept(group: Group) -> dict[str, Any]:
    """The policy's template and overrides as a request would name them: a stored specification has id and name."""
    launch = (group.policy or {}).get("LaunchTemplate")
    if launch is None:
        return {}

    def named(stored: dict[str, str]) -> dict[str, str]:
        return {key: value for key, value in stored.items() if key != "LaunchTemplateName"}

    key = "LaunchTemplateSpecification"
    overrides = [{**each, key: named(each[key])} if each.get(key) else each for each in launch["Overrides"]]
    return {key: named(launch[key]), "Overrides": overrides}


def tag(name: str, given: dict[str, Any]) -> dict[str, Any]:
    return {
        "ResourceId": name,
        "ResourceType": "auto-scaling-group",
        "Key": given["Key"],
        "Value": given.get("Value") or "",
        # Absent means true (AWS CLI reference, create-auto-scaling-group).
        "PropagateAtLaunch": given.get("PropagateAtLaunch") is not False,
    }
