# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state's documents and what a run changes in them. PRIVATE to the collection.

Documents are plain items by key `(pk, sk)`, as docs/architecture.md lists them. `plan` says which of them a wish changes,
`apply_changes` what they are then; reading and writing them is the AWS layer's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from datetime import datetime
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain import launch_outcomes
from ansible_collections.ethereal.spot.plugins.module_utils._brain import ledger
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import EtherealSpotError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.regions import REGION

SCHEMA_VERSION = 1
FIRST_GENERATION = 1
# Step Functions keeps histories as long, and execution names stay blocked for it.
DECISION_DAYS = 90
# One transaction takes 100 (botocore model: TransactWriteItems), and one of them may check the placement.
LARGEST_CHANGES = 99

Key = tuple[str, str]
Documents = Mapping[Key, Mapping[str, Any]]

PLACEMENT: Key = ("placement", "current")
SWITCH: Key = ("switch", "current")
STATUS: Key = ("status", "current")
# Until when the ledger says anything: it is read with what is read anyway, and spares everybody a query for nothing.
REMEMBERED: Key = ("remembered", "current")
PLACE = "place"
DECISION = "decision"
LEDGER = "ledger"

# What every document carries beside its content.
FRAME = ("pk", "sk", "schema_version", "generation", "epoch", "expires_at")


@dataclass(frozen=True)
class Wish:
    """What a caller wants of the state; None is "as it is".

    `placement` holds checked entries `{place: {spot, on_demand}}`, `places` documents to merge, None to remove one.
    `failures` and `successes` are launches for the ledger.
    """

    switch: bool | None = None
    initial_switch: bool | None = None
    placement: Mapping[str, Mapping[str, int]] | None = None
    expected_epoch: int | None = None
    decision: Mapping[str, Any] | None = None
    places: Mapping[str, Mapping[str, Any] | None] | None = None
    status: str | None = None
    failures: Sequence[launch_outcomes.Failed] = ()
    successes: Sequence[launch_outcomes.Launched] = ()


@dataclass(frozen=True)
class Change:
    """One document before and after; None is absent."""

    key: Key
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


class StaleEpoch(EtherealSpotError):
    """The state has moved on since the caller decided."""

    def __init__(self, expected: int, epoch: int) -> None:
        super().__init__(
            f"expected_epoch: {expected} was decided from, but the state is at epoch {epoch}: someone else has placed since. "
            "Read the state again (spot_state with no option but the prefix) and decide from that",
            expected_epoch=expected,
            epoch=epoch,
        )


def check_versions(documents: Documents) -> None:
    """Refuse documents that a newer or foreign collection has written."""
    for (pk, sk), document in documents.items():
        version = document.get("schema_version")
        if version != SCHEMA_VERSION:
            raise EtherealSpotError(
                f"the state's document {pk}/{sk} has schema_version {version!r}, this collection knows {SCHEMA_VERSION}: "
                "use the version of the collection that wrote it, or a newer one",
                schema_version=version,
            )


def epoch_of(documents: Documents) -> int:
    """The epoch of the placement; 0 while there is none."""
    return documents[PLACEMENT]["epoch"] if PLACEMENT in documents else 0


def generation_of(documents: Documents) -> int:
    """The highest generation of any document."""
    return max((document["generation"] for document in documents.values()), default=FIRST_GENERATION)


def decision_id(record: Mapping[str, Any], epoch: int) -> str:
    """The same for the same record and epoch, in the order of epochs."""
    canonical = json.dumps(record, sort_keys=True, separators=(",", ":"))
    return f"{epoch:08d}-{hashlib.sha256(canonical.encode()).hexdigest()[:12]}"


def content(document: Mapping[str, Any] | None) -> dict[str, Any]:
    """A document without what every document carries."""
    return {name: value for name, value in (document or {}).items() if name not in FRAME}


def active_place(placement: Mapping[str, Mapping[str, int]]) -> str | None:
    """The place of the largest entry, of equals the first by name; None if nothing is placed."""
    return min(placement, key=lambda place: (-sum(placement[place].values()), place), default=None)


def plan(documents: Documents, wish: Wish, now: int) -> list[Change]:
    """The documents that the wish changes; none if the state is as wanted. `now` is in seconds since 1970.

    Raises StaleEpoch if something is to be changed and `expected_epoch` no longer holds, and InputError if a new placement
    comes without it.
    """
    check_versions(documents)
    generation = generation_of(documents)
    epoch = epoch_of(documents)
    changes: list[Change] = []

    def put(key: Key, wanted: Mapping[str, Any], expires_at: int | None = None) -> None:
        before = documents.get(key)
        if before is not None and content(before) == dict(wanted):
            return
        frame = {"pk": key[0], "sk": key[1], "schema_version": SCHEMA_VERSION, "generation": generation, "epoch": epoch}
        expiry = {} if expires_at is None else {"expires_at": expires_at}
        changes.append(Change(key, before, {**frame, **expiry, **wanted}))

    placing = wish.placement is not None and dict(wish.placement) != documents.get(PLACEMENT, {}).get("placement", {})
    if placing:
        if wish.expected_epoch is None and PLACEMENT in documents:
            raise InputError(
                "expected_epoch", None, f"must be given to change a placement; the state is at epoch {epoch}"
            )
        epoch += 1
        put(PLACEMENT, _placement_document(documents, wish, epoch))
    # A decision that comes with a placement already in force was recorded with it.
    if wish.decision is not None and (placing or wish.placement is None):
        key = (DECISION, decision_id(wish.decision, epoch))
        if key not in documents:
            decided_at = datetime.fromtimestamp(now, UTC).isoformat()
            put(key, {"record": wish.decision, "decided_at": decided_at}, now + DECISION_DAYS * 86_400)
    if wish.switch is not None:
        put(SWITCH, {"enabled": wish.switch})
    elif wish.initial_switch is not None and SWITCH not in documents:
        put(SWITCH, {"enabled": wish.initial_switch})
    if wish.status is not None:
        put(STATUS, {"status": wish.status})
    for place, document in sorted((wish.places or {}).items()):
        key = (PLACE, place)
        if document is not None:
            put(key, {**content(documents.get(key)), **document})
        elif key in documents:
            changes.append(Change(key, documents[key], None))
    known = ledger_of(documents)
    after = launch_outcomes.merged(known, wish.failures, wish.successes, now)
    if after != known:
        if after:
            until = max(ledger.forgotten_at(entry) for entry in after.values())
            put(REMEMBERED, {"until": until}, until)
        elif REMEMBERED in documents:
            changes.append(Change(REMEMBERED, documents[REMEMBERED], None))
        for name, entry in sorted(after.items()):
            described = ledger.document(entry)
            del described["key"]
            put((LEDGER, name), described, ledger.forgotten_at(entry))
        gone = sorted(known.keys() - after.keys())
        changes += [Change((LEDGER, name), documents[LEDGER, name], None) for name in gone]
        # The ledger comes last, so it alone is cut: what finds no room is learned, or expires, again.
        del changes[LARGEST_CHANGES:]

    if changes and wish.expected_epoch not in (None, epoch_of(documents)):
        raise StaleEpoch(wish.expected_epoch, epoch_of(documents))
    return changes


def _placement_document(documents: Documents, wish: Wish, epoch: int) -> dict[str, Any]:
    active = active_place(wish.placement)
    return {
        "placement": {place: dict(replicas) for place, replicas in wish.placement.items()},
        "active_place": active,
        "active_region": None if active is None else _region_of(active, documents, wish),
        "decision_id": None if wish.decision is None else decision_id(wish.decision, epoch),
    }


def _region_of(place: str, documents: Documents, wish: Wish) -> str:
    """The place's region, from whoever knows it; a place is called by its region unless told otherwise."""
    given = ((wish.places or {}).get(place) or {}).get("region")
    stored = documents.get((PLACE, place), {}).get("region")
    decided = ((wish.decision or {}).get("inputs") or {}).get("places") or {}
    region = given or stored or decided.get(place) or (place if REGION.fullmatch(place) else None)
    if region is None:
        raise InputError("placement", place, "has no known region: give it as places.<place>.region")
    return region


def remembers(documents: Documents, now: int) -> bool:
    """Whether the ledger says anything at all."""
    return REMEMBERED in documents and now <= documents[REMEMBERED]["until"]


def ledger_of(documents: Documents) -> dict[str, ledger.Entry]:
    """The failure ledger that the documents hold, expired entries as well."""
    return {
        sk: ledger.entry_from({**content(document), "key": sk})
        for (pk, sk), document in documents.items()
        if pk == LEDGER
    }


def apply_changes(documents: Documents, changes: list[Change]) -> dict[Key, Mapping[str, Any]]:
    """The documents after the changes."""
    after = dict(documents)
    for change in changes:
        after.pop(change.key, None)
        if change.after is not None:
            after[change.key] = change.after
    return after


def summary(documents: Documents) -> dict[str, Any]:
    """The state as modules return it."""
    placement = documents.get(PLACEMENT, {})
    return {
        "epoch": epoch_of(documents),
        "generation": generation_of(documents),
        "switch": documents.get(SWITCH, {}).get("enabled"),
        "placement": placement.get("placement", {}),
        "active_place": placement.get("active_place"),
        "active_region": placement.get("active_region"),
        "decision_id": placement.get("decision_id"),
        "status": documents.get(STATUS, {}).get("status"),
        "places": {sk: content(document) for (pk, sk), document in sorted(documents.items()) if pk == PLACE},
    }
