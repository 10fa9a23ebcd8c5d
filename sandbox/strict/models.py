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
    """One REST operation: what its method, path and query string look like."""

    operation: str
    method: str
    path: re.Pattern[str]
    literal: int
    query: tuple[tuple[str, str | None], ...]


_LABEL = re.compile(r"\{([^}+]+)(\+?)\}")


def _route(operation: OperationModel) -> Route:
    path, _, query = operation.http["requestUri"].partition("?")
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
    return Route(operation.name, operation.http["method"], re.compile(pattern), literal, tuple(wanted))


@functools.cache
def _routes(directory: str) -> tuple[Route, ...]:
    model = _load(directory)
    assert model is not None
    routes = [_route(model.operation_model(name)) for name in model.operation_names]
    return tuple(sorted(routes, key=lambda route: (len(route.query), route.literal), reverse=True))


def match(
    model: ServiceModel, method: str, raw_path: str, query: dict[str, list[str]]
) -> tuple[str, dict[str, str]] | None:
    """The REST operation of a request, with the labels of its path; the most literal one wins."""
    for route in _routes(model.service_name):
        if route.method != method or any(
            name not in query or (value is not None and query[name][0] != value) for name, value in route.query
        ):
            continue
        found = route.path.fullmatch(raw_path)
        if found:
            return route.operation, {name: unquote(value) for name, value in found.groupdict().items()}
    return None
