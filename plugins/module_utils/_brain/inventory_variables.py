# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables that an inventory speaks, each with its check. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain import checks
from ansible_collections.ethereal.spot.plugins.module_utils._brain import containers
from ansible_collections.ethereal.spot.plugins.module_utils._brain import files
from ansible_collections.ethereal.spot.plugins.module_utils._brain import models
from ansible_collections.ethereal.spot.plugins.module_utils._brain import patching
from ansible_collections.ethereal.spot.plugins.module_utils._brain.endpoints import check_groups
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.ceiling import ceiling
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.prices import check_unit_prices
from ansible_collections.ethereal.spot.plugins.module_utils._brain.image_cache import check_secret_arn
from ansible_collections.ethereal.spot.plugins.module_utils._brain.money import money
from ansible_collections.ethereal.spot.plugins.module_utils._brain.names import check_prefix
from ansible_collections.ethereal.spot.plugins.module_utils._brain.networks import NAT
from ansible_collections.ethereal.spot.plugins.module_utils._brain.regions import check_region
from ansible_collections.ethereal.spot.plugins.module_utils._brain.regions import check_regions

# Role network takes one subnet a zone.
LARGEST_SUBNETS = 6
CAPACITY_OWNERS = ("playbook", "scaling", "placement")


@dataclass(frozen=True)
class Variable:
    """One variable: its type for people, its default, and the check that returns its value or raises InputError.

    A default of None is worked out elsewhere: from the place, the hub or the image.
    """

    kind: str
    default: Any
    check: Callable[[Any, str], Any]


def whole(minimum: int, maximum: int | None = None) -> Callable[[Any, str], int]:
    """A check for whole numbers."""
    return partial(checks.check_integer, minimum=minimum, maximum=maximum)


def one_of(*choices: str) -> Callable[[Any, str], str]:
    """A check for a few words."""
    return partial(checks.check_choice, choices=choices)


def subnets(value: Any, option: str) -> list[str]:
    """A user's own subnets; none means a network of ours."""
    if value == []:
        return []
    if isinstance(value, list) and len(value) > LARGEST_SUBNETS:
        raise InputError(option, len(value), f"subnets are listed, limit {LARGEST_SUBNETS}")
    return checks.check_subnet_ids(value, option)


def types_or_none(value: Any, option: str) -> list[str]:
    """Instance types; none means those of the fleet."""
    return [] if value == [] else checks.check_instance_types(value, option)


def places_list(value: Any, option: str) -> list[str]:
    """Names of places or regions."""
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise InputError(option, value, "must be a list of places or regions")
    return value


def region_list(value: Any, option: str) -> list[str]:
    """Names of regions, places or not."""
    if not isinstance(value, list):
        raise InputError(option, value, "must be a list of regions")
    return check_regions(value, option)


DEFAULT_TYPES = ["g4dn.xlarge", "g5.xlarge", "g6.xlarge"]

VARIABLES: Mapping[str, Variable] = {
    "spot_prefix": Variable("str", "ethereal", check_prefix),
    "spot_region": Variable("str", None, check_region),
    "spot_place_state": Variable("str", "present", one_of("present", "absent")),
    "spot_excluded_places": Variable("list", [], places_list),
    "spot_max_price": Variable("float", None, money),
    "spot_max_hourly_usd": Variable("float", None, ceiling),
    "spot_max_monthly_usd": Variable("float", None, ceiling),
    "spot_unit_prices": Variable("dict", {}, check_unit_prices),
    "spot_score_regions": Variable("list", [], region_list),
    "spot_advisor": Variable("str", None, checks.check_text),
    "spot_tags": Variable("dict", {}, checks.check_tags),
    "spot_teardown_data": Variable("bool", False, checks.check_boolean),
    "spot_cloudformation_role_arn": Variable("str", None, checks.check_role_arn),
    "spot_log_retention_days": Variable("int", 30, checks.check_retention_days),
    "spot_patch_operation": Variable("str", "scan", one_of(*patching.OPERATIONS)),
    "spot_patch_reboot": Variable("bool", False, checks.check_boolean),
    "spot_patch_schedule": Variable("str", "cron(0 3 ? * SUN *)", patching.check_schedule),
    "spot_patch_concurrency": Variable("str", "10%", patching.check_concurrency),
    "spot_sns_topic_arn": Variable("str", None, checks.check_text),
    "spot_dashboard": Variable("bool", True, checks.check_boolean),
    "spot_wait_timeout": Variable("int", 1200, whole(1, 86_400)),
    "spot_vpc_cidr": Variable("str", None, checks.check_vpc_cidr),
    "spot_nat": Variable("str", "none", one_of(*NAT)),
    "spot_endpoints": Variable("list", [], check_groups),
    "spot_vpc_id": Variable("str", None, checks.check_vpc_id),
    "spot_subnet_ids": Variable("list", [], subnets),
    "spot_instance_types": Variable("list", DEFAULT_TYPES, checks.check_instance_types),
    "spot_image_id": Variable("str", None, checks.check_image_id),
    "spot_prebaked_image": Variable("bool", False, checks.check_boolean),
    "spot_prebaked_commands": Variable("list", [], checks.check_command),
    "spot_prebaked_instance_types": Variable("list", [], types_or_none),
    "spot_user_data": Variable("str", None, checks.check_user_data),
    "spot_disk_size": Variable("int", 100, whole(*checks.GP3_SIZE)),
    "spot_ebs_iops": Variable("int", 3000, whole(*checks.GP3_IOPS)),
    "spot_ebs_throughput": Variable("int", 125, whole(*checks.GP3_THROUGHPUT)),
    "spot_capacity_owner": Variable("str", None, one_of(*CAPACITY_OWNERS)),
    "spot_replicas": Variable("int", 1, whole(0)),
    "spot_min_size": Variable("int", None, whole(0)),
    "spot_max_size": Variable("int", None, whole(0)),
    "spot_desired_capacity": Variable("int", None, whole(0)),
    "spot_on_demand_base": Variable("int", None, whole(0)),
    "spot_on_demand_percentage_above_base": Variable("int", None, whole(0, 100)),
    "spot_on_demand_fallback_max": Variable("int", 0, whole(0)),
    "spot_container_image": Variable("str", None, checks.check_container_image),
    "spot_container_gpus": Variable("int", 1, whole(0)),
    "spot_container_memory": Variable("int", 4096, whole(128)),
    "spot_container_command": Variable("list", [], checks.check_command),
    "spot_files_throughput_mode": Variable("str", "elastic", one_of("elastic", "bursting", "provisioned")),
    "spot_files_provisioned_mibps": Variable("int", 0, whole(0, 3414)),
    "spot_files_infrequent_after_days": Variable("int", 30, files.check_infrequent_after),
    "spot_files_backup": Variable("bool", True, checks.check_boolean),
    "spot_files_replica_region": Variable("str", None, check_region),
    "spot_files_replica_kms_key_arn": Variable("str", None, checks.check_kms_key_arn),
    "spot_models": Variable("dict", {}, models.check_models),
    "spot_models_image": Variable("str", None, checks.check_container_image),
    "spot_models_command": Variable(
        "list", ["s3", "sync", "--no-progress", "{source}", "{path}"], checks.check_command
    ),
    "spot_models_kms_key_arn": Variable("str", None, models.check_key),
    "spot_models_read_only": Variable("bool", None, checks.check_boolean),
    "spot_container_pull": Variable("str", "auto", one_of("auto", "default", "always", "once", "prefer-cached")),
    "spot_container_pull_through": Variable("bool", False, checks.check_boolean),
    "spot_container_registry_secret_arn": Variable("str", None, check_secret_arn),
    "spot_container_environment": Variable("dict", {}, checks.check_environment),
    "spot_container_secrets": Variable("dict", {}, containers.check_secrets),
    "spot_container_shared_memory": Variable("int", 64, whole(0)),
    "spot_container_port": Variable("int", 0, whole(0, 65_535)),
    "spot_container_health_command": Variable("str", None, containers.check_health_command),
    "spot_container_health_start_period": Variable("int", 300, whole(0, containers.LONGEST_START)),
    "spot_container_readonly_root": Variable("bool", True, checks.check_boolean),
    "spot_container_stop_timeout": Variable("int", 90, whole(0, containers.LONGEST_STOP)),
    "spot_client_cidr": Variable("str", None, containers.check_client_cidr),
    "spot_models_path": Variable("str", "/models", containers.check_models_path),
    "spot_minimum_healthy_percent": Variable("int", 0, whole(0, 100)),
}
