# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an instance refresh may be asked for, and AWS's defaults.

Sources: botocore model, RefreshPreferences; EC2 Auto Scaling user guide, "How an instance refresh works" and "Undo
changes with a rollback".
"""

from __future__ import annotations

from typing import Any

from moto.core.exceptions import ServiceException

from sandbox.autoscaling.groups import Configuration
from sandbox.autoscaling.groups import Group
from sandbox.autoscaling.refusal import invalid
from sandbox.autoscaling.templates import version_of

DEFAULT_MIN_HEALTHY = 90
DEFAULT_CHECKPOINT_DELAY = 3600
FLOATING = ("$Latest", "$Default")


def checked(group: Group, given: dict[str, Any]) -> dict[str, Any]:
    """Preferences with defaults. Raises ValidationError."""
    shown = dict(given)
    policy = group.values.get("InstanceMaintenancePolicy") or {}
    for key in ("MinHealthyPercentage", "MaxHealthyPercentage"):
        if key not in given and int(policy.get(key) or -1) >= 0:
            shown[key] = policy[key]
    most = given.get("MaxHealthyPercentage")
    if most is not None and (
        "MinHealthyPercentage" not in given or int(most) - int(given["MinHealthyPercentage"]) > 100
    ):
        raise invalid(
            "MaxHealthyPercentage needs MinHealthyPercentage, and the difference between them must not exceed 100."
        )
    shown.setdefault("MinHealthyPercentage", DEFAULT_MIN_HEALTHY)
    points = [int(each) for each in given.get("CheckpointPercentages") or []]
    if points != sorted(set(points)) or any(not 1 <= each <= 100 for each in points):
        raise invalid("CheckpointPercentages must be unique, in ascending order and from 1 to 100.")
    if points:
        shown.setdefault("CheckpointDelay", DEFAULT_CHECKPOINT_DELAY)
    elif given.get("CheckpointDelay") is not None:
        raise invalid("CheckpointDelay needs CheckpointPercentages.")
    shown.setdefault("SkipMatching", False)
    shown.setdefault("AutoRollback", False)
    shown.setdefault("ScaleInProtectedInstances", "Wait")
    shown.setdefault("StandbyInstances", "Wait")
    return shown


def warmup(group: Group, preferences: dict[str, Any]) -> int:
    """Seconds that a new instance takes until it counts."""
    for value in (preferences.get("InstanceWarmup"), group.values["DefaultInstanceWarmup"]):
        if value is not None and int(value) >= 0:
            return int(value)
    return int(group.values["HealthCheckGracePeriod"] or 0)


def reversible(group: Group, configurations: list[Configuration | None], wanted: dict[str, Any] | None) -> str:
    """Why a refresh cannot be rolled back; empty where it can."""
    if not wanted:
        return "A desired configuration was not found."
    for configuration in configurations:
        for specification in _specifications(configuration):
            if specification.get("Version", "$Default") in FLOATING:
                return "The launch template version is $Latest or $Default."
            try:
                image = str(version_of(group, specification).data.get("ImageId"))
            except ServiceException:
                return "The launch template does not exist."
            if image.startswith("resolve:ssm:"):
                return "The launch template uses a Systems Manager parameter instead of an AMI ID."
    return ""


def by_requirements(group: Group) -> bool:
    overrides = group.policy["LaunchTemplate"]["Overrides"] if group.policy else []
    return any(each.get("InstanceRequirements") for each in overrides)


def matches(group: Group, instance_type: str, template: dict[str, str]) -> bool:
    """Whether an instance of this type and template is what the group launches now (SkipMatching)."""
    wanted = group.template
    if group.policy:
        launch = group.policy["LaunchTemplate"]
        wanted = launch["LaunchTemplateSpecification"]
        named = [each for each in launch["Overrides"] if each.get("InstanceType")]
        mine = next((each for each in named if each["InstanceType"] == instance_type), None)
        if named and mine is None:
            return False
        wanted = (mine or {}).get("LaunchTemplateSpecification") or wanted
    return template["LaunchTemplateId"] == wanted["LaunchTemplateId"] and template["Version"] == str(
        version_of(group, wanted).number
    )


def _specifications(configuration: Configuration | None) -> list[dict[str, str]]:
    if configuration is None:
        return []
    if configuration.template:
        return [configuration.template]
    launch = configuration.policy["LaunchTemplate"] if configuration.policy else {"LaunchTemplateSpecification": {}}
    key = "LaunchTemplateSpecification"
    return [launch[key], *(each[key] for each in launch.get("Overrides") or [] if each.get(key))]
