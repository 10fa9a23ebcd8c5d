# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands of a fleet as AWS shows it, read without any of the product's code, and what a run's result must say of it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable
from typing import Any

from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import World

OWNER_TAG = "ethereal-spot:capacity-owner"
PARAMETER_TAG = "ethereal-spot:image-parameter"
# What hangs on a group: what results call it, its name's field, what AWS adds to it.
HANGING = {
    "lifecycle_hooks": ("LifecycleHookName", {"GlobalTimeout"}),
    "scaling_policies": ("PolicyName", {"Alarms", "PolicyARN", "StepAdjustments", "PredictiveScalingConfiguration"}),
    "scheduled_actions": ("ScheduledActionName", {"ScheduledActionARN", "Time"}),
    "warm_pool": ("Name", {"Status"}),
}


def look(world: World, name: str = "gpu-fleet") -> dict[str, Any]:
    """Everything that AWS has of the fleet. `templates` are all of the region, `running` counts all its instances."""
    groups = world.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]
    found = [group for group in groups if group["AutoScalingGroupName"] == name]
    seen: dict[str, Any] = {
        "group": found[0] if found else None,
        "groups": len(groups),
        "running": len(world.ec2.describe_instance_status()["InstanceStatuses"]),
        "templates": [_template(world, item) for item in world.ec2.describe_launch_templates()["LaunchTemplates"]],
    }
    if not found:
        return seen
    one = {"AutoScalingGroupName": name}
    pool = world.autoscaling.describe_warm_pool(**one).get("WarmPoolConfiguration")
    hanging = {
        "lifecycle_hooks": world.autoscaling.describe_lifecycle_hooks(**one)["LifecycleHooks"],
        "scaling_policies": world.autoscaling.describe_policies(**one)["ScalingPolicies"],
        "scheduled_actions": world.autoscaling.describe_scheduled_actions(**one)["ScheduledUpdateGroupActions"],
        "warm_pool": [{**pool, "Name": "warm_pool"}] if pool else [],
    }
    for kind, items in hanging.items():
        name_field, added = HANGING[kind]
        left_out = {"AutoScalingGroupName", name_field, *added}
        seen[kind] = {item[name_field]: _without(item, left_out) for item in items}
    topics: dict[str, Any] = {}
    told = world.autoscaling.describe_notification_configurations(AutoScalingGroupNames=[name])
    for item in told["NotificationConfigurations"]:
        topics.setdefault(item["TopicARN"], {"NotificationTypes": []})["NotificationTypes"].append(
            item["NotificationType"]
        )
    seen["notifications"] = topics
    seen["refreshes"] = world.autoscaling.describe_instance_refreshes(**one)["InstanceRefreshes"]
    return json.loads(json.dumps(seen, default=lambda moment: moment.isoformat()))


def _template(world: World, item: dict[str, Any]) -> dict[str, Any]:
    described = world.ec2.describe_launch_template_versions(LaunchTemplateId=item["LaunchTemplateId"])
    versions = {
        str(found["VersionNumber"]): found["LaunchTemplateData"] for found in described["LaunchTemplateVersions"]
    }
    tags = {tag["Key"]: tag["Value"] for tag in item.get("Tags", [])}
    return {"id": item["LaunchTemplateId"], "name": item["LaunchTemplateName"], "tags": tags, "versions": versions}


def _without(item: dict[str, Any], left_out: set[str]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key not in left_out and value not in ("", None, [], {})}


def in_force(seen: dict[str, Any]) -> dict[str, Any]:
    """The LaunchTemplateData that the group launches from."""
    if not seen["group"]:
        return {}
    specification = _specification(seen)
    (template,) = [item for item in seen["templates"] if item["id"] == specification["LaunchTemplateId"]]
    return template["versions"][specification["Version"]]


def _specification(seen: dict[str, Any]) -> dict[str, Any]:
    return seen["group"]["MixedInstancesPolicy"]["LaunchTemplate"]["LaunchTemplateSpecification"]


def _split(seen: dict[str, Any]) -> dict[str, Any]:
    return seen["group"]["MixedInstancesPolicy"]["InstancesDistribution"]


def _overrides(seen: dict[str, Any]) -> list[dict[str, Any]]:
    return seen["group"]["MixedInstancesPolicy"]["LaunchTemplate"]["Overrides"]


def _tags(seen: dict[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in seen["group"]["Tags"]}


def _group(field: str, default: Any = None) -> Callable[[dict[str, Any]], Any]:
    return lambda seen: seen["group"].get(field, default)


def _data(field: str) -> Callable[[dict[str, Any]], Any]:
    return lambda seen: in_force(seen).get(field)


def _buys_spot(seen: dict[str, Any]) -> bool:
    return _split(seen)["OnDemandPercentageAboveBaseCapacity"] < 100


def _user_data(seen: dict[str, Any]) -> dict[str, Any] | None:
    encoded = in_force(seen).get("UserData")
    if not encoded:
        return None
    content = base64.b64decode(encoded)
    return {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}


def _weights(seen: dict[str, Any]) -> dict[str, int]:
    return {
        item["InstanceType"]: int(item["WeightedCapacity"]) for item in _overrides(seen) if "WeightedCapacity" in item
    }


def snake(word: str) -> str:
    """AWS's name in snake case."""
    word = word.replace("MiB", "Mib").replace("GiB", "Gib").replace("VCpu", "Vcpu").replace("GB", "Gb")
    return re.sub(r"(?<!^)([A-Z])", lambda match: "_" + match[1].lower(), word).lower()


def _requirements(seen: dict[str, Any]) -> dict[str, Any]:
    found = next((item["InstanceRequirements"] for item in _overrides(seen) if "InstanceRequirements" in item), {})
    return {
        snake(key): {end.lower(): number for end, number in value.items()} if isinstance(value, dict) else value
        for key, value in found.items()
    }


def _reservation(seen: dict[str, Any]) -> dict[str, Any]:
    said = seen["group"].get("CapacityReservationSpecification") or {}
    targets = said.get("CapacityReservationTarget") or {}
    return {
        "ids": targets.get("CapacityReservationIds", []),
        "preference": said.get("CapacityReservationPreference", "default"),
        "resource_group_arns": targets.get("CapacityReservationResourceGroupArns", []),
    }


def _parameter(seen: dict[str, Any]) -> str | None:
    return next((item["tags"].get(PARAMETER_TAG) for item in seen["templates"] if item["name"] == "gpu-fleet"), None)


# A fleet in a result, by how AWS shows it. What the update of a group sends is under the name that AWS gives it.
POLICY = {
    "instance_requirements": _requirements,
    "instance_types": lambda seen: [item["InstanceType"] for item in _overrides(seen) if "InstanceType" in item],
    "instance_weights": _weights,
    "launch_template": lambda seen: {
        "id": _specification(seen)["LaunchTemplateId"],
        "version": _specification(seen)["Version"],
    },
    "on_demand_base": lambda seen: _split(seen)["OnDemandBaseCapacity"],
    "on_demand_percentage_above_base": lambda seen: _split(seen)["OnDemandPercentageAboveBaseCapacity"],
    "on_demand_strategy": lambda seen: _split(seen)["OnDemandAllocationStrategy"],
    "spot_instance_pools": lambda seen: _split(seen).get("SpotInstancePools"),
    "spot_max_price": lambda seen: _split(seen).get("SpotMaxPrice", ""),
    "spot_strategy": lambda seen: _split(seen)["SpotAllocationStrategy"] if _buys_spot(seen) else None,
}
PLAIN = {
    "availability_zone_distribution": (
        "AvailabilityZoneDistribution",
        lambda seen: (seen["group"].get("AvailabilityZoneDistribution") or {}).get(
            "CapacityDistributionStrategy", "balanced-best-effort"
        ),
    ),
    "capacity_reservation": ("CapacityReservationSpecification", _reservation),
    "capacity_rebalance": ("CapacityRebalance", _group("CapacityRebalance")),
    "default_instance_warmup": ("DefaultInstanceWarmup", _group("DefaultInstanceWarmup", -1)),
    "deletion_protection": ("DeletionProtection", _group("DeletionProtection", "none")),
    "desired_capacity": ("DesiredCapacity", _group("DesiredCapacity")),
    "health_check_grace_period": ("HealthCheckGracePeriod", _group("HealthCheckGracePeriod")),
    "health_check_type": ("HealthCheckType", _group("HealthCheckType")),
    "max_instance_lifetime": ("MaxInstanceLifetime", _group("MaxInstanceLifetime", 0)),
    "max_size": ("MaxSize", _group("MaxSize")),
    "min_size": ("MinSize", _group("MinSize")),
    "placement_group": ("PlacementGroup", _group("PlacementGroup", "")),
    "subnet_ids": ("VPCZoneIdentifier", lambda seen: sorted(seen["group"]["VPCZoneIdentifier"].split(","))),
    "termination_policies": ("TerminationPolicies", _group("TerminationPolicies")),
}
OTHERS = {
    "block_devices": lambda seen: {item["DeviceName"]: item for item in in_force(seen)["BlockDeviceMappings"]},
    "capacity_owner": lambda seen: _tags(seen)[OWNER_TAG],
    "group_tags": _tags,
    "iam_instance_profile": _data("IamInstanceProfile"),
    "image_id": _data("ImageId"),
    "image_parameter": _parameter,
    "metadata_options": _data("MetadataOptions"),
    "metrics": lambda seen: bool(seen["group"]["EnabledMetrics"]),
    "network_interfaces": _data("NetworkInterfaces"),
    "tag_specifications": lambda seen: {
        item["ResourceType"]: {tag["Key"]: tag["Value"] for tag in item["Tags"]}
        for item in in_force(seen).get("TagSpecifications", [])
    },
    "target_group_arns": lambda seen: sorted(seen["group"]["TargetGroupARNs"]),
    "user_data": _user_data,
}


def shown(seen: dict[str, Any], kinds: set[str] | None = None) -> dict[str, Any]:
    """What a result must say of the fleet; of what hangs on the group, those `kinds` that the run looked at."""
    if not seen["group"]:
        return {}
    fields = {field: read(seen) for field, read in {**POLICY, **OTHERS}.items()}
    fields |= {field: read(seen) for field, (_name, read) in PLAIN.items()}
    return {**fields, **{kind: dict(sorted(seen[kind].items())) for kind in kinds or ()}}


def happened(before: dict[str, Any], after: dict[str, Any]) -> set[tuple[str, str]]:
    """(kind, what) of everything that differs between two looks, in the words of a result's `changes`."""
    result: set[tuple[str, str]] = set()
    old, new = _ours(before), _ours(after)
    if new and not old:
        result.add(("create_launch_template", "launch_template"))
    if old and not new:
        result.add(("delete_launch_template", "launch_template"))
    if old and new:
        if new["versions"].keys() - old["versions"].keys():
            result |= {("create_launch_template_version", key) for key in _different(in_force(before), _latest(new))}
        if old["versions"].keys() - new["versions"].keys():
            result.add(("delete_launch_template_version", "launch_template_version"))
        result |= {("tag_launch_template", key) for key in _different(old["tags"], new["tags"]) & set(new["tags"])}
        result |= {("untag_launch_template", key) for key in set(old["tags"]) - set(new["tags"])}
    if before["group"] and after["group"]:
        result |= _happened_to_group(before, after)
    elif before["group"]:
        result.add(("delete_group", "group"))
        if shown(before)["deletion_protection"] != "none":
            result.add(("update_group", "deletion_protection"))
    elif after["group"]:
        result |= {("create_group", "group"), ("enable_metrics", "metrics")}
    if after["group"]:
        for kind in (*HANGING, "notifications"):
            one = {"notifications": "notification", "scaling_policies": "scaling_policy"}.get(
                kind, kind.removesuffix("s")
            )
            standing = before.get(kind, {})
            result |= {(f"put_{one}", name) for name in _different(standing, after[kind]) & set(after[kind])}
            result |= {(f"delete_{one}", name) for name in set(standing) - set(after[kind])}
    return result


def _happened_to_group(before: dict[str, Any], after: dict[str, Any]) -> set[tuple[str, str]]:
    result = {("update_group", field) for field in touched(before, after) & {*POLICY, *PLAIN}}
    result |= {("tag_group", key) for key in _different(_tags(before), _tags(after))}
    targets, wanted = set(before["group"]["TargetGroupARNs"]), set(after["group"]["TargetGroupARNs"])
    result |= {("attach_target_groups", arn) for arn in wanted - targets}
    result |= {("detach_target_groups", arn) for arn in targets - wanted}
    if before["group"]["EnabledMetrics"] != after["group"]["EnabledMetrics"]:
        result.add(("enable_metrics", "metrics"))
    if len(after["refreshes"]) > len(before["refreshes"]):
        result.add(("start_refresh", "instances"))
    return result


def touched(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """The fields of the fleet that differ, what hangs on it too."""
    kinds = {*HANGING, "notifications"}
    return _different(shown(before, kinds), shown(after, kinds))


def _ours(seen: dict[str, Any]) -> dict[str, Any] | None:
    return next((item for item in seen["templates"] if item["name"] == "gpu-fleet"), None)


def _latest(template: dict[str, Any]) -> dict[str, Any]:
    return template["versions"][max(template["versions"], key=int)]


def _different(one: dict[str, Any], other: dict[str, Any]) -> set[str]:
    return {key for key in {*one, *other} if one.get(key) != other.get(key)}


IDENTIFIERS = re.compile(r"\b(lt|i)-[0-9a-f]{8,17}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def canonical(seen: dict[str, Any]) -> Any:
    """A look without what AWS assigns: identifiers and the moment of creation. How many there are of each stays."""
    group = seen["group"]
    if group:
        members = sorted(json.dumps(_without(member, {"InstanceId"}), sort_keys=True) for member in group["Instances"])
        seen = {**seen, "group": {**_without(group, {"CreatedTime"}), "Instances": members}}
    return json.loads(IDENTIFIERS.sub("assigned", json.dumps(seen, sort_keys=True)))
