# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ministack lacks or does differently from AWS, mended by service."""

from __future__ import annotations

from sandbox.context import Context
from sandbox.mends import account
from sandbox.mends import associations
from sandbox.mends import backup
from sandbox.mends import ecr
from sandbox.mends import efs
from sandbox.mends import eventbridge
from sandbox.mends import iam
from sandbox.mends import images
from sandbox.mends import lambdas
from sandbox.mends import pricing
from sandbox.mends import quotas
from sandbox.mends import ssm
from sandbox.mends import stepfunctions
from sandbox.mends import tagging

_SERVICES = (
    images,
    iam,
    ssm,
    associations,
    efs,
    backup,
    ecr,
    eventbridge,
    lambdas,
    stepfunctions,
    tagging,
    quotas,
    pricing,
    account,
)

NEEDS: list[str] = [symbol for service in _SERVICES for symbol in service.NEEDS]


def install(context: Context) -> None:
    """Install the mends of every service."""
    for service in _SERVICES:
        service.install(context)


def reset(context: Context) -> None:
    """Let the services of ours that hold something forget it; ministack empties its own."""
    associations.reset(context)
    ecr.reset(context)
