# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Drift: what a stack's resources are, against what was last deployed. Reads go through the services' public APIs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from typing import Any

from ministack.core.responses import now_iso
from ministack.services.cloudformation import drift as ministack

from sandbox.cloudformation import kinds
from sandbox.cloudformation import reasons
from sandbox.cloudformation.kinds.base import Kind
from sandbox.cloudformation.kinds.base import Properties
from sandbox.cloudformation.kinds.base import tag_list
from sandbox.cloudformation.kinds.base import tag_map

if TYPE_CHECKING:
    from sandbox.cloudformation.workspace import Record
    from sandbox.cloudformation.workspace import Workspace


def supported(kind_name: str) -> bool:
    """Whether AWS can check this kind: its resource schema has a read handler."""
    kind = kinds.find(kind_name)
    schema = getattr(kind, "schema", None)
    return schema.readable if schema else kind_name in ministack._DRIFT_READERS


def compared(kind: Kind, expected: Properties, found: Properties) -> tuple[Properties, list[dict[str, str]]]:
    """The actual values of the expected properties, and the differences, as PropertyDifferences has them.

    Only what the template sets is compared, and nothing that the service does not give back.
    """
    actual: Properties = {}
    differences: list[dict[str, str]] = []
    for name, wanted in expected.items():
        if name in kind.schema.write_only or name in kind.unreadable:
            continue
        value = kind.schema.projected(name, found[name], wanted) if found.get(name) is not None else None
        if value is None:
            if wanted not in ("", [], {}, False):
                differences.append(ministack._difference(f"/{name}", wanted, None, "REMOVE"))
            continue
        own = ministack._differences(wanted, value, f"/{name}")
        actual[name] = value if own else wanted
        differences += own
    return actual, differences


def without_system_tags(kind: Kind, properties: Properties) -> Properties:
    """Properties as a template could have set them."""
    name = kind.schema.tags
    if not name or name not in properties:
        return properties
    tags = {key: value for key, value in tag_map(properties[name]).items() if not key.startswith("aws:")}
    rest = {key: value for key, value in properties.items() if key != name}
    return {**rest, name: tags if kind.schema.tags_are_a_map else tag_list(tags)} if tags else rest


def actual(work: Workspace, logical: str, record: Record, applied: Properties) -> Properties | None:
    """The properties that were applied to a resource, as they are now; None when the resource is gone.

    Raises Failure when it cannot be read.
    """
    kind = kinds.find(record["ResourceType"])
    if not supported(record["ResourceType"]) or getattr(kind, "schema", None) is None:
        return applied
    expected = without_system_tags(kind, applied)
    found = work.attempt(kind, lambda: work.read(logical, record, expected))
    if found is None:
        return None
    values, differences = compared(kind, expected, found)
    if not differences:
        return applied
    changed = {item["PropertyPath"].split("/")[1] for item in differences}
    now = {name: value for name, value in applied.items() if name not in changed}
    now.update({name: values[name] for name in changed if name in values})
    tags = kind.schema.tags
    if tags in changed:
        system = {key: value for key, value in tag_map(applied[tags]).items() if key.startswith("aws:")}
        merged = {**system, **tag_map(now.get(tags))}
        now[tags] = merged if kind.schema.tags_are_a_map else tag_list(merged)
    return now


def detect(work: Workspace, logical: str, record: Record, timestamp: str | None = None) -> dict[str, Any]:
    """The StackResourceDrift of one resource, which is kept on its record."""
    kind = kinds.find(record["ResourceType"])
    timestamp = timestamp or now_iso()
    if getattr(kind, "schema", None) is None:
        result = ministack.detect_resource_drift(work.stack, logical, record, timestamp)
        ministack.record_resource_drift(record, result)
        return result
    tagged = work.tagged(logical, kind, record["Properties"], work.stack.get("Tags") or [])
    expected = without_system_tags(kind, tagged)
    result = {
        "StackId": work.id,
        "LogicalResourceId": logical,
        "PhysicalResourceId": record["PhysicalResourceId"],
        "ResourceType": record["ResourceType"],
        "Timestamp": timestamp,
    }
    try:
        found = work.attempt(kind, lambda: work.read(logical, record, expected))
    except reasons.Failure as failure:
        result.update(StackResourceDriftStatus="UNKNOWN", DriftStatusReason=str(failure))
        ministack.record_resource_drift(record, result)
        return result
    if found is None:
        result["StackResourceDriftStatus"] = "DELETED"
    else:
        values, differences = compared(kind, expected, found)
        shown = {name: value for name, value in expected.items() if name not in kind.schema.write_only}
        result["ExpectedProperties"] = json.dumps(shown, sort_keys=True, default=str)
        result["ActualProperties"] = json.dumps(values, sort_keys=True, default=str)
        result["StackResourceDriftStatus"] = "MODIFIED" if differences else "IN_SYNC"
        if differences:
            result["PropertyDifferences"] = differences
    ministack.record_resource_drift(record, result)
    return result


def detect_all(work: Workspace, wanted: list[str], timestamp: str) -> dict[str, dict[str, Any]]:
    """The drift of each resource that AWS can check."""
    return {
        logical: detect(work, logical, record, timestamp)
        for logical, record in list(work.resources.items())
        if (not wanted or logical in wanted) and supported(record["ResourceType"])
    }


def reset(stack: Record) -> None:
    """Forget what earlier detections found: the stack has just been brought in line."""
    stack.pop("DriftInformation", None)
    for record in stack["_resources"].values():
        record.pop("_drift", None)
        record.pop("DriftInformation", None)
