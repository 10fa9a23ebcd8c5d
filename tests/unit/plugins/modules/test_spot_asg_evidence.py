# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What spot_asg and spot_fleet_info read back of a fleet's instances, against moto."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.ethereal.spot.plugins.modules import spot_fleet_info
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import REGION
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import World

NAMED = {"region": REGION, "name": "gpu-fleet"}
ON_SPOT = {"on_demand_base": 0, "min_size": 0}
PROOF = ["DescribeInstances", "DescribeVolumes", "DescribeRouteTables"]


def first_instance(world: World) -> str:
    return min(member["InstanceId"] for member in world.group()["Instances"])


def loosen(world: World, instance_id: str) -> None:
    """As somebody does it by hand."""
    # moto takes what is not said for the default, AWS leaves it as it is.
    world.ec2.modify_instance_metadata_options(
        InstanceId=instance_id, HttpTokens="optional", InstanceMetadataTags="enabled"
    )


def test_a_fleet_that_is_as_promised(world: World, run: Callable[..., Any]) -> None:
    made = run(world.options(wait=True))
    assert not made.failed, made["msg"]
    evidence = made["evidence"]
    assert evidence["compliant"], evidence
    assert sorted(evidence["instances"]) == sorted(made["group"]["instances"])
    for seen in evidence["instances"].values():
        assert {volume["kms_key_id"] for volume in seen["volumes"]} == {world.key}
        assert {volume["encrypted"] for volume in seen["volumes"]} == {True}
        assert seen["metadata_options"]["http_tokens"] == "required"
        assert seen["launch_template"] == {"id": made["launch_template_id"], "version": "1"}
        assert seen["instance_profile"].endswith("/gpu-fleet-node")
    assert {item["private"] for item in evidence["subnets"].values()} == {True}


def test_what_proof_costs(world: World, run: Callable[..., Any]) -> None:
    """Nothing unless it is asked for, else the named reads and no more."""
    run(world.options())
    without = run(world.options())
    assert without["evidence"] is None
    proved = run(world.options(prove=True))
    calls = proved.operations()
    for operation in PROOF:
        calls.remove(operation)
    assert calls == without.operations()
    assert proved.mutating == []
    assert run(world.options(wait=True, prove=False))["evidence"] is None
    assert run(world.options(prove=True), check_mode=True)["evidence"] is None


def test_what_is_not_as_promised_fails_the_run(world: World, run: Callable[..., Any]) -> None:
    made = run(world.options())
    wrong = first_instance(world)
    loosen(world, wrong)
    finding = {"instance": wrong, "rule": "metadata_tokens", "found": "optional", "wanted": "required"}
    for options in ({**NAMED, "prove": True}, {**NAMED, "wait": True}, world.options(wait=True)):
        failed = run(options)
        assert failed.failed
        assert failed["violations"] == failed["evidence"]["findings"] == [finding]
        assert f"{wrong}: metadata_tokens is 'optional', must be 'required'" in failed["msg"]
        assert failed["after"] == made["after"]
        assert failed.mutating == []
    told = run({**NAMED, "prove": True, "violations": "report"})
    assert not told.failed
    assert not told.changed
    assert told["evidence"]["findings"] == [finding]


def test_changes_are_made_before_it_fails(world: World, run: Callable[..., Any]) -> None:
    run(world.options())
    loosen(world, first_instance(world))
    failed = run({**NAMED, "max_size": 20, "prove": True})
    assert failed.failed
    assert failed["changed"]
    assert [change["what"] for change in failed["changes"]] == ["max_size"]
    assert world.group()["MaxSize"] == 20


def test_older_instances_keep_what_they_were_launched_with(world: World, run: Callable[..., Any]) -> None:
    run(world.options())
    moved = run({**NAMED, "kms_key_arn": world.make_key(), "metadata_hop_limit": 2, "prove": True})
    assert not moved.failed, moved["msg"]
    assert moved["evidence"]["compliant"]
    assert {item["launch_template"]["version"] for item in moved["evidence"]["instances"].values()} == {"1"}
    calls = [call for call in moved.calls if call.operation == "DescribeLaunchTemplateVersions"]
    assert calls[-1].params["Versions"] == ["1"]


def test_a_subnet_that_was_opened(world: World, run: Callable[..., Any]) -> None:
    run(world.options())
    (gateway,) = world.ec2.describe_internet_gateways()["InternetGateways"]
    main = world.ec2.describe_route_tables(
        Filters=[{"Name": "vpc-id", "Values": [world.vpc]}, {"Name": "association.main", "Values": ["true"]}]
    )["RouteTables"][0]["RouteTableId"]
    world.ec2.create_route(RouteTableId=main, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway["InternetGatewayId"])
    failed = run({**NAMED, "prove": True})
    assert failed.failed
    assert {item["rule"] for item in failed["violations"]} == {"private_subnet"}
    assert failed["violations"][0]["found"] == {"0.0.0.0/0": gateway["InternetGatewayId"]}
    accepted = run({**NAMED, "prove": True, "allow_public_subnets": True})
    assert not accepted.failed
    assert {item["private"] for item in accepted["evidence"]["subnets"].values()} == {False}


def test_a_volume_that_is_not_encrypted(world: World, run: Callable[..., Any]) -> None:
    run(world.options())
    wrong = first_instance(world)
    volume = world.ec2.create_volume(AvailabilityZone=f"{REGION}a", Size=8)["VolumeId"]
    world.ec2.attach_volume(VolumeId=volume, InstanceId=wrong, Device="/dev/sdf")
    (finding,) = run({**NAMED, "prove": True})["violations"]
    assert finding == {"instance": wrong, "rule": "volume_encryption", "found": {volume: False}, "wanted": True}


def test_both_groups_of_a_fleet(world: World, run: Callable[..., Any]) -> None:
    made = run(world.options(on_demand_group=True, wait=True))
    assert not made.failed, made["msg"]
    assert made["evidence"]["compliant"]
    assert made["on_demand_group"]["evidence"]["instances"] == {}


def test_an_auditor_reads_all_of_a_deployment(
    world: World, run: Callable[..., Any], run_module: Callable[..., Any]
) -> None:
    run(world.options())
    asked = {"region": REGION, "names": ["gpu-fleet", "gpu-fleet-od"]}
    assert run_module(spot_fleet_info, asked)["evidence"] is None
    told = run_module(spot_fleet_info, {**asked, "prove": True})
    assert told["evidence"]["compliant"]
    assert {item["group"] for item in told["evidence"]["instances"].values()} == {"gpu-fleet"}
    assert told.mutating == []
    loosen(world, first_instance(world))
    told = run_module(spot_fleet_info, {**asked, "prove": True})
    assert not told.failed
    assert [item["rule"] for item in told["evidence"]["findings"]] == ["metadata_tokens"]
