# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a fleet buys, against moto: weights, requirements, strategies, price, target groups."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3

from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import REGION
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import World
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import foretold

ONE = {"region": REGION, "name": "gpu-fleet"}
NEEDS = {"vcpu_count": {"min": 4}, "memory_mib": {"min": 16384, "max": 65536}, "accelerator_types": ["gpu"]}


def policy(world: World) -> dict[str, Any]:
    return world.group()["MixedInstancesPolicy"]


def test_weights_come_and_go(world: World, run: Callable[..., Any]) -> None:
    foretold(run, world.options(instance_weights={"g4dn.xlarge": 1, "g5.xlarge": 2}))
    assert policy(world)["LaunchTemplate"]["Overrides"] == [
        {"InstanceType": "g4dn.xlarge", "WeightedCapacity": "1"},
        {"InstanceType": "g5.xlarge", "WeightedCapacity": "2"},
    ]
    changed = foretold(run, {**ONE, "instance_types": ["g5.xlarge"]})
    assert {change["what"] for change in changed["changes"]} == {"instance_types", "instance_weights"}
    refused = run({**ONE, "instance_types": ["g5.xlarge", "g6.xlarge"]})
    assert "instance_weights: 'g6.xlarge' has no weight and others have" in refused["msg"]
    foretold(run, {**ONE, "instance_weights": {}})
    assert policy(world)["LaunchTemplate"]["Overrides"] == [{"InstanceType": "g5.xlarge"}]


def test_weights_of_types_that_are_not_offered(world: World, run: Callable[..., Any]) -> None:
    weights = {"g4dn.xlarge": 1, "x9z.xlarge": 8}
    made = foretold(run, world.options(instance_types=list(weights), instance_weights=weights))
    assert made["after"]["instance_weights"] == {"g4dn.xlarge": 1}


def test_requirements_in_place_of_types(world: World, run: Callable[..., Any], recorder: Any) -> None:
    def meeting(params: dict[str, Any], region: str) -> dict[str, Any]:
        assert params["ArchitectureTypes"] == ["x86_64"]
        few = params["InstanceRequirements"]["VCpuCount"]["Min"] < 1000
        return {"InstanceTypes": [{"InstanceType": "g5.xlarge"}] if few else []}

    recorder.answer("ec2", "GetInstanceTypesFromInstanceRequirements", meeting)
    # moto launches no type that it is not told.
    empty = {"desired_capacity": 0, "min_size": 0, "instance_types": None}
    foretold(run, world.options(**empty, instance_requirements=NEEDS))
    overrides = policy(world)["LaunchTemplate"]["Overrides"]
    assert overrides == [
        {
            "InstanceRequirements": {
                "AcceleratorTypes": ["gpu"],
                "MemoryMiB": {"Max": 65536, "Min": 16384},
                "VCpuCount": {"Min": 4},
            }
        }
    ]
    assert policy(world)["InstancesDistribution"]["OnDemandAllocationStrategy"] == "lowest-price"
    foretold(run, {**ONE, "instance_requirements": {**NEEDS, "memory_gib_per_vcpu": {"max": 4.5}}})
    refused = run({**ONE, "instance_requirements": {**NEEDS, "vcpu_count": {"min": 1000}}})
    assert "are met by no instance type of us-east-1 that runs x86_64 images" in refused["msg"]
    assert refused.mutating == []
    changed = foretold(run, {**ONE, "instance_types": ["g5.xlarge"]})
    assert {change["what"] for change in changed["changes"]} == {"instance_types", "instance_requirements"}


STRATEGIES = [
    ({"spot_strategy": "capacity-optimized"}, {"SpotAllocationStrategy": "capacity-optimized"}),
    (
        {"spot_strategy": "capacity-optimized-prioritized"},
        {"SpotAllocationStrategy": "capacity-optimized-prioritized"},
    ),
    ({"spot_strategy": "lowest-price"}, {"SpotAllocationStrategy": "lowest-price", "SpotInstancePools": 2}),
    ({"spot_instance_pools": 5}, {"SpotAllocationStrategy": "lowest-price", "SpotInstancePools": 5}),
    ({"spot_strategy": "price-capacity-optimized"}, {"SpotAllocationStrategy": "price-capacity-optimized"}),
    ({"on_demand_strategy": "lowest-price"}, {"OnDemandAllocationStrategy": "lowest-price"}),
    ({"spot_max_price": "1.250"}, {"SpotMaxPrice": "1.25"}),
    ({"spot_max_price": ""}, {"SpotMaxPrice": ""}),
]


def test_every_strategy_of_both_markets(world: World, run: Callable[..., Any]) -> None:
    run(world.options())
    for wish, split in STRATEGIES:
        made = foretold(run, {**ONE, **wish})
        sent = made.mutating[0].params["MixedInstancesPolicy"]["InstancesDistribution"]
        assert {key: sent.get(key) for key in split} == split
        assert ("SpotInstancePools" in sent) is (sent["SpotAllocationStrategy"] == "lowest-price")


def test_target_groups(world: World, run: Callable[..., Any]) -> None:
    elb = boto3.client("elbv2", REGION)

    def target_group(name: str, vpc: str, kind: str = "instance") -> str:
        made = elb.create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=vpc, TargetType=kind)
        return made["TargetGroups"][0]["TargetGroupArn"]

    first, second = target_group("one", world.vpc), target_group("two", world.vpc)
    foretold(run, world.options(target_group_arns=[first], health_check_type="ELB"))
    changed = foretold(run, {**ONE, "target_group_arns": [second]})
    assert [call.operation for call in changed.mutating] == [
        "AttachLoadBalancerTargetGroups",
        "DetachLoadBalancerTargetGroups",
    ]
    assert world.group()["TargetGroupARNs"] == [second]
    refused = run({**ONE, "target_group_arns": []})
    assert "health_check_type: 'ELB' needs target_group_arns" in refused["msg"]
    foretold(run, {**ONE, "target_group_arns": [], "health_check_type": "EC2"})
    assert world.group()["TargetGroupARNs"] == []
    for arn, message in (
        (target_group("far", world.other_vpc), f"is in {world.other_vpc}, the subnets are in {world.vpc}"),
        (target_group("ips", world.vpc, "ip"), "takes targets of type ip, must be instance"),
        (first.replace("/one/", "/gone/"), "does not exist in us-east-1"),
        (first.replace("us-east-1", "eu-west-1"), "is in eu-west-1, the fleet is in us-east-1"),
        ("one", "must be a target group's ARN"),
    ):
        refused = run({**ONE, "target_group_arns": [arn]})
        assert refused.failed
        assert message in refused["msg"]
        assert refused.mutating == []


def test_a_plain_second_run_asks_nothing_new(world: World, run: Callable[..., Any]) -> None:
    run(world.options())
    assert run(world.options()).operations() == [
        "DescribeAutoScalingGroups",
        "DescribeLaunchTemplates",
        "DescribeLaunchTemplateVersions",
        "DescribeImages",
    ]


BAD_INPUT = [
    ({"instance_weights": {"g5.xlarge": 1}}, "instance_weights: 'g4dn.xlarge' has no weight and others have"),
    (
        {"instance_weights": {"g4dn.xlarge": 1, "g5.xlarge": 1, "g6.xlarge": 1}},
        "instance_weights: 'g6.xlarge' is not one of instance_types",
    ),
    ({"instance_weights": {"g5.xlarge": 0}}, "instance_weights.g5.xlarge: 0 must be a whole number from 1 to 999"),
    ({"instance_weights": {"g5.xlarge": 1.5}}, "instance_weights.g5.xlarge: 1.5 must be a whole number"),
    ({"instance_requirements": NEEDS}, "parameters are mutually exclusive: instance_requirements|instance_types"),
    ({"spot_max_price": "0.0001"}, "spot_max_price: '0.0001' must be a price of at least 0.001 US dollars"),
    ({"spot_max_price": "1e400"}, "spot_max_price: '1e400' must be a price"),
    ({"spot_max_price": "NaN"}, "spot_max_price: 'NaN' must be a price"),
    ({"spot_max_price": "-1"}, "spot_max_price: '-1' must be a price"),
    ({"spot_instance_pools": 2}, "spot_instance_pools: 2 needs spot_strategy: lowest-price"),
    ({"spot_instance_pools": 21, "spot_strategy": "lowest-price"}, "spot_instance_pools: 21 must be a whole number"),
    ({"on_demand_only": True, "spot_max_price": "1"}, "spot_max_price: '1' has no meaning with on_demand_only: true"),
    ({"health_check_type": "ELB"}, "health_check_type: 'ELB' needs target_group_arns"),
]
BAD_REQUIREMENTS = [
    ({"memory_mib": {"min": 1}}, {}, "instance_requirements.vcpu_count: None needs a min"),
    ({**NEEDS, "cpus": 4}, {}, "instance_requirements: 'cpus' is not one of"),
    ({**NEEDS, "vcpu_count": 4}, {}, "instance_requirements.vcpu_count: 4 must be a dictionary of min, max or both"),
    ({**NEEDS, "vcpu_count": {"min": 4, "max": 2}}, {}, "must have a min that is not above its max"),
    ({**NEEDS, "memory_gib_per_vcpu": {"min": "inf"}}, {}, "'inf' must be a number of at least 0"),
    ({**NEEDS, "accelerator_types": ["tpu"]}, {}, "instance_requirements.accelerator_types: 'tpu' must be one of"),
    ({**NEEDS, "accelerator_types": []}, {}, "instance_requirements.accelerator_types: 0 entries"),
    ({**NEEDS, "bare_metal": "yes"}, {}, "instance_requirements.bare_metal: 'yes' must be one of"),
    (
        {**NEEDS, "allowed_instance_types": ["g5.*"], "excluded_instance_types": ["g4*"]},
        {},
        "instance_requirements: 'allowed_instance_types' excludes excluded_instance_types",
    ),
    (NEEDS, {"spot_strategy": "capacity-optimized-prioritized"}, "goes by the order of instance_types"),
    (NEEDS, {"on_demand_strategy": "prioritized"}, "on_demand_strategy: 'prioritized' goes by the order"),
]


def test_bad_input_changes_nothing(world: World, run: Callable[..., Any]) -> None:
    cases = [*BAD_INPUT]
    for needs, others, message in BAD_REQUIREMENTS:
        cases.append(({"instance_types": None, "instance_requirements": needs, **others}, message))
    wrong = []
    for changed, message in cases:
        result = run(world.options(**changed))
        if not (result.failed and message in result["msg"] and result.mutating == []):
            wrong.append((changed, message, result.get("msg"), result.mutating))
    assert wrong == []
