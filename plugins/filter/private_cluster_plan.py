# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: private_cluster_plan
version_added: 0.1.0
short_description: What the nodes of a private cluster need
description:
  - Compares nodes that are wanted with instances that stand, node by node. What one node needs touches no other.
author:
  - Ethereal Spot contributors (@ethereal-spot)
options:
  _input:
    description: The nodes, as P(ethereal.spot.private_cluster_check#filter) gives them.
    type: list
    elements: dict
    required: true
  instances:
    description: Instances as M(amazon.aws.ec2_instance_info) returns them.
    type: list
    elements: dict
    required: true
  replace:
    description: Whether nodes that differ are launched anew.
    type: bool
    default: false
positional: instances
"""

EXAMPLES = r"""
- name: Plan
  ansible.builtin.set_fact:
    plan: "{{ checked.nodes | ethereal.spot.private_cluster_plan(found.instances, replace=false) }}"
"""

RETURN = r"""
_value:
  description:
    - V(launch), the nodes that have to be launched; V(images), what M(ethereal.spot.spot_image_info) is to be asked of them;
      V(terminate), the ids of instances that have to go; V(differs), the parts in which a node that stays differs, by node;
      V(standing), the ids of instances that stay, by node.
  type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.cluster.plan import plan_nodes


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"private_cluster_plan": plan_nodes}
