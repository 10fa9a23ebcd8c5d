# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import subprocess

import pytest

from ansible_collections.ethereal.spot.plugins.module_utils._brain.cluster.checks import UBUNTU
from ansible_collections.ethereal.spot.plugins.module_utils._brain.cluster.checks import check_cluster
from ansible_collections.ethereal.spot.plugins.module_utils._brain.cluster.checks import check_home
from ansible_collections.ethereal.spot.plugins.module_utils._brain.cluster.checks import check_public_key
from ansible_collections.ethereal.spot.plugins.module_utils._brain.cluster.parallel_lists import from_parallel_lists
from ansible_collections.ethereal.spot.plugins.module_utils._brain.cluster.plan import TAG_NODE
from ansible_collections.ethereal.spot.plugins.module_utils._brain.cluster.plan import TAG_WISH
from ansible_collections.ethereal.spot.plugins.module_utils._brain.cluster.plan import plan_addresses
from ansible_collections.ethereal.spot.plugins.module_utils._brain.cluster.plan import plan_nodes
from ansible_collections.ethereal.spot.plugins.module_utils._brain.cluster.plan import reach_lines
from ansible_collections.ethereal.spot.plugins.module_utils._brain.cluster.plan import wish_tag
from ansible_collections.ethereal.spot.plugins.module_utils._brain.cluster.start_up import SCRIPT
from ansible_collections.ethereal.spot.plugins.module_utils._brain.cluster.start_up import wrapped
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError


def public_key(kind: str = "ssh-ed25519", inside: str = "") -> str:
    name = (inside or kind).encode()
    blob = len(name).to_bytes(4, "big") + name + (32).to_bytes(4, "big") + bytes(32)
    return f"{kind} {base64.b64encode(blob).decode()} me@home"


def wish(**changes):
    node = {"name": "master", "subnet": "front", "instance_type": "t3.micro", "elastic_ip": True}
    worker = {"name": "worker", "subnet": "back", "instance_type": "t3.micro", "market": "spot"}
    return {
        "region": "us-west-2",
        "home": "8.8.8.8",
        "public_key": public_key(),
        "cidr": "10.0.0.0/16",
        "subnets": [
            {"name": "front", "zone": "us-west-2a", "cidr": "10.0.0.0/24", "public": True},
            {"name": "back", "zone": "us-west-2b", "cidr": "10.0.1.0/24"},
        ],
        "nodes": [node, worker],
        **changes,
    }


def changed(key, index, **changes):
    entries = wish()[key]
    entries[index] = {**entries[index], **changes}
    return {key: entries}


def test_a_cluster_is_made_whole():
    made = check_cluster(wish())
    assert made["home_cidr"] == "8.8.8.8/32"
    assert made["public_key"] == public_key().rpartition(" ")[0]
    master, worker = made["nodes"]
    assert (master["zone"], master["image"], master["market"], worker["elastic_ip"]) == (
        "us-west-2a",
        UBUNTU,
        "on-demand",
        False,
    )
    # What is whole already stays as it is.
    assert check_cluster({**made, "home": made["home_cidr"]}) == made


@pytest.mark.parametrize(
    ("home", "rule"),
    [
        ("0.0.0.0/0", "opens SSH to everyone"),
        ("::/0", "opens SSH to everyone"),
        ("8.8.8.8/24", "has host bits set"),
        ("8.8.8.0/24", "opens SSH to 256 addresses"),
        ("10.1.2.3", "private address"),
        ("192.168.0.7/32", "private address"),
        ("127.0.0.1", "no address that a machine calls from"),
        ("0.0.0.0", "no address that a machine calls from"),
        ("2001:4860:4860::8888", "IPv4 only"),
        ("home.example.org", "is not an IP address"),
        ("", "is not an IP address"),
        (134744072, "is not an IP address"),
        (None, "is not an IP address"),
    ],
)
def test_home_is_one_address_that_aws_sees(home, rule):
    with pytest.raises(InputError, match=rule):
        check_home(home)


def test_a_private_home_address_is_for_a_vpn():
    assert check_home("10.1.2.3", vpn=True) == "10.1.2.3/32"
    with pytest.raises(InputError, match="opens SSH to everyone"):
        check_home("0.0.0.0/0", vpn=True)


PRIVATE = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAA\n-----END OPENSSH PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("key", "rule"),
    [
        (PRIVATE, "is a private key"),
        ("ssh-ed25519 AAAA", "does not hold a key"),
        ("ssh-ed25519 !!!!", "does not hold a key"),
        (public_key("ssh-rsa", "ssh-ed25519"), "does not hold a key"),
        (public_key("ecdsa-sha2-nistp256"), "must be one line"),
        (public_key() + "\n" + public_key(), "must be one line"),
        ("", "must be one line"),
        (None, "must be one line"),
    ],
)
def test_public_key_is_one_that_ec2_imports_and_is_never_shown(key, rule):
    with pytest.raises(InputError, match=rule) as raised:
        check_public_key(key)
    for word in str(key or "-").split():
        assert len(word) < 8 or word not in raised.value.message or word.startswith("ssh-")


@pytest.mark.parametrize(
    ("changes", "option", "rule"),
    [
        (changed("nodes", 1, name="master"), "private_cluster_nodes[1].name", "is listed twice"),
        (changed("nodes", 0, name="a b"), "private_cluster_nodes[0].name", "DNS label"),
        (changed("nodes", 0, name="$(reboot)"), "private_cluster_nodes[0].name", "DNS label"),
        (changed("nodes", 0, name="Master"), "private_cluster_nodes[0].name", "DNS label"),
        (changed("nodes", 0, name="n" * 33), "private_cluster_nodes[0].name", "DNS label"),
        (changed("nodes", 0, name="knöten"), "private_cluster_nodes[0].name", "DNS label"),
        (changed("nodes", 0, name="node\n"), "private_cluster_nodes[0].name", "DNS label"),
        (changed("nodes", 0, name=" node"), "private_cluster_nodes[0].name", "DNS label"),
        (changed("nodes", 0, name="{{ x }}"), "private_cluster_nodes[0].name", "DNS label"),
        (changed("nodes", 0, name='"'), "private_cluster_nodes[0].name", "DNS label"),
        (changed("subnets", 0, name="a: b"), "private_cluster_subnets[0].name", "DNS label"),
        (changed("subnets", 0, zone='us-west-2a"'), "private_cluster_subnets[0].zone", "is not a zone of us-west-2"),
        ({"tags": {"aws:x": "y"}}, "private_cluster_tags", "reserved prefix aws:"),
        ({"tags": {"Team": "a", "team": "b"}}, "private_cluster_tags", "by case only"),
        ({"tags": {"team": "a\nb"}}, "private_cluster_tags", "letters, digits"),
        (changed("nodes", 0, subnet="other"), "private_cluster_nodes[0].subnet", "is not one of back, front"),
        (changed("nodes", 0, zone="us-west-2c"), "private_cluster_nodes[0].zone", "is not where subnet front is"),
        (changed("nodes", 0, instance_type="big"), "private_cluster_nodes[0].instance_type", "not an instance type"),
        (changed("nodes", 0, image="ubuntu"), "private_cluster_nodes[0].image", "must be ami-"),
        (changed("nodes", 0, market="auction"), "private_cluster_nodes[0].market", "must be one of"),
        (changed("nodes", 1, elastic_ip=True), "private_cluster_nodes[1].elastic_ip", "needs a public subnet"),
        (changed("nodes", 0, volume_size=0), "private_cluster_nodes[0].volume_size", "whole number"),
        (changed("nodes", 0, private_ip="10.0.0.3"), "private_cluster_nodes[0].private_ip", "AWS keeps"),
        (changed("nodes", 0, private_ip="10.0.0.255"), "private_cluster_nodes[0].private_ip", "AWS keeps"),
        (changed("nodes", 0, private_ip="10.0.1.9"), "private_cluster_nodes[0].private_ip", "is not in subnet"),
        (changed("nodes", 0, user_data="echo"), "private_cluster_nodes[0].user_data", "must begin with #!"),
        (changed("nodes", 0, user_data="#!" + "x" * 16_000), "private_cluster_nodes[0].user_data", "limit 16384"),
        (changed("nodes", 0, colour="x"), "private_cluster_nodes[0]", "is not one of"),
        (changed("subnets", 0, zone="us-east-1a"), "private_cluster_subnets[0].zone", "is not a zone of us-west-2"),
        (changed("subnets", 1, cidr="10.0.0.128/25"), "private_cluster_subnets[1].cidr", "overlaps 10.0.0.0/24"),
        (changed("subnets", 1, cidr="10.1.0.0/24"), "private_cluster_subnets[1].cidr", "is not inside"),
        (changed("subnets", 1, cidr="10.0.1.0/29"), "private_cluster_subnets[1].cidr", "must be /16 to /28"),
        (changed("subnets", 1, cidr="10.0.1.1/24"), "private_cluster_subnets[1].cidr", "host bits"),
        ({"subnets": wish()["subnets"] * 31}, "private_cluster_subnets", "limit 60"),
        ({"cidr": "10.0.0.0/8"}, "private_cluster_cidr", "must be /16 to /28"),
        ({"region": "mars-1"}, "private_cluster_region", "region"),
        ({"nodes": []}, "private_cluster_nodes", "at least one"),
        ({"subnets": [{"name": "a"}]}, "private_cluster_subnets[0]", "lacks zone"),
        (
            {"nat": True, "nodes": [wish()["nodes"][1]], "subnets": [wish()["subnets"][1]]},
            "private_cluster_nat",
            "needs a public subnet",
        ),
    ],
)
def test_bad_input(changes, option, rule):
    with pytest.raises(InputError, match=rule) as raised:
        check_cluster(wish(**changes))
    assert raised.value.option == option


VPC = "vpc-0123456789abcdef0"
OPEN, SHUT, ELSEWHERE = (f"subnet-0123456789abcdef{number}" for number in range(3))


def own_network(**changes):
    """A wish in a VPC of the user's, whose main route table leads nowhere and whose subnet OPEN has one that leads out."""
    found = [
        {"id": name, "vpc_id": vpc, "availability_zone": f"us-west-2{zone}", "cidr_block": f"10.9.{number}.0/24"}
        for number, (name, vpc, zone) in enumerate([(OPEN, VPC, "a"), (SHUT, VPC, "b"), (ELSEWHERE, "vpc-1", "c")])
    ]
    local = {"gateway_id": "local", "destination_cidr_block": "10.9.0.0/16"}
    out = {"gateway_id": "igw-1", "destination_cidr_block": "0.0.0.0/0"}
    tables = [
        {"associations": [{"main": True}], "routes": [local]},
        {"associations": [{"main": False, "subnet_id": OPEN}], "routes": [local, out]},
    ]
    subnets = [{"name": "front", "id": OPEN}, {"name": "back", "id": SHUT}]
    return wish(**{"vpc_id": VPC, "subnets": subnets, "found_subnets": found, "route_tables": tables, **changes})


def test_subnets_of_ones_own_are_as_they_are():
    made = check_cluster(own_network())
    assert (made["vpc_id"], made["cidr"]) == (VPC, "")
    assert made["subnets"] == [
        {"name": "front", "id": OPEN, "zone": "us-west-2a", "cidr": "10.9.0.0/24", "public": True},
        {"name": "back", "id": SHUT, "zone": "us-west-2b", "cidr": "10.9.1.0/24", "public": False},
    ]
    assert [node["zone"] for node in made["nodes"]] == ["us-west-2a", "us-west-2b"]


def test_a_subnet_without_a_route_table_has_the_main_one():
    (main, own) = own_network()["route_tables"]
    made = check_cluster(own_network(route_tables=[{**main, "routes": own["routes"]}]))
    assert [subnet["public"] for subnet in made["subnets"]] == [True, True]


@pytest.mark.parametrize(
    ("changes", "option", "rule"),
    [
        ({"vpc_id": "vpc-1"}, "private_cluster_vpc_id", "must be vpc- and 8 or 17"),
        (
            {"subnets": [{"name": "front", "id": "x"}]},
            "private_cluster_subnets[0].id[0]",
            "must be subnet- and 8 or 17",
        ),
        ({"subnets": [{"name": "front"}]}, "private_cluster_subnets[0]", "lacks id"),
        (
            {"subnets": [{"name": "front", "id": OPEN, "cidr": "10.9.0.0/24"}]},
            "private_cluster_subnets[0]",
            "is not one",
        ),
        ({"found_subnets": []}, "private_cluster_subnets[0].id", "does not exist in the region"),
        ({"subnets": [{"name": "a", "id": ELSEWHERE}]}, "private_cluster_subnets[0].id", "is in vpc-1"),
        ({"subnets": [{"name": "a", "id": SHUT}] * 2}, "private_cluster_subnets[1].name", "is listed twice"),
        (
            {"subnets": [{"name": "a", "id": SHUT}, {"name": "b", "id": SHUT}]},
            "private_cluster_subnets[1].id",
            "is listed twice",
        ),
        ({"nat": True}, "private_cluster_nat", "not for one of yours"),
        ({"route_tables": []}, "private_cluster_nodes[0].elastic_ip", "needs a public subnet"),
    ],
)
def test_bad_subnets_of_ones_own(changes, option, rule):
    with pytest.raises(InputError, match=rule) as raised:
        check_cluster(own_network(**changes))
    assert raised.value.option == option


def eight(**changes):
    return {
        "region": "us-west-2",
        "elastic_ip_names": ["one", "two"],
        "azs": ["us-west-2a", "us-west-2b"],
        "private_subnets": ["10.0.1.0/24", "10.0.2.0/24"],
        "public_subnets": ["10.0.101.0/24", "10.0.102.0/24"],
        "cidr": "10.0.0.0/16",
        "homeIPAddress": "8.8.8.8",
        "public_key": public_key(),
        **changes,
    }


def checked(made):
    names = {"home": "home_address"}
    keys = ("region", "home", "public_key", "cidr", "subnets", "nodes")
    return check_cluster({key: made[f"private_cluster_{names.get(key, key)}"] for key in keys})


def test_the_eight_variables_make_a_cluster():
    made = checked(from_parallel_lists(eight(), "t3.micro", "#!/bin/sh\n"))
    assert [(node["name"], node["zone"], node["elastic_ip"]) for node in made["nodes"]] == [
        ("one", "us-west-2a", True),
        ("two", "us-west-2b", True),
    ]
    by_name = {subnet["name"]: subnet for subnet in made["subnets"]}
    assert {by_name[node["subnet"]]["cidr"] for node in made["nodes"]} == {"10.0.101.0/24", "10.0.102.0/24"}
    assert len(by_name) == 4


def test_a_node_without_an_elastic_ip_is_private():
    made = checked(from_parallel_lists(eight(elastic_ip_names=["one", ""]), "t3.micro"))
    node = made["nodes"][1]
    assert (node["name"], node["elastic_ip"], node["subnet"]) == ("node-2", False, "private-2")


def test_nodes_may_share_a_subnet():
    shared = eight(azs=["us-west-2a"] * 2, private_subnets=["10.0.1.0/24"] * 2, public_subnets=["10.0.101.0/24"] * 2)
    assert len(checked(from_parallel_lists(shared, "t3.micro"))["subnets"]) == 2
    with pytest.raises(InputError, match="is not the zone of subnet"):
        from_parallel_lists({**shared, "azs": ["us-west-2a", "us-west-2b"]}, "t3.micro")


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"azs": ["us-west-2a"]}, "equal lengths"),
        ({"azs": "us-west-2a"}, "must be a list"),
        ({"zones": []}, "is unknown"),
        ({"private_subnets": ["10.0.1.1/24", "10.0.2.0/24"]}, "is not an IPv4 network"),
    ],
)
def test_bad_parallel_lists(changes, rule):
    with pytest.raises(InputError, match=rule):
        from_parallel_lists(eight(**changes), "t3.micro")


NODES = check_cluster(wish())["nodes"]


def instance(node, number, state="running", **changes):
    tags = {TAG_NODE: node["name"], TAG_WISH: wish_tag(node)}
    found = {"instance_id": f"i-{number}", "state": {"name": state}, "tags": tags, "launch_time": f"2026-01-0{number}"}
    return {**found, "private_ip_address": f"10.0.0.{number}", **changes}


STANDING = [instance(NODES[0], 1), instance(NODES[1], 2)]


def summary(plan):
    return [node["name"] for node in plan["launch"]], plan["terminate"], plan["differs"]


def test_nothing_is_done_where_all_nodes_stand():
    assert summary(plan_nodes(NODES, STANDING, replace=True)) == ([], [], {})


def test_one_node_that_comes_or_goes_touches_no_other():
    plan = plan_nodes(NODES, STANDING[:1])
    assert summary(plan) == (["worker"], [], {})
    assert plan["images"] == [{"image": UBUNTU, "instance_type": "t3.micro"}]
    assert summary(plan_nodes(NODES[:1], STANDING)) == ([], ["i-2"], {})


@pytest.mark.parametrize("state", ["shutting-down", "terminated"])
def test_an_interrupted_node_is_launched_again(state):
    plan = plan_nodes(NODES, [STANDING[0], instance(NODES[1], 2, state)])
    assert summary(plan) == (["worker"], [], {})


def test_a_node_that_differs_is_replaced_only_when_asked():
    nodes = [NODES[0], {**NODES[1], "image": "ami-12345678", "user_data": "#!/bin/sh\n"}]
    assert summary(plan_nodes(nodes, STANDING)) == ([], [], {"worker": ["image", "user_data"]})
    assert summary(plan_nodes(nodes, STANDING, replace=True)) == (["worker"], ["i-2"], {})


def test_an_elastic_ip_needs_no_new_instance():
    nodes = [{**NODES[0], "elastic_ip": False}, NODES[1]]
    assert summary(plan_nodes(nodes, STANDING)) == ([], [], {})


def test_of_several_instances_of_a_node_the_oldest_stays():
    assert summary(plan_nodes(NODES, [instance(NODES[0], 3), *STANDING])) == ([], ["i-3"], {})


def test_wishes_fit_into_a_tag():
    assert len(wish_tag(NODES[0])) <= 256


def address(node, number, instance_id=None):
    tags = {TAG_NODE: node}
    return {"allocation_id": f"a-{number}", "public_ip": f"8.8.4.{number}", "instance_id": instance_id, "tags": tags}


def test_addresses_follow_their_nodes():
    standing = {"master": "i-1", "worker": "i-2"}
    new = {"node": "master", "instance_id": "i-1", "public_ip": None}
    assert plan_addresses(NODES, standing, []) == {"associate": [new], "release": []}
    kept = plan_addresses(NODES, standing, [address("master", 1, "i-1")])
    assert kept == {"associate": [], "release": []}
    moved = plan_addresses(NODES, standing, [address("master", 1, "i-0")])
    assert moved == {"associate": [{**new, "public_ip": "8.8.4.1"}], "release": []}
    gone = plan_addresses(NODES, standing, [address("master", 1, "i-1"), address("worker", 2, "i-2")])
    assert gone["release"] == [{"public_ip": "8.8.4.2", "instance_id": "i-2"}]


def test_lines_show_only_ways_that_exist():
    found = [instance(NODES[0], 1, public_ip_address="8.8.4.1"), STANDING[1]]
    lines = reach_lines(NODES, found, "us-west-2", sessions=False)
    assert "ssh ubuntu@8.8.4.1" in lines[2]
    assert "start-session --region us-west-2 --target i-1" in lines[2]
    assert "ssm" not in lines[3]
    assert "ssm start-session" in reach_lines(NODES, found, "us-west-2", sessions=True)[3]
    assert "missing" in reach_lines(NODES, [], "us-west-2", sessions=True)[2]


def test_a_script_is_kept_and_run_whatever_it_holds(tmp_path):
    script = '#!/bin/sh\nprintf \'%s\' "it\'s $0 `echo` $(echo) \\\\ é" > "$OUT"\n'
    there = tmp_path / "per-boot" / "script"
    ran = wrapped(script).replace(SCRIPT, str(there))
    for time in range(2):
        out = tmp_path / f"out-{time}"
        subprocess.run(["/bin/sh", "-c", ran], env={"OUT": str(out), "PATH": "/usr/bin:/bin"}, check=True)
        assert out.read_text().startswith("it's ")
        assert there.read_text() == script
    assert wrapped("") == ""
