# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What modules with AWS clients need of Ansible: clients with standard retries. PRIVATE to the collection."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any
from typing import NoReturn

try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError
except ImportError:
    pass  # AnsibleAWSModule reports a missing botocore.

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.amazon.aws.plugins.module_utils.botocore import get_aws_connection_info
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.ethereal.spot.plugins.module_utils._edge.results import run_module

__all__ = ["RETRIES", "Clients", "MaskingModule", "masking_module", "run_module"]

# Standard mode retries throttling and transport errors with jitter under a quota; legacy mode, the default, has none.
RETRIES = {"mode": "standard", "total_max_attempts": 5}


class MaskingModule(AnsibleModule):
    """A module that refuses any value, and whose options with `no_log` stay hidden whatever is wrong with the others.

    ansible-core 2.20 registers no value to hide at all if an option with suboptions is given something else than these,
    and ends with a traceback if a whole number is infinite or such an option is a truth value.
    """

    def __init__(self, **kwargs: Any) -> None:
        try:
            super().__init__(**kwargs)
        except (OverflowError, TypeError) as error:
            self.fail_json(msg=f"an option has a value of the wrong type, which ansible-core does not name: {error}")

    def fail_json(self, msg: str, **kwargs: Any) -> NoReturn:
        for option, argument in self.argument_spec.items():
            if argument.get("no_log") is True:
                values = (self.params.get(name) for name in (option, *argument.get("aliases", ())))
                self.no_log_values.update(str(value) for value in values if value)
        super().fail_json(msg, **kwargs)


def masking_module(**arguments: Any) -> AnsibleAWSModule:
    """An AnsibleAWSModule that is a MaskingModule: amazon.aws takes a `module_class` and does not use it."""
    settings = AnsibleAWSModule.default_settings
    usual, settings["module_class"] = settings["module_class"], MaskingModule
    try:
        return AnsibleAWSModule(**arguments)
    finally:
        settings["module_class"] = usual


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
