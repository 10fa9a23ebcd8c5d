# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet's settings against moto: each alone changes itself, foretold by check mode, and nothing on a second run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import REGION
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import World

ONE = {"region": REGION, "name": "gpu-fleet"}


# What is given alone to a fleet that stands -> the one field that reaches AWS.
SINGLE = [
    ({"max_instance_lifetime": 86400}, {"MaxInstanceLifetime": 86400}),
    ({"max_instance_lifetime": 0}, {"MaxInstanceLifetime": 0}),
    ({"health_check_grace_period": 600}, {"HealthCheckGracePeriod": 600}),
    ({"health_check_period": 0}, {"HealthCheckGracePeriod": 0}),
    (
        {"availability_zone_distribution": "balanced-only"},
        {"AvailabilityZoneDistribution": {"CapacityDistributionStrategy": "balanced-only"}},
    ),
    ({"default_instance_warmup": 120}, {"DefaultInstanceWarmup": 120}),
    ({"default_instance_warmup": -1}, {"DefaultInstanceWarmup": -1}),
    ({"placement_group": "spread"}, {"PlacementGroup": "spread"}),
    ({"placement_group": ""}, {"PlacementGroup": ""}),
    ({"deletion_protection": "prevent-all-deletion"}, {"DeletionProtection": "prevent-all-deletion"}),
    ({"termination_policies": ["OldestInstance", "Default"]}, {"TerminationPolicies": ["OldestInstance", "Default"]}),
]


def placement_groups(params: dict[str, Any], region: str) -> dict[str, Any]:
    (name,) = params["Filters"][0]["Values"]
    known = {"spread": ("spread", "available"), "cluster": ("cluster", "available"), "going": ("spread", "deleting")}
    groups = [{"GroupName": name, "Strategy": known[name][0], "State": known[name][1]}] if name in known else []
    return {"PlacementGroups": groups}


def test_one_setting_at_a_time(world: World, run: Callable[..., Any], recorder: Any) -> None:
    recorder.answer("ec2", "DescribePlacementGroups", placement_groups)
    run(world.options())
    for wish, fields in SINGLE:
        predicted = run({**ONE, **wish}, check_mode=True, diff=True)
        assert predicted.mutating == []
        changed = run({**ONE, **wish}, diff=True)
        assert changed["changes"] == predicted["changes"]
        assert changed["diff"] == predicted["diff"]
        assert [(call.operation, call.params) for call in changed.mutating] == [
            ("UpdateAutoScalingGroup", {"AutoScalingGroupName": "gpu-fleet", **fields})
        ]
        again = run({**ONE, **wish})
        assert not again.changed
        assert again.mutating == []


def test_outputs_of_the_reference(world: World, run: Callable[..., Any]) -> None:
    predicted = run(world.options(), check_mode=True)
    assert predicted["launch_template_arn"] == "(known after apply)"
    made = run(world.options())
    template = made["launch_template_id"]
    assert made["launch_template_arn"] == f"arn:aws:ec2:us-east-1:123456789012:launch-template/{template}"
    assert made["fleet_id"] == made["asg_name"] == "gpu-fleet"
    assert made["security_group_id"] == world.security_group
    assert made["security_group_ids"] == [world.security_group]
    assert made["subnet_ids"] == sorted(world.subnets)
    assert run(world.options(), check_mode=True)["launch_template_arn"] == made["launch_template_arn"]


def test_tags_for_cost(world: World, run: Callable[..., Any]) -> None:
    run(world.options(environment="staging", cost_center="", tags={"Project": "mine"}))

    def tags() -> dict[str, str]:
        return {tag["Key"]: tag["Value"] for tag in world.group()["Tags"] if ":" not in tag["Key"]}

    assert tags() == {"Environment": "staging", "Project": "mine"}
    assert not run(world.options(tags={"Project": "mine"})).changed
    run({**ONE, "cost_center": "ML"})
    assert tags() == {"CostCenter": "ML", "Environment": "staging", "Project": "mine"}
    instance_tags = world.versions()[-1]["LaunchTemplateData"]["TagSpecifications"][0]["Tags"]
    assert {"Key": "CostCenter", "Value": "ML"} in instance_tags


@pytest.mark.parametrize("empty", [{"on_demand_only": True}, {"capacity_owner": "placement"}])
def test_no_defaults_of_the_reference_where_others_scale(
    world: World, run: Callable[..., Any], empty: dict[str, Any]
) -> None:
    made = run(world.options(desired_capacity=None, **empty))
    assert made["after"]["max_instance_lifetime"] == 0
    assert "MaxInstanceLifetime" not in made.mutating[1].params
    assert not {"Environment", "CostCenter", "Project"} & made["after"]["group_tags"].keys()


def test_suspended_processes_stay(world: World, run: Callable[..., Any]) -> None:
    run(world.options())
    world.autoscaling.suspend_processes(AutoScalingGroupName="gpu-fleet", ScalingProcesses=["AZRebalance"])
    run(world.options(max_size=20))
    assert [item["ProcessName"] for item in world.group()["SuspendedProcesses"]] == ["AZRebalance"]


def test_protection_is_lifted_only_when_asked(world: World, run: Callable[..., Any]) -> None:
    run(world.options(deletion_protection="prevent-force-deletion"))
    refused = run({**ONE, "state": "absent"})
    assert refused.failed
    assert "deletion_protection 'prevent-force-deletion'" in refused["msg"]
    assert refused.mutating == []
    removed = run({**ONE, "state": "absent", "deletion_protection": "none"})
    assert [call.operation for call in removed.mutating] == [
        "UpdateAutoScalingGroup",
        "DeleteAutoScalingGroup",
        "DeleteLaunchTemplate",
    ]


def test_placement_group_fits(world: World, run: Callable[..., Any], recorder: Any) -> None:
    recorder.answer("ec2", "DescribePlacementGroups", placement_groups)
    for name, message in (
        ("cluster", "is a cluster, which stands in one zone: subnet_ids are in us-east-1a, us-east-1b"),
        ("going", "is deleting, must be available"),
        ("none", "does not exist in us-east-1"),
    ):
        refused = run(world.options(placement_group=name))
        assert f"placement_group: {name!r} {message}" in refused["msg"]
        assert refused.mutating == []
    options = world.options(placement_group="cluster", subnet_ids=world.subnets[:1])
    made = run(options)
    assert made.mutating[1].params["PlacementGroup"] == "cluster"
    assert not run(options).changed
    refused = run({**ONE, "subnet_ids": world.subnets})
    assert "is a cluster" in refused["msg"]


BAD_INPUT = [
    ({"default_instance_warmup": -2}, "default_instance_warmup: -2 must be a whole number from -1 to 21600"),
    ({"max_instance_lifetime": 1}, "max_instance_lifetime: 1 must be 0 or from 86400 to 31536000 seconds"),
    ({"max_instance_lifetime": 31_536_001}, "max_instance_lifetime: 31536001 must be a whole number from 0 to"),
    ({"health_check_grace_period": -1}, "health_check_grace_period: -1 must be a whole number from 0 to 7200"),
    ({"health_check_type": "TCP"}, "health_check_type"),
    ({"termination_policies": ["Newest"]}, "'Newest' must be one of AllocationStrategy"),
    ({"termination_policies": []}, "termination_policies: [] must be a list with at least one entry"),
    ({"environment": "a", "tags": {"Environment": "b"}}, "environment: 'a' contradicts tags, whose Environment is 'b'"),
    ({"project": "x" * 257}, "tags: "),
]


def test_bad_input_changes_nothing(world: World, run: Callable[..., Any]) -> None:
    wrong = []
    for changed, message in BAD_INPUT:
        result = run(world.options(**changed))
        if not (result.failed and message in result["msg"] and result.mutating == []):
            wrong.append((changed, message, result.get("msg"), result.mutating))
    assert wrong == []
