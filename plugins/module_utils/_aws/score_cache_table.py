# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers to score questions in the state table, for everyone who decides from it. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Mapping
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._aws import state_table
from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError
from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import translated
from ansible_collections.ethereal.spot.plugins.module_utils._brain import state
from ansible_collections.ethereal.spot.plugins.module_utils._brain.attribute_values import serialize
from ansible_collections.ethereal.spot.plugins.module_utils._brain.attribute_values import serialize_item
from ansible_collections.ethereal.spot.plugins.module_utils._brain.names import table_name
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.scores import PARTITION


class TableCache:
    """Documents of `_brain/ranking/scores.py` by fingerprint. Without a table it is empty and stays so.

    `placement` is what the state says is placed now, once the cache was read: it comes in the same call.
    """

    def __init__(self, client: Any, prefix: str) -> None:
        self._client = client
        self._table = table_name(prefix)
        self._exists = True
        self._frame: dict[str, Any] = {}
        self.placement: Mapping[str, Mapping[str, int]] = {}

    def read(self, fingerprints: Collection[str]) -> dict[str, Mapping[str, Any]]:
        """Those of the documents that are kept. Raises AwsError."""
        keys = [state.PLACEMENT, *((PARTITION, each) for each in fingerprints)]
        try:
            documents = state_table.get_documents(self._client, self._table, keys)
        except AwsError as error:
            if error.code != state_table.NO_TABLE:
                raise
            self._exists = False
            return {}
        placed = {key: documents.pop(key) for key in [state.PLACEMENT] if key in documents}
        state.check_versions(placed)
        self._frame = {"generation": state.generation_of(placed), "epoch": state.epoch_of(placed)}
        self.placement = placed.get(state.PLACEMENT, {}).get("placement", {})
        return {sk: document for (_pk, sk), document in documents.items()}

    def write(self, fingerprint: str, document: Mapping[str, Any]) -> None:
        """Keep a document, unless a later answer is kept already. Raises AwsError."""
        if not self._exists:
            return
        try:
            self._put({"pk": PARTITION, "sk": fingerprint, **self._frame, **document})
        except AwsError as error:
            if error.code != "ConditionalCheckFailedException":
                raise

    @translated("keep placement scores")
    def _put(self, item: Mapping[str, Any]) -> None:
        # Nothing is decided from the epoch here, and what another version of the collection keeps is not ours to change.
        self._client.put_item(
            TableName=self._table,
            Item=serialize_item(item),
            ConditionExpression="attribute_not_exists(pk) OR (schema_version = :version AND asked_at < :asked_at)",
            ExpressionAttributeValues={
                ":version": serialize(item["schema_version"]),
                ":asked_at": serialize(item["asked_at"]),
            },
        )
