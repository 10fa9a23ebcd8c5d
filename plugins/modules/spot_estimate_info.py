#!/usr/bin/python
# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: spot_estimate_info
version_added: 0.2.0
short_description: Estimate what a deployment costs before it is made
description:
  - Tells by place and in all, by the hour and by the month of 730 hours, what instances on spot and on demand, their root volumes,
    interface endpoints, NAT gateways and KMS keys cost - at the spot prices of now, the median and the worst of a window - and how much
    less that is than all on demand.
  - The prices of now and the median are those of the cheapest of the instance types in the cheapest zone, on demand of the cheapest
    type. The worst price is that of the dearest type in the dearest zone, since it is EC2 that chooses among them.
  - Spot prices come from EC2's price history, prices on demand, of gp3 and of endpoints from the Price List API.
    RV(places[].items[].source) tells it for each. A price that is not known is not made up - the item is V(unknown), and the total
    is a lower bound.
  - What AWS bills by use alone, such as EFS, logs, DynamoDB on demand and data through endpoints, is named and not estimated.
  - Prices are without taxes, credits, savings plans and free tiers, in the currency of the partition.
  - Needs the IAM actions C(ec2:DescribeSpotPriceHistory) and C(pricing:GetProducts).
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
      - The places, each with its region, or with a mapping of whatever differs from the options of the module.
      - Such a mapping may hold C(region) (by default the place's name) and each of O(instance_types), O(instances), O(placed),
        O(on_demand_base), O(on_demand_percentage_above_base), O(on_demand_fallback_max), O(created_sizes), O(disk_size), O(ebs_iops),
        O(ebs_throughput), O(worker), O(hub), O(network), O(endpoint_zones), O(endpoint_groups), O(nat_gateways), O(alarms) and
        O(dashboards).
    type: dict
    required: true
  instance_types:
    description: The instance types that the fleet may use.
    type: list
    elements: str
    default: [g4dn.xlarge, g5.xlarge, g6.xlarge]
  instances:
    description: How many instances run in a place.
    type: int
    default: 1
  placed:
    description:
      - Whether the placement decides where instances run. Of all such places one has them at a time, and the total counts the dearest.
    type: bool
    default: false
  on_demand_base:
    description: How many of the instances are on demand at least.
    type: int
    default: 0
  on_demand_percentage_above_base:
    description: How many percent of the others are on demand, rounded up.
    type: int
    default: 0
  on_demand_fallback_max:
    description:
      - How many on-demand instances may stand in for spot instances. They and their volumes are in what it costs at worst, beside all
        others, and in neither of the other sums.
    type: int
    default: 0
  created_sizes:
    description:
      - Whether a place that does not say O(instances) and O(on_demand_base) itself has those of a fleet that M(ethereal.spot.spot_asg)
        creates without being told.
    type: bool
    default: false
  disk_size:
    description: GiB of an instance's root volume, which is gp3.
    type: int
    default: 100
  ebs_iops:
    description: Its IOPS. The first 3000 come with it.
    type: int
    default: 3000
  ebs_throughput:
    description: Its throughput in MiB/s. The first 125 come with it.
    type: int
    default: 125
  worker:
    description: Whether the place is a worker, with instances, a key, and a network unless O(network=false).
    type: bool
    default: true
  hub:
    description: Whether the place is the hub, with a key for the state.
    type: bool
    default: false
  network:
    description: Whether the worker gets a network of its own, with the interface endpoints that role C(network) makes.
    type: bool
    default: true
  endpoint_zones:
    description: In how many zones these endpoints are, 1 or 2.
    type: int
    default: 2
  endpoint_groups:
    description: Groups of endpoints that are among them, as role C(network) takes them in C(network_endpoints).
    type: list
    elements: str
    choices: [session_manager, parameters, secrets, sts, kms, files, events, step_functions, metrics, imagebuilder]
    default: []
  nat_gateways:
    description: How many NAT gateways the place has, each with a public address. Role C(network) makes them with C(network_nat).
    type: int
    default: 0
  alarms:
    description: How many CloudWatch alarms the place has.
    type: int
    default: 0
  dashboards:
    description: How many CloudWatch dashboards the place has.
    type: int
    default: 0
  price_window_days:
    description:
      - Over how many days, 0 to 90, the median and the worst spot price are told.
      - V(0) reads the price in force alone.
    type: int
    default: 7
  unit_prices:
    description:
      - Unit prices that you know better, such as agreed ones, for all places. They are used in place of those of the price list.
      - Prices of public addresses, KMS keys, alarms and dashboards are not read. In regions of the commercial partition they are by default
        the list prices that AWS's pages of VPC, KMS and CloudWatch give for us-east-1, in others unknown.
    type: dict
    suboptions:
      gp3_gib_month:
        description: A GiB of gp3 for a month.
        type: str
      gp3_iops_month:
        description: One of the IOPS above 3000 for a month.
        type: str
      gp3_mibps_month:
        description: One MiB/s above 125 for a month.
        type: str
      endpoint_hour:
        description: An interface endpoint in one zone for an hour.
        type: str
      nat_gateway_hour:
        description: A NAT gateway for an hour.
        type: str
      public_address_hour:
        description: A public IPv4 address for an hour, 0.005 USD by default.
        type: str
      kms_key_month:
        description:
          - A KMS key for a month, 1 USD by default. AWS adds the same for the first and the second rotation of a key, which is not in the
            estimate.
        type: str
      alarm_month:
        description: A CloudWatch alarm of standard resolution for a month, 0.10 USD by default.
        type: str
      dashboard_month:
        description: A CloudWatch dashboard for a month, 3 USD by default.
        type: str
  max_hourly_usd:
    description:
      - The most that all places may cost, USD an hour at the worst spot price. The module fails if the estimate is more.
      - It fails as well if a price is unknown, since the ceiling could not be held against the estimate.
    type: str
  max_monthly_usd:
    description: The same for USD a month.
    type: str
  timeout:
    description: Seconds after which prices that are not read by then are unknown.
    type: int
    default: 30
"""

EXAMPLES = r"""
- name: Estimate two places that have the same fleet
  ethereal.spot.spot_estimate_info:
    places:
      oregon: us-west-2
      ireland: eu-west-1
    instances: 4
    on_demand_base: 1
    price_window_days: 30
  register: estimate

- name: Show it
  ethereal.spot.spot_display:
    lines: "{{ estimate.text }}"

- name: Fail if a hub and the dearest of two places were more than two dollars an hour
  ethereal.spot.spot_estimate_info:
    places:
      us-east-1:
        worker: false
        hub: true
      us-west-2:
        placed: true
        instances: 2
      tokyo:
        region: ap-northeast-1
        placed: true
        instances: 2
        network: false
    instance_types: [g5.xlarge, g6.xlarge, g4dn.xlarge]
    disk_size: 200
    max_hourly_usd: "2.00"

- name: With agreed prices
  ethereal.spot.spot_estimate_info:
    places:
      oregon: us-west-2
    unit_prices:
      gp3_gib_month: "0.072"
      kms_key_month: "0.90"
"""

RETURN = r"""
places:
  description: Every place in the order given, its amounts with its instances running.
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
    instances:
      description: How many instances are on C(spot) and C(on_demand).
      returned: always
      type: dict
      sample: {spot: 3, on_demand: 1}
    placed:
      description: Whether the placement decides if they run here.
      returned: always
      type: bool
      sample: false
    items:
      description: What the place is billed for.
      returned: always
      type: list
      elements: dict
      contains:
        name:
          description: What it is.
          returned: always
          type: str
          sample: spot instances
        status:
          description:
            - V(priced); V(unknown), since the price could not be read; V(not_sold), since none of the types is sold there, so that
              nothing runs; V(usage), which is not estimated since it depends on use.
          returned: always
          type: str
          sample: priced
        quantity:
          description: How many; null for V(usage).
          returned: always
          type: int
          sample: 3
        per:
          description: V(hour) or V(month), what RV(places[].items[].unit_price) is for; null for V(usage).
          returned: always
          type: str
          sample: hour
        unit_price:
          description: The price of one - C(current), C(median) and C(worst); null without a price.
          returned: always
          type: dict
          sample: {current: "0.3271", median: "0.3271", worst: "0.6102"}
        hourly:
          description: The price of all of them by the hour.
          returned: always
          type: dict
          sample: {current: "0.9813", median: "0.9813", worst: "1.8306"}
        monthly:
          description: The same by the month.
          returned: always
          type: dict
          sample: {current: "716.349", median: "716.349", worst: "1336.338"}
        source:
          description: Where the price comes from; without one, why there is none.
          returned: always
          type: str
          sample: spot price history
    types:
      description: Each instance type by itself, the cheapest on spot first - an instance's price on demand and on spot, and the saving now.
      returned: always
      type: list
      elements: dict
      sample:
        - instance_type: g4dn.xlarge
          on_demand: "0.526"
          spot: {current: "0.3271", median: "0.3271", worst: "0.4102"}
          savings_percent: 37
    hourly:
      description: All priced items by the hour.
      returned: always
      type: dict
      sample: {current: "1.62", median: "1.62", worst: "2.95"}
    monthly:
      description: All priced items by the month.
      returned: always
      type: dict
      sample: {current: "1182.6", median: "1182.6", worst: "2153.5"}
    on_demand_hourly:
      description: The same with all instances on demand; null if not known.
      returned: always
      type: dict
      sample: {current: "2.26", median: "2.26", worst: "4.18"}
    on_demand_monthly:
      description: The same by the month; null if not known.
      returned: always
      type: dict
      sample: {current: "1649.8", median: "1649.8", worst: "3051.4"}
    savings_percent:
      description: How much less it is than all on demand, rounded down; null if not known.
      returned: always
      type: dict
      sample: {current: 28, median: 28, worst: 29}
    lower_bound:
      description: Whether an item is V(unknown), so that the place costs that or more.
      returned: always
      type: bool
      sample: false
total:
  description:
    - All places, with C(hourly), C(monthly), C(on_demand_hourly), C(on_demand_monthly), C(savings_percent) and C(lower_bound) as above.
    - Of the places with O(placed), the dearest has the instances. C(cheapest) is what it costs if the one that is cheapest now has them,
      with C(place), C(hourly) and C(monthly); null where there is no choice or a price is unknown.
  returned: always, unless the input is wrong
  type: dict
  sample:
    hourly: {current: "1.62", median: "1.62", worst: "2.95"}
    monthly: {current: "1182.6", median: "1182.6", worst: "2153.5"}
    on_demand_hourly: {current: "2.26", median: "2.26", worst: "4.18"}
    on_demand_monthly: {current: "1649.8", median: "1649.8", worst: "3051.4"}
    savings_percent: {current: 28, median: 28, worst: 29}
    lower_bound: false
    cheapest:
currency:
  description: What all amounts are in.
  returned: always, unless the input is wrong
  type: str
  sample: USD
price_window_days:
  description: The window of median and worst, O(price_window_days).
  returned: always, unless the input is wrong
  type: int
  sample: 7
breaches:
  description: Every ceiling that does not hold, as option, value and rule. The module fails if there is one.
  returned: always, unless the input is wrong
  type: list
  elements: str
  sample: ["max_hourly_usd: 2 is less than the estimate at the worst spot price, 2.95 USD/h"]
text:
  description: The same for people, as lines.
  returned: always, unless the input is wrong
  type: list
  elements: str
  sample: ["2 places, spot prices of 7 days, USD, 730 hours a month"]
"""

from datetime import UTC
from datetime import datetime
from typing import Any
from typing import NoReturn

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.ethereal.spot.plugins.module_utils._aws.price_survey import survey_prices
from ansible_collections.ethereal.spot.plugins.module_utils._brain import checks
from ansible_collections.ethereal.spot.plugins.module_utils._brain.endpoints import GROUPS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import EtherealSpotError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.ceiling import breaches
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.ceiling import ceiling
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.ceiling import check_currency
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.prices import check_unit_prices
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.prices import currency_of
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.reckon import public_place
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.reckon import reckon
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.reckon import total_of
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.text import estimate_lines
from ansible_collections.ethereal.spot.plugins.module_utils._brain.estimate.wish import wishes
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import Clients
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import masking_module
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import run_module

LONGEST_WINDOW_DAYS = 90
# What the places have in common, unless they say otherwise.
COMMON: dict[str, dict[str, Any]] = {
    "instance_types": {"type": "list", "elements": "str", "default": ["g4dn.xlarge", "g5.xlarge", "g6.xlarge"]},
    "instances": {"type": "int", "default": 1},
    "placed": {"type": "bool", "default": False},
    "on_demand_base": {"type": "int", "default": 0},
    "on_demand_percentage_above_base": {"type": "int", "default": 0},
    "on_demand_fallback_max": {"type": "int", "default": 0},
    "created_sizes": {"type": "bool", "default": False},
    "disk_size": {"type": "int", "default": 100},
    "ebs_iops": {"type": "int", "default": 3000},
    "ebs_throughput": {"type": "int", "default": 125},
    "worker": {"type": "bool", "default": True},
    "hub": {"type": "bool", "default": False},
    "network": {"type": "bool", "default": True},
    "endpoint_zones": {"type": "int", "default": 2},
    "endpoint_groups": {"type": "list", "elements": "str", "choices": list(GROUPS), "default": []},
    "nat_gateways": {"type": "int", "default": 0},
    "alarms": {"type": "int", "default": 0},
    "dashboards": {"type": "int", "default": 0},
}


def estimated(module: AnsibleAWSModule) -> dict[str, Any]:
    params = module.params
    wanted = wishes(params["places"], {name: params[name] for name in COMMON})
    days = checks.check_integer(params["price_window_days"], "price_window_days", 0, LONGEST_WINDOW_DAYS)
    seconds = checks.check_integer(params["timeout"], "timeout", 1, 600)
    given = check_unit_prices(params["unit_prices"] or {})
    ceilings = {
        option: None if params[option] is None else ceiling(params[option], option)
        for option in ("max_hourly_usd", "max_monthly_usd")
    }
    currency = currency_of(wanted)
    check_currency(currency, **ceilings)
    clients = Clients(module, connect_timeout=min(seconds, 10), read_timeout=seconds)
    known = survey_prices(clients, wanted, given, datetime.now(UTC), days, seconds)
    places = reckon(wanted, known, given)
    total = total_of(places)
    broken = breaches(total, places, **ceilings)
    result = {
        "changed": False,
        "places": [public_place(place) for place in places],
        "total": total.public(),
        "currency": currency,
        "price_window_days": days,
        "breaches": [str(breach) for breach in broken],
        "text": estimate_lines(places, total, days, currency, broken),
    }
    if broken:
        message = "; ".join(result["breaches"])
        raise EtherealSpotError(message, option=broken[0].option, rule=broken[0].rule, **result)
    return result


def main() -> NoReturn:
    module = masking_module(
        argument_spec={
            "places": {"type": "dict", "required": True},
            **COMMON,
            "price_window_days": {"type": "int", "default": 7},
            "unit_prices": {
                "type": "dict",
                "options": {
                    "gp3_gib_month": {"type": "str"},
                    "gp3_iops_month": {"type": "str"},
                    "gp3_mibps_month": {"type": "str"},
                    "endpoint_hour": {"type": "str"},
                    "nat_gateway_hour": {"type": "str"},
                    "public_address_hour": {"type": "str"},
                    "kms_key_month": {"type": "str", "no_log": False},
                    "alarm_month": {"type": "str"},
                    "dashboard_month": {"type": "str"},
                },
            },
            "max_hourly_usd": {"type": "str"},
            "max_monthly_usd": {"type": "str"},
            "timeout": {"type": "int", "default": 30},
        },
        supports_check_mode=True,
    )
    run_module(module, estimated)


if __name__ == "__main__":
    main()
