# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The memory of failed launches, from the write to the read."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ethereal.spot.plugins.module_utils._brain import launch_errors
from ansible_collections.ethereal.spot.plugins.module_utils._brain import ledger as failures
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import EtherealSpotError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ledger import Entry
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ledger import Expiry
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ledger import Pool

NOW = 1_800_000_000
SHORT = "InsufficientInstanceCapacity"
HERE = Pool("oregon", "us-west-2", "us-west-2a", "g5.xlarge", "spot")
DAY = 86_400


def elsewhere(**differs: str | None) -> Pool:
    return replace(HERE, **differs)


OTHER_ZONE = elsewhere(zone="us-west-2b")
OTHER_TYPE = elsewhere(instance_type="g6.xlarge")
OTHER_FAMILY = elsewhere(instance_type="p4d.24xlarge")
OTHER_PLACE = elsewhere(place="lab")
OTHER_MARKET = elsewhere(market="on_demand")
OTHER_REGION = Pool("ireland", "eu-west-1", "eu-west-1a", "g5.xlarge", "spot")
OTHERS = {
    "zone": OTHER_ZONE,
    "type": OTHER_TYPE,
    "family": OTHER_FAMILY,
    "place": OTHER_PLACE,
    "market": OTHER_MARKET,
    "region": OTHER_REGION,
}


def failed(pool: Pool = HERE, code: str = SHORT, now: int = NOW, **more: object) -> dict[str, Entry]:
    return failures.record({}, pool, code, "a message", now, **more)


def barring(ledger: dict[str, Entry], pool: Pool, now: int = NOW) -> Entry | None:
    return failures.barred(ledger, failures.keys_of(pool), now)


# Every row of the table of codes: for how long a failure of HERE bars it at first, and which of OTHERS it bars with it.
REACH = [
    (SHORT, 300, {"place"}),
    ("SpotMaxPriceTooLow", 300, {"place"}),
    ("InsufficientHostCapacity", 300, {"place"}),
    ("InsufficientReservedInstanceCapacity", 300, {"place"}),
    ("ReservationCapacityExceeded", 300, {"place"}),
    ("Unsupported", 30 * DAY, {"place"}),
    ("UnfulfillableCapacity", 300, {"zone", "type", "family"}),
    ("MaxSpotInstanceCountExceeded", 900, {"zone", "type", "place"}),
    ("InsufficientFreeAddressesInSubnet", 300, {"type", "family", "market"}),
    ("SpreadPlacementGroupLimit", 300, {"type", "family", "market"}),
    ("Client.VolumeLimitExceeded", 300, {"zone", "type", "family", "place", "market"}),
    ("MaxFleetCountExceeded", 300, {"zone", "type", "family", "place", "market"}),
    ("UnauthorizedOperation", 300, {"zone", "type", "family", "place", "market"}),
    ("AuthFailure.ServiceLinkedRoleCreationNotPermitted", 300, {"zone", "type", "family", "place", "market"}),
    ("OptInRequired", 300, {"zone", "type", "family", "place", "market"}),
    ("InvalidParameterCombination", 300, {"zone", "type", "family", "market"}),
    ("InvalidAMIID.NotFound", 300, {"zone", "type", "family", "market"}),
    ("Client.InternalError", 300, {"zone", "type", "family", "market"}),
    ("Client.InvalidKMSKey.InvalidState", 300, {"zone", "type", "family", "market"}),
    ("IdempotentParameterMismatch", 300, {"zone", "type", "family", "market"}),
    ("NobodyHasSeenThis", 60, {"place"}),
]


@pytest.mark.parametrize(("code", "seconds", "others"), REACH)
def test_a_failure_bars_what_it_is_about_and_nothing_else(code: str, seconds: int, others: set[str]) -> None:
    ledger = failed(code=code)
    found = barring(ledger, HERE)
    assert found == Entry(found.key, launch_errors.scope_of(code), code, "a message", 1, NOW, NOW, NOW + seconds)
    assert {name for name, pool in OTHERS.items() if barring(ledger, pool)} == others


@pytest.mark.parametrize("code", ["VcpuLimitExceeded", "InstanceLimitExceeded"])
def test_an_on_demand_quota_bars_its_family_on_demand_and_never_spot(code: str) -> None:
    for asked in (HERE, OTHER_MARKET):
        ledger = failed(asked, code)
        assert barring(ledger, OTHER_MARKET).code == code
        assert barring(ledger, elsewhere(market="on_demand", instance_type="p4d.24xlarge")) is None
        assert barring(ledger, HERE) is None


@pytest.mark.parametrize("code", ["RequestLimitExceeded", "Throttling", "EC2ThrottledException"])
def test_a_throttled_call_is_told_and_bars_nothing(code: str) -> None:
    ledger = failed(code=code)
    assert [entry.scope for entry in ledger.values()] == ["throttle"]
    assert not any(barring(ledger, pool) for pool in (HERE, *OTHERS.values()))
    assert failures.barred(ledger, ledger, NOW) is None


def test_what_its_owner_ended_is_no_failure() -> None:
    assert failed(code="Client.UserInitiatedShutdown") == {}


def test_long_messages_are_cut() -> None:
    (entry,) = failures.record({}, HERE, "UnauthorizedOperation", "x" * 4000, NOW).values()
    assert entry.message == "x" * 255


def test_a_full_placement_group_is_known_by_its_message() -> None:
    message = "You have reached the limit of 7 instances in this spread placement group."
    (entry,) = failures.record({}, HERE, SHORT, message, NOW).values()
    assert (entry.scope, entry.code) == ("zone", "SpreadPlacementGroupLimit")


@pytest.mark.parametrize(
    ("unknown", "barred", "free"),
    [
        ({"zone": None}, [HERE, OTHER_ZONE], [OTHER_TYPE, OTHER_PLACE, OTHER_MARKET]),
        ({"instance_type": None}, [HERE, OTHER_TYPE, OTHER_FAMILY], [OTHER_ZONE, OTHER_PLACE, OTHER_MARKET]),
        ({"zone": None, "instance_type": None}, [HERE, OTHER_ZONE, OTHER_TYPE], [OTHER_PLACE, OTHER_MARKET]),
    ],
)
def test_what_a_failure_does_not_tell_stands_for_every_pool_of_the_place(
    unknown: dict[str, None], barred: list[Pool], free: list[Pool]
) -> None:
    ledger = failed(elsewhere(**unknown))
    assert all(barring(ledger, pool) for pool in barred)
    assert not any(barring(ledger, pool) for pool in free)


def test_a_quota_of_an_unknown_family_bars_its_place_only() -> None:
    ledger = failed(elsewhere(instance_type=None), "MaxSpotInstanceCountExceeded")
    assert barring(ledger, HERE) and barring(ledger, OTHER_FAMILY)
    assert not barring(ledger, OTHER_PLACE) and not barring(ledger, OTHER_MARKET)


def test_the_narrowest_entry_is_told() -> None:
    ledger = failures.record(failed(code="UnauthorizedOperation"), HERE, SHORT, "", NOW)
    assert barring(ledger, HERE).code == SHORT
    assert barring(ledger, OTHER_ZONE).code == "UnauthorizedOperation"


def test_times_double_up_to_the_cap() -> None:
    ledger, now, lengths = {}, NOW, []
    for _attempt in range(6):
        ledger = failures.record(ledger, HERE, SHORT, "", now)
        entry = barring(ledger, HERE, now)
        lengths.append(entry.expires - now)
        now = entry.expires
    assert lengths == [300, 600, 1200, 2400, 3600, 3600]
    assert (entry.count, entry.first) == (6, NOW)


def test_expiry_is_a_setting_and_exact() -> None:
    ledger, now, lengths = {}, NOW, []
    for _attempt in range(5):
        ledger = failures.record(ledger, HERE, SHORT, "", now, Expiry(pool=(60, 300)))
        entry = barring(ledger, HERE, now)
        assert barring(ledger, HERE, entry.expires - 1) == entry
        assert barring(ledger, HERE, entry.expires) is None
        lengths.append(entry.expires - now)
        now = entry.expires
    assert lengths == [60, 120, 240, 300, 300]


@pytest.mark.parametrize(("after", "count"), [(300, 2), (600, 2), (601, 1)])
def test_a_repetition_long_after_the_expiry_starts_anew(after: int, count: int) -> None:
    ledger = failures.record(failed(), HERE, SHORT, "", NOW + after)
    entry = barring(ledger, HERE, NOW + after)
    assert (entry.count, entry.first) == (count, NOW if count == 2 else NOW + after)


def test_the_same_failure_told_again_is_known() -> None:
    ledger = failed()
    assert failures.record(ledger, HERE, SHORT, "", NOW) == ledger
    assert failures.record(ledger, HERE, SHORT, "", NOW - 5) == ledger
    assert barring(failures.record(ledger, HERE, SHORT, "", NOW + 1), HERE).count == 2


def test_what_bars_longer_stays_the_reason() -> None:
    ledger = failures.record(failed(code="Unsupported"), HERE, SHORT, "", NOW + 60)
    entry = barring(ledger, HERE, NOW + 60)
    assert (entry.code, entry.count, entry.last, entry.expires) == ("Unsupported", 2, NOW + 60, NOW + 30 * DAY)
    ledger = failures.record(failed(), HERE, "Unsupported", "", NOW + 60)
    assert barring(ledger, HERE, NOW + DAY).code == "Unsupported"


@pytest.mark.parametrize("code", [code for code, _seconds, _others in REACH] + ["RequestLimitExceeded"])
def test_a_success_forgets_every_failure_that_bars_its_pool(code: str) -> None:
    assert failures.succeed(failed(code=code), HERE, NOW + 1) == {}


@pytest.mark.parametrize("other", [OTHER_ZONE, OTHER_TYPE, OTHER_MARKET, OTHER_REGION])
def test_a_success_forgets_nothing_of_another_pool(other: Pool) -> None:
    ledger = failed()
    assert failures.succeed(ledger, other, NOW + 1) == ledger


def test_a_success_leaves_the_quota_of_the_other_market() -> None:
    ledger = failed(OTHER_MARKET, "VcpuLimitExceeded")
    assert failures.succeed(ledger, HERE, NOW + 1) == ledger
    assert failures.succeed(ledger, elsewhere(market="on_demand", zone="us-west-2c"), NOW + 1) == {}


def test_a_success_says_nothing_of_later_failures() -> None:
    ledger = failed()
    assert failures.succeed(ledger, HERE, NOW - 1) == ledger
    assert failures.succeed(ledger, HERE, NOW) == {}


def test_pruning_keeps_what_can_still_be_repeated() -> None:
    ledger = failed()
    assert failures.prune(ledger, NOW + 600) == ledger
    assert failures.prune(ledger, NOW + 601) == {}


@pytest.mark.parametrize(
    ("ledger", "now", "text"),
    [
        (
            failed(),
            NOW,
            "us-west-2a g5.xlarge spot: no capacity (InsufficientInstanceCapacity), barred until 2027-01-15 08:05:00 UTC "
            "(5 min): a message",
        ),
        (
            failures.record(failed(), HERE, SHORT, "", NOW + 1),
            NOW + 500,
            "us-west-2a g5.xlarge spot: no capacity (InsufficientInstanceCapacity, 2 times), barred until "
            "2027-01-15 08:10:01 UTC (101 s)",
        ),
        (
            failed(
                elsewhere(zone=None, instance_type=None, market="on_demand", place="us-west-2"), "UnfulfillableCapacity"
            ),
            NOW + 300,
            "us-west-2 on-demand: no capacity for what was asked (UnfulfillableCapacity), was barred until "
            "2027-01-15 08:05:00 UTC: a message",
        ),
        (
            failed(code="UnauthorizedOperation"),
            NOW,
            "us-west-2: denied (UnauthorizedOperation), barred until 2027-01-15 08:05:00 UTC (5 min): a message",
        ),
        (
            failed(code="Unsupported"),
            NOW,
            "us-west-2a g5.xlarge spot: not offered there (Unsupported), barred until 2027-02-14 08:00:00 UTC (30 days): "
            "a message",
        ),
        (failed(code="Throttling"), NOW, "us-west-2: throttled (Throttling), which bars nothing: a message"),
    ],
)
def test_sentences(ledger: dict[str, Entry], now: int, text: str) -> None:
    (entry,) = ledger.values()
    assert failures.sentence(entry, now) == text


GOOD = failures.document(next(iter(failed().values())))


@pytest.mark.parametrize(
    "bad",
    [
        {name: value for name, value in GOOD.items() if name != "code"},
        {**GOOD, "more": 1},
        {**GOOD, "expires": "1"},
        {**GOOD, "expires": 1.5},
        {**GOOD, "count": True},
        {**GOOD, "count": 0},
        {**GOOD, "key": None},
        {**GOOD, "scope": "planet"},
        {},
    ],
)
def test_documents_of_another_shape_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(EtherealSpotError, match="failure ledger has"):
        failures.entry_from(bad)


zones = st.sampled_from(["us-west-2a", "us-west-2b"])
pools = st.builds(
    Pool,
    place=st.sampled_from(["us-west-2", "lab"]),
    region=st.just("us-west-2"),
    zone=st.none() | zones,
    instance_type=st.none() | st.sampled_from(["g5.xlarge", "g4dn.xlarge", "p4d.24xlarge", "m7i.large", "mac1.metal"]),
    market=st.sampled_from(["spot", "on_demand"]),
)
words = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="/*"), min_size=1, max_size=12)
any_pools = pools | st.builds(
    Pool,
    place=words,
    region=words,
    zone=st.none() | words,
    instance_type=st.none() | words,
    market=st.sampled_from(["spot", "on_demand"]),
)
codes = st.sampled_from([*launch_errors.KINDS, "NobodyHasSeenThis"])
events = st.tuples(st.sampled_from(["record", "succeed"]), pools, codes, st.integers(0, 5000))


@st.composite
def ledgers(draw: st.DrawFn) -> dict[str, Entry]:
    """A ledger after a few failures and successes, the last at NOW."""
    ledger: dict[str, Entry] = {}
    for kind, pool, code, ago in sorted(draw(st.lists(events, max_size=8)), key=lambda event: -event[3]):
        ledger = (
            failures.record(ledger, pool, code, "", NOW - ago)
            if kind == "record"
            else failures.succeed(ledger, pool, NOW - ago)
        )
    return ledger


def with_market_of(pool: Pool, code: str) -> Pool:
    """The pool in the market that the code is about."""
    return replace(pool, market=launch_errors.kind_of(code).market or pool.market)


@given(ledgers(), any_pools, codes)
def test_what_was_written_is_read_for_the_same_pool(ledger: dict[str, Entry], pool: Pool, code: str) -> None:
    after = failures.record(ledger, pool, code, "text", NOW + 1)
    found = barring(after, with_market_of(pool, code), NOW + 1)
    if launch_errors.is_throttle(code):
        assert found is None or found.scope != "throttle"
    else:
        assert found is not None
        assert failures.key_of(pool, code) in failures.keys_of(with_market_of(pool, code))
    forgotten = failures.succeed(after, with_market_of(pool, code), NOW + 2)
    assert barring(forgotten, with_market_of(pool, code), NOW + 2) is None


@given(any_pools, codes)
def test_a_pool_with_known_fields_reads_what_was_written_without_them(pool: Pool, code: str) -> None:
    """What the write did not know must not hide it from a read that knows more."""
    written = with_market_of(pool, code)
    for unknown in ({"zone": None}, {"instance_type": None}, {"zone": None, "instance_type": None}):
        ledger = failures.record({}, replace(written, **unknown), code, "", NOW)
        assert (barring(ledger, written) is None) == launch_errors.is_throttle(code)


@given(
    any_pools, st.sampled_from(["MaxSpotInstanceCountExceeded", "VcpuLimitExceeded", SHORT, "UnfulfillableCapacity"])
)
def test_the_other_market_is_never_barred(pool: Pool, code: str) -> None:
    market = with_market_of(pool, code).market
    ledger = failures.record({}, pool, code, "", NOW)
    other = {"spot": "on_demand", "on_demand": "spot"}[market]
    assert barring(ledger, replace(pool, market=other)) is None


@given(ledgers(), pools, codes, st.lists(st.integers(0, 20_000), min_size=2, max_size=8))
def test_a_bar_never_gets_shorter_by_repetition(
    ledger: dict[str, Entry], pool: Pool, code: str, waits: list[int]
) -> None:
    now, seen = NOW + 1, []
    for wait in waits:
        ledger = failures.record(ledger, pool, code, "", now)
        seen.append(ledger[failures.key_of(pool, code)])
        now += wait + 1
    for before, after in pairwise(seen):
        assert after.expires >= before.expires
        if after.count > before.count and after.code == before.code:
            assert after.expires - after.last >= before.expires - before.last or before.expires > after.last


@given(ledgers(), pools, codes, st.integers(-1000, 10_000))
def test_nothing_that_was_given_is_changed(ledger: dict[str, Entry], pool: Pool, code: str, later: int) -> None:
    before = copy.deepcopy(ledger)
    failures.record(ledger, pool, code, "", NOW + later)
    failures.succeed(ledger, pool, NOW + later)
    failures.prune(ledger, NOW + later)
    barring(ledger, pool, NOW + later)
    assert ledger == before


@given(ledgers(), pools, st.integers(0, 20_000))
def test_pruning_changes_no_verdict(ledger: dict[str, Entry], pool: Pool, later: int) -> None:
    pruned = failures.prune(ledger, NOW + later)
    assert barring(pruned, pool, NOW + later) == barring(ledger, pool, NOW + later)
    assert (
        failures.record(pruned, pool, SHORT, "", NOW + later).items()
        <= {
            **ledger,
            **failures.record(ledger, pool, SHORT, "", NOW + later),
        }.items()
    )


@given(ledgers())
def test_documents_hold_entries_exactly(ledger: dict[str, Entry]) -> None:
    for key, entry in ledger.items():
        assert failures.entry_from(json.loads(json.dumps(failures.document(entry)))) == entry
        assert entry.key == key
