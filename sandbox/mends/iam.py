# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""IAM: ministack knows a handful of AWS's managed policies; moto carries AWS's own list of all of them."""

from __future__ import annotations

import json
from typing import Any

from ministack.services import iam

from sandbox.context import Context

NEEDS = [
    "ministack.services.iam._aws_managed_policies",
    "ministack.services.iam._make_aws_managed_record",
    "moto.iam.aws_managed_policies.aws_managed_policies_data",
]


class _Policies(dict):
    """ministack's own records; the rest is read the first time one of them is missing, since reading takes a second."""

    complete = False

    def get(self, arn: str, default: Any = None) -> Any:
        if arn not in self and not self.complete:
            self._read()
        return super().get(arn, default)

    def clear(self) -> None:
        super().clear()
        self.complete = False

    def _read(self) -> None:
        from moto.iam.aws_managed_policies import aws_managed_policies_data

        self.complete = True
        for name, policy in json.loads(aws_managed_policies_data).items():
            record = iam._make_aws_managed_record(
                f"{policy['Path'].strip('/')}/{name}".strip("/"), json.dumps(policy["Document"])
            )
            self.setdefault(record["Arn"], record)


def install(context: Context) -> None:
    iam._aws_managed_policies = _Policies(iam._aws_managed_policies)
