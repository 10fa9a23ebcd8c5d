# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stock module against the sandbox: what it says of each step is what happened."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sandbox_process import Sandbox
from stack_tools import DATA
from stack_tools import Stacks

PLAYBOOK = """
- hosts: localhost
  gather_facts: false
  tasks:
    - amazon.aws.cloudformation:
        stack_name: "{{ item.name }}"
        state: "{{ state }}"
        template_body: "{{ lookup('file', item.file) if state == 'present' else omit }}"
        template_parameters: "{{ item.parameters | default({}) | combine(change) if state == 'present' else {} }}"
        capabilities: [CAPABILITY_NAMED_IAM]
        on_create_failure: DELETE
        tags: "{{ tags }}"
      loop: "{{ stacks }}"
      loop_control: {label: "{{ item.name }}"}
      register: done
      ignore_errors: true
    - copy:
        dest: "{{ report }}"
        content: "{{ done.results | to_json }}"
      check_mode: false
"""


class Player:
    """Runs the stock module on a list of stacks and gives each one's result."""

    def __init__(self, sandbox: Sandbox, scratch: Path) -> None:
        self._sandbox = sandbox
        self._playbook = scratch / "play.yml"
        self._playbook.write_text(PLAYBOOK)
        self._report = scratch / "report.json"
        self._scratch = scratch

    def __call__(
        self,
        stacks: list[dict],
        state: str = "present",
        check: bool = False,
        change: dict | None = None,
        tag: str = "1",
    ) -> Any:
        variables = {
            "stacks": stacks,
            "state": state,
            "change": change or {},
            "tags": {"deployment": tag},
            "report": str(self._report),
        }
        environment = {
            **os.environ,
            "AWS_ENDPOINT_URL": self._sandbox.url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": "us-east-1",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_LOCAL_TEMP": str(self._scratch / "local"),
            "ANSIBLE_REMOTE_TEMP": str(self._scratch / "remote"),
        }
        program = Path(sys.executable).with_name("ansible-playbook")
        command = [str(program), str(self._playbook), "-i", "localhost,", "-c", "local", "-e", json.dumps(variables)]
        command += ["-e", json.dumps({"ansible_python_interpreter": sys.executable}), *(["--check"] if check else [])]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(self._report.read_text())


@pytest.fixture
def play(sandbox: Sandbox, tmp_path: Path) -> Player:
    return Player(sandbox, tmp_path)


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
    network = {"name": "net", "file": str(DATA / "network.yml")}
    nothing = truth(stacks)

    assert changed(play([network], check=True)) == [True]
    assert truth(stacks) == nothing
    assert changed(play([network])) == [True]
    made = stacks.outputs("net")
    parameters = {"Vpc": made["Vpc"], "Subnets": made["Subnets"], "Group": made["Nodes"]}
    region = {"name": "region", "file": str(DATA / "region.yml"), "parameters": parameters}
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
    broken = {"name": "region", "file": str(DATA / "region.yml"), "parameters": values}
    nothing = truth(stacks)
    (result,) = play([broken])
    assert result["failed"]
    assert any("AWS::EFS::MountTarget" in line and "CREATE_FAILED" in line for line in result["events"]), result
    assert truth(stacks) == nothing
    assert stacks.api.describe_stacks()["Stacks"] == []
