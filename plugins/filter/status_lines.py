# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: status_lines
version_added: 0.1.0
short_description: A deployment's status as a table
description:
  - Puts what M(ethereal.spot.spot_fleet_info), M(ethereal.spot.spot_stack_info) and M(ethereal.spot.spot_state) returned into
    lines that a person reads, one a place, followed by every reason why something is not as wanted.
author:
  - Ethereal Spot contributors (@ethereal-spot)
options:
  _input:
    description:
      - A mapping with C(prefix), C(state) (RV(ethereal.spot.spot_state#module:state), or null without a hub) and C(places).
      - C(places) is a list of mappings with C(place), C(region), C(hub) (whether it is the hub), C(stacks)
        (RV(ethereal.spot.spot_stack_info#module:stacks)) and C(fleet) (the result of M(ethereal.spot.spot_fleet_info) for the
        spot group and the on-demand group, or null).
      - C(workers), if given, names the inventory's workers. Places that the state has and these do not are named.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what runs where
  ethereal.spot.spot_display:
    lines: "{{ {'prefix': 'ethereal', 'state': read.state, 'places': places} | ethereal.spot.status_lines }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.status_text import status_lines


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"status_lines": status_lines}
