# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What moves a fleet's size: target tracking policies and scheduled actions. PRIVATE to the collection.

Policies and actions are kept as AWS's requests have them, without the names of group and policy or action, and with
times as text, so that they can be shown and compared.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC
from datetime import datetime
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain import checks
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_metrics import check_formula
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_metrics import check_metric
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_metrics import read_specification
from ansible_collections.ethereal.spot.plugins.module_utils._brain.named_entries import named

CPU_POLICY = "cpu-target-tracking"
CPU_METRIC = "ASGAverageCPUUtilization"
CPU_TARGET = 70.0
TARGET_TRACKING = "TargetTrackingScaling"
# botocore model: MetricType.
LOAD_BALANCER_METRIC = "ALBRequestCountPerTarget"
PREDEFINED_METRICS = (CPU_METRIC, "ASGAverageNetworkIn", "ASGAverageNetworkOut", LOAD_BALANCER_METRIC)
METRIC_OPTIONS = frozenset({"custom_metric", "metric", "metrics"})
CRON = re.compile(r"[0-9A-Za-z*,/?#-]+( [0-9A-Za-z*,/?#-]+){4}")
CRON_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of the month", 1, 31), ("month", 1, 12), ("weekday", 0, 7))
ZONE = re.compile(r"[A-Za-z]+(/[A-Za-z0-9_+-]+)+|UTC|GMT")
LARGEST_GROUP = 1_000_000


def given_policies(params: dict[str, Any]) -> dict[str, Any] | None:
    """Policies by name, None for one that shall go; None altogether if nothing was said of any."""
    entries, enabled, target = (
        params.get(option) for option in ("scaling_policies", "enable_cpu_scaling", "target_cpu_utilization")
    )
    if entries is None and enabled is None and target is None:
        return None
    result: dict[str, Any] = {}
    for name, entry in named(entries or [], "scaling_policies").items():
        if name == CPU_POLICY:
            raise InputError("scaling_policies", name, "is what enable_cpu_scaling makes: choose another name")
        where = f"scaling_policies[{name}]"
        result[name] = None if entry.get("state") == "absent" else check_policy(entry, where)
    if target is not None:
        target = check_target(target, "target_cpu_utilization")
        if target > 100:
            raise InputError("target_cpu_utilization", target, "must be a number above 0 and at most 100")
    if enabled is not None or target is not None:
        result[CPU_POLICY] = cpu_policy(target) if enabled is not False else None
    return result


def cpu_policy(target: float | None = None) -> dict[str, Any]:
    """The policy that the reference has; without a target, that which stands or its default."""
    tracking = {"PredefinedMetricSpecification": {"PredefinedMetricType": CPU_METRIC}, "DisableScaleIn": False}
    return {"PolicyType": TARGET_TRACKING, "TargetTrackingConfiguration": {**tracking, "TargetValue": target}}


def check_target(value: Any, option: str) -> float:
    """A target above 0, as a number; NaN and infinity are none."""
    try:
        number = float("nan" if isinstance(value, bool) else value)
    except (TypeError, ValueError):
        number = float("nan")
    if not 0 < number < 1e15:
        raise InputError(option, value, "must be a finite number above 0")
    return number


def check_policy(entry: dict[str, Any], where: str) -> dict[str, Any]:
    """One policy that keeps a metric at its target."""
    if "target_value" not in entry:
        raise InputError(f"{where}.target_value", None, "is required")
    tracking: dict[str, Any] = {
        "DisableScaleIn": bool(entry.get("disable_scale_in", False)),
        "TargetValue": check_target(entry["target_value"], f"{where}.target_value"),
    }
    if len(METRIC_OPTIONS & entry.keys()) != 1:
        raise InputError(where, sorted(entry), f"must have exactly one of {', '.join(sorted(METRIC_OPTIONS))}")
    label = entry.get("resource_label")
    if (label is not None) != (entry.get("metric") == LOAD_BALANCER_METRIC):
        raise InputError(
            f"{where}.resource_label", label, f"goes with metric: {LOAD_BALANCER_METRIC}, and only with it"
        )
    if "metric" in entry:
        metric = {"PredefinedMetricType": entry["metric"], **({"ResourceLabel": label} if label else {})}
        tracking["PredefinedMetricSpecification"] = metric
    elif "custom_metric" in entry:
        tracking["CustomizedMetricSpecification"] = check_metric(entry["custom_metric"], f"{where}.custom_metric")
    else:
        tracking["CustomizedMetricSpecification"] = check_formula(entry["metrics"], f"{where}.metrics")
    policy = {"PolicyType": TARGET_TRACKING, "TargetTrackingConfiguration": tracking}
    if "estimated_warmup" in entry:
        policy["EstimatedInstanceWarmup"] = checks.check_integer(entry["estimated_warmup"], f"{where}.estimated_warmup")
    return policy


def read_policy(described: dict[str, Any]) -> dict[str, Any]:
    """A ScalingPolicy as given_policies has it; what kind it ever is, it can be compared and shown."""
    policy: dict[str, Any] = {"PolicyType": described.get("PolicyType", "SimpleScaling")}
    tracking = described.get("TargetTrackingConfiguration")
    if tracking:
        policy["TargetTrackingConfiguration"] = {
            key: read_specification(value) if isinstance(value, dict) else value
            for key, value in {"DisableScaleIn": False, **tracking}.items()
            if value not in (None, "", [], {})
        }
        policy["TargetTrackingConfiguration"]["TargetValue"] = float(tracking["TargetValue"])
    warmup = described.get("EstimatedInstanceWarmup")
    if warmup not in (None, ""):
        policy["EstimatedInstanceWarmup"] = int(warmup)
    if described.get("Enabled") is False:
        policy["Enabled"] = False
    return policy


def settle_policy(wanted: dict[str, Any], standing: dict[str, Any] | None) -> dict[str, Any]:
    """The policy with a target: the one asked for, the one that stands, or the reference's."""
    tracking = wanted.get("TargetTrackingConfiguration") or {}
    if tracking.get("TargetValue") is not None:
        return wanted
    target = ((standing or {}).get("TargetTrackingConfiguration") or {}).get("TargetValue") or CPU_TARGET
    return {**wanted, "TargetTrackingConfiguration": {**tracking, "TargetValue": target}}


def given_actions(
    params: dict[str, Any], now: datetime | None = None, zones: Collection[str] = ()
) -> dict[str, Any] | None:
    """Scheduled actions by name, None for one that shall go. What was to happen once and lies in the past is left out.

    `zones` are the names of all time zones, empty where they are not known.
    """
    if params.get("scheduled_actions") is None:
        return None
    result: dict[str, Any] = {}
    for name, entry in named(params["scheduled_actions"], "scheduled_actions").items():
        if entry.get("state") == "absent":
            result[name] = None
            continue
        action = check_action(entry, f"scheduled_actions[{name}]", zones)
        once = "Recurrence" not in action
        if not (once and now is not None and datetime.fromisoformat(action["StartTime"]) <= now):
            result[name] = action
    return result


def check_action(entry: dict[str, Any], where: str, zones: Collection[str] = ()) -> dict[str, Any]:
    """One scheduled action."""
    action: dict[str, Any] = {}
    for key, field in (("min_size", "MinSize"), ("max_size", "MaxSize"), ("desired_capacity", "DesiredCapacity")):
        if key in entry:
            action[field] = checks.check_integer(entry[key], f"{where}.{key}", 0, LARGEST_GROUP)
    if not action:
        raise InputError(where, sorted(entry), "must have min_size, max_size or desired_capacity")
    for small, large in (("MinSize", "MaxSize"), ("MinSize", "DesiredCapacity"), ("DesiredCapacity", "MaxSize")):
        if action.get(small, 0) > action.get(large, LARGEST_GROUP):
            raise InputError(where, action[small], f"breaks {small} <= {large} ({action[large]})")
    for key, field in (("start_time", "StartTime"), ("end_time", "EndTime")):
        if key in entry:
            action[field] = _check_time(entry[key], f"{where}.{key}")
    if "recurrence" in entry:
        action["Recurrence"] = check_cron(entry["recurrence"], f"{where}.recurrence")
        # Else AWS counts in UTC, which is rarely what people mean when clocks change.
        action["TimeZone"] = check_time_zone(entry.get("time_zone", "UTC"), f"{where}.time_zone", zones)
    elif "StartTime" not in action:
        raise InputError(where, sorted(entry), "must have start_time or recurrence")
    elif "time_zone" in entry:
        raise InputError(
            f"{where}.time_zone", entry["time_zone"], "goes with recurrence: start_time has its own offset"
        )
    if action.get("StartTime", "") >= action.get("EndTime", "~"):
        raise InputError(f"{where}.end_time", action["EndTime"], f"must come after start_time ({action['StartTime']})")
    return action


def check_cron(value: Any, option: str) -> str:
    """Five fields of cron, each number in its field's range. AWS would refuse others once the group stands."""
    if not isinstance(value, str) or not CRON.fullmatch(value):
        raise InputError(option, value, "must be five fields of cron, as 0 18 * * 1-5")
    for (name, smallest, largest), field in zip(CRON_FIELDS, value.split(" "), strict=True):
        # What stands behind a slash is a step, not a value.
        numbers = [int(number) for number in re.findall(r"(?<![/0-9])[0-9]+", field)]
        if any(not smallest <= number <= largest for number in numbers):
            raise InputError(option, value, f"has the {name} {field}, must be from {smallest} to {largest}")
    return value


def check_time_zone(value: Any, option: str, zones: Collection[str] = ()) -> str:
    """An IANA time zone's name, one of `zones` where these are known."""
    rule = "must be an IANA time zone such as Europe/Berlin"
    if not isinstance(value, str) or not ZONE.fullmatch(value) or (zones and value not in zones):
        raise InputError(option, value, rule)
    return value


def _check_time(value: Any, option: str) -> str:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise InputError(option, value, "must be a time such as 2030-01-31T08:00:00Z") from None
    if moment.tzinfo is None:
        raise InputError(option, value, "must say its offset from UTC, as 2030-01-31T08:00:00Z")
    return _text(moment)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(microsecond=0).isoformat()


def read_action(described: dict[str, Any]) -> dict[str, Any]:
    """A ScheduledUpdateGroupAction as given_actions has it."""
    action: dict[str, Any] = {}
    for field in ("DesiredCapacity", "MaxSize", "MinSize"):
        if described.get(field) not in (None, ""):
            action[field] = int(described[field])
    for field in ("EndTime", "StartTime"):
        if described.get(field):
            moment = described[field]
            moment = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
            action[field] = _text(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    if described.get("Recurrence"):
        action["Recurrence"] = described["Recurrence"]
        action["TimeZone"] = described.get("TimeZone") or "UTC"
    return action


def settle_action(wanted: dict[str, Any], standing: dict[str, Any] | None) -> dict[str, Any]:
    """The action as it will be told: of one that recurs, AWS sets the next start by itself."""
    if standing and "Recurrence" in wanted and "StartTime" not in wanted and "StartTime" in standing:
        return {**wanted, "StartTime": standing["StartTime"]}
    return wanted
