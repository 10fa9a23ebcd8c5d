# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the scenarios' tests share: clients of the account's root user, and a look at a stack."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import boto3
import pytest


@pytest.fixture
def region(request: pytest.FixtureRequest) -> str:
    """The region of the scenario: its test module's REGION."""
    return request.module.REGION


@pytest.fixture
def client(region: str) -> Callable[[str], Any]:
    """client(service) in the scenario's region."""

    def make(service: str) -> Any:
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=os.environ["AWS_ENDPOINT_URL"],
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )

    return make


@pytest.fixture
def stack(client: Callable[[str], Any]) -> Callable[[str], dict[str, Any]]:
    """stack(name) as CloudFormation describes it, its outputs and tags as dictionaries."""

    def describe(name: str) -> dict[str, Any]:
        found = client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        return {
            "status": found["StackStatus"],
            "outputs": {output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]},
            "tags": {tag["Key"]: tag["Value"] for tag in found["Tags"]},
        }

    return describe
