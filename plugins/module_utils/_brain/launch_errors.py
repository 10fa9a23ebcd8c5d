# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the error codes of launches mean: how far they reach, and whether they tell of capacity. PRIVATE to the collection.

Codes are those of the EC2 API (EC2 API reference, error codes), of an instance's state reason (EC2 API reference,
StateReason), and of Karpenter's and Cluster Autoscaler's lists of capacity errors.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from ansible_collections.ethereal.spot.plugins.module_utils._brain.quotas import ON_DEMAND
from ansible_collections.ethereal.spot.plugins.module_utils._brain.quotas import SPOT

# How far a failure reaches.
POOL = "pool"  # instance type x zone x market
ZONE = "zone"  # the place's subnet in the zone
REGION_FAMILY = "region-family"  # the quota of one family and market in the region
REGION = "region"
ACCOUNT = "account"  # what the account may do, which it is told by region
PERMANENT = "permanent"  # the request itself is wrong: trying again elsewhere fails alike
THROTTLE = "throttle"  # the API was asked too often: nothing is known of what was asked
UNKNOWN = "unknown"
SCOPES = (POOL, ZONE, REGION_FAMILY, REGION, ACCOUNT, PERMANENT, THROTTLE, UNKNOWN)


@dataclass(frozen=True, slots=True)
class Kind:
    """What a code says.

    `shortage` is true only where AWS lacks capacity of that market: not for a quota, a price, addresses, a denial, a
    reservation of one's own or a throttled call. `lasting` says that trying the same again cannot help until somebody has
    changed something. `market` is the market that the code is about whatever was asked for.
    """

    scope: str
    says: str
    shortage: bool = False
    lasting: bool = False
    market: str | None = None


_NO_CAPACITY = Kind(POOL, "no capacity", shortage=True)
_RESERVED = Kind(POOL, "the reservation has no room")
_WRONG = Kind(PERMANENT, "the request is wrong", lasting=True)
_KEY = Kind(PERMANENT, "the volumes' key cannot be used", lasting=True)
_DENIED = Kind(ACCOUNT, "denied", lasting=True)
_ON_DEMAND_QUOTA = Kind(REGION_FAMILY, "over the on-demand quota", market=ON_DEMAND)
_TOO_MANY_REQUESTS = Kind(ACCOUNT, "too many fleets and requests stand")
_VOLUME_QUOTA = Kind(REGION, "over the storage quota")
_THROTTLED = Kind(THROTTLE, "throttled")
_UNKNOWN = Kind(UNKNOWN, "failed")

# Seven instances a zone by a spread placement group's own rule: AWS words it as a lack of capacity, which it is not.
SPREAD_LIMIT_CODE = "SpreadPlacementGroupLimit"
SPREAD_LIMIT = re.compile(r"limit of \w+ instances? .*spread placement group|spread placement group.*limit", re.I)

# A code that is not here goes by the longest one here that it begins with, as InvalidAMIID.NotFound by Invalid.
KINDS = {
    "AccessDenied": _DENIED,
    "AuthFailure": _DENIED,
    "Blocked": _DENIED,
    "Client.InternalError": _KEY,
    "Client.Invalid": _WRONG,
    "Client.InvalidKMSKey": _KEY,
    "Client.VolumeLimitExceeded": _VOLUME_QUOTA,
    "EC2ThrottledException": _THROTTLED,
    "IdempotentParameterMismatch": _WRONG,
    "InstanceLimitExceeded": _ON_DEMAND_QUOTA,
    "InsufficientFreeAddressesInSubnet": Kind(ZONE, "the subnet has no free addresses"),
    "InsufficientHostCapacity": Kind(POOL, "no capacity on hosts", shortage=True),
    "InsufficientInstanceCapacity": _NO_CAPACITY,
    "InsufficientReservedInstanceCapacity": _RESERVED,
    "Invalid": _WRONG,
    "MaxFleetCountExceeded": _TOO_MANY_REQUESTS,
    "MaxSpotFleetRequestCountExceeded": _TOO_MANY_REQUESTS,
    "MaxSpotInstanceCountExceeded": Kind(REGION_FAMILY, "over the spot quota", market=SPOT),
    "OptInRequired": Kind(ACCOUNT, "the region is not enabled for the account", lasting=True),
    "PendingVerification": _DENIED,
    "ProvisionedThroughputExceededException": _THROTTLED,
    "RequestLimitExceeded": _THROTTLED,
    "RequestThrottled": _THROTTLED,
    "ReservationCapacityExceeded": _RESERVED,
    "Server.InsufficientInstanceCapacity": _NO_CAPACITY,
    "SlowDown": _THROTTLED,
    # The collection sets no ceiling, so AWS's own holds, the on-demand price: the same for every launch in the pool.
    "SpotMaxPriceTooLow": Kind(POOL, "the spot price is above the ceiling"),
    SPREAD_LIMIT_CODE: Kind(ZONE, "the placement group is full in this zone", lasting=True),
    "ThrottledException": _THROTTLED,
    "Throttling": _THROTTLED,
    "TooManyRequestsException": _THROTTLED,
    "UnauthorizedOperation": _DENIED,
    "UnfulfillableCapacity": Kind(REGION, "no capacity for what was asked", shortage=True),
    "UnrecognizedClientException": _DENIED,
    "Unsupported": Kind(POOL, "not offered there", lasting=True),
    "UnsupportedOperation": _WRONG,
    "VcpuLimitExceeded": _ON_DEMAND_QUOTA,
    "VolumeLimitExceeded": _VOLUME_QUOTA,
}
# An instance that its owner ended while it started, by scaling in for one: no failure of anything.
OWN_DOING = frozenset({"Client.InstanceInitiatedShutdown", "Client.UserInitiatedShutdown"})


def told_code(code: str, message: str) -> str:
    """The code that the message means: it may tell of something else than the code that came with it."""
    return SPREAD_LIMIT_CODE if code == "InsufficientInstanceCapacity" and SPREAD_LIMIT.search(message) else code


@lru_cache(maxsize=1024)
def kind_of(code: str) -> Kind:
    """What a code says; of one that nobody knows, only that it failed."""
    if code in KINDS:
        return KINDS[code]
    known = [beginning for beginning in KINDS if code.startswith(beginning)]
    return KINDS[max(known, key=len)] if known else _UNKNOWN


def scope_of(code: str) -> str:
    """The scope of an error code."""
    return kind_of(code).scope


def is_shortage(code: str) -> bool:
    """Whether the code says that AWS lacks capacity, which is what a market's memory may learn from."""
    return kind_of(code).shortage


def is_throttle(code: str) -> bool:
    """Whether the code says that the API was asked too often."""
    return scope_of(code) == THROTTLE


def is_denial(code: str) -> bool:
    """Whether the code says that the account may not do what it asked for."""
    kind = kind_of(code)
    return kind.scope == ACCOUNT and kind.lasting
