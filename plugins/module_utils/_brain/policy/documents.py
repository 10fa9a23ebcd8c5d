# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The policy's state as a JSON document, and back. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain import ledger
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import EtherealSpotError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Attempts
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Memory
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Move
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import Seen
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import State

SCHEMA_VERSION = 1


def document(state: State) -> dict[str, Any]:
    """The state as plain JSON. The ledger is left out: it has documents of its own, which others read as well."""
    return {
        **state._asdict(),
        "schema_version": SCHEMA_VERSION,
        "memories": {key: list(memory) for key, memory in sorted(state.memories.items())},
        "seen": {number: list(seen) for number, seen in sorted(state.seen.items())},
        "moving": None if state.moving is None else _plain(state.moving),
        "attempts": _plain(state.attempts),
        "ledger": None,
    }


def state_from(found: Mapping[str, Any], entries: ledger.Ledger) -> State:
    """The state that a document holds, with the ledger's entries. EtherealSpotError for a version that is not known."""
    version = found.get("schema_version")
    fields = set(found) - {"schema_version"}
    if version != SCHEMA_VERSION or fields != set(State._fields):
        raise EtherealSpotError(
            f"the policy's state has schema_version {version!r}, this collection knows {SCHEMA_VERSION}: use the "
            "version of the collection that wrote it, or a newer one",
            schema_version=version,
        )
    moving = found["moving"]
    excluded, patient_until, wait_until, refused, resting, at = found["attempts"]
    return State(
        **{
            **{name: found[name] for name in State._fields},
            "memories": {key: Memory(*memory) for key, memory in found["memories"].items()},
            "seen": {number: Seen(*seen) for number, seen in found["seen"].items()},
            "moving": None if moving is None else Move(moving[0], None if moving[1] is None else tuple(moving[1])),
            "attempts": Attempts(tuple(excluded), patient_until, wait_until, tuple(refused), tuple(resting), at),
            "ledger": entries,
        }
    )


def _plain(record: tuple[Any, ...]) -> list[Any]:
    return [list(value) if isinstance(value, tuple) else value for value in record]
