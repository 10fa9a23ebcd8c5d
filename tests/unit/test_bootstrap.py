# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The example of a bootstrap script, run with stand-ins for all that it calls: no disk, no service and no root."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import USER_DATA_LIMIT
from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import check_user_data

SCRIPT = Path(__file__).resolve().parents[2] / "examples/bootstrap.sh"
NVME = "Amazon EC2 NVMe Instance Storage"
EBS = "Amazon Elastic Block Store"
# What each command notes of its call, and what it answers; `state` is a directory that outlives a run.
COMMANDS = {
    "blkid": '[ -e "$state/formatted" ]',
    "chmod": "",
    "lsblk": 'cat "$state/lsblk.$(echo "$*" | tr -c "a-zA-Z0-9\\n" _)" 2>/dev/null || true',
    "mdadm": "",
    "mkfs.ext4": 'touch "$state/formatted"',
    "mount": 'touch "$state/mounted"',
    "mountpoint": '[ -e "$state/mounted" ]',
    "nvidia-smi": "",
    "systemctl": '[ "$1" != cat ] || [ -e "$state/$2" ]',
}
CHANGES = ("mdadm", "mkfs.ext4", "mount ", "chmod")


class Machine:
    """A machine with some disks, on which the script runs with its paths moved below a directory."""

    def __init__(self, where: Path) -> None:
        self.where = where
        self.state = where / "state"
        self.bin = where / "bin"
        for directory in (self.state, self.bin, where / "etc"):
            directory.mkdir()
        (where / "etc/fstab").write_text("UUID=1 / xfs defaults 0 0\n")
        for name, body in COMMANDS.items():
            self.command(self.bin / name, body)

    def command(self, path: Path, body: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'#!/bin/sh\nstate={self.state}\necho "{path.name} $*" >>"$state/calls"\n{body}\n')
        path.chmod(0o755)

    def disks(self, *disks: tuple[str, str], used: tuple[str, ...] = ()) -> None:
        """Name and model of each; a used one carries a volume."""
        listing = "".join(f"{name} {model}\n" for name, model in disks)
        self._lsblk("--nodeps --noheadings --paths --output NAME,MODEL", listing)
        for name, _model in disks:
            below = "vg-lv\n" if name in used else ""
            self._lsblk(f"--noheadings --list --output NAME {name}", f"{name}\n{below}")
            self._lsblk(f"--nodeps --noheadings --output FSTYPE,MOUNTPOINT {name}", "\n")

    def _lsblk(self, arguments: str, answer: str) -> None:
        (self.state / f"lsblk.{re.sub('[^a-zA-Z0-9]', '_', arguments)}").write_text(answer)

    def run(self) -> list[str]:
        """The calls that were made."""
        text = SCRIPT.read_text().replace("scratch=/scratch", f"scratch={self.where}/scratch")
        text = text.replace("/etc/fstab", f"{self.where}/etc/fstab").replace("agent=/opt", f"agent={self.where}/opt")
        (self.state / "calls").write_text("")
        done = subprocess.run(
            ["bash", "-c", text], env={"PATH": f"{self.bin}:{os.defpath}"}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return (self.state / "calls").read_text().splitlines()

    @property
    def fstab(self) -> str:
        return (self.where / "etc/fstab").read_text()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def changes(calls: list[str]) -> list[str]:
    return [call for call in calls if call.startswith(CHANGES)]


def test_shell_and_size() -> None:
    text = SCRIPT.read_text()
    assert subprocess.run(["bash", "-n", str(SCRIPT)], capture_output=True, check=False).returncode == 0
    assert check_user_data(text) == text
    assert len(text.encode()) < USER_DATA_LIMIT / 2


def test_nothing_is_downloaded() -> None:
    words = set(re.findall(r"[a-z0-9.-]+", SCRIPT.read_text().lower()))
    assert not words & {"apt", "apt-get", "curl", "dnf", "git", "http", "https", "pip", "wget", "yum"}


def test_one_disk_becomes_scratch_once(machine: Machine) -> None:
    machine.disks(("/dev/nvme0n1", EBS), ("/dev/nvme1n1", NVME))
    scratch = machine.where / "scratch"
    assert changes(machine.run()) == [
        "mkfs.ext4 -q -L scratch /dev/nvme1n1",
        f"mount LABEL=scratch {scratch}",
        f"chmod 1777 {scratch}",
    ]
    assert machine.fstab.count("LABEL=scratch") == 1
    assert changes(machine.run()) == []
    # After a boot that did not mount it: mounted again, not formatted.
    (machine.state / "mounted").unlink()
    assert changes(machine.run()) == [f"mount LABEL=scratch {scratch}", f"chmod 1777 {scratch}"]
    assert machine.fstab.count("LABEL=scratch") == 1


def test_several_disks_become_one(machine: Machine) -> None:
    machine.disks(("/dev/nvme1n1", NVME), ("/dev/nvme2n1", NVME))
    assert changes(machine.run())[:2] == [
        "mdadm --create /dev/md/scratch --run --level=0 --raid-devices=2 /dev/nvme1n1 /dev/nvme2n1",
        "mkfs.ext4 -q -L scratch /dev/md/scratch",
    ]


def test_disks_that_the_image_uses_are_left_alone(machine: Machine) -> None:
    machine.disks(("/dev/nvme0n1", EBS), ("/dev/nvme1n1", NVME), used=("/dev/nvme1n1",))
    assert changes(machine.run()) == []
    assert "scratch" not in machine.fstab


def test_a_bare_machine_is_fine(machine: Machine) -> None:
    machine.disks()
    (machine.bin / "nvidia-smi").unlink()
    assert not [call for call in machine.run() if call.startswith(("nvidia-smi", "systemctl enable"))]


@pytest.mark.parametrize("unit", ["amazon-ssm-agent.service", "snap.amazon-ssm-agent.amazon-ssm-agent.service"])
def test_agents_start(machine: Machine, unit: str) -> None:
    machine.disks()
    (machine.state / unit).touch()
    agent = machine.where / "opt/aws/amazon-cloudwatch-agent"
    machine.command(agent / "bin/amazon-cloudwatch-agent-ctl", "")
    first = machine.run()
    assert f"systemctl enable --now {unit}" in first
    assert first[-1] == f"amazon-cloudwatch-agent-ctl -a fetch-config -m ec2 -s -c file:{agent}/etc/fleet.json"
    metrics = json.loads((agent / "etc/fleet.json").read_text())["metrics"]
    assert metrics["append_dimensions"]["AutoScalingGroupName"] == "${aws:AutoScalingGroupName}"
    assert "utilization_gpu" in metrics["metrics_collected"]["nvidia_gpu"]["measurement"]
    assert machine.run() == first
