# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one door: every request, from the socket or from inside the process, is logged, faulted and judged here, then served."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote
from urllib.parse import urlsplit

from ministack import app as ministack
from ministack.core import responses

from sandbox import bridge
from sandbox import calls
from sandbox import controls
from sandbox import regions
from sandbox.calls import Call
from sandbox.context import Context
from sandbox.errors import Reply
from sandbox.errors import error_code
from sandbox.errors import error_reply
from sandbox.errors import without_namespace
from sandbox.faults import LostAnswer
from sandbox.iam import gate
from sandbox.iam import identity
from sandbox.request import Request
from sandbox.strict import judge

# Names in credential scopes that ministack serves under another name.
_ELSEWHERE = {"execute-api", "s3express", "s3-object-lambda", "es", "aoss", "iotdata"}

Handler = Callable[[str, str, dict, Any, dict], Awaitable[Reply]]


class Front:
    """The ASGI application."""

    def __init__(self, context: Context) -> None:
        self._context = context
        context.front = self
        for service in bridge.SERVICES:
            ministack.SERVICE_HANDLERS[service] = context.bridge.handler(service)
        identity.install()
        gate.install()

    def close_side_doors(self) -> None:
        """Let calls that a service makes straight to another service's handler go through the front, as the role it acts for.

        To be called when every part has put its handlers in place.
        """
        for service, handler in ministack.SERVICE_HANDLERS.items():
            ministack.SERVICE_HANDLERS[service] = self._guarded(service, handler)

    def _guarded(self, service: str, handler: Handler) -> Handler:
        async def serve(method: str, path: str, headers: dict, body: Any, query: dict) -> Reply:
            call = calls.current.get()
            if call is not None and not call.dispatched:
                call.dispatched = True
                return gate.denial(call) or await handler(method, path, headers, body, query)
            content = body if isinstance(body, bytes) else (body or "").encode()
            principal = calls.acting.get() or (call.principal if call is not None else None)
            prepared = identity.signed(
                principal, self._context.port, service, responses.get_region(), method, path, query, headers, content
            )
            return without_namespace(await self.inside(prepared))

        return serve

    async def __call__(self, scope: dict, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            self._context.loops.serving(asyncio.get_running_loop())
        if scope["type"] != "http":
            await ministack.app(scope, receive, send)
            return
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        request = _request(scope, bytes(body))
        if request.path.startswith("/_sandbox/"):
            status, headers, content = await controls.answer(self._context, request)
        else:
            try:
                status, headers, content = await self.serve(request, scope)
            except LostAnswer:
                # ASGI has no way to break a connection: hypercorn's stream, protocol and server lead to the transport.
                send.__self__.send.__self__.send.__self__.writer.transport.abort()
                return
        await send({"type": "http.response.start", "status": status, "headers": _wire(headers, content)})
        await send({"type": "http.response.body", "body": content})

    async def inside(self, prepared: Any) -> Reply:
        """Serve a request that botocore prepared in this process."""
        url = urlsplit(prepared.url)
        body = prepared.body or b""
        if hasattr(body, "read"):
            body = body.read()
        headers = [(name.lower().encode(), _bytes(value)) for name, value in prepared.headers.items()]
        if not any(name == b"host" for name, _value in headers):
            headers.append((b"host", url.netloc.encode()))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": prepared.method,
            "scheme": "http",
            "path": unquote(url.path) or "/",
            "raw_path": (url.path or "/").encode(),
            "query_string": url.query.encode(),
            "headers": headers,
            "client": ("127.0.0.1", 0),
            "server": ("127.0.0.1", self._context.port),
        }
        return await self.serve(_request(scope, _bytes(body)), scope, inner=True)

    async def serve(self, request: Request, scope: dict, inner: bool = False) -> Reply:
        """Answer one request. Raises LostAnswer where a fault says that the client is to hear nothing."""
        if not request.service:
            return await _ministack(scope, request.body)
        try:
            return await self._judged(request, scope, inner)
        except LostAnswer:
            raise
        except Exception:
            traceback.print_exc()
            return error_reply(request.protocol, 500, "InternalFailure", "the sandbox failed: see its standard error")

    async def _judged(self, request: Request, scope: dict, inner: bool) -> Reply:
        outer = calls.current.get()
        if outer is not None and self._context.calls.is_over(outer):
            # A stack or an execution from before the reset must not go on filling the empty sandbox.
            return error_reply(
                request.protocol, 400, "SandboxWasReset", "The call that this one belongs to was ended by a reset."
            )
        principal = identity.principal(request.access_key)
        call = self._context.calls.begin(request, principal, _via(request, outer, inner))
        token = calls.current.set(call)
        try:
            reply = await self._context.faults.before(call, request)
            # Nobody's request is judged by the model: ministack refuses its credentials first, as AWS does.
            if reply is None and principal:
                reply = (
                    _unserved(request)
                    or regions.refusal(self._context.market, request.region, request.protocol)
                    or judge.refusal(request)
                )
            if reply is None:
                reply = await _ministack(scope, request.body)
                self._context.faults.after(call, request, reply)
        except LostAnswer:
            call.status = 0
            raise
        except Exception:
            call.status = 500
            raise
        finally:
            calls.current.reset(token)
        call.code = error_code(reply)
        call.status = reply[0]
        call.request = None
        return reply


def _unserved(request: Request) -> Reply | None:
    """AWS has the service and the sandbox has not: an error that no SDK retries."""
    if request.service in ministack.SERVICE_HANDLERS or request.service in _ELSEWHERE:
        return None
    if request.service in ministack.SERVICE_NAME_ALIASES:
        return None
    message = f"This sandbox has no {request.service}."
    code = "InvalidAction" if request.protocol in ("ec2", "query") else "UnknownOperationException"
    return error_reply(request.protocol, 400, code, message)


def _request(scope: dict, body: bytes) -> Request:
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    raw_path = scope.get("raw_path") or scope["path"].encode()
    return Request(
        scope["method"],
        scope["path"],
        raw_path.decode("latin-1"),
        scope.get("query_string", b"").decode("latin-1"),
        headers,
        body,
    )


def _via(request: Request, outer: Call | None, inner: bool) -> str | None:
    """The service on whose account the call is made: None for a client's own."""
    if outer is not None:
        return outer.service
    if inner:
        # What runs on a timer of the sandbox: a group that notifies, an agent that reports.
        return "sandbox"
    return "lambda" if "exec-env/AWS_Lambda" in request.headers.get("user-agent", "") else None


async def _ministack(scope: dict, body: bytes) -> Reply:
    """ministack's answer, whole."""
    given = False
    status = 500
    headers: dict[str, str] = {}
    content = bytearray()

    async def receive() -> dict:
        nonlocal given
        if given:
            await asyncio.Event().wait()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
            for name, value in message.get("headers", ()):
                headers[name.decode("latin-1")] = value.decode("latin-1")
        elif message["type"] == "http.response.body":
            content.extend(message.get("body", b""))

    await ministack.app(scope, receive, send)
    return status, headers, bytes(content)


def _wire(headers: dict[str, str], content: bytes) -> list[tuple[bytes, bytes]]:
    wire = [
        (name.lower().encode("latin-1"), str(value).encode("latin-1"))
        for name, value in headers.items()
        if name.lower() not in ("transfer-encoding", "status")
    ]
    if not any(name == b"content-length" for name, _value in wire):
        wire.append((b"content-length", str(len(content)).encode()))
    return wire


def _bytes(value: Any) -> bytes:
    return (
        value
        if isinstance(value, bytes)
        else bytes(value)
        if isinstance(value, bytearray)
        else str(value).encode("latin-1")
    )
