# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The interface endpoints of a place's network, in groups that are asked for by name. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.regions import suggestion

# What a node of ECS calls before it runs anything: the agent, the pull of an image, a container's log.
STANDING = ("ecs", "ecs-agent", "ecs-telemetry", "ecr.api", "ecr.dkr", "logs")
# A group's services, named without the region's prefix. Agents of Systems Manager from 3.3.40.0 on need no ec2messages, which newer regions
# do not have (Systems Manager user guide, "ec2messages, ssmmessages, and other API operations").
GROUPS: Mapping[str, tuple[str, ...]] = {
    "session_manager": ("ssm", "ssmmessages"),
    "parameters": ("ssm",),
    "secrets": ("secretsmanager",),
    "sts": ("sts",),
    "kms": ("kms",),
    "files": ("elasticfilesystem",),
    "events": ("events",),
    "step_functions": ("states",),
    "metrics": ("monitoring",),
    # With logs and S3, which every network has (aws-samples/amazon-ec2-image-builder-samples, private-vpc-builds).
    "imagebuilder": ("imagebuilder", "ssm", "ssmmessages"),
}


def check_groups(value: Any, option: str = "endpoints") -> list[str]:
    """Names of groups, each once; none is fine."""
    if not isinstance(value, (list, tuple)):
        raise InputError(option, value, "must be a list of groups of endpoints")
    for index, name in enumerate(value):
        if not isinstance(name, str) or name not in GROUPS:
            raise InputError(option, name, f"is no group of endpoints ({', '.join(GROUPS)}){suggestion(name, GROUPS)}")
        if name in value[:index]:
            raise InputError(option, name, "is listed twice")
    return list(value)


def endpoint_services(groups: Iterable[str]) -> list[str]:
    """The services of a network with these groups, each once: two groups may share one."""
    wanted = [service for name in check_groups(groups) for service in GROUPS[name]]
    return list(dict.fromkeys([*STANDING, *wanted]))
