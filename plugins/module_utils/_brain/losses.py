# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How often our own instances were lost, by pool: documents in the state table. PRIVATE to the collection.

One document a place, zone and type, `pk` losses, `sk` `<place>/<zone id>/<type>`: `losses` (spot instances that AWS took back),
`exposure_seconds` (instance-seconds that spot instances ran there in all), `since` (when counting began, ISO 8601).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

PARTITION = "losses"
HOUR = 3600


@dataclass(frozen=True)
class Observed:
    """Spot instances lost in so many instance-hours."""

    losses: int
    hours: Decimal


def observed(documents: Mapping[tuple[str, str], Mapping[str, Any]]) -> dict[tuple[str, str], Observed]:
    """What was seen by zone id and type, over all places that ran there."""
    found: dict[tuple[str, str], Observed] = {}
    for (_pk, sk), document in documents.items():
        _place, zone_id, instance_type = sk.split("/")
        before = found.get((zone_id, instance_type), Observed(0, Decimal(0)))
        found[zone_id, instance_type] = Observed(
            before.losses + document["losses"], before.hours + Decimal(document["exposure_seconds"]) / HOUR
        )
    return found
