# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from datetime import UTC
from datetime import datetime
from datetime import timedelta
from datetime import timezone
from typing import Any

import pytest

from ansible_collections.ethereal.spot.plugins.module_utils._brain import files
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError

SOURCE, COPY = "fs-0123456789abcdef0", "fs-0123456789abcdef1"


def replication(**destination: Any) -> dict[str, Any]:
    standing = {"FileSystemId": COPY, "Region": "eu-central-1", "Status": "ENABLED"}
    return {"SourceFileSystemId": SOURCE, "Destinations": [{**standing, **destination}]}


def test_the_copys_age_is_told_in_utc() -> None:
    last = datetime(2026, 3, 1, 13, 58, 7, 500000, timezone(timedelta(hours=2)))
    assert files.replication_view(replication(LastReplicatedTimestamp=last), SOURCE) == {
        "file_system_id": COPY,
        "last_replicated": "2026-03-01T11:58:07+00:00",
        "message": None,
        "region": "eu-central-1",
        "status": "ENABLED",
    }
    assert last.astimezone(UTC).hour == 11


def test_a_copy_that_is_not_complete_has_no_age() -> None:
    view = files.replication_view(replication(Status="ENABLING"), SOURCE)
    assert view is not None and view["last_replicated"] is None
    assert files.why_replication(SOURCE, view) == []


def test_a_copy_has_no_copy() -> None:
    assert files.replication_view(replication(), COPY) is None


@pytest.mark.parametrize(
    ("destination", "sentence"),
    [
        ({"Status": "ERROR"}, f"The replication of {SOURCE} to eu-central-1 is ERROR."),
        (
            {"Status": "PAUSED", "StatusMessage": "no key"},
            f"The replication of {SOURCE} to eu-central-1 is PAUSED: no key",
        ),
    ],
)
def test_a_copy_that_is_not_kept_up_to_date(destination: dict[str, Any], sentence: str) -> None:
    assert files.why_replication(SOURCE, files.replication_view(replication(**destination), SOURCE)) == [sentence]


def test_a_copy_that_is_missing() -> None:
    assert files.why_replication(SOURCE, None) == [f"File system {SOURCE} is not replicated."]


@pytest.mark.parametrize(
    "value", ["", "fs-1", "arn:aws:elasticfilesystem:eu-west-1:123456789012:file-system/" + SOURCE, 1]
)
def test_what_is_no_id(value: Any) -> None:
    with pytest.raises(InputError, match="file_system_id"):
        files.check_file_system_id(value, "file_system_id")


def test_the_copy_lies_elsewhere() -> None:
    files.check_replica("eu-central-1", "eu-west-1", "replica")
    with pytest.raises(InputError, match="own region"):
        files.check_replica("eu-west-1", "eu-west-1", "replica")


@pytest.mark.parametrize(
    ("key", "replica", "rule"),
    [
        ("arn:aws:kms:eu-central-1:123456789012:alias/a", None, "needs region, whose copy it encrypts"),
        ("arn:aws:kms:eu-west-1:123456789012:alias/a", "eu-central-1", "is in eu-west-1, the copy is in eu-central-1"),
        ("arn:aws-cn:kms:eu-central-1:123456789012:alias/a", "eu-central-1", "partition"),
    ],
)
def test_the_copys_key_lies_where_the_copy_is(key: str, replica: str | None, rule: str) -> None:
    files.check_replica_key("arn:aws:kms:eu-central-1:123456789012:alias/a", "eu-central-1", "key", "region")
    with pytest.raises(InputError, match=rule):
        files.check_replica_key(key, replica, "key", "region")
