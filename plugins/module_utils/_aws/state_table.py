# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls to the state table, one each; every write is conditional. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

try:
    from botocore.exceptions import ClientError
except ImportError:
    pass  # See errors.py.

from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError
from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import translated
from ansible_collections.ethereal.spot.plugins.module_utils._brain.attribute_values import deserialize_item
from ansible_collections.ethereal.spot.plugins.module_utils._brain.attribute_values import serialize
from ansible_collections.ethereal.spot.plugins.module_utils._brain.attribute_values import serialize_item
from ansible_collections.ethereal.spot.plugins.module_utils._brain.state import PLACEMENT
from ansible_collections.ethereal.spot.plugins.module_utils._brain.state import Change
from ansible_collections.ethereal.spot.plugins.module_utils._brain.state import Key

NO_TABLE = "ResourceNotFoundException"
# Reasons of a cancelled transaction by which another writer was first (DynamoDB API reference, TransactWriteItems).
LOST_RACES = frozenset({"ConditionalCheckFailed", "TransactionConflict"})
# Of the placement, what a write of anything else depends on.
PLACEMENT_IDENTITY = ("schema_version", "generation", "epoch")


class Conflict(AwsError):
    """Another writer was first: nothing was written, and the state has to be read again."""


@translated("read the state")
def get_documents(client: Any, table: str, keys: Sequence[Key]) -> dict[Key, dict[str, Any]]:
    """Those of the documents that exist, all as of one moment; at most 100 keys."""
    gets = [{"Get": {"TableName": table, "Key": _key(key)}} for key in keys]
    answers = client.transact_get_items(TransactItems=gets)["Responses"]
    return {
        key: deserialize_item(answer["Item"]) for key, answer in zip(keys, answers, strict=True) if answer.get("Item")
    }


@translated("read the state")
def query_documents(client: Any, table: str, pk: str) -> dict[Key, dict[str, Any]]:
    """All documents under one partition key, strongly consistent."""
    pages = client.get_paginator("query").paginate(
        TableName=table,
        ConsistentRead=True,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": serialize(pk)},
    )
    items = [deserialize_item(item) for page in pages for item in page["Items"]]
    return {(item["pk"], item["sk"]): item for item in items}


@translated("write the state")
def write_documents(client: Any, table: str, changes: Sequence[Change], placement: Mapping[str, Any] | None) -> None:
    """All changes or none, provided that each document is still as it was before, and the placement too.

    `placement` is the document that the changes were decided from. Raises Conflict if another writer was first.
    """
    writes = [_write(table, change) for change in changes]
    if all(change.key != PLACEMENT for change in changes):
        identity = None if placement is None else {name: placement[name] for name in PLACEMENT_IDENTITY}
        writes.append({"ConditionCheck": {"TableName": table, "Key": _key(PLACEMENT), **unchanged(identity)}})
    try:
        client.transact_write_items(TransactItems=writes)
    except ClientError as error:
        reasons = error.response.get("CancellationReasons")
        if reasons is None:
            raise
        found = sorted({reason.get("Code", "None") for reason in reasons} - {"None"})
        texts = sorted({reason["Message"] for reason in reasons if reason.get("Message")})
        kind = Conflict if LOST_RACES.intersection(found) else AwsError
        request_id = error.response.get("ResponseMetadata", {}).get("RequestId")
        raise kind("write the state", ", ".join(found), "; ".join(texts), request_id, error.operation_name) from error


def unchanged(before: Mapping[str, Any] | None) -> dict[str, Any]:
    """The condition that a document still has these attributes, or still does not exist."""
    if before is None:
        return {"ConditionExpression": "attribute_not_exists(pk)"}
    attributes = sorted(name for name in before if name not in ("pk", "sk"))
    return {
        "ConditionExpression": " AND ".join(f"#a{at} = :v{at}" for at in range(len(attributes))),
        "ExpressionAttributeNames": {f"#a{at}": name for at, name in enumerate(attributes)},
        "ExpressionAttributeValues": {f":v{at}": serialize(before[name]) for at, name in enumerate(attributes)},
    }


def _write(table: str, change: Change) -> dict[str, Any]:
    condition = {"TableName": table, **unchanged(change.before)}
    if change.after is None:
        return {"Delete": {"Key": _key(change.key), **condition}}
    return {"Put": {"Item": serialize_item(change.after), **condition}}


def _key(key: Key) -> dict[str, Any]:
    return serialize_item({"pk": key[0], "sk": key[1]})
