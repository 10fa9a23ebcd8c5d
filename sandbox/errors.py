# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AWS errors in the shape of each protocol."""

from __future__ import annotations

import json
import re
import uuid
from xml.sax.saxutils import escape

Reply = tuple[int, dict[str, str], bytes]

_NAMESPACE = re.compile(rb'\s+xmlns="[^"]*"')


def error_reply(protocol: str, status: int, code: str, message: str) -> Reply:
    """An error response; `protocol` is botocore's name (ec2, query, json, rest-json, rest-xml)."""
    request_id = str(uuid.uuid4())
    headers = {"x-amzn-RequestId": request_id}
    if protocol in ("json", "rest-json", ""):
        headers["Content-Type"] = "application/json" if protocol == "rest-json" else "application/x-amz-json-1.1"
        headers["x-amzn-ErrorType"] = code
        return status, headers, json.dumps({"__type": code, "message": message}).encode()
    error = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    if protocol == "ec2":
        text = f"<Response><Errors><Error>{error}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
    elif protocol == "rest-xml":
        text = f"<Error>{error}<RequestId>{request_id}</RequestId></Error>"
    else:
        fault = "Sender" if status < 500 else "Receiver"
        text = f"<ErrorResponse><Error><Type>{fault}</Type>{error}</Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    headers["Content-Type"] = "text/xml"
    return status, headers, f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()


def error_code(reply: Reply) -> str | None:
    """The AWS error code in a reply of any protocol; None for a success or where none is found."""
    status, headers, body = reply
    if status < 400:
        return None
    for name, value in headers.items():
        if name.lower() == "x-amzn-errortype":
            return value.split(":")[0].rsplit("#", 1)[-1]
    text = body[:4000].decode("utf-8", "replace")
    if "<Code>" in text:
        return text.split("<Code>", 1)[1].split("</Code>", 1)[0]
    try:
        document = json.loads(body)
        return str(document.get("__type") or document.get("code") or "").rsplit("#", 1)[-1] or None
    except (ValueError, AttributeError):
        return None


def without_namespace(reply: Reply) -> Reply:
    """An XML error as ministack's own callers read it: they look for plain element names."""
    status, headers, body = reply
    return (status, headers, _NAMESPACE.sub(b"", body)) if status >= 400 else reply
