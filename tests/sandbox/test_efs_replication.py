# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""EFS replication as the botocore model states it: one destination, read-only, a time that moves, and its end."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from sandbox_process import ROOT
from sandbox_process import Sandbox
from stack_tools import Stacks

TEMPLATE = """
Parameters:
  Replica: {Type: String, Default: ""}
Conditions:
  Replicates: !Not [!Equals [!Ref Replica, ""]]
Resources:
  Files:
    Type: AWS::EFS::FileSystem
    Properties:
      Encrypted: true
      ReplicationConfiguration: !If
        - Replicates
        - {Destinations: [{Region: !Ref Replica}]}
        - !Ref AWS::NoValue
Outputs:
  Files: {Value: !Ref Files}
"""


@pytest.fixture
def stacks(sandbox: Sandbox) -> Stacks:
    return Stacks(sandbox)


def destination(efs: Any, files: str) -> dict[str, Any]:
    (found,) = efs.describe_replication_configurations(FileSystemId=files)["Replications"]
    return found["Destinations"][0]


def made(stacks: Stacks) -> tuple[Any, str]:
    stack = stacks.create("files", TEMPLATE, {"Replica": "eu-central-1"})
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    return stacks.client("efs"), stack["Outputs"][0]["OutputValue"]


def test_the_copy_gets_newer(stacks: Stacks) -> None:
    efs, files = made(stacks)
    first = destination(efs, files)
    assert (first["Region"], first["Status"]) == ("eu-central-1", "ENABLED")
    time.sleep(1.1)
    assert destination(efs, files)["LastReplicatedTimestamp"] > first["LastReplicatedTimestamp"]


def test_a_file_system_has_one_copy(stacks: Stacks) -> None:
    efs, files = made(stacks)
    with pytest.raises(ClientError):
        efs.create_replication_configuration(SourceFileSystemId=files, Destinations=[{"Region": "us-west-2"}])
    assert destination(efs, files)["Region"] == "eu-central-1"
    with pytest.raises(ClientError):
        efs.delete_file_system(FileSystemId=files)


def test_the_copy_is_read_only_until_the_replication_ends(stacks: Stacks, sandbox: Sandbox) -> None:
    efs, files = made(stacks)
    copy = destination(efs, files)["FileSystemId"]
    there = sandbox.client("efs", "eu-central-1")
    assert protection(there, copy) == "REPLICATING"
    with pytest.raises(ClientError):
        there.update_file_system_protection(FileSystemId=copy, ReplicationOverwriteProtection="DISABLED")
    stacks.update("files", TEMPLATE, {"Replica": ""})
    with pytest.raises(ClientError, match="ReplicationNotFound"):
        destination(efs, files)
    assert protection(there, copy) == "ENABLED"


def test_a_place_declares_its_files(stacks: Stacks, sandbox: Sandbox) -> None:
    key = sandbox.client("kms", "eu-central-1").create_key()["KeyMetadata"]
    body = (ROOT / "roles/worker/files/region.template").read_text()
    asked = {
        "FilesThroughput": "provisioned",
        "FilesProvisionedMibps": "64",
        "FilesInfrequentAfter": "AFTER_7_DAYS",
        "FilesBackup": "DISABLED",
        "FilesReplicaRegion": "eu-central-1",
        "FilesReplicaKey": key["Arn"],
    }
    place = {"Prefix": "llm", "Place": "ireland", "FlowLogs": "false"}
    stack = stacks.create("place", body, {**place, **asked})
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack
    files = next(item["OutputValue"] for item in stack["Outputs"] if item["OutputKey"] == "FileSystemId")
    efs = stacks.client("efs")
    (found,) = efs.describe_file_systems(FileSystemId=files)["FileSystems"]
    assert (found["ThroughputMode"], found["ProvisionedThroughputInMibps"]) == ("provisioned", 64)
    assert efs.describe_backup_policy(FileSystemId=files)["BackupPolicy"]["Status"] in ("DISABLED", "DISABLING")
    tiers = [{"TransitionToIA": "AFTER_7_DAYS"}, {"TransitionToPrimaryStorageClass": "AFTER_1_ACCESS"}]
    assert lifecycle(efs, files) == tiers
    copy = destination(efs, files)
    assert copy["Region"] == "eu-central-1"
    there = sandbox.client("efs", "eu-central-1").describe_file_systems(FileSystemId=copy["FileSystemId"])
    assert there["FileSystems"][0]["KmsKeyId"] == key["Arn"]
    stack = stacks.update("place", body, {**place, "FilesInfrequentAfter": ""})
    assert stack["StackStatus"] == "UPDATE_COMPLETE", stack
    (found,) = efs.describe_file_systems(FileSystemId=files)["FileSystems"]
    assert found["ThroughputMode"] == "elastic"
    assert efs.describe_backup_policy(FileSystemId=files)["BackupPolicy"]["Status"] in ("ENABLED", "ENABLING")
    assert lifecycle(efs, files) == []
    with pytest.raises(ClientError, match="ReplicationNotFound"):
        destination(efs, files)


def lifecycle(efs: Any, files: str) -> list[dict[str, str]]:
    return efs.describe_lifecycle_configuration(FileSystemId=files)["LifecyclePolicies"]


def protection(efs: Any, files: str) -> str:
    (found,) = efs.describe_file_systems(FileSystemId=files)["FileSystems"]
    return found["FileSystemProtection"]["ReplicationOverwriteProtection"]
