# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the policy learns of its pools: losses, refusals, and how risky a replica is. PRIVATE to the collection.

Losses are a Poisson process whose rate is not known: Gamma-distributed, sharpened by what was seen, pooled by region,
fading with time. Measured on the public recordings, a pool loses 0.8 to 2.3 replicas an hour in the first half hour
after it had nothing, and a tenth of that after eight hours.
"""

from __future__ import annotations

from collections.abc import Mapping

from ansible_collections.ethereal.spot.plugins.module_utils._brain import ledger
from ansible_collections.ethereal.spot.plugins.module_utils._brain.launch_errors import is_shortage
from ansible_collections.ethereal.spot.plugins.module_utils._brain.launch_errors import told_code
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import NEVER
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import SPOT
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Memory
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Observations
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Quote
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Replica
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Seen
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import State
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import HOUR
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import Settings

ONE_LOSS = 1000
# Risk by the age of what holds the capacity, in thousandths of the pool's mean: (younger than seconds, factor).
RISK_BY_AGE = ((1800, 2200), (2 * HOUR, 1000), (8 * HOUR, 500), (NEVER, 300))
# A launch is answered at once and costs one call, so a pool is tried again after 2, 4, 8, 10, 10, ... minutes. Trying more
# often finds capacity that does not last: on the recordings it costs availability and saves nothing.
RETRY = ledger.Expiry(pool=(120, 600))


def by_age(seconds: int) -> int:
    """The factor of risk at an age, in thousandths."""
    for limit, factor in RISK_BY_AGE:
        if seconds < limit:
            return factor
    return RISK_BY_AGE[-1][1]


def faded(memory: Memory, now: int, settings: Settings) -> tuple[int, int]:
    """Losses (in thousandths) and seconds alive as they count now."""
    age = now - memory.at
    if age <= 0:
        return memory.losses, memory.exposure
    whole = settings.forgetting_seconds
    return memory.losses * whole // (whole + age), memory.exposure * whole // (whole + age)


def learned(state: State, observed: Observations, now: int, settings: Settings) -> State:
    """The state with what has happened since the last decision: time alive, losses, warnings, launches, refusals."""
    memories = dict(state.memories)
    entries = state.ledger
    quotes = {quote.key: quote for quote in observed.quotes}
    seen = {replica.number: _seen(replica, quotes, state) for replica in observed.replicas}
    since = {replica.number: replica.since for replica in observed.replicas}

    if now > state.decided_at:
        alive: dict[str, int] = {}
        for before in state.seen.values():
            if before.market == SPOT:
                alive[before.key] = alive.get(before.key, 0) + 1
        for key, count in alive.items():
            _lived(memories, key, count * (now - state.decided_at), now, settings)
    for number, before in state.seen.items():
        after = seen.get(number)
        if before.market != SPOT or (after is not None and (before.warned or not after.warned)):
            continue
        if not before.warned:
            _lost(memories, before.key, now, settings)
        elif after is None:
            _cooled(memories, before.key, now, settings)
    for number, after in seen.items():
        if number not in state.seen:
            if after.warned and after.market == SPOT:
                _lost(memories, after.key, now, settings)
                continue
            if after.market == SPOT:
                memory = memories.get(after.key, Memory(at=now))
                memories[after.key] = memory._replace(up_since=min(memory.up_since, since[number]))
            if entries and after.key in quotes:
                entries = ledger.succeed(entries, quotes[after.key].pool, now)
    for refusal in observed.refusals:
        if refusal.key not in quotes:
            continue
        entries = ledger.record(entries, quotes[refusal.key].pool, refusal.code, refusal.message, now, RETRY)
        if is_shortage(told_code(refusal.code, refusal.message)):
            memories[refusal.key] = memories.get(refusal.key, Memory(at=now))._replace(down_at=now, up_since=NEVER)
    return state._replace(memories=memories, ledger=entries, seen=seen, decided_at=max(now, state.decided_at))


def _seen(replica: Replica, quotes: Mapping[str, Quote], state: State) -> Seen:
    """A pool that nobody quoted this time is what it was the last time; one never quoted is taken for spot."""
    quote = quotes.get(replica.key)
    if quote is not None:
        return Seen(replica.key, quote.pool.market, quote.price, replica.warned)
    before = state.seen.get(replica.number, Seen(replica.key, SPOT, 0, False))
    return before._replace(warned=replica.warned)


def _lived(memories: dict[str, Memory], key: str, seconds: int, now: int, settings: Settings) -> None:
    memory = memories.get(key, Memory(at=now))
    losses, exposure = faded(memory, now, settings)
    memories[key] = memory._replace(losses=losses, exposure=exposure + seconds, at=now)


def _lost(memories: dict[str, Memory], key: str, now: int, settings: Settings) -> None:
    memory = memories.get(key, Memory(at=now))
    losses, exposure = faded(memory, now, settings)
    memories[key] = Memory(losses + ONE_LOSS, exposure, now, now, now + settings.cooldown_seconds)


def _cooled(memories: dict[str, Memory], key: str, now: int, settings: Settings) -> None:
    """A warned replica is gone now: its pool has had nothing left until now."""
    memory = memories.get(key, Memory(at=now))
    until = max(memory.cool_until, now + settings.cooldown_seconds - settings.warning_seconds)
    memories[key] = memory._replace(down_at=now, cool_until=until, up_since=NEVER)


def hazards(state: State, quotes: Mapping[str, Quote], now: int, settings: Settings) -> dict[str, int]:
    """Expected losses of one replica an hour by spot pool, in thousandths."""
    known = {key: faded(state.memories[key], now, settings) if key in state.memories else (0, 0) for key in quotes}
    regions: dict[str, tuple[int, int]] = {}
    for key, quote in quotes.items():
        losses, seconds = regions.get(quote.pool.region, (0, 0))
        regions[quote.pool.region] = (losses + known[key][0], seconds + known[key][1])
    weight = settings.region_weight_seconds
    found = {}
    for key, quote in quotes.items():
        losses, seconds = regions[quote.pool.region]
        first = settings.prior_losses if quote.prior_losses is None else quote.prior_losses
        prior = (losses + first * settings.prior_seconds // HOUR) * weight // (seconds + settings.prior_seconds)
        found[key] = (prior + known[key][0]) * HOUR // (weight + known[key][1])
    return found
