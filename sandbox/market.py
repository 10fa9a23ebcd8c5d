# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The spot market that the sandbox plays: scores, prices, capacity, quotas, and which regions the account may use.

A market document is merged over built-in defaults; ``null`` takes a key back to its default. Prices are strings or
numbers and kept as Decimal.

    scores: {region: 1 to 10, or "none" for a region that AWS does not score, or {zone id: 1 to 10}}
    prices: {region: {zone or "*": {type: price}}}; a region that is named sells only what it names
    price_history: {region: {zone or "*": {type: [[hours ago, price], ...]}}}; hours before it was set; goes before `prices`
    on_demand: {region: {type: price}}
    capacity, on_demand_capacity: {zone or region: {type or "*": instances}}
    quotas: {code: vCPUs, region: {code: vCPUs}}
    opt_in: {region: whether the account has enabled it}
    runs: {family of task definitions, * for any part: {seconds, exit_code} after which a task that is run ends, or "forever"}
    registries: {address: {repository: [tags]}}; a registry that is named has only what it names
    score_configuration_budget, price_page_size, boot_seconds, task_seconds, import_seconds, group_wait_scale, image_build_seconds: numbers
    image_build_failure: why Image Builder's builds fail; they succeed while it is empty
"""

from __future__ import annotations

import re
from copy import deepcopy
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from decimal import Decimal
from decimal import InvalidOperation
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import Any
from typing import Literal

MarketKind = Literal["spot", "on-demand"]

PLENTY = 1_000_000

P_SPOT = "L-7212CCBC"
# "All P5 Spot Instance Requests", for P5 and later: the user guide of 2023 to 2025 has it, listings of 2026 have one quota
# for all of P again. It exists in a region for which the market sets it.
P5_SPOT = "L-C4BD4855"
_STANDARD = ("L-34B43A08", "L-1216C47A")
_G_AND_VT = ("L-3819A6DF", "L-DB2E81BA")
# Service Quotas codes, in vCPUs: family letters -> spot, on-demand (EC2 user guide, "Spot Instance quotas" and "On-Demand
# Instance quotas").
QUOTA_CODES: dict[str, tuple[str | None, str]] = {
    **dict.fromkeys(("a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"), _STANDARD),
    **dict.fromkeys(("g", "gr", "vt"), _G_AND_VT),
    "dl": ("L-85EED4F7", "L-6E869C2A"),
    "f": ("L-88CF9481", "L-74FC7D96"),
    "hpc": (None, "L-F7808C92"),
    "inf": ("L-B5D1601B", "L-1945791B"),
    "p": (P_SPOT, "L-417A185B"),
    "trn": ("L-6B0D517C", "L-2C3B7624"),
    "u": (None, "L-43DA4232"),
    "x": ("L-E3A00192", "L-7295265B"),
}
DEFAULT_QUOTA = Decimal(4096)
NOT_SCORED = "none"

FOREVER = "forever"
# Families that end by themselves unless the market says otherwise.
_RUNS = {"*-fill": {"seconds": Decimal("0.2"), "exit_code": 0}}

DEFAULTS: dict[str, Any] = {
    "boot_seconds": Decimal("0.3"),
    "task_seconds": Decimal("0.2"),
    "import_seconds": Decimal("0.2"),
    "image_build_seconds": Decimal("0.5"),
    "image_build_failure": "",
    "group_wait_scale": Decimal(1),
    "score_configuration_budget": 50,
    "price_page_size": 1000,
}

_SECTIONS = (
    "scores",
    "prices",
    "price_history",
    "on_demand",
    "capacity",
    "on_demand_capacity",
    "quotas",
    "opt_in",
    "runs",
    "registries",
)
_KEYS = (*_SECTIONS, *DEFAULTS)

# On-demand prices in us-east-1, USD an hour, as published in 2025; elsewhere scaled by region.
_ON_DEMAND = {
    "g4dn.xlarge": "0.526",
    "g4dn.2xlarge": "0.752",
    "g4dn.4xlarge": "1.204",
    "g4dn.8xlarge": "2.176",
    "g4dn.12xlarge": "3.912",
    "g4dn.16xlarge": "4.352",
    "g4dn.metal": "7.824",
    "g5.xlarge": "1.006",
    "g5.2xlarge": "1.212",
    "g5.4xlarge": "1.624",
    "g5.8xlarge": "2.448",
    "g5.12xlarge": "5.672",
    "g5.16xlarge": "4.096",
    "g5.24xlarge": "8.144",
    "g5.48xlarge": "16.288",
    "g6.xlarge": "0.8048",
    "g6.2xlarge": "0.9776",
    "g6.4xlarge": "1.3232",
    "g6.8xlarge": "2.0144",
    "g6.12xlarge": "4.6016",
    "g6.16xlarge": "3.3968",
    "g6.24xlarge": "6.6752",
    "g6.48xlarge": "13.3504",
    "g6e.xlarge": "1.861",
    "g6e.2xlarge": "2.24208",
    "g6e.4xlarge": "3.00424",
    "g6e.8xlarge": "4.52856",
    "g6e.12xlarge": "10.49264",
    "g6e.16xlarge": "7.57719",
    "g6e.24xlarge": "15.06559",
    "g6e.48xlarge": "30.13118",
    "p2.xlarge": "0.90",
    "p2.8xlarge": "7.20",
    "p2.16xlarge": "14.40",
    "p3.2xlarge": "3.06",
    "p3.8xlarge": "12.24",
    "p3.16xlarge": "24.48",
    "p3dn.24xlarge": "31.212",
    "p4d.24xlarge": "32.7726",
    "p4de.24xlarge": "40.96565",
    "p5.48xlarge": "98.32",
    "p5en.48xlarge": "84.80",
    "t3.micro": "0.0104",
    "t3.small": "0.0208",
    "t3.medium": "0.0416",
    "m5.large": "0.096",
    "m5.xlarge": "0.192",
    "c5.large": "0.085",
    "c5.xlarge": "0.17",
    "r5.large": "0.126",
}

_REGION_FACTOR = {
    "us-east-1": "1.00",
    "us-east-2": "1.00",
    "us-west-2": "1.00",
    "us-west-1": "1.20",
    "ca-central-1": "1.11",
    "eu-west-1": "1.12",
    "eu-central-1": "1.25",
    "ap-northeast-1": "1.35",
    "ap-southeast-2": "1.30",
}
_OTHER_REGION_FACTOR = Decimal("1.20")

_SCORES = {"us-west-2": 6, "us-east-2": 5, "us-east-1": 4, "eu-west-1": 5, "eu-central-1": 4}
_OTHER_SCORE = 3

_REGION = re.compile(r"^[a-z]{2}(-[a-z]+)+-\d$")
_ZONE = re.compile(r"^[a-z]{2}(-[a-z]+)+-\d[a-z]$")
_ZONE_ID = re.compile(r"^[a-z]+\d*-az\d+$")
_TYPE = re.compile(r"^[a-z0-9-]+\.[a-z0-9-]+$")
_QUOTA = re.compile(r"^L-[0-9A-F]{8}$")
_FAMILY = re.compile(r"^(?P<letters>[a-z]+)-?(?P<generation>[0-9]+)[a-z0-9-]*\.")


class MarketError(ValueError):
    """A market document that cannot be used; the message is one line and names the key, the value and the rule."""


class Market:
    """What the market says now. Merges are atomic: a refused document changes nothing."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._document: dict[str, Any] = {}
        # The ages in a price history are counted from when it was set, so that its changes stay where they are in time.
        self._history_set = _now()

    def merge(self, document: Any) -> None:
        """Merge ``document`` in, deeply; ``None`` removes a key. Raises MarketError."""
        if not isinstance(document, dict):
            raise MarketError("market: a document is an object")
        merged = _merged(self._document, document)
        self._document = _checked(merged)
        if "price_history" in document:
            self._history_set = _now()

    def document(self) -> dict[str, Any]:
        """What was merged in so far, with prices as strings: ready for JSON."""
        return _plain(deepcopy(self._document))

    def setting(self, name: str) -> Any:
        return self._document.get(name, DEFAULTS[name])

    @property
    def boot_seconds(self) -> float:
        return float(self.setting("boot_seconds"))

    @property
    def task_seconds(self) -> float:
        return float(self.setting("task_seconds"))

    @property
    def import_seconds(self) -> float:
        return float(self.setting("import_seconds"))

    @property
    def image_build_seconds(self) -> float:
        return float(self.setting("image_build_seconds"))

    @property
    def image_build_failure(self) -> str:
        """Why builds fail; empty while they succeed."""
        return str(self.setting("image_build_failure"))

    @property
    def group_wait_scale(self) -> float:
        """What the waits of Auto Scaling are multiplied by."""
        return float(self.setting("group_wait_scale"))

    def spot_price(self, region: str, zone: str, instance_type: str) -> Decimal | None:
        """USD an hour in force, or None where the market has no record.

        A region whose prices were set sells only what was set: nobody can know the defaults, so they must not win
        against what a test says.
        """
        history = self.price_changes(region, zone, instance_type)
        if history:
            return history[0][1]
        prices = self._document.get("prices", {}).get(region)
        if not prices:
            return self._default_spot_price(region, zone, instance_type)
        return prices.get(zone, {}).get(instance_type) or prices.get("*", {}).get(instance_type)

    def price_changes(self, region: str, zone: str, instance_type: str) -> list[tuple[datetime, Decimal]]:
        """The changes that were set for a pool, newest first; empty where none were."""
        zones = self._document.get("price_history", {}).get(region, {})
        changes = zones.get(zone, {}).get(instance_type) or zones.get("*", {}).get(instance_type) or []
        return [(self._history_set - timedelta(hours=float(age)), price) for age, price in changes]

    def on_demand_price(self, region: str, instance_type: str) -> Decimal | None:
        pinned = self._document.get("on_demand", {}).get(region, {}).get(instance_type)
        return pinned or _default_on_demand_price(region, instance_type)

    @staticmethod
    def regional(region: str, price: Decimal) -> Decimal:
        """What costs that much in us-east-1 elsewhere."""
        return (price * _factor(region)).quantize(Decimal("0.0001"))

    def score(self, region: str, zone_id: str | None = None) -> int:
        """1 to 10. A region whose zones were scored one by one scores as its best zone."""
        pinned = self._document.get("scores", {}).get(region)
        if isinstance(pinned, dict):
            return pinned.get(zone_id, 1) if zone_id else max(pinned.values())
        if pinned is not None:
            return pinned
        return _SCORES.get(region, _OTHER_SCORE)

    def scores_region(self, region: str) -> bool:
        """Whether AWS gives the region a score at all."""
        return self._document.get("scores", {}).get(region) != NOT_SCORED

    def pins_score(self, region: str) -> bool:
        return region in self._document.get("scores", {})

    def capacity(self, zone: str, instance_type: str, market: MarketKind = "spot") -> int:
        """Instances of a type that one zone can hold in all, those running included; PLENTY where nothing was said."""
        return self._capacity(zone, instance_type, market)

    def region_capacity(self, region: str, instance_type: str, market: MarketKind = "spot") -> int:
        """Instances of a type that a region can hold over all its zones."""
        return self._capacity(region, instance_type, market)

    def pinned_quota(self, region: str, code: str) -> Decimal | None:
        """The vCPU quota that was set for the region, or for all; None where none was."""
        quotas = self._document.get("quotas", {})
        return quotas.get(region, {}).get(code, quotas.get(code))

    def quota(self, region: str, code: str) -> Decimal:
        pinned = self.pinned_quota(region, code)
        return DEFAULT_QUOTA if pinned is None else pinned

    def has_quota(self, region: str, code: str) -> bool:
        return code != P5_SPOT or self.pinned_quota(region, code) is not None

    def counting_quota(self, region: str, instance_type: str, kind: MarketKind) -> str | None:
        """The code of the quota that counts a type in a region; None where none does."""
        code = quota_code(instance_type, kind)
        return P_SPOT if code == P5_SPOT and not self.has_quota(region, code) else code

    def opted_in(self, region: str) -> bool | None:
        """Whether the account has enabled the region; None where nothing was said."""
        return self._document.get("opt_in", {}).get(region)

    def end_of_run(self, family: str) -> tuple[float, int] | None:
        """After how many seconds and with which exit code a task of the family ends; None for one that runs on."""
        said = {**_RUNS, **self._document.get("runs", {})}
        found = said.get(family) or next((end for name, end in said.items() if fnmatchcase(family, name)), FOREVER)
        return None if found == FOREVER else (float(found["seconds"]), found["exit_code"])

    def has_image(self, registry: str, repository: str, tag: str) -> bool:
        """Whether a registry outside of AWS has an image."""
        known = self._document.get("registries", {}).get(registry)
        return known is None or tag in known.get(repository, ())

    def _capacity(self, place: str, instance_type: str, market: MarketKind) -> int:
        section = self._document.get("capacity" if market == "spot" else "on_demand_capacity", {})
        types = section.get(place, {})
        return types.get(instance_type, types.get("*", PLENTY))

    def _default_spot_price(self, region: str, zone: str, instance_type: str) -> Decimal | None:
        on_demand = self.on_demand_price(region, instance_type)
        if on_demand is None:
            return None
        spread = int(sha256(f"{zone}/{instance_type}".encode()).hexdigest()[:4], 16) % 25
        return (on_demand * (Decimal(30 + spread) / 100)).quantize(Decimal("0.0001"))


def quota_code(instance_type: str, market: MarketKind) -> str | None:
    """The vCPU quota that counts a type: by family letters, spot and on-demand apart. None where no quota is known."""
    found = _FAMILY.match(instance_type)
    if found is None or found["letters"] not in QUOTA_CODES:
        return None
    if market == "spot" and found["letters"] == "p" and int(found["generation"]) >= 5:
        return P5_SPOT
    return QUOTA_CODES[found["letters"]][0 if market == "spot" else 1]


def _default_on_demand_price(region: str, instance_type: str) -> Decimal | None:
    base = _ON_DEMAND.get(instance_type)
    price = Decimal(base) if base else _guessed_price(instance_type)
    if price is None:
        return None
    return (price * _factor(region)).quantize(Decimal("0.0001"))


def _factor(region: str) -> Decimal:
    return Decimal(_REGION_FACTOR[region]) if region in _REGION_FACTOR else _OTHER_REGION_FACTOR


def _guessed_price(instance_type: str) -> Decimal | None:
    """Types without a price above: 5 cents a vCPU and 50 cents an accelerator, so that every type sold has one."""
    from moto.ec2.models.instance_types import INSTANCE_TYPES

    data = INSTANCE_TYPES.get(instance_type)
    if data is None:
        return None
    accelerators = sum(gpu["Count"] for gpu in data.get("GpuInfo", {}).get("Gpus", []))
    return Decimal(data["VCpuInfo"]["DefaultVCpus"]) * Decimal("0.05") + accelerators * Decimal("0.50")


def _merged(base: dict[str, Any], update: dict[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in update.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            old = result.get(key)
            result[key] = _merged(old if isinstance(old, dict) else {}, value)
        else:
            result[key] = value
    return {key: value for key, value in result.items() if value != {}}


def _now() -> datetime:
    """EC2 tells times of prices in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return str(value) if isinstance(value, Decimal) else value


def _checked(document: dict[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(document) - set(_KEYS))
    if unknown:
        raise MarketError(f"{unknown[0]}: unknown key; known are {', '.join(_KEYS)}")
    result: dict[str, Any] = {}
    for section in _SECTIONS:
        if section in document:
            result[section] = _CHECKS[section](section, _object(section, document[section]))
    for key in ("boot_seconds", "task_seconds", "import_seconds", "group_wait_scale", "image_build_seconds"):
        if key in document:
            result[key] = _decimal(key, document[key])
    if "image_build_failure" in document:
        if not isinstance(document["image_build_failure"], str):
            raise MarketError(f"image_build_failure: {document['image_build_failure']!r} must be a text")
        result["image_build_failure"] = document["image_build_failure"]
    for key, least in (("score_configuration_budget", 0), ("price_page_size", 1)):
        if key in document:
            result[key] = _integer(key, document[key], least, PLENTY)
    return result


def _scores(path: str, section: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for region, value in section.items():
        _matches(path, region, _REGION, "a region name")
        here = f"{path}.{region}"
        if isinstance(value, dict):
            for zone_id in value:
                _matches(here, zone_id, _ZONE_ID, "an availability zone id, like usw2-az1")
            result[region] = {zone: _integer(f"{here}.{zone}", score, 1, 10) for zone, score in value.items()}
        elif value == NOT_SCORED:
            result[region] = NOT_SCORED
        else:
            result[region] = _integer(here, value, 1, 10)
    return result


def _prices(path: str, section: dict[str, Any]) -> dict[str, Any]:
    return _by_zone(path, section, _price)


def _price_history(path: str, section: dict[str, Any]) -> dict[str, Any]:
    return _by_zone(path, section, _changes)


def _by_zone(path: str, section: dict[str, Any], check: Any) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for region, zones in section.items():
        _matches(path, region, _REGION, "a region name")
        here = f"{path}.{region}"
        for zone in _object(here, zones):
            if zone != "*" and not (_ZONE.match(zone) and zone[:-1] == region):
                raise MarketError(f'{here}.{zone}: must be a zone of {region} or "*"')
        result[region] = {zone: _typed(f"{here}.{zone}", types, check) for zone, types in zones.items()}
    return result


def _changes(path: str, value: Any) -> list[tuple[Decimal, Decimal]]:
    """Pairs of an age in hours and a price, newest first."""
    rule = f"{path}: must be a list of pairs [hours ago, price] of different ages, one at least"
    if not isinstance(value, (list, tuple)) or not value:
        raise MarketError(rule)
    changes = []
    for place, pair in enumerate(value):
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise MarketError(rule)
        here = f"{path}[{place}]"
        changes.append((_decimal(here, pair[0]), _price(here, pair[1])))
    if len({age for age, _price in changes}) < len(changes):
        raise MarketError(rule)
    return sorted(changes)


def _opt_in(path: str, section: dict[str, Any]) -> dict[str, bool]:
    for region, value in section.items():
        _matches(path, region, _REGION, "a region name")
        if not isinstance(value, bool):
            raise MarketError(f"{path}.{region}: {value!r} must be true or false")
    return section


def _registries(path: str, section: dict[str, Any]) -> dict[str, Any]:
    for address, repositories in section.items():
        for name, tags in _object(f"{path}.{address}", repositories).items():
            if not isinstance(tags, (list, tuple)) or not all(isinstance(tag, str) for tag in tags):
                raise MarketError(f"{path}.{address}.{name}: must be a list of tags")
    return section


def _on_demand(path: str, section: dict[str, Any]) -> dict[str, Any]:
    for region in section:
        _matches(path, region, _REGION, "a region name")
    return {region: _typed(f"{path}.{region}", types, _price) for region, types in section.items()}


def _capacities(path: str, section: dict[str, Any]) -> dict[str, Any]:
    for place in section:
        if not (_REGION.match(place) or _ZONE.match(place)):
            raise MarketError(f"{path}.{place}: must be a region or a zone name")
    return {place: _typed(f"{path}.{place}", types, _count, wildcard=True) for place, types in section.items()}


def _quotas(path: str, section: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in section.items():
        if isinstance(value, dict):
            _matches(path, key, _REGION, "a region name or a quota code")
            for code in value:
                _matches(f"{path}.{key}", code, _QUOTA, "a quota code, like L-3819A6DF")
            result[key] = {code: _decimal(f"{path}.{key}.{code}", number) for code, number in value.items()}
        else:
            _matches(path, key, _QUOTA, "a quota code, like L-3819A6DF")
            result[key] = _decimal(f"{path}.{key}", value)
    return result


def _runs(path: str, section: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for family, end in section.items():
        here = f"{path}.{family}"
        if end == FOREVER:
            result[family] = FOREVER
            continue
        unknown = sorted(set(_object(here, end)) - {"seconds", "exit_code"})
        if unknown:
            raise MarketError(f"{here}.{unknown[0]}: unknown key; known are seconds, exit_code")
        result[family] = {
            "seconds": _decimal(f"{here}.seconds", end.get("seconds", 0)),
            "exit_code": _integer(f"{here}.exit_code", end.get("exit_code", 0), 0, 255),
        }
    return result


_CHECKS = {
    "scores": _scores,
    "prices": _prices,
    "price_history": _price_history,
    "on_demand": _on_demand,
    "capacity": _capacities,
    "on_demand_capacity": _capacities,
    "quotas": _quotas,
    "opt_in": _opt_in,
    "runs": _runs,
    "registries": _registries,
}


def _object(path: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MarketError(f"{path}: {value!r} must be an object")
    return value


def _matches(path: str, key: str, pattern: re.Pattern[str], rule: str) -> None:
    if not pattern.match(key):
        raise MarketError(f"{path}.{key}: must be {rule}")


def _typed(path: str, types: Any, check: Any, wildcard: bool = False) -> dict[str, Any]:
    for name in _object(path, types):
        if not (wildcard and name == "*"):
            _matches(path, name, _TYPE, "an instance type")
    return {name: check(f"{path}.{name}", value) for name, value in types.items()}


def _price(path: str, value: Any) -> Decimal:
    price = _decimal(path, value)
    if price <= 0:
        raise MarketError(f"{path}: {value!r} must be above 0")
    return price


def _count(path: str, value: Any) -> int:
    return _integer(path, value, 0, PLENTY)


def _decimal(path: str, value: Any) -> Decimal:
    try:
        number = value if isinstance(value, Decimal) else Decimal(str(value))
    except InvalidOperation:
        raise MarketError(f"{path}: {value!r} must be a number") from None
    if isinstance(value, bool) or not number.is_finite() or number < 0:
        raise MarketError(f"{path}: {value!r} must be a number of at least 0")
    return number


def _integer(path: str, value: Any, least: int, most: int) -> int:
    number = _decimal(path, value)
    if number != number.to_integral_value() or not least <= number <= most:
        raise MarketError(f"{path}: {value!r} must be a whole number from {least} to {most}")
    return int(number)
