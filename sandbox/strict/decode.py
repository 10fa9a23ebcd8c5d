# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A request's parameters as the operation's input shape names them, for every protocol.

Nothing is repaired: what does not fit is put down as a problem, and the rest is decoded for the checks that follow.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import json
from typing import Any
from xml.etree import ElementTree

from botocore.model import ListShape
from botocore.model import MapShape
from botocore.model import OperationModel
from botocore.model import Shape
from botocore.model import StructureShape
from botocore.utils import parse_timestamp

from sandbox.request import Request
from sandbox.strict.problems import Problem

# Parameters that belong to the signature or the protocol, not to the action.
_ENVELOPE = {
    "Action",
    "Version",
    "AWSAccessKeyId",
    "SecurityToken",
    "Signature",
    "SignatureMethod",
    "SignatureVersion",
    "Timestamp",
    "Expires",
}


class Malformed(Exception):
    """The body cannot be read at all."""


def decode(request: Request, operation: OperationModel) -> tuple[dict[str, Any], list[Problem]]:
    """The parameters by member name, and what could not be decoded. Raises Malformed."""
    shape = operation.input_shape
    if shape is None:
        return {}, []
    problems: list[Problem] = []
    if request.protocol in ("ec2", "query"):
        tree = _tree(request.form)
        return _Form(request.protocol, problems).structure(shape, tree, ""), problems
    if request.protocol == "json":
        return _Json(problems).structure(shape, _json(request.body), ""), problems
    return _rest(request, operation, shape, problems), problems


def _tree(form: dict[str, list[str]]) -> dict:
    """`A.1.B=x` as {"A": {"1": {"B": {None: "x"}}}}."""
    root: dict = {}
    for name, values in form.items():
        if name in _ENVELOPE or name.startswith("X-Amz-"):
            continue
        node = root
        for part in name.split("."):
            node = node.setdefault(part, {})
        node[None] = values[0]
    return root


def _json(body: bytes) -> Any:
    if not body:
        return {}
    try:
        return json.loads(body)
    except ValueError as error:
        raise Malformed(str(error)) from None


def _path(path: str, name: str | int) -> str:
    if isinstance(name, int):
        return f"{path}.{name}.member"
    return f"{path}.{name}" if path else name


class _Text:
    """Scalars written as text."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems

    def scalar(self, shape: Shape, text: str, path: str) -> Any:
        kind = shape.type_name
        with contextlib.suppress(ValueError):
            if kind in ("integer", "long"):
                return int(text)
            if kind in ("float", "double"):
                return float(text)
            if kind == "boolean":
                return {"true": True, "false": False}[text.lower()] if text.lower() in ("true", "false") else _bad()
            if kind == "timestamp":
                parse_timestamp(text)
                return text
            if kind == "blob":
                return base64.b64decode(text, validate=False)
            return text
        self.problems.append(Problem("type", path, shape, text))
        return None


def _bad() -> Any:
    raise ValueError


class _Form(_Text):
    """The query protocols: flat names, dots between the levels."""

    def __init__(self, protocol: str, problems: list[Problem]) -> None:
        super().__init__(problems)
        self._ec2 = protocol == "ec2"

    def value(self, shape: Shape, node: dict, path: str) -> Any:
        if isinstance(shape, StructureShape):
            return self.structure(shape, node, path)
        if isinstance(shape, ListShape):
            return self._list(shape, node, path)
        if isinstance(shape, MapShape):
            return self._map(shape, node, path)
        for name in node:
            if name is not None:
                self.problems.append(Problem("unknown", _path(path, name), shape, None))
        return self.scalar(shape, node.get(None, ""), path)

    def structure(self, shape: StructureShape, node: dict, path: str) -> dict[str, Any]:
        known = self._wire(shape)
        found = {}
        for name, child in node.items():
            if name is None:
                continue
            if name not in known:
                self.problems.append(Problem("unknown", _path(path, name), shape, None))
                continue
            member, member_shape = known[name]
            found[member] = self.value(member_shape, child, _path(path, member))
        return found

    def _wire(self, shape: StructureShape) -> dict[str, tuple[str, Shape]]:
        known = shape.__dict__.get("_sandbox_form")
        if known is None:
            known = {self._name(member, sub): (member, sub) for member, sub in shape.members.items()}
            shape.__dict__["_sandbox_form"] = known
        return known

    def _name(self, member: str, shape: Shape) -> str:
        """The member's name on the wire, as botocore's serialisers write it."""
        name = shape.serialization.get("name", member)
        if self._ec2:
            return shape.serialization.get("queryName") or name[0].upper() + name[1:]
        if isinstance(shape, ListShape) and shape.serialization.get("flattened"):
            return shape.member.serialization.get("name", name)
        return name

    def _list(self, shape: ListShape, node: dict, path: str) -> list:
        if not self._ec2 and not shape.serialization.get("flattened"):
            wanted = shape.member.serialization.get("name", "member")
            for name in node:
                if name not in (None, wanted):
                    self.problems.append(Problem("unknown", _path(path, name), shape, None))
            node = node.get(wanted, {})
        return [
            self.value(shape.member, child, _path(path, index)) for index, child in self._numbered(shape, node, path)
        ]

    def _map(self, shape: MapShape, node: dict, path: str) -> dict:
        entries = node if shape.serialization.get("flattened") else node.get("entry", {})
        key_name = shape.key.serialization.get("name", "key")
        value_name = shape.value.serialization.get("name", "value")
        found = {}
        for _number, entry in self._numbered(shape, entries, path):
            key = entry.get(key_name, {}).get(None, "")
            found[key] = self.value(shape.value, entry.get(value_name, {}), _path(path, key))
        return found

    def _numbered(self, shape: Shape, node: dict, path: str) -> list[tuple[int, dict]]:
        numbered = []
        for name, child in node.items():
            if name is None:
                continue
            if not name.isdigit():
                self.problems.append(Problem("unknown", _path(path, name), shape, None))
                continue
            numbered.append((int(name), child))
        return sorted(numbered, key=lambda entry: entry[0])


class _Json:
    """Parsed JSON."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems

    def value(self, shape: Shape, value: Any, path: str) -> Any:
        if shape.type_name == "structure":
            return value if getattr(shape, "is_document_type", False) else self.structure(shape, value, path)
        if shape.type_name == "list":
            if not isinstance(value, list):
                return self._mistyped(shape, value, path)
            return [
                self.value(shape.member, item, _path(path, number))
                for number, item in enumerate(value, 1)
                if item is not None
            ]
        if shape.type_name == "map":
            if not isinstance(value, dict):
                return self._mistyped(shape, value, path)
            return {
                key: self.value(shape.value, item, _path(path, key)) for key, item in value.items() if item is not None
            }
        return self._scalar(shape, value, path)

    def structure(self, shape: StructureShape, value: Any, path: str) -> Any:
        if not isinstance(value, dict):
            return self._mistyped(shape, value, path)
        known = shape.__dict__.get("_sandbox_json")
        if known is None:
            known = {sub.serialization.get("name", member): (member, sub) for member, sub in shape.members.items()}
            shape.__dict__["_sandbox_json"] = known
        found = {}
        for name, item in value.items():
            if name not in known:
                if name != "__type":
                    self.problems.append(Problem("unknown", _path(path, name), shape, None))
                continue
            member, member_shape = known[name]
            if item is not None:
                found[member] = self.value(member_shape, item, _path(path, member))
        return found

    def _scalar(self, shape: Shape, value: Any, path: str) -> Any:
        kind = shape.type_name
        if kind in ("string", "character"):
            # Members marked `jsonvalue` and documents may be anything; plain strings may not.
            return value if isinstance(value, str) else self._mistyped(shape, value, path)
        if kind in ("integer", "long"):
            fits = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
            return value if fits and not isinstance(value, bool) else self._mistyped(shape, value, path)
        if kind in ("float", "double"):
            fits = isinstance(value, int | float) or value in ("NaN", "Infinity", "-Infinity")
            return value if fits and not isinstance(value, bool) else self._mistyped(shape, value, path)
        if kind == "boolean":
            return value if isinstance(value, bool) else self._mistyped(shape, value, path)
        if kind == "blob":
            try:
                return base64.b64decode(value)
            except (TypeError, ValueError, binascii.Error):
                return self._mistyped(shape, value, path)
        return value

    def _mistyped(self, shape: Shape, value: Any, path: str) -> None:
        self.problems.append(Problem("type", path, shape, value))


class _Xml(_Text):
    """An XML body, by element names."""

    def value(self, shape: Shape, node: ElementTree.Element, path: str) -> Any:
        if isinstance(shape, StructureShape):
            return self.structure(shape, node, path)
        if isinstance(shape, ListShape):
            return [self.value(shape.member, child, _path(path, index)) for index, child in enumerate(node, 1)]
        if isinstance(shape, MapShape):
            return {}
        return self.scalar(shape, node.text or "", path)

    def structure(self, shape: StructureShape, node: ElementTree.Element, path: str) -> dict[str, Any]:
        children: dict[str, list[ElementTree.Element]] = {}
        for child in node:
            children.setdefault(child.tag.rsplit("}", 1)[-1], []).append(child)
        found: dict[str, Any] = {}
        for member, sub in shape.members.items():
            name = sub.serialization.get("name", member)
            if sub.serialization.get("xmlAttribute"):
                attribute = name.rsplit(":", 1)[-1]
                values = [value for key, value in node.attrib.items() if key.rsplit("}", 1)[-1] == attribute]
                if values:
                    found[member] = values[0]
                continue
            if isinstance(sub, ListShape) and sub.serialization.get("flattened"):
                name = sub.member.serialization.get("name", name)
                if name in children:
                    items = enumerate(children.pop(name), 1)
                    found[member] = [self.value(sub.member, child, _path(path, index)) for index, child in items]
            elif name in children:
                found[member] = self.value(sub, children.pop(name)[0], _path(path, member))
        for name in children:
            self.problems.append(Problem("unknown", _path(path, name), shape, None))
        return found


def _rest(
    request: Request, operation: OperationModel, shape: StructureShape, problems: list[Problem]
) -> dict[str, Any]:
    """Members from the path, the query string and the headers, and those left from the body."""
    text = _Text(problems)
    found: dict[str, Any] = {}
    payload = shape.serialization.get("payload")
    in_body: dict[str, Shape] = {}
    for member, sub in shape.members.items():
        location = sub.serialization.get("location")
        name = sub.serialization.get("name", member)
        if location == "uri":
            label = "".join(letter if letter.isalnum() or letter == "_" else "_" for letter in name)
            if label in request.labels:
                found[member] = text.scalar(sub, request.labels[label], member)
        elif location == "querystring":
            if isinstance(sub, MapShape):
                continue
            if name in request.query:
                values = request.query[name]
                if isinstance(sub, ListShape):
                    found[member] = [text.scalar(sub.member, value, member) for value in values]
                else:
                    found[member] = text.scalar(sub, values[0], member)
        elif location == "header":
            if name.lower() in request.headers:
                value = request.headers[name.lower()]
                # Lists and JSON values have spellings of their own: only their presence counts.
                plain = not isinstance(sub, ListShape) and not sub.serialization.get("jsonvalue")
                found[member] = text.scalar(sub, value, member) if plain and sub.type_name != "timestamp" else _Unread
        elif location in ("headers", "statusCode"):
            continue
        elif member != payload:
            in_body[member] = sub
    body = shape.members[payload] if payload else None
    if body is not None and body.type_name in ("blob", "string"):
        if request.body or not body.metadata.get("requiresLength"):
            found[payload] = _Unread
    elif request.body and (body is not None or in_body):
        found.update(_body(request, body, payload, in_body, shape, problems))
    return found


class _Unread:
    """Stands for a value that is there and is not looked at."""


def _body(
    request: Request,
    body: Shape | None,
    payload: str | None,
    in_body: dict[str, Shape],
    shape: StructureShape,
    problems: list[Problem],
) -> dict[str, Any]:
    if request.protocol == "rest-xml":
        try:
            root = ElementTree.fromstring(request.body)
        except ElementTree.ParseError as error:
            raise Malformed(str(error)) from None
        if body is None:
            return _Xml(problems).structure(shape, root, "")
        return {payload: _Xml(problems).value(body, root, payload or "")}
    document = _json(request.body)
    if body is not None:
        return {payload: _Json(problems).value(body, document, payload or "")}
    if not isinstance(document, dict):
        problems.append(Problem("type", "body", shape, document))
        return {}
    by_name = {sub.serialization.get("name", member): (member, sub) for member, sub in in_body.items()}
    found = {}
    for name, value in document.items():
        if name not in by_name:
            problems.append(Problem("unknown", name, shape, None))
        elif value is not None:
            member, sub = by_name[name]
            found[member] = _Json(problems).value(sub, value, member)
    return found


def is_unread(value: Any) -> bool:
    """Whether a decoded value only says that something is there."""
    return value is _Unread
