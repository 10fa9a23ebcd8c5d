# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where our operations, kinds and actions are put in ministack's place."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING
from typing import Any

from ministack import app
from ministack.core.concurrency import run_reentrant
from ministack.services import cloudformation
from ministack.services import cloudwatch
from ministack.services.cloudformation import changesets
from ministack.services.cloudformation import engine
from ministack.services.cloudformation import handlers
from ministack.services.cloudformation import provisioners
from ministack.services.cloudformation import stacks
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend

from sandbox import calls
from sandbox.cloudformation import kinds
from sandbox.cloudformation.actions import Actions
from sandbox.cloudformation.changesets import ChangeSets
from sandbox.cloudformation.changesets import only_active
from sandbox.cloudformation.operations import Deployment
from sandbox.cloudformation.operations import continue_rollback
from sandbox.cloudformation.removal import remove
from sandbox.cloudformation.workspace import Abandoned
from sandbox.cloudformation.workspace import Workspace

if TYPE_CHECKING:
    from sandbox.context import Context

# Actions that call services before they answer: they must not hold up the loop that serves those calls.
BLOCKING = ("CreateChangeSet", "DetectStackDrift", "DetectStackResourceDrift")
PSEUDO = (
    "AWS::AccountId",
    "AWS::NoValue",
    "AWS::NotificationARNs",
    "AWS::Partition",
    "AWS::Region",
    "AWS::StackId",
    "AWS::StackName",
    "AWS::URLSuffix",
)


def install(context: Context) -> None:
    """Put the stack operations, the kinds and the actions in ministack's place."""
    _operations(context)
    _templates()
    _system_tags()
    for name in kinds.own():
        provisioners._RESOURCE_HANDLERS.setdefault(name, {})
    _everywhere("_property_recreation", _recreation(provisioners._property_recreation))
    changesets._resolve_props_for_diff = only_active(changesets._resolve_props_for_diff)
    table = cloudformation._ACTION_HANDLERS
    originals = dict(table)
    actions, change_sets = Actions(context, originals), ChangeSets(context, originals)
    table.update(
        CreateStack=actions.create_stack,
        UpdateStack=actions.update_stack,
        DeleteStack=actions.delete_stack,
        ValidateTemplate=actions.validate_template,
        DescribeStacks=actions.describe_stacks,
        DetectStackDrift=actions.detect_stack_drift,
        DetectStackResourceDrift=actions.detect_stack_resource_drift,
        CreateChangeSet=change_sets.create,
        DescribeChangeSet=change_sets.describe,
        ExecuteChangeSet=change_sets.execute,
    )
    for name in BLOCKING:
        table[name] = _off_loop(table[name])
    app.SERVICE_HANDLERS["cloudformation"] = _awaited(app.SERVICE_HANDLERS["cloudformation"])


def _everywhere(name: str, replacement: Any) -> None:
    """Replace a function of ministack's CloudFormation in each module that has imported it."""
    for module in (engine, provisioners, stacks, changesets, handlers):
        if hasattr(module, name):
            setattr(module, name, replacement)


def _off_loop(action: Any) -> Any:
    """The action on a thread of its own; its answer is a coroutine, which `_awaited` waits for."""

    def start(params: dict) -> Any:
        return run_reentrant(action, params)

    return start


def _awaited(handler: Any) -> Any:
    async def handle(*arguments: Any) -> Any:
        reply = await handler(*arguments)
        return await reply if asyncio.iscoroutine(reply) else reply

    return handle


def _operations(context: Context) -> None:
    def workspace(stack_name: str) -> Workspace:
        return Workspace(context, cloudformation._stacks[stack_name])

    async def deploy(
        stack_name: str,
        stack_id: str,
        template: dict,
        param_values: dict,
        disable_rollback: bool,
        tags: list,
        is_update: bool = False,
        previous_stack: dict | None = None,
        retain_except_on_create: bool = False,
        imports: dict | None = None,
    ) -> None:
        work = workspace(stack_name)
        deployment = Deployment(
            work,
            template,
            param_values,
            disable_rollback=disable_rollback,
            retain_except_on_create=retain_except_on_create,
            previous=(previous_stack or {}) if is_update else None,
            revert_drift=work.stack.pop("_revert_drift", False),
        )
        await run_reentrant(_alone, work, f"{deployment.prefix}_FAILED", deployment.run)

    async def create_then_delete(stack_name: str, stack_id: str, deploying: Any) -> None:
        cloudformation._stacks[stack_name]["_delete_on_failure"] = True
        await deploying

    async def delete(stack_name: str, stack_id: str, retain_resources: Any = (), force: bool = False) -> None:
        work = workspace(stack_name)
        # At once, so that a create that still runs stops; it holds the lock until it has.
        work.stack["StackStatus"] = "DELETE_IN_PROGRESS"
        await run_reentrant(_alone, work, "DELETE_FAILED", remove, work, frozenset(retain_resources), force)

    async def roll_back(
        stack_name: str, stack_id: str, stack: dict, operation: dict, reason_override: str = ""
    ) -> None:
        deployment = operation["deployment"]
        await run_reentrant(_alone, deployment.work, "ROLLBACK_FAILED", deployment.roll_back, reason_override)

    async def resume(stack_name: str, stack_id: str, resources_to_skip: Any) -> None:
        work = workspace(stack_name)
        await run_reentrant(
            _alone, work, "UPDATE_ROLLBACK_FAILED", continue_rollback, work, frozenset(resources_to_skip)
        )

    _everywhere("_deploy_stack_async", deploy)
    _everywhere("_create_then_delete_on_failure", create_then_delete)
    _everywhere("_delete_stack_async", delete)
    _everywhere("_roll_back_operation", roll_back)
    _everywhere("_continue_update_rollback_async", resume)


def _alone(work: Workspace, failed: str, operation: Callable[..., None], *arguments: Any) -> None:
    """Run one operation on a stack while no other does; a fault of ours ends it visibly, not in a stack that hangs."""
    with work.lock():
        try:
            operation(*arguments)
        except Abandoned:
            pass
        except Exception:
            traceback.print_exc()
            work.event(failed, "Internal Failure")


def _templates() -> None:
    """The zones that EC2 has, and refusals of templates that can never be deployed."""
    resolve, validate = engine._resolve_refs, engine.validate_template_support

    def resolved(value: Any, *arguments: Any) -> Any:
        if isinstance(value, dict) and "Fn::GetAZs" in value:
            region = resolved(value["Fn::GetAZs"], *arguments) or stacks.get_region()
            return sorted(zone.name for zone in RegionsAndZonesBackend.zones.get(region, []))
        return resolve(value, *arguments)

    def validated(template: dict, conditions: dict, params: dict | None = None) -> None:
        validate(template, conditions, params=params)
        definitions = template.get("Resources") or {}
        if not definitions:
            raise ValueError("Template format error: At least one Resources member must be defined.")
        known = {*definitions, *(template.get("Parameters") or {}), *PSEUDO}
        for section, block in (("Resources", definitions), ("Outputs", template.get("Outputs") or {})):
            parts = [item.get("Properties") if section == "Resources" else item.get("Value") for item in block.values()]
            unknown = {
                name for part in parts for name, _rest in engine._intrinsic_references(part) if name not in known
            }
            if unknown:
                names = ", ".join(sorted(unknown))
                raise ValueError(
                    f"Template format error: Unresolved resource dependencies [{names}] in the {section} block of the template"
                )
        try:
            engine._topological_sort(definitions, conditions)
        except ValueError as error:
            names = str(error).rpartition(": ")[2]
            raise ValueError(f"Circular dependency between resources: [{names}]") from error

    _everywhere("_resolve_refs", resolved)
    _everywhere("validate_template_support", validated)


def _system_tags() -> None:
    """Alarms take CloudFormation's own tags from CloudFormation."""
    refusal = cloudwatch._alarm_tags_refusal

    def judged(tags: list | None, *arguments: Any, **named: Any) -> Any:
        call = calls.current.get()
        if call is not None and call.via == "cloudformation":
            tags = [tag for tag in tags or [] if not tag["Key"].startswith("aws:cloudformation:")]
        return refusal(tags, *arguments, **named)

    cloudwatch._alarm_tags_refusal = judged


def _recreation(original: Any) -> Any:
    def recreation(kind_name: str, name: str) -> str:
        schema = getattr(kinds.find(kind_name), "schema", None)
        return schema.recreation(name) if schema else original(kind_name, name)

    return recreation
