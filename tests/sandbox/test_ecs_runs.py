# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tasks that are run on Fargate and end. Sources: botocore model, RunTask; ECS developer guide, "Task lifecycle"."""

from __future__ import annotations

from typing import Any

import pytest
from fleet_kit import Fleet
from fleet_kit import eventually
from fleet_kit import refused
from sandbox_process import Sandbox


@pytest.fixture
def fleet(sandbox: Sandbox) -> Fleet:
    fleet = Fleet(sandbox)
    fleet.ecs.create_cluster(clusterName="c")
    return fleet


def definition(fleet: Fleet, family: str, *compatibilities: str) -> str:
    return fleet.ecs.register_task_definition(
        family=family,
        networkMode="awsvpc",
        requiresCompatibilities=list(compatibilities) or ["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "main", "image": "busybox"}],
    )["taskDefinition"]["taskDefinitionArn"]


def run(fleet: Fleet, arn: str) -> str:
    network = {"awsvpcConfiguration": {"subnets": fleet.subnets[:1], "assignPublicIp": "DISABLED"}}
    answer = fleet.ecs.run_task(cluster="c", taskDefinition=arn, launchType="FARGATE", networkConfiguration=network)
    return answer["tasks"][0]["taskArn"]


def task(fleet: Fleet, arn: str) -> dict[str, Any]:
    return fleet.ecs.describe_tasks(cluster="c", tasks=[arn])["tasks"][0]


def test_a_task_ends_by_itself_with_its_exit_code(fleet: Fleet) -> None:
    fleet.market(runs={"download": {"seconds": 0.1, "exit_code": 3}})
    arn = run(fleet, definition(fleet, "download"))
    ended = eventually(lambda: task(fleet, arn), lambda found: found["lastStatus"] == "STOPPED")
    assert (ended["stopCode"], ended["stoppedReason"]) == (
        "EssentialContainerExited",
        "Essential container in task exited",
    )
    assert [each["exitCode"] for each in ended["containers"]] == [3]


def test_which_families_end_is_for_the_market_to_say(fleet: Fleet) -> None:
    runs_on = run(fleet, definition(fleet, "serve"))
    fills = run(fleet, definition(fleet, "a-fill"))
    fleet.market(runs={"b-fill": "forever"})
    told_to_run_on = run(fleet, definition(fleet, "b-fill"))
    eventually(lambda: task(fleet, fills)["lastStatus"], lambda status: status == "STOPPED")
    assert task(fleet, fills)["containers"][0]["exitCode"] == 0
    assert [task(fleet, arn)["lastStatus"] for arn in (runs_on, told_to_run_on)] == ["RUNNING", "RUNNING"]


def test_a_cluster_with_a_task_cannot_be_deleted(fleet: Fleet) -> None:
    arn = run(fleet, definition(fleet, "serve"))
    with refused("ClusterContainsTasksException"):
        fleet.ecs.delete_cluster(cluster="c")
    fleet.ecs.stop_task(cluster="c", task=arn)
    fleet.ecs.delete_cluster(cluster="c")


def test_fargate_takes_definitions_that_are_for_it(fleet: Fleet) -> None:
    with refused("InvalidParameterException", "does not support launch_type FARGATE"):
        run(fleet, definition(fleet, "f", "EC2"))


def test_a_task_with_an_interface_of_its_own_needs_subnets(fleet: Fleet) -> None:
    with refused("InvalidParameterException", "Network Configuration must be provided"):
        fleet.ecs.run_task(cluster="c", taskDefinition=definition(fleet, "f"), launchType="FARGATE")


def test_a_tasks_end_on_an_instance_frees_its_place(fleet: Fleet) -> None:
    fleet.cluster_with_nodes(1)
    fleet.market(runs={"f": {"seconds": 0.2}})
    first = fleet.ecs.run_task(cluster="c", taskDefinition=fleet.definition(), launchType="EC2")
    again = fleet.ecs.run_task(cluster="c", taskDefinition=fleet.definition(), launchType="EC2")
    assert [each["reason"] for each in again["failures"]] == ["RESOURCE:GPU"]
    arn = first["tasks"][0]["taskArn"]
    ended = eventually(lambda: task(fleet, arn), lambda found: found["lastStatus"] == "STOPPED")
    assert ended["stopCode"] == "EssentialContainerExited"
    assert fleet.ecs.run_task(cluster="c", taskDefinition=fleet.definition(), launchType="EC2")["failures"] == []
