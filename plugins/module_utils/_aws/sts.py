# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls to STS, one each. PRIVATE to the collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import translated


@translated("find out whose credentials these are")
def caller_account(client: Any) -> str:
    """The account of the caller; this needs no permission."""
    return client.get_caller_identity()["Account"]
