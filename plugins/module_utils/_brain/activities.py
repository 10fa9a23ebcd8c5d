# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Auto Scaling says of launches that failed, parsed. PRIVATE to the collection."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import replace
from datetime import datetime
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.launch_errors import kind_of
from ansible_collections.ethereal.spot.plugins.module_utils._brain.launch_errors import told_code

# One failure is not final: the group tries again.
FAILURES_TO_GIVE_UP = 2

# "Could not launch Spot Instances. <Code> - <text>. Launching EC2 instance failed."
CODED = re.compile(
    r"(?:Could not launch (?P<market>Spot|On-Demand) Instances\.\s*)?"
    r"(?P<code>(?:Client\.|Server\.)?[A-Z][A-Za-z0-9]+(?:\.[A-Za-z0-9]+)*) - (?P<text>.*)",
    re.DOTALL,
)
STATE_REASON = re.compile(r"Termination Reason: (?P<code>(?:Client|Server)\.[A-Za-z0-9.]+): (?P<text>.*)", re.DOTALL)
# Sentences of launches outside a mixed-instances policy, which carry no code (Auto Scaling user guide, troubleshooting).
UNCODED = (
    (re.compile(r"no Spot capacity available", re.I), "InsufficientInstanceCapacity", "spot"),
    (re.compile(r"do not have sufficient .* capacity", re.I), "InsufficientInstanceCapacity", None),
    (re.compile(r"max spot instance count exceeded", re.I), "MaxSpotInstanceCountExceeded", "spot"),
    (re.compile(r"requested more (vCPU capacity|instances) .* than your current", re.I), "VcpuLimitExceeded", None),
    (re.compile(r"not supported in your requested Availability Zone", re.I), "Unsupported", None),
    (
        re.compile(r"not enough free addresses|InsufficientFreeAddresses", re.I),
        "InsufficientFreeAddressesInSubnet",
        None,
    ),
    (re.compile(r"image id .* does not exist", re.I), "InvalidAMIID.NotFound", None),
    (re.compile(r"Invalid IAM Instance Profile", re.I), "InvalidParameterValue", None),
    (re.compile(r"not eligible for Free Tier", re.I), "InvalidParameterCombination", None),
    (re.compile(r"not authorized to perform", re.I), "UnauthorizedOperation", None),
    (re.compile(r"Request limit exceeded|Rate exceeded", re.I), "RequestLimitExceeded", None),
)
TYPE = re.compile(
    r"\b([a-z][a-z0-9-]*[0-9][a-z0-9-]*\.(?:nano|micro|small|medium|large|metal|[0-9]*x?large)[a-z0-9-]*)\b"
)
TRAILER = re.compile(r"\.?\s*Launching EC2 instance failed\.?\s*$")


@dataclass(frozen=True)
class Failure:
    """One kind of failed launch. Times are ISO 8601; `count` is how many activities say the same."""

    code: str
    scope: str
    message: str
    lasting: bool
    market: str | None = None
    zone: str | None = None
    instance_type: str | None = None
    first: str = ""
    time: str = ""
    count: int = 1

    def public(self) -> dict[str, Any]:
        return dict(vars(self))


def parse_message(message: str) -> Failure:
    """A status message of a failed activity. What it does not say stays None; an unknown code has scope `unknown`."""
    body = TRAILER.sub("", message.strip()).strip()
    code, text, market = _split(body)
    code = told_code(code, text)
    kind = kind_of(code)
    named = TYPE.search(text)
    return Failure(
        code=code,
        scope=kind.scope,
        message=text.strip() or body,
        lasting=kind.lasting,
        market=market,
        instance_type=named.group(1) if named else None,
    )


def _split(body: str) -> tuple[str, str, str | None]:
    ended = STATE_REASON.search(body)
    if ended:
        return ended["code"], ended["text"], None
    coded = CODED.match(body)
    if coded:
        return coded["code"], coded["text"], (coded["market"] or "").lower() or None
    for pattern, code, market in UNCODED:
        if pattern.search(body):
            return code, body, market
    return "Unknown", body, None


def is_launch(activity: dict[str, Any]) -> bool:
    """Whether an activity launches (and does not terminate) an instance."""
    return str(activity.get("Description", "")).startswith("Launching")


def failed_launches(
    activities: Iterable[dict[str, Any]], known: Collection[str] = (), since: datetime | None = None
) -> list[Failure]:
    """Failed launches of DescribeScalingActivities, equal ones counted together, the newest kind first.

    Left out are those whose ids are known from before, and those that started before `since`. A cancelled activity
    counts only where its message tells of a failure: a scale-in cancels pending launches, too.
    """
    found: dict[tuple[Any, ...], Failure] = {}
    for activity in sorted(activities, key=lambda item: item["StartTime"], reverse=True):
        if activity["ActivityId"] in known or (since is not None and activity["StartTime"] < since):
            continue
        if not is_launch(activity) or activity.get("StatusCode") not in ("Failed", "Cancelled"):
            continue
        failure = parse_message(activity.get("StatusMessage") or "")
        if activity["StatusCode"] == "Cancelled" and failure.code == "Unknown":
            continue
        zone = _zone(activity)
        when = activity["StartTime"].isoformat()
        key = (failure.code, failure.market, failure.instance_type, zone)
        if key in found:
            found[key] = replace(found[key], count=found[key].count + 1, first=when)
        else:
            found[key] = replace(failure, zone=zone, first=when, time=when)
    return list(found.values())


def last_launch(activities: Iterable[dict[str, Any]], known: Collection[str] = ()) -> datetime | None:
    """When the newest successful launch started, among activities not known from before; None if there is none."""
    times = [
        activity["StartTime"]
        for activity in activities
        if is_launch(activity) and activity.get("StatusCode") == "Successful" and activity["ActivityId"] not in known
    ]
    return max(times, default=None)


def standing_failures(activities: list[dict[str, Any]]) -> list[Failure]:
    """Failed launches that no successful one has followed: what keeps a group short now.

    The group tries again by itself after a failure (autoscaler issue 5829), so an older failure says nothing.
    """
    return failed_launches(activities, since=last_launch(activities))


def hopeless(activities: list[dict[str, Any]], known: Collection[str], elapsed: float, patience: float) -> bool:
    """Whether waiting on makes no sense: several launches failed since, none worked, and the patience is over."""
    failures = sum(failure.count for failure in failed_launches(activities, known))
    return elapsed >= patience and failures >= FAILURES_TO_GIVE_UP and last_launch(activities, known) is None


def _zone(activity: dict[str, Any]) -> str | None:
    try:
        details = json.loads(activity.get("Details") or "{}")
    except ValueError:
        return None
    # Empty where a launch was asked of several zones at once.
    return details.get("Availability Zone") or None if isinstance(details, dict) else None


def sentence(failure: Failure) -> str:
    """One failure for a person to read."""
    place = f" in {failure.zone}" if failure.zone else ""
    market = f" {failure.market}" if failure.market else ""
    times = f", {failure.count} times, last at {failure.time}" if failure.count > 1 else f" at {failure.time}"
    return f"{failure.code} ({failure.scope}){market}{place}: {failure.message}{times if failure.time else ''}"
