#!/usr/bin/python
# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: spot_region_rank
version_added: 0.1.0
short_description: Rank regions by spot placement score and current price
description:
  - Asks AWS for the spot placement scores of all allowed regions in one canonical request, and every region for the types that it
    offers and their current spot prices, all at once.
  - The place with the best score comes first; equal scores are ordered by the cheapest current spot price, equal prices by the
    place's name. Every place gets a verdict and a reason.
  - A region that is denied, slow, not enabled or broken is reported as V(unreachable), and neither holds nor fails the others.
  - Where AWS refuses a score, as with C(MaxConfigLimitExceeded), the score is unknown, which is not low. Such places come after
    every place with a known score.
  - Scores are asked for sorted regions in batches of ten, sorted types, and O(target_capacity) rounded up to 1, 2, 5, 10, 20, 50
    and so on, so that ranking again, excluding a place or growing a little is no new configuration to AWS, which limits
    new ones in 24 hours.
  - Needs the IAM actions C(ec2:GetSpotPlacementScores), C(ec2:DescribeRegions), C(ec2:DescribeInstanceTypeOfferings) and
    C(ec2:DescribeSpotPriceHistory).
  - O(region) is the region that is asked for the scores. Without it, and without one in the environment or profile, that is the
    first of the ranked regions by name.
author:
  - Ethereal Spot contributors (@ethereal-spot)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - ethereal.spot.attributes.info
options:
  places:
    description:
      - The allowed places, each with its region. Two places may share a region.
      - One of O(places) and O(regions) is required.
    type: dict
  regions:
    description: The allowed regions, each a place of the same name.
    type: list
    elements: str
  instance_types:
    description:
      - The instance types that the fleet may use.
      - AWS gives low scores to fewer than three different types; a warning then says so.
    type: list
    elements: str
    default: [g4dn.xlarge, g5.xlarge, g6.xlarge]
  target_capacity:
    description: How many instances are wanted.
    type: int
    default: 1
  excluded:
    description:
      - Places or regions that may not be chosen. They are ranked no further, but scores are asked for them all the same, since a
        request without them would be a new configuration to AWS.
    type: list
    elements: str
    default: []
  strategy:
    description:
      - How to order the places.
      - V(score_then_price) is described above.
      - V(auto) leaves it to the collection, and applies V(score_then_price) at present. RV(record) says what was applied.
    type: str
    choices: [auto, score_then_price]
    default: auto
  product_description:
    description: The operating system that prices are for; records for its VPC variant count as well.
    type: str
    choices: [Linux/UNIX, Red Hat Enterprise Linux, SUSE Linux, Windows]
    default: Linux/UNIX
  timeout:
    description: Seconds after which a region that has not answered is V(unreachable).
    type: int
    default: 30
  fail_if_none:
    description:
      - Whether to fail when no place is left.
      - The module always fails when not one region could be asked, since that is no answer.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Find the best of four regions for a node of one GPU
  ethereal.spot.spot_region_rank:
    region: us-east-1
    regions: [us-east-1, us-west-2, eu-west-1, ap-northeast-1]
  register: ranked

- name: Show why
  ansible.builtin.debug:
    var: ranked.text

- name: Find a place for eight instances that is not the one just lost, or fail
  ethereal.spot.spot_region_rank:
    region: us-east-1
    places:
      virginia: us-east-1
      oregon: us-west-2
      ireland: eu-west-1
    excluded: [oregon]
    instance_types: [g5.12xlarge, g6.12xlarge, g4dn.12xlarge]
    target_capacity: 8
    fail_if_none: true
"""

RETURN = r"""
ranking:
  description: Every place once, in order. Candidates come first.
  returned: always, unless the input is wrong
  type: list
  elements: dict
  contains:
    place:
      description: The place.
      returned: always
      type: str
      sample: oregon
    region:
      description: Its region.
      returned: always
      type: str
      sample: us-west-2
    rank:
      description: From 1 for the best; null unless RV(ranking[].verdict) is V(candidate).
      returned: always
      type: int
      sample: 1
    verdict:
      description:
        - V(candidate) can be chosen; V(excluded) by O(excluded); V(rejected) offers or sells none of the types; V(unreachable)
          could not be asked.
      returned: always
      type: str
      sample: candidate
    score:
      description: The placement score from 1 to 10, null if unknown.
      returned: always
      type: int
      sample: 9
    price:
      description: The cheapest current spot price among the offered types and zones, USD an hour; null if there is none.
      returned: always
      type: str
      sample: "0.3271"
    zone:
      description: The Availability Zone with that price, by its name in this account.
      returned: always
      type: str
      sample: us-west-2b
    zone_id:
      description: The zone's ID, the same in all accounts.
      returned: always
      type: str
      sample: usw2-az1
    instance_type:
      description: The instance type with that price.
      returned: always
      type: str
      sample: g4dn.xlarge
    reason:
      description: Why the place stands where it stands.
      returned: always
      type: str
      sample: score 9 is the highest; cheapest at 0.3271
best:
  description: The first entry of RV(ranking) if it is a candidate, else null.
  returned: always, unless the input is wrong
  type: dict
  sample: {place: oregon, region: us-west-2, rank: 1, verdict: candidate, score: 9, price: "0.3271"}
rule:
  description: The rule that was applied.
  returned: always, unless the input is wrong
  type: str
  sample: score_then_price
record:
  description:
    - The decision record - C(inputs) (what was asked and what AWS said), C(alternatives) (as RV(ranking)), C(rule) and
      C(expected) (what the choice should cost). Prices are strings.
    - Fit for O(ethereal.spot.spot_state#module:decision).
  returned: always, unless the input is wrong
  type: dict
  sample: {kind: region_rank, rule: {strategy: auto, applied: score_then_price}}
text:
  description: The same for people, as lines of a table.
  returned: always, unless the input is wrong
  type: list
  elements: str
  sample: ["rank  place   region     score   USD/h  zone                 type         why"]
"""

from datetime import UTC
from datetime import datetime
from typing import Any
from typing import NoReturn

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.ethereal.spot.plugins.module_utils._aws.market_survey import survey_regions
from ansible_collections.ethereal.spot.plugins.module_utils._brain import checks
from ansible_collections.ethereal.spot.plugins.module_utils._brain import ranking
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import EtherealSpotError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.names import check_place
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking_text import ranking_lines
from ansible_collections.ethereal.spot.plugins.module_utils._brain.regions import check_region
from ansible_collections.ethereal.spot.plugins.module_utils._brain.regions import check_regions
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import Clients
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import run_module


def wanted(params: dict[str, Any]) -> ranking.Wish:
    """The options, checked."""
    if params["regions"] is not None:
        places = {region: region for region in check_regions(params["regions"], "regions")}
    else:
        places = {
            check_place(place, option="places"): check_region(region, f"places.{place}")
            for place, region in params["places"].items()
        }
    if not places:
        option = "places" if params["regions"] is None else "regions"
        raise InputError(option, params[option], "must name at least one")
    return ranking.Wish(
        places=places,
        instance_types=checks.check_instance_types(params["instance_types"]),
        target_capacity=checks.check_integer(params["target_capacity"], "target_capacity", 1, ranking.LARGEST_CAPACITY),
        excluded=params["excluded"],
        strategy=params["strategy"],
        product_description=params["product_description"],
    )


def ranked(module: AnsibleAWSModule) -> dict[str, Any]:
    wish = wanted(module.params)
    seconds = checks.check_integer(module.params["timeout"], "timeout", 1, 600)
    clients = Clients(module, connect_timeout=min(seconds, 10), read_timeout=seconds)
    calling_region = module.region or min(wish.places.values())
    surveys = survey_regions(lambda region: clients("ec2", region), calling_region, wish, datetime.now(UTC), seconds)
    decision = ranking.rank(wish, surveys)
    result = {
        **decision,
        "changed": False,
        "text": ranking_lines(decision),
        "warnings": ranking.warnings_about(wish) + ranking.warnings_from(surveys),
    }
    if all(survey.problem for survey in surveys.values()):
        problems = "; ".join(ranking.warnings_from(surveys))
        raise EtherealSpotError(f"no region could be asked: {problems}", **{**result, "warnings": []})
    if decision["best"] is None and module.params["fail_if_none"]:
        reasons = "; ".join(f"{entry['place']}: {entry['reason']}" for entry in decision["ranking"])
        raise EtherealSpotError(f"no place is left: {reasons}", **result)
    return result


def main() -> NoReturn:
    module = AnsibleAWSModule(
        argument_spec={
            "places": {"type": "dict"},
            "regions": {"type": "list", "elements": "str"},
            "instance_types": {"type": "list", "elements": "str", "default": ["g4dn.xlarge", "g5.xlarge", "g6.xlarge"]},
            "target_capacity": {"type": "int", "default": 1},
            "excluded": {"type": "list", "elements": "str", "default": []},
            "strategy": {"type": "str", "choices": list(ranking.STRATEGIES), "default": "auto"},
            "product_description": {
                "type": "str",
                "choices": ["Linux/UNIX", "Red Hat Enterprise Linux", "SUSE Linux", "Windows"],
                "default": "Linux/UNIX",
            },
            "timeout": {"type": "int", "default": 30},
            "fail_if_none": {"type": "bool", "default": False},
        },
        mutually_exclusive=[["places", "regions"]],
        required_one_of=[["places", "regions"]],
        supports_check_mode=True,
    )
    run_module(module, ranked)


if __name__ == "__main__":
    main()
