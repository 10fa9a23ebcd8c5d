# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AWS Backup: a vault that does not exist answers AccessDeniedException to DescribeBackupVault, which the stock module relies on."""

from __future__ import annotations

import re
from typing import Any

from ministack import app as ministack
from ministack.services import backup

from sandbox.context import Context
from sandbox.errors import error_reply

NEEDS = ["ministack.services.backup.handle_request"]

_VAULT = re.compile(r"/backup-vaults/[^/]+/?")


def install(context: Context) -> None:
    serve = backup.handle_request

    async def handle(method: str, path: str, headers: dict, body: bytes, query: dict) -> Any:
        reply = await serve(method, path, headers, body, query)
        if method == "GET" and reply[0] == 404 and _VAULT.fullmatch(path):
            message = "Insufficient privileges to perform this action."
            return error_reply("rest-json", 403, "AccessDeniedException", message)
        return reply

    ministack.SERVICE_HANDLERS["backup"] = handle
