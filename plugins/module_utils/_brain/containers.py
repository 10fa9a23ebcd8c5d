# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a workload's container is given, and who may reach it. PRIVATE to the collection."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import ENVIRONMENT_NAME
from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import check_text
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError

# Seconds, the longest start period of a container's health check (botocore model: ECS HealthCheck).
LONGEST_START = 300
# Seconds from SIGTERM to SIGKILL within the two minutes of a spot interruption.
LONGEST_STOP = 120
# A secret's ARN may be followed by the key in its JSON, its stage and its version.
SECRET = re.compile(
    r"arn:[a-z-]+:(?:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+(?::[A-Za-z0-9/_+=.@-]*){0,3}"
    r"|ssm:[a-z0-9-]+:[0-9]{12}:parameter/[A-Za-z0-9/_.-]+)"
)
MODELS_PATH = re.compile(r"(?:/[A-Za-z0-9._-]+)+")


def check_secrets(value: Any, option: str = "container_secrets") -> dict[str, str]:
    """Environment variables by the ARN of what holds their value. What is no ARN is not shown: it may be the secret itself."""
    if not isinstance(value, dict):
        raise InputError(option, type(value).__name__, "must be a mapping of names to ARNs")
    for name, arn in value.items():
        if not isinstance(name, str) or not ENVIRONMENT_NAME.fullmatch(name):
            raise InputError(option, name, "is not the name of an environment variable")
        if not isinstance(arn, str) or not SECRET.fullmatch(arn):
            rule = "must be the ARN of a secret in Secrets Manager or of a parameter in Systems Manager"
            raise InputError(f"{option}.{name}", "(not shown)", rule)
    return dict(value)


def check_client_cidr(value: Any, option: str = "client_cidr") -> str:
    """Who may reach the service's port: an IPv4 range, and not everybody."""
    try:
        network = ipaddress.IPv4Network(value if isinstance(value, str) else "")
    except ValueError as error:
        raise InputError(option, value, "must be an IPv4 range, such as 10.0.0.0/8") from error
    if network.prefixlen == 0:
        raise InputError(option, value, "opens the port to everybody")
    return str(network)


def check_models_path(value: Any, option: str = "models_path") -> str:
    """Where the file system is mounted: not the container's root, nor what Linux needs there."""
    if not isinstance(value, str) or not MODELS_PATH.fullmatch(value) or ".." in value.split("/"):
        raise InputError(option, value, "must be an absolute path below the root")
    if value.split("/")[1] in ("bin", "dev", "etc", "lib", "lib64", "proc", "sbin", "sys", "tmp", "usr"):
        raise InputError(option, value, "would hide what the container needs there")
    return value


def check_health_command(value: Any, option: str = "container_health_command") -> str:
    """A line for the container's shell."""
    return check_text(value, option, 4096)
