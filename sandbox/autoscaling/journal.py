# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scaling activities, and the events and notifications that go with them.

Sources: EC2 Auto Scaling user guide, "Amazon EC2 Auto Scaling events reference"; botocore model, Activity.
"""

from __future__ import annotations

import json
import uuid
from datetime import UTC
from datetime import datetime
from typing import TYPE_CHECKING
from typing import Any

from sandbox.autoscaling import times
from sandbox.autoscaling.groups import Group
from sandbox.autoscaling.groups import Member
from sandbox.ec2.instances import instance_arn

if TYPE_CHECKING:
    from sandbox.autoscaling.delivery import Delivery
    from sandbox.context import Context

LONGEST_MESSAGE = 255
KEPT = 1000

_KINDS = {
    ("launch", True): ("EC2 Instance Launch Successful", "autoscaling:EC2_INSTANCE_LAUNCH"),
    ("launch", False): ("EC2 Instance Launch Unsuccessful", "autoscaling:EC2_INSTANCE_LAUNCH_ERROR"),
    ("terminate", True): ("EC2 Instance Terminate Successful", "autoscaling:EC2_INSTANCE_TERMINATE"),
    ("terminate", False): ("EC2 Instance Terminate Unsuccessful", "autoscaling:EC2_INSTANCE_TERMINATE_ERROR"),
}


class Journal:
    """Writes activities into groups and tells the world of them."""

    def __init__(self, context: Context, delivery: Delivery) -> None:
        self._context, self._delivery = context, delivery

    def start(self, group: Group, description: str, cause: str, status: str, member: Member | None) -> dict[str, Any]:
        """A new activity in progress, newest first in the group."""
        details = {"Subnet ID": "", "Availability Zone": ""}
        if member is not None:
            details = {"Subnet ID": member.instance.subnet_id or "", "Availability Zone": member.zone}
        activity = {
            "ActivityId": str(uuid.uuid4()),
            "AutoScalingGroupName": group.name,
            "AutoScalingGroupARN": group.arn,
            "Description": description,
            "Cause": cause,
            "StartTime": datetime.now(UTC),
            "StatusCode": status,
            "StatusMessage": "",
            "Progress": 30,
            "Details": json.dumps(details),
        }
        group.activities.insert(0, activity)
        del group.activities[KEPT:]
        return activity

    def end(self, group: Group, activity: dict[str, Any], kind: str, member: Member | None, error: str = "") -> None:
        """Close an activity: successful, or failed with an error. Emits the event and the notification."""
        activity.update(
            EndTime=datetime.now(UTC),
            StatusCode="Failed" if error else "Successful",
            StatusMessage=error[:LONGEST_MESSAGE],
            Progress=100,
        )
        if error:
            activity["Description"] += f".  Status Reason: {error}"
        self._emit(group, activity, kind, member, error)

    def fail(self, group: Group, error: str, cause: str) -> None:
        """A launch that failed before there was an instance."""
        activity = self.start(group, "Launching a new EC2 instance", cause, "Failed", None)
        self.end(group, activity, "launch", None, error)

    def _emit(self, group: Group, activity: dict[str, Any], kind: str, member: Member | None, error: str) -> None:
        detail_type, notification = _KINDS[kind, not error]
        instance_id = member.id if member else ""
        detail = {
            "StatusCode": "Failed" if error else "InProgress",
            "Description": activity["Description"],
            "AutoScalingGroupName": group.name,
            "ActivityId": activity["ActivityId"],
            "Details": json.loads(activity["Details"]),
            "RequestId": activity["ActivityId"],
            "StatusMessage": activity["StatusMessage"],
            "StartTime": times.precise(activity["StartTime"]),
            "EndTime": times.precise(activity["EndTime"]),
            "EC2InstanceId": instance_id,
            "Cause": activity["Cause"],
            "Origin": "EC2" if kind == "launch" else "AutoScalingGroup",
            "Destination": "AutoScalingGroup" if kind == "launch" else "EC2",
        }
        resources = [group.arn]
        if instance_id:
            resources.append(instance_arn(group.account, group.region, instance_id))
        self._context.emit(group.region, "aws.autoscaling", detail_type, detail, resources)
        # What the message has besides; its progress is 50 in AWS's samples, and there is neither origin nor destination.
        sent = {key: value for key, value in detail.items() if key not in ("Origin", "Destination")}
        self._delivery.notify(group, notification, {**sent, "Progress": 50})
