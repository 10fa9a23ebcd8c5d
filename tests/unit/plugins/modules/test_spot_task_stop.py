# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cluster still runs on its own is stopped and waited for; judged by ECS's requests."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.ethereal.spot.plugins.module_utils._aws.waiters import Pace
from ansible_collections.ethereal.spot.plugins.modules import spot_task_stop

ARN = "arn:aws:ecs:us-west-2:123456789012:"


class Ecs:
    """ECS with some tasks, which stop some looks after they are told to."""

    def __init__(self, recorder: Any) -> None:
        self.tasks: dict[str, dict[str, Any]] = {}
        self.looks: dict[str, int] = {}
        self.told: list[dict[str, Any]] = []
        self.takes = 1
        for operation in ("ListTasks", "DescribeTasks", "StopTask"):
            recorder.answer("ecs", operation, getattr(self, operation))

    def runs(self, family: str, group: str = "family:any") -> str:
        arn = f"{ARN}task/training/{len(self.tasks):032x}"
        definition = f"{ARN}task-definition/{family}:3"
        self.tasks[arn] = {"taskArn": arn, "taskDefinitionArn": definition, "group": group, "lastStatus": "RUNNING"}
        return arn

    def ListTasks(self, params, region):
        assert (params["cluster"], params["desiredStatus"]) == ("training", "RUNNING")
        return {"taskArns": [arn for arn in self.tasks if arn not in self.looks]}

    def DescribeTasks(self, params, region):
        for arn in params["tasks"]:
            if arn in self.looks:
                self.looks[arn] += 1
                self.tasks[arn]["lastStatus"] = "STOPPED" if self.looks[arn] > self.takes else "DEACTIVATING"
        return {"tasks": [self.tasks[arn] for arn in params["tasks"]], "failures": []}

    def StopTask(self, params, region):
        self.told.append(params)
        self.looks[params["task"]] = 0
        return {"task": self.tasks[params["task"]]}


@pytest.fixture
def ecs(recorder, monkeypatch):
    monkeypatch.setattr(spot_task_stop, "PACE", Pace(0.01))
    return Ecs(recorder)


@pytest.fixture
def run(run_module):
    def call(check_mode=False, **options):
        return run_module(spot_task_stop, {"cluster": "training", "region": "us-west-2", **options}, check_mode)

    return call


def test_foretold_stopped_and_stopped_again(ecs, run):
    arns = [ecs.runs("fill"), ecs.runs("evaluate")]
    foretold = run(check_mode=True)
    assert (foretold["changed"], foretold["stopped"], ecs.told) == (True, arns, [])
    done = run()
    assert (done["changed"], done["stopped"]) == (True, arns)
    assert [told["reason"] for told in ecs.told] == ["Stopped by ethereal.spot"] * 2
    assert {task["lastStatus"] for task in ecs.tasks.values()} == {"STOPPED"}
    again = run()
    assert (again["changed"], again["stopped"], len(ecs.told)) == (False, [], 2)


def test_a_services_tasks_are_left_alone(ecs, run):
    ecs.runs("serve", "service:serve")
    assert run()["changed"] is False
    assert ecs.told == []


def test_one_family_only(ecs, run):
    fill = ecs.runs("fill")
    ecs.runs("fill-more")
    assert run(family="fill", reason="done")["stopped"] == [fill]
    assert [(told["task"], told["reason"]) for told in ecs.told] == [(fill, "done")]


def test_time_is_up(ecs, run):
    ecs.takes = 10_000
    ecs.runs("fill")
    late = run(wait_timeout=1)
    assert late["failed"]
    assert "1 of 1 tasks have not stopped within 1 seconds" in late["msg"]
    ecs.runs("evaluate")
    assert run(wait=False)["changed"] is True


@pytest.mark.parametrize(("code", "failed"), [("ClusterNotFoundException", False), ("AccessDeniedException", True)])
def test_a_cluster_that_is_gone_runs_nothing(run, recorder, aws_error, code, failed):
    def refuse(params, region):
        raise aws_error(code, "no")

    recorder.answer("ecs", "ListTasks", refuse)
    result = run()
    assert (bool(result.get("failed")), result.get("changed", False)) == (failed, False)


def test_bad_input_costs_no_call(ecs, run, recorder):
    refused = run(reason="")
    assert refused["msg"].startswith("reason: ")
    assert recorder.calls == []
