# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet as its user speaks of it: options, defaults, owner of its size. PRIVATE to the collection.

A fleet is a plain dict with the keys of CREATION_DEFAULTS and REQUIRED_AT_CREATION, `image_id` and `image_parameter` (what
`ami_id` led to), `user_data` (base64, as EC2 keeps it) and `group_tags` (every tag that must be on the group).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Collection
from datetime import datetime
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain import checks
from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_extras
from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_reservations
from ansible_collections.ethereal.spot.plugins.module_utils._brain import names
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_balancers import check_health
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_balancers import check_target_groups
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_capacity import CAPACITY_DEFAULTS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_capacity import given_capacity
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_capacity import settle_capacity
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_settings import SETTINGS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_settings import WEEK
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_settings import given_settings
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_tags import check_fleet_tags
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_tags import given_tags
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_template import surely_spot
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_warm_pool import OPTION as WARM_POOL
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_warm_pool import check_allowed
from ansible_collections.ethereal.spot.plugins.module_utils._brain.unknown import KNOWN_AFTER_APPLY
from ansible_collections.ethereal.spot.plugins.module_utils._brain.unknown import is_unknown

# Group and launch template carry the same name: 3 to 128 characters is the template's limit, below the group's 255
# (botocore models: CreateLaunchTemplate, CreateAutoScalingGroup).
FLEET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{2,127}")
DEVICE_NAME = re.compile(r"/dev/[a-z0-9/]{2,32}|xvd[a-z]{1,2}")
PROFILE_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]{1,128}")
PROFILE_ARN = re.compile(r"arn:(?P<partition>aws(-[a-z]+)*):iam::[0-9]{12}:instance-profile/[A-Za-z0-9_+=,.@/-]{1,512}")
TAG_ECS_MANAGED = "AmazonECSManaged"

PLAYBOOK = "playbook"
SCALING = "scaling"
PLACEMENT = "placement"
OWNERS = (PLAYBOOK, SCALING, PLACEMENT)
# botocore model: InstanceMetadataHttpPutResponseHopLimit.
HOP_LIMITS = (1, 64)
LARGEST_GROUP = 1_000_000

REQUIRED_AT_CREATION = ("ami_id", "kms_key_arn", "security_group_ids", "subnet_ids")
CREATION_DEFAULTS: dict[str, Any] = {
    "capacity_rebalance": True,
    "disk_size": 100,
    "ebs_iops": 3000,
    "ebs_throughput": 125,
    "efa": False,
    "efa_adapters": 0,
    "iam_instance_profile": None,
    "metadata_hop_limit": 1,
    "root_device_name": None,
    "target_group_arns": [],
    "user_data": None,
    **CAPACITY_DEFAULTS,
    **{option: setting.default for option, setting in SETTINGS.items()},
}
CREATION_SIZES = {
    "on_demand_base": 2,
    "min_size": 2,
    "desired_capacity": 10,
    "max_size": 50,
    "max_instance_lifetime": WEEK,
}
TEMPLATE_OPTIONS = frozenset(
    {
        "ami_id",
        "disk_size",
        "ebs_iops",
        "ebs_throughput",
        "efa",
        "iam_instance_profile",
        "kms_key_arn",
        "metadata_hop_limit",
        "refresh_image",
        "root_device_name",
        "security_group_ids",
        "tags",
        "user_data",
    }
)
SPOT_OPTIONS = ("spot_strategy", "spot_instance_pools", "spot_max_price", "on_demand_percentage_above_base")
# A fallback group and one that a placement will scale stand empty until somebody asks.
EMPTY_SIZES = {"on_demand_base": 0, "min_size": 0, "desired_capacity": 0, "max_size": 50}


def check_fleet_name(value: Any, option: str = "name") -> str:
    """A name that both the Auto Scaling group and the launch template can carry."""
    if not isinstance(value, str) or not FLEET_NAME.fullmatch(value):
        raise InputError(option, value, "must match [A-Za-z0-9][A-Za-z0-9-]{2,127}: group and launch template carry it")
    return value


def check_profile(value: Any, option: str, region: str) -> str:
    """An instance profile's name or ARN."""
    if isinstance(value, str) and PROFILE_NAME.fullmatch(value):
        return value
    match = PROFILE_ARN.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise InputError(option, value, "must be an instance profile's name or ARN")
    checks.check_partition(match["partition"], value, option, region)
    return value


def given_fleet(
    params: dict[str, Any],
    region: str,
    *,
    check_mode: bool,
    now: datetime | None = None,
    zones: Collection[str] = (),
) -> dict[str, Any]:
    """The options that were given, checked and in the fleet's own terms; those that are None are left out.

    A value that only a real run can know stands in check mode only. `zones` are all time zones, as far as known.
    """
    given: dict[str, Any] = {}
    for option, check in _reference_checks(region).items():
        value = params.get(option)
        if value is None:
            continue
        if is_unknown(value):
            if not check_mode:
                raise InputError(option, value, "is known in check mode only: the step that makes it has not run")
            given[option] = [KNOWN_AFTER_APPLY] if isinstance(value, list) else KNOWN_AFTER_APPLY
        else:
            given[option] = check(value, option)
    given.update(_given_types(params))
    given.update(_given_numbers(params))
    given.update(given_settings(params))
    fleet_reservations.check_region(given.get(fleet_reservations.OPTION, fleet_reservations.UNRESERVED), region)
    given.update(given_capacity(params))
    for option in ("capacity_owner", "capacity_rebalance", "efa"):
        if params.get(option) is not None:
            given[option] = params[option]
    if params.get("root_device_name") is not None:
        given["root_device_name"] = params["root_device_name"]
        if not DEVICE_NAME.fullmatch(given["root_device_name"]):
            raise InputError("root_device_name", given["root_device_name"], "must be a device such as /dev/xvda")
    if params.get("bootstrap_script") is not None:
        text = checks.check_user_data(params["bootstrap_script"], "bootstrap_script")
        given["user_data"] = base64.b64encode(text.encode()).decode() or None
    given.update(given_tags(params))
    given["extras"] = fleet_extras.given_extras(params, region, now, zones)
    for option in ("ecs_managed", "on_demand_group", "refresh_image"):
        if params.get(option):
            given[option] = True
    if params.get("on_demand_only"):
        for option in SPOT_OPTIONS:
            if option in given:
                raise InputError(option, given[option], "has no meaning with on_demand_only: true")
        given["on_demand_percentage_above_base"] = 100
    return given


def _reference_checks(region: str) -> dict[str, Any]:
    return {
        "ami_id": checks.check_image_id,
        "iam_instance_profile": lambda value, option: check_profile(value, option, region),
        "kms_key_arn": lambda value, option: checks.check_kms_key_arn(value, option, region),
        "security_group_ids": checks.check_security_group_ids,
        "subnet_ids": checks.check_subnet_ids,
        "target_group_arns": lambda value, option: check_target_groups(value, option, region),
    }


def _given_types(params: dict[str, Any]) -> dict[str, Any]:
    if params.get("instance_types") is not None:
        return {"instance_types": checks.check_instance_types(params["instance_types"])}
    pair = {option: params.get(option) for option in ("instance_type", "fallback_instance_type")}
    pair = {option: name for option, name in pair.items() if name is not None}
    for option, name in pair.items():
        if not checks.INSTANCE_TYPE.fullmatch(name):
            raise InputError(option, name, "is not an instance type such as g5.xlarge")
    names_given = list(pair.values())
    if len(names_given) > len(set(names_given)):
        raise InputError("fallback_instance_type", names_given[-1], "is the instance_type itself")
    return {"instance_types": names_given} if pair else {}


def _given_numbers(params: dict[str, Any]) -> dict[str, Any]:
    limits = {
        "desired_capacity": (0, LARGEST_GROUP),
        "max_size": (0, LARGEST_GROUP),
        "metadata_hop_limit": HOP_LIMITS,
        "min_size": (0, LARGEST_GROUP),
        "on_demand_base": (0, LARGEST_GROUP),
        "on_demand_percentage_above_base": (0, 100),
    }
    numbers = {
        option: checks.check_integer(params[option], option, *bounds)
        for option, bounds in limits.items()
        if params.get(option) is not None
    }
    volume = checks.check_gp3(params.get("disk_size"), params.get("ebs_iops"), params.get("ebs_throughput"))
    options = {"size": "disk_size", "iops": "ebs_iops", "throughput": "ebs_throughput"}
    return {**numbers, **{options[key]: value for key, value in volume.items()}}


def whole_fleet(given: dict[str, Any], current: dict[str, Any] | None, *, on_demand_only: bool) -> dict[str, Any]:
    """What the fleet shall be: the options given over what stands, or over the defaults if nothing stands.

    `current` is None when the group does not exist. Raises InputError where the options, alone or with what stands,
    contradict each other or the owner of the group's size.
    """
    given = dict(given)
    default_tags = given.pop("default_tags", {})
    extras = given.get("extras", {})
    usual = SCALING if fleet_extras.scales(extras) else PLAYBOOK
    owner = given.get("capacity_owner") or (current["capacity_owner"] if current else usual)
    fleet_extras.check_owner(extras, owner, SCALING)
    if current is None:
        for option in REQUIRED_AT_CREATION:
            if option not in given:
                raise InputError(option, None, "is required to create a fleet")
        empty = on_demand_only or owner == PLACEMENT
        sizes = EMPTY_SIZES if empty else CREATION_SIZES
        fleet = {**CREATION_DEFAULTS, **sizes, "image_id": None, "image_parameter": None, **given}
        fleet["tags"] = check_fleet_tags({**({} if empty else default_tags), **given.get("tags", {})})
        new_tags = fleet["tags"]
    else:
        fleet = {**current, **given, "tags": {**current["tags"], **given.get("tags", {})}}
        if not fleet["instance_types"] and not fleet["instance_requirements"]:
            raise InputError("instance_types", None, "is required: the group has no mixed-instances policy yet")
        if same_profile(current["iam_instance_profile"], fleet["iam_instance_profile"]):
            fleet["iam_instance_profile"] = current["iam_instance_profile"]
        if touches_template(given, current):
            _fill_template(fleet)
        new_tags = given.get("tags", {})
    fleet["capacity_owner"] = owner
    # An assertion about the image, not a property of the fleet.
    fleet["root_device_name"] = given.get("root_device_name")
    settle_capacity(fleet, given)
    fleet["group_tags"] = {**new_tags, names.TAG_CAPACITY_OWNER: owner}
    if given.get("ecs_managed"):
        # ECS writes its mark with an empty value; without it nothing scales out from 0 (containers-roadmap issue 935).
        fleet["group_tags"][TAG_ECS_MANAGED] = ""
    # A creation that was interrupted is gone on with.
    new = current is None or current["unfinished"]
    fleet["extras"] = fleet_extras.with_defaults(extras, fleet, scaling=new and owner == SCALING)
    check_allowed(fleet["extras"].get(WARM_POOL, {}).get(WARM_POOL), fleet)
    _apply_owner(fleet, given, current)
    _check_sizes(fleet, given)
    check_health(fleet, given)
    fleet_reservations.check_useful(fleet, given)
    if fleet["efa"] and fleet["instance_requirements"]:
        raise InputError("efa", True, "needs instance_types: types by instance_requirements may have no adapter")
    checks.check_gp3(fleet["disk_size"], fleet["ebs_iops"], fleet["ebs_throughput"])
    return fleet


def touches_template(given: dict[str, Any], current: dict[str, Any]) -> bool:
    """Whether any option given is one that the launch template holds, or that its adapters or its tags go by."""
    if current["spot_requests_tagged"] and not surely_spot({**current, **given}):
        return True
    return bool(TEMPLATE_OPTIONS & given.keys()) or (current["efa"] and "instance_types" in given)


def _fill_template(fleet: dict[str, Any]) -> None:
    """What a template made by others may lack, once we write the next version of it."""
    for option in ("disk_size", "ebs_iops", "ebs_throughput"):
        if fleet[option] is None:
            fleet[option] = CREATION_DEFAULTS[option]
    for option in ("kms_key_arn", "security_group_ids"):
        if not fleet[option]:
            raise InputError(option, None, "is required: the launch template in force has none")


def same_profile(one: str | None, other: str | None) -> bool:
    """Whether a profile's name and an ARN, or two of either, mean the same profile: names are unique in an account."""
    if not one or not other or (one.startswith("arn:") and other.startswith("arn:")):
        return one == other
    return one.rpartition("/")[2] == other.rpartition("/")[2]


def _apply_owner(fleet: dict[str, Any], given: dict[str, Any], current: dict[str, Any] | None) -> None:
    owner = fleet["capacity_owner"]
    if owner == PLACEMENT:
        for option in ("min_size", "on_demand_base"):
            if given.get(option):
                raise InputError(
                    option, given[option], "must be 0 under capacity_owner: placement, which may scale to 0"
                )
            fleet[option] = 0
        if fleet["instance_weights"]:
            rule = "must be left out or empty under capacity_owner: placement, which counts replicas, an instance each"
            raise InputError("instance_weights", fleet["instance_weights"], rule)
    if current is None:
        return
    if owner == PLACEMENT:
        fleet["desired_capacity"] = current["desired_capacity"]
    elif owner == SCALING:
        # AWS moves the desired capacity into new bounds by itself (botocore model: UpdateAutoScalingGroup).
        within = max(current["desired_capacity"], fleet["min_size"])
        fleet["desired_capacity"] = min(within, fleet["max_size"])


def _check_sizes(fleet: dict[str, Any], given: dict[str, Any]) -> None:
    def pair(small: str, large: str) -> None:
        if fleet[small] > fleet[large]:
            origin = {option: "" if option in given else ", not given" for option in (small, large)}
            raise InputError(
                small if small in given else large,
                fleet[small if small in given else large],
                f"breaks {small} ({fleet[small]}{origin[small]}) <= {large} ({fleet[large]}{origin[large]})",
            )

    pair("min_size", "max_size")
    pair("min_size", "desired_capacity")
    pair("desired_capacity", "max_size")
    pair("on_demand_base", "max_size")
