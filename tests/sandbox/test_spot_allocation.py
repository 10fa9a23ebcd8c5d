# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a group spends its capacity: the pure part, against the user guide's tables and rules."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest
from fleet_kit import load
from hypothesis import given
from hypothesis import strategies as st

allocation = load("sandbox/autoscaling/allocation.py")
Pool, Unit, Distribution = allocation.Pool, allocation.Unit, allocation.Distribution
SPOT, ON_DEMAND = allocation.SPOT, allocation.ON_DEMAND


def pool(
    kind: str, zone: str = "a", free: int = 100, price: str | None = "1", priority: int = 0, market=SPOT, weight=1
):
    return Pool(market, zone, f"subnet-{zone}", kind, priority, free, Decimal(price) if price else None, weight)


@pytest.mark.parametrize(
    ("base", "percentage", "desired", "on_demand"),
    [
        # EC2 Auto Scaling user guide, "example distributions": base 10 and 50 %, base 0 and 0 %, base 0 and 70 %.
        (10, 50, 10, 10),
        (10, 50, 20, 15),
        (10, 50, 40, 25),
        (0, 0, 40, 0),
        (0, 70, 10, 7),
        (0, 100, 7, 7),
        (2, 0, 1, 1),
        # A fraction counts for on-demand.
        (1, 25, 7, 3),
    ],
)
def test_split_between_on_demand_and_spot(base: int, percentage: int, desired: int, on_demand: int) -> None:
    distribution = Distribution(on_demand_base=base, on_demand_percentage=percentage)
    assert allocation.targets(desired, distribution) == {ON_DEMAND: on_demand, SPOT: desired - on_demand}


def test_the_default_percentage_buys_on_demand_only() -> None:
    """aws-facts 3.4: OnDemandPercentageAboveBaseCapacity is 100 by default."""
    assert allocation.targets(5, Distribution()) == {ON_DEMAND: 5, SPOT: 0}


def test_zones_come_first_and_another_zone_serves_where_one_cannot() -> None:
    pools = [pool("g5.xlarge", zone, free=0 if zone == "b" else 9) for zone in "abc"]
    held: list = []
    for _turn in range(4):
        chosen = allocation.choose(SPOT, Distribution(spot_strategy="capacity-optimized"), pools, held)
        held.append(Unit(SPOT, chosen.zone, chosen.instance_type))
    assert Counter(each.zone for each in held) == {"a": 2, "c": 2}


def test_balanced_only_does_not_go_elsewhere() -> None:
    """botocore model, CapacityDistributionStrategy: balanced-only goes on failing in the zone that cannot serve."""
    pools = [pool("g5.xlarge", "a"), pool("g5.xlarge", "b", free=0)]
    held = [Unit(SPOT, "a", "g5.xlarge")]
    assert allocation.choose(SPOT, Distribution(), pools, held, balanced_only=True) is None
    assert allocation.choose(SPOT, Distribution(), pools, held).zone == "a"


def test_lowest_price_spreads_over_the_n_cheapest_pools() -> None:
    pools = [pool("x.a", price="3"), pool("x.b", price="1"), pool("x.c", price="2"), pool("x.d", price="9")]
    distribution, held = Distribution(spot_strategy="lowest-price", spot_pools=2), []
    for _turn in range(6):
        held.append(Unit(SPOT, "a", allocation.choose(SPOT, distribution, pools, held).instance_type))
    assert Counter(each.instance_type for each in held) == {"x.b": 3, "x.c": 3}


def test_capacity_optimized_takes_the_deepest_pool() -> None:
    pools = [pool("x.a", free=5, price="1"), pool("x.b", free=50, price="9")]
    assert allocation.choose(SPOT, Distribution(spot_strategy="capacity-optimized"), pools, []).instance_type == "x.b"


def test_prioritized_honours_the_order_among_deep_pools_only() -> None:
    distribution = Distribution(spot_strategy="capacity-optimized-prioritized")
    shallow = [pool("x.a", free=1, priority=0), pool("x.b", free=50, priority=1), pool("x.c", free=60, priority=2)]
    assert allocation.choose(SPOT, distribution, shallow, []).instance_type == "x.b"


def test_price_capacity_optimized_takes_the_cheapest_of_the_deep_pools() -> None:
    distribution = Distribution(spot_strategy="price-capacity-optimized")
    pools = [pool("x.a", free=1, price="0.1"), pool("x.b", free=50, price="0.5"), pool("x.c", free=50, price="0.4")]
    assert allocation.choose(SPOT, distribution, pools, []).instance_type == "x.c"


def test_on_demand_is_by_priority_or_by_price() -> None:
    pools = [pool("x.a", price="5", market=ON_DEMAND), pool("x.b", price="1", priority=1, market=ON_DEMAND)]
    assert allocation.choose(ON_DEMAND, Distribution(), pools, []).instance_type == "x.a"
    cheap = Distribution(on_demand_strategy="lowest-price")
    assert allocation.choose(ON_DEMAND, cheap, pools, []).instance_type == "x.b"


def test_a_price_ceiling_shuts_out_dearer_pools() -> None:
    pools = [pool("x.a", price="0.5"), pool("x.b", price="0.3")]
    limit = Distribution(spot_max_price=Decimal("0.4"))
    assert allocation.choose(SPOT, limit, pools, []).instance_type == "x.b"
    assert allocation.choose(SPOT, Distribution(spot_max_price=Decimal("0.1")), pools, []) is None


def test_prices_count_per_unit_of_weight() -> None:
    pools = [pool("x.small", price="1", weight=1), pool("x.large", price="3", weight=4)]
    chosen = allocation.choose(SPOT, Distribution(spot_strategy="price-capacity-optimized"), pools, [])
    assert chosen.instance_type == "x.large"


@given(
    desired=st.integers(0, 60),
    base=st.integers(0, 20),
    percentage=st.integers(0, 100),
    strategy=st.sampled_from(sorted(allocation._SPOT_STRATEGIES)),
    free=st.lists(st.integers(0, 8), min_size=6, max_size=6),
)
def test_launching_the_shortfall_never_overbooks_a_pool_or_the_group(desired, base, percentage, strategy, free) -> None:
    distribution = Distribution(base, percentage, spot_strategy=strategy)
    room = {
        (market, zone): free[i] for i, (market, zone) in enumerate([(m, z) for m in (SPOT, ON_DEMAND) for z in "abc"])
    }
    held: list = []
    for market, missing in allocation.shortfall(desired, distribution, held).items():
        for _turn in range(missing):
            pools = [pool("x.a", zone, room[market, zone], market=market) for zone in "abc"]
            chosen = allocation.choose(market, distribution, pools, held)
            if chosen is None:
                assert all(room[market, zone] == 0 for zone in "abc")
                break
            room[market, chosen.zone] -= 1
            held.append(Unit(market, chosen.zone, chosen.instance_type))
    assert min(room.values()) >= 0
    assert len(held) <= desired
    goal = allocation.targets(desired, distribution)
    assert all(allocation.units(held, market) <= goal[market] for market in goal)
