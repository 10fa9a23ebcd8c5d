# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What modules with AWS clients need of Ansible: clients with standard retries. PRIVATE to the collection."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError
except ImportError:
    pass  # AnsibleAWSModule reports a missing botocore.

from ansible_collections.amazon.aws.plugins.module_utils.botocore import get_aws_connection_info
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.ethereal.spot.plugins.module_utils._edge.results import run_module

__all__ = ["RETRIES", "Clients", "run_module"]

# Standard mode retries throttling and transport errors with jitter under a quota; legacy mode, the default, has none.
RETRIES = {"mode": "standard", "total_max_attempts": 5}


class Clients:
    """Plain botocore clients by service and region, one each; the module's own region unless another is named.

    All of them share one session: its loader reads each service model once, and a client costs a fifth. May be called from several
    threads: a client is made when it is first needed, and two are never made at once, which botocore's session does not allow.
    """

    def __init__(self, module: AnsibleAWSModule, connect_timeout: int = 10, read_timeout: int = 60) -> None:
        self._module = module
        self._region, self._endpoint, parameters = get_aws_connection_info(module)
        self._config = Config(
            retries=RETRIES, connect_timeout=connect_timeout, read_timeout=read_timeout, max_pool_connections=16
        ).merge(parameters.pop("aws_config", None) or Config())
        profile = parameters.pop("profile_name", None)
        self._parameters = parameters
        self._known: dict[tuple[str, str], Any] = {}
        self._making = threading.Lock()
        self._session = self._made(lambda: boto3.session.Session(profile_name=profile))

    def __call__(self, service: str, region: str | None = None) -> Any:
        region = region or self._region
        if region is None:
            self._module.fail_json(msg="region: one is needed, as an option, in the environment or in the profile")
        with self._making:
            if (service, region) not in self._known:
                self._known[service, region] = self._made(
                    lambda: self._session.client(
                        service,
                        region_name=region,
                        endpoint_url=self._endpoint,
                        config=self._config,
                        **self._parameters,
                    )
                )
            return self._known[service, region]

    def _made(self, make: Callable[[], Any]) -> Any:
        try:
            return make()
        except (BotoCoreError, ValueError) as error:
            self._module.fail_json(msg=f"could not connect to AWS: {error}")
