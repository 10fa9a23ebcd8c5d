# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine that brings groups to their desired capacity, step by step as time goes on.

Everything here runs under the context's moto_lock. A group is looked at on every request that concerns it and on a
tick while it is not settled.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING
from typing import Any

from ministack.core import responses
from moto.ec2.models import ec2_backends

from sandbox import ec2
from sandbox.autoscaling import allocation
from sandbox.autoscaling import hooks
from sandbox.autoscaling import rolling
from sandbox.autoscaling import times
from sandbox.autoscaling.delivery import Delivery
from sandbox.autoscaling.groups import LEAVING
from sandbox.autoscaling.groups import Group
from sandbox.autoscaling.groups import Member
from sandbox.autoscaling.groups import Store
from sandbox.autoscaling.journal import Journal
from sandbox.autoscaling.launching import Launcher
from sandbox.ec2.instances import SPOT_TERMINATION
from sandbox.ec2.instances import USER_SHUTDOWN

if TYPE_CHECKING:
    from sandbox.context import Context

TICK_SECONDS = 0.3
# How long an instance is Pending before it is InService.
PENDING_SECONDS = 0.1

# Called with ("launched" | "terminating" | "gone" | "warned", group, member), under the lock.
Listener = Callable[[str, Group, Member], None]


class Engine:
    """One per process."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.store = Store()
        self.delivery = Delivery(context)
        self.journal = Journal(context, self.delivery)
        self.listeners: list[Listener] = []
        self._launcher = Launcher(self)
        self._ticking = False
        # Groups notice by themselves that an instance has gone.
        ec2.instances_of().watchers.append(lambda instance: self._arm())

    def reset(self) -> None:
        self.store.reset()
        self._ticking = False

    def backend(self, group: Group) -> Any:
        return ec2_backends[group.account][group.region]

    # -- time ---------------------------------------------------------------------------------------------------------

    def advance(self, group: Group) -> None:
        """Bring a group as far as it can come now, and come back later if it is not settled."""
        now = time.monotonic()
        for member in list(group.members):
            self._step(group, member, now)
        if group.deleting:
            if not group.members:
                self.store.remove(group)
                return
        else:
            rolling.step(self, group, now)
            self._launcher.launch_missing(group, now)
            self._scale_in(group)
        if not self._settled(group):
            self._arm()

    def _arm(self) -> None:
        if not self._ticking:
            self._ticking = True
            self.context.schedule(TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        with self.context.moto_lock:
            self._ticking = False
            for group in self.store.every():
                with responses.request_scope(group.account, group.region):
                    self.advance(group)

    def _settled(self, group: Group) -> bool:
        return (
            not group.deleting
            and all(each.lifecycle_state in ("InService", "Standby") and not each.at_risk for each in group.members)
            and group.running_refresh() is None
            and not self.shortfall(group)
        )

    # -- members ------------------------------------------------------------------------------------------------------

    def _step(self, group: Group, member: Member, now: float) -> None:
        dead = member.instance.state_code in (32, 48, 64, 80)
        state = member.lifecycle_state
        if state.startswith("Pending"):
            if dead:
                self._died_pending(group, member)
            elif now - member.since >= PENDING_SECONDS:
                self._enter_service(group, member, now)
        elif state == "InService":
            watched = "HealthCheck" not in group.suspended and "ReplaceUnhealthy" not in group.suspended
            if dead and watched:
                self._lost(group, member)
            elif not member.healthy and watched and "Terminate" not in group.suspended:
                self.terminate(group, member, "in response to a health-check failure.")
        elif state in LEAVING:
            self._leave(group, member, now)

    def _enter_service(self, group: Group, member: Member, now: float) -> None:
        if member.lifecycle_state == "Pending" and hooks.begin(self, group, member, "LAUNCHING", now):
            member.lifecycle_state = "Pending:Wait"
        if member.lifecycle_state == "Pending:Wait":
            result = hooks.outcome(self, group, member, "LAUNCHING", now)
            if result is None:
                return
            if result == "ABANDON":
                member.hook = None
                self._drop_pending(group, member, "Instance failed to complete user's Lifecycle Action")
                return
            member.lifecycle_state = "Pending:Proceed"
            member.hook = None
            return
        member.lifecycle_state, member.in_service = "InService", now
        group.retries.pop(member.market, None)
        if member.activity:
            self.journal.end(group, member.activity, "launch", member)
            member.activity = None

    def _died_pending(self, group: Group, member: Member) -> None:
        reason = member.instance.state_reason
        text = (
            reason.message if str(reason.message).startswith(str(reason.code)) else f"{reason.code}: {reason.message}"
        )
        self._drop_pending(
            group,
            member,
            "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: "
            + text,
        )

    def _drop_pending(self, group: Group, member: Member, error: str) -> None:
        group.members.remove(member)
        if member.instance.state_code in (0, 16):
            ec2.instances_of().terminate(member.instance, USER_SHUTDOWN)
        if member.activity:
            self.journal.end(group, member.activity, "launch", member, error)
        self._launcher.failed(group, member.market, time.monotonic(), died=True)

    def _lost(self, group: Group, member: Member) -> None:
        """An instance that went without the group's doing."""
        cause = (
            f"At {times.stamp()} an instance was taken out of service in response to an EC2 health check indicating it has "
            "been terminated or stopped."
        )
        if member.instance.state_code == 80:
            ec2.instances_of().terminate(member.instance, USER_SHUTDOWN)
        member.activity = self.journal.start(
            group, f"Terminating EC2 instance: {member.id}", cause, "InProgress", member
        )
        member.lifecycle_state, member.healthy = "Terminating", False
        self.tell("terminating", group, member)

    def terminate(self, group: Group, member: Member, why: str, forced: bool = False) -> dict[str, Any]:
        """Take a member out: through its lifecycle hooks (unless forced), then through EC2. Returns the activity."""
        if member.lifecycle_state in LEAVING and member.activity:
            return member.activity
        if member.lifecycle_state.startswith("Pending") and member.activity:
            self.journal.end(
                group, member.activity, "launch", member, "Instance was terminated before it was in service."
            )
        cause = f"At {times.stamp()} an instance was taken out of service {why}"
        member.activity = self.journal.start(
            group, f"Terminating EC2 instance: {member.id}", cause, "InProgress", member
        )
        member.lifecycle_state = "Terminating"
        self.tell("terminating", group, member)
        if not forced and hooks.begin(self, group, member, "TERMINATING", time.monotonic()):
            member.lifecycle_state = "Terminating:Wait"
            member.activity["StatusCode"] = "MidLifecycleAction"
        else:
            ec2.instances_of().terminate(member.instance, USER_SHUTDOWN)
        self._arm()
        return member.activity

    def _leave(self, group: Group, member: Member, now: float) -> None:
        if member.lifecycle_state == "Terminating:Wait":
            if member.instance.state_code in (0, 16) and hooks.outcome(self, group, member, "TERMINATING", now) is None:
                return
            member.lifecycle_state = "Terminating:Proceed"
        if member.instance.state_code in (0, 16):
            ec2.instances_of().terminate(member.instance, USER_SHUTDOWN)
        if member.instance.state_code == 48:
            group.members.remove(member)
            self.journal.end(group, member.activity, "terminate", member)
            self.tell("gone", group, member)

    def tell(self, what: str, group: Group, member: Member) -> None:
        for listener in self.listeners:
            listener(what, group, member)

    # -- capacity -----------------------------------------------------------------------------------------------------

    def resize(self, group: Group, desired: int, reason: str) -> None:
        """A new desired capacity: what failed before is tried and recorded anew."""
        if desired != group.desired:
            group.retries.clear()
        group.reason = (
            f"At {times.stamp()} {reason} changing the desired capacity from {group.desired} to {desired}."
            if desired != group.desired
            else f"At {times.stamp()} {reason}."
        )
        group.desired = desired
        self.advance(group)

    def shortfall(self, group: Group) -> dict[str, int]:
        """Units to launch by market."""
        return self._launcher.shortfall(group)

    # -- scale in -----------------------------------------------------------------------------------------------------

    def _scale_in(self, group: Group) -> None:
        if "Terminate" in group.suspended:
            return
        self._retire_risky(group)
        while victim := self._victim(group):
            held = allocation.units(group.units())
            self.terminate(
                group,
                victim,
                f"in response to a difference between desired and actual capacity, shrinking the capacity from {held} to "
                f"{held - victim.weight}.",
            )

    def _retire_risky(self, group: Group) -> None:
        """Capacity rebalancing: the old one goes when enough others are in service."""
        if not group.values["CapacityRebalance"]:
            return
        ready = sum(each.weight for each in group.held() if each.lifecycle_state == "InService")
        if ready >= group.desired:
            for member in list(group.members):
                if member.at_risk and member.lifecycle_state == "InService":
                    self.terminate(group, member, "in response to an EC2 instance rebalance recommendation.")

    def _victim(self, group: Group) -> Member | None:
        """The member to go next, or None where the group is not too large.

        The market that has too much goes first, then the zone with most instances, then the termination policies.
        """
        held = group.held()
        excess = allocation.units(group.units()) - group.goal
        fit = [each for each in held if not each.protected and each.weight <= excess]
        if not fit:
            return None
        if group.policy:
            goal = allocation.targets(group.goal, group.distribution)
            over = {market: allocation.units(group.units(), market) - goal[market] for market in goal}
            fit = [each for each in fit if over[each.market] > 0] or fit
        count = Counter(each.zone for each in held)
        most = max(count[each.zone] for each in fit)
        fit = [each for each in fit if count[each.zone] == most]
        return self._by_policy(group, fit)

    def _by_policy(self, group: Group, fit: list[Member]) -> Member:
        for policy in group.values["TerminationPolicies"]:
            if policy == "NewestInstance":
                return max(fit, key=lambda each: each.since)
            if policy in ("OldestLaunchTemplate", "OldestLaunchConfiguration", "Default"):
                oldest = min(int(each.template["Version"]) for each in fit)
                fit = [each for each in fit if int(each.template["Version"]) == oldest]
            if policy == "OldestInstance" or policy == "Default":
                break
        return min(fit, key=lambda each: each.since)

    # -- loss ---------------------------------------------------------------------------------------------------------

    def reclaim(self, region: str, instance: Any) -> None:
        """EC2 takes a spot instance back: it dies at once, and its group finds out."""
        ec2.instances_of().terminate(instance, SPOT_TERMINATION)
        found = self.store.of_instance(region, instance.id)
        if found:
            self.advance(found[0])

    def find(self, region: str, name: str) -> Group | None:
        return self.store.groups(region).get(name)
