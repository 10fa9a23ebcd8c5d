# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Managed draining under capacity rebalancing, and what it does not hold up.

Sources: ECS developer guide, "Safely stop Amazon ECS workloads running on EC2 instances" (events covered, tasks, Spot Instance
draining) and "Configuring Amazon ECS capacity providers to safely shut down instances"; EC2 Auto Scaling user guide, "Capacity
Rebalancing in Auto Scaling to replace at-risk Spot Instances"; botocore model, DeleteAutoScalingGroup and DeleteLifecycleHook.
"""

from __future__ import annotations

import time
from typing import Any

import pytest
from fleet_kit import Fleet
from fleet_kit import eventually
from sandbox_process import Sandbox

HOOK = "ecs-managed-draining-termination-hook"


@pytest.fixture
def fleet(sandbox: Sandbox) -> Fleet:
    return Fleet(sandbox)


def hooks(fleet: Fleet) -> list[str]:
    found = fleet.asg.describe_lifecycle_hooks(AutoScalingGroupName="g")["LifecycleHooks"]
    return [each["LifecycleHookName"] for each in found]


def provider(fleet: Fleet) -> dict[str, Any]:
    return fleet.ecs.describe_capacity_providers(capacityProviders=["g"])["capacityProviders"][0]


def state(fleet: Fleet, instance: str) -> str | None:
    """The instance's lifecycle state in its group; None once it has gone."""
    members = fleet.shown().get("Instances", [])
    return next((each["LifecycleState"] for each in members if each["InstanceId"] == instance), None)


def served(fleet: Fleet, draining: str = "ENABLED", **limits: int) -> tuple[str, dict[str, Any]]:
    """A service's one task on a node of a group with capacity rebalancing: the instance, and the task."""
    fleet.cluster_with_nodes(1, draining=draining, CapacityRebalance=True)
    limits = limits or {"minimumHealthyPercent": 0, "maximumPercent": 100}
    fleet.service(1, deploymentConfiguration=limits)
    fleet.running(1)
    return fleet.in_service(1)[0]["InstanceId"], fleet.tasks()[0]


def stopped(fleet: Fleet, task: dict[str, Any]) -> dict[str, Any]:
    def look() -> dict[str, Any]:
        return fleet.ecs.describe_tasks(cluster="c", tasks=[task["taskArn"]])["tasks"][0]

    return eventually(look, lambda found: found["lastStatus"] == "STOPPED", seconds=12)


def node_status(fleet: Fleet, task: dict[str, Any]) -> str:
    arn = task["containerInstanceArn"]
    return fleet.ecs.describe_container_instances(cluster="c", containerInstances=[arn])["containerInstances"][0][
        "status"
    ]


def test_a_rebalanced_instance_is_drained_before_it_goes(fleet: Fleet) -> None:
    """The task moves, not dies: a minimum of 100 percent lets the old one stop only when the new one serves."""
    old, task = served(fleet, minimumHealthyPercent=100, maximumPercent=200)
    fleet.market(boot_seconds=1)
    fleet.interrupt(instance_ids=[old], events=["rebalance"])
    eventually(lambda: state(fleet, old), lambda found: found == "Terminating:Wait")
    assert [each["InstanceId"] for each in fleet.members()] != [old]
    assert eventually(lambda: node_status(fleet, task), lambda found: found == "DRAINING")
    assert fleet.seen()["runningCount"] == 1
    assert stopped(fleet, task)["stopCode"] != "TerminationNotice"
    assert fleet.running(1)
    assert fleet.tasks()[0]["containerInstanceArn"] != task["containerInstanceArn"]
    assert fleet.in_service(1)[0]["InstanceId"] != old


def test_without_managed_draining_tasks_die_with_a_rebalanced_instance(fleet: Fleet) -> None:
    """Nor does the agent's own draining help, since nothing tells it (ECS developer guide, "Spot Instance notices")."""
    old, task = served(fleet, draining="DISABLED")
    assert hooks(fleet) == []
    fleet.interrupt(instance_ids=[old], events=["rebalance"])
    assert stopped(fleet, task)["stopCode"] == "TerminationNotice"


def test_a_warning_before_the_replacement_serves_drains_at_once(fleet: Fleet) -> None:
    old, task = served(fleet)
    fleet.market(capacity={fleet.region: {"*": 0}})
    fleet.interrupt(instance_ids=[old], events=["rebalance", "warning"])
    assert node_status(fleet, task) == "DRAINING"
    assert state(fleet, old) == "InService"
    assert stopped(fleet, task)["stopCode"] != "TerminationNotice"


def test_an_interruption_does_not_wait_for_the_drain(fleet: Fleet) -> None:
    old, task = served(fleet, minimumHealthyPercent=100, maximumPercent=200)
    fleet.market(task_seconds=60)
    fleet.interrupt(instance_ids=[old], events=["rebalance"])
    eventually(lambda: state(fleet, old), lambda found: found == "Terminating:Wait")
    fleet.interrupt(instance_ids=[old], events=["loss"], notice_seconds=0)
    assert stopped(fleet, task)["stopCode"] == "TerminationNotice"
    eventually(lambda: state(fleet, old), lambda found: found is None)


def alone(fleet: Fleet, **market: Any) -> tuple[str, dict[str, Any]]:
    """A task of no service, on an instance that waits for it in ECS's hook."""
    fleet.cluster_with_nodes(1)
    fleet.market(**market)
    task = fleet.ecs.run_task(cluster="c", taskDefinition=fleet.definition(), launchType="EC2")["tasks"][0]
    instance = fleet.in_service(1)[0]["InstanceId"]
    fleet.asg.terminate_instance_in_auto_scaling_group(InstanceId=instance, ShouldDecrementDesiredCapacity=True)
    eventually(lambda: state(fleet, instance), lambda found: found == "Terminating:Wait")
    return instance, task


def test_ecs_waits_for_tasks_of_no_service_beyond_the_heartbeat(fleet: Fleet) -> None:
    """Draining stops tasks of services only; ECS keeps the hook alive until the last one has stopped, or for 48 hours."""
    # Its heartbeat of an hour is a second here.
    instance, task = alone(fleet, group_wait_scale=0.0003)
    time.sleep(1.6)
    assert state(fleet, instance) == "Terminating:Wait"
    fleet.ecs.stop_task(cluster="c", task=task["taskArn"])
    eventually(lambda: state(fleet, instance), lambda found: found is None)


def test_a_forced_deletion_asks_no_hook(fleet: Fleet) -> None:
    """botocore model: ForceDelete deletes outstanding lifecycle actions."""
    instance, task = alone(fleet)
    fleet.asg.delete_auto_scaling_group(AutoScalingGroupName="g", ForceDelete=True)
    eventually(fleet.shown, lambda found: found == {})
    assert fleet.instance(instance)["State"]["Name"] in ("shutting-down", "terminated")
    assert stopped(fleet, task)["stopCode"] == "TerminationNotice"


def test_a_provider_that_goes_takes_its_hook_and_lets_instances_go(fleet: Fleet) -> None:
    """botocore model, DeleteLifecycleHook: outstanding actions of terminating instances end with CONTINUE."""
    instance, _task = alone(fleet)
    fleet.ecs.put_cluster_capacity_providers(cluster="c", capacityProviders=[], defaultCapacityProviderStrategy=[])
    assert hooks(fleet) == []
    eventually(lambda: state(fleet, instance), lambda found: found is None)


def test_a_hook_that_was_deleted_comes_back_with_managed_draining(fleet: Fleet) -> None:
    fleet.cluster_with_nodes(1)
    fleet.asg.delete_lifecycle_hook(AutoScalingGroupName="g", LifecycleHookName=HOOK)
    for setting, expected in (("ENABLED", []), ("DISABLED", []), ("ENABLED", [HOOK])):
        answer = fleet.ecs.update_capacity_provider(name="g", autoScalingGroupProvider={"managedDraining": setting})
        assert answer["capacityProvider"]["updateStatus"] == "UPDATE_IN_PROGRESS"
        done = eventually(lambda: provider(fleet), lambda found: found["updateStatus"] == "UPDATE_COMPLETE")
        assert done["autoScalingGroupProvider"]["managedDraining"] == setting
        assert hooks(fleet) == expected
