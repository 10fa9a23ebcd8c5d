# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: cache_namespace
version_added: 0.1.0
short_description: The namespace of a place's cached images in ECR
description:
  - Gives what the names of all repositories begin with that ECR makes for a place's pull-through cache rules, before a slash.
  - It is the deployment and the place, cut and marked where that is longer than 23 characters.
author:
  - Ethereal Spot contributors (@ethereal-spot)
options:
  _input:
    description: The deployment.
    type: str
    required: true
  place:
    description: The place.
    type: str
    required: true
positional: place
"""

EXAMPLES = r"""
- name: Remove a place's cached images
  ethereal.spot.spot_image_cache:
    region: us-west-2
    namespace: "{{ 'gpu' | ethereal.spot.cache_namespace('us-west-2') }}"
    state: absent
"""

RETURN = r"""
_value:
  description: The namespace.
  type: str
  sample: gpu-us-west-2
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain import image_cache


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"cache_namespace": image_cache.namespace}
