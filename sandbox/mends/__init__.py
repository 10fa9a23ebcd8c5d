# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ministack lacks or does differently from AWS, mended by service."""

from __future__ import annotations

from sandbox.context import Context

NEEDS: list[str] = []


def install(context: Context) -> None:
    """Install the mends of every service."""
