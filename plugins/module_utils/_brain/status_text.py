# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A deployment's status as a table that a person reads. PRIVATE to the collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain import cold_start
from ansible_collections.ethereal.spot.plugins.module_utils._brain import models
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_evidence import sentence
from ansible_collections.ethereal.spot.plugins.module_utils._brain.table import NONE
from ansible_collections.ethereal.spot.plugins.module_utils._brain.table import table

HEADINGS = ("place", "region", "serves", "spot", "on-demand", "tasks", "zone", "type", "stacks", "drift")
RIGHT = ("spot", "on-demand", "tasks", "drift")


def status_lines(deployment: dict[str, Any]) -> list[str]:
    """What is wanted and what is there, one line a place, then every reason why they differ and how
    long a place takes to start, then where launches fail.

    `deployment` has `prefix`, `state` (as spot_state returns it, or None without a hub), and `places`: a list of {place, region,
    hub, stacks (as spot_stack_info returns them), fleet (as spot_fleet_info returns it, or None)} with `absent` if its worker is to be
    removed, and `workers` if they are known: the names of the inventory's workers, looked at or not. What is removed has no line.
    """
    state = deployment["state"]
    gone = [place for place in deployment["places"] if _is_gone(place)]
    shown = [
        _hub_alone(place) if place in gone else place
        for place in deployment["places"]
        if place["hub"] or place not in gone
    ]
    rows = [_row(place, state) for place in shown]
    headings = [
        name for name in HEADINGS if name != "region" or any(place["region"] != place["place"] for place in shown)
    ]
    lines = [
        f"{deployment['prefix']}: {_headline(state)}",
        "",
        *table(headings, [[row[name] for name in headings] for row in rows], RIGHT),
    ]
    remarks = [f"{place['place']}: {remark}" for place in shown for remark in _remarks(place)]
    remarks += [
        f"{name}: {said}"
        for name, document in (state["places"] if state else {}).items()
        if (said := cold_start.sentence(document.get("cold_starts") or []))
    ]
    remarks += [f"{place['place']}: {remark}" for place in gone for remark in _remains(place)]
    remarks += _unknown_places(state, deployment.get("workers"))
    remembered = [f"launches fail in {entry['sentence']}" for entry in (state["ledger"] if state else [])]
    return [*lines, *_paragraph(remarks), *_paragraph(remembered)]


def _is_gone(place: dict[str, Any]) -> bool:
    """Whether nothing runs in a place that is to be absent."""
    fleet, stacks = place["fleet"], place["stacks"].values()
    return (
        bool(place.get("absent"))
        and fleet is not None
        and not any(each["exists"] for each in fleet["fleets"])
        and not any(stack["name"].endswith(("-workload", "-network")) and _exists(stack) for stack in stacks)
    )


def _exists(stack: dict[str, Any]) -> bool:
    return stack["verdict"] != "absent"


def _hub_alone(place: dict[str, Any]) -> dict[str, Any]:
    stacks = {name: stack for name, stack in place["stacks"].items() if name.endswith("-hub")}
    return {**place, "fleet": None, "stacks": stacks}


def _remains(place: dict[str, Any]) -> list[str]:
    kept = sorted(name for name, stack in place["stacks"].items() if name.endswith("-region") and _exists(stack))
    return [f"removed, and its data is kept in stack {name}" for name in kept]


def _unknown_places(state: dict[str, Any] | None, workers: list[str] | None) -> list[str]:
    """Places that the state has and the inventory has not: whatever is there costs money, and nobody looks."""
    if state is None or workers is None:
        return []
    known = {*state["placement"], *state["places"]}
    return [
        f"{place}: the state has this place, the inventory does not, so what runs there is not shown"
        for place in sorted(known.difference(workers))
    ]


def _paragraph(lines: list[str]) -> list[str]:
    return ["", *lines] if lines else []


def _headline(state: dict[str, Any] | None) -> str:
    if state is None:
        return "no hub, so nobody places the workload"
    switch = {True: "on", False: "off", None: "not set"}[state["switch"]]
    where = f"active in {state['active_place']}" if state["active_place"] else "placed nowhere"
    return f"{state['status'] or 'no status'}, {where}, epoch {state['epoch']}, control plane {switch}"


def _row(place: dict[str, Any], state: dict[str, Any] | None) -> dict[str, str]:
    row = dict.fromkeys(HEADINGS, NONE)
    row.update(
        place=f"{place['place']} (hub)" if place["hub"] and not place["fleet"] else place["place"],
        region=place["region"],
        stacks=_stacks(place["stacks"]),
        drift=str(sum(len(stack["drift"]) for stack in place["stacks"].values())),
    )
    if place["fleet"]:
        spot, on_demand = place["fleet"]["fleets"]
        service = place["fleet"]["service"]
        instances = [
            instance for fleet in (spot, on_demand) if fleet["exists"] for instance in fleet["actual"]["instances"]
        ]
        row.update(
            {
                "serves": "yes" if state and place["place"] in state["placement"] else "no",
                "spot": _of(spot),
                "on-demand": _of(on_demand),
                "tasks": f"{service['running']}/{service['wanted']}" if service else NONE,
                "zone": _common(instance["zone"] for instance in instances),
                "type": _common(instance["instance_type"] for instance in instances),
            }
        )
    return row


def _of(fleet: dict[str, Any]) -> str:
    return f"{fleet['actual']['in_service']}/{fleet['wanted']['desired_capacity']}" if fleet["exists"] else NONE


def _common(values: Any) -> str:
    found = sorted(set(values))
    return NONE if not found else found[0] if len(found) == 1 else f"{len(found)} different"


def _stacks(stacks: dict[str, dict[str, Any]]) -> str:
    """How many there are, or the worst that can be said of one."""
    troubled = [f"{stack['name']} {stack['verdict']}" for stack in stacks.values() if stack["verdict"] != "current"]
    return f"{len(stacks)} ok" if not troubled else ", ".join(troubled)


def _remarks(place: dict[str, Any]) -> list[str]:
    remarks = ["is to be absent: run site"] if place.get("absent") and place["fleet"] else []
    if place["fleet"]:
        evidence = place["fleet"].get("evidence") or {"findings": [], "unproved": []}
        remarks += place["fleet"]["why"]
        replication = place["fleet"].get("replication")
        if replication:
            when = replication["last_replicated"] or "not yet"
            remarks.append(f"copy of the files in {replication['region']} ({replication['file_system_id']}): {when}")
        remarks += [sentence([finding]) for finding in evidence["findings"]]
        remarks += [f"{name} could not be seen whole" for name in evidence["unproved"]]
    for stack in place["stacks"].values():
        if stack["name"].endswith("-workload") and (held := models.names(stack["parameters"].get("Models"))):
            remarks.append(f"its file system holds {', '.join(held)}")
        remarks += [
            f"drift in {stack['name']}: {item['resource']} ({item['type']}) {item['status']}" for item in stack["drift"]
        ]
        if stack["drift_unknown"]:
            remarks.append(f"drift of {stack['name']} is not known: {stack['drift_unknown']}")
        remarks += [f"default security group {group} of {stack['name']} is open" for group in stack["open_groups"]]
    return remarks
