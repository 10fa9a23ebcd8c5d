# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ECS actions on tasks, services and container instances: ministack's, with AWS's checks before and our scheduler behind.

Sources: botocore model; ECS API reference for codes and texts.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

from ministack.core import responses
from ministack.core.responses import json_response
from ministack.services import ecs
from moto.ec2.models import ec2_backends
from moto.utilities.utils import get_partition

from sandbox.ecs import nodes
from sandbox.ecs import placement
from sandbox.ecs import runs
from sandbox.ecs.nodes import Node
from sandbox.ecs.refusal import Refusal
from sandbox.ecs.refusal import cluster_name
from sandbox.ecs.scheduler import Scheduler
from sandbox.ecs.scheduler import on_fargate

MOST_TASKS = 10
Data = dict[str, Any]

_create_service = ecs._create_service
_update_service = ecs._update_service
_delete_service = ecs._delete_service
_describe_services = ecs._describe_services
_describe_tasks = ecs._describe_tasks
_list_tasks = ecs._list_tasks
_describe_clusters = ecs._describe_clusters
_stop_task = ecs._stop_task
_reconcile = ecs._reconcile_service_tasks
_run_task = ecs._run_task


class Actions:
    """The handlers, by action name in `table`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._creating = False
        self.table: dict[str, Callable[[Data], Any]] = {
            "RunTask": self.run_task,
            "StartTask": self.start_task,
            "StopTask": self.stop_task,
            "DescribeTasks": lambda data: self._after_advance(_describe_tasks, data),
            "ListTasks": self.list_tasks,
            "CreateService": self.create_service,
            "UpdateService": self.update_service,
            "DeleteService": self.delete_service,
            "DescribeServices": lambda data: self._after_advance(_describe_services, data),
            "DescribeClusters": lambda data: self._after_advance(_describe_clusters, data),
            "RegisterContainerInstance": self.register_container_instance,
            "DeregisterContainerInstance": self.deregister_container_instance,
            "ListContainerInstances": self.list_container_instances,
            "DescribeContainerInstances": self.describe_container_instances,
            "UpdateContainerInstancesState": self.update_container_instances_state,
        }

    def _after_advance(self, handler: Callable[[Data], Any], data: Data) -> Any:
        self._scheduler.advance()
        return handler(data)

    # -- tasks --------------------------------------------------------------------------------------------------------

    def run_task(self, data: Data) -> Any:
        cluster, definition = cluster_name(data), _definition(data.get("taskDefinition", ""))
        strategy = data.get("capacityProviderStrategy") or []
        if not strategy and not data.get("launchType"):
            strategy = ecs._clusters[cluster].get("defaultCapacityProviderStrategy") or []
        _strategy_rules(cluster, data, strategy)
        count = int(data.get("count", 1))
        if not 1 <= count <= MOST_TASKS:
            raise Refusal("InvalidParameterException", f"Count must be between 1 and {MOST_TASKS}.")
        runs.check_network(definition, data)
        if on_fargate({**data, "capacityProviderStrategy": strategy}):
            runs.check_fargate(definition)
            return self._run_on_fargate(data)
        self._scheduler.advance()
        targets = placement.provider_targets(count, strategy) if strategy else {None: count}
        tasks, failures = [], []
        for provider, number in targets.items():
            for _turn in range(number):
                task, refused = self._place(cluster, definition, provider, data)
                if task is None:
                    if not refused:
                        where = "capacity provider" if provider else "cluster"
                        raise Refusal(
                            "InvalidParameterException", f"No Container Instances were found in your {where}."
                        )
                    known = {each["arn"] for each in failures}
                    failures += [
                        {"arn": room.arn, "reason": placement.FAILURES.get(why, "ATTRIBUTE")}
                        for room, why in refused
                        if room.arn not in known
                    ]
                    break
                tasks.append(ecs._sanitize(task))
        return json_response({"tasks": tasks, "failures": failures})

    def _run_on_fargate(self, data: Data) -> Any:
        answer = _run_task(data)
        if answer[0] == 200:
            for task in runs.started(json.loads(answer[2])):
                runs.follow(self._scheduler, task)
        return answer

    def _place(self, cluster: str, definition: Data, provider: str | None, data: Data) -> tuple[Data | None, list]:
        distinct = any(each["type"] == "distinctInstance" for each in data.get("placementConstraints") or [])
        room, refused = placement.choose(
            self._scheduler.rooms(cluster, provider),
            placement.needs(definition),
            definition["family"],
            distinct,
            data.get("placementStrategy") or [],
        )
        if room is None:
            return None, refused
        node = self._scheduler.nodes.find(responses.get_region(), cluster, room.arn)
        request = {**data, "group": data.get("group") or f"family:{definition['family']}"}
        return self._scheduler.start(cluster, definition, node, provider, request), refused

    def start_task(self, data: Data) -> Any:
        cluster, definition = cluster_name(data), _definition(data.get("taskDefinition", ""))
        self._scheduler.advance()
        tasks, failures = [], []
        for reference in data["containerInstances"]:
            node = self._node(cluster, reference)
            if node is None:
                failures.append({"arn": reference, "reason": "MISSING"})
                continue
            held = self._scheduler.tasks_on(node)
            room = node.room([each["_needs"] for each in held], [])
            why = placement.lacking(room, placement.needs(definition))
            if why:
                failures.append({"arn": node.arn, "reason": placement.FAILURES[why]})
                continue
            request = {**data, "group": data.get("group") or f"family:{definition['family']}"}
            tasks.append(ecs._sanitize(self._scheduler.start(cluster, definition, node, None, request)))
        return json_response({"tasks": tasks, "failures": failures})

    def stop_task(self, data: Data) -> Any:
        cluster_name(data)
        result = _stop_task(data)
        self._scheduler.advance()
        return result

    def list_tasks(self, data: Data) -> Any:
        cluster = cluster_name(data)
        self._scheduler.advance()
        if not data.get("containerInstance"):
            return _list_tasks(data)
        node = self._node(cluster, data["containerInstance"])
        if node is None:
            raise Refusal("InvalidParameterException", "The specified container instance was not found.")
        wanted = data.get("desiredStatus", "RUNNING")
        arns = [
            arn
            for arn, task in ecs._tasks.items()
            if task.get("containerInstanceArn") == node.arn and task["desiredStatus"] == wanted
        ]
        return json_response({"taskArns": arns})

    # -- services -----------------------------------------------------------------------------------------------------

    def create_service(self, data: Data) -> Any:
        cluster, name = cluster_name(data), data["serviceName"]
        known = ecs._services.get(f"{cluster}/{name}")
        if known is not None and known["status"] != "INACTIVE":
            raise Refusal("InvalidParameterException", "Creation of service was not idempotent.")
        if data.get("taskDefinition"):
            _definition(data["taskDefinition"])
        _strategy_rules(cluster, data, data.get("capacityProviderStrategy") or [])
        if data.get("schedulingStrategy") == "DAEMON":
            raise Refusal("UnsupportedFeatureException", "The sandbox has no DAEMON services.")
        # ministack places tasks before it has kept all of what was asked for.
        self._creating = True
        try:
            result = _create_service(data)
        finally:
            self._creating = False
        service = ecs._services.get(f"{cluster}/{name}")
        if service is not None and result[0] == 200:
            service["placementConstraints"] = data.get("placementConstraints", [])
            service["placementStrategy"] = data.get("placementStrategy", [])
            # ENABLED where a create does not say; an update that does not say keeps it (botocore model).
            service["availabilityZoneRebalancing"] = data.get("availabilityZoneRebalancing", "ENABLED")
            self._scheduler.advance()
            return json_response({"service": ecs._sanitize(service)})
        return result

    def update_service(self, data: Data) -> Any:
        cluster, service = cluster_name(data), self._service(data)
        if service["status"] != "ACTIVE":
            raise Refusal("ServiceNotActiveException", "Service was not ACTIVE.")
        strategy = data.get("capacityProviderStrategy")
        if strategy is not None:
            _strategy_rules(cluster, {}, strategy)
            if strategy != (service.get("capacityProviderStrategy") or []):
                data = {**data, "forceNewDeployment": True}
        if data.get("taskDefinition"):
            _definition(data["taskDefinition"])
        before, service["_steady"] = service.get("_steady"), False
        service.pop("_retry", None)
        result = _update_service(data)
        if result[0] == 200:
            # ministack writes an event of its own that AWS does not have.
            service["events"] = [e for e in service["events"] if "has begun draining connections" not in e["message"]]
            if strategy is not None:
                service["deployments"][0]["capacityProviderStrategy"] = strategy or None
            kept = (
                "availabilityZoneRebalancing",
                "placementConstraints",
                "placementStrategy",
                "propagateTags",
                "enableECSManagedTags",
            )
            for key in kept:
                if key in data:
                    service[key] = data[key]
            self._scheduler.advance()
            return json_response({"service": ecs._sanitize(service)})
        service["_steady"] = before
        return result

    def delete_service(self, data: Data) -> Any:
        cluster_name(data)
        if self._service(data)["status"] == "INACTIVE":
            raise Refusal("ServiceNotActiveException", "Service was not ACTIVE.")
        result = _delete_service(data)
        self._scheduler.advance()
        return result

    def _service(self, data: Data) -> Data:
        cluster, found = cluster_name(data), ecs._resolve_service_ref(data.get("service", ""))
        service = ecs._services.get(f"{cluster}/{found[0]}") if found and found[1] in (None, cluster) else None
        if service is None:
            raise Refusal("ServiceNotFoundException", "Service not found.")
        return service

    # -- container instances ------------------------------------------------------------------------------------------

    def register_container_instance(self, data: Data) -> Any:
        cluster, region = cluster_name(data), responses.get_region()
        account = responses.get_account_id()
        try:
            instance_id = json.loads(data.get("instanceIdentityDocument") or "{}").get("instanceId")
        except ValueError:
            raise Refusal("ClientException", "The instance identity document is not valid.") from None
        instance = ec2_backends[account][region].get_instance_by_id(instance_id) if instance_id else None
        if instance is None or instance.state_code != 16:
            raise Refusal("ClientException", "The instance identity document does not name a running instance.")
        node = self._scheduler.nodes.of_instance(instance_id)
        if node is None:
            arn = f"arn:{get_partition(region)}:ecs:{region}:{account}:container-instance/{cluster}/{uuid.uuid4().hex}"
            found = self._scheduler.engine.store.of_instance(region, instance_id)
            group = found[0].name if found else None
            node = nodes.make(arn, cluster, region, instance, group, data.get("attributes") or [])
            self._scheduler.joined(node)
            self._scheduler.recount(cluster)
        return json_response({"containerInstance": self._view(node, set())})

    def deregister_container_instance(self, data: Data) -> Any:
        node = self._node(cluster_name(data), data["containerInstance"])
        if node is None:
            raise Refusal("InvalidParameterException", "The specified container instance was not found.")
        if self._scheduler.tasks_on(node) and not data.get("force"):
            raise Refusal("InvalidParameterException", "Found running tasks on the instance.")
        shown = self._view(node, set())
        self._scheduler.leave(node, "Container instance was deregistered.", "UserInitiated")
        self._scheduler.advance()
        return json_response({"containerInstance": {**shown, "status": "INACTIVE"}})

    def list_container_instances(self, data: Data) -> Any:
        cluster = cluster_name(data)
        self._scheduler.advance()
        wanted = data.get("status")
        arns = [
            node.arn
            for node in self._scheduler.nodes.of_cluster(responses.get_region(), cluster)
            if wanted in (None, node.status)
        ]
        size, start = int(data.get("maxResults") or 100), int(data.get("nextToken") or 0)
        answer: Data = {"containerInstanceArns": arns[start : start + size]}
        if start + size < len(arns):
            answer["nextToken"] = str(start + size)
        return json_response(answer)

    def describe_container_instances(self, data: Data) -> Any:
        cluster = cluster_name(data)
        self._scheduler.advance()
        found, failures = [], []
        for reference in data["containerInstances"]:
            node = self._node(cluster, reference)
            if node is None:
                failures.append({"arn": reference, "reason": "MISSING"})
            else:
                found.append(self._view(node, set(data.get("include") or [])))
        return json_response({"containerInstances": found, "failures": failures})

    def update_container_instances_state(self, data: Data) -> Any:
        cluster, failures, found = cluster_name(data), [], []
        for reference in data["containerInstances"]:
            node = self._node(cluster, reference)
            if node is None:
                failures.append({"arn": reference, "reason": "MISSING"})
                continue
            if data["status"] == "DRAINING":
                self._scheduler.drain(node)
            elif node.status != "ACTIVE":
                node.status = "ACTIVE"
                self._scheduler.say_node(node)
            found.append(node)
        self._scheduler.advance()
        return json_response({"containerInstances": [self._view(each, set()) for each in found], "failures": failures})

    def _node(self, cluster: str, reference: str) -> Node | None:
        return self._scheduler.nodes.find(responses.get_region(), cluster, reference)

    def _view(self, node: Node, include: set[str]) -> Data:
        return nodes.view(node, self._scheduler.tasks_on(node), self._scheduler.provider_of(node), include)

    # -- what ministack calls -----------------------------------------------------------------------------------------

    def reconcile(self, cluster: str, key: str) -> None:
        """In place of ministack's: services on EC2 are ours."""
        service = ecs._services.get(key)
        if service is None or service["status"] != "ACTIVE":
            return
        if on_fargate(service):
            _reconcile(cluster, key)
        elif not self._creating:
            self._scheduler.reconcile(key)


def _definition(reference: str) -> Data:
    definition = ecs._task_defs.get(ecs._resolve_td_key(reference))
    if definition is None or definition["status"] != "ACTIVE":
        raise Refusal(
            "ClientException", "TaskDefinition not found." if definition is None else "TaskDefinition is inactive"
        )
    return definition


def _strategy_rules(cluster: str, data: Data, strategy: list[Data]) -> None:
    """botocore model, capacityProviderStrategy; the texts are the API's."""
    if data.get("launchType") and data.get("capacityProviderStrategy"):
        raise Refusal(
            "InvalidParameterException",
            "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.",
        )
    associated = ecs._clusters[cluster].get("capacityProviders", [])
    for each in strategy:
        if each["capacityProvider"] not in associated:
            raise Refusal(
                "InvalidParameterException",
                "The specified capacity provider strategy cannot contain a capacity provider that is not associated with "
                "the cluster. Associate the capacity provider with the cluster and try again.",
            )
    if strategy and not any(int(each.get("weight") or 0) for each in strategy):
        raise Refusal(
            "InvalidParameterException",
            "The specified capacity provider strategy must contain at least one provider with a weight greater than 0.",
        )
    if sum(1 for each in strategy if int(each.get("base") or 0)) > 1:
        raise Refusal(
            "InvalidParameterException",
            "The specified capacity provider strategy can only define a base value for a single capacity provider.",
        )
