# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a group adds to AWS's words on a failed launch."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.ethereal.spot.plugins.module_utils._brain.activities import parse_message
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_status import failure_view
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_status import missing

SILENT = "You have requested more vCPU capacity than your current vCPU limit of 8 allows."
SAID = "Could not launch Spot Instances. UnfulfillableCapacity - There is no capacity."


def group(base: int, percentage: int) -> dict[str, Any]:
    return {
        "AutoScalingGroupName": "llm",
        "DesiredCapacity": 1,
        "MaxSize": 1,
        "MinSize": 0,
        "MixedInstancesPolicy": {
            "InstancesDistribution": {
                "OnDemandBaseCapacity": base,
                "OnDemandPercentageAboveBaseCapacity": percentage,
            },
            "LaunchTemplate": {"Overrides": [{"InstanceType": "g5.xlarge"}, {"InstanceType": "g6.xlarge"}]},
        },
    }


@pytest.mark.parametrize(
    ("message", "base", "percentage", "market"),
    [
        (SILENT, 0, 0, "spot"),
        (SILENT, 0, 100, "on-demand"),
        (SILENT, 3, 100, "on-demand"),
        (SILENT, 1, 0, None),
        (SILENT, 0, 50, None),
        (SAID, 0, 100, "spot"),
    ],
)
def test_a_failure_has_its_groups_types_and_its_only_market(
    message: str, base: int, percentage: int, market: str | None
) -> None:
    failure = parse_message(message)
    assert failure_view(failure, group(base, percentage)) == {
        **failure.public(),
        "group": "llm",
        "instance_types": ["g5.xlarge", "g6.xlarge"],
        "market": market,
    }


@pytest.mark.parametrize(
    ("weights", "lacking"),
    [((None, None), 3), (("1", "1"), 3), (("4", "1"), 0), (("4", "4"), 0), (("2", "2"), 1)],
)
def test_serving_members_count_by_weight(weights: tuple[str | None, ...], lacking: int) -> None:
    members = [
        {"HealthStatus": "Healthy", "LifecycleState": "InService", **({"WeightedCapacity": weight} if weight else {})}
        for weight in weights
    ]
    assert missing({**group(0, 0), "DesiredCapacity": 5, "Instances": members}) == lacking
