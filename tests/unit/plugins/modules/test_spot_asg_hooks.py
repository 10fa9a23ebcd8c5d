# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet's lifecycle hooks and notifications, ours beside those of others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_services import standing_group
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_services import topics_of
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import REGION
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import World
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import foretold

ONE = {"region": REGION, "name": "gpu-fleet"}
DRAIN = {"name": "drain", "transition": "terminating", "heartbeat_timeout": 90}
TOPIC = "arn:aws:sns:us-east-1:123456789012:fleet"
EVENTS = [
    "autoscaling:EC2_INSTANCE_LAUNCH",
    "autoscaling:EC2_INSTANCE_LAUNCH_ERROR",
    "autoscaling:EC2_INSTANCE_TERMINATE",
    "autoscaling:EC2_INSTANCE_TERMINATE_ERROR",
]
QUEUE = "arn:aws:sqs:us-east-1:123456789012:drain"
ROLE = "arn:aws:iam::123456789012:role/hook"


def hooks(world: World) -> dict[str, Any]:
    found = world.autoscaling.describe_lifecycle_hooks(AutoScalingGroupName="gpu-fleet")["LifecycleHooks"]
    return {
        hook["LifecycleHookName"]: (hook["LifecycleTransition"], hook["HeartbeatTimeout"], hook["DefaultResult"])
        for hook in found
    }


def test_hooks_are_there_before_the_first_instance(world: World, run: Callable[..., Any]) -> None:
    options = world.options(lifecycle_hooks=[DRAIN, {"name": "warm", "transition": "launching"}])
    made = foretold(run, options)
    assert "PutLifecycleHook" not in made.operations()
    assert made.mutating[1].params["LifecycleHookSpecificationList"] == [
        {
            "DefaultResult": "CONTINUE",
            "HeartbeatTimeout": 90,
            "LifecycleHookName": "drain",
            "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
        },
        {
            "DefaultResult": "ABANDON",
            "HeartbeatTimeout": 3600,
            "LifecycleHookName": "warm",
            "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
        },
    ]
    assert "warnings" not in made


def test_hooks_beside_those_of_others(world: World, run: Callable[..., Any]) -> None:
    run(world.options(lifecycle_hooks=[DRAIN]))
    world.autoscaling.put_lifecycle_hook(
        AutoScalingGroupName="gpu-fleet",
        LifecycleHookName="ecs-managed-draining-termination-hook",
        LifecycleTransition="autoscaling:EC2_INSTANCE_TERMINATING",
    )
    assert not run(world.options(lifecycle_hooks=[DRAIN])).changed
    changed = foretold(run, {**ONE, "lifecycle_hooks": [{**DRAIN, "heartbeat_timeout": 60}]})
    assert [(change["kind"], change["what"]) for change in changed["changes"]] == [("put_lifecycle_hook", "drain")]
    assert hooks(world)["drain"] == ("autoscaling:EC2_INSTANCE_TERMINATING", 60, "CONTINUE")
    foretold(run, {**ONE, "lifecycle_hooks": [{"name": "drain", "state": "absent"}]})
    assert set(hooks(world)) == {"ecs-managed-draining-termination-hook"}
    assert "DescribeLifecycleHooks" not in run(world.options()).operations()


def test_a_drain_longer_than_the_notice_is_told(world: World, run: Callable[..., Any]) -> None:
    slow = {**DRAIN, "heartbeat_timeout": 300}
    made = run(world.options(lifecycle_hooks=[slow]))
    assert made["warnings"] == [
        "lifecycle_hooks[drain].heartbeat_timeout: 300 is over the 120 seconds that an interrupted spot instance has: "
        "what is not done by then is lost"
    ]
    calm = run(world.options(lifecycle_hooks=[slow], on_demand_only=True, desired_capacity=0, min_size=0))
    assert "warnings" not in calm


def test_a_hook_with_a_target(world: World, run: Callable[..., Any], recorder: Any) -> None:
    run(world.options())
    told = {**DRAIN, "notification_target_arn": QUEUE, "role_arn": ROLE, "notification_metadata": "gpu"}
    changed = run({**ONE, "lifecycle_hooks": [told]})
    assert changed.mutating[0].params == {
        "AutoScalingGroupName": "gpu-fleet",
        "DefaultResult": "CONTINUE",
        "HeartbeatTimeout": 90,
        "LifecycleHookName": "drain",
        "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
        "NotificationMetadata": "gpu",
        "NotificationTargetARN": QUEUE,
        "RoleARN": ROLE,
    }
    hook = changed.mutating[0].params
    recorder.answer("autoscaling", "DescribeLifecycleHooks", {"LifecycleHooks": [{**hook, "GlobalTimeout": 9000}]})
    assert not run({**ONE, "lifecycle_hooks": [told]}).changed
    # A partial wish keeps the target.
    assert not run({**ONE, "lifecycle_hooks": [DRAIN]}).changed


def test_notifications_of_all_four_events(world: World, run: Callable[..., Any]) -> None:
    foretold(run, world.options(sns_topic_arn=TOPIC))
    topics = topics_of(standing_group())
    assert topics == {TOPIC: EVENTS}
    assert "DescribeNotificationConfigurations" not in run(world.options()).operations()
    topics["arn:aws:sns:us-east-1:123456789012:foreign"] = EVENTS[:1]
    assert not run({**ONE, "notification_topic": TOPIC}).changed
    foretold(run, {**ONE, "sns_topic_arn": TOPIC, "notification_types": EVENTS[1:2]})
    assert topics[TOPIC] == EVENTS[1:2]
    foretold(run, {**ONE, "sns_topic_arn": TOPIC, "notification_types": []})
    assert set(topics) == {"arn:aws:sns:us-east-1:123456789012:foreign"}


def test_targets_are_looked_at_when_they_come(world: World, run: Callable[..., Any]) -> None:
    told = {**DRAIN, "notification_target_arn": QUEUE, "role_arn": ROLE}
    made = foretold(run, world.options(sns_topic_arn=TOPIC, lifecycle_hooks=[told]))
    assert made.operations("sns") == ["GetTopicAttributes"]
    assert made.operations("sqs") == ["GetQueueUrl"]
    again = run({**ONE, "sns_topic_arn": TOPIC, "lifecycle_hooks": [{**told, "heartbeat_timeout": 60}]})
    assert again.changed
    assert again.operations("sns") == again.operations("sqs") == []
    assert run({**ONE, "sns_topic_arn": TOPIC, "notification_types": []}).operations("sns") == []


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"sns_topic_arn": f"{TOPIC}-none"}, f"sns_topic_arn: '{TOPIC}-none' does not exist"),
        (
            {"lifecycle_hooks": [{**DRAIN, "notification_target_arn": f"{TOPIC}-none", "role_arn": ROLE}]},
            f"lifecycle_hooks[drain].notification_target_arn: '{TOPIC}-none' does not exist",
        ),
        (
            {"lifecycle_hooks": [{**DRAIN, "notification_target_arn": f"{QUEUE}-none", "role_arn": ROLE}]},
            f"lifecycle_hooks[drain].notification_target_arn: '{QUEUE}-none' does not exist",
        ),
    ],
)
def test_targets_that_do_not_exist(world: World, run: Callable[..., Any], changed: dict[str, Any], says: str) -> None:
    for mode in (True, False):
        refused = run(world.options(**changed), check_mode=mode)
        assert says in refused["msg"]
        assert refused.mutating == []


def test_a_target_that_may_not_be_looked_at(
    world: World, run: Callable[..., Any], recorder: Any, aws_error: Callable[..., Any]
) -> None:
    recorder.answer("sns", "GetTopicAttributes", aws_error("AuthorizationError"))
    made = run(world.options(sns_topic_arn=TOPIC))
    assert made["warnings"] == [f"sns_topic_arn: {TOPIC} could not be looked at: AuthorizationError"]
    recorder.answer("sns", "GetTopicAttributes", aws_error("InternalError"))
    failed = run(world.options(name="gpu-fleet-2", sns_topic_arn=TOPIC))
    assert "could not look at the topic: InternalError" in failed["msg"]
    assert failed.mutating == []


BAD_INPUT = [
    ({"lifecycle_hooks": [DRAIN, DRAIN]}, "lifecycle_hooks: 'drain' is listed twice"),
    (
        {"lifecycle_hooks": [{"name": "ecs-managed-draining-termination-hook", "state": "absent"}]},
        "lifecycle_hooks[ecs-managed-draining-termination-hook].name: 'ecs-managed-draining-termination-hook' is ECS's own",
    ),
    (
        {"lifecycle_hooks": [{**DRAIN, "name": "ecs-managed-draining-termination-hook"}]},
        "is ECS's own, by which capacity providers drain instances",
    ),
    ({"lifecycle_hooks": [{**DRAIN, "name": "a b"}]}, "lifecycle_hooks[a b].name: 'a b' may hold letters"),
    ({"lifecycle_hooks": [{"name": "drain"}]}, "lifecycle_hooks[drain].transition: None is required"),
    ({"lifecycle_hooks": [{**DRAIN, "heartbeat_timeout": 29}]}, "heartbeat_timeout: 29 must be a whole number from 30"),
    ({"lifecycle_hooks": [{**DRAIN, "role_arn": ROLE}]}, "notification_target_arn: None is required with the other"),
    (
        {"lifecycle_hooks": [{**DRAIN, "role_arn": ROLE, "notification_target_arn": "drain"}]},
        "'drain' must be the ARN of a queue or topic",
    ),
    ({"lifecycle_hooks": [{**DRAIN, "notification_metadata": "ü"}]}, "'1 characters' must be 1 to 4000 of ASCII"),
    ({"sns_topic_arn": "fleet"}, "sns_topic_arn: 'fleet' must be the ARN of a standard SNS topic"),
    ({"sns_topic_arn": TOPIC.replace("us-east-1", "eu-west-1")}, "is in eu-west-1, the fleet is in us-east-1"),
    ({"notification_types": EVENTS}, "needs sns_topic_arn"),
]


def test_bad_input_changes_nothing(world: World, run: Callable[..., Any]) -> None:
    wrong = []
    for changed, message in BAD_INPUT:
        result = run(world.options(**changed))
        if not (result.failed and message in result["msg"] and result.mutating == []):
            wrong.append((changed, message, result.get("msg"), result.mutating))
    assert wrong == []
