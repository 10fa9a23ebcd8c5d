# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of everything that the collection creates, and their limits. PRIVATE to the collection."""

from __future__ import annotations

import re

from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.version import VERSION

PREFIX = re.compile(r"[a-z][a-z0-9-]{1,19}")
PLACE = re.compile(r"[a-z][a-z0-9-]{0,23}")
# IAM role and EventBridge rule names end at 64 characters (botocore service models).
ROLE_NAME_LIMIT = 64
LONGEST_SUFFIX = "-interruption-warn"
# The first segment of an SSM parameter name that AWS keeps for itself.
RESERVED_PREFIXES = ("aws", "ssm")

TAG_DEPLOYMENT = "ethereal-spot:deployment"
TAG_PLACE = "ethereal-spot:place"
TAG_VERSION = "ethereal-spot:version"
TAG_TEMPLATE = "ethereal-spot:template"
TAG_CAPACITY_OWNER = "ethereal-spot:capacity-owner"
TAG_IMAGE_PARAMETER = "ethereal-spot:image-parameter"


def check_prefix(prefix: str, option: str = "spot_prefix") -> str:
    """The prefix, if every name derived from it is legal; InputError otherwise."""
    if not isinstance(prefix, str) or not PREFIX.fullmatch(prefix) or prefix.endswith("-"):
        raise InputError(option, prefix, "must match [a-z][a-z0-9-]{1,19} and not end with a hyphen")
    if prefix.startswith(RESERVED_PREFIXES):
        raise InputError(option, prefix, "must not start with aws or ssm: parameter names keep those for AWS")
    return prefix


def check_place(place: str, prefix: str = "", option: str = "place") -> str:
    """The place's name, if every name derived from it and the prefix is legal; InputError otherwise."""
    if not isinstance(place, str) or not PLACE.fullmatch(place) or place.endswith("-"):
        raise InputError(option, place, "must match [a-z][a-z0-9-]{0,23} and not end with a hyphen")
    longest = f"{prefix}-{place}{LONGEST_SUFFIX}"
    if len(longest) > ROLE_NAME_LIMIT:
        raise InputError(
            option,
            place,
            f"makes role names of {len(longest)} characters with prefix {prefix!r}, limit {ROLE_NAME_LIMIT}",
        )
    return place


def group_name(prefix: str, place: str, *, on_demand: bool = False) -> str:
    """The Auto Scaling group and launch template of a place; the on-demand fallback is the second group."""
    name = f"{prefix}-{place}"
    return on_demand_name(name) if on_demand else name


def on_demand_name(name: str) -> str:
    """The on-demand group beside a group."""
    return f"{name}-od"


def table_name(prefix: str) -> str:
    """The state table in the hub's region."""
    return f"{prefix}-state"


def parameter_name(prefix: str, name: str) -> str:
    """A published SSM parameter: provisioning-enabled, status, region or instances-info."""
    return f"/{prefix}/{name}"


def deployment_tags(prefix: str, place: str) -> dict[str, str]:
    """The tags by which everything that the collection creates is known as its own."""
    return {TAG_DEPLOYMENT: prefix, TAG_PLACE: place, TAG_VERSION: VERSION}
