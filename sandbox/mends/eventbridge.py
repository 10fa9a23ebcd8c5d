# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""EventBridge: buses of other regions as targets, whole policies in PutPermission, and topics that must let it publish."""

from __future__ import annotations

import json
from typing import Any

from ministack.core import iam_evaluator
from ministack.core import responses
from ministack.services import eventbridge
from ministack.services import sns

from sandbox.context import Context

NEEDS = [
    "ministack.services.eventbridge._dispatch_to_event_bus",
    "ministack.services.eventbridge._dispatch_to_sns",
    "ministack.services.eventbridge._put_permission",
    "ministack.services.eventbridge._event_bus_policies",
    "ministack.services.eventbridge.json_response",
    "ministack.services.sns.topic_policy_for_arn",
]

_SERVICE = "events.amazonaws.com"


def install(context: Context) -> None:
    dispatch, put_permission = eventbridge._dispatch_to_event_bus, eventbridge._put_permission
    publish = eventbridge._dispatch_to_sns

    def dispatch_to_event_bus(spec: Any, event: dict, rule: dict, path: list, payload: Any = None) -> None:
        with responses.request_scope(spec.account_id, spec.region):
            dispatch(spec, dict(event), rule, path, payload)

    def dispatch_to_sns(arn: str, payload: Any) -> None:
        if _may_publish(arn):
            publish(arn, payload)

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
    eventbridge._dispatch_to_sns = dispatch_to_sns
    eventbridge._put_permission = permit


def _may_publish(topic: str) -> bool:
    """Whether the topic's policy lets EventBridge publish. The policy that a topic is made with does not: it is for the account's own
    principals (EventBridge user guide, "Using resource-based policies", "Amazon SNS permissions")."""
    found = sns.topic_policy_for_arn(topic)
    if not found or not found[0]:
        return False
    context = iam_evaluator.EvalContext(
        principal_arn="*",
        principal_type="Service",
        principal_account="",
        action="sns:Publish",
        resource_arn=topic,
        region=responses.get_region(),
    )
    return iam_evaluator.evaluate_resource_policy(found[0], context, service=_SERVICE).decision == "Allow"
