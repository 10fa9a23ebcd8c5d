# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: model_fills
version_added: 0.1.0
short_description: What a place's model cache still lacks
description:
  - Gives the models of C(worker_models) that a place does not hold yet, each with the job and the command that fill it.
  - Fails for a model that the place holds from elsewhere. A model that is there is never written again, since replicas read it.
author:
  - Ethereal Spot contributors (@ethereal-spot)
options:
  _input:
    description: Models' names with the prefixes of buckets that they come from.
    type: dict
    required: true
  recorded:
    description: What the place holds, as the parameter C(Models) of its workload's stack remembers it.
    type: str
    required: true
  path:
    description: Where the place's file system is mounted.
    type: str
    required: true
  command:
    description: The command that fills, with the placeholders V({name}), V({source}) and V({path}).
    type: list
    elements: str
    default: []
positional: recorded, path, command
"""

EXAMPLES = r"""
- name: Tell what a first run would fill
  ansible.builtin.debug:
    msg: "{{ {'llama-3': 's3://models/llama-3/1'} | ethereal.spot.model_fills('', '/models', ['s3', 'sync', '{source}', '{path}']) }}"
"""

RETURN = r"""
_value:
  description: The models that are lacking, by name, each with V(name), V(source), V(job) and V(command).
  type: list
  elements: dict
  sample:
    - name: llama-3
      source: s3://models/llama-3/1
      job: fill/0123456789abcdef01234567
      command: [s3, sync, s3://models/llama-3/1, /models/llama-3]
"""

from collections.abc import Callable
from collections.abc import Iterable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.ethereal.spot.plugins.module_utils._brain import models as brain
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError


def model_fills(models: Any, recorded: str, path: str, command: Iterable[str] = ()) -> list[dict[str, Any]]:
    try:
        return brain.fills(models, recorded, path, command)
    except InputError as error:
        raise AnsibleFilterError(error.message) from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"model_fills": model_fills}
