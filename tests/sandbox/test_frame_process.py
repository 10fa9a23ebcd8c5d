# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sandbox as a process: how it starts, ends, and keeps to itself."""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sandbox_process import INTERPRETER
from sandbox_process import ROOT
from sandbox_process import Sandbox


@pytest.fixture
def another() -> Iterator[Sandbox]:
    process = Sandbox()
    yield process
    if process.process.poll() is None:
        process.stop()


def run(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [INTERPRETER, *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_taken_port_is_one_line_and_status_1() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = run("-m", "sandbox", str(port))
    assert result.returncode == 1
    assert result.stderr == f"sandbox: cannot listen on 127.0.0.1:{port}: Address already in use\n"
    assert result.stdout == ""


def test_a_missing_private_name_is_named_at_start() -> None:
    code = (
        "from sandbox import environment; environment.prepare(1)\n"
        "from sandbox import selfcheck\n"
        "selfcheck.require(['ministack.app.GONE', 'moto.ec2.models.EC2Backend'])\n"
    )
    result = run("-c", code)
    assert result.returncode == 1
    assert result.stderr == "sandbox: the emulators lack what it patches: ministack.app.GONE\n"


def test_it_listens_on_loopback_only(another: Sandbox) -> None:
    listening = set()
    for table in ("tcp", "tcp6"):
        inodes = {
            os.readlink(f"/proc/{another.process.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{another.process.pid}/fd")
        }
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                listening.add(fields[1])
    assert listening == {f"0100007F:{another.port:04X}"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_at_once_and_leaves_nothing(tmp_path: Path, number: int) -> None:
    port = Sandbox.free_port()
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(tmp_path / "tmp"),
        "HOME": str(tmp_path / "home"),
    }
    for name in ("tmp", "home", "work"):
        (tmp_path / name).mkdir()
    process = subprocess.Popen(
        [INTERPRETER, "-m", "sandbox", str(port)],
        cwd=tmp_path / "work",
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == f"sandbox ready http://127.0.0.1:{port}\n"
    sandbox = Sandbox.of(port)
    invoke_function(sandbox)
    workers = [
        int(pid) for path in Path(f"/proc/{process.pid}/task").glob("*/children") for pid in path.read_text().split()
    ]
    assert workers
    # A call under way does not keep it alive.
    sandbox.control("POST", "faults", [{"service": "ssm", "delay": 30}])
    pending = subprocess.Popen(
        [
            INTERPRETER,
            "-c",
            f"import urllib.request as u; u.urlopen(u.Request('http://127.0.0.1:{port}/', headers={{"
            "'X-Amz-Target': 'AmazonSSM.DescribeParameters', 'Authorization': 'AWS4-HMAC-SHA256 Credential=testing/20260101/"
            "us-east-1/ssm/aws4_request'}, data=b'{}'))",
        ],
        stderr=subprocess.DEVNULL,
    )
    time.sleep(0.5)
    started = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=5)
    assert time.monotonic() - started < 1
    assert process.returncode == 0
    assert (out, err) == ("", "")
    for pid in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    assert pending.wait(5) != 0
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["home", "tmp", "work"]


def invoke_function(sandbox: Sandbox) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("app.py", "def handler(event, context):\n    return {'got': event}\n")
    iam = sandbox.client("iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    role = iam.create_role(RoleName="function", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    functions = sandbox.client("lambda")
    functions.create_function(
        FunctionName="echo",
        Runtime="python3.12",
        Role=role,
        Handler="app.handler",
        Code={"ZipFile": archive.getvalue()},
    )
    answer = functions.invoke(FunctionName="echo", Payload=b'{"a": 1}')
    assert json.load(answer["Payload"]) == {"got": {"a": 1}}


def test_two_sandboxes_do_not_disturb_each_other(sandbox: Sandbox, another: Sandbox) -> None:
    for place, name in ((sandbox, "here"), (another, "there")):
        place.client("ssm").put_parameter(Name="/place", Value=name, Type="String")
        place.client("ec2").create_security_group(GroupName=name, Description=name)
        invoke_function(place)
    for place, name in ((sandbox, "here"), (another, "there")):
        assert place.client("ssm").get_parameter(Name="/place")["Parameter"]["Value"] == name
        groups = place.client("ec2").describe_security_groups()["SecurityGroups"]
        assert {group["GroupName"] for group in groups} == {"default", name}
    another.control("POST", "reset")
    assert sandbox.client("ssm").get_parameter(Name="/place")["Parameter"]["Value"] == "here"
    another.stop()
    assert sandbox.client("ssm").get_parameter(Name="/place")["Parameter"]["Value"] == "here"


def test_side_by_side_regions_are_apart(sandbox: Sandbox) -> None:
    for region in ("us-east-1", "eu-west-1"):
        sandbox.client("ssm", region).put_parameter(Name="/region", Value=region, Type="String")
        sandbox.client("ec2", region).create_security_group(GroupName=region, Description="x")
    for region in ("us-east-1", "eu-west-1"):
        assert sandbox.client("ssm", region).get_parameter(Name="/region")["Parameter"]["Value"] == region
        groups = sandbox.client("ec2", region).describe_security_groups()["SecurityGroups"]
        assert {group["GroupName"] for group in groups} == {"default", region}
