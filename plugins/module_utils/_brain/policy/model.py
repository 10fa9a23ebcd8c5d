# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a policy sees, remembers and orders. PRIVATE to the collection.

Times are whole seconds since 1970, prices whole millionths of a USD an hour: decisions come from integers, so that the same
inputs give the same decisions on every platform.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from typing import NamedTuple

from ansible_collections.ethereal.spot.plugins.module_utils._brain import ledger
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ledger import Ledger

SPOT = "spot"
ON_DEMAND = "on_demand"

LAUNCH = "launch"
TERMINATE = "terminate"

# Later than any time that a policy sees.
NEVER = 1 << 60


class Quote(NamedTuple):
    """One pool as it is offered now.

    `key` names it in replicas and actions. A pool whose zone is None leaves the zone to the group, and its price is the
    mean over the zones that the group may take. `room` is how many replicas the quota of region, family and market
    leaves (None: not known, so no limit); `data_ready` says whether what a replica needs is there; `prior_losses` are
    the losses of a replica an hour, in thousandths, that score and Spot Advisor let expect (None: not known). Only the
    reference rule looks at the `score` itself.
    """

    key: str
    pool: ledger.Pool
    price: int
    room: int | None = None
    data_ready: bool = True
    prior_losses: int | None = None
    score: int | None = None


class Replica(NamedTuple):
    """One replica that is paid for, requests in flight included; terminating ones are left out.

    `number` is its instance's or request's id, `key` its pool's. A warned replica counts as gone from the warning on.
    """

    number: str
    key: str
    ready: bool
    warned: bool
    since: int


class Refusal(NamedTuple):
    """A launch that failed since the last decision, with AWS's code and message."""

    key: str
    code: str
    message: str = ""


class Observations(NamedTuple):
    """Everything that a decision may depend on, beside the state and the time.

    `tries_left` is how many launches may still fail before AWS would throttle.
    """

    quotes: tuple[Quote, ...]
    replicas: tuple[Replica, ...]
    refusals: tuple[Refusal, ...] = ()
    tries_left: int = 3


class Action(NamedTuple):
    """One order: launch `count` replicas in the pool `key`, or terminate the replica `number`. `rule` says why."""

    kind: str
    key: str
    count: int
    number: str
    rule: str

    def document(self) -> dict[str, Any]:
        if self.kind == LAUNCH:
            return {"action": LAUNCH, "pool": self.key, "count": self.count, "rule": self.rule}
        return {"action": TERMINATE, "pool": self.key, "replica": self.number, "rule": self.rule}


class Memory(NamedTuple):
    """What is remembered of one pool: losses (in thousandths) and seconds of replicas alive, both fading, as of `at`.

    `down_at` is when it last refused or lost, `cool_until` how long it is left alone after a loss, `up_since` since when it is known to
    have had capacity all the time (NEVER: not known).
    """

    losses: int = 0
    exposure: int = 0
    at: int = 0
    down_at: int = -NEVER
    cool_until: int = 0
    up_since: int = NEVER


class Seen(NamedTuple):
    """A replica as the last decision saw it; the price is the last one that was known."""

    key: str
    market: str
    price: int
    warned: bool


class Move(NamedTuple):
    """Replicas launched in a pool to take over from dearer ones; their numbers are known from the next decision on."""

    key: str
    numbers: tuple[str, ...] | None = None


class Attempts(NamedTuple):
    """What the reference rule remembers: places excluded since it last served, until when it is patient with the place that it
    launches in (None: that place serves), until when it waits since none is left, the pools that refused at `at`, and those that
    refused in the moment before."""

    excluded: tuple[str, ...] = ()
    patient_until: int | None = None
    wait_until: int = 0
    refused: tuple[str, ...] = ()
    resting: tuple[str, ...] = ()
    at: int = -1


class State(NamedTuple):
    """What one decision hands to the next.

    `serving` is the place of `single_region` and `settled_at` since when, `successor` the place that it is being moved to. `moving` is the
    move under way, `extra` the number of extra replicas last wanted; `next_move_at` ends the cool-down between moves.
    `short_since` is since when spot has not held every replica. On-demand: when the running episode began, until when there is
    no other, and what has been spent on the UTC day `day` (millionths of a USD times seconds an hour).
    """

    memories: Mapping[str, Memory] = {}
    ledger: Ledger = {}
    seen: Mapping[str, Seen] = {}
    serving: str | None = None
    successor: str | None = None
    settled_at: int = 0
    moving: Move | None = None
    extra: int = 0
    attempts: Attempts = Attempts()
    next_move_at: int = 0
    short_since: int | None = None
    on_demand_since: int | None = None
    on_demand_barred_until: int = 0
    day: int = 0
    spent: int = 0
    decided_at: int = 0


class Decision(NamedTuple):
    """The orders, the state to go on from, and when to decide again if nothing happens before."""

    actions: tuple[Action, ...]
    state: State
    wake_at: int
