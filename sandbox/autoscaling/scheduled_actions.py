# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Auto Scaling actions on scheduled actions and warm pools.

Sources: botocore model, PutScheduledUpdateGroupAction; EC2 Auto Scaling user guide, "Scheduled scaling" and "Warm
pools", limitations. A scheduled action is kept and shown. One with a start time and no recurrence is run, and goes with that; recurring
ones are not run.
"""

from __future__ import annotations

import re
import uuid
import zoneinfo
from datetime import UTC
from datetime import datetime
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.core.responses import EmptyResult
from moto.utilities.utils import get_partition

from sandbox.autoscaling import requests
from sandbox.autoscaling.engine import Engine
from sandbox.autoscaling.groups import Group
from sandbox.autoscaling.refusal import invalid
from sandbox.autoscaling.templates import version_of

SIZES = ("MinSize", "MaxSize", "DesiredCapacity")
_FIELD = re.compile(r"^[0-9A-Za-z*/,-]+$")


class ScheduledActions:
    """Mixed into AutoScalingResponse beside GroupActions, whose helpers it uses."""

    engine: Engine
    region: str
    params: Any
    _find_group: Any
    _live_group: Any
    _paged: Any

    def put_scheduled_update_group_action(self) -> ActionResult:
        group, given = self._live_group(), dict(self.params)
        values = {key: given[key] for key in ("Recurrence", "TimeZone") if given.get(key)}
        values |= {key: int(given[key]) for key in SIZES if given.get(key) is not None}
        values |= {key: _moment(given[key]) for key in ("StartTime", "EndTime") if given.get(key)}
        _rules(values)
        known = group.scheduled.get(given["ScheduledActionName"])
        values["ARN"] = known["ARN"] if known else _arn(group, given["ScheduledActionName"])
        group.scheduled[given["ScheduledActionName"]] = values
        if "StartTime" in values and "Recurrence" not in values:
            delay = (values["StartTime"] - datetime.now(UTC)).total_seconds()
            self.engine.context.schedule(
                max(0.0, delay), lambda: _run(self.engine, group, given["ScheduledActionName"], values)
            )
        return EmptyResult()

    def describe_scheduled_actions(self) -> ActionResult:
        name, wanted = self.params.get("AutoScalingGroupName"), self.params.get("ScheduledActionNames") or []
        groups = [self._find_group()] if name else list(self.engine.store.groups(self.region).values())
        rows = [_shown(group, each) for group in groups for each in group.scheduled if not wanted or each in wanted]
        rows, token = self._paged(rows)
        return ActionResult({"ScheduledUpdateGroupActions": rows, "NextToken": token})

    def delete_scheduled_action(self) -> ActionResult:
        group, name = self._live_group(), self.params["ScheduledActionName"]
        if group.scheduled.pop(name, None) is None:
            raise invalid(f"Scheduled action name not found - Scheduled Action {name} not found")
        return EmptyResult()

    def put_warm_pool(self) -> ActionResult:
        """Refused as AWS refuses it; where AWS would make one the sandbox says that it has none."""
        group = self._live_group()
        data = {} if group.policy else version_of(group, group.template or {}).data
        asks_spot = (data.get("InstanceMarketOptions") or {}).get("MarketType") == "spot"
        overrides = group.policy["LaunchTemplate"]["Overrides"] if group.policy else []
        if (
            asks_spot
            or (group.policy and group.distribution.on_demand_percentage < 100)
            or any(each.get("WeightedCapacity") for each in overrides)
        ):
            raise invalid(
                "You can't add a warm pool to an Auto Scaling group that requests Spot Instances or uses a mixed instances "
                "policy with Spot Instances or instance weights."
            )
        raise ServiceException("InvalidAction", "The sandbox does not play warm pools.")


def _rules(values: dict[str, Any]) -> None:
    if not any(key in values for key in SIZES):
        raise invalid("At least one of DesiredCapacity, MinSize or MaxSize must be specified.")
    if "StartTime" in values and values["StartTime"] <= datetime.now(UTC):
        raise invalid("Given start time is in the past")
    if "StartTime" in values and "EndTime" in values and values["EndTime"] <= values["StartTime"]:
        raise invalid("Given end time is before or equal to start time")
    cron = values.get("Recurrence")
    if cron is not None and (len(cron.split()) != 5 or not all(map(_FIELD.match, cron.split()))):
        raise invalid(f"Given recurrence string: {cron} is invalid")
    zone = values.get("TimeZone")
    if zone is not None and zone not in zoneinfo.available_timezones():
        raise invalid(f"Given time zone: {zone} is invalid")


def _run(engine: Engine, group: Group, name: str, values: dict[str, Any]) -> None:
    with engine.context.moto_lock:
        if group.deleting or group.scheduled.get(name) is not values:
            return
        if "ScheduledActions" in group.suspended:
            return
        del group.scheduled[name]
        sizes = {key: values[key] for key in SIZES if key in values}
        try:
            desired = requests.update(group, sizes)
        except ServiceException:
            return
        engine.resize(group, desired, f"a scheduled action update of AutoScalingGroup constraints by {name}")


def _shown(group: Group, name: str) -> dict[str, Any]:
    values = group.scheduled[name]
    more = {"AutoScalingGroupName": group.name, "ScheduledActionName": name, "ScheduledActionARN": values["ARN"]}
    shown = {**{key: value for key, value in values.items() if key != "ARN"}, **more}
    if "StartTime" in values:
        shown["Time"] = values["StartTime"]
    return shown


def _arn(group: Group, name: str) -> str:
    return (
        f"arn:{get_partition(group.region)}:autoscaling:{group.region}:{group.account}:scheduledUpdateGroupAction:"
        f"{uuid.uuid4()}:autoScalingGroupName/{group.name}:scheduledActionName/{name}"
    )


def _moment(value: Any) -> datetime:
    """moto hands timestamps over as text or parsed."""
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
