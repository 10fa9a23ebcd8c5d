# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must hold of every decision, told from what happened in the cloud and not from the policy's own memory.

Where the policy may know better than these rules (how long a failure bars), the rules take the longest that is declared: what they
call open is open for sure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from policy_cloud import DAY
from policy_cloud import HOUR
from policy_cloud import MINUTE
from policy_cloud import Fleet
from policy_cloud import Offer
from policy_cloud import Watch

from ansible_collections.ethereal.spot.plugins.module_utils._brain import launch_errors
from ansible_collections.ethereal.spot.plugins.module_utils._brain import ledger
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy import documents
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.memory import RETRY
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import LAUNCH
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Decision
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Observations
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Replica
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import State
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.records import record_of
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import SINGLE_REGION
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.canonical import canonical_lines

OFTEN = 100
# Failures that reach no further than their own pool.
NARROW = (launch_errors.POOL, launch_errors.UNKNOWN)


class Facts(Watch):
    """What has happened so far, as the caller could tell it."""

    def __init__(self) -> None:
        self.began = False
        self.known: dict[str, Replica] = {}
        # By pool: (when, code) of each failed launch, when a replica was last warned or lost, and when a warned one was gone.
        self.refused: dict[str, list[tuple[int, str]]] = {}
        self.lost: dict[str, int] = {}
        self.gone: dict[str, int] = {}
        # Since when spot has not held every replica for sure; when it last served every replica, or the first decision.
        self.short_since: int | None = None
        self.not_short_at = 0
        self.on_demand_since: int | None = None
        self.hours_over_at: int | None = None

    def asked(self, fleet: Fleet, observed: Observations, before: State, decision: Decision) -> None:
        now, settings = fleet.now, fleet.settings
        if not self.began:
            self.began, self.not_short_at = True, now
        present = {each.number: each for each in observed.replicas}
        for number, known in self.known.items():
            after = present.get(number)
            if (after is None or after.warned) and not known.warned:
                self.lost[known.key] = now
            elif after is None:
                self.gone[known.key] = now
        for number, each in present.items():
            if each.warned and number not in self.known:
                self.lost[each.key] = now
        for refusal in observed.refusals:
            self.refused.setdefault(refusal.key, []).append((now, refusal.code))
        self.spot, self.on_demand = healthy(fleet, observed)
        ready = sum(each.ready for each in self.spot)
        if len(self.spot) >= settings.replicas:
            self.short_since = None
        elif self.short_since is None:
            self.short_since = now
        if ready >= settings.replicas:
            self.not_short_at = now
            if not in_one_place(fleet) or len(places(fleet, self.spot)) == 1:
                self.hours_over_at = None
        ended = {action.number for action in decision.actions if action.kind != LAUNCH}
        self.known = {number: each for number, each in present.items() if number not in ended}
        self.ended = [each for each in observed.replicas if each.number in ended]
        self.ordered = dict.fromkeys(fleet.cloud.offers, 0)
        for action in decision.actions:
            if action.kind == LAUNCH:
                self.ordered[action.key] += action.count
        ordered = sum(count for key, count in self.ordered.items() if not fleet.cloud.offers[key].spot)
        self.running = len(self.on_demand) - sum(each in self.ended for each in self.on_demand) + ordered
        self.on_demand_ordered = ordered
        self.hours_served = 0 if self.on_demand_since is None else now - self.on_demand_since
        if self.on_demand and not self.running and self.hours_over(fleet):
            self.hours_over_at = now
        if not self.running:
            self.on_demand_since = None
        elif self.on_demand_since is None:
            self.on_demand_since = now

    def hours_over(self, fleet: Fleet) -> bool:
        most = fleet.settings.on_demand_max_hours
        return most is not None and self.hours_served >= most * HOUR

    def opens_at(self, fleet: Fleet, offer: Offer) -> int:
        """From when on the pool is not barred, whatever is remembered of it."""
        moments = [0]
        for key, failures in self.refused.items():
            other = fleet.cloud.offers[key]
            for when, code in failures:
                kind = launch_errors.kind_of(code)
                reaches = other is offer or (kind.scope not in NARROW and other.pool.region == offer.pool.region)
                if reaches:
                    moments.append(when + RETRY.seconds(code, OFTEN))
        cooldown = fleet.settings.cooldown_seconds
        moments += [times[offer.key] + cooldown for times in (self.lost, self.gone) if offer.key in times]
        return max(moments)

    def refused_now(self, now: int, key: str) -> bool:
        return any(when == now for when, _code in self.refused.get(key, []))

    def on_demand_may_run(self, fleet: Fleet, now: int) -> bool:
        """Whether one more on-demand replica is within the bounds for sure."""
        settings, cloud = fleet.settings, fleet.cloud
        if self.running >= settings.most_on_demand or self.hours_over(fleet):
            return False
        if self.hours_over_at is not None and now - self.hours_over_at <= settings.on_demand_max_hours * HOUR:
            return False
        short_for = now - self.short_since if self.short_since is not None else 0
        if not self.running and short_for < settings.on_demand_after_seconds:
            return False
        if settings.on_demand_budget is None:
            return True
        dearest = max(offer.price for offer in cloud.offers.values() if not offer.spot)
        until_then = self.running * dearest * (now - fleet.now)
        hour = (self.running + 1) * dearest * HOUR
        return spent(fleet, now) + until_then + hour <= settings.on_demand_budget * HOUR


def healthy(fleet: Fleet, observed: Observations) -> tuple[list[Replica], list[Replica]]:
    """Replicas that are not warned: spot, on-demand."""
    offers = fleet.cloud.offers
    sound = [each for each in observed.replicas if not each.warned]
    return [each for each in sound if offers[each.key].spot], [each for each in sound if not offers[each.key].spot]


def in_one_place(fleet: Fleet) -> bool:
    """Whether all replicas belong into one region; one alone is there anyway."""
    return fleet.settings.spread == SINGLE_REGION and fleet.settings.replicas > 1


def places(fleet: Fleet, replicas: Iterable[Replica]) -> set[str]:
    return {fleet.cloud.offers[each.key].pool.place for each in replicas}


def spent(fleet: Fleet, now: int) -> int:
    return fleet.cloud.spent.get(now // DAY, 0)


def hourly(fleet: Fleet, observed: Observations) -> int:
    return sum(fleet.cloud.offers[each.key].price for each in observed.replicas)


def belongs(fleet: Fleet, facts: Facts, offer: Offer) -> bool:
    """Whether a replica may be launched there: all into one region, as long as any of them lives."""
    held = places(fleet, facts.spot + facts.on_demand)
    return not in_one_place(fleet) or not held or held == {offer.pool.place}


class Rule(Watch):
    """One property, held against the facts."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts


class NothingMissingWithoutReason(Rule):
    """The deficit never exceeds the launches in flight while a pool could give a replica."""

    def settled(self, fleet: Fleet, observed: Observations, decision: Decision) -> None:
        missing = fleet.settings.replicas - len(self.facts.spot) - len(self.facts.on_demand)
        if missing > 0:
            ready = [key for key, offer in fleet.cloud.offers.items() if self.could_give(fleet, observed, offer)]
            assert not ready, f"{missing} replicas are neither there nor in flight, and could be had in {ready}"

    def could_give(self, fleet: Fleet, observed: Observations, offer: Offer) -> bool:
        cloud, facts, settings = fleet.cloud, self.facts, fleet.settings
        bound = settings.max_hourly
        return bool(
            belongs(fleet, facts, offer)
            and cloud.free(offer)
            and cloud.room(offer) != 0
            and offer.data_ready
            and not offer.hidden
            and cloud.tries_left
            and facts.opens_at(fleet, offer) <= fleet.now
            and (bound is None or hourly(fleet, observed) + offer.price <= bound)
            and (offer.spot or facts.on_demand_may_run(fleet, fleet.now))
        )


class LooksAhead(Rule):
    """`wake_at` is ahead."""

    def asked(self, fleet: Fleet, observed: Observations, before: State, decision: Decision) -> None:
        assert decision.wake_at > fleet.now


class LooksAgainInTime(LooksAhead):
    """It is not later than the first moment at which something that is missing can be had."""

    def settled(self, fleet: Fleet, observed: Observations, decision: Decision) -> None:
        facts, settings, now = self.facts, fleet.settings, fleet.now
        if len(facts.spot) + len(facts.on_demand) >= settings.replicas:
            return
        bound = settings.max_hourly
        for key, offer in fleet.cloud.offers.items():
            affordable = bound is None or hourly(fleet, observed) + offer.price <= bound
            if offer.hidden or not offer.data_ready or not affordable or fleet.cloud.room(offer) == 0:
                continue
            if not belongs(fleet, facts, offer):
                continue
            moment = max(facts.opens_at(fleet, offer), now + MINUTE)
            if not offer.spot:
                moment = max(moment, (facts.short_since or now) + settings.on_demand_after_seconds)
                if not facts.on_demand_may_run(fleet, moment):
                    continue
            assert decision.wake_at <= moment, f"{key} opens at {moment}, {moment - now} s from now"


class ServesUntilTakenOver(Rule):
    """No decision ends what serves before as much serves without it, unless a bound of on-demand is reached."""

    def asked(self, fleet: Fleet, observed: Observations, before: State, decision: Decision) -> None:
        facts, settings = self.facts, fleet.settings
        serving = [each for each in facts.spot + facts.on_demand if each.ready]
        ended = [each for each in serving if each in facts.ended]
        if ended and len(serving) - len(ended) < min(settings.replicas, len(serving)):
            spot_ended = [each.number for each in ended if fleet.cloud.offers[each.key].spot]
            assert not spot_ended, f"{spot_ended} served and are missed"
            assert self.bound_reached(fleet), f"{[each.number for each in ended]} served and are missed"

    def bound_reached(self, fleet: Fleet) -> bool:
        settings, facts = fleet.settings, self.facts
        if facts.hours_over(fleet):
            return True
        if settings.on_demand_budget is None:
            return False
        rate = len(facts.on_demand) * max(offer.price for offer in fleet.cloud.offers.values() if not offer.spot)
        return spent(fleet, fleet.now) + rate * 3 * MINUTE >= settings.on_demand_budget * HOUR


class KeepsOnDemandBounds(Rule):
    """At most K on-demand replicas, not before their time, for H hours, and then not again until spot has served or as long has passed."""

    def asked(self, fleet: Fleet, observed: Observations, before: State, decision: Decision) -> None:
        facts, settings, now = self.facts, fleet.settings, fleet.now
        assert facts.running <= settings.most_on_demand
        most = settings.on_demand_max_hours
        if facts.on_demand_ordered:
            if not facts.on_demand and not settings.max_extra:
                assert now - facts.not_short_at >= settings.on_demand_after_seconds, "on-demand before its time"
            if facts.hours_over_at is not None:
                assert now >= facts.hours_over_at + most * HOUR, "on-demand again after its hours"
        if facts.running and most is not None:
            assert now - facts.on_demand_since < most * HOUR, "on-demand beyond its hours"

    def settled(self, fleet: Fleet, observed: Observations, decision: Decision) -> None:
        most = fleet.settings.on_demand_max_hours
        if self.facts.running and most is not None:
            assert decision.wake_at <= self.facts.on_demand_since + most * HOUR


class KeepsBudgets(Rule):
    """No launch takes the hourly cost of all that is paid for over its bound; what runs until the next decision keeps the day's
    on-demand budget."""

    def asked(self, fleet: Fleet, observed: Observations, before: State, decision: Decision) -> None:
        bound = fleet.settings.max_hourly
        prices = {key: offer.price for key, offer in fleet.cloud.offers.items()}
        ordered = sum(prices[key] * count for key, count in self.facts.ordered.items())
        if bound is not None and ordered:
            assert hourly(fleet, observed) + ordered <= bound

    def settled(self, fleet: Fleet, observed: Observations, decision: Decision) -> None:
        budget = fleet.settings.on_demand_budget
        rate = sum(fleet.cloud.offers[each.key].price for each in self.facts.on_demand)
        if budget is None or not rate:
            return
        now = fleet.now
        midnight = (now // DAY + 1) * DAY
        assert spent(fleet, now) + rate * (min(decision.wake_at, midnight) - now) <= budget * HOUR, (
            "spends too much today"
        )
        assert rate * (decision.wake_at - midnight) <= budget * HOUR, "spends too much tomorrow"


class LaunchesOnlyWhereItMay(Rule):
    """Pools without data or quota, that cool down or have just refused, are left alone; failed calls stay within the tries."""

    def asked(self, fleet: Fleet, observed: Observations, before: State, decision: Decision) -> None:
        facts, cloud, now = self.facts, fleet.cloud, fleet.now
        quotes = {quote.key: quote for quote in observed.quotes}
        by_quota: dict[tuple[str, str], int] = {}
        for key, count in facts.ordered.items():
            if not count:
                continue
            offer = cloud.offers[key]
            assert quotes[key].data_ready, f"{key} lacks the data"
            place = (offer.pool.region, offer.pool.market)
            by_quota[place] = by_quota.get(place, 0) + count
            if quotes[key].room is not None:
                assert by_quota[place] <= quotes[key].room, f"over the quota of {place}"
            failures = [code for when, code in facts.refused.get(key, []) if when == now]
            assert all(map(launch_errors.is_throttle, failures)), f"{key} has just refused: {failures}"
            if offer.spot and key in facts.lost:
                assert now >= facts.lost[key] + fleet.settings.cooldown_seconds, f"{key} cools down"
        pools = [each.key for each in decision.actions if each.kind == LAUNCH]
        assert len(pools) == len(set(pools)), "several calls for one pool, of which all would fail"
        spot_orders = [key for key in pools if cloud.offers[key].spot]
        assert len(spot_orders) <= max(0, observed.tries_left), "more calls than may fail"


class MovesWithinBounds(Rule):
    """Without extra replicas a launch beyond those wanted is a move: never within the interval, nor of what has not stayed long."""

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self.moved_at: int | None = None
        self.moving: set[str] = set()
        self.before: set[str] | None = None
        self.aims: set[str] = set()

    def asked(self, fleet: Fleet, observed: Observations, before: State, decision: Decision) -> None:
        facts, settings, now = self.facts, fleet.settings, fleet.now
        present = {each.number for each in observed.replicas}
        if self.before is not None:
            self.moving |= present - self.before
            self.before = None
        if settings.max_extra:
            return
        self.moving &= {each.number for each in facts.spot if not each.ready}
        held = len(facts.spot) - len(self.moving)
        launched = {key: n for key, n in facts.ordered.items() if n and fleet.cloud.offers[key].spot}
        if not launched:
            return
        if in_one_place(fleet):
            self.moves_as_a_whole(fleet, launched)
            return
        if held < settings.replicas:
            return
        assert len(launched) == 1, "a move has one aim"
        assert self.moved_at is None or now - self.moved_at >= settings.move_interval_seconds, "moves too often"
        aim, count = next(iter(launched.items()))
        ages: dict[str, list[int]] = {}
        for each in facts.spot:
            ages.setdefault(each.key, []).append(now - each.since)
        left = [
            key
            for key, seconds in ages.items()
            if key != aim and count <= len(seconds) and min(seconds) >= settings.minimum_stay_seconds
        ]
        assert left, f"moves {count} to {aim} although none have stayed long enough: {ages}"
        self.moved_at, self.before = now, present

    def moves_as_a_whole(self, fleet: Fleet, launched: dict[str, int]) -> None:
        """A move begins with a launch where nothing is while another place holds every replica; several calls may be one move."""
        facts, settings, now = self.facts, fleet.settings, fleet.now
        aims = {fleet.cloud.offers[key].pool.place for key in launched}
        aims -= places(fleet, facts.spot + facts.on_demand)
        if not aims:
            return
        assert len(aims) == 1, "a move has one aim"
        if aims != self.aims and len(facts.spot) >= settings.replicas:
            youngest = max(each.since for each in facts.spot)
            assert now - youngest >= settings.minimum_stay_seconds, "moves what has not stayed long enough"
            assert self.moved_at is None or now - self.moved_at >= settings.move_interval_seconds, "moves too often"
            self.moved_at = now
        self.aims = aims

    def settled(self, fleet: Fleet, observed: Observations, decision: Decision) -> None:
        """What was refused everywhere is tried no further; what failed for want of tries goes on."""
        if observed.tries_left and not self.aims <= places(fleet, self.facts.spot + self.facts.on_demand):
            self.aims = set()


class StaysInOnePlace(Rule):
    """With all replicas in one region, two hold replicas only while the one is moved to the other."""

    def settled(self, fleet: Fleet, observed: Observations, decision: Decision) -> None:
        if in_one_place(fleet):
            held = places(fleet, self.facts.spot + self.facts.on_demand)
            assert len(held) <= 2, f"replicas in {sorted(held)}"
            assert len(held) < 2 or decision.wake_at <= fleet.now + DAY, "a move that nobody looks after"


class EndsOfItself(Rule):
    """Asked again after the last decision of a moment, nothing is ordered."""

    def settled(self, fleet: Fleet, observed: Observations, decision: Decision) -> None:
        for again in (observed, observed._replace(refusals=())):
            repeated = fleet.ask(decision.state, again, fleet.now, fleet.settings)
            assert not repeated.actions, f"asked again: {repeated.actions}"


class OrdersNothingTwice(Rule):
    """What is given up at one moment is not launched anew at it, nor given up what was just launched, unless it is a successor that
    cannot hold every replica; asked again with the same observations, nothing changes."""

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self.ended: set[str] = set()

    def asked(self, fleet: Fleet, observed: Observations, before: State, decision: Decision) -> None:
        launched = {key for key, count in self.facts.ordered.items() if count}
        self.ended |= {each.key for each in self.facts.ended}
        # Under an hourly bound an extra may be given up for another one that is then refused.
        serving = sum(each.ready for each in self.facts.spot + self.facts.on_demand)
        if fleet.settings.max_hourly is None or serving < fleet.settings.replicas:
            assert not launched & self.ended, "given up and launched at the same moment"
        if not in_one_place(fleet):
            young = [each.number for each in self.facts.ended if each.since == fleet.cloud.now]
            assert not young, f"{young} launched and given up at the same moment"

    def settled(self, fleet: Fleet, observed: Observations, decision: Decision) -> None:
        self.ended = set()
        for again in (observed, observed._replace(refusals=())):
            repeated = fleet.ask(decision.state, again, fleet.now, fleet.settings)
            assert not repeated.actions
            assert not (changed := differences(repeated.state, decision.state)), changed
            assert repeated.wake_at == decision.wake_at


class IsAFunction(Rule):
    """Inputs are left as they were, and what decides is their content: neither their order nor what was asked before."""

    def asked(self, fleet: Fleet, observed: Observations, before: State, decision: Decision) -> None:
        inputs = plain((before, observed, fleet.settings))
        turned = fleet.ask(backwards(before), shuffled(observed), fleet.now, fleet.settings)
        assert turned.actions == decision.actions
        assert plain(turned.state) == plain(decision.state)
        assert turned.wake_at == decision.wake_at
        assert plain((before, observed, fleet.settings)) == inputs


class CountsInWholeNumbers(Rule):
    """Neither orders nor state hold a float, which would differ between platforms."""

    def asked(self, fleet: Fleet, observed: Observations, before: State, decision: Decision) -> None:
        assert not floats(plain(decision))


class SurvivesItsDocument(Rule):
    """The state comes back from its JSON as it was, and the decision's record has a canonical form."""

    def asked(self, fleet: Fleet, observed: Observations, before: State, decision: Decision) -> None:
        state = decision.state
        found = json.loads(json.dumps(documents.document(state)))
        kept = [json.loads(json.dumps(ledger.document(entry))) for entry in state.ledger.values()]
        assert documents.state_from(found, {each["key"]: ledger.entry_from(each) for each in kept}) == state
        assert canonical_lines([record_of(before, observed, fleet.now, fleet.settings, decision)])


RULES: tuple[type[Rule], ...] = (
    NothingMissingWithoutReason,
    LooksAhead,
    LooksAgainInTime,
    EndsOfItself,
    ServesUntilTakenOver,
    KeepsOnDemandBounds,
    KeepsBudgets,
    LaunchesOnlyWhereItMay,
    MovesWithinBounds,
    StaysInOnePlace,
    OrdersNothingTwice,
    IsAFunction,
    CountsInWholeNumbers,
    SurvivesItsDocument,
)


def watches(*rules: type[Rule]) -> list[Watch]:
    """The facts and the rules that are held against them."""
    facts = Facts()
    return [facts, *(rule(facts) for rule in rules)]


def plain(value: Any) -> Any:
    """A copy in which equal content is equal, whatever holds it: mappings by sorted keys, the rest by repr."""
    if hasattr(value, "items"):
        return {str(key): plain(item) for key, item in sorted(value.items())}
    if hasattr(value, "_asdict"):
        return plain(value._asdict())
    if hasattr(value, "__dataclass_fields__"):
        return plain({name: getattr(value, name) for name in value.__dataclass_fields__})
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def differences(one: State, other: State) -> dict[str, Any]:
    """What differs between two states, by field."""
    pairs = {name: (plain(value), plain(getattr(other, name))) for name, value in one._asdict().items()}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def floats(value: Any) -> list[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [found for item in value for found in floats(item)]
    return [value] if isinstance(value, float) else []


def backwards(state: State) -> State:
    """The same state, its mappings filled in the opposite order."""
    return state._replace(
        **{
            name: dict(reversed(list(value.items())))
            for name, value in state._asdict().items()
            if hasattr(value, "items")
        }
    )


def shuffled(observed: Observations) -> Observations:
    """The same observations in another order."""
    return observed._replace(quotes=observed.quotes[::-1], replicas=observed.replicas[::-1])
