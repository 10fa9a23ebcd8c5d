# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: stack_needs
version_added: 0.1.0
short_description: What a stack that was found needs to become what is wanted
description:
  - Gives the verdict that M(ethereal.spot.spot_stack_info) gives, once everything that is wanted is known.
  - Some parameters of a stack are known only after other stacks and groups exist, later than all stacks are read at once.
author:
  - Ethereal Spot contributors (@ethereal-spot)
options:
  _input:
    description: A stack as M(ethereal.spot.spot_stack_info) returned it.
    type: dict
    required: true
  wanted:
    description: What is wanted of it, as in the option O(ethereal.spot.spot_stack_info#module:stacks).
    type: dict
    required: true
positional: wanted
"""

EXAMPLES = r"""
- name: Decide once the subnets are known
  ansible.builtin.set_fact:
    needs: "{{ found.stacks[stack.name] | ethereal.spot.stack_needs(stack) }}"
"""

RETURN = r"""
_value:
  description: V(verdict), V(differences) and V(refused), as in RV(ethereal.spot.spot_stack_info#module:stacks).
  type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.stacks import compare


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"stack_needs": compare}
