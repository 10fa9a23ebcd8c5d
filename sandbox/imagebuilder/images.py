# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images: their builds, the AMIs that these make, and their end."""

from __future__ import annotations

import re
import secrets
import time
import uuid
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError
from ministack.core import responses
from ministack.services import iam
from moto.ec2.models import ec2_backends
from moto.ec2.models.amis import Ami

from sandbox.context import Context
from sandbox.ec2 import devices
from sandbox.ec2 import lookups
from sandbox.ec2.instances import image_devices
from sandbox.imagebuilder.definitions import find
from sandbox.imagebuilder.definitions import store
from sandbox.imagebuilder.refusal import Refused

NEEDS = ["ministack.services.iam._instance_profiles", "ministack.services.iam._roles"]

# Image Builder's own tags on what it makes (user guide, "Use AWS managed policies": its roles' conditions).
_CREATED_BY = {"CreatedBy": "EC2 Image Builder"}
_RUNNING = ("PENDING", "CREATING", "BUILDING", "TESTING", "DISTRIBUTING", "INTEGRATING")

_executions = responses.AccountRegionScopedDict()


def reset() -> None:
    _executions.clear()


class Images:
    """The actions on images."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def actions(self) -> dict[str, Callable[[dict[str, Any]], dict[str, Any]]]:
        return {
            "CreateImage": self._create,
            "GetImage": lambda request: {"requestId": _request_id(), "image": find(request["imageBuildVersionArn"])},
            "DeleteImage": self._delete,
            "CancelImageCreation": self._cancel,
            "StartResourceStateUpdate": self._start_update,
            "GetLifecycleExecution": self._execution,
        }

    def _create(self, request: dict[str, Any]) -> dict[str, Any]:
        recipe = find(request["imageRecipeArn"])
        infrastructure = find(request["infrastructureConfigurationArn"])
        distribution = request.get("distributionConfigurationArn")
        version = recipe["arn"].replace(":image-recipe/", ":image/")
        builds = [int(known.rsplit("/", 1)[1]) for known in store if known.startswith(f"{version}/")]
        identifier = f"{version}/{1 + max(builds, default=0)}"
        store[identifier] = {
            "arn": identifier,
            "type": "AMI",
            "name": recipe["name"],
            "version": identifier.split(":image/")[1].partition("/")[2],
            "platform": "Linux",
            "state": {"status": "BUILDING"},
            "imageRecipe": recipe,
            "infrastructureConfiguration": infrastructure,
            **({"distributionConfiguration": find(distribution)} if distribution else {}),
            **{
                key: request[key]
                for key in (
                    "enhancedImageMetadataEnabled",
                    "imageTestsConfiguration",
                    "loggingConfiguration",
                    "executionRole",
                )
                if key in request
            },
            "outputResources": {"amis": []},
            "tags": dict(request.get("tags") or {}),
        }
        self._context.schedule(self._context.market.image_build_seconds, lambda: self._end(identifier))
        return {"requestId": _request_id(), "imageBuildVersionArn": identifier}

    def _end(self, identifier: str) -> None:
        image = store.get(identifier)
        if image is None or image["state"]["status"] != "BUILDING":
            return
        with self._context.moto_lock:
            reason = self._context.market.image_build_failure or _obstacle(image)
            if reason:
                image["state"] = {"status": "FAILED", "reason": reason}
                return
            ami = _register(image)
        image["outputResources"] = {
            "amis": [
                {
                    "region": responses.get_region(),
                    "image": ami.id,
                    "name": ami.name,
                    "accountId": responses.get_account_id(),
                }
            ]
        }
        image["state"] = {"status": "AVAILABLE"}

    def _delete(self, request: dict[str, Any]) -> dict[str, Any]:
        """The record alone: AMIs and snapshots stay (botocore model, DeleteImage)."""
        identifier = request["imageBuildVersionArn"]
        if find(identifier)["state"]["status"] in _RUNNING:
            raise Refused("ResourceDependencyException", f"{identifier} is being built.")
        del store[identifier]
        return {"requestId": _request_id(), "imageBuildVersionArn": identifier}

    def _cancel(self, request: dict[str, Any]) -> dict[str, Any]:
        image = find(request["imageBuildVersionArn"])
        if image["state"]["status"] in _RUNNING:
            image["state"] = {"status": "CANCELLED"}
        return {"requestId": _request_id(), "imageBuildVersionArn": image["arn"]}

    def _start_update(self, request: dict[str, Any]) -> dict[str, Any]:
        image = find(request["resourceArn"])
        if image["state"]["status"] in _RUNNING:
            raise Refused("ResourceInUseException", f"{image['arn']} is being built.")
        if request["state"].get("status") != "DELETED":
            raise Refused("InvalidRequestException", "the sandbox only deletes images")
        included, role = request.get("includeResources") or {}, request.get("executionRole")
        if not role or not included:
            raise Refused(
                "InvalidParameterCombinationException", "executionRole and includeResources are needed together."
            )
        execution = f"lce-{uuid.uuid4()}"
        _executions[execution] = {"lifecycleExecutionId": execution, "state": {"status": "IN_PROGRESS"}}
        self._context.schedule(0, lambda: self._remove(execution, image, included, role))
        return {"lifecycleExecutionId": execution, "resourceArn": image["arn"]}

    def _remove(self, execution: str, image: dict[str, Any], included: dict[str, bool], role: str) -> None:
        """As the execution role, whose policies judge every call."""
        try:
            for ami in image["outputResources"]["amis"]:
                self._remove_ami(_role_arn(role), ami["image"], included)
        except (ClientError, Refused) as error:
            _executions[execution]["state"] = {"status": "FAILED", "reason": str(error)}
            return
        store.pop(image["arn"], None)
        _executions[execution]["state"] = {"status": "SUCCESS"}

    def _remove_ami(self, role: str, ami: str, included: dict[str, bool]) -> None:
        ec2 = self._context.client("ec2", responses.get_region(), role)
        found = ec2.describe_images(ImageIds=[ami])["Images"][0]
        if included.get("amis"):
            ec2.deregister_image(ImageId=ami)
        if included.get("snapshots"):
            for mapping in found["BlockDeviceMappings"]:
                if "Ebs" in mapping:
                    ec2.delete_snapshot(SnapshotId=mapping["Ebs"]["SnapshotId"])

    def _execution(self, request: dict[str, Any]) -> dict[str, Any]:
        found = _executions.get(request["lifecycleExecutionId"])
        if found is None:
            raise Refused("ClientException", f"{request['lifecycleExecutionId']} does not exist.")
        return {"lifecycleExecution": found}


def _request_id() -> str:
    return str(uuid.uuid4())


def _role_arn(role: str) -> str:
    """The role, by name or ARN, if Image Builder may take it."""
    known = iam._roles.get(role.rsplit("/", 1)[-1])
    if known is None or "imagebuilder.amazonaws.com" not in str(known["AssumeRolePolicyDocument"]):
        raise Refused("InvalidRequestException", f"Image Builder cannot assume the role {role}.")
    return known["Arn"]


def _backend() -> Any:
    return ec2_backends[responses.get_account_id()][responses.get_region()]


def _obstacle(image: dict[str, Any]) -> str | None:
    """Why no instance could be launched for the build; None if one could."""
    backend, infrastructure = _backend(), image["infrastructureConfiguration"]
    if image["imageRecipe"]["parentImage"] not in backend.amis:
        return f"The parent image {image['imageRecipe']['parentImage']} does not exist."
    if infrastructure["instanceProfileName"] not in iam._instance_profiles:
        return f"The instance profile {infrastructure['instanceProfileName']} does not exist."
    subnet = infrastructure.get("subnetId")
    if subnet and not any(subnet in zone for zone in backend.subnets.values()):
        return f"The subnet {subnet} does not exist."
    for group in infrastructure.get("securityGroupIds") or ():
        if backend.get_security_group_from_id(group) is None:
            return f"The security group {group} does not exist."
    return None


def _register(image: dict[str, Any]) -> Ami:
    """The AMI of a build that has succeeded: like its parent, with the recipe's devices, in snapshots of its own."""
    backend, recipe = _backend(), image["imageRecipe"]
    parent = backend.amis[recipe["parentImage"]]
    region = responses.get_region()
    given = _own_distribution(image.get("distributionConfiguration") or {}, region)
    tags = {**_CREATED_BY, "Ec2ImageBuilderArn": image["arn"], **(given.get("amiTags") or {})}
    date = time.strftime("%Y-%m-%dT%H-%M-%SZ", time.gmtime())
    # Image Builder user guide, "Create an AMI distribution configuration": what a name has without being asked.
    name = given.get("name") or recipe["name"] + " {{ imagebuilder:buildDate }}"
    ami = Ami(
        backend,
        f"ami-{secrets.token_hex(9)[:17]}",
        source_ami=parent,
        name=re.sub(r"\{\{ *imagebuilder:buildDate *\}\}", date, name),
        description=given.get("description"),
        root_device_type="ebs",
        root_device_name=parent.root_device_name,
        region_name=f"{region}a",
        tags=tags,
    )
    backend.delete_snapshot(ami.ebs_snapshot.id)
    mappings = devices.merged(image_devices(parent), [_spelt(each) for each in recipe.get("blockDeviceMappings") or ()])
    ami.sandbox_devices = [_kept(backend, region, ami, mapping) for mapping in mappings]
    backend.amis[ami.id] = ami
    return ami


def _own_distribution(distribution: dict[str, Any], region: str) -> dict[str, Any]:
    rows = [each for each in distribution.get("distributions") or () if each["region"] == region]
    return (rows[0].get("amiDistributionConfiguration") or {}) if rows else {}


def _spelt(mapping: dict[str, Any]) -> dict[str, Any]:
    """A recipe's device in EC2's spelling."""
    ebs = {key[0].upper() + key[1:]: value for key, value in (mapping.get("ebs") or {}).items()}
    return {"DeviceName": mapping["deviceName"], "Ebs": ebs}


def _kept(backend: Any, region: str, ami: Ami, mapping: dict[str, Any]) -> dict[str, Any]:
    """A volume of the build's instance as the AMI has it: what is encrypted stays so, under its key (EBS user guide, "EBS encryption")."""
    ebs = dict(mapping["Ebs"])
    key = ebs.pop("KmsKeyId", None)
    encryption = {
        "encrypted": bool(ebs.get("Encrypted")),
        "kms_key_id": lookups.key_arn(backend.account_id, region, key) if key else None,
    }
    volume = backend.create_volume(size=ebs["VolumeSize"], zone_name=f"{region}a", **encryption)
    snapshot = backend.create_snapshot(volume.id, f"Created by CreateImage for {ami.id}", ami.owner_id)
    snapshot.encrypted, snapshot.kms_key_id = encryption["encrypted"], encryption["kms_key_id"]
    snapshot.add_tags(_CREATED_BY)
    backend.delete_volume(volume.id)
    return {"DeviceName": mapping["DeviceName"], "Ebs": {**ebs, "SnapshotId": snapshot.id}}
