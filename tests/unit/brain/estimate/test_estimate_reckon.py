# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate import prices
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate import wish as wish_module
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.ceiling import breaches
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.ceiling import ceiling
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.ceiling import check_currency
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.prices import Levels
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.prices import RegionPrices
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.reckon import public_place
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.reckon import reckon
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.reckon import saving
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.reckon import total_of
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.text import HEADINGS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.text import estimate_lines
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.wish import PlaceWish
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.wish import wishes
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet import CREATION_SIZES
from ansible_collections.ethereal.spot.plugins.module_utils._brain.price_window import PriceWindow

TEMPLATE = Path(__file__).parents[4] / "roles/network/files/network.template"
D = Decimal
UNITS = {
    prices.GIB: D("0.08"),
    prices.IOPS: D("0.005"),
    prices.MIBPS: D("0.04"),
    prices.ENDPOINT: D("0.01"),
    prices.NAT_GATEWAY: D("0.045"),
}
SPOT = {
    "g4dn.xlarge": Levels(D("0.2"), D("0.25"), D("0.3")),
    "g5.xlarge": Levels(D("0.4"), D("0.24"), D("0.9")),
}
ON_DEMAND = {"g4dn.xlarge": D("0.5"), "g5.xlarge": D("1")}
KNOWN = RegionPrices(SPOT, ON_DEMAND, UNITS)


def place_wish(place="oregon", region="us-west-2", **options):
    return PlaceWish(place=place, region=region, instance_types=("g5.xlarge", "g4dn.xlarge"), **options)


def estimate(*wanted, known=None, given=None):
    return reckon(wanted, {"us-west-2": KNOWN, "eu-west-1": KNOWN} | (known or {}), given or {})


def item(place, name):
    return next(each for each in place.items if each.name.startswith(name))


@pytest.mark.parametrize(
    ("instances", "base", "percentage", "on_demand"),
    [(0, 2, 50, 0), (1, 2, 0, 1), (4, 0, 0, 0), (4, 1, 0, 1), (4, 1, 50, 3), (10, 2, 25, 4), (5, 0, 100, 5)],
)
def test_the_share_on_demand_is_rounded_up_as_ec2_does(instances, base, percentage, on_demand):
    wanted = place_wish(instances=instances, on_demand_base=base, on_demand_percentage_above_base=percentage)
    assert (wanted.on_demand, wanted.spot) == (on_demand, instances - on_demand)


def test_endpoints_are_in_as_many_zones_as_the_network_s_template_says():
    template = TEMPLATE.read_text()
    blocks = [block for block in re.split(r"\n(?=  \w+:\n)", template) if "VpcEndpointType: Interface" in block]
    zones = {re.search("SubnetIds: (.*)", block)[1].count("!Ref Subnet") for block in blocks}
    assert zones == {wish_module.ENDPOINT_ZONES}


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ({}, 12),
        ({"endpoint_groups": ("session_manager",)}, 16),
        ({"endpoint_groups": ("session_manager", "parameters", "sts")}, 18),
        ({"endpoint_zones": 1}, 6),
        ({"network": False}, 0),
        ({"worker": False, "hub": True}, 0),
    ],
)
def test_endpoints_of_a_place(options, count):
    assert place_wish(**options).endpoints == count


@pytest.mark.parametrize(
    ("places", "common", "option"),
    [
        ({}, {}, "places"),
        ({"Tokyo!": "ap-northeast-1"}, {}, "places"),
        ({"tokyo": "japan"}, {}, "places.tokyo.region"),
        ({"tokyo": {}}, {}, "places.tokyo.region"),
        ({"tokyo": 7}, {}, "places.tokyo"),
        ({"us-east-1": {"instance": 1}}, {}, "places.us-east-1"),
        ({"us-east-1": {"instances": -1}}, {}, "places.us-east-1.instances"),
        ({"us-east-1": {"instances": True}}, {}, "places.us-east-1.instances"),
        ({"us-east-1": {"endpoint_zones": 3}}, {}, "places.us-east-1.endpoint_zones"),
        ({"us-east-1": {"instance_types": ["g5"]}}, {}, "places.us-east-1.instance_types[0]"),
        ({"us-east-1": {"disk_size": 4, "ebs_iops": 3001}}, {}, "places.us-east-1.ebs_iops"),
        ({"us-east-1": {"ebs_throughput": 1000}}, {}, "places.us-east-1.ebs_throughput"),
        ({"us-east-1": "us-east-1"}, {"on_demand_percentage_above_base": 101}, "on_demand_percentage_above_base"),
        ({"us-east-1": "us-east-1"}, {"ebs_throughput": 800}, "ebs_throughput"),
    ],
)
def test_wishes_that_cannot_be(places, common, option):
    with pytest.raises(InputError) as refused:
        wishes(places, {"instance_types": ["g5.xlarge"], **common})
    assert refused.value.option == option


def test_sizes_that_are_not_given_are_those_of_a_new_fleet():
    common = {"instance_types": ["g5.xlarge"], "instances": 1, "on_demand_base": 0}
    places = {
        "us-east-1": {"created_sizes": True, "instances": None},
        "us-west-2": {"created_sizes": True, "instances": 3, "on_demand_base": 1},
        "eu-west-1": {},
    }
    sizes = [(wish.instances, wish.on_demand_base) for wish in wishes(places, common)]
    assert sizes == [(CREATION_SIZES["desired_capacity"], CREATION_SIZES["on_demand_base"]), (3, 1), (1, 0)]


def test_what_stands_in_for_spot_is_in_the_worst_sum_alone():
    wanted = {"instances": 3, "disk_size": 200, "ebs_iops": 4000}
    (without,) = estimate(place_wish(**wanted))
    (place,) = estimate(place_wish(**wanted, on_demand_fallback_max=2))
    stand_ins = item(place, "on-demand instances that stand in")
    assert (stand_ins.quantity, stand_ins.price) == (2, Levels(D(0), D(0), D(1)))
    for level in ("current", "median"):
        assert getattr(place.running, level) == getattr(without.running, level)
    worst = 2 * (730 * D(1) + 200 * UNITS[prices.GIB] + 1000 * UNITS[prices.IOPS])
    assert place.running.worst == without.running.worst + worst
    assert place.standing == without.standing
    assert place.all_on_demand == without.all_on_demand
    assert "on-demand instances that stand in for spot at most" in "\n".join(
        estimate_lines([place], total_of([place]), 7, "USD")
    )


def test_what_is_not_sold_on_demand_does_not_stand_in():
    known = RegionPrices(SPOT, {}, UNITS)
    (place,) = estimate(place_wish(instances=2, on_demand_fallback_max=2), known={"us-west-2": known})
    assert place.servable
    assert not [each for each in place.items if "stand in" in each.name]


def test_where_all_is_on_demand_nothing_stands_in():
    (place,) = estimate(place_wish(instances=2, on_demand_base=2, on_demand_fallback_max=2))
    assert not [each for each in place.items if "stand in" in each.name]


def test_a_place_says_what_differs():
    common = {"instance_types": ["g5.xlarge"], "instances": 2, "hub": False}
    given = {"us-east-1": {"instances": "3", "hub": "true"}, "tokyo": "ap-northeast-1"}
    first, second = wishes(given, common)
    assert (first.region, first.instances, first.hub) == ("us-east-1", 3, True)
    assert (second.place, second.region, second.instances, second.hub) == ("tokyo", "ap-northeast-1", 2, False)


def test_a_type_s_levels_are_the_cheapest_zone_s_and_the_dearest_worst():
    def window(zone, current, median, worst):
        return PriceWindow(zone, None, "g5.xlarge", D(current), D(median), D(worst), D(0))

    levels = prices.spot_levels([window("a", "2", "3", "4"), window("b", "3", "2", "9")])
    assert levels == {"g5.xlarge": Levels(D(2), D(2), D(9))}


def test_any_of_the_types_may_be_the_dearest_at_worst():
    assert prices.any_of(SPOT, ["g4dn.xlarge", "g5.xlarge", "g6.xlarge"]) == Levels(D("0.2"), D("0.24"), D("0.9"))
    assert prices.any_of(SPOT, ["g6.xlarge"]) is None


def test_every_item_of_a_worker():
    wanted = place_wish(instances=4, on_demand_base=1, disk_size=200, ebs_iops=4000, ebs_throughput=225, nat_gateways=2)
    [place] = estimate(wanted)
    monthly = {each.name: each.monthly for each in place.items if each.monthly is not None}
    assert monthly == {
        "spot instances": Levels(D("0.2") * 3 * 730, D("0.24") * 3 * 730, D("0.9") * 3 * 730),
        "on-demand instances": Levels(D("0.5") * 730, D("0.5") * 730, D(730)),
        "root volumes, 200 GiB of gp3 each": Levels.same(D("64")),
        "root volumes' IOPS above 3000": Levels.same(D("20")),
        "root volumes' MiB/s above 125": Levels.same(D("16")),
        "interface endpoints in 2 zones": Levels.same(D("87.6")),
        "NAT gateways": Levels.same(D("65.7")),
        "public addresses of NAT gateways": Levels.same(D("7.3")),
        "KMS keys": Levels.same(D("1")),
    }
    assert next(each.name for each in place.items if each.status == "usage").startswith("EFS storage")
    sources = {each.name: each.source for each in place.items}
    assert sources["spot instances"] == "spot price history"
    assert sources["on-demand instances"] == sources["NAT gateways"] == "Price List API"
    assert sources["KMS keys"] == "list price of us-east-1"


def test_what_a_hub_is_billed_for():
    [place] = estimate(place_wish(worker=False, hub=True, instances=5, alarms=10, dashboards=1))
    assert {each.name: each.monthly.current for each in place.items if each.monthly is not None} == {
        "KMS keys": D(1),
        "CloudWatch alarms": D(1),
        "CloudWatch dashboards": D(3),
    }
    assert next(each.name for each in place.items if each.status == "usage").startswith("DynamoDB")
    both = estimate(place_wish(hub=True))[0]
    assert item(both, "KMS keys").quantity == 2


def test_prices_that_the_user_knows_better_are_used():
    [place] = estimate(place_wish(), given={prices.GIB: D("0.07"), prices.KEY: D("0.5")})
    assert (item(place, "root volumes").price.worst, item(place, "root volumes").source) == (
        D("0.07"),
        "option unit_prices",
    )
    assert item(place, "KMS keys").source == "option unit_prices"


def test_documented_prices_are_those_of_the_commercial_partition_only():
    [place] = estimate(place_wish(region="cn-north-1"), known={"cn-north-1": KNOWN})
    assert (item(place, "KMS keys").status, item(place, "KMS keys").price) == ("unknown", None)
    assert total_of([place]).lower_bound


def test_what_was_not_read_is_unknown_and_the_total_a_lower_bound():
    problems = {"spot": "Throttled: slow down", "endpoint_hour": "AccessDenied: no"}
    known = RegionPrices(None, ON_DEMAND, {prices.GIB: D("0.08")}, problems)
    [place] = estimate(place_wish(), known={"us-west-2": known})
    assert [(each.name, each.source) for each in place.unknown] == [
        ("spot instances", "Throttled: slow down"),
        ("interface endpoints in 2 zones", "AccessDenied: no"),
    ]
    total = total_of([place])
    assert total.lower_bound
    assert total.amount == Levels.same(D("9"))
    assert total.on_demand is None
    shown = public_place(place)
    assert (shown["lower_bound"], shown["on_demand_monthly"]) == (True, None)
    assert shown["items"][0]["unit_price"] is None
    lines = estimate_lines([place], total, 7, "USD")
    assert "  oregon: spot instances: Throttled: slow down" in lines
    assert any("at least 0.0123" in line for line in lines)


def test_a_place_that_sells_none_of_the_types_runs_nothing():
    known = RegionPrices({}, ON_DEMAND, UNITS)
    [nothing] = estimate(place_wish(), known={"us-west-2": known})
    assert item(nothing, "spot instances").status == "not_sold"
    assert not any(each.name.startswith("root") for each in nothing.items)
    assert not total_of([nothing]).lower_bound
    assert nothing.running == prices.NOTHING
    assert any("Not sold" in line for line in estimate_lines([nothing], total_of([nothing]), 7, "USD"))


def test_of_placed_places_the_dearest_is_counted():
    dear = RegionPrices({"g5.xlarge": Levels(D("0.3"), D("0.2"), D("2"))}, {"g5.xlarge": D("3")}, UNITS)
    places = estimate(
        place_wish("oregon", placed=True),
        place_wish("ireland", "eu-west-1", placed=True),
        place_wish("hub", worker=False, hub=True),
        known={"eu-west-1": dear},
    )
    total = total_of(places)
    standing = 2 * D("88.6") + 1
    volume = D("8")
    assert total.amount == Levels(
        D("0.3") * 730 + volume + standing, D("0.24") * 730 + volume + standing, D("2") * 730 + volume + standing
    )
    # By the median it is the other place that is dearer.
    assert total.on_demand == Levels(
        D("3") * 730 + volume + standing, D("0.5") * 730 + volume + standing, D("3") * 730 + volume + standing
    )
    assert (total.cheapest_place, total.cheapest.current) == ("oregon", D("0.2") * 730 + volume + standing)
    assert any("in oregon, the cheapest now" in line for line in estimate_lines(places, total, 7, "USD"))
    fixed = total_of(estimate(place_wish("oregon"), place_wish("ireland", "eu-west-1"), known={"eu-west-1": dear}))
    assert fixed.amount.current == D("0.5") * 730 + 2 * volume + 2 * D("88.6")
    assert fixed.cheapest is None


@pytest.mark.parametrize(
    ("amount", "beside", "percent"),
    [("1", "2", 50), ("1", "3", 66), ("2", "1", -100), ("0", "1", 100), ("1", "0", None), ("2.01", "2", -1)],
)
def test_savings_are_rounded_down(amount, beside, percent):
    assert saving(D(amount), D(beside)) == percent


def test_the_result_holds_decimals_as_strings():
    [place] = estimate(place_wish(instances=3))
    shown = public_place(place)
    assert shown["items"][0] == {
        "name": "spot instances",
        "status": "priced",
        "quantity": 3,
        "per": "hour",
        "unit_price": {"current": "0.2", "median": "0.24", "worst": "0.9"},
        "hourly": {"current": "0.6", "median": "0.72", "worst": "2.7"},
        "monthly": {"current": "438", "median": "525.6", "worst": "1971"},
        "source": "spot price history",
    }
    assert shown["hourly"]["current"] == "0.754247"
    assert [each["instance_type"] for each in shown["types"]] == ["g4dn.xlarge", "g5.xlarge"]
    assert shown["types"][0]["savings_percent"] == 60


@pytest.mark.parametrize("value", ["0", "-1", "NaN", "inf", "1e10", "much", True])
def test_ceilings_that_cannot_be(value):
    with pytest.raises(InputError) as refused:
        ceiling(value, "max_hourly_usd")
    assert refused.value.option == "max_hourly_usd"


def test_a_ceiling_is_held_against_the_worst_price_to_the_last_digit():
    places = estimate(place_wish(network=False))
    total = total_of(places)
    exact = D("0.9") * 730 + D("8") + D("1")
    assert breaches(total, places, None, None) == []
    assert breaches(total, places, D("1"), exact) == []
    [breach] = breaches(total, places, None, exact - D("0.000001"))
    assert (
        str(breach) == "max_monthly_usd: 665.999999 is less than the estimate at the worst spot price, 666 USD a month"
    )
    both = breaches(total, places, D("0.9"), D("1"))
    assert [each.option for each in both] == ["max_hourly_usd", "max_monthly_usd"]
    lines = estimate_lines(places, total, 7, "USD", both)
    assert lines[-1].startswith("Refused: max_monthly_usd: 1 is less")


def test_a_ceiling_that_cannot_be_held_does_not_hold():
    places = estimate(place_wish(), known={"us-west-2": RegionPrices(None, ON_DEMAND, UNITS, {"spot": "Slow: down"})})
    [breach] = breaches(total_of(places), places, D(100), None)
    assert "cannot be held against the estimate" in breach.rule
    assert "oregon: spot instances: Slow: down" in breach.rule
    [breach] = breaches(total_of(places), places, D("0.01"), None)
    assert "at least" in breach.rule


def test_currencies_are_not_added_up():
    assert prices.currency_of([place_wish(region="cn-north-1")]) == "CNY"
    with pytest.raises(InputError, match="one currency"):
        prices.currency_of([place_wish(), place_wish(region="cn-north-1")])
    with pytest.raises(InputError, match="billed in CNY"):
        check_currency("CNY", max_hourly_usd=D(1))
    check_currency("CNY", max_hourly_usd=None)


@pytest.mark.parametrize(
    ("given", "option"),
    [
        ({"gp3": "1"}, "unit_prices"),
        ({"gp3_gib_month": "-1"}, "unit_prices.gp3_gib_month"),
        ({"endpoint_hour": "NaN"}, "unit_prices.endpoint_hour"),
    ],
)
def test_unit_prices_that_cannot_be(given, option):
    with pytest.raises(InputError) as refused:
        prices.check_unit_prices(given)
    assert refused.value.option == option


def test_the_text_shows_every_item_and_the_sum():
    places = estimate(place_wish(instances=2, on_demand_base=1), place_wish("hub", worker=False, hub=True))
    lines = estimate_lines(places, total_of(places), 30, "USD")
    assert lines[0] == "2 places, spot prices of 30 days, USD, 730 hours a month"
    assert lines[2].split() == list(HEADINGS)
    assert any(
        re.fullmatch(r"oregon +spot instances +1 +0.2 +hour +0.2000 +0.2400 +0.9000 +146.00 +history", x) for x in lines
    )
    assert any(re.fullmatch(r"hub +KMS keys +1 +1 +month +0.0014 +0.0014 +0.0014 +1.00 +documented", x) for x in lines)
    worst = D("0.9") * 730 + D("1") * 730 + D("16") + D("88.6") + D("1")
    assert any(re.fullmatch(rf"worst +{worst / 730:.4f} +{worst:.2f} +1565.60 +4 %", line) for line in lines)
    assert max(map(len, lines)) < 140


counts = st.integers(0, 50)
amounts = st.decimals(0, 100, places=4)
levels = st.tuples(amounts, amounts, amounts).map(lambda three: Levels(*sorted(three)))
known_prices = st.builds(
    RegionPrices,
    st.none() | st.dictionaries(st.sampled_from(["g5.xlarge", "g4dn.xlarge"]), levels),
    st.none() | st.dictionaries(st.sampled_from(["g5.xlarge", "g4dn.xlarge"]), amounts),
    st.dictionaries(st.sampled_from(prices.UNITS), amounts),
)
some_wishes = st.lists(
    st.builds(
        place_wish,
        worker=st.booleans(),
        hub=st.booleans(),
        placed=st.booleans(),
        instances=counts,
        on_demand_base=counts,
        on_demand_percentage_above_base=st.integers(0, 100),
        ebs_iops=st.integers(3000, 4000),
        nat_gateways=counts,
    ),
    min_size=1,
    max_size=4,
)


@given(some_wishes, known_prices)
def test_whatever_is_wanted_the_total_is_what_its_places_say(wanted, known):
    places = estimate(*wanted, known={"us-west-2": known})
    total = total_of(places)
    assert total.amount.current <= total.amount.median <= total.amount.worst
    everything = sum((place.standing.worst + place.running.worst for place in places), D(0))
    assert total.amount.worst <= everything
    if not any(place.wish.placed for place in places):
        assert total.amount.worst == everything
    if total.cheapest is not None:
        assert total.cheapest.current <= total.amount.current
    assert total.lower_bound == any(each.status == "unknown" for place in places for each in place.items)
    assert total.on_demand is None or not total.lower_bound
    # What it costs to the last digit is a ceiling that holds, unless something is not known.
    if total.amount.worst > 0:
        assert bool(breaches(total, places, None, total.amount.worst)) == total.lower_bound
    assert estimate_lines(places, total, 7, "USD")
    assert [public_place(place) for place in places]
