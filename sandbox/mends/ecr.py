# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ECR: pull-through cache rules and repository creation templates, which ministack lacks, and images that are not there.

Sources: botocore model of ECR; Amazon ECR user guide, "Sync an upstream registry with an Amazon ECR private registry" and "Templates to
control repositories created during a pull through cache, create on push, or replication action".
"""

from __future__ import annotations

import json
import re
import time
from typing import Any

from ministack import app as ministack
from ministack.core import responses
from ministack.services import ecr
from ministack.services import secretsmanager

from sandbox.context import Context
from sandbox.errors import Reply
from sandbox.errors import error_reply
from sandbox.mends.ecr_imports import Imports

NEEDS = [
    "ministack.services.ecr.handle_request",
    "ministack.services.ecr._find_image",
    "ministack.services.ecr._image_digest",
    "ministack.services.ecr._put_image",
    "ministack.services.ecr._put_lifecycle_policy",
    "ministack.services.ecr._repositories",
    "ministack.services.ecr._set_repository_policy",
    "ministack.services.secretsmanager._resolve",
]

# What a rule can have upstream, by address (botocore model: CreatePullThroughCacheRule.upstreamRegistryUrl).
_REGISTRIES = {
    "public.ecr.aws": "ecr-public",
    "registry-1.docker.io": "docker-hub",
    "ghcr.io": "github-container-registry",
    "registry.gitlab.com": "gitlab-container-registry",
    "registry.k8s.io": "k8s",
    "quay.io": "quay",
}
_ECR = re.compile(r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com")

_rules = responses.AccountRegionScopedDict()
_templates = responses.AccountRegionScopedDict()


class _Refused(Exception):
    """A request that AWS refuses: its error's code and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def install(context: Context) -> None:
    serve, imports = ecr.handle_request, Imports(context, _rules, _templates)

    async def handle(method: str, path: str, headers: dict, body: bytes, query: dict) -> Any:
        action = headers.get("x-amz-target", "").rsplit(".", 1)[-1]
        given = json.loads(body or b"{}")
        try:
            if action in _ACTIONS:
                return _answer(_ACTIONS[action](given))
            if action == "DescribeImages":
                _there(given)
            if action == "BatchGetImage" and imports.serve(given["repositoryName"]):
                found = imports.get(given)
                if found is None:
                    raise _Refused(*_no_repository(given["repositoryName"]))
                return _answer(found)
        except _Refused as refusal:
            return error_reply("json", 400, refusal.code, str(refusal))
        return await serve(method, path, headers, body, query)

    ministack.SERVICE_HANDLERS["ecr"] = handle


def reset(context: Context) -> None:
    _rules.clear()
    _templates.clear()


def _answer(document: dict[str, Any]) -> Reply:
    return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(document).encode()


def _no_repository(name: str) -> tuple[str, str]:
    registry = responses.get_account_id()
    text = f"The repository with name '{name}' does not exist in the registry with id '{registry}'"
    return "RepositoryNotFoundException", text


def _there(given: dict[str, Any]) -> None:
    """DescribeImages fails where it is asked for an image that the repository has not (botocore model: ImageNotFoundException)."""
    name = given["repositoryName"]
    for image in given.get("imageIds", ()) if name in ecr._repositories else ():
        if ecr._find_image(name, image) is None:
            shown = ", ".join(f"{key}:'{value}'" for key, value in image.items())
            raise _Refused(
                "ImageNotFoundException",
                f"The image with imageId {{{shown}}} does not exist within the repository with name '{name}'",
            )


def _create_rule(given: dict[str, Any]) -> dict[str, Any]:
    prefix, url = given["ecrRepositoryPrefix"].rstrip("/"), given["upstreamRegistryUrl"]
    registry = "ecr" if _ECR.fullmatch(url) else _REGISTRIES.get(url)
    if registry is None or given.get("upstreamRegistry", registry) != registry:
        raise _Refused("UnsupportedUpstreamRegistryException", "The specified upstream registry isn't supported.")
    if prefix in _rules:
        text = f"A pull through cache rule with the prefix '{prefix}' already exists."
        raise _Refused("PullThroughCacheRuleAlreadyExistsException", text)
    secret = given.get("credentialArn")
    if secret and secretsmanager._resolve(secret)[1] is None:
        raise _Refused("SecretNotFoundException", f"The secret {secret} was not found.")
    now = time.time()
    _rules[prefix] = {
        **{name: given[name] for name in ("credentialArn", "customRoleArn") if name in given},
        "ecrRepositoryPrefix": prefix,
        "upstreamRegistryUrl": url,
        "upstreamRegistry": registry,
        "upstreamRepositoryPrefix": given.get("upstreamRepositoryPrefix", "ROOT"),
        "registryId": responses.get_account_id(),
        "createdAt": now,
        "updatedAt": now,
    }
    return {name: value for name, value in _rules[prefix].items() if name != "updatedAt"}


def _rule(given: dict[str, Any]) -> dict[str, Any]:
    prefix = given["ecrRepositoryPrefix"].rstrip("/")
    if prefix not in _rules:
        text = f"The pull through cache rule with the prefix '{prefix}' does not exist."
        raise _Refused("PullThroughCacheRuleNotFoundException", text)
    return _rules[prefix]


def _describe_rules(given: dict[str, Any]) -> dict[str, Any]:
    wanted = given.get("ecrRepositoryPrefixes")
    if wanted is None:
        return {"pullThroughCacheRules": list(_rules.values())}
    return {"pullThroughCacheRules": [_rule({"ecrRepositoryPrefix": prefix}) for prefix in wanted]}


def _delete_rule(given: dict[str, Any]) -> dict[str, Any]:
    """Repositories and images stay (Amazon ECR user guide, "Deleting a pull through cache rule")."""
    rule = _rule(given)
    del _rules[rule["ecrRepositoryPrefix"]]
    return {name: value for name, value in rule.items() if name not in ("updatedAt", "upstreamRegistry")}


def _create_template(given: dict[str, Any]) -> dict[str, Any]:
    prefix = given["prefix"].rstrip("/")
    if prefix in _templates:
        raise _Refused("TemplateAlreadyExistsException", f"A template with the prefix '{prefix}' already exists.")
    now = time.time()
    _templates[prefix] = {
        "imageTagMutability": "MUTABLE",
        **given,
        "prefix": prefix,
        "createdAt": now,
        "updatedAt": now,
    }
    return {"registryId": responses.get_account_id(), "repositoryCreationTemplate": _templates[prefix]}


def _template(given: dict[str, Any]) -> dict[str, Any]:
    prefix = given["prefix"].rstrip("/")
    if prefix not in _templates:
        raise _Refused("TemplateNotFoundException", f"The template with the prefix '{prefix}' does not exist.")
    return _templates[prefix]


def _update_template(given: dict[str, Any]) -> dict[str, Any]:
    """What an update does not name stays (botocore model: UpdateRepositoryCreationTemplate requires the prefix alone)."""
    template = _template(given)
    template.update({name: value for name, value in given.items() if name != "prefix"}, updatedAt=time.time())
    return {"registryId": responses.get_account_id(), "repositoryCreationTemplate": template}


def _describe_templates(given: dict[str, Any]) -> dict[str, Any]:
    """Prefixes without a template are left out: the operation knows no error for them."""
    wanted = given.get("prefixes")
    found = [template for prefix, template in _templates.items() if wanted is None or prefix in wanted]
    return {"registryId": responses.get_account_id(), "repositoryCreationTemplates": found}


def _delete_template(given: dict[str, Any]) -> dict[str, Any]:
    template = _template(given)
    del _templates[template["prefix"]]
    return {"registryId": responses.get_account_id(), "repositoryCreationTemplate": template}


_ACTIONS = {
    "CreatePullThroughCacheRule": _create_rule,
    "DescribePullThroughCacheRules": _describe_rules,
    "DeletePullThroughCacheRule": _delete_rule,
    "CreateRepositoryCreationTemplate": _create_template,
    "DescribeRepositoryCreationTemplates": _describe_templates,
    "UpdateRepositoryCreationTemplate": _update_template,
    "DeleteRepositoryCreationTemplate": _delete_template,
}
