# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Step Functions: Auto Scaling calls, AWS's names of SSM errors, deletes that may be repeated, and the role that an execution acts as."""

from __future__ import annotations

import json
from typing import Any

from ministack.services import stepfunctions

from sandbox import calls
from sandbox.context import Context
from sandbox.strict import models

NEEDS = [
    "ministack.services.stepfunctions._AWS_SDK_SERVICE_MAP",
    "ministack.services.stepfunctions._AWS_SDK_ERROR_PREFIX",
    "ministack.services.stepfunctions._prefix_sdk_error",
    "ministack.services.stepfunctions._create_state_machine",
    "ministack.services.stepfunctions._update_state_machine",
    "ministack.services.stepfunctions._delete_state_machine",
    "ministack.services.stepfunctions._run_execution",
    "ministack.services.stepfunctions._executions",
    "ministack.services.stepfunctions._state_machines",
]


def install(context: Context) -> None:
    stepfunctions._AWS_SDK_SERVICE_MAP["autoscaling"] = {"protocol": "query", "service_key": "autoscaling"}
    stepfunctions._AWS_SDK_ERROR_PREFIX["autoscaling"] = "AutoScaling"
    prefix_error = stepfunctions._prefix_sdk_error
    stepfunctions._prefix_sdk_error = lambda service, code: prefix_error(service, _exception(service, code))
    delete, run = stepfunctions._delete_state_machine, stepfunctions._run_execution

    def delete_state_machine(data: dict) -> Any:
        """Deleting what is gone succeeds: the operation's model has no StateMachineDoesNotExist."""
        reply = delete(data)
        gone = reply[0] == 400 and b"StateMachineDoesNotExist" in bytes(reply[2])
        return stepfunctions.json_response({}) if gone else reply

    def run_execution(execution_arn: str) -> None:
        execution = stepfunctions._executions.get(execution_arn, {})
        machine = stepfunctions._state_machines.get(execution.get("stateMachineArn"), {})
        token = calls.acting.set(machine.get("roleArn"))
        try:
            run(execution_arn)
        finally:
            calls.acting.reset(token)

    def keep_tracing(operation: Any) -> Any:
        """ministack drops the tracing configuration; what a machine's record holds is described."""

        def kept(data: dict) -> Any:
            reply = operation(data)
            if reply[0] == 200 and "tracingConfiguration" in data:
                arn = data.get("stateMachineArn") or json.loads(reply[2])["stateMachineArn"]
                stepfunctions._state_machines[arn]["tracingConfiguration"] = data["tracingConfiguration"]
            return reply

        return kept

    stepfunctions._create_state_machine = keep_tracing(stepfunctions._create_state_machine)
    stepfunctions._update_state_machine = keep_tracing(stepfunctions._update_state_machine)
    stepfunctions._delete_state_machine = delete_state_machine
    stepfunctions._run_execution = run_execution


def _exception(service: str, code: str) -> str:
    """The Java SDK's name of an error, which is Step Functions' name for it: every class ends in Exception instead of Fault
    (aws-sdk-java-v2, naming strategy), and what the model does not know is the service's own base class."""
    info = stepfunctions._AWS_SDK_SERVICE_MAP.get(service, {})
    model = models.service_model(info.get("service_key", service))
    if model is None or code.startswith("States."):
        return code
    for shape in model.error_shapes:
        if code in (shape.name, shape.metadata.get("error", {}).get("code")):
            name = shape.name.removesuffix("Fault")
            return name if name.endswith("Exception") else f"{name}Exception"
    return "AutoScalingException" if service == "autoscaling" else code
