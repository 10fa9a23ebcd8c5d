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
from datetime import UTC
from datetime import datetime
from typing import TYPE_CHECKING
from typing import Any

from ministack.core import responses
from moto.core.exceptions import ServiceException
from moto.ec2.models import ec2_backends

from sandbox import ec2
from sandbox.autoscaling import allocation
from sandbox.autoscaling import hooks
from sandbox.autoscaling import refresh
from sandbox.autoscaling.allocation import ON_DEMAND
from sandbox.autoscaling.allocation import SPOT
from sandbox.autoscaling.allocation import Pool
from sandbox.autoscaling.groups import LEAVING
from sandbox.autoscaling.groups import Group
from sandbox.autoscaling.groups import Member
from sandbox.autoscaling.groups import Retry
from sandbox.autoscaling.groups import Store
from sandbox.autoscaling.journal import Journal
from sandbox.autoscaling.requests import version_of
from sandbox.ec2 import capacity
from sandbox.ec2 import types
from sandbox.ec2.instances import SPOT_TERMINATION
from sandbox.ec2.instances import USER_SHUTDOWN

if TYPE_CHECKING:
    from sandbox.context import Context

TICK_SECONDS = 0.3
# How long an instance is Pending before it is InService.
PENDING_SECONDS = 0.1
# A failed launch is tried again and again; what may be recorded of it backs off up to this.
LONGEST_BACKOFF = 15.0
GROUP_TAG = "aws:autoscaling:groupName"

# Called with ("launched" | "terminating" | "gone" | "warned", group, member), under the lock.
Listener = Callable[[str, Group, Member], None]


class Engine:
    """One per process."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.store = Store()
        self.journal = Journal(context)
        self.listeners: list[Listener] = []
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
            refresh.step(self, group)
            self._launch_missing(group, now)
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

    def _units(self, group: Group) -> list[allocation.Unit]:
        return [each.unit for each in group.held()]

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
        member.hook = None
        member.lifecycle_state = "InService"
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
        # AWS waits before it tries again an instance that died on launch.
        self._failed(group, member.market, time.monotonic())

    def _lost(self, group: Group, member: Member) -> None:
        """An instance that went without the group's doing."""
        cause = (
            f"At {_now()} an instance was taken out of service in response to an EC2 health check indicating it has "
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
        cause = f"At {_now()} an instance was taken out of service {why}"
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
            f"At {_now()} {reason} changing the desired capacity from {group.desired} to {desired}."
            if desired != group.desired
            else f"At {_now()} {reason}."
        )
        group.desired = desired
        self.advance(group)

    def _launch_missing(self, group: Group, now: float) -> None:
        if "Launch" in group.suspended:
            return
        for market, missing in self.shortfall(group).items():
            while missing > 0:
                weight = self._launch(group, market, now)
                if weight is None:
                    break
                missing -= weight

    def shortfall(self, group: Group) -> dict[str, int]:
        """Units to launch by market. A group without a mixed policy launches in its template's market."""
        held = self._units(group)
        if group.policy:
            return allocation.shortfall(group.desired, group.distribution, held)
        missing = group.desired - allocation.units(held)
        return {self._only_market(group): missing} if missing > 0 else {}

    def _only_market(self, group: Group) -> str:
        data = version_of(group, group.template or {}).data
        return SPOT if (data.get("InstanceMarketOptions") or {}).get("MarketType") == "spot" else ON_DEMAND

    def _launch(self, group: Group, market: str, now: float) -> int | None:
        """Launch one instance; None where that failed. Returns its weight."""
        retry = group.retries.get(market)
        try:
            pools = self._pools(group, market)
            spread = group.values["AvailabilityZoneDistribution"]["CapacityDistributionStrategy"]
            pool = allocation.choose(
                market, group.distribution, [pool for pool, _ in pools], self._units(group), spread == "balanced-only"
            )
            if pool is None:
                raise self._refusal(group, market, [pool for pool, _ in pools])
            member = self._start(group, pool, next(template for each, template in pools if each is pool))
        except ServiceException as error:
            if retry is None or now >= retry.at:
                self._failed(group, market, now)
                self.journal.fail(group, self._failure_text(group, market, error), self._cause(group))
            return None
        group.retries.pop(market, None)
        return member.weight

    def _failed(self, group: Group, market: str, now: float) -> None:
        retry = group.retries.setdefault(market, Retry())
        retry.failures += 1
        retry.at = now + min(LONGEST_BACKOFF, 2.0 ** (retry.failures - 1))

    def _pools(self, group: Group, market: str) -> list[tuple[Pool, dict[str, str]]]:
        """Every place where the group may launch in a market, with the template that applies there."""
        backend, prices, pools = self.backend(group), self.context.market, []
        for priority, (name, weight, template) in enumerate(self._types(group)):
            for subnet_id, zone in group.subnets.items():
                admitted = capacity.quota_room(prices, backend, name, market)
                price = (
                    prices.spot_price(group.region, zone, name)
                    if market == SPOT
                    else prices.on_demand_price(group.region, name)
                )
                free = capacity.room(prices, backend, zone, name, market) if admitted else 0
                pools.append((Pool(market, zone, subnet_id, name, priority, free, price, weight), template))
        return pools

    def _types(self, group: Group) -> list[tuple[str, int, dict[str, str]]]:
        """Instance types in order of priority, with weight and template."""
        if not group.policy:
            template = group.template or {}
            return [(each, 1, template) for each in self._template_types(group, template)]
        launch = group.policy["LaunchTemplate"]
        base, result = launch["LaunchTemplateSpecification"], []
        for override in launch["Overrides"] or [{}]:
            template = override.get("LaunchTemplateSpecification") or base
            if override.get("InstanceType"):
                names = [override["InstanceType"]]
            elif override.get("InstanceRequirements"):
                names = types.matching(group.region, override["InstanceRequirements"])
            else:
                names = self._template_types(group, template)
            result += [(name, int(override.get("WeightedCapacity") or 1), template) for name in names]
        return result

    def _template_types(self, group: Group, template: dict[str, str]) -> list[str]:
        data = version_of(group, template).data
        if data.get("InstanceRequirements"):
            return types.matching(group.region, data["InstanceRequirements"])
        return [data.get("InstanceType") or "m1.small"]

    def _start(self, group: Group, pool: Pool, template: dict[str, str]) -> Member:
        version = version_of(group, template)
        propagated = {tag["Key"]: tag["Value"] for tag in group.tags if tag["PropagateAtLaunch"]}
        reservation = self.backend(group).run_instances(
            None,
            1,
            None,
            [],
            launch_template={"LaunchTemplateId": version.template.id, "Version": str(version.number)},
            instance_type=pool.instance_type,
            is_instance_type_default=False,
            subnet_id=pool.subnet_id,
            region_name=group.region,
            associate_public_ip=None,
            instance_market_options={"MarketType": "spot"} if pool.market == SPOT else None,
            tags={"instance": {**propagated, GROUP_TAG: group.name}},
            launched_by_group=True,
        )
        member = Member(
            instance=reservation.instances[0],
            market=pool.market,
            weight=pool.weight,
            template={**template, "Version": str(version.number)},
            since=time.monotonic(),
            protected=bool(group.values["NewInstancesProtectedFromScaleIn"]),
        )
        group.members.append(member)
        member.activity = self.journal.start(
            group, f"Launching a new EC2 instance: {member.id}", self._cause(group), "PreInService", member
        )
        self.tell("launched", group, member)
        return member

    def _cause(self, group: Group) -> str:
        actual = allocation.units(self._units(group))
        return (
            f"{group.reason}  At {_now()} an instance was started in response to a difference between desired and actual "
            f"capacity, increasing the capacity from {actual} to {group.desired}."
        ).strip()

    def _refusal(self, group: Group, market: str, pools: list[Pool]) -> ServiceException:
        """Why no pool can serve, in EC2's words."""
        backend, prices = self.backend(group), self.context.market
        if not pools:
            return ServiceException("InvalidParameterCombination", "No instance type meets the requirements.")
        names = {pool.instance_type for pool in pools}
        blocked = [name for name in sorted(names) if not capacity.quota_room(prices, backend, name, market)]
        if len(blocked) == len(names):
            return capacity.quota_error(prices, group.region, blocked[0], market)
        limit = group.distribution.spot_max_price
        if market == SPOT and limit is not None and any(pool.free for pool in pools):
            least = min(pool.price for pool in pools if pool.free and pool.price is not None)
            return ServiceException(
                "SpotMaxPriceTooLow",
                f"Your Spot request price of {limit} is lower than the minimum required Spot request fulfillment price of "
                f"{least}.",
            )
        if len(pools) == 1 and market == ON_DEMAND:
            try:
                capacity.admit(prices, backend, pools[0].zone, pools[0].instance_type, market)
            except ServiceException as error:
                return error
        return ServiceException("UnfulfillableCapacity", "There is no capacity available that matches your request.")

    def _failure_text(self, group: Group, market: str, error: ServiceException) -> str:
        if not group.policy:
            return f"{error.message} Launching EC2 instance failed."
        kind = "Spot" if market == SPOT else "On-Demand"
        return f"Could not launch {kind} Instances. {error.code} - {error.message} Launching EC2 instance failed."

    # -- scale in -----------------------------------------------------------------------------------------------------

    def _scale_in(self, group: Group) -> None:
        if "Terminate" in group.suspended:
            return
        self._retire_risky(group)
        while victim := self._victim(group):
            held = allocation.units(self._units(group))
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
        excess = allocation.units(self._units(group)) - group.desired
        fit = [each for each in held if not each.protected and each.weight <= excess]
        if not fit:
            return None
        if group.policy:
            goal = allocation.targets(group.desired, group.distribution)
            over = {market: allocation.units(self._units(group), market) - goal[market] for market in goal}
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


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
