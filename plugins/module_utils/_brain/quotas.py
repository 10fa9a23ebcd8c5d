# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""EC2's vCPU quotas: which one counts an instance type, and whether it has room. PRIVATE to the collection.

Quotas hold per region, market and group of families (EC2 user guide, "Spot Instance quotas" and "On-Demand Instance
quotas"). What is not known here or was not answered never says no.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.money import text

SPOT = "spot"
ON_DEMAND = "on_demand"
MARKETS = {SPOT: "spot", ON_DEMAND: "on-demand"}

STANDARD = "Standard"
DL = "DL"
F = "F"
G_AND_VT = "G and VT"
HIGH_MEMORY = "High Memory"
HPC = "HPC"
INF = "Inf"
P = "P"
# P5 and later: they share the P quota on demand, and had a spot quota of their own from 2023 on.
P5 = "P5"
TRN = "Trn"
X = "X"
UNKNOWN_FAMILY = "unknown"

# The letters before an instance family's generation. Whatever is not listed (mac, previous generations such as cc2) is
# an unknown family: a new one is better not counted than counted against a wrong quota.
FAMILIES = {
    **dict.fromkeys(("a", "c", "d", "h", "i", "im", "is", "m", "r", "t", "z"), STANDARD),
    "dl": DL,
    "f": F,
    "g": G_AND_VT,
    "gr": G_AND_VT,
    "hpc": HPC,
    "inf": INF,
    "p": P,
    "trn": TRN,
    "u": HIGH_MEMORY,
    "vt": G_AND_VT,
    "x": X,
}
GENERATION = re.compile(r"(?P<letters>[a-z]+)-?(?P<generation>[0-9]+)[a-z0-9-]*\.[a-z0-9-]+")

# Service Quotas codes, the same in every region (EC2 user guide, the two pages above). High Memory and HPC have no spot.
CODES = {
    SPOT: {
        DL: "L-85EED4F7",
        F: "L-88CF9481",
        G_AND_VT: "L-3819A6DF",
        INF: "L-B5D1601B",
        P: "L-7212CCBC",
        P5: "L-C4BD4855",
        STANDARD: "L-34B43A08",
        TRN: "L-6B0D517C",
        X: "L-E3A00192",
    },
    ON_DEMAND: {
        DL: "L-6E869C2A",
        F: "L-74FC7D96",
        G_AND_VT: "L-DB2E81BA",
        HIGH_MEMORY: "L-43DA4232",
        HPC: "L-F7808C92",
        INF: "L-1945791B",
        P: "L-417A185B",
        P5: "L-417A185B",
        STANDARD: "L-1216C47A",
        TRN: "L-2C3B7624",
        X: "L-7295265B",
    },
}
# The spot quota of P5 was split off the P quota ("All P5" beside "All P4, P3 and P2 Spot Instance Requests") and joined
# with it again ("All P"); where the first does not exist, the second counts P5 as well.
JOINED = {"L-C4BD4855": "L-7212CCBC"}


@dataclass(frozen=True)
class Quota:
    """A quota in one region, in vCPUs: its limit, and what is used of it, None where that is not known."""

    code: str
    limit: Decimal
    used: int | None


@dataclass(frozen=True)
class Verdict:
    """Whether a region's quota has room. `enough` is None where that is not known; numbers that are not known are None.

    `instance_types` are those that were asked about; `family` is the quota's. Numbers are vCPUs; `left` is never below 0.
    """

    region: str
    market: str
    family: str
    instance_types: tuple[str, ...]
    code: str | None
    needed: int | None
    limit: Decimal | None
    used: int | None
    left: Decimal | None
    enough: bool | None
    reason: str

    def public(self) -> dict[str, Any]:
        """For results and records: whole numbers, since limits of vCPUs are whole."""
        return {
            **vars(self),
            "instance_types": list(self.instance_types),
            "limit": None if self.limit is None else int(self.limit),
            "left": None if self.left is None else int(self.left),
        }


def family_of(instance_type: str) -> str:
    """The family that a quota counts a type in; UNKNOWN_FAMILY for one that is not listed."""
    found = GENERATION.fullmatch(instance_type)
    family = FAMILIES.get(found["letters"], UNKNOWN_FAMILY) if found else UNKNOWN_FAMILY
    return P5 if family == P and int(found["generation"]) >= 5 else family


def quota_code(instance_type: str, market: str) -> str | None:
    """The quota that counts a type in a market, `spot` or `on_demand`; None if it is not known or there is none."""
    return CODES[market].get(family_of(instance_type))


def quota_codes(instance_types: Iterable[str], markets: Iterable[str]) -> list[str]:
    """What to ask Service Quotas for, to judge these types in these markets."""
    codes = {quota_code(each, market) for market in markets for each in instance_types} - {None}
    return sorted(codes | {JOINED[code] for code in codes if code in JOINED})


def needed_vcpus(target_capacity: int, vcpus: Collection[int]) -> int:
    """vCPUs of that many instances, of the smallest type: where even those do not fit, nothing does."""
    return target_capacity * min(vcpus)


def verdict(
    region: str,
    market: str,
    instance_types: Collection[str],
    needed: int | None,
    quota: Quota | None,
    problem: str | None = None,
) -> Verdict:
    """Judge one region, market and family. `problem` says why quota or need are not known, if somebody knows."""
    types = tuple(sorted(instance_types))
    family = family_of(types[0])
    name = f"{MARKETS[market]} vCPU quota of {family} instances in {region}"

    left = None if quota is None else max(Decimal(0), quota.limit - (quota.used or 0))

    def judged(enough: bool | None, reason: str) -> Verdict:
        code = quota.code if quota else CODES[market].get(family)
        limit, used = (quota.limit, quota.used) if quota else (None, None)
        known = None if used is None else left
        return Verdict(region, market, family, types, code, needed, limit, used, known, enough, reason)

    if quota is None or needed is None:
        why = "AWS answered no value for it" if family in CODES[market] else f"no quota is known for {', '.join(types)}"
        return judged(None, f"{name} cannot be judged: {problem or why}")
    name = f"{name} ({quota.code})"
    if quota.used is None and needed <= left:
        return judged(None, f"{name} is {text(quota.limit)}, its use is not known: {problem}")
    enough = needed <= left
    verb = "are" if enough else "would be"
    return judged(enough, f"{name} has {text(left)} of {text(quota.limit)} left, {needed} {verb} needed")


def verdicts(
    region: str,
    market: str,
    target_capacity: int,
    vcpus: Mapping[str, int | None],
    limits: Mapping[str, Decimal] | None,
    in_use: Mapping[tuple[str, str], int] | None,
    held: int = 0,
    problem: str | None = None,
) -> list[Verdict]:
    """One verdict for each family among the types of `vcpus` (None for a type whose vCPUs are not known).

    `limits` is by code, `in_use` by family and market; None where they could not be read, and `problem` says why. `held`
    is how many of the instances run already: they are part of what is in use.
    """
    families: dict[str, list[str]] = {}
    for instance_type in sorted(vcpus):
        families.setdefault(family_of(instance_type), []).append(instance_type)
    found = []
    for _family, types in sorted(families.items()):
        unknown = [each for each in types if vcpus[each] is None]
        needed = None if unknown else needed_vcpus(max(0, target_capacity - held), [vcpus[each] for each in types])
        why = f"the vCPUs of {', '.join(unknown)} are not known" if unknown else problem
        found.append(verdict(region, market, types, needed, _quota(types[0], market, limits, in_use), why))
    return found


def _quota(
    instance_type: str,
    market: str,
    limits: Mapping[str, Decimal] | None,
    in_use: Mapping[tuple[str, str], int] | None,
) -> Quota | None:
    """The quota that counts a type, with everything else that it counts."""
    if limits is None:
        return None

    def counted_by(family: str) -> str | None:
        code = CODES[market].get(family)
        return JOINED.get(code, code) if code not in limits else code

    code = counted_by(family_of(instance_type))
    if code not in limits:
        return None
    if in_use is None:
        return Quota(code, limits[code], None)
    used = sum(number for (family, where), number in in_use.items() if where == market and counted_by(family) == code)
    return Quota(code, limits[code], used)
