# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clusters and capacity providers: what may be created, associated and deleted, and what ECS puts on the group.

Sources: botocore model; ECS developer guide, "Amazon ECS cluster auto scaling" and "Managed instance draining".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from ministack.core import responses
from ministack.core.responses import json_response
from ministack.services import ecs

from sandbox.autoscaling import requests
from sandbox.autoscaling.groups import Group
from sandbox.autoscaling.groups import Hook
from sandbox.ecs.refusal import Refusal
from sandbox.ecs.refusal import cluster_name
from sandbox.ecs.scheduler import Scheduler
from sandbox.ecs.states import DRAINING_HOOK
from sandbox.ecs.states import FARGATE
from sandbox.ecs.states import LIVE

# How long an association or a provider is UPDATE_IN_PROGRESS, and a provider DELETE_IN_PROGRESS.
UPDATE_SECONDS = 0.2
MANAGED_TAG = "AmazonECSManaged"
_NAME = re.compile(r"^(?!aws|ecs|fargate)[A-Za-z0-9_-]{1,255}$", re.IGNORECASE)
Data = dict[str, Any]

_create_capacity_provider = ecs._create_capacity_provider
_describe_capacity_providers = ecs._describe_capacity_providers
_put_cluster_capacity_providers = ecs._put_cluster_capacity_providers
_create_cluster = ecs._create_cluster
_delete_cluster = ecs._delete_cluster


class ProviderActions:
    """The handlers, by action name in `table`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self.table: dict[str, Callable[[Data], Any]] = {
            "CreateCluster": self.create_cluster,
            "DeleteCluster": self.delete_cluster,
            "CreateCapacityProvider": self.create_capacity_provider,
            "UpdateCapacityProvider": self.update_capacity_provider,
            "DeleteCapacityProvider": self.delete_capacity_provider,
            "DescribeCapacityProviders": self.describe_capacity_providers,
            "PutClusterCapacityProviders": self.put_cluster_capacity_providers,
        }

    # -- clusters -----------------------------------------------------------------------------------------------------

    def create_cluster(self, data: Data) -> Any:
        names = data.get("capacityProviders") or []
        self._known(names)
        _default_rules(names, data.get("defaultCapacityProviderStrategy") or [])
        result = _create_cluster(data)
        self._dress()
        return result

    def delete_cluster(self, data: Data) -> Any:
        name = cluster_name(data)
        self._scheduler.advance()
        if any(key.startswith(f"{name}/") and each["status"] != "INACTIVE" for key, each in ecs._services.items()):
            raise Refusal(
                "ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active."
            )
        if self._scheduler.nodes.of_cluster(responses.get_region(), name):
            raise Refusal(
                "ClusterContainsContainerInstancesException",
                "The Cluster cannot be deleted while Container Instances are active or draining.",
            )
        arn = ecs._clusters[name]["clusterArn"]
        if any(task.get("clusterArn") == arn and task["lastStatus"] in LIVE for task in ecs._tasks.values()):
            raise Refusal("ClusterContainsTasksException", "The Cluster cannot be deleted while Tasks are active.")
        result = _delete_cluster(data)
        self._dress()
        return result

    def put_cluster_capacity_providers(self, data: Data) -> Any:
        cluster = ecs._clusters[cluster_name(data)]
        names = [_plain(each) for each in data.get("capacityProviders") or []]
        strategy = data.get("defaultCapacityProviderStrategy") or []
        if cluster.get("attachmentsStatus") == "UPDATE_IN_PROGRESS":
            raise Refusal(
                "UpdateInProgressException",
                "The specified cluster is in a busy state. Wait until its attachments are updated and try again.",
            )
        self._known(names)
        _default_rules(names, strategy)
        for name in set(cluster["capacityProviders"]) - set(names):
            if self._used(cluster, name):
                raise Refusal(
                    "ResourceInUseException", "The specified capacity provider is in use and cannot be removed."
                )
        _put_cluster_capacity_providers({**data, "capacityProviders": names})
        cluster["attachments"] = [_attachment(name) for name in names if name not in FARGATE]
        cluster["attachmentsStatus"] = "UPDATE_IN_PROGRESS"
        self._scheduler.context.schedule(UPDATE_SECONDS, lambda: self._attached(cluster))
        self._dress()
        self._scheduler.advance()
        return json_response({"cluster": ecs._sanitize(cluster)})

    def _attached(self, cluster: Data) -> None:
        with self._scheduler.context.moto_lock:
            cluster["attachmentsStatus"] = "UPDATE_COMPLETE"
            for attachment in cluster["attachments"]:
                attachment["status"] = "CREATED"

    def _used(self, cluster: Data, name: str) -> bool:
        """Whether services or tasks of a cluster run on a provider."""
        for key, service in ecs._services.items():
            if key.startswith(f"{cluster['clusterName']}/") and service["status"] == "ACTIVE":
                named = [each["capacityProvider"] for each in service.get("capacityProviderStrategy") or []]
                if name in named:
                    return True
        return any(
            task.get("capacityProviderName") == name and task["lastStatus"] in LIVE
            for task in self._scheduler.live_tasks(cluster["clusterName"])
        )

    # -- capacity providers -------------------------------------------------------------------------------------------

    def create_capacity_provider(self, data: Data) -> Any:
        name, given = data["name"], data.get("autoScalingGroupProvider") or {}
        if not _NAME.match(name):
            raise Refusal("InvalidParameterException", "The specified capacity provider name is invalid.")
        if name in ecs._capacity_providers:
            raise Refusal(
                "ClientException",
                "The specified capacity provider already exists. To change the configuration of an existing capacity "
                "provider, update the capacity provider.",
            )
        arn = given.get("autoScalingGroupArn", "")
        group = self._group(arn)
        if group is None:
            raise Refusal("ClientException", "The specified Auto Scaling group ARN is invalid. Specify a valid ARN.")
        for other in ecs._capacity_providers.values():
            if other["autoScalingGroupProvider"]["autoScalingGroupArn"] == group.arn:
                raise Refusal(
                    "ClientException",
                    "The specified Auto Scaling group ARN is already being used by another capacity provider. Specify a "
                    "unique Auto Scaling group ARN and try again.",
                )
        _termination_rules(given, group)
        result = _create_capacity_provider(
            {**data, "autoScalingGroupProvider": {**given, "autoScalingGroupArn": group.arn}}
        )
        stored = ecs._capacity_providers[name]
        stored["type"] = "EC2_AUTOSCALING"
        stored["updateStatus"] = "CREATE_COMPLETE"
        # botocore model: managed draining is on unless it is turned off.
        stored["autoScalingGroupProvider"]["managedDraining"] = given.get("managedDraining") or "ENABLED"
        return json_response({"capacityProvider": ecs._sanitize(stored)}) if result[0] == 200 else result

    def update_capacity_provider(self, data: Data) -> Any:
        name = _plain(data["name"])
        stored = ecs._capacity_providers.get(name)
        if stored is None:
            raise Refusal("InvalidParameterException", "The specified capacity provider does not exist.")
        provider, given = stored["autoScalingGroupProvider"], data.get("autoScalingGroupProvider") or {}
        merged = {**provider, **given}
        merged["managedScaling"] = {**provider["managedScaling"], **(given.get("managedScaling") or {})}
        group = self._group(provider["autoScalingGroupArn"])
        if group is not None:
            _termination_rules(merged, group)
        # The answer still shows what was (ECS developer guide, "Configuring Amazon ECS capacity providers to safely shut down instances").
        stored["updateStatus"] = "UPDATE_IN_PROGRESS"
        shown = ecs._sanitize(json.loads(json.dumps(stored)))
        region = responses.get_region()
        self._scheduler.context.schedule(UPDATE_SECONDS, lambda: self._updated(region, stored, merged))
        return json_response({"capacityProvider": shown})

    def _updated(self, region: str, stored: Data, merged: Data) -> None:
        context = self._scheduler.context
        with context.moto_lock, responses.request_scope(context.account, region):
            if stored["updateStatus"] == "UPDATE_IN_PROGRESS":
                stored["autoScalingGroupProvider"].update(merged)
                stored["updateStatus"] = "UPDATE_COMPLETE"
                self._dress()

    def delete_capacity_provider(self, data: Data) -> Any:
        name = _plain(data["capacityProvider"])
        if name in FARGATE:
            raise Refusal(
                "InvalidParameterException", "The specified capacity provider is reserved and cannot be removed."
            )
        stored = ecs._capacity_providers.get(name)
        if stored is None:
            raise Refusal("InvalidParameterException", "The specified capacity provider does not exist.")
        if any(name in cluster["capacityProviders"] for cluster in ecs._clusters.values()):
            raise Refusal("ClientException", "The specified capacity provider is in use and cannot be removed.")
        stored["updateStatus"] = "DELETE_IN_PROGRESS"
        shown = ecs._sanitize(dict(stored))
        self._scheduler.context.schedule(UPDATE_SECONDS, lambda: self._deleted(name, stored))
        self._dress()
        return json_response({"capacityProvider": shown})

    def _deleted(self, name: str, stored: Data) -> None:
        with self._scheduler.context.moto_lock:
            if ecs._capacity_providers.get(name) is stored:
                ecs._capacity_providers.pop(name)
                ecs._tags.pop(stored["capacityProviderArn"], None)

    def describe_capacity_providers(self, data: Data) -> Any:
        result = _describe_capacity_providers(data)
        known = {*FARGATE, *ecs._capacity_providers.keys()}
        failures = [
            {"arn": _arn(name), "reason": "MISSING"}
            for name in map(_plain, data.get("capacityProviders") or [])
            if name not in known
        ]
        return json_response({**_decoded(result), "failures": failures})

    # -- groups -------------------------------------------------------------------------------------------------------

    def _group(self, arn: str) -> Group | None:
        """By ARN, or by name as the API takes it too."""
        groups = self._scheduler.engine.store.groups(responses.get_region())
        found = groups.get(arn.rsplit("autoScalingGroupName/", 1)[-1])
        return found if found is not None and arn in (found.arn, found.name) else None

    def _known(self, names: list[str]) -> None:
        for name in map(_plain, names):
            if name not in FARGATE and name not in ecs._capacity_providers:
                raise Refusal("InvalidParameterException", "The specified capacity provider does not exist.")
            if name not in FARGATE and ecs._capacity_providers[name]["updateStatus"] == "DELETE_IN_PROGRESS":
                raise Refusal("InvalidParameterException", "The specified capacity provider is not in an ACTIVE state.")

    def _dress(self) -> None:
        """Put on the groups what ECS puts there, and take it away: the draining hook, the tag of managed scaling."""
        associated = {name for cluster in ecs._clusters.values() for name in cluster["capacityProviders"]}
        wanted: dict[str, Data] = {}
        for name, stored in ecs._capacity_providers.items():
            if name in associated and stored["updateStatus"] != "DELETE_IN_PROGRESS":
                wanted[stored["autoScalingGroupProvider"]["autoScalingGroupArn"]] = stored["autoScalingGroupProvider"]
        for group in self._scheduler.engine.store.groups(responses.get_region()).values():
            provider = wanted.get(group.arn)
            drains = bool(provider and provider["managedDraining"] == "ENABLED")
            if drains and not group.drained:
                group.hooks[DRAINING_HOOK] = Hook(
                    DRAINING_HOOK, "autoscaling:EC2_INSTANCE_TERMINATING", heartbeat=3600, default_result="CONTINUE"
                )
            elif not drains:
                group.hooks.pop(DRAINING_HOOK, None)
            # Once put, the hook is not looked after: who deletes it by hand gets it back by turning draining off and on.
            group.drained = drains
            tagged = any(tag["Key"] == MANAGED_TAG for tag in group.tags)
            if provider and provider["managedScaling"].get("status") == "ENABLED" and not tagged:
                group.tags.append(requests.tag(group.name, {"Key": MANAGED_TAG, "Value": ""}))


def _termination_rules(given: Data, group: Group) -> None:
    """botocore model: managed termination protection needs managed scaling and scale-in protection on the group."""
    if given.get("managedTerminationProtection") != "ENABLED":
        return
    if (given.get("managedScaling") or {}).get("status") != "ENABLED":
        raise Refusal(
            "InvalidParameterException",
            "To enable managed termination protection for a capacity provider, managed scaling must be enabled.",
        )
    if not group.values["NewInstancesProtectedFromScaleIn"]:
        raise Refusal(
            "ClientException",
            "The managed termination protection setting for the capacity provider is invalid. To enable managed "
            "termination protection for a capacity provider, the Auto Scaling group must have instance protection from "
            "scale in enabled.",
        )


def _default_rules(names: list[str], strategy: list[Data]) -> None:
    for each in strategy:
        if each["capacityProvider"] not in map(_plain, names):
            raise Refusal(
                "InvalidParameterException",
                "The specified default capacity provider strategy cannot contain a capacity provider that is not "
                "associated with the cluster.",
            )


def _attachment(name: str) -> Data:
    details = [{"name": "capacityProviderName", "value": name}]
    return {"id": ecs.new_uuid(), "type": "asp", "status": "PRECREATED", "details": details}


def _arn(name: str) -> str:
    return f"arn:aws:ecs:{responses.get_region()}:{responses.get_account_id()}:capacity-provider/{name}"


def _plain(reference: str) -> str:
    return ecs._resolve_capacity_provider_name(reference) or reference


def _decoded(reply: Any) -> Data:
    return json.loads(reply[2])
