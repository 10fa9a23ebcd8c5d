# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Create- and UpdateAutoScalingGroup say, checked as AWS checks it and put into a group.

Sources: botocore model; EC2 Auto Scaling API reference.
"""

from __future__ import annotations

import re
from decimal import Decimal
from decimal import InvalidOperation
from typing import Any

from moto.core.exceptions import ServiceException
from moto.ec2.models import ec2_backends

from sandbox.autoscaling.allocation import Distribution
from sandbox.autoscaling.groups import Group
from sandbox.ec2 import lookups
from sandbox.ec2 import types

SPOT_STRATEGIES = ("lowest-price", "capacity-optimized", "capacity-optimized-prioritized", "price-capacity-optimized")
ON_DEMAND_STRATEGIES = ("lowest-price", "prioritized")
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
DISTRIBUTIONS = ("balanced-only", "balanced-best-effort", "reservations-then-balanced-best-effort")
DELETION_PROTECTIONS = ("none", "prevent-force-deletion", "prevent-all-deletion")
MOST_OVERRIDES, MOST_TEMPLATES, MOST_REQUIREMENTS = 40, 20, 4
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


def invalid(message: str) -> ServiceException:
    return ServiceException("ValidationError", message)


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
    overrides = [_override(group, each) for each in launch.get("Overrides") or []]
    _override_rules(overrides, data)
    before = dict((group.policy or {}).get("InstancesDistribution", {}))
    wanted = asked.get("InstancesDistribution") or {}
    if wanted.get("SpotAllocationStrategy", "lowest-price") != "lowest-price":
        before.pop("SpotInstancePools", None)
    shown, distribution = _distribution({**before, **wanted}, overrides)
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


def specification(group: Group, asked: dict[str, Any]) -> dict[str, str]:
    """A template named by id or name, with both; the version is shown only where it was given."""
    template_id, name = asked.get("LaunchTemplateId"), asked.get("LaunchTemplateName")
    if bool(template_id) == bool(name):
        raise invalid("Valid requests must contain either launchTemplateId or LaunchTemplateName")
    backend = ec2_backends[group.account][group.region]
    kind, value = ("ID", template_id) if template_id else ("name", name)
    found = backend.launch_templates.get(template_id or backend.launch_template_name_to_ids.get(name))
    if found is None:
        raise invalid(
            "You must use a valid fully-formed launch template. The specified launch template, with template "
            f"{kind} {value}, does not exist."
        )
    result = {"LaunchTemplateId": found.id, "LaunchTemplateName": found.name}
    if asked.get("Version"):
        result["Version"] = str(asked["Version"])
        version_of(group, result)
    return result


def version_of(group: Group, template: dict[str, str]) -> Any:
    """The version of a template that a launch takes now. Raises ValidationError where there is none."""
    backend = ec2_backends[group.account][group.region]
    found = backend.launch_templates.get(template["LaunchTemplateId"])
    version = template.get("Version", "$Default")
    try:
        return found.get_version(version)
    except (ServiceException, AttributeError):
        raise invalid(
            "You must use a valid fully-formed launch template. Could not find the specified version "
            f"{version} for the launch template with ID {template['LaunchTemplateId']}."
        ) from None


def launchable(group: Group, template: dict[str, str]) -> dict[str, Any]:
    """A template's data, after the checks that Auto Scaling makes before it takes it."""
    data, backend = version_of(group, template).data, ec2_backends[group.account][group.region]
    problem = None
    if not data.get("ImageId"):
        problem = "The request must contain the parameter ImageId"
    elif lookups.image_id(group.account, group.region, data["ImageId"]) not in backend.amis:
        problem = f"The image id '[{data['ImageId']}]' does not exist"
    groups = list(data.get("SecurityGroupIds") or [])
    for interface in data.get("NetworkInterfaces") or []:
        groups += interface.get("Groups") or []
    missing = [each for each in groups if backend.get_security_group_from_id(each) is None]
    if missing:
        problem = problem or f"The security group '{missing[0]}' does not exist"
    if data.get("KeyName") and data["KeyName"] not in backend.key_pairs:
        problem = problem or f"The key pair '{data['KeyName']}' does not exist"
    profile = data.get("IamInstanceProfile")
    if profile and not problem:
        try:
            lookups.instance_profile(profile.get("Name"), profile.get("Arn"))
        except ServiceException as error:
            problem = error.message
    if data.get("InstanceType") and not types.exists(data["InstanceType"]):
        problem = problem or f"Invalid value '{data['InstanceType']}' for InstanceType."
    if problem:
        raise invalid(f"You must use a valid fully-formed launch template. {problem}")
    return data


def _override(group: Group, asked: dict[str, Any]) -> dict[str, Any]:
    override = dict(asked)
    if override.get("LaunchTemplateSpecification"):
        override["LaunchTemplateSpecification"] = specification(group, override["LaunchTemplateSpecification"])
        launchable(group, override["LaunchTemplateSpecification"])
    return override


def _override_rules(overrides: list[dict[str, Any]], data: dict[str, Any]) -> None:
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


def _distribution(asked: dict[str, Any], overrides: list[dict[str, Any]]) -> tuple[dict[str, Any], Distribution]:
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


def tag(name: str, given: dict[str, Any]) -> dict[str, Any]:
    return {
        "ResourceId": name,
        "ResourceType": "auto-scaling-group",
        "Key": given["Key"],
        "Value": given.get("Value") or "",
        # Absent means true (AWS CLI reference, create-auto-scaling-group).
        "PropagateAtLaunch": given.get("PropagateAtLaunch") is not False,
    }
