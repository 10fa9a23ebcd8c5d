# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Notifications of scaling activities. Sources: botocore model, PutNotificationConfiguration; EC2 Auto Scaling user guide,

"Amazon SNS notification options for Amazon EC2 Auto Scaling".
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from fleet_kit import Fleet
from fleet_kit import eventually
from fleet_kit import refused
from sandbox_process import Sandbox

KINDS = [
    "autoscaling:EC2_INSTANCE_LAUNCH",
    "autoscaling:EC2_INSTANCE_LAUNCH_ERROR",
    "autoscaling:EC2_INSTANCE_TERMINATE",
    "autoscaling:EC2_INSTANCE_TERMINATE_ERROR",
]


@pytest.fixture
def fleet(sandbox: Sandbox) -> Fleet:
    return Fleet(sandbox)


def put(fleet: Fleet, topic: str, *kinds: str) -> None:
    fleet.asg.put_notification_configuration(AutoScalingGroupName="g", TopicARN=topic, NotificationTypes=list(kinds))


def first(messages: Callable[[], list[dict[str, Any]]], event: str) -> tuple[str, dict[str, Any]]:
    """Subject and message of the first notification of a kind."""

    def found() -> list[tuple[str, dict[str, Any]]]:
        every = [(each["Subject"], json.loads(each["Message"])) for each in messages()]
        return [each for each in every if each[1]["Event"] == f"autoscaling:{event}"]

    return eventually(found, bool)[0]


def test_a_new_configuration_is_tested(fleet: Fleet) -> None:
    topic, messages = fleet.mailbox()
    fleet.group(0)
    put(fleet, topic, KINDS[0])
    subject, message = first(messages, "TEST_NOTIFICATION")
    assert subject == 'Auto Scaling: test notification for group "g"'
    assert set(message) == {
        "AccountId",
        "RequestId",
        "AutoScalingGroupARN",
        "AutoScalingGroupName",
        "Service",
        "Event",
        "Time",
    }
    assert message["AutoScalingGroupARN"] == fleet.shown()["AutoScalingGroupARN"]


def test_launch_and_termination_reach_the_subscribers_in_awss_format(fleet: Fleet) -> None:
    topic, messages = fleet.mailbox()
    fleet.group(0)
    put(fleet, topic, *KINDS)
    fleet.resize(1)
    instance = fleet.in_service(1)[0]["InstanceId"]
    subject, message = first(messages, "EC2_INSTANCE_LAUNCH")
    assert subject == 'Auto Scaling: launch for group "g"'
    assert set(message) == {
        "Progress",
        "AccountId",
        "Description",
        "RequestId",
        "EndTime",
        "AutoScalingGroupARN",
        "ActivityId",
        "StartTime",
        "Service",
        "Time",
        "EC2InstanceId",
        "StatusCode",
        "StatusMessage",
        "Details",
        "AutoScalingGroupName",
        "Cause",
        "Event",
    }
    assert message["EC2InstanceId"] == instance
    assert message["Description"] == f"Launching a new EC2 instance: {instance}"
    assert set(message["Details"]) == {"Availability Zone", "Subnet ID"}
    assert (message["StatusCode"], message["Progress"], message["Service"]) == ("InProgress", 50, "AWS Auto Scaling")
    fleet.resize(0)
    subject, message = first(messages, "EC2_INSTANCE_TERMINATE")
    assert subject == 'Auto Scaling: termination for group "g"'
    assert message["EC2InstanceId"] == instance


def test_failed_launches_are_told(fleet: Fleet) -> None:
    topic, messages = fleet.mailbox()
    fleet.market(capacity={fleet.region: {"*": 0}})
    fleet.group(0)
    put(fleet, topic, *KINDS)
    fleet.resize(1)
    subject, message = first(messages, "EC2_INSTANCE_LAUNCH_ERROR")
    assert subject == 'Auto Scaling: failed launch for group "g"'
    assert (message["StatusCode"], message["EC2InstanceId"]) == ("Failed", "")
    assert "UnfulfillableCapacity" in message["StatusMessage"]


def test_only_what_was_asked_for_is_sent_and_a_new_list_takes_the_place_of_the_old(fleet: Fleet) -> None:
    """botocore model: this configuration overwrites any existing configuration."""
    topic, messages = fleet.mailbox()
    fleet.group(0)
    put(fleet, topic, KINDS[0])
    put(fleet, topic, KINDS[2])
    shown = fleet.asg.describe_notification_configurations(AutoScalingGroupNames=["g"])["NotificationConfigurations"]
    assert [each["NotificationType"] for each in shown] == [KINDS[2]]
    fleet.resize(1)
    fleet.in_service(1)
    fleet.resize(0)
    first(messages, "EC2_INSTANCE_TERMINATE")
    assert KINDS[0] not in {json.loads(each["Message"])["Event"] for each in messages()}


def test_a_group_has_at_most_ten_topics(fleet: Fleet) -> None:
    fleet.group(0)
    topics = [fleet.client("sns").create_topic(Name=f"t{number}")["TopicArn"] for number in range(11)]
    for topic in topics[:10]:
        put(fleet, topic, KINDS[0])
    with refused("LimitExceeded"):
        put(fleet, topics[10], KINDS[0])
    put(fleet, topics[0], KINDS[1])
