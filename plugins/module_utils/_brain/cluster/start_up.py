# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A node's user data: the user's script, run at every boot. PRIVATE to the collection."""

from __future__ import annotations

import base64
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import USER_DATA_LIMIT
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError

# cloud-init runs what lies here at every boot (cloud-init reference, "Scripts Per Boot"), but before user data: the first
# time the script does not lie there yet, and the wrapper starts it.
SCRIPT = "/var/lib/cloud/scripts/per-boot/50-private-cluster"
WRAPPER = """#!/bin/sh
set -eu
umask 077
mkdir -p "$(dirname {script})"
printf %s '{encoded}' | base64 -d > {script}.new
chmod 0700 {script}.new
mv {script}.new {script}
exec {script}
"""


def wrapped(script: str) -> str:
    """User data that keeps the script on the node and runs it now and at every boot; nothing for an empty script.

    The script goes as base64, so that no word of it is read by the wrapper's shell.
    """
    if not script:
        return ""
    return WRAPPER.format(script=SCRIPT, encoded=base64.b64encode(script.encode()).decode())


def check_user_data(value: Any, option: str) -> str:
    """A script with its interpreter that fits, wrapped, into user data. It is never shown: it may hold a secret."""
    if not isinstance(value, str):
        raise InputError(option, type(value).__name__, "must be a script as text")
    size = len(wrapped(value).encode())
    if value and not value.startswith("#!"):
        raise InputError(option, f"a text of {len(value)} characters", "must begin with #! and its interpreter")
    if size > USER_DATA_LIMIT:
        raise InputError(option, f"a script that makes user data of {size} bytes", f"limit {USER_DATA_LIMIT}")
    return value
