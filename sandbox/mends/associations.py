# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""State Manager's associations, which ministack lacks: kept and shown, not run, since no agent runs on the sandbox's instances.

Sources: botocore model, CreateAssociation and UpdateAssociation; Systems Manager user guide, "Cron and rate expressions" and
"AWS-RunPatchBaseline".
"""

from __future__ import annotations

import json
import re
import time
import uuid
from typing import Any

from ministack import app as ministack
from ministack.core import responses
from ministack.services import ssm

from sandbox.context import Context
from sandbox.errors import Reply
from sandbox.errors import error_reply

NEEDS = ["ministack.services.ssm.handle_request", "ministack.services.ssm._tags", "ministack.app.SERVICE_HANDLERS"]

# What documents of AWS's take: the values that each parameter may have, None for any.
_DOCUMENTS: dict[str, dict[str, tuple[str, ...] | None]] = {
    "AWS-RunPatchBaseline": {
        "Operation": ("Scan", "Install"),
        "RebootOption": ("RebootIfNeeded", "NoReboot"),
        "AssociationId": None,
        "BaselineOverride": None,
        "InstallOverrideList": None,
        "SnapshotId": None,
        "StepTimeoutSeconds": None,
    },
}
_REQUIRED = {"AWS-RunPatchBaseline": ("Operation",)}
# Six fields of cron, or a rate of half an hour at least.
_CRON = re.compile(r"cron\(\S+( \S+){5}\)")
_RATE = re.compile(r"rate\((\d+) (minute|hour|day)s?\)")
_MINUTES = {"minute": 1, "hour": 60, "day": 1440}
_SHOWN_ONLY = ("Tags", "AssociationId")

_associations = responses.AccountRegionScopedDict()


class _Refused(Exception):
    """A request that AWS refuses: its error's code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def install(context: Context) -> None:
    serve = ssm.handle_request

    async def handle(method: str, path: str, headers: dict, body: bytes, query: dict) -> Any:
        action = headers.get("x-amz-target", "").rsplit(".", 1)[-1]
        if action not in _ACTIONS:
            return await serve(method, path, headers, body, query)
        try:
            return _answer(_ACTIONS[action](json.loads(body or b"{}")))
        except _Refused as refusal:
            return error_reply("json", 400, refusal.code, str(refusal))

    ministack.SERVICE_HANDLERS["ssm"] = handle


def reset(context: Context) -> None:
    _associations.clear()


def _answer(document: dict[str, Any]) -> Reply:
    return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(document).encode()


def _create(given: dict[str, Any]) -> dict[str, Any]:
    _check(given)
    identifier, now = str(uuid.uuid4()), time.time()
    _associations[identifier] = {**_kept(given), "AssociationId": identifier, "AssociationVersion": "1", "Date": now}
    if given.get("Tags"):
        ssm._tags[identifier] = {tag["Key"]: tag["Value"] for tag in given["Tags"]}
    return {"AssociationDescription": _associations[identifier]}


def _update(given: dict[str, Any]) -> dict[str, Any]:
    """What an update does not name is gone (botocore model: UpdateAssociation); only the document stays."""
    standing = _find(given)
    wanted = {"Name": standing["Name"], **given}
    _check(wanted)
    _associations[standing["AssociationId"]] = {
        **_kept(wanted),
        "AssociationId": standing["AssociationId"],
        "AssociationVersion": str(int(standing["AssociationVersion"]) + 1),
        "Date": standing["Date"],
        "LastUpdateAssociationDate": time.time(),
    }
    return {"AssociationDescription": _associations[standing["AssociationId"]]}


def _describe(given: dict[str, Any]) -> dict[str, Any]:
    return {"AssociationDescription": _find(given)}


def _delete(given: dict[str, Any]) -> dict[str, Any]:
    identifier = _find(given)["AssociationId"]
    del _associations[identifier]
    ssm._tags.pop(identifier, None)
    return {}


def _list(given: dict[str, Any]) -> dict[str, Any]:
    names = ("AssociationId", "AssociationName", "AssociationVersion", "Name", "ScheduleExpression", "Targets")
    found = [{name: item[name] for name in names if name in item} for item in _associations.values()]
    return {"Associations": found}


def _find(given: dict[str, Any]) -> dict[str, Any]:
    found = _associations.get(given.get("AssociationId") or "")
    if found is None:
        raise _Refused("AssociationDoesNotExist", "The specified association does not exist.")
    return found


def _kept(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name not in _SHOWN_ONLY}


def _check(given: dict[str, Any]) -> None:
    name, parameters = given["Name"], given.get("Parameters") or {}
    if name not in _DOCUMENTS:
        raise _Refused("InvalidDocument", f"Document with name {name} does not exist.")
    known = _DOCUMENTS[name]
    for parameter, values in parameters.items():
        allowed = known.get(parameter, ())
        if parameter not in known or (allowed is not None and any(value not in allowed for value in values)):
            raise _Refused("InvalidParameters", f"Parameter {parameter} of {name} is not one that the document takes.")
    for parameter in _REQUIRED[name]:
        if parameter not in parameters:
            raise _Refused("InvalidParameters", f"Parameter {parameter} is required by {name}.")
    if given.get("InstanceId") or not given.get("Targets"):
        raise _Refused("InvalidTarget", "Targets are required by documents of schema version 2.0 or later.")
    schedule = given.get("ScheduleExpression")
    if schedule is not None:
        rate = _RATE.fullmatch(schedule)
        if not _CRON.fullmatch(schedule) and not (rate and int(rate[1]) * _MINUTES[rate[2]] >= 30):
            raise _Refused("InvalidSchedule", f"The schedule {schedule} is invalid.")
        if rate and given.get("ApplyOnlyAtCronInterval"):
            raise _Refused("InvalidSchedule", "ApplyOnlyAtCronInterval is not supported with a rate expression.")


_ACTIONS = {
    "CreateAssociation": _create,
    "UpdateAssociation": _update,
    "DescribeAssociation": _describe,
    "DeleteAssociation": _delete,
    "ListAssociations": _list,
}
