# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Auto Scaling: the sandbox's own engine behind moto's parser and serialiser."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from moto.autoscaling.responses import AutoScalingResponse

from sandbox.autoscaling import delivery
from sandbox.autoscaling import interruption
from sandbox.autoscaling.actions import GroupActions
from sandbox.autoscaling.attachments import AttachmentActions
from sandbox.autoscaling.engine import Engine
from sandbox.autoscaling.hook_actions import HookActions
from sandbox.autoscaling.refresh_actions import RefreshActions
from sandbox.autoscaling.scheduled_actions import ScheduledActions

if TYPE_CHECKING:
    from sandbox.context import Context

NEEDS = [
    *delivery.NEEDS,
    "moto.autoscaling.responses.AutoScalingResponse.create_auto_scaling_group",
    "moto.autoscaling.responses.AutoScalingResponse.call_action",
    "moto.core.responses.BaseResponse.parse_parameters",
]

# What moto's class has besides its actions.
_MACHINERY = ("call_action", "autoscaling_backend")


class _Parts:
    engine: Engine


def install(context: Context) -> None:
    """Every action is ours: one that is left to moto would work on moto's own, empty store. The rest is InvalidAction."""
    _Parts.engine = Engine(context)
    AutoScalingResponse.engine = _Parts.engine
    for name in list(vars(AutoScalingResponse)):
        if not name.startswith("_") and name not in (*_MACHINERY, "engine"):
            delattr(AutoScalingResponse, name)
    for source in (GroupActions, AttachmentActions, HookActions, RefreshActions, ScheduledActions):
        for name, value in vars(source).items():
            if callable(value) and not name.startswith("__"):
                setattr(AutoScalingResponse, name, value)


def reset(context: Context) -> None:
    _Parts.engine.reset()


def engine() -> Engine:
    """The engine, for the parts that follow groups (ECS)."""
    return _Parts.engine


def interrupt(context: Context, request: Any) -> dict[str, Any]:
    """Interrupt spot instances; see interruption.interrupt."""
    return interruption.interrupt(_Parts.engine, request)
