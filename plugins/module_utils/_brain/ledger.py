# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The memory of failed launches: which pools are not worth a try now, why, and until when. PRIVATE to the collection.

A failure is kept under one key that says how far it reaches; a pool is barred while an entry under any of its keys has
not expired. Each repetition doubles an entry's time, a success forgets what it disproves. Nothing here looks at a clock:
all times are whole seconds since 1970, and every function returns a new ledger.

Keys are written and read by the same functions. What a failure did not tell (`*`) stands for every pool of the place:
a launch that was asked of several zones at once names none, and found capacity in none.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import asdict
from dataclasses import dataclass
from dataclasses import fields
from dataclasses import replace
from datetime import UTC
from datetime import datetime
from functools import lru_cache
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain import launch_errors
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import EtherealSpotError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.quotas import family_of

ANY = "*"
# AWS's own status messages end here (botocore model: Activity.StatusMessage).
LONGEST_MESSAGE = 255
MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR


@dataclass(frozen=True, slots=True)
class Pool:
    """Where a launch goes. `market` is `spot` or `on_demand`; zone and type are None where they are not known."""

    place: str
    region: str
    zone: str | None
    instance_type: str | None
    market: str

    @property
    def family(self) -> str | None:
        """The family that a quota counts the type in; None if the type is not known."""
        return family_of(self.instance_type) if self.instance_type else None


@dataclass(frozen=True, slots=True)
class Entry:
    """One remembered failure; `count` is how often it came again while it was remembered."""

    key: str
    scope: str
    code: str
    message: str
    count: int
    first: int
    last: int
    expires: int


Ledger = Mapping[str, Entry]


@dataclass(frozen=True, slots=True)
class Expiry:
    """Seconds that a failure bars by its scope: the first time, and at most however often it came again.

    The defaults are for groups, where a try takes minutes before it is given up: a memory that is shorter is over before
    the next place has been tried (Karpenter issues 900, 1233). Where a launch is answered at once and costs one call,
    `pool=(60, 300)` tries again after 1, 2, 4, 5, 5, ... minutes. A quota stays until somebody raises it or
    usage falls; a wrong request may be mended at any moment, so that is asked again soon.
    """

    pool: tuple[int, int] = (5 * MINUTE, HOUR)
    zone: tuple[int, int] = (5 * MINUTE, HOUR)
    region_family: tuple[int, int] = (15 * MINUTE, 6 * HOUR)
    region: tuple[int, int] = (5 * MINUTE, HOUR)
    account: tuple[int, int] = (5 * MINUTE, HOUR)
    permanent: tuple[int, int] = (5 * MINUTE, HOUR)
    throttle: tuple[int, int] = (MINUTE, 5 * MINUTE)
    unknown: tuple[int, int] = (MINUTE, 10 * MINUTE)
    # A type that the zone does not have: AWS adds types to zones, but seldom.
    lasting_pool: int = 30 * DAY

    def seconds(self, code: str, count: int) -> int:
        """How long the `count`-th failure with this code bars; never shorter for a higher count."""
        kind = launch_errors.kind_of(code)
        if kind.scope == launch_errors.POOL and kind.lasting:
            return self.lasting_pool
        base, cap = getattr(self, kind.scope.replace("-", "_"))
        # Doubled oftener than this, any base is over any cap; the shift stays small.
        return min(cap, base << min(count - 1, 40))


EXPIRY = Expiry()


@lru_cache(maxsize=4096)
def keys_of(pool: Pool) -> tuple[str, ...]:
    """Every key under which an entry can bar the pool, narrowest first."""
    zone, instance_type = pool.zone, pool.instance_type
    wider = {
        _pool_key(pool, zone, instance_type): None,
        _pool_key(pool, zone, None): None,
        _pool_key(pool, None, instance_type): None,
        _pool_key(pool, None, None): None,
        _zone_key(pool, zone): None,
        _zone_key(pool, None): None,
        _family_key(pool, pool.family, pool.market): None,
        _family_key(pool, None, pool.market): None,
        f"{launch_errors.PERMANENT}/{pool.place}": None,
        _request_key(pool): None,
        f"{launch_errors.REGION}/{pool.region}": None,
        f"{launch_errors.ACCOUNT}/{pool.region}": None,
    }
    return tuple(wider)


def key_of(pool: Pool, code: str) -> str:
    """The one key under which a failure with this code is remembered.

    It is among the pool's own keys, but for a throttled call, which bars nothing, and for the quota of the other market.
    """
    kind = launch_errors.kind_of(code)
    if kind.scope == launch_errors.ZONE:
        return _zone_key(pool, pool.zone)
    if kind.scope == launch_errors.REGION_FAMILY:
        return _family_key(pool, pool.family, kind.market or pool.market)
    if kind.scope == launch_errors.REGION:
        return _request_key(pool) if kind.shortage else f"{launch_errors.REGION}/{pool.region}"
    if kind.scope == launch_errors.PERMANENT:
        return f"{launch_errors.PERMANENT}/{pool.place}"
    if kind.scope in (launch_errors.ACCOUNT, launch_errors.THROTTLE):
        return f"{kind.scope}/{pool.region}"
    return _pool_key(pool, pool.zone, pool.instance_type)


def _pool_key(pool: Pool, zone: str | None, instance_type: str | None) -> str:
    if zone and instance_type:
        # The same pool for every place that can buy there.
        return f"{launch_errors.POOL}/{zone}/{instance_type}/{pool.market}"
    return f"{launch_errors.POOL}/{pool.place}/{zone or ANY}/{instance_type or ANY}/{pool.market}"


def _zone_key(pool: Pool, zone: str | None) -> str:
    """Of the place, since subnets and placement groups are its own."""
    return f"{launch_errors.ZONE}/{pool.place}/{zone or ANY}"


def _family_key(pool: Pool, family: str | None, market: str) -> str:
    if family:
        return f"{launch_errors.REGION_FAMILY}/{pool.region}/{family}/{market}"
    return f"{launch_errors.REGION_FAMILY}/{pool.region}/{pool.place}/{ANY}/{market}"


def _request_key(pool: Pool) -> str:
    """What the place asks of its region in one market: another place may ask for other types there."""
    return f"{launch_errors.REGION}/{pool.region}/{pool.place}/{pool.market}"


def record(ledger: Ledger, pool: Pool, code: str, message: str, now: int, expiry: Expiry = EXPIRY) -> dict[str, Entry]:
    """The ledger with one more failure; `now` is when the launch failed.

    A failure that is not later than the entry's last one is known already: many failures of one moment count once, and
    recording the same again changes nothing. After it has been expired for as long as it barred, an entry starts anew.
    """
    code = launch_errors.told_code(code, message)
    key = key_of(pool, code)
    known = ledger.get(key)
    if code in launch_errors.OWN_DOING or (known is not None and now <= known.last):
        return dict(ledger)
    if known is None or now > forgotten_at(known):
        known, count, first = None, 1, now
    else:
        count, first = known.count + 1, known.first
    scope = launch_errors.scope_of(code)
    expires = now + expiry.seconds(code, count)
    entry = Entry(key, scope, code, message[:LONGEST_MESSAGE], count, first, now, expires)
    if known is not None and known.code != code and known.expires > expires:
        # What bars longer is the better reason: a pool without the type is not merely short of it.
        entry = replace(known, count=count, last=now)
    return {**ledger, key: entry}


def succeed(ledger: Ledger, pool: Pool, now: int) -> dict[str, Entry]:
    """The ledger without what a launch in the pool disproves; `now` is when it succeeded, and later failures stay.

    Of other pools nothing is forgotten: that one zone has capacity says nothing about the next.
    """
    disproved = {*keys_of(pool), f"{launch_errors.THROTTLE}/{pool.region}"}
    return {key: entry for key, entry in ledger.items() if key not in disproved or entry.last > now}


def barred(ledger: Ledger, keys: Iterable[str], now: int) -> Entry | None:
    """The entry that bars now, the first of the keys that has one; None if a try is worth it."""
    for key in keys:
        entry = ledger.get(key)
        if entry is not None and entry.expires > now and entry.scope != launch_errors.THROTTLE:
            return entry
    return None


def throttled_until(ledger: Ledger, pool: Pool) -> int:
    """Until when calls in the pool's region are better left alone; 0 if nothing was throttled. No word about capacity."""
    entry = ledger.get(f"{launch_errors.THROTTLE}/{pool.region}")
    return 0 if entry is None else entry.expires


def prune(ledger: Ledger, now: int) -> dict[str, Entry]:
    """The ledger without what says nothing any more, not even that a failure is a repetition."""
    return {key: entry for key, entry in ledger.items() if now <= forgotten_at(entry)}


def forgotten_at(entry: Entry) -> int:
    """When an entry has been expired for as long as it barred, and says nothing any more."""
    return entry.expires + max(0, entry.expires - entry.last)


def sentence(entry: Entry, now: int) -> str:
    """One entry for a person to read."""
    times = f", {entry.count} times" if entry.count > 1 else ""
    until = datetime.fromtimestamp(entry.expires, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    if entry.scope == launch_errors.THROTTLE:
        then = "which bars nothing"
    elif entry.expires > now:
        then = f"barred until {until} ({_length(entry.expires - now)})"
    else:
        then = f"was barred until {until}"
    says = f"{_subject(entry)}: {launch_errors.kind_of(entry.code).says} ({entry.code}{times}), {then}"
    return f"{says}: {entry.message}" if entry.message else says


def _subject(entry: Entry) -> str:
    """What the key names, without what it leaves open."""
    words = [part.replace("_", "-") for part in entry.key.split("/")[1:] if part != ANY]
    # A place is mostly called by its region.
    return " ".join(dict.fromkeys(words))


def _length(seconds: int) -> str:
    for unit, size in (("days", DAY), ("h", HOUR), ("min", MINUTE)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def document(entry: Entry) -> dict[str, Any]:
    """The entry as plain JSON."""
    return asdict(entry)


def entry_from(found: Mapping[str, Any]) -> Entry:
    """The entry that a document holds; EtherealSpotError for anything else than `document` makes."""
    kinds = {"str": str, "int": int}
    for field in fields(Entry):
        value = found.get(field.name)
        # A truth value is an int to Python, and none here.
        if not isinstance(value, kinds[str(field.type)]) or isinstance(value, bool):
            raise EtherealSpotError(
                f"an entry of the failure ledger has {field.name} {value!r}, {field.type} is expected"
            )
    unknown = sorted(set(found) - {field.name for field in fields(Entry)})
    if unknown or found["scope"] not in launch_errors.SCOPES or found["count"] < 1:
        raise EtherealSpotError(
            f"an entry of the failure ledger has scope {found['scope']!r}, count {found['count']} and unknown fields "
            f"{unknown}: another version of the collection wrote it"
        )
    return Entry(**found)
