# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Callback of tools/bench.py: what ran on which host for how long, as JSON lines in the file that BENCH_RUNS names."""

from __future__ import annotations

DOCUMENTATION = r"""
name: module_runs
type: aggregate
short_description: Write every executed module and action as a JSON line
description:
  - Writes C(task), C(action), C(host), C(seconds), C(module), C(process) and C(changed) of everything that was executed to the file that
    the variable E(BENCH_RUNS) names. C(module) is false for an action that runs no module, C(process) for a module that
    may run in the controller's. Loop items count one by one.
  - Writes C(cpu) and C(host) of every process that was forked for a task, its own processes included, in seconds.
  - The last line holds what changed and what failed, by host.
"""

import json
import os
import time
from collections.abc import Callable
from typing import Any

from ansible.executor.process.worker import WorkerProcess
from ansible.plugins.action.normal import ActionModule as NormalAction
from ansible.plugins.callback import CallbackBase
from ansible.plugins.loader import action_loader

# These have no plugin at all: the strategy acts on them.
INCLUDES = {"ansible.builtin.include_role", "ansible.builtin.include_tasks"}


def _kind(resolved: str, named: str) -> dict[str, bool]:
    """What has no action plugin of its own is a module that the plugin `normal` runs; those of ours that derive from it run one as well."""
    if resolved in INCLUDES:
        return {"module": False, "process": False}
    own = action_loader.has_plugin(named)
    return {
        "module": not own or issubclass(action_loader.get(named, class_only=True), NormalAction),
        "process": not own,
    }


def _measure_workers(write: Callable[[dict[str, Any]], None]) -> None:
    """Workers are forked after this: each tells at its end what it has used, which begins at nothing."""
    run = WorkerProcess.run

    def measured(self: WorkerProcess) -> None:
        try:
            run(self)
        finally:
            used = os.times()
            write(
                {
                    "host": self._host.name,
                    "cpu": round(used.user + used.system + used.children_user + used.children_system, 3),
                }
            )

    WorkerProcess.run = measured


class CallbackModule(CallbackBase):
    """Times are wall clock, from the moment a task or the item before ended up in this process."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "module_runs"
    CALLBACK_NEEDS_ENABLED = False

    def __init__(self) -> None:
        super().__init__()
        self._path = os.environ.get("BENCH_RUNS")
        self.disabled = self._path is None
        self._began: dict[tuple[str, str], float] = {}
        if not self.disabled:
            _measure_workers(self._write)

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        self._began[host.name, task._uuid] = time.monotonic()

    def v2_runner_on_ok(self, result: Any) -> None:
        self._executed(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._executed(result)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        self._executed(result)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        self._executed(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._write({"changed": dict(stats.changed), "failed": dict(stats.failures), "unreachable": dict(stats.dark)})

    def _executed(self, result: Any) -> None:
        task, host = result.task, result.host.name
        if "results" in result.result and task.loop is not None:
            return  # The items were written one by one.
        action = task.resolved_action or task.action
        key = (host, task._uuid)
        now = time.monotonic()
        run = {
            "task": task.get_name(),
            "action": action,
            "host": host,
            "seconds": round(now - self._began.get(key, now), 3),
            **_kind(action, task.action),
            "changed": bool(result.result.get("changed")),
        }
        self._began[key] = now
        self._write(run)

    def _write(self, line: dict[str, Any]) -> None:
        with open(self._path, "a", encoding="utf-8") as runs:
            runs.write(json.dumps(line) + "\n")
