# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a call must be allowed, beyond what ministack checks: every resource, tags, roles that it passes, launches through a template."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from collections.abc import Iterator
from typing import Any

from ministack.core import iam_actions
from ministack.core import iam_evaluator
from ministack.core import responses
from ministack.services import ecs
from ministack.services import iam

from sandbox.calls import Call
from sandbox.calls import current
from sandbox.errors import Reply
from sandbox.iam import launches
from sandbox.iam import resources
from sandbox.iam.identity import ROOT_ARN

# (service, action) -> members that name a role, and the service that the role is passed to (Service Authorization Reference, actions
# with the dependent action iam:PassRole). `[]` goes through a list.
PASSED_ROLES: dict[tuple[str, str], tuple[tuple[str, str], ...]] = {
    ("autoscaling", "PutLifecycleHook"): (("RoleARN", "autoscaling"),),
    ("backup", "CreateBackupSelection"): (("BackupSelection.IamRoleArn", "backup"),),
    ("cloudformation", "CreateStack"): (("RoleARN", "cloudformation"),),
    ("cloudformation", "UpdateStack"): (("RoleARN", "cloudformation"),),
    ("cloudformation", "DeleteStack"): (("RoleARN", "cloudformation"),),
    ("cloudformation", "CreateChangeSet"): (("RoleARN", "cloudformation"),),
    ("ecr", "CreatePullThroughCacheRule"): (("customRoleArn", "ecr"),),
    ("ecr", "CreateRepositoryCreationTemplate"): (("customRoleArn", "ecr"),),
    ("ecr", "UpdateRepositoryCreationTemplate"): (("customRoleArn", "ecr"),),
    ("ec2", "CreateFlowLogs"): (("DeliverLogsPermissionArn", "vpc-flow-logs"),),
    ("ecs", "RegisterTaskDefinition"): (("taskRoleArn", "ecs-tasks"), ("executionRoleArn", "ecs-tasks")),
    ("ecs", "RunTask"): (("overrides.taskRoleArn", "ecs-tasks"), ("overrides.executionRoleArn", "ecs-tasks")),
    ("events", "PutRule"): (("RoleArn", "events"),),
    ("events", "PutTargets"): (("Targets[].RoleArn", "events"),),
    ("iam", "AddRoleToInstanceProfile"): (("RoleName", "ec2"),),
    ("imagebuilder", "CreateImage"): (("executionRole", "imagebuilder"),),
    ("imagebuilder", "StartResourceStateUpdate"): (("executionRole", "imagebuilder"),),
    ("lambda", "CreateFunction"): (("Role", "lambda"),),
    ("lambda", "UpdateFunctionConfiguration"): (("Role", "lambda"),),
    ("scheduler", "CreateSchedule"): (("Target.RoleArn", "scheduler"),),
    ("scheduler", "UpdateSchedule"): (("Target.RoleArn", "scheduler"),),
    ("states", "CreateStateMachine"): (("roleArn", "states"),),
    ("states", "UpdateStateMachine"): (("roleArn", "states"),),
}


def install() -> None:
    """Let the first check be on AWS's resource, and write every verdict into the call's log entry."""
    judge, resource_of, tags_of = (
        iam_evaluator.enforce,
        iam_actions.extract_resource_arn,
        iam_actions.request_tag_context,
    )

    def extract_resource_arn(*arguments: Any) -> str:
        call = current.get()
        request = call.request if call is not None else None
        found = (
            resources.of(call.service, call.action, request.parameters)
            if call is not None and request is not None
            else None
        )
        return found[0] if found else resource_of(*arguments)

    def request_tag_context(service: str, iam_action: str, body: bytes, params: dict) -> dict:
        call = current.get()
        if service == "ec2" and call is not None and call.request is not None:
            return _tag_context(_tag_specifications(call.request.parameters))
        return tags_of(service, iam_action, body, params)

    def enforce(access_key, action, service, region, resource_arn="*", service_context=None):
        verdict = judge(access_key, action, service, region, resource_arn=resource_arn, service_context=service_context)
        call = current.get()
        if call is not None:
            call.decisions.append({"action": action, "resource": resource_arn, "allowed": verdict is None})
        return verdict

    iam_evaluator.enforce = enforce
    iam_actions.extract_resource_arn = extract_resource_arn
    iam_actions.request_tag_context = request_tag_context


def denial(call: Call) -> Reply | None:
    """The refusal of a call for a permission that it needs besides its own action's."""
    if call.request is None or call.principal == ROOT_ARN:
        return None
    for action, resource, context in _needed(call):
        verdict = iam_evaluator.enforce(
            call.access_key, action, call.service, call.region, resource_arn=resource, service_context=context
        )
        if verdict is not None:
            return iam_actions.access_denied_response(
                call.service,
                action,
                call.principal,
                str(uuid.uuid4()),
                message=f"User: {call.principal} is not authorized to perform: {action} on resource: {resource}",
                headers=call.request.headers,
            )
    return None


def _needed(call: Call) -> Iterator[tuple[str, str, dict[str, Any]]]:
    assert call.request is not None
    parameters = call.request.parameters
    own = f"{call.service}:{call.action}"
    launch = launches.needed(call, parameters)
    specifications = _tag_specifications(parameters) if call.service == "ec2" else []
    if call.action != "RunInstances":
        for resource in (resources.of(call.service, call.action, parameters) or [])[1:]:
            yield own, resource, _tag_context(specifications)
    if call.action not in ("CreateTags", "DeleteTags"):
        yield from _tagging(call, call.action, specifications)
    if own == "ecr:CreateRepository":
        yield from _repository(parameters)
    for path, service in PASSED_ROLES.get((call.service, call.action), ()):
        for role in _values(parameters, path):
            yield pass_role(role, service)
    for role in _roles_of_tasks(call, parameters):
        yield pass_role(role, "ecs-tasks")
    if call.service == "imagebuilder":
        yield from _image_builder(call, parameters)
    if launch is not None:
        for resource in launch.resources:
            yield "ec2:RunInstances", resource, {}
        yield from _tagging(call, "RunInstances", launch.tags)
        for role in launch.roles:
            yield pass_role(role, "ec2")


def _roles_of_tasks(call: Call, parameters: dict[str, Any]) -> Iterator[str]:
    """Whoever runs tasks passes the roles of their definition (ECS developer guide, "IAM permissions required for ... task IAM role")."""
    if (call.service, call.action) in (("ecs", "RunTask"), ("ecs", "StartTask")):
        definition = ecs._task_defs.get(ecs._resolve_td_key(parameters.get("taskDefinition", ""))) or {}
        overrides = parameters.get("overrides") or {}
        for name in ("taskRoleArn", "executionRoleArn"):
            if definition.get(name) and not overrides.get(name):
                yield definition[name]


def _image_builder(call: Call, parameters: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """What is tagged as it is made, and a build's instance's role (service authorization reference of Image Builder, dependent actions)."""
    if call.action.startswith("Create") and parameters.get("tags"):
        for resource in resources.of(call.service, call.action, parameters) or ["*"]:
            yield "imagebuilder:TagResource", resource, {}
    for role in launches.roles_of_profile(parameters.get("instanceProfileName") or ""):
        yield pass_role(role, "ec2")


def _tagging(
    call: Call, action: str, specifications: Iterable[dict[str, Any]]
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Whoever tags what is being made needs ec2:CreateTags (EC2 user guide, "Grant permission to tag resources during creation")."""
    for specification in specifications:
        kind = specification.get("ResourceType", "*")
        resource = f"arn:aws:ec2:{call.region}:{responses.get_account_id()}:{kind}/*"
        yield "ec2:CreateTags", resource, {**_tag_context([specification]), "ec2:createaction": action}


def _repository(parameters: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Tags and a customer's key need rights of their own (Amazon ECR user guide, "Create a custom policy for ... creation templates")."""
    if parameters.get("tags"):
        yield "ecr:TagResource", (resources.of("ecr", "CreateRepository", parameters) or ["*"])[0], {}
    key = (parameters.get("encryptionConfiguration") or {}).get("kmsKey")
    if key:
        yield "kms:CreateGrant", key, {}
        yield "kms:DescribeKey", key, {}


def _tag_specifications(parameters: dict[str, Any]) -> list[dict[str, Any]]:
    """What an EC2 request tags; CreateTags itself tags what it names."""
    found = list(parameters.get("TagSpecifications") or parameters.get("TagSpecification") or ())
    return found or ([{"Tags": parameters["Tags"]}] if parameters.get("Tags") else [])


def _tag_context(specifications: list[dict[str, Any]]) -> dict[str, Any]:
    tags = {
        tag["Key"]: tag.get("Value", "") for each in specifications for tag in each.get("Tags") or () if "Key" in tag
    }
    if not tags:
        return {}
    return {"aws:TagKeys": list(tags), **{f"aws:requesttag/{key}".lower(): value for key, value in tags.items()}}


def pass_role(role: str, service: str) -> tuple[str, str, dict[str, Any]]:
    """The permission to hand a role, by name or ARN, to a service."""
    arn = role if role.startswith("arn:") else _role_arn(role)
    return "iam:PassRole", arn, {"iam:passedtoservice": f"{service}.amazonaws.com"}


def _role_arn(name: str) -> str:
    known = iam._roles.get(name) or {}
    return known.get("Arn") or f"arn:aws:iam::{responses.get_account_id()}:role/{name}"


def _values(parameters: Any, path: str) -> Iterator[str]:
    """The values at a path of member names."""
    name, _mark, rest = path.partition(".")
    items = parameters.get(name.removesuffix("[]")) if isinstance(parameters, dict) else None
    for item in items if isinstance(items, list) else [items]:
        if rest and item is not None:
            yield from _values(item, rest)
        elif isinstance(item, str) and item:
            yield item
