# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Scaling activities as AWS words them."""

from __future__ import annotations

import json
from datetime import UTC
from datetime import datetime
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ethereal.spot.plugins.module_utils._brain import activities

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
END = "Launching EC2 instance failed."

# Messages from public issue threads and AWS's troubleshooting page.
MESSAGES = [
    (
        "Could not launch Spot Instances. InsufficientInstanceCapacity - There is no Spot capacity available that "
        f"matches your request. {END}",
        ("InsufficientInstanceCapacity", "pool", "spot", None),
    ),
    (
        f"Could not launch Spot Instances. UnfulfillableCapacity - Unable to fulfill capacity. {END}",
        ("UnfulfillableCapacity", "region", "spot", None),
    ),
    (
        "Could not launch On-Demand Instances. VcpuLimitExceeded - You have requested more vCPU capacity than your "
        f"current vCPU limit of 8 allows for the instance bucket. {END}",
        ("VcpuLimitExceeded", "region-family", "on-demand", None),
    ),
    (
        f"Could not launch Spot Instances. MaxSpotInstanceCountExceeded - Max spot instance count exceeded. {END}",
        ("MaxSpotInstanceCountExceeded", "region-family", "spot", None),
    ),
    (
        f"There is no Spot capacity available that matches your request. {END}",
        ("InsufficientInstanceCapacity", "pool", "spot", None),
    ),
    (f"Max spot instance count exceeded. {END}", ("MaxSpotInstanceCountExceeded", "region-family", "spot", None)),
    (
        "You have requested more instances (7) than your current instance limit of 6 allows for the specified instance "
        f"type. Please visit http://aws.amazon.com/contact-us/ec2-request to request an adjustment. {END}",
        ("VcpuLimitExceeded", "region-family", None, None),
    ),
    (
        "We currently do not have sufficient p3.2xlarge capacity in the Availability Zone you requested (us-east-1a). Our "
        f"system will be working on provisioning additional capacity. {END}",
        ("InsufficientInstanceCapacity", "pool", None, "p3.2xlarge"),
    ),
    (
        "Your requested instance type (g5.xlarge) is not supported in your requested Availability Zone (us-east-1e). Please "
        f"retry your request by not specifying an Availability Zone or choosing us-east-1a. {END}",
        ("Unsupported", "pool", None, "g5.xlarge"),
    ),
    (
        "Could not launch On-Demand Instances. InsufficientInstanceCapacity - You have reached the limit of 7 instances in "
        f"this spread placement group. {END}",
        ("SpreadPlacementGroupLimit", "zone", "on-demand", None),
    ),
    (
        "Could not launch Spot Instances. InsufficientFreeAddressesInSubnet - There are not enough free addresses in subnet "
        f"'subnet-1' to satisfy the requested number of instances. {END}",
        ("InsufficientFreeAddressesInSubnet", "zone", "spot", None),
    ),
    (
        "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: "
        "Client.InternalError: Client error on launch",
        ("Client.InternalError", "permanent", None, None),
    ),
    (
        "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: "
        "Client.InvalidKMSKey.InvalidState: The KMS key provided is in an incorrect state",
        ("Client.InvalidKMSKey.InvalidState", "permanent", None, None),
    ),
    (
        f"Could not launch Spot Instances. RequestLimitExceeded - Request limit exceeded. {END}",
        ("RequestLimitExceeded", "throttle", "spot", None),
    ),
    (
        f"Could not launch Spot Instances. InvalidParameterCombination - Your request is not right. {END}",
        ("InvalidParameterCombination", "permanent", "spot", None),
    ),
    (f"The image id '[ami-1]' does not exist. {END}", ("InvalidAMIID.NotFound", "permanent", None, None)),
    (f"You are not authorized to perform this operation. {END}", ("UnauthorizedOperation", "account", None, None)),
    ("Something that nobody has seen before.", ("Unknown", "unknown", None, None)),
    ("", ("Unknown", "unknown", None, None)),
]


@pytest.mark.parametrize(("message", "expected"), MESSAGES)
def test_messages(message: str, expected: tuple[Any, ...]) -> None:
    failure = activities.parse_message(message)
    assert (failure.code, failure.scope, failure.market, failure.instance_type) == expected
    assert "Launching EC2 instance failed" not in failure.message


@pytest.mark.parametrize(
    ("code", "lasting"),
    [
        ("InvalidAMIID.NotFound", True),
        ("Unsupported", True),
        ("AuthFailure", True),
        ("InsufficientInstanceCapacity", False),
    ],
)
def test_lasting(code: str, lasting: bool) -> None:
    assert activities.parse_message(f"Could not launch Spot Instances. {code} - text. {END}").lasting is lasting


@given(st.text(max_size=255))
def test_any_message_is_taken(message: str) -> None:
    failure = activities.parse_message(message)
    assert failure.scope in {"pool", "zone", "region", "region-family", "account", "permanent", "throttle", "unknown"}


def activity(
    number: int, minute: int, status: str = "Failed", code: str = "InsufficientInstanceCapacity", **more: Any
) -> dict[str, Any]:
    market = more.pop("market", "Spot")
    zone = more.pop("zone", "us-east-1a")
    return {
        "ActivityId": str(number),
        "Description": "Launching a new EC2 instance",
        "Details": json.dumps({"Subnet ID": "subnet-1", "Availability Zone": zone}),
        "StartTime": EPOCH + timedelta(minutes=minute),
        "StatusCode": status,
        "StatusMessage": f"Could not launch {market} Instances. {code} - text. {END}" if status == "Failed" else "",
        **more,
    }


def test_equal_failures_count_together() -> None:
    failures = activities.failed_launches(
        [activity(1, 1), activity(2, 2), activity(3, 3, zone="us-east-1b"), activity(4, 4, market="On-Demand")]
    )
    assert [(item.market, item.zone, item.count) for item in failures] == [
        ("on-demand", "us-east-1a", 1),
        ("spot", "us-east-1b", 1),
        ("spot", "us-east-1a", 2),
    ]
    assert failures[2].first == "2026-01-01T00:01:00+00:00"
    assert failures[2].time == "2026-01-01T00:02:00+00:00"


def test_what_is_no_failed_launch() -> None:
    others = [
        activity(1, 1, Description="Terminating EC2 instance: i-1"),
        activity(2, 1, status="Successful"),
        activity(3, 1, status="Cancelled"),
        activity(4, 1, status="PreInService"),
    ]
    assert activities.failed_launches(others) == []
    told = activity(
        5, 1, status="Cancelled", StatusMessage="Termination Reason: Client.InternalError: Client error on launch"
    )
    assert [item.code for item in activities.failed_launches([told])] == ["Client.InternalError"]


@pytest.mark.parametrize("details", [None, "", "no json", "[]", '{"Availability Zone": ""}'])
def test_details_without_a_zone(details: str | None) -> None:
    assert activities.failed_launches([activity(1, 1, Details=details)])[0].zone is None


def test_recovered_failures_do_not_stand() -> None:
    history = [activity(1, 1), activity(2, 2, status="Successful"), activity(3, 3, code="UnfulfillableCapacity")]
    assert [item.code for item in activities.standing_failures(history)] == ["UnfulfillableCapacity"]
    assert activities.standing_failures(history[:2]) == []


@pytest.mark.parametrize(
    ("history", "known", "elapsed", "expected"),
    [
        ([activity(1, 1), activity(2, 2)], (), 120, True),
        ([activity(1, 1), activity(2, 2)], (), 119, False),
        ([activity(1, 1)], (), 500, False),
        ([activity(1, 1), activity(2, 2)], ("1",), 500, False),
        ([activity(1, 1), activity(2, 2), activity(3, 3, status="Successful")], (), 500, False),
        ([activity(1, 1), activity(2, 2), activity(3, 0, status="Successful")], ("3",), 500, True),
        ([], (), 500, False),
    ],
)
def test_hopeless(history: list[dict[str, Any]], known: tuple[str, ...], elapsed: float, expected: bool) -> None:
    assert activities.hopeless(history, known, elapsed, 120) is expected
