# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Interruptions on demand. Sources: aws-facts 3.3 and 3.4 (CapacityRebalance), EC2 user guide."""

from __future__ import annotations

import time

import pytest
from fleet_kit import Fleet
from fleet_kit import eventually
from sandbox_process import Sandbox


@pytest.fixture
def fleet(sandbox: Sandbox) -> Fleet:
    return Fleet(sandbox)


def test_the_warning_leaves_the_instance_in_service_until_it_is_lost_and_replaced(fleet: Fleet) -> None:
    fleet.group(1)
    lost = fleet.in_service(1)[0]["InstanceId"]
    heard = fleet.listen({"source": ["aws.ec2"]})
    answer = fleet.interrupt(instance_ids=[lost], notice_seconds=1.5)
    assert answer["instance_ids"] == [lost]
    said = time.monotonic()
    rebalance, warning = eventually(heard, lambda events: len(events) >= 2)[:2]
    zone = fleet.instance(lost)["Placement"]["AvailabilityZone"]
    assert rebalance["detail-type"] == "EC2 Instance Rebalance Recommendation"
    assert rebalance["detail"] == {"instance-id": lost}
    assert warning["detail-type"] == "EC2 Spot Instance Interruption Warning"
    assert warning["detail"] == {"instance-id": lost, "instance-action": "terminate"}
    assert warning["resources"] == [f"arn:aws:ec2:{zone}:instance/{lost}"]
    while time.monotonic() < said + 0.8:
        assert [each["InstanceId"] for each in fleet.members()] == [lost]
        assert fleet.instance(lost)["State"]["Name"] == "running"
    gone = eventually(lambda: fleet.instance(lost), lambda it: it["State"]["Name"] == "terminated")
    assert gone["StateReason"]["Code"] == "Server.SpotInstanceTermination"
    request = fleet.ec2.describe_spot_instance_requests(SpotInstanceRequestIds=[gone["SpotInstanceRequestId"]])
    assert request["SpotInstanceRequests"][0]["Status"]["Code"] == "instance-terminated-no-capacity"
    assert fleet.in_service(1)[0]["InstanceId"] != lost


def test_a_whole_group_can_be_interrupted_but_only_its_spot_instances(fleet: Fleet) -> None:
    fleet.group(3, policy=fleet.policy(fleet.template(), OnDemandBaseCapacity=1))
    before = {each["InstanceId"] for each in fleet.in_service(3)}
    answer = fleet.interrupt(asg="g", events=["loss"], notice_seconds=0)
    assert len(answer["instance_ids"]) == 2
    eventually(
        lambda: {each["InstanceId"] for each in fleet.members()},
        lambda now: len(now) == 3 and now & before == before - set(answer["instance_ids"]),
    )


def test_capacity_rebalancing_launches_first_and_lets_the_old_one_go_then(fleet: Fleet) -> None:
    fleet.group(1, CapacityRebalance=True)
    old = fleet.in_service(1)[0]["InstanceId"]
    fleet.interrupt(instance_ids=[old], events=["rebalance"])
    both = fleet.shown()["Instances"]
    assert len(both) == 2
    assert fleet.instance(old)["State"]["Name"] == "running"
    assert fleet.in_service(1)[0]["InstanceId"] != old
    activity = next(each for each in fleet.activities() if each["Description"] == f"Terminating EC2 instance: {old}")
    assert "rebalance recommendation" in activity["Cause"]


def test_without_capacity_the_old_one_stays_until_it_is_lost(fleet: Fleet) -> None:
    fleet.group(1, CapacityRebalance=True)
    old = fleet.in_service(1)[0]["InstanceId"]
    fleet.market(capacity={fleet.region: {"*": 0}})
    fleet.interrupt(instance_ids=[old], notice_seconds=1)
    eventually(lambda: fleet.activities(status="Failed"), bool)
    assert [each["InstanceId"] for each in fleet.members()] == [old]
    eventually(fleet.shown, lambda found: found["Instances"] == [])


def test_with_rebalancing_a_warning_alone_launches_at_once(fleet: Fleet) -> None:
    """EC2 Auto Scaling user guide, Capacity Rebalancing, "Considerations": the recommendation may come with the notice, or never."""
    fleet.group(1, CapacityRebalance=True)
    old = fleet.in_service(1)[0]["InstanceId"]
    fleet.interrupt(instance_ids=[old], events=["warning"])
    assert len(fleet.shown()["Instances"]) == 2
    assert fleet.in_service(1)[0]["InstanceId"] != old


def test_without_rebalancing_the_recommendation_changes_nothing(fleet: Fleet) -> None:
    fleet.group(1)
    old = fleet.in_service(1)[0]["InstanceId"]
    fleet.interrupt(instance_ids=[old], events=["rebalance"])
    time.sleep(0.6)
    assert [each["InstanceId"] for each in fleet.shown()["Instances"]] == [old]


@pytest.mark.parametrize(
    ("request_body", "message"),
    [
        ([], "a request is an object"),
        ({"region": "us-west-2"}, "exactly one must be given"),
        ({"region": "mars", "instance_ids": []}, "region: 'mars' must be"),
        ({"region": "us-west-2", "asg": "none"}, "asg: 'none' must be a group in us-west-2"),
        ({"region": "us-west-2", "instance_ids": ["i-1"]}, "'i-1' must be a running spot instance"),
        ({"region": "us-west-2", "instance_ids": [], "events": ["boom"]}, "events: ['boom'] must be a list of"),
        ({"region": "us-west-2", "instance_ids": [], "notice_seconds": -1}, "notice_seconds: -1 must be"),
        ({"region": "us-west-2", "instance_ids": [], "when": 1}, "when: unknown key"),
    ],
)
def test_bad_requests_are_refused_in_one_line(sandbox: Sandbox, request_body, message: str) -> None:
    with pytest.raises(AssertionError) as caught:
        sandbox.control("POST", "interrupt", request_body)
    assert "400" in str(caught.value)
    assert message in str(caught.value)
