# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: place_range
version_added: 0.1.0
short_description: The address range of a place's network where none is named
description:
  - Gives a C(/20) of C(10.0.0.0/8) that follows from the region and the place alone, so that places that come and go move no other.
  - Places that are called by their regions never overlap. Two other places of one region may, which
    M(ethereal.spot.spot_validate) refuses.
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
positional: place
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

from ansible_collections.ethereal.spot.plugins.module_utils._brain.networks import place_range


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"place_range": place_range}
