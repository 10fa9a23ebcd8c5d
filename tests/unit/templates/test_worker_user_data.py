# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A worker node's first start, run with stand-ins below a directory: no root, no name server, no waiting."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import jinja2
import pytest

from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import USER_DATA_LIMIT

TEMPLATE = Path(__file__).resolve().parents[3] / "roles/worker/templates/user_data.sh.j2"
SETTINGS = [
    "ECS_CLUSTER=llm-ireland",
    "ECS_ENABLE_SPOT_INSTANCE_DRAINING=true",
    "ECS_ENABLE_GPU_SUPPORT=true",
    "ECS_ENABLE_AWSLOGS_EXECUTIONROLE_OVERRIDE=true",
    "ECS_IMAGE_PULL_BEHAVIOR=once",
]


def rendered(region: str = "eu-west-1", script: str = "") -> str:
    environment = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined)
    environment.tests["match"] = lambda value, pattern: re.match(pattern, value) is not None
    return environment.from_string(TEMPLATE.read_text()).render(
        _worker_outputs={"ClusterName": "llm-ireland", "FileSystemId": "fs-0123456789abcdef0"},
        worker_bootstrap_script=script,
        _worker_container_pull="once",
        worker_region=region,
    )


class Node:
    """Where the script runs; `unresolved` is how often the name service fails first."""

    def __init__(self, where: Path) -> None:
        self.where = where
        self.bin = where / "bin"
        self.bin.mkdir()
        self.config = where / "etc/ecs/ecs.config"
        self.stand_in("sleep", "")
        self.resolves_after(0)

    def stand_in(self, name: str, body: str) -> None:
        path = self.bin / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >>{self.where}/calls\n{body}\n')
        path.chmod(0o755)

    def resolves_after(self, failures: int) -> None:
        (self.where / "calls").write_text("")
        self.stand_in("getent", f'[ "$(grep -c getent {self.where}/calls)" -gt {failures} ]')

    def start(self, text: str) -> subprocess.CompletedProcess[str]:
        text = text.replace("/etc/ecs", f"{self.where}/etc/ecs")
        environment = {"PATH": f"{self.bin}:{os.defpath}"}
        done = subprocess.run(["bash", "-c", text], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done

    @property
    def calls(self) -> list[str]:
        return (self.where / "calls").read_text().splitlines()


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_shell_and_size() -> None:
    text = rendered()
    assert subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False).returncode == 0
    assert len(text.encode()) < USER_DATA_LIMIT / 8


def test_nothing_is_downloaded() -> None:
    words = set(re.findall(r"[a-z0-9.-]+", rendered().lower()))
    assert not words & {"aws", "curl", "dnf", "git", "http", "https", "pip", "wget", "yum"}


def test_settings_stand_once_whatever_the_image_has(node: Node) -> None:
    node.start(rendered())
    assert node.config.read_text().splitlines() == SETTINGS
    node.config.write_text("ECS_CLUSTER=default\nECS_RESERVED_MEMORY=256\nECS_CLUSTER=other\n")
    for _start in range(2):
        node.start(rendered())
        assert node.config.read_text().splitlines() == ["ECS_RESERVED_MEMORY=256", *SETTINGS]


def test_the_start_waits_for_the_file_systems_name(node: Node) -> None:
    node.resolves_after(2)
    done = node.start(rendered(script="echo on"))
    lookup = "getent ahosts fs-0123456789abcdef0.efs.eu-west-1.amazonaws.com"
    assert node.calls == [lookup, "sleep 2", lookup, "sleep 2", lookup]
    assert (done.stdout, done.stderr) == ("on\n", "")


def test_a_name_that_never_resolves_holds_no_node_up(node: Node) -> None:
    node.resolves_after(10**6)
    done = node.start(rendered(script="echo on").replace("SECONDS >= 180", "SECONDS >= 0"))
    assert done.stdout == "on\n"
    assert "the agent starts nevertheless" in done.stderr


def test_names_in_china() -> None:
    assert "\nfiles=fs-0123456789abcdef0.efs.cn-north-1.amazonaws.com.cn\n" in rendered("cn-north-1")
