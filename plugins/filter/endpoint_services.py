# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: endpoint_services
version_added: 0.1.0
short_description: The interface endpoints of a place's network
description:
  - Gives the services whose interface endpoints a network of role C(network) has with some C(network_endpoints), without the region's
    prefix. Those that every network has come first.
author:
  - Ethereal Spot contributors (@ethereal-spot)
options:
  _input:
    description: Groups of endpoints, as C(network_endpoints) takes them.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show the endpoints of a network with shells on nodes
  ansible.builtin.debug:
    msg: "{{ ['session_manager'] | ethereal.spot.endpoint_services }}"
"""

RETURN = r"""
_value:
  description: The services.
  type: list
  elements: str
  sample: [ecs, ecs-agent, ecs-telemetry, ecr.api, ecr.dkr, logs, ssm, ssmmessages]
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.ethereal.spot.plugins.module_utils._brain import endpoints
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError


def endpoint_services(groups: Any) -> list[str]:
    try:
        return endpoints.endpoint_services(groups)
    except InputError as error:
        raise AnsibleFilterError(error.message) from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"endpoint_services": endpoint_services}
