# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the policy does in markets that are plain enough to say what is right."""

from __future__ import annotations

from itertools import pairwise

import pytest
from policy_cloud import DAY
from policy_cloud import HOUR
from policy_cloud import MINUTE
from policy_cloud import Fleet
from policy_cloud import Machine
from policy_cloud import on_demand
from policy_cloud import spot

from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.memory import RETRY
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import settings_for

DOLLAR = 1_000_000


def fleet(replicas, *offers, quotas=None, mode="default", **policy):
    """A fleet that has settled, without extras where not asked for, since those answer another question."""
    settings = settings_for(replicas, mode, {"max_extra": 0, **policy}, cold_start_seconds=180, warning_seconds=120)
    made = Fleet(offers, settings, quotas=quotas)
    made.settle()
    return made


def dear(region="here", **more):
    return on_demand(DOLLAR, f"od-{region}", region, **more)


# Spot first, where it is cheapest for what it risks.


def test_the_cheapest_pool_of_equal_risk_is_taken():
    assert fleet(2, spot("a", 400_000), spot("b", 300_000), dear()).held() == {"b": 2}


def test_a_little_cheaper_is_not_worth_losing_replicas_all_the_time():
    risky = spot("b", 290_000, prior_losses=4000)
    assert fleet(2, spot("a", 300_000, prior_losses=50), risky, dear()).held() == {"a": 2}


def test_a_pool_that_refuses_leads_to_the_next_within_the_same_moment():
    made = fleet(3, spot("a", 200_000, capacity=1), spot("b", 300_000), dear())
    assert made.held() == {"a": 1, "b": 2}


def test_spot_dearer_than_on_demand_is_not_bought():
    assert fleet(1, spot("a", 1_200_000), dear()).held() == {"od-here": 1}


def test_what_on_demand_may_not_cover_is_bought_as_spot_at_any_price():
    assert fleet(3, spot("a", 1_200_000), dear(), on_demand_max_replicas=1).held() == {"od-here": 1, "a": 2}


def test_without_data_in_a_region_nothing_runs_there():
    assert fleet(1, spot("a", 200_000, data_ready=False), spot("b", 500_000), dear()).held() == {"b": 1}


def test_a_quota_is_not_asked_beyond():
    made = fleet(3, spot("a", 200_000), dear(), quotas={("here", "spot"): 1})
    assert made.held() == {"a": 1, "od-here": 2}
    assert not [what for _when, what in made.story if what.startswith("refused")]


# Warnings and losses.


def test_a_warning_is_answered_at_once_and_not_in_the_pool_that_warned():
    made = fleet(1, spot("a", 200_000), spot("b", 300_000), dear())
    made.pass_time(2 * HOUR)
    assert made.warn("a") == [("launch", "b", 1)]


def test_a_pool_rests_after_a_loss_for_as_long_as_declared():
    made = fleet(1, spot("a", 200_000), dear(), cooldown_seconds=900)
    made.pass_time(HOUR)
    assert made.lose("a") == [("launch", "od-here", 1)]
    made.pass_time(899)
    assert "a" not in made.held()
    made.pass_time(2)
    assert made.held()["a"] == 1


def test_throttling_is_no_want_of_capacity():
    throttled = spot("a", 200_000, code="RequestLimitExceeded")
    made = fleet(1, throttled, dear())
    assert made.state.memories.get("a") is None or made.state.memories["a"].down_at < 0
    throttled.code = None
    made.pass_time(10 * MINUTE)
    assert made.held() == {"a": 1}


@pytest.mark.parametrize("code", ["InsufficientInstanceCapacity", "UnfulfillableCapacity"])
def test_a_refusal_bars_longer_each_time_and_is_forgotten_after_success(code):
    short = spot("a", 200_000, code=code)
    made = fleet(1, short, dear())
    made.pass_time(HOUR)
    tries = [when for when, what in made.story if what.startswith("launch a")]
    gaps = [after - before for before, after in pairwise(tries)]
    assert gaps == sorted(gaps)
    assert gaps[0] < gaps[-1] <= RETRY.seconds(code, 100)
    short.code = None
    made.pass_time(20 * MINUTE)
    assert made.held() == {"a": 1}
    assert not any("/a" in key for key in made.state.ledger)


# On-demand: honest, bounded, and back.


def test_on_demand_stands_in_until_spot_serves_not_only_until_it_is_launched():
    short = spot("a", 200_000, capacity=0)
    made = fleet(2, short, dear())
    assert made.held() == {"od-here": 2}
    short.capacity = 2
    made.pass_time(2 * MINUTE)
    assert made.held() == {"a": 2, "od-here": 2}
    made.pass_time(181)
    assert made.held() == {"a": 2}


def test_spot_is_given_its_time_before_on_demand_is_bought():
    made = fleet(1, spot("a", 200_000, capacity=0), dear(), on_demand_after_seconds=600)
    made.pass_time(599)
    assert made.held() == {}
    made.pass_time(2)
    assert made.held() == {"od-here": 1}


def test_no_more_on_demand_than_declared():
    assert fleet(4, spot("a", 200_000, capacity=0), dear(), on_demand_max_replicas=1).held() == {"od-here": 1}


def test_on_demand_ends_with_its_hours_and_comes_again_after_as_long():
    made = fleet(1, spot("a", 200_000, capacity=0), dear(), on_demand_max_hours=2)
    made.pass_time(2 * HOUR - 1)
    assert made.held() == {"od-here": 1}
    made.pass_time(2)
    assert made.held() == {}
    made.pass_time(2 * HOUR - MINUTE)
    assert made.held() == {}
    made.pass_time(2 * MINUTE)
    assert made.held() == {"od-here": 1}


def test_a_day_of_on_demand_costs_no_more_than_its_budget_and_a_new_day_has_its_own():
    made = fleet(1, spot("a", 200_000, capacity=0), dear(), on_demand_budget_usd="3")
    made.pass_time(DAY - 9 * HOUR)
    assert made.held() == {}
    day = made.cloud.now // DAY
    assert 2 * DOLLAR * HOUR < made.cloud.spent[day] <= 3 * DOLLAR * HOUR
    made.pass_time(2 * HOUR)
    assert made.held() == {"od-here": 1}


def test_what_is_in_flight_counts_in_the_hourly_bound():
    made = fleet(4, spot("a", 300_000), dear(), max_hourly_usd="0.7")
    assert made.held() == {"a": 2}


# Moves.


def test_a_cheaper_pool_is_moved_to_before_the_dearer_one_is_given_up():
    cheaper = spot("b", 900_000)
    made = fleet(1, spot("a", 600_000), cheaper, dear())
    made.pass_time(HOUR)
    cheaper.price = 200_000
    assert made.settle() == [("launch", "b", 1)]
    made.pass_time(179)
    assert made.held() == {"a": 1, "b": 1}
    made.pass_time(2)
    assert made.held() == {"b": 1}


def test_a_replica_is_not_moved_before_its_minimum_stay_nor_for_too_little():
    cheaper = spot("b", 900_000)
    made = fleet(1, spot("a", 600_000), cheaper, dear(), minimum_stay_seconds=7200)
    made.pass_time(HOUR)
    cheaper.price = 500_000
    made.settle()
    made.pass_time(3 * HOUR)
    assert made.held() == {"a": 1}, "not for 17 percent"
    cheaper.price = 200_000
    made.settle()
    made.pass_time(5 * MINUTE)
    assert made.held() == {"b": 1}
    young = fleet(1, spot("a", 600_000), spot("b", 900_000), dear(), minimum_stay_seconds=7200)
    young.pass_time(HOUR)
    young.cloud.offers["b"].price = 200_000
    assert young.settle() == []


def test_moves_keep_their_interval():
    offers = [spot(name, 600_000) for name in "abcd"]
    made = fleet(4, *offers, dear(), minimum_stay_seconds=0, move_interval_seconds=1800)
    made.pass_time(MINUTE)
    for offer in offers[1:]:
        offer.price = 100_000
    made.pass_time(10 * MINUTE)
    offers[1].price = 900_000
    made.pass_time(10 * MINUTE)
    assert len([what for _when, what in made.story if "(move" in what]) == 1


# Extras.


def test_risk_buys_an_extra_replica_and_its_end_lets_it_go():
    offers = [spot(f"a{number}", 100_000, prior_losses=1500) for number in range(3)]
    made = fleet(2, *offers, dear(), max_extra=2)
    assert sum(made.held().values()) == 3
    made.pass_time(2 * DAY)
    assert sum(made.held().values()) == 2


def test_a_safe_market_has_no_extras():
    offers = [spot(f"a{number}", 500_000, prior_losses=10) for number in range(3)]
    assert sum(fleet(2, *offers, dear(), max_extra=2).held().values()) == 2


def test_of_equal_replicas_the_youngest_is_let_go():
    made = fleet(2, spot("a", 300_000), dear())
    made.pass_time(HOUR)
    made.cloud.machines["i-0000"] = Machine("i-0000", "a", made.cloud.now - MINUTE, made.cloud.now)
    assert made.settle() == [("terminate", "a", 1)]
    assert sorted(made.cloud.machines) == ["i-0001", "i-0002"]


# All in one place.


def in_one_place(replicas, *offers, **more):
    return fleet(replicas, *offers, spread="single_region", **more)


def test_all_replicas_start_in_one_region():
    made = in_one_place(3, spot("a", 200_000, "here", capacity=1), spot("b", 250_000, "there"), dear(), dear("there"))
    assert set(made.held()) <= {"a", "od-here"} or set(made.held()) <= {"b", "od-there"}


def test_a_region_that_is_short_is_left_for_one_that_holds_all_and_only_once_it_serves():
    here, there = spot("a", 200_000, "here"), spot("b", 300_000, "there")
    made = in_one_place(2, here, there, dear(), dear("there"))
    made.pass_time(HOUR)
    here.capacity = 0
    made.warn("a", 1, notice=HOUR)
    made.pass_time(6 * MINUTE)
    assert made.held() == {"a": 1, "od-here": 1, "b": 2}
    made.pass_time(181)
    assert made.held() == {"b": 2}


def test_a_region_with_room_for_less_than_all_is_no_successor():
    here, there = spot("a", 200_000, "here"), spot("b", 100_000, "there", data_ready=False)
    made = in_one_place(4, here, there, dear(), dear("there"), quotas={("there", "spot"): 3})
    made.pass_time(HOUR)
    here.capacity, there.data_ready = 0, True
    made.warn("a", 1, notice=DAY)
    made.pass_time(2 * HOUR)
    assert "b" not in made.held()
    assert not [what for _when, what in made.story if what.startswith("launch b")]


def test_where_no_spot_is_left_on_demand_elsewhere_serves():
    made = in_one_place(2, spot("a", 200_000, "here", capacity=0), dear("there"))
    assert made.held() == {"od-there": 2}


# Hedging and the strict mode.


def test_strict_stands_by_where_default_does_not():
    def counted(mode):
        offers = [spot(f"a{number}", 300_000, prior_losses=300) for number in range(3)]
        return sum(fleet(2, *offers, dear(), mode=mode, max_extra=4).held().values())

    assert counted("default") == 2
    assert counted("strict") > 2


# The reference rule.


def test_the_reference_rule_holds_all_in_the_place_of_the_best_score_and_never_buys_on_demand():
    made = fleet(2, spot("a", 200_000, "here", capacity=1), spot("b", 300_000, "there"), dear(), mode="reference")
    made.pass_time(2 * HOUR)
    assert made.held() == {"b": 2}
    assert not [what for _when, what in made.story if "od-" in what]
