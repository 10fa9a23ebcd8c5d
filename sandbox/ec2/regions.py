# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""DescribeRegions with the account's opt-ins, which moto does not know. Source: botocore model."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult

from sandbox.regions import KNOWN
from sandbox.regions import NOT_OPTED_IN
from sandbox.regions import opt_in_status

if TYPE_CHECKING:
    from sandbox.context import Context

_FILTERS = {"endpoint": "Endpoint", "opt-in-status": "OptInStatus", "region-name": "RegionName"}


class Regions:
    """Answers DescribeRegions."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def action(self, response: Any) -> ActionResult:
        """Named regions are answered whether enabled or not; the others only with AllRegions."""
        names, filters = response._get_param("RegionNames", []), response._filters_from_querystring()
        response.error_on_dryrun()
        unknown = [name for name in names if name not in KNOWN]
        if unknown:
            raise ServiceException("InvalidParameterValue", f"Invalid region name(s) provided: {', '.join(unknown)}")
        wrong = [name for name in filters if name not in _FILTERS]
        if wrong:
            raise ServiceException("InvalidParameterValue", f"The filter '{wrong[0]}' is invalid")
        everything = names or response._get_bool_param("AllRegions", False)
        rows = [self._row(name) for name in names or KNOWN]
        return ActionResult(
            {
                "Regions": [
                    row
                    for row in rows
                    if (everything or row["OptInStatus"] != NOT_OPTED_IN)
                    and all(row[_FILTERS[name]] in values for name, values in filters.items())
                ]
            }
        )

    def _row(self, name: str) -> dict[str, str]:
        status = opt_in_status(self._context.market, name)
        return {"RegionName": name, "Endpoint": f"ec2.{name}.amazonaws.com", "OptInStatus": status}
