# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verdict on one request, in the words of the service that it is for."""

from __future__ import annotations

from botocore.model import OperationModel

from sandbox import calls
from sandbox.errors import Reply
from sandbox.errors import error_reply
from sandbox.request import Request
from sandbox.strict.check import check
from sandbox.strict.decode import Malformed
from sandbox.strict.decode import decode
from sandbox.strict.problems import Problem

# AWS's common framework answers a broken constraint with ValidationError (query) or ValidationException (JSON), declared by the operation
# or not; services with a code of their own declare it on nearly every operation (botocore models): the first declared of these is taken.
_DECLARED = {
    "ecs": ("InvalidParameterException", "ClientException"),
    "logs": ("InvalidParameterException",),
    "ecr": ("InvalidParameterException",),
    "tagging": ("InvalidParameterException",),
    "apigateway": ("BadRequestException",),
    "backup": ("InvalidParameterValueException",),
    "lambda": ("InvalidParameterValueException",),
    "servicequotas": ("IllegalArgumentException",),
    "pricing": ("InvalidParameterException",),
    "s3": ("InvalidArgument",),
    "route53": ("InvalidInput",),
}

# Values that the model enumerates but the emulator's own check answers better: the code depends on the action.
_LEFT_TO_THE_EMULATOR = {("ec2", "DescribeInstanceTypes", "InstanceTypes")}


def refusal(request: Request) -> Reply | None:
    """AWS's error for a request that its service's model does not allow; None for one that it does."""
    if request.model is None or not request.action:
        return None
    if request.action not in request.model.operation_names:
        return _unknown_action(request)
    operation = request.model.operation_model(request.action)
    try:
        parameters, problems = decode(request, operation)
    except Malformed as error:
        code = {"rest-xml": "MalformedXML", "ec2": "InvalidParameterValue"}.get(
            request.protocol, "SerializationException"
        )
        return error_reply(request.protocol, 400, code, str(error))
    request.parameters = parameters if isinstance(parameters, dict) else {}
    if operation.input_shape is not None and isinstance(parameters, dict):
        problems += check(operation.input_shape, parameters)
    problems = [
        problem
        for problem in problems
        if (request.service, request.action, problem.path.split(".")[0]) not in _LEFT_TO_THE_EMULATOR
        and not _own_tag(problem)
    ]
    return _answer(request, operation, problems) if problems else None


def _own_tag(problem: Problem) -> bool:
    """Whether CloudFormation puts one of its own tags: it may use the prefix that is refused to everybody else."""
    call = calls.current.get()
    return call is not None and call.via == "cloudformation" and str(problem.value).startswith("aws:cloudformation:")


def _unknown_action(request: Request) -> Reply:
    if request.protocol in ("ec2", "query"):
        message = f"The action {request.action} is not valid for this web service."
        return error_reply(request.protocol, 400, "InvalidAction", message)
    return error_reply(request.protocol, 400, "UnknownOperationException", "")


def _answer(request: Request, operation: OperationModel, problems: list[Problem]) -> Reply:
    if request.protocol == "ec2":
        return error_reply("ec2", 400, *_ec2(problems[0]))
    mistyped = next((problem for problem in problems if problem.kind == "type"), None)
    if mistyped is not None and request.protocol in ("json", "rest-json"):
        return error_reply(request.protocol, 400, "SerializationException", mistyped.sentence())
    plural = "errors" if len(problems) > 1 else "error"
    text = "; ".join(problem.sentence() for problem in problems)
    return error_reply(
        request.protocol, 400, _code(request, operation), f"{len(problems)} validation {plural} detected: {text}"
    )


def _code(request: Request, operation: OperationModel) -> str:
    declared = {shape.metadata.get("error", {}).get("code", shape.name) for shape in operation.error_shapes}
    declared |= {shape.name for shape in operation.error_shapes}
    for code in _DECLARED.get(request.service, ()):
        if code in declared or request.protocol == "rest-xml":
            return code
    # JSON services that began as query services keep their old codes (`awsQueryCompatible` in the model).
    query = request.protocol == "query" or "awsQueryCompatible" in operation.service_model.metadata
    return "ValidationError" if query else "ValidationException"


def _ec2(problem: Problem) -> tuple[str, str]:
    """EC2's code and message (EC2 API reference, "Client error codes")."""
    name = problem.path
    if problem.kind == "missing":
        return "MissingParameter", f"The request must contain the parameter {name}"
    if problem.kind == "unknown":
        return "UnknownParameter", f"The parameter {name} is not recognized"
    if problem.kind == "longest" and problem.shape.type_name == "list":
        return "InvalidParameterValue", f"The parameter {name} must have at most {problem.rule} entries"
    shown = "The value" if problem.secret else f"Value ({problem.value})"
    return "InvalidParameterValue", f"{shown} for parameter {name} is invalid. {problem.constraint()}"
