# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One place of three is to be absent: site removes it, lets another serve first, and only reads in the others."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import leftovers
import local_aws
import pytest
from deployment import Account
from deployment import Run
from deployment import mutating
from deployment import write_inventory

HUB = "us-east-1"
BEST = "us-west-2"
SECOND = "eu-west-1"
IDLE = "us-east-2"
WORKERS = (BEST, SECOND, IDLE)
MARKET = {
    "scores": {BEST: 9, SECOND: 9, IDLE: 3},
    "prices": {
        place: {"*": dict.fromkeys(("g4dn.xlarge", "g5.xlarge", "g6.xlarge"), price)}
        for place, price in ((BEST, "0.2105"), (SECOND, "0.2351"), (IDLE, "0.2500"))
    },
}
# What a region may still hold of a place whose data is kept: the stack, the file system with its access point, key and alias.
KEPT = {"AWS::KMS::Key", "AWS::KMS::Alias", "AWS::EFS::FileSystem"}


class Deployment:
    """An inventory of which places come and go."""

    def __init__(self, account: Account, folder: pathlib.Path, hub: str | None = HUB) -> None:
        self.account = account
        self.folder = folder
        self.hub = hub

    def inventory(self, absent: tuple[str, ...], workers: tuple[str, ...] = WORKERS) -> str:
        hosts = {place: {"spot_place_state": "absent"} if place in absent else {} for place in workers}
        return write_inventory(self.folder / "inventory.yml", self.hub, hosts)

    def play(
        self, name: str, *arguments: str, absent: tuple[str, ...] = (), succeed: bool = True, **inventory: Any
    ) -> Run:
        return self.account.play(name, "-i", self.inventory(absent, **inventory), *arguments, succeed=succeed)

    def switch(self, on: bool) -> None:
        task = {"ethereal.spot.spot_state": {"prefix": "ethereal", "region": self.hub, "switch": on}}
        path = self.folder / "switch.yml"
        path.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]))
        self.account.play(str(path))

    def state(self) -> dict[str, Any]:
        table = self.account.client("dynamodb", HUB).scan(TableName="ethereal-state")["Items"]
        found: dict[str, Any] = {"places": set(), "placement": None}
        for item in table:
            if item["pk"]["S"] == "place":
                found["places"].add(item["sk"]["S"])
            elif item["pk"]["S"] == "placement":
                found["placement"] = set(item["placement"]["M"])
        return found

    def left(self, place: str) -> set[str]:
        """Kinds of what stacks hold in a region, and groups and templates beside them."""
        stacks = self.account.client("cloudformation", place)
        kinds = {
            resource["ResourceType"]
            for stack in stacks.describe_stacks()["Stacks"]
            for page in stacks.get_paginator("list_stack_resources").paginate(StackName=stack["StackName"])
            for resource in page["StackResourceSummaries"]
        }
        groups = self.account.client("autoscaling", place).describe_auto_scaling_groups()["AutoScalingGroups"]
        templates = self.account.client("ec2", place).describe_launch_templates()["LaunchTemplates"]
        return (
            kinds
            | {group["AutoScalingGroupName"] for group in groups}
            | {each["LaunchTemplateName"] for each in templates}
        )

    def running(self, place: str) -> int:
        services = self.account.client("ecs", place).describe_services(
            cluster=f"ethereal-{place}", services=[f"ethereal-{place}"]
        )["services"]
        return services[0]["runningCount"]


def mutating_in(run: Run, *regions: str) -> set[str]:
    """Mutating calls in these regions, by whoever made them."""
    return set(mutating(call for call in run.calls if call["region"] in regions))


@pytest.fixture(scope="module")
def account():
    with local_aws.running() as aws:
        aws.control("PUT", "market", MARKET)
        yield Account(aws, local_aws.controller(aws), leftovers.listing(aws.url))


@pytest.fixture(scope="module")
def deployment(account, tmp_path_factory):
    """A hub and three workers, of which the best serves, under a control plane that is on."""
    found = Deployment(account, tmp_path_factory.mktemp("removal"))
    found.play("site")
    assert found.state() == {"placement": {BEST}, "places": set(WORKERS)}
    found.switch(True)
    return found


@pytest.fixture(scope="module")
def idle_removed(deployment):
    """Foretold, done, done again."""
    return [deployment.play("site", *arguments, absent=(IDLE,)) for arguments in (["--check"], [], [])]


def test_the_serving_place_is_not_removed_under_the_control_plane(deployment):
    for arguments in ([], ["--check"]):
        refused = deployment.play("site", *arguments, absent=(BEST,), succeed=False)
        assert f"spot_place_state: {BEST} cannot be absent while serving" in refused.output
        assert refused.mutating == []
        assert {call["region"] for call in refused.calls} == {HUB}, "nothing is asked of the workers"
    assert deployment.running(BEST) == 1


def test_removal_is_foretold(idle_removed):
    foretold, done, again = idle_removed
    assert foretold.mutating == []
    assert foretold.changed == done.changed
    assert (again.mutating, set(again.changed.values())) == ([], {0})


def test_one_of_three_is_removed_and_the_others_are_only_read(deployment, idle_removed):
    _foretold, done, _again = idle_removed
    assert mutating_in(done, BEST, SECOND) == set()
    assert mutating_in(done, HUB) == {"dynamodb:TransactWriteItems"}
    assert deployment.left(IDLE) == KEPT
    assert deployment.running(BEST) == 1
    assert deployment.state() == {"placement": {BEST}, "places": {BEST, SECOND}}


def test_status_shows_what_is_left_and_what_the_inventory_lost(deployment, idle_removed):
    said = deployment.play("status", absent=(IDLE,)).output
    assert f"{IDLE}: removed, and its data is kept in stack ethereal-{IDLE}-region" in said
    assert f"\n{IDLE}  " not in said.partition("PLAY RECAP")[0]
    # Names that are taken out of the inventory are told, not forgotten.
    for playbook in ("site", "status"):
        run = deployment.play(playbook, absent=(IDLE,), workers=(BEST, IDLE))
        assert f"{SECOND}: the state has this place, the inventory does not" in run.output
        assert run.mutating == []
    assert SECOND in deployment.state()["places"]


@pytest.fixture(scope="module")
def serving_removed(deployment, idle_removed):
    """The serving place, once the switch is off: foretold, done, done again."""
    deployment.switch(False)
    return [deployment.play("site", *arguments, absent=(IDLE, BEST)) for arguments in (["--check"], [], [])]


def test_another_place_serves_before_the_serving_one_goes(deployment, serving_removed):
    foretold, done, again = serving_removed
    assert foretold.mutating == []
    assert foretold.changed == done.changed
    assert (again.mutating, set(again.changed.values())) == ([], {0})
    assert deployment.running(SECOND) == 1
    assert deployment.left(BEST) == KEPT
    assert deployment.state() == {"placement": {SECOND}, "places": {SECOND}}
    first_removal = next(
        index for index, call in enumerate(done.calls) if call["region"] == BEST and call["action"] == "DeleteStack"
    )
    served = [
        index
        for index, call in enumerate(done.calls)
        if call["region"] == SECOND and call["action"] in ("UpdateService", "SetDesiredCapacity")
    ]
    assert served
    assert max(served) < first_removal


def test_the_last_place_goes_by_force(deployment, serving_removed):
    deployment.switch(True)
    deployment.play("site", "-e", "force=true", "-e", "teardown_data=true", absent=WORKERS)
    assert deployment.state() == {"placement": set(), "places": set()}
    assert [deployment.left(place) for place in WORKERS] == [set()] * 3
    published = deployment.account.client("ssm", HUB).get_parameter(Name="/ethereal/status")["Parameter"]["Value"]
    assert published == "NOTAVAILABLE"
    deployment.play("teardown", "-e", "teardown_data=true", absent=WORKERS)
    assert leftovers.listing(deployment.account.aws.url) - deployment.account.before == set()


@pytest.mark.slow
def test_without_a_hub(tmp_path):
    with local_aws.running() as aws:
        account = Account(aws, local_aws.controller(aws), leftovers.listing(aws.url))
        deployment = Deployment(account, tmp_path, hub=None)
        deployment.play("site", workers=(BEST, SECOND))
        done = deployment.play("site", "-e", "teardown_data=true", absent=(SECOND,), workers=(BEST, SECOND))
        assert mutating_in(done, BEST) == set()
        assert deployment.left(SECOND) == set()
        assert f"ethereal-{BEST}" in deployment.left(BEST)
