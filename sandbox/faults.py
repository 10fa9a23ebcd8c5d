# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults put on chosen AWS calls: error codes, delays, lost answers, stale reads."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections import deque
from dataclasses import dataclass
from typing import Any

from sandbox.calls import Call
from sandbox.errors import Reply
from sandbox.errors import error_reply
from sandbox.request import Request
from sandbox.strict import models

KEYS = {"service", "region", "action", "times", "code", "status", "message", "delay", "stale", "lose"}

# AWS answers these with a 5xx, all others with 400 unless the fault says so (EC2 API reference, common errors).
_SERVER_ERRORS = {
    "RequestLimitExceeded": 503,
    "ServiceUnavailable": 503,
    "Unavailable": 503,
    "SlowDown": 503,
    "InternalError": 500,
    "InternalFailure": 500,
    "InternalServerError": 500,
    "InternalException": 500,
    "InternalServerException": 500,
}


class FaultError(ValueError):
    """A list of faults that cannot be used; the message is one line."""


@dataclass
class Fault:
    """One fault. `times` None means until it is cleared."""

    service: str | None = None
    region: str | None = None
    action: str | None = None
    times: int | None = None
    code: str | None = None
    status: int | None = None
    message: str | None = None
    delay: float = 0.0
    stale: int = 0
    lose: str | None = None

    def matches(self, call: Call) -> bool:
        return (
            self.times != 0
            and self.service in (None, call.service)
            and self.region in (None, call.region)
            and self.action in (None, call.action)
        )

    def document(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if value not in (None, 0, 0.0) or name == "times"}


class LostAnswer(Exception):
    """The connection breaks: the client gets no answer."""


class Faults:
    """The faults in force, and the earlier answers that stale reads give."""

    KEPT_PER_REQUEST = 16
    KEPT_REQUESTS = 2000

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        # (service, region) -> number of mutating calls so far
        self._writes: dict[tuple[str, str], int] = {}
        # request -> (writes before it, its answer), oldest first
        self._answers: OrderedDict[tuple, deque[tuple[int, Reply]]] = OrderedDict()

    def replace(self, documents: Any) -> None:
        """Put these faults in force instead of the present ones. Raises FaultError and changes nothing."""
        if not isinstance(documents, list):
            raise FaultError("faults: must be a list of objects")
        faults = [_fault(index, document) for index, document in enumerate(documents)]
        with self._lock:
            self._faults = faults

    def clear(self) -> None:
        with self._lock:
            self._faults = []

    def reset(self) -> None:
        with self._lock:
            self._faults = []
            self._writes.clear()
            self._answers.clear()

    def documents(self) -> list[dict[str, Any]]:
        with self._lock:
            return [fault.document() for fault in self._faults]

    async def before(self, call: Call, request: Request) -> Reply | None:
        """Play the first fault that matches: wait, lose the request, or give the answer that stands in for the real one."""
        fault, reply = self._take(call, request)
        if fault is None:
            return None
        if fault.delay:
            await asyncio.sleep(fault.delay)
        if fault.lose == "request":
            raise LostAnswer
        if reply is not None:
            return reply
        if fault.code:
            status = fault.status or _SERVER_ERRORS.get(fault.code, 400)
            return error_reply(request.protocol, status, fault.code, fault.message or f"{fault.code} (injected)")
        return None

    def after(self, call: Call, request: Request, reply: Reply) -> None:
        """Remember what a read answered and count what a write changed; raises LostAnswer where the answer is to be lost."""
        place = (call.service, call.region)
        with self._lock:
            if call.mutating:
                self._writes[place] = self._writes.get(place, 0) + 1
            elif call.service != "s3" and reply[0] < 500:
                answers = self._answers.setdefault(_key(call, request), deque(maxlen=self.KEPT_PER_REQUEST))
                answers.append((self._writes.get(place, 0), reply))
                self._answers.move_to_end(_key(call, request))
                if len(self._answers) > self.KEPT_REQUESTS:
                    self._answers.popitem(last=False)
            lost = next((fault for fault in self._faults if fault.lose == "answer" and fault.matches(call)), None)
            if lost and lost.times:
                lost.times -= 1
        if lost:
            raise LostAnswer

    def _take(self, call: Call, request: Request) -> tuple[Fault | None, Reply | None]:
        with self._lock:
            for fault in self._faults:
                if fault.lose == "answer" or not fault.matches(call):
                    continue
                reply = None
                if fault.stale:
                    # A read that was never made before the writes has no older answer: it is answered truly and the
                    # fault is kept, unless it carries the code to give instead (`InvalidGroup.NotFound`).
                    reply = None if call.mutating else self._older(call, request, fault.stale)
                    if call.mutating or (reply is None and not fault.code):
                        continue
                if fault.times:
                    fault.times -= 1
                return fault, reply
        return None, None

    def _older(self, call: Call, request: Request, writes: int) -> Reply | None:
        limit = self._writes.get((call.service, call.region), 0) - writes
        answers = self._answers.get(_key(call, request), ())
        return next((reply for before, reply in reversed(answers) if before <= limit), None)


def _key(call: Call, request: Request) -> tuple:
    return call.service, call.region, call.action, request.raw_path, request.query_string, request.body


_POSITIVE = "must be a whole number above 0"


def _whole(value: Any) -> bool:
    """A number without a fraction; JSON's true is none, though Python's is."""
    return isinstance(value, int) and not isinstance(value, bool)


def _fault(index: int, document: Any) -> Fault:
    where = f"faults[{index}]"
    if not isinstance(document, dict):
        raise FaultError(f"{where}: must be an object")
    document = {key: value for key, value in document.items() if value is not None}
    unknown = sorted(set(document) - KEYS)
    if unknown:
        raise FaultError(f"{where}.{unknown[0]}: unknown key; known are {', '.join(sorted(KEYS))}")
    for key in ("service", "region", "action", "code", "message"):
        if key in document and (not isinstance(document[key], str) or not document[key]):
            raise FaultError(f"{where}.{key}: must be a string that is not empty")
    for key in ("times", "stale"):
        if key in document and (not _whole(document[key]) or document[key] < 1):
            raise FaultError(f"{where}.{key}: {_POSITIVE}")
    if "status" in document and (not _whole(document["status"]) or not 400 <= document["status"] <= 599):
        raise FaultError(f"{where}.status: must be a whole number from 400 to 599")
    if "delay" in document and (type(document["delay"]) not in (int, float) or not 0 <= document["delay"] <= 600):
        raise FaultError(f"{where}.delay: must be seconds from 0 to 600")
    if document.get("lose", "answer") not in ("request", "answer"):
        raise FaultError(f"{where}.lose: must be request (not done) or answer (done, but the client never hears)")
    if "status" in document and "code" not in document:
        raise FaultError(f"{where}.status: needs a code")
    if not {"code", "delay", "stale", "lose"} & set(document):
        raise FaultError(f"{where}: says nothing to do: give code, delay, stale or lose")
    if "service" in document:
        document["service"] = models.signing_name(document["service"])
    return Fault(**document)
