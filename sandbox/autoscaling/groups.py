# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Auto Scaling remembers: groups, their members, activities and attachments, by region."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field
from datetime import UTC
from datetime import datetime
from typing import Any

from moto.utilities.utils import get_partition

from sandbox.autoscaling.allocation import Distribution
from sandbox.autoscaling.allocation import Unit

# Lifecycle states whose instances count as capacity (EC2 Auto Scaling user guide, "instance lifecycle").
HELD = ("Pending", "Pending:Wait", "Pending:Proceed", "InService")
REFRESHING = ("Pending", "InProgress", "Baking", "Cancelling", "RollbackInProgress")
LEAVING = ("Terminating", "Terminating:Wait", "Terminating:Proceed")


@dataclass(eq=False)
class Member:
    """An instance of a group."""

    instance: Any
    market: str
    weight: int
    template: dict[str, str]
    since: float
    lifecycle_state: str = "Pending"
    healthy: bool = True
    protected: bool = False
    at_risk: bool = False
    activity: dict[str, Any] | None = None
    hook: Hook | None = None
    hook_began: float = 0.0
    hook_ends: float = 0.0
    hook_token: str = ""
    # When it entered service: the warm-up counts from there.
    in_service: float = 0.0

    @property
    def id(self) -> str:
        return self.instance.id

    @property
    def zone(self) -> str:
        return self.instance.placement.zone

    @property
    def unit(self) -> Unit:
        return Unit(self.market, self.zone, self.instance.instance_type, self.weight)


@dataclass
class Hook:
    """A lifecycle hook; times in seconds."""

    name: str
    transition: str
    heartbeat: int = 3600
    default_result: str = "ABANDON"
    target_arn: str | None = None
    role_arn: str | None = None
    metadata: str | None = None


@dataclass
class Policy:
    """A scaling policy: what PutScalingPolicy was given, with defaults."""

    arn: str
    values: dict[str, Any]


@dataclass
class Retry:
    """Failed launches in a row in one market, and when the next failure may be recorded."""

    failures: int = 0
    at: float = 0.0
    died: bool = False


@dataclass
class Configuration:
    """What a group launches."""

    template: dict[str, str] | None
    policy: dict[str, Any] | None
    distribution: Distribution


@dataclass
class Refresh:
    """An instance refresh. `old` are the instances that are still to go, `kept` those that were there when it (or its rollback) began."""

    values: dict[str, Any]
    old: list[str]
    kept: set[str]
    total: int
    left: int
    checkpoints: list[int]
    # The group's own configuration, while a desired one is in force.
    before: Configuration | None = None
    # Units above the desired capacity, to launch new instances before old ones go.
    surge: int = 0
    paused_until: float = 0.0
    bake_ends: float = 0.0
    progress_at: float = 0.0


@dataclass(eq=False)
class Group:
    """An Auto Scaling group. Template and policy are kept in AWS's shape, checked and with defaults."""

    name: str
    region: str
    account: str
    min_size: int
    max_size: int
    desired: int
    subnets: dict[str | None, str]
    vpc_zone_identifier: str
    template: dict[str, str] | None = None
    policy: dict[str, Any] | None = None
    distribution: Distribution = field(default_factory=Distribution)
    values: dict[str, Any] = field(default_factory=dict)
    tags: list[dict[str, Any]] = field(default_factory=list)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    status: str | None = None
    members: list[Member] = field(default_factory=list)
    activities: list[dict[str, Any]] = field(default_factory=list)
    suspended: dict[str, str] = field(default_factory=dict)
    metrics: list[str] = field(default_factory=list)
    policies: dict[str, Policy] = field(default_factory=dict)
    hooks: dict[str, Hook] = field(default_factory=dict)
    notifications: dict[str, list[str]] = field(default_factory=dict)
    scheduled: dict[str, dict[str, Any]] = field(default_factory=dict)
    refreshes: list[Refresh] = field(default_factory=list)
    retries: dict[str, Retry] = field(default_factory=dict)
    reason: str = ""
    # Whether ECS has put its draining hook on the group.
    drained: bool = False

    @property
    def arn(self) -> str:
        return (
            f"arn:{get_partition(self.region)}:autoscaling:{self.region}:{self.account}:autoScalingGroup:{self.id}:"
            f"autoScalingGroupName/{self.name}"
        )

    @property
    def role(self) -> str:
        """The service-linked role that launches: the account's one, unless the group has its own."""
        own: str | None = self.values["ServiceLinkedRoleARN"]
        return own or (
            f"arn:{get_partition(self.region)}:iam::{self.account}:role/aws-service-role/autoscaling.amazonaws.com/"
            "AWSServiceRoleForAutoScaling"
        )

    @property
    def zones(self) -> list[str]:
        return sorted(set(self.subnets.values()))

    @property
    def deleting(self) -> bool:
        return self.status is not None

    def held(self) -> list[Member]:
        """Members that count as capacity; with capacity rebalancing, those at risk count no longer."""
        rebalance = self.values.get("CapacityRebalance")
        return [each for each in self.members if each.lifecycle_state in HELD and not (rebalance and each.at_risk)]

    def units(self) -> list[Unit]:
        return [each.unit for each in self.held()]

    def member(self, instance_id: str) -> Member | None:
        return next((each for each in self.members if each.id == instance_id), None)

    def running_refresh(self) -> Refresh | None:
        if self.refreshes and self.refreshes[0].values["Status"] in REFRESHING:
            return self.refreshes[0]
        return None

    @property
    def goal(self) -> int:
        """Units to have now: the desired capacity, and what a refresh launches ahead."""
        refresh = self.running_refresh()
        return self.desired + (refresh.surge if refresh else 0)

    @property
    def launches(self) -> Configuration:
        """What new instances are made of."""
        return Configuration(self.template, self.policy, self.distribution)

    @launches.setter
    def launches(self, new: Configuration) -> None:
        self.template, self.policy, self.distribution = new.template, new.policy, new.distribution

    @property
    def settings(self) -> Configuration:
        """What the group is set to: a refresh's desired configuration becomes so when it has succeeded."""
        refresh = self.running_refresh()
        return refresh.before if refresh and refresh.before else self.launches


class Store:
    """All groups of all regions, and the activities of deleted ones."""

    def __init__(self) -> None:
        self._groups: dict[str, dict[str, Group]] = {}
        self._past: dict[str, list[Group]] = {}

    def reset(self) -> None:
        self._groups.clear()
        self._past.clear()

    def groups(self, region: str) -> dict[str, Group]:
        return self._groups.setdefault(region, {})

    def past(self, region: str) -> list[Group]:
        return self._past.setdefault(region, [])

    def every(self) -> Iterator[Group]:
        for groups in list(self._groups.values()):
            yield from list(groups.values())

    def remove(self, group: Group) -> None:
        self.groups(group.region).pop(group.name, None)
        self.past(group.region).insert(0, group)

    def of_instance(self, region: str, instance_id: str) -> tuple[Group, Member] | None:
        for group in self.groups(region).values():
            member = group.member(instance_id)
            if member:
                return group, member
        return None
