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

NEEDS = [
    "ministack.services.stepfunctions._AWS_SDK_SERVICE_MAP",
    "ministack.services.stepfunctions._AWS_SDK_ERROR_PREFIX",
    "ministack.services.stepfunctions._AWS_SDK_ERROR_CODE_OVERRIDES",
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
    # Step Functions names errors as the Java SDK's exception classes are named.
    overrides = stepfunctions._AWS_SDK_ERROR_CODE_OVERRIDES.setdefault("ssm", {})
    overrides["ParameterNotFound"] = "ParameterNotFoundException"
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
