# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lambda: a Python error's class is the errorType, which Step Functions' Retry and Catch match on; functions know where they run."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from sandbox.context import Context

NEEDS = [
    "ministack.core.lambda_runtime._PYTHON_WORKER_SCRIPT",
    "ministack.core.lambda_runtime.Worker.invoke",
    "ministack.core.lambda_runtime.execution_credentials",
    *(
        f"ministack.services.lambda_svc.{name}"
        for name in ("_execute_function_warm", "_execute_function_local", "_execute_function")
    ),
]

_REPORT = '"error": str(e), "trace"'


class _Error(str):
    """An error's message that knows its class."""

    kind = ""


def install(context: Context) -> None:
    script = lambda_runtime._PYTHON_WORKER_SCRIPT
    if _REPORT not in script:
        raise RuntimeError("the Lambda worker reports errors in another way: see sandbox/mends/lambdas.py")
    lambda_runtime._PYTHON_WORKER_SCRIPT = script.replace(
        _REPORT, '"error": str(e), "error_type": type(e).__name__, "trace"'
    )
    credentials = lambda_runtime.execution_credentials

    def execution_environment(config: dict) -> dict[str, str]:
        """AWS_EXECUTION_ENV as on AWS: SDKs put it into their user agent, by which the call log knows a function's calls."""
        return {**credentials(config), "AWS_EXECUTION_ENV": f"AWS_Lambda_{config.get('Runtime', '')}"}

    lambda_runtime.execution_credentials = lambda_svc.execution_credentials = execution_environment
    invoke = lambda_runtime.Worker.invoke

    def typed(self: Any, *arguments: Any, **options: Any) -> dict:
        result = invoke(self, *arguments, **options)
        if result.get("error_type"):
            error = _Error(result["error"])
            error.kind = result["error_type"]
            result["error"] = error
        return result

    lambda_runtime.Worker.invoke = typed
    for name in ("_execute_function_warm", "_execute_function_local", "_execute_function"):
        setattr(lambda_svc, name, _named(getattr(lambda_svc, name)))


def _named(execute: Callable) -> Callable:
    @functools.wraps(execute)
    def run(*arguments: Any, **options: Any) -> Any:
        result = execute(*arguments, **options)
        body = result.get("body") if isinstance(result, dict) else None
        if isinstance(body, dict) and isinstance(body.get("errorMessage"), _Error):
            body["errorType"] = body["errorMessage"].kind
            body["errorMessage"] = str(body["errorMessage"])
        return result

    return run
