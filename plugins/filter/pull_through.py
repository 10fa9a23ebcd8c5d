# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: pull_through
version_added: 0.1.0
short_description: What a place's ECR has for a container image from elsewhere
description:
  - Gives the pull-through cache rule of ECR that an image needs in a region, and the image behind it.
  - Gives nothing for an image that is in ECR of that region, and fails for one that no rule can serve.
  - References are read as docker reads them, so that C(nginx) is C(docker.io/library/nginx:latest).
author:
  - Ethereal Spot contributors (@ethereal-spot)
options:
  _input:
    description: The image's reference, with a tag beside a digest.
    type: str
    required: true
  region:
    description: The region.
    type: str
    required: true
  prefix:
    description: The deployment.
    type: str
    required: true
  place:
    description: The place.
    type: str
    required: true
  secret_arn:
    description: The secret with the registry's credentials, which C(docker.io), C(ghcr.io) and C(registry.gitlab.com) need.
    type: str
positional: region, prefix, place, secret_arn
"""

EXAMPLES = r"""
- name: Show what the image is called in us-west-2
  ansible.builtin.debug:
    msg: "{{ cached.repository }}{{ cached.version }}"
  vars:
    cached: "{{ 'quay.io/prometheus/busybox:1' | ethereal.spot.pull_through('us-west-2', 'gpu', 'us-west-2') }}"
"""

RETURN = r"""
_value:
  description:
    - Nothing, or the C(url) of the registry, the C(account) whose ECR it is, or null, the rule's C(prefix), the image's
      C(repository), C(tag) and C(digest), or null, and C(version), which follows the repository in the image's name.
  type: dict
  sample:
    url: quay.io
    account: null
    prefix: gpu-us-west-2/quay
    repository: gpu-us-west-2/quay/prometheus/busybox
    tag: "1"
    digest: null
    version: ":1"
"""

import dataclasses
from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.ethereal.spot.plugins.module_utils._brain import image_cache
from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import check_container_image
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError


def pull_through(image: str, region: str, prefix: str, place: str, secret_arn: str | None = None) -> dict[str, Any]:
    try:
        check_container_image(image)
        found = image_cache.pull_through(image, region, image_cache.namespace(prefix, place), secret_arn or None)
    except InputError as error:
        raise AnsibleFilterError(error.message) from error
    return {**dataclasses.asdict(found), "version": found.version} if found else {}


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"pull_through": pull_through}
