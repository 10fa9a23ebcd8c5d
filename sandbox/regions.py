# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which regions the account has enabled, and what AWS answers in the others. Source: Account Management reference guide,
"Enable or disable AWS Regions in your account"; aws-cli#6132 and steampipe-plugin-aws#75 for the errors."""

from __future__ import annotations

from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend

from sandbox.errors import Reply
from sandbox.errors import error_reply
from sandbox.market import Market

# Enabled by default, and never to be disabled; the market may say otherwise, so that few regions serve as well for a test.
ALWAYS = frozenset(
    {
        "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2",
        "ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1",
        "us-east-1", "us-east-2", "us-west-1", "us-west-2",
    }
)  # fmt: skip
# What can be called in the commercial partition: the sandbox's account is there.
OF_OTHER_PARTITIONS = ("cn-", "us-gov-")
KNOWN = tuple(
    sorted(region.name for region in RegionsAndZonesBackend.regions if not region.name.startswith(OF_OTHER_PARTITIONS))
)

NOT_REQUIRED = "opt-in-not-required"
OPTED_IN = "opted-in"
NOT_OPTED_IN = "not-opted-in"

_TOKEN = "The security token included in the request is invalid."
_REFUSALS = {
    "ec2": (401, "AuthFailure", "AWS was not able to validate the provided access credentials"),
    "query": (403, "InvalidClientTokenId", _TOKEN),
    "json": (400, "UnrecognizedClientException", _TOKEN),
    "rest-json": (403, "UnrecognizedClientException", _TOKEN),
    "rest-xml": (403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."),
}


def opt_in_status(market: Market, region: str) -> str:
    enabled = market.opted_in(region)
    if enabled is None:
        return NOT_REQUIRED if region in ALWAYS else NOT_OPTED_IN
    if not enabled:
        return NOT_OPTED_IN
    return NOT_REQUIRED if region in ALWAYS else OPTED_IN


def enabled(market: Market) -> list[str]:
    """The regions that the account can use, by name."""
    return [region for region in KNOWN if opt_in_status(market, region) != NOT_OPTED_IN]


def refusal(market: Market, region: str, protocol: str) -> Reply | None:
    """The answer of a region that the account has not enabled: it does not know the account's credentials."""
    if region not in KNOWN or opt_in_status(market, region) != NOT_OPTED_IN:
        return None
    status, code, message = _REFUSALS.get(protocol, _REFUSALS["json"])
    return error_reply(protocol, status, code, message)
