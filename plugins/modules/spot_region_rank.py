#!/usr/bin/python
# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: spot_region_rank
version_added: 0.1.0
short_description: Rank regions for spot instances by placement score, price, quota and past failures
description:
  - Asks every allowed region at once for the instance types that it offers, their spot prices, and the vCPU quota
    that is left; asks AWS for the spot placement scores of all of them in one canonical request; and reads what the
    deployment remembers of failed launches and losses.
  - What cannot serve is rejected with a reason, and the rest is put in order. RV(ranking[].filters) has the verdict
    of every filter on every place; what could not be read rules nothing out.
  - A region that is denied, slow or broken is reported as V(unreachable), and neither holds nor fails the others.
  - Where AWS refuses a score, as with C(MaxConfigLimitExceeded), the score is unknown, which is not low.
  - AWS limits the number of different questions for scores in 24 hours, and a question that was asked before is free.
    So scores are asked for sorted regions in batches of ten, whatever is excluded, for sorted types, and for
    O(target_capacity) rounded up to 1, 2, 5, 10, 20, 50 and so on; and an answer is kept for 24 hours, in the state
    table where O(prefix) is given, else in O(cache_file). That is the only thing that this module writes. It does so
    neither in check mode nor as a change, and RV(ranking[].score_asked_at) tells the age of an answer.
  - O(region) is the region that is asked for the scores. Without it, and without one in the environment or profile,
    that is the first of the ranked regions by name.
  - Needs the IAM actions C(ec2:GetSpotPlacementScores), C(ec2:DescribeRegions), C(ec2:DescribeInstanceTypeOfferings)
    and C(ec2:DescribeSpotPriceHistory). For quotas C(servicequotas:GetServiceQuota),
    C(servicequotas:ListServiceQuotas), C(ec2:DescribeInstances), C(ec2:DescribeSpotInstanceRequests) and
    C(ec2:DescribeInstanceTypes); for on-demand prices C(pricing:GetProducts); with O(prefix) C(dynamodb:GetItem),
    C(dynamodb:Query) and C(dynamodb:PutItem) on its table. C(account:ListRegions) is used where
    C(ec2:DescribeRegions) is denied, C(ec2:DescribeAvailabilityZones) for O(market=on_demand).
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
      - Places or regions that may not be chosen. They are ranked no further, but scores are asked for them all the
        same, since a request without them would be a new question to AWS.
    type: list
    elements: str
    default: []
  market:
    description:
      - Whether the instances are to be bought on spot or on demand.
      - On-demand capacity has neither scores nor interruptions, so places are ordered by its price.
    type: str
    choices: [spot, on_demand]
    default: spot
  strategy:
    description:
      - How to order the places.
      - V(score_then_price) puts the best placement score first; equal scores are ordered by the cheapest current spot
        price, equal prices by the place's name. Unknown scores come after every known one.
      - V(auto) puts the lowest expected cost of an hour of work first. That is the spot price, and what interruptions
        cost - two cold starts of three minutes, and the outage until the next instance works at five times the lowest
        on-demand price that is known. A low score means more attempts a launch, and by recordings of the market, not
        by any word of AWS, more interruptions. The Spot Advisor's range (O(advisor)) and the deployment's own losses
        (O(prefix)) sharpen how many are expected. An unknown score counts as 5. A price that is restless over the
        window counts with its median, if that is higher. RV(ranking[].expected) has the numbers, RV(ranking[].reason)
        why in words.
    type: str
    choices: [auto, score_then_price]
    default: auto
  product_description:
    description: The operating system that prices are for; records for its VPC variant count as well.
    type: str
    choices: [Linux/UNIX, Red Hat Enterprise Linux, SUSE Linux, Windows]
    default: Linux/UNIX
  max_price:
    description: The most that an instance may cost, USD an hour. Pools (a type in a zone) above it are rejected.
    type: str
  price_window_days:
    description:
      - Over how many days, 0 to 90, a price's median, worst and volatility are told.
      - V(0) reads the price in force alone.
    type: int
    default: 7
  single_zone:
    description:
      - Ask for the scores of single zones, for a fleet that runs in one zone, instead of those of regions, which
        assume that all zones are used.
      - The two kinds are never compared. AWS names the ten best zones of ten regions, so the score of a zone may be
        unknown.
    type: bool
    default: false
  score_regions:
    description:
      - Other regions to ask for the scores, in this order, where O(region) has no questions left for today or denies
        the call.
      - AWS seems to count questions by the region that is asked.
    type: list
    elements: str
    default: []
  refresh:
    description: Whether to ask for scores although an answer is kept. The same question within 24 hours is free.
    type: bool
    default: false
  cache_file:
    description:
      - Where answers about scores are kept without O(prefix), readable by its owner only. An empty string keeps none.
      - By default C(ethereal.spot/scores.json) in C($XDG_CACHE_HOME), or in C(~/.cache).
    type: path
  prefix:
    description:
      - The deployment (C(spot_prefix)) whose state table keeps the scores, and tells of failed launches, losses and
        what is placed now.
      - A table that does not exist yet is as an empty one.
    type: str
  hub_region:
    description: The region of that table. Required with O(prefix).
    type: str
  check_quota:
    description:
      - Whether to reject places whose vCPU quota has no room for O(target_capacity) instances of the smallest type.
      - What the state says is placed in a place already counts as room.
    type: bool
    default: true
  on_demand_prices:
    description: Whether to read on-demand prices from the Price List API. Required for O(market=on_demand).
    type: bool
    default: true
  advisor:
    description:
      - AWS's public Spot Instance Advisor data, a file or an C(http) or C(https) URL of C(spot-advisor-data.json).
      - Data that cannot be had are left out with a warning.
    type: str
  timeout:
    description: Seconds after which a region that has not answered is V(unreachable), and whatever else is not known by then stays unknown.
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
  ethereal.spot.spot_display:
    lines: "{{ ranked.text }}"

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
    max_price: "2.50"
    prefix: ethereal
    hub_region: us-east-1
    fail_if_none: true

- name: By score and price alone, with another region to ask when today's questions are used up
  ethereal.spot.spot_region_rank:
    region: us-east-1
    regions: [us-east-1, us-west-2, eu-west-1]
    strategy: score_then_price
    score_regions: [sa-east-1]
    advisor: https://spot-bid-advisor.s3.amazonaws.com/spot-advisor-data.json
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
        - V(candidate) can be chosen; V(excluded) by O(excluded); V(unreachable) could not be asked; V(rejected)
          failed another filter.
      returned: always
      type: str
      sample: candidate
    filters:
      description:
        - Every filter's verdict, in the order in which they are judged, on what those before it left - C(excluded),
          C(opted_in), C(reachable), C(offered) (in which zones, by their IDs), C(sold), C(price_ceiling), C(quota)
          and C(ledger) (failed launches that are remembered).
      returned: always
      type: list
      elements: dict
      contains:
        name:
          description: The filter.
          returned: always
          type: str
          sample: quota
        passed:
          description: Whether the place passes; null if that is not known or was not judged.
          returned: always
          type: bool
          sample: true
        detail:
          description: Why.
          returned: always
          type: str
          sample: spot vCPU quota of G and VT instances in us-west-2 (L-3819A6DF) has 64 of 64 left, 4 are needed
    score:
      description: The placement score from 1 to 10, null if unknown. With O(single_zone) that of RV(ranking[].zone).
      returned: always
      type: int
      sample: 9
    score_asked_at:
      description: When AWS was asked for it, at most 24 hours ago; null if it is unknown.
      returned: always
      type: str
      sample: "2026-01-05T14:05:00+00:00"
    price:
      description:
        - The current price in O(market) of the pool (a type in a zone) that stands for the place, USD an hour; null
          if there is none.
        - That is the cheapest pool that passes every filter, with O(strategy=auto) the one of the lowest expected
          cost. Of a place that is no candidate it is the cheapest one.
      returned: always
      type: str
      sample: "0.3271"
    zone:
      description: That pool's Availability Zone, by its name in this account.
      returned: always
      type: str
      sample: us-west-2b
    zone_id:
      description: The zone's ID, the same in all accounts.
      returned: always
      type: str
      sample: usw2-az1
    instance_type:
      description: That pool's instance type.
      returned: always
      type: str
      sample: g4dn.xlarge
    on_demand_price:
      description: What the type costs there on demand, USD an hour; null if not known.
      returned: always
      type: str
      sample: "0.526"
    savings_percent:
      description: How much less spot costs, rounded down; null if not known.
      returned: always
      type: int
      sample: 37
    price_window:
      description:
        - The pool's spot price over C(days) days - C(median) (for half of the time it was at or below), C(worst), and
          C(volatility), its mean distance from the median over time in parts of the median. Null without a window.
      returned: always
      type: dict
      sample: {days: 7, median: "0.3271", worst: "0.4102", volatility: "0.0213"}
    advisor:
      description: The Spot Advisor's range of interruptions in a month; null if not known.
      returned: always
      type: str
      sample: "<5%"
    observed:
      description: The deployment's own C(losses) of spot instances in that pool in so many instance-C(hours); null if none ran there.
      returned: always
      type: dict
      sample: {losses: 2, hours: "96.5"}
    expected:
      description:
        - What O(strategy=auto) reckons with - C(cost) of an hour of work in USD, made of C(price),
          C(losses_per_hour), C(launch_attempts) and C(outage_seconds) a loss. Null unless the place is a candidate
          with a known price.
      returned: always
      type: dict
      sample: {cost: "0.3598", launch_attempts: "1.1111", losses_per_hour: "0.27", outage_seconds: "66.666", price: "0.3271"}
    reason:
      description: Why the place stands where it stands.
      returned: always
      type: str
      sample: 9 % dearer than oregon, but half as many interruptions expected
best:
  description: The first entry of RV(ranking) if it is a candidate, else null.
  returned: always, unless the input is wrong
  type: dict
  sample: {place: oregon, region: us-west-2, rank: 1, verdict: candidate, score: 9, price: "0.3271"}
rule:
  description: The rule that was applied, V(expected_cost), V(score_then_price) or V(on_demand_price).
  returned: always, unless the input is wrong
  type: str
  sample: expected_cost
record:
  description:
    - The decision record - C(inputs) (what was asked and what AWS said), C(alternatives) (as RV(ranking)), C(rule)
      (with what O(strategy=score_then_price) would have chosen as C(reference)) and C(expected) (what the choice
      should cost). Money is in strings.
    - Fit for O(ethereal.spot.spot_state#module:decision).
  returned: always, unless the input is wrong
  type: dict
  sample: {kind: region_rank, rule: {strategy: auto, applied: expected_cost, reference: oregon}}
text:
  description: The same for people, as lines.
  returned: always, unless the input is wrong
  type: list
  elements: str
  sample: ["1 x g4dn.xlarge, g5.xlarge or g6.xlarge on spot, Linux/UNIX"]
"""

from datetime import UTC
from datetime import datetime
from typing import Any
from typing import NoReturn

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.ethereal.spot.plugins.module_utils._aws.market_survey import Sources
from ansible_collections.ethereal.spot.plugins.module_utils._aws.market_survey import survey_market
from ansible_collections.ethereal.spot.plugins.module_utils._aws.score_broker import Broker
from ansible_collections.ethereal.spot.plugins.module_utils._aws.score_broker import Cache
from ansible_collections.ethereal.spot.plugins.module_utils._aws.score_cache_file import FileCache
from ansible_collections.ethereal.spot.plugins.module_utils._aws.score_cache_file import default_path
from ansible_collections.ethereal.spot.plugins.module_utils._aws.score_cache_table import TableCache
from ansible_collections.ethereal.spot.plugins.module_utils._brain import checks
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import EtherealSpotError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.money import money
from ansible_collections.ethereal.spot.plugins.module_utils._brain.names import check_place
from ansible_collections.ethereal.spot.plugins.module_utils._brain.names import check_prefix
from ansible_collections.ethereal.spot.plugins.module_utils._brain.quotas import ON_DEMAND
from ansible_collections.ethereal.spot.plugins.module_utils._brain.quotas import SPOT
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.decide import rank
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.survey import problems
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.text import ranking_lines
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.wish import AUTO
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.wish import LARGEST_CAPACITY
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.wish import STRATEGIES
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.wish import Wish
from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.wish import warnings_about
from ansible_collections.ethereal.spot.plugins.module_utils._brain.regions import check_region
from ansible_collections.ethereal.spot.plugins.module_utils._brain.regions import check_regions
from ansible_collections.ethereal.spot.plugins.module_utils._edge.advisor import read_advisor
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import Clients
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import masking_module
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import run_module

LONGEST_WINDOW_DAYS = 90


def wanted(params: dict[str, Any]) -> Wish:
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
    if params["market"] == ON_DEMAND and not params["on_demand_prices"]:
        raise InputError("on_demand_prices", False, "must be true where the market is on_demand, which they decide")
    return Wish(
        places=places,
        instance_types=checks.check_instance_types(params["instance_types"]),
        target_capacity=checks.check_integer(params["target_capacity"], "target_capacity", 1, LARGEST_CAPACITY),
        excluded=params["excluded"],
        strategy=params["strategy"],
        product_description=params["product_description"],
        market=params["market"],
        max_price=None if params["max_price"] is None else money(params["max_price"], "max_price"),
        single_zone=params["single_zone"],
        window_days=checks.check_integer(params["price_window_days"], "price_window_days", 0, LONGEST_WINDOW_DAYS),
        check_quota=params["check_quota"],
        on_demand_prices=params["on_demand_prices"],
    )


def cache_of(params: dict[str, Any], clients: Clients, now: datetime) -> Cache | None:
    """Where answers about scores are kept; None if nowhere."""
    if params["prefix"]:
        return TableCache(clients("dynamodb", params["hub_region"]), params["prefix"])
    path = default_path() if params["cache_file"] is None else params["cache_file"]
    return FileCache(path, int(now.timestamp())) if path else None


def ranked(module: AnsibleAWSModule) -> dict[str, Any]:
    params = module.params
    wish = wanted(params)
    seconds = checks.check_integer(params["timeout"], "timeout", 1, 600)
    score_regions = check_regions(params["score_regions"], "score_regions")
    if params["prefix"]:
        check_prefix(params["prefix"], "prefix")
        check_region(params["hub_region"], "hub_region")
    clients = Clients(module, connect_timeout=min(seconds, 10), read_timeout=seconds)
    now = datetime.now(UTC)
    calling_region = module.region or min(wish.regions)
    broker = Broker(
        lambda region: clients("ec2", region),
        [calling_region, *score_regions],
        cache_of(params, clients, now),
        int(now.timestamp()),
        refresh=params["refresh"],
        keep=not module.check_mode,
    )
    advice = None
    if params["advisor"]:

        def advice() -> Any:
            return read_advisor(module, params["advisor"], wish.product_description)

    sources = Sources(clients, calling_region, broker, params["prefix"], params["hub_region"], advice)
    surveys, memory, notes = survey_market(sources, wish, now, seconds)
    decision = rank(wish, surveys, memory)
    unasked, unknown = problems(surveys)
    told = [*warnings_about(wish), *unknown, *notes]
    result = {
        **decision,
        "changed": False,
        "text": ranking_lines(decision, memory.now, told),
        "warnings": [*told, *unasked],
    }
    if unasked and all(survey.problem for survey in surveys.values()):
        raise EtherealSpotError(f"no region could be asked: {'; '.join(unasked)}", **{**result, "warnings": told})
    if decision["best"] is None and params["fail_if_none"]:
        reasons = "; ".join(f"{entry['place']}: {entry['reason']}" for entry in decision["ranking"])
        raise EtherealSpotError(f"no place is left: {reasons}", **result)
    return result


def main() -> NoReturn:
    module = masking_module(
        argument_spec={
            "places": {"type": "dict"},
            "regions": {"type": "list", "elements": "str"},
            "instance_types": {"type": "list", "elements": "str", "default": ["g4dn.xlarge", "g5.xlarge", "g6.xlarge"]},
            "target_capacity": {"type": "int", "default": 1},
            "excluded": {"type": "list", "elements": "str", "default": []},
            "market": {"type": "str", "choices": [SPOT, ON_DEMAND], "default": SPOT},
            "strategy": {"type": "str", "choices": list(STRATEGIES), "default": AUTO},
            "product_description": {
                "type": "str",
                "choices": ["Linux/UNIX", "Red Hat Enterprise Linux", "SUSE Linux", "Windows"],
                "default": "Linux/UNIX",
            },
            "max_price": {"type": "str"},
            "price_window_days": {"type": "int", "default": 7},
            "single_zone": {"type": "bool", "default": False},
            "score_regions": {"type": "list", "elements": "str", "default": []},
            "refresh": {"type": "bool", "default": False},
            "cache_file": {"type": "path"},
            "prefix": {"type": "str"},
            "hub_region": {"type": "str"},
            "check_quota": {"type": "bool", "default": True},
            "on_demand_prices": {"type": "bool", "default": True},
            "advisor": {"type": "str"},
            "timeout": {"type": "int", "default": 30},
            "fail_if_none": {"type": "bool", "default": False},
        },
        mutually_exclusive=[["places", "regions"]],
        required_one_of=[["places", "regions"]],
        required_together=[["prefix", "hub_region"]],
        supports_check_mode=True,
    )
    run_module(module, ranked)


if __name__ == "__main__":
    main()
