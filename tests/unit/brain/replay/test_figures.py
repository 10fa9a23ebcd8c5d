# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from replay_kit import recording
from replay_kit import zone

from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.figures import figures
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.simulator import Account


def account(**values: object) -> Account:
    """A run of 100 hours beside a warm-up that is left out, two replicas wanted at 1 USD an hour."""
    made = Account(recording(zone("easta", ((0, 1),)), ticks=6030), 2)
    for name, value in values.items():
        setattr(made, name, value)
    return made


def test_one_run() -> None:
    hours = 3600 * 1_000_000
    ran = account(
        short_seconds=3600,
        cost_seconds=60 * hours,
        cost_of_moves=300_000,
        on_demand_seconds=90_000,
        spot_seconds=270_000,
        preemptions=7,
        moves=3,
        failed_launches=11,
        gaps=[1800, 60, 60, 60, 60, 60, 60, 60, 60, 120],
    )
    assert figures([ran]) == {
        "availability": 99.0,
        "cost_ratio": 0.3,
        "cost_usd": "60.3",
        "objective": 0.35,
        "on_demand_share": 0.25,
        "preemptions": 7,
        "moves": 3,
        "failed_launches": 11,
        "recovery_seconds": {"p50": 60, "p90": 120, "max": 1800},
    }


def test_several_runs_are_averaged() -> None:
    runs = [account(short_seconds=3600, preemptions=1, gaps=[3600]), account(preemptions=4, gaps=[60])]
    result = figures(runs)
    assert (result["availability"], result["objective"]) == (99.5, 0.025)
    # Half to even, as everywhere in Python.
    assert result["preemptions"] == 2
    assert result["recovery_seconds"] == {"p50": 60, "p90": 3600, "max": 3600}


def test_a_run_of_nothing() -> None:
    result = figures([account()])
    assert (result["availability"], result["on_demand_share"]) == (100.0, 0)
    assert result["recovery_seconds"] == {"p50": None, "p90": None, "max": None}
