# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many extra replicas the risk is worth. PRIVATE to the collection."""

from __future__ import annotations

from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import HOUR
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.view import View

# Half of the losses on the recordings took everything that was held in the zone, half one replica.
WHOLE_ZONE = 500


def extras(view: View) -> tuple[int, int]:
    """How many extra replicas pay at the cheapest spot price, and how many of those even at the on-demand price.

    An extra replica pays where its price is below the penalty for the gaps that it would bridge.
    """
    settings = view.settings
    most = settings.max_extra
    if not most or not view.spot:
        return 0, 0
    gaps = [_gaps(view, count) for count in range(most + 1)]
    spot = min((quote.price for quote in view.spot_quotes.values() if view.open(quote)), default=view.on_demand_price)
    hourly = settings.hedge_penalty * settings.replicas * view.on_demand_price * settings.gap_seconds // HOUR

    def best(price: int) -> int:
        return min(range(most + 1), key=lambda count: count * price + hourly * gaps[count] // 1000)

    return best(spot), best(view.on_demand_price) if settings.hedge_on_demand else 0


def _gaps(view: View, extra: int) -> int:
    """Expected losses an hour, in thousandths, that leave less than is wanted although `extra` replicas stand by."""
    zones: dict[str, list[int]] = {}
    for replica in view.spot:
        zones.setdefault(replica.key, []).append(view.risk(replica))
    wanted = view.settings.replicas + extra
    total = 0
    gaps = 0
    for risks in zones.values():
        held = -(-len(risks) * wanted // len(view.spot))
        total += sum(risks)
        if held > extra:
            gaps += WHOLE_ZONE * max(risks) // 1000
        if not extra:
            gaps += (1000 - WHOLE_ZONE) * sum(risks) // 1000
    if extra:
        # Two losses within one cold start.
        gaps += total * total * view.settings.cold_start_seconds // HOUR // 1000 // extra
    return gaps
