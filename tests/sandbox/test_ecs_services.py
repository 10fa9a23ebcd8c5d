# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ECS on the instances of groups: joining, placing, losing, draining. Sources: aws-facts 3.7, ECS developer guide."""

from __future__ import annotations

import pytest
from fleet_kit import Fleet
from fleet_kit import eventually
from fleet_kit import refused
from sandbox_process import Sandbox

NO_INSTANCE = (
    "(service s) was unable to place a task because no container instance met all of its requirements. "
    "Reason: No Container Instances were found in your cluster."
)


@pytest.fixture
def fleet(sandbox: Sandbox) -> Fleet:
    return Fleet(sandbox)


def messages(fleet: Fleet) -> list[str]:
    return [event["message"] for event in fleet.seen()["events"]]


def resource(found: dict, name: str, kind: str = "remainingResources"):
    entry = next(each for each in found[kind] if each["name"] == name)
    return entry["integerValue"] if entry["type"] == "INTEGER" else entry["stringSetValue"]


def test_instances_join_with_the_resources_of_their_type(fleet: Fleet) -> None:
    fleet.cluster_with_nodes(1, types=("g4dn.12xlarge",))
    arn = fleet.nodes(1)[0]
    node = fleet.ecs.describe_container_instances(cluster="c", containerInstances=[arn])["containerInstances"][0]
    assert node["ec2InstanceId"] == fleet.in_service(1)[0]["InstanceId"]
    assert (node["status"], node["agentConnected"], node["capacityProviderName"]) == ("ACTIVE", True, "g")
    assert resource(node, "CPU", "registeredResources") == 48 * 1024
    assert 0.9 * 192 * 1024 < resource(node, "MEMORY", "registeredResources") < 192 * 1024
    assert len(set(resource(node, "GPU", "registeredResources"))) == 4
    assert {"name": "ecs.instance-type", "value": "g4dn.12xlarge"} in [
        {key: each[key] for key in ("name", "value") if key in each} for each in node["attributes"]
    ]
    assert fleet.ecs.describe_clusters(clusters=["c"])["clusters"][0]["registeredContainerInstancesCount"] == 1
    failures = fleet.ecs.describe_container_instances(cluster="c", containerInstances=["none"])["failures"]
    assert failures == [{"arn": "none", "reason": "MISSING"}]


def test_the_agent_calls_as_the_instances_role_and_needs_to_be_allowed(fleet: Fleet, sandbox: Sandbox) -> None:
    fleet.profile("closed", actions="s3:GetObject")
    fleet.ecs.create_cluster(clusterName="c")
    fleet.group(1, policy=fleet.policy(fleet.template(**fleet.joining(profile="closed"))))
    fleet.in_service(1)

    def registrations() -> list[dict]:
        return [call for call in sandbox.calls() if call["action"] == "RegisterContainerInstance"]

    denied = eventually(registrations, bool)[0]
    assert denied["code"] == "AccessDeniedException"
    assert ":assumed-role/closed/" in denied["principal"]
    assert fleet.nodes() == []
    sandbox.client("iam").put_role_policy(
        RoleName="closed",
        PolicyName="p",
        PolicyDocument='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecs:*","Resource":"*"}]}',
    )
    fleet.nodes(1)


def test_an_instance_without_profile_or_cluster_in_its_user_data_does_not_join(fleet: Fleet) -> None:
    fleet.profile()
    fleet.ecs.create_cluster(clusterName="c")
    alone = fleet.joining()
    del alone["IamInstanceProfile"]
    fleet.group(1, policy=fleet.policy(fleet.template(**alone)))
    fleet.group(1, name="h", policy=fleet.policy(fleet.template("u", IamInstanceProfile={"Name": "node"})))
    fleet.group(1, name="k", policy=fleet.policy(fleet.template("v", **fleet.joining())))
    fleet.nodes(1)
    node = fleet.ecs.describe_container_instances(cluster="c", containerInstances=fleet.nodes())["containerInstances"][
        0
    ]
    assert node["ec2InstanceId"] == fleet.in_service(1, "k")[0]["InstanceId"]


def test_a_service_runs_as_far_as_gpus_go_and_says_what_is_missing(fleet: Fleet) -> None:
    fleet.cluster_with_nodes(2)
    health = {"command": ["CMD-SHELL", "true"]}
    fleet.service(3, fleet.definition(healthCheck=health))
    fleet.running(2)
    missing = eventually(lambda: messages(fleet), lambda found: any("insufficient GPU" in each for each in found))
    assert any("The closest matching (container-instance " in each for each in missing)
    tasks = eventually(fleet.tasks, lambda found: all(each["healthStatus"] == "HEALTHY" for each in found))
    assert len({each["containerInstanceArn"] for each in tasks}) == 2
    assert {each["launchType"] for each in tasks} == {"EC2"}
    nodes = fleet.ecs.describe_container_instances(cluster="c", containerInstances=fleet.nodes(2))["containerInstances"]
    assert [resource(each, "GPU") for each in nodes] == [[], []]
    gpus = {each["containers"][0]["gpuIds"][0] for each in tasks}
    assert gpus == {resource(each, "GPU", "registeredResources")[0] for each in nodes}
    assert fleet.seen()["deployments"][0]["rolloutState"] == "IN_PROGRESS"
    fleet.resize(3)
    done = fleet.running(3)
    assert eventually(fleet.seen, lambda it: it["deployments"][0]["rolloutState"] == "COMPLETED")
    assert done["desiredCount"] == 3
    assert "(service s) has reached a steady state." in messages(fleet)


def test_tasks_go_from_pending_to_running(fleet: Fleet) -> None:
    fleet.market(task_seconds=1)
    fleet.cluster_with_nodes(1)
    heard = fleet.listen({"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"]})
    task = fleet.ecs.run_task(cluster="c", taskDefinition=fleet.definition(), launchType="EC2")["tasks"][0]
    assert (task["lastStatus"], task["desiredStatus"]) == ("PENDING", "RUNNING")
    assert "startedAt" not in task
    eventually(fleet.tasks, lambda found: found[0]["lastStatus"] == "RUNNING")
    events = eventually(heard, lambda found: len(found) == 2)
    assert [each["detail"]["lastStatus"] for each in events] == ["PENDING", "RUNNING"]
    assert events[0]["resources"] == [task["taskArn"]]


def test_awsvpc_tasks_are_provisioned_first(fleet: Fleet) -> None:
    fleet.market(task_seconds=1)
    fleet.cluster_with_nodes(1)
    fleet.ecs.register_task_definition(
        family="v", networkMode="awsvpc", containerDefinitions=[{"name": "x", "image": "x", "memory": 128}]
    )
    task = fleet.ecs.run_task(
        cluster="c",
        taskDefinition="v",
        launchType="EC2",
        networkConfiguration={"awsvpcConfiguration": {"subnets": fleet.subnets[:1]}},
    )["tasks"][0]
    assert task["lastStatus"] == "PROVISIONING"
    eventually(fleet.tasks, lambda found: found[0]["lastStatus"] == "RUNNING")


def test_run_task_tells_why_it_cannot_place(fleet: Fleet) -> None:
    """API failure reasons: RESOURCE:GPU and the like, one for each instance."""
    fleet.profile()
    fleet.ecs.create_cluster(clusterName="c")
    one = fleet.definition()
    with refused("InvalidParameterException", "No Container Instances were found in your cluster."):
        fleet.ecs.run_task(cluster="c", taskDefinition=one, launchType="EC2")
    fleet.group(1, policy=fleet.policy(fleet.template(**fleet.joining()), ("g4dn.xlarge",)))
    arn = fleet.nodes(1)[0]
    cases = {
        "RESOURCE:GPU": fleet.definition(2, "two"),
        "RESOURCE:CPU": fleet.definition(0, "cpu", cpu=8192),
        "RESOURCE:MEMORY": fleet.definition(0, "memory", memory=64_000),
        "RESOURCE:PORTS": fleet.definition(0, "port", portMappings=[{"containerPort": 22, "hostPort": 22}]),
    }
    for reason, definition in cases.items():
        answer = fleet.ecs.run_task(cluster="c", taskDefinition=definition, launchType="EC2")
        assert answer["tasks"] == []
        assert answer["failures"] == [{"arn": arn, "reason": reason}]
    answer = fleet.ecs.run_task(cluster="c", taskDefinition=one, launchType="EC2", count=2)
    assert len(answer["tasks"]) == 1
    assert answer["failures"] == [{"arn": arn, "reason": "RESOURCE:GPU"}]
    fleet.ecs.stop_task(cluster="c", task=answer["tasks"][0]["taskArn"])
    assert fleet.ecs.run_task(cluster="c", taskDefinition=one, launchType="EC2")["failures"] == []


def test_fixed_ports_are_taken_once_per_instance(fleet: Fleet) -> None:
    fleet.cluster_with_nodes(2)
    fleet.service(3, fleet.definition(0, portMappings=[{"containerPort": 80, "hostPort": 80}]))
    fleet.running(2)
    eventually(lambda: messages(fleet), lambda found: any("already using a port" in each for each in found))


def test_a_service_without_instances_waits_and_goes_on_when_they_come(fleet: Fleet) -> None:
    fleet.cluster_with_nodes(0)
    heard = fleet.listen({"source": ["aws.ecs"], "detail-type": ["ECS Service Action"]})
    fleet.service(1)
    assert messages(fleet)[0].startswith(NO_INSTANCE)
    event = eventually(heard, bool)[0]
    assert event["detail"]["eventName"] == "SERVICE_TASK_PLACEMENT_FAILURE"
    assert event["resources"] == [fleet.seen()["serviceArn"]]
    fleet.resize(1)
    fleet.running(1)


def test_a_strategy_places_on_its_providers_group_only_and_does_not_fall_back(fleet: Fleet) -> None:
    fleet.profile()
    fleet.ecs.create_cluster(clusterName="c")
    template = fleet.template(**fleet.joining())
    fleet.group(1, policy=fleet.policy(template))
    fleet.group(1, name="h", policy=fleet.policy(template, OnDemandPercentageAboveBaseCapacity=100))
    fleet.provide("g", "h")
    fleet.nodes(2)
    fleet.service(2, capacityProviderStrategy=[{"capacityProvider": "h", "weight": 1}])
    fleet.running(1)
    task = fleet.tasks()[0]
    assert task["capacityProviderName"] == "h"
    node = fleet.ecs.describe_container_instances(cluster="c", containerInstances=[task["containerInstanceArn"]])
    assert node["containerInstances"][0]["ec2InstanceId"] == fleet.in_service(1, "h")[0]["InstanceId"]
    eventually(lambda: messages(fleet), lambda found: any("insufficient GPU" in each for each in found))
    fleet.ecs.update_service(
        cluster="c",
        service="s",
        capacityProviderStrategy=[{"capacityProvider": "g", "weight": 1}, {"capacityProvider": "h", "weight": 1}],
    )
    fleet.running(2)
    assert {each["capacityProviderName"] for each in fleet.tasks()} == {"g", "h"}


def test_tasks_stop_with_their_instance_and_come_back_on_the_next(fleet: Fleet) -> None:
    fleet.cluster_with_nodes(1)
    fleet.service(1)
    fleet.running(1)
    before = fleet.tasks()[0]
    lost = fleet.in_service(1)[0]["InstanceId"]
    fleet.interrupt(asg="g", events=["loss"], notice_seconds=0)
    stopped = eventually(lambda: fleet.tasks("STOPPED"), bool)[0]
    assert stopped["taskArn"] == before["taskArn"]
    assert stopped["stoppedReason"] == f"Host EC2 (instance {lost}) terminated."
    after = eventually(fleet.tasks, lambda found: [each["lastStatus"] for each in found] == ["RUNNING"], seconds=15)[0]
    assert after["containerInstanceArn"] != before["containerInstanceArn"]
    assert before["containerInstanceArn"] not in fleet.nodes(1)


def test_a_standalone_task_is_not_replaced(fleet: Fleet) -> None:
    fleet.cluster_with_nodes(1)
    fleet.ecs.run_task(cluster="c", taskDefinition=fleet.definition(), launchType="EC2")
    old = fleet.nodes(1)
    fleet.interrupt(asg="g", events=["loss"], notice_seconds=0)
    eventually(
        lambda: fleet.ecs.list_container_instances(cluster="c")["containerInstanceArns"], lambda now: now and now != old
    )
    assert fleet.tasks() == []


@pytest.mark.parametrize("draining", [True, False])
def test_spot_draining_is_off_unless_the_user_data_turns_it_on(fleet: Fleet, draining: bool) -> None:
    """aws-facts 3.7. Without managed draining, which hears of warnings by itself."""
    more = "ECS_ENABLE_SPOT_INSTANCE_DRAINING=true" if draining else ""
    fleet.cluster_with_nodes(1, more=more, draining="DISABLED")
    fleet.service(1)
    fleet.running(1)
    node = fleet.nodes(1)
    fleet.interrupt(asg="g", events=["warning"])
    found = fleet.ecs.describe_container_instances(cluster="c", containerInstances=node)["containerInstances"][0]
    assert found["status"] == ("DRAINING" if draining else "ACTIVE")
    assert fleet.seen()["runningCount"] == (0 if draining else 1)


def test_draining_respects_the_minimum_healthy_percentage(fleet: Fleet) -> None:
    fleet.cluster_with_nodes(1)
    limits = {"minimumHealthyPercent": 100, "maximumPercent": 200}
    fleet.service(1, deploymentConfiguration=limits)
    fleet.running(1)
    old = fleet.nodes(1)
    fleet.ecs.update_container_instances_state(cluster="c", containerInstances=old, status="DRAINING")
    assert fleet.running(1)
    assert fleet.tasks()[0]["containerInstanceArn"] == old[0]
    fleet.resize(2)
    moved = eventually(
        fleet.tasks, lambda found: len(found) == 1 and found[0]["containerInstanceArn"] != old[0], seconds=12
    )
    assert moved[0]["lastStatus"] == "RUNNING"


def test_managed_draining_hooks_the_group_and_empties_instances_before_they_go(fleet: Fleet) -> None:
    """aws-facts 3.7: on by default, works by an ASG lifecycle hook; the hook goes with the provider."""
    fleet.cluster_with_nodes(2)
    hooks = fleet.asg.describe_lifecycle_hooks(AutoScalingGroupName="g")["LifecycleHooks"]
    assert [each["LifecycleHookName"] for each in hooks] == ["ecs-managed-draining-termination-hook"]
    fleet.service(2)
    fleet.running(2)
    fleet.ecs.update_service(cluster="c", service="s", desiredCount=1)
    fleet.running(1)
    fleet.resize(1)
    fleet.in_service(1)
    fleet.running(1)
    fleet.ecs.update_service(cluster="c", service="s", desiredCount=0)
    fleet.ecs.delete_service(cluster="c", service="s")
    fleet.ecs.put_cluster_capacity_providers(cluster="c", capacityProviders=[], defaultCapacityProviderStrategy=[])
    assert fleet.asg.describe_lifecycle_hooks(AutoScalingGroupName="g")["LifecycleHooks"] == []


def test_a_new_definition_rolls_out_within_the_percentages(fleet: Fleet) -> None:
    fleet.cluster_with_nodes(1)
    fleet.service(1)
    fleet.running(1)
    second = fleet.definition()
    fleet.ecs.update_service(cluster="c", service="s", taskDefinition=second)
    done = eventually(
        fleet.seen, lambda it: len(it["deployments"]) == 1 and it["deployments"][0]["rolloutState"] == "COMPLETED"
    )
    assert done["taskDefinition"] == second
    assert {each["taskDefinitionArn"] for each in fleet.tasks()} == {second}
    fleet.ecs.update_service(
        cluster="c",
        service="s",
        forceNewDeployment=True,
        deploymentConfiguration={"minimumHealthyPercent": 100, "maximumPercent": 100},
    )
    assert len(fleet.seen()["deployments"]) == 2
    assert [each["taskDefinitionArn"] for each in fleet.tasks()] == [second]


def test_counts_go_up_and_down(fleet: Fleet) -> None:
    fleet.cluster_with_nodes(3)
    fleet.service(0)
    assert eventually(fleet.seen, lambda it: it["deployments"][0]["rolloutState"] == "COMPLETED")
    for count in (3, 1, 2, 0):
        fleet.ecs.update_service(cluster="c", service="s", desiredCount=count)
        found = fleet.running(count)
        assert found["deployments"][0]["runningCount"] == count
    assert fleet.ecs.describe_clusters(clusters=["c"])["clusters"][0]["runningTasksCount"] == 0


def test_a_stopped_task_of_a_service_is_replaced(fleet: Fleet) -> None:
    fleet.cluster_with_nodes(1)
    fleet.service(1)
    fleet.running(1)
    old = fleet.tasks()[0]["taskArn"]
    fleet.ecs.stop_task(cluster="c", task=old, reason="test")
    eventually(
        fleet.tasks,
        lambda found: [(each["taskArn"] != old, each["lastStatus"]) for each in found] == [(True, "RUNNING")],
    )
    stopped = fleet.tasks("STOPPED")[0]
    assert (stopped["stopCode"], stopped["stoppedReason"]) == ("UserInitiated", "test")


def test_tasks_carry_the_services_tags_where_it_says_so(fleet: Fleet) -> None:
    fleet.cluster_with_nodes(1)
    fleet.service(1, tags=[{"key": "a", "value": "b"}], propagateTags="SERVICE", enableECSManagedTags=True)
    fleet.running(1)
    arns = fleet.ecs.list_tasks(cluster="c")["taskArns"]
    task = fleet.ecs.describe_tasks(cluster="c", tasks=arns, include=["TAGS"])["tasks"][0]
    assert {each["key"]: each["value"] for each in task["tags"]} == {
        "a": "b",
        "aws:ecs:clusterName": "c",
        "aws:ecs:serviceName": "s",
    }


def test_distinct_instances(fleet: Fleet) -> None:
    fleet.cluster_with_nodes(1)
    fleet.service(2, fleet.definition(0), placementConstraints=[{"type": "distinctInstance"}])
    fleet.running(1)
    fleet.resize(2)
    fleet.running(2)


def test_fargate_needs_no_instances(fleet: Fleet) -> None:
    fleet.ecs.create_cluster(clusterName="c", capacityProviders=["FARGATE"], defaultCapacityProviderStrategy=[])
    fleet.ecs.register_task_definition(
        family="f",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[{"name": "x", "image": "x"}],
    )
    network = {"awsvpcConfiguration": {"subnets": fleet.subnets[:1]}}
    fleet.service(2, "f", launchType="FARGATE", networkConfiguration=network)
    fleet.running(2)
    strategy = [{"capacityProvider": "FARGATE", "weight": 1}]
    ran = fleet.ecs.run_task(
        cluster="c", taskDefinition="f", capacityProviderStrategy=strategy, networkConfiguration=network
    )
    assert len(ran["tasks"]) == 1


def test_an_instance_is_deregistered_by_force_only_while_it_runs_tasks(fleet: Fleet) -> None:
    fleet.cluster_with_nodes(1)
    fleet.ecs.run_task(cluster="c", taskDefinition=fleet.definition(), launchType="EC2")
    arn = fleet.nodes(1)[0]
    with refused("InvalidParameterException", "Found running tasks"):
        fleet.ecs.deregister_container_instance(cluster="c", containerInstance=arn)
    fleet.ecs.deregister_container_instance(cluster="c", containerInstance=arn, force=True)
    assert fleet.nodes() == []
    assert fleet.tasks() == []
