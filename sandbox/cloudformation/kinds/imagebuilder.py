# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Image Builder: what defines images, and images, whose creation lasts as long as their build."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

from sandbox.cloudformation.kinds.base import Call
from sandbox.cloudformation.kinds.base import Kind
from sandbox.cloudformation.kinds.base import Properties
from sandbox.cloudformation.kinds.base import gone_is_fine
from sandbox.cloudformation.kinds.base import request
from sandbox.cloudformation.kinds.base import same_reference
from sandbox.cloudformation.kinds.base import tag_changes
from sandbox.cloudformation.kinds.base import tags_like

_POLL_SECONDS = 0.05
# In real seconds: what takes longer is a market that a test has set.
_PATIENCE_SECONDS = 600


class ImageBuilderKind(Kind):
    """`noun` names the kind in methods, `member` in answers, `arn` in requests."""

    service = "imagebuilder"
    noun: str
    member: str
    arn: str
    given: tuple[str, ...]
    renamed: dict[str, str] = {}

    def create(self, call: Call, wanted: Properties) -> str:
        method = f"create_{self.noun}"
        arguments = request(self.api(call), method, wanted, (*self.given, "Tags"), **self.renamed)
        return getattr(self.api(call), method)(clientToken=str(uuid.uuid4()), **arguments)[self.arn]

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        setting, removing = tag_changes(old.get("Tags"), new.get("Tags"))
        if removing:
            self.api(call).untag_resource(resourceArn=physical, tagKeys=removing)
        if setting:
            self.api(call).tag_resource(resourceArn=physical, tags=setting)

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        gone_is_fine(getattr(self.api(call), f"delete_{self.noun}"), **{self.arn: physical})

    def find(self, call: Call, physical: str) -> dict[str, Any] | None:
        answer = gone_is_fine(getattr(self.api(call), f"get_{self.noun}"), **{self.arn: physical})
        return answer[self.member] if answer else None

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        found = self.find(call, physical)
        if found is None:
            return None
        version = {"Version": "version"} if "Version" in self.schema.names else {}
        actual = self.shown(found, self.given, **version)
        return {**actual, "Tags": tags_like(found.get("tags"), expected.get("Tags", {}))}

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        return {"Arn": physical}


class Component(ImageBuilderKind):
    kind = "AWS::ImageBuilder::Component"
    noun, member, arn = "component", "component", "componentBuildVersionArn"
    given = ("Name", "Description", "ChangeDescription", "Platform", "SupportedOsVersions", "Data", "KmsKeyId")
    renamed = {"semanticVersion": "Version"}


class ImageRecipe(ImageBuilderKind):
    kind = "AWS::ImageBuilder::ImageRecipe"
    noun, member, arn = "image_recipe", "imageRecipe", "imageRecipeArn"
    given = (
        "Name",
        "Description",
        "Components",
        "ParentImage",
        "BlockDeviceMappings",
        "WorkingDirectory",
        "AdditionalInstanceConfiguration",
        "AmiTags",
    )
    renamed = {"semanticVersion": "Version"}


class Configuration(ImageBuilderKind):
    """Changes in place."""

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        changeable = [name for name in self.given if name != "Name"]
        if any(old.get(name) != new.get(name) for name in changeable):
            method = f"update_{self.noun}"
            arguments = request(self.api(call), method, new, changeable)
            getattr(self.api(call), method)(clientToken=str(uuid.uuid4()), **{self.arn: physical}, **arguments)
        super().update(call, physical, old, new)


class InfrastructureConfiguration(Configuration):
    kind = "AWS::ImageBuilder::InfrastructureConfiguration"
    noun, member, arn = (
        "infrastructure_configuration",
        "infrastructureConfiguration",
        "infrastructureConfigurationArn",
    )
    given = (
        "Name",
        "Description",
        "InstanceTypes",
        "InstanceProfileName",
        "SecurityGroupIds",
        "SubnetId",
        "Logging",
        "KeyPair",
        "TerminateInstanceOnFailure",
        "SnsTopicArn",
        "ResourceTags",
        "InstanceMetadataOptions",
        "Placement",
    )


class DistributionConfiguration(Configuration):
    kind = "AWS::ImageBuilder::DistributionConfiguration"
    noun, member, arn = "distribution_configuration", "distributionConfiguration", "distributionConfigurationArn"
    given = ("Name", "Description", "Distributions")


class Image(ImageBuilderKind):
    kind = "AWS::ImageBuilder::Image"
    noun, member, arn = "image", "image", "imageBuildVersionArn"
    unreadable = {"DeletionSettings": "CloudFormation keeps it until it deletes the image"}
    given = (
        "ImageRecipeArn",
        "InfrastructureConfigurationArn",
        "DistributionConfigurationArn",
        "EnhancedImageMetadataEnabled",
        "ImageTestsConfiguration",
        "LoggingConfiguration",
        "ExecutionRole",
    )
    # Whole in an answer where the request has their ARNs.
    _within = ("ImageRecipe", "InfrastructureConfiguration", "DistributionConfiguration")

    def create(self, call: Call, wanted: Properties) -> str:
        physical = super().create(call, wanted)
        call.made(physical)
        image = self._await(lambda: self.find(call, physical), lambda found: found["state"]["status"] != "BUILDING")
        if image["state"]["status"] != "AVAILABLE":
            raise ValueError(f"Image {physical} is {image['state']['status']}: {image['state'].get('reason', '')}")
        return physical

    def _await(self, look: Callable[[], Any], done: Callable[[Any], bool]) -> Any:
        for _turn in range(int(_PATIENCE_SECONDS / _POLL_SECONDS)):
            found = look()
            if found is None or done(found):
                return found
            time.sleep(_POLL_SECONDS)
        raise ValueError("Image Builder has not ended in time")

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        """With deletion settings the AMIs and snapshots go as well (CloudFormation, AWS::ImageBuilder::Image DeletionSettings)."""
        image, settings = self.find(call, physical), properties.get("DeletionSettings")
        if image is None:
            return
        if not settings or not image["outputResources"].get("amis"):
            super().delete(call, physical, properties)
            return
        api = self.api(call)
        started = api.start_resource_state_update(
            resourceArn=physical,
            state={"status": "DELETED"},
            executionRole=settings["ExecutionRole"],
            includeResources={"amis": True, "snapshots": True},
            clientToken=str(uuid.uuid4()),
        )
        ended = self._await(
            lambda: api.get_lifecycle_execution(lifecycleExecutionId=started["lifecycleExecutionId"])[
                "lifecycleExecution"
            ]["state"],
            lambda state: state["status"] not in ("PENDING", "IN_PROGRESS"),
        )
        if ended["status"] != "SUCCESS":
            raise ValueError(f"Image {physical} was not deleted: {ended.get('reason', '')}")

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        found = self.find(call, physical)
        if found is None:
            return None
        arns = {
            f"{name}Arn": found[name[0].lower() + name[1:]]["arn"]
            for name in self._within
            if name[0].lower() + name[1:] in found
        }
        actual = {**self.shown(found, self.given), **arns}
        if "ExecutionRole" in actual:
            actual["ExecutionRole"] = same_reference(actual["ExecutionRole"], expected.get("ExecutionRole"))
        settings = {"DeletionSettings": expected["DeletionSettings"]} if "DeletionSettings" in expected else {}
        return {**actual, **settings, "Tags": tags_like(found.get("tags"), expected.get("Tags", {}))}

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        found = self.find(call, physical) or {"name": "", "outputResources": {}}
        amis = found["outputResources"].get("amis") or [{"image": ""}]
        return {"Arn": physical, "Name": found["name"], "ImageId": amis[0]["image"]}


KINDS = (Component, DistributionConfiguration, Image, ImageRecipe, InfrastructureConfiguration)
