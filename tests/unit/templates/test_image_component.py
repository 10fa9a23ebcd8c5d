# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a build's instance runs, run with stand-ins below a directory: no root, no Docker, no registry."""

from __future__ import annotations

import base64
import datetime
import io
import json
import os
import re
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

REPOSITORY = "us-west-2:123456789012:repository/serve"
IMAGE = "123456789012.dkr.ecr.us-west-2.amazonaws.com/serve:1.4"
KEYS = {"AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": "secret/key", "Token": "a+token/=="}


def document(
    load: Any, image: str = IMAGE, repository: str = REPOSITORY, commands: list[str] | None = None
) -> dict[str, Any]:
    """The component's document, as Sub makes it."""
    text = load("image").only("AWS::ImageBuilder::Component")["Data"]["Fn::Sub"][0]
    if commands:
        assert text.count('commands: ["true"]') == 1
        given = json.dumps([command.replace("${", "${!") for command in commands], ensure_ascii=False)
        text = text.replace('commands: ["true"]', f"commands: {given}")
    names = {"Pulled": image, "From": repository, "AWS::URLSuffix": "amazonaws.com"}
    replaced = re.sub(r"\$\{([^}!]+)\}", lambda found: names[found[1]], text)
    return yaml.safe_load(replaced.replace("${!", "${"))


def steps(found: dict[str, Any]) -> dict[str, str]:
    """Every step's commands in one, by its name; all are bash's."""
    listed = [step for phase in found["phases"] for step in phase["steps"]]
    assert {step["action"] for step in listed} == {"ExecuteBash"}
    return {step["name"]: "\n".join(step["inputs"]["commands"]) for step in listed}


def test_the_document_says_what_comes_after_what(load):
    found = document(load)
    assert found["schemaVersion"] == 1.0
    assert [phase["name"] for phase in found["phases"]] == ["build", "validate"]
    assert list(steps(found)) == ["Pull", "Commands", "Forget", "Look"]
    # Image Builder would take such braces for its own.
    assert "{{" not in json.dumps(found)


def test_commands_of_the_user_arrive_as_they_are(load):
    commands = ["echo \"${HOME}\" 'x' # y", "a: b\nc", "é {x} & !Ref"]
    assert steps(document(load, commands=commands))["Commands"] == "\n".join(commands)


def script(load: Any) -> dict[str, Any]:
    """The names of the Python script that asks for the registry's password."""
    text = steps(document(load))["Pull"]
    body = text.split("<<'PYTHON' |\n", 1)[1].split("\nPYTHON\n", 1)[0]
    names: dict[str, Any] = {}
    exec(body.rsplit("\nprint(", 1)[0], names)
    return names


def test_the_request_is_signed_as_botocore_signs_it(load):
    now = datetime.datetime(2026, 3, 4, 5, 6, 7, tzinfo=datetime.UTC)
    url, headers, body = script(load)["token_request"]("us-west-2", "amazonaws.com", KEYS, now)
    assert url == "https://api.ecr.us-west-2.amazonaws.com/"
    kept = ("content-type", "host", "x-amz-target")
    request = AWSRequest("POST", url, data=body, headers={name: headers[name] for name in kept})
    request.context["timestamp"] = headers["x-amz-date"]
    request.headers["X-Amz-Date"] = headers["x-amz-date"]
    request.headers["X-Amz-Security-Token"] = KEYS["Token"]
    signer = SigV4Auth(Credentials(KEYS["AccessKeyId"], KEYS["SecretAccessKey"]), "ecr", "us-west-2")
    signature = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    assert headers["authorization"].endswith(f"Signature={signature}")
    assert headers["authorization"].startswith(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260304/us-west-2/ecr/aws4_request, "
    )


def test_the_password_comes_with_the_roles_keys(load, monkeypatch):
    asked: list[tuple[str, str]] = []

    def answer(request: urllib.request.Request, timeout: float) -> Any:
        asked.append((request.get_method(), request.full_url))
        if request.full_url.endswith("/api/token"):
            return io.BytesIO(b"session")
        if request.full_url.endswith("/security-credentials/"):
            assert request.get_header("X-aws-ec2-metadata-token") == "session"
            return io.BytesIO(b"the-role\n")
        if request.full_url.endswith("/the-role"):
            return io.BytesIO(json.dumps(KEYS).encode())
        token = base64.b64encode(b"AWS:pass:word").decode()
        return io.BytesIO(json.dumps({"authorizationData": [{"authorizationToken": token}]}).encode())

    monkeypatch.setattr(urllib.request, "urlopen", answer)
    assert script(load)["password"]("us-west-2", "amazonaws.com") == "pass:word"
    metadata = "http://169.254.169.254/latest/"
    roles = f"{metadata}meta-data/iam/security-credentials/"
    assert asked == [
        ("PUT", f"{metadata}api/token"),
        ("GET", roles),
        ("GET", f"{roles}the-role"),
        ("POST", "https://api.ecr.us-west-2.amazonaws.com/"),
    ]


class Machine:
    """Where the steps run: tools that write down how they were called."""

    def __init__(self, where: Path) -> None:
        self.where, self.calls, self.state = where, where / "calls", where / "var/lib/ecs/data"
        (where / "bin").mkdir()
        (where / "var/log/ecs").mkdir(parents=True)
        self.state.mkdir(parents=True)
        self.calls.touch()
        for name in ("systemctl", "docker", "python3"):
            self.stand_in(name, "[ $1 != login ] || cat >/dev/null" if name == "docker" else "echo secret")

    def stand_in(self, name: str, body: str) -> None:
        path = self.where / "bin" / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >>{self.calls}\n{body}\n')
        path.chmod(0o755)

    def run(self, text: str) -> int:
        here = re.sub(r"/var/l", f"{self.where}/var/l", text)
        path = f"{self.where}/bin:{os.environ['PATH']}"
        return subprocess.run(["bash", "-c", here], env={"PATH": path}, capture_output=True, check=False).returncode

    def called(self) -> list[str]:
        return self.calls.read_text().splitlines()


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_an_image_of_ecr_is_pulled_after_a_login(load, machine):
    assert machine.run(steps(document(load))["Pull"]) == 0
    assert machine.called() == [
        "systemctl stop ecs",
        "systemctl start docker",
        *sorted(
            [
                "python3 - us-west-2 amazonaws.com",
                "docker login --username AWS --password-stdin 123456789012.dkr.ecr.us-west-2.amazonaws.com",
            ],
            key=machine.called().index,
        ),
        f"docker pull --quiet {IMAGE}",
    ]


def test_an_image_of_elsewhere_needs_no_login(load, machine):
    assert machine.run(steps(document(load, "public.ecr.aws/x/y:1", ""))["Pull"]) == 0
    assert machine.called()[2:] == ["docker pull --quiet public.ecr.aws/x/y:1"]


@pytest.mark.parametrize("broken", ["python3", "docker"])
def test_what_cannot_be_pulled_fails_the_build(load, machine, broken):
    machine.stand_in(broken, "exit 1")
    assert machine.run(steps(document(load))["Pull"]) != 0


def test_the_agent_remembers_nothing_and_the_build_looks(load, machine):
    (machine.state / "agent.db").write_text("a node that will be no more")
    look = steps(document(load))["Look"]
    assert machine.run(look) != 0
    assert machine.run(steps(document(load))["Forget"]) == 0
    assert machine.run(look) == 0
    machine.stand_in("docker", "exit 1")
    assert machine.run(look) != 0
