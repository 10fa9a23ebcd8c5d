# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ethereal.spot.plugins.module_utils._brain.inventory import report_lines
from ansible_collections.ethereal.spot.plugins.module_utils._brain.inventory import validate
from ansible_collections.ethereal.spot.plugins.module_utils._brain.inventory_variables import VARIABLES
from ansible_collections.ethereal.spot.plugins.module_utils._brain.networks import place_range

ROOT = Path(__file__).parents[5]
HUB = {"us-east-1": {}}
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:ecr-pullthroughcache/hub"
COMPLETE = {
    "spot_prefix": "gpu-farm",
    "spot_region": "eu-west-1",
    "spot_place_state": "present",
    "spot_excluded_places": ["us-east-1"],
    "spot_max_price": 0.75,
    "spot_max_hourly_usd": "12.50",
    "spot_max_monthly_usd": 9000,
    "spot_unit_prices": {"gp3_gib_month": "0.07"},
    "spot_score_regions": ["sa-east-1"],
    "spot_advisor": "https://example.com/spot-advisor-data.json",
    "spot_tags": {"team": "ml"},
    "spot_teardown_data": "false",
    "spot_cloudformation_role_arn": "arn:aws:iam::123456789012:role/cfn",
    "spot_log_retention_days": 14,
    "spot_patch_operation": "install",
    "spot_patch_reboot": True,
    "spot_patch_schedule": "cron(30 4 ? * TUE#2 *)",
    "spot_patch_concurrency": 1,
    "spot_sns_topic_arn": "arn:aws:sns:eu-west-1:123456789012:alerts",
    "spot_dashboard": False,
    "spot_wait_timeout": "1800",
    "spot_nat": "none",
    "spot_endpoints": [],
    "spot_vpc_id": "vpc-0123456789abcdef0",
    "spot_subnet_ids": ["subnet-0123456789abcdef0"],
    "spot_instance_types": ["g5.xlarge"],
    "spot_image_id": "ami-0123456789abcdef0",
    "spot_user_data": "echo hello",
    "spot_disk_size": 200,
    "spot_ebs_iops": 4000,
    "spot_ebs_throughput": 1000,
    "spot_capacity_owner": "scaling",
    "spot_replicas": 2,
    "spot_min_size": 1,
    "spot_max_size": 4,
    "spot_desired_capacity": 2,
    "spot_on_demand_base": 1,
    "spot_on_demand_percentage_above_base": 50,
    "spot_on_demand_fallback_max": 2,
    "spot_container_image": "nginx:1",
    "spot_container_gpus": 1,
    "spot_container_memory": 1024,
    "spot_container_command": ["serve"],
    "spot_container_environment": {"A": "b"},
    "spot_container_secrets": {"HF_TOKEN": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:hf-AbCdEf:token::"},
    "spot_container_shared_memory": 16_384,
    "spot_container_port": 30_000,
    "spot_container_health_command": "curl -fs http://127.0.0.1:30000/health",
    "spot_container_health_start_period": 120,
    "spot_container_readonly_root": False,
    "spot_container_stop_timeout": 60,
    "spot_client_cidr": "10.0.0.0/8",
    "spot_models_path": "/srv/models",
    "spot_minimum_healthy_percent": 50,
    "spot_files_throughput_mode": "provisioned",
    "spot_files_provisioned_mibps": 64,
    "spot_files_infrequent_after_days": 7,
    "spot_files_backup": False,
    "spot_files_replica_region": "eu-central-1",
    "spot_files_replica_kms_key_arn": "arn:aws:kms:eu-central-1:123456789012:alias/copies",
    "spot_models": {"llama-3": "s3://models/llama-3/1"},
    "spot_models_image": "public.ecr.aws/aws-cli/aws-cli:2.31.0",
    "spot_models_command": ["s3", "cp", "--recursive", "{source}", "{path}"],
    "spot_models_kms_key_arn": "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "spot_models_read_only": False,
    "spot_container_pull": "prefer-cached",
    "spot_container_pull_through": True,
    "spot_container_registry_secret_arn": f"{SECRET}-AbCdEf",
    "spot_prebaked_image": True,
    "spot_prebaked_commands": ["dnf -y install htop"],
    "spot_prebaked_instance_types": ["m5.large"],
}
COPY_KEY = COMPLETE["spot_files_replica_kms_key_arn"]


def errors(workers, *hub):
    return [str(finding) for finding in validate(*(hub or [HUB]), workers)[0]]


def warnings(workers, *hub):
    return [str(finding) for finding in validate(*(hub or [HUB]), workers)[1]]


def test_a_place_that_says_everything_and_one_that_says_nothing_are_fine():
    hub = {"us-east-1": {"spot_prefix": "gpu-farm"}}
    assert validate(hub, {"ireland": COMPLETE}) == ([], [])
    assert validate({"us-east-1": {}}, {"us-east-1": {}, "eu-west-1": dict.fromkeys(VARIABLES)}) == ([], [])
    assert validate(None, {"eu-west-1": {}}) == ([], [])
    assert validate({"us-east-1": {}}, {}) == ([], [])


def test_every_variable_is_tried_above():
    assert set(COMPLETE) | {"spot_vpc_cidr"} == set(VARIABLES)


def test_defaults_pass_their_own_checks():
    for name, variable in VARIABLES.items():
        if variable.default is not None:
            assert variable.check(variable.default, name) == variable.default
            assert type(variable.default).__name__ == variable.kind


def test_the_playbooks_read_known_variables_with_the_same_defaults():
    read = 0
    for path in [*ROOT.glob("playbooks/**/*.yml"), *ROOT.glob("roles/places/**/*.yml")]:
        for name, default in re.findall(r"\b(spot_\w+) \| default\(((?:[^()]|\([^()]*\))*)\)", path.read_text()):
            assert name in VARIABLES, f"{path.name} reads {name}"
            read += 1
            try:
                literal = ast.literal_eval(default.replace("false", "False"))
            except (SyntaxError, ValueError):
                continue
            assert VARIABLES[name].default in (literal, None), f"{path.name}: {name}"
    assert read > 20


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"spot_region": "eu-west1"}, "spot_region: 'eu-west1' is not a region's name; did you mean eu-west-1?"),
        ({"spot_instance_types": []}, "spot_instance_types: [] must be a list with at least one entry"),
        ({"spot_instance_types": ["g5.xlarge", "g5.xlarge"]}, "spot_instance_types: 'g5.xlarge' is listed twice"),
        ({"spot_replicas": True}, "spot_replicas: True must be a whole number of at least 0"),
        ({"spot_replicas": -1}, "spot_replicas: -1 must be a whole number of at least 0"),
        ({"spot_replicas": 1.5}, "spot_replicas: 1.5 must be a whole number of at least 0"),
        ({"spot_vpc_cidr": "10.0.0.1/16"}, "spot_vpc_cidr: '10.0.0.1/16' has host bits set"),
        ({"spot_vpc_id": "vpc-12345678"}, "spot_vpc_id: 'vpc-12345678' needs spot_subnet_ids: subnets of yours in it"),
        (
            {"spot_subnet_ids": ["subnet-12345678"]},
            "spot_subnet_ids: ['subnet-12345678'] needs spot_vpc_id: the VPC that they are in",
        ),
        (
            {"spot_vpc_id": "vpc-12345678", "spot_subnet_ids": ["subnet-12345678"], "spot_nat": "one"},
            "spot_nat: 'one' is for a network of ours: spot_subnet_ids are subnets of yours",
        ),
        (
            {"spot_vpc_id": "vpc-12345678", "spot_subnet_ids": ["subnet-12345678"], "spot_endpoints": ["sts"]},
            "spot_endpoints: ['sts'] is for a network of ours: spot_subnet_ids are subnets of yours",
        ),
        ({"spot_endpoints": "sts"}, "spot_endpoints: 'sts' must be a list of groups of endpoints"),
        ({"spot_endpoints": ["sts", "kms", "sts"]}, "spot_endpoints: 'sts' is listed twice"),
        (
            {"spot_endpoints": [["sts"]]},
            "spot_endpoints: ['sts'] is no group of endpoints (session_manager, parameters, secrets, sts, kms, files, events, "
            "step_functions, metrics, imagebuilder)",
        ),
        (
            {"spot_endpoints": ["secret"]},
            "spot_endpoints: 'secret' is no group of endpoints (session_manager, parameters, secrets, sts, kms, files, events, "
            "step_functions, metrics, imagebuilder); did you mean secrets?",
        ),
        ({"spot_nat": "two"}, "spot_nat: 'two' must be one of none, one, per_zone"),
        (
            {"spot_vpc_id": "vpc-12345678", "spot_subnet_ids": [f"subnet-1234567{n}" for n in range(7)]},
            "spot_subnet_ids: 7 subnets are listed, limit 6",
        ),
        ({"spot_image_id": "ami-1"}, "spot_image_id: 'ami-1' must be ami- and 8 or 17"),
        (
            {"spot_cloudformation_role_arn": "arn:aws-cn:iam::123456789012:role/x"},
            "is in partition aws-cn, eu-west-1 is in aws",
        ),
        ({"spot_tags": {"aws:x": "y"}}, "spot_tags: 'aws:x' uses the reserved prefix aws:"),
        ({"spot_disk_size": 0}, "spot_disk_size: 0 must be a whole number from 1 to 65536"),
        ({"spot_ebs_throughput": 1000}, "spot_ebs_throughput: 1000 needs spot_ebs_iops of at least 4000"),
        (
            {"spot_disk_size": 10, "spot_ebs_iops": 6000},
            "spot_ebs_iops: 6000 is over 500 IOPS per GiB: needs spot_disk_size of at least 12",
        ),
        ({"spot_ebs_iops": 60000}, "needs spot_disk_size of at least 120, it is 100"),
        ({"spot_container_image": ""}, "spot_container_image: '' must be an image's reference"),
        ({"spot_container_gpus": -1}, "spot_container_gpus: -1 must be a whole number of at least 0"),
        ({"spot_container_memory": 64}, "spot_container_memory: 64 must be a whole number of at least 128"),
        ({"spot_place_state": "gone"}, "spot_place_state: 'gone' must be one of present, absent"),
        ({"spot_log_retention_days": 31}, "spot_log_retention_days: 31 must be one of"),
        ({"spot_wait_timeout": 0}, "spot_wait_timeout: 0 must be a whole number from 1"),
        ({"spot_on_demand_percentage_above_base": 101}, "101 must be a whole number from 0 to 100"),
        ({"spot_teardown_data": "perhaps"}, "spot_teardown_data: 'perhaps' must be true or false"),
        ({"spot_excluded_places": "us-east-1"}, "spot_excluded_places: 'us-east-1' must be a list"),
        ({"spot_max_price": "cheap"}, "spot_max_price: 'cheap' must be a finite number from 0"),
        ({"spot_max_hourly_usd": 0}, "spot_max_hourly_usd: 0 must be more than 0"),
        ({"spot_max_hourly_usd": ".nan"}, "spot_max_hourly_usd: '.nan' must be a finite number from 0"),
        ({"spot_max_monthly_usd": "inf"}, "spot_max_monthly_usd: 'inf' must be a finite number from 0"),
        ({"spot_unit_prices": "0.07"}, "spot_unit_prices: '0.07' must be a mapping"),
        ({"spot_unit_prices": {"gp3_gib": 1}}, "spot_unit_prices: 'gp3_gib' is no unit that is priced"),
        ({"spot_unit_prices": {"alarm_month": -1}}, "spot_unit_prices.alarm_month: -1 must be a finite number"),
        ({"spot_score_regions": "sa-east-1"}, "spot_score_regions: 'sa-east-1' must be a list of regions"),
        ({"spot_score_regions": ["sa-east"]}, "spot_score_regions[0]: 'sa-east' is not a region's name"),
        ({"spot_advisor": ""}, "spot_advisor: '' must be a line of text"),
        (
            {"spot_excluded_places": ["us-east1"]},
            "spot_excluded_places: 'us-east1' is none of the places and regions; did you mean us-east-1?",
        ),
        ({"spot_patch_operation": "Scan"}, "spot_patch_operation: 'Scan' must be one of none, scan, install"),
        ({"spot_patch_reboot": True}, "spot_patch_reboot: True needs spot_patch_operation: install"),
        ({"spot_patch_schedule": "rate(1 day)"}, "spot_patch_schedule: 'rate(1 day)' must be cron(MINUTES HOURS"),
        ({"spot_patch_schedule": "cron(0 3 * * *)"}, "spot_patch_schedule: 'cron(0 3 * * *)' must be cron("),
        ({"spot_files_provisioned_mibps": 8}, "spot_files_provisioned_mibps: 8 must be 1 to 3414 with throughput mode"),
        ({"spot_files_throughput_mode": "provisioned"}, "spot_files_provisioned_mibps: 0 must be 1 to 3414"),
        ({"spot_files_infrequent_after_days": 31}, "spot_files_infrequent_after_days: 31 must be one of 0, 1, 7, 14"),
        (
            {"spot_container_secrets": {"HF_TOKEN": "hf_abc"}},
            "spot_container_secrets.HF_TOKEN: '(not shown)' must be the ARN of a",
        ),
        ({"spot_container_secrets": {"a b": "arn"}}, "spot_container_secrets: 'a b' is not the name of an environment"),
        ({"spot_container_secrets": ["HF_TOKEN"]}, "spot_container_secrets: 'list' must be a mapping"),
        ({"spot_container_port": 70_000}, "spot_container_port: 70000 must be"),
        ({"spot_container_stop_timeout": 300}, "spot_container_stop_timeout: 300 must be"),
        ({"spot_client_cidr": "0.0.0.0/0"}, "spot_client_cidr: '0.0.0.0/0' opens the port to everybody"),
        ({"spot_client_cidr": "10.0.0.1/8"}, "spot_client_cidr: '10.0.0.1/8' must be an IPv4 range"),
        ({"spot_client_cidr": "10.0.0.0/8"}, "spot_client_cidr: '10.0.0.0/8' needs spot_container_port"),
        ({"spot_models_path": "models"}, "spot_models_path: 'models' must be an absolute path"),
        ({"spot_models_path": "/srv/../etc"}, "spot_models_path: '/srv/../etc' must be an absolute path"),
        ({"spot_models_path": "/etc"}, "spot_models_path: '/etc' would hide what the container needs"),
        ({"spot_models": {"a/b": "s3://models/a"}}, "spot_models: 'a/b' must be 1 to 64 letters, digits, dots"),
        ({"spot_models": {"a": "s3://models/*"}}, "spot_models.a: 's3://models/*' must be s3://BUCKET/PREFIX"),
        (
            {"spot_models": {"a": "s3://models/a"}},
            "spot_models: 'a' need spot_models_image, an image that copies them",
        ),
        (
            {"spot_models_kms_key_arn": "arn:aws:kms:eu-west-1:123456789012:alias/models"},
            "spot_models_kms_key_arn: 'arn:aws:kms:eu-west-1:123456789012:alias/models' must be the ARN of the key itself",
        ),
        (
            {"spot_models_image": "public.ecr.aws/aws-cli/aws-cli:2.31.0"},
            "spot_models_image: 'public.ecr.aws/aws-cli/aws-cli:2.31.0' is not in ECR of eu-west-1",
        ),
        (
            {"spot_files_replica_region": "cn-north-1"},
            "spot_files_replica_region: 'cn-north-1' is in another partition",
        ),
        (
            {"spot_files_replica_kms_key_arn": COPY_KEY},
            f"spot_files_replica_kms_key_arn: '{COPY_KEY}' needs spot_files_replica_region",
        ),
        (
            {"spot_files_replica_kms_key_arn": COPY_KEY, "spot_files_replica_region": "eu-north-1"},
            "is in eu-central-1, the copy is in eu-north-1",
        ),
        (
            {"spot_files_replica_kms_key_arn": "alias/copies", "spot_files_replica_region": "eu-central-1"},
            "spot_files_replica_kms_key_arn: 'alias/copies' must be the ARN of a key or an alias",
        ),
        ({"spot_patch_concurrency": "0%"}, "spot_patch_concurrency: '0%' must be a whole number of at least 1"),
        ({"spot_patch_concurrency": 0}, "spot_patch_concurrency: 0 must be a whole number of at least 1"),
        ({"spot_sns_topic_arn": "alerts"}, "spot_sns_topic_arn: 'alerts' must be the ARN of a standard SNS topic"),
        ({"spot_sns_topic_arn": ["a"]}, "spot_sns_topic_arn: ['a'] must be a line of text"),
        (
            {"spot_sns_topic_arn": "arn:aws:sns:us-east-1:123456789012:alerts"},
            "is in us-east-1, the fleet is in eu-west-1",
        ),
        ({"spot_dashboard": "big"}, "spot_dashboard: 'big' must be true or false"),
        ({"spot_min_size": 1}, "spot_min_size: 1 must be 0 or left out while spot_capacity_owner is placement"),
        ({"spot_on_demand_base": 1}, "spot_on_demand_base: 1 must be 0 or left out while"),
        (
            {"spot_on_demand_percentage_above_base": 25},
            "spot_on_demand_percentage_above_base: 25 must be 0 or left out while",
        ),
        ({"spot_on_demand_fallback_max": -1}, "spot_on_demand_fallback_max: -1 must be a whole number of at least 0"),
        ({"spot_on_demand_fallback_max": 1}, "spot_on_demand_fallback_max: 1 must be 0 or left out while"),
        (
            {"spot_capacity_owner": "playbook", "spot_on_demand_fallback_max": 5, "spot_max_size": 4},
            "spot_on_demand_fallback_max: 5 is more than spot_max_size (4)",
        ),
        ({"spot_max_size": 1, "spot_replicas": 2}, "spot_replicas: 2 is more than spot_max_size (1)"),
        (
            {"spot_capacity_owner": "playbook", "spot_min_size": 5, "spot_max_size": 4},
            "spot_min_size: 5 is more than spot_max_size (4)",
        ),
        (
            {"spot_capacity_owner": "playbook", "spot_min_size": 2, "spot_desired_capacity": 1},
            "spot_desired_capacity: 1 is less than spot_min_size (2)",
        ),
        (
            {"spot_capacity_owner": "playbook", "spot_on_demand_base": 5, "spot_max_size": 4},
            "spot_on_demand_base: 5 is more than spot_max_size (4)",
        ),
    ],
)
def test_each_rule_is_told_once_with_its_place(variables, message):
    found = errors({"eu-west-1": variables})
    assert len(found) == 1
    assert found[0].startswith("eu-west-1: ")
    assert message in found[0]


def test_all_errors_come_at_once():
    found = errors(
        {
            "eu-west-1": {"spot_replicas": -1, "spot_disk_size": 0},
            "tokyo": {"spot_region": "ap-northeast-1", "spot_tags": []},
        }
    )
    assert [message.split(": ")[:2] for message in found] == [
        ["eu-west-1", "spot_replicas"],
        ["eu-west-1", "spot_disk_size"],
        ["tokyo", "spot_tags"],
    ]


def test_a_wrong_size_says_nothing_about_iops_and_throughput():
    assert errors({"eu-west-1": {"spot_ebs_iops": "many", "spot_ebs_throughput": 1000}}) == [
        "eu-west-1: spot_ebs_iops: 'many' must be a whole number from 3000 to 80000"
    ]


def test_names_of_places_are_checked_with_the_prefix():
    prefix = {"spot_prefix": "a-prefix-of-20-chars"}
    found = errors({"a-place-of-exactly-24-ch": {"spot_region": "eu-west-1", **prefix}}, {"us-east-1": prefix})
    assert found == []
    found = errors({"A_b": {"spot_region": "eu-west-1"}})
    assert "A_b: place: 'A_b' must match" in found[0]


def test_a_place_that_is_no_region_needs_one():
    assert errors({"tokyo": {}}) == ["tokyo: spot_region: None must be given, since 'tokyo' is not a region's name"]
    assert "did you mean us-east-1?" in errors({"us-east1": {}})[0]


def test_the_prefix_is_the_same_everywhere():
    found = errors({"eu-west-1": {"spot_prefix": "other"}})
    assert found == [
        "spot_prefix: must be the same in every place of a deployment: eu-west-1 has 'other', us-east-1 has 'ethereal'"
    ]
    assert errors({"eu-west-1": {"spot_prefix": "aws-x"}}) == [
        "eu-west-1: spot_prefix: 'aws-x' must not start with aws or ssm: parameter names keep those for AWS"
    ]


def test_a_ceiling_is_one_for_all_places():
    hub = {"us-east-1": {"spot_max_hourly_usd": "5.0"}}
    assert errors({"eu-west-1": {"spot_max_hourly_usd": 5}, "eu-west-2": {}}, hub) == []
    assert errors({"eu-west-1": {"spot_max_hourly_usd": 6}}, hub) == [
        "spot_max_hourly_usd: must be the same in every place that has it: eu-west-1, us-east-1 differ"
    ]


def test_two_places_may_share_a_region_unless_their_groups_are_called_the_same():
    one, two = {"spot_region": "eu-west-1"}, {"spot_region": "eu-west-2"}
    assert errors({"a": one, "b": one}) == []
    assert errors({"a": one, "a-od": two}) == []
    assert errors({"a": one, "a-od": one}) == [
        "a-od: place: 'a-od' is called as the on-demand group of 'a', in the same region"
    ]


def test_placement_needs_a_hub():
    assert errors({"eu-west-1": {"spot_capacity_owner": "placement"}}, None) == [
        "eu-west-1: spot_capacity_owner: 'placement' needs a hub, which places"
    ]
    assert errors({"eu-west-1": {"spot_min_size": 2, "spot_max_size": 3}}, None) == []


def test_the_shape_of_an_inventory():
    assert errors({}, {}) == ["the inventory has neither a hub nor a worker: groups hub and workers are empty"]
    assert errors({}, {"us-east-1": {}, "us-east-2": {}}) == [
        "group hub has 2 places, a deployment has one hub: us-east-1, us-east-2"
    ]
    assert errors({"eu-west-1": "yes"}) == ["eu-west-1: must be a mapping of variables to values, not 'yes'"]


def test_a_hub_is_removed_by_teardown_alone():
    absent = {"spot_place_state": "absent"}
    assert errors({"us-west-2": {}}, {"us-east-1": absent}) == [
        "us-east-1: spot_place_state: 'absent' is for workers; teardown removes the hub, once all of them are gone"
    ]
    # The worker in the hub's place can go, and so can all workers.
    for workers in ({"us-east-1": absent, "us-west-2": {}}, {"us-west-2": absent}):
        hub = {"us-east-1": workers.get("us-east-1", {})}
        assert errors(workers, hub) == []


def test_networks_of_two_places_never_overlap():
    wide, narrow = {"spot_vpc_cidr": "10.0.0.0/16"}, {"spot_vpc_cidr": "10.0.64.0/20"}
    overlap = "eu-west-1: spot_vpc_cidr: '10.0.0.0/16' overlaps 10.0.64.0/20 of us-west-2: name another for one of them"
    assert errors({"eu-west-1": wide, "us-west-2": narrow}) == [overlap]
    assert errors({"us-west-2": narrow, "eu-west-1": wide}) == [overlap]
    # One that is derived counts as well, one that goes or that is not ours does not.
    taken = {"spot_vpc_cidr": place_range("us-west-2", "us-west-2")}
    assert errors({"eu-west-1": taken, "us-west-2": {}})[0].endswith("of us-west-2: name another for one of them")
    assert errors({"eu-west-1": wide, "us-west-2": {**narrow, "spot_place_state": "absent"}}) == []
    own = {"spot_vpc_id": "vpc-12345678", "spot_subnet_ids": ["subnet-12345678"]}
    assert errors({"eu-west-1": wide, "us-west-2": {**narrow, **own}}) == []
    # What is no range at all is told as such alone.
    assert len(errors({"eu-west-1": wide, "us-west-2": {"spot_vpc_cidr": "10.0.0.0"}})) == 1


def test_an_image_that_private_nodes_cannot_pull():
    image = {"spot_container_image": "nginx:1"}
    assert errors({"eu-west-1": image}) == [
        "eu-west-1: spot_container_image: 'nginx:1' is not in ECR of eu-west-1, and the place's nodes reach nothing else: push it to a "
        "repository there, set spot_container_pull_through, take spot_nat, or bring spot_subnet_ids with a way to it"
    ]
    assert errors({"eu-west-1": {**image, "spot_nat": "none"}}) == errors({"eu-west-1": image})
    assert errors({"eu-west-1": {**image, "spot_nat": "one"}}) == []
    assert errors({"eu-west-1": {**image, "spot_nat": "per_zone"}}) == []
    own = {"spot_vpc_id": "vpc-12345678", "spot_subnet_ids": ["subnet-12345678"]}
    assert errors({"eu-west-1": {**image, **own}}) == []
    assert errors({"eu-west-1": {"spot_container_image": ""}}) == [
        "eu-west-1: spot_container_image: '' must be an image's reference: REPOSITORY:TAG or REPOSITORY@sha256:DIGEST"
    ]


def test_a_hub_runs_no_containers():
    image = {"spot_container_image": "registry.example.com/a:1"}
    assert errors({"eu-west-1": {}}, {"us-east-1": image}) == []
    assert len(errors({"us-east-1": image}, {"us-east-1": image})) == 1


@pytest.mark.parametrize("image", ["quay.io/a/b:1", "123456789012.dkr.ecr.us-east-1.amazonaws.com/a:1"])
def test_an_image_that_private_nodes_pull_through(image):
    assert errors({"eu-west-1": {"spot_container_image": image, "spot_container_pull_through": True}}) == []
    assert len(errors({"eu-west-1": {"spot_container_image": image, "spot_container_pull_through": False}})) == 1


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        (
            {"spot_container_image": "registry.example.com/a:1"},
            "spot_container_image: 'registry.example.com/a:1' cannot be pulled through ECR, which does so from",
        ),
        # What a NAT gateway would reach is no rule's either.
        ({"spot_container_image": "registry.example.com/a:1", "spot_nat": "one"}, "cannot be pulled through ECR"),
        ({"spot_container_image": "nginx:1"}, "spot_container_registry_secret_arn: None must be given for docker.io"),
        (
            {"spot_container_image": "quay.io/a:1", "spot_container_registry_secret_arn": f"{SECRET}-AbCdEf"},
            "ECR takes no credentials for quay.io",
        ),
        (
            {
                "spot_container_image": "nginx:1",
                "spot_container_registry_secret_arn": f"{SECRET}-AbCdEf".replace("eu-west-1", "us-west-2"),
            },
            "is in us-west-2, the fleet is in eu-west-1",
        ),
        ({"spot_container_registry_secret_arn": "hub"}, "must be the ARN of a secret in Secrets Manager"),
    ],
)
def test_what_no_rule_can_serve_is_refused(variables, message):
    found = errors({"eu-west-1": {"spot_container_pull_through": True, **variables}})
    assert len(found) == 1
    assert message in found[0]
    assert errors({"eu-west-1": {**variables, "spot_container_pull_through": True, "spot_place_state": "absent"}}) == (
        found if "must be the ARN" in message else []
    )


def test_credentials_without_a_rule():
    secret = {"spot_container_registry_secret_arn": f"{SECRET}-AbCdEf"}
    assert errors({"eu-west-1": secret}) == [
        f"eu-west-1: spot_container_registry_secret_arn: '{SECRET}-AbCdEf' needs spot_container_pull_through"
    ]


def test_doubts():
    assert warnings({"eu-west-1": {"spot_replica": 3, "spot_zzz": None, "spot_qqq": 1}}) == [
        "eu-west-1: spot_replica: is no variable of this collection; did you mean spot_replicas?",
        "eu-west-1: spot_qqq: is no variable of this collection",
    ]
    assert warnings({"eu-west-9": {}}) == [
        "eu-west-9: spot_region: 'eu-west-9' is not a region that this version knows; did you mean eu-west-3?"
    ]
    assert warnings({"cn-north-1": {}}) == ["the places are in partitions aws and aws-cn, which share no credentials"]
    own = {"spot_vpc_id": "vpc-12345678", "spot_subnet_ids": ["subnet-12345678"], "spot_vpc_cidr": "10.0.0.0/16"}
    assert warnings({"eu-west-1": own}) == [
        "eu-west-1: spot_vpc_cidr: is not used, since spot_vpc_id names a VPC of yours"
    ]


def test_secrets_are_never_shown():
    hush = "hush" * 5000
    variables = {"spot_user_data": hush, "spot_container_environment": {"A": ["hush"], "B": "hush"}}
    found = errors({"eu-west-1": variables})
    assert len(found) == 2
    assert "hush" not in "".join(found)


def test_the_report():
    found, doubts = validate(HUB, {"eu-west-1": {"spot_replicas": -1, "spot_x": 1}})
    assert report_lines(2, found, doubts) == [
        "2 places: 1 error, 1 warning",
        "  error    eu-west-1: spot_replicas: -1 must be a whole number of at least 0",
        "  warning  eu-west-1: spot_x: is no variable of this collection",
    ]
    assert report_lines(1, [], []) == ["1 place: 0 errors, 0 warnings"]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
variables = st.dictionaries(st.sampled_from([*VARIABLES, "spot_other"]), anything, max_size=8)
inventories = st.dictionaries(st.sampled_from(["us-east-1", "tokyo", "A b", ""]), variables | anything, max_size=3)


@given(inventories, inventories)
def test_whatever_an_inventory_says_is_judged_and_nothing_is_raised(hub, workers):
    found, doubts = validate(hub, workers)
    assert all(isinstance(str(finding), str) for finding in [*found, *doubts])


def test_an_image_with_the_container_in_it():
    image = {
        "spot_prebaked_image": True,
        "spot_container_image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/serve:1",
    }
    needs = "needs imagebuilder in spot_endpoints, or spot_nat: the build's instance reaches nothing else"
    refusal = f"eu-west-1: spot_prebaked_image: True {needs}"
    assert errors({"eu-west-1": image}) == [refusal]
    assert errors({"eu-west-1": {**image, "spot_endpoints": ["session_manager"]}}) == [refusal]
    own = {"spot_vpc_id": "vpc-12345678", "spot_subnet_ids": ["subnet-12345678"]}
    ways = ({"spot_endpoints": ["imagebuilder"]}, {"spot_nat": "one"}, own, {"spot_place_state": "absent"})
    for way in (*ways, {"spot_prebaked_image": False}):
        assert errors({"eu-west-1": {**image, **way}}) == []
    # What is wrong for itself is told as such alone.
    assert len(errors({"eu-west-1": {**image, "spot_endpoints": ["image_builder"]}})) == 1
    assert errors({"eu-west-1": {"spot_prebaked_image": True, **own}}) == [
        "eu-west-1: spot_prebaked_image: True needs spot_container_image: what is to be in the image"
    ]
    moving = {**image, **own, "spot_container_image": "serve:latest"}
    for reference in ("serve:latest", "host:5000/serve"):
        (doubt,) = warnings({"eu-west-1": {**moving, "spot_container_image": reference}})
        assert doubt.startswith(f"eu-west-1: spot_container_image: {reference!r} may name another image tomorrow")
    assert warnings({"eu-west-1": {**moving, "spot_container_image": "serve@sha256:" + "0" * 64}}) == []
