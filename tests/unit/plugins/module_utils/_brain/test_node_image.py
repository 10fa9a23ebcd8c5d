# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of the two stacks has the image, or builds it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.ethereal.spot.plugins.module_utils._brain.node_image import plan
from ansible_collections.ethereal.spot.plugins.module_utils._brain.node_image import revision_of

BODY = "Resources: {}"
CONTENT = {"ParentImage": "ami-1", "ContainerImage": "serve:1", "VolumeSize": 100}
REVISION = revision_of(BODY, CONTENT)
NONE = {"verdict": "absent", "parameters": {}, "outputs": {}}


def stack(serial: int, revision: str = "old", image: str = "ami-old", verdict: str = "current") -> dict[str, Any]:
    parameters = {"Serial": str(serial), "Revision": revision}
    return {"verdict": verdict, "parameters": parameters, "outputs": {"ImageId": image}}


@pytest.mark.parametrize(
    ("a", "b", "in_use", "slot", "serial", "build"),
    [
        (NONE, NONE, [], "a", 1, True),
        (stack(1), NONE, ["ami-old"], "b", 2, True),
        (stack(1), stack(2, verdict="dead"), ["ami-old"], "b", 2, True),
        (stack(1, REVISION), NONE, [], "a", 1, False),
        (stack(1, REVISION, verdict="outdated"), stack(2), [], "a", 1, False),
        # A stack whose update is stuck holds nothing that can be relied on.
        (stack(1, REVISION, verdict="rollback_failed"), NONE, [], "b", 1, True),
        # The older goes, numbers being no texts,
        (stack(9, image="ami-a"), stack(10, image="ami-b"), [], "a", 11, True),
        (stack(10, image="ami-a"), stack(9, image="ami-b"), [], "b", 11, True),
        # unless the fleet still launches from it: the newer was built, and the fleet was not brought to it.
        (stack(9, image="ami-a"), stack(10, image="ami-b"), ["ami-a"], "b", 11, True),
        (stack(9, image="ami-a"), stack(10, image="ami-b"), ["ami-b"], "a", 11, True),
    ],
)
def test_the_stack_of_an_image(a, b, in_use, slot, serial, build):
    found = plan({"a": a, "b": b}, BODY, CONTENT, in_use)
    assert (found["slot"], found["serial"], found["build"], found["revision"]) == (slot, serial, build, REVISION)


def test_what_stands():
    assert plan({"a": NONE, "b": NONE}) == {"newest": {}, "full": False}
    found = plan({"a": stack(9, "x"), "b": stack(10, "y")})
    assert found == {"newest": {"Serial": "10", "Revision": "y"}, "full": True}


def test_what_makes_another_image():
    assert revision_of(BODY + "\n", {**CONTENT, "VolumeSize": "100"}) == REVISION
    assert revision_of(BODY, dict(reversed(CONTENT.items()))) == REVISION
    others = [
        (BODY + " # x", CONTENT),
        (BODY, {**CONTENT, "ContainerImage": "serve:2"}),
        (BODY, {**CONTENT, "Key": "k"}),
    ]
    assert len({REVISION, *(revision_of(*other) for other in others)}) == 4
