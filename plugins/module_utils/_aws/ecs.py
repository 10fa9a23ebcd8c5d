# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls to ECS, one each. PRIVATE to the collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError
from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import translated

# DescribeTasks and DescribeContainerInstances take this many (botocore model).
BATCH = 100


def describe_service(client: Any, cluster: str, service: str) -> dict[str, Any] | None:
    """The service; None if it, or its cluster, does not exist or is being deleted."""
    try:
        found = _describe_services(client, cluster, service)
    except AwsError as error:
        if error.code in ("ClusterNotFoundException", "ServiceNotFoundException"):
            return None
        raise
    return next((item for item in found if item["status"] == "ACTIVE"), None)


@translated("describe the ECS service")
def _describe_services(client: Any, cluster: str, service: str) -> list[dict[str, Any]]:
    return client.describe_services(cluster=cluster, services=[service])["services"]


@translated("describe the ECS task definition")
def describe_task_definition(client: Any, task_definition: str) -> dict[str, Any]:
    return client.describe_task_definition(taskDefinition=task_definition)["taskDefinition"]


@translated("list the ECS service's tasks")
def list_tasks(client: Any, cluster: str, service: str, desired_status: str = "RUNNING") -> list[str]:
    """ARNs of tasks that shall run, or of those that stopped within the last hour (desired status STOPPED)."""
    pages = client.get_paginator("list_tasks").paginate(
        cluster=cluster, serviceName=service, desiredStatus=desired_status
    )
    return pages.build_full_result()["taskArns"]


@translated("list the tasks of an ECS task definition")
def list_family_tasks(client: Any, cluster: str, family: str, desired_status: str) -> list[str]:
    """ARNs of tasks that shall run, or of those that stopped within the last hour; whoever started them.

    ListTasks takes no other filter beside startedBy, so that one would show no stopped task (botocore model).
    """
    pages = client.get_paginator("list_tasks").paginate(cluster=cluster, family=family, desiredStatus=desired_status)
    return pages.build_full_result()["taskArns"]


@translated("run an ECS task")
def run_task(client: Any, request: dict[str, Any]) -> dict[str, Any]:
    """The tasks that were started, and the failures: ECS answers with both, and with success."""
    return client.run_task(**request)


@translated("list the ECS cluster's tasks")
def list_cluster_tasks(client: Any, cluster: str) -> list[str]:
    """ARNs of tasks that shall run, a service's too."""
    pages = client.get_paginator("list_tasks").paginate(cluster=cluster, desiredStatus="RUNNING")
    return pages.build_full_result()["taskArns"]


@translated("stop an ECS task")
def stop_task(client: Any, cluster: str, arn: str, reason: str) -> None:
    client.stop_task(cluster=cluster, task=arn, reason=reason)


@translated("describe ECS tasks")
def describe_tasks(client: Any, cluster: str, arns: list[str]) -> list[dict[str, Any]]:
    """Those that ECS still knows."""
    found: list[dict[str, Any]] = []
    for start in range(0, len(arns), BATCH):
        found.extend(client.describe_tasks(cluster=cluster, tasks=arns[start : start + BATCH])["tasks"])
    return found


@translated("describe ECS container instances")
def describe_container_instances(client: Any, cluster: str, arns: list[str]) -> list[dict[str, Any]]:
    """Those that ECS still knows."""
    found: list[dict[str, Any]] = []
    for start in range(0, len(arns), BATCH):
        answer = client.describe_container_instances(cluster=cluster, containerInstances=arns[start : start + BATCH])
        found.extend(answer["containerInstances"])
    return found


@translated("set the ECS service's task count")
def set_desired_count(client: Any, cluster: str, service: str, count: int) -> None:
    client.update_service(cluster=cluster, service=service, desiredCount=count)
