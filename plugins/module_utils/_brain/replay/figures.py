# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a replay is judged by. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.money import text
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.simulator import Account
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import MICRO

# What an hour without enough replicas counts, in on-demand hours of all of them.
PENALTY = 5
HOUR = 3600
CENT = Decimal("0.01")


def figures(accounts: Sequence[Account]) -> dict[str, Any]:
    """The figures of one run, or the means over several runs of the same recording: availability in percent, cost beside that of
    all on-demand and in USD, and the rest as `spot_replay` returns it. Gaps are those of all runs."""
    first = accounts[0]
    whole = first.replicas * first.on_demand_price * first.seconds
    cost = _mean(each.cost_seconds + each.cost_of_moves * HOUR for each in accounts)
    short = _mean(each.short_seconds for each in accounts) / max(1, first.judged_seconds)
    on_demand = sum(each.on_demand_seconds for each in accounts)
    instances = on_demand + sum(each.spot_seconds for each in accounts)
    gaps = sorted(gap for each in accounts for gap in each.gaps)
    return {
        "availability": round(float(100 * (1 - short)), 4),
        "cost_ratio": round(float(cost / whole), 6),
        "cost_usd": text((Decimal(int(cost)) / HOUR / MICRO).quantize(CENT)),
        "objective": round(float(cost / whole + PENALTY * short), 6),
        "on_demand_share": round(on_demand / max(1, instances), 6),
        "preemptions": round(_mean(each.preemptions for each in accounts)),
        "moves": round(_mean(each.moves for each in accounts)),
        "failed_launches": round(_mean(each.failed_launches for each in accounts)),
        "recovery_seconds": {"p50": _rank(gaps, 50), "p90": _rank(gaps, 90), "max": gaps[-1] if gaps else None},
    }


def _mean(values: Iterable[int]) -> Fraction:
    listed = list(values)
    return Fraction(sum(listed), len(listed))


def _rank(ordered: list[int], percent: int) -> int | None:
    """The least value that so many of a hundred do not exceed."""
    return ordered[-(-len(ordered) * percent // 100) - 1] if ordered else None
