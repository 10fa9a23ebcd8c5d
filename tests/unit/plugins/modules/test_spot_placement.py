# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""spot_placement against a small model of Auto Scaling and ECS whose time passes while the module sleeps."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from typing import Any

import pytest

from ansible_collections.ethereal.spot.plugins.module_utils._aws import autoscaling
from ansible_collections.ethereal.spot.plugins.module_utils._aws import ecs
from ansible_collections.ethereal.spot.plugins.module_utils._aws.waiters import Pace
from ansible_collections.ethereal.spot.plugins.modules import spot_placement

REGION = "us-east-1"
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
TASK_DEFINITION = f"arn:aws:ecs:{REGION}:123456789012:task-definition/llm:1"
OPTIONS = {
    "region": REGION,
    "name": "llm",
    "cluster": "llm",
    "service": "llm",
    "wait_timeout": 100,
    "give_up_after": 20,
}


class Cloud:
    """Two groups and a service. One second of sleep is one step: a launch or its failure, a task's start, its health."""

    def __init__(self, recorder: Any) -> None:
        self.now = 0.0
        self.capacity = {"llm": 99, "llm-od": 99}
        self.owner = "placement"
        self.desired = {"llm": 0, "llm-od": 0}
        self.members: dict[str, list[str]] = {"llm": [], "llm-od": []}
        self.activities: dict[str, list[dict[str, Any]]] = {"llm": [], "llm-od": []}
        self.count: int | None = 0
        self.tasks: dict[str, dict[str, Any]] = {}
        self.stopped: list[dict[str, Any]] = []
        self.unhealthy = False
        self.health_check = True
        self.events: list[str] = []
        self.made = 0
        self.history: list[tuple[str, Any]] = []
        for name in dir(self):
            if name.startswith("answer_"):
                _answer, service, operation = name.split("_")
                recorder.answer(service, operation, getattr(self, name))

    def pace(self) -> Pace:
        return Pace(delay=1, clock=lambda: self.now, sleep=self.sleep)

    def sleep(self, seconds: float) -> None:
        for _second in range(round(seconds)):
            self.now += 1
            self.step()

    def time(self) -> datetime:
        return EPOCH + timedelta(seconds=self.now)

    def step(self) -> None:
        for group, desired in self.desired.items():
            if group not in self.members:
                continue
            members = self.members[group]
            while len(members) > desired:
                self._stop_tasks_on(members.pop(0), f"Host EC2 terminated in {group}")
            if len(members) < desired:
                self._launch(group)
        for task in self.tasks.values():
            task["healthStatus"] = "UNHEALTHY" if self.unhealthy else "HEALTHY"
        self._place_tasks()

    def _launch(self, group: str) -> None:
        market = "On-Demand" if group.endswith("-od") else "Spot"
        activity = {
            "ActivityId": f"activity-{len(self.activities[group])}",
            "AutoScalingGroupName": group,
            "Cause": "a difference between desired and actual capacity",
            "Description": "Launching a new EC2 instance",
            "Progress": 100,
            "StartTime": self.time(),
            "StatusCode": "Successful",
        }
        if len(self.members[group]) >= self.capacity[group]:
            text = f"Could not launch {market} Instances. InsufficientInstanceCapacity - There is no capacity."
            activity |= {"StatusCode": "Failed", "StatusMessage": f"{text} Launching EC2 instance failed."}
        else:
            self.made += 1
            self.members[group].append(f"i-{self.made:017x}")
        self.activities[group].insert(0, activity)

    def _stop_tasks_on(self, instance: str, reason: str) -> None:
        for arn in [arn for arn, task in self.tasks.items() if task["node"] == instance]:
            self._stop(arn, reason)

    def _stop(self, arn: str, reason: str) -> None:
        task = self.tasks.pop(arn)
        self.history.append(("task stopped", task["node"]))
        self.stopped.append({**task, "stoppedAt": self.time(), "stoppedReason": reason, "lastStatus": "STOPPED"})

    def _place_tasks(self) -> None:
        for arn in list(self.tasks)[self.count or 0 :]:
            self._stop(arn, "Scaling activity initiated by (deployment)")
        busy = {task["node"] for task in self.tasks.values()}
        idle = [node for members in self.members.values() for node in members if node not in busy]
        while len(self.tasks) < (self.count or 0) and idle:
            self.made += 1
            arn = f"arn:aws:ecs:{REGION}:123456789012:task/llm/{self.made:032x}"
            self.tasks[arn] = {"node": idle.pop(0), "startedAt": self.time(), "healthStatus": "UNKNOWN"}

    def answer_autoscaling_DescribeAutoScalingGroups(self, params: dict[str, Any], region: str) -> dict[str, Any]:
        return {
            "AutoScalingGroups": [self._group(name) for name in params["AutoScalingGroupNames"] if name in self.members]
        }

    def _group(self, name: str) -> dict[str, Any]:
        member = {"AvailabilityZone": "us-east-1a", "HealthStatus": "Healthy", "LifecycleState": "InService"}
        return {
            "AutoScalingGroupName": name,
            "AvailabilityZones": ["us-east-1a"],
            "CreatedTime": EPOCH,
            "DefaultCooldown": 300,
            "DesiredCapacity": self.desired[name],
            "HealthCheckType": "EC2",
            "Instances": [{**member, "InstanceId": node, "ProtectedFromScaleIn": False} for node in self.members[name]],
            "MaxSize": 10,
            "MinSize": 0,
            "Tags": [{"Key": "ethereal-spot:capacity-owner", "Value": self.owner}],
        }

    def answer_autoscaling_DescribeScalingActivities(self, params: dict[str, Any], region: str) -> dict[str, Any]:
        return {"Activities": self.activities[params["AutoScalingGroupName"]]}

    def answer_autoscaling_SetDesiredCapacity(self, params: dict[str, Any], region: str) -> dict[str, Any]:
        name = params["AutoScalingGroupName"]
        self.history.append((name, (params["DesiredCapacity"], sorted(task["node"] for task in self.tasks.values()))))
        self.desired[name] = params["DesiredCapacity"]
        return {}

    def answer_ec2_DescribeInstances(self, params: dict[str, Any], region: str) -> dict[str, Any]:
        instances = [
            {
                "InstanceId": node,
                "InstanceType": "g5.xlarge",
                "LaunchTime": EPOCH,
                "State": {"Name": "running"},
                **({} if name.endswith("-od") else {"InstanceLifecycle": "spot"}),
            }
            for name, members in self.members.items()
            for node in members
        ]
        return {"Reservations": [{"Instances": instances}]}

    def answer_ecs_DescribeServices(self, params: dict[str, Any], region: str) -> dict[str, Any]:
        if self.count is None:
            return {"services": []}
        service = {
            "clusterArn": f"arn:aws:ecs:{REGION}:123456789012:cluster/llm",
            "desiredCount": self.count,
            "events": [{"message": message} for message in self.events],
            "pendingCount": 0,
            "runningCount": len(self.tasks),
            "serviceName": "llm",
            "status": "ACTIVE",
            "taskDefinition": TASK_DEFINITION,
        }
        return {"services": [service]}

    def answer_ecs_DescribeTaskDefinition(self, params: dict[str, Any], region: str) -> dict[str, Any]:
        check = {"healthCheck": {"command": ["CMD-SHELL", "true"]}} if self.health_check else {}
        return {"taskDefinition": {"containerDefinitions": [{"name": "llm", "essential": True, **check}]}}

    def answer_ecs_ListTasks(self, params: dict[str, Any], region: str) -> dict[str, Any]:
        if params["desiredStatus"] == "STOPPED":
            return {"taskArns": [f"stopped/{index}" for index in range(len(self.stopped))]}
        return {"taskArns": list(self.tasks)}

    def answer_ecs_DescribeTasks(self, params: dict[str, Any], region: str) -> dict[str, Any]:
        found = []
        for arn in params["tasks"]:
            task = self.stopped[int(arn.rpartition("/")[2])] if arn.startswith("stopped/") else self.tasks[arn]
            shown = {key: value for key, value in task.items() if key != "node"}
            health = shown["healthStatus"] if self.health_check else "UNKNOWN"
            found.append(
                {
                    "lastStatus": "RUNNING",
                    **shown,
                    "containerInstanceArn": f"node/{task['node']}",
                    "containers": [{"name": "llm", "reason": "CannotPullContainerError: no such image"}],
                    "desiredStatus": "RUNNING",
                    "healthStatus": health,
                    "taskArn": arn,
                    "taskDefinitionArn": TASK_DEFINITION,
                }
            )
        return {"tasks": found}

    def answer_ecs_DescribeContainerInstances(self, params: dict[str, Any], region: str) -> dict[str, Any]:
        nodes = [
            {"containerInstanceArn": arn, "ec2InstanceId": arn.removeprefix("node/")}
            for arn in params["containerInstances"]
        ]
        return {"containerInstances": nodes}

    def answer_ecs_UpdateService(self, params: dict[str, Any], region: str) -> dict[str, Any]:
        self.history.append(("service", params["desiredCount"]))
        self.count = params["desiredCount"]
        return {}


@pytest.fixture
def cloud(recorder: Any, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    made = Cloud(recorder)
    monkeypatch.setattr(spot_placement, "PACE", made.pace())
    return made


@pytest.fixture
def run(run_module: Callable[..., Any]) -> Callable[..., Any]:
    def go(modes: dict[str, bool] | None = None, **options: Any) -> Any:
        return run_module(spot_placement, {**OPTIONS, **options}, **(modes or {}))

    return go


def test_up_and_again_and_down(cloud: Cloud, run: Callable[..., Any]) -> None:
    predicted = run({"check_mode": True, "diff": True}, spot=2, on_demand=1)
    assert predicted.changed
    assert predicted.mutating == []
    assert predicted["diff"] == {
        "before": {"spot": 0, "on_demand": 0, "tasks": 0},
        "after": {"spot": 2, "on_demand": 1, "tasks": 3},
    }
    made = run(spot=2, on_demand=1)
    assert made["changes"] == predicted["changes"]
    assert made["after"] == predicted["after"]
    assert [(call.operation, call.params) for call in made.mutating] == [
        ("SetDesiredCapacity", {"AutoScalingGroupName": "llm", "DesiredCapacity": 2, "HonorCooldown": False}),
        ("SetDesiredCapacity", {"AutoScalingGroupName": "llm-od", "DesiredCapacity": 1, "HonorCooldown": False}),
        ("UpdateService", {"cluster": "llm", "service": "llm", "desiredCount": 3}),
    ]
    assert [item["lifecycle"] for item in made["instances"]] == ["spot", "spot", "on-demand"]
    assert {task["health"] for task in made["tasks"]} == {"HEALTHY"}
    assert {task["instance_id"] for task in made["tasks"]} == {item["instance_id"] for item in made["instances"]}
    assert made["seconds"] == cloud.now > 0
    assert made["tasks"][0]["started_after"] > 0
    assert made["failures"] == []

    again = run(spot=2, on_demand=1)
    assert not again.changed
    assert again.mutating == []
    assert again["seconds"] is None
    assert len(again["tasks"]) == 3

    cloud.history.clear()
    emptied = run(spot=0)
    assert [change["kind"] for change in emptied["changes"]] == [
        "set_desired_count",
        "set_desired_capacity",
        "set_desired_capacity",
    ]
    assert emptied["instances"] == emptied["tasks"] == []
    # No instance went under a running task.
    assert [item for item in cloud.history if item[0] in ("llm", "llm-od")] == [("llm", (0, [])), ("llm-od", (0, []))]
    assert not run(spot=0).changed


SOUND = {
    "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeId": "vol-1"}}],
    "EbsOptimized": True,
    "MetadataOptions": {"HttpTokens": "required"},
    "Monitoring": {"State": "enabled"},
}


@pytest.fixture
def volume(cloud: Cloud, recorder: Any) -> dict[str, Any]:
    """The volume of the place's first instance, which is as it must be in all else."""

    def instances(params: dict[str, Any], region: str) -> dict[str, Any]:
        answer = cloud.answer_ec2_DescribeInstances(params, region)
        answer["Reservations"][0]["Instances"] = [{**item, **SOUND} for item in answer["Reservations"][0]["Instances"]]
        return answer

    attachments = [{"Device": "/dev/xvda", "InstanceId": f"i-{1:017x}"}]
    made = {"Attachments": attachments, "Encrypted": True, "KmsKeyId": "key", "VolumeId": "vol-1"}
    recorder.answer("ec2", "DescribeInstances", instances)
    recorder.answer("ec2", "DescribeVolumes", lambda params, region: {"Volumes": [made]})
    return made


def test_proves_what_it_launched(run: Callable[..., Any], volume: dict[str, Any]) -> None:
    assert "DescribeVolumes" not in run(spot=0, prove=True).operations()
    made = run(spot=1, prove=True)
    assert not made.failed, made["msg"]
    assert made["evidence"]["compliant"]
    assert [item["id"] for item in made["evidence"]["instances"][f"i-{1:017x}"]["volumes"]] == ["vol-1"]
    without = run(spot=1)
    assert "evidence" not in without
    proved = run(spot=1, prove=True).operations()
    proved.remove("DescribeVolumes")
    assert proved == without.operations()


def test_fails_once_it_serves_on_what_is_not_as_it_must_be(run: Callable[..., Any], volume: dict[str, Any]) -> None:
    volume["Encrypted"] = False
    failed = run(spot=1, prove=True)
    assert failed.failed
    assert "volume_encryption is {'vol-1': False}, must be True" in failed["msg"]
    assert failed["violations"] == failed["evidence"]["findings"]
    assert failed["after"] == {"spot": 1, "on_demand": 0, "tasks": 1}
    assert failed["failures"] == []
    assert len(failed["tasks"]) == 1
    told = run(spot=1, prove=True, violations="report")
    assert not told.failed
    assert told["evidence"]["findings"] == failed["violations"]


def test_second_run_verifies_health(cloud: Cloud, run: Callable[..., Any]) -> None:
    run(spot=1)
    cloud.unhealthy = True
    cloud.sleep(1)
    failed = run(spot=1)
    assert failed.failed
    assert not failed.changed
    assert "has 0 of 1 tasks healthy" in failed["msg"]
    assert failed.mutating == []
    assert cloud.now <= 210


def test_check_mode_shows_what_is_there_now(cloud: Cloud, run: Callable[..., Any]) -> None:
    """Who publishes a place's instances must not predict that they vanish."""
    real = run(spot=1)
    check = run({"check_mode": True}, spot=1)
    assert not check.changed
    assert check["instances"] == real["instances"]
    assert check["tasks"] == real["tasks"]


def test_no_health_check_takes_running_for_ready(cloud: Cloud, run: Callable[..., Any]) -> None:
    cloud.health_check = False
    assert run(spot=1)["tasks"][0]["health"] == "UNKNOWN"


def test_gives_up_without_capacity(cloud: Cloud, run: Callable[..., Any]) -> None:
    cloud.capacity["llm"] = 0
    failed = run(spot=2)
    assert failed.failed
    assert failed.changed
    assert 20 <= cloud.now < 30
    (failure,) = failed["failures"]
    assert (failure["code"], failure["scope"], failure["market"]) == ("InsufficientInstanceCapacity", "pool", "spot")
    assert failure["count"] >= 2
    assert failure["group"] == "llm"
    assert "InsufficientInstanceCapacity in llm: There is no capacity" in failed["msg"]
    assert failed["before"] == {"spot": 0, "on_demand": 0, "tasks": 0}


def test_one_launch_keeps_hope(cloud: Cloud, run: Callable[..., Any]) -> None:
    cloud.capacity["llm"] = 1
    failed = run(spot=2)
    assert failed.failed
    assert cloud.now >= 99
    assert [item["lifecycle_state"] for item in failed["instances"]] == ["InService"]


def test_failures_of_the_past_do_not_count(cloud: Cloud, run: Callable[..., Any]) -> None:
    cloud.capacity["llm"] = 0
    run(spot=1)
    cloud.capacity["llm"] = 99
    served = run(spot=1)
    assert not served.failed
    assert not served.changed
    assert served["failures"] == []


def test_says_why_tasks_stop(cloud: Cloud, run: Callable[..., Any]) -> None:
    run(spot=1)
    cloud.unhealthy = True
    for _restart in range(3):
        cloud._stop_tasks_on(cloud.members["llm"][0], "Task failed container health checks")
        cloud.sleep(1)
    cloud.events = ["(service llm) is unable to consistently start tasks"]
    failed = run(spot=1)
    assert "a task stopped: Task failed container health checks; llm: CannotPullContainerError" in failed["msg"]
    assert "ECS says: (service llm) is unable to consistently start tasks" in failed["msg"]
    assert [task["reason"] for task in failed["stopped_tasks"]] == ["Task failed container health checks"] * 3


def test_move_makes_before_it_breaks(cloud: Cloud, run: Callable[..., Any]) -> None:
    run(spot=2)
    cloud.history.clear()
    moved = run(spot=1, on_demand=1)
    assert [(change["what"], change["before"], change["after"]) for change in moved["changes"]] == [
        ("llm-od", 0, 1),
        ("llm", 2, 1),
    ]
    assert len(cloud.members["llm-od"]) == 1
    assert [item["lifecycle"] for item in moved["instances"]] == ["spot", "on-demand"]


def test_move_that_fails_breaks_nothing(cloud: Cloud, run: Callable[..., Any]) -> None:
    run(spot=2)
    cloud.capacity["llm-od"] = 0
    failed = run(spot=1, on_demand=1)
    assert failed.failed
    assert (failed["failures"][0]["market"], failed["failures"][0]["group"]) == ("on-demand", "llm-od")
    assert len(cloud.members["llm"]) == 2
    assert len(cloud.tasks) == 2


def test_killed_after_any_change(cloud: Cloud, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    for wanted in ({"spot": 2, "on_demand": 1}, {"spot": 0, "on_demand": 2}, {"spot": 0}):
        for killed_at in range(3):
            calls = 0

            def kill(genuine: Callable[..., Any], last: int = killed_at) -> Callable[..., Any]:
                def call(*args: Any) -> Any:
                    nonlocal calls
                    answer = genuine(*args)
                    calls += 1
                    if calls == last + 1:
                        raise Killed
                    return answer

                return call

            with monkeypatch.context() as patch:
                patch.setattr(autoscaling, "set_desired_capacity", kill(autoscaling.set_desired_capacity))
                patch.setattr(ecs, "set_desired_count", kill(ecs.set_desired_count))
                try:
                    run(**wanted)
                except Killed:
                    pass
            repaired = run(**wanted)
            assert not repaired.failed
            assert not run(**wanted).changed


def test_without_waiting(cloud: Cloud, run: Callable[..., Any]) -> None:
    made = run(spot=2, wait=False)
    assert made.changed
    assert cloud.now == 0
    assert made["instances"] == []
    assert made["after"] == {"spot": 2, "on_demand": 0, "tasks": 2}


def test_groups_alone(cloud: Cloud, run_module: Callable[..., Any]) -> None:
    made = run_module(spot_placement, {"region": REGION, "name": "llm", "spot": 1})
    assert made["after"] == {"spot": 1, "on_demand": 0}
    assert not made.operations("ecs")


def test_missing_things(cloud: Cloud, run: Callable[..., Any]) -> None:
    del cloud.members["llm-od"]
    assert not run(spot=1).failed
    refused = run(spot=1, on_demand=1)
    assert "group 'llm-od' does not exist: create it with spot_asg" in refused["msg"]
    del cloud.members["llm"]
    cloud.count = None
    predicted = run({"check_mode": True}, spot=2, on_demand=1)
    assert predicted["before"] == {"spot": 0, "on_demand": 0, "tasks": 0}
    assert predicted["after"] == {"spot": 2, "on_demand": 1, "tasks": 3}
    refused = run(spot=1)
    assert "group 'llm' does not exist" in refused["msg"]
    assert refused.mutating == []


def test_missing_service(cloud: Cloud, run: Callable[..., Any]) -> None:
    cloud.count = None
    refused = run(spot=1)
    assert refused["msg"] == "service 'llm' does not exist in cluster 'llm'"
    assert refused.mutating == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"spot": -1}, "spot: -1 must be a whole number"),
        ({"spot": True}, "spot: True must be a whole number"),
        ({"spot": 11}, "spot: 11 is above max_size (10) of group 'llm'"),
        ({"spot": 0, "on_demand": 11}, "on_demand: 11 is above max_size (10) of group 'llm-od'"),
        ({"spot": 1, "name": "a b"}, "name: 'a b' must match"),
        ({"spot": 1, "on_demand_name": "llm"}, "on_demand_name: 'llm' is the spot group's name, too"),
        ({"spot": 1, "wait_timeout": -1}, "wait_timeout: -1 must be a whole number"),
        ({"spot": 1, "cluster": None}, "cluster: None is needed: cluster and service are given together"),
    ],
)
def test_bad_input_changes_nothing(
    cloud: Cloud, run: Callable[..., Any], options: dict[str, Any], message: str
) -> None:
    refused = run(**options)
    assert refused.failed
    assert message in refused["msg"]
    assert refused.mutating == []


@pytest.mark.parametrize("owner", ["playbook", "scaling"])
def test_groups_of_other_owners_are_refused(cloud: Cloud, run: Callable[..., Any], owner: str) -> None:
    cloud.owner = owner
    refused = run(spot=1)
    assert f"group 'llm' belongs to capacity_owner '{owner}', not to 'placement'" in refused["msg"]
    assert refused.mutating == []
