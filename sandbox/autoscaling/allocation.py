# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How an Auto Scaling group spends its capacity over markets, zones and types: pure functions.

Sources: EC2 Auto Scaling user guide, "Auto Scaling groups with multiple instance types and purchase options" and
"Allocation strategies"; botocore model, InstancesDistribution.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import ceil

SPOT = "spot"
ON_DEMAND = "on-demand"


@dataclass(frozen=True)
class Pool:
    """One place to launch: a type in a zone of one market. ``free`` is in instances, ``price`` in USD an hour."""

    market: str
    zone: str
    subnet_id: str | None
    instance_type: str
    priority: int
    free: int
    price: Decimal | None
    weight: int = 1


@dataclass(frozen=True)
class Unit:
    """One instance that the group has, as far as allocation looks at it."""

    market: str
    zone: str
    instance_type: str
    weight: int = 1


@dataclass(frozen=True)
class Distribution:
    """InstancesDistribution with AWS's defaults filled in."""

    on_demand_base: int = 0
    on_demand_percentage: int = 100
    on_demand_strategy: str = "prioritized"
    spot_strategy: str = "lowest-price"
    spot_pools: int = 2
    spot_max_price: Decimal | None = None


def on_demand_target(desired: int, distribution: Distribution) -> int:
    """Units that must be on-demand: the base first, then the percentage of the rest, rounded up in its favour."""
    base = min(desired, distribution.on_demand_base)
    return base + ceil((desired - base) * distribution.on_demand_percentage / 100)


def targets(desired: int, distribution: Distribution) -> dict[str, int]:
    on_demand = on_demand_target(desired, distribution)
    return {ON_DEMAND: on_demand, SPOT: desired - on_demand}


def units(held: Iterable[Unit], market: str | None = None) -> int:
    return sum(unit.weight for unit in held if market in (None, unit.market))


def shortfall(desired: int, distribution: Distribution, held: Sequence[Unit]) -> dict[str, int]:
    """Units to launch in each market, on-demand first as AWS does."""
    return {
        market: missing
        for market, target in targets(desired, distribution).items()
        if (missing := target - units(held, market)) > 0
    }


def choose(
    market: str, distribution: Distribution, pools: Iterable[Pool], held: Sequence[Unit], balanced_only: bool = False
) -> Pool | None:
    """The pool of the next instance, or None where no pool has room.

    Zones come first: the group launches where it has fewest instances, and goes to another zone only where that one
    cannot serve (unless ``balanced_only``). Within the zone the allocation strategy decides.
    """
    offered = [pool for pool in pools if pool.market == market and _affordable(pool, distribution)]
    count = Counter(unit.zone for unit in held)
    zones = sorted({pool.zone for pool in offered}, key=lambda zone: (count[zone], zone))
    if balanced_only:
        zones = [zone for zone in zones if count[zone] == count[zones[0]]]
    for zone in zones:
        ranked = rank([pool for pool in offered if pool.zone == zone and pool.free > 0], distribution, held)
        if ranked:
            return ranked[0]
    return None


def rank(pools: Sequence[Pool], distribution: Distribution, held: Sequence[Unit]) -> list[Pool]:
    """Pools of one zone and market, best first by the strategy that applies to the market."""
    if not pools:
        return []
    if pools[0].market == ON_DEMAND:
        if distribution.on_demand_strategy == "prioritized":
            return sorted(pools, key=lambda pool: pool.priority)
        return sorted(pools, key=_by_price)
    return _SPOT_STRATEGIES[distribution.spot_strategy](pools, distribution, held)


def _lowest_price(pools: Sequence[Pool], distribution: Distribution, held: Sequence[Unit]) -> list[Pool]:
    """Evenly over the N cheapest pools (SpotInstancePools), then whatever is left."""
    cheapest = sorted(pools, key=_by_price)
    count = Counter((unit.zone, unit.instance_type) for unit in held if unit.market == SPOT)
    chosen, rest = cheapest[: distribution.spot_pools], cheapest[distribution.spot_pools :]
    return sorted(chosen, key=lambda pool: (count[pool.zone, pool.instance_type], *_by_price(pool))) + rest


def _capacity_optimized(pools: Sequence[Pool], distribution: Distribution, held: Sequence[Unit]) -> list[Pool]:
    return sorted(pools, key=lambda pool: (-pool.free, *_by_price(pool)))


def _capacity_optimized_prioritized(
    pools: Sequence[Pool], distribution: Distribution, held: Sequence[Unit]
) -> list[Pool]:
    """Capacity first, priorities on a best-effort basis: they order the pools that are about equally deep."""
    return sorted(pools, key=lambda pool: (not _deep(pool, pools), pool.priority))


def _price_capacity_optimized(pools: Sequence[Pool], distribution: Distribution, held: Sequence[Unit]) -> list[Pool]:
    """The pools with the most capacity available, then the lowest price among them."""
    return sorted(pools, key=lambda pool: (not _deep(pool, pools), *_by_price(pool)))


_SPOT_STRATEGIES = {
    "lowest-price": _lowest_price,
    "capacity-optimized": _capacity_optimized,
    "capacity-optimized-prioritized": _capacity_optimized_prioritized,
    "price-capacity-optimized": _price_capacity_optimized,
}


def _deep(pool: Pool, pools: Sequence[Pool]) -> bool:
    """AWS tells nobody where it draws the line: half as deep as the deepest, and twenty instances are always deep."""
    return pool.free * 2 >= min(40, max(each.free for each in pools))


def _affordable(pool: Pool, distribution: Distribution) -> bool:
    limit = distribution.spot_max_price
    return pool.market == ON_DEMAND or limit is None or pool.price is None or pool.price <= limit


def _by_price(pool: Pool) -> tuple[bool, Decimal, int]:
    """By price per unit of capacity; pools without a price last."""
    return (pool.price is None, (pool.price or Decimal(0)) / pool.weight, pool.priority)
