# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images that are read through a rule of ECR: the manifest at once, the image in the repository a while later.

Sources: Amazon ECR user guide, "Sync an upstream registry with an Amazon ECR private registry", "IAM permissions required to sync an
upstream registry with an Amazon ECR private registry" and "Troubleshooting pull through cache issues"; aws/containers-roadmap#2837.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import MutableMapping
from typing import Any

from botocore.exceptions import ClientError
from ministack.core import iam_evaluator
from ministack.core import responses
from ministack.services import ecr

from sandbox.calls import current
from sandbox.context import Context
from sandbox.iam.identity import ROOT_ARN

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_WITH_SECRET = ("docker-hub", "github-container-registry", "gitlab-container-registry")


class Imports:
    """What BatchGetImage does behind a rule."""

    def __init__(self, context: Context, rules: MutableMapping[str, Any], templates: MutableMapping[str, Any]) -> None:
        self._context = context
        self._rules = rules
        self._templates = templates

    def serve(self, repository: str) -> dict[str, Any] | None:
        """The rule that serves a repository: the one with the longest prefix."""
        return _longest(self._rules, repository)

    def get(self, given: dict[str, Any]) -> dict[str, Any] | None:
        """BatchGetImage's answer; None where there is no such repository."""
        name = given["repositoryName"]
        images, failures = [], []
        for identifier in given["imageIds"]:
            image = ecr._find_image(name, identifier) if name in ecr._repositories else None
            image = image or self._pulled(name, identifier)
            if isinstance(image, dict) and "failureCode" not in image:
                manifest = {key: image[key] for key in ("imageId", "imageManifest", "imageManifestMediaType")}
                images.append({"registryId": responses.get_account_id(), "repositoryName": name, **manifest})
            else:
                failures.append(
                    {"imageId": identifier, **(image or _failure("ImageNotFound", "Requested image not found"))}
                )
        return {"images": images, "failures": failures} if name in ecr._repositories else None

    def _pulled(self, name: str, identifier: dict[str, str]) -> dict[str, Any] | None:
        """The image upstream, on its way into the repository; a failure, or None for what cannot be had."""
        rule = self.serve(name)
        # An image that is not cached is found by its tag alone.
        if rule is None or "imageDigest" in identifier:
            return None
        # Whoever may not import hears that there is no such image.
        if not self._may("ecr:BatchImportUpstreamImage", name):
            return None
        if rule["upstreamRegistry"] in _WITH_SECRET and not rule.get("credentialArn"):
            return _failure("UpstreamAccessDenied", "The authentication to the upstream registry failed.")
        image = self._upstream(rule, name.removeprefix(f"{rule['ecrRepositoryPrefix']}/"), identifier["imageTag"])
        if image is None or "failureCode" in image:
            return image
        if not self._repository(name):
            return None
        region, account = responses.get_region(), responses.get_account_id()

        def arrive() -> None:
            with responses.request_scope(account, region):
                if name in ecr._repositories:
                    ecr._put_image({"repositoryName": name, "imageTag": identifier["imageTag"], **image})

        self._context.schedule(self._context.market.import_seconds, arrive)
        digest = ecr._image_digest(image["imageManifest"])
        return {**image, "imageId": {"imageDigest": digest, "imageTag": identifier["imageTag"]}}

    def _upstream(self, rule: dict[str, Any], name: str, tag: str) -> dict[str, Any] | None:
        """The image's manifest at the registry. ECR of another region is the sandbox's own, others are the market's."""
        url = rule["upstreamRegistryUrl"]
        if rule["upstreamRegistry"] == "ecr":
            account, region = url.split(".")[0], url.split(".")[3]
            if account != responses.get_account_id() and not rule.get("customRoleArn"):
                return _failure("UpstreamAccessDenied", "The upstream registry belongs to another account.")
            with responses.request_scope(account, region):
                found = ecr._find_image(name, {"imageTag": tag})
            names = ("imageManifest", "imageManifestMediaType")
            return {key: found[key] for key in names} if found else None
        if not self._context.market.has_image(url, name, tag):
            return None
        config = hashlib.sha256(f"{url}/{name}:{tag}".encode()).hexdigest()
        manifest = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": {"digest": f"sha256:{config}"}, "layers": []}
        return {"imageManifest": json.dumps(manifest), "imageManifestMediaType": _MANIFEST}

    def _repository(self, name: str) -> bool:
        """Whether the repository is there; ECR makes it, as the template says, for whoever may make it."""
        if name in ecr._repositories:
            return True
        template = _longest(self._templates, name) or {}
        if "PULL_THROUGH_CACHE" not in template.get("appliedFor", ()):
            template = {}
        tags = template.get("resourceTags", [])
        if not self._may("ecr:CreateRepository", name) or (tags and not self._may("ecr:TagResource", name)):
            return False
        wanted = {"repositoryName": name, "imageTagMutability": template.get("imageTagMutability", "MUTABLE")}
        if tags:
            wanted["tags"] = tags
        if "encryptionConfiguration" in template:
            wanted["encryptionConfiguration"] = template["encryptionConfiguration"]
        # Without a role of the customer's it is the service's own, which nobody judges.
        client = self._context.client("ecr", responses.get_region(), template.get("customRoleArn"))
        try:
            client.create_repository(**wanted)
        except ClientError:
            return False
        if "lifecyclePolicy" in template:
            ecr._put_lifecycle_policy({"repositoryName": name, "lifecyclePolicyText": template["lifecyclePolicy"]})
        if "repositoryPolicy" in template:
            ecr._set_repository_policy({"repositoryName": name, "policyText": template["repositoryPolicy"]})
        return True

    def _may(self, action: str, repository: str) -> bool:
        call = current.get()
        if call is None or call.principal == ROOT_ARN:
            return True
        arn = f"arn:aws:ecr:{responses.get_region()}:{responses.get_account_id()}:repository/{repository}"
        verdict = iam_evaluator.enforce(call.access_key, action, "ecr", call.region, resource_arn=arn)
        return verdict is None


def _longest(found: MutableMapping[str, Any], repository: str) -> dict[str, Any] | None:
    prefixes = [prefix for prefix in found if repository.startswith(f"{prefix}/")]
    return found[max(prefixes, key=len)] if prefixes else None


def _failure(code: str, reason: str) -> dict[str, str]:
    return {"failureCode": code, "failureReason": reason}
