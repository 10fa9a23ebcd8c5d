# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The error that Auto Scaling answers nearly everything with."""

from __future__ import annotations

from moto.core.exceptions import ServiceException


def invalid(message: str) -> ServiceException:
    return ServiceException("ValidationError", message)
