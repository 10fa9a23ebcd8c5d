# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Carrying out a fleet's plan, in an order in which any interruption can be repaired by the next run. PRIVATE to the
collection.

`clients` gives a botocore client for a service's name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._aws import autoscaling
from ansible_collections.ethereal.spot.plugins.module_utils._aws import ec2
from ansible_collections.ethereal.spot.plugins.module_utils._aws import fleet_extras
from ansible_collections.ethereal.spot.plugins.module_utils._aws import launch_templates
from ansible_collections.ethereal.spot.plugins.module_utils._aws import waiters
from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError
from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_group
from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_plan
from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_refresh
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_extras import PUT_HOOK

Clients = Callable[[str], Any]

# A new launch template or instance profile takes seconds to reach Auto Scaling.
PROPAGATION_SECONDS = 60
PROPAGATING = re.compile(r"Invalid IAM Instance Profile|launch template.*does not exist", re.IGNORECASE | re.DOTALL)
EXISTS = frozenset({"AlreadyExists", "InvalidLaunchTemplateName.AlreadyExistsException"})


def apply_plan(
    clients: Clients,
    name: str,
    current: dict[str, Any],
    fleet: dict[str, Any],
    data: dict[str, Any] | None,
    changes: list[fleet_plan.Change],
    pace: waiters.Pace,
) -> None:
    """Make the changes. AwsError with a code of EXISTS means that somebody, maybe an own retry, was faster."""
    kinds = {change.kind for change in changes}
    by_kind = {kind: [change.what for change in changes if change.kind == kind] for kind in kinds}
    chosen = _make_version(clients("ec2"), name, current, fleet, data, kinds)
    if fleet_plan.CREATE_GROUP in kinds:
        request = fleet_group.create_request(name, fleet, chosen["id"], chosen["version"])
        _patiently(lambda: autoscaling.create_group(clients("autoscaling"), request), pace)
    if fleet_plan.ATTACH_TARGET_GROUPS in kinds:
        # Before a health check that asks them, and new ones before old ones go.
        autoscaling.attach_target_groups(clients("autoscaling"), name, by_kind[fleet_plan.ATTACH_TARGET_GROUPS])
    if fleet_plan.UPDATE_GROUP in kinds:
        fields = set(by_kind[fleet_plan.UPDATE_GROUP])
        update = fleet_group.update_request(name, fleet, fields, chosen["id"], chosen["version"])
        _patiently(lambda: autoscaling.update_group(clients("autoscaling"), update), pace)
    if fleet_plan.DETACH_TARGET_GROUPS in kinds:
        autoscaling.detach_target_groups(clients("autoscaling"), name, by_kind[fleet_plan.DETACH_TARGET_GROUPS])
    _apply_tags(clients, name, chosen["id"], changes)
    for change in changes:
        # A new group has its hooks from the first.
        made = change.kind == PUT_HOOK and fleet_plan.CREATE_GROUP in kinds
        if change.kind in fleet_extras.STEPS and not made:
            fleet_extras.STEPS[change.kind](clients("autoscaling"), name, change.what, change.after)
    if fleet_plan.ENABLE_METRICS in kinds:
        # Last: a group without metrics is one whose creation was interrupted.
        autoscaling.enable_metrics(clients("autoscaling"), name, fleet_group.METRICS_GRANULARITY)
    if fleet_plan.START_REFRESH in kinds:
        start = fleet_refresh.start_request(name, fleet, chosen["id"], chosen["version"])
        _patiently(lambda: autoscaling.start_refresh(clients("autoscaling"), start), pace)
    if fleet_plan.DELETE_VERSION in kinds:
        numbers = [change.before for change in changes if change.kind == fleet_plan.DELETE_VERSION]
        launch_templates.delete_versions(clients("ec2"), current["template"]["LaunchTemplateId"], numbers)


def _make_version(
    client: Any,
    name: str,
    current: dict[str, Any],
    fleet: dict[str, Any],
    data: dict[str, Any] | None,
    kinds: set[str],
) -> dict[str, str]:
    chosen = fleet_plan.choose_version(current, data)
    if data is not None and fleet_plan.CREATE_TEMPLATE in kinds:
        tags = fleet_plan.wanted_template_tags(fleet)
        return {"id": launch_templates.create_template(client, name, data, tags), "version": "1"}
    if data is not None and fleet_plan.CREATE_VERSION in kinds:
        return {**chosen, "version": str(launch_templates.create_version(client, chosen["id"], data))}
    return chosen


def _apply_tags(clients: Clients, name: str, template_id: str, changes: list[fleet_plan.Change]) -> None:
    def of(kind: str) -> dict[str, str]:
        return {change.what: change.after for change in changes if change.kind == kind}

    # After the group: the remembered image parameter must not be newer than the image in force.
    if of(fleet_plan.TAG_TEMPLATE):
        ec2.create_tags(clients("ec2"), template_id, of(fleet_plan.TAG_TEMPLATE))
    if of(fleet_plan.UNTAG_TEMPLATE):
        ec2.delete_tags(clients("ec2"), template_id, list(of(fleet_plan.UNTAG_TEMPLATE)))
    if of(fleet_plan.TAG_GROUP):
        autoscaling.tag_group(clients("autoscaling"), fleet_group.build_tags(name, of(fleet_plan.TAG_GROUP)))


def _patiently(action: Callable[[], Any], pace: waiters.Pace) -> None:
    waiters.persist(action, _is_propagating, PROPAGATION_SECONDS, pace)


def _is_propagating(error: AwsError) -> bool:
    if error.code == "ResourceContention":
        return True
    return error.code == "ValidationError" and bool(PROPAGATING.search(error.reason))


def apply_absent(
    clients: Clients,
    name: str,
    current: dict[str, Any],
    changes: list[fleet_plan.Change],
    timeout: float,
    pace: waiters.Pace,
) -> None:
    """Delete the group, see it and its instances gone, then delete the template."""
    kinds = {change.kind for change in changes}
    if fleet_plan.UPDATE_GROUP in kinds:
        autoscaling.update_group(clients("autoscaling"), fleet_group.unprotect_request(name))
    if fleet_plan.DELETE_GROUP in kinds:
        autoscaling.delete_group(clients("autoscaling"), name)
    if kinds or current["deleting"]:
        start = pace.clock()
        waiters.wait_group_gone(clients("autoscaling"), name, timeout, pace)
        left = max(0.0, timeout - (pace.clock() - start))
        # A forced deletion may drop the group before its instances are gone (botocore model).
        waiters.wait_instances_gone(clients("ec2"), name, left, pace)
    if fleet_plan.DELETE_TEMPLATE in kinds:
        launch_templates.delete_template(clients("ec2"), current["template"]["LaunchTemplateId"])
