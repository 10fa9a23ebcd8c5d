# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Launching: what a group lacks, where it may get it, and what it says when it cannot."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from moto.core.exceptions import ServiceException

from sandbox.autoscaling import allocation
from sandbox.autoscaling import times
from sandbox.autoscaling.allocation import ON_DEMAND
from sandbox.autoscaling.allocation import SPOT
from sandbox.autoscaling.allocation import Pool
from sandbox.autoscaling.groups import Group
from sandbox.autoscaling.groups import Member
from sandbox.autoscaling.groups import Retry
from sandbox.autoscaling.templates import version_of
from sandbox.ec2 import capacity
from sandbox.ec2 import types

if TYPE_CHECKING:
    from sandbox.autoscaling.engine import Engine

# A failed launch is tried again and again; what may be recorded of it backs off up to this.
LONGEST_BACKOFF = 15.0
GROUP_TAG = "aws:autoscaling:groupName"


class Launcher:
    """The engine's launching half."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def launch_missing(self, group: Group, now: float) -> None:
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
        held = group.units()
        if group.policy:
            return allocation.shortfall(group.goal, group.distribution, held)
        missing = group.goal - allocation.units(held)
        return {self._only_market(group): missing} if missing > 0 else {}

    def _only_market(self, group: Group) -> str:
        try:
            data = version_of(group, group.template or {}).data
        except ServiceException:
            # The template is gone: the launch itself will say so.
            return ON_DEMAND
        return SPOT if (data.get("InstanceMarketOptions") or {}).get("MarketType") == "spot" else ON_DEMAND

    def _launch(self, group: Group, market: str, now: float) -> int | None:
        """Launch one instance; None where that failed. Returns its weight."""
        retry = group.retries.get(market)
        if retry and retry.died and now < retry.at:
            return None
        try:
            pools = self._pools(group, market)
            spread = group.values["AvailabilityZoneDistribution"]["CapacityDistributionStrategy"]
            pool = allocation.choose(
                market, group.distribution, [pool for pool, _room in pools], group.units(), spread == "balanced-only"
            )
            if pool is None:
                raise self._refusal(group, market, [pool for pool, _room in pools])
            member = self._start(group, pool, next(template for each, template in pools if each is pool))
        except ServiceException as error:
            if retry is None or now >= retry.at:
                self.failed(group, market, now)
                self._engine.journal.fail(group, self._failure_text(group, market, error), self._cause(group))
            return None
        if retry and not retry.died:
            del group.retries[market]
        return member.weight

    def failed(self, group: Group, market: str, now: float, died: bool = False) -> None:
        """Count a failure. After an instance that `died` on launch nothing is launched for a while, as AWS does."""
        retry = group.retries.setdefault(market, Retry())
        retry.died = died
        retry.failures += 1
        retry.at = now + min(LONGEST_BACKOFF, 2.0 ** (retry.failures - 1))

    def _pools(self, group: Group, market: str) -> list[tuple[Pool, dict[str, str]]]:
        """Every place where the group may launch in a market, with the template that applies there."""
        backend, prices, pools = self._engine.backend(group), self._engine.context.market, []
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
        reservation = self._engine.backend(group).run_instances(
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
            group_role=group.role,
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
        member.activity = self._engine.journal.start(
            group, f"Launching a new EC2 instance: {member.id}", self._cause(group), "PreInService", member
        )
        self._engine.tell("launched", group, member)
        return member

    def _cause(self, group: Group) -> str:
        actual = allocation.units(group.units())
        return (
            f"{group.reason}  At {times.stamp()} an instance was started in response to a difference between desired and actual "
            f"capacity, increasing the capacity from {actual} to {group.goal}."
        ).strip()

    def _refusal(self, group: Group, market: str, pools: list[Pool]) -> ServiceException:
        """Why no pool can serve, in EC2's words."""
        backend, prices = self._engine.backend(group), self._engine.context.market
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
