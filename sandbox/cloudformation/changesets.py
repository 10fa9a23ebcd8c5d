# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Change sets, with those that are aware of drift (`DeploymentMode: REVERT_DRIFT`)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING
from typing import Any

from ministack.core.responses import now_iso
from ministack.services import cloudformation
from ministack.services.cloudformation import changesets
from ministack.services.cloudformation import engine

from sandbox.cloudformation import drift
from sandbox.cloudformation import kinds
from sandbox.cloudformation.actions import find
from sandbox.cloudformation.actions import not_updatable
from sandbox.cloudformation.reasons import Failure
from sandbox.cloudformation.wire import Action
from sandbox.cloudformation.wire import Reply
from sandbox.cloudformation.wire import answer
from sandbox.cloudformation.wire import parameter
from sandbox.cloudformation.wire import refuse
from sandbox.cloudformation.workspace import Record
from sandbox.cloudformation.workspace import Template
from sandbox.cloudformation.workspace import Workspace

if TYPE_CHECKING:
    from sandbox.context import Context

Params = dict[str, list[str]]

REVERT = "REVERT_DRIFT"
EMPTY = "The submitted information didn't contain changes. Submit different information to create a change set."


class ChangeSets:
    """The change set actions that stand before ministack's."""

    def __init__(self, context: Context, originals: dict[str, Action]) -> None:
        self._context = context
        self._originals = originals

    def create(self, params: Params) -> Reply:
        stack = find(parameter(params, "StackName"))
        kind = parameter(params, "ChangeSetType", "UPDATE")
        mode = parameter(params, "DeploymentMode")
        if mode not in ("", REVERT):
            return refuse(
                f"1 validation error detected: Value '{mode}' at 'deploymentMode' failed to satisfy constraint: "
                f"Member must satisfy enum value set: [{REVERT}]"
            )
        if mode and kind != "UPDATE":
            return refuse(f"DeploymentMode {REVERT} is only supported for change sets of type UPDATE")
        if (
            stack
            and kind == "UPDATE"
            and stack["StackStatus"] != "DELETE_COMPLETE"
            and (refusal := not_updatable(stack))
        ):
            return refusal
        if stack and kind == "CREATE" and stack["StackStatus"] == "ROLLBACK_COMPLETE":
            return not_updatable(stack)
        reply = self._originals["CreateChangeSet"](params)
        if reply[0] != 200:
            return reply
        change_set = self._newest(parameter(params, "ChangeSetName"), parameter(params, "StackName"))
        change_set["RoleARN"] = parameter(params, "RoleARN")
        if mode == REVERT:
            self._compare(change_set)
        elif change_set["Status"] == "FAILED" and stack and kind == "UPDATE" and _outputs_differ(stack, change_set):
            change_set.update(Status="CREATE_COMPLETE", ExecutionStatus="AVAILABLE", StatusReason="")
        return reply

    def _newest(self, name: str, stack_name: str) -> Record:
        stack = find(stack_name)
        found = [
            item
            for item in cloudformation._change_sets.values()
            if name in (item["ChangeSetName"], item["ChangeSetId"]) and item["StackId"] == stack["StackId"]
        ]
        return found[-1]

    def _compare(self, change_set: Record) -> None:
        """Add what drifted to the changes of the template."""
        stack = find(change_set["StackId"])
        work = Workspace(self._context, {**stack, "RoleARN": change_set["RoleARN"] or stack.get("RoleARN")})
        template = Template(work, change_set["_template"], change_set["_resolved_params"])
        stack_tags = change_set["Tags"] if change_set["_tags_given"] else stack.get("Tags") or []
        changes = {item["ResourceChange"]["LogicalResourceId"]: item for item in change_set["Changes"]}
        statuses = []
        for logical in template.order():
            record = stack["_resources"].get(logical)
            if record is None or record["ResourceType"] != template.definitions[logical]["Type"]:
                continue
            status, details = self._drifted(work, template, logical, record, stack_tags)
            statuses.append(status)
            if logical in changes:
                changes[logical]["ResourceChange"]["ResourceDriftStatus"] = status
            if status in ("MODIFIED", "DELETED"):
                _merge(changes, logical, record, status, details)
        change_set["DeploymentMode"] = REVERT
        change_set["StackDriftStatus"] = (
            "DRIFTED" if {"MODIFIED", "DELETED"} & set(statuses) else "UNKNOWN" if "UNKNOWN" in statuses else "IN_SYNC"
        )
        change_set["Changes"] = [changes[logical] for logical in sorted(changes)]
        if changes or _outputs_differ(stack, change_set):
            change_set.update(Status="CREATE_COMPLETE", ExecutionStatus="AVAILABLE", StatusReason="")
        else:
            change_set.update(Status="FAILED", ExecutionStatus="UNAVAILABLE", StatusReason=EMPTY)

    def _drifted(
        self, work: Workspace, template: Template, logical: str, record: Record, stack_tags: Any
    ) -> tuple[str, list[dict[str, Any]]]:
        """A resource's drift status, and a detail for each property in which it differs from what the template wants."""
        kind = kinds.find(record["ResourceType"])
        if getattr(kind, "schema", None) is None or not drift.supported(record["ResourceType"]):
            return "UNSUPPORTED", []
        try:
            tagged = work.tagged(logical, kind, template.properties(logical), stack_tags)
            before = work.tagged(logical, kind, record["Properties"], work.stack.get("Tags") or [])
            wanted = drift.without_system_tags(kind, tagged)
            last = drift.without_system_tags(kind, before)
            found = work.attempt(kind, lambda: work.read(logical, record, wanted))
        except Failure:
            return "UNKNOWN", []
        if found is None:
            return "DELETED", []
        _actual, drifted = drift.compared(kind, last, found)
        _actual, differences = drift.compared(kind, wanted, found)
        timestamp = now_iso()
        details = [_detail(kind, item, last, found, timestamp) for item in differences]
        return ("MODIFIED" if drifted else "IN_SYNC"), details

    def describe(self, params: Params) -> Reply:
        name, stack_name = parameter(params, "ChangeSetName"), parameter(params, "StackName")
        stack = find(stack_name) if stack_name else None
        _stack, change_set = changesets._find_change_set(name, stack["StackName"] if stack else stack_name)
        if not change_set:
            return refuse(f"ChangeSet [{name}] does not exist", "ChangeSetNotFound", 404)
        values = parameter(params, "IncludePropertyValues").lower() == "true"
        names = (
            "ChangeSetName",
            "ChangeSetId",
            "StackId",
            "StackName",
            "Description",
            "Parameters",
            "CreationTime",
            "ExecutionStatus",
            "Status",
            "StatusReason",
            "StackDriftStatus",
            "Capabilities",
            "Tags",
            "OnStackFailure",
            "ImportExistingResources",
            "DeploymentMode",
        )
        result = {key: change_set[key] for key in names if change_set.get(key) not in (None, "", False)}
        result["Tags"] = [{"Key": tag["Key"], "Value": tag["Value"]} for tag in change_set.get("Tags", [])]
        result["Changes"] = [_shown(item["ResourceChange"], values) for item in change_set["Changes"]]
        result["IncludeNestedStacks"] = False
        return answer("DescribeChangeSet", result)

    def execute(self, params: Params) -> Reply:
        _stack, change_set = changesets._find_change_set(
            parameter(params, "ChangeSetName"), parameter(params, "StackName")
        )
        stack = cloudformation._stacks.get(change_set["StackName"]) if change_set else None
        updating = stack and change_set["ExecutionStatus"] == "AVAILABLE" and change_set["ChangeSetType"] == "UPDATE"
        if updating and (refusal := not_updatable(stack)):
            return refusal
        reply = self._originals["ExecuteChangeSet"](params)
        if reply[0] == 200 and stack:
            stack["_updated"] = change_set["ChangeSetType"] == "UPDATE"
            stack["_change_set_id"] = change_set["ChangeSetId"]
            stack["_revert_drift"] = change_set.get("DeploymentMode") == REVERT
            if change_set["RoleARN"]:
                stack["RoleARN"] = change_set["RoleARN"]
        return reply


def only_active(compared: Callable[..., dict]) -> Callable[..., dict]:
    """What ministack compares of a template, without the resources whose condition does not hold: one that begins to hold adds them."""

    def active(template: dict, params: dict, stack_name: str, stack_id: str) -> dict:
        found = compared(template, params, stack_name, stack_id)
        if not found:
            return found
        conditions = engine._evaluate_conditions(template, params)
        kept = {name: item for name, item in found["Resources"].items() if conditions.get(item.get("Condition"), True)}
        return {**found, "Resources": kept}

    return active


def _outputs_differ(stack: Record, change_set: Record) -> bool:
    """A change of outputs alone is no change of a resource, and still one that can be executed."""
    return (stack.get("_template") or {}).get("Outputs", {}) != change_set["_template"].get("Outputs", {})


def _merge(changes: dict[str, dict], logical: str, record: Record, status: str, details: list[dict]) -> None:
    change = changes.setdefault(
        logical,
        {
            "ResourceChange": {
                "Action": "Modify",
                "LogicalResourceId": logical,
                "PhysicalResourceId": record["PhysicalResourceId"],
                "ResourceType": record["ResourceType"],
                "Replacement": "False",
                "Scope": [],
                "Details": [],
            }
        },
    )["ResourceChange"]
    change["ResourceDriftStatus"] = status
    if status == "DELETED":
        change.update(Action="Add", Scope=[], Details=[])
        change.pop("Replacement", None)
        return
    names = {item["Target"]["Name"] for item in details}
    kept = [item for item in change["Details"] if item["Target"].get("Name") not in names]
    change["Details"] = kept + details
    change["Scope"] = list(dict.fromkeys([*change["Scope"], "Properties"]))
    if any(item["Target"]["RequiresRecreation"] == "Always" for item in details):
        change["Replacement"] = "True"
    if not change["Details"]:
        changes.pop(logical)


def _detail(kind: kinds.Kind, difference: dict, last: dict, found: dict, timestamp: str) -> dict[str, Any]:
    """One ResourceChangeDetail of a property that is not as the template wants it."""
    name = difference["PropertyPath"].split("/")[1]
    change = {"REMOVE": "Add", "ADD": "Remove"}.get(difference["DifferenceType"], "Modify")
    target = {
        "Attribute": "Properties",
        "Name": name,
        "RequiresRecreation": kind.schema.recreation(name),
        "Path": f"/Properties{difference['PropertyPath']}",
        "BeforeValue": None if change == "Add" else difference["ActualValue"],
        "AfterValue": None if change == "Remove" else difference["ExpectedValue"],
        "BeforeValueFrom": "ACTUAL_STATE",
        "AfterValueFrom": "TEMPLATE",
        "Drift": {
            "PreviousValue": _text(last.get(name)),
            "ActualValue": _text(found.get(name)),
            "DriftDetectionTimestamp": timestamp,
        },
        "AttributeChangeType": change,
    }
    return {"Target": {key: value for key, value in target.items() if value is not None}, "Evaluation": "Static"}


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value, default=str)


def _shown(change: dict[str, Any], values: bool) -> dict[str, Any]:
    """A change as DescribeChangeSet has it; values only where they are asked for."""
    details = []
    for item in change.get("Details", []):
        hidden = () if values else ("BeforeValue", "AfterValue")
        details.append({**item, "Target": {key: value for key, value in item["Target"].items() if key not in hidden}})
    return {"Type": "Resource", "ResourceChange": {**change, "Details": details}}
