# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""GetSpotPlacementScores and DescribeSpotPriceHistory over the API. Sources: aws-facts 3.1 and 3.2, botocore model."""

from __future__ import annotations

from datetime import UTC
from datetime import datetime
from datetime import timedelta
from decimal import Decimal

import pytest
from fleet_kit import TYPES
from fleet_kit import Fleet
from fleet_kit import refused
from sandbox_process import Sandbox

REGIONS = [
    "us-east-1", "us-east-2", "us-west-1", "us-west-2", "eu-west-1", "eu-west-2", "eu-west-3", "eu-central-1",
    "eu-north-1", "ca-central-1", "sa-east-1", "ap-south-1",
]  # fmt: skip


@pytest.fixture
def fleet(sandbox: Sandbox) -> Fleet:
    return Fleet(sandbox)


def scores(fleet: Fleet, **request) -> dict[str, int]:
    request = {"TargetCapacity": 2, "InstanceTypes": list(TYPES), **request}
    rows = fleet.ec2.get_spot_placement_scores(**request)["SpotPlacementScores"]
    return {row.get("AvailabilityZoneId", row["Region"]): row["Score"] for row in rows}


def test_scores_come_from_the_market(fleet: Fleet) -> None:
    fleet.market(scores={"us-west-2": 7, "eu-west-1": 9})
    assert scores(fleet, RegionNames=["us-west-2", "eu-west-1"]) == {"us-west-2": 7, "eu-west-1": 9}


def test_at_most_ten_regions_may_be_named(fleet: Fleet) -> None:
    with refused("InvalidParameterValue", "10"):
        scores(fleet, RegionNames=REGIONS[:11])


def test_only_the_top_ten_are_returned(fleet: Fleet) -> None:
    fleet.market(scores={region: 10 - index % 10 for index, region in enumerate(REGIONS)})
    found = scores(fleet, InstanceTypes=["c5.large", "m5.large", "r5.large"])
    assert len(found) == 10
    assert {"us-east-1", "sa-east-1"} <= set(found)


def test_single_zones_are_named_by_id_only(fleet: Fleet) -> None:
    fleet.market(scores={"us-west-2": {"usw2-az1": 3, "usw2-az2": 8}})
    found = scores(fleet, RegionNames=["us-west-2"], SingleAvailabilityZone=True)
    assert found["usw2-az1"] == 3
    assert found["usw2-az2"] == 8
    assert all(name.startswith("usw2-az") for name in found)
    assert scores(fleet, RegionNames=["us-west-2"]) == {"us-west-2": 8}


def test_fewer_than_three_types_score_low_unless_the_market_says_so(fleet: Fleet) -> None:
    few = {"RegionNames": ["us-west-2", "eu-west-1"], "InstanceTypes": ["g4dn.xlarge", "g5.xlarge"]}
    assert max(scores(fleet, **few).values()) <= 3
    fleet.market(scores={"us-west-2": 9})
    assert scores(fleet, **few)["us-west-2"] == 9


def test_a_region_that_sells_none_of_the_types_has_no_row(fleet: Fleet) -> None:
    found = scores(
        fleet, RegionNames=["us-west-2", "eu-west-1"], InstanceTypes=["g6.xlarge", "g6.2xlarge", "g6.4xlarge"]
    )
    assert set(found) == {"us-west-2"}


def test_a_region_may_get_no_score_at_all(fleet: Fleet) -> None:
    """Only the ten best are returned (botocore model), so a caller has to live with regions that are missing."""
    fleet.market(scores={"us-west-2": "none"})
    assert set(scores(fleet, RegionNames=["us-west-2", "eu-west-1"])) == {"eu-west-1"}


def test_types_or_requirements_and_a_capacity_are_needed(fleet: Fleet) -> None:
    requirements = {
        "ArchitectureTypes": ["x86_64"],
        "InstanceRequirements": {
            "VCpuCount": {"Min": 4, "Max": 8},
            "MemoryMiB": {"Min": 8192},
            "AcceleratorCount": {"Min": 1},
        },
    }
    with refused("InvalidParameterCombination"):
        scores(fleet, InstanceRequirementsWithMetadata=requirements)
    with refused("MissingParameter"):
        fleet.ec2.get_spot_placement_scores(TargetCapacity=1)
    found = fleet.ec2.get_spot_placement_scores(
        TargetCapacity=1, InstanceRequirementsWithMetadata=requirements, RegionNames=["us-west-2"]
    )
    assert found["SpotPlacementScores"][0]["Score"] > 3
    with refused("InvalidParameterValue", "nowhere-1"):
        scores(fleet, RegionNames=["nowhere-1"])


def test_the_budget_counts_distinct_configurations_per_calling_region(fleet: Fleet, sandbox: Sandbox) -> None:
    fleet.market(score_configuration_budget=2)
    scores(fleet, RegionNames=["us-west-2", "eu-west-1"])
    scores(fleet, RegionNames=["eu-west-1", "us-west-2"], InstanceTypes=list(reversed(TYPES)))
    scores(fleet, RegionNames=["us-west-2"])
    with refused("MaxConfigLimitExceeded", "retry configurations that you used within the last 24 hours"):
        scores(fleet, RegionNames=["eu-west-1"])
    assert scores(fleet, RegionNames=["us-west-2"])
    assert scores(Fleet(sandbox, "eu-west-1"), RegionNames=["eu-west-1"])


def history(fleet: Fleet, **request) -> list[dict]:
    request = {"InstanceTypes": ["g5.xlarge"], "ProductDescriptions": ["Linux/UNIX"], **request}
    pages = fleet.ec2.get_paginator("describe_spot_price_history").paginate(**request)
    return [row for page in pages for row in page["SpotPriceHistory"]]


def test_start_now_gives_exactly_the_price_in_force(fleet: Fleet) -> None:
    fleet.market(prices={"us-west-2": {"us-west-2a": {"g5.xlarge": "9.50"}, "us-west-2b": {"g5.xlarge": "10.10"}}})
    rows = history(fleet, StartTime=datetime.now(UTC))
    assert {row["AvailabilityZone"]: Decimal(row["SpotPrice"]) for row in rows} == {
        "us-west-2a": Decimal("9.50"),
        "us-west-2b": Decimal("10.10"),
    }
    assert all(isinstance(row["SpotPrice"], str) for row in rows)
    assert all(row["Timestamp"] <= datetime.now(UTC) for row in rows)


def test_an_earlier_start_gives_the_changes_and_the_last_one_before_it(fleet: Fleet) -> None:
    start = datetime.now(UTC) - timedelta(days=2)
    rows = [row for row in history(fleet, StartTime=start) if row["AvailabilityZone"] == "us-west-2a"]
    before = [row for row in rows if row["Timestamp"] <= start]
    assert len(rows) > 2
    assert len(before) == 1
    assert [row["Timestamp"] for row in rows] == sorted((row["Timestamp"] for row in rows), reverse=True)


def test_changes_are_those_that_the_market_sets(fleet: Fleet) -> None:
    fleet.market(
        prices={"us-west-2": {"us-west-2a": {"g5.xlarge": "9"}, "us-west-2b": {"g5.xlarge": "8"}}},
        price_history={"us-west-2": {"us-west-2a": {"g5.xlarge": [[200, "0.30"], [30, "0.55"], [6, "0.40"]]}}},
    )
    now = datetime.now(UTC)
    rows = history(fleet, StartTime=now - timedelta(hours=48))
    found = [(row["SpotPrice"], row["Timestamp"]) for row in rows if row["AvailabilityZone"] == "us-west-2a"]
    assert [amount for amount, _since in found] == ["0.400000", "0.550000", "0.300000"]
    for (_amount, since), hours in zip(found, (6, 30, 200), strict=True):
        assert abs(now - since - timedelta(hours=hours)) < timedelta(seconds=10)
    current = {row["AvailabilityZone"]: row["SpotPrice"] for row in history(fleet, StartTime=now)}
    assert current == {"us-west-2a": "0.400000", "us-west-2b": "8.000000"}
    assert history(fleet, StartTime=now - timedelta(hours=40), EndTime=now - timedelta(hours=31))[-1]["SpotPrice"]
    ended = history(fleet, StartTime=now - timedelta(hours=40), EndTime=now - timedelta(hours=20))
    assert [row["SpotPrice"] for row in ended if row["AvailabilityZone"] == "us-west-2a"] == ["0.550000", "0.300000"]


def test_a_zone_may_offer_a_type_and_have_no_price_for_it(fleet: Fleet) -> None:
    """karpenter-provider-aws#2243."""
    fleet.market(prices={"us-west-2": {"us-west-2a": {"g5.xlarge": "0.4"}, "us-west-2b": {"g6.xlarge": "0.3"}}})
    offers = fleet.ec2.describe_instance_type_offerings(
        LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": ["g5.xlarge"]}]
    )["InstanceTypeOfferings"]
    assert "us-west-2b" in {offer["Location"] for offer in offers}
    for start in (datetime.now(UTC), datetime.now(UTC) - timedelta(days=30)):
        assert {row["AvailabilityZone"] for row in history(fleet, StartTime=start)} == {"us-west-2a"}


def test_without_product_descriptions_other_systems_are_in_the_answer_too(fleet: Fleet) -> None:
    rows = fleet.ec2.describe_spot_price_history(
        InstanceTypes=["g5.xlarge"], StartTime=datetime.now(UTC), AvailabilityZone="us-west-2a"
    )["SpotPriceHistory"]
    price = {row["ProductDescription"]: Decimal(row["SpotPrice"]) for row in rows}
    assert price["Linux/UNIX"] < price["Windows"]
    assert not [name for name in price if "VPC" in name]
    vpc = history(fleet, ProductDescriptions=["Linux/UNIX (Amazon VPC)"], StartTime=datetime.now(UTC))
    assert {row["ProductDescription"] for row in vpc} == {"Linux/UNIX (Amazon VPC)"}


def test_pages_may_be_short_and_the_last_token_is_empty(fleet: Fleet) -> None:
    fleet.market(price_page_size=2)
    request = {"InstanceTypes": list(TYPES), "ProductDescriptions": ["Linux/UNIX"], "StartTime": datetime.now(UTC)}
    first = fleet.ec2.describe_spot_price_history(**request, MaxResults=100)
    assert len(first["SpotPriceHistory"]) == 2
    assert first["NextToken"]
    page = first
    while page["NextToken"]:
        page = fleet.ec2.describe_spot_price_history(**request, NextToken=page["NextToken"])
    assert page["NextToken"] == ""
    assert len(history(fleet, **request)) > 4


def test_a_zone_that_does_not_sell_the_type_has_no_record(fleet: Fleet) -> None:
    zones = {row["AvailabilityZone"] for row in history(fleet, StartTime=datetime.now(UTC))}
    offers = fleet.ec2.describe_instance_type_offerings(
        LocationType="availability-zone", Filters=[{"Name": "instance-type", "Values": ["g5.xlarge"]}]
    )["InstanceTypeOfferings"]
    assert zones == {offer["Location"] for offer in offers}
    assert "us-west-2d" not in zones


def test_filters_and_what_is_refused(fleet: Fleet) -> None:
    now = datetime.now(UTC)
    by_filter = history(fleet, StartTime=now, Filters=[{"Name": "availability-zone", "Values": ["us-west-2b"]}])
    assert [row["AvailabilityZone"] for row in by_filter] == ["us-west-2b"]
    assert by_filter == history(fleet, StartTime=now, AvailabilityZone="us-west-2b")
    zone_id = by_filter[0]["AvailabilityZoneId"]
    assert history(fleet, StartTime=now, AvailabilityZoneId=zone_id) == by_filter
    with refused("InvalidParameterCombination"):
        history(fleet, AvailabilityZone="us-west-2b", AvailabilityZoneId=zone_id)
    with refused("InvalidParameterValue", "mood"):
        history(fleet, Filters=[{"Name": "mood", "Values": ["good"]}])


def test_types_are_described_with_their_gpus_and_offered_where_aws_sells_them(fleet: Fleet) -> None:
    """moto's data: AWS's own answers, recorded."""
    described = fleet.ec2.describe_instance_types(InstanceTypes=["g5.xlarge"])["InstanceTypes"][0]
    assert described["GpuInfo"]["Gpus"][0]["Name"] == "A10G"
    eu = Fleet(fleet.sandbox, "eu-west-1")
    offers = eu.ec2.describe_instance_type_offerings(Filters=[{"Name": "instance-type", "Values": list(TYPES)}])
    assert {each["InstanceType"] for each in offers["InstanceTypeOfferings"]} == {"g4dn.xlarge", "g5.xlarge"}
