# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a caller wants placed, and what makes the answer weak. PRIVATE to the collection."""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from ansible_collections.ethereal.spot.plugins.module_utils._brain.quotas import SPOT

# botocore model: SpotPlacementScoresTargetCapacity.
LARGEST_CAPACITY = 2_000_000_000
# With fewer, or with variations of one type, every score is low (EC2 user guide, spot placement score, limitations).
FEWEST_TYPES = 3

AUTO = "auto"
SCORE_THEN_PRICE = "score_then_price"
STRATEGIES = (AUTO, SCORE_THEN_PRICE)


@dataclass(frozen=True)
class Wish:
    """What the caller wants placed. `places` maps a place to its region; `excluded` names places or regions.

    `market` is `spot` or `on_demand`, `max_price` USD per instance-hour, `window_days` how far back prices are looked at
    (0: only the price in force). With `single_zone` zones are scored instead of regions.
    """

    places: Mapping[str, str]
    instance_types: Sequence[str]
    target_capacity: int = 1
    excluded: Sequence[str] = ()
    strategy: str = AUTO
    product_description: str = "Linux/UNIX"
    market: str = SPOT
    max_price: Decimal | None = None
    single_zone: bool = False
    window_days: int = 7
    check_quota: bool = True
    on_demand_prices: bool = True

    @property
    def regions(self) -> list[str]:
        return sorted(set(self.places.values()))

    @property
    def types(self) -> list[str]:
        return sorted(set(self.instance_types))

    @property
    def spot(self) -> bool:
        return self.market == SPOT


def different_types(instance_types: Iterable[str]) -> int:
    """How many types AWS will count as different: one with local disks is a variation of the one without."""
    kinds = set()
    for instance_type in instance_types:
        family, size = instance_type.split(".", 1)
        parts = re.match(r"([a-z]+[0-9]+)(.*)", family)
        kinds.add((parts[1], parts[2].replace("d", ""), size) if parts else (family, "", size))
    return len(kinds)


def warnings_about(wish: Wish) -> list[str]:
    """What makes the answer say less than it seems to."""
    found = []
    kinds = different_types(wish.instance_types)
    if wish.spot and kinds < FEWEST_TYPES:
        found.append(
            f"instance_types: AWS counts {kinds} different, and gives low scores for fewer than {FEWEST_TYPES}: "
            "a low score then says nothing about a place"
        )
    known = {*wish.places, *wish.places.values()}
    found += [f"excluded: {name!r} is none of the places and regions" for name in wish.excluded if name not in known]
    return found
