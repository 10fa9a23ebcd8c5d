# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls to CloudFormation, one each. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

try:
    from botocore.exceptions import ClientError
    from botocore.exceptions import WaiterError
    from botocore.waiter import WaiterModel
    from botocore.waiter import create_waiter_with_client
except ImportError:
    pass  # See errors.py.

from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError
from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import translated

# Seconds between two looks: CloudFormation's own steps take seconds, and its API is throttled by the account.
DELAY = 2

# What a change set's reason says when there is nothing to change (seen at AWS, also matched by amazon.aws).
EMPTY = ("didn't contain changes", "No updates are to be performed")

_WAITERS: dict[str, Any] = {
    "version": 2,
    "waiters": {
        "DriftDetected": {
            "operation": "DescribeStackDriftDetectionStatus",
            "delay": DELAY,
            "maxAttempts": 1,
            "acceptors": [
                {
                    "matcher": "path",
                    "argument": "DetectionStatus",
                    "expected": "DETECTION_COMPLETE",
                    "state": "success",
                },
                # Some resources could not be checked, the others were; the reason names them.
                {
                    "matcher": "path",
                    "argument": "DetectionStatus",
                    "expected": "DETECTION_FAILED",
                    "state": "failure",
                },
            ],
        },
    },
}


@translated("describe the stack")
def describe_stack(client: Any, name: str) -> dict[str, Any] | None:
    """A stack by its name, or None. CloudFormation answers ValidationError for a stack that does not exist."""
    try:
        return client.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        answer = error.response.get("Error", {})
        if answer.get("Code") == "ValidationError" and "does not exist" in answer.get("Message", ""):
            return None
        raise


@translated("read the stack's template")
def get_template(client: Any, name: str) -> str | None:
    """The template as it was submitted; None where it is not text (botocore parses JSON templates)."""
    body = client.get_template(StackName=name, TemplateStage="Original")["TemplateBody"]
    return body if isinstance(body, str) else None


@translated("validate the template")
def validate_template(client: Any, body: str) -> set[str]:
    """The names of the parameters that a template declares. A read: nothing is kept."""
    return {item["ParameterKey"] for item in client.validate_template(TemplateBody=body).get("Parameters", [])}


@translated("list the stack's resources")
def list_resources(client: Any, name: str) -> list[dict[str, Any]]:
    pages = client.get_paginator("list_stack_resources").paginate(StackName=name)
    return pages.build_full_result()["StackResourceSummaries"]


@translated("read the stack's events")
def events(client: Any, name: str) -> Iterator[dict[str, Any]]:
    """A stack's events, newest first, page by page: callers stop where they have seen enough."""
    for page in client.get_paginator("describe_stack_events").paginate(StackName=name):
        yield from page["StackEvents"]


@translated("start drift detection")
def detect_drift(client: Any, name: str) -> str:
    """Starts a detection and returns its id. Changes nothing but CloudFormation's own record."""
    return client.detect_stack_drift(StackName=name)["StackDriftDetectionId"]


@translated("wait for drift detection")
def wait_for_detection(client: Any, detection: str, seconds: float) -> str | None:
    """Wait until a detection has ended; None, or why some resources could not be checked."""
    waiter = create_waiter_with_client("DriftDetected", WaiterModel(_WAITERS), client)
    try:
        waiter.wait(StackDriftDetectionId=detection, WaiterConfig=_config(seconds))
    except WaiterError as error:
        answer = error.last_response if isinstance(error.last_response, dict) else {}
        if answer.get("DetectionStatus") == "DETECTION_FAILED":
            return answer.get("DetectionStatusReason", "some resources could not be checked")
        raise
    return None


@translated("read the stack's drift")
def resource_drifts(client: Any, name: str) -> list[dict[str, Any]]:
    """Every resource that CloudFormation checked, in sync or not. Kinds that it cannot check are not among them."""
    found: list[dict[str, Any]] = []
    token: dict[str, str] = {}
    while True:
        page = client.describe_stack_resource_drifts(StackName=name, **token)
        found += page["StackResourceDrifts"]
        if not page.get("NextToken"):
            return found
        token = {"NextToken": page["NextToken"]}


@translated("create the change set")
def create_drift_revert(
    client: Any, stack: str, name: str, parameters: list[dict[str, Any]], role_arn: str | None
) -> None:
    """A change set that brings resources back to the stack's own template.

    REVERT_DRIFT is a three-way comparison of template, previous deployment and actual state (CloudFormation user
    guide, drift-aware change sets).
    """
    request: dict[str, Any] = {
        "StackName": stack,
        "ChangeSetName": name,
        "ChangeSetType": "UPDATE",
        "UsePreviousTemplate": True,
        "Parameters": parameters,
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
        "DeploymentMode": "REVERT_DRIFT",
    }
    if role_arn:
        request["RoleARN"] = role_arn
    client.create_change_set(**request)


@translated("wait for the change set")
def wait_for_change_set(client: Any, stack: str, name: str, seconds: float) -> bool:
    """Wait until a change set can be executed; False where there is nothing to change.

    Here and below the stack is named, since IAM judges change sets by their stack: an ARN of a change set does not tell it.
    """
    waiter = client.get_waiter("change_set_create_complete")
    try:
        waiter.wait(StackName=stack, ChangeSetName=name, WaiterConfig=_config(seconds))
    except WaiterError as error:
        answer = error.last_response if isinstance(error.last_response, dict) else {}
        reason = answer.get("StatusReason", "")
        if answer.get("Status") == "FAILED" and any(words in reason for words in EMPTY):
            return False
        if answer.get("Status") == "FAILED":
            raise AwsError("create the change set", "ChangeSetFailed", reason) from error
        raise
    return True


@translated("describe the change set")
def change_set_changes(client: Any, stack: str, name: str) -> list[dict[str, Any]]:
    """A change set's changes with the values before and after."""
    paginator = client.get_paginator("describe_change_set")
    pages = paginator.paginate(StackName=stack, ChangeSetName=name, IncludePropertyValues=True)
    return pages.build_full_result()["Changes"]


@translated("delete the change set")
def delete_change_set(client: Any, stack: str, name: str) -> None:
    """Deletes a change set; one that does not exist is none the worse (botocore model: no such error)."""
    client.delete_change_set(StackName=stack, ChangeSetName=name)


@translated("execute the change set")
def execute_change_set(client: Any, stack: str, name: str) -> None:
    client.execute_change_set(StackName=stack, ChangeSetName=name)


@translated("wait for the stack's update")
def wait_for_update(client: Any, name: str, seconds: float) -> None:
    """Wait until an update is complete. A rollback is a failure (botocore's own waiter model)."""
    client.get_waiter("stack_update_complete").wait(StackName=name, WaiterConfig=_config(seconds))


def _config(seconds: float) -> dict[str, int]:
    return {"Delay": DELAY, "MaxAttempts": max(1, int(seconds // DELAY))}
