# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A deployment's state where it is kept and where it is published. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._aws import parameters
from ansible_collections.ethereal.spot.plugins.module_utils._aws import state_table
from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError
from ansible_collections.ethereal.spot.plugins.module_utils._brain import ledger
from ansible_collections.ethereal.spot.plugins.module_utils._brain import state
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import EtherealSpotError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.names import parameter_name
from ansible_collections.ethereal.spot.plugins.module_utils._brain.names import table_name
from ansible_collections.ethereal.spot.plugins.module_utils._brain.views import VIEWS

# Each lost race means that somebody else has written; as many in a row mean something else.
ATTEMPTS = 5


class Store:
    """The state table. `exists` is known after the first read."""

    def __init__(self, client: Any, prefix: str) -> None:
        self._client = client
        self._name = table_name(prefix)
        self.exists = True

    def read(self, wish: state.Wish, now: int) -> dict[state.Key, Any]:
        """Every document that a plan for the wish needs, and the ledger if it says anything; none if there is no table."""
        try:
            documents = state_table.get_documents(
                self._client, self._name, [state.PLACEMENT, state.SWITCH, state.STATUS, state.REMEMBERED]
            )
            if wish.decision is not None and wish.placement is None:
                key = (state.DECISION, state.decision_id(wish.decision, state.epoch_of(documents)))
                documents |= state_table.get_documents(self._client, self._name, [key])
            if wish.failures or state.remembers(documents, now):
                documents |= state_table.query_documents(self._client, self._name, state.LEDGER)
            return documents | state_table.query_documents(self._client, self._name, state.PLACE)
        except AwsError as error:
            self._note_missing(error)
            return {}

    def ledger(self, now: int) -> dict[str, ledger.Entry]:
        """The failure ledger alone, for those who decide by it, without what says nothing any more; empty without a table."""
        try:
            documents = state_table.query_documents(self._client, self._name, state.LEDGER)
        except AwsError as error:
            self._note_missing(error)
            return {}
        state.check_versions(documents)
        return ledger.prune(state.ledger_of(documents), now)

    def _note_missing(self, error: AwsError) -> None:
        """Let every other error through."""
        if error.code != state_table.NO_TABLE:
            raise error
        self.exists = False

    def bring(
        self, wish: state.Wish, now: int, check_mode: bool = False
    ) -> tuple[dict[state.Key, Any], list[state.Change]]:
        """Change what the wish changes, in one transaction. Returns the documents as they were, and the changes.

        `now` is in seconds since 1970. In check mode nothing is written.
        """
        for attempt in range(1, ATTEMPTS + 1):
            documents = self.read(wish, now)
            changes = state.plan(documents, wish, now)
            if not changes or check_mode:
                break
            if not self.exists:
                raise EtherealSpotError(
                    f"prefix: there is no table {self._name} in {self._client.meta.region_name} to write to; "
                    "the hub's stack makes it (role ethereal.spot.hub)"
                )
            try:
                state_table.write_documents(self._client, self._name, changes, documents.get(state.PLACEMENT))
                break
            except state_table.Conflict:
                # Decide anew from what the other has written; a wish that no longer holds is refused by the plan.
                if attempt == ATTEMPTS:
                    raise
        return documents, changes


class Publication:
    """The published parameters, by view."""

    def __init__(self, client: Any, prefix: str) -> None:
        self._client = client
        self.name = {view: parameter_name(prefix, view) for view in VIEWS}

    def read(self) -> dict[str, str]:
        """The views that exist."""
        found = parameters.get_parameters(self._client, list(self.name.values()))
        return {view: found[name] for view, name in self.name.items() if name in found}

    def write(self, changes: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        """Make the changes of views.plan_views, and yield each as soon as it is made."""
        gone = [change for change in changes if change["after"] is None]
        for change in changes:
            if change["after"] is not None:
                parameters.put_parameter(self._client, self.name[change["view"]], change["after"])
                yield change
        if gone:
            parameters.delete_parameters(self._client, [self.name[change["view"]] for change in gone])
            yield from gone
