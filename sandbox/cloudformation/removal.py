# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deleting a stack, in reverse order of its dependencies."""

from __future__ import annotations

from ministack.core.responses import now_iso
from ministack.services import cloudformation

from sandbox.cloudformation.reasons import Failure
from sandbox.cloudformation.workspace import RETAINING
from sandbox.cloudformation.workspace import Template
from sandbox.cloudformation.workspace import Workspace


def order_of(template: Template) -> list[str]:
    try:
        return template.order()
    except ValueError:
        return list(template.definitions)


def remove(
    work: Workspace,
    retain: frozenset[str] = frozenset(),
    force: bool = False,
    reason: str = "",
    failed_create: bool = False,
) -> None:
    """Delete a stack: each resource after all that need it.

    One that cannot be deleted keeps what it needs in place too, and leaves the stack DELETE_FAILED; with `force` both are left to
    themselves. `failed_create`: the delete ends a create, so that only `Retain` retains.
    """
    retaining = RETAINING[:1] if failed_create else RETAINING
    stack = work.stack
    template = Template(work, stack.get("_template") or {}, stack.get("_resolved_params") or {})
    work.event("DELETE_IN_PROGRESS", reason)
    order = order_of(template)
    order += [logical for logical in work.resources if logical not in order]
    failed: list[str] = []
    blocked: set[str] = set()
    names = set(work.resources)
    for logical in reversed(order):
        record = work.resources.get(logical)
        if record is None:
            continue
        work.present()
        if template.policy(logical, "DeletionPolicy") in retaining or logical in retain:
            work.skip(logical, record)
        elif logical in blocked:
            if not force:
                blocked |= template.needs(logical, names)
                continue
            work.skip(logical, record)
            blocked |= template.needs(logical, names)
        else:
            try:
                work.delete(logical, record)
            except Failure:
                blocked |= template.needs(logical, names)
                if not force:
                    failed.append(logical)
                    continue
                work.skip(logical, record)
        work.resources.pop(logical, None)
    if failed:
        work.event("DELETE_FAILED", f"The following resource(s) failed to delete: [{', '.join(sorted(failed))}]. ")
        return
    for name in [name for name, export in cloudformation._exports.items() if export["StackId"] == work.id]:
        cloudformation._exports.pop(name, None)
    stack["DeletionTime"] = now_iso()
    work.event("DELETE_COMPLETE")
    # Its name is free from now on; by its id it is still described.
    if cloudformation._stacks.get(work.name) is stack:
        cloudformation._stacks.pop(work.name)
        cloudformation._stacks[work.id] = stack
    for identifier in [key for key, value in cloudformation._change_sets.items() if value.get("StackId") == work.id]:
        cloudformation._change_sets.pop(identifier, None)
