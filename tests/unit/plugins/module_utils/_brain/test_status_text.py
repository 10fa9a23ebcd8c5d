# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The status table: one line a place, every reason below it."""

from __future__ import annotations

from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.status_text import status_lines

STATE = {
    "epoch": 3,
    "switch": False,
    "placement": {"us-west-2": {"spot": 2, "on_demand": 0}},
    "active_place": "us-west-2",
    "status": "COMPLETED",
    "ledger": [],
    "places": {},
}


WORKERS = ["us-west-2", "eu-west-1"]


def stack(name: str, verdict: str = "current", drift: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    found = {"name": name, "verdict": verdict, "drift": drift or [], "drift_unknown": None, "open_groups": []}
    return {**found, "parameters": {}}


def group(desired: int, *instances: tuple[str, str]) -> dict[str, Any]:
    return {
        "exists": True,
        "wanted": {"desired_capacity": desired},
        "actual": {
            "in_service": len(instances),
            "instances": [{"zone": zone, "instance_type": kind} for zone, kind in instances],
        },
    }


def fleet(spot: dict[str, Any], why: list[str] | None = None, tasks: tuple[int, int] = (0, 0)) -> dict[str, Any]:
    return {
        "fleets": [spot, group(0)],
        "service": {"running": tasks[0], "wanted": tasks[1]},
        "why": why or [],
    }


def worker(place: str, region: str, found: dict[str, Any], stacks: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"place": place, "region": region, "hub": False, "fleet": found, "stacks": stacks or {"a": stack("a")}}


HUB = {"place": "us-east-1", "region": "us-east-1", "hub": True, "fleet": None, "stacks": {"h": stack("h")}}


def row(lines: list[str], place: str) -> list[str]:
    (found,) = [line for line in lines[2:] if line.startswith(place) and ":" not in line]
    return found.split()


def test_a_place_is_one_line_with_what_is_wanted_and_what_is_there() -> None:
    serving = fleet(group(2, ("us-west-2a", "g5.xlarge")), ["us-west-2 wants 2 instances, 1 serve."], (1, 2))
    lines = status_lines(
        {
            "workers": WORKERS,
            "prefix": "llm",
            "state": STATE,
            "places": [HUB, worker("us-west-2", "us-west-2", serving)],
        }
    )
    assert lines[0] == "llm: COMPLETED, active in us-west-2, epoch 3, control plane off"
    assert row(lines, "us-west-2 ") == [
        *("us-west-2", "yes", "1/2", "0/0", "1/2", "us-west-2a", "g5.xlarge", "1", "ok", "0"),
    ]
    assert row(lines, "us-east-1")[:3] == ["us-east-1", "(hub)", "-"]
    assert lines[-1] == "us-west-2: us-west-2 wants 2 instances, 1 serve."


def test_what_the_file_system_holds_is_told() -> None:
    held = {**stack("llm-us-west-2-workload"), "parameters": {"Models": '{"zephyr":"s3://m/z","llama":"s3://m/l"}'}}
    place = worker("us-west-2", "us-west-2", fleet(group(0)), {"w": held})
    lines = status_lines({"workers": WORKERS, "prefix": "llm", "state": STATE, "places": [place]})
    assert lines[-1] == "us-west-2: its file system holds llama, zephyr"


def test_a_region_is_named_where_places_have_names_of_their_own() -> None:
    idle = worker("lab", "eu-west-1", fleet(group(0)))
    lines = status_lines({"workers": WORKERS, "prefix": "llm", "state": STATE, "places": [idle]})
    assert row(lines, "lab")[:3] == ["lab", "eu-west-1", "no"]


def test_drift_and_troubled_stacks_are_named() -> None:
    drifted = {"resource": "NodeGroup", "type": "AWS::EC2::SecurityGroup", "status": "MODIFIED"}
    stacks = {"r": stack("llm-x-region", drift=[drifted]), "w": stack("llm-x-workload", "absent")}
    lines = status_lines(
        {"prefix": "llm", "state": None, "places": [worker("x", "eu-west-1", fleet(group(0)), stacks)]}
    )
    assert lines[0] == "llm: no hub, so nobody places the workload"
    assert row(lines, "x ")[-3:] == ["llm-x-workload", "absent", "1"]
    assert lines[-1] == "x: drift in llm-x-region: NodeGroup (AWS::EC2::SecurityGroup) MODIFIED"


def test_nothing_provisioned_yet() -> None:
    missing = {"fleets": [{"exists": False}, {"exists": False}], "service": None, "why": ["There is no group x."]}
    nothing = {**STATE, "placement": {}, "active_place": None, "status": None, "switch": None, "epoch": 0}
    lines = status_lines(
        {"workers": WORKERS, "prefix": "llm", "state": nothing, "places": [worker("lab", "lab", missing)]}
    )
    assert lines[0] == "llm: no status, placed nowhere, epoch 0, control plane not set"
    assert row(lines, "lab ")[1:5] == ["no", "-", "-", "-"]


def test_where_launches_fail_is_told_last() -> None:
    remembered = [{"sentence": "us-west-2a g5.xlarge spot: no capacity"}, {"sentence": "eu-west-1: denied"}]
    serving = fleet(group(1), ["us-west-2 wants 1 instances, 0 serve."])
    lines = status_lines(
        {
            "prefix": "llm",
            "state": {**STATE, "ledger": remembered},
            "places": [worker("us-west-2", "us-west-2", serving)],
        }
    )
    assert lines[-5:] == [
        "",
        "us-west-2: us-west-2 wants 1 instances, 0 serve.",
        "",
        "launches fail in us-west-2a g5.xlarge spot: no capacity",
        "launches fail in eu-west-1: denied",
    ]


def test_what_instances_are_not_is_told() -> None:
    found = {"instance": "i-1", "rule": "volume_encryption", "found": {"vol-1": False}, "wanted": True}
    serving = {**fleet(group(1, ("a", "g5.xlarge"))), "evidence": {"findings": [found], "unproved": ["i-2"]}}
    lines = status_lines(
        {"workers": WORKERS, "prefix": "llm", "state": STATE, "places": [worker("us-west-2", "us-west-2", serving)]}
    )
    assert "us-west-2: i-1: volume_encryption is {'vol-1': False}, must be True" in lines
    assert "us-west-2: i-2 could not be seen whole" in lines


def test_a_place_that_only_the_state_has_is_named() -> None:
    state = {**STATE, "placement": {"gone": {"spot": 1, "on_demand": 0}}, "places": {"eu-west-1": {}, "left": {}}}
    lines = status_lines({"workers": WORKERS, "prefix": "llm", "state": state, "places": [HUB]})
    rule = "the state has this place, the inventory does not, so what runs there is not shown"
    assert lines[-2:] == [f"gone: {rule}", f"left: {rule}"]


GONE = {"exists": False}


def removed(stacks: dict[str, str], *groups: dict[str, Any], hub: bool = False) -> list[str]:
    """The lines about a place that is to be absent, beside one that serves; stacks by what their names end with."""
    found = {"fleets": list(groups or (GONE, GONE)), "service": None, "why": []}
    known = {f"llm-eu-west-1-{kind}": stack(f"llm-eu-west-1-{kind}", verdict) for kind, verdict in stacks.items()}
    place = {**worker("eu-west-1", "eu-west-1", found, known), "absent": True, "hub": hub}
    serving = worker("us-west-2", "us-west-2", fleet(group(1, ("us-west-2a", "g5.xlarge")), tasks=(1, 1)))
    lines = status_lines({"workers": WORKERS, "prefix": "llm", "state": STATE, "places": [serving, place]})
    return [line for line in lines if line.startswith("eu-west-1")]


NOTHING = {"network": "absent", "region": "absent", "workload": "absent"}


def test_a_place_that_is_removed_has_no_line() -> None:
    assert removed(NOTHING) == []
    assert removed({}) == []


def test_data_that_a_removed_place_left_is_told() -> None:
    told = "eu-west-1: removed, and its data is kept in stack llm-eu-west-1-region"
    assert removed({**NOTHING, "region": "outdated"}) == [told]


def test_a_place_that_is_yet_to_be_removed_is_shown() -> None:
    for stacks, groups in ((NOTHING, (group(0), GONE)), ({**NOTHING, "network": "current"}, (GONE, GONE))):
        line, told = removed(stacks, *groups)
        assert told == "eu-west-1: is to be absent: run site"
        assert line.split()[:2] == ["eu-west-1", "no"]


def test_a_hub_stays_where_its_worker_is_removed() -> None:
    (line,) = removed({**NOTHING, "hub": "current"}, hub=True)
    assert line.split() == ["eu-west-1", "(hub)", *["-"] * 6, "1", "ok", "0"]
