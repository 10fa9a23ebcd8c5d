# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls to the SSM Parameter Store, one each. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import translated


@translated("read the published parameters")
def get_parameters(client: Any, names: Sequence[str]) -> dict[str, str]:
    """Value by name of those that exist; at most ten names."""
    return {found["Name"]: found["Value"] for found in client.get_parameters(Names=list(names))["Parameters"]}


@translated("publish a parameter")
def put_parameter(client: Any, name: str, value: str) -> None:
    """Create or overwrite a plain standard parameter of 4 KB at most."""
    client.put_parameter(Name=name, Value=value, Type="String", Tier="Standard", Overwrite=True)


@translated("delete published parameters")
def delete_parameters(client: Any, names: Sequence[str]) -> list[str]:
    """Delete those that exist, ten names at most; returns what was deleted."""
    return client.delete_parameters(Names=list(names))["DeletedParameters"]
