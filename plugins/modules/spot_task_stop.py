#!/usr/bin/python

# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: spot_task_stop
version_added: 0.1.0
short_description: Stop the tasks that an ECS cluster still runs on its own
description:
  - Stops the tasks of a cluster that belong to no service, or those of one task definition's family, and waits until they have stopped.
  - A service puts another task in the place of one that is stopped, so a service's tasks are left alone. Its count is what ends them.
  - ECS deletes no cluster that has a task. Tasks on Fargate outlive the instances of a fleet.
  - A container gets SIGTERM, and SIGKILL after its stop timeout.
  - Needs the IAM actions C(ecs:ListTasks), C(ecs:DescribeTasks) and C(ecs:StopTask).
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
  cluster:
    description: The name of the ECS cluster. One that does not exist has no task.
    type: str
    required: true
  family:
    description: Stop the tasks of this family of task definitions only.
    type: str
  reason:
    description: What ECS shows as the reason, up to 1024 characters.
    type: str
    default: Stopped by ethereal.spot
  wait:
    description: Wait until the tasks have stopped.
    type: bool
    default: true
  wait_timeout:
    description: How many seconds to wait.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Stop what still runs before the cluster goes
  ethereal.spot.spot_task_stop:
    region: us-west-2
    cluster: training

- name: Stop a download
  ethereal.spot.spot_task_stop:
    region: us-west-2
    cluster: training
    family: download
    reason: Another model is wanted
"""

RETURN = r"""
stopped:
  description: The ARNs of the tasks that this run stopped; in check mode, would stop.
  returned: success
  type: list
  elements: str
  sample: ["arn:aws:ecs:us-west-2:123456789012:task/training/0123456789abcdef0123456789abcdef"]
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.ethereal.spot.plugins.module_utils._aws import ecs
from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError
from ansible_collections.ethereal.spot.plugins.module_utils._aws.waiters import Pace
from ansible_collections.ethereal.spot.plugins.module_utils._aws.waiters import poll
from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import check_integer
from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import check_text
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import EtherealSpotError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.task_run import to_stop
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import Clients
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import masking_module
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import run_module

PACE = Pace(2)
GONE = ("ClusterNotFoundException",)


def run(module: AnsibleAWSModule) -> dict[str, Any]:
    params = module.params
    cluster = params["cluster"]
    check_text(params["reason"], "reason")
    check_integer(params["wait_timeout"], "wait_timeout")
    client = Clients(module)("ecs")
    doomed = to_stop(_tasks(client, cluster), params["family"])
    arns = [task["taskArn"] for task in doomed]
    result: dict[str, Any] = {"changed": bool(arns), "stopped": arns}
    if module._diff:
        result["diff"] = {"before": {"tasks": arns}, "after": {"tasks": []}}
    if module.check_mode or not arns:
        return result
    for arn in arns:
        ecs.stop_task(client, cluster, arn, params["reason"])
    if params["wait"]:
        running, ended = poll(
            lambda: [task for task in ecs.describe_tasks(client, cluster, arns) if task["lastStatus"] != "STOPPED"],
            lambda left, _elapsed: not left,
            params["wait_timeout"],
            PACE,
        )
        if not ended:
            raise EtherealSpotError(
                f"{len(running)} of {len(arns)} tasks have not stopped within {params['wait_timeout']} seconds; run again to wait on",
                **result,
            )
    return result


def _tasks(client: Any, cluster: str) -> list[dict[str, Any]]:
    try:
        arns = ecs.list_cluster_tasks(client, cluster)
    except AwsError as error:
        if error.code in GONE:
            return []
        raise
    return ecs.describe_tasks(client, cluster, arns) if arns else []


def main() -> None:
    argument_spec = {
        "cluster": {"type": "str", "required": True},
        "family": {"type": "str"},
        "reason": {"type": "str", "default": "Stopped by ethereal.spot"},
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "int", "default": 300},
    }
    run_module(masking_module(argument_spec=argument_spec, supports_check_mode=True), run)


if __name__ == "__main__":
    main()
