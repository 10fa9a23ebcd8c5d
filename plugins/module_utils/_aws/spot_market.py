# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The spot market as AWS tells it: scores, offers, zones, regions. One call per function. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import translated
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.scores import Question
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.scores import Score


@translated("ask for spot placement scores")
def placement_scores(client: Any, question: Question) -> tuple[Score, ...]:
    """Scores from 1 to 10, of the ten best regions or zones at most; what AWS gives none is missing.

    Raises AwsError, with code MaxConfigLimitExceeded where the different questions of the last 24 hours are used up (EC2
    user guide, spot placement score): the score is then unknown, not low.
    """
    pages = client.get_paginator("get_spot_placement_scores").paginate(
        RegionNames=list(question.regions),
        InstanceTypes=list(question.instance_types),
        TargetCapacity=question.target_capacity,
        TargetCapacityUnitType="units",
        SingleAvailabilityZone=question.single_zone,
    )
    return tuple(
        Score(row["Region"], row.get("AvailabilityZoneId"), row["Score"])
        for page in pages
        for row in page["SpotPlacementScores"]
    )


@translated("read which instance types are offered")
def offered_types(client: Any, instance_types: Sequence[str]) -> dict[str, frozenset[str]]:
    """Those of the types that the client's region offers, by zone id, which is the same zone in every account."""
    pages = client.get_paginator("describe_instance_type_offerings").paginate(
        LocationType="availability-zone-id", Filters=[{"Name": "instance-type", "Values": list(instance_types)}]
    )
    offers: dict[str, set[str]] = {}
    for page in pages:
        for offer in page["InstanceTypeOfferings"]:
            offers.setdefault(offer["Location"], set()).add(offer["InstanceType"])
    return {zone_id: frozenset(types) for zone_id, types in offers.items()}


@translated("read the region's zones")
def zone_names(client: Any) -> dict[str, str]:
    """This account's names of the zones of the client's region by their ids."""
    answer = client.describe_availability_zones()
    return {zone["ZoneId"]: zone["ZoneName"] for zone in answer["AvailabilityZones"]}


@translated("read the account's regions")
def opt_in_statuses(client: Any) -> dict[str, str]:
    """opt-in-not-required, opted-in or not-opted-in by region, of every region in the client's partition."""
    answer = client.describe_regions(AllRegions=True)
    return {region["RegionName"]: region.get("OptInStatus", "opt-in-not-required") for region in answer["Regions"]}


@translated("list the account's regions")
def account_region_statuses(client: Any) -> dict[str, str]:
    """ENABLED, ENABLED_BY_DEFAULT, ENABLING, DISABLING or DISABLED by region, from the account service."""
    pages = client.get_paginator("list_regions").paginate()
    return {region["RegionName"]: region["RegionOptStatus"] for page in pages for region in page["Regions"]}
