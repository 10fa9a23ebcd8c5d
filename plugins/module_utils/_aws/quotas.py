# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""vCPU quotas of a region and what is used of them. PRIVATE to the collection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from decimal import Decimal
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._aws import ec2
from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError
from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import translated
from ansible_collections.ethereal.spot.plugins.module_utils._brain.quotas import ON_DEMAND
from ansible_collections.ethereal.spot.plugins.module_utils._brain.quotas import SPOT
from ansible_collections.ethereal.spot.plugins.module_utils._brain.quotas import family_of

# EC2 has between one and two hundred quotas: two pages of at most 100 (botocore model: ListServiceQuotas MaxResults).
LISTING_PAGES = 2
PAGE = 100
# The quota of what kind of instance (botocore model: InstanceLifecycleType, nothing for on-demand). Capacity blocks and
# interruptible reservations have limits of their own.
MARKETS = {None: ON_DEMAND, "scheduled": ON_DEMAND, "spot": SPOT}


def vcpu_quotas(client: Any, codes: Collection[str]) -> dict[str, Decimal]:
    """The limits in force by quota code, in vCPUs; a quota that the region does not have is missing.

    A call for each code while that is no more than a listing of all takes. AWS's default values are not asked for: they
    are lower than what most accounts have, so they would refuse regions that have room.
    """
    if len(codes) > LISTING_PAGES:
        return {code: limit for code, limit in _every_quota(client).items() if code in codes}
    limits: dict[str, Decimal] = {}
    for code in sorted(codes):
        try:
            limits[code] = _quota(client, code)
        except AwsError as error:
            if error.code != "NoSuchResourceException":
                raise
    return limits


@translated("read a vCPU quota")
def _quota(client: Any, code: str) -> Decimal:
    return _limit(client.get_service_quota(ServiceCode="ec2", QuotaCode=code)["Quota"])


@translated("list vCPU quotas")
def _every_quota(client: Any) -> dict[str, Decimal]:
    pages = client.get_paginator("list_service_quotas").paginate(ServiceCode="ec2", PaginationConfig={"PageSize": PAGE})
    return {quota["QuotaCode"]: _limit(quota) for page in pages for quota in page["Quotas"]}


def _limit(quota: dict[str, Any]) -> Decimal:
    return Decimal(str(quota["Value"]))


def vcpus_in_use(client: Any) -> dict[tuple[str, str], int]:
    """vCPUs that count against the quotas of the client's region, by family and market (`_brain/quotas.py`).

    Those of pending and running instances; and those of spot requests that are open, or whose instance is gone while EC2
    has not closed them yet (EC2 user guide, "Spot Instance quotas"). Unused capacity reservations count against on-demand
    quotas as well and are not looked at.
    """
    instances = [each for each in _running_instances(client) if each.get("InstanceLifecycle") in MARKETS]
    running = {instance["InstanceId"] for instance in instances}
    waiting = [
        request["LaunchSpecification"]["InstanceType"]
        for request in _counting_requests(client)
        if request.get("InstanceId") not in running and request.get("LaunchSpecification", {}).get("InstanceType")
    ]
    sizes = type_vcpus(client, {*waiting, *(each["InstanceType"] for each in instances if not _own_vcpus(each))})
    used: Counter[tuple[str, str]] = Counter()
    for instance in instances:
        name, market = instance["InstanceType"], MARKETS[instance.get("InstanceLifecycle")]
        used[family_of(name), market] += _own_vcpus(instance) or sizes.get(name, 0)
    for name in waiting:
        used[family_of(name), SPOT] += sizes.get(name, 0)
    return dict(used)


def type_vcpus(client: Any, instance_types: Collection[str]) -> dict[str, int]:
    """The default number of vCPUs of those types that the client's region has."""
    names = sorted(instance_types)
    if not names:
        return {}
    return {
        each["InstanceType"]: each["VCpuInfo"]["DefaultVCpus"] for each in ec2.describe_instance_types(client, names)
    }


def _own_vcpus(instance: dict[str, Any]) -> int | None:
    """Of an instance as it was launched; None where EC2 does not say, as for bare metal."""
    options = instance.get("CpuOptions") or {}
    return options.get("CoreCount", 0) * options.get("ThreadsPerCore", 0) or None


@translated("read which instances run")
def _running_instances(client: Any) -> list[dict[str, Any]]:
    pages = client.get_paginator("describe_instances").paginate(
        Filters=[{"Name": "instance-state-name", "Values": ["pending", "running"]}]
    )
    return [each for page in pages for reservation in page["Reservations"] for each in reservation["Instances"]]


@translated("read spot requests")
def _counting_requests(client: Any) -> list[dict[str, Any]]:
    pages = client.get_paginator("describe_spot_instance_requests").paginate(
        Filters=[{"Name": "state", "Values": ["open", "active"]}]
    )
    return [request for page in pages for request in page["SpotInstanceRequests"]]
