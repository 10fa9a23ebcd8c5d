# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""EC2 Image Builder, which neither emulator has: what defines images is kept and shown, and images are built in sandbox time.

A build runs no instance and no component: after the market's `image_build_seconds` it registers an AMI like its parent, with the
recipe's block devices, or fails where AWS could not begin either, or where the market's `image_build_failure` says why.
Sources: botocore model; Image Builder user guide; Service Authorization Reference.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ministack import app as ministack
from ministack.core import iam_actions

from sandbox.calls import current
from sandbox.context import Context
from sandbox.errors import Reply
from sandbox.errors import error_reply
from sandbox.imagebuilder import definitions
from sandbox.imagebuilder import images
from sandbox.imagebuilder.refusal import Refused

NEEDS = [
    "ministack.core.iam_actions.SERVICE_TO_IAM_NAMESPACE",
    "ministack.core.iam_actions._BOTOCORE_SERVICE_MAP",
    "ministack.app.SERVICE_HANDLERS",
    *images.NEEDS,
]

Action = Callable[[dict[str, Any]], dict[str, Any]]


def install(context: Context) -> None:
    actions: dict[str, Action] = {**definitions.ACTIONS, **images.Images(context).actions()}

    async def handle(method: str, path: str, headers: dict, body: bytes, query: dict) -> Any:
        call = current.get()
        assert call is not None and call.request is not None
        if call.action not in actions:
            message = f"{call.action or path} is not served by this sandbox"
            return error_reply("rest-json", 400, "UnknownOperationException", message)
        try:
            return _reply(actions[call.action](call.request.parameters))
        except Refused as refusal:
            return error_reply("rest-json", refusal.status, refusal.code, str(refusal))

    ministack.SERVICE_HANDLERS["imagebuilder"] = handle
    iam_actions.SERVICE_TO_IAM_NAMESPACE["imagebuilder"] = "imagebuilder"
    iam_actions._BOTOCORE_SERVICE_MAP["imagebuilder"] = ["imagebuilder"]


def reset(context: Context) -> None:
    definitions.reset()
    images.reset()


def _reply(answer: dict[str, Any]) -> Reply:
    return 200, {"Content-Type": "application/json"}, json.dumps(answer).encode()
