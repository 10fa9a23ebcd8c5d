# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values that no fleet can have, and those that do not go together: refused by option, value and rule before any change.

What only one option's own rules say stands in the tests of that option.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from typing import NamedTuple

import pytest

from ansible_collections.ethereal.spot.plugins.modules import spot_asg
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_cases import FLEETS
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_cases import GPU
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_cases import MORNING
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_cases import NEEDS
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_cases import ONE
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_cases import Things
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import World


class Row(NamedTuple):
    given: dict[str, Any]
    option: str
    # Value and rule, as the message has them after the option.
    says: str


LIMIT = "must be a whole number from"
STRANGE_NAMES = ("flotte-größe", "fleet\n", " fleet", "fleet ", "ab", "a" * 129, "a/../b", "$(id)", "{{ name }}", "a*")
# To create a fleet that is right otherwise.
AT_CREATION = [
    Row({"region": "us-east1"}, "region", "'us-east1' is not a region's name; did you mean us-east-1?"),
    Row({"region": "eu-west-1/../x"}, "region", "'eu-west-1/../x' is not a region's name"),
    *(Row({"name": name}, "name", f"{name!r} must match [A-Za-z0-9][A-Za-z0-9-]{{2,127}}") for name in STRANGE_NAMES),
    Row({"max_size": 1_000_001}, "max_size", f"1000001 {LIMIT} 0 to 1000000"),
    Row({"max_size": True}, "max_size", f"True {LIMIT} 0 to 1000000"),
    Row({"desired_capacity": -1}, "desired_capacity", f"-1 {LIMIT} 0 to 1000000"),
    Row({"desired_capacity": True}, "desired_capacity", f"True {LIMIT} 0 to 1000000"),
    Row({"on_demand_base": -1}, "on_demand_base", f"-1 {LIMIT} 0 to 1000000"),
    Row({"on_demand_percentage_above_base": -1}, "on_demand_percentage_above_base", f"-1 {LIMIT} 0 to 100"),
    Row({"wait_timeout": True}, "wait_timeout", "True must be a whole number of at least 0"),
    Row({"give_up_after": -1}, "give_up_after", "-1 must be a whole number of at least 0"),
    Row({"metadata_hop_limit": 0}, "metadata_hop_limit", f"0 {LIMIT} 1 to 64"),
    Row({"disk_size": 0}, "disk_size", f"0 {LIMIT} 1 to 65536"),
    Row({"disk_size": 65_537}, "disk_size", f"65537 {LIMIT} 1 to 65536"),
    Row({"ebs_iops": 80_001}, "ebs_iops", f"80001 {LIMIT} 3000 to 80000"),
    Row({"ebs_throughput": 124}, "ebs_throughput", f"124 {LIMIT} 125 to 2000"),
    Row({"ebs_throughput": 2001}, "ebs_throughput", f"2001 {LIMIT} 125 to 2000"),
    Row({"ebs_iops": 50_001}, "ebs_iops", "50001 is over 500 IOPS per GiB: needs disk_size of at least 101, it is 100"),
    Row(
        {"ebs_iops": 7999, "ebs_throughput": 2000},
        "ebs_throughput",
        "2000 needs ebs_iops of at least 8000 (0.25 MiB/s per IOPS), it is 7999",
    ),
    # 8193 characters of two bytes each.
    Row({"bootstrap_script": "ü" * 8193}, "bootstrap_script", "'16386 bytes' is over the limit of 16384 bytes"),
    Row({"bootstrap_script": "canary-5f2c91\0"}, "bootstrap_script", "'14 bytes' holds a NUL byte"),
    Row({"ami_id": "resolve:ssm:"}, "ami_id", "'resolve:ssm:' must be ami- and 8 or 17 hexadecimal digits, or"),
    Row({"ami_id": "resolve:ssm:/a b"}, "ami_id", "'resolve:ssm:/a b' must be ami- and 8 or 17"),
    Row(
        {"kms_key_arn": "arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"},
        "kms_key_arn",
        "'arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef' does not exist",
    ),
    Row(
        {"kms_key_arn": "arn:aws-cn:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"},
        "kms_key_arn",
        "'arn:aws-cn:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef' is in partition aws-cn, "
        "us-east-1 is in aws",
    ),
    Row(
        {"iam_instance_profile": "arn:aws-us-gov:iam::123456789012:instance-profile/node"},
        "iam_instance_profile",
        "'arn:aws-us-gov:iam::123456789012:instance-profile/node' is in partition aws-us-gov, us-east-1 is in aws",
    ),
    Row({"iam_instance_profile": ""}, "iam_instance_profile", "'' must be an instance profile's name or ARN"),
    Row({"subnet_ids": ["subnet-x"]}, "subnet_ids[0]", "'subnet-x' must be subnet- and 8 or 17 hexadecimal digits"),
    Row({"security_group_ids": []}, "security_group_ids", "[] must be a list with at least one entry"),
    Row({"root_device_name": "sda1"}, "root_device_name", "'sda1' must be a device such as /dev/xvda"),
    Row({"placement_group": "a\nb"}, "placement_group", "'a\\nb' must be a line of text"),
    Row({"instance_types": []}, "instance_types", "[] must be a list with at least one entry"),
    Row({"instance_types": ["G5.xlarge"]}, "instance_types[0]", "'G5.xlarge' is not an instance type such as"),
    Row({"instance_types": None, "instance_type": ""}, "instance_type", "'' is not an instance type such as"),
    Row(
        {"instance_types": None, "instance_type": "g5.xlarge", "fallback_instance_type": "g5"},
        "fallback_instance_type",
        "'g5' is not an instance type such as",
    ),
    Row(
        {"instance_types": None, "instance_type": "g5.xlarge", "fallback_instance_type": "g5.xlarge"},
        "fallback_instance_type",
        "'g5.xlarge' is the instance_type itself",
    ),
    Row({"spot_max_price": "0"}, "spot_max_price", "'0' must be a price of at least 0.001 US dollars"),
    Row({"spot_max_price": "Infinity"}, "spot_max_price", "'Infinity' must be a price of at least 0.001"),
    Row({"spot_max_price": "0,5"}, "spot_max_price", "'0,5' must be a price of at least 0.001"),
    Row({"target_cpu_utilization": "inf"}, "target_cpu_utilization", "inf must be a finite number above 0"),
    Row({"tags": {f"k{number}": "v" for number in range(51)}}, "tags", "51 tags are given, limit 44: 6 of 50 are ours"),
    Row({"tags": {"k" * 129: "v"}}, "tags", f"'{'k' * 129}' is a key of 129 characters, must have 1 to 128"),
    Row({"tags": {"": "v"}}, "tags", "'' is a key of 0 characters, must have 1 to 128"),
    Row({"tags": {"k": "v" * 257}}, "tags", "'k' has a value of 257 characters, limit 256"),
    Row({"tags": {"Team": "a", "team": "b"}}, "tags", "'team' differs from 'Team' by case only"),
    Row({"tags": {"k": None}}, "tags", "{'k': None} must have strings as keys and values: put them in quotes"),
    Row({"tags": {"k": "a\nb"}}, "tags", "{'k': 'a\\nb'} may hold letters, digits, spaces and _.:/=+-@ only"),
    Row({"tags": {"_index": "v"}}, "tags", "'_index' cannot be shown in instance metadata"),
    Row({"tags": {"ethereal-spot:place": "v" * 257}}, "tags", "'ethereal-spot:place' has a value of 257 characters"),
    Row({"tags": {"ethereal-spot:place": None}}, "tags", "{'ethereal-spot:place': None} must have strings"),
    Row(
        {"capacity_owner": "scaling", "scheduled_actions": [{**MORNING, "recurrence": "60 8 * * *"}]},
        "scheduled_actions[morning].recurrence",
        "'60 8 * * *' has the minute 60, must be from 0 to 59",
    ),
    Row(
        {"capacity_owner": "scaling", "scheduled_actions": [{**MORNING, "recurrence": "0 8 * * 1-8"}]},
        "scheduled_actions[morning].recurrence",
        "'0 8 * * 1-8' has the weekday 1-8, must be from 0 to 7",
    ),
]
# Given alone to fleets that stand.
TO_A_FLEET = {
    "plain": [
        Row({"max_size": 1}, "max_size", "1 breaks min_size (2, not given) <= max_size (1)"),
        Row({"max_size": 2}, "max_size", "2 breaks desired_capacity (3, not given) <= max_size (2)"),
        Row({"min_size": 4}, "min_size", "4 breaks min_size (4) <= desired_capacity (3, not given)"),
        Row(
            {"desired_capacity": 51}, "desired_capacity", "51 breaks desired_capacity (51) <= max_size (50, not given)"
        ),
        Row({"on_demand_base": 51}, "on_demand_base", "51 breaks on_demand_base (51) <= max_size (50, not given)"),
        Row({"ebs_throughput": 751}, "ebs_throughput", "751 needs ebs_iops of at least 3004"),
        Row({"disk_size": 29}, "disk_size", "29 is below the 30 GiB of ami-0123456789abcdef0's root"),
        Row({"spot_instance_pools": 2}, "spot_instance_pools", "2 needs spot_strategy: lowest-price"),
        Row({"instance_weights": {"g5.xlarge": 1}}, "instance_weights", "'g4dn.xlarge' has no weight and others have"),
        Row(
            {"scaling_policies": [GPU]}, "scaling_policies", "'gpu' needs capacity_owner: scaling, under playbook both"
        ),
        Row(
            {"scheduled_actions": [MORNING]}, "scheduled_actions", "'morning' needs capacity_owner: scaling, under play"
        ),
        Row(
            {"capacity_owner": "placement", "min_size": 1},
            "min_size",
            "1 must be 0 under capacity_owner: placement, which may scale to 0",
        ),
        Row(
            {"capacity_owner": "placement", "on_demand_base": 1},
            "on_demand_base",
            "1 must be 0 under capacity_owner: placement, which may scale to 0",
        ),
        Row(
            {
                "capacity_owner": "placement",
                "instance_types": ["g5.xlarge", "g5.2xlarge"],
                "instance_weights": {"g5.xlarge": 1, "g5.2xlarge": 2},
            },
            "instance_weights",
            "{'g5.xlarge': 1, 'g5.2xlarge': 2} must be left out or empty under capacity_owner: placement",
        ),
        Row({"health_check_type": "ELB"}, "health_check_type", "'ELB' needs target_group_arns"),
        Row(
            {"instance_requirements": NEEDS, "spot_strategy": "capacity-optimized-prioritized"},
            "spot_strategy",
            "'capacity-optimized-prioritized' goes by the order of instance_types, instance_requirements have none",
        ),
        Row(
            {"on_demand_only": True, "on_demand_percentage_above_base": 50},
            "on_demand_percentage_above_base",
            "50 has no meaning with on_demand_only: true",
        ),
        Row({"notification_types": []}, "notification_types", "[] needs sns_topic_arn"),
    ],
    "served": [
        Row({"instance_types": ["g5.xlarge", "g6.xlarge"]}, "instance_weights", "'g6.xlarge' has no weight and others"),
        Row({"target_group_arns": []}, "health_check_type", "'ELB' needs target_group_arns"),
        Row({"ebs_iops": 80_000}, "ebs_iops", "80000 is over 500 IOPS per GiB: needs disk_size of at least 160"),
    ],
    "needs": [
        Row({"instance_weights": {"g5.xlarge": 1}}, "instance_weights", "{'g5.xlarge': 1} excludes instance_requirem"),
        Row({"on_demand_strategy": "prioritized"}, "on_demand_strategy", "'prioritized' goes by the order of instance"),
    ],
}
# What ansible-core itself finds, in its words.
FOUND_BY_ANSIBLE = [
    ({"min_size": 2.5}, "min_size"),
    ({"max_size": float("nan")}, "max_size"),
    ({"max_size": float("inf")}, "an option has a value of the wrong type"),
    ({"instance_refresh": False}, "an option has a value of the wrong type"),
    ({"wait_timeout": 1.5}, "wait_timeout"),
    ({"ebs_iops": "fast"}, "ebs_iops"),
    ({"spot_strategy": "cheapest"}, "spot_strategy"),
    ({"instance_refresh": {"speed": 1}}, "instance_refresh.speed"),
    ({"instance_requirements": NEEDS}, "instance_requirements|instance_types"),
]


def refused_rightly(result: Any, row: Row) -> bool:
    return (
        result.failed
        and result["msg"].startswith(f"{row.option}: {row.says}")
        and (result["option"], bool(result["rule"])) == (row.option, True)
        and result.mutating == []
    )


def test_refused_at_creation(world: World, run: Callable[..., Any]) -> None:
    wrong = []
    for row in AT_CREATION:
        result = run(world.options(**row.given))
        if not refused_rightly(result, row):
            wrong.append((row, result.get("msg"), result.mutating))
    assert wrong == []


@pytest.mark.parametrize("fleet", TO_A_FLEET)
def test_refused_to_a_fleet(world: World, recorder: Any, run: Callable[..., Any], fleet: str) -> None:
    assert not run(FLEETS[fleet](world, Things(world, recorder))).failed
    wrong = []
    for row in TO_A_FLEET[fleet]:
        for modes in ({}, {"check_mode": True}):
            result = run({**ONE, **row.given}, **modes)
            if not refused_rightly(result, row):
                wrong.append((row, result.get("msg"), result.mutating))
    assert wrong == []


def test_refused_by_ansible(world: World, run: Callable[..., Any]) -> None:
    for given, option in FOUND_BY_ANSIBLE:
        result = run(world.options(**given))
        assert result.failed
        assert option in result["msg"]
        assert result.calls == []


@pytest.mark.parametrize("given", [{"instance_refresh": "yes"}, {"lifecycle_hooks": ["drain"]}])
@pytest.mark.parametrize("option", ["bootstrap_script", "user_data"])
def test_user_data_stays_hidden_whatever_else_is_wrong(
    world: World, run_module: Callable[..., Any], given: dict[str, Any], option: str
) -> None:
    options = {**world.options(bootstrap_script=None, **given), option: "canary-5f2c91", "secret_key": "canary-77aa"}
    result = run_module(spot_asg, {**options, "access_key": "AKIA"})
    assert result.failed
    assert "canary" not in json.dumps(result)


@pytest.mark.parametrize(
    ("options", "pool", "message"),
    [
        ({}, {"max_group_prepared_capacity": 2}, "warm_pool: 'Stopped' needs on_demand_only: true"),
        (
            {"on_demand_only": True, "instance_weights": {"g4dn.xlarge": 1, "g5.xlarge": 2}},
            {"max_group_prepared_capacity": 2},
            "warm_pool: 'Stopped' needs a fleet without instance_weights",
        ),
        ({"on_demand_only": True}, {"min_size": 1}, "warm_pool.max_group_prepared_capacity: None is required"),
        (
            {"on_demand_only": True},
            {"max_group_prepared_capacity": 2, "min_size": 3},
            "warm_pool.min_size: 3 breaks min_size <= max_group_prepared_capacity (2)",
        ),
        (
            {"on_demand_only": True},
            {"max_group_prepared_capacity": -1},
            "warm_pool.max_group_prepared_capacity: -1 must be a whole number of at least 0",
        ),
    ],
)
def test_a_warm_pool_that_aws_refuses(
    world: World, run: Callable[..., Any], options: dict[str, Any], pool: dict[str, Any], message: str
) -> None:
    refused = run(world.options(**options, warm_pool=pool))
    assert refused.failed
    assert message in refused["msg"]
    assert refused.mutating == []
