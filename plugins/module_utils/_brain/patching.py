# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When and how widely Systems Manager patches a fleet's nodes. PRIVATE to the collection."""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError

NOTHING = "none"
INSTALL = "install"
OPERATIONS = (NOTHING, "scan", INSTALL)
# Six fields of cron and no rate: an association that runs at its times only takes no rate (botocore model: CreateAssociation).
SCHEDULE = re.compile(r"cron\([0-9*?/,#LWA-Z-]+( [0-9*?/,#LWA-Z-]+){5}\)")
# botocore model: CreateAssociation, MaxConcurrency.
CONCURRENCY = re.compile(r"[1-9][0-9]{0,6}|[1-9][0-9]?%|100%")


def check_schedule(value: Any, option: str) -> str:
    """A schedule as Systems Manager has them."""
    if not isinstance(value, str) or not SCHEDULE.fullmatch(value):
        rule = "must be cron(MINUTES HOURS DAY_OF_MONTH MONTH DAY_OF_WEEK YEAR), such as cron(0 3 ? * SUN *)"
        raise InputError(option, value, rule)
    return value


def check_concurrency(value: Any, option: str) -> str:
    """How many nodes at a time."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not CONCURRENCY.fullmatch(text):
        raise InputError(option, value, "must be a whole number of at least 1, or a percentage from 1% to 100%")
    return text
