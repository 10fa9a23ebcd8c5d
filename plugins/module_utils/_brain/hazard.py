# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How often a spot instance is lost, and what an hour of its work then costs. PRIVATE to the collection.

What is assumed, since AWS tells none of it:

- A placement score stands for the chance that a launch is granted, score / 10, so a launch takes 10 / score attempts. An unknown
  score is neutral: neither low nor high.
- AWS says that a score tells nothing of interruptions (EC2 user guide, "Spot placement score"). In recordings of the market it
  does: over 18 zones of seven recordings (SkyPilot, 2022 and 2023, GPUs mostly), the chance of a launch explains a quarter
  of the losses' variance (log-linear, r = -0.49): 0.98 losses an hour where one launch in ten is granted, 0.23 where every one is.
  That line is the prior, and worth six hours of own observation (empirical Bayes over the same zones).
- The Spot Instance Advisor's shares are those of a month over all customers and zones, and a hundred times below the losses
  that users of scarce types record. So only their order counts: the prior is halved in its best range and doubled in its worst.
- A loss costs two cold starts that are paid for and do no work, and an outage from the end of the notice until the next instance
  works, at five times the on-demand price that the work is worth: the weight that the replay gives to unavailability.

Everything is Decimal, rounded to four places at each result, so that every platform decides alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

PLACES = Decimal("0.0001")
HOUR = 3600
COLD_START_SECONDS = 180
NOTICE_SECONDS = 120
# Between two attempts to launch: the first back-off of the policy.
RETRY_SECONDS = 60
OUTAGE_WEIGHT = 5
NEUTRAL_SCORE = 5
BEST_SCORE = 10
PRIOR_HOURS = 6
LOSSES_PER_HOUR = {
    score: Decimal(rate)
    for score, rate in enumerate(
        ("0.98", "0.84", "0.71", "0.61", "0.52", "0.44", "0.38", "0.32", "0.27", "0.23"), start=1
    )
}
# The Advisor's ranges by their upper end in per cent (AWS's file has 5, 11, 16, 22, 100).
ADVISOR_FACTORS = ((5, Decimal("0.5")), (11, Decimal("0.75")), (16, Decimal(1)), (22, Decimal("1.5")))
WORST_ADVISOR_FACTOR = Decimal(2)
# A price that was further than this from its median, on average over the window, will not stay at a low.
RESTLESS = Decimal("0.10")
# Where nobody knows an on-demand price: spot was at 0.28 to 0.46 of it in the recordings.
ON_DEMAND_TIMES_SPOT = 3


@dataclass(frozen=True)
class Estimate:
    """Of one instance: USD an hour that is reckoned with, losses an hour, attempts a launch, seconds of outage a loss, and
    what all that makes of an hour of work, in USD."""

    price: Decimal
    losses_per_hour: Decimal
    launch_attempts: Decimal
    outage_seconds: Decimal
    cost: Decimal


def launch_attempts(score: int | None) -> Decimal:
    """Expected attempts until a launch is granted."""
    return (Decimal(BEST_SCORE) / (score or NEUTRAL_SCORE)).quantize(PLACES)


def prior_losses_per_hour(score: int | None, advisor_percent: int | None) -> Decimal:
    """Losses of one instance an hour, before anything was observed; `advisor_percent` is the upper end of the Advisor's range."""
    rate = LOSSES_PER_HOUR[score or NEUTRAL_SCORE]
    if advisor_percent is None:
        return rate.quantize(PLACES)
    factor = next((factor for end, factor in ADVISOR_FACTORS if advisor_percent <= end), WORST_ADVISOR_FACTOR)
    return (rate * factor).quantize(PLACES)


def expected_losses_per_hour(prior: Decimal, losses: int, exposure_hours: Decimal) -> Decimal:
    """The prior, sharpened by `losses` seen in so many instance-hours: the mean of a Gamma posterior of a Poisson rate."""
    return ((prior * PRIOR_HOURS + losses) / (PRIOR_HOURS + exposure_hours)).quantize(PLACES)


def steady_price(current: Decimal, median: Decimal | None, volatility: Decimal | None) -> Decimal:
    """The price to reckon with: not below the window's median where the price is restless."""
    if median is None or volatility is None or volatility <= RESTLESS:
        return current
    return max(current, median)


def useful_hour(price: Decimal, on_demand: Decimal, losses_per_hour: Decimal, attempts: Decimal) -> Estimate:
    """What an hour of work costs on an instance at this price that is lost so often and launched in so many attempts.

    `on_demand` is what the work is worth: the least that an instance would cost that cannot be lost.
    """
    outage = max(0, COLD_START_SECONDS - NOTICE_SECONDS) + (attempts - 1) * RETRY_SECONDS
    one_loss = (2 * COLD_START_SECONDS * price + OUTAGE_WEIGHT * outage * on_demand) / HOUR
    return Estimate(
        price=price,
        losses_per_hour=losses_per_hour,
        launch_attempts=attempts,
        outage_seconds=outage.quantize(Decimal("0.1")),
        cost=(price + losses_per_hour * one_loss).quantize(PLACES),
    )
