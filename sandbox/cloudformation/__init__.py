# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CloudFormation: ministack reads templates and answers requests, the operations on stacks and the kinds of resources are ours.

Every call that a stack makes goes through the front as its caller, or as its role: logged, judged by IAM and by the services' models.
The kinds themselves (`sandbox.cloudformation.kinds`) need botocore only, so that tests read properties back with the same readers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sandbox.context import Context

_PACKAGE = "ministack.services.cloudformation"
NEEDS = [
    f"{_PACKAGE}.{name}"
    for name in (
        "_change_sets",
        "_exports",
        "_stacks",
        "_ACTION_HANDLERS",
        "changesets._create_change_set",
        "changesets._find_change_set",
        "changesets._resolve_props_for_diff",
        "drift._difference",
        "drift._differences",
        "drift._DRIFT_READERS",
        "drift.detect_resource_drift",
        "drift.record_resource_drift",
        "engine._NO_VALUE",
        "engine._evaluate_conditions",
        "engine._extract_deps",
        "engine._intrinsic_references",
        "engine._resolve_dynamic_references",
        "engine._resolve_refs",
        "engine._topological_sort",
        "engine.validate_template_support",
        "handlers._drift_target",
        "handlers._resolve_stack",
        "helpers._extract_string_members",
        "helpers._page",
        "helpers._request_problems",
        "helpers._xml",
        "provisioners._RESOURCE_HANDLERS",
        "provisioners._property_recreation",
        "stacks._add_event",
        "stacks._continue_update_rollback_async",
        "stacks._create_then_delete_on_failure",
        "stacks._delete_stack_async",
        "stacks._deploy_stack_async",
        "stacks._resolve_stack_outputs",
        "stacks._roll_back_operation",
        "stacks._with_stack_tags",
    )
] + [
    "ministack.app.SERVICE_HANDLERS",
    "ministack.core.concurrency.run_reentrant",
    "ministack.services.cloudwatch._alarm_tags_refusal",
]


def install(context: Context) -> None:
    """Put the stack operations, the kinds and the actions in ministack's place."""
    from sandbox.cloudformation import wiring

    wiring.install(context)


def reset(context: Context) -> None:
    """Forget the locks of stacks that are gone."""
    from sandbox.cloudformation import workspace

    workspace.forget()
