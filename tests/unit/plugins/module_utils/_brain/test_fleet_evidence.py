# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What instances really are, judged by tables: one thing wrong at a time, and what cannot be seen."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_evidence
from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_subnets
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError

KEY = "arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"
OTHER_KEY = KEY.replace("cdef", "0000")
ONE, TWO = "i-00000000000000001", "i-00000000000000002"
PROFILE = "arn:aws:iam::123456789012:instance-profile/node"


def member(name: str = ONE, version: str = "1", **more: Any) -> dict[str, Any]:
    return {
        "InstanceId": name,
        "LaunchTemplate": {"LaunchTemplateId": "lt-1", "LaunchTemplateName": "fleet", "Version": version},
        "group": "fleet",
        **more,
    }


def instance(name: str = ONE, **more: Any) -> dict[str, Any]:
    return {
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeId": f"vol-{name}"}}],
        "EbsOptimized": True,
        "IamInstanceProfile": {"Arn": PROFILE},
        "ImageId": "ami-1",
        "InstanceId": name,
        "MetadataOptions": {
            "HttpEndpoint": "enabled",
            "HttpProtocolIpv6": "disabled",
            "HttpPutResponseHopLimit": 1,
            "HttpTokens": "required",
            "InstanceMetadataTags": "enabled",
        },
        "Monitoring": {"State": "enabled"},
        "NetworkInterfaces": [{"PrivateIpAddresses": [{"PrivateIpAddress": "10.0.0.5"}]}],
        "State": {"Name": "running"},
        "SubnetId": "subnet-1",
        **more,
    }


def volume(name: str = ONE, **more: Any) -> dict[str, Any]:
    return {
        "Attachments": [{"Device": "/dev/xvda", "InstanceId": name}],
        "Encrypted": True,
        "Iops": 3000,
        "KmsKeyId": KEY,
        "Size": 100,
        "Throughput": 125,
        "VolumeId": f"vol-{name}",
        "VolumeType": "gp3",
        **more,
    }


def template(key: str | None = KEY, **more: Any) -> dict[str, Any]:
    return {
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True, "KmsKeyId": key}}],
        "IamInstanceProfile": {"Name": "node"},
        "ImageId": "ami-1",
        "MetadataOptions": {"HttpPutResponseHopLimit": 1, "InstanceMetadataTags": "enabled"},
        **more,
    }


def table(*routes: dict[str, Any], subnet: str | None = "subnet-1", name: str = "rtb-1") -> dict[str, Any]:
    association = {"SubnetId": subnet} if subnet else {"Main": True}
    local = {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local"}
    return {"Associations": [association], "RouteTableId": name, "Routes": [local, *routes]}


def judge(
    described: list[dict[str, Any]] | None = None,
    volumes: list[dict[str, Any]] | None = None,
    templates: dict[tuple[str, str], dict[str, Any]] | None = None,
    **more: Any,
) -> dict[str, Any]:
    return fleet_evidence.judge(
        [member()],
        [instance()] if described is None else described,
        [volume()] if volumes is None else volumes,
        {("lt-1", "1"): template()} if templates is None else templates,
        **more,
    )


def metadata(**changed: Any) -> dict[str, Any]:
    return {"MetadataOptions": {**instance()["MetadataOptions"], **changed}}


def test_what_is_as_it_must_be() -> None:
    evidence = judge(route_tables=[table()])
    assert evidence == {
        "compliant": True,
        "findings": [],
        "instances": {
            ONE: {
                "ebs_optimized": True,
                "group": "fleet",
                "image_id": "ami-1",
                "instance_profile": PROFILE,
                "launch_template": {"id": "lt-1", "version": "1"},
                "metadata_options": {
                    "hop_limit": 1,
                    "http_endpoint": "enabled",
                    "http_protocol_ipv6": "disabled",
                    "http_tokens": "required",
                    "instance_metadata_tags": "enabled",
                },
                "monitoring": "enabled",
                "public_addresses": [],
                "subnet_id": "subnet-1",
                "volumes": [
                    {
                        "device": "/dev/xvda",
                        "encrypted": True,
                        "id": f"vol-{ONE}",
                        "iops": 3000,
                        "kms_key_id": KEY,
                        "size": 100,
                        "throughput": 125,
                        "type": "gp3",
                    }
                ],
            }
        },
        "subnets": {
            "subnet-1": {
                "association": "explicit",
                "internet_routes": {},
                "private": True,
                "route_table_id": "rtb-1",
            }
        },
        "unproved": [],
    }


@pytest.mark.parametrize(
    ("changed", "rule", "found", "wanted"),
    [
        (metadata(HttpTokens="optional"), "metadata_tokens", "optional", "required"),
        (metadata(HttpProtocolIpv6="enabled"), "metadata_ipv6", "enabled", "disabled"),
        (metadata(HttpPutResponseHopLimit=2), "metadata_hop_limit", 2, 1),
        (metadata(InstanceMetadataTags="disabled"), "metadata_tags", "disabled", "enabled"),
        ({"EbsOptimized": False}, "ebs_optimized", False, True),
        ({"Monitoring": {"State": "disabled"}}, "monitoring", "disabled", "enabled"),
        ({"ImageId": "ami-2"}, "image", "ami-2", "ami-1"),
        ({"IamInstanceProfile": {"Arn": f"{PROFILE}-2"}}, "instance_profile", f"{PROFILE}-2", "node"),
        ({"IamInstanceProfile": {}}, "instance_profile", None, "node"),
        ({"PublicIpAddress": "192.0.2.1"}, "public_address", ["192.0.2.1"], []),
        (
            {"NetworkInterfaces": [{"Association": {"PublicIp": "192.0.2.1"}}]},
            "public_address",
            ["192.0.2.1"],
            [],
        ),
        (
            {"NetworkInterfaces": [{"PrivateIpAddresses": [{"Association": {"PublicIp": "192.0.2.2"}}]}]},
            "public_address",
            ["192.0.2.2"],
            [],
        ),
    ],
)
def test_one_thing_wrong_with_an_instance(changed: dict[str, Any], rule: str, found: Any, wanted: Any) -> None:
    evidence = judge([instance(**changed)])
    assert evidence["findings"] == [{"instance": ONE, "rule": rule, "found": found, "wanted": wanted}]
    assert evidence["compliant"] is False
    assert f"{ONE}: {rule} is {found!r}, must be {wanted!r}" in fleet_evidence.sentence(evidence["findings"])


@pytest.mark.parametrize(
    ("changed", "rule", "found", "wanted"),
    [
        ({"Encrypted": False, "KmsKeyId": None}, "volume_encryption", False, True),
        ({"KmsKeyId": OTHER_KEY}, "volume_key", OTHER_KEY, KEY),
        ({"KmsKeyId": None}, "volume_key", None, KEY),
    ],
)
def test_one_thing_wrong_with_a_volume(changed: dict[str, Any], rule: str, found: Any, wanted: Any) -> None:
    later = {"Attachments": [{"Device": "/dev/sdf", "InstanceId": ONE}], "VolumeId": "vol-later"}
    for volumes, name in (
        ([volume(**changed)], f"vol-{ONE}"),
        ([volume(), volume(**later, **changed)], "vol-later"),
    ):
        (finding,) = judge(volumes=volumes)["findings"]
        assert finding == {"instance": ONE, "rule": rule, "found": {name: found}, "wanted": wanted}


def test_what_a_volume_costs_is_told_not_judged() -> None:
    """Elastic Volumes may change them under the running instance."""
    evidence = judge(volumes=[volume(Iops=9000, Throughput=500, Size=300, VolumeType="io2")])
    assert evidence["compliant"]
    assert evidence["instances"][ONE]["volumes"][0]["type"] == "io2"


def test_monitoring_takes_its_time() -> None:
    assert judge([instance(Monitoring={"State": "pending"})])["compliant"]


def test_an_older_instance_is_judged_by_its_own_version() -> None:
    templates = {("lt-1", "1"): template(), ("lt-1", "2"): template(OTHER_KEY, ImageId="ami-2")}
    evidence = fleet_evidence.judge(
        [member(), member(TWO, "2")],
        [instance(), instance(TWO, ImageId="ami-2")],
        [volume(), volume(TWO, KmsKeyId=OTHER_KEY)],
        templates,
    )
    assert evidence["compliant"]


def test_without_its_template_the_rules_of_every_fleet_hold() -> None:
    assert judge(templates={})["compliant"]
    found = judge([instance(**metadata(HttpTokens="optional"))], [volume(Encrypted=False)], {})["findings"]
    assert [item["rule"] for item in found] == ["metadata_tokens", "volume_encryption"]


@pytest.mark.parametrize(
    ("key", "compliant"), [(KEY.rpartition("/")[2], True), (None, False), (OTHER_KEY.rpartition("/")[2], False)]
)
def test_templates_of_others(key: str | None, compliant: bool) -> None:
    data = template(key, ImageId="resolve:ssm:/some/image")
    evidence = judge(templates={("lt-1", "1"): data})
    assert evidence["compliant"] is compliant


def test_what_could_not_be_seen_proves_nothing() -> None:
    for described, volumes in (([], []), ([instance()], [])):
        evidence = judge(described, volumes)
        assert (evidence["compliant"], evidence["findings"], evidence["unproved"]) == (False, [], [ONE])


@pytest.mark.parametrize("state", ["shutting-down", "terminated"])
def test_what_is_on_its_way_out_is_left_out(state: str) -> None:
    evidence = judge([instance(State={"Name": state}, MetadataOptions={}, EbsOptimized=False)], [])
    assert (evidence["compliant"], evidence["instances"]) == (True, {})


def test_nothing_is_compliant() -> None:
    assert fleet_evidence.judge([], [], [], {}, [])["compliant"]


INTERNET = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"}


@pytest.mark.parametrize(
    ("tables", "private", "routes"),
    [
        pytest.param([table()], True, {}, id="its own table, nothing but local"),
        pytest.param([table(INTERNET)], False, {"0.0.0.0/0": "igw-1"}, id="its own table, to the internet"),
        pytest.param([table(subnet=None)], True, {}, id="the main table"),
        pytest.param(
            [table(INTERNET, subnet=None)], False, {"0.0.0.0/0": "igw-1"}, id="the main table, to the internet"
        ),
        pytest.param([table(), table(INTERNET, subnet=None, name="rtb-2")], True, {}, id="its own before the main one"),
        pytest.param(
            [table(INTERNET, subnet=None, name="rtb-2"), table()],
            True,
            {},
            id="its own before the main one, listed last",
        ),
        pytest.param([table(INTERNET, subnet="subnet-2")], None, {}, id="another's table only"),
        pytest.param([], None, {}, id="no table"),
        pytest.param(
            [table({"DestinationIpv6CidrBlock": "::/0", "GatewayId": "igw-1"})], False, {"::/0": "igw-1"}, id="IPv6"
        ),
        pytest.param(
            [table({"DestinationIpv6CidrBlock": "::/0", "EgressOnlyInternetGatewayId": "eigw-1"})],
            True,
            {},
            id="IPv6, outwards only",
        ),
        pytest.param([table({"DestinationCidrBlock": "0.0.0.0/0", "NatGatewayId": "nat-1"})], True, {}, id="NAT"),
        pytest.param(
            [table({"DestinationCidrBlock": "0.0.0.0/0", "TransitGatewayId": "tgw-1"})], True, {}, id="transit gateway"
        ),
        pytest.param(
            [table({"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "vgw-1"})], True, {}, id="private gateway"
        ),
        pytest.param(
            [table({"DestinationPrefixListId": "pl-1", "GatewayId": "vpce-1"})], True, {}, id="gateway endpoint"
        ),
        pytest.param(
            [table({**INTERNET, "DestinationCidrBlock": "0.0.0.0/1"})], False, {"0.0.0.0/1": "igw-1"}, id="half of all"
        ),
        pytest.param(
            [table({"DestinationPrefixListId": "pl-1", "GatewayId": "igw-1"})], False, {"pl-1": "igw-1"}, id="a list"
        ),
    ],
)
def test_which_subnets_are_private(tables: list[dict[str, Any]], private: bool | None, routes: dict[str, str]) -> None:
    seen = fleet_subnets.view("subnet-1", tables)
    assert (seen["private"], seen["internet_routes"]) == (private, routes)
    evidence = judge(route_tables=tables)
    assert evidence["compliant"] is bool(private)
    assert judge(route_tables=tables, public_subnets=True)["compliant"]
    if private:
        fleet_subnets.check_private(["subnet-1"], tables)
        return
    (finding,) = evidence["findings"]
    assert finding == {
        "instance": ONE,
        "rule": "private_subnet",
        "found": routes or None,
        "wanted": "no route to an internet gateway",
    }
    rule = "to igw-1: public" if routes else "is not known to be private"
    with pytest.raises(InputError, match=rule):
        fleet_subnets.check_private(["subnet-1"], tables)


def test_inputs_stay_as_they_were() -> None:
    inputs: list[Callable[[], Any]] = [member, instance, volume, template, table]
    given = [make() for make in inputs]
    kept = copy.deepcopy(given)
    fleet_evidence.judge([given[0]], [given[1]], [given[2]], {("lt-1", "1"): given[3]}, [given[4]])
    assert given == kept


def test_each_version_in_use_is_needed_once() -> None:
    members = [member(), member(TWO), member("i-3", "12"), {"InstanceId": "i-4", "group": "fleet"}]
    assert fleet_evidence.versions_needed(members) == {"lt-1": ["1", "12"]}
