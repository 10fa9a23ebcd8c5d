# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls to Elastic Load Balancing, one each. PRIVATE to the collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError
from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import translated


def describe_target_groups(client: Any, arns: list[str]) -> list[dict[str, Any]]:
    """Those that exist; none if any of them is gone, since AWS then refuses them all."""
    try:
        return _describe_target_groups(client, arns)
    except AwsError as error:
        if error.code == "TargetGroupNotFound":
            return []
        raise


@translated("describe the target groups")
def _describe_target_groups(client: Any, arns: list[str]) -> list[dict[str, Any]]:
    return client.describe_target_groups(TargetGroupArns=arns)["TargetGroups"]
