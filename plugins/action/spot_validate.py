# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check an inventory on the controller: the whole of it is there already, and a module process would cost more than the checks."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.ethereal.spot.plugins.module_utils._brain.inventory import report_lines
from ansible_collections.ethereal.spot.plugins.module_utils._brain.inventory import validate


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        _validated, arguments = self.validate_argument_spec({"hub": {"type": "dict"}, "places": {"type": "dict"}})
        hub, places = arguments["hub"] or {}, arguments["places"] or {}
        errors, doubts = validate(hub, places)
        for doubt in doubts:
            Display().warning(str(doubt))
        text = report_lines(len({*hub, *places}), errors, doubts)
        result.update(
            changed=False,
            doubts=[str(doubt) for doubt in doubts],
            errors=[str(error) for error in errors],
            text=text,
        )
        if errors:
            # Returned, not raised: a task may say by itself what counts as failed.
            result.update(failed=True, msg="\n".join(text))
        return result
