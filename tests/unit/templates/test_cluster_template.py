# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The template of role private_cluster as it is rendered for clusters of every shape."""

from __future__ import annotations

import sys

import pytest
import yaml
from cfn_templates import ROOT
from cfn_templates import Loader

from ansible_collections.ethereal.spot.plugins.module_utils._brain.cluster.checks import MOST_SUBNETS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.stacks import TEMPLATE_LIMIT

sys.path.insert(0, str(ROOT / "tools"))
import cluster_templates

ANYWHERE = {"0.0.0.0/0", "::/0"}
RULES = ("SecurityGroupIngress", "SecurityGroupEgress")
INTERFACES = {"Endpointssm", "Endpointssmmessages"}


@pytest.fixture(params=sorted(cluster_templates.SHAPES))
def shape(request: pytest.FixtureRequest) -> str:
    return request.param


def rendered(shape):
    return yaml.load(cluster_templates.render(cluster_templates.SHAPES[shape]), Loader)


def of_kind(template, kind):
    return {name: item.get("Properties", {}) for name, item in template["Resources"].items() if item["Type"] == kind}


def test_outputs_are_those_that_the_role_expects(shape):
    variables = yaml.safe_load((ROOT / "roles/private_cluster/vars/main.yml").read_text())
    assert set(rendered(shape)["Outputs"]) == set(variables["_private_cluster_outputs"])


def test_nothing_comes_in_from_anywhere_and_no_rule_stands_apart(shape):
    template = rendered(shape)
    kinds = {resource["Type"] for resource in template["Resources"].values()}
    assert not kinds & {"AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress"}
    for name, group in of_kind(template, "AWS::EC2::SecurityGroup").items():
        # What is not declared is not looked at by drift detection.
        assert all(group[rules] for rules in RULES), name
        assert not ANYWHERE & {rule.get("CidrIp") for rule in group["SecurityGroupIngress"]}, name
    ssh = [
        rule["CidrIp"]
        for rule in template["Resources"]["Nodes"]["Properties"]["SecurityGroupIngress"]
        if rule["FromPort"] == 22
    ]
    assert ssh == ["8.8.8.8/32"]


@pytest.mark.parametrize(
    ("shape", "ways"),
    [
        ("both", {"Gateway", "EndpointS3", *INTERFACES}),
        ("nat", {"Gateway", "Nat", "EndpointS3"}),
        ("public", {"Gateway"}),
        ("private", {"EndpointS3", *INTERFACES}),
        ("closed", {"EndpointS3"}),
        ("own", set()),
    ],
)
def test_ways_out_are_those_that_were_asked_for(shape, ways):
    template = rendered(shape)
    kinds = ("AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::EC2::VPCEndpoint")
    assert {name for kind in kinds for name in of_kind(template, kind)} == ways
    routes = of_kind(template, "AWS::EC2::Route")
    assert {route["RouteTableId"]["Ref"] for route in routes.values()} == (
        ({"PublicRoutes"} if "Gateway" in ways else set()) | ({"PrivateRoutes"} if "Nat" in ways else set())
    )
    assert not any(subnet["MapPublicIpOnLaunch"] for subnet in of_kind(template, "AWS::EC2::Subnet").values())


def test_the_key_rotates_and_serves_spot_instances_of_this_account_only(shape):
    (key,) = of_kind(rendered(shape), "AWS::KMS::Key").values()
    assert key["EnableKeyRotation"] is True
    for statement in key["KeyPolicy"]["Statement"]:
        if statement["Principal"] == {"AWS": "*"}:
            assert statement["Condition"]["StringEquals"] == {"kms:CallerAccount": {"Ref": "AWS::AccountId"}}
            assert "aws:PrincipalArn" in statement["Condition"]["ArnEquals"]


def test_nothing_is_made_of_a_network_that_is_there():
    template = rendered("own")
    kinds = {resource["Type"] for resource in template["Resources"].values()}
    assert kinds & {f"AWS::EC2::{kind}" for kind in ("VPC", "Subnet", "RouteTable", "Route", "VPCEndpoint")} == set()
    for group in of_kind(template, "AWS::EC2::SecurityGroup").values():
        assert group["VpcId"] == "vpc-0123456789abcdef0"
    assert template["Outputs"]["SubnetIds"]["Value"] == {"Fn::Join": [",", ["subnet-0123456789abcdef0"]]}


def test_no_partition_is_named_and_the_text_fits(shape):
    text = cluster_templates.render(cluster_templates.SHAPES[shape])
    assert "arn:aws" not in text
    assert len(text.encode()) < TEMPLATE_LIMIT / 2


def test_as_many_subnets_as_are_taken_fit():
    many = [
        {"name": f"subnet-{number:025}", "zone": "us-west-2a", "cidr": f"10.0.{number}.0/24", "public": number % 2 == 0}
        for number in range(MOST_SUBNETS)
    ]
    assert len(cluster_templates.render({"subnets": many}).encode()) < TEMPLATE_LIMIT
