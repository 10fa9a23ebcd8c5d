# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What EC2 asks of IAM and KMS, which live in the other emulator."""

from __future__ import annotations

import json
import uuid
from types import SimpleNamespace
from typing import Any

from ministack.core import iam_evaluator
from ministack.core import responses
from ministack.services import iam
from ministack.services import kms
from ministack.services import ssm
from moto.core.exceptions import ServiceException
from moto.utilities.utils import get_partition

NEEDS = [
    "ministack.core.iam_evaluator.EvalContext",
    "ministack.core.iam_evaluator.evaluate_resource_policy",
    "ministack.services.iam._instance_profiles",
    "ministack.services.kms._grants",
    "ministack.services.kms._resolve_key",
    "ministack.services.ssm._get_parameter",
]

_BY_PARAMETER = "resolve:ssm:"

# What EBS needs of a key (EBS user guide, "Requirements for Amazon EBS encryption"), with what a grant calls it.
_KEY_ACTIONS = (
    "CreateGrant",
    "Decrypt",
    "DescribeKey",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
)


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


def key_fault(account: str, region: str, key_arn: str, role: str | None = None) -> str | None:
    """The state reason with which an instance dies whose volume cannot use its key; None where it can.

    `role` is the one that Auto Scaling launches with. Other callers' rights on keys are not judged. Source: EC2 API reference,
    StateReason; kops#11545 and github-aws-runners#3546 for what users see.
    """
    if key_arn == managed_key_arn(account, region):
        return None
    found = key(account, region, key_arn)
    if found is None or (role and not _may_use(found, region, role)):
        return "Client.InternalError: Client error on launch"
    if found.get("KeyState") != "Enabled":
        return "Client.InvalidKMSKey.InvalidState: The KMS key provided is in an incorrect state"
    return None


def _may_use(found: dict[str, Any], region: str, role: str) -> bool:
    """Whether the key's policy or a grant names the role.

    A service-linked role has no rights on customers' keys, so that a statement for the account does not help it (EC2 Auto Scaling
    user guide, "Required AWS KMS key policy for use with encrypted volumes").
    """
    granted = {
        operation
        for grant in kms._grants.values()
        if grant["KeyId"] == found["Arn"] and grant["GranteePrincipal"] == role
        for operation in grant["Operations"]
    }
    for action in _KEY_ACTIONS:
        verdict = iam_evaluator.evaluate_resource_policy(
            found.get("Policy"), _request(found, region, role, action), named_only=True
        )
        if verdict.decision == "Deny" or (verdict.decision != "Allow" and action not in granted):
            return False
    return True


def _request(found: dict[str, Any], region: str, role: str, action: str) -> iam_evaluator.EvalContext:
    account = role.split(":")[4]
    suffix = "amazonaws.com.cn" if get_partition(region) == "aws-cn" else "amazonaws.com"
    for_service = {"kms:grantisforawsresource": "true"} if action == "CreateGrant" else {}
    return iam_evaluator.EvalContext(
        principal_arn=role,
        principal_type="AssumedRole",
        principal_account=account,
        action=f"kms:{action}",
        resource_arn=found["Arn"],
        region=region,
        service_context={"kms:calleraccount": account, "kms:viaservice": f"ec2.{region}.{suffix}", **for_service},
    )
