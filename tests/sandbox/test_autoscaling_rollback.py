# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Instance refreshes with a desired configuration, and their way back. Sources: botocore model, StartInstanceRefresh and

RollbackInstanceRefresh; EC2 Auto Scaling user guide, "How an instance refresh works", "Undo changes with a rollback".
"""

from __future__ import annotations

import pytest
from fleet_kit import Fleet
from fleet_kit import eventually
from fleet_kit import refused
from sandbox_process import Sandbox
from test_autoscaling_refresh import NAME
from test_autoscaling_refresh import ids
from test_autoscaling_refresh import start
from test_autoscaling_refresh import state
from test_autoscaling_refresh import until


@pytest.fixture
def fleet(sandbox: Sandbox) -> Fleet:
    return Fleet(sandbox)


@pytest.fixture
def template(fleet: Fleet) -> str:
    """A template of two versions."""
    template = fleet.template()
    fleet.ec2.create_launch_template_version(
        LaunchTemplateId=template, SourceVersion="1", LaunchTemplateData={"EbsOptimized": True}
    )
    return template


def desired(template: str, version: str = "2") -> dict:
    return {"LaunchTemplate": {"LaunchTemplateId": template, "Version": version}}


def plain(fleet: Fleet, template: str, count: int, version: str = "1") -> None:
    fleet.group(count, **desired(template, version))


def versions(fleet: Fleet, count: int) -> list[str]:
    return sorted(each["LaunchTemplate"]["Version"] for each in fleet.in_service(count))


def test_the_group_takes_the_desired_configuration_when_it_has_succeeded(fleet: Fleet, template: str) -> None:
    fleet.market(group_wait_scale=0.01)
    plain(fleet, template, 2)
    fleet.in_service(2)
    start(fleet, desired(template), CheckpointPercentages=[50, 100], CheckpointDelay=600)
    eventually(lambda: state(fleet), lambda found: found["PercentageComplete"] == 50, seconds=15)
    assert fleet.shown()["LaunchTemplate"]["Version"] == "1"
    assert state(fleet)["DesiredConfiguration"] == desired(template)
    # A scale-out meanwhile launches the desired configuration.
    fleet.resize(3)
    assert versions(fleet, 3) == ["1", "2", "2"]
    with refused("ValidationError", "An active instance refresh with a desired configuration exists."):
        fleet.asg.update_auto_scaling_group(**NAME, **desired(template))
    fleet.asg.update_auto_scaling_group(**NAME, MaxSize=9)
    until(fleet, "Successful")
    assert fleet.shown()["LaunchTemplate"]["Version"] == "2"
    assert versions(fleet, 3) == ["2", "2", "2"]


def test_a_mixed_policy_is_a_desired_configuration_too(fleet: Fleet, template: str) -> None:
    fleet.group(2, policy=fleet.policy(template, ("g4dn.xlarge",)))
    fleet.in_service(2)
    policy = fleet.policy(template, ("g5.xlarge",), OnDemandBaseCapacity=1)
    start(fleet, {"MixedInstancesPolicy": policy})
    until(fleet, "Successful")
    fleet.in_service(2)
    assert {each["InstanceType"] for each in fleet.instances()} == {"g5.xlarge"}
    assert fleet.lifecycles() == {"spot": 1, "on-demand": 1}
    shown = fleet.shown()["MixedInstancesPolicy"]
    assert shown["LaunchTemplate"]["Overrides"] == [{"InstanceType": "g5.xlarge"}]
    assert shown["InstancesDistribution"]["OnDemandBaseCapacity"] == 1


def test_skip_matching_leaves_instances_that_match(fleet: Fleet, template: str) -> None:
    plain(fleet, template, 1)
    old = ids(fleet, 1)
    fleet.asg.update_auto_scaling_group(**NAME, **desired(template))
    fleet.resize(2)
    new = ids(fleet, 2) - old
    start(fleet, desired(template), SkipMatching=True)
    assert state(fleet)["InstancesToUpdate"] == 1
    until(fleet, "Successful")
    assert new < ids(fleet, 2)
    assert not old & ids(fleet, 2)


def test_skip_matching_looks_at_types_too(fleet: Fleet, template: str) -> None:
    fleet.group(1, policy=fleet.policy(template, ("g4dn.xlarge",)))
    fleet.in_service(1)
    start(fleet, {"MixedInstancesPolicy": fleet.policy(template, ("g5.xlarge",))}, SkipMatching=True)
    until(fleet, "Successful")
    fleet.in_service(1)
    assert fleet.instances()[0]["InstanceType"] == "g5.xlarge"


def test_a_rollback_puts_the_old_configuration_back(fleet: Fleet, template: str) -> None:
    heard = fleet.listen({"source": ["aws.autoscaling"], "detail-type": [{"prefix": "EC2 Auto Scaling Instance"}]})
    plain(fleet, template, 4)
    before = ids(fleet, 4)
    refresh = start(fleet, desired(template), CheckpointPercentages=[50, 100])
    eventually(lambda: state(fleet), lambda found: found["PercentageComplete"] == 50, seconds=15)
    kept = before & ids(fleet, 4)
    assert fleet.asg.rollback_instance_refresh(**NAME)["InstanceRefreshId"] == refresh
    found = state(fleet)
    assert found["Status"] == "RollbackInProgress"
    details = found["RollbackDetails"]
    assert (details["PercentageCompleteOnRollback"], details["InstancesToUpdateOnRollback"]) == (50, 2)
    with refused("ActiveInstanceRefreshNotFound"):
        fleet.asg.rollback_instance_refresh(**NAME)
    done = until(fleet, "RollbackSuccessful")
    # botocore model: the percentage goes back to zero; the instances that were never updated are shown.
    assert (done["PercentageComplete"], done["InstancesToUpdate"]) == (0, 2)
    assert versions(fleet, 4) == ["1", "1", "1", "1"]
    assert kept < ids(fleet, 4)
    assert fleet.shown()["LaunchTemplate"]["Version"] == "1"
    names = [each["detail-type"].removeprefix("EC2 Auto Scaling Instance Refresh ") for each in heard()]
    assert names == ["Started", "Checkpoint Reached", "Rollback Started", "Rollback Succeeded"]


def test_a_refresh_that_fails_is_rolled_back_where_that_was_asked_for(fleet: Fleet, template: str) -> None:
    """User guide: a refresh that gets nowhere is tried for an hour, then fails."""
    fleet.market(group_wait_scale=0.001)
    plain(fleet, template, 2)
    fleet.in_service(2)
    gone = {"EbsOptimized": True, "InstanceType": "g6.xlarge"}
    fleet.ec2.create_launch_template_version(LaunchTemplateId=template, SourceVersion="1", LaunchTemplateData=gone)
    fleet.market(on_demand_capacity={fleet.region: {"g6.xlarge": 0}})
    start(fleet, desired(template, "3"), AutoRollback=True)
    done = until(fleet, "RollbackSuccessful", seconds=30)
    assert "one hour" in done["RollbackDetails"]["RollbackReason"]
    assert versions(fleet, 2) == ["1", "1"]
    assert fleet.shown()["LaunchTemplate"]["Version"] == "1"
    start(fleet, desired(template, "3"))
    assert "one hour" in until(fleet, "Failed", seconds=30)["StatusReason"]
    assert fleet.shown()["LaunchTemplate"]["Version"] == "1"


@pytest.mark.parametrize("version", ["$Latest", "$Default"])
def test_there_is_no_way_back_from_a_floating_version(fleet: Fleet, template: str, version: str) -> None:
    plain(fleet, template, 1)
    fleet.in_service(1)
    with refused("ValidationError", "Latest or"):
        start(fleet, desired(template, version), AutoRollback=True)
    start(fleet, desired(template, version))
    with refused("IrreversibleInstanceRefresh", "Latest or"):
        fleet.asg.rollback_instance_refresh(**NAME)


def test_there_is_no_way_back_without_a_desired_configuration(fleet: Fleet, template: str) -> None:
    plain(fleet, template, 1)
    fleet.in_service(1)
    with refused("ActiveInstanceRefreshNotFound"):
        fleet.asg.rollback_instance_refresh(**NAME)
    start(fleet)
    with refused("IrreversibleInstanceRefresh", "desired configuration"):
        fleet.asg.rollback_instance_refresh(**NAME)


def test_a_group_that_asks_for_requirements_takes_no_desired_configuration(fleet: Fleet, template: str) -> None:
    """User guide, limitations: such a refresh fails."""
    policy = fleet.policy(template)
    requirements = {"VCpuCount": {"Min": 4}, "MemoryMiB": {"Min": 8192}, "AcceleratorCount": {"Min": 1}}
    policy["LaunchTemplate"]["Overrides"] = [{"InstanceRequirements": requirements}]
    fleet.group(1, policy=policy)
    before = ids(fleet, 1)
    start(fleet, SkipMatching=True)
    assert "InstanceRequirements" in until(fleet, "Failed")["StatusReason"]
    assert ids(fleet, 1) == before
