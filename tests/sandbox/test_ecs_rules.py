# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clusters, capacity providers, services: what is refused. Sources: botocore model, aws-facts 3.7."""

from __future__ import annotations

import pytest
from fleet_kit import Fleet
from fleet_kit import eventually
from fleet_kit import refused
from sandbox_process import Sandbox


@pytest.fixture
def fleet(sandbox: Sandbox) -> Fleet:
    return Fleet(sandbox)


def provider(fleet: Fleet, name: str) -> dict:
    found = fleet.ecs.describe_capacity_providers(capacityProviders=[name])["capacityProviders"]
    return found[0] if found else {}


def associate(fleet: Fleet, *names: str) -> None:
    fleet.ecs.put_cluster_capacity_providers(
        cluster="c", capacityProviders=list(names), defaultCapacityProviderStrategy=[]
    )
    eventually(lambda: attachments(fleet), lambda status: status == "UPDATE_COMPLETE")


def attachments(fleet: Fleet) -> str:
    return fleet.ecs.describe_clusters(clusters=["c"], include=["ATTACHMENTS"])["clusters"][0]["attachmentsStatus"]


def test_a_cluster_in_use_cannot_be_deleted(fleet: Fleet) -> None:
    fleet.cluster_with_nodes(1)
    with refused("ClusterContainsContainerInstancesException"):
        fleet.ecs.delete_cluster(cluster="c")
    fleet.service(1)
    with refused("ClusterContainsServicesException"):
        fleet.ecs.delete_cluster(cluster="c")
    fleet.ecs.delete_service(cluster="c", service="s", force=True)
    fleet.resize(0)
    fleet.nodes(0)
    assert fleet.ecs.delete_cluster(cluster="c")["cluster"]["status"] == "INACTIVE"
    with refused("ClusterNotFoundException"):
        fleet.ecs.delete_cluster(cluster="c")


def test_nothing_creates_a_cluster_by_the_way(fleet: Fleet) -> None:
    definition = fleet.definition()
    with refused("ClusterNotFoundException"):
        fleet.ecs.create_service(cluster="none", serviceName="s", taskDefinition=definition, desiredCount=0)
    with refused("ClusterNotFoundException"):
        fleet.ecs.run_task(cluster="none", taskDefinition=definition)


def test_a_provider_needs_a_group_of_its_own(fleet: Fleet) -> None:
    fleet.group()
    arn = fleet.shown()["AutoScalingGroupARN"]
    with refused("ClientException", "Specify a valid ARN"):
        fleet.ecs.create_capacity_provider(name="p", autoScalingGroupProvider={"autoScalingGroupArn": arn + "x"})
    with refused("InvalidParameterException", "name is invalid"):
        fleet.ecs.create_capacity_provider(name="aws-p", autoScalingGroupProvider={"autoScalingGroupArn": arn})
    made = fleet.ecs.create_capacity_provider(name="p", autoScalingGroupProvider={"autoScalingGroupArn": arn})
    settings = made["capacityProvider"]["autoScalingGroupProvider"]
    assert settings["managedDraining"] == "ENABLED"
    assert settings["managedTerminationProtection"] == "DISABLED"
    with refused("ClientException", "already exists"):
        fleet.ecs.create_capacity_provider(name="p", autoScalingGroupProvider={"autoScalingGroupArn": arn})
    with refused("ClientException", "already being used by another capacity provider"):
        fleet.ecs.create_capacity_provider(name="q", autoScalingGroupProvider={"autoScalingGroupArn": arn})


def test_termination_protection_needs_managed_scaling_and_a_protected_group(fleet: Fleet) -> None:
    fleet.group()
    arn = fleet.shown()["AutoScalingGroupARN"]
    wanted = {"autoScalingGroupArn": arn, "managedTerminationProtection": "ENABLED"}
    with refused("InvalidParameterException", "managed scaling must be enabled"):
        fleet.ecs.create_capacity_provider(name="p", autoScalingGroupProvider=wanted)
    wanted["managedScaling"] = {"status": "ENABLED"}
    with refused("ClientException", "protection from scale in"):
        fleet.ecs.create_capacity_provider(name="p", autoScalingGroupProvider=wanted)
    fleet.asg.update_auto_scaling_group(AutoScalingGroupName="g", NewInstancesProtectedFromScaleIn=True)
    fleet.ecs.create_capacity_provider(name="p", autoScalingGroupProvider=wanted)


def test_managed_scaling_tags_the_group(fleet: Fleet) -> None:
    """aws-facts 3.7, containers-roadmap#935."""
    fleet.ecs.create_cluster(clusterName="c")
    fleet.group()
    arn = fleet.shown()["AutoScalingGroupARN"]
    settings = {"autoScalingGroupArn": arn, "managedScaling": {"status": "ENABLED"}}
    fleet.ecs.create_capacity_provider(name="p", autoScalingGroupProvider=settings)
    associate(fleet, "p")
    assert [tag["Key"] for tag in fleet.shown()["Tags"]] == ["AmazonECSManaged"]


def test_associations_take_a_while_and_exclude_each_other(fleet: Fleet) -> None:
    fleet.ecs.create_cluster(clusterName="c")
    fleet.group()
    fleet.ecs.create_capacity_provider(
        name="p", autoScalingGroupProvider={"autoScalingGroupArn": fleet.shown()["AutoScalingGroupARN"]}
    )
    put = {"cluster": "c", "capacityProviders": ["p"], "defaultCapacityProviderStrategy": []}
    assert fleet.ecs.put_cluster_capacity_providers(**put)["cluster"]["attachmentsStatus"] == "UPDATE_IN_PROGRESS"
    with refused("UpdateInProgressException"):
        fleet.ecs.put_cluster_capacity_providers(**put)
    eventually(lambda: attachments(fleet), lambda status: status == "UPDATE_COMPLETE")
    for names, strategy in ((["none"], []), (["p"], [{"capacityProvider": "none", "weight": 1}])):
        with refused("InvalidParameterException"):
            fleet.ecs.put_cluster_capacity_providers(
                cluster="c", capacityProviders=names, defaultCapacityProviderStrategy=strategy
            )


def test_a_provider_in_use_stays_and_a_deleted_one_goes_after_a_while(fleet: Fleet) -> None:
    fleet.cluster_with_nodes(1)
    fleet.service(1, capacityProviderStrategy=[{"capacityProvider": "g", "weight": 1}])
    fleet.running(1)
    with refused("ResourceInUseException"):
        fleet.ecs.put_cluster_capacity_providers(cluster="c", capacityProviders=[], defaultCapacityProviderStrategy=[])
    with refused("ClientException", "in use and cannot be removed"):
        fleet.ecs.delete_capacity_provider(capacityProvider="g")
    fleet.ecs.delete_service(cluster="c", service="s", force=True)
    associate(fleet)
    shown = fleet.ecs.delete_capacity_provider(capacityProvider="g")["capacityProvider"]
    assert shown["updateStatus"] == "DELETE_IN_PROGRESS"
    eventually(lambda: provider(fleet, "g"), lambda found: found == {})
    failures = fleet.ecs.describe_capacity_providers(capacityProviders=["g"])["failures"]
    assert [each["reason"] for each in failures] == ["MISSING"]


def test_services_are_named_once_and_their_strategies_checked(fleet: Fleet) -> None:
    fleet.cluster_with_nodes(0)
    fleet.service(0)
    with refused("InvalidParameterException", "Creation of service was not idempotent."):
        fleet.service(0)
    definition = fleet.definition()
    base = {"cluster": "c", "serviceName": "t", "taskDefinition": definition, "desiredCount": 0}
    item = {"capacityProvider": "g", "weight": 1}
    for options, text in (
        ({"capacityProviderStrategy": [{**item, "capacityProvider": "none"}]}, "not associated with the cluster"),
        ({"capacityProviderStrategy": [{**item, "weight": 0}]}, "weight greater than 0"),
        ({"capacityProviderStrategy": [item], "launchType": "EC2"}, "Specifying both a launch type"),
    ):
        with refused("InvalidParameterException", text):
            fleet.ecs.create_service(**base, **options)
    with refused("ClientException"):
        fleet.ecs.create_service(**{**base, "taskDefinition": "none"})


def test_deleted_services_are_inactive_and_unknown_ones_not_found(fleet: Fleet) -> None:
    fleet.cluster_with_nodes(1)
    fleet.service(1)
    fleet.running(1)
    with refused("InvalidParameterException", "scaled above 0"):
        fleet.ecs.delete_service(cluster="c", service="s")
    fleet.ecs.update_service(cluster="c", service="s", desiredCount=0)
    fleet.ecs.delete_service(cluster="c", service="s")
    assert fleet.seen()["status"] == "INACTIVE"
    with refused("ServiceNotActiveException"):
        fleet.ecs.update_service(cluster="c", service="s", desiredCount=1)
    with refused("ServiceNotFoundException"):
        fleet.ecs.update_service(cluster="c", service="none", desiredCount=1)
    fleet.service(1)
    fleet.running(1)
