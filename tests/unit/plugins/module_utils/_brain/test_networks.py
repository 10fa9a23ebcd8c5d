# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies

from ansible_collections.ethereal.spot.plugins.module_utils._brain import checks
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.networks import ORDER
from ansible_collections.ethereal.spot.plugins.module_utils._brain.networks import check_reachable
from ansible_collections.ethereal.spot.plugins.module_utils._brain.networks import overlaps
from ansible_collections.ethereal.spot.plugins.module_utils._brain.networks import place_range
from ansible_collections.ethereal.spot.plugins.module_utils._brain.regions import KNOWN

PLACES = strategies.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True)


def test_every_region_has_its_own_range():
    assert len(ORDER) == len(set(ORDER))
    assert set(ORDER) == set(KNOWN)
    assert overlaps({region: place_range(region, region) for region in [*ORDER, "us-north-1"]}) == []


def test_ranges_never_change():
    """A release that moved one would give new networks a range that another place has had from an older one."""
    found = [place_range("us-east-1", "us-east-1"), place_range("us-west-2", "us-west-2")]
    found += [place_range("us-isof-south-1", "us-isof-south-1"), place_range("eu-west-1", "ireland")]
    assert found == ["10.16.0.0/20", "10.28.0.0/20", "10.204.0.0/20", "10.52.64.0/20"]


@given(place=PLACES, region=strategies.sampled_from([*ORDER, "us-north-1"]))
def test_a_range_is_one_that_a_network_can_have(place, region):
    cidr = place_range(region, place)
    assert checks.check_vpc_cidr(cidr) == cidr
    assert ipaddress.IPv4Network(cidr).subnet_of(ipaddress.IPv4Network("10.0.0.0/8"))


@given(one=PLACES, other=PLACES, regions=strategies.permutations(ORDER))
def test_places_of_two_regions_never_overlap(one, other, regions):
    assert overlaps({"1": place_range(regions[0], one), "2": place_range(regions[1], other)}) == []


def test_overlaps_are_told_once_in_order():
    ranges = {"b": "10.0.0.0/16", "a": "10.0.128.0/20", "c": "10.1.0.0/16", "d": "10.0.0.0/16"}
    assert overlaps(ranges) == [("a", "b"), ("a", "d"), ("b", "d")]


@pytest.mark.parametrize(
    "image",
    [
        "123456789012.dkr.ecr.us-west-2.amazonaws.com/serve:1",
        "123456789012.dkr.ecr.us-west-2.amazonaws.com/docker-hub/library/nginx@sha256:" + "0" * 64,
    ],
)
def test_ecr_of_the_region_is_reached(image):
    check_reachable(image, "us-west-2", "image")


@pytest.mark.parametrize(
    "image",
    [
        "nginx",
        "nginx:1",
        "public.ecr.aws/docker/library/busybox:1",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com/serve:1",
        "123456789012.dkr.ecr.us-west-2.amazonaws.com",
        "registry.example.com/123456789012.dkr.ecr.us-west-2.amazonaws.com/serve",
    ],
)
def test_nothing_else_is(image):
    with pytest.raises(InputError, match=r"is not in ECR of us-west-2.*push it.*spot_nat.*spot_subnet_ids"):
        check_reachable(image, "us-west-2", "image")
