# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A sandbox process, with clients of it and its controls."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import boto3
import botocore
from botocore.config import Config

ROOT = Path(__file__).resolve().parents[2]
INTERPRETER = os.environ.get("SANDBOX_PYTHON") or str(ROOT / ".venvs/sandbox/bin/python")
MODELS = str(Path(botocore.__file__).parent / "data")


class Sandbox:
    """One sandbox process: clients of it, and its controls."""

    def __init__(self) -> None:
        self._place(self.free_port())
        # The product's own botocore judges the requests, and the emulators have to be byte-compiled to start in time.
        environment = {**os.environ, "SANDBOX_MODELS": MODELS}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self.process = subprocess.Popen(
            [INTERPRETER, "-m", "sandbox", str(self.port)], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline().strip()
        assert line == f"sandbox ready {self.url}", f"the sandbox did not start: {line!r}"

    @staticmethod
    def free_port() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    @classmethod
    def of(cls, port: int) -> Sandbox:
        """Clients and controls of a sandbox that somebody else started."""
        found = cls.__new__(cls)
        found._place(port)
        return found

    def _place(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def client(
        self, service: str, region: str = "us-east-1", key: str = "testing", secret: str = "testing", **options: Any
    ) -> Any:
        """A boto3 client of the sandbox, without retries; `options` go to boto3."""
        options.setdefault("config", Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}))
        return boto3.session.Session().client(
            service,
            region_name=region,
            endpoint_url=self.url,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            **options,
        )

    def raw(
        self, method: str, path: str, body: bytes | str | None = None, headers: dict | None = None
    ) -> tuple[int, bytes]:
        """Status and body of any request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.read()

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """The answer of `/_sandbox/<path>`; a refusal raises AssertionError with its text."""
        status, content = self.raw(method, f"/_sandbox/{path}", None if body is None else json.dumps(body))
        assert status == 200, f"{status} {content.decode()}"
        return json.loads(content)

    def calls(self, mutating: bool | None = None) -> list[dict[str, Any]]:
        """The call log; with `mutating`, only the calls that change something (change sets excepted), or only the others."""
        found = self.control("GET", "calls")
        if mutating is None:
            return found
        return [call for call in found if (call["mutating"] and not call["change_set"]) is mutating]

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)
