# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Auto Scaling actions on instance refreshes."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult

from sandbox.autoscaling import refresh
from sandbox.autoscaling.engine import Engine


class RefreshActions:
    """Mixed into AutoScalingResponse beside GroupActions, whose helpers it uses."""

    engine: Engine
    params: Any
    _find_group: Any
    _live_group: Any
    _paged: Any

    def start_instance_refresh(self) -> ActionResult:
        return ActionResult({"InstanceRefreshId": refresh.start(self.engine, self._live_group(), dict(self.params))})

    def cancel_instance_refresh(self) -> ActionResult:
        wait = self.params.get("WaitForTransitioningInstances") is not False
        return ActionResult({"InstanceRefreshId": refresh.cancel(self.engine, self._live_group(), wait)})

    def rollback_instance_refresh(self) -> ActionResult:
        return ActionResult({"InstanceRefreshId": refresh.rollback(self.engine, self._live_group())})

    def describe_instance_refreshes(self) -> ActionResult:
        group, wanted = self._find_group(), self.params.get("InstanceRefreshIds") or []
        self.engine.advance(group)
        rows = [each.values for each in group.refreshes if not wanted or each.values["InstanceRefreshId"] in wanted]
        rows, token = self._paged(rows)
        return ActionResult({"InstanceRefreshes": rows, "NextToken": token})
