# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a module of ours in the controller's own worker process, where that comes to the same. PRIVATE to the collection.

A module's own process costs more than half a second of CPU before its first call to AWS: it unpacks and compiles all that it imports. Here
the controller imports the same once, when it looks up the action, and the process that it forks for a task has it already.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any
from typing import ClassVar

from ansible import constants
from ansible.module_utils import _internal
from ansible.module_utils import basic
from ansible.module_utils.common import warnings
from ansible.module_utils.common.json import Direction
from ansible.module_utils.common.json import get_module_decoder
from ansible.module_utils.common.json import get_module_encoder
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action.normal import ActionModule as NormalAction

__all__ = ["SWITCH", "InProcessAction", "handed"]

# The variable that switches it off, for a host, a play or a task.
SWITCH = "ethereal_spot_in_process"

# How arguments and results are written between controller and module.
PROFILE = "legacy"


@contextlib.contextmanager
def handed(arguments: bytes, environment: dict[str, str], folder: str) -> Iterator[io.StringIO]:
    """Hand a module its arguments (JSON), environment and working directory as in a process of its own; gives what it prints."""
    before, environment_before = (basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE), dict(os.environ)
    basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = arguments, PROFILE
    # A module's warnings belong into its result, where failed_when sees them; a controller's go to the display.
    controller, _internal.is_controller = _internal.is_controller, False
    os.environ.update(environment)
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed), contextlib.chdir(folder):
            yield printed
    finally:
        # The next item of a loop runs in the same process.
        os.environ.clear()
        os.environ.update(environment_before)
        basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = before
        _internal.is_controller = controller
        warnings._global_warnings.clear()
        warnings._global_deprecations.clear()


class InProcessAction(NormalAction):
    """The action of one module: as Ansible runs any module, or in this process."""

    # Its main() reads arguments, prints a result and exits.
    code: ClassVar[ModuleType]

    def _execute_module(
        self, *arguments: Any, task_vars: dict[str, Any] | None = None, **options: Any
    ) -> dict[str, Any]:
        if self._comes_to_the_same(task_vars or {}):
            return self._executed_here(task_vars or {})
        return super()._execute_module(*arguments, task_vars=task_vars, **options)

    def _comes_to_the_same(self, task_vars: dict[str, Any]) -> bool:
        """Whether the module would run on this machine, as this user and with this Python, and need not be ended from outside."""
        task = self._task
        return (
            self._connection.transport == "local"
            and not self._connection.become
            and not task.delegate_to
            and not task.async_val
            # It is a signal that raises an exception wherever the process is: botocore would take it for a lost connection and try again.
            and not task.timeout
            and not constants.DEFAULT_KEEP_REMOTE_FILES
            # botocore asks the system for its proxies, which a forked process must not on macOS.
            and sys.platform != "darwin"
            and self._templar.template(task_vars.get("ansible_python_interpreter")) == sys.executable
            and boolean(self._templar.template(task_vars.get(SWITCH, True)))
        )

    def _executed_here(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        arguments = dict(self._task.args)
        self._update_module_args(self._task.action, arguments, task_vars)
        encoder = get_module_encoder(PROFILE, Direction.CONTROLLER_TO_MODULE)
        text = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}, cls=encoder)
        environment: dict[str, Any] = {}
        self._compute_environment_string(environment)
        values = {str(name): str(value) for name, value in environment.items()}
        # A local module runs beside the playbook, wherever ansible-playbook was called.
        with (
            handed(text.encode(), values, self._loader.get_basedir() or ".") as printed,
            contextlib.suppress(SystemExit),
        ):
            self.code.main()
        # The result is one line, the last: a library may have said something before.
        _before, _line, said = printed.getvalue().rstrip().rpartition("\n")
        result = json.loads(said, cls=get_module_decoder(PROFILE, Direction.MODULE_TO_CONTROLLER))
        return {name: value for name, value in result.items() if not name.startswith("_ansible_")}
