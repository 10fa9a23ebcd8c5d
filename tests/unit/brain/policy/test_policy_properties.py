# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What holds of every decision, in random markets with losses, delays, refusals, and callers that ask late, twice or never."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import Phase
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st
from policy_cloud import DAY
from policy_cloud import Fleet
from policy_rules import RULES
from policy_rules import CountsInWholeNumbers
from policy_rules import EndsOfItself
from policy_rules import IsAFunction
from policy_rules import KeepsBudgets
from policy_rules import KeepsOnDemandBounds
from policy_rules import LaunchesOnlyWhereItMay
from policy_rules import LooksAgainInTime
from policy_rules import LooksAhead
from policy_rules import MovesWithinBounds
from policy_rules import NothingMissingWithoutReason
from policy_rules import OrdersNothingTwice
from policy_rules import Rule
from policy_rules import ServesUntilTakenOver
from policy_rules import StaysInOnePlace
from policy_rules import SurvivesItsDocument
from policy_rules import plain
from policy_rules import watches
from policy_scripts import BLIND
from policy_scripts import CLOCKS
from policy_scripts import LENGTH
from policy_scripts import Play

from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import SINGLE_REGION
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import SPREADS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.canonical import canonical_lines

# A play has up to 47 happenings, and several decisions for each.
FEW = 60
MANY = 1200

SCRIPTS = st.binary(min_size=LENGTH, max_size=LENGTH)


def hold_in_random_plays(
    examples: int, spread: str, *rules: type[Rule], faults: Sequence[Callable[[Play], None]] = ()
) -> None:
    @profile(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        # A story of a play is short enough to be read as it is; making it shorter takes minutes.
        phases=[Phase.generate],
        print_blob=False,
    )
    @given(SCRIPTS)
    def hold(content: bytes) -> None:
        Play(content, spread, watches(*rules), faults).run()

    hold()


@pytest.fixture(params=SPREADS)
def spread(request: pytest.FixtureRequest) -> str:
    return request.param


def test_no_replica_is_missing_beyond_those_in_flight_while_one_could_be_had(spread):
    hold_in_random_plays(FEW, spread, NothingMissingWithoutReason)


def test_the_next_look_is_ahead_and_not_later_than_a_pool_opens(spread):
    hold_in_random_plays(FEW, spread, LooksAgainInTime)


def test_nothing_that_serves_is_given_up_before_its_successor_serves(spread):
    hold_in_random_plays(FEW, spread, ServesUntilTakenOver)


def test_on_demand_keeps_its_number_its_hours_and_its_turn(spread):
    hold_in_random_plays(FEW, spread, KeepsOnDemandBounds)


def test_no_budget_is_exceeded_and_what_is_in_flight_counts(spread):
    hold_in_random_plays(FEW, spread, KeepsBudgets)


def test_nothing_is_launched_where_it_may_not_be(spread):
    hold_in_random_plays(FEW, spread, LaunchesOnlyWhereItMay)


def test_moves_keep_their_interval_and_the_minimum_stay(spread):
    hold_in_random_plays(FEW, spread, MovesWithinBounds)


def test_asked_again_nothing_more_is_ordered_and_nothing_given_up_is_bought_back(spread):
    hold_in_random_plays(FEW, spread, OrdersNothingTwice)


def test_a_decision_depends_on_the_content_of_its_inputs_alone(spread):
    hold_in_random_plays(FEW // 2, spread, IsAFunction)


def test_all_in_one_place_are_in_two_only_while_they_move():
    hold_in_random_plays(FEW, SINGLE_REGION, StaysInOnePlace)


def test_the_state_survives_its_document_and_every_decision_has_a_record(spread):
    hold_in_random_plays(FEW // 2, spread, SurvivesItsDocument)


def test_no_order_and_no_state_holds_a_float(spread):
    hold_in_random_plays(FEW // 2, spread, CountsInWholeNumbers)


# Nothing that rests on the clock or on what was seen can be asked where those are wrong; that decisions end and look ahead can.
ROBUST = (LooksAhead, EndsOfItself, CountsInWholeNumbers, SurvivesItsDocument)


def test_a_wrong_clock_ends_no_fleet_and_no_look_ahead(spread):
    hold_in_random_plays(FEW, spread, *ROBUST, faults=CLOCKS)


def test_what_is_not_seen_for_a_while_ends_no_fleet_and_no_look_ahead(spread):
    hold_in_random_plays(FEW, spread, *ROBUST, faults=BLIND)


@pytest.mark.slow
def test_all_of_it_holds_in_many_plays(spread):
    hold_in_random_plays(MANY, spread, *RULES)


@pytest.mark.parametrize("seeds", [range(20), pytest.param(range(20, 200), marks=pytest.mark.slow)], ids=len)
def test_in_a_market_that_stands_still_the_fleet_comes_to_rest(seeds, spread):
    for seed in seeds:
        fleet = played(seed, spread)
        fleet.pass_time(DAY)
        told = len(fleet.story)
        fleet.pass_time(DAY)
        launched = [
            what for _when, what in fleet.story[told:] if what.startswith("launch ") and "on-demand" not in what
        ]
        refused = [what for _when, what in fleet.story[told:] if what.startswith("refused ") and "-od" not in what]
        # What is remembered fades, which may make a move worth it after all; it may take its calls.
        assert len(launched) - len(refused) <= 3, f"seed {seed}"


def played(seed: int, spread: str) -> Fleet:
    """A play that depends on the seed alone."""
    return Play(random.Random(seed).randbytes(LENGTH), spread).run()


def decisions(seed: int, spread: str) -> bytes:
    """What was ordered in a play, and the state that is left, in canonical form."""
    fleet = played(seed, spread)
    return canonical_lines([{"at": when, "order": what} for when, what in fleet.story] + [plain(fleet.state)])


def test_plays_do_not_know_of_each_other(spread):
    alone = decisions(1, spread)
    decisions(2, spread)
    assert decisions(1, spread) == alone


PRINT_DECISIONS = """
import sys
sys.path.insert(0, {folder!r})
from test_policy_properties import decisions
for seed in range(6):
    sys.stdout.buffer.write(decisions(seed, {spread!r}))
"""


def test_the_same_inputs_give_the_same_bytes_whatever_the_hash_seed(spread):
    folder = str(Path(__file__).parent)
    program = PRINT_DECISIONS.format(folder=folder, spread=spread)
    found = set()
    for seed in ("0", "4711"):
        path = os.pathsep.join(entry for entry in sys.path if entry)
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path}
        done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True)
        found.add(done.stdout)
    assert len(found) == 1
    assert found != {b""}


def test_the_plays_hold_what_the_properties_are_about():
    """Plays in which nothing happened would prove nothing."""
    stories = [what for seed in range(60) for _when, what in played(seed, SPREADS[-1]).story]
    kinds = ("(replace)", "(hedge)", "move", "on-demand", "spot serves again", "bound of on-demand", "refused")
    counts = {kind: sum(kind in what for what in stories) for kind in kinds}
    assert all(count >= 5 for count in counts.values()), counts
