# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stack's resources: resolving their properties, and creating, changing, reading and deleting one of them."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING
from typing import Any

from ministack.core.responses import now_iso
from ministack.services import cloudformation
from ministack.services.cloudformation import engine
from ministack.services.cloudformation import stacks

from sandbox.cloudformation import kinds
from sandbox.cloudformation import reasons
from sandbox.cloudformation.kinds.base import Call
from sandbox.cloudformation.kinds.base import Kind
from sandbox.cloudformation.kinds.base import Properties
from sandbox.cloudformation.kinds.base import tag_map
from sandbox.cloudformation.schema import PropertyError

if TYPE_CHECKING:
    from sandbox.context import Context

Record = dict[str, Any]

STACK = "AWS::CloudFormation::Stack"
RETAINING = ("Retain", "RetainExceptOnCreate")

_locks: dict[str, threading.RLock] = {}


def forget() -> None:
    """Drop the locks: the stacks they were for are gone, and an operation that still runs keeps its own."""
    _locks.clear()


class Abandoned(Exception):
    """The stack is no longer there: the sandbox was reset, or the stack is being deleted."""


class Workspace:
    """One stack and what is needed to work on it, as one principal."""

    def __init__(self, context: Context, stack: Record) -> None:
        self.context = context
        self.stack = stack
        self.name: str = stack["StackName"]
        self.id: str = stack["StackId"]
        self.region: str = stack["_region"]
        principal = stack.get("RoleARN") or context.caller()
        self.principal = None if principal.endswith(":root") else principal

    @property
    def resources(self) -> dict[str, Record]:
        return self.stack["_resources"]

    def lock(self) -> threading.RLock:
        """Held while an operation works on the stack: a delete waits for the create that it ends."""
        return _locks.setdefault(self.id, threading.RLock())

    def clients(self, service: str) -> Any:
        return self.context.client(service, self.region, principal=self.principal)

    def event(self, status: str, reason: str = "") -> None:
        """The stack's own status, as its state and as an event."""
        self.stack["StackStatus"] = status
        self.stack["StackStatusReason"] = reason
        stacks._add_event(self.id, self.name, self.name, STACK, status, reason, self.id)

    def resource_event(self, logical: str, kind: str, status: str, reason: str = "", physical: str = "") -> None:
        stacks._add_event(self.id, self.name, logical, kind, status, reason, physical)

    def present(self) -> None:
        """Raises Abandoned when the stack has been taken away under a running operation."""
        if cloudformation._stacks.get(self.name) is not self.stack:
            raise Abandoned

    def call(self, logical: str, made: Callable[[str], None] = lambda physical: None) -> Call:
        siblings = [
            {"Properties": {}, **record}
            for other, record in list(self.resources.items())
            if other != logical and "Properties" in record
        ]
        return Call(
            self.clients,
            account=self.context.account,
            region=self.region,
            stack=self.name,
            logical=logical,
            made=made,
            siblings=siblings,
        )

    def tagged(self, logical: str, kind: Kind, properties: Properties, stack_tags: Any) -> Properties:
        """The properties with the stack's tags, and those that CloudFormation adds, in the tag property."""
        schema = getattr(kind, "schema", None)
        if schema is None:
            return stacks._with_stack_tags(kind.kind, properties, stack_tags, self.name, self.id, logical)
        if not schema.tags:
            return properties
        tags = tag_map(stack_tags)
        if schema.system_tags:
            own = {"stack-name": self.name, "stack-id": self.id, "logical-id": logical}
            tags.update({f"aws:cloudformation:{name}": value for name, value in own.items()})
        given = tag_map(properties.get(schema.tags))
        tags = {**{key: value for key, value in tags.items() if key not in given}, **given}
        if not tags:
            return properties
        shape = tags if schema.tags_are_a_map else [{"Key": key, "Value": value} for key, value in tags.items()]
        return {**properties, schema.tags: shape}

    def attempt(self, kind: Kind, operation: Callable[[], Any]) -> Any:
        """Run one operation of a kind; whatever it raises becomes Failure with the reason that AWS would show."""
        try:
            return operation()
        except Abandoned:
            raise
        except Exception as error:
            raise reasons.Failure(reasons.reason(error, getattr(kind, "service", ""))) from error

    def create(self, logical: str, kind: Kind, properties: Properties, tags: Any, status: str) -> Record:
        """Create a resource and return its record; while it is made, the stack shows it as in progress."""
        record: Record = {
            "LogicalResourceId": logical,
            "PhysicalResourceId": "",
            "ResourceType": kind.kind,
            "ResourceStatus": f"{status}_IN_PROGRESS",
            "Timestamp": now_iso(),
            "Properties": properties,
            "Attributes": {},
        }

        def made(physical: str) -> None:
            if not record["PhysicalResourceId"]:
                record["PhysicalResourceId"] = physical
                if status == "CREATE":
                    self.resource_event(
                        logical, kind.kind, "CREATE_IN_PROGRESS", "Resource creation Initiated", physical
                    )

        call = self.call(logical, made)
        self.resources[logical] = record

        def work() -> None:
            applied = self.tagged(logical, kind, properties, tags)
            made(kind.create(call, applied))
            record["Attributes"] = kind.attributes(call, record["PhysicalResourceId"], applied)

        self.attempt(kind, work)
        record.update(ResourceStatus=f"{status}_COMPLETE", Timestamp=now_iso())
        return record

    def change(self, logical: str, kind: Kind, physical: str, old: Properties, new: Properties) -> dict[str, Any]:
        """Change a resource in place, from `old` to `new` as they were and are to be sent, and return its attributes."""

        def work() -> dict[str, Any]:
            call = self.call(logical)
            kind.update(call, physical, old, new)
            return kind.attributes(call, physical, new)

        return self.attempt(kind, work)

    def delete(self, logical: str, record: Record) -> None:
        """Delete a resource, with its events. Raises Failure."""
        kind, physical = record["ResourceType"], record["PhysicalResourceId"]
        if not physical:
            return
        self.resource_event(logical, kind, "DELETE_IN_PROGRESS", physical=physical)
        served = kinds.find(kind)
        try:
            self.attempt(served, lambda: served.delete(self.call(logical), physical, record["Properties"]))
        except reasons.Failure as failure:
            record.update(ResourceStatus="DELETE_FAILED", ResourceStatusReason=str(failure), Timestamp=now_iso())
            self.resource_event(logical, kind, "DELETE_FAILED", str(failure), physical)
            raise
        self.resource_event(logical, kind, "DELETE_COMPLETE", physical=physical)

    def skip(self, logical: str, record: Record) -> None:
        """Leave a retained resource to itself."""
        self.resource_event(logical, record["ResourceType"], "DELETE_SKIPPED", physical=record["PhysicalResourceId"])

    def read(self, logical: str, record: Record, expected: Properties) -> Properties | None:
        """A resource's properties as its service shows them."""
        kind = kinds.find(record["ResourceType"])
        return kind.read(self.call(logical), record["PhysicalResourceId"], expected)


class Template:
    """A template with its parameters, for one stack."""

    def __init__(self, workspace: Workspace, template: dict, parameters: dict) -> None:
        self.workspace = workspace
        self.template = template
        self.parameters = parameters
        self.conditions = engine._evaluate_conditions(template, parameters)
        self.definitions: dict[str, dict] = template.get("Resources") or {}
        self.mappings = template.get("Mappings") or {}

    def order(self) -> list[str]:
        """The active resources, each after those that it needs."""
        return engine._topological_sort(self.definitions, self.conditions)

    def needs(self, logical: str, names: set[str]) -> set[str]:
        return engine._extract_deps(self.definitions.get(logical, {}), names)

    def resolved(self, value: Any) -> Any:
        work = self.workspace
        return engine._resolve_refs(
            copy.deepcopy(value), work.resources, self.parameters, self.conditions, self.mappings, work.name, work.id
        )

    def kind(self, logical: str) -> Kind:
        name = self.definitions[logical]["Type"]
        kind = kinds.find(name)
        if kind is None:
            raise reasons.Failure(f"Unrecognized resource type: {name}")
        return kind

    def properties(self, logical: str) -> Properties:
        """A resource's properties, resolved and in the schema's types. Raises Failure."""
        try:
            found = self.resolved(self.definitions[logical].get("Properties") or {})
            found = {name: value for name, value in found.items() if value is not engine._NO_VALUE}
            found, _rest = engine._resolve_dynamic_references(found, None, reuse_ssm=False, reuse_secrets=False)
            schema = getattr(self.kind(logical), "schema", None)
            return schema.coerced(found) if schema else found
        except PropertyError as error:
            raise reasons.Failure(str(error).replace("for resource with", f"for resource {logical} with")) from error
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise reasons.Failure(str(error)) from error

    def policy(self, logical: str, attribute: str) -> str:
        """DeletionPolicy or UpdateReplacePolicy of a resource."""
        value = self.definitions.get(logical, {}).get(attribute) or "Delete"
        return value if isinstance(value, str) else str(self.resolved(value))

    def outputs(self) -> tuple[list[dict], dict]:
        work = self.workspace
        return stacks._resolve_stack_outputs(
            self.template.get("Outputs") or {},
            self.conditions,
            work.resources,
            self.parameters,
            self.mappings,
            work.name,
            work.id,
        )
