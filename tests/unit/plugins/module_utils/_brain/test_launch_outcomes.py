# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What modules say of launches, on its way into the ledger."""

from __future__ import annotations

from datetime import UTC
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ethereal.spot.plugins.module_utils._brain import launch_outcomes
from ansible_collections.ethereal.spot.plugins.module_utils._brain import ledger
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.launch_outcomes import Failed
from ansible_collections.ethereal.spot.plugins.module_utils._brain.launch_outcomes import Launched
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ledger import Pool

NOW = 1_800_000_000
HERE = Pool("oregon", "us-west-2", "us-west-2a", "g5.xlarge", "spot")
SHORT = "InsufficientInstanceCapacity"


def iso(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()


def failure(**more: Any) -> dict[str, Any]:
    """As spot_placement returns one, with what only the caller knows."""
    return {
        "code": SHORT,
        "count": 2,
        "first": iso(NOW - 60),
        "group": "llm-oregon",
        "instance_type": None,
        "instance_types": ["g5.xlarge", "g6.xlarge"],
        "lasting": False,
        "market": "spot",
        "message": "There is no Spot capacity available.",
        "scope": "pool",
        "time": iso(NOW),
        "zone": "us-west-2a",
        "place": "oregon",
        "region": "us-west-2",
        **more,
    }


def instance(**more: Any) -> dict[str, Any]:
    return {
        "group": "llm-oregon",
        "health": "healthy",
        "instance_id": "i-1",
        "instance_type": "g5.xlarge",
        "launch_time": iso(NOW),
        "lifecycle": "spot",
        "lifecycle_state": "InService",
        "private_ip": None,
        "state": "running",
        "zone": "us-west-2a",
        "place": "oregon",
        "region": "us-west-2",
        **more,
    }


@pytest.mark.parametrize(
    ("given_failure", "pool"),
    [
        (failure(), Pool("oregon", "us-west-2", "us-west-2a", None, "spot")),
        (failure(zone=None), Pool("oregon", "us-west-2", None, None, "spot")),
        (failure(market="on-demand"), Pool("oregon", "us-west-2", "us-west-2a", None, "on_demand")),
        (failure(market="on_demand"), Pool("oregon", "us-west-2", "us-west-2a", None, "on_demand")),
        (failure(instance_type="g6.xlarge"), Pool("oregon", "us-west-2", "us-west-2a", "g6.xlarge", "spot")),
        # The codes of quotas name their market, and types of one family their family.
        (
            failure(code="MaxSpotInstanceCountExceeded", market=None),
            Pool("oregon", "us-west-2", "us-west-2a", "g5.xlarge", "spot"),
        ),
        (
            failure(code="VcpuLimitExceeded", market=None),
            Pool("oregon", "us-west-2", "us-west-2a", "g5.xlarge", "on_demand"),
        ),
        (
            failure(code="VcpuLimitExceeded", market=None, instance_types=["g5.xlarge", "p4d.24xlarge"]),
            Pool("oregon", "us-west-2", "us-west-2a", None, "on_demand"),
        ),
        (
            failure(code="VcpuLimitExceeded", market=None, instance_types=[]),
            Pool("oregon", "us-west-2", "us-west-2a", None, "on_demand"),
        ),
    ],
)
def test_failures_as_modules_return_them(given_failure: dict[str, Any], pool: Pool) -> None:
    (found,) = launch_outcomes.check_failures([given_failure])
    assert found == Failed(pool, given_failure["code"], "There is no Spot capacity available.", NOW)


def test_what_is_needed_of_a_failure_is_little() -> None:
    least = {"place": "oregon", "region": "us-west-2", "code": "X", "market": "spot"}
    assert launch_outcomes.check_failures([least]) == (
        Failed(Pool("oregon", "us-west-2", None, None, "spot"), "X", "", None),
    )


def test_recovered_failures_are_left_out() -> None:
    assert launch_outcomes.check_failures([failure(recovered=True), failure(recovered=False)]) == (
        launch_outcomes.check_failures([failure()])
    )


def test_of_the_instances_of_one_pool_the_newest_counts() -> None:
    launched = [
        instance(launch_time=iso(NOW - 9)),
        instance(launch_time=iso(NOW - 3)),
        instance(launch_time=iso(NOW - 5)),
        instance(lifecycle="on-demand", zone="us-west-2b", launch_time=None),
    ]
    assert launch_outcomes.check_successes(launched) == (
        Launched(HERE, NOW - 3),
        Launched(Pool("oregon", "us-west-2", "us-west-2b", "g5.xlarge", "on_demand"), None),
    )


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (["x"], "failures[0]: 'x' must be a mapping"),
        ([failure(zones="us-west-2a")], "failures[0].zones: 'us-west-2a' is unknown; known are code, count"),
        ([failure(), failure(code=None)], "failures[1].code: None must be a text"),
        ([failure(code="")], "failures[0].code: '' must be a text"),
        ([failure(message=3)], "failures[0].message: 3 must be a text"),
        ([failure(market=None)], "failures[0].market: None must be spot or on-demand"),
        ([failure(market="bazaar")], "failures[0].market: 'bazaar' must be spot or on-demand"),
        ([failure(place=None)], "failures[0].place: None must match"),
        ([failure(region="Oregon")], "failures[0].region: 'Oregon' is not a region's name"),
        ([failure(zone="us-east-1a")], "failures[0].zone: 'us-east-1a' is no zone of us-west-2"),
        ([failure(zone=3)], "failures[0].zone: 3 is no zone of us-west-2"),
        ([failure(instance_type="big")], "failures[0].instance_type: 'big' is not an instance type"),
        (
            [failure(code="VcpuLimitExceeded", instance_types="g5.xlarge")],
            "failures[0].instance_types: 'g5.xlarge' must be a list",
        ),
        ([failure(time="yesterday")], "failures[0].time: 'yesterday' must be a time with its zone"),
        ([failure(time="2026-01-01T10:00:00")], "failures[0].time: '2026-01-01T10:00:00' must be a time with its zone"),
        ([failure(time=5)], "failures[0].time: 5 must be a time with its zone"),
    ],
)
def test_bad_failures_are_refused(bad: list[Any], message: str) -> None:
    with pytest.raises(InputError) as refused:
        launch_outcomes.check_failures(bad)
    assert message in refused.value.message


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([3], "successes[0]: 3 must be a mapping"),
        ([instance(market="spot")], "successes[0].market: 'spot' is unknown"),
        ([instance(lifecycle=None)], "successes[0].lifecycle: None must be spot or on-demand"),
        ([instance(launch_time="soon")], "successes[0].launch_time: 'soon' must be a time with its zone"),
    ],
)
def test_bad_successes_are_refused(bad: list[Any], message: str) -> None:
    with pytest.raises(InputError) as refused:
        launch_outcomes.check_successes(bad)
    assert message in refused.value.message


def barred(entries: dict[str, ledger.Entry], now: int = NOW) -> ledger.Entry | None:
    return ledger.barred(entries, ledger.keys_of(HERE), now)


@pytest.mark.parametrize(
    ("failed_at", "launched_at", "count"),
    [
        (NOW - 20, NOW - 10, None),
        (NOW - 10, NOW - 20, 1),
        (NOW - 10, NOW - 10, None),
        (None, NOW - 1, 1),
        (NOW, None, None),
    ],
)
def test_outcomes_count_in_their_order(failed_at: int | None, launched_at: int | None, count: int | None) -> None:
    after = launch_outcomes.merged({}, [Failed(HERE, SHORT, "", failed_at)], [Launched(HERE, launched_at)], NOW)
    found = barred(after)
    assert (found and found.count) == count


def test_an_old_failure_that_is_told_again_is_no_news() -> None:
    assert launch_outcomes.merged({}, [Failed(HERE, SHORT, "", NOW - 601)], [], NOW) == {}
    assert launch_outcomes.merged({}, [Failed(HERE, SHORT, "", NOW - 600)], [], NOW) != {}


def test_a_failure_of_tomorrow_failed_now() -> None:
    (entry,) = launch_outcomes.merged({}, [Failed(HERE, SHORT, "", NOW + 86_400)], [], NOW).values()
    assert entry.last == NOW


def test_what_is_known_stays_until_it_is_disproved() -> None:
    known = ledger.record({}, HERE, SHORT, "", NOW - 9999)
    assert launch_outcomes.merged(known, [], [], NOW) == known
    assert launch_outcomes.merged(known, [], [Launched(HERE, NOW)], NOW) == {}


pools = st.builds(
    Pool,
    place=st.just("oregon"),
    region=st.just("us-west-2"),
    zone=st.none() | st.sampled_from(["us-west-2a", "us-west-2b"]),
    instance_type=st.none() | st.sampled_from(["g5.xlarge", "p4d.24xlarge"]),
    market=st.sampled_from(["spot", "on_demand"]),
)
moments = st.none() | st.integers(NOW - 3000, NOW + 100)
failures = st.lists(
    st.builds(
        Failed,
        pool=pools,
        code=st.sampled_from([SHORT, "UnfulfillableCapacity", "VcpuLimitExceeded", "Unsupported", "Throttling", "X"]),
        message=st.just(""),
        at=moments,
    ),
    max_size=5,
)


@given(failures, st.lists(st.builds(Launched, pool=pools, at=moments), max_size=4))
def test_the_same_outcomes_told_again_change_nothing(told: list[Failed], launched: list[Launched]) -> None:
    once = launch_outcomes.merged({}, told, [], NOW)
    assert launch_outcomes.merged(once, told, [], NOW) == once
    assert launch_outcomes.merged(once, told, [], NOW + 50).keys() == once.keys()
    then = launch_outcomes.merged(once, [], launched, NOW)
    assert launch_outcomes.merged(then, [], launched, NOW) == then
