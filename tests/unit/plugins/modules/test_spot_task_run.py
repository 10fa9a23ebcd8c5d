# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A job's tasks: started once, waited for, started again where they failed; judged by ECS's requests."""

from __future__ import annotations

from datetime import UTC
from datetime import datetime
from datetime import timedelta
from typing import Any

import pytest

from ansible_collections.ethereal.spot.plugins.module_utils._aws.waiters import Pace
from ansible_collections.ethereal.spot.plugins.modules import spot_task_run

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ARN = "arn:aws:ecs:us-west-2:123456789012:"
DEFINITION = f"{ARN}task-definition/evaluate:7"
PLACED_NOWHERE = {"arn": f"{ARN}container-instance/training/1", "reason": "RESOURCE:GPU"}


class Ecs:
    """ECS with one definition, whose tasks run for some looks and end with the codes of `ends`, 0 after these."""

    def __init__(self, recorder: Any) -> None:
        self.definition: dict[str, Any] = {
            "taskDefinitionArn": DEFINITION,
            "family": "evaluate",
            "revision": 7,
            "status": "ACTIVE",
            "networkMode": "bridge",
            "containerDefinitions": [{"name": "evaluate", "essential": True}, {"name": "log", "essential": False}],
        }
        self.tasks: dict[str, dict[str, Any]] = {}
        self.looks: dict[str, int] = {}
        self.ends: list[int | None] = []
        self.takes = 2
        self.failures: list[dict[str, str]] = []
        self.room = 10
        self.tokens: dict[str, list[str]] = {}
        self.requests: list[dict[str, Any]] = []
        for operation in ("DescribeTaskDefinition", "ListTasks", "DescribeTasks", "RunTask"):
            recorder.answer("ecs", operation, getattr(self, operation))

    def DescribeTaskDefinition(self, params, region):
        return {"taskDefinition": self.definition}

    def ListTasks(self, params, region):
        assert params["family"] == "evaluate"
        stopped = params["desiredStatus"] == "STOPPED"
        return {"taskArns": [arn for arn, task in self.tasks.items() if (task["lastStatus"] == "STOPPED") == stopped]}

    def DescribeTasks(self, params, region):
        for arn in params["tasks"]:
            self.looks[arn] = self.looks.get(arn, 0) + 1
            if self.looks[arn] > self.takes and self.tasks[arn]["lastStatus"] != "STOPPED":
                self.end(arn, self.ends.pop(0) if self.ends else 0)
        return {"tasks": [self.tasks[arn] for arn in params["tasks"]], "failures": []}

    def RunTask(self, params, region):
        self.requests.append(params)
        if params["clientToken"] not in self.tokens:
            number = min(params["count"], self.room)
            self.tokens[params["clientToken"]] = [self.start(params["startedBy"]) for _each in range(number)]
        arns = self.tokens[params["clientToken"]]
        failures = [PLACED_NOWHERE] if len(arns) < params["count"] else []
        return {"tasks": [self.tasks[arn] for arn in arns], "failures": failures}

    def start(self, job: str, definition: str = DEFINITION) -> str:
        arn = f"{ARN}task/training/{len(self.tasks):032x}"
        self.tasks[arn] = {
            "taskArn": arn,
            "taskDefinitionArn": definition,
            "startedBy": job,
            "lastStatus": "RUNNING",
            "createdAt": NOW + timedelta(seconds=len(self.tasks)),
            "containers": [{"name": "evaluate"}, {"name": "log"}],
        }
        return arn

    def end(self, arn: str, code: int | None, **more: Any) -> None:
        codes = {} if code is None else {"exitCode": code}
        containers = [{"name": "evaluate", **codes}, {"name": "log", "exitCode": 137}]
        ended = {"lastStatus": "STOPPED", "stoppedReason": "Essential container in task exited", "stoppedAt": NOW}
        self.tasks[arn].update(ended, stopCode="EssentialContainerExited", containers=containers, **more)


@pytest.fixture
def ecs(recorder, monkeypatch):
    monkeypatch.setattr(spot_task_run, "PACE", Pace(0.01))
    monkeypatch.setattr(spot_task_run, "clock", lambda: 1_000_000)
    return Ecs(recorder)


@pytest.fixture
def run(run_module):
    def call(check_mode=False, **options):
        options = {
            "cluster": "training",
            "task_definition": "evaluate",
            "job": "nightly/1",
            "region": "us-west-2",
            **options,
        }
        return run_module(spot_task_run, options, check_mode)

    return call


def outcomes(result: dict[str, Any]) -> list[str]:
    return [task["outcome"] for task in result["tasks"]]


def test_foretold_run_and_run_again(ecs, run):
    foretold = run(check_mode=True, count=3)
    assert (foretold["changed"], foretold["started"], ecs.requests) == (True, 3, [])
    done = run(count=3)
    assert (done["changed"], done["started"], outcomes(done)) == (True, 3, ["succeeded"] * 3)
    assert done["task_definition"] == DEFINITION
    again = run(count=3)
    assert (again["changed"], again["started"], outcomes(again)) == (False, 0, ["succeeded"] * 3)
    assert len(ecs.requests) == 1


def test_check_mode_foretells_tasks_of_a_definition_that_does_not_exist_yet(ecs, run, recorder):
    foretold = run(check_mode=True, count=2, task_definition="(known after apply)")
    assert (foretold["changed"], foretold["started"], foretold["tasks"]) == (True, 2, [])
    assert recorder.calls == []


def test_more_are_started_and_fewer_stay(ecs, run):
    run(count=1)
    assert run(count=3)["started"] == 2
    assert run(count=2)["started"] == 0


def test_what_failed_is_told_and_run_again(ecs, run):
    ecs.ends = [0, 3]
    failed = run(count=2)
    assert failed["failed"]
    assert "evaluate ended with 3" in failed["msg"]
    assert "Essential container in task exited" in failed["msg"]
    assert (failed["changed"], outcomes(failed)) == (True, ["succeeded", "failed"])
    mended = run(count=2)
    assert (mended["started"], outcomes(mended)) == (1, ["succeeded", "failed", "succeeded"])


def test_a_task_that_never_ran_is_a_failure(ecs, run):
    ecs.ends = [None]
    failed = run()
    assert "evaluate did not run" in failed["msg"]
    assert outcomes(failed) == ["failed"]


def test_a_task_that_was_told_to_stop_has_not_done_its_work(ecs, run):
    """Whatever its container made of the signal."""
    for code in ("UserInitiated", "SpotInterruption"):
        arn = ecs.start("nightly/1")
        ecs.end(arn, 0)
        ecs.tasks[arn]["stopCode"] = code
    done = run()
    assert (done["started"], outcomes(done)) == (1, ["failed", "failed", "succeeded"])


def test_what_could_not_be_placed_fails_with_ecs_reasons(ecs, run):
    ecs.room = 1
    failed = run(count=3)
    assert failed["failed"]
    assert failed["msg"] == f"job nightly/1: 2 of 3 tasks could not be placed: RESOURCE:GPU {PLACED_NOWHERE['arn']}"
    assert failed["failures"] == [f"RESOURCE:GPU {PLACED_NOWHERE['arn']}"]
    assert (failed["changed"], failed["started"], outcomes(failed)) == (True, 1, ["running"])
    ecs.room = 10
    done = run(count=3)
    assert (done["started"], outcomes(done)) == (2, ["succeeded"] * 3)


def test_an_answer_that_was_lost_starts_nothing_twice(ecs, run, aws_error, recorder):
    def lost(params, region):
        ecs.RunTask(params, region)
        hidden.update(ecs.tasks)
        ecs.tasks.clear()
        raise aws_error("ServerException", "gone")

    hidden: dict[str, Any] = {}
    recorder.answer("ecs", "RunTask", lost)
    assert run(count=2)["failed"]
    recorder.answer("ecs", "RunTask", ecs.RunTask)
    # ECS is eventually consistent: the list does not show them yet, but the token does.
    ecs.tasks.update(hidden)
    listed, ecs.ListTasks = ecs.ListTasks, None
    recorder.answer("ecs", "ListTasks", lambda params, region: {"taskArns": []})
    done = run(count=2)
    assert (done.get("failed", False), outcomes(done)) == (False, ["succeeded"] * 2)
    assert len(ecs.tasks) == 2
    assert len({request["clientToken"] for request in ecs.requests}) == 1
    recorder.answer("ecs", "ListTasks", listed)
    assert run(count=2)["changed"] is False


def test_a_refusal_does_not_stand_for_long(ecs, run, monkeypatch):
    """ECS may answer the same token with the same refusal for a day."""
    ecs.room = 0
    assert "could not be placed" in run()["msg"]
    ecs.room = 10
    assert "could not be placed" in run()["msg"]
    monkeypatch.setattr(spot_task_run, "clock", lambda: 1_000_300)
    assert outcomes(run()) == ["succeeded"]


def test_only_the_jobs_own_tasks_count(ecs, run):
    ecs.start("another")
    ecs.end(ecs.start("nightly/1", f"{ARN}task-definition/evaluate:6"), 0)
    assert run(count=1)["started"] == 1


def test_tasks_that_run_are_waited_for_and_not_started_again(ecs, run):
    started = run(count=2, wait=False)
    assert (started["started"], outcomes(started)) == (2, ["running"] * 2)
    done = run(count=2)
    assert (done["changed"], outcomes(done)) == (False, ["succeeded"] * 2)


def test_time_is_up(ecs, run):
    ecs.takes = 10_000
    late = run(wait_timeout=1)
    assert late["failed"]
    assert "have not ended within 1 seconds" in late["msg"]
    assert outcomes(late) == ["running"]


def test_the_request(ecs, run):
    ecs.definition["networkMode"] = "awsvpc"
    run(
        capacity_provider_strategy=[{"capacity_provider": "spot"}, {"capacity_provider": "od", "weight": 0, "base": 1}],
        subnet_ids=["subnet-1"],
        security_group_ids=["sg-1"],
        overrides=[{"name": "evaluate", "command": ["a", "b"], "environment": {"N": 1}}],
        tags={"team": "ml"},
    )
    (request,) = ecs.requests
    assert request.pop("clientToken")
    assert request == {
        "cluster": "training",
        "taskDefinition": DEFINITION,
        "count": 1,
        "startedBy": "nightly/1",
        "propagateTags": "TASK_DEFINITION",
        "capacityProviderStrategy": [
            {"capacityProvider": "spot", "weight": 1, "base": 0},
            {"capacityProvider": "od", "weight": 0, "base": 1},
        ],
        "networkConfiguration": {
            "awsvpcConfiguration": {"subnets": ["subnet-1"], "assignPublicIp": "DISABLED", "securityGroups": ["sg-1"]}
        },
        "overrides": {
            "containerOverrides": [
                {"name": "evaluate", "command": ["a", "b"], "environment": [{"name": "N", "value": "1"}]}
            ]
        },
        "tags": [{"key": "team", "value": "ml"}],
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"job": ""}, "job: '' must be 1 to 128 letters"),
        ({"job": "a b"}, "job: 'a b' must be 1 to 128 letters"),
        ({"job": "a" * 129}, "must be 1 to 128 letters"),
        ({"count": 0}, "count: 0 must be 1 to 10"),
        ({"count": 11}, "count: 11 must be 1 to 10"),
        ({"launch_type": "EC2", "capacity_provider_strategy": [{"capacity_provider": "a"}]}, "exclude each other"),
        ({"security_group_ids": ["sg-1"]}, "security_group_ids: ['sg-1'] need subnet_ids"),
        ({"capacity_provider_strategy": [{"capacity_provider": "a", "weight": -1}]}, "must be 0 to 1000"),
        ({"subnet_ids": ["subnet-1"]}, "subnet_ids: ['subnet-1'] is only for network mode awsvpc"),
        ({"overrides": [{"name": "x"}]}, "overrides: 'x' is no container of evaluate (evaluate, log)"),
        ({"overrides": [{"name": "log"}, {"name": "log"}]}, "overrides: 'log' is listed twice"),
        ({"wait_timeout": -1}, "wait_timeout: -1"),
    ],
)
def test_bad_input_starts_nothing(ecs, run, options, message):
    refused = run(**options)
    assert refused["failed"]
    assert message in refused["msg"]
    assert ecs.requests == []


def test_a_definition_that_needs_a_network_or_is_inactive_starts_nothing(ecs, run):
    ecs.definition["networkMode"] = "awsvpc"
    assert "subnet_ids: [] must be given" in run()["msg"]
    ecs.definition.update(networkMode="bridge", status="INACTIVE")
    assert f"task_definition: '{DEFINITION}' is INACTIVE" in run()["msg"]
    assert ecs.requests == []
