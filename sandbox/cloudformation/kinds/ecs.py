# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ECS: clusters, capacity providers, task definitions, services."""

from __future__ import annotations

import time
from typing import Any

from sandbox.cloudformation.kinds.base import Call
from sandbox.cloudformation.kinds.base import Kind
from sandbox.cloudformation.kinds.base import Properties
from sandbox.cloudformation.kinds.base import first
from sandbox.cloudformation.kinds.base import gone_is_fine
from sandbox.cloudformation.kinds.base import request
from sandbox.cloudformation.kinds.base import same_order
from sandbox.cloudformation.kinds.base import tag_changes
from sandbox.cloudformation.kinds.base import tag_list
from sandbox.cloudformation.kinds.base import tags_like


class EcsKind(Kind):
    service = "ecs"

    def tags(self, properties: Properties) -> dict[str, Any]:
        return {"tags": tag_list(properties["Tags"], "key", "value")} if properties.get("Tags") else {}

    def retag(self, call: Call, arn: str, old: Properties, new: Properties) -> None:
        setting, removing = tag_changes(old.get("Tags"), new.get("Tags"))
        if removing:
            self.api(call).untag_resource(resourceArn=arn, tagKeys=removing)
        if setting:
            self.api(call).tag_resource(resourceArn=arn, tags=tag_list(setting, "key", "value"))


class Cluster(EcsKind):
    kind = "AWS::ECS::Cluster"
    given = ("Configuration", "ServiceConnectDefaults")
    providers = ("CapacityProviders", "DefaultCapacityProviderStrategy")

    def create(self, call: Call, wanted: Properties) -> str:
        ecs = self.api(call)
        names = (*self.given, *self.providers)
        arguments = request(ecs, "create_cluster", wanted, names, settings="ClusterSettings")
        name = wanted.get("ClusterName") or call.name(255)
        ecs.create_cluster(clusterName=name, **arguments, **self.tags(wanted))
        return name

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        ecs = self.api(call)
        if any(old.get(name) != new.get(name) for name in ("ClusterSettings", *self.given)):
            settings = new.get("ClusterSettings") or [{"Name": "containerInsights", "Value": "disabled"}]
            arguments = request(
                ecs, "update_cluster", {**new, "ClusterSettings": settings}, self.given, settings="ClusterSettings"
            )
            ecs.update_cluster(cluster=physical, **arguments)
        if any(old.get(name) != new.get(name) for name in self.providers):
            lists = {name: new.get(name, []) for name in self.providers}
            ecs.put_cluster_capacity_providers(
                cluster=physical, **request(ecs, "put_cluster_capacity_providers", lists, self.providers)
            )
        self.retag(call, self.attributes(call, physical, new)["Arn"], old, new)

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        gone_is_fine(self.api(call).delete_cluster, cluster=physical)

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        found = find_cluster(self.api(call), physical)
        if found is None:
            return None
        actual = self.shown(found, ("ClusterName", *self.given), ClusterSettings="settings")
        for name in self.providers:
            if name in expected:
                actual.update(self.shown(found, (name,)))
        return {**actual, "Tags": tags_like(found.get("tags"), expected.get("Tags"))}

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        return {"Arn": (find_cluster(self.api(call), physical) or {})["clusterArn"]}


def find_cluster(ecs: Any, cluster: str) -> dict | None:
    found = first(ecs.describe_clusters(clusters=[cluster], include=["SETTINGS", "CONFIGURATIONS", "TAGS"])["clusters"])
    return None if found is None or found["status"] == "INACTIVE" else found


class CapacityProvider(EcsKind):
    kind = "AWS::ECS::CapacityProvider"

    def create(self, call: Call, wanted: Properties) -> str:
        ecs = self.api(call)
        arguments = request(ecs, "create_capacity_provider", wanted, ("AutoScalingGroupProvider",))
        name = wanted.get("Name") or call.name(255)
        ecs.create_capacity_provider(name=name, **arguments, **self.tags(wanted))
        return name

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        ecs = self.api(call)
        if old.get("AutoScalingGroupProvider") != new.get("AutoScalingGroupProvider"):
            settings = {
                key: value for key, value in new["AutoScalingGroupProvider"].items() if key != "AutoScalingGroupArn"
            }
            changed = {"AutoScalingGroupProvider": settings}
            arguments = request(ecs, "update_capacity_provider", changed, ("AutoScalingGroupProvider",))
            ecs.update_capacity_provider(name=physical, **arguments)
            self._settle(call, physical)
        self.retag(call, (self._find(call, physical) or {})["capacityProviderArn"], old, new)

    def _settle(self, call: Call, provider: str) -> None:
        for _turn in range(200):
            if (self._find(call, provider) or {}).get("updateStatus") != "UPDATE_IN_PROGRESS":
                return
            time.sleep(0.05)
        raise ValueError(f"Capacity provider {provider} is still being updated")

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        if self._find(call, physical):
            self.api(call).delete_capacity_provider(capacityProvider=physical)

    def _find(self, call: Call, provider: str) -> dict | None:
        try:
            answer = self.api(call).describe_capacity_providers(capacityProviders=[provider], include=["TAGS"])
        except self.api(call).exceptions.InvalidParameterException:
            # A name that never existed is refused, a deleted one listed under `failures`.
            return None
        found = first(answer["capacityProviders"])
        return None if found is None or found["status"] == "INACTIVE" else found

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        found = self._find(call, physical)
        if found is None:
            return None
        actual = self.shown(found, ("Name", "AutoScalingGroupProvider"))
        return {**actual, "Tags": tags_like(found.get("tags"), expected.get("Tags"))}


class ClusterCapacityProviderAssociations(EcsKind):
    kind = "AWS::ECS::ClusterCapacityProviderAssociations"
    given = ("CapacityProviders", "DefaultCapacityProviderStrategy")

    def _put(self, call: Call, cluster: str, wanted: Properties) -> None:
        ecs = self.api(call)
        lists = {name: wanted.get(name, []) for name in self.given}
        ecs.put_cluster_capacity_providers(
            cluster=cluster, **request(ecs, "put_cluster_capacity_providers", lists, self.given)
        )

    def create(self, call: Call, wanted: Properties) -> str:
        self._put(call, wanted["Cluster"], wanted)
        return wanted["Cluster"]

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        self._put(call, physical, new)

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        if find_cluster(self.api(call), physical):
            self._put(call, physical, {})

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        found = find_cluster(self.api(call), physical)
        if found is None or not found.get("capacityProviders"):
            return None
        actual = self.shown(found, self.given)
        actual["CapacityProviders"] = same_order(actual["CapacityProviders"], expected.get("CapacityProviders"))
        return {**actual, "Cluster": expected["Cluster"]}


class TaskDefinition(EcsKind):
    kind = "AWS::ECS::TaskDefinition"

    @property
    def given(self) -> list[str]:
        return [name for name in self.schema.names if name not in ("TaskDefinitionArn", "Tags", "Family")]

    def create(self, call: Call, wanted: Properties) -> str:
        ecs = self.api(call)
        names = [name for name in self.given if name in wanted]
        arguments = request(ecs, "register_task_definition", wanted, names)
        family = wanted.get("Family") or call.name(255)
        answer = ecs.register_task_definition(family=family, **arguments, **self.tags(wanted))
        return answer["taskDefinition"]["taskDefinitionArn"]

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        self.retag(call, physical, old, new)

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        gone_is_fine(self.api(call).deregister_task_definition, taskDefinition=physical)

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        answer = gone_is_fine(self.api(call).describe_task_definition, taskDefinition=physical, include=["TAGS"])
        if answer is None or answer["taskDefinition"]["status"] != "ACTIVE":
            return None
        actual = self.shown(answer["taskDefinition"], (*self.given, "Family"))
        return {**actual, "Tags": tags_like(answer.get("tags"), expected.get("Tags"))}

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        return {"TaskDefinitionArn": physical}


class Service(EcsKind):
    kind = "AWS::ECS::Service"
    changeable = (
        "TaskDefinition",
        "DesiredCount",
        "AvailabilityZoneRebalancing",
        "CapacityProviderStrategy",
        "DeploymentConfiguration",
        "EnableECSManagedTags",
        "EnableExecuteCommand",
        "HealthCheckGracePeriodSeconds",
        "LoadBalancers",
        "NetworkConfiguration",
        "PlacementConstraints",
        "PlatformVersion",
        "PropagateTags",
        "ServiceConnectConfiguration",
        "ServiceRegistries",
    )
    fixed = ("Cluster", "DeploymentController", "LaunchType", "Role", "SchedulingStrategy")
    unreadable = {
        "ForceNewDeployment": "an instruction to the call that updates the service",
        "ServiceConnectConfiguration": "shown in deployments only",
    }

    def _arguments(self, call: Call, method: str, properties: Properties, names: tuple[str, ...]) -> dict[str, Any]:
        ecs = self.api(call)
        arguments = request(ecs, method, properties, [name for name in names if name in properties])
        if "PlacementStrategies" in properties:
            arguments.update(request(ecs, method, properties, placementStrategy="PlacementStrategies"))
        return arguments

    def create(self, call: Call, wanted: Properties) -> str:
        arguments = self._arguments(call, "create_service", wanted, (*self.changeable, *self.fixed))
        name = wanted.get("ServiceName") or call.name(255)
        answer = self.api(call).create_service(serviceName=name, **arguments, **self.tags(wanted))
        return answer["service"]["serviceArn"]

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        names = [*self.changeable, "PlacementStrategies"]
        changed = {name: new[name] for name in names if name in new and old.get(name) != new[name]}
        for name in (
            "CapacityProviderStrategy",
            "PlacementConstraints",
            "PlacementStrategies",
            "ServiceRegistries",
            "LoadBalancers",
        ):
            if name in old and name not in new:
                changed[name] = []
        if changed:
            arguments = self._arguments(call, "update_service", changed, self.changeable)
            self.api(call).update_service(service=physical, **self._cluster(new), **arguments)
        self.retag(call, physical, old, new)

    def _cluster(self, properties: Properties) -> dict[str, str]:
        return {"cluster": properties["Cluster"]} if "Cluster" in properties else {}

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        found = self._find(call, physical, properties)
        if not found:
            return
        gone_is_fine(self.api(call).delete_service, service=physical, force=True, **self._cluster(properties))
        for _turn in range(200):
            if not self._find(call, physical, properties):
                return
            time.sleep(0.05)
        raise ValueError(f"Service {physical} is still draining")

    def _find(self, call: Call, service: str, properties: Properties) -> dict | None:
        describe = self.api(call).describe_services
        answer = gone_is_fine(describe, services=[service], include=["TAGS"], **self._cluster(properties))
        found = first(answer["services"]) if answer else None
        return None if found is None or found["status"] == "INACTIVE" else found

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        found = self._find(call, physical, expected)
        if found is None:
            return None
        names = [name for name in (*self.changeable, *self.fixed) if name not in ("Cluster", "TaskDefinition", "Role")]
        actual = self.shown(
            found, names, ServiceName="serviceName", Role="roleArn", PlacementStrategies="placementStrategy"
        )
        for name, member in (("Cluster", "clusterArn"), ("TaskDefinition", "taskDefinition")):
            actual[name] = _as_given(found[member], expected.get(name))
        return {**actual, "Tags": tags_like(found.get("tags"), expected.get("Tags"))}

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        return {"ServiceArn": physical, "Name": physical.rsplit("/", 1)[-1]}


def _as_given(arn: str, expected: str | None) -> str:
    """A cluster's or task definition's ARN as the template names it: by ARN, by name, or by family."""
    tail = arn.rsplit("/", 1)[-1]
    return expected if expected in (arn, tail, tail.partition(":")[0]) and expected else arn


KINDS = (Cluster, CapacityProvider, ClusterCapacityProviderAssociations, TaskDefinition, Service)
