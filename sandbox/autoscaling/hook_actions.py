# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Auto Scaling actions on lifecycle hooks."""

from __future__ import annotations

import time
from typing import Any

from moto.core.responses import ActionResult
from moto.core.responses import EmptyResult

from sandbox.autoscaling import hooks
from sandbox.autoscaling.engine import Engine
from sandbox.autoscaling.groups import Group
from sandbox.autoscaling.refusal import invalid


class HookActions:
    """Mixed into AutoScalingResponse beside GroupActions, whose helpers it uses."""

    engine: Engine
    params: Any
    _find_group: Any
    _live_group: Any

    def put_lifecycle_hook(self) -> ActionResult:
        group, request = self._live_group(), dict(self.params)
        hooks.put(self.engine, group, request)
        return EmptyResult()

    def describe_lifecycle_hooks(self) -> ActionResult:
        group, names = self._find_group(), self.params.get("LifecycleHookNames") or []
        rows = [
            {
                "LifecycleHookName": hook.name,
                "AutoScalingGroupName": group.name,
                "LifecycleTransition": hook.transition,
                "NotificationTargetARN": hook.target_arn,
                "RoleARN": hook.role_arn,
                "NotificationMetadata": hook.metadata,
                "HeartbeatTimeout": hook.heartbeat,
                "GlobalTimeout": hooks.longest_wait(hook),
                "DefaultResult": hook.default_result,
            }
            for hook in group.hooks.values()
            if not names or hook.name in names
        ]
        return ActionResult({"LifecycleHooks": rows})

    def delete_lifecycle_hook(self) -> ActionResult:
        group, name = self._live_group(), self.params["LifecycleHookName"]
        if name not in group.hooks:
            raise invalid(f"No Lifecycle Hook found for Auto Scaling group {group.name} with name {name}")
        del group.hooks[name]
        self.engine.advance(group)
        return EmptyResult()

    def complete_lifecycle_action(self) -> ActionResult:
        result = self.params["LifecycleActionResult"]
        if result not in ("CONTINUE", "ABANDON"):
            raise invalid("LifecycleActionResult must be CONTINUE or ABANDON.")
        group = self._live_group()
        hooks.complete(self._waiting(group), result)
        self.engine.advance(group)
        return EmptyResult()

    def record_lifecycle_action_heartbeat(self) -> ActionResult:
        hooks.heartbeat(self.engine, self._waiting(self._live_group()), time.monotonic())
        return EmptyResult()

    def _waiting(self, group: Group) -> Any:
        name, token = self.params["LifecycleHookName"], self.params.get("LifecycleActionToken")
        instance_id = self.params.get("InstanceId")
        for member in group.members:
            if member.hook and member.hook.name == name and (member.hook_token == token or member.id == instance_id):
                return member
        raise invalid(f"No active Lifecycle Action found with instance ID {instance_id}")
