# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ethereal.spot.plugins.module_utils._brain import checks
from ansible_collections.ethereal.spot.plugins.module_utils._brain import regions
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError

KEY = "key/12345678-1234-1234-1234-123456789012"
NO_NUMBER = "must be a whole number"


@pytest.mark.parametrize(
    ("check", "value", "expected"),
    [
        (lambda value: checks.check_integer(value, "n"), 0, 0),
        (lambda value: checks.check_integer(value, "n"), "12", 12),
        (lambda value: checks.check_integer(value, "n", -5, 5), "-5", -5),
        (lambda value: checks.check_boolean(value, "b"), True, True),
        (lambda value: checks.check_boolean(value, "b"), "No", False),
        (lambda value: checks.check_choice(value, "c", ["a", "b"]), "b", "b"),
        (lambda value: checks.check_text(value, "t"), "ein Wort ü", "ein Wort ü"),
        (checks.check_instance_types, ["g5.xlarge", "u-12tb1.112xlarge", "mac2-m2.metal", "c7gd.metal-48xl"], None),
        (checks.check_image_id, "ami-12345678", None),
        (checks.check_image_id, "ami-0123456789abcdef0", None),
        (
            checks.check_image_id,
            "resolve:ssm:/aws/service/ecs/optimized-ami/amazon-linux-2023/gpu/recommended/image_id",
            None,
        ),
        (checks.check_image_id, "resolve:ssm:golden:3", None),
        (checks.check_vpc_id, "vpc-0123456789abcdef0", None),
        (checks.check_subnet_ids, ["subnet-12345678", "subnet-0123456789abcdef0"], None),
        (checks.check_security_group_ids, ["sg-12345678"], None),
        (checks.check_vpc_cidr, "10.42.0.0/16", None),
        (checks.check_vpc_cidr, "192.168.7.0/24", None),
        (checks.check_kms_key_arn, f"arn:aws:kms:us-east-1:123456789012:{KEY}", None),
        (checks.check_kms_key_arn, f"arn:aws-us-gov:kms:us-gov-west-1:123456789012:{KEY}", None),
        (checks.check_kms_key_arn, "arn:aws-cn:kms:cn-north-1:123456789012:key/mrk-" + "0" * 32, None),
        (checks.check_kms_key_arn, "arn:aws:kms:us-east-1:123456789012:alias/team/volumes_1-a", None),
        (lambda value: checks.check_role_arn(value, "r"), "arn:aws:iam::123456789012:role/path/Name+=,.@_-1", None),
        (checks.check_tags, {"team": "ml", "Cost center": 42, "größe": "", "url": "a/b=c+d@e_f.g:h-i"}, "42"),
        (checks.check_container_image, "ubuntu", None),
        (checks.check_container_image, "012345678910.dkr.ecr.us-east-1.amazonaws.com/a/b:v1.0", None),
        (checks.check_container_image, "quay.io/a/b@sha256:" + "a" * 64, None),
        (checks.check_environment, {"A_1": "x", "_b.c-d": 5}, "5"),
        (checks.check_command, [], None),
        (checks.check_command, ["sh", "-c", "sleep 1"], None),
        (checks.check_retention_days, "365", 365),
        (checks.check_user_data, "x" * 16384, None),
        (checks.check_user_data, "ü" * 8192, None),
        (regions.check_region, "ap-southeast-7", None),
        (regions.check_region, "eusc-de-east-1", None),
    ],
)
def test_good_values_come_back_in_their_one_form(check, value, expected):
    result = check(value)
    if isinstance(value, dict):
        assert set(result) == set(value)
        assert expected in result.values()
    else:
        assert result == (value if expected is None else expected)
        assert type(result) is type(value if expected is None else expected)


@pytest.mark.parametrize(
    ("check", "value", "message"),
    [
        *[
            (lambda value: checks.check_integer(value, "n"), value, NO_NUMBER)
            for value in (True, 1.0, -1, "", "1.0", None, "\u0663", [])
        ],
        (lambda value: checks.check_integer(value, "n", 1, 5), 6, "n: 6 must be a whole number from 1 to 5"),
        (lambda value: checks.check_boolean(value, "b"), 1, "b: 1 must be true or false"),
        (lambda value: checks.check_choice(value, "c", ["a", "b"]), "c", "c: 'c' must be one of a, b"),
        *[
            (lambda value: checks.check_text(value, "t"), value, "line of text")
            for value in ("", " a", "a\n", "a\tb", 5)
        ],
        (lambda value: checks.check_text(value, "t", 3), "four", "has 4 characters, limit 3"),
        (checks.check_instance_types, [], "instance_types: [] must be a list with at least one entry"),
        (checks.check_instance_types, "g5.xlarge", "must be a list"),
        (checks.check_instance_types, ["g5.xlarge", "g5"], "instance_types[1]: 'g5' is not an instance type"),
        (checks.check_instance_types, ["g5.xlarge", "g5.xlarge"], "'g5.xlarge' is listed twice"),
        (checks.check_instance_types, [f"g{n}.xlarge" for n in range(41)], "41 instance types are listed, limit 40"),
        (checks.check_image_id, "ami-XYZ", "must be ami- and 8 or 17 hexadecimal digits"),
        (checks.check_image_id, "ami-123456789", "8 or 17"),
        (checks.check_image_id, "resolve:ssm:", "resolve:ssm:PARAMETER"),
        (checks.check_vpc_id, "vpc-1", "must be vpc-"),
        (checks.check_subnet_ids, ["subnet-1"], "subnet_ids[0]: 'subnet-1' must be subnet-"),
        (checks.check_subnet_ids, [], "at least one"),
        (checks.check_security_group_ids, ["sg-12345678", "sg-12345678"], "listed twice"),
        (checks.check_vpc_cidr, "10.0.0.1/16", "has host bits set"),
        (checks.check_vpc_cidr, "10.0.0.0/15", "must be /16 to /24"),
        (checks.check_vpc_cidr, "10.0.0.0/25", "must be /16 to /24"),
        (checks.check_vpc_cidr, "10.0.0.0", "is not an IPv4 network"),
        (checks.check_vpc_cidr, "2001:db8::/56", "is not an IPv4 network"),
        (checks.check_vpc_cidr, 10, "is not an IPv4 network"),
        (checks.check_vpc_cidr, "127.0.0.0/16", "not a network that hosts can have"),
        (checks.check_kms_key_arn, "alias/mine", "must be the ARN of a key or an alias"),
        (
            checks.check_kms_key_arn,
            "arn:aws:kms:us-east-1:123456789012:alias/a b",
            "must be the ARN of a key or an alias",
        ),
        (lambda value: checks.check_role_arn(value, "r"), "arn:aws:iam::123:role/x", "must be a role's ARN"),
        (checks.check_tags, ["a"], "must be a mapping"),
        (checks.check_tags, {"aws:x": "1"}, "'aws:x' uses the reserved prefix aws:"),
        (checks.check_tags, {"AWS:x": "1"}, "uses the reserved prefix aws:"),
        (checks.check_tags, {"ethereal-spot:place": "1"}, "which the collection keeps for itself"),
        (checks.check_tags, {"": "1"}, "is a key of 0 characters"),
        (checks.check_tags, {"k" * 129: "1"}, "is a key of 129 characters, must have 1 to 128"),
        (checks.check_tags, {"k": "v" * 257}, "has a value of 257 characters, limit 256"),
        (checks.check_tags, {"Team": "1", "team": "2"}, "tags: 'team' differs from 'Team' by case only"),
        (checks.check_tags, {"a": True}, "put them in quotes"),
        (checks.check_tags, {"a": None}, "put them in quotes"),
        (checks.check_tags, {"a*b": "x"}, "may hold letters"),
        (checks.check_tags, {"a": "x\n"}, "may hold letters"),
        (checks.check_tags, {f"k{n}": "v" for n in range(45)}, "45 tags are given, limit 44: 6 of 50 are ours"),
        (checks.check_container_image, "", "must be an image's reference"),
        (checks.check_container_image, "a b", "must be an image's reference"),
        (checks.check_container_image, "a@sha256:123", "must be an image's reference"),
        (checks.check_container_image, "a" * 256, "must be an image's reference"),
        (checks.check_environment, "A=b", "must be a mapping"),
        (checks.check_environment, {"1A": "x"}, "'1A' is not the name of an environment variable"),
        (checks.check_environment, {"A": ["secret"]}, "container_environment.A: 'a list' must be a string"),
        (checks.check_command, "sleep 1", "must be a list of strings"),
        (checks.check_command, ["sleep", 1], "container_command[1]: 1 must be a string"),
        (checks.check_retention_days, 31, "must be one of 1, 3, 5, 7, 14, 30"),
        (checks.check_user_data, "ü" * 8193, "user_data: '16386 bytes' is over the limit of 16384 bytes"),
        (checks.check_user_data, "a\0b", "holds a NUL byte"),
        (checks.check_user_data, "\ud800", "must be valid UTF-8"),
        (checks.check_user_data, b"x", "must be a string"),
        (regions.check_region, "us-east1", "spot_region: 'us-east1' is not a region's name; did you mean us-east-1?"),
        (regions.check_region, "US-EAST-1", "is not a region's name"),
        (regions.check_region, "us-east-1a", "did you mean us-east-1?"),
        (regions.check_region, "us-east-\u0661", "is not a region's name"),
        (regions.check_region, "", "'' is not a region's name"),
        (lambda value: regions.check_regions(value, "regions"), ["us-east-1", "us-east-1"], "is listed twice"),
        (lambda value: regions.check_regions(value, "regions"), ["us-east-1", 5], "regions[1]: 5 is not"),
    ],
)
def test_bad_values_are_refused_with_option_value_and_rule(check, value, message):
    with pytest.raises(InputError) as caught:
        check(value)
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        ((0, None, None), "disk_size: 0 must be a whole number from 1 to 65536"),
        ((65537, None, None), "from 1 to 65536"),
        ((None, 2999, None), "ebs_iops: 2999 must be a whole number from 3000 to 80000"),
        ((None, 80001, None), "from 3000 to 80000"),
        ((None, None, 124), "ebs_throughput: 124 must be a whole number from 125 to 2000"),
        ((None, None, 2001), "from 125 to 2000"),
        ((100, 50001, None), "ebs_iops: 50001 is over 500 IOPS per GiB: needs disk_size of at least 101, it is 100"),
        ((1, 3001, None), "needs disk_size of at least 7, it is 1"),
        ((None, None, 751), "ebs_throughput: 751 needs ebs_iops of at least 3004 (0.25 MiB/s per IOPS), it is 3000"),
        ((100, 3000, 1000), "needs ebs_iops of at least 4000"),
        ((100, True, None), "ebs_iops: True must be a whole number"),
    ],
)
def test_a_volume_that_gp3_cannot_be(volume, message):
    with pytest.raises(InputError) as caught:
        checks.check_gp3(*volume)
    assert message in caught.value.message


@pytest.mark.parametrize(
    "volume",
    [
        (None, None, None),
        (1, None, None),
        (1, 3000, 750),
        (160, 80000, 2000),
        (100, 50000, 2000),
        (16, 8000, 2000),
        (100, 4000, 1000),
    ],
)
def test_volumes_at_the_limits(volume):
    keys = ("size", "iops", "throughput")
    assert checks.check_gp3(*volume) == {
        key: value for key, value in zip(keys, volume, strict=True) if value is not None
    }


def test_a_key_is_in_the_region_of_its_volumes():
    arn = f"arn:aws:kms:eu-west-1:123456789012:{KEY}"
    assert checks.check_kms_key_arn(arn, region="eu-west-1") == arn
    with pytest.raises(InputError, match="is in eu-west-1, the volumes are in us-east-1"):
        checks.check_kms_key_arn(arn, region="us-east-1")
    with pytest.raises(InputError, match="is in partition aws, cn-north-1 is in aws-cn"):
        checks.check_kms_key_arn(arn, region="cn-north-1")


def test_a_role_is_in_the_partition_of_its_region():
    arn = "arn:aws-cn:iam::123456789012:role/x"
    assert checks.check_role_arn(arn, "role", "cn-northwest-1") == arn
    with pytest.raises(InputError, match="is in partition aws-cn, eu-west-1 is in aws"):
        checks.check_role_arn(arn, "role", "eu-west-1")


def test_regions_and_partitions_are_those_of_botocore():
    """A region that is missing here costs users a wrong warning, a partition a wrong ARN."""
    found = {
        region: partition["id"]
        for partition in botocore.session.Session().get_data("partitions")["partitions"]
        for region in partition["regions"]
        if not region.endswith("-global")
    }
    assert set(found) - regions.KNOWN == set()
    assert {region: regions.partition_of(region) for region in found} == found
    assert [region for region in found if not regions.REGION.fullmatch(region)] == []


@given(st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none(), st.lists(st.text())))
def test_any_value_is_taken_or_refused_as_wrong_input(value):
    for name in dir(checks):
        if name.startswith("check_") and name not in (
            "check_gp3",
            "check_partition",
            "check_regional_arn",
            "check_words",
            "check_choice",
            "check_tag_key",
            "check_tag_value",
        ):
            try:
                getattr(checks, name)(value, "option")
            except InputError:
                continue
