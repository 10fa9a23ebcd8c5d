# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A request that Image Builder refuses."""

from __future__ import annotations


class Refused(Exception):
    """The error's code, message and HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


def not_found(arn: str) -> Refused:
    return Refused("ResourceNotFoundException", f"The resource {arn} does not exist.", 404)
