# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the unit tests share: modules run in process, calls to AWS recorded, answered or kept from leaving."""

from __future__ import annotations

import contextlib
import copy
import functools
import io
import json
import re
from collections.abc import Callable
from collections.abc import Iterator
from types import ModuleType
from typing import Any
from typing import NamedTuple

import botocore.handlers
import botocore.httpsession
import botocore.loaders
import botocore.session
import pytest
from ansible.module_utils import _internal
from ansible.module_utils.common import warnings as ansible_warnings
from ansible.module_utils.testing import patch_module_args
from botocore.client import ClientCreator
from botocore.exceptions import ClientError
from botocore.validate import validate_parameters
from hypothesis import HealthCheck
from hypothesis import settings
from moto import mock_aws

# How long an example takes says more of the machine and of what else runs on it than of the code.
settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("project")

# Operations that change nothing; what matches none of these counts as mutating, so that a new verb is noticed.
READING = re.compile(
    r"(Assume|Batch(Get|Describe)|Describe|Detect|Get|Head|List|Lookup|Query|Scan|Search|TransactGet|Validate)"
)


class _Call(NamedTuple):
    service: str
    operation: str
    params: dict[str, Any]


class Call(_Call):
    """One call to AWS as (service, operation, params), service by its botocore name; and the region it went to."""

    region: str


class Result(dict[str, Any]):
    """A module's result as Ansible would see it, and the calls that led to it."""

    failed: bool
    calls: list[Call]

    @property
    def changed(self) -> bool:
        return bool(self.get("changed"))

    @property
    def mutating(self) -> list[Call]:
        return mutating_calls(self.calls)

    def operations(self, service: str | None = None) -> list[str]:
        """The operations called, in order, of one service or all."""
        return [call.operation for call in self.calls if service in (None, call.service)]


def mutating_calls(calls: list[Call]) -> list[Call]:
    """The calls that could change something at AWS."""
    return [call for call in calls if not READING.match(call.operation) and call.params.get("DryRun") is not True]


class Recorder:
    """Sits in every botocore session made while it is installed, in front of moto and the network."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._answers: dict[tuple[str, str], Any] = {}

    def answer(self, service: str, operation: str, answer: Any) -> None:
        """Answer an operation here instead of sending it.

        `answer` is a response, a ClientError, or a function of the params and the region that returns or raises one,
        or returns None to let the call go on. A response must fit the operation's output in the botocore model.
        """
        self._answers[service, operation] = answer

    def remember_params(self, params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        context["unit_test_params"] = copy.deepcopy(params)

    def before_call(self, model: Any, context: dict[str, Any], **_: Any) -> Any:
        service = model.service_model.service_name
        call = Call(service, model.name, context.get("unit_test_params", {}))
        call.region = context["client_region"]
        self.calls.append(call)
        if (service, model.name) not in self._answers:
            return None
        answer = self._answers[service, model.name]
        try:
            if callable(answer):
                answer = answer(call.params, call.region)
            if isinstance(answer, ClientError):
                raise answer
        except ClientError as error:
            return type("Http", (), {"status_code": 400})(), error.response
        if answer is None:
            return None
        if model.output_shape:
            validate_parameters(answer, model.output_shape)
        return type("Http", (), {"status_code": 200})(), {**answer, "ResponseMetadata": {"HTTPStatusCode": 200}}


def client_error(code: str, message: str = "refused by the test", operation: str = "Operation") -> ClientError:
    """An error as AWS would answer it."""
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"RequestId": "request-1"}}, operation
    )


def _refuse_network(*args: Any, **kwargs: Any) -> Any:
    raise AssertionError("a unit test tried to reach the network; use the fixture `aws` or `recorder.answer`")


@pytest.fixture(scope="session", autouse=True)
def loader() -> Iterator[None]:
    """Read each service model and make the methods of its clients once: every module's session would do so anew."""
    genuine, made = ClientCreator._create_methods, {}

    def methods(self: ClientCreator, service_model: Any) -> dict[str, Any]:
        name = service_model.service_name
        if name not in made:
            made[name] = genuine(self, service_model)
        # Handlers add their own to it.
        return dict(made[name])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", functools.cache(botocore.loaders.create_loader))
        patch.setattr(ClientCreator, "_create_methods", methods)
        # moto fills each region with a thousand images and their snapshots, a quarter of a second every time.
        patch.setenv("MOTO_EC2_LOAD_DEFAULT_AMIS", "false")
        yield


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fake credentials, nothing of the caller's, and no way out."""
    for name in (
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_ENDPOINT_URL",
        "AWS_URL",
        "AWS_REGION",
        "AWS_SESSION_TOKEN",
    ):
        monkeypatch.delenv(name, raising=False)
    # A shorter secret would be masked wherever it occurs in a result.
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setattr(botocore.httpsession.URLLib3Session, "send", _refuse_network)


@pytest.fixture
def aws() -> Iterator[None]:
    """moto in process, empty."""
    with mock_aws(config={"core": {"mock_credentials": False}}):
        yield


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """Records and answers the calls of every client made from now on."""
    recorder = Recorder()
    handlers = [
        *botocore.handlers.BUILTIN_HANDLERS,
        ("before-parameter-build", recorder.remember_params),
        ("before-call", recorder.before_call),
    ]
    monkeypatch.setattr(botocore.handlers, "BUILTIN_HANDLERS", handlers)
    return recorder


@pytest.fixture
def mutating() -> Callable[[list[Call]], list[Call]]:
    return mutating_calls


@pytest.fixture
def aws_error() -> Callable[..., ClientError]:
    return client_error


@pytest.fixture
def run_module(recorder: Recorder, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """run_module(python_module, params, check_mode=False, diff=False) -> Result: run a module's main() in process."""

    def run(python_module: ModuleType, params: dict[str, Any], check_mode: bool = False, diff: bool = False) -> Result:
        first = len(recorder.calls)
        ansible_warnings._global_warnings.clear()
        ansible_warnings._global_deprecations.clear()
        output = io.StringIO()
        arguments = {**params, "_ansible_check_mode": check_mode, "_ansible_diff": diff}
        with (
            patch_module_args(arguments),
            monkeypatch.context() as patch,
            contextlib.redirect_stdout(output),
            pytest.raises(SystemExit),
        ):
            # Else warnings go to the controller's display, not into the result.
            patch.setattr(_internal, "is_controller", False)
            python_module.main()
        result = Result(json.loads(output.getvalue()))
        for kind in ("warnings", "deprecations"):
            if kind in result:
                result[kind] = [_plain_message(entry) for entry in result[kind]]
        result.failed = bool(result.get("failed"))
        result.calls = recorder.calls[first:]
        return result

    return run


def _plain_message(entry: Any) -> str:
    return entry if isinstance(entry, str) else entry["event"]["msg"]
