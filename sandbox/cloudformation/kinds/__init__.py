# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kinds of resources that the sandbox's CloudFormation knows, by service."""

from __future__ import annotations

import functools

from sandbox.cloudformation.kinds import cloudwatch
from sandbox.cloudformation.kinds import dynamodb
from sandbox.cloudformation.kinds import ec2_keys
from sandbox.cloudformation.kinds import ec2_network
from sandbox.cloudformation.kinds import ec2_security
from sandbox.cloudformation.kinds import ec2_traffic
from sandbox.cloudformation.kinds import ecr
from sandbox.cloudformation.kinds import ecs
from sandbox.cloudformation.kinds import efs
from sandbox.cloudformation.kinds import events
from sandbox.cloudformation.kinds import iam
from sandbox.cloudformation.kinds import imagebuilder
from sandbox.cloudformation.kinds import kms
from sandbox.cloudformation.kinds import messaging
from sandbox.cloudformation.kinds import ministacks
from sandbox.cloudformation.kinds import s3
from sandbox.cloudformation.kinds import ssm
from sandbox.cloudformation.kinds.base import Kind

_MODULES = (
    cloudwatch,
    dynamodb,
    ec2_keys,
    ec2_network,
    ec2_security,
    ec2_traffic,
    ecr,
    ecs,
    efs,
    events,
    iam,
    imagebuilder,
    kms,
    messaging,
    ministacks,
    s3,
    ssm,
)


@functools.cache
def own() -> dict[str, Kind]:
    """The kinds of ours by name."""
    return {kind.kind: kind() for module in _MODULES for kind in module.KINDS}


@functools.cache
def find(name: str) -> Kind | None:
    """The kind of this name, ours or ministack's."""
    if name in own():
        return own()[name]
    from ministack.services.cloudformation import provisioners

    return ministacks.Foreign(name) if name in provisioners._RESOURCE_HANDLERS else None
