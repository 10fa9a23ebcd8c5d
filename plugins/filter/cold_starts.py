# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: cold_starts
version_added: 0.1.0
short_description: How long a place's instances took from their launch to a task that runs
description:
  - Adds to the starts that a place's status document holds those of tasks on instances that it does not know yet, and keeps the newest
    twenty.
author:
  - Ethereal Spot contributors (@ethereal-spot)
options:
  _input:
    description: Tasks as RV(ethereal.spot.spot_placement#module:tasks) gives them.
    type: list
    elements: dict
    required: true
  document:
    description: The place's status document, as in RV(ethereal.spot.spot_state#module:state).
    type: dict
    required: true
positional: document
"""

EXAMPLES = r"""
- name: Starts to keep
  ansible.builtin.debug:
    msg: "{{ applied.tasks | ethereal.spot.cold_starts(current.state.places['us-west-2'] | default({})) }}"
"""

RETURN = r"""
_value:
  description: C(instance_id) and C(seconds) from its launch to its first task, oldest first.
  type: list
  elements: dict
  sample: [{instance_id: i-0123456789abcdef0, seconds: 96}]
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain import cold_start


def cold_starts(tasks: list[dict[str, Any]], document: dict[str, Any]) -> list[dict[str, Any]]:
    instances = [instance["instance_id"] for instance in document.get("instances") or []]
    return cold_start.cold_starts(tasks, document.get("cold_starts") or [], instances)


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"cold_starts": cold_starts}
