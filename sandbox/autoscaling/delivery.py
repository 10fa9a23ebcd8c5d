# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages of Auto Scaling to SNS topics and SQS queues: notifications of activities, and of lifecycle hooks.

Sources: EC2 Auto Scaling user guide, "Amazon SNS notification options" and "Notification message examples"; botocore
model, PutNotificationConfiguration and PutLifecycleHook.
"""

from __future__ import annotations

import contextlib
import json
import uuid
from datetime import UTC
from datetime import datetime
from typing import TYPE_CHECKING
from typing import Any

import botocore.exceptions
from ministack.services import iam
from ministack.services import sns
from ministack.services import sqs

from sandbox.autoscaling import times
from sandbox.autoscaling.groups import Group
from sandbox.autoscaling.groups import Hook
from sandbox.autoscaling.refusal import invalid

if TYPE_CHECKING:
    from sandbox.context import Context

NEEDS = [
    "ministack.services.iam._roles",
    "ministack.services.sns._topic_by_arn_any_scope",
    "ministack.services.sns.publish_internal",
    "ministack.services.sns.SnsPublishError",
    "ministack.services.sqs._queue_by_arn",
]

TEST = "autoscaling:TEST_NOTIFICATION"
_SUBJECTS = {
    "autoscaling:EC2_INSTANCE_LAUNCH": "launch",
    "autoscaling:EC2_INSTANCE_LAUNCH_ERROR": "failed launch",
    "autoscaling:EC2_INSTANCE_TERMINATE": "termination",
    "autoscaling:EC2_INSTANCE_TERMINATE_ERROR": "failed termination",
    TEST: "test notification",
}


class Delivery:
    """Sends from other threads: its callers hold moto's lock."""

    def __init__(self, context: Context) -> None:
        self._context = context

    # -- activities ---------------------------------------------------------------------------------------------------

    def notify(self, group: Group, event: str, activity: dict[str, Any]) -> None:
        """An activity's notification to every topic that wants this kind."""
        for topic, wanted in group.notifications.items():
            if event in wanted:
                self._publish(group, topic, event, activity)

    def test(self, group: Group, topic: str) -> None:
        self._publish(group, topic, TEST, {})

    def _publish(self, group: Group, topic: str, event: str, more: dict[str, Any]) -> None:
        body = json.dumps({**_common(group), **more, "AutoScalingGroupARN": group.arn, "Event": event})
        subject = f'Auto Scaling: {_SUBJECTS[event]} for group "{group.name}"'[:100]

        def publish() -> None:
            # Auto Scaling's own call, not the account's: it stays out of the call log. A topic that is gone loses it.
            with contextlib.suppress(sns.SnsPublishError):
                sns.publish_internal(topic, body, subject)

        self._context.schedule(0, publish)

    # -- lifecycle hooks ----------------------------------------------------------------------------------------------

    def check_target(self, hook: Hook) -> None:
        """A hook's target must be able to take the test message. Raises ValidationError."""
        target, role = hook.target_arn, hook.role_arn
        if target is None:
            return
        known = any(each["Arn"] == role for each in iam._roles.values())
        queue = sqs._queue_by_arn(target)
        found = sns._topic_by_arn_any_scope(target) if ":sns:" in target else queue
        if not known or not found or target.endswith(".fifo"):
            raise invalid(
                f"Unable to publish test message to notification target {target} using IAM role {role}. Please check your "
                "target and role configuration and try to put lifecycle hook again."
            )

    def test_hook(self, group: Group, hook: Hook) -> None:
        if hook.target_arn:
            more = {"AutoScalingGroupARN": group.arn, "Event": TEST}
            self._send(hook, {**_common(group), **more}, f'Auto Scaling: test notification for group "{group.name}"')

    def hook(self, group: Group, hook: Hook, detail: dict[str, Any]) -> None:
        """What a hook's event says, to its target."""
        if hook.target_arn:
            kind = detail["LifecycleTransition"].rsplit("_", 1)[-1]
            subject = f"Auto Scaling:  Lifecycle action '{kind}' for instance {detail['EC2InstanceId']} in progress."
            self._send(hook, {**_common(group), **detail}, subject)

    def _send(self, hook: Hook, message: dict[str, Any], subject: str) -> None:
        """As the hook's role: a call of the account's, in the log and judged. What the role may not do is lost."""
        target, role, body = hook.target_arn or "", hook.role_arn, json.dumps(message)
        region, account, name = target.split(":")[3:6]

        def send() -> None:
            with contextlib.suppress(botocore.exceptions.ClientError, botocore.exceptions.HTTPClientError):
                if ":sns:" in target:
                    client = self._context.client("sns", region, principal=role)
                    client.publish(TopicArn=target, Message=body, Subject=subject[:100])
                else:
                    url = f"http://127.0.0.1:{self._context.port}/{account}/{name}"
                    self._context.client("sqs", region, principal=role).send_message(QueueUrl=url, MessageBody=body)

        self._context.schedule(0, send)


def _common(group: Group) -> dict[str, Any]:
    return {
        "AccountId": group.account,
        "RequestId": str(uuid.uuid4()),
        "AutoScalingGroupName": group.name,
        "Service": "AWS Auto Scaling",
        "Time": times.precise(datetime.now(UTC)),
    }
