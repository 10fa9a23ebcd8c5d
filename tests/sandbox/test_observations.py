# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the collection reads of quotas and prices, through real requests: numbers as the market has them, and few calls."""

from __future__ import annotations

from datetime import UTC
from datetime import datetime
from datetime import timedelta
from decimal import Decimal

import pytest
from fleet_kit import TYPES
from fleet_kit import Fleet
from fleet_kit import eventually
from sandbox_process import Sandbox

from ansible_collections.ethereal.spot.plugins.module_utils._aws.on_demand_prices import on_demand_prices
from ansible_collections.ethereal.spot.plugins.module_utils._aws.price_history import price_history
from ansible_collections.ethereal.spot.plugins.module_utils._aws.price_list import pricing_region
from ansible_collections.ethereal.spot.plugins.module_utils._aws.quotas import type_vcpus
from ansible_collections.ethereal.spot.plugins.module_utils._aws.quotas import vcpu_quotas
from ansible_collections.ethereal.spot.plugins.module_utils._aws.quotas import vcpus_in_use
from ansible_collections.ethereal.spot.plugins.module_utils._brain.price_window import price_windows
from ansible_collections.ethereal.spot.plugins.module_utils._brain.quotas import ON_DEMAND
from ansible_collections.ethereal.spot.plugins.module_utils._brain.quotas import SPOT
from ansible_collections.ethereal.spot.plugins.module_utils._brain.quotas import quota_codes
from ansible_collections.ethereal.spot.plugins.module_utils._brain.quotas import verdicts

G_SPOT, G_ON_DEMAND = "L-3819A6DF", "L-DB2E81BA"


@pytest.fixture
def fleet(sandbox: Sandbox) -> Fleet:
    return Fleet(sandbox)


def actions(fleet: Fleet) -> list[str]:
    return [call["action"] for call in fleet.sandbox.calls()]


def judge(fleet: Fleet, market: str, capacity: int, held: int = 0):
    limits = vcpu_quotas(fleet.sandbox.client("service-quotas", fleet.region), quota_codes(TYPES, [SPOT, ON_DEMAND]))
    vcpus = type_vcpus(fleet.ec2, TYPES)
    (found,) = verdicts(fleet.region, market, capacity, vcpus, limits, vcpus_in_use(fleet.ec2), held)
    return found


def test_verdicts_say_beforehand_what_a_launch_would_meet(fleet: Fleet) -> None:
    """A group of three runs; a fourth instance of four vCPUs is over the spot quota and within that of on-demand."""
    fleet.market(quotas={G_SPOT: 15, G_ON_DEMAND: 4})
    fleet.group(3)
    fleet.in_service(3)
    spot = judge(fleet, SPOT, 1)
    assert (spot.limit, spot.used, spot.left, spot.enough) == (15, 12, 3, False)
    assert judge(fleet, SPOT, 3, held=3).enough
    on_demand = judge(fleet, ON_DEMAND, 1)
    assert (on_demand.used, on_demand.enough) == (0, True)
    assert not judge(fleet, ON_DEMAND, 2).enough
    fleet.resize(4)
    failed = eventually(lambda: fleet.activities(status="Failed"), bool)
    assert "MaxSpotInstanceCountExceeded" in failed[0]["StatusMessage"]


def test_a_region_is_judged_by_few_calls(fleet: Fleet) -> None:
    before = len(actions(fleet))
    judge(fleet, SPOT, 1)
    assert actions(fleet)[before:] == [
        "GetServiceQuota",
        "GetServiceQuota",
        "DescribeInstanceTypes",
        "DescribeInstances",
        "DescribeSpotInstanceRequests",
    ]


def test_many_families_are_one_listing(fleet: Fleet) -> None:
    types = ["g5.xlarge", "m5.large", "p5.48xlarge", "x1.32xlarge", "mac1.metal"]
    before = len(actions(fleet))
    limits = vcpu_quotas(fleet.sandbox.client("service-quotas", fleet.region), quota_codes(types, [SPOT, ON_DEMAND]))
    assert actions(fleet)[before:] == ["ListServiceQuotas"]
    assert set(limits.values()) == {Decimal(4096)}
    assert len(limits) == 8


def test_the_on_demand_prices_of_seventeen_regions_are_one_call(fleet: Fleet) -> None:
    fleet.market(on_demand={"us-west-2": {"g5.xlarge": "1.25"}})
    regions = [region["RegionName"] for region in fleet.ec2.describe_regions()["Regions"]]
    assert len(regions) == 17
    before = len(actions(fleet))
    found = on_demand_prices(fleet.sandbox.client("pricing", pricing_region("aws")), regions, TYPES, "Linux/UNIX")
    assert actions(fleet)[before:] == ["GetProducts"]
    assert set(found) == set(regions)
    assert found["us-west-2"]["g5.xlarge"] == Decimal("1.25")
    assert found["us-east-1"]["g4dn.xlarge"] == Decimal("0.526")
    windows = on_demand_prices(
        fleet.sandbox.client("pricing", pricing_region("aws")), ["us-west-2"], ["g5.xlarge"], "Windows (Amazon VPC)"
    )
    assert windows == {"us-west-2": {"g5.xlarge": Decimal("1.434")}}


def test_a_window_of_prices_as_the_market_made_them(fleet: Fleet) -> None:
    """48 hours: 19 at 0.30, 23 at 0.60, 6 at 0.45; the median is 0.45, off by 0.15 for 42 of 48 hours."""
    fleet.market(
        prices={"us-west-2": {"us-west-2b": {"g5.xlarge": "0.5"}}},
        price_history={
            "us-west-2": {"us-west-2a": {"g5.xlarge": [[500, "9"], [200, "0.30"], [29, "0.60"], [6, "0.45"]]}}
        },
        price_page_size=1,
    )
    now = datetime.now(UTC)
    products = ["Linux/UNIX", "Linux/UNIX (Amazon VPC)"]
    records = price_history(fleet.ec2, ["g5.xlarge"], products, now - timedelta(hours=48), now)
    windows = price_windows(records, now - timedelta(hours=48), now)
    assert {zone for zone, _type in windows} == {"us-west-2a", "us-west-2b"}
    window = windows["us-west-2a", "g5.xlarge"]
    assert (window.current, window.median, window.worst) == (Decimal("0.45"), Decimal("0.45"), Decimal("0.60"))
    assert abs(window.volatility - Decimal("0.2917")) <= Decimal("0.0002")
    (zone,) = fleet.ec2.describe_availability_zones(ZoneNames=["us-west-2a"])["AvailabilityZones"]
    assert window.zone_id == zone["ZoneId"]


def test_a_shorter_window_forgets_what_was_before(fleet: Fleet) -> None:
    fleet.market(price_history={"us-west-2": {"*": {"g5.xlarge": [[30, "0.60"], [6, "0.45"]]}}})
    now = datetime.now(UTC)
    records = price_history(fleet.ec2, ["g5.xlarge"], ["Linux/UNIX"], now - timedelta(hours=3))
    window = price_windows(records, now - timedelta(hours=3), now)["us-west-2c", "g5.xlarge"]
    assert (window.median, window.worst, str(window.volatility)) == (Decimal("0.45"), Decimal("0.45"), "0.0000")
