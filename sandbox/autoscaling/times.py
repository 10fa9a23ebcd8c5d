# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Moments as Auto Scaling writes them."""

from __future__ import annotations

from datetime import UTC
from datetime import datetime


def stamp(moment: datetime | None = None) -> str:
    """UTC to the second; now where no moment is given."""
    return f"{moment or datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


def precise(moment: datetime) -> str:
    """UTC to the millisecond, as in events."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
