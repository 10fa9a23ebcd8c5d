# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What defines an image: components, recipes, infrastructure and distribution; and the tags of everything."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from ministack.core import responses

from sandbox.imagebuilder.refusal import Refused
from sandbox.imagebuilder.refusal import not_found

# By ARN, in the spelling of the API.
store = responses.AccountRegionScopedDict()


@dataclass(frozen=True)
class Definition:
    """`noun` names it in actions, `member` in answers, `kind` in ARNs; `versioned` ones never change."""

    noun: str
    member: str
    kind: str
    versioned: bool

    @property
    def arn_member(self) -> str:
        return "componentBuildVersionArn" if self.kind == "component" else f"{self.member}Arn"


DEFINITIONS = (
    Definition("Component", "component", "component", True),
    Definition("ImageRecipe", "imageRecipe", "image-recipe", True),
    Definition("InfrastructureConfiguration", "infrastructureConfiguration", "infrastructure-configuration", False),
    Definition("DistributionConfiguration", "distributionConfiguration", "distribution-configuration", False),
)


def reset() -> None:
    store.clear()


def slug(name: str) -> str:
    """A name as ARNs have it (botocore model: "a normalized form of the name")."""
    return re.sub(r"[^a-z0-9-_]", "-", name.lower())


def arn(kind: str, tail: str) -> str:
    return f"arn:aws:imagebuilder:{responses.get_region()}:{responses.get_account_id()}:{kind}/{tail}"


def find(identifier: str) -> dict[str, Any]:
    found = store.get(identifier)
    if found is None:
        raise not_found(identifier)
    return found


def _create(definition: Definition, request: dict[str, Any]) -> dict[str, Any]:
    tail = slug(request["name"])
    if definition.versioned:
        tail += f"/{request['semanticVersion']}"
    if definition.kind == "component":
        # A version may have several builds; which one comes next is Image Builder's to say (botocore model, semanticVersion).
        tail += f"/{1 + sum(known.startswith(arn('component', tail) + '/') for known in store)}"
    identifier = arn(definition.kind, tail)
    if identifier in store:
        raise Refused("ResourceAlreadyExistsException", f"The resource {identifier} already exists.")
    for component in request.get("components") or []:
        if component["componentArn"] not in store:
            raise Refused("InvalidRequestException", f"The component {component['componentArn']} does not exist.")
    kept = {key: value for key, value in request.items() if key not in ("clientToken", "semanticVersion", "dryRun")}
    version = {"version": request["semanticVersion"]} if definition.versioned else {}
    store[identifier] = {"arn": identifier, **version, **kept, "tags": dict(request.get("tags") or {})}
    return _named(definition, identifier)


def _named(definition: Definition, identifier: str) -> dict[str, Any]:
    return {"requestId": str(uuid.uuid4()), definition.arn_member: identifier}


def _get(definition: Definition, request: dict[str, Any]) -> dict[str, Any]:
    return {"requestId": str(uuid.uuid4()), definition.member: find(request[definition.arn_member])}


def _update(definition: Definition, request: dict[str, Any]) -> dict[str, Any]:
    """What an update does not name is gone (botocore model: the request has everything but the name)."""
    identifier = request[definition.arn_member]
    found = find(identifier)
    given = {key: value for key, value in request.items() if key not in ("clientToken", definition.arn_member)}
    store[identifier] = {"arn": identifier, "name": found["name"], "tags": found["tags"], **given}
    return _named(definition, identifier)


def _delete(definition: Definition, request: dict[str, Any]) -> dict[str, Any]:
    identifier = request[definition.arn_member]
    find(identifier)
    users = [
        each["arn"]
        for each in store.values()
        if any(component["componentArn"] == identifier for component in each.get("components") or ())
    ]
    if users:
        raise Refused("ResourceDependencyException", f"{identifier} is used by {', '.join(users)}.")
    del store[identifier]
    return _named(definition, identifier)


def _list(key: str, kind: str, request: dict[str, Any]) -> dict[str, Any]:
    rows = [{"arn": each["arn"], "name": each["name"]} for each in store.values() if f":{kind}/" in each["arn"]]
    return {"requestId": str(uuid.uuid4()), key: rows}


def _tag(request: dict[str, Any]) -> dict[str, Any]:
    find(request["resourceArn"])["tags"].update(request["tags"])
    return {}


def _untag(request: dict[str, Any]) -> dict[str, Any]:
    tags = find(request["resourceArn"])["tags"]
    for key in request["tagKeys"]:
        tags.pop(key, None)
    return {}


def _list_tags(request: dict[str, Any]) -> dict[str, Any]:
    return {"tags": find(request["resourceArn"])["tags"]}


# What a listing calls its rows, and what it lists.
_LISTINGS = {
    "ListComponents": ("componentVersionList", "component"),
    "ListImageRecipes": ("imageRecipeSummaryList", "image-recipe"),
    "ListInfrastructureConfigurations": ("infrastructureConfigurationSummaryList", "infrastructure-configuration"),
    "ListDistributionConfigurations": ("distributionConfigurationSummaryList", "distribution-configuration"),
    "ListImages": ("imageVersionList", "image"),
}


ACTIONS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "TagResource": _tag,
    "UntagResource": _untag,
    "ListTagsForResource": _list_tags,
    **{action: partial(_list, *listing) for action, listing in _LISTINGS.items()},
    **{
        f"{verb}{definition.noun}": partial(function, definition)
        for definition in DEFINITIONS
        for verb, function in (("Create", _create), ("Get", _get), ("Update", _update), ("Delete", _delete))
        if verb != "Update" or not definition.versioned
    },
}
