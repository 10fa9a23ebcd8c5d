# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet's tags, and the options that stand for one. PRIVATE to the collection."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain import checks
from ansible_collections.ethereal.spot.plugins.module_utils._brain import names
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError

# Tag keys that instance metadata can show: EC2 refuses a launch with others once metadata tags are on (EC2 user guide).
METADATA_TAG_KEY = re.compile(r"[A-Za-z0-9+=.,_:@-]+")
METADATA_TAG_RESERVED = frozenset({".", "..", "_index"})
ROLE_TAGS = frozenset({names.TAG_DEPLOYMENT, names.TAG_PLACE, names.TAG_VERSION})
# Options that are tags: the key, and the value of a fleet that is created without, under the same owners as the sizes.
TAG_OPTIONS = {
    "environment": ("Environment", "production"),
    "cost_center": ("CostCenter", "HPC-Engineering"),
    "project": ("Project", "Ethereal-Cloud-Systems"),
}


def check_fleet_tags(value: Any, option: str = "tags") -> dict[str, str]:
    """Tags that group, template, instances, volumes and interfaces can carry and instance metadata can show."""
    ours = {key: text for key, text in value.items() if key in ROLE_TAGS}
    tags = checks.check_tags({key: text for key, text in value.items() if key not in ROLE_TAGS}, option)
    for key in tags:
        if not METADATA_TAG_KEY.fullmatch(key) or key in METADATA_TAG_RESERVED:
            raise InputError(
                option, key, "cannot be shown in instance metadata: letters, digits and + - = . , _ : @ only"
            )
    return {**tags, **{key: checks.check_tag_value(key, text, option) for key, text in ours.items()}}


def given_tags(params: dict[str, Any]) -> dict[str, Any]:
    """`tags` if any is given, and `default_tags` for those that stand for a tag and are not."""
    tags = dict(params["tags"]) if params.get("tags") is not None else {}
    defaults = {}
    for option, (key, default) in TAG_OPTIONS.items():
        value = params.get(option)
        if value is None:
            defaults[key] = default
        elif key in tags and str(tags[key]) != value:
            raise InputError(option, value, f"contradicts tags, whose {key} is {tags[key]!r}")
        elif value:
            tags[key] = value
    given: dict[str, Any] = {"default_tags": defaults}
    if tags or params.get("tags") is not None:
        given["tags"] = check_fleet_tags(tags)
    return given
