# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lifecycle hooks: an instance waits until somebody completes the action or the heartbeat runs out.

Source: EC2 Auto Scaling user guide, "Amazon EC2 Auto Scaling lifecycle hooks".
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING
from typing import Any

from sandbox.autoscaling.groups import Group
from sandbox.autoscaling.groups import Hook
from sandbox.autoscaling.groups import Member
from sandbox.autoscaling.refusal import invalid
from sandbox.ec2.instances import instance_arn

if TYPE_CHECKING:
    from sandbox.autoscaling.engine import Engine

# The longest that an instance can be kept waiting, in seconds (user guide: 48 hours or 100 heartbeats).
LONGEST_WAIT = 172_800
TRANSITIONS = ("autoscaling:EC2_INSTANCE_LAUNCHING", "autoscaling:EC2_INSTANCE_TERMINATING")


def put(engine: Engine, group: Group, values: dict[str, Any]) -> None:
    """Create or update a hook, and send its target the test message. Raises ValidationError before anything changes."""
    hook = _parse(values, group.hooks.get(values["LifecycleHookName"]))
    engine.delivery.check_target(hook)
    group.hooks[hook.name] = hook
    engine.delivery.test_hook(group, hook)


def _parse(values: dict[str, Any], known: Hook | None) -> Hook:
    """A hook from PutLifecycleHook or a LifecycleHookSpecification; what an update does not name stays."""
    new = known or Hook(name=values["LifecycleHookName"], transition="")
    heartbeat = int(values.get("HeartbeatTimeout") or new.heartbeat)
    result = values.get("DefaultResult") or new.default_result
    transition = values.get("LifecycleTransition") or new.transition
    if transition not in TRANSITIONS:
        raise invalid("A lifecycle hook needs a LifecycleTransition: " + " or ".join(TRANSITIONS))
    if not 30 <= heartbeat <= 7200:
        raise invalid("HeartbeatTimeout must be from 30 to 7200 seconds.")
    if result not in ("CONTINUE", "ABANDON"):
        raise invalid("DefaultResult must be CONTINUE or ABANDON.")
    return Hook(
        name=new.name,
        transition=transition,
        heartbeat=heartbeat,
        default_result=result,
        # An empty target takes the target away.
        target_arn=values.get("NotificationTargetARN", new.target_arn) or None,
        role_arn=values.get("RoleARN", new.role_arn) or None,
        metadata=values.get("NotificationMetadata", new.metadata) or None,
    )


def longest_wait(hook: Hook) -> int:
    """Seconds that an instance can be kept waiting in a hook."""
    return min(LONGEST_WAIT, hook.heartbeat * 100)


def begin(engine: Engine, group: Group, member: Member, what: str, now: float) -> bool:
    """Start the first hook of a transition (LAUNCHING or TERMINATING); False where the group has none."""
    return _next(engine, group, member, what, now, after=None)


def outcome(engine: Engine, group: Group, member: Member, what: str, now: float) -> str | None:
    """CONTINUE or ABANDON once all hooks of the transition are done; None while one waits."""
    hook = member.hook
    if hook is None:
        return "CONTINUE"
    if hook.name not in group.hooks:
        # Deleted while the instance waits (botocore model: DeleteLifecycleHook).
        result = "CONTINUE" if what == "TERMINATING" else "ABANDON"
    elif member.hook_token.startswith("done:"):
        result = member.hook_token.removeprefix("done:")
    elif now >= member.hook_ends:
        result = hook.default_result
    else:
        return None
    if result == "ABANDON":
        # Terminating instances go either way; ABANDON only skips the hooks that remain.
        return result
    return None if _next(engine, group, member, what, now, after=hook) else result


def complete(member: Member, result: str) -> None:
    member.hook_token = f"done:{result}"


def heartbeat(engine: Engine, member: Member, now: float) -> None:
    """Start the timeout anew, within the longest wait."""
    if member.hook:
        scale = engine.context.market.group_wait_scale
        last = member.hook_began + longest_wait(member.hook) * scale
        member.hook_ends = min(now + member.hook.heartbeat * scale, last)


def _next(engine: Engine, group: Group, member: Member, what: str, now: float, after: Hook | None) -> bool:
    transition = f"autoscaling:EC2_INSTANCE_{what}"
    mine = [hook for hook in group.hooks.values() if hook.transition == transition]
    if after is not None:
        names = [hook.name for hook in mine]
        mine = mine[names.index(after.name) + 1 :] if after.name in names else []
    if not mine:
        return False
    member.hook, member.hook_began, member.hook_token = mine[0], now, str(uuid.uuid4())
    heartbeat(engine, member, now)
    detail = {
        "LifecycleActionToken": member.hook_token,
        "AutoScalingGroupName": group.name,
        "LifecycleHookName": member.hook.name,
        "EC2InstanceId": member.id,
        "LifecycleTransition": transition,
        "Origin": "EC2" if what == "LAUNCHING" else "AutoScalingGroup",
        "Destination": "AutoScalingGroup" if what == "LAUNCHING" else "EC2",
    }
    if member.hook.metadata:
        detail["NotificationMetadata"] = member.hook.metadata
    engine.context.emit(
        group.region,
        "aws.autoscaling",
        f"EC2 Instance-{'launch' if what == 'LAUNCHING' else 'terminate'} Lifecycle Action",
        detail,
        [group.arn, instance_arn(group.account, group.region, member.id)],
    )
    engine.delivery.hook(group, member.hook, detail)
    return True
