# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults between a module and moto, at the one place that every request on the wire passes, below botocore's retries."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError
from botocore.retries.standard import ExponentialBackoff
from moto.core.botocore_stubber import BotocoreStubber


class Killed(BaseException):
    """The process ends here: nothing that the product has may catch it."""


KILL_BEFORE = "killed before the request"
KILL_AFTER = "killed before its answer"
LOSE_ANSWER = "answer lost"
FAULTS = (KILL_BEFORE, KILL_AFTER, LOSE_ANSWER)


class Wire:
    """Counts requests, and does one fault to the one with a given number."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.operations: list[str] = []
        self._fault: str | None = None
        self._at: int | None = None
        answer = BotocoreStubber.__call__

        def send(stub: BotocoreStubber, event_name: str, request: Any, **kwargs: Any) -> Any:
            number = len(self.operations)
            self.operations.append(event_name.rpartition(".")[2])
            hit = number == self._at
            if hit and self._fault == KILL_BEFORE:
                raise Killed
            response = answer(stub, event_name, request, **kwargs)
            if hit and self._fault == KILL_AFTER:
                raise Killed
            if hit and self._fault == LOSE_ANSWER:
                raise ConnectionClosedError(endpoint_url=request.url)
            return response

        monkeypatch.setattr(BotocoreStubber, "__call__", send)
        # Retries do not wait.
        monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda self, context: 0)

    def arm(self, fault: str | None = None, at: int | None = None) -> None:
        """Count anew; without a fault, nothing happens to any request."""
        self.operations = []
        self._fault, self._at = fault, at
