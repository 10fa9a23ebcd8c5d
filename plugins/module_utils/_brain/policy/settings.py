# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The policy's settings, by mode, checked. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import check_integer
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.money import money

MICRO = 1_000_000
HOUR = 3600
DAY = 86_400

DEFAULT = "default"
STRICT = "strict"
REFERENCE = "reference"
MODES = (DEFAULT, STRICT, REFERENCE)

SINGLE_REGION = "single_region"
ANY = "any"
SPREADS = (SINGLE_REGION, ANY)

MOST_REPLICAS = 1000


@dataclass(frozen=True, slots=True)
class Settings:
    """How the policy decides. Money is in millionths of a USD; None is "no bound".

    `penalty` is what an hour short of a replica costs, in on-demand hours of the whole fleet: 5 is the J of the replay.
    `hedge_penalty` is the same where extra replicas are weighed. Hazards are in thousandths of a loss an hour.
    """

    replicas: int = 1
    mode: str = DEFAULT
    spread: str = ANY
    cold_start_seconds: int = 180
    warning_seconds: int = 120
    move_cost: int = MICRO // 5

    penalty: int = 5
    hedge_penalty: int = 5
    max_extra: int = 4
    hedge_on_demand: bool = False

    cooldown_seconds: int = 300
    minimum_stay_seconds: int = 1800
    move_interval_seconds: int = 600
    advantage_percent: int = 30
    horizon_seconds: int = 12 * HOUR
    move_after_seconds: int = 300

    on_demand_after_seconds: int = 0
    on_demand_max_replicas: int | None = None
    on_demand_max_hours: int | None = None
    on_demand_budget: int | None = None
    max_hourly: int | None = None

    # Learned from the recordings in the public domain; replays of others change little within half and double of these.
    forgetting_seconds: int = DAY
    prior_losses: int = 400
    prior_seconds: int = HOUR
    region_weight_seconds: int = 4 * HOUR

    @property
    def gap_seconds(self) -> int:
        """How long a lost replica is missed when its successor is launched at the warning."""
        return max(0, self.cold_start_seconds - self.warning_seconds)

    @property
    def most_on_demand(self) -> int:
        most = self.on_demand_max_replicas
        return self.replicas + self.max_extra if most is None else most


# What each mode changes of the settings above.
PRESETS: dict[str, dict[str, Any]] = {
    DEFAULT: {},
    STRICT: {"penalty": 30, "hedge_penalty": 250, "hedge_on_demand": True},
    REFERENCE: {"spread": SINGLE_REGION},
}

# Settings that a user may give: (least, most) for whole numbers, None for money in USD.
WHOLE = {
    "penalty": (0, 10_000),
    "hedge_penalty": (0, 10_000),
    "max_extra": (0, 100),
    "cooldown_seconds": (0, DAY),
    "minimum_stay_seconds": (0, 30 * DAY),
    "move_interval_seconds": (60, 30 * DAY),
    "move_after_seconds": (0, DAY),
    "advantage_percent": (0, 100),
    "on_demand_after_seconds": (0, DAY),
    "on_demand_max_replicas": (0, MOST_REPLICAS),
    "on_demand_max_hours": (1, 8760),
}
MONEY = {"on_demand_budget_usd": "on_demand_budget", "max_hourly_usd": "max_hourly"}


def default_spread(replicas: int) -> str:
    """One replica is in one region anyway; more are placed each for itself."""
    return SINGLE_REGION if replicas == 1 else ANY


def settings_for(
    replicas: int, mode: str = DEFAULT, policy: Mapping[str, Any] | None = None, **timing: int
) -> Settings:
    """The settings of a mode with what a user sets of it. Raises InputError, option `policy.<name>`, for a wrong one.

    `timing` are cold start, warning and move cost, checked by the caller.
    """
    check_integer(replicas, "replicas", 1, MOST_REPLICAS)
    if mode not in MODES:
        raise InputError("mode", mode, f"must be one of {', '.join(MODES)}")
    given: dict[str, Any] = {}
    for name, value in (policy or {}).items():
        option = f"policy.{name}"
        if name in WHOLE:
            given[name] = check_integer(value, option, *WHOLE[name])
        elif name in MONEY:
            amount = money(value, option)
            if not amount:
                raise InputError(option, value, "must be above 0")
            given[MONEY[name]] = int(amount * MICRO)
        elif name == "spread":
            if value not in SPREADS:
                raise InputError(option, value, f"must be one of {', '.join(SPREADS)}")
            given[name] = value
        else:
            known = sorted({*WHOLE, *MONEY, "spread"})
            raise InputError(option, value, f"is no setting of the policy; they are {', '.join(known)}")
    chosen = {"spread": default_spread(replicas), **PRESETS[mode], **given}
    return Settings(replicas=replicas, mode=mode, **timing, **chosen)
