# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""botocore's service models: those of the product's environment where SANDBOX_MODELS names its `botocore/data`, else our own."""

from __future__ import annotations

import functools
import os
import re
import threading
from dataclasses import dataclass
from urllib.parse import unquote

from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader
from botocore.model import OperationModel
from botocore.model import ServiceModel

# The name in a request's credential scope -> botocore's directory name, where they differ (botocore models, `signingName`).
DIRECTORIES = {
    "elasticfilesystem": "efs",
    "states": "stepfunctions",
    "monitoring": "cloudwatch",
    "tagging": "resourcegroupstaggingapi",
    "servicequotas": "service-quotas",
    "elasticloadbalancing": "elbv2",
    "apigateway": "apigateway",
    "ecr": "ecr",
    "acm": "acm",
}
ALIASES = {directory: name for name, directory in DIRECTORIES.items()}

_LOCK = threading.Lock()


def signing_name(name: str) -> str:
    """The credential-scope name of a service given by either of its names (`efs` -> `elasticfilesystem`)."""
    return ALIASES.get(name, name)


@functools.cache
def _loader() -> Loader:
    path = os.environ.get("SANDBOX_MODELS")
    if path:
        return Loader(extra_search_paths=[path], include_default_search_paths=False)
    return Loader()


@functools.cache
def _load(directory: str) -> ServiceModel | None:
    try:
        return ServiceModel(_loader().load_service_model(directory, "service-2"), directory)
    except UnknownServiceError:
        return None


def service_model(service: str, path: str = "/") -> ServiceModel | None:
    """The model behind a credential-scope name, or None where botocore knows no such service."""
    directory = DIRECTORIES.get(service, service)
    if service == "apigateway" and path.startswith("/v2/"):
        directory = "apigatewayv2"
    with _LOCK:
        return _load(directory)


@dataclass(frozen=True)
class Route:
    """One REST operation: what its method, path, query string and headers must look like."""

    operation: str
    method: str
    path: re.Pattern[str]
    literal: int
    query: tuple[tuple[str, str | None], ...]
    # Those names of `query` that stand in the model's URI and so tell operations apart.
    marks: frozenset[str]
    headers: tuple[str, ...]
    deprecated: bool

    def order(self) -> tuple:
        """The more a route asks for, the earlier it is tried; a deprecated one after its successor."""
        return -len(self.query), -len(self.headers), -self.literal, self.deprecated


_LABEL = re.compile(r"\{([^}+]+)(\+?)\}")


def _route(operation: OperationModel) -> Route:
    path, _mark, query = operation.http["requestUri"].partition("?")
    pattern = ""
    end = 0
    literal = 0
    for label in _LABEL.finditer(path):
        before = path[end : label.start()]
        literal += len(before)
        # The last label takes slashes too: some clients send ARNs unescaped where the model marks no greedy label.
        greedy = label[2] or label.end() == len(path.rstrip("/"))
        name = re.sub(r"\W", "_", label[1])
        pattern += re.escape(before) + f"(?P<{name}>{'.+?' if greedy else '[^/]+'})"
        end = label.end()
    literal += len(path[end:])
    pattern += re.escape(path[end:].rstrip("/")) + "/?"
    wanted: list[tuple[str, str | None]] = []
    for part in filter(None, query.split("&")):
        name, equals, value = part.partition("=")
        wanted.append((name, unquote(value) if equals else None))
    marks = frozenset(name for name, _value in wanted)
    headers: list[str] = []
    # S3 tells a copy from a put, and a part from an object, by required parameters alone.
    shape = operation.input_shape
    for member in shape.required_members if shape is not None else ():
        place = shape.members[member].serialization
        if place.get("location") == "querystring":
            wanted.append((place.get("name", member), None))
        elif place.get("location") == "header" and operation.service_model.service_name == "s3":
            headers.append(place.get("name", member).lower())
    deprecated = bool(getattr(operation, "deprecated", False))
    return Route(
        operation.name,
        operation.http["method"],
        re.compile(pattern),
        literal,
        tuple(wanted),
        marks,
        tuple(headers),
        deprecated,
    )


@functools.cache
def _routes(directory: str) -> tuple[Route, ...]:
    model = _load(directory)
    assert model is not None
    routes = [_route(model.operation_model(name)) for name in model.operation_names]
    return tuple(sorted(routes, key=Route.order))


def match(
    model: ServiceModel, method: str, raw_path: str, query: dict[str, list[str]], headers: dict[str, str]
) -> tuple[str, dict[str, str]] | None:
    """The REST operation of a request, with the labels of its path; the one that asks for most wins.

    A request that lacks a required parameter of the query string is matched by its path alone.
    """
    candidates = [route for route in _routes(model.service_name) if route.method == method]
    for strict in (True, False):
        for route in candidates:
            if not _fits(route, query, headers, strict):
                continue
            found = route.path.fullmatch(raw_path)
            if found:
                return route.operation, {name: unquote(value) for name, value in found.groupdict().items()}
    return None


def _fits(route: Route, query: dict[str, list[str]], headers: dict[str, str], strict: bool) -> bool:
    for name, value in route.query:
        if name not in query:
            if strict or name in route.marks:
                return False
        elif value is not None and query[name][0] != value:
            return False
    return all(name in headers for name in route.headers)
