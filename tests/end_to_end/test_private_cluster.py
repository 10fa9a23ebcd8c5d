# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example's cluster: foretold, made, again, one node changed, lost and removed, and gone, judged by AWS itself."""

from __future__ import annotations

import json
import os
import subprocess

import grants
import leftovers
import local_aws
import pytest
import yaml
from deployment import ROOT
from deployment import Account

EXAMPLE = ROOT / "examples/private_cluster"
REGION = "us-west-2"
NODES = yaml.safe_load((EXAMPLE / "inventory.yml").read_text())["private_cluster"]["vars"]["private_cluster_nodes"]


@pytest.fixture(scope="module")
def account():
    with local_aws.running() as aws:
        environment = local_aws.controller(aws, "owner", role="private_cluster")
        yield Account(aws, environment, leftovers.listing(aws.url))


def play(account, *arguments, succeed=True, **variables):
    chosen = ["-i", str(EXAMPLE / "inventory.yml"), "-e", json.dumps(variables), *arguments]
    return account.play("private_cluster", *chosen, succeed=succeed)


@pytest.fixture(scope="module")
def prediction(account):
    return play(account, "--check")


@pytest.fixture(scope="module")
def first(account, prediction):
    return play(account)


def instances(account):
    found = account.client("ec2", REGION).describe_instances(
        Filters=[{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    )
    return {
        next(tag["Value"] for tag in item["Tags"] if tag["Key"] == "ethereal-spot:node"): item
        for reservation in found["Reservations"]
        for item in reservation["Instances"]
    }


def test_it_is_predicted_and_made(prediction, first):
    assert prediction.mutating == []
    assert prediction.changed == first.changed


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"private_cluster_home_address": "0.0.0.0/0"}, "opens SSH to everyone"),
        ({"private_cluster_prefix": "a/../b"}, "prefix: 'a/../b' must match"),
        ({"private_cluster_prefix": "aws"}, "must not start with aws"),
        ({"private_cluster_place": 'x"\n  Other: {}'}, "must match"),
        ({"private_cluster_public_key": "-----BEGIN OPENSSH PRIVATE KEY-----"}, "is a private key"),
    ],
)
def test_bad_input_costs_no_call(account, variables, message):
    refused = play(account, succeed=False, **variables)
    assert message in refused.output
    assert refused.calls == []


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"instance_type": "t4g.micro"}, "launches[0].instance_type: 't4g.micro' is arm64, image ami-"),
        ({"image": "ami-0123456789abcdef0"}, "'ami-0123456789abcdef0' does not exist in us-west-2"),
    ],
)
def test_a_node_that_cannot_be_launched_costs_no_mutating_call(account, node, message):
    plain = {"name": "odd", "subnet": "back", "instance_type": "t3.micro", **node}
    refused = play(account, succeed=False, private_cluster_nodes=[plain])
    assert message in refused.output
    assert refused.mutating == []


def test_nodes_are_what_was_asked_for(account, first):
    ec2 = account.client("ec2", REGION)
    (key,) = [
        item for item in account.client("kms", REGION).list_aliases()["Aliases"] if "ethereal-jobs" in item["AliasName"]
    ]
    found = instances(account)
    assert {name: item.get("InstanceLifecycle") for name, item in found.items()} == {"master": None, "worker": "spot"}
    assert found["master"]["PrivateIpAddress"] == "10.80.0.10"
    assert found["master"].get("PublicIpAddress") in first.output
    assert not found["worker"].get("PublicIpAddress")
    for item in found.values():
        assert (item["MetadataOptions"]["HttpTokens"], item["MetadataOptions"]["HttpPutResponseHopLimit"]) == (
            "required",
            1,
        )
        assert item["KeyName"].startswith("ethereal-jobs-")
        assert item["IamInstanceProfile"]["Arn"].endswith("/ethereal-jobs-node")
        volumes = ec2.describe_volumes(VolumeIds=[device["Ebs"]["VolumeId"] for device in item["BlockDeviceMappings"]])[
            "Volumes"
        ]
        # The image has a second device.
        assert len(volumes) == 2
        assert all(volume["Encrypted"] and volume["KmsKeyId"].endswith(key["TargetKeyId"]) for volume in volumes)


def rules_of(account):
    """What the nodes' own group lets in, as ports and sources, and the group that its members are known by."""
    ec2 = account.client("ec2", REGION)
    names = ["ethereal-jobs-members", "ethereal-jobs-nodes"]
    found = ec2.describe_security_groups(Filters=[{"Name": "tag:Name", "Values": names}])["SecurityGroups"]
    members, group = sorted(found, key=lambda each: [tag["Value"] for tag in each["Tags"] if tag["Key"] == "Name"])
    rules = set()
    for rule in group["IpPermissions"]:
        sources = [source["CidrIp"] for source in rule["IpRanges"]]
        sources += [pair["GroupId"] for pair in rule["UserIdGroupPairs"]]
        rules |= {(rule["FromPort"], rule["ToPort"], source) for source in sources}
    return rules, group, members["GroupId"]


def test_groups_let_ssh_in_from_home_and_nodes_to_each_other(account, first):
    rules, group, members = rules_of(account)
    for node in instances(account).values():
        assert {item["GroupId"] for item in node["SecurityGroups"]} == {group["GroupId"], members}
    assert rules == {(22, 22, "8.8.8.8/32"), (80, 80, members), (443, 443, members)}
    assert sorted(rule["FromPort"] for rule in group["IpPermissionsEgress"]) == [80, 443]


def test_a_second_run_changes_nothing(account, first):
    again = play(account)
    assert (again.mutating, again.changed) == ([], {"jobs": 0})


def test_a_rule_opened_by_hand_is_told_and_closed_only_when_asked(account, first):
    rules, group, _members = rules_of(account)
    opened = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    account.client("ec2", REGION).authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[opened])
    told = play(account)
    assert (told.mutating, told.changed) == ([], {"jobs": 0})
    assert "drift" in told.output.lower()
    assert play(account, private_cluster_heal_drift=True).changed == {"jobs": 1}
    assert rules_of(account)[0] == rules
    assert "drift" not in play(account).output.lower()


def test_a_changed_node_is_told_and_replaced_only_when_asked(account, first):
    before = instances(account)
    nodes = [{**NODES[0], "user_data": "#!/bin/sh\n"}, {**NODES[1], "user_data": "#!/bin/sh\n"}]
    # Lookups in the inventory's scripts are not resolved here, so both nodes are named outright.
    told = play(account, private_cluster_nodes=nodes)
    assert told.mutating == []
    assert "worker differs from what is wanted" in told.output
    assert instances(account) == before


def test_a_lost_spot_node_is_launched_again_and_alone(account, first):
    before = instances(account)
    account.client("ec2", REGION).terminate_instances(InstanceIds=[before["worker"]["InstanceId"]])
    run = play(account)
    assert run.mutating.count("ec2:RunInstances") == 1
    assert not {"ec2:TerminateInstances", "ec2:AssociateAddress"} & set(run.mutating)
    after = instances(account)
    assert after["master"]["InstanceId"] == before["master"]["InstanceId"]
    assert after["worker"]["InstanceId"] != before["worker"]["InstanceId"]


def test_the_inventory_finds_the_nodes(account, first):
    done = subprocess.run(
        [ROOT / ".venvs/dev/bin/ansible-inventory", "-i", EXAMPLE / "aws_ec2.yml", "--list"],
        cwd=ROOT,
        env={**os.environ, **account.environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(json.loads(done.stdout)["_meta"]["hostvars"]) == {"master", "worker"}


def test_a_replaced_node_keeps_nothing_of_what_it_was(account, first):
    nodes = [{**node, "user_data": "#!/bin/sh\n"} for node in NODES]
    play(account, private_cluster_nodes=nodes, private_cluster_replace=True)
    before = instances(account)
    assert before["worker"]["InstanceLifecycle"] == "spot"
    plain = {name: value for name, value in nodes[1].items() if name not in ("market", "user_data")}
    run = play(account, private_cluster_nodes=[nodes[0], plain], private_cluster_replace=True)
    assert run.mutating.count("ec2:RunInstances") == 1
    after = instances(account)
    assert after["master"] == before["master"]
    assert after["worker"].get("InstanceLifecycle") is None
    described = account.client("ec2", REGION).describe_instance_attribute(
        InstanceId=after["worker"]["InstanceId"], Attribute="userData"
    )
    assert not described["UserData"].get("Value")
    assert play(account, private_cluster_nodes=[nodes[0], plain]).mutating == []


def test_what_stands_still_changes_under_standing_nodes(account, first):
    """Everything in the stack changes, the key pair's tags too, and CloudFormation replaces nothing under the name that it has."""
    ec2 = account.client("ec2", REGION)
    before, (old,) = instances(account), ec2.describe_key_pairs()["KeyPairs"]
    wish = {"private_cluster_tags": {"team": "jobs"}, "private_cluster_home_address": "8.8.4.4"}
    foretold = play(account, "--check", private_cluster_nat=True, **wish)
    assert (foretold.mutating, foretold.changed) == ([], {"jobs": 1})
    run = play(account, private_cluster_nat=True, **wish)
    assert run.changed == foretold.changed
    assert not {"ec2:RunInstances", "ec2:TerminateInstances"} & set(run.mutating)
    (key_pair,) = ec2.describe_key_pairs()["KeyPairs"]
    assert key_pair["KeyName"] != old["KeyName"]
    assert {"Key": "team", "Value": "jobs"} in key_pair["Tags"]
    assert {name: item["InstanceId"] for name, item in instances(account).items()} == {
        name: item["InstanceId"] for name, item in before.items()
    }
    assert play(account, private_cluster_nat=True, **wish).mutating == []
    play(account)
    assert "team" not in {tag["Key"] for tag in ec2.describe_key_pairs()["KeyPairs"][0]["Tags"]}


def test_nothing_is_left(account, first):
    play(account, private_cluster_state="absent")
    assert leftovers.listing(account.aws.url) - account.before == set()


def test_a_cluster_in_a_vpc_that_is_there(account, first):
    """Nothing of the VPC is made, changed or removed but nodes, groups and what they need."""
    ec2 = account.client("ec2", REGION)
    vpc = ec2.create_vpc(CidrBlock="10.90.0.0/16")["Vpc"]["VpcId"]
    made = ec2.create_subnet(VpcId=vpc, CidrBlock="10.90.0.0/24", AvailabilityZone=f"{REGION}a")["Subnet"]["SubnetId"]
    before = leftovers.listing(account.aws.url)
    here = {
        "private_cluster_place": "guests",
        "private_cluster_vpc_id": vpc,
        "private_cluster_subnets": [{"name": "back", "id": made}],
        "private_cluster_nodes": [{"name": "worker", "subnet": "back", "instance_type": "t3.micro"}],
    }
    prediction = play(account, "--check", **here)
    assert prediction.mutating == []
    assert play(account, **here).changed == prediction.changed
    found = instances(account)["worker"]
    assert (found["VpcId"], found["SubnetId"]) == (vpc, made)
    again = play(account, **here)
    assert (again.changed, again.mutating) == ({"jobs": 0}, [])
    assert len(ec2.describe_subnets(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Subnets"]) == 1
    subnet = {"name": "back", "zone": f"{REGION}a", "cidr": "10.80.1.0/24"}
    moved = {**here, "private_cluster_vpc_id": "", "private_cluster_subnets": [subnet]}
    refused = play(account, succeed=False, **moved)
    assert f"private_cluster_vpc_id: its nodes are in {vpc}" in " ".join(refused.output.split())
    assert refused.mutating == []
    play(account, **here, private_cluster_state="absent")
    assert leftovers.listing(account.aws.url) == before


def test_recorded_calls_equal_granted_actions(account, first):
    """Over the whole life, as a user with the role's own policy: nothing was denied, and nothing is granted that nobody needed."""
    calls = account.aws.control("GET", "calls")
    assert not [call for call in calls for judged in call["iam"] or [] if not judged["allowed"]]
    recorded = grants.recorded(calls, "user/owner")
    assert grants.granted_to_role("private_cluster") - recorded - grants.IMPLIED == set()
