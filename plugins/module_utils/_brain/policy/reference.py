# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The reference rule: all replicas in the place of the best score, the cheapest of equals. PRIVATE to the collection.

Spot only. A place that does not hold all of them within its patience is torn down and excluded, and the next best tried; when none is
left, nothing happens for ten minutes, and then none is excluded any more. A place that loses one is torn down as well.
"""

from __future__ import annotations

from collections.abc import Sequence

from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import LAUNCH
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import NEVER
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import SPOT
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import TERMINATE
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Action
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Attempts
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Decision
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Observations
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Quote
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Seen
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import State
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import Settings

MINUTE = 60
# The reference waits 90 seconds for its instances, then looks three times, a minute apart; here in whole minutes.
PATIENCE_SECONDS = 300
WAIT_SECONDS = 600
# More pools than may refuse in one moment: those that did come last in the next one.
REFUSALS_A_MOMENT = 3


def decide_by_reference(state: State, observed: Observations, now: int, settings: Settings) -> Decision:
    """The reference rule's orders for now; to be asked again at once with what came of them, as `decide` is."""
    places: dict[str, list[Quote]] = {}
    for quote in observed.quotes:
        if quote.pool.market == SPOT:
            places.setdefault(quote.pool.place, []).append(quote)
    state = state._replace(decided_at=now, seen=_seen(observed))
    tried = state.attempts
    if tried.at != now:
        tried = tried._replace(at=now, refused=(), resting=tried.refused)
    # A replica that is warned while it is launched is no success.
    closed = {refusal.key for refusal in observed.refusals}
    closed |= {each.key for each in observed.replicas if each.warned and each.since == now}
    tried = tried._replace(refused=tuple(sorted({*tried.refused, *closed})))
    actions: list[Action] = []

    serving = state.serving
    if serving is not None and tried.patient_until is None:
        if _healthy(observed, places.get(serving, ())) >= settings.replicas:
            return Decision((), state, NEVER)
        actions, tried, serving = _given_up(observed, places.get(serving, ()), serving, tried)
    if now < tried.wait_until:
        return Decision(tuple(actions), state._replace(serving=None, attempts=tried), tried.wait_until)

    while True:
        if serving is None:
            left = [place for place in places if place not in tried.excluded]
            if not left:
                tried = Attempts(wait_until=now + WAIT_SECONDS)
                return Decision(tuple(actions), state._replace(serving=None, attempts=tried), tried.wait_until)
            serving = min(left, key=lambda place: _rank(places[place], place))
            tried = tried._replace(patient_until=now + PATIENCE_SECONDS)
        quotes = places.get(serving, ())
        missing = settings.replicas - _healthy(observed, quotes)
        if missing <= 0:
            return Decision(tuple(actions), state._replace(serving=serving, attempts=Attempts()), NEVER)
        opened = [quote for quote in quotes if quote.key not in tried.refused]
        if opened and observed.tries_left > 0:
            best = min(opened, key=lambda quote: _order(quote, quotes, observed, tried))
            actions.append(Action(LAUNCH, best.key, 1, "", "place of the best score"))
            return Decision(tuple(actions), state._replace(serving=serving, attempts=tried), now + MINUTE)
        if tried.patient_until is not None and now < tried.patient_until:
            return Decision(tuple(actions), state._replace(serving=serving, attempts=tried), now + MINUTE)
        gone, tried, serving = _given_up(observed, quotes, serving, tried)
        actions += gone


def _seen(observed: Observations) -> dict[str, Seen]:
    quotes = {quote.key: quote for quote in observed.quotes}
    return {
        each.number: Seen(each.key, quotes[each.key].pool.market, quotes[each.key].price, each.warned)
        for each in observed.replicas
        if each.key in quotes
    }


def _healthy(observed: Observations, quotes: Sequence[Quote]) -> int:
    keys = {quote.key for quote in quotes}
    return sum(each.key in keys and not each.warned for each in observed.replicas)


def _rank(quotes: Sequence[Quote], place: str) -> tuple[int, int, str]:
    """A place's score is that of its best pool, its price that of its cheapest; an unknown score comes after every known one."""
    return -max(quote.score or 0 for quote in quotes), min(quote.price for quote in quotes), place


def _order(
    quote: Quote, quotes: Sequence[Quote], observed: Observations, tried: Attempts
) -> tuple[bool, int, int, str]:
    """As an Auto Scaling group goes over its zones: where the fewest are held, the cheapest of equals."""
    resting = len(quotes) > REFUSALS_A_MOMENT and quote.key in tried.resting
    return resting, sum(each.key == quote.key for each in observed.replicas), quote.price, quote.key


def _given_up(
    observed: Observations, quotes: Sequence[Quote], place: str, tried: Attempts
) -> tuple[list[Action], Attempts, None]:
    """The end of the place's replicas, and the place excluded."""
    keys = {quote.key for quote in quotes}
    gone = [
        Action(TERMINATE, each.key, 1, each.number, "place given up") for each in observed.replicas if each.key in keys
    ]
    return gone, tried._replace(excluded=(*tried.excluded, place), patient_until=None), None
