# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stock module against the sandbox: what it says of each step is what happened."""

from __future__ import annotations

import contextlib
import io
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.amazon.aws.plugins.modules import cloudformation
from sandbox_process import Sandbox
from stack_tools import DATA
from stack_tools import Stacks


class Player:
    """Runs the stock module, in this process, on one stack after the other and gives their results."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._url = sandbox.url

    def __call__(
        self,
        stacks: list[dict[str, Any]],
        state: str = "present",
        check: bool = False,
        change: dict[str, str] | None = None,
        tag: str = "1",
    ) -> list[dict[str, Any]]:
        return [self._run(stack, state, check, change or {}, tag) for stack in stacks]

    def _run(self, stack: dict[str, Any], state: str, check: bool, change: dict[str, str], tag: str) -> dict[str, Any]:
        arguments = {
            "stack_name": stack["name"],
            "state": state,
            "capabilities": ["CAPABILITY_NAMED_IAM"],
            "on_create_failure": "DELETE",
            "tags": {"deployment": tag},
            "endpoint_url": self._url,
            "access_key": "testing",
            "secret_key": "testing",
            "region": "us-east-1",
        }
        if state == "present":
            parameters = {**stack.get("parameters", {}), **change}
            arguments |= {"template_body": stack["body"], "template_parameters": parameters}
        output = io.StringIO()
        with (
            patch_module_args({**arguments, "_ansible_check_mode": check}),
            contextlib.redirect_stdout(output),
            contextlib.suppress(SystemExit),
        ):
            cloudformation.main()
        return json.loads(output.getvalue())


@pytest.fixture
def play(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[Player]:
    """The module with short naps: it waits seconds between two looks."""
    nap = time.sleep
    monkeypatch.setattr(cloudformation.time, "sleep", lambda seconds: nap(min(seconds, 0.05)))
    yield Player(sandbox)


def truth(stacks: Stacks) -> dict[str, Any]:
    """What there is, by the services' own accounts."""
    own = [{"Name": "is-default", "Values": ["false"]}]
    groups = stacks.client("logs").describe_log_groups()["logGroups"]
    return {
        "vpcs": [vpc["CidrBlock"] for vpc in stacks.client("ec2").describe_vpcs(Filters=own)["Vpcs"]],
        "retention": {group["logGroupName"]: group.get("retentionInDays") for group in groups},
        "clusters": len(stacks.client("ecs").list_clusters()["clusterArns"]),
        "roles": sorted(
            role["RoleName"]
            for role in stacks.client("iam").list_roles()["Roles"]
            if not role["Path"].startswith("/aws")
        ),
    }


def changed(results: list[dict]) -> list[bool]:
    assert not any(item.get("failed") for item in results), results
    return [item["changed"] for item in results]


def test_every_step_is_told_as_it_is(sandbox: Sandbox, play: Player) -> None:
    stacks = Stacks(sandbox)
    network = {"name": "net", "body": (DATA / "network.template").read_text()}
    nothing = truth(stacks)

    assert changed(play([network], check=True)) == [True]
    assert truth(stacks) == nothing
    assert changed(play([network])) == [True]
    made = stacks.outputs("net")
    parameters = {"Vpc": made["Vpc"], "Subnets": made["Subnets"], "Group": made["Nodes"]}
    region = {"name": "region", "body": (DATA / "region.template").read_text(), "parameters": parameters}
    assert changed(play([region])) == [True]
    present = truth(stacks)
    assert present["clusters"] == 1 and present["vpcs"] == ["10.42.0.0/16"]

    both = [network, region]
    assert changed(play(both)) == [False, False]
    assert changed(play(both, check=True)) == [False, False]
    before = len(sandbox.calls(mutating=True))
    assert changed(play([region], check=True, change={"Retention": "90"})) == [True]
    assert truth(stacks) == present and len(sandbox.calls(mutating=True)) == before
    assert stacks.api.list_change_sets(StackName="region")["Summaries"] == []
    assert changed(play([region], change={"Retention": "90"})) == [True]
    assert truth(stacks)["retention"]["/reg/region"] == 90
    assert changed(play([region], change={"Retention": "90"})) == [False]
    assert changed(play([region], check=True, change={"Retention": "90"}, tag="2")) == [True]
    assert changed(play([region], change={"Retention": "90"}, tag="2")) == [True]

    backwards = [region, network]
    assert changed(play(backwards, state="absent", check=True)) == [True, True]
    assert changed(play(backwards, state="absent")) == [True, True]
    assert truth(stacks) == nothing
    assert changed(play(backwards, state="absent")) == [False, False]
    assert changed(play(backwards, state="absent", check=True)) == [False, False]


def test_a_create_that_fails_leaves_nothing_and_says_why(sandbox: Sandbox, play: Player) -> None:
    stacks = Stacks(sandbox)
    values = {"Vpc": "vpc-0", "Subnets": "subnet-0,subnet-1", "Group": "sg-0"}
    broken = {"name": "region", "body": (DATA / "region.template").read_text(), "parameters": values}
    nothing = truth(stacks)
    (result,) = play([broken])
    assert result["failed"]
    assert any("AWS::EFS::MountTarget" in line and "CREATE_FAILED" in line for line in result["events"]), result
    assert truth(stacks) == nothing
    assert stacks.api.describe_stacks()["Stacks"] == []
