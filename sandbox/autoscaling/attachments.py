# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Auto Scaling actions on what hangs on a group: policies, notifications, metrics, tags."""

from __future__ import annotations

import uuid
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.core.responses import EmptyResult
from moto.utilities.utils import get_partition

from sandbox.autoscaling import requests
from sandbox.autoscaling import views
from sandbox.autoscaling.engine import Engine
from sandbox.autoscaling.groups import Group
from sandbox.autoscaling.groups import Policy
from sandbox.autoscaling.refusal import invalid

POLICY_TYPES = ("SimpleScaling", "StepScaling", "TargetTrackingScaling", "PredictiveScaling")
METRICS = (
    "GroupMinSize",
    "GroupMaxSize",
    "GroupDesiredCapacity",
    "GroupInServiceInstances",
    "GroupPendingInstances",
    "GroupStandbyInstances",
    "GroupTerminatingInstances",
    "GroupTotalInstances",
    "GroupInServiceCapacity",
    "GroupPendingCapacity",
    "GroupStandbyCapacity",
    "GroupTerminatingCapacity",
    "GroupTotalCapacity",
    "WarmPoolDesiredCapacity",
    "WarmPoolWarmedCapacity",
    "WarmPoolPendingCapacity",
    "WarmPoolTerminatingCapacity",
    "WarmPoolTotalCapacity",
    "GroupAndWarmPoolDesiredCapacity",
    "GroupAndWarmPoolTotalCapacity",
)
NOTIFICATIONS = (
    "autoscaling:EC2_INSTANCE_LAUNCH",
    "autoscaling:EC2_INSTANCE_LAUNCH_ERROR",
    "autoscaling:EC2_INSTANCE_TERMINATE",
    "autoscaling:EC2_INSTANCE_TERMINATE_ERROR",
    "autoscaling:TEST_NOTIFICATION",
)
# botocore model, PutNotificationConfiguration.
MOST_TOPICS = 10


class AttachmentActions:
    """Mixed into AutoScalingResponse beside GroupActions, whose helpers it uses."""

    engine: Engine
    region: str
    current_account: str
    params: Any
    _find_group: Any
    _live_group: Any
    _paged: Any

    # -- scaling policies ---------------------------------------------------------------------------------------------

    def put_scaling_policy(self) -> ActionResult:
        group, request = self._live_group(), dict(self.params)
        name, kind = request["PolicyName"], request.get("PolicyType") or "SimpleScaling"
        if kind not in POLICY_TYPES:
            raise invalid(f"Invalid PolicyType: {kind}.")
        _policy_rules(kind, request)
        shown = (
            "AdjustmentType",
            "MinAdjustmentStep",
            "MinAdjustmentMagnitude",
            "ScalingAdjustment",
            "StepAdjustments",
        )
        shown += ("MetricAggregationType", "EstimatedInstanceWarmup", "TargetTrackingConfiguration", "Cooldown")
        values = {key: request[key] for key in (*shown, "PredictiveScalingConfiguration") if request.get(key)}
        if request.get("ScalingAdjustment") is not None:
            values["ScalingAdjustment"] = request["ScalingAdjustment"]
        values |= {"PolicyType": kind, "Enabled": request.get("Enabled") is not False, "Alarms": []}
        values.setdefault("StepAdjustments", [])
        if kind == "StepScaling":
            values.setdefault("MetricAggregationType", "Average")
        tracking = values.get("TargetTrackingConfiguration")
        if tracking:
            values["TargetTrackingConfiguration"] = {"DisableScaleIn": False, **tracking}
        known = group.policies.get(name)
        arn = known.arn if known else _policy_arn(group, name)
        group.policies[name] = Policy(arn, values)
        return ActionResult({"PolicyARN": arn, "Alarms": []})

    def describe_policies(self) -> ActionResult:
        name, kinds = self.params.get("AutoScalingGroupName"), self.params.get("PolicyTypes") or []
        names = self.params.get("PolicyNames") or []
        groups = [self._find_group()] if name else self.engine.store.groups(self.region).values()
        rows = [
            views.policy(group, each, policy)
            for group in groups
            for each, policy in group.policies.items()
            if (not names or each in names or policy.arn in names)
            and (not kinds or policy.values["PolicyType"] in kinds)
        ]
        rows, token = self._paged(rows)
        return ActionResult({"ScalingPolicies": rows, "NextToken": token})

    def delete_policy(self) -> ActionResult:
        group, name = self._policy()
        del group.policies[name]
        return EmptyResult()

    def execute_policy(self) -> ActionResult:
        group, name = self._policy()
        values = group.policies[name].values
        if values["PolicyType"] != "SimpleScaling":
            raise invalid(f"The policy {name} is of type {values['PolicyType']}: it cannot be executed.")
        change, kind = int(values["ScalingAdjustment"]), values["AdjustmentType"]
        desired = group.desired + change
        if kind == "ExactCapacity":
            desired = change
        elif kind == "PercentChangeInCapacity":
            desired = group.desired + _percent(group.desired, change)
        desired = min(max(desired, group.min_size), group.max_size)
        self.engine.resize(group, desired, f"a user request executed policy {name}")
        return EmptyResult()

    def _policy(self) -> tuple[Group, str]:
        asked, name = self.params["PolicyName"], self.params.get("AutoScalingGroupName")
        for group in [self._find_group()] if name else self.engine.store.groups(self.region).values():
            for each, policy in group.policies.items():
                if asked in (each, policy.arn):
                    return group, each
        raise invalid(f"PolicyName not found - No policy named {asked}")

    # -- notifications and metrics ------------------------------------------------------------------------------------

    def put_notification_configuration(self) -> ActionResult:
        group, topic = self._live_group(), self.params["TopicARN"]
        wanted = list(self.params.get("NotificationTypes") or [])
        unknown = [each for each in wanted if each not in NOTIFICATIONS]
        if unknown:
            raise invalid(f'"{unknown[0]}" is not a valid Notification Type.')
        if topic not in group.notifications and len(group.notifications) >= MOST_TOPICS:
            raise ServiceException("LimitExceeded", f"A group has at most {MOST_TOPICS} notification topics.")
        group.notifications[topic] = [each for each in NOTIFICATIONS if each in wanted]
        self.engine.delivery.test(group, topic)
        return EmptyResult()

    def delete_notification_configuration(self) -> ActionResult:
        self._live_group().notifications.pop(self.params["TopicARN"], None)
        return EmptyResult()

    def describe_notification_configurations(self) -> ActionResult:
        names = self.params.get("AutoScalingGroupNames") or []
        rows = [
            {"AutoScalingGroupName": group.name, "TopicARN": topic, "NotificationType": each}
            for group in self.engine.store.groups(self.region).values()
            if not names or group.name in names
            for topic, wanted in group.notifications.items()
            for each in wanted
        ]
        rows, token = self._paged(rows)
        return ActionResult({"NotificationConfigurations": rows, "NextToken": token})

    def describe_auto_scaling_notification_types(self) -> ActionResult:
        return ActionResult({"AutoScalingNotificationTypes": list(NOTIFICATIONS)})

    def enable_metrics_collection(self) -> ActionResult:
        group, asked = self._live_group(), list(self.params.get("Metrics") or METRICS)
        unknown = [each for each in asked if each not in METRICS]
        if unknown:
            raise invalid(f"Invalid metric: {unknown[0]}.")
        if self.params.get("Granularity") != "1Minute":
            raise invalid("The granularity must be 1Minute.")
        group.metrics = [each for each in METRICS if each in group.metrics or each in asked]
        return EmptyResult()

    def disable_metrics_collection(self) -> ActionResult:
        group, asked = self._live_group(), list(self.params.get("Metrics") or METRICS)
        group.metrics = [each for each in group.metrics if each not in asked]
        return EmptyResult()

    # -- tags ---------------------------------------------------------------------------------------------------------

    def create_or_update_tags(self) -> ActionResult:
        for given in self.params.get("Tags") or []:
            group = self._tagged(given)
            group.tags = [each for each in group.tags if each["Key"] != given["Key"]]
            group.tags.append(requests.tag(group.name, given))
        return EmptyResult()

    def delete_tags(self) -> ActionResult:
        for given in self.params.get("Tags") or []:
            group = self._tagged(given)
            group.tags = [each for each in group.tags if each["Key"] != given["Key"]]
        return EmptyResult()

    def describe_tags(self) -> ActionResult:
        rows = [tag for group in self.engine.store.groups(self.region).values() for tag in group.tags]
        fields = {"auto-scaling-group": "ResourceId", "key": "Key", "value": "Value"}
        for each in self.params.get("Filters") or []:
            name, values = each["Name"], each.get("Values") or []
            if name == "propagate-at-launch":
                rows = [tag for tag in rows if str(tag["PropagateAtLaunch"]).lower() in [v.lower() for v in values]]
            elif name in fields:
                rows = [tag for tag in rows if tag[fields[name]] in values]
            else:
                raise invalid(f"Invalid filter: {name}.")
        rows, token = self._paged(rows)
        return ActionResult({"Tags": rows, "NextToken": token})

    def _tagged(self, given: dict[str, Any]) -> Group:
        name = given.get("ResourceId")
        group = self.engine.find(self.region, name) if name else None
        if group is None:
            raise invalid(f"AutoScalingGroup name not found - no such group: {name}")
        return group


def _policy_arn(group: Group, name: str) -> str:
    return (
        f"arn:{get_partition(group.region)}:autoscaling:{group.region}:{group.account}:scalingPolicy:{uuid.uuid4()}:"
        f"autoScalingGroupName/{group.name}:policyName/{name}"
    )


def _policy_rules(kind: str, request: dict[str, Any]) -> None:
    """Which parameters a policy type takes (botocore model, PutScalingPolicy)."""
    if kind == "TargetTrackingScaling":
        tracking = request.get("TargetTrackingConfiguration")
        if not tracking:
            raise invalid("TargetTrackingConfiguration is required for policy type TargetTrackingScaling.")
        if bool(tracking.get("PredefinedMetricSpecification")) == bool(tracking.get("CustomizedMetricSpecification")):
            raise invalid("Exactly one of PredefinedMetricSpecification and CustomizedMetricSpecification is required.")
    elif request.get("TargetTrackingConfiguration"):
        raise invalid(f"TargetTrackingConfiguration is not supported for policy type {kind}.")
    if kind == "SimpleScaling" and (request.get("ScalingAdjustment") is None or not request.get("AdjustmentType")):
        raise invalid("AdjustmentType and ScalingAdjustment are required for policy type SimpleScaling.")
    if kind == "StepScaling" and not (request.get("StepAdjustments") and request.get("AdjustmentType")):
        raise invalid("AdjustmentType and StepAdjustments are required for policy type StepScaling.")


def _percent(desired: int, percentage: int) -> int:
    """Between 0 and 1 a change counts as 1; larger ones are cut off (user guide, "PercentChangeInCapacity")."""
    change = desired * percentage / 100
    if 0 < abs(change) < 1:
        return 1 if change > 0 else -1
    return int(change)
