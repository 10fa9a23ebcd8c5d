# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The call log: every AWS call since the reset, whoever made it."""

from __future__ import annotations

import contextvars
import threading
import time
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from sandbox import mutating
from sandbox.request import Request

# The call that the present code works for; handlers and whatever they start inherit it.
current: contextvars.ContextVar[Call | None] = contextvars.ContextVar("sandbox_call", default=None)

# The role that the present code acts as, where a service runs something on a role's behalf (a state machine).
acting: contextvars.ContextVar[str | None] = contextvars.ContextVar("sandbox_acting", default=None)


@dataclass
class Call:
    """One AWS call. `status` and `code` are None while it runs."""

    service: str
    action: str
    region: str
    principal: str
    access_key: str
    via: str | None
    mutating: bool
    change_set: bool
    time: float = field(default_factory=time.time)
    status: int | None = None
    code: str | None = None
    decisions: list[dict[str, Any]] = field(default_factory=list)
    # The front hands one request to one handler; whatever else reaches a handler under this call is a call of its own.
    dispatched: bool = False
    # The request, while it is being served.
    request: Request | None = None
    # How many resets came before it.
    era: int = 0

    def document(self) -> dict[str, Any]:
        """The call as the control interface shows it."""
        return {
            "service": self.service,
            "action": self.action,
            "region": self.region,
            "principal": self.principal,
            "status": self.status,
            "code": self.code,
            "mutating": self.mutating,
            "change_set": self.change_set,
            "via": self.via,
            "time": self.time,
            "iam": self.decisions,
        }


class CallLog:
    """Calls in the order of their arrival."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[Call] = []
        self._resets = 0

    def begin(self, request: Request, principal: str, via: str | None) -> Call:
        service, action = request.service, request.action
        call = Call(
            service,
            action,
            request.region,
            principal,
            request.access_key,
            via,
            mutating.is_mutating(service, action, is_dry_run(request)),
            mutating.is_change_set(service, action),
            request=request,
            era=self._resets,
        )
        with self._lock:
            self._calls.append(call)
        return call

    def documents(self) -> list[dict[str, Any]]:
        with self._lock:
            return [call.document() for call in self._calls]

    def is_over(self, call: Call) -> bool:
        """Whether the sandbox was reset since the call began."""
        return call.era != self._resets

    def reset(self) -> None:
        with self._lock:
            self._calls.clear()
            self._resets += 1


def is_dry_run(request: Request) -> bool:
    """EC2's DryRun parameter and Lambda's DryRun invocation: permissions are checked and nothing is done."""
    if request.service == "ec2":
        return request.form.get("DryRun", [""])[0].lower() == "true"
    return request.service == "lambda" and request.headers.get("x-amz-invocation-type") == "DryRun"
