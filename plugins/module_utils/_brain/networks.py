# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Address ranges of places' networks, and what can be reached from one without a way to the internet. PRIVATE to the collection."""

from __future__ import annotations

import hashlib
import ipaddress
import itertools
from collections.abc import Mapping

from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.image_cache import in_ecr_of

# NAT gateways of a network: none, one for all zones, or one in each.
NAT = ("none", "one", "per_zone")
# A region's position decides its ranges: append only, never sort or remove.
ORDER = (
    *("us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "ca-west-1", "mx-central-1", "sa-east-1"),
    *("sa-west-1", "eu-west-1", "eu-west-2", "eu-west-3", "eu-central-1", "eu-central-2", "eu-north-1", "eu-south-1"),
    *("eu-south-2", "af-south-1", "il-central-1", "me-central-1", "me-south-1", "me-west-1", "ap-east-1", "ap-east-2"),
    *("ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-south-2", "ap-southeast-1"),
    *("ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5", "ap-southeast-6", "ap-southeast-7"),
    *("cn-north-1", "cn-northwest-1", "us-gov-east-1", "us-gov-west-1", "eusc-de-east-1", "eu-isoe-west-1"),
    *("us-iso-east-1", "us-iso-west-1", "us-isob-east-1", "us-isob-west-1", "us-isof-east-1", "us-isof-south-1"),
)
# 10.0.0.0/8 is cut into one block for each region, of which the first are left to networks that are there already.
PRIVATE = ipaddress.IPv4Network("10.0.0.0/8")
REGION_BITS = 14
FIRST_BLOCK = 4
PLACE_BITS = 20


def place_range(region: str, place: str) -> str:
    """The range of a place that names none: by its own region and name alone, so that no other place can move it.

    Places that are called by their regions never overlap. Two others in one region may, by one chance in 63: `overlaps` tells.
    """
    blocks, slots = 1 << (REGION_BITS - PRIVATE.prefixlen), 1 << (PLACE_BITS - REGION_BITS)
    if region in ORDER:
        block = FIRST_BLOCK + ORDER.index(region)
    else:
        # A region that this version does not know takes one of the blocks that no region has.
        taken = FIRST_BLOCK + len(ORDER)
        block = taken + _hash(region) % (blocks - taken)
    slot = 0 if place == region else 1 + _hash(place) % (slots - 1)
    start = int(PRIVATE.network_address) + (block * slots + slot) * (1 << (32 - PLACE_BITS))
    return f"{ipaddress.IPv4Address(start)}/{PLACE_BITS}"


def _hash(word: str) -> int:
    return int.from_bytes(hashlib.sha256(word.encode()).digest()[:8])


def overlaps(ranges: Mapping[str, str]) -> list[tuple[str, str]]:
    """Pairs of places whose ranges overlap, each in the order of their names."""
    networks = {place: ipaddress.IPv4Network(cidr) for place, cidr in sorted(ranges.items())}
    return [
        (one, other) for one, other in itertools.combinations(networks, 2) if networks[one].overlaps(networks[other])
    ]


def check_reachable(image: str, region: str, option: str) -> None:
    """A container image that a node without a way to the internet can pull: ECR's endpoints serve their own region's registries.

    That holds for pull-through caches too, which have the address of a registry (Amazon ECR user guide, "Amazon ECR interface VPC
    endpoints").
    """
    if not in_ecr_of(image, region):
        through = "set spot_container_pull_through, " if option == "spot_container_image" else ""
        rule = (
            f"is not in ECR of {region}, and the place's nodes reach nothing else: push it to a repository there, {through}"
            "take spot_nat, or bring spot_subnet_ids with a way to it"
        )
        raise InputError(option, image, rule)
