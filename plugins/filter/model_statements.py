# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: model_statements
version_added: 0.1.0
short_description: What filling a model cache must be allowed to read
description:
  - Gives the statements of an IAM policy, for a CloudFormation template, that allow to read the models of C(worker_models) and nothing
    else.
author:
  - Ethereal Spot contributors (@ethereal-spot)
options:
  _input:
    description: Models' names with the prefixes of buckets that they come from.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show what a role would be allowed
  ansible.builtin.debug:
    msg: "{{ {'llama-3': 's3://models/llama-3/1'} | ethereal.spot.model_statements }}"
"""

RETURN = r"""
_value:
  description: The statements.
  type: list
  elements: dict
"""

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.ethereal.spot.plugins.module_utils._brain import models as brain
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError


def model_statements(models: Any) -> list[dict[str, Any]]:
    try:
        return brain.statements(models)
    except InputError as error:
        raise AnsibleFilterError(error.message) from error


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"model_statements": model_statements}
