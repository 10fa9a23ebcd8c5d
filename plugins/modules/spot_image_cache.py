#!/usr/bin/python

# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: spot_image_cache
version_added: 0.1.0
short_description: Have a container image in ECR before it is needed, through a pull-through cache rule
description:
  - Looks for an image in a repository of ECR and, if it is not there, reads it through the pull-through cache rule that serves the
    repository. ECR then imports it from the rule's registry, which this module waits for.
  - The first pull of an image through a rule needs a way to the internet where the puller uses VPC endpoints. Whoever has had it imported
    before spares private nodes that.
  - What is there is left as it is. ECR itself looks whether a tag has moved, at most once a day, when somebody pulls it.
  - Removes all repositories of a namespace with O(state=absent), whatever is in them.
  - Needs the IAM actions C(ecr:DescribeImages), C(ecr:BatchGetImage), C(ecr:BatchImportUpstreamImage), C(ecr:CreateRepository), and
    C(ecr:TagResource) if the rule's repository creation template has tags; with O(state=absent) C(ecr:DescribeRepositories) and
    C(ecr:DeleteRepository).
author:
  - Ethereal Spot contributors (@ethereal-spot)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - ethereal.spot.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  state:
    description: Whether an image shall be there, or no repository of a namespace.
    type: str
    choices: [present, absent]
    default: present
  repository:
    description: The repository, with the rule's prefix. Required with O(state=present).
    type: str
  tag:
    description: The image's tag. ECR imports by tag only. Required with O(state=present).
    type: str
  digest:
    description: The digest that the tag must have, or that of one of its images for several platforms, as C(sha256:) and 64 digits.
    type: str
  namespace:
    description: What the names of the repositories begin with, before a slash. Required with O(state=absent).
    type: str
  wait_timeout:
    description: How many seconds to wait for the import.
    type: int
    default: 900
"""

EXAMPLES = r"""
- name: Have the image in the region before a node needs it
  ethereal.spot.spot_image_cache:
    region: us-west-2
    repository: gpu-us-west-2/quay/prometheus/busybox
    tag: "1"

- name: Remove what was cached
  ethereal.spot.spot_image_cache:
    region: us-west-2
    namespace: gpu-us-west-2
    state: absent
"""

RETURN = r"""
digest:
  description: The image's digest; null before it is there.
  returned: with O(state=present)
  type: str
  sample: sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
size_bytes:
  description: The image's size in the repository, compressed, the largest of its images for several platforms; null before it is there.
  returned: with O(state=present)
  type: int
  sample: 5368709120
repositories:
  description: The repositories that were removed; in check mode, would be.
  returned: with O(state=absent)
  type: list
  elements: str
  sample: [gpu-us-west-2/quay/prometheus/busybox]
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.ethereal.spot.plugins.module_utils._aws import ecr
from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError
from ansible_collections.ethereal.spot.plugins.module_utils._aws.waiters import Pace
from ansible_collections.ethereal.spot.plugins.module_utils._aws.waiters import poll
from ansible_collections.ethereal.spot.plugins.module_utils._brain import image_cache
from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import check_integer
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import EtherealSpotError
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import Clients
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import masking_module
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import run_module

# What ECR answers where it finds nothing to import.
NOT_UPSTREAM = ("RepositoryNotFoundException", "UnableToGetUpstreamImageException")
PACE = Pace(5)


def run(module: AnsibleAWSModule) -> dict[str, Any]:
    image_cache.check_wanted(module.params)
    check_integer(module.params["wait_timeout"], "wait_timeout")
    client = Clients(module)("ecr")
    return present(module, client) if module.params["state"] == "present" else absent(module, client)


def present(module: AnsibleAWSModule, client: Any) -> dict[str, Any]:
    repository, tag, digest = (module.params[name] for name in ("repository", "tag", "digest"))
    wanted = image_cache.image_id(tag, digest)
    found = ecr.describe_image(client, repository, wanted)
    result: dict[str, Any] = {"changed": found is None, **view(found)}
    if module._diff:
        result["diff"] = {"before": {"cached": found is not None}, "after": {"cached": True}}
    if found is not None or module.check_mode:
        return result
    name = f"{repository}:{tag}" + (f"@{digest}" if digest else "")
    try:
        answer = ecr.get_image(client, repository, {"imageTag": tag})
    except AwsError as error:
        if error.code not in NOT_UPSTREAM:
            raise
        # ECR speaks of the repository here, which is only missing because of the one there.
        reason = f"{error.reason} The rule's registry has no such image, or none that ECR may read."
        raise AwsError(f"have {name} imported", error.code, reason, error.request_id, error.operation) from error
    refused = image_cache.refusal(answer, tag, digest)
    if refused:
        raise EtherealSpotError(f"ECR does not import {name}: {refused}", **{**result, "changed": False})
    timeout = module.params["wait_timeout"]
    found, there = poll(
        lambda: ecr.describe_image(client, repository, wanted),
        lambda seen, _elapsed: seen is not None,
        timeout,
        PACE,
    )
    if not there:
        raise EtherealSpotError(
            f"ECR has not imported {name} within {timeout} seconds; run again to wait on, or see why among the region's events of the type "
            "'ECR Pull Through Cache Action'",
            **result,
        )
    return {**result, **view(found)}


def view(found: dict[str, Any] | None) -> dict[str, Any]:
    found = found or {}
    return {"digest": found.get("imageDigest"), "size_bytes": found.get("imageSizeInBytes")}


def absent(module: AnsibleAWSModule, client: Any) -> dict[str, Any]:
    doomed = image_cache.under(module.params["namespace"], ecr.list_repositories(client))
    result: dict[str, Any] = {"changed": bool(doomed), "repositories": doomed}
    if module._diff:
        result["diff"] = {"before": {"repositories": doomed}, "after": {"repositories": []}}
    if not module.check_mode:
        for name in doomed:
            ecr.delete_repository(client, name)
    return result


def main() -> None:
    argument_spec = {
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "repository": {"type": "str"},
        "tag": {"type": "str"},
        "digest": {"type": "str"},
        "namespace": {"type": "str"},
        "wait_timeout": {"type": "int", "default": 900},
    }
    module = masking_module(
        argument_spec=argument_spec,
        required_if=[("state", "present", ("repository", "tag")), ("state", "absent", ("namespace",))],
        supports_check_mode=True,
    )
    run_module(module, run)


if __name__ == "__main__":
    main()
