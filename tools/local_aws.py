# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Start and stop the local AWS, and say how to reach it: for the demo, the benchmark and the tests."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import grants

ROOT = pathlib.Path(__file__).resolve().parent.parent
START_SECONDS = 60
ROOT_KEY = "testing"


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(port: int, key: str = ROOT_KEY, secret: str = ROOT_KEY) -> dict[str, str]:
    """What a process needs to reach the sandbox on this port as the holder of this key."""
    return {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_EC2_METADATA_DISABLED": "true",
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
        "ANSIBLE_HOME": str(ROOT / ".cache/ansible"),
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
    }


class Sandbox:
    """A running sandbox: its address and its controls."""

    def __init__(self, port: int, process: subprocess.Popen[str]) -> None:
        self.port = port
        self.process = process
        self.url = f"http://127.0.0.1:{port}"

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """One call of the sandbox's own controls, for example control("PUT", "market", {...})."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_sandbox/{path}", data=data, method=method)
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def stop(self) -> None:
        """End the process and wait until it is gone."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def start(port: int | None = None) -> Sandbox:
    """A sandbox that answers; SystemExit with one line when it does not."""
    port = port or free_port()
    python = os.environ.get("SANDBOX_PYTHON", str(ROOT / ".venvs/sandbox/bin/python"))
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHONDONTWRITE"))}
    # Requests are judged by the service models that the product uses, which are newer than the emulators'.
    models = next((ROOT / ".venvs/dev/lib").glob("python3*/site-packages/botocore/data"), None)
    if models:
        variables["SANDBOX_MODELS"] = str(models)
    log = ROOT / ".cache" / f"sandbox-{port}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as errors:
        process = subprocess.Popen(
            [python, "-m", "sandbox", str(port)],
            cwd=ROOT,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_SECONDS
    sandbox = Sandbox(port, process)
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            if sandbox.control("GET", "health") == {"status": "ok"}:
                return sandbox
        time.sleep(0.1)
    sandbox.stop()
    said = log.read_text().strip().splitlines()
    raise SystemExit(
        f"the sandbox did not start on port {port}: {said[-1] if said else 'no answer'} (all of it in {log})"
    )


@contextlib.contextmanager
def running(port: int | None = None) -> Iterator[Sandbox]:
    """A sandbox for the length of a with block."""
    sandbox = start(port)
    try:
        yield sandbox
    finally:
        sandbox.stop()


def controller(sandbox: Sandbox, name: str = "controller", role: str | None = None) -> dict[str, str]:
    """Make an IAM user with the rights of docs/policies/*.json, or of one role; the environment that acts as it."""
    import boto3

    iam = boto3.client(
        "iam",
        endpoint_url=sandbox.url,
        region_name="us-east-1",
        aws_access_key_id=ROOT_KEY,
        aws_secret_access_key=ROOT_KEY,
    )
    iam.create_user(UserName=name)
    for policy in grants.of_role(role) if role else sorted(grants.POLICIES.glob("*.json")):
        # Two users may have the same policy, and its name is the account's.
        made = iam.create_policy(PolicyName=f"{name}-{policy.stem}", PolicyDocument=policy.read_text())["Policy"]
        iam.attach_user_policy(UserName=name, PolicyArn=made["Arn"])
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return environment(sandbox.port, key["AccessKeyId"], key["SecretAccessKey"])


def main() -> None:
    if len(sys.argv) != 3 or sys.argv[1] != "env":
        raise SystemExit("usage: local_aws.py env PORT")
    for name, value in environment(int(sys.argv[2])).items():
        print(f"export {name}={value}")
    print(f'export PATH="{ROOT / ".venvs/dev/bin"}:$PATH"')


if __name__ == "__main__":
    main()
