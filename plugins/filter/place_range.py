# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: place_range
version_added: 0.1.0
short_description: The address range of a place's network
description:
  - Gives a C(/20) of C(10.0.0.0/8) that follows from the region and the place alone, so that places that come and go move no other.
  - Places that are called by their regions never overlap. Two other places of one region may, which
    M(ethereal.spot.spot_validate) refuses.
  - A range that is named is given back if it is one that a place's network can have, and fails otherwise.
author:
  - Ethereal Spot contributors (@ethereal-spot)
options:
  _input:
    description: The region.
    type: str
    required: true
  place:
    description: The place.
    type: str
    required: true
  named:
    description: The range that the user names, C(/16) to C(/24).
    type: str
positional: place, named
"""

EXAMPLES = r"""
- name: Show the range of a place
  ansible.builtin.debug:
    msg: "{{ 'us-west-2' | ethereal.spot.place_range('us-west-2') }}"
"""

RETURN = r"""
_value:
  description: The range.
  type: str
  sample: 10.28.0.0/20
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.ethereal.spot.plugins.module_utils._brain import networks
from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import check_vpc_cidr
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError


def place_range(region: str, place: str, named: str | None = None) -> str:
    try:
        return check_vpc_cidr(named) if named else networks.place_range(region, place)
    except InputError as error:
        raise AnsibleFilterError(error.message) from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"place_range": place_range}
