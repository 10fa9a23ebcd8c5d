# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: private_cluster_addresses
version_added: 0.1.0
short_description: What the Elastic IPs of a private cluster need
description:
  - Compares nodes that want an Elastic IP with the addresses that the cluster holds.
author:
  - Ethereal Spot contributors (@ethereal-spot)
options:
  _input:
    description: The nodes, as P(ethereal.spot.private_cluster_check#filter) gives them.
    type: list
    elements: dict
    required: true
  standing:
    description: The ids of the instances, by node.
    type: dict
    required: true
  addresses:
    description: Addresses as M(amazon.aws.ec2_eip_info) returns them.
    type: list
    elements: dict
    required: true
positional: standing, addresses
"""

EXAMPLES = r"""
- name: Plan the addresses
  ansible.builtin.set_fact:
    plan: "{{ checked.nodes | ethereal.spot.private_cluster_addresses(standing, found.addresses) }}"
"""

RETURN = r"""
_value:
  description: V(associate), nodes with their instance and the address they have already, if any; V(release), addresses of no node.
  type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.cluster.plan import plan_addresses


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"private_cluster_addresses": plan_addresses}
