# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting for AWS, always with a deadline. PRIVATE to the collection.

Where one call can judge, a botocore waiter does, which fails as soon as success has become impossible. Where several
calls are needed, `poll` looks again and again; it is the only loop of its kind.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from typing import TypeVar

try:
    from botocore.waiter import WaiterModel
    from botocore.waiter import create_waiter_with_client
except ImportError:
    pass  # See errors.py.

from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError
from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import translated

T = TypeVar("T")

ALIVE = ["pending", "running", "shutting-down", "stopping", "stopped"]
# Set by Auto Scaling on every instance it launches; it outlives the group.
TAG_GROUP_NAME = "aws:autoscaling:groupName"

MODELS: dict[str, Any] = {
    "version": 2,
    "waiters": {
        "GroupGone": {
            "operation": "DescribeAutoScalingGroups",
            "delay": 5,
            "maxAttempts": 120,
            "acceptors": [
                {
                    "matcher": "path",
                    "argument": "length(AutoScalingGroups)",
                    "expected": 0,
                    "state": "success",
                },
                {
                    "matcher": "pathAny",
                    "argument": "AutoScalingGroups[].DeletionProtection",
                    "expected": "prevent-all-deletion",
                    "state": "failure",
                },
            ],
        },
        "InstancesGone": {
            "operation": "DescribeInstances",
            "delay": 5,
            "maxAttempts": 120,
            "acceptors": [
                {
                    "matcher": "path",
                    "argument": "length(Reservations[].Instances[])",
                    "expected": 0,
                    "state": "success",
                },
                {
                    # A stopped instance never goes by itself: somebody protected it from termination.
                    "matcher": "pathAny",
                    "argument": "Reservations[].Instances[].State.Name",
                    "expected": "stopped",
                    "state": "failure",
                },
            ],
        },
    },
}


@dataclass(frozen=True)
class Pace:
    """How often to look, by which clock."""

    delay: float = 2
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


def poll(look: Callable[[], T], done: Callable[[T, float], bool], timeout: float, pace: Pace) -> tuple[T, bool]:
    """Look until `done(seen, elapsed seconds)`; what was seen last, and whether it was done before the deadline."""
    start = pace.clock()
    while True:
        seen = look()
        elapsed = pace.clock() - start
        if done(seen, elapsed):
            return seen, True
        if elapsed + pace.delay > timeout:
            return seen, False
        pace.sleep(pace.delay)


def persist(action: Callable[[], T], again: Callable[[AwsError], bool], timeout: float, pace: Pace) -> T:
    """Do something that AWS refuses until an earlier step of ours has reached all of it; the last error otherwise."""

    def attempt() -> tuple[T | None, AwsError | None]:
        try:
            return action(), None
        except AwsError as error:
            if not again(error):
                raise
            return None, error

    (answer, error), _done = poll(attempt, lambda seen, _elapsed: seen[1] is None, timeout, pace)
    if error is not None:
        raise error
    return answer  # type: ignore[return-value]


@translated("see the Auto Scaling group deleted")
def wait_group_gone(client: Any, name: str, timeout: float, pace: Pace) -> None:
    _wait(client, "GroupGone", timeout, pace, AutoScalingGroupNames=[name])


@translated("see the group's instances terminated")
def wait_instances_gone(client: Any, group_name: str, timeout: float, pace: Pace) -> None:
    """Whatever the group launched, found by the tag that outlives it."""
    filters = [
        {"Name": f"tag:{TAG_GROUP_NAME}", "Values": [group_name]},
        {"Name": "instance-state-name", "Values": ALIVE},
    ]
    _wait(client, "InstancesGone", timeout, pace, Filters=filters)


def _wait(client: Any, name: str, timeout: float, pace: Pace, **arguments: Any) -> None:
    attempts = max(1, math.ceil(timeout / pace.delay))
    waiter = create_waiter_with_client(name, WaiterModel(MODELS), client)
    waiter.wait(WaiterConfig={"Delay": pace.delay, "MaxAttempts": attempts}, **arguments)
