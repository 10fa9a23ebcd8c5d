# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Launch templates. Sources: botocore model; sandbox-clients 6h, 6m (what Terraform and stock modules need)."""

from __future__ import annotations

import pytest
from fleet_kit import Fleet
from fleet_kit import refused
from sandbox_process import Sandbox


@pytest.fixture
def fleet(sandbox: Sandbox) -> Fleet:
    return Fleet(sandbox)


def version(fleet: Fleet, template: str, number: str) -> dict:
    found = fleet.ec2.describe_launch_template_versions(LaunchTemplateId=template, Versions=[number])
    return found["LaunchTemplateVersions"][0]


def test_a_name_is_taken_once_and_a_repeated_token_is_the_same_template(fleet: Fleet) -> None:
    data = {"LaunchTemplateName": "t", "LaunchTemplateData": {"InstanceType": "g5.xlarge"}}
    first = fleet.ec2.create_launch_template(**data, ClientToken="once")["LaunchTemplate"]
    assert fleet.ec2.create_launch_template(**data, ClientToken="once")["LaunchTemplate"] == first
    with refused("InvalidLaunchTemplateName.AlreadyExistsException"):
        fleet.ec2.create_launch_template(**data)


def test_a_version_inherits_from_its_source_only_where_one_is_named(fleet: Fleet) -> None:
    template = fleet.template(EbsOptimized=True, UserData="ZWNobyBoaQ==")
    fleet.ec2.create_launch_template_version(
        LaunchTemplateId=template, SourceVersion="1", LaunchTemplateData={"InstanceType": "g5.xlarge"}
    )
    fleet.ec2.create_launch_template_version(
        LaunchTemplateId=template, LaunchTemplateData={"InstanceType": "g6.xlarge"}
    )
    second, third = (version(fleet, template, number)["LaunchTemplateData"] for number in ("2", "3"))
    image = fleet.image["ImageId"]
    assert second == {"ImageId": image, "InstanceType": "g5.xlarge", "EbsOptimized": True, "UserData": "ZWNobyBoaQ=="}
    assert third == {"InstanceType": "g6.xlarge"}
    with refused("InvalidLaunchTemplateId.VersionNotFound"):
        fleet.ec2.create_launch_template_version(
            LaunchTemplateId=template, SourceVersion="9", LaunchTemplateData={"InstanceType": "g5.xlarge"}
        )


def test_numbers_latest_and_default_survive_deletions(fleet: Fleet) -> None:
    template = fleet.template()
    for kind in ("g5.xlarge", "g6.xlarge"):
        fleet.ec2.create_launch_template_version(LaunchTemplateId=template, LaunchTemplateData={"InstanceType": kind})
    answer = fleet.ec2.delete_launch_template_versions(LaunchTemplateId=template, Versions=["1", "2", "7"])
    assert [each["VersionNumber"] for each in answer["SuccessfullyDeletedLaunchTemplateVersions"]] == [2]
    codes = {
        each["VersionNumber"]: each["ResponseError"]["Code"]
        for each in answer["UnsuccessfullyDeletedLaunchTemplateVersions"]
    }
    assert codes == {1: "unexpectedError", 7: "launchTemplateVersionDoesNotExist"}
    made = fleet.ec2.create_launch_template_version(LaunchTemplateId=template, LaunchTemplateData={"KeyName": "k"})
    assert made["LaunchTemplateVersion"]["VersionNumber"] == 4
    assert version(fleet, template, "$Latest")["VersionNumber"] == 4
    assert version(fleet, template, "$Default")["VersionNumber"] == 1
    with refused("InvalidLaunchTemplateId.VersionNotFound"):
        version(fleet, template, "2")
    fleet.ec2.modify_launch_template(LaunchTemplateId=template, DefaultVersion="3")
    assert version(fleet, template, "$Default")["VersionNumber"] == 3


def test_the_templates_own_tags_are_not_launch_parameters(fleet: Fleet) -> None:
    instance_tags = [{"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b"}]}]
    template = fleet.ec2.create_launch_template(
        LaunchTemplateName="t",
        LaunchTemplateData={"InstanceType": "g5.xlarge", "TagSpecifications": instance_tags},
        TagSpecifications=[{"ResourceType": "launch-template", "Tags": [{"Key": "own", "Value": "x"}]}],
    )["LaunchTemplate"]
    assert template["Tags"] == [{"Key": "own", "Value": "x"}]
    data = version(fleet, template["LaunchTemplateId"], "1")["LaunchTemplateData"]
    assert data["TagSpecifications"] == instance_tags


def test_listings_are_whole_and_unknown_templates_are_errors(fleet: Fleet) -> None:
    for number in range(17):
        fleet.template(f"t{number}")
    assert len(fleet.ec2.describe_launch_templates()["LaunchTemplates"]) == 17
    pages = fleet.ec2.get_paginator("describe_launch_templates").paginate(PaginationConfig={"PageSize": 5})
    assert len([each for page in pages for each in page["LaunchTemplates"]]) == 17
    with refused("InvalidLaunchTemplateId.NotFound"):
        fleet.ec2.describe_launch_templates(LaunchTemplateIds=["lt-0123456789abcdef0"])
    with refused("InvalidLaunchTemplateName.NotFoundException"):
        fleet.ec2.describe_launch_templates(LaunchTemplateNames=["none"])
