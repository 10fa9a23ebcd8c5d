# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Account Management's ListRegions, which neither emulator has: the other way to learn which regions are enabled."""

from __future__ import annotations

import json
from typing import Any

from ministack import app as ministack
from ministack.core import iam_actions

from sandbox import regions
from sandbox.context import Context
from sandbox.errors import error_reply

NEEDS = ["ministack.core.iam_actions.SERVICE_TO_IAM_NAMESPACE"]

_PAGE = 50
_STATUSES = {
    regions.NOT_REQUIRED: "ENABLED_BY_DEFAULT",
    regions.OPTED_IN: "ENABLED",
    regions.NOT_OPTED_IN: "DISABLED",
}


def install(context: Context) -> None:
    async def handle(method: str, path: str, headers: dict, body: bytes, query: dict) -> Any:
        if path != "/listRegions":
            return error_reply("rest-json", 400, "UnknownOperationException", f"{path} is not served by this sandbox")
        request = json.loads(body or b"{}")
        rows = [
            {"RegionName": name, "RegionOptStatus": _STATUSES[regions.opt_in_status(context.market, name)]}
            for name in regions.KNOWN
        ]
        wanted = request.get("RegionOptStatusContains") or list(_STATUSES.values())
        rows = [row for row in rows if row["RegionOptStatus"] in wanted]
        start = int(request.get("NextToken") or 0)
        end = start + int(request.get("MaxResults") or _PAGE)
        more = {"NextToken": str(end)} if end < len(rows) else {}
        return 200, {"Content-Type": "application/json"}, json.dumps({"Regions": rows[start:end], **more}).encode()

    ministack.SERVICE_HANDLERS["account"] = handle
    iam_actions.SERVICE_TO_IAM_NAMESPACE["account"] = "account"
