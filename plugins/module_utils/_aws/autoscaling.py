# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls to EC2 Auto Scaling, one each. PRIVATE to the collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import translated


@translated("describe Auto Scaling groups")
def describe_groups(
    client: Any, names: list[str] | None = None, filters: list[dict[str, Any]] | None = None
) -> list[dict[str, Any]]:
    """Groups by name or filter; those that do not exist are left out. Without either, every group of the region."""
    arguments: dict[str, Any] = {}
    if names:
        arguments["AutoScalingGroupNames"] = names
    if filters:
        arguments["Filters"] = filters
    return (
        client.get_paginator("describe_auto_scaling_groups")
        .paginate(**arguments)
        .build_full_result()["AutoScalingGroups"]
    )


@translated("create the Auto Scaling group")
def create_group(client: Any, request: dict[str, Any]) -> None:
    client.create_auto_scaling_group(**request)


@translated("update the Auto Scaling group")
def update_group(client: Any, request: dict[str, Any]) -> None:
    client.update_auto_scaling_group(**request)


@translated("set the desired capacity of the Auto Scaling group")
def set_desired_capacity(client: Any, name: str, desired: int) -> None:
    """Returns before anything is launched and never carries a capacity error (botocore model)."""
    client.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=desired, HonorCooldown=False)


@translated("tag the Auto Scaling group")
def tag_group(client: Any, tags: list[dict[str, Any]]) -> None:
    client.create_or_update_tags(Tags=tags)


@translated("attach target groups to the Auto Scaling group")
def attach_target_groups(client: Any, name: str, arns: list[str]) -> None:
    client.attach_load_balancer_target_groups(AutoScalingGroupName=name, TargetGroupARNs=arns)


@translated("detach target groups from the Auto Scaling group")
def detach_target_groups(client: Any, name: str, arns: list[str]) -> None:
    client.detach_load_balancer_target_groups(AutoScalingGroupName=name, TargetGroupARNs=arns)


@translated("enable the metrics of the Auto Scaling group")
def enable_metrics(client: Any, name: str, granularity: str) -> None:
    """Without a list of metrics AWS enables all of them."""
    client.enable_metrics_collection(AutoScalingGroupName=name, Granularity=granularity)


@translated("start the instance refresh")
def start_refresh(client: Any, request: dict[str, Any]) -> str:
    """Its id."""
    return client.start_instance_refresh(**request)["InstanceRefreshId"]


@translated("describe the instance refreshes")
def describe_refreshes(client: Any, name: str, refresh_id: str | None = None) -> list[dict[str, Any]]:
    """The newest refreshes of the group, or one; AWS shows those of six weeks."""
    one = {"InstanceRefreshIds": [refresh_id]} if refresh_id else {"MaxRecords": 10}
    return client.describe_instance_refreshes(AutoScalingGroupName=name, **one)["InstanceRefreshes"]


@translated("delete the Auto Scaling group")
def delete_group(client: Any, name: str) -> None:
    """With force: instances go too, whatever their scale-in protection."""
    client.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)


@translated("describe the scaling activities")
def describe_activities(client: Any, name: str, limit: int = 100) -> list[dict[str, Any]]:
    """The newest activities of a group; AWS keeps six weeks of them."""
    pages = client.get_paginator("describe_scaling_activities").paginate(
        AutoScalingGroupName=name, PaginationConfig={"MaxItems": limit, "PageSize": min(limit, 100)}
    )
    return pages.build_full_result()["Activities"]
