# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images that AWS publishes under SSM parameters. PRIVATE to the collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError
from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import translated


def image_of(client: Any, parameter: str) -> str | None:
    """The value of a parameter; None if there is none."""
    try:
        return _get_parameter(client, parameter)
    except AwsError as error:
        if error.code in ("ParameterNotFound", "ParameterVersionNotFound"):
            return None
        raise


@translated("read the image's parameter")
def _get_parameter(client: Any, parameter: str) -> str:
    return client.get_parameter(Name=parameter)["Parameter"]["Value"]
