# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ethereal.spot.plugins.module_utils._brain.activities import parse_message
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_fallback import lacks_spot
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_fallback import stand_in

NO_CAPACITY = [parse_message("Could not launch Spot Instances. UnfulfillableCapacity - none.")]
counts = st.integers(0, 50)


@pytest.mark.parametrize(
    ("message", "lacks"),
    [
        ("Could not launch Spot Instances. InsufficientInstanceCapacity - none.", True),
        ("Could not launch Spot Instances. UnfulfillableCapacity - none.", True),
        ("There is no Spot capacity available that matches your request.", True),
        ("We currently do not have sufficient g5.xlarge capacity in zones with support.", True),
        ("Could not launch On-Demand Instances. InsufficientInstanceCapacity - none.", False),
        ("Could not launch Spot Instances. MaxSpotInstanceCountExceeded - too many.", False),
        ("Could not launch Spot Instances. SpotMaxPriceTooLow - too dear.", False),
        ("Could not launch Spot Instances. InsufficientFreeAddressesInSubnet - full.", False),
        ("Could not launch Spot Instances. UnauthorizedOperation - denied.", False),
        ("Could not launch Spot Instances. RequestLimitExceeded - slower.", False),
        ("Could not launch Spot Instances. InvalidAMIID.NotFound - what.", False),
        ("Nobody knows.", False),
    ],
)
def test_what_is_a_want_of_spot_capacity(message, lacks):
    assert lacks_spot([parse_message(message)]) is lacks


def test_one_want_among_other_failures_is_enough():
    other = parse_message("Could not launch Spot Instances. RequestLimitExceeded - slower.")
    assert lacks_spot([other, *NO_CAPACITY])
    assert not lacks_spot([])


@pytest.mark.parametrize(
    ("missing", "failures", "current", "bound", "size"),
    [
        (0, [], 0, 5, 0),
        (0, NO_CAPACITY, 3, 5, 0),
        (-1, [], 3, 5, 0),
        (4, [], 0, 5, 0),
        (4, [], 3, 5, 3),
        (4, NO_CAPACITY, 0, 5, 4),
        (4, NO_CAPACITY, 0, 2, 2),
        (4, NO_CAPACITY, 5, 5, 5),
        (4, NO_CAPACITY, 5, 2, 2),
        (4, [], 5, 2, 2),
        (4, NO_CAPACITY, 3, 0, 0),
    ],
)
def test_size(missing, failures, current, bound, size):
    assert stand_in(missing, failures, current, bound) == size


@given(counts, st.sampled_from([[], NO_CAPACITY]), counts, counts)
def test_a_second_look_changes_nothing(missing, failures, current, bound):
    once = stand_in(missing, failures, current, bound)
    assert 0 <= once <= bound
    assert stand_in(missing, failures, once, bound) == once
