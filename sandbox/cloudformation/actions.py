# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stack actions: AWS's refusals around ministack's handlers, and the answers that ministack does not give in full."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from ministack.core.responses import new_uuid
from ministack.core.responses import now_iso
from ministack.services import cloudformation
from ministack.services.cloudformation import handlers
from ministack.services.cloudformation import helpers

from sandbox.cloudformation import drift
from sandbox.cloudformation.wire import Action
from sandbox.cloudformation.wire import Reply
from sandbox.cloudformation.wire import answer
from sandbox.cloudformation.wire import parameter
from sandbox.cloudformation.wire import refuse
from sandbox.cloudformation.workspace import Record
from sandbox.cloudformation.workspace import Workspace

if TYPE_CHECKING:
    from sandbox.context import Context

Params = dict[str, list[str]]

# What an update or a change set may start from (CloudFormation user guide, stack status codes).
UPDATABLE = (
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
)
DETECTIONS_KEPT = 10


def find(name: str) -> Record | None:
    """A stack by its name, or by its id even when it is deleted."""
    return handlers._resolve_stack(name)


def not_updatable(stack: Record) -> Reply | None:
    if stack["StackStatus"] in UPDATABLE:
        return None
    return refuse(f"Stack:{stack['StackId']} is in {stack['StackStatus']} state and can not be updated.")


class Actions:
    """The actions that stand before ministack's."""

    def __init__(self, context: Context, originals: dict[str, Action]) -> None:
        self._context = context
        self._originals = originals

    def create_stack(self, params: Params) -> Reply:
        name = parameter(params, "StackName")
        if cloudformation._stacks.get(name):
            return refuse(f"Stack [{name}] already exists", "AlreadyExistsException")
        reply = self._originals["CreateStack"](params)
        if reply[0] == 200:
            self._take_role(cloudformation._stacks[name], params)
        return reply

    def _take_role(self, stack: Record, params: Params) -> None:
        """A role stays with its stack until another one is given (API_UpdateStack)."""
        if role := parameter(params, "RoleARN"):
            stack["RoleARN"] = role

    def update_stack(self, params: Params) -> Reply:
        stack = find(parameter(params, "StackName"))
        there = stack and stack["StackStatus"] != "DELETE_COMPLETE"
        if there and (refusal := helpers._request_problems(params) or not_updatable(stack)):
            return refusal
        reply = self._originals["UpdateStack"](params)
        if reply[0] == 200 and stack:
            stack["_updated"] = True
            self._take_role(stack, params)
        return reply

    def delete_stack(self, params: Params) -> Reply:
        stack = find(parameter(params, "StackName"))
        status = stack["StackStatus"] if stack else ""
        if stack and status.startswith("UPDATE_") and status.endswith("_IN_PROGRESS"):
            return refuse(f"Stack [{stack['StackId']}] cannot be deleted while in status {status}")
        if stack:
            self._take_role(stack, params)
        return self._originals["DeleteStack"](params)

    def validate_template(self, params: Params) -> Reply:
        return helpers._request_problems(params) or self._originals["ValidateTemplate"](params)

    def describe_stacks(self, params: Params) -> Reply:
        name = parameter(params, "StackName")
        if name:
            stack = find(name)
            if stack is None:
                return refuse(f"Stack with id {name} does not exist")
            found = [stack]
        else:
            found = [stack for stack in cloudformation._stacks.values() if stack["StackStatus"] != "DELETE_COMPLETE"]
        page, token, error = helpers._page(found, params, "DescribeStacks")
        if error:
            return error
        next_token = token.removeprefix("<NextToken>").removesuffix("</NextToken>")
        return answer("DescribeStacks", {"Stacks": [described(stack) for stack in page], "NextToken": next_token})

    def detect_stack_drift(self, params: Params) -> Reply:
        """The whole detection happens here; the frame keeps it off the serving loop."""
        stack, error = handlers._drift_target(parameter(params, "StackName"))
        if error:
            return error
        wanted = helpers._extract_string_members(params, "LogicalResourceIds")
        if unknown := sorted(set(wanted) - set(stack["_resources"])):
            return refuse(f"Resource(s) [{', '.join(unknown)}] do not exist in stack [{stack['StackName']}]")
        timestamp = now_iso()
        found = drift.detect_all(Workspace(self._context, stack), wanted, timestamp)
        statuses = {logical: item["StackResourceDriftStatus"] for logical, item in found.items()}
        drifted = [logical for logical, status in statuses.items() if status in ("MODIFIED", "DELETED")]
        failed = [logical for logical, status in statuses.items() if status == "UNKNOWN"]
        status = "DRIFTED" if drifted else "UNKNOWN" if failed else "IN_SYNC"
        detection: dict[str, Any] = {
            "StackId": stack["StackId"],
            "StackDriftDetectionId": new_uuid(),
            "StackDriftStatus": status,
            "DetectionStatus": "DETECTION_FAILED" if failed else "DETECTION_COMPLETE",
            "DriftedStackResourceCount": len(drifted),
            "Timestamp": timestamp,
        }
        if failed:
            detection["DetectionStatusReason"] = f"Failed to detect drift on resource(s) [{', '.join(sorted(failed))}]"
        stack["DriftInformation"] = {"StackDriftStatus": status, "LastCheckTimestamp": timestamp}
        kept = stack.setdefault("_drift_detections", {})
        kept[detection["StackDriftDetectionId"]] = detection
        while len(kept) > DETECTIONS_KEPT:
            kept.pop(next(iter(kept)))
        return answer("DetectStackDrift", {"StackDriftDetectionId": detection["StackDriftDetectionId"]})

    def detect_stack_resource_drift(self, params: Params) -> Reply:
        stack, error = handlers._drift_target(parameter(params, "StackName"))
        if error:
            return error
        logical = parameter(params, "LogicalResourceId")
        record = stack["_resources"].get(logical)
        if record is None:
            return refuse(f"Resource {logical} does not exist for stack {stack['StackName']}")
        if not drift.supported(record["ResourceType"]):
            return refuse(f"Drift detection is not supported for resource type {record['ResourceType']}")
        found = drift.detect(Workspace(self._context, stack), logical, record)
        return answer("DetectStackResourceDrift", {"StackResourceDrift": found})


def described(stack: Record) -> dict[str, Any]:
    """A stack as DescribeStacks has it."""
    parameters = [
        {
            "ParameterKey": item["ParameterKey"],
            "ParameterValue": "****" if item.get("NoEcho") else item["ParameterValue"],
        }
        for item in stack.get("Parameters", [])
    ]
    return {
        "StackId": stack["StackId"],
        "StackName": stack["StackName"],
        "ChangeSetId": stack.get("_change_set_id"),
        "Description": stack.get("Description"),
        "Parameters": parameters,
        "CreationTime": stack["CreationTime"],
        "DeletionTime": stack.get("DeletionTime"),
        "LastUpdatedTime": stack["LastUpdatedTime"] if stack.get("_updated") else None,
        "StackStatus": stack["StackStatus"],
        "StackStatusReason": stack.get("StackStatusReason"),
        "DisableRollback": bool(stack.get("DisableRollback")),
        "Capabilities": stack.get("Capabilities", []),
        "Outputs": stack.get("Outputs", []),
        "RoleARN": stack.get("RoleARN"),
        "Tags": [{"Key": tag["Key"], "Value": tag["Value"]} for tag in stack.get("Tags", [])],
        "EnableTerminationProtection": bool(stack.get("EnableTerminationProtection")),
        "DriftInformation": stack.get("DriftInformation") or {"StackDriftStatus": "NOT_CHECKED"},
        "DeletionMode": stack.get("DeletionMode"),
    }
