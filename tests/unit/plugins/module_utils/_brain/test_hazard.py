# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ethereal.spot.plugins.module_utils._brain import hazard
from ansible_collections.ethereal.spot.plugins.module_utils._brain.losses import Observed
from ansible_collections.ethereal.spot.plugins.module_utils._brain.losses import observed

SCORES = st.none() | st.integers(1, 10)
PRICES = st.decimals("0.0001", "100", places=4)
RATES = st.decimals("0", "5", places=4)


def test_a_better_score_never_means_more_losses_or_attempts():
    rates = [hazard.prior_losses_per_hour(score, None) for score in range(1, 11)]
    attempts = [hazard.launch_attempts(score) for score in range(1, 11)]
    assert rates == sorted(rates, reverse=True) and len(set(rates)) == 10
    assert attempts == sorted(attempts, reverse=True) and attempts[-1] == 1


def test_an_unknown_score_is_neither_low_nor_high():
    assert hazard.prior_losses_per_hour(None, None) == hazard.prior_losses_per_hour(5, None)
    assert hazard.launch_attempts(None) == hazard.launch_attempts(5) == 2


@pytest.mark.parametrize(
    ("percent", "rate"),
    [(None, "0.27"), (5, "0.135"), (11, "0.2025"), (16, "0.27"), (22, "0.405"), (100, "0.54")],
)
def test_the_advisor_halves_or_doubles_the_prior(percent, rate):
    assert hazard.prior_losses_per_hour(9, percent) == Decimal(rate)


@pytest.mark.parametrize(
    ("losses", "hours", "expected"),
    [
        (0, 0, "0.5"),
        # As many hours as the prior is worth count as much as it does.
        (0, 6, "0.25"),
        (6, 6, "0.75"),
        (0, 594, "0.005"),
        (300, 594, "0.505"),
    ],
)
def test_own_losses_sharpen_the_prior(losses, hours, expected):
    assert hazard.expected_losses_per_hour(Decimal("0.5"), losses, Decimal(hours)) == Decimal(expected)


def test_a_loss_costs_restarts_and_an_outage():
    """Two cold starts of 180 s at 0.36, and 60 s without work at five times 1.20; one loss every two hours."""
    found = hazard.useful_hour(Decimal("0.36"), Decimal("1.20"), Decimal("0.5"), Decimal(1))
    restarts, outage = Decimal("0.036"), Decimal("0.1")
    assert found.cost == Decimal("0.36") + (restarts + outage) / 2
    assert found.outage_seconds == 60


def test_every_further_attempt_is_a_minute_of_outage():
    found = hazard.useful_hour(Decimal(1), Decimal(1), Decimal(1), Decimal("3.5"))
    assert found.outage_seconds == 60 + 150


def test_without_interruptions_an_hour_costs_its_price():
    assert hazard.useful_hour(Decimal("0.5"), Decimal(2), Decimal(0), Decimal(4)).cost == Decimal("0.5")


@pytest.mark.parametrize(
    ("current", "median", "volatility", "price"),
    [
        ("0.2", None, None, "0.2"),
        ("0.2", "0.3", "0.1", "0.2"),
        ("0.2", "0.3", "0.1001", "0.3"),
        ("0.4", "0.3", "0.5", "0.4"),
    ],
)
def test_a_low_of_a_restless_price_is_not_believed(current, median, volatility, price):
    found = hazard.steady_price(Decimal(current), median and Decimal(median), volatility and Decimal(volatility))
    assert found == Decimal(price)


@given(PRICES, PRICES, RATES, SCORES, SCORES)
def test_less_risk_is_never_dearer(price, on_demand, rate, one, other):
    costs = {
        hazard.launch_attempts(score): hazard.useful_hour(price, on_demand, rate, hazard.launch_attempts(score)).cost
        for score in (one, other)
    }
    assert [costs[attempts] for attempts in sorted(costs)] == sorted(costs.values())
    assert all(cost >= price for cost in costs.values())
    assert hazard.useful_hour(price, on_demand, rate + 1, Decimal(1)).cost >= costs.get(Decimal(1), price)


@given(RATES, st.integers(0, 10_000), st.decimals("0", "100000", places=2))
def test_results_have_four_places(prior, losses, hours):
    found = hazard.expected_losses_per_hour(prior, losses, hours)
    assert found.as_tuple().exponent == -4 and found >= 0


def test_losses_of_a_pool_are_those_of_all_places():
    documents = {
        ("losses", "a/use1-az1/g5.xlarge"): {"losses": 2, "exposure_seconds": 5400, "since": "2026-01-01"},
        ("losses", "b/use1-az1/g5.xlarge"): {"losses": 1, "exposure_seconds": 1800, "since": "2026-01-02"},
        ("losses", "a/use1-az2/g5.xlarge"): {"losses": 0, "exposure_seconds": 3600, "since": "2026-01-01"},
    }
    assert observed(documents) == {
        ("use1-az1", "g5.xlarge"): Observed(3, Decimal(2)),
        ("use1-az2", "g5.xlarge"): Observed(0, Decimal(1)),
    }
    assert observed({}) == {}
