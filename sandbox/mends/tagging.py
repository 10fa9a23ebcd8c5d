# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Resource Groups Tagging API: moto's resources and the services that ministack's sweep leaves out.

Like AWS's, the sweep does not know Auto Scaling groups (they have no type in the API's list of supported resources).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

from ministack.core import responses
from ministack.services import tagging
from moto.autoscaling.models import autoscaling_backends
from moto.ec2.models import ec2_backends

from sandbox.context import Context
from sandbox.iam.resources import ec2_arn

NEEDS = [
    "ministack.services.tagging._COLLECTORS",
    "ministack.services.tagging._RESOURCE_TAG_COLLECTORS",
    "ministack.services.tagging._collect_ssm",
    "ministack.services.tagging._collect_secretsmanager",
    "ministack.services.tagging._collect_ecs",
    "ministack.services.tagging._collect_efs",
    "ministack.services.tagging._collect_eventbridge",
    "ministack.services.stepfunctions._tags",
    "ministack.services.cloudwatch_logs._log_groups",
    "ministack.services.cloudwatch._resource_tags",
    "ministack.services.apigateway._api_tags",
    "ministack.services.cloudformation._stacks",
]

Tagged = Iterator[tuple[str, list[dict[str, str]]]]


def install(context: Context) -> None:
    ec2, groups = _locked(context, _ec2), _locked(context, _groups)
    tagging._COLLECTORS.update(
        {
            "ec2": ec2,
            "ssm": tagging._collect_ssm,
            "secretsmanager": tagging._collect_secretsmanager,
            "states": _store("stepfunctions", "_tags"),
            "logs": _log_groups,
            "cloudwatch": _store("cloudwatch", "_resource_tags"),
            "apigateway": _store("apigateway", "_api_tags"),
            "cloudformation": _stacks,
        }
    )
    # Several of ministack's own stores hold every region.
    for service, collect in tagging._COLLECTORS.items():
        tagging._COLLECTORS[service] = _here(collect)
    tagging._RESOURCE_TAG_COLLECTORS.update(
        {
            "ec2": ec2,
            "autoscaling": groups,
            "ecs": tagging._collect_ecs,
            "elasticfilesystem": tagging._collect_efs,
            "events": tagging._collect_eventbridge,
            "states": _store("stepfunctions", "_tags"),
            "logs": _log_groups,
            "cloudwatch": _store("cloudwatch", "_resource_tags"),
            "cloudformation": _stacks,
        }
    )


def _here(collect: Callable[[], Tagged]) -> Callable[[], Tagged]:
    def run() -> Tagged:
        region = responses.get_region()
        for arn, tags in collect():
            if arn.split(":")[3] in ("", region):
                yield arn, tags

    return run


def _locked(context: Context, collect: Callable[[], Tagged]) -> Callable[[], list]:
    def run() -> list:
        with context.moto_lock:
            return list(collect())

    return run


def _ec2() -> Tagged:
    backend = ec2_backends[responses.get_account_id()][responses.get_region()]
    for resource, tags in list(backend.tags.items()):
        prefix = resource.rsplit("-", 1)[0]
        if tags and not _gone(backend, prefix, resource):
            yield ec2_arn(resource), [{"Key": key, "Value": value} for key, value in tags.items()]


def _gone(backend: Any, prefix: str, resource: str) -> bool:
    if prefix == "i":
        instance = backend.get_instance_by_id(resource)
        return instance is None or instance.state_code in (32, 48)
    known = {"nat": "nat_gateways", "ami": "amis", "snap": "snapshots"}.get(prefix)
    return known is not None and resource not in getattr(backend, known)


def _groups() -> Tagged:
    backend = autoscaling_backends[responses.get_account_id()][responses.get_region()]
    for group in list(backend.autoscaling_groups.values()):
        yield group.arn, [_pair(tag) for tag in group.tags]


def _pair(tag: dict[str, Any]) -> dict[str, str]:
    return {"Key": tag.get("Key", tag.get("key")), "Value": tag.get("Value", tag.get("value"))}


def _store(module: str, name: str) -> Callable[[], Tagged]:
    """A store of ministack's that maps ARNs to tags, as a list or a mapping."""

    def collect() -> Tagged:
        stored = getattr(importlib.import_module(f"ministack.services.{module}"), name)
        for arn, tags in list(stored.items()):
            pairs = tags if isinstance(tags, list) else [{"Key": key, "Value": value} for key, value in tags.items()]
            if pairs:
                yield arn, [_pair(tag) for tag in pairs]

    return collect


def _log_groups() -> Tagged:
    from ministack.services import cloudwatch_logs

    scope = f"{responses.get_region()}:{responses.get_account_id()}"
    for name, group in list(cloudwatch_logs._log_groups.items()):
        tags = group.get("tags") or {}
        if tags:
            yield (
                f"arn:aws:logs:{scope}:log-group:{name}",
                [{"Key": key, "Value": value} for key, value in tags.items()],
            )


def _stacks() -> Tagged:
    from ministack.services import cloudformation

    for stack in list(cloudformation._stacks.values()):
        if stack.get("StackStatus") != "DELETE_COMPLETE" and stack.get("Tags"):
            yield stack["StackId"], [_pair(tag) for tag in stack["Tags"]]
