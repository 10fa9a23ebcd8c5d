# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: node_image_plan
version_added: 0.1.0
short_description: Which of a place's two image stacks has the wanted image, or builds it
description:
  - An image that the fleet launches from is never replaced in its own stack, so that it stays until the fleet launches from another.
    What is new is built in the other one.
author:
  - Ethereal Spot contributors (@ethereal-spot)
options:
  _input:
    description: The two stacks as M(ethereal.spot.spot_stack_info) returned them, by slot.
    type: dict
    required: true
  body:
    description: The template, which counts as part of the image.
    type: str
  content:
    description: The template's parameters that say what is in the image. Without them and O(body) only what stands is told.
    type: dict
  in_use:
    description: The ids of images that instances are launched from.
    type: list
    elements: str
    default: []
positional: body, content, in_use
"""

EXAMPLES = r"""
- name: Choose the stack
  ansible.builtin.set_fact:
    plan: "{{ found | ethereal.spot.node_image_plan(template, {'ParentImage': 'ami-0123456789abcdef0'}) }}"
"""

RETURN = r"""
_value:
  description:
    - V(newest) are the parameters of the newest image's stack, V(full) says whether both stacks stand.
    - With O(content), V(slot) is the stack's slot, V(revision) and V(serial) are its parameters, and V(build) says whether an image
      is built.
  type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.node_image import plan


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"node_image_plan": plan}
