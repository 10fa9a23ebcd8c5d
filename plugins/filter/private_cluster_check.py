# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: private_cluster_check
version_added: 0.1.0
short_description: Check what a private cluster shall be
description:
  - Fails on the first option that breaks a rule, with option, value and rule, and gives everything with its defaults otherwise.
  - Keys and scripts are never shown.
author:
  - Ethereal Spot contributors (@ethereal-spot)
options:
  _input:
    description:
      - A mapping with C(region), C(home), C(vpn), C(public_key), C(cidr), C(nat), C(endpoints), C(subnets), C(nodes) and C(tags), as the
        variables C(private_cluster_*) of the role C(ethereal.spot.private_cluster).
      - With C(vpc_id) also C(found_subnets) and C(route_tables), as M(amazon.aws.ec2_vpc_subnet_info) and
        M(amazon.aws.ec2_vpc_route_table_info) return them.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Check a cluster
  ansible.builtin.set_fact:
    checked: "{{ wish | ethereal.spot.private_cluster_check }}"
"""

RETURN = r"""
_value:
  description: The same mapping, whole; V(home_cidr) takes the place of V(home) and V(vpn).
  type: dict
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.ethereal.spot.plugins.module_utils._brain.cluster.checks import check_cluster
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError


def private_cluster_check(wish: dict[str, Any]) -> dict[str, Any]:
    try:
        return check_cluster(wish)
    except InputError as error:
        raise AnsibleFilterError(error.message) from None


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"private_cluster_check": private_cluster_check}
