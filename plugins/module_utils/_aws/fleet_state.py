# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands of a fleet, and what the account says about its options: reading only. PRIVATE to the collection.

`clients` gives a botocore client for a service's name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._aws import autoscaling
from ansible_collections.ethereal.spot.plugins.module_utils._aws import ec2
from ansible_collections.ethereal.spot.plugins.module_utils._aws import fleet_extras
from ansible_collections.ethereal.spot.plugins.module_utils._aws import launch_templates
from ansible_collections.ethereal.spot.plugins.module_utils._aws import load_balancers
from ansible_collections.ethereal.spot.plugins.module_utils._aws import ssm_images
from ansible_collections.ethereal.spot.plugins.module_utils._aws.fleet_key import settle_key
from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_balancers
from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_efa
from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_extras as extras
from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_facts
from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_reservations
from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_subnets
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet import touches_template
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_plan import remembered_parameter
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_requirements import build_requirements
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_template import build_template
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_template import check_resolved
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_template import choose_image
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_template import need_template
from ansible_collections.ethereal.spot.plugins.module_utils._brain.unknown import is_unknown

Clients = Callable[[str], Any]
LATEST = "$Latest"


def read_fleet(clients: Clients, name: str, *, with_versions: bool = True) -> dict[str, Any]:
    """The `current` of fleet_plan."""
    groups = autoscaling.describe_groups(clients("autoscaling"), [name])
    group = groups[0] if groups else None
    deleting = bool(group and str(group.get("Status") or "").startswith("Delete"))
    group = None if deleting else group
    template = launch_templates.describe_template(clients("ec2"), name)
    current: dict[str, Any] = {
        "deleting": deleting,
        "group": group,
        "in_force": None,
        "template": template,
        "versions": {},
    }
    if with_versions:
        _read_versions(clients("ec2"), current)
    return current


def with_extras(clients: Clients, name: str, current: dict[str, Any], fleet: dict[str, Any]) -> dict[str, Any]:
    """`current` with what else the fleet speaks of: what hangs on the group, and its refreshes."""
    kinds = fleet["extras"]
    refreshes = []
    if current["group"] and fleet.get("refresh") is not None:
        refreshes = autoscaling.describe_refreshes(clients("autoscaling"), name)
    described: dict[str, list[dict[str, Any]]] = {kind: [] for kind in kinds}
    if current["group"] and described:
        described = fleet_extras.describe_extras(clients("autoscaling"), name, described)
    policies = described.get(extras.SCALING_POLICIES, [])
    arns = {policy["PolicyName"]: policy["PolicyARN"] for policy in policies}
    return {
        **current,
        **_read_for_pruning(clients, name, current, fleet),
        "extras": extras.read_extras(described),
        "policy_arns": arns,
        "refreshes": refreshes,
    }


def _read_for_pruning(
    clients: Clients, name: str, current: dict[str, Any], fleet: dict[str, Any]
) -> dict[str, list[dict[str, Any]]]:
    versions, refreshes = [], []
    if current["template"] and fleet.get("keep_versions") is not None:
        versions = launch_templates.describe_all_versions(clients("ec2"), current["template"]["LaunchTemplateId"])
        if current["group"]:
            refreshes = autoscaling.describe_refreshes(clients("autoscaling"), name)
    return {"all_versions": versions, "all_refreshes": refreshes}


def _read_versions(client: Any, current: dict[str, Any]) -> None:
    template_id = current["template"]["LaunchTemplateId"] if current["template"] else None
    specification = need_template(current["group"]) if current["group"] else None
    ours = specification is not None and specification["id"] == template_id
    wanted = [specification["version"]] if specification else []
    if template_id:
        versions = list(dict.fromkeys([*(wanted if ours else []), LATEST]))
        found = launch_templates.describe_versions(client, template_id, versions)
        current["versions"] = {item["VersionNumber"]: item["LaunchTemplateData"] for item in found}
        if not found and versions == [LATEST]:
            # A template without a latest version is one that was deleted and is still listed.
            current["template"] = None
    if specification is None:
        return
    if not ours:
        found = launch_templates.describe_versions(client, specification["id"], wanted)
    chosen = _version(found, specification["version"])
    current["in_force"] = {
        "id": specification["id"],
        "version": specification["version"],
        "number": chosen.get("VersionNumber"),
        # Somebody deleted what the group launches from: nothing is known of it.
        "data": chosen.get("LaunchTemplateData", {}),
    }


def _version(found: list[dict[str, Any]], version: str) -> dict[str, Any]:
    if version == LATEST:
        return max(found, key=lambda item: item["VersionNumber"], default={})
    if version == "$Default":
        return next((item for item in found if item.get("DefaultVersion")), {})
    return next((item for item in found if str(item["VersionNumber"]) == version), {})


def settle_fleet(
    clients: Clients,
    region: str,
    current: dict[str, Any],
    standing: dict[str, Any] | None,
    given: dict[str, Any],
    fleet: dict[str, Any],
    *,
    allow_public_subnets: bool = False,
) -> tuple[dict[str, Any], dict[str, Any] | None, list[str]]:
    """The fleet with image and offered types filled in, its LaunchTemplateData (None if untouched), and warnings.

    Everything new is checked against the account; what stands unchanged was checked when it came. Raises InputError.
    """
    old = standing or {}
    new_subnets = sorted(fleet["subnet_ids"]) != old.get("subnet_ids")
    new_types = fleet["instance_types"] != old.get("instance_types")
    new_efa = fleet["efa"] and not old.get("efa")
    zones = _check_surroundings(clients, region, old, fleet, allow_public_subnets=allow_public_subnets)
    warnings = []
    if fleet["kms_key_arn"] and not is_unknown(fleet["kms_key_arn"]):
        key, warnings = settle_key(clients, fleet["kms_key_arn"], old.get("kms_key_arn"), current["group"])
        fleet = {**fleet, "kms_key_arn": key}
    if (new_types or new_subnets) and fleet["instance_types"]:
        fleet, left_out = _keep_offered(clients, region, fleet, zones)
        warnings = [*warnings, *left_out]
    new_needs = bool(fleet["instance_requirements"]) and fleet["instance_requirements"] != old.get(
        "instance_requirements"
    )
    if fleet["efa"] and (new_efa or new_subnets):
        warnings += fleet_efa.advice(fleet, zones)
    if standing is not None and not touches_template(given, standing):
        if new_needs and old["image_id"]:
            _check_needs(clients, region, fleet, ec2.describe_image(clients("ec2"), old["image_id"]) or {})
        return fleet, None, warnings
    types: list[dict[str, Any]] = []
    if fleet["efa"] and (new_types or new_efa):
        types = ec2.describe_instance_types(clients("ec2"), fleet["instance_types"])
        fleet = {**fleet, "efa_adapters": fleet_efa.adapters_of(types)}
    elif not fleet["efa"]:
        fleet = {**fleet, "efa_adapters": 0}
    fleet = _choose_image(clients, current, old, given, fleet)
    image = None
    if not is_unknown(fleet["image_id"]):
        image = ec2.describe_image(clients("ec2"), fleet["image_id"])
        image = fleet_facts.check_image(fleet["image_id"], image, region)
        new_image = fleet["image_id"] != old.get("image_id")
        if fleet["instance_requirements"] and (new_needs or new_image):
            _check_needs(clients, region, fleet, image)
        if fleet["instance_types"] and (new_types or new_image):
            types = types or ec2.describe_instance_types(clients("ec2"), fleet["instance_types"])
            fleet_facts.check_architecture(image, types)
    return fleet, build_template(fleet, image), warnings


def _check_surroundings(
    clients: Clients, region: str, old: dict[str, Any], fleet: dict[str, Any], *, allow_public_subnets: bool
) -> list[str]:
    """The zones of the subnets, if these were looked at; InputError where the fleet does not fit what it stands in."""
    new_subnets = sorted(fleet["subnet_ids"]) != old.get("subnet_ids")
    new_groups = sorted(fleet["security_group_ids"]) != old.get("security_group_ids")
    new_types = fleet["instance_types"] != old.get("instance_types")
    new_placement = fleet["placement_group"] not in ("", old.get("placement_group"))
    new_targets = fleet["target_group_arns"] not in ([], old.get("target_group_arns"))
    zones: list[str] = []
    vpc_id = None
    reserved = fleet_reservations.OPTION
    new_reservation = bool(fleet[reserved]["ids"]) and (
        new_types or new_subnets or fleet[reserved] != old.get(reserved)
    )
    new_efa = fleet["efa"] and not old.get("efa")
    looked_at = (new_subnets, new_groups, new_types, new_placement, new_targets, new_reservation, new_efa)
    if any(looked_at) and not is_unknown(fleet["subnet_ids"]):
        found = ec2.describe_subnets(clients("ec2"), fleet["subnet_ids"])
        vpc_id, zones = fleet_facts.check_subnets(fleet["subnet_ids"], found, region)
        if new_subnets and not allow_public_subnets:
            tables = ec2.describe_route_tables(clients("ec2"), vpc_id)
            fleet_subnets.check_private(fleet["subnet_ids"], tables)
        if (new_subnets or new_groups or new_efa) and not is_unknown(fleet["security_group_ids"]):
            groups = ec2.describe_security_groups(clients("ec2"), fleet["security_group_ids"])
            fleet_facts.check_security_groups(fleet["security_group_ids"], groups, vpc_id, region)
            if fleet["efa"]:
                fleet_efa.check_group(fleet["security_group_ids"], groups)
    if fleet["placement_group"] and (new_placement or new_subnets):
        found = ec2.describe_placement_groups(clients("ec2"), fleet["placement_group"])
        fleet_facts.check_placement_group(fleet["placement_group"], found, zones, region)
    if new_reservation:
        found = ec2.describe_reservations(clients("ec2"), fleet[reserved]["ids"])
        fleet_reservations.check_described(fleet, found, zones, region)
    if new_targets and not is_unknown(fleet["target_group_arns"]):
        found = load_balancers.describe_target_groups(clients("elbv2"), fleet["target_group_arns"])
        fleet_balancers.check_described(fleet["target_group_arns"], found, vpc_id, region)
    return zones


def _check_needs(clients: Clients, region: str, fleet: dict[str, Any], image: dict[str, Any]) -> None:
    needs = fleet["instance_requirements"]
    types = ec2.types_meeting(clients("ec2"), build_requirements(needs), image.get("Architecture", "x86_64"))
    fleet_facts.check_met(needs, types, image, region)


def _keep_offered(
    clients: Clients, region: str, fleet: dict[str, Any], zones: list[str]
) -> tuple[dict[str, Any], list[str]]:
    where = ", ".join(zones) or region
    offerings = ec2.describe_offerings(clients("ec2"), fleet["instance_types"], zones)
    kept, dropped = fleet_facts.offered_types(fleet["instance_types"], offerings, where)
    warnings = [f"instance_types: {name!r} is not offered in {where} and is left out" for name in dropped]
    weights = {name: weight for name, weight in fleet["instance_weights"].items() if name in kept}
    return {**fleet, "instance_types": kept, "instance_weights": weights}, warnings


def _choose_image(
    clients: Clients, current: dict[str, Any], old: dict[str, Any], given: dict[str, Any], fleet: dict[str, Any]
) -> dict[str, Any]:
    remembered = remembered_parameter(current) if old else None
    refresh = given.get("refresh_image", False)
    choice = choose_image(given.get("ami_id"), remembered, old.get("image_id"), refresh=refresh)
    image_id = choice["image_id"]
    if choice["resolve"]:
        image_id = check_resolved(choice["resolve"], ssm_images.image_of(clients("ssm"), choice["resolve"]))
    if image_id is None:
        raise InputError("ami_id", None, "is required: the launch template in force has no image")
    return {**fleet, "image_id": image_id, "image_parameter": choice["image_parameter"]}
