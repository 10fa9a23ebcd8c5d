# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: private_cluster_nodes
version_added: 0.1.0
short_description: Eight parallel variables as those of role private_cluster
description:
  - Takes the variables C(region), C(elastic_ip_names), C(azs), C(private_subnets), C(public_subnets), C(cidr), C(homeIPAddress) and
    C(public_key), in which entry i of every list describes node i, and gives the variables of the role C(ethereal.spot.private_cluster),
    in which a node is one object.
  - A node with an entry in C(elastic_ip_names) is named after it and lies in its public subnet, since an Elastic IP does nothing
    elsewhere. An empty entry makes a node without an Elastic IP in its private subnet.
author:
  - Ethereal Spot contributors (@ethereal-spot)
options:
  _input:
    description: The eight variables.
    type: dict
    required: true
  instance_type:
    description: The instance type of all nodes.
    type: str
    required: true
  user_data:
    description: The start-up script of all nodes.
    type: str
    default: ""
positional: instance_type, user_data
"""

EXAMPLES = r"""
- name: Bring variables of the Terraform module
  ansible.builtin.set_fact:
    cluster: "{{ lookup('ansible.builtin.file', 'cluster.json') | from_json | ethereal.spot.private_cluster_nodes('t3.micro') }}"
"""

RETURN = r"""
_value:
  description: The role's variables.
  type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.ethereal.spot.plugins.module_utils._brain.cluster.parallel_lists import from_parallel_lists
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError


def private_cluster_nodes(variables: dict[str, Any], instance_type: str, user_data: str = "") -> dict[str, Any]:
    try:
        return from_parallel_lists(variables, instance_type, user_data)
    except InputError as error:
        raise AnsibleFilterError(error.message) from None


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"private_cluster_nodes": private_cluster_nodes}
