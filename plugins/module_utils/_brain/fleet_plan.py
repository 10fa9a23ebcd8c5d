# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to change so that a fleet is as wanted: plan(current, wanted) -> changes. PRIVATE to the collection.

`current` is a dict with `group` (DescribeAutoScalingGroups entry or None), `template` (DescribeLaunchTemplates entry of
the template that carries the fleet's name, or None), `versions` (LaunchTemplateData by number, of those looked at) and
`in_force` (id, version as the group states it, number, data of what the group launches from; None without a group).
`extras` is the `standing` of fleet_extras, of the kinds that were asked for; a fleet's `extras` is the `wanted`.
A group that AWS is still deleting counts as none, with `deleting` true.
"""

from __future__ import annotations

from dataclasses import asdict
from dataclasses import dataclass
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_extras
from ansible_collections.ethereal.spot.plugins.module_utils._brain import names
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import EtherealSpotError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet import TAG_ECS_MANAGED
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_capacity import POLICY_FIELDS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_group import PLAIN_FIELDS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_group import read_group
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_group import tags_of
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_settings import NO_PROTECTION
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_template import normal
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_template import read_template
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_template import same_template
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_template import user_data_summary
from ansible_collections.ethereal.spot.plugins.module_utils._brain.unknown import KNOWN_AFTER_APPLY

# The order in which a plan is carried out: whatever is interrupted leaves something that the next plan completes.
CREATE_TEMPLATE = "create_launch_template"
CREATE_VERSION = "create_launch_template_version"
CREATE_GROUP = "create_group"
ATTACH_TARGET_GROUPS = "attach_target_groups"
UPDATE_GROUP = "update_group"
DETACH_TARGET_GROUPS = "detach_target_groups"
TAG_TEMPLATE = "tag_launch_template"
UNTAG_TEMPLATE = "untag_launch_template"
TAG_GROUP = "tag_group"
ENABLE_METRICS = "enable_metrics"
START_REFRESH = "start_refresh"
DELETE_VERSION = "delete_launch_template_version"
DELETE_GROUP = "delete_group"
DELETE_TEMPLATE = "delete_launch_template"


@dataclass(frozen=True)
class Change:
    """One thing that changes: `kind` is the step that does it, `what` the field; user data shows as its digest."""

    kind: str
    what: str
    before: Any
    after: Any

    def public(self) -> dict[str, Any]:
        return asdict(self)


def current_fleet(current: dict[str, Any]) -> dict[str, Any] | None:
    """The fleet that stands, in a fleet's terms; None without a group."""
    if current["group"] is None:
        return None
    template = read_template(current["in_force"]["data"])
    return {
        **template,
        **read_group(current["group"]),
        "image_parameter": remembered_parameter(current),
        "unfinished": unfinished(current["group"]),
    }


def unfinished(group: dict[str, Any]) -> bool:
    """Whether a group of ours lacks the last step of its creation, or somebody took that away: its metrics."""
    return names.TAG_CAPACITY_OWNER in tags_of(group) and not group.get("EnabledMetrics")


def remembered_parameter(current: dict[str, Any]) -> str | None:
    """The SSM parameter that the image was found by, as the launch template's tag remembers it."""
    return template_tags(current["template"]).get(names.TAG_IMAGE_PARAMETER)


def template_tags(template: dict[str, Any] | None) -> dict[str, str]:
    """The launch template's own tags."""
    return {tag["Key"]: tag["Value"] for tag in (template or {}).get("Tags", [])}


def choose_version(current: dict[str, Any], data: dict[str, Any] | None) -> dict[str, str]:
    """The template and version that the group shall launch from: one that stands if its content is right.

    `data` is None when no option of the template was given: then what is in force stays. A version that was made by a
    run which died before it reached the group is found as the latest.
    """
    in_force = current["in_force"]
    if data is None:
        return {"id": in_force["id"], "version": in_force["version"]}
    template = current["template"]
    if template is None:
        return {"id": KNOWN_AFTER_APPLY, "version": KNOWN_AFTER_APPLY}
    candidates = sorted(current["versions"], reverse=True)
    if in_force and in_force["id"] == template["LaunchTemplateId"]:
        candidates = [in_force["number"], *candidates]
    for number in candidates:
        if number in current["versions"] and same_template(current["versions"][number], data):
            return {"id": template["LaunchTemplateId"], "version": str(number)}
    return {"id": template["LaunchTemplateId"], "version": KNOWN_AFTER_APPLY}


def plan(current: dict[str, Any], fleet: dict[str, Any], data: dict[str, Any] | None) -> list[Change]:
    """The changes that make the fleet as wanted; empty if it is."""
    chosen = choose_version(current, data)
    changes = _plan_template(current, data, chosen)
    if current["group"] is None:
        changes.append(Change(CREATE_GROUP, "group", None, group_summary(fleet, chosen)))
        group_tags: dict[str, str] = {}
    else:
        changes += _plan_group(current, fleet, chosen)
        changes += _plan_target_groups(current, fleet)
        group_tags = tags_of(current["group"])
        changes += [
            Change(TAG_GROUP, key, group_tags.get(key), value)
            for key, value in fleet["group_tags"].items()
            if not _stands(key, value, group_tags)
        ]
    changes += _plan_template_tags(current, fleet, data)
    changes += [
        Change(*difference) for difference in fleet_extras.differences(fleet["extras"], current.get("extras", {}))
    ]
    if current["group"] is None or unfinished(current["group"]):
        changes.append(Change(ENABLE_METRICS, "metrics", False, True))
    return changes


def _stands(key: str, value: str, tags: dict[str, str]) -> bool:
    """Whether a tag is there; of ECS's own mark only the key counts."""
    return key in tags and (key == TAG_ECS_MANAGED or tags[key] == value)


def _plan_template(current: dict[str, Any], data: dict[str, Any] | None, chosen: dict[str, str]) -> list[Change]:
    if data is None or chosen["version"] != KNOWN_AFTER_APPLY:
        return []
    wanted = normal(data)
    if current["template"] is None:
        return [Change(CREATE_TEMPLATE, "launch_template", None, wanted)]
    in_force = current["in_force"]
    latest = max(current["versions"], default=None)
    standing = normal(in_force["data"] if in_force else current["versions"].get(latest, {}))
    return [
        Change(CREATE_VERSION, key, standing.get(key), wanted.get(key))
        for key in sorted({*standing, *wanted})
        if standing.get(key) != wanted.get(key)
    ]


def _plan_group(current: dict[str, Any], fleet: dict[str, Any], chosen: dict[str, str]) -> list[Change]:
    standing = read_group(current["group"])
    changes = []
    for field in (*PLAIN_FIELDS, *POLICY_FIELDS):
        wanted = sorted(fleet[field]) if field == "subnet_ids" else fleet[field]
        if standing[field] != wanted:
            changes.append(Change(UPDATE_GROUP, field, standing[field], wanted))
    in_force = {"id": current["in_force"]["id"], "version": current["in_force"]["version"]}
    if in_force != chosen:
        changes.append(Change(UPDATE_GROUP, "launch_template", in_force, chosen))
    return changes


def _plan_target_groups(current: dict[str, Any], fleet: dict[str, Any]) -> list[Change]:
    standing, wanted = set(read_group(current["group"])["target_group_arns"]), set(fleet["target_group_arns"])
    return [
        *(Change(ATTACH_TARGET_GROUPS, arn, None, arn) for arn in sorted(wanted - standing)),
        *(Change(DETACH_TARGET_GROUPS, arn, arn, None) for arn in sorted(standing - wanted)),
    ]


def _plan_template_tags(current: dict[str, Any], fleet: dict[str, Any], data: dict[str, Any] | None) -> list[Change]:
    if data is None or current["template"] is None:
        return []
    standing = template_tags(current["template"])
    changes = [
        Change(TAG_TEMPLATE, key, standing.get(key), value)
        for key, value in wanted_template_tags(fleet).items()
        if standing.get(key) != value
    ]
    if fleet["image_parameter"] is None and names.TAG_IMAGE_PARAMETER in standing:
        changes.append(Change(UNTAG_TEMPLATE, names.TAG_IMAGE_PARAMETER, standing[names.TAG_IMAGE_PARAMETER], None))
    return changes


def wanted_template_tags(fleet: dict[str, Any]) -> dict[str, str]:
    """The launch template's own tags."""
    parameter = fleet["image_parameter"]
    return {**fleet["tags"], **({names.TAG_IMAGE_PARAMETER: parameter} if parameter else {})}


def plan_absent(current: dict[str, Any], *, unprotect: bool = False) -> list[Change]:
    """What goes when a fleet goes; nothing of others. A protected group goes only if its protection may be lifted."""
    changes = []
    if current["group"] is not None:
        protection = read_group(current["group"])["deletion_protection"]
        if protection != NO_PROTECTION:
            if not unprotect:
                name = current["group"]["AutoScalingGroupName"]
                raise EtherealSpotError(
                    f"group {name!r} has deletion_protection {protection!r}: give deletion_protection: none to delete it"
                )
            changes.append(Change(UPDATE_GROUP, "deletion_protection", protection, NO_PROTECTION))
        changes.append(Change(DELETE_GROUP, "group", _members(current["group"]), None))
    if current["template"] is not None:
        changes.append(Change(DELETE_TEMPLATE, "launch_template", current["template"]["LaunchTemplateId"], None))
    return changes


def _members(group: dict[str, Any]) -> dict[str, list[str]]:
    """The instances that go with a group, and which of them somebody kept back from going: a deletion with force asks
    neither protection nor standby nor hooks (botocore model: ForceDelete; EC2 Auto Scaling user guide, "Instance scale-in
    protection")."""
    kept_back = {
        "protected": lambda member: member.get("ProtectedFromScaleIn"),
        "standby": lambda member: member["LifecycleState"] == "Standby",
        "waiting": lambda member: member["LifecycleState"].endswith(":Wait"),
    }
    members = group.get("Instances", [])
    found = {what: [each["InstanceId"] for each in members if is_so(each)] for what, is_so in kept_back.items()}
    return {"instances": [each["InstanceId"] for each in members], **{what: ids for what, ids in found.items() if ids}}


def group_summary(fleet: dict[str, Any], chosen: dict[str, str]) -> dict[str, Any]:
    """A group's fields for a person to read."""
    fields = {field: fleet[field] for field in (*PLAIN_FIELDS, *POLICY_FIELDS, "capacity_owner", "target_group_arns")}
    return {**fields, "subnet_ids": sorted(fleet["subnet_ids"]), "launch_template": chosen}


def view(current: dict[str, Any]) -> dict[str, Any]:
    """What stands, as results and diffs show it; empty if nothing does."""
    group = current["group"]
    if group is None:
        leftover = current["template"]
        return {"launch_template": {"id": leftover["LaunchTemplateId"], "version": None}} if leftover else {}
    fleet = current_fleet(current) or {}
    in_force = current["in_force"]
    return _view(
        fleet,
        in_force["data"],
        {"id": in_force["id"], "version": in_force["version"]},
        tags_of(group),
        bool(group.get("EnabledMetrics")),
        current.get("extras", {}),
    )


def view_after(current: dict[str, Any], fleet: dict[str, Any], data: dict[str, Any] | None) -> dict[str, Any]:
    """What will stand once the plan is carried out, in the same terms."""
    group = current["group"]
    standing = tags_of(group) if group else {}
    wanted = {key: value for key, value in fleet["group_tags"].items() if not _stands(key, value, standing)}
    tags = {**standing, **wanted}
    metrics = group is None or names.TAG_CAPACITY_OWNER in standing or bool(group.get("EnabledMetrics"))
    shown = data if data is not None else current["in_force"]["data"]
    extras = fleet_extras.merged(fleet["extras"], current.get("extras", {}))
    return _view(fleet, shown, choose_version(current, data), tags, metrics, extras)


def _view(
    fleet: dict[str, Any],
    data: dict[str, Any],
    chosen: dict[str, str],
    tags: dict[str, str],
    metrics: bool,
    extras: dict[str, dict[str, Any]],
) -> dict[str, Any]:
    shown = normal(data)
    devices = shown.get("BlockDeviceMappings", {})
    encoded = data.get("UserData")
    others = ("capacity_owner", "image_parameter", "target_group_arns")
    fields = {field: fleet[field] for field in (*PLAIN_FIELDS, *POLICY_FIELDS, *others)}
    return {
        **fields,
        "subnet_ids": sorted(fleet["subnet_ids"]),
        "block_devices": devices,
        "group_tags": tags,
        "iam_instance_profile": shown.get("IamInstanceProfile"),
        "image_id": data.get("ImageId"),
        "launch_template": chosen,
        "metadata_options": shown.get("MetadataOptions"),
        "metrics": metrics,
        "network_interfaces": shown.get("NetworkInterfaces"),
        "tag_specifications": shown.get("TagSpecifications", {}),
        "user_data": user_data_summary(encoded) if encoded else None,
        **extras,
    }
