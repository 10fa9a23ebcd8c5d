# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A group's settings that are one option and one field each: what is legal, how AWS says it. PRIVATE to the collection."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain import checks
from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_reservations
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError

HEALTH_CHECK_TYPES = ("EC2", "ELB")
HEALTH_CHECK_GRACE_SECONDS = 300
# Oldest template first, so that a new one spreads; then whatever brings the mix back to its allocation strategy.
TERMINATION_POLICIES = ["OldestLaunchTemplate", "AllocationStrategy"]
# botocore model: TerminationPolicies.
KNOWN_POLICIES = (
    "AllocationStrategy",
    "ClosestToNextInstanceHour",
    "Default",
    "NewestInstance",
    "OldestInstance",
    "OldestLaunchConfiguration",
    "OldestLaunchTemplate",
)
POLICY_FUNCTION = re.compile(
    r"arn:aws(-[a-z]+)*:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]+(:[A-Za-z0-9_$-]+)?"
)
# botocore model: MaxInstanceLifetime is 0 or at least a day; EC2 Auto Scaling's user guide ends it at a year.
SHORTEST_LIFETIME = 86_400
LONGEST_LIFETIME = 31_536_000
WEEK = 604_800
LONGEST_GRACE = 7_200
# botocore model: CapacityDistributionStrategy, AWS's own choice first.
ZONE_DISTRIBUTIONS = ("balanced-best-effort", "balanced-only", "reservations-then-balanced")
NO_PROTECTION = "none"
DELETION_PROTECTIONS = (NO_PROTECTION, "prevent-force-deletion", "prevent-all-deletion")
NO_WARMUP = -1
LONGEST_WARMUP = 21_600


@dataclass(frozen=True)
class Setting:
    """One option: AWS's `field`, `check` of what was given, `read` from a description, `build` for a request."""

    field: str
    check: Callable[[Any, str], Any]
    read: Callable[[Any], Any]
    build: Callable[[Any], Any] = lambda value: value
    # What a group is created with; a value that `needless` accepts is left out of the creation.
    default: Any = None
    needless: Callable[[Any], bool] = lambda value: False


def check_lifetime(value: Any, option: str) -> int:
    """Seconds that an instance serves at most; 0 is no limit."""
    seconds = checks.check_integer(value, option, 0, LONGEST_LIFETIME)
    if 0 < seconds < SHORTEST_LIFETIME:
        raise InputError(option, seconds, f"must be 0 or from {SHORTEST_LIFETIME} to {LONGEST_LIFETIME} seconds")
    return seconds


def check_termination_policies(value: Any, option: str) -> list[str]:
    """Policies in the order in which they are asked; AWS's own names, or a function's ARN."""
    rule = f"must be one of {', '.join(KNOWN_POLICIES)}, or a Lambda function's ARN"
    known = re.compile("|".join([*KNOWN_POLICIES, POLICY_FUNCTION.pattern]))
    return checks.check_words(value, option, known, rule)


def read_health(value: Any) -> str:
    """The health checks beside EC2's own, which cannot be switched off."""
    return ",".join(sorted({each.strip() for each in (value or "").split(",")} - {"", "EC2"})) or "EC2"


def check_placement_group(value: Any, option: str) -> str:
    """A placement group's name; an empty string is none."""
    return checks.check_text(value, option, 255) if value else ""


SETTINGS: dict[str, Setting] = {
    "availability_zone_distribution": Setting(
        "AvailabilityZoneDistribution",
        lambda value, option: checks.check_choice(value, option, ZONE_DISTRIBUTIONS),
        lambda value: (value or {}).get("CapacityDistributionStrategy") or ZONE_DISTRIBUTIONS[0],
        lambda value: {"CapacityDistributionStrategy": value},
        default=ZONE_DISTRIBUTIONS[0],
        needless=lambda value: value == ZONE_DISTRIBUTIONS[0],
    ),
    fleet_reservations.OPTION: Setting(
        "CapacityReservationSpecification",
        fleet_reservations.check_reservation,
        fleet_reservations.read_reservation,
        fleet_reservations.build_reservation,
        default=fleet_reservations.UNRESERVED,
        needless=lambda value: value == fleet_reservations.UNRESERVED,
    ),
    "default_instance_warmup": Setting(
        "DefaultInstanceWarmup",
        lambda value, option: checks.check_integer(value, option, NO_WARMUP, LONGEST_WARMUP),
        lambda value: NO_WARMUP if value is None else int(value),
        default=NO_WARMUP,
        needless=lambda value: value == NO_WARMUP,
    ),
    "deletion_protection": Setting(
        "DeletionProtection",
        lambda value, option: checks.check_choice(value, option, DELETION_PROTECTIONS),
        lambda value: value or NO_PROTECTION,
        default=NO_PROTECTION,
        needless=lambda value: value == NO_PROTECTION,
    ),
    "health_check_grace_period": Setting(
        "HealthCheckGracePeriod",
        lambda value, option: checks.check_integer(value, option, 0, LONGEST_GRACE),
        lambda value: int(value or 0),
        default=HEALTH_CHECK_GRACE_SECONDS,
    ),
    "health_check_type": Setting(
        "HealthCheckType",
        lambda value, option: checks.check_choice(value, option, HEALTH_CHECK_TYPES),
        read_health,
        default="EC2",
    ),
    "max_instance_lifetime": Setting(
        "MaxInstanceLifetime",
        check_lifetime,
        lambda value: int(value or 0),
        default=0,
        needless=lambda value: not value,
    ),
    "placement_group": Setting(
        "PlacementGroup", check_placement_group, lambda value: value or "", default="", needless=lambda value: not value
    ),
    "termination_policies": Setting(
        "TerminationPolicies",
        check_termination_policies,
        lambda value: list(value or ["Default"]),
        default=TERMINATION_POLICIES,
    ),
}


def given_settings(params: dict[str, Any]) -> dict[str, Any]:
    """The settings that were given, checked."""
    return {
        option: setting.check(params[option], option)
        for option, setting in SETTINGS.items()
        if params.get(option) is not None
    }


def read_settings(group: dict[str, Any]) -> dict[str, Any]:
    """The settings of a DescribeAutoScalingGroups entry."""
    return {option: setting.read(group.get(setting.field)) for option, setting in SETTINGS.items()}


def creation_settings(fleet: dict[str, Any]) -> dict[str, Any]:
    """A CreateAutoScalingGroup's fields; what AWS does by itself is left out."""
    return {
        setting.field: setting.build(fleet[option])
        for option, setting in SETTINGS.items()
        if not setting.needless(fleet[option])
    }
