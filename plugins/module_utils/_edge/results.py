# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a module ends: its result, or our error as a failed one. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from typing import NoReturn

from ansible.module_utils.common.warnings import warn

from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import EtherealSpotError


def run_module(module: Any, action: Callable[[Any], dict[str, Any]]) -> NoReturn:
    """Run a module's one function and end the process with its result, or with our error's message and details.

    Their `warnings` go to Ansible's own: as a plain key of the result they are deprecated.
    """
    try:
        result = action(module)
    except EtherealSpotError as error:
        _warn(error.details)
        module.fail_json(msg=error.message, **error.details)
    _warn(result)
    module.exit_json(**result)


def _warn(result: dict[str, Any]) -> None:
    for text in result.pop("warnings", []):
        warn(text)
