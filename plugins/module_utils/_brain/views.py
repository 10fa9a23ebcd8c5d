# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state as it is published for those who only read. PRIVATE to the collection."""

from __future__ import annotations

import json
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

PROVISIONING_ENABLED = "provisioning-enabled"
STATUS = "status"
REGION = "region"
INSTANCES_INFO = "instances-info"
VIEWS = (PROVISIONING_ENABLED, STATUS, REGION, INSTANCES_INFO)

# A standard parameter holds 4 KB (botocore model: PutParameter); the reference fails at 45 instances.
LARGEST_VALUE = 4096
INSTANCE_FIELDS = ("instance_id", "instance_type", "lifecycle", "zone", "private_ip", "public_ip")


def views_of(state: Mapping[str, Any]) -> dict[str, str | None]:
    """The value of every view; None is absent, since a parameter cannot be empty. `state` is state.summary()."""
    switch = state["switch"]
    return {
        PROVISIONING_ENABLED: None if switch is None else str(switch).lower(),
        STATUS: state["status"],
        REGION: state["active_region"],
        INSTANCES_INFO: instances_info(state["places"], state["active_place"]),
    }


def instances_info(places: Mapping[str, Mapping[str, Any]], active_place: str | None) -> str:
    """A JSON document with `total`, `omitted` and `instances`, the active place's first, as many as fit."""
    instances = [
        _instance(place, instance)
        for place in sorted(places, key=lambda place: (place != active_place, place))
        for instance in places[place].get("instances") or []
    ]

    def document(shown: int) -> str:
        view = {"total": len(instances), "omitted": len(instances) - shown, "instances": instances[:shown]}
        return json.dumps(view, separators=(",", ":"))

    # ASCII only, so characters are bytes. The length grows with what is shown: look for the largest that fits.
    least, most = 0, len(instances)
    while least < most:
        middle = (least + most + 1) // 2
        least, most = (middle, most) if len(document(middle)) <= LARGEST_VALUE else (least, middle - 1)
    return document(least)


def _instance(place: str, instance: Any) -> dict[str, Any]:
    if not isinstance(instance, Mapping):
        return {"instance_id": str(instance), "place": place}
    known = {field: instance[field] for field in INSTANCE_FIELDS if instance.get(field) is not None}
    return {**known, "place": place}


def warnings_about(wanted: Mapping[str, str | None]) -> list[str]:
    """What the views cannot say."""
    view = wanted[INSTANCES_INFO]
    omitted = json.loads(view)["omitted"] if view else 0
    return [f"the parameter {INSTANCES_INFO} has no room for {omitted} of the instances"] if omitted else []


def plan_views(published: Mapping[str, str], wanted: Mapping[str, str | None]) -> list[dict[str, Any]]:
    """The views that differ, as `view`, `before` and `after`; None is absent."""
    return [
        {"view": view, "before": published.get(view), "after": wanted[view]}
        for view in VIEWS
        if published.get(view) != wanted[view]
    ]


def apply_views(published: Mapping[str, str], changes: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The views after the changes."""
    after = {**published, **{change["view"]: change["after"] for change in changes}}
    return {view: value for view, value in after.items() if value is not None}
