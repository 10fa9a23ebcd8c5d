# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several stacks read at once, with their drift. PRIVATE to the collection."""

from __future__ import annotations

import functools
from collections.abc import Callable
from collections.abc import Iterable
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._aws import cloudformation
from ansible_collections.ethereal.spot.plugins.module_utils._aws import ec2
from ansible_collections.ethereal.spot.plugins.module_utils._aws import probes
from ansible_collections.ethereal.spot.plugins.module_utils._aws.concurrency import gather
from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError
from ansible_collections.ethereal.spot.plugins.module_utils._aws.waiters import Pace
from ansible_collections.ethereal.spot.plugins.module_utils._aws.waiters import poll
from ansible_collections.ethereal.spot.plugins.module_utils._brain import stacks as brain

Clients = Callable[[str], Any]

READING_SECONDS = 60
VPC = "AWS::EC2::VPC"


def survey(
    clients: Clients, names: Iterable[str], drift: bool, seconds: float, settling: float = 0
) -> dict[str, dict[str, Any]]:
    """Every stack as found, by name. Raises the first error of a read; drift that cannot be read is told as unknown.

    A stack that is changing is waited for, `settling` seconds at most. `clients` is called from several threads.
    """
    names = list(names)
    # Drift has its own deadline and may be unknown; the reads around it get a little longer.
    reads = {name: functools.partial(_read, clients, name, drift, seconds, settling) for name in names}
    found = gather(reads, seconds + settling + READING_SECONDS)
    for outcome in found.values():
        if isinstance(outcome, AwsError):
            raise outcome
    return {name: found[name] for name in names}


def _read(clients: Clients, name: str, drift: bool, seconds: float, settling: float) -> dict[str, Any]:
    client = clients("cloudformation")
    stack, _ended = poll(
        lambda: cloudformation.describe_stack(client, name),
        lambda seen, _elapsed: seen is None or not brain.is_changing(seen["StackStatus"]),
        settling,
        Pace(cloudformation.DELAY),
    )
    status = stack["StackStatus"] if stack else None
    found: dict[str, Any] = {
        "name": name,
        "status": status,
        "status_reason": stack.get("StackStatusReason") if stack else None,
        "stack_id": stack["StackId"] if stack else None,
        "outputs": {},
        "parameters": {},
        "tags": {},
        "resources": {},
        "template_hash": None,
        "first_failed_event": None,
        "drift": [],
        "drift_unknown": None,
        "open_groups": [],
    }
    if stack is None:
        return found
    # An empty value may come as none: the fields are optional (botocore model).
    found["outputs"] = {item["OutputKey"]: item.get("OutputValue", "") for item in stack.get("Outputs", [])}
    found["parameters"] = {item["ParameterKey"]: item.get("ParameterValue", "") for item in stack.get("Parameters", [])}
    found["tags"] = {item["Key"]: item.get("Value", "") for item in stack.get("Tags", [])}
    if brain.has_failed(status):
        found["first_failed_event"] = brain.first_failure(cloudformation.events(client, name))
    if status != "REVIEW_IN_PROGRESS":
        body = cloudformation.get_template(client, name)
        found["template_hash"] = brain.template_hash(body) if body is not None else None
    if drift and brain.is_settled(status):
        _add_drift(clients, name, found, seconds)
    return found


def _add_drift(clients: Clients, name: str, found: dict[str, Any], seconds: float) -> None:
    """Drift as CloudFormation sees it, and as our probes do where it does not look.

    A refusal or a detection that another run has under way must not end a run that would provision: what is not known
    is told as unknown, never as in sync.
    """
    client = clients("cloudformation")
    try:
        detection = cloudformation.detect_drift(client, name)
        found["drift_unknown"] = cloudformation.wait_for_detection(client, detection, seconds)
        checked = cloudformation.resource_drifts(client, name)
        resources = cloudformation.list_resources(client, name)
        found["drift"] = brain.drift_of(checked)
        found["resources"] = {
            item["LogicalResourceId"]: item["PhysicalResourceId"]
            for item in resources
            if item.get("PhysicalResourceId")
        }
        seen = {item["LogicalResourceId"] for item in checked}
        drifted = {item["resource"] for item in found["drift"]}
        for item in resources:
            # What stands beside a resource follows it, so it is looked at only where the resource is as it shall be.
            known = drifted if item["ResourceType"] in probes.BESIDE_DETECTION else seen
            if item["ResourceType"] in probes.READERS and item["LogicalResourceId"] not in known:
                found["drift"] += _probe(clients, item, found["parameters"])
        vpcs = [found["resources"][item["LogicalResourceId"]] for item in resources if item["ResourceType"] == VPC]
        if vpcs:
            found["open_groups"] = brain.open_groups(ec2.describe_default_groups(clients("ec2"), vpcs))
    except AwsError as error:
        found["drift_unknown"] = error.message


def _probe(clients: Clients, resource: dict[str, Any], parameters: dict[str, str]) -> list[dict[str, Any]]:
    kind = resource["ResourceType"]
    actual = probes.READERS[kind](clients, resource["PhysicalResourceId"])
    wanted = probes.expected(kind, parameters)
    drift = brain.probed_drift(resource["LogicalResourceId"], kind, wanted, actual)
    return [drift] if drift else []
