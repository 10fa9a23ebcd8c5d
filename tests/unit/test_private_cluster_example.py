# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The example's scripts, started as a node's boot starts them, against each other on loopback: jobs go out, results come back."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.request
import uuid
from collections.abc import Iterator

import pytest

from ansible_collections.ethereal.spot.plugins.module_utils._brain.cluster.start_up import SCRIPT
from ansible_collections.ethereal.spot.plugins.module_utils._brain.cluster.start_up import wrapped

EXAMPLE = pathlib.Path(__file__).parents[2] / "examples/private_cluster"
JOBS = 100


class Node:
    """A node that runs one script at its first start and at every boot, as cloud-init does."""

    def __init__(self, folder: pathlib.Path, script: str, **environment: str) -> None:
        self._mark = uuid.uuid4().hex
        self._environment = {"PATH": os.environ["PATH"], "NODE": self._mark, **environment}
        self._kept = folder / script / "per-boot"
        user_data = wrapped((EXAMPLE / script).read_text()).replace(SCRIPT, str(self._kept))
        assert self._run(["/bin/sh", "-c", user_data]) == 0

    def _run(self, command: list[str]) -> int:
        # What goes on in the background must not hold the boot up: its output is nobody's.
        return subprocess.run(
            command, env=self._environment, stderr=subprocess.DEVNULL, timeout=30, check=False
        ).returncode

    def run_again(self) -> int:
        return self._run([str(self._kept)])

    def processes(self) -> list[int]:
        found = []
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if self._mark.encode() in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
        return found

    def lose(self) -> None:
        for process in self.processes():
            os.kill(process, signal.SIGKILL)
        eventually(lambda: not self.processes())

    def reboot(self) -> int:
        self.lose()
        return self.run_again()


def eventually(holds, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


class Cluster:
    def __init__(self, folder: pathlib.Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.folder = folder
        self.url = f"http://127.0.0.1:{port}"
        self.nodes: list[Node] = []
        self._port = str(port)
        self._file = folder / "results" / "results.jsonl"

    def master(self) -> Node:
        variables = {"PORT": self._port, "RESULTS": str(self._file), "LEASE_SECONDS": "3"}
        self.nodes.append(Node(self.folder, "master.py", **variables))
        return self.nodes[-1]

    def worker(self) -> Node:
        self.nodes.append(Node(self.folder, "worker.py", MASTER=self.url, WAIT_SECONDS="0.1"))
        return self.nodes[-1]

    def take(self) -> int:
        """A job for a worker that never reports it."""
        with urllib.request.urlopen(f"{self.url}/job", timeout=10) as answer:
            return json.load(answer)["job"]

    def results(self) -> list[tuple[int, int]]:
        text = self._file.read_text() if self._file.exists() else ""
        return sorted((line["job"], line["result"]) for line in map(json.loads, filter(None, text.splitlines())))


@pytest.fixture
def cluster(tmp_path: pathlib.Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path)
    yield made
    for node in made.nodes:
        node.lose()


ALL = [(job, job * job) for job in range(JOBS)]


def test_jobs_are_dispensed_run_and_their_results_come_back(cluster: Cluster) -> None:
    worker = cluster.worker()
    time.sleep(0.3)
    assert worker.processes(), "a worker waits for a master that boots later"
    cluster.master()
    eventually(lambda: cluster.results() == ALL)
    eventually(lambda: not worker.processes())


def test_the_job_of_a_lost_worker_is_given_to_another(cluster: Cluster) -> None:
    cluster.master()
    lost = cluster.take()
    cluster.worker()
    eventually(lambda: len(cluster.results()) >= JOBS - 1)
    assert lost not in dict(cluster.results())
    eventually(lambda: cluster.results() == ALL)


def test_a_reboot_loses_no_result_and_asks_for_none_twice(cluster: Cluster) -> None:
    master = cluster.master()
    cluster.take()
    worker = cluster.worker()
    eventually(lambda: len(cluster.results()) >= JOBS // 2)
    assert master.reboot() == 0
    assert worker.reboot() == 0
    eventually(lambda: cluster.results() == ALL)
    eventually(lambda: not worker.processes())
    assert (master.reboot(), worker.reboot()) == (0, 0)
    eventually(lambda: not worker.processes())
    assert cluster.results() == ALL


def test_a_script_that_runs_already_is_not_run_beside_itself(cluster: Cluster) -> None:
    master = cluster.master()
    before = master.processes()
    master.run_again()
    assert master.processes() == before
    cluster.worker().run_again()
    eventually(lambda: cluster.results() == ALL)
