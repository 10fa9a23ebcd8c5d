# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""EventBridge: buses of other regions as targets, and whole policies in PutPermission."""

from __future__ import annotations

import json
from typing import Any

from ministack.core import responses
from ministack.services import eventbridge

from sandbox.context import Context

NEEDS = [
    "ministack.services.eventbridge._dispatch_to_event_bus",
    "ministack.services.eventbridge._put_permission",
    "ministack.services.eventbridge._event_bus_policies",
    "ministack.services.eventbridge.json_response",
]


def install(context: Context) -> None:
    dispatch, put_permission = eventbridge._dispatch_to_event_bus, eventbridge._put_permission

    def dispatch_to_event_bus(spec: Any, event: dict, rule: dict, path: list, payload: Any = None) -> None:
        with responses.request_scope(spec.account_id, spec.region):
            dispatch(spec, dict(event), rule, path, payload)

    def permit(data: dict) -> Any:
        if not data.get("Policy"):
            return put_permission(data)
        name = data.get("EventBusName", "default")
        policy = eventbridge._event_bus_policies.setdefault(name, {"Version": "2012-10-17", "Statement": []})
        given = json.loads(data["Policy"])["Statement"]
        given = given if isinstance(given, list) else [given]
        replaced = {statement.get("Sid") for statement in given}
        policy["Statement"] = [old for old in policy["Statement"] if old.get("Sid") not in replaced] + given
        return eventbridge.json_response({})

    eventbridge._dispatch_to_event_bus = dispatch_to_event_bus
    eventbridge._put_permission = permit
