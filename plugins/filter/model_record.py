# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: model_record
version_added: 0.1.0
short_description: How a place remembers the models that it holds
description:
  - Gives the models of C(worker_models) as the parameter C(Models) of the workload's stack remembers them.
author:
  - Ethereal Spot contributors (@ethereal-spot)
options:
  _input:
    description: Models' names with the prefixes of buckets that they come from.
    type: dict
    required: true
  recorded:
    description: What the place remembers already. It keeps models that are no longer wanted.
    type: str
    default: ""
positional: recorded
"""

EXAMPLES = r"""
- name: Show what a stack would remember
  ansible.builtin.debug:
    msg: "{{ {'llama-3': 's3://models/llama-3/1'} | ethereal.spot.model_record }}"
"""

RETURN = r"""
_value:
  description: The models as JSON, or nothing without any.
  type: str
  sample: '{"llama-3":"s3://models/llama-3/1"}'
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.ethereal.spot.plugins.module_utils._brain import models as brain
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError


def model_record(models: Any, recorded: str = "") -> str:
    try:
        return brain.record(models, recorded)
    except InputError as error:
        raise AnsibleFilterError(error.message) from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"model_record": model_record}
