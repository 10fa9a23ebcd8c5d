# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What modules report of launches, checked, and merged into the failure ledger. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import replace
from datetime import datetime
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain import ledger
from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import INSTANCE_TYPE
from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import check_instance_types
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.launch_errors import REGION_FAMILY
from ansible_collections.ethereal.spot.plugins.module_utils._brain.launch_errors import kind_of
from ansible_collections.ethereal.spot.plugins.module_utils._brain.names import check_place
from ansible_collections.ethereal.spot.plugins.module_utils._brain.quotas import ON_DEMAND
from ansible_collections.ethereal.spot.plugins.module_utils._brain.quotas import SPOT
from ansible_collections.ethereal.spot.plugins.module_utils._brain.quotas import family_of
from ansible_collections.ethereal.spot.plugins.module_utils._brain.regions import check_region

# As EC2 and Auto Scaling write them, and as the state does.
MARKETS = {"spot": SPOT, "on-demand": ON_DEMAND, "on_demand": ON_DEMAND}
POOL_FIELDS = frozenset({"place", "region", "zone", "instance_type"})
# What spot_placement, spot_asg and spot_fleet_info tell of a failed launch, and what only the caller knows.
FAILURE_FIELDS = POOL_FIELDS | {
    *("code", "count", "first", "group", "lasting", "market", "message", "recovered", "scope", "time"),
    "instance_types",
}
# The same modules' instances.
SUCCESS_FIELDS = POOL_FIELDS | {
    *("group", "health", "instance_id", "launch_time", "lifecycle", "lifecycle_state", "private_ip", "state"),
}


@dataclass(frozen=True)
class Failed:
    """A launch that failed; `at` is None if nobody said when."""

    pool: ledger.Pool
    code: str
    message: str
    at: int | None


@dataclass(frozen=True)
class Launched:
    """A launch that succeeded."""

    pool: ledger.Pool
    at: int | None


def check_failures(value: Sequence[Any], option: str = "failures") -> tuple[Failed, ...]:
    """Failed launches as modules return them, each with its `place` and `region`. Those that a group has recovered from
    are left out: a success came after them."""
    return tuple(
        _failure(item, f"{option}[{at}]")
        for at, item in enumerate(value)
        if not (isinstance(item, Mapping) and item.get("recovered"))
    )


def check_successes(value: Sequence[Any], option: str = "successes") -> tuple[Launched, ...]:
    """Launched instances as modules return them, each with its `place` and `region`; of those of one pool, the newest."""
    newest: dict[ledger.Pool, Launched] = {}
    for at, item in enumerate(value):
        where = f"{option}[{at}]"
        _check_fields(item, SUCCESS_FIELDS, where)
        launched = Launched(
            _pool(item, item.get("lifecycle"), f"{where}.lifecycle", where), _time(item, "launch_time", where)
        )
        before = newest.get(launched.pool)
        if before is None or launched.at is None or (before.at is not None and before.at < launched.at):
            newest[launched.pool] = launched
    return tuple(newest.values())


def _failure(item: Any, where: str) -> Failed:
    _check_fields(item, FAILURE_FIELDS, where)
    code, message = item.get("code"), item.get("message") or ""
    for field, text in (("code", code), ("message", message)):
        if not isinstance(text, str) or (field == "code" and not text):
            raise InputError(f"{where}.{field}", text, "must be a text")
    kind = kind_of(code)
    pool = _pool(item, item.get("market") or kind.market, f"{where}.market", where)
    if kind.scope == REGION_FAMILY and pool.instance_type is None and item.get("instance_types"):
        types = check_instance_types(item["instance_types"], f"{where}.instance_types")
        if len({family_of(name) for name in types}) == 1:
            # The quota's family is known though the type is not.
            pool = replace(pool, instance_type=types[0])
    return Failed(pool, code, message, _time(item, "time", where))


def _check_fields(item: Any, known: frozenset[str], where: str) -> None:
    if not isinstance(item, Mapping):
        raise InputError(where, item, "must be a mapping")
    for name in item:
        if name not in known:
            raise InputError(f"{where}.{name}", item[name], f"is unknown; known are {', '.join(sorted(known))}")


def _pool(item: Mapping[str, Any], market: Any, market_option: str, where: str) -> ledger.Pool:
    if market not in MARKETS:
        raise InputError(market_option, market, "must be spot or on-demand")
    region = check_region(item.get("region"), f"{where}.region")
    zone = item.get("zone") or None
    if zone is not None and not (isinstance(zone, str) and zone.startswith(region)):
        raise InputError(f"{where}.zone", zone, f"is no zone of {region}")
    instance_type = item.get("instance_type") or None
    if instance_type is not None and not (isinstance(instance_type, str) and INSTANCE_TYPE.fullmatch(instance_type)):
        raise InputError(f"{where}.instance_type", instance_type, "is not an instance type such as g5.xlarge")
    return ledger.Pool(
        check_place(item.get("place"), option=f"{where}.place"), region, zone, instance_type, MARKETS[market]
    )


def _time(item: Mapping[str, Any], field: str, where: str) -> int | None:
    """Whole seconds since 1970."""
    value = item.get(field)
    if not value:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InputError(f"{where}.{field}", value, "must be a time with its zone, such as 2026-01-01T10:00:00+00:00")
    return int(moment.timestamp())


def merged(
    known: ledger.Ledger, failures: Iterable[Failed], successes: Iterable[Launched], now: int
) -> dict[str, ledger.Entry]:
    """The ledger after all of it, in the order in which it happened; what AWS's clock puts after `now` happened now."""
    outcomes = [(now if outcome.at is None else min(now, outcome.at), outcome) for outcome in (*failures, *successes)]
    after = dict(known)
    # Of one moment failures come first, as the sort leaves them: a success tells how it ended.
    for at, outcome in sorted(outcomes, key=lambda timed: timed[0]):
        if isinstance(outcome, Failed):
            after = ledger.record(after, outcome.pool, outcome.code, outcome.message, at)
        else:
            after = ledger.succeed(after, outcome.pool, at)
    # A group tells of failures for weeks: of an old one nothing new is learned.
    still = ledger.prune(after, now)
    return {key: entry for key, entry in after.items() if key in known or key in still}
