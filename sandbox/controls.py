# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The control interface under `/_sandbox/`: see `sandbox/README.md`."""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import json
from typing import Any

from sandbox.context import Context
from sandbox.errors import Reply
from sandbox.faults import FaultError
from sandbox.market import MarketError
from sandbox.request import Request
from sandbox.reset import reset


class ControlError(ValueError):
    """A control request that cannot be used; the message is one line."""


async def answer(context: Context, request: Request) -> Reply:
    """The answer to a control request: JSON, or one line of text with 400, 404 or 405."""
    name = request.path.removeprefix("/_sandbox/")
    methods = _CONTROLS.get(name)
    if methods is None:
        return _text(404, f"no control {name!r}; there are {', '.join(_CONTROLS)}")
    control = methods.get(request.method)
    if control is None:
        return _text(405, f"{name} takes {', '.join(methods)}")
    try:
        body = json.loads(request.body) if request.body else {}
        result = await asyncio.to_thread(control, context, body)
    except UnicodeDecodeError:
        return _text(400, "the body is not UTF-8")
    except json.JSONDecodeError as error:
        return _text(400, f"the body is not JSON: {error}")
    except ValueError as error:
        return _text(400, str(error).splitlines()[0] if str(error) else type(error).__name__)
    return 200, {"Content-Type": "application/json"}, json.dumps(result, default=str).encode()


def _health(context: Context, _body: Any) -> dict:
    return {"status": "ok"}


def _reset(context: Context, _body: Any) -> dict:
    reset(context)
    return {}


def _market(context: Context, _body: Any) -> dict:
    return context.market.document()


def _merge_market(context: Context, body: Any) -> dict:
    context.market.merge(body)
    return context.market.document()


def _faults(context: Context, _body: Any) -> list:
    return context.faults.documents()


def _set_faults(context: Context, body: Any) -> list:
    context.faults.replace(body)
    return context.faults.documents()


def _clear_faults(context: Context, _body: Any) -> list:
    context.faults.clear()
    return []


def _calls(context: Context, _body: Any) -> list:
    return context.calls.documents()


def _interrupt(context: Context, body: Any) -> Any:
    if not importlib.util.find_spec("sandbox.autoscaling"):
        raise ControlError("interrupt: sandbox.autoscaling does not exist yet")
    return importlib.import_module("sandbox.autoscaling").interrupt(context, body) or {}


_CONTROLS = {
    "health": {"GET": _health},
    "reset": {"POST": _reset},
    "market": {"GET": _market, "PUT": _merge_market},
    "interrupt": {"POST": _interrupt},
    "faults": {"GET": _faults, "POST": _set_faults, "DELETE": _clear_faults},
    "calls": {"GET": _calls},
}

# FaultError and MarketError are ValueErrors, like every refusal of a control body.
assert issubclass(FaultError, ValueError) and issubclass(MarketError, ValueError)


def _text(status: int, line: str) -> Reply:
    return status, {"Content-Type": "text/plain; charset=utf-8"}, f"{line}\n".encode()
