# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""spot_image_info: images by id and by parameter, each refused for one reason."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest

from ansible_collections.ethereal.spot.plugins.modules import spot_image_info

REGION = "us-west-2"
PARAMETER = "/images/own"


@pytest.fixture
def image(aws: None, recorder: Any) -> dict[str, Any]:
    """The region's only image, for x86_64, which a parameter names; moto's own have no volumes."""
    volumes = [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 8}}, {"DeviceName": "/dev/sdb", "VirtualName": "x"}]
    known = {"ImageId": "ami-0fedcba9876543210", "Architecture": "x86_64", "State": "available"}
    known = {**known, "RootDeviceName": "/dev/sda1", "BlockDeviceMappings": volumes}

    def images(params: dict[str, Any], region: str) -> dict[str, Any]:
        return {"Images": [known] if params["ImageIds"] == [known["ImageId"]] else []}

    recorder.answer("ec2", "DescribeImages", images)
    ssm = boto3.client("ssm", REGION)
    ssm.put_parameter(Name=PARAMETER, Value=known["ImageId"], Type="String")
    ssm.put_parameter(Name="/images/document", Value='{"image_id": "ami-1"}', Type="String")
    return known


@pytest.fixture
def run(run_module: Callable[..., Any]) -> Callable[..., Any]:
    def look(*launches: tuple[str, str], **options: Any) -> Any:
        wanted = [{"image": given, "instance_type": name} for given, name in launches]
        return run_module(spot_image_info, {"region": REGION, "launches": wanted}, **options)

    return look


def test_one_image_by_two_names(image: dict[str, Any], run: Callable[..., Any], mutating: Callable[..., Any]) -> None:
    given = f"resolve:ssm:{PARAMETER}"
    result = run((given, "t3.micro"), (image["ImageId"], "m5.large"), (given, "m5.large"), check_mode=True)
    assert set(result["images"]) == {given, image["ImageId"]}
    for found in result["images"].values():
        assert (found["image_id"], found["root_device_name"]) == (image["ImageId"], image["RootDeviceName"])
        assert found["volumes"] == [{"device_name": "/dev/sda1", "size": 8}]
    assert result["changed"] is False
    assert mutating(result.calls) == []


@pytest.mark.parametrize(
    ("given", "instance_type", "message"),
    [
        ("ubuntu", "t3.micro", "launches[0].image: 'ubuntu' must be ami- and"),
        ("ami-0123456789abcdef0", "t3.micro", "launches[0].image: 'ami-0123456789abcdef0' does not exist in us-west-2"),
        ("resolve:ssm:/no", "t3.micro", "launches[0].image: 'resolve:ssm:/no' does not hold an image's id"),
        ("resolve:ssm:/images/document", "t3.micro", "give one member of its document"),
        (f"resolve:ssm:{PARAMETER}", "big", "launches[0].instance_type: 'big' is not an instance type"),
        (f"resolve:ssm:{PARAMETER}", "t3.mini", "launches[0].instance_type: 't3.mini' does not exist in us-west-2"),
        (f"resolve:ssm:{PARAMETER}", "t4g.micro", "launches[0].instance_type: 't4g.micro' is arm64, image ami-"),
    ],
)
def test_what_cannot_be_launched(
    image: dict[str, Any], run: Callable[..., Any], given: str, instance_type: str, message: str
) -> None:
    result = run((given, instance_type))
    assert result.failed
    assert message in result["msg"]


def test_an_image_that_is_not_there_yet(image: dict[str, Any], run: Callable[..., Any]) -> None:
    image["State"] = "pending"
    assert "is pending, must be available" in run((image["ImageId"], "t3.micro"))["msg"]
