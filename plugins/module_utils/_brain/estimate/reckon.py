# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From wishes and prices to what each place costs, and all of them. PRIVATE to the collection.

All amounts are kept by the month, exactly: an hour is a month divided by 730, which is done once, at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from decimal import ROUND_FLOOR
from decimal import ROUND_HALF_UP
from decimal import Decimal
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import GP3_IOPS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import GP3_THROUGHPUT
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate import prices
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.prices import HOURS_OF_A_MONTH
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.prices import LEVELS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.prices import NOTHING
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.prices import Levels
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.prices import RegionPrices
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.wish import PlaceWish
from ansible_collections.ethereal.spot.plugins.module_utils._brain.money import text

PRICED = "priced"
UNKNOWN = "unknown"
NOT_SOLD = "not_sold"
USAGE = "usage"
DEPENDS = "not estimated: depends on use"
SPOT_INSTANCES = "spot instances"
ON_DEMAND_INSTANCES = "on-demand instances"
# They and their volumes are in the worst sum alone: nobody plans with them.
STAND_INS = "on-demand instances that stand in for spot at most"
STAND_INS_PARTS = "for those that stand in: "
# To a millionth: finer than any price of a unit, and than what AWS bills.
PRECISION = Decimal("0.000001")
# What a worker and a hub are billed for by use, which nobody knows beforehand.
WORKER_USAGE = (
    "EFS storage, throughput and backups",
    "container images in ECR: storage, and data from another region",
    "logs, detailed monitoring and Container Insights metrics in CloudWatch",
    "data through endpoints and between zones",
    "requests to the KMS key",
)
HUB_USAGE = ("DynamoDB requests, storage and backups", "requests to the hub's KMS key")


@dataclass(frozen=True)
class Item:
    """One line: so many of something at a unit price by the hour or the month. `running` is what comes and goes with instances.

    Without a price the status says why, and `source` in words.
    """

    name: str
    status: str
    source: str
    quantity: int | None = None
    per: str = "month"
    price: Levels | None = None
    running: bool = False

    @property
    def monthly(self) -> Levels | None:
        if self.price is None or self.quantity is None:
            return None
        return self.price.times(self.quantity * (HOURS_OF_A_MONTH if self.per == "hour" else 1))

    def public(self) -> dict[str, Any]:
        monthly = self.monthly
        return {
            "name": self.name,
            "status": self.status,
            "quantity": self.quantity,
            "per": self.per if self.quantity is not None else None,
            "unit_price": None if self.price is None else {name: text(getattr(self.price, name)) for name in LEVELS},
            "hourly": None if monthly is None else by_hour(monthly),
            "monthly": None if monthly is None else by_month(monthly),
            "source": self.source,
        }


@dataclass(frozen=True)
class Place:
    """One place's items; `on_demand` is what its instances would cost if all were on demand, None if not known."""

    wish: PlaceWish
    items: Sequence[Item]
    on_demand: Levels | None
    types: Sequence[Mapping[str, Any]]

    @property
    def standing(self) -> Levels:
        return _sum(item for item in self.items if not item.running)

    @property
    def running(self) -> Levels:
        return _sum(item for item in self.items if item.running)

    @property
    def all_on_demand(self) -> Levels | None:
        """What runs, with all instances on demand."""
        if self.on_demand is None:
            return None
        rest = _sum(item for item in self.items if item.running and not _is_instances(item.name))
        return rest.plus(self.on_demand)

    @property
    def unknown(self) -> list[Item]:
        return [item for item in self.items if item.status == UNKNOWN]

    @property
    def servable(self) -> bool:
        """Whether instances can run there at all."""
        return not any(item.status == NOT_SOLD for item in self.items)


def _is_instances(name: str) -> bool:
    """Whether an item is instances, or comes with those that stand in for others."""
    return name in (SPOT_INSTANCES, ON_DEMAND_INSTANCES, STAND_INS) or name.startswith(STAND_INS_PARTS)


def _sum(items: Iterable[Item]) -> Levels:
    total = NOTHING
    for item in items:
        total = total.plus(item.monthly or NOTHING)
    return total


def _each(levels: Levels, turn: Callable[[Decimal], Decimal]) -> dict[str, str]:
    return {name: text(turn(getattr(levels, name))) for name in LEVELS}


def by_month(levels: Levels) -> dict[str, str]:
    return _each(levels, lambda amount: amount.quantize(PRECISION, ROUND_HALF_UP))


def by_hour(levels: Levels) -> dict[str, str]:
    return _each(levels, lambda amount: (amount / HOURS_OF_A_MONTH).quantize(PRECISION, ROUND_HALF_UP))


def reckon(
    wanted: Sequence[PlaceWish], by_region: Mapping[str, RegionPrices], given: Mapping[str, Decimal]
) -> list[Place]:
    """Every place with its items."""
    return [_place(wish, by_region[wish.region], given) for wish in wanted]


def _place(wish: PlaceWish, known: RegionPrices, given: Mapping[str, Decimal]) -> Place:
    listed = {name: Levels.same(price) for name, price in (known.on_demand or {}).items()}
    spot = _instances(SPOT_INSTANCES, wish.spot, wish, known.spot, known.problems.get("spot"), prices.SPOT_HISTORY)
    on_demand_prices = None if known.on_demand is None else listed
    problem = known.problems.get("on_demand")
    on_demand = _instances(ON_DEMAND_INSTANCES, wish.on_demand, wish, on_demand_prices, problem, prices.PRICE_LIST)
    stand_ins = [_instances(STAND_INS, wish.stand_ins, wish, on_demand_prices, problem, prices.PRICE_LIST)]
    if stand_ins[0].status != NOT_SOLD:
        stand_ins += _volumes(wish, known, given, wish.stand_ins)
    instances = [item for item in (spot, on_demand) if item.quantity]
    items = [
        *instances,
        *_volumes(wish, known, given, wish.running),
        *(_at_worst(item) for item in stand_ins if item.quantity and item.status != NOT_SOLD),
        *_standing(wish, known, given),
        *_by_use(wish),
    ]
    # Where no instance can run there is no volume either.
    if any(item.status == NOT_SOLD for item in instances):
        items = [item for item in items if item in instances or not item.running]
    all_on_demand = _instances("", wish.running, wish, on_demand_prices, problem, prices.PRICE_LIST)
    return Place(wish, items, all_on_demand.monthly, _types(wish, known) if wish.running else [])


def _instances(
    name: str,
    count: int,
    wish: PlaceWish,
    sold: Mapping[str, Levels] | None,
    problem: str | None,
    source: str,
) -> Item:
    if sold is None:
        return Item(name, UNKNOWN, problem or f"{source} was not read", count, "hour", running=True)
    price = prices.any_of(sold, wish.instance_types)
    if price is None:
        why = f"{source}: none of the types is sold in {wish.region}"
        return Item(name, NOT_SOLD, why, count, "hour", running=True)
    return Item(name, PRICED, source, count, "hour", price, running=True)


def _unit(
    name: str,
    unit: str,
    quantity: int,
    wish: PlaceWish,
    known: RegionPrices,
    given: Mapping[str, Decimal],
    *,
    running: bool = False,
) -> list[Item]:
    if not quantity:
        return []
    price, source = prices.unit_price(unit, wish.region, known, given)
    levels = None if price is None else Levels.same(price)
    status, per = (UNKNOWN if price is None else PRICED), unit.rpartition("_")[2]
    return [Item(name, status, source, quantity, per, levels, running)]


def _at_worst(item: Item) -> Item:
    """The item with what it costs at worst, and nothing else."""
    price = None if item.price is None else Levels(Decimal(0), Decimal(0), item.price.worst)
    name = item.name if item.name == STAND_INS else STAND_INS_PARTS + item.name
    return replace(item, name=name, price=price)


def _volumes(wish: PlaceWish, known: RegionPrices, given: Mapping[str, Decimal], count: int) -> list[Item]:
    """The root volumes of so many instances."""
    iops, throughput = wish.ebs_iops - GP3_IOPS[0], wish.ebs_throughput - GP3_THROUGHPUT[0]
    parts = [
        (f"root volumes, {wish.disk_size} GiB of gp3 each", prices.GIB, wish.disk_size),
        (f"root volumes' IOPS above {GP3_IOPS[0]}", prices.IOPS, iops),
        (f"root volumes' MiB/s above {GP3_THROUGHPUT[0]}", prices.MIBPS, throughput),
    ]
    return [
        item for name, unit, each in parts for item in _unit(name, unit, count * each, wish, known, given, running=True)
    ]


def _standing(wish: PlaceWish, known: RegionPrices, given: Mapping[str, Decimal]) -> list[Item]:
    zones = f"{wish.endpoint_zones} zone{'s' * (wish.endpoint_zones != 1)}"
    parts = [
        (f"interface endpoints in {zones}", prices.ENDPOINT, wish.endpoints),
        ("NAT gateways", prices.NAT_GATEWAY, wish.nat_gateways),
        ("public addresses of NAT gateways", prices.PUBLIC_ADDRESS, wish.nat_gateways),
        ("KMS keys", prices.KEY, wish.worker + wish.hub),
        ("CloudWatch alarms", prices.ALARM, wish.alarms),
        ("CloudWatch dashboards", prices.DASHBOARD, wish.dashboards),
    ]
    return [item for name, unit, quantity in parts for item in _unit(name, unit, quantity, wish, known, given)]


def _by_use(wish: PlaceWish) -> list[Item]:
    names = [
        *(WORKER_USAGE if wish.worker else ()),
        *(HUB_USAGE if wish.hub else ()),
        *(["data through NAT gateways"] if wish.nat_gateways else []),
    ]
    return [Item(name, USAGE, DEPENDS) for name in names]


def _types(wish: PlaceWish, known: RegionPrices) -> list[dict[str, Any]]:
    """Each type by itself, the cheapest on spot first."""

    def line(name: str) -> dict[str, Any]:
        spot, listed = (known.spot or {}).get(name), (known.on_demand or {}).get(name)
        return {
            "instance_type": name,
            "on_demand": None if listed is None else text(listed),
            "spot": None if spot is None else {level: text(getattr(spot, level)) for level in LEVELS},
            "savings_percent": None if spot is None or not listed else saving(spot.current, listed),
        }

    def order(name: str) -> tuple[bool, Decimal, str]:
        spot = (known.spot or {}).get(name)
        return spot is None, spot.current if spot else Decimal(0), name

    return [line(name) for name in sorted(wish.instance_types, key=order)]


def saving(amount: Decimal, beside: Decimal) -> int | None:
    """By how many percent less, rounded down."""
    if not beside:
        return None
    return int(((beside - amount) * 100 / beside).to_integral_value(ROUND_FLOOR))


@dataclass(frozen=True)
class Total:
    """All places. Of those that the placement chooses from, the dearest is counted: whichever it is, it costs no more.

    `on_demand` is the same with all instances on demand; `cheapest` what it is if the place is the cheapest by today's prices.
    """

    amount: Levels
    on_demand: Levels | None
    lower_bound: bool
    cheapest_place: str | None = None
    cheapest: Levels | None = None

    def savings(self) -> dict[str, int | None]:
        return {
            name: None if self.on_demand is None else saving(getattr(self.amount, name), getattr(self.on_demand, name))
            for name in LEVELS
        }

    def public(self) -> dict[str, Any]:
        cheapest = None
        if self.cheapest is not None:
            cheapest = {
                "place": self.cheapest_place,
                "hourly": by_hour(self.cheapest),
                "monthly": by_month(self.cheapest),
            }
        return {
            "hourly": by_hour(self.amount),
            "monthly": by_month(self.amount),
            "on_demand_hourly": None if self.on_demand is None else by_hour(self.on_demand),
            "on_demand_monthly": None if self.on_demand is None else by_month(self.on_demand),
            "savings_percent": self.savings(),
            "lower_bound": self.lower_bound,
            "cheapest": cheapest,
        }


def total_of(places: Sequence[Place]) -> Total:
    standing = NOTHING
    for place in places:
        standing = standing.plus(place.standing)
    lower_bound = any(place.unknown for place in places)
    fixed = [place for place in places if not place.wish.placed]
    choices = [place for place in places if place.wish.placed and place.wish.running and place.servable]
    amounts: dict[str, Decimal] = {}
    beside: dict[str, Decimal | None] = {}
    for level in LEVELS:
        counted = list(fixed)
        if choices:
            counted.append(max(choices, key=lambda place: getattr(place.running, level)))
        base = getattr(standing, level)
        amounts[level] = base + sum((getattr(place.running, level) for place in counted), Decimal(0))
        others = [place.all_on_demand if place.wish.running else NOTHING for place in counted]
        known = [getattr(other, level) for other in others if other is not None]
        # Beside a sum that leaves something out, a saving would be made up.
        whole = len(known) == len(others) and not lower_bound
        beside[level] = base + sum(known, Decimal(0)) if whole else None
    cheapest = None
    # Where something is not known, what costs the least may be what is known the least.
    if len(choices) > 1 and not any(place.unknown for place in choices):
        cheapest = min(choices, key=lambda place: place.running.current)
    least = standing
    for place in [*fixed, *filter(None, [cheapest])]:
        least = least.plus(place.running)
    return Total(
        Levels(**amounts),
        None if None in beside.values() else Levels(**beside),
        lower_bound,
        cheapest.wish.place if cheapest else None,
        least if cheapest else None,
    )


def public_place(place: Place) -> dict[str, Any]:
    """A place for the result. Its own amounts are with its instances running."""
    amount = place.standing.plus(place.running)
    alone = Total(
        amount,
        place.standing.plus(place.all_on_demand) if place.all_on_demand and not place.unknown else None,
        bool(place.unknown),
    )
    shown = alone.public()
    del shown["cheapest"]
    wish = place.wish
    return {
        "place": wish.place,
        "region": wish.region,
        "instances": {"spot": wish.spot, "on_demand": wish.on_demand},
        "placed": wish.placed,
        "items": [item.public() for item in place.items],
        "types": list(place.types),
        **shown,
    }
