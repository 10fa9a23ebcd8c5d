# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""EC2 Image Builder, through CloudFormation. Sources: botocore model; CloudFormation template reference, AWS::ImageBuilder::Image and its
DeletionSettings; Image Builder user guide, "Use AWS managed policies" for what its roles may do and its tags."""

from __future__ import annotations

from typing import Any

import pytest
from fleet_kit import refused
from sandbox_process import Sandbox
from stack_tools import DATA
from stack_tools import Stacks
from test_cloudformation_properties import gpu_image
from test_frame_iam import ACCOUNT
from test_frame_iam import User
from test_frame_iam import allow
from test_frame_iam import denied

BODY = (DATA / "image.template").read_text()
COMPLETE = "CREATE_COMPLETE"


@pytest.fixture
def stacks(sandbox: Sandbox) -> Stacks:
    return Stacks(sandbox)


@pytest.fixture
def parameters(stacks: Stacks) -> dict[str, Any]:
    subnet = stacks.client("ec2").describe_subnets()["Subnets"][0]
    groups = stacks.client("ec2").describe_security_groups()["SecurityGroups"]
    return {
        "Parent": gpu_image(stacks),
        "Subnet": subnet["SubnetId"],
        "Group": groups[0]["GroupId"],
        "Key": stacks.client("kms").create_key()["KeyMetadata"]["Arn"],
    }


def images(stacks: Stacks) -> list[dict[str, Any]]:
    return stacks.client("ec2").describe_images(Owners=["self"])["Images"]


def snapshots(stacks: Stacks) -> list[dict[str, Any]]:
    mine = [{"Name": "tag:CreatedBy", "Values": ["EC2 Image Builder"]}]
    return stacks.client("ec2").describe_snapshots(Filters=mine)["Snapshots"]


def test_an_image_is_built_while_its_stack_is_made_and_runs(stacks: Stacks, parameters: dict[str, Any]) -> None:
    stacks.sandbox.control("PUT", "market", {"image_build_seconds": 1})
    assert stacks.create("baked", BODY, parameters)["StackStatus"] == COMPLETE
    outputs, (image,) = stacks.outputs("baked"), images(stacks)
    assert image["ImageId"] == outputs["ImageId"]
    tags = {tag["Key"]: tag["Value"] for tag in image["Tags"]}
    assert tags == {"CreatedBy": "EC2 Image Builder", "Ec2ImageBuilderArn": outputs["Arn"], "team": "ml"}
    # Volumes of the build's instance were encrypted, and so is what became of them.
    (device,) = image["BlockDeviceMappings"]
    assert device["Ebs"].items() >= {"VolumeSize": 50, "Encrypted": True, "VolumeType": "gp3"}.items()
    (snapshot,) = snapshots(stacks)
    assert (snapshot["SnapshotId"], snapshot["KmsKeyId"]) == (device["Ebs"]["SnapshotId"], parameters["Key"])
    ec2 = stacks.client("ec2")
    run = ec2.run_instances(ImageId=image["ImageId"], InstanceType="g5.xlarge", MinCount=1, MaxCount=1)["Instances"][0]
    (volume,) = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [run["InstanceId"]]}])[
        "Volumes"
    ]
    assert (volume["Size"], volume["Encrypted"]) == (50, True)


def test_another_recipe_is_another_image_and_the_old_one_goes(stacks: Stacks, parameters: dict[str, Any]) -> None:
    stacks.create("baked", BODY, parameters)
    before = images(stacks)[0]["ImageId"]
    # Where it is built says nothing of what it is.
    assert stacks.update("baked", None, {**parameters, "Type": "c5.large"})["StackStatus"] == "UPDATE_COMPLETE"
    assert [image["ImageId"] for image in images(stacks)] == [before]
    assert stacks.update("baked", None, {**parameters, "Name": "other"})["StackStatus"] == "UPDATE_COMPLETE"
    (after,) = images(stacks)
    assert after["ImageId"] == stacks.outputs("baked")["ImageId"] != before
    assert len(snapshots(stacks)) == 1


def test_nothing_is_left_of_a_stack(stacks: Stacks, parameters: dict[str, Any]) -> None:
    stacks.create("baked", BODY, parameters)
    assert stacks.delete("baked")["StackStatus"] == "DELETE_COMPLETE"
    assert images(stacks) == snapshots(stacks) == []


def test_without_deletion_settings_the_ami_stays(stacks: Stacks, parameters: dict[str, Any]) -> None:
    body = "\n".join(line for line in BODY.splitlines() if "DeletionSettings" not in line)
    stacks.create("baked", body, parameters)
    assert stacks.delete("baked")["StackStatus"] == "DELETE_COMPLETE"
    assert (len(images(stacks)), len(snapshots(stacks))) == (1, 1)


def test_the_execution_role_deletes_and_its_policy_judges(stacks: Stacks, parameters: dict[str, Any]) -> None:
    stacks.create("baked", BODY.replace("EC2 Image Builder", "Someone else"), parameters)
    assert stacks.delete("baked")["StackStatus"] == "DELETE_FAILED"
    assert "ec2:DeregisterImage" in stacks.reasons("baked")["Image"]
    assert len(images(stacks)) == 1


@pytest.mark.parametrize(
    ("change", "failure", "reason"),
    [
        ({}, "the component has failed", "the component has failed"),
        ({"Parent": "ami-00000000000000000"}, "", "parent image"),
        ({"Subnet": "subnet-00000000000000000"}, "", "subnet"),
    ],
)
def test_a_build_that_fails(
    stacks: Stacks, parameters: dict[str, Any], change: dict[str, str], failure: str, reason: str
) -> None:
    stacks.sandbox.control("PUT", "market", {"image_build_failure": failure})
    stack = stacks.create("baked", BODY, {**parameters, **change})
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert reason in stacks.reasons("baked")["Image"]
    assert images(stacks) == snapshots(stacks) == []


def test_an_update_that_fails_leaves_the_old_image(stacks: Stacks, parameters: dict[str, Any]) -> None:
    stacks.create("baked", BODY, parameters)
    before = images(stacks)
    stacks.sandbox.control("PUT", "market", {"image_build_failure": "no disk"})
    stack = stacks.update("baked", None, {**parameters, "Name": "other"})
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert images(stacks) == before
    assert stacks.outputs("baked")["ImageId"] == before[0]["ImageId"]


def test_what_aws_refuses(stacks: Stacks, parameters: dict[str, Any]) -> None:
    stacks.create("baked", BODY, parameters)
    builder, physical = stacks.client("imagebuilder"), stacks.physical("baked")
    with refused("ResourceDependencyException"):
        builder.delete_component(componentBuildVersionArn=physical["Part"])
    with refused("ResourceAlreadyExistsException"):
        builder.create_image_recipe(name="baked", semanticVersion="1.0.0", parentImage="ami-0", clientToken="x")
    with refused("ResourceNotFoundException"):
        builder.get_image(imageBuildVersionArn=physical["Image"][:-1] + "9")
    update = {"resourceArn": physical["Image"], "state": {"status": "DELETED"}, "clientToken": "x"}
    with refused("InvalidParameterCombinationException"):
        builder.start_resource_state_update(**update)
    builder.delete_image(imageBuildVersionArn=physical["Image"])
    assert len(images(stacks)) == 1


def test_a_reset_forgets_them(stacks: Stacks, parameters: dict[str, Any]) -> None:
    stacks.create("baked", BODY, parameters)
    recipe = stacks.physical("baked")["Recipe"]
    listing = stacks.client("imagebuilder").list_image_recipes
    assert [each["arn"] for each in listing()["imageRecipeSummaryList"]] == [recipe]
    stacks.sandbox.control("POST", "reset")
    assert listing()["imageRecipeSummaryList"] == []
    with refused("ResourceNotFoundException"):
        stacks.client("imagebuilder").get_image_recipe(imageRecipeArn=recipe)


def test_who_makes_an_image_passes_roles_and_tags(sandbox: Sandbox, stacks: Stacks) -> None:
    """Service authorization reference of Image Builder: dependent actions, and resources by name."""
    iam = stacks.client("iam")
    iam.create_role(RoleName="builds", AssumeRolePolicyDocument="{}")
    iam.create_instance_profile(InstanceProfileName="builds")
    iam.add_role_to_instance_profile(InstanceProfileName="builds", RoleName="builds")
    mine = f"arn:aws:imagebuilder:us-east-1:{ACCOUNT}:infrastructure-configuration/mine-*"
    wanted = {"name": "mine-1", "instanceProfileName": "builds", "clientToken": "x", "tags": {"team": "ml"}}
    create = allow("imagebuilder:CreateInfrastructureConfiguration", mine)
    tag, passing = allow("imagebuilder:TagResource", mine), allow("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/builds")
    for name, statements in {"a": (create, tag), "b": (create, passing), "d": (tag, passing)}.items():
        with denied("AccessDeniedException"):
            User(sandbox, *statements, name=name).client("imagebuilder").create_infrastructure_configuration(**wanted)
    builder = User(sandbox, create, tag, passing, name="c").client("imagebuilder")
    builder.create_infrastructure_configuration(**wanted)
    with denied("AccessDeniedException"):
        builder.create_infrastructure_configuration(**{**wanted, "name": "other"})
