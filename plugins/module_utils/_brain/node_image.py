# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of a place's two image stacks holds what is wanted, or has to build it. PRIVATE to the collection.

An image that the fleet launches from must not go before the fleet launches from another, and an update of its stack would delete it. So
what is new is built in the other stack, and what stood there goes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.stacks import ABSENT
from ansible_collections.ethereal.spot.plugins.module_utils._brain.stacks import CURRENT
from ansible_collections.ethereal.spot.plugins.module_utils._brain.stacks import DEAD
from ansible_collections.ethereal.spot.plugins.module_utils._brain.stacks import OUTDATED

# Of a SHA-256, in names that end at 128 characters (botocore model: Image Builder's ResourceName).
REVISION_LENGTH = 12


def revision_of(body: str, content: Mapping[str, Any]) -> str:
    """What names an image: its template and the parameters that say what is in it."""
    text = body.rstrip() + json.dumps({key: str(value) for key, value in content.items()}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:REVISION_LENGTH]


def plan(
    stacks: Mapping[str, Mapping[str, Any]],
    body: str | None = None,
    content: Mapping[str, Any] | None = None,
    in_use: Iterable[str] = (),
) -> dict[str, Any]:
    """{newest, full} of the stacks by slot, as found; with `content`, {slot, serial, revision, build} as well.

    `newest` are the parameters of the newest image, empty where there is none; `full` says that every slot has one. `in_use` are
    ids of images that instances are launched from: the slot of one is the last to be taken.
    """
    standing = {slot: stack for slot, stack in stacks.items() if stack["verdict"] in (CURRENT, OUTDATED)}
    serials = {slot: int(stack["parameters"].get("Serial", 0)) for slot, stack in standing.items()}
    newest = max(serials, key=serials.__getitem__, default=None)
    result = {
        "newest": dict(standing[newest]["parameters"]) if newest is not None else {},
        "full": len(standing) == len(stacks),
    }
    if body is None or content is None:
        return result
    revision = revision_of(body, content)
    same = [slot for slot, stack in standing.items() if stack["parameters"].get("Revision") == revision]
    if same:
        slot = max(same, key=serials.__getitem__)
        return {**result, "slot": slot, "serial": serials[slot], "revision": revision, "build": False}
    images = set(in_use)

    def cost(slot: str) -> tuple[bool, bool, bool, int]:
        # What only an operator can mend comes last.
        stuck = slot not in standing and stacks[slot]["verdict"] not in (ABSENT, DEAD)
        used = slot in standing and standing[slot]["outputs"].get("ImageId") in images
        return stuck, slot in standing, used, serials.get(slot, 0)

    slot = min(stacks, key=cost)
    return {**result, "slot": slot, "serial": max(serials.values(), default=0) + 1, "revision": revision, "build": True}
