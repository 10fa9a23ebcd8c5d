# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The market: what is merged, what is refused, what the defaults are."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from fleet_kit import load

market = load("sandbox/market.py")


@pytest.fixture
def bazaar():
    return market.Market()


def test_prices_are_decimals_and_differ_by_zone_without_any_document(bazaar) -> None:
    prices = {bazaar.spot_price("us-west-2", f"us-west-2{zone}", "g5.xlarge") for zone in "abc"}
    assert len(prices) == 3
    assert all(isinstance(price, Decimal) for price in prices)
    assert all(price < bazaar.on_demand_price("us-west-2", "g5.xlarge") for price in prices)


@pytest.mark.parametrize("kind", ["g4dn.xlarge", "g5.12xlarge", "g6.xlarge", "p4d.24xlarge", "m5.large", "g5g.xlarge"])
def test_every_type_that_is_sold_has_a_price(bazaar, kind: str) -> None:
    assert bazaar.on_demand_price("eu-west-1", kind) > 0
    assert bazaar.spot_price("eu-west-1", "eu-west-1a", kind) > 0


def test_a_region_whose_prices_were_set_sells_only_what_was_set(bazaar) -> None:
    bazaar.merge({"prices": {"us-west-2": {"us-west-2a": {"g5.xlarge": "10.10"}, "*": {"g5.xlarge": 9.5}}}})
    assert bazaar.spot_price("us-west-2", "us-west-2a", "g5.xlarge") == Decimal("10.10")
    assert bazaar.spot_price("us-west-2", "us-west-2b", "g5.xlarge") == Decimal("9.5")
    assert bazaar.spot_price("us-west-2", "us-west-2b", "g4dn.xlarge") is None
    assert bazaar.spot_price("eu-west-1", "eu-west-1a", "g4dn.xlarge") is not None


def test_documents_are_merged_deeply_and_null_clears(bazaar) -> None:
    bazaar.merge({"capacity": {"us-west-2": {"g5.xlarge": 1}}, "scores": {"us-west-2": 9}})
    bazaar.merge({"capacity": {"us-west-2": {"g6.xlarge": 2}}})
    assert bazaar.document()["capacity"] == {"us-west-2": {"g5.xlarge": 1, "g6.xlarge": 2}}
    bazaar.merge({"capacity": {"us-west-2": {"g5.xlarge": None}}, "scores": None})
    assert bazaar.document() == {"capacity": {"us-west-2": {"g6.xlarge": 2}}}
    bazaar.merge({"capacity": None})
    assert bazaar.document() == {}
    assert bazaar.capacity("us-west-2a", "g6.xlarge") == market.PLENTY


def test_capacity_by_zone_by_region_by_market_and_for_all_types(bazaar) -> None:
    bazaar.merge(
        {
            "capacity": {"us-west-2a": {"g5.xlarge": 3}, "us-west-2": {"*": 5}},
            "on_demand_capacity": {"us-west-2": {"g5.xlarge": 0}},
        }
    )
    assert bazaar.capacity("us-west-2a", "g5.xlarge") == 3
    assert bazaar.region_capacity("us-west-2", "g6.xlarge") == 5
    assert bazaar.region_capacity("us-west-2", "g5.xlarge", "on-demand") == 0
    assert bazaar.capacity("us-west-2a", "g5.xlarge", "on-demand") == market.PLENTY


def test_a_region_scored_by_zones_scores_as_its_best_zone(bazaar) -> None:
    bazaar.merge({"scores": {"us-west-2": {"usw2-az1": 2, "usw2-az2": 8}}})
    assert bazaar.score("us-west-2") == 8
    assert bazaar.score("us-west-2", "usw2-az1") == 2
    assert bazaar.pins_score("us-west-2") and not bazaar.pins_score("eu-west-1")


def test_a_refused_document_changes_nothing(bazaar) -> None:
    bazaar.merge({"scores": {"us-west-2": 9}})
    with pytest.raises(market.MarketError):
        bazaar.merge({"scores": {"us-west-2": 1, "eu-west-1": 11}})
    assert bazaar.document() == {"scores": {"us-west-2": 9}}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "market: a document is an object"),
        ({"price": {}, "x": 1}, "x: unknown key"),
        ({"scores": {"us-west-2": 11}}, "scores.us-west-2: 11 must be a whole number from 1 to 10"),
        ({"scores": {"us-west-2": 2.5}}, "scores.us-west-2: 2.5 must be a whole number from 1 to 10"),
        ({"scores": {"us-west-2": True}}, "scores.us-west-2: True must be"),
        ({"scores": {"us-west-2": {"us-west-2a": 3}}}, "us-west-2a: must be an availability zone id"),
        ({"scores": {"us-west-2": "no"}}, "scores.us-west-2: 'no' must be a number"),
        ({"scores": {"mars": 3}}, "scores.mars: must be a region name"),
        ({"prices": {"us-west-2": {"eu-west-1a": {"g5.xlarge": "1"}}}}, 'must be a zone of us-west-2 or "*"'),
        ({"prices": {"us-west-2": {"*": {"g5.xlarge": "cheap"}}}}, "'cheap' must be a number"),
        ({"prices": {"us-west-2": {"*": {"g5.xlarge": "0"}}}}, "'0' must be above 0"),
        ({"prices": {"us-west-2": {"*": {"g5.xlarge": "NaN"}}}}, "must be a number of at least 0"),
        ({"prices": {"us-west-2": {"*": {"g5": "1"}}}}, "g5: must be an instance type"),
        ({"price_history": {"us-west-2": {"eu-west-1a": {"g5.xlarge": []}}}}, 'must be a zone of us-west-2 or "*"'),
        ({"price_history": {"us-west-2": {"*": {"g5.xlarge": []}}}}, "must be a list of pairs [hours ago, price]"),
        ({"price_history": {"us-west-2": {"*": {"g5.xlarge": [[1]]}}}}, "must be a list of pairs [hours ago, price]"),
        ({"price_history": {"us-west-2": {"*": {"g5.xlarge": [[1, "1"], ["1.0", "2"]]}}}}, "of different ages"),
        ({"price_history": {"us-west-2": {"*": {"g5.xlarge": [[-1, "1"]]}}}}, "must be a number of at least 0"),
        ({"price_history": {"us-west-2": {"*": {"g5.xlarge": [[1, "0"]]}}}}, "g5.xlarge[0]: '0' must be above 0"),
        ({"opt_in": {"us-west-2": "no"}}, "opt_in.us-west-2: 'no' must be true or false"),
        ({"opt_in": {"mars": True}}, "opt_in.mars: must be a region name"),
        ({"capacity": {"us-west-2": {"g5.xlarge": -1}}}, "must be a number of at least 0"),
        ({"capacity": {"here": {"g5.xlarge": 1}}}, "capacity.here: must be a region or a zone name"),
        ({"quotas": {"G": 1}}, "quotas.G: must be a quota code"),
        ({"boot_seconds": "soon"}, "boot_seconds: 'soon' must be a number"),
    ],
)
def test_bad_documents_are_refused_in_one_line_with_key_value_and_rule(bazaar, document, message: str) -> None:
    with pytest.raises(market.MarketError) as caught:
        bazaar.merge(document)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "spot", "on_demand"),
    [
        ("g5.xlarge", "L-3819A6DF", "L-DB2E81BA"),
        ("gr6.4xlarge", "L-3819A6DF", "L-DB2E81BA"),
        ("vt1.3xlarge", "L-3819A6DF", "L-DB2E81BA"),
        ("m5.large", "L-34B43A08", "L-1216C47A"),
        ("im4gn.large", "L-34B43A08", "L-1216C47A"),
        ("p4d.24xlarge", "L-7212CCBC", "L-417A185B"),
        ("p5.48xlarge", "L-C4BD4855", "L-417A185B"),
        ("f1.2xlarge", "L-88CF9481", "L-74FC7D96"),
        ("dl1.24xlarge", "L-85EED4F7", "L-6E869C2A"),
        ("x2iedn.8xlarge", "L-E3A00192", "L-7295265B"),
        ("hpc6a.48xlarge", None, "L-F7808C92"),
        ("u-6tb1.56xlarge", None, "L-43DA4232"),
        ("mac1.metal", None, None),
    ],
)
def test_quota_codes_by_family(kind: str, spot: str | None, on_demand: str | None) -> None:
    """EC2 user guide, "Spot Instance quotas" and "On-Demand Instance quotas"; listings of Service Quotas."""
    assert (market.quota_code(kind, "spot"), market.quota_code(kind, "on-demand")) == (spot, on_demand)


def test_p5_has_a_spot_quota_of_its_own_where_the_market_sets_one(bazaar) -> None:
    """The user guide of 2023 lists "All P5" beside "All P4, P3 and P2"; listings of 2026 have "All P" for both."""
    assert bazaar.counting_quota("us-west-2", "p5.48xlarge", "spot") == "L-7212CCBC"
    bazaar.merge({"quotas": {"us-west-2": {"L-C4BD4855": 192}}})
    assert bazaar.counting_quota("us-west-2", "p5.48xlarge", "spot") == "L-C4BD4855"
    assert bazaar.counting_quota("eu-west-1", "p5.48xlarge", "spot") == "L-7212CCBC"
    assert bazaar.counting_quota("us-west-2", "p4d.24xlarge", "spot") == "L-7212CCBC"
    assert bazaar.counting_quota("us-west-2", "p5.48xlarge", "on-demand") == "L-417A185B"


def test_a_price_history_goes_before_prices_and_stays_where_it_was_in_time(bazaar) -> None:
    history = [[2, "0.5"], [0, "0.4"], ["48.5", "0.3"]]
    bazaar.merge(
        {
            "prices": {"us-west-2": {"*": {"g5.xlarge": "9"}}},
            "price_history": {"us-west-2": {"us-west-2a": {"g5.xlarge": history}}},
        }
    )
    assert bazaar.spot_price("us-west-2", "us-west-2a", "g5.xlarge") == Decimal("0.4")
    assert bazaar.spot_price("us-west-2", "us-west-2b", "g5.xlarge") == Decimal(9)
    changes = bazaar.price_changes("us-west-2", "us-west-2a", "g5.xlarge")
    assert [price for _since, price in changes] == [Decimal("0.4"), Decimal("0.5"), Decimal("0.3")]
    assert changes[0][0] - changes[2][0] == timedelta(hours=48.5)
    bazaar.merge({"scores": {"us-west-2": 9}})
    assert bazaar.price_changes("us-west-2", "us-west-2a", "g5.xlarge") == changes
    document = bazaar.document()
    assert document["price_history"]["us-west-2"]["us-west-2a"]["g5.xlarge"][0] == ["0", "0.4"]
    bazaar.merge(document)
    assert bazaar.document() == document


def test_quotas_for_all_regions_or_one(bazaar) -> None:
    assert bazaar.pinned_quota("us-west-2", "L-3819A6DF") is None
    bazaar.merge({"quotas": {"L-3819A6DF": 8, "eu-west-1": {"L-3819A6DF": 0}}})
    assert bazaar.pinned_quota("us-west-2", "L-3819A6DF") == 8
    assert bazaar.quota("eu-west-1", "L-3819A6DF") == 0
