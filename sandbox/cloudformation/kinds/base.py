# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a kind of resource is: how the service's public API creates, changes, deletes and shows it."""

from __future__ import annotations

import copy
import json
import secrets
import string
from collections.abc import Callable
from collections.abc import Iterable
from typing import Any

from botocore.exceptions import ClientError
from botocore.model import OperationModel
from botocore.model import Shape

from sandbox.cloudformation.schema import Schema

Properties = dict[str, Any]

_GONE = ("NotFound", "NotExist", "NoSuch", "DoesNotExist", "NonExistent")


class Call:
    """What a kind has at hand while it works on one resource of a stack."""

    def __init__(
        self,
        clients: Callable[[str], Any],
        *,
        account: str,
        region: str,
        stack: str,
        logical: str,
        made: Callable[[str], None] = lambda physical: None,
        siblings: Iterable[dict] = (),
    ) -> None:
        self.clients = clients
        self.account = account
        self.region = region
        self.stack = stack
        self.logical = logical
        # To be called as soon as the resource exists, so that a failure behind it does not leave the resource to nobody.
        self.made = made
        # The stack's resource records, for kinds whose state lies in another resource of the stack.
        self.siblings = siblings

    def client(self, service: str) -> Any:
        """A client of the service in the stack's region, as the stack's caller or role."""
        return self.clients(service)

    def name(self, limit: int = 255, lower: bool = False) -> str:
        """A name as CloudFormation generates it: stack, logical id, a random part."""
        alphabet = string.ascii_lowercase + string.digits if lower else string.ascii_letters + string.digits
        tail = "".join(secrets.choice(alphabet) for _turn in range(12))
        half = (limit - 14) // 2
        stack = self.stack if len(self.stack) + len(self.logical) <= limit - 14 else self.stack[:half]
        name = f"{stack}-{self.logical[: limit - 14 - len(stack)]}-{tail}"
        return name.lower() if lower else name


class Kind:
    """One kind. Properties arrive in the schema's types, with the stack's tags in the tag property."""

    kind: str
    service: str
    # Properties that no API returns, with the reason; the test of properties sees to them in another way.
    unreadable: dict[str, str] = {}

    def __init__(self) -> None:
        self.schema = Schema(self.kind)

    def create(self, call: Call, wanted: Properties) -> str:
        """Create the resource and return its physical id."""
        raise NotImplementedError

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        """Change the resource in place; only called when nothing that replaces it differs."""
        raise NotImplementedError

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        """Delete the resource; one that is gone already is fine."""
        raise NotImplementedError

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        """The resource's properties as the API shows them, in the template's spelling; None when it does not exist."""
        raise NotImplementedError

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        """What `Fn::GetAtt` gives."""
        return {}

    def api(self, call: Call) -> Any:
        return call.client(self.service)

    def shown(self, found: dict[str, Any], names: Iterable[str] = (), **renamed: str) -> Properties:
        """Properties out of an API's structure: those of `names`, and `property="ApiMember"`; None and missing ones are left out."""
        source = {key.lower(): value for key, value in found.items()}
        result = {}
        for name, member in {**{name: name for name in names}, **renamed}.items():
            value = source.get(member.lower())
            if value is not None:
                result[name] = self.schema.like_template(name, value)
        return result


def gone_is_fine(operation: Callable[..., Any], **arguments: Any) -> Any:
    """Call, and take an answer that says the thing does not exist for done."""
    try:
        return operation(**arguments)
    except ClientError as error:
        if not is_gone(error):
            raise
    return None


def is_gone(error: ClientError) -> bool:
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    return any(word in code for word in _GONE) or (code == "ValidationError" and "does not exist" in message)


def first(items: Iterable[Any]) -> Any:
    return next(iter(items), None)


def request(
    client: Any, method: str, properties: Properties, names: Iterable[str] = (), **renamed: str
) -> dict[str, Any]:
    """Arguments of an API call out of properties, spelt and typed as the operation's model has them.

    `names` are properties whose API member has the same name but for its case, `renamed` maps `ApiMember="Property"`. Properties that
    are not set are left out.
    """
    model = operation(client, method)
    members = model.input_shape.members
    spelling = {name.lower(): name for name in members}
    arguments = {}
    for member, name in {**{spelling[name.lower()]: name for name in names}, **renamed}.items():
        if name in properties:
            arguments[member] = spelt(properties[name], members[member])
    return arguments


def operation(client: Any, method: str) -> OperationModel:
    return client.meta.service_model.operation_model(client.meta.method_to_api_mapping[method])


def spelt(value: Any, shape: Shape) -> Any:
    """A template's value in the API's spelling and types."""
    if shape.type_name == "structure" and isinstance(value, dict):
        spelling = {name.lower(): name for name in shape.members}
        unknown = [key for key in value if key.lower() not in spelling]
        if unknown:
            raise ValueError(f"the sandbox cannot apply {', '.join(unknown)} through {shape.name}")
        return {spelling[key.lower()]: spelt(item, shape.members[spelling[key.lower()]]) for key, item in value.items()}
    if shape.type_name == "map" and isinstance(value, dict):
        return {key: spelt(item, shape.value) for key, item in value.items()}
    if shape.type_name == "list" and isinstance(value, list):
        return [spelt(item, shape.member) for item in value]
    if shape.type_name == "string":
        return value if isinstance(value, str) else as_json(value) if isinstance(value, dict | list) else _text(value)
    if shape.type_name in ("integer", "long"):
        return int(value)
    if shape.type_name in ("float", "double"):
        return float(value)
    if shape.type_name == "boolean":
        return value if isinstance(value, bool) else str(value).lower() == "true"
    return value


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def as_json(document: Any) -> str:
    """A policy or another document as the string that APIs take."""
    return document if isinstance(document, str) else json.dumps(document)


def from_json(document: Any, expected: Any = None) -> Any:
    """An API's document string as an object, or as it is where the template has a string too."""
    if not isinstance(document, str) or isinstance(expected, str):
        return document
    try:
        return json.loads(document)
    except ValueError:
        return document


def tag_map(tags: Any) -> dict[str, str]:
    """`{key: value}` from a list of `Key`/`Value`, `key`/`value` or `TagKey`/`TagValue`, or from a map."""
    if isinstance(tags, dict):
        return {str(key): str(value) for key, value in tags.items()}
    result = {}
    for tag in tags or []:
        lower = {key.lower().removeprefix("tag"): value for key, value in tag.items()}
        result[str(lower["key"])] = str(lower["value"])
    return result


def tag_list(tags: Any, key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    """Tags as a list of structures with these member names."""
    return [{key: name, value: text} for name, text in tag_map(tags).items()]


def tags_like(actual: Any, expected: Any) -> Any:
    """Tags in the template's order and shape, without those that AWS itself puts."""
    found = {key: value for key, value in tag_map(actual).items() if not key.startswith("aws:")}
    if isinstance(expected, dict):
        return found
    order = [key for key in tag_map(expected) if key in found]
    return [{"Key": key, "Value": found[key]} for key in [*order, *sorted(found.keys() - set(order))]]


def tag_changes(old: Any, new: Any) -> tuple[dict[str, str], list[str]]:
    """Tags to set and keys to remove, to go from `old` to `new`."""
    before, after = tag_map(old), tag_map(new)
    return {key: value for key, value in after.items() if before.get(key) != value}, sorted(
        before.keys() - after.keys()
    )


def same_reference(actual: str | None, expected: Any) -> Any:
    """`actual` in the form that the template uses: an id or a name where the API gives an ARN."""
    if isinstance(expected, str) and isinstance(actual, str) and actual != expected:
        tail = actual.rsplit(":", 1)[-1]
        if tail == expected or tail.rsplit("/", 1)[-1] == expected or tail.partition("/")[2] == expected:
            return expected
    return actual


def same_order(actual: list[Any], expected: Any) -> list[Any]:
    """`actual` with the elements that the template names in the template's order: most lists of AWS are sets."""
    rest = copy.copy(actual)
    ordered = []
    for item in expected if isinstance(expected, list) else []:
        if item in rest:
            rest.remove(item)
            ordered.append(item)
    return [*ordered, *rest]
