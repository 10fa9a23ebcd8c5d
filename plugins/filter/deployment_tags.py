# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: deployment_tags
version_added: 0.1.0
short_description: The tags by which a deployment's things are known
description:
  - Gives the tags that stacks, groups and launch templates of a deployment carry.
  - Fails on a prefix or place that would break a name made of them, and on tags that AWS would refuse, since all roles make their tags
    before their first call.
author:
  - Ethereal Spot contributors (@ethereal-spot)
options:
  _input:
    description: The deployment's prefix.
    type: str
    required: true
  place:
    description: The place.
    type: str
    required: true
  tags:
    description: More tags, of the user's.
    type: dict
    default: {}
positional: place, tags
"""

EXAMPLES = r"""
- name: Show the tags of a place
  ansible.builtin.debug:
    msg: "{{ 'ethereal' | ethereal.spot.deployment_tags('us-west-2', {'team': 'ml'}) }}"
"""

RETURN = r"""
_value:
  description: The tags.
  type: dict
  sample: {"ethereal-spot:deployment": ethereal, "ethereal-spot:place": us-west-2, "ethereal-spot:version": 0.1.0, team: ml}
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.ethereal.spot.plugins.module_utils._brain import checks
from ansible_collections.ethereal.spot.plugins.module_utils._brain import names
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError


def deployment_tags(prefix: str, place: str, tags: Any = None) -> dict[str, str]:
    try:
        checked = names.check_prefix(prefix, "prefix")
        ours = names.deployment_tags(checked, names.check_place(place, checked))
        return {**checks.check_tags(tags or {}), **ours}
    except InputError as error:
        raise AnsibleFilterError(error.message) from None


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"deployment_tags": deployment_tags}
