# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ECR: pull-through cache rules, repository creation templates."""

from __future__ import annotations

from sandbox.cloudformation.kinds.base import Call
from sandbox.cloudformation.kinds.base import Kind
from sandbox.cloudformation.kinds.base import Properties
from sandbox.cloudformation.kinds.base import first
from sandbox.cloudformation.kinds.base import from_json
from sandbox.cloudformation.kinds.base import gone_is_fine
from sandbox.cloudformation.kinds.base import request
from sandbox.cloudformation.kinds.base import tags_like


class PullThroughCacheRule(Kind):
    kind = "AWS::ECR::PullThroughCacheRule"
    service = "ecr"
    given = (
        "CredentialArn",
        "CustomRoleArn",
        "EcrRepositoryPrefix",
        "UpstreamRegistry",
        "UpstreamRegistryUrl",
        "UpstreamRepositoryPrefix",
    )

    def create(self, call: Call, wanted: Properties) -> str:
        ecr = self.api(call)
        made = ecr.create_pull_through_cache_rule(**request(ecr, "create_pull_through_cache_rule", wanted, self.given))
        return made["ecrRepositoryPrefix"]

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        """Every property replaces the rule."""

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        gone_is_fine(self.api(call).delete_pull_through_cache_rule, ecrRepositoryPrefix=physical)

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        answer = gone_is_fine(self.api(call).describe_pull_through_cache_rules, ecrRepositoryPrefixes=[physical])
        return None if answer is None else self.shown(answer["pullThroughCacheRules"][0], self.given)


class RepositoryCreationTemplate(Kind):
    kind = "AWS::ECR::RepositoryCreationTemplate"
    service = "ecr"
    given = (
        "AppliedFor",
        "CustomRoleArn",
        "Description",
        "EncryptionConfiguration",
        "ImageTagMutability",
        "LifecyclePolicy",
        "Prefix",
        "RepositoryPolicy",
        "ResourceTags",
    )

    def create(self, call: Call, wanted: Properties) -> str:
        ecr = self.api(call)
        arguments = request(ecr, "create_repository_creation_template", wanted, self.given)
        return ecr.create_repository_creation_template(**arguments)["repositoryCreationTemplate"]["prefix"]

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        ecr = self.api(call)
        ecr.update_repository_creation_template(
            **request(ecr, "update_repository_creation_template", new, [name for name in self.given if name in new])
        )

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        gone_is_fine(self.api(call).delete_repository_creation_template, prefix=physical)

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        answer = self.api(call).describe_repository_creation_templates(prefixes=[physical])
        found = first(answer["repositoryCreationTemplates"])
        if found is None:
            return None
        actual = self.shown(found, self.given)
        for name in ("LifecyclePolicy", "RepositoryPolicy"):
            if name in actual:
                actual[name] = from_json(actual[name], expected.get(name))
        if "ResourceTags" in actual:
            actual["ResourceTags"] = tags_like(actual["ResourceTags"], expected.get("ResourceTags"))
        return actual


KINDS = (PullThroughCacheRule, RepositoryCreationTemplate)
