# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting ends: by success, by impossibility, by the deadline."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from ansible_collections.ethereal.spot.plugins.module_utils._aws import waiters
from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError


class Clock:
    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def pace(self, delay: float = 5) -> waiters.Pace:
        return waiters.Pace(delay, lambda: self.now, self.sleep)


def test_poll_ends_at_once() -> None:
    clock = Clock()
    assert waiters.poll(lambda: 1, lambda seen, elapsed: seen == 1, 0, clock.pace()) == (1, True)
    assert clock.slept == []


def test_poll_never_sleeps_beyond_its_deadline() -> None:
    clock = Clock()
    assert waiters.poll(lambda: 1, lambda seen, elapsed: False, 12, clock.pace()) == (1, False)
    assert clock.slept == [5, 5]


def test_poll_tells_how_long_it_took() -> None:
    clock = Clock()
    seen: list[float] = []
    waiters.poll(lambda: None, lambda _seen, elapsed: bool(seen.append(elapsed)) or elapsed >= 10, 60, clock.pace())
    assert seen == [0, 5, 10]


def refuse(code: str) -> AwsError:
    return AwsError("do it", code, "no")


def test_persist_tries_until_it_works() -> None:
    answers: list[Any] = [refuse("Later"), refuse("Later"), "done"]

    def action() -> str:
        answer = answers.pop(0)
        if isinstance(answer, AwsError):
            raise answer
        return answer

    clock = Clock()
    assert waiters.persist(action, lambda error: error.code == "Later", 60, clock.pace()) == "done"
    assert clock.slept == [5, 5]


@pytest.mark.parametrize(("code", "slept"), [("Never", 0), ("Later", 2)])
def test_persist_gives_the_error_back(code: str, slept: int) -> None:
    def action() -> None:
        raise refuse(code)

    clock = Clock()
    with pytest.raises(AwsError, match=code):
        waiters.persist(action, lambda error: error.code == "Later", 12, clock.pace())
    assert len(clock.slept) == slept


def instances(*states: str) -> dict[str, Any]:
    return {"Reservations": [{"Instances": [{"InstanceId": "i-1", "State": {"Name": state}} for state in states]}]}


def test_instances_are_waited_for_until_none_is_left(recorder: Any) -> None:
    answers = [instances("shutting-down"), instances()]
    recorder.answer("ec2", "DescribeInstances", lambda params, region: answers.pop(0))
    client = boto3.session.Session().client("ec2")
    waiters.wait_instances_gone(client, "llm", 60, waiters.Pace(0.01))
    assert answers == []
    names = {item["Name"]: item["Values"] for item in recorder.calls[0].params["Filters"]}
    assert names["tag:aws:autoscaling:groupName"] == ["llm"]
    assert "terminated" not in names["instance-state-name"]


def test_a_stopped_instance_never_goes(recorder: Any) -> None:
    recorder.answer("ec2", "DescribeInstances", instances("stopped"))
    with pytest.raises(AwsError, match="see the group's instances terminated"):
        waiters.wait_instances_gone(boto3.session.Session().client("ec2"), "llm", 60, waiters.Pace(0.01))
    assert len(recorder.calls) == 1


def test_a_group_that_stays_ends_at_the_deadline(recorder: Any) -> None:
    group = {
        "AutoScalingGroupName": "llm",
        "AvailabilityZones": [],
        "CreatedTime": 0,
        "DefaultCooldown": 300,
        "DesiredCapacity": 0,
        "HealthCheckType": "EC2",
        "MaxSize": 0,
        "MinSize": 0,
    }
    recorder.answer("autoscaling", "DescribeAutoScalingGroups", {"AutoScalingGroups": [group]})
    with pytest.raises(AwsError, match="see the Auto Scaling group deleted: WaiterError"):
        waiters.wait_group_gone(boto3.session.Session().client("autoscaling"), "llm", 0.05, waiters.Pace(0.01))
    assert len(recorder.calls) == 5
