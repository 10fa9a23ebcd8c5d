# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The policy's settings, by mode, checked. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import fields
from dataclasses import replace
from decimal import Decimal
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
    hedge_penalty: int = 0
    max_extra: int = 0
    hedge_on_demand: bool = False

    cooldown_seconds: int = 300
    minimum_stay_seconds: int = 600
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
