#!/usr/bin/python

# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: spot_task_run
version_added: 0.1.0
short_description: Run ECS tasks to their end, once
description:
  - Runs tasks that end by themselves, such as a batch job or a download, and waits until they have succeeded.
  - Tasks belong together by their O(job). Those that run or have succeeded are not started again, those that failed are. A run that died
    after it had started tasks starts none twice.
  - ECS forgets a stopped task after about an hour. Whoever must not run a job again later has to remember that it has run.
  - ECS answers with success where it could place no task. This module fails then, with ECS's reasons, such as C(RESOURCE:GPU).
  - Tasks of another revision of the task definition are another job's.
  - Needs the IAM actions C(ecs:DescribeTaskDefinition), C(ecs:ListTasks), C(ecs:DescribeTasks), C(ecs:RunTask), C(iam:PassRole) on the
    roles of the task definition, and C(ecs:TagResource) with O(tags) or with tags of the task definition.
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
    support: partial
    details:
      - As long as ECS remembers the job's tasks, about an hour after they stopped.
options:
  cluster:
    description: The name of the ECS cluster.
    type: str
    required: true
  task_definition:
    description: The family, C(family:revision) or ARN of the task definition. A family means its newest revision.
    type: str
    required: true
  job:
    description:
      - What the tasks are started for. They carry it as C(startedBy).
      - 1 to 128 letters, digits, hyphens, slashes and underscores.
    type: str
    required: true
  count:
    description: How many tasks are to succeed, V(1) to V(10).
    type: int
    default: 1
  launch_type:
    description:
      - Where the tasks run. Excludes O(capacity_provider_strategy).
      - Without both the cluster's default strategy holds.
    type: str
    choices: [EC2, FARGATE]
  capacity_provider_strategy:
    description: Capacity providers of the cluster.
    type: list
    elements: dict
    default: []
    suboptions:
      capacity_provider:
        description: Its name.
        type: str
        required: true
      weight:
        description: Its share of the tasks beyond O(capacity_provider_strategy[].base).
        type: int
        default: 1
      base:
        description: How many tasks it gets first. One provider of a strategy may have a base.
        type: int
        default: 0
  subnet_ids:
    description: Subnets of tasks with network mode C(awsvpc), which get no public address.
    type: list
    elements: str
    default: []
  security_group_ids:
    description: Security groups of tasks with network mode C(awsvpc), the VPC's default group otherwise.
    type: list
    elements: str
    default: []
  overrides:
    description:
      - What containers get in place of what the task definition says.
      - Whoever may describe tasks can read it, so it is no place for a secret.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The container.
        type: str
        required: true
      command:
        description: Its command.
        type: list
        elements: str
      environment:
        description: Variables of its environment.
        type: dict
  tags:
    description: Tags of the tasks, beside those of the task definition.
    type: dict
    aliases: [resource_tags]
  wait:
    description: Wait until the tasks have stopped, and fail unless all have succeeded.
    type: bool
    default: true
  wait_timeout:
    description: How many seconds to wait.
    type: int
    default: 900
"""

EXAMPLES = r"""
- name: Evaluate the model on four nodes, once for this commit
  ethereal.spot.spot_task_run:
    region: us-west-2
    cluster: training
    task_definition: evaluate
    job: "evaluate/{{ commit }}"
    count: 4
    capacity_provider_strategy:
      - capacity_provider: training
    overrides:
      - name: evaluate
        command: [python, evaluate.py, --commit, "{{ commit }}"]
    wait_timeout: 3600

- name: Start a download and do not wait for it
  ethereal.spot.spot_task_run:
    region: us-west-2
    cluster: training
    task_definition: download
    job: download-llama-3
    launch_type: FARGATE
    subnet_ids: [subnet-0a1b2c3d4e5f60718]
    security_group_ids: [sg-0a1b2c3d4e5f60718]
    wait: false
"""

RETURN = r"""
task_definition:
  description: The ARN of the revision that the tasks run.
  returned: success
  type: str
  sample: arn:aws:ecs:us-west-2:123456789012:task-definition/evaluate:7
started:
  description: How many tasks this run started; in check mode, would start.
  returned: success
  type: int
  sample: 4
tasks:
  description: The job's tasks that ECS remembers, oldest first.
  returned: success, and when tasks failed or could not be placed
  type: list
  elements: dict
  contains:
    arn:
      description: Its ARN.
      returned: always
      type: str
      sample: arn:aws:ecs:us-west-2:123456789012:task/training/0123456789abcdef0123456789abcdef
    outcome:
      description: V(running), V(succeeded) or V(failed). A task has succeeded if it stopped by itself
        and all of its essential containers ended with 0.
      returned: always
      type: str
      sample: succeeded
    status:
      description: Its last status.
      returned: always
      type: str
      sample: STOPPED
    stop_code:
      description: Why it stopped, as ECS's code, or null.
      returned: always
      type: str
      sample: EssentialContainerExited
    stopped_reason:
      description: Why it stopped, or null.
      returned: always
      type: str
      sample: Essential container in task exited
    started_at:
      description: When its containers ran, or null.
      returned: always
      type: str
      sample: "2026-01-01T10:00:00+00:00"
    stopped_at:
      description: When it had stopped, or null.
      returned: always
      type: str
      sample: "2026-01-01T10:05:00+00:00"
    containers:
      description: Its containers, each with C(name), C(exit_code) and C(reason), null if there is none.
      returned: always
      type: list
      elements: dict
      sample: [{name: evaluate, exit_code: 0, reason: null}]
failures:
  description: Why tasks could not be placed, as ECS answered.
  returned: when tasks could not be placed
  type: list
  elements: str
  sample: ["RESOURCE:GPU arn:aws:ecs:us-west-2:123456789012:container-instance/training/0123456789abcdef0123456789abcdef"]
"""

import time
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.ethereal.spot.plugins.module_utils._aws import ecs
from ansible_collections.ethereal.spot.plugins.module_utils._aws.waiters import Pace
from ansible_collections.ethereal.spot.plugins.module_utils._aws.waiters import poll
from ansible_collections.ethereal.spot.plugins.module_utils._brain import task_run
from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import check_integer
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import EtherealSpotError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.unknown import KNOWN_AFTER_APPLY
from ansible_collections.ethereal.spot.plugins.module_utils._brain.unknown import is_unknown
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import Clients
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import masking_module
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import run_module

PACE = Pace(5)
clock = time.time
# In check mode an earlier task may not know them yet.
FROM_OTHER_STEPS = ("cluster", "task_definition", "subnet_ids", "security_group_ids")


class Job:
    """A job's tasks at ECS."""

    def __init__(self, client: Any, wanted: task_run.Wanted, definition: dict[str, Any]) -> None:
        self._client = client
        self._wanted = wanted
        self._family = definition["family"]
        self.definition = definition["taskDefinitionArn"]
        self.essential = task_run.essential_containers(definition)

    def tasks(self) -> list[Any]:
        arns = [
            arn
            for status in ("RUNNING", "STOPPED")
            for arn in ecs.list_family_tasks(self._client, self._wanted.cluster, self._family, status)
        ]
        return self.seen(sorted(set(arns)))

    def seen(self, arns: list[str]) -> list[Any]:
        found = ecs.describe_tasks(self._client, self._wanted.cluster, arns) if arns else []
        return task_run.of_job(found, self._wanted, self.definition)

    def start(self, known: list[Any], count: int) -> tuple[list[str], list[dict[str, Any]]]:
        """ARNs of the tasks that were started, and ECS's failures."""
        answer = ecs.run_task(self._client, task_run.request(self._wanted, self.definition, known, count, clock()))
        return [task["taskArn"] for task in answer["tasks"]], answer["failures"]

    def wait(self, arns: list[str], timeout: float) -> list[Any]:
        """The tasks once they have stopped, or as they are when time is up."""
        tasks, _ended = poll(
            lambda: self.seen(arns),
            lambda seen, _elapsed: len(seen) == len(arns) and all(task["lastStatus"] == "STOPPED" for task in seen),
            timeout,
            PACE,
        )
        return tasks

    def views(self, tasks: list[Any]) -> list[dict[str, Any]]:
        return [task_run.view(task, self.essential) for task in tasks]


def run(module: AnsibleAWSModule) -> dict[str, Any]:
    params = module.params
    wanted = task_run.check_wanted(params)
    check_integer(params["wait_timeout"], "wait_timeout")
    if module.check_mode and is_unknown([params[name] for name in FROM_OTHER_STEPS]):
        # Nothing can run yet where a real run will first have made the cluster or the task definition.
        result = {"changed": True, "started": wanted.count, "task_definition": KNOWN_AFTER_APPLY, "tasks": []}
        return {**result, "diff": _diff(0, wanted.count)} if module._diff else result
    client = Clients(module)("ecs")
    definition = ecs.describe_task_definition(client, params["task_definition"])
    task_run.check_definition(wanted, definition)
    job = Job(client, wanted, definition)
    known = job.tasks()
    count = task_run.missing(known, job.essential, wanted.count)
    result: dict[str, Any] = {
        "changed": count > 0,
        "started": count,
        "task_definition": job.definition,
        "tasks": job.views(known),
    }
    if module._diff:
        result["diff"] = _diff(wanted.count - count, wanted.count)
    if module.check_mode:
        return result
    started, failures = job.start(known, count) if count else ([], [])
    result.update(changed=bool(started), started=len(started), tasks=job.views([*known, *job.seen(started)]))
    if len(started) < count:
        reasons = task_run.refusals(failures)
        raise EtherealSpotError(
            f"job {wanted.job}: {count - len(started)} of {count} tasks could not be placed: {', '.join(reasons) or 'no reason given'}",
            **result,
            failures=reasons,
        )
    if not params["wait"]:
        return result
    going = [task["taskArn"] for task in known if task_run.outcome(task, job.essential) == task_run.RUNNING]
    ended = job.wait([*going, *started], params["wait_timeout"]) if going or started else []
    result["tasks"] = job.views([*(task for task in known if task["taskArn"] not in going), *ended])
    return judged(result, wanted, [*going, *started], params["wait_timeout"])


def _diff(before: int, after: int) -> dict[str, Any]:
    return {"before": {"tasks": before}, "after": {"tasks": after}}


def judged(result: dict[str, Any], wanted: task_run.Wanted, waited_for: list[str], seconds: int) -> dict[str, Any]:
    tasks = [task for task in result["tasks"] if task["arn"] in waited_for]
    failed = [task_run.verdict(task) for task in tasks if task["outcome"] == task_run.FAILED]
    if failed:
        raise EtherealSpotError(f"job {wanted.job}: {'; '.join(failed)}", **result)
    if sum(task["outcome"] == task_run.SUCCEEDED for task in tasks) < len(waited_for):
        raise EtherealSpotError(
            f"job {wanted.job}: tasks have not ended within {seconds} seconds; run again to wait on", **result
        )
    return result


def main() -> None:
    argument_spec = {
        "cluster": {"type": "str", "required": True},
        "task_definition": {"type": "str", "required": True},
        "job": {"type": "str", "required": True},
        "count": {"type": "int", "default": 1},
        "launch_type": {"type": "str", "choices": list(task_run.LAUNCH_TYPES)},
        "capacity_provider_strategy": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "capacity_provider": {"type": "str", "required": True},
                "weight": {"type": "int", "default": 1},
                "base": {"type": "int", "default": 0},
            },
        },
        "subnet_ids": {"type": "list", "elements": "str", "default": []},
        "security_group_ids": {"type": "list", "elements": "str", "default": []},
        "overrides": {
            "type": "list",
            "elements": "dict",
            "default": [],
            "options": {
                "name": {"type": "str", "required": True},
                "command": {"type": "list", "elements": "str"},
                "environment": {"type": "dict"},
            },
        },
        "tags": {"type": "dict", "aliases": ["resource_tags"]},
        "wait": {"type": "bool", "default": True},
        "wait_timeout": {"type": "int", "default": 900},
    }
    run_module(masking_module(argument_spec=argument_spec, supports_check_mode=True), run)


if __name__ == "__main__":
    main()
