# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: private_cluster_lines
version_added: 0.1.0
short_description: How to reach the nodes of a private cluster
description:
  - Gives a table with a line for each node, with its command for SSH and for Session Manager, where it has such a way.
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
  region:
    description: The cluster's region.
    type: str
    required: true
  sessions:
    description: Whether nodes without a public address reach Session Manager, through endpoints or a NAT gateway.
    type: bool
    required: true
positional: instances, region
"""

EXAMPLES = r"""
- name: Show how to reach the nodes
  ethereal.spot.spot_display:
    lines: "{{ checked.nodes | ethereal.spot.private_cluster_lines(found.instances, 'us-west-2', sessions=true) }}"
"""

RETURN = r"""
_value:
  description: The lines.
  type: list
  elements: str
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.cluster.plan import reach_lines


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"private_cluster_lines": reach_lines}
