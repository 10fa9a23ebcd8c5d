# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What EC2 asks of IAM and KMS, which live in the other emulator."""

from __future__ import annotations

import json
import uuid
from types import SimpleNamespace
from typing import Any

from ministack.core import responses
from ministack.services import iam
from ministack.services import kms
from ministack.services import ssm
from moto.core.exceptions import ServiceException
from moto.utilities.utils import get_partition

NEEDS = [
    "ministack.services.iam._instance_profiles",
    "ministack.services.kms._resolve_key",
    "ministack.services.ssm._get_parameter",
]

_BY_PARAMETER = "resolve:ssm:"


def image_id(account: str, region: str, given: str | None) -> str | None:
    """An image id as it is, or the value of the parameter that `resolve:ssm:<name>` names; None where that is missing."""
    if not given or not given.startswith(_BY_PARAMETER):
        return given
    with responses.request_scope(account, region):
        status, _headers, body = ssm._get_parameter({"Name": given.removeprefix(_BY_PARAMETER)})
    return json.loads(body)["Parameter"]["Value"] if status == 200 else None


def instance_profile(name: str | None, arn: str | None) -> SimpleNamespace:
    """The profile as moto's EC2 wants it. Raises InvalidParameterValue, as RunInstances does."""
    for profile in iam._instance_profiles.values():
        if (name is None or profile["InstanceProfileName"] == name) and (arn is None or profile["Arn"] == arn):
            return SimpleNamespace(
                name=profile["InstanceProfileName"], arn=profile["Arn"], id=profile["InstanceProfileId"]
            )
    part, value, kind = ("name", name, "name") if name else ("arn", arn, "ARN")
    raise ServiceException(
        "InvalidParameterValue",
        f"Value ({value}) for parameter iamInstanceProfile.{part} is invalid. Invalid IAM Instance Profile {kind}",
    )


def key(account: str, region: str, key_id: str) -> dict[str, Any] | None:
    """A KMS key by id, ARN, alias or alias ARN; None where the region has none such."""
    with responses.request_scope(account, region):
        return kms._resolve_key(key_id)


def key_arn(account: str, region: str, key_id: str) -> str:
    """Volumes always show the key's ARN, whatever form the request had."""
    found = key(account, region, key_id)
    return found["Arn"] if found else key_id


def managed_key_arn(account: str, region: str) -> str:
    """AWS's own key for EBS in the region: one that nobody sees in the account's list."""
    number = uuid.uuid5(uuid.NAMESPACE_URL, f"{account}/{region}/alias/aws/ebs")
    return f"arn:{get_partition(region)}:kms:{region}:{account}:key/{number}"


def key_fault(account: str, region: str, key_arn: str) -> str | None:
    """The state reason with which an instance dies whose volume cannot use its key; None where it can.

    Source: EC2 API reference, StateReason; kops#11545 and github-aws-runners#3546 for what users see.
    """
    if key_arn == managed_key_arn(account, region):
        return None
    found = key(account, region, key_arn)
    if found is None:
        return "Client.InternalError: Client error on launch"
    if found.get("KeyState") != "Enabled":
        return "Client.InvalidKMSKey.InvalidState: The KMS key provided is in an incorrect state"
    return None
