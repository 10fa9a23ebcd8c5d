# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""site with an empty hub group: a fleet by its inventory's sizes, through a market without capacity and back, to nothing."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import leftovers
import local_aws
import pytest
from deployment import Account
from deployment import Run

REGION = "us-west-2"
GROUP = f"ethereal-{REGION}"
ON_DEMAND = f"{GROUP}-od"
TOPIC = f"arn:aws:sns:{REGION}:123456789012:alerts"
INVENTORY = f"""
all:
  children:
    hub:
    workers:
      hosts:
        {REGION}:
  vars:
    ansible_connection: local
    ansible_python_interpreter: "{{{{ ansible_playbook_python }}}}"
    spot_instance_types: [g4dn.xlarge, g5.xlarge, g6.xlarge]
    spot_container_image: 123456789012.dkr.ecr.{REGION}.amazonaws.com/serve:1.4
    spot_min_size: 0
    spot_desired_capacity: 3
    spot_max_size: 5
    spot_on_demand_base: 0
    spot_on_demand_fallback_max: 2
    spot_patch_operation: install
    spot_sns_topic_arn: {TOPIC}
"""


def eventually(read: Callable[[], Any], wanted: Any, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while (found := read()) != wanted:
        assert time.monotonic() < deadline, f"still {found!r}, not {wanted!r}"
        time.sleep(0.2)


def allow(service: str, action: str, resource: str) -> str:
    """A policy that lets a service of AWS's do one thing."""
    principal = {"Service": f"{service}.amazonaws.com"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class Fleet:
    """The deployment's two groups, and the queue behind the topic that hears of them."""

    def __init__(self, account: Account, inventory: str) -> None:
        self.account = account
        self._inventory = inventory
        self._autoscaling = account.client("autoscaling", REGION)
        self._sqs = account.client("sqs", REGION)
        self._heard: list[dict[str, Any]] = []
        self._queue = self._subscribe()

    def _subscribe(self) -> str:
        sns = self.account.client("sns", REGION)
        queue = self._sqs.create_queue(QueueName="alerts")["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        assert sns.create_topic(Name="alerts")["TopicArn"] == TOPIC
        policy = allow("sns", "sqs:SendMessage", arn)
        self._sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
        policy = allow("events", "sns:Publish", TOPIC)
        sns.set_topic_attributes(TopicArn=TOPIC, AttributeName="Policy", AttributeValue=policy)
        sns.subscribe(TopicArn=TOPIC, Protocol="sqs", Endpoint=arn)
        return queue

    def play(self, name: str, *arguments: str) -> Run:
        return self.account.play(name, "-i", self._inventory, *arguments)

    def settled(self, name: str = "site") -> None:
        """A run now changes nothing."""
        again = self.play(name)
        assert (again.changed, again.mutating) == ({REGION: 0}, [])

    def _groups(self) -> dict[str, dict[str, Any]]:
        found = self._autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]
        return {group["AutoScalingGroupName"]: group for group in found}

    def desired(self) -> dict[str, int]:
        return {name: group["DesiredCapacity"] for name, group in self._groups().items()}

    def serving(self) -> dict[str, int]:
        return {
            name: sum(member["LifecycleState"] == "InService" for member in group["Instances"])
            for name, group in self._groups().items()
        }

    def failing(self) -> bool:
        """Whether the newest launch of the spot group has failed."""
        found = self._autoscaling.describe_scaling_activities(AutoScalingGroupName=GROUP)["Activities"]
        launches = [item for item in found if item["Description"].startswith("Launching")]
        return bool(launches) and launches[0]["StatusCode"] == "Failed"

    def interrupt(self, *events: str) -> None:
        self.account.aws.control(
            "POST", "interrupt", {"region": REGION, "asg": GROUP, "events": events, "notice_seconds": 0}
        )

    def told(self) -> set[str]:
        """What the topic has heard of so far."""
        while messages := self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                self._heard.append(json.loads(json.loads(message["Body"])["Message"]))
                self._sqs.delete_message(QueueUrl=self._queue, ReceiptHandle=message["ReceiptHandle"])
        return {message.get("Event") or message["detail-type"] for message in self._heard}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    inventory = tmp_path_factory.mktemp("inventory") / "inventory.yml"
    inventory.write_text(INVENTORY)
    with local_aws.running() as aws:
        account = Account(aws, local_aws.controller(aws), set())
        found = Fleet(account, str(inventory))
        account.before.update(leftovers.listing(aws.url))
        yield found


@pytest.fixture(scope="module")
def prediction(fleet):
    """site --check on the empty account."""
    return fleet.play("site", "--check")


@pytest.fixture(scope="module")
def first(fleet, prediction):
    """site on the empty account."""
    made = fleet.play("site")
    eventually(fleet.serving, {GROUP: 3, ON_DEMAND: 0})
    return made


def test_it_is_predicted_made_and_done(fleet, prediction, first):
    assert prediction.mutating == []
    assert prediction.changed == first.changed
    assert not [call for call in first.calls if call["service"] == "dynamodb"]
    fleet.settled()


def test_the_topic_hears_of_an_interruption(fleet, first):
    fleet.interrupt("warning")
    expected = {"EC2 Spot Instance Interruption Warning", "autoscaling:TEST_NOTIFICATION"}
    eventually(lambda: expected <= fleet.told(), True)


def test_on_demand_instances_stand_in_while_spot_has_none(fleet, first):
    fleet.account.aws.control("PUT", "market", {"capacity": {REGION: {"*": 0}}})
    fleet.interrupt("loss")
    eventually(lambda: (fleet.serving()[GROUP], fleet.failing()), (0, True))
    check = fleet.play("site", "--check")
    assert (check.changed, check.mutating) == ({REGION: 1}, [])
    assert fleet.play("site").changed == {REGION: 1}
    assert fleet.desired() == {GROUP: 3, ON_DEMAND: 2}
    eventually(fleet.serving, {GROUP: 0, ON_DEMAND: 2})
    fleet.settled()
    eventually(lambda: "autoscaling:EC2_INSTANCE_LAUNCH_ERROR" in fleet.told(), True)


def test_they_go_once_spot_is_back(fleet, first):
    fleet.account.aws.control("PUT", "market", {"capacity": {REGION: None}})
    eventually(fleet.serving, {GROUP: 3, ON_DEMAND: 2})
    assert fleet.play("site").changed == {REGION: 1}
    assert fleet.desired() == {GROUP: 3, ON_DEMAND: 0}
    eventually(fleet.serving, {GROUP: 3, ON_DEMAND: 0})
    fleet.settled()


def test_teardown_leaves_nothing(fleet, first):
    fleet.play("teardown", "-e", "teardown_data=true")
    assert leftovers.listing(fleet.account.aws.url) - fleet.account.before == set()
    assert fleet.play("teardown", "-e", "teardown_data=true").changed == {REGION: 0}


def test_nothing_was_denied(fleet, first):
    calls = fleet.account.aws.control("GET", "calls")
    assert not [call for call in calls for judged in call["iam"] or [] if not judged["allowed"]]
