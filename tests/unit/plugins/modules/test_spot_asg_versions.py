# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Versions of a fleet's launch template that nobody needs go; every other one stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.ethereal.spot.tests.unit.plugins.modules import fleet_services
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import REGION
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import World
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import foretold

ONE = {"region": REGION, "name": "gpu-fleet"}


def numbers(world: World) -> list[int]:
    return [item["VersionNumber"] for item in world.versions()]


@pytest.fixture
def aged(world: World, run: Callable[..., Any]) -> World:
    """A fleet whose three instances run version 1, the default, and whose group launches from version 5."""
    for size in (100, 110, 120, 130, 140):
        assert not run(world.options(disk_size=size)).failed
    return world


def test_the_newest_stay(aged: World, run: Callable[..., Any]) -> None:
    assert numbers(aged) == [1, 2, 3, 4, 5]
    assert run({**ONE, "max_size": 40})["changes"] != []
    assert numbers(aged) == [1, 2, 3, 4, 5]
    pruned = foretold(run, {**ONE, "keep_versions": 1})
    assert [(change["kind"], change["before"], change["after"]) for change in pruned["changes"]] == [
        ("delete_launch_template_version", 2, None),
        ("delete_launch_template_version", 3, None),
    ]
    assert [call.operation for call in pruned.mutating] == ["DeleteLaunchTemplateVersions"]
    assert numbers(aged) == [1, 4, 5]
    # A new version and the end of an old one in the same run; numbers go on.
    foretold(run, {**ONE, "disk_size": 150, "keep_versions": 0})
    assert numbers(aged) == [1, 6]


def test_what_instances_run_stays(aged: World, run: Callable[..., Any]) -> None:
    group = fleet_services.standing_group()
    for member, version in zip(group.instance_states, ("2", "3", "1"), strict=True):
        member.launched_from = {**member.launched_from, "Version": version}
    foretold(run, {**ONE, "keep_versions": 0})
    assert numbers(aged) == [1, 2, 3, 5]
    for member in group.instance_states:
        member.launched_from = {**member.launched_from, "Version": "5"}
    foretold(run, {**ONE, "keep_versions": 0})
    assert numbers(aged) == [1, 5]


def test_both_sides_of_a_refresh_stay(aged: World, run: Callable[..., Any]) -> None:
    group = fleet_services.standing_group()
    for member in group.instance_states:
        member.launched_from = {**member.launched_from, "Version": "3"}
    newer = {**ONE, "disk_size": 150, "instance_refresh": {"auto_rollback": True}}
    started = run(newer)
    assert started.mutating[-1].operation == "StartInstanceRefresh"
    # The group is at version 5 still, the refresh brings version 6, instances run version 3.
    foretold(run, {**ONE, "keep_versions": 0})
    assert numbers(aged) == [1, 3, 5, 6]
    fleet_services.end_refresh(group, "Successful")
    foretold(run, {**ONE, "keep_versions": 0})
    assert numbers(aged) == [1, 6]


def test_versions_of_others_stay_and_do_not_count(aged: World, run: Callable[..., Any]) -> None:
    data = aged.versions()[1]["LaunchTemplateData"]
    for description in ({}, {"VersionDescription": "by hand"}):
        aged.ec2.create_launch_template_version(
            LaunchTemplateName="gpu-fleet", LaunchTemplateData={**data, "InstanceType": "g5.xlarge"}, **description
        )
    foretold(run, {**ONE, "keep_versions": 0})
    assert numbers(aged) == [1, 5, 6, 7]


def test_what_stays_undeleted_is_told(aged: World, run: Callable[..., Any], recorder: Any) -> None:
    def refuse(params: dict[str, Any], region: str) -> dict[str, Any]:
        rows = [
            {"VersionNumber": int(number), "ResponseError": {"Code": code, "Message": "no"}}
            for number, code in zip(
                params["Versions"],
                ("launchTemplateVersionDoesNotExist", "unexpectedError", "unexpectedError"),
                strict=True,
            )
        ]
        return {"UnsuccessfullyDeletedLaunchTemplateVersions": rows}

    recorder.answer("ec2", "DeleteLaunchTemplateVersions", refuse)
    told = run({**ONE, "keep_versions": 0})
    assert told.failed
    assert "could not delete version 3 of the launch template: unexpectedError: no" in told["msg"]


@pytest.mark.parametrize("number", [-1, 10_001])
def test_bad_numbers(world: World, run: Callable[..., Any], number: int) -> None:
    refused = run(world.options(keep_versions=number))
    assert f"keep_versions: {number} must be a whole number from 0 to 10000" in refused["msg"]
    assert refused.mutating == []


def test_many_versions_go_in_requests_that_ec2_takes(aged: World, run: Callable[..., Any], recorder: Any) -> None:
    shown = {**aged.versions()[1], "DefaultVersion": False}
    many = [{**shown, "VersionNumber": number} for number in range(2, 503)]

    def versions(params: dict[str, Any], region: str) -> dict[str, Any] | None:
        return None if params.get("Versions") else {"LaunchTemplateVersions": many}

    recorder.answer("ec2", "DescribeLaunchTemplateVersions", versions)
    recorder.answer("ec2", "DeleteLaunchTemplateVersions", {})
    pruned = run({**ONE, "keep_versions": 10})
    sizes = [len(call.params["Versions"]) for call in pruned.mutating]
    assert sizes == [200, 200, 90]
