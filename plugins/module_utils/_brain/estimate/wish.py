# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an estimate is asked about: places, and what stands or runs in each. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import fields
from functools import partial
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain import checks
from ansible_collections.ethereal.spot.plugins.module_utils._brain.endpoints import check_groups
from ansible_collections.ethereal.spot.plugins.module_utils._brain.endpoints import endpoint_services
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet import CREATION_SIZES
from ansible_collections.ethereal.spot.plugins.module_utils._brain.names import check_place
from ansible_collections.ethereal.spot.plugins.module_utils._brain.regions import check_region
from ansible_collections.ethereal.spot.plugins.module_utils._brain.regions import suggestion

# Role network's template puts endpoints in the first two zones.
ENDPOINT_ZONES = 2
LARGEST_COUNT = 10_000


@dataclass(frozen=True)
class PlaceWish:
    """A place's wish. `placed` means that the placement decides where instances run: of all such places one has them at a time."""

    place: str
    region: str
    instance_types: tuple[str, ...]
    worker: bool = True
    hub: bool = False
    instances: int = 1
    placed: bool = False
    on_demand_base: int = 0
    on_demand_percentage_above_base: int = 0
    on_demand_fallback_max: int = 0
    disk_size: int = 100
    ebs_iops: int = checks.GP3_IOPS[0]
    ebs_throughput: int = checks.GP3_THROUGHPUT[0]
    network: bool = True
    endpoint_zones: int = ENDPOINT_ZONES
    endpoint_groups: tuple[str, ...] = ()
    nat_gateways: int = 0
    alarms: int = 0
    dashboards: int = 0

    @property
    def running(self) -> int:
        """Instances that run while it is this place that has them."""
        return self.instances if self.worker else 0

    @property
    def on_demand(self) -> int:
        """Of these the on-demand ones: the base, then the percentage of the rest, rounded up as EC2 Auto Scaling does."""
        base = min(self.running, self.on_demand_base)
        return base + -(-(self.running - base) * self.on_demand_percentage_above_base // 100)

    @property
    def spot(self) -> int:
        return self.running - self.on_demand

    @property
    def stand_ins(self) -> int:
        """On-demand instances that may run beside all of these: they come for spot instances that are missing, and go only once a run finds
        those back."""
        return self.on_demand_fallback_max if self.spot else 0

    @property
    def endpoints(self) -> int:
        """Interface endpoints, each counted once for every zone that it is in, as AWS bills them."""
        if not (self.worker and self.network):
            return 0
        return len(endpoint_services(self.endpoint_groups)) * self.endpoint_zones


def whole(maximum: int = LARGEST_COUNT, minimum: int = 0) -> Callable[[Any, str], int]:
    """A check for whole numbers."""
    return partial(checks.check_integer, minimum=minimum, maximum=maximum)


CHECKS: Mapping[str, Callable[[Any, str], Any]] = {
    "region": check_region,
    "instance_types": lambda value, option: tuple(checks.check_instance_types(value, option)),
    "worker": checks.check_boolean,
    "hub": checks.check_boolean,
    "instances": whole(),
    "placed": checks.check_boolean,
    "on_demand_base": whole(),
    "on_demand_percentage_above_base": whole(100),
    "on_demand_fallback_max": whole(),
    "created_sizes": checks.check_boolean,
    "disk_size": whole(checks.GP3_SIZE[1], checks.GP3_SIZE[0]),
    "ebs_iops": whole(checks.GP3_IOPS[1], checks.GP3_IOPS[0]),
    "ebs_throughput": whole(checks.GP3_THROUGHPUT[1], checks.GP3_THROUGHPUT[0]),
    "network": checks.check_boolean,
    "endpoint_zones": whole(ENDPOINT_ZONES, 1),
    "endpoint_groups": lambda value, option: tuple(check_groups(value, option)),
    "nat_gateways": whole(),
    "alarms": whole(),
    "dashboards": whole(),
}


def wishes(places: Mapping[str, Any], common: Mapping[str, Any]) -> list[PlaceWish]:
    """The places in the order given. A place is a region, or a mapping that says what differs from `common`.

    InputError for whatever breaks a rule, with the place in the option's name.
    """
    if not places:
        raise InputError("places", places, "must name at least one")
    defaults = {name: _checked(name, value, name) for name, value in common.items() if value is not None}
    _check_volume(defaults, "{}")
    return [_wish(place, given, defaults) for place, given in places.items()]


def _checked(name: str, value: Any, option: str) -> Any:
    return CHECKS[name](value, option)


def _wish(place: str, given: Any, defaults: Mapping[str, Any]) -> PlaceWish:
    check_place(place, option="places")
    given = {"region": given} if isinstance(given, str) else given
    if not isinstance(given, Mapping):
        raise InputError(f"places.{place}", given, "must be a region, or a mapping with one")
    for name in given:
        if name not in CHECKS:
            raise InputError(f"places.{place}", name, f"is no option of a place{suggestion(name, CHECKS)}")
    own = {name: _checked(name, value, f"places.{place}.{name}") for name, value in given.items() if value is not None}
    if "region" not in own:
        # As with an inventory's host, a place is called by its region unless told otherwise.
        own["region"] = check_region(place, f"places.{place}.region")
    wanted = {**defaults, **own}
    if wanted.pop("created_sizes", False):
        sizes = {"instances": CREATION_SIZES["desired_capacity"], "on_demand_base": CREATION_SIZES["on_demand_base"]}
        wanted.update({name: size for name, size in sizes.items() if name not in own})
    _check_volume(wanted, f"places.{place}.{{}}")
    return PlaceWish(place=place, **wanted)


def _check_volume(wanted: Mapping[str, Any], option: str) -> None:
    names = ("disk_size", "ebs_iops", "ebs_throughput")
    usual = {field.name: field.default for field in fields(PlaceWish)}
    checks.check_gp3(
        *(wanted.get(name, usual[name]) for name in names), options=tuple(option.format(name) for name in names)
    )
