# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a region's name says without asking AWS: form, partition, likely spelling. PRIVATE to the collection."""

from __future__ import annotations

import difflib
import re
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError

REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]")

# Partition by the start of its regions' names; everything else is the commercial partition (botocore partitions.json).
PARTITIONS = {
    "cn-": "aws-cn",
    "eu-isoe-": "aws-iso-e",
    "eusc-": "aws-eusc",
    "us-gov-": "aws-us-gov",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "us-isof-": "aws-iso-f",
}

# For suggestions and warnings only: AWS opens regions more often than this list changes (botocore 1.44.5).
KNOWN = frozenset(
    f"{area}-{number}"
    for area, numbers in {
        "af-south": "1",
        "ap-east": "12",
        "ap-northeast": "123",
        "ap-south": "12",
        "ap-southeast": "1234567",
        "ca-central": "1",
        "ca-west": "1",
        "cn-north": "1",
        "cn-northwest": "1",
        "eu-central": "12",
        "eu-isoe-west": "1",
        "eu-north": "1",
        "eu-south": "12",
        "eu-west": "123",
        "eusc-de-east": "1",
        "il-central": "1",
        "me-central": "1",
        "me-south": "1",
        "me-west": "1",
        "mx-central": "1",
        "sa-east": "1",
        "sa-west": "1",
        "us-east": "12",
        "us-gov-east": "1",
        "us-gov-west": "1",
        "us-iso-east": "1",
        "us-iso-west": "1",
        "us-isob-east": "1",
        "us-isob-west": "1",
        "us-isof-east": "1",
        "us-isof-south": "1",
        "us-west": "12",
    }.items()
    for number in numbers
)


def suggestion(word: Any, known: Any) -> str:
    """`"; did you mean X?"` for the closest known word, else an empty string."""
    close = difflib.get_close_matches(str(word), sorted(known), n=1, cutoff=0.75)
    return f"; did you mean {close[0]}?" if close else ""


def check_region(value: Any, option: str = "spot_region") -> str:
    """The region's name, if it has the form of one; InputError with the likely spelling otherwise."""
    if not isinstance(value, str) or not REGION.fullmatch(value):
        raise InputError(option, value, f"is not a region's name{suggestion(value, KNOWN)}")
    return value


def check_regions(values: list[Any], option: str = "regions") -> list[str]:
    """Distinct names of regions."""
    for index, region in enumerate(values):
        check_region(region, f"{option}[{index}]")
        if region in values[:index]:
            raise InputError(option, region, "is listed twice")
    return list(values)


def partition_of(region: str) -> str:
    """The partition that a region belongs to, for ARNs."""
    return next((partition for start, partition in PARTITIONS.items() if region.startswith(start)), "aws")
