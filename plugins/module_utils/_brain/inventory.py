# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules of an inventory, within a place and between places, without a client. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain import checks
from ansible_collections.ethereal.spot.plugins.module_utils._brain import files
from ansible_collections.ethereal.spot.plugins.module_utils._brain import image_cache
from ansible_collections.ethereal.spot.plugins.module_utils._brain import patching
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_hooks import check_topic
from ansible_collections.ethereal.spot.plugins.module_utils._brain.inventory_variables import VARIABLES
from ansible_collections.ethereal.spot.plugins.module_utils._brain.names import check_place
from ansible_collections.ethereal.spot.plugins.module_utils._brain.names import group_name
from ansible_collections.ethereal.spot.plugins.module_utils._brain.networks import check_reachable
from ansible_collections.ethereal.spot.plugins.module_utils._brain.networks import overlaps
from ansible_collections.ethereal.spot.plugins.module_utils._brain.networks import place_range
from ansible_collections.ethereal.spot.plugins.module_utils._brain.regions import KNOWN
from ansible_collections.ethereal.spot.plugins.module_utils._brain.regions import REGION
from ansible_collections.ethereal.spot.plugins.module_utils._brain.regions import check_region
from ansible_collections.ethereal.spot.plugins.module_utils._brain.regions import partition_of
from ansible_collections.ethereal.spot.plugins.module_utils._brain.regions import suggestion

# Of the deployment as a whole: a place may leave them out, but two that differ have no meaning.
OF_ALL_PLACES = ("spot_max_hourly_usd", "spot_max_monthly_usd", "spot_unit_prices")


@dataclass(frozen=True)
class Finding:
    """A broken rule or a doubt, about one place or, with None, about all."""

    place: str | None
    text: str

    def __str__(self) -> str:
        return self.text if self.place is None else f"{self.place}: {self.text}"


def validate(
    hub: Mapping[str, Mapping[str, Any]] | None, workers: Mapping[str, Mapping[str, Any]]
) -> tuple[list[Finding], list[Finding]]:
    """All errors and all warnings about an inventory; the hub and the workers map a place to its spot_* variables.

    A value of None is one that was not given. Nothing is raised.
    """
    hub = hub or {}
    errors: list[Finding] = []
    warnings: list[Finding] = []
    places: dict[str, Mapping[str, Any]] = {}
    for place, variables in {**workers, **hub}.items():
        if variables is not None and not isinstance(variables, Mapping):
            errors.append(Finding(place, f"must be a mapping of variables to values, not {variables!r}"))
        places[place] = variables if isinstance(variables, Mapping) else {}
    if not places:
        errors.append(Finding(None, "the inventory has neither a hub nor a worker: groups hub and workers are empty"))
    if len(hub) > 1:
        errors.append(
            Finding(None, f"group hub has {len(hub)} places, a deployment has one hub: {', '.join(sorted(hub))}")
        )

    checked: dict[str, dict[str, Any]] = {}
    for place, variables in places.items():
        checked[place] = values = {}
        for name, value in variables.items():
            if value is None:
                continue
            if name not in VARIABLES:
                warnings.append(
                    Finding(place, f"{name}: is no variable of this collection{suggestion(name, VARIABLES)}")
                )
                continue
            try:
                values[name] = VARIABLES[name].check(value, name)
            except InputError as error:
                errors.append(Finding(place, error.message))
        for rule in (*PLACE_RULES, *(WORKER_RULES if place in workers else ())):
            try:
                rule(place, values, variables)
            except InputError as error:
                errors.append(Finding(place, error.message))
        warnings += [Finding(place, text) for text in _doubts(place, values)]

    errors += [
        Finding(place, "spot_place_state: 'absent' is for workers; teardown removes the hub, once all of them are gone")
        for place in hub
        if place not in workers and checked[place].get("spot_place_state") == "absent"
    ]
    for rule in CAPACITY_RULES:
        for place in workers:
            try:
                rule(checked[place], bool(hub))
            except InputError as error:
                errors.append(Finding(place, error.message))
    # A prefix that is wrong for itself has been told already.
    told = {
        place for place, given in places.items() if given.get("spot_prefix") and "spot_prefix" not in checked[place]
    }
    errors += _errors_between({place: values for place, values in checked.items() if place not in told}, workers)
    errors += _overlapping(checked, {place: places[place] for place in workers})
    warnings += _doubts_between(checked)
    return errors, warnings


def _value(values: Mapping[str, Any], name: str) -> Any:
    return values.get(name, VARIABLES[name].default)


def region_of(place: str, values: Mapping[str, Any]) -> str:
    """A place's region is its name unless told otherwise."""
    return values.get("spot_region") or place


def _check_name(place: str, values: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    check_place(place, _value(values, "spot_prefix"), "place")


def _check_region_of_name(place: str, values: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    if given.get("spot_region") is None:
        try:
            check_region(place)
        except InputError as error:
            raise InputError("spot_region", None, f"must be given, since {place!r} {error.rule}") from None


def _check_volume(place: str, values: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    names = ("spot_disk_size", "spot_ebs_iops", "spot_ebs_throughput")
    # One that is wrong for itself has been told already, and says nothing about the others.
    if all(name in values or given.get(name) is None for name in names):
        checks.check_gp3(*(_value(values, name) for name in names), options=names)


def _check_network(place: str, values: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    vpc, subnet_ids = given.get("spot_vpc_id"), given.get("spot_subnet_ids")
    if vpc and not subnet_ids:
        raise InputError("spot_vpc_id", vpc, "needs spot_subnet_ids: subnets of yours in it")
    if subnet_ids and not vpc:
        raise InputError("spot_subnet_ids", subnet_ids, "needs spot_vpc_id: the VPC that they are in")
    for name in ("spot_nat", "spot_endpoints"):
        if subnet_ids and _value(values, name) != VARIABLES[name].default:
            raise InputError(name, values[name], "is for a network of ours: spot_subnet_ids are subnets of yours")


def _check_image(place: str, values: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    if values.get("spot_place_state") == "absent":
        return
    through, secret = values.get("spot_container_pull_through"), values.get("spot_container_registry_secret_arn")
    if secret and not through:
        raise InputError("spot_container_registry_secret_arn", secret, "needs spot_container_pull_through")
    region = region_of(place, values)
    # What subnets of the user reach is not known, and a NAT gateway reaches every registry.
    private = not given.get("spot_subnet_ids") and _value(values, "spot_nat") == "none"
    for name in ("spot_container_image", "spot_models_image"):
        if name not in values:
            continue
        if through and name == "spot_container_image":
            space = image_cache.namespace(_value(values, "spot_prefix"), place)
            options = (name, "spot_container_registry_secret_arn")
            image_cache.pull_through(values[name], region, space, secret, options)
        elif private:
            check_reachable(values[name], region, name)


def _check_clients(place: str, values: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    clients = values.get("spot_client_cidr")
    if clients and not values.get("spot_container_port"):
        raise InputError("spot_client_cidr", clients, "needs spot_container_port: the port that they may reach")


def _check_models(place: str, values: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    models = values.get("spot_models")
    if models and not given.get("spot_models_image"):
        raise InputError("spot_models", ", ".join(models), "need spot_models_image, an image that copies them")


def _check_prebaked(place: str, values: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    if not values.get("spot_prebaked_image") or values.get("spot_place_state") == "absent":
        return
    if not given.get("spot_container_image"):
        raise InputError("spot_prebaked_image", True, "needs spot_container_image: what is to be in the image")
    private = not given.get("spot_subnet_ids") and _value(values, "spot_nat") == "none"
    # One that is wrong for itself has been told already.
    known = "spot_endpoints" in values or given.get("spot_endpoints") is None
    if private and known and "imagebuilder" not in _value(values, "spot_endpoints"):
        rule = "needs imagebuilder in spot_endpoints, or spot_nat: the build's instance reaches nothing else"
        raise InputError("spot_prebaked_image", True, rule)


def _check_role(place: str, values: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    role = values.get("spot_cloudformation_role_arn")
    if role is not None:
        checks.check_role_arn(role, "spot_cloudformation_role_arn", region_of(place, values))


def _check_topic(place: str, values: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    topic = values.get("spot_sns_topic_arn")
    if topic is not None:
        check_topic(topic, "spot_sns_topic_arn", region_of(place, values))


def _check_patching(place: str, values: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    if values.get("spot_patch_reboot") and _value(values, "spot_patch_operation") != patching.INSTALL:
        raise InputError("spot_patch_reboot", True, f"needs spot_patch_operation: {patching.INSTALL}")


def _check_files(place: str, values: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    # One that is wrong for itself has been told already.
    if all(
        name in values or given.get(name) is None
        for name in ("spot_files_throughput_mode", "spot_files_provisioned_mibps")
    ):
        mode, mibps = _value(values, "spot_files_throughput_mode"), _value(values, "spot_files_provisioned_mibps")
        files.check_throughput(mode, mibps, "spot_files_provisioned_mibps")
    replica = values.get("spot_files_replica_region")
    if replica is not None:
        files.check_replica(replica, region_of(place, values), "spot_files_replica_region")
    key = values.get("spot_files_replica_kms_key_arn")
    if key is not None and (replica is not None or given.get("spot_files_replica_region") is None):
        files.check_replica_key(key, replica, "spot_files_replica_kms_key_arn", "spot_files_replica_region")


PLACE_RULES = (
    _check_name,
    _check_region_of_name,
    _check_volume,
    _check_network,
    _check_clients,
    _check_models,
    _check_prebaked,
    _check_role,
    _check_topic,
    _check_patching,
    _check_files,
)
# A hub runs no containers.
WORKER_RULES = (_check_image,)


def _check_owner(values: Mapping[str, Any], has_hub: bool) -> None:
    if values.get("spot_capacity_owner") == "placement" and not has_hub:
        raise InputError("spot_capacity_owner", "placement", "needs a hub, which places")


def _check_sizes_of_placement(values: Mapping[str, Any], has_hub: bool) -> None:
    owner = values.get("spot_capacity_owner") or ("placement" if has_hub else "playbook")
    if owner == "placement":
        for name in (
            "spot_min_size",
            "spot_on_demand_base",
            "spot_on_demand_percentage_above_base",
            "spot_desired_capacity",
            "spot_on_demand_fallback_max",
        ):
            if values.get(name):
                raise InputError(name, values[name], "must be 0 or left out while spot_capacity_owner is placement")


def _check_sizes(values: Mapping[str, Any], has_hub: bool) -> None:
    largest = values.get("spot_max_size")
    for name in (
        "spot_min_size",
        "spot_desired_capacity",
        "spot_on_demand_base",
        "spot_on_demand_fallback_max",
        "spot_replicas",
    ):
        if largest is not None and values.get(name, 0) > largest:
            raise InputError(name, values[name], f"is more than spot_max_size ({largest})")
    desired, smallest = values.get("spot_desired_capacity"), values.get("spot_min_size", 0)
    if desired is not None and desired < smallest:
        raise InputError("spot_desired_capacity", desired, f"is less than spot_min_size ({smallest})")


CAPACITY_RULES = (_check_owner, _check_sizes_of_placement, _check_sizes)


def _doubts(place: str, values: Mapping[str, Any]) -> list[str]:
    found = []
    region = region_of(place, values)
    if REGION.fullmatch(region) and region not in KNOWN:
        found.append(f"spot_region: {region!r} is not a region that this version knows{suggestion(region, KNOWN)}")
    image = values.get("spot_container_image", "")
    if (
        values.get("spot_prebaked_image")
        and "@" not in image
        and (":" not in image.rsplit("/", 1)[-1] or image.endswith(":latest"))
    ):
        found.append(
            f"spot_container_image: {image!r} may name another image tomorrow, and nodes keep what it named when theirs was built"
        )
    if values.get("spot_vpc_id") and "spot_vpc_cidr" in values:
        found.append("spot_vpc_cidr: is not used, since spot_vpc_id names a VPC of yours")
    return found


def _errors_between(checked: Mapping[str, Mapping[str, Any]], workers: Mapping[str, Any]) -> list[Finding]:
    errors = []
    prefixes = {place: _value(values, "spot_prefix") for place, values in checked.items()}
    if len(set(prefixes.values())) > 1:
        each = ", ".join(f"{place} has {prefix!r}" for place, prefix in sorted(prefixes.items()))
        errors.append(Finding(None, f"spot_prefix: must be the same in every place of a deployment: {each}"))
    for name in OF_ALL_PLACES:
        given = {place: values[name] for place, values in checked.items() if name in values}
        if any(value != other for value in given.values() for other in given.values()):
            rule = f"must be the same in every place that has it: {', '.join(sorted(given))} differ"
            errors.append(Finding(None, f"{name}: {rule}"))
    known_workers = [place for place in workers if place in checked]
    for place in known_workers:
        prefix, region = prefixes[place], region_of(place, checked[place])
        for other in known_workers:
            same_region = region_of(other, checked[other]) == region
            if same_region and group_name(prefix, place) == group_name(prefix, other, on_demand=True):
                errors.append(
                    Finding(
                        place, f"place: {place!r} is called as the on-demand group of {other!r}, in the same region"
                    )
                )
    known = {*checked, *(region_of(place, values) for place, values in checked.items())}
    for place, values in checked.items():
        for name in values.get("spot_excluded_places", []):
            if name not in known:
                rule = f"spot_excluded_places: {name!r} is none of the places and regions{suggestion(name, known)}"
                errors.append(Finding(place, rule))
    return errors


def _overlapping(checked: Mapping[str, Mapping[str, Any]], workers: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    """Networks of ours that overlap could never be connected."""
    ranges = {}
    for place, given in workers.items():
        values = checked[place]
        wrong = given.get("spot_vpc_cidr") is not None and "spot_vpc_cidr" not in values
        if not wrong and not values.get("spot_subnet_ids") and values.get("spot_place_state") != "absent":
            ranges[place] = values.get("spot_vpc_cidr") or place_range(region_of(place, values), place)
    return [
        Finding(
            one, f"spot_vpc_cidr: {ranges[one]!r} overlaps {ranges[other]} of {other}: name another for one of them"
        )
        for one, other in overlaps(ranges)
    ]


def _doubts_between(checked: Mapping[str, Mapping[str, Any]]) -> list[Finding]:
    partitions = sorted({partition_of(region_of(place, values)) for place, values in checked.items()})
    if len(partitions) > 1:
        return [Finding(None, f"the places are in partitions {' and '.join(partitions)}, which share no credentials")]
    return []


def report_lines(places: int, errors: list[Finding], warnings: list[Finding]) -> list[str]:
    """The findings for people."""
    counts = f"{places} place{'s' * (places != 1)}: {len(errors)} error{'s' * (len(errors) != 1)}"
    head = f"{counts}, {len(warnings)} warning{'s' * (len(warnings) != 1)}"
    return [head, *(f"  error    {finding}" for finding in errors), *(f"  warning  {finding}" for finding in warnings)]
