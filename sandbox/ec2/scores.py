# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""GetSpotPlacementScores. Source: botocore model and EC2 user guide, "Spot placement score"."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult

from sandbox.ec2 import types
from sandbox.regions import enabled

if TYPE_CHECKING:
    from sandbox.context import Context

MOST_REGIONS = 10
SHOWN = 10
WINDOW_SECONDS = 24 * 3600
# "If you specify one or two instance types ... the returned placement score will always be low" (botocore model).
LOW_SCORE = 3


class Scores:
    """Answers score requests and keeps the account's budget of configurations, per calling region."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._used: dict[str, dict[str, float]] = {}

    def reset(self) -> None:
        self._used.clear()

    def action(self, response: Any) -> ActionResult:
        request = _request(response)
        backend = response.ec2_backend
        every = enabled(self._context.market)
        regions = request["RegionNames"] or every
        unknown = [region for region in regions if region not in every]
        if unknown:
            raise _invalid(f"The region name '{unknown[0]}' is invalid.")
        response.error_on_dryrun()
        self._charge(backend.region_name, request)
        rows = self._rows(backend, request, regions)
        rows.sort(key=lambda row: -row["Score"])
        return ActionResult(_page(rows[:SHOWN], response))

    def _charge(self, region: str, request: dict[str, Any]) -> None:
        now = time.time()
        used = self._used.setdefault(region, {})
        for name in [name for name, at in used.items() if now - at >= WINDOW_SECONDS]:
            del used[name]
        name = json.dumps(request, sort_keys=True, default=str)
        if name not in used and len(used) >= self._context.market.setting("score_configuration_budget"):
            raise ServiceException(
                "MaxConfigLimitExceeded",
                "You have exceeded the maximum number of new configurations. You can retry configurations that you used "
                "within the last 24 hours, or wait for 24 hours before specifying a new configuration.",
            )
        used[name] = now

    def _rows(self, backend: Any, request: dict[str, Any], regions: list[str]) -> list[dict[str, Any]]:
        market, rows = self._context.market, []
        for region in regions:
            wanted = request["InstanceTypes"] or types.matching(region, request["InstanceRequirements"] or {})
            sold = [each for each in wanted if types.offered(region, each)]
            if not sold or not market.scores_region(region):
                continue
            most = 10 if len(wanted) >= 3 or market.pins_score(region) else LOW_SCORE
            if not request["SingleAvailabilityZone"]:
                rows.append({"Region": region, "Score": min(most, market.score(region))})
                continue
            for zone in zones(self._context.account, region):
                if any(types.offered_in_zone(zone.name, each) for each in sold):
                    score = min(most, market.score(region, zone.zone_id))
                    rows.append({"Region": region, "AvailabilityZoneId": zone.zone_id, "Score": score})
        return rows


def zones(account: str, region: str) -> list[Any]:
    from moto.ec2.models import ec2_backends

    return ec2_backends[account][region].describe_availability_zones()


def _request(response: Any) -> dict[str, Any]:
    """The parts of a request that make a configuration, in canonical order, checked."""
    names, listed = response._get_param("RegionNames", []), response._get_param("InstanceTypes", [])
    attributes = response._get_param("InstanceRequirementsWithMetadata")
    capacity = response._get_param("TargetCapacity")
    if capacity is None:
        raise ServiceException("MissingParameter", "The request must contain the parameter TargetCapacity")
    if not 1 <= int(capacity) <= 2_000_000_000:
        raise _invalid(f"Value ({capacity}) for parameter TargetCapacity is invalid. It must be from 1 to 2000000000.")
    if len(names) > MOST_REGIONS:
        raise _invalid(f"The number of Regions specified ({len(names)}) exceeds the maximum of {MOST_REGIONS}.")
    if bool(listed) == bool(attributes):
        code = "InvalidParameterCombination" if listed else "MissingParameter"
        raise ServiceException(
            code, "Exactly one of InstanceTypes and InstanceRequirementsWithMetadata must be specified."
        )
    unknown = [each for each in listed if not types.exists(each)]
    if unknown:
        raise _invalid(f"The instance type '{unknown[0]}' is invalid.")
    unit = response._get_param("TargetCapacityUnitType", "units")
    if unit not in ("units", "vcpu", "memory-mib"):
        raise _invalid(f"Value ({unit}) for parameter TargetCapacityUnitType is invalid.")
    return {
        "RegionNames": sorted(names),
        "InstanceTypes": sorted(listed),
        "InstanceRequirements": dict(attributes or {}).get("InstanceRequirements"),
        "TargetCapacity": int(capacity),
        "TargetCapacityUnitType": unit,
        "SingleAvailabilityZone": response._get_bool_param("SingleAvailabilityZone", False),
    }


def _page(rows: list[dict[str, Any]], response: Any) -> dict[str, Any]:
    most = response._get_int_param("MaxResults", 1000)
    if not 10 <= most <= 1000:
        raise _invalid(f"Value ({most}) for parameter MaxResults is invalid. It must be from 10 to 1000.")
    return {"SpotPlacementScores": rows}


def _invalid(message: str) -> ServiceException:
    return ServiceException("InvalidParameterValue", message)
