# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images that AWS publishes under SSM parameters: found once, and kept whatever AWS releases."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import IMAGE
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import NEWER_IMAGE
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import REGION
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import World
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import foretold

ONE = {"region": REGION, "name": "gpu-fleet"}
ECS_GPU = "/aws/service/ecs/optimized-ami/amazon-linux-2023/gpu/recommended/image_id"
DEEP_LEARNING = "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id"


@pytest.fixture
def published(recorder: Any) -> dict[str, str]:
    """What AWS's public parameters hold; a release changes it."""
    held = {
        ECS_GPU: IMAGE,
        DEEP_LEARNING: IMAGE,
        ECS_GPU.removesuffix("/image_id"): json.dumps({"image_id": IMAGE}),
    }

    def get(params: dict[str, Any], region: str) -> dict[str, Any]:
        return {"Parameter": {"Name": params["Name"], "Type": "String", "Value": held[params["Name"]]}}

    recorder.answer("ssm", "GetParameter", get)
    return held


@pytest.mark.parametrize("parameter", [ECS_GPU, DEEP_LEARNING])
def test_a_release_changes_nothing_by_itself(
    world: World, run: Callable[..., Any], published: dict[str, str], parameter: str
) -> None:
    options = world.options(ami_id=f"resolve:ssm:{parameter}")
    made = foretold(run, options)
    assert (made["after"]["image_id"], made["after"]["image_parameter"]) == (IMAGE, parameter)
    # The launch template has the image itself: a parameter in it would be read at every launch.
    assert world.versions()[-1]["LaunchTemplateData"]["ImageId"] == IMAGE
    published[parameter] = NEWER_IMAGE
    for wish in (options, {**ONE, "disk_size": 150}, {**ONE, "max_size": 40}):
        kept = run(wish)
        assert kept.operations("ssm") == []
        assert kept["after"]["image_id"] == IMAGE
    newer = foretold(run, {**ONE, "refresh_image": True})
    assert newer["after"]["image_id"] == NEWER_IMAGE
    assert world.versions()[-1]["LaunchTemplateData"]["ImageId"] == NEWER_IMAGE
    # Another parameter is another wish, and read at once.
    other = DEEP_LEARNING if parameter == ECS_GPU else ECS_GPU
    assert run({**ONE, "ami_id": f"resolve:ssm:{other}"})["after"]["image_id"] == IMAGE


def test_a_document_is_no_image(world: World, run: Callable[..., Any], published: dict[str, str]) -> None:
    document = ECS_GPU.removesuffix("/image_id")
    refused = run(world.options(ami_id=f"resolve:ssm:{document}"))
    assert refused["msg"].endswith(f"does not hold an image's id: give one member of its document, such as {ECS_GPU}")
    assert refused.mutating == []
