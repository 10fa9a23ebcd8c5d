# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: ecr_repository
version_added: 0.1.0
short_description: The private repository in Amazon ECR that a container image is in
description:
  - Gives the end of the repository's ARN, or nothing for an image of another registry.
author:
  - Ethereal Spot contributors (@ethereal-spot)
options:
  _input:
    description: The image's reference.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show the ARN of an image's repository
  ansible.builtin.debug:
    msg: "arn:aws:ecr:{{ '123456789012.dkr.ecr.us-west-2.amazonaws.com/serve:1.4' | ethereal.spot.ecr_repository }}"
"""

RETURN = r"""
_value:
  description: Region, account and repository as C(REGION:ACCOUNT:repository/NAME), or the empty string.
  type: str
  sample: us-west-2:123456789012:repository/serve
"""

from collections.abc import Callable
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.image_cache import ecr_repository


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"ecr_repository": ecr_repository}
