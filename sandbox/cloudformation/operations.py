# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Creating and updating a stack in dependency order, and rolling either back."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import Any

from ministack.core.responses import now_iso
from ministack.services import cloudformation

from sandbox.cloudformation import drift
from sandbox.cloudformation import kinds
from sandbox.cloudformation.kinds.base import Properties
from sandbox.cloudformation.reasons import Failure
from sandbox.cloudformation.removal import order_of
from sandbox.cloudformation.removal import remove
from sandbox.cloudformation.workspace import RETAINING
from sandbox.cloudformation.workspace import Abandoned
from sandbox.cloudformation.workspace import Record
from sandbox.cloudformation.workspace import Template
from sandbox.cloudformation.workspace import Workspace

if TYPE_CHECKING:
    from sandbox.cloudformation.kinds.base import Kind

REPLACING = "Requested update requires the creation of a new physical resource; hence creating one."


@dataclass
class Done:
    """What a deployment did so far, in order: enough to undo it."""

    created: list[str] = field(default_factory=list)
    # Logical id -> physical id, properties as applied before, properties as applied now.
    changed: dict[str, tuple[str, Properties, Properties]] = field(default_factory=dict)
    # Logical id, record before: the old physical resource goes when the update has succeeded.
    replaced: list[tuple[str, Record]] = field(default_factory=list)
    # Logical ids that failed, by what failed.
    failed: dict[str, list[str]] = field(default_factory=lambda: {"create": [], "update": []})

    def failures(self) -> str:
        """AWS's sentence on what failed."""
        parts = [
            f"The following resource(s) failed to {verb}: [{', '.join(names)}]. "
            for verb, names in self.failed.items()
            if names
        ]
        return "".join(parts)


class Deployment:
    """One create or update of a stack.

    `previous` is the stack as it was before an update: `_resources`, `_template`, `_resolved_params`, `Tags` and what else the API
    shows of it. `revert_drift`: resources are compared with what is there, not with what was last deployed.
    """

    def __init__(
        self,
        work: Workspace,
        template: dict,
        parameters: dict,
        *,
        disable_rollback: bool = False,
        retain_except_on_create: bool = False,
        previous: dict[str, Any] | None = None,
        revert_drift: bool = False,
    ) -> None:
        self.work = work
        self.template = Template(work, template, parameters)
        self.parameters = parameters
        self.disable_rollback = disable_rollback
        self.retain_except_on_create = retain_except_on_create
        self.previous = previous
        self.revert_drift = revert_drift
        self.prefix = "CREATE" if previous is None else "UPDATE"
        self.tags = work.stack.get("Tags") or []
        self.old_tags = (previous or {}).get("Tags") or []
        self.done = Done()
        self.problem = ""
        if previous is None:
            work.stack["_template"], work.stack["_resolved_params"] = template, parameters

    def run(self) -> None:
        """Run to the end, whatever that is; only what the stack then shows tells. Raises Abandoned when the stack is taken away."""
        succeeded = self._deploy()
        outputs: tuple[list[dict], dict] = ([], {})
        if succeeded:
            try:
                outputs = self.template.outputs()
            except ValueError as error:
                succeeded, self.problem = False, str(error)
        if succeeded:
            self._finish(*outputs)
        elif self.work.stack.pop("_delete_on_failure", False):
            reason = f"{self.done.failures() or self.problem + '. '}Delete requested by user."
            remove(self.work, reason=reason, failed_create=True)
        elif self.disable_rollback:
            self.work.event(f"{self.prefix}_FAILED", self.done.failures() or self.problem)
            self.work.stack["_failed_operation"] = {"is_update": self.previous is not None, "deployment": self}
        else:
            self.roll_back()

    def _deploy(self) -> bool:
        for logical in self.template.order():
            self.work.present()
            if self.work.stack.get("StackStatus") == "DELETE_IN_PROGRESS":
                raise Abandoned
            if self.work.stack.pop("_cancel_requested", False):
                self.problem = "User Initiated"
                return False
            try:
                self._deploy_one(logical)
            except Failure as failure:
                self._fail(logical, str(failure))
                return False
        return True

    def _fail(self, logical: str, reason: str) -> None:
        kind = self.template.definitions[logical]["Type"]
        existed = self.previous is not None and logical in self.previous["_resources"]
        verb = "update" if existed else "create"
        self.done.failed[verb].append(logical)
        status = f"{verb.upper()}_FAILED"
        empty = {
            "LogicalResourceId": logical,
            "PhysicalResourceId": "",
            "ResourceType": kind,
            "Properties": {},
            "Attributes": {},
        }
        record = self.work.resources.setdefault(logical, empty)
        record.update(ResourceStatus=status, ResourceStatusReason=reason, Timestamp=now_iso())
        self.work.resource_event(logical, kind, status, reason, record["PhysicalResourceId"])

    def _deploy_one(self, logical: str) -> None:
        record = self.work.resources.get(logical)
        kind = self.template.kind(logical)
        if record is None or not record["PhysicalResourceId"]:
            self.work.resource_event(logical, kind.kind, "CREATE_IN_PROGRESS")
            self._create(logical, kind, self.template.properties(logical))
            return
        wanted = self.template.properties(logical)
        old = self.work.tagged(logical, kind, record["Properties"], self.old_tags)
        new = self.work.tagged(logical, kind, wanted, self.tags)
        if self.revert_drift and kind.kind == record["ResourceType"]:
            actual = drift.actual(self.work, logical, record, old)
            if actual is None:
                self._replace(logical, kind, wanted, record, gone=True)
                return
            old = actual
        if old == new and kind.kind == record["ResourceType"]:
            record["Properties"] = wanted
            return
        schema = getattr(kind, "schema", None)
        if kind.kind != record["ResourceType"] or (schema is not None and schema.replaced_by(old, new)):
            self._refuse_named(kind, old, new)
            self._replace(logical, kind, wanted, record)
            return
        physical = record["PhysicalResourceId"]
        self.done.changed[logical] = (physical, old, new)
        self.work.resource_event(logical, kind.kind, "UPDATE_IN_PROGRESS", physical=physical)
        record["ResourceStatus"] = "UPDATE_IN_PROGRESS"
        record["Attributes"] = self.work.change(logical, kind, physical, old, new)
        record.update(Properties=wanted, ResourceStatus="UPDATE_COMPLETE", Timestamp=now_iso())
        self.work.resource_event(logical, kind.kind, "UPDATE_COMPLETE", physical=physical)

    def _refuse_named(self, kind: Kind, old: Properties, new: Properties) -> None:
        """A resource that keeps its name cannot be replaced: both would have to exist for a while."""
        schema = getattr(kind, "schema", None)
        names = schema.names_itself if schema else []
        if names and all(name in new and old.get(name) == new[name] for name in names):
            name = "|".join(str(new[name]) for name in names)
            raise Failure(
                f"CloudFormation cannot update a stack when a custom-named resource requires replacing. "
                f"Rename {name} and update the stack again."
            )

    def _create(self, logical: str, kind: Kind, properties: Properties) -> None:
        self.done.created.append(logical)
        record = self.work.create(logical, kind, properties, self.tags, "CREATE")
        self.work.resource_event(logical, kind.kind, "CREATE_COMPLETE", physical=record["PhysicalResourceId"])

    def _replace(self, logical: str, kind: Kind, properties: Properties, record: Record, gone: bool = False) -> None:
        """Create the resource anew; the old one goes at the end, unless it is gone already."""
        before = record["PhysicalResourceId"]
        self.work.resource_event(logical, kind.kind, "UPDATE_IN_PROGRESS", REPLACING, before)
        if not gone:
            self.done.replaced.append((logical, record))
        self.done.created.append(logical)
        new = self.work.create(logical, kind, properties, self.tags, "UPDATE")
        self.work.resource_event(logical, kind.kind, "UPDATE_COMPLETE", physical=new["PhysicalResourceId"])

    def _finish(self, outputs: list[dict], exports: dict) -> None:
        stack, work = self.work.stack, self.work
        if self.previous is not None:
            self._clean_up()
        stack["_template"] = self.template.template
        stack["_resolved_params"] = self.parameters
        stack["_conditions"] = self.template.conditions
        for name in [name for name, export in cloudformation._exports.items() if export["StackId"] == work.id]:
            cloudformation._exports.pop(name, None)
        cloudformation._exports.update(exports)
        stack["Outputs"] = outputs
        if self.revert_drift:
            drift.reset(stack)
        work.event(f"{self.prefix}_COMPLETE")

    def _clean_up(self) -> None:
        """Delete what the update replaced and what its template no longer has; what cannot be deleted does not fail the update."""
        work = self.work
        old = Template(work, self.previous["_template"], self.previous["_resolved_params"])
        active = set(self.template.order())
        removed = [
            logical for logical in reversed(order_of(old)) if logical in work.resources and logical not in active
        ]
        removed += [logical for logical in list(work.resources) if logical not in active and logical not in removed]
        if not removed and not self.done.replaced:
            return
        work.event("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        for logical, record in reversed(self.done.replaced):
            if self.template.policy(logical, "UpdateReplacePolicy") in RETAINING:
                work.skip(logical, record)
                continue
            self._delete_quietly(logical, dict(record))
        for logical in removed:
            record = work.resources[logical]
            if old.policy(logical, "DeletionPolicy") in RETAINING:
                work.skip(logical, record)
            elif not self._delete_quietly(logical, record):
                continue
            work.resources.pop(logical, None)

    def _delete_quietly(self, logical: str, record: Record) -> bool:
        try:
            self.work.delete(logical, record)
        except Failure:
            return False
        return True

    def roll_back(self, reason: str = "") -> None:
        """Undo what was done, as RollbackStack does it later on for a stack that was left failed."""
        self.work.stack.pop("_failed_operation", None)
        if self.previous is None:
            self._roll_back_create(reason)
        else:
            self._roll_back_update(reason)

    def _roll_back_create(self, reason: str) -> None:
        work = self.work
        work.event(
            "ROLLBACK_IN_PROGRESS",
            reason or f"{self.done.failures() or self.problem + '. '}Rollback requested by user.",
        )
        if left := self._delete_created():
            names = ", ".join(sorted(left))
            work.event("ROLLBACK_FAILED", f"The following resource(s) failed to delete: [{names}]. ")
            return
        work.event("ROLLBACK_COMPLETE")

    def _delete_created(self) -> list[str]:
        """Delete what this operation created, last first, and return what could not be."""
        work, left = self.work, []
        replaced = dict(self.done.replaced)
        for logical in reversed(self.done.created):
            record = work.resources.get(logical)
            if record is None or record is replaced.get(logical):
                continue
            policy = self.template.policy(logical, "DeletionPolicy")
            # RetainExceptOnCreate deletes what the failed operation itself created (DeletionPolicy attribute reference).
            if policy == "Retain" and not self.retain_except_on_create and record["PhysicalResourceId"]:
                work.skip(logical, record)
            else:
                try:
                    work.delete(logical, record)
                except Failure:
                    left.append(logical)
                    continue
            work.resources.pop(logical, None)
        for logical in [name for name, record in work.resources.items() if not record["PhysicalResourceId"]]:
            work.resources.pop(logical)
        return left

    def _roll_back_update(self, reason: str) -> None:
        work = self.work
        work.event("UPDATE_ROLLBACK_IN_PROGRESS", reason or self.done.failures() or self.problem)
        failed = self._revert()
        if failed:
            work.stack["_rollback_failed"], work.stack["_failed_rollback"] = failed, self
            work.event(
                "UPDATE_ROLLBACK_FAILED", f"The following resource(s) failed to update: [{', '.join(sorted(failed))}]. "
            )
            return
        work.event("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
        self.restore()
        work.event("UPDATE_ROLLBACK_COMPLETE")

    def restore(self) -> None:
        """Delete what the update made, and show the stack as it was before."""
        stack, previous = self.work.stack, self.previous
        self._delete_created()
        for logical, record in previous["_resources"].items():
            if logical in self.done.changed:
                record.update(ResourceStatus="UPDATE_COMPLETE", Timestamp=now_iso())
        for name in (
            "_resources",
            "_template",
            "_resolved_params",
            "_conditions",
            "_template_body",
            "Parameters",
            "Tags",
            "Outputs",
        ):
            if name in previous:
                stack[name] = previous[name]

    def _revert(self) -> dict[str, Record]:
        """Send changed resources back, last first; what cannot be is returned for ContinueUpdateRollback."""
        work, failed = self.work, {}
        for logical, (physical, old, new) in reversed(self.done.changed.items()):
            record = work.resources[logical]
            kind = kinds.find(record["ResourceType"])
            work.resource_event(logical, kind.kind, "UPDATE_IN_PROGRESS", physical=physical)
            try:
                # A resource whose own update failed may stand anywhere between old and new.
                now = drift.actual(work, logical, record, new) if logical in self.done.failed["update"] else new
                work.change(logical, kind, physical, now or new, old)
            except Failure as failure:
                work.resource_event(logical, kind.kind, "UPDATE_FAILED", str(failure), physical)
                failed[logical] = {
                    "PhysicalResourceId": physical,
                    "ResourceType": kind.kind,
                    "RevertFrom": new,
                    "RevertTo": old,
                    "Attributes": record.get("Attributes", {}),
                }
                continue
            work.resource_event(logical, kind.kind, "UPDATE_COMPLETE", physical=physical)
        return failed


def continue_rollback(work: Workspace, skipped: frozenset[str]) -> None:
    """ContinueUpdateRollback: try again what could not be sent back, but for what is skipped."""
    stack = work.stack
    work.event("UPDATE_ROLLBACK_IN_PROGRESS", "User Initiated")
    left = {}
    for logical, item in stack.pop("_rollback_failed", {}).items():
        physical, name = item["PhysicalResourceId"], item["ResourceType"]
        if logical in skipped:
            work.resource_event(logical, name, "UPDATE_COMPLETE", "Resource rollback skipped by user", physical)
            continue
        try:
            work.change(logical, kinds.find(name), physical, item["RevertFrom"], item["RevertTo"])
        except Failure as failure:
            work.resource_event(logical, name, "UPDATE_FAILED", str(failure), physical)
            left[logical] = item
            continue
        work.resource_event(logical, name, "UPDATE_COMPLETE", physical=physical)
    if left:
        stack["_rollback_failed"] = left
        work.event(
            "UPDATE_ROLLBACK_FAILED", f"The following resource(s) failed to update: [{', '.join(sorted(left))}]. "
        )
        return
    stack.pop("_failed_rollback").restore()
    work.event("UPDATE_ROLLBACK_COMPLETE")
