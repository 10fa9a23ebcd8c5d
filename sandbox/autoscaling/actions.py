# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Auto Scaling actions on groups, their capacity and their instances. Methods of moto's response class."""

from __future__ import annotations

import time
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.core.responses import EmptyResult
from moto.ec2.models import ec2_backends

from sandbox.autoscaling import hooks
from sandbox.autoscaling import requests
from sandbox.autoscaling import views
from sandbox.autoscaling.engine import Engine
from sandbox.autoscaling.groups import Group
from sandbox.autoscaling.groups import Member
from sandbox.autoscaling.launching import GROUP_TAG
from sandbox.autoscaling.refusal import invalid
from sandbox.autoscaling.templates import version_of

PROCESSES = (
    "Launch",
    "Terminate",
    "AddToLoadBalancer",
    "AlarmNotification",
    "AZRebalance",
    "HealthCheck",
    "InstanceRefresh",
    "ReplaceUnhealthy",
    "ScheduledActions",
)


class GroupActions:
    """Mixed into AutoScalingResponse; `engine` is set at install."""

    engine: Engine
    region: str
    current_account: str
    params: Any

    # -- helpers ------------------------------------------------------------------------------------------------------

    def _find_group(self) -> Group:
        name = self.params.get("AutoScalingGroupName")
        group = self.engine.find(self.region, name)
        if group is None:
            raise invalid(f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found")
        return group

    def _live_group(self) -> Group:
        group = self._find_group()
        if group.deleting:
            raise invalid(f"AutoScalingGroup '{group.name}' is pending delete.")
        return group

    def _find_instance(self, instance_id: str) -> tuple[Group, Member]:
        found = self.engine.store.of_instance(self.region, instance_id)
        if found is None:
            raise invalid(f"Instance Id not found - No managed instance found for instance ID: {instance_id}")
        return found

    def _members(self, group: Group) -> list[Member]:
        members = []
        for instance_id in self.params.get("InstanceIds") or []:
            member = group.member(instance_id)
            if member is None:
                raise invalid(f"The instance {instance_id} is not part of Auto Scaling group {group.name}.")
            members.append(member)
        return members

    def _paged(self, rows: list[Any], default: int = 50, most: int = 100) -> tuple[list[Any], str | None]:
        size = int(self.params.get("MaxRecords") or default)
        if size > most:
            raise invalid(f"MaxRecords must be at most {most}.")
        try:
            start = int(self.params.get("NextToken") or 0)
        except ValueError:
            raise ServiceException("InvalidNextToken", "The NextToken value is not valid.") from None
        return rows[start : start + size], str(start + size) if start + size < len(rows) else None

    # -- groups -------------------------------------------------------------------------------------------------------

    def create_auto_scaling_group(self) -> ActionResult:
        request = dict(self.params)
        name = request["AutoScalingGroupName"]
        existing = self.engine.find(self.region, name)
        if existing is not None:
            pending = " and is pending delete" if existing.deleting else ""
            raise ServiceException(
                "AlreadyExists",
                f"AutoScalingGroup by this name already exists - A group with the name {name} already exists{pending}",
            )
        group = requests.create(self.region, self.current_account, request)
        for specification in request.get("LifecycleHookSpecificationList") or []:
            hooks.put(self.engine, group, dict(specification))
        self.engine.store.groups(self.region)[name] = group
        self.engine.resize(group, group.desired, "a user request created an AutoScalingGroup")
        return EmptyResult()

    def update_auto_scaling_group(self) -> ActionResult:
        group = self._live_group()
        desired = requests.update(group, dict(self.params))
        self.engine.resize(
            group,
            desired,
            f"a user request update of AutoScalingGroup constraints to min: {group.min_size}, max: {group.max_size}, "
            f"desired: {desired}",
        )
        return EmptyResult()

    def delete_auto_scaling_group(self) -> ActionResult:
        group = self._find_group()
        forced = self.params.get("ForceDelete") is True
        protection = group.values["DeletionProtection"]
        if protection == "prevent-all-deletion" or (forced and protection == "prevent-force-deletion"):
            raise invalid(f"The group {group.name} has deletion protection {protection}.")
        if group.deleting:
            return EmptyResult()
        self.engine.advance(group)
        if group.members and not forced:
            if all(each.lifecycle_state.startswith("Terminating") for each in group.members):
                raise ServiceException(
                    "ScalingActivityInProgress",
                    "You cannot delete an AutoScalingGroup while there are scaling activities in progress for that group.",
                )
            raise ServiceException(
                "ResourceInUse",
                "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) "
                "still in the group.",
            )
        group.status = "Delete in progress"
        group.min_size = group.max_size = group.desired = 0
        for member in list(group.members):
            # botocore model, ForceDelete: without waiting for outstanding lifecycle actions.
            member.hook = None
            self.engine.terminate(group, member, "in response to a user request to delete the group.", forced=True)
        self.engine.advance(group)
        return EmptyResult()

    def describe_auto_scaling_groups(self) -> ActionResult:
        names = self.params.get("AutoScalingGroupNames") or []
        groups = list(self.engine.store.groups(self.region).values())
        for group in groups:
            self.engine.advance(group)
        groups = [
            group
            for group in self.engine.store.groups(self.region).values()
            if (not names or group.name in names) and _tagged(group, self.params.get("Filters") or [])
        ]
        rows, token = self._paged([views.group(each) for each in sorted(groups, key=lambda each: each.name)])
        return ActionResult({"AutoScalingGroups": rows, "NextToken": token})

    def describe_auto_scaling_instances(self) -> ActionResult:
        wanted = self.params.get("InstanceIds") or []
        rows = []
        for group in list(self.engine.store.groups(self.region).values()):
            self.engine.advance(group)
            rows += [views.instance_of(group, each) for each in group.members if not wanted or each.id in wanted]
        rows, token = self._paged(rows, 50, 50)
        return ActionResult({"AutoScalingInstances": rows, "NextToken": token})

    def describe_scaling_activities(self) -> ActionResult:
        name, wanted = self.params.get("AutoScalingGroupName"), self.params.get("ActivityIds") or []
        groups = list(self.engine.store.groups(self.region).values())
        if self.params.get("IncludeDeletedGroups"):
            groups += self.engine.store.past(self.region)
        elif name:
            groups = [self._find_group()]
        for group in groups:
            if group.name in self.engine.store.groups(self.region):
                self.engine.advance(group)
        rows = [
            activity
            for group in groups
            if not name or group.name == name
            for activity in group.activities
            if not wanted or activity["ActivityId"] in wanted
        ]
        rows.sort(key=lambda each: each["StartTime"], reverse=True)
        rows, token = self._paged(rows, 100)
        return ActionResult({"Activities": rows, "NextToken": token})

    def describe_account_limits(self) -> ActionResult:
        return ActionResult(
            {
                "MaxNumberOfAutoScalingGroups": 500,
                "MaxNumberOfLaunchConfigurations": 200,
                "NumberOfAutoScalingGroups": len(self.engine.store.groups(self.region)),
                "NumberOfLaunchConfigurations": 0,
            }
        )

    # -- capacity -----------------------------------------------------------------------------------------------------

    def set_desired_capacity(self) -> ActionResult:
        group, desired = self._live_group(), int(self.params["DesiredCapacity"])
        side = "above max" if desired > group.max_size else "below min" if desired < group.min_size else None
        if side:
            bound = group.max_size if desired > group.max_size else group.min_size
            raise invalid(f"New SetDesiredCapacity value {desired} is {side} value {bound} for the AutoScalingGroup.")
        self.engine.resize(group, desired, "a user request explicitly set group desired capacity")
        return EmptyResult()

    def terminate_instance_in_auto_scaling_group(self) -> ActionResult:
        group, member = self._find_instance(self.params["InstanceId"])
        shrink = self.params.get("ShouldDecrementDesiredCapacity") is True
        if shrink and group.desired - member.weight < group.min_size:
            raise invalid(
                f"Currently, desiredSize equals minSize ({group.min_size}). Terminating instance without replacement will "
                "violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or lower "
                "group's min size."
            )
        activity = self.engine.terminate(group, member, "in response to a user request.")
        if shrink:
            group.desired -= member.weight
        self.engine.advance(group)
        return ActionResult({"Activity": activity})

    def attach_instances(self) -> ActionResult:
        group, ids = self._live_group(), self.params.get("InstanceIds") or []
        if group.desired + len(ids) > group.max_size:
            raise invalid(f"AutoScalingGroup {group.name} has max-size={group.max_size}; attaching would exceed it.")
        backend = ec2_backends[self.current_account][self.region]
        for instance_id in ids:
            instance = backend.get_instance_by_id(instance_id)
            if instance is None or instance.state_code != 16 or self.engine.store.of_instance(self.region, instance_id):
                raise invalid(f"Invalid Instance ID(s): [{instance_id}] for AttachInstances.")
            spec = group.template or group.policy["LaunchTemplate"]["LaunchTemplateSpecification"]
            number = str(version_of(group, spec).number)
            group.members.append(
                Member(
                    instance=instance,
                    market="spot" if instance.lifecycle == "spot" else "on-demand",
                    weight=1,
                    template={**spec, "Version": number},
                    since=time.monotonic(),
                    lifecycle_state="InService",
                )
            )
            backend.create_tags([instance_id], {GROUP_TAG: group.name})
        self.engine.resize(group, group.desired + len(ids), "a user request attached instances")
        return EmptyResult()

    def detach_instances(self) -> ActionResult:
        group = self._live_group()
        members, shrink = self._members(group), self.params.get("ShouldDecrementDesiredCapacity") is True
        if shrink and group.desired - len(members) < group.min_size:
            raise invalid("Detaching without replacement will violate the group's min size constraint.")
        backend, activities = ec2_backends[self.current_account][self.region], []
        for member in members:
            group.members.remove(member)
            backend.delete_tags([member.id], {GROUP_TAG: None})
            activity = self.engine.journal.start(
                group, f"Detaching EC2 instance: {member.id}", "A user request detached it.", "Successful", member
            )
            activity["Progress"] = 100
            activities.append(activity)
        self.engine.resize(group, group.desired - (len(members) if shrink else 0), "a user request detached instances")
        return ActionResult({"Activities": activities})

    def enter_standby(self) -> ActionResult:
        group = self._live_group()
        members, shrink = self._members(group), self.params.get("ShouldDecrementDesiredCapacity") is True
        if shrink and group.desired - len(members) < group.min_size:
            raise invalid("Entering standby without replacement will violate the group's min size constraint.")
        activities = []
        for member in members:
            if member.lifecycle_state != "InService":
                raise invalid(f"The instance {member.id} is not in InService.")
            member.lifecycle_state = "Standby"
            activities.append(
                self.engine.journal.start(
                    group, f"Moving EC2 instance to Standby: {member.id}", "A user request.", "Successful", member
                )
            )
        self.engine.resize(group, group.desired - (len(members) if shrink else 0), "a user request moved to standby")
        return ActionResult({"Activities": activities})

    def exit_standby(self) -> ActionResult:
        group, activities = self._live_group(), []
        members = self._members(group)
        if group.desired + len(members) > group.max_size:
            raise invalid(f"AutoScalingGroup {group.name} has max-size={group.max_size}; it would be exceeded.")
        for member in members:
            if member.lifecycle_state != "Standby":
                raise invalid(f"The instance {member.id} is not in Standby.")
            member.lifecycle_state = "InService"
            activities.append(
                self.engine.journal.start(
                    group, f"Moving EC2 instance out of Standby: {member.id}", "A user request.", "Successful", member
                )
            )
        self.engine.resize(group, group.desired + len(members), "a user request moved out of standby")
        return ActionResult({"Activities": activities})

    def set_instance_health(self) -> ActionResult:
        group, member = self._find_instance(self.params["InstanceId"])
        if self.params["HealthStatus"] not in ("Healthy", "Unhealthy"):
            raise invalid("Valid instance health states are: [Healthy, Unhealthy].")
        member.healthy = self.params["HealthStatus"] == "Healthy"
        self.engine.advance(group)
        return EmptyResult()

    def set_instance_protection(self) -> ActionResult:
        group = self._live_group()
        for member in self._members(group):
            member.protected = self.params.get("ProtectedFromScaleIn") is True
        self.engine.advance(group)
        return EmptyResult()

    def suspend_processes(self) -> ActionResult:
        group = self._live_group()
        for name in _processes(self.params):
            group.suspended[name] = "User suspended at the request of the user"
        return EmptyResult()

    def resume_processes(self) -> ActionResult:
        group = self._live_group()
        for name in _processes(self.params):
            group.suspended.pop(name, None)
        self.engine.advance(group)
        return EmptyResult()


def _processes(params: Any) -> list[str]:
    names = list(params.get("ScalingProcesses") or PROCESSES)
    unknown = [name for name in names if name not in PROCESSES]
    if unknown:
        raise invalid(f"Invalid scaling process: {unknown[0]}.")
    return names


def _tagged(group: Group, filters: list[dict[str, Any]]) -> bool:
    """Filters of DescribeAutoScalingGroups: tag-key, tag-value, tag:<key> (botocore model)."""
    for each in filters:
        name, values = each["Name"], each.get("Values") or []
        if name == "tag-key":
            passed = any(tag["Key"] in values for tag in group.tags)
        elif name == "tag-value":
            passed = any(tag["Value"] in values for tag in group.tags)
        elif name.startswith("tag:"):
            passed = any(tag["Key"] == name[4:] and tag["Value"] in values for tag in group.tags)
        else:
            raise invalid(f"Invalid filter: {name}.")
        if not passed:
            return False
    return True
