# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors of AWS, kept whole: code, message, request id and operation. PRIVATE to the collection.

Imports botocore only, so that the control plane's functions can use the layer too.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any
from typing import TypeVar

try:
    from botocore.exceptions import BotoCoreError
    from botocore.exceptions import ClientError
    from botocore.exceptions import WaiterError
except ImportError:
    pass  # Modules report a missing botocore through AnsibleAWSModule, and documentation is built without it.

from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import EtherealSpotError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.launch_errors import is_denial
from ansible_collections.ethereal.spot.plugins.module_utils._brain.launch_errors import is_throttle

F = TypeVar("F", bound=Callable[..., Any])


class AwsError(EtherealSpotError):
    """A call to AWS failed. `code` is AWS's own, or the exception's name where no answer came."""

    def __init__(
        self, doing: str, code: str, message: str, request_id: str | None = None, operation: str | None = None
    ):
        super().__init__(
            f"could not {doing}: {code}: {message}",
            error={"code": code, "message": message, "operation": operation},
            request_id=request_id,
        )
        self.code = code
        self.reason = message
        self.request_id = request_id
        self.operation = operation

    @property
    def throttled(self) -> bool:
        return is_throttle(self.code)

    @property
    def denied(self) -> bool:
        return is_denial(self.code)


def translated(doing: str) -> Callable[[F], F]:
    """Turn whatever botocore raises inside the function into AwsError; `doing` completes "could not ..."."""

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except ClientError as error:
                raise from_client_error(doing, error) from error
            except WaiterError as error:
                last = error.last_response if isinstance(error.last_response, dict) else {}
                answer = last.get("Error", {})
                request_id = last.get("ResponseMetadata", {}).get("RequestId")
                raise AwsError(
                    doing, answer.get("Code", "WaiterError"), answer.get("Message", str(error)), request_id
                ) from error
            except BotoCoreError as error:
                raise AwsError(doing, type(error).__name__, str(error)) from error

        return call  # type: ignore[return-value]

    return decorate


def from_client_error(doing: str, error: ClientError) -> AwsError:
    """AwsError with everything that AWS said."""
    answer = error.response.get("Error", {})
    request_id = error.response.get("ResponseMetadata", {}).get("RequestId")
    return AwsError(doing, answer.get("Code", "Unknown"), answer.get("Message", ""), request_id, error.operation_name)
