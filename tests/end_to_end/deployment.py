# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Playbooks run against a local AWS, each judged by what it printed, changed and called."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import boto3
import local_aws

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLAYBOOK = ROOT / ".venvs/dev/bin/ansible-playbook"
RECAP = re.compile(
    r"^(?P<host>\S+)\s+: ok=(?P<ok>\d+)\s+changed=(?P<changed>\d+)\s+unreachable=(?P<unreachable>\d+)\s+failed=(?P<failed>\d+)"
)


def kill_tree(root: int) -> None:
    """Kill a process and all below it at once. Ansible's workers are in sessions of their own, so no process group has them all."""
    os.kill(root, signal.SIGSTOP)
    listed = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = {int(pid): int(parent) for pid, parent in (line.split() for line in listed.splitlines())}
    doomed = {root}
    while below := {pid for pid, parent in parents.items() if parent in doomed} - doomed:
        doomed |= below
    for pid in sorted(doomed, reverse=True):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def write_inventory(path: pathlib.Path, hub: str | None, workers: dict[str, dict[str, Any]]) -> str:
    """An inventory of these places with their own variables; its path."""
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "spot_instance_types": ["g4dn.xlarge", "g5.xlarge", "g6.xlarge"],
        "spot_container_image": "123456789012.dkr.ecr.{{ inventory_hostname }}.amazonaws.com/serve:1.4",
    }
    groups = {"hub": {"hosts": {hub: {}} if hub else {}}, "workers": {"hosts": workers}}
    path.write_text(json.dumps({"all": {"children": groups, "vars": variables}}))
    return str(path)


def mutating(calls: Iterable[dict[str, Any]]) -> list[str]:
    """Those that change something; change sets that were made and deleted again, which is how CloudFormation plans, excepted."""
    return [f"{call['service']}:{call['action']}" for call in calls if call["mutating"] and not call.get("change_set")]


@dataclass
class Run:
    """One playbook run: what it printed, what it changed, which calls it made."""

    output: str
    code: int
    changed: dict[str, int]
    calls: list[dict[str, Any]]

    @property
    def mutating(self) -> list[str]:
        return mutating(self.calls)


@dataclass
class Account:
    """The local AWS with a controller in it."""

    aws: local_aws.Sandbox
    environment: dict[str, str]
    before: set[str]

    def client(self, service: str, region: str) -> Any:
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.aws.url,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    def play(self, name: str, *arguments: str, succeed: bool = True) -> Run:
        """One of the collection's playbooks, or a playbook's path."""
        known = len(self.aws.control("GET", "calls"))
        done = subprocess.run(**self._command(name, arguments), capture_output=True, text=True, check=False)
        output = done.stdout + done.stderr
        recap = [found for line in output.splitlines() if (found := RECAP.match(line))]
        assert (done.returncode == 0) == succeed, output
        changed = {found["host"]: int(found["changed"]) for found in recap}
        return Run(output, done.returncode, changed, self.aws.control("GET", "calls")[known:])

    def play_killed(self, name: str, *arguments: str, after: int) -> bool:
        """Kill a playbook and all of its processes as soon as it has made so many mutating calls; whether it was killed."""
        known = len(self.aws.control("GET", "calls"))
        with tempfile.TemporaryFile("w+") as said:
            process = subprocess.Popen(**self._command(name, arguments), stdout=said, stderr=subprocess.STDOUT)
            while process.poll() is None:
                calls = self.aws.control("GET", "calls")[known:]
                if len(mutating(call for call in calls if call["via"] is None)) >= after:
                    kill_tree(process.pid)
                    process.wait()
                    return True
                time.sleep(0.02)
            said.seek(0)
            assert process.returncode == 0, said.read()
        return False

    def _command(self, name: str, arguments: tuple[str, ...]) -> dict[str, Any]:
        return {
            "args": [PLAYBOOK, name if "/" in name else f"ethereal.spot.{name}", *arguments],
            "cwd": ROOT,
            "env": {**os.environ, **self.environment, "ANSIBLE_NOCOLOR": "1"},
        }


class Draining:
    """Managed draining of a place's two groups, its capacity providers and hooks."""

    HOOK = "ecs-managed-draining-termination-hook"

    def __init__(self, account: Account, region: str, name: str) -> None:
        self.ecs, self.autoscaling = account.client("ecs", region), account.client("autoscaling", region)
        self.name = name

    def turn_off(self) -> None:
        self.ecs.update_capacity_provider(name=self.name, autoScalingGroupProvider={"managedDraining": "DISABLED"})

    def delete_hook(self, suffix: str = "") -> None:
        self.autoscaling.delete_lifecycle_hook(AutoScalingGroupName=self.name + suffix, LifecycleHookName=self.HOOK)

    def stands(self) -> list[bool]:
        """Whether each group's provider drains and has its hook."""
        return [self._stands(self.name + suffix) for suffix in ("", "-od")]

    def _stands(self, name: str) -> bool:
        (provider,) = self.ecs.describe_capacity_providers(capacityProviders=[name])["capacityProviders"]
        hooks = self.autoscaling.describe_lifecycle_hooks(AutoScalingGroupName=name)["LifecycleHooks"]
        enabled = provider["autoScalingGroupProvider"]["managedDraining"] == "ENABLED"
        return enabled and self.HOOK in [hook["LifecycleHookName"] for hook in hooks]
