# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a CloudFormation stack needs: verdicts, differences, drift. PRIVATE to the collection.

A stack as found is the dictionary that `spot_stack_info` returns for it; `status` is None where there is none.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError

STACK_NAME = re.compile(r"[A-Za-z][-A-Za-z0-9]{0,127}")
# Bytes of a template given as a body (botocore model: CreateStack).
TEMPLATE_LIMIT = 51_200

ABSENT = "absent"
CURRENT = "current"
OUTDATED = "outdated"
BUSY = "busy"
DEAD = "dead"
DELETE_FAILED = "delete_failed"
ROLLBACK_FAILED = "rollback_failed"

# Never created, or created and rolled back: CloudFormation refuses to update it.
_DEAD_STATUSES = frozenset({"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "REVIEW_IN_PROGRESS"})
# An operator has to continue the rollback, or the stack has to go.
_STUCK_STATUSES = frozenset({"UPDATE_ROLLBACK_FAILED", "IMPORT_ROLLBACK_FAILED"})

# Properties that a template may name but does not own. CloudFormation would report and revert what was done on purpose.
MOVING = frozenset({("AWS::ECS::Service", "/DesiredCount")})
# What a drifted container environment holds is nobody's business here: a user may have put a secret there by mistake.
_HIDDEN = re.compile(r"/Environment(/|$)|/Secrets(/|$)")
NOT_SHOWN = "(not shown)"


def template_hash(body: str) -> str:
    """The SHA-256 of a template, whatever blank space it ends with: file lookups and CloudFormation cut that off."""
    return hashlib.sha256(body.rstrip().encode()).hexdigest()


def parameter_text(value: Any) -> str:
    """A parameter's value as CloudFormation keeps it: text, lists joined by commas."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return ",".join(parameter_text(item) for item in value)
    return "" if value is None else str(value)


def check_wanted(stacks: list[dict[str, Any]], option: str = "stacks") -> list[dict[str, Any]]:
    """The wanted stacks with parameters and tags as text; InputError for what CloudFormation would refuse."""
    checked: list[dict[str, Any]] = []
    for index, stack in enumerate(stacks):
        where = f"{option}[{index}]"
        name = stack["name"]
        if not STACK_NAME.fullmatch(name):
            raise InputError(f"{where}.name", name, "must be a letter, then up to 127 letters, digits or hyphens")
        if name in (other["name"] for other in checked):
            raise InputError(f"{where}.name", name, "is listed twice")
        body = stack.get("template_body")
        size = len(body.encode()) if body is not None else 1
        if not 1 <= size <= TEMPLATE_LIMIT:
            raise InputError(f"{where}.template_body", f"{size} bytes", f"must be 1 to {TEMPLATE_LIMIT} bytes")
        checked.append(
            {
                "name": name,
                "template_body": body,
                "parameters": _texts(stack.get("parameters")),
                "tags": _texts(stack.get("tags")),
                "immutable": list(stack.get("immutable") or []),
                "account": stack.get("account"),
                "account_of": stack.get("account_of"),
            }
        )
    return checked


def _texts(values: Mapping[str, Any] | None) -> dict[str, str]:
    return {key: parameter_text(value) for key, value in (values or {}).items()}


def compare(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What a stack needs: {verdict, differences: {template, parameters, tags}, refused: [{parameter, found, wanted}]}.

    Only what `wanted` names is compared: a caller that knows some parameters later leaves them out first. An immutable
    parameter is refused once it has a value; an empty one may still be set.
    """
    differences = _differences(found, wanted)
    verdict = _verdict(found.get("status"), differences)
    refused = []
    if verdict in (CURRENT, OUTDATED):
        values = _texts(wanted.get("parameters"))
        refused = [
            {"parameter": name, "found": found["parameters"][name], "wanted": values[name]}
            for name in differences["parameters"]
            if name in (wanted.get("immutable") or []) and found["parameters"].get(name)
        ]
    return {"verdict": verdict, "differences": differences, "refused": refused}


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    if found.get("status") is None:
        return {"template": False, "parameters": [], "tags": []}
    body = wanted.get("template_body")
    # Without a hash the template could not be read; the tag that carries the hash still speaks for it.
    known = found.get("template_hash")
    return {
        "template": body is not None and known is not None and template_hash(body) != known,
        "parameters": _differing(found.get("parameters"), wanted.get("parameters")),
        "tags": _differing(found.get("tags"), wanted.get("tags")),
    }


def _differing(found: Mapping[str, str] | None, wanted: Mapping[str, Any] | None) -> list[str]:
    found = found or {}
    return sorted(key for key, value in _texts(wanted).items() if found.get(key) != value)


def _verdict(status: str | None, differences: Mapping[str, Any]) -> str:
    if status is None or status == "DELETE_COMPLETE":
        return ABSENT
    if status in _DEAD_STATUSES:
        return DEAD
    if is_changing(status):
        return BUSY
    if status == "DELETE_FAILED":
        return DELETE_FAILED
    if status in _STUCK_STATUSES:
        return ROLLBACK_FAILED
    if status == "UPDATE_FAILED" or any(differences.values()):
        return OUTDATED
    return CURRENT


def is_changing(status: str) -> bool:
    """Whether an operation is under way, which ends by itself. A stack of which there is only a change set waits for a decision."""
    return status.endswith("_IN_PROGRESS") and status not in _DEAD_STATUSES


def is_settled(status: str | None) -> bool:
    """Whether a stack stands as its template says, so that drift can be looked for."""
    return status is not None and status.endswith("_COMPLETE") and status not in _DEAD_STATUSES | {"DELETE_COMPLETE"}


def has_failed(status: str | None) -> bool:
    """Whether the events of the last operation tell of a failure."""
    return status is not None and ("FAILED" in status or "ROLLBACK" in status)


def first_failure(events: Iterable[Mapping[str, Any]]) -> dict[str, str] | None:
    """The failure that began the trouble, from a stack's events, newest first: {resource, type, status, reason}.

    What was cancelled because something else had failed is no cause. Only the last operation counts; CloudFormation
    opens each with an event of the stack itself, "User Initiated".
    """
    first = None
    for event in events:
        reason = event.get("ResourceStatusReason", "")
        status = event.get("ResourceStatus", "")
        if status.endswith("_FAILED") and not re.search(r"(creation|update|deletion) cancelled", reason, re.IGNORECASE):
            first = {
                "resource": event["LogicalResourceId"],
                "type": event["ResourceType"],
                "status": status,
                "reason": reason,
            }
        if event["PhysicalResourceId"] == event["StackId"] and reason == "User Initiated":
            break
    return first


def drift_of(resources: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Drift worth telling, from CloudFormation's answers (StackResourceDrift), by resource and path.

    Properties that move are left out, and with them the resources that differ in nothing else.
    """
    drift = []
    for resource in resources:
        status = resource["StackResourceDriftStatus"]
        kind = resource["ResourceType"]
        differences = [
            _shown(difference["PropertyPath"], difference.get("ExpectedValue"), difference.get("ActualValue"))
            for difference in resource.get("PropertyDifferences", [])
            if (kind, difference["PropertyPath"]) not in MOVING
        ]
        if status == "DELETED" or (status == "MODIFIED" and differences):
            drift.append(_drifted(resource["LogicalResourceId"], kind, status, differences, "cloudformation"))
    return sorted(drift, key=lambda item: item["resource"])


def probed_drift(resource: str, kind: str, expected: Mapping[str, Any], actual: Mapping[str, Any] | None) -> Any:
    """Drift that a probe saw, or None; `actual` is None where the resource is gone."""
    if actual is None:
        return _drifted(resource, kind, "DELETED", [], "probe")
    differences = [
        _shown(path, value, actual.get(path)) for path, value in expected.items() if actual.get(path) != value
    ]
    return _drifted(resource, kind, "MODIFIED", differences, "probe") if differences else None


def _drifted(resource: str, kind: str, status: str, differences: list[dict[str, Any]], source: str) -> dict[str, Any]:
    return {
        "resource": resource,
        "type": kind,
        "status": status,
        "differences": sorted(differences, key=lambda item: item["path"]),
        "source": source,
    }


def _shown(path: str, expected: Any, actual: Any) -> dict[str, Any]:
    if _HIDDEN.search(path):
        expected = actual = NOT_SHOWN
    return {"path": path, "expected": expected, "actual": actual}


def open_groups(groups: Iterable[Mapping[str, Any]]) -> list[str]:
    """The ids of security groups that let anything in or out (DescribeSecurityGroups).

    A VPC's default group does from its creation on, and belongs to no template, so it is never drift (CloudFormation user guide,
    AWS::EC2::VPC).
    """
    return sorted(group["GroupId"] for group in groups if group["IpPermissions"] or group["IpPermissionsEgress"])


def would_move(changes: Iterable[Mapping[str, Any]]) -> list[str]:
    """Properties that move and that a change set would set nevertheless, as RESOURCE/PATH (DescribeChangeSet).

    A change set that stops naming such a property leaves its value alone and may go on.
    """
    found = []
    for change in changes:
        resource = change.get("ResourceChange", {})
        for detail in resource.get("Details", []):
            target = detail.get("Target", {})
            path = target.get("Path", f"/Properties/{target.get('Name', '')}").removeprefix("/Properties")
            sets = target.get("AttributeChangeType") in ("Add", "Modify") or "AfterValue" in target
            if sets and (resource.get("ResourceType"), path) in MOVING:
                found.append(resource["LogicalResourceId"] + path)
    return sorted(set(found))


def plan_heal(stacks: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What healing would do, from stacks as found: {stack, resource, type, paths, how}, in the order of the stacks.

    `how` is change_set for what CloudFormation saw and reverts itself, call for what a probe saw. A resource that a
    probe found gone has no call that brings it back: it is not in the plan.
    """
    return [
        {
            "stack": name,
            "resource": item["resource"],
            "type": item["type"],
            "paths": [difference["path"] for difference in item["differences"]],
            "how": "change_set" if item["source"] == "cloudformation" else "call",
        }
        for name, stack in stacks.items()
        for item in stack["drift"]
        if item["source"] == "cloudformation" or item["status"] == "MODIFIED"
    ]
