# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The verdict on one request."""

from __future__ import annotations

from sandbox.errors import Reply
from sandbox.request import Request


def refusal(request: Request) -> Reply | None:
    """AWS's error for a request that its service's model does not allow; None for one that it does."""
    return None
