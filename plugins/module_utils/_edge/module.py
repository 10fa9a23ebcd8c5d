# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where modules meet Ansible: clients with standard retries, errors into failed results. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from typing import NoReturn

try:
    from botocore.config import Config
except ImportError:
    pass  # AnsibleAWSModule reports a missing botocore.

from ansible.module_utils.common.warnings import warn
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import EtherealSpotError

# Standard mode retries throttling and transport errors with jitter under a quota; legacy mode, the default, has none.
RETRIES = {"mode": "standard", "total_max_attempts": 5}


class Clients:
    """Plain botocore clients by service and region, one each; the module's own region unless another is named."""

    def __init__(self, module: AnsibleAWSModule, connect_timeout: int = 10, read_timeout: int = 60) -> None:
        self._module = module
        self._config = {
            "retries": RETRIES,
            "connect_timeout": connect_timeout,
            "read_timeout": read_timeout,
            "max_pool_connections": 16,
        }
        self._known: dict[tuple[str, str | None], Any] = {}

    def __call__(self, service: str, region: str | None = None) -> Any:
        key = (service, region)
        if key not in self._known:
            extra = {"region": region} if region else {}
            self._known[key] = self._module.client(service, config=Config(**self._config), **extra)
        return self._known[key]


def run_module(module: AnsibleAWSModule, action: Callable[[AnsibleAWSModule], dict[str, Any]]) -> NoReturn:
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
