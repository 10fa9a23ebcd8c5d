#!/usr/bin/python
# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: spot_network_info
version_added: 0.1.0
short_description: Find zones for a place's network, or check subnets of your own for it
description:
  - With O(services) gives the zones of a region that have all these endpoint services and offer at least one of
    O(instance_types), and fails if one of O(zones) does not.
  - With O(subnet_ids) fails unless these exist, lie in one VPC and one a zone, have no route to an internet gateway and enough
    free addresses, in zones that offer at least one of O(instance_types), in a VPC that resolves DNS names.
  - Needs the IAM actions C(ec2:DescribeInstanceTypeOfferings) with O(instance_types), C(ec2:DescribeVpcEndpointServices) with O(services),
    and C(ec2:DescribeSubnets), C(ec2:DescribeRouteTables) and C(ec2:DescribeVpcAttribute) with O(subnet_ids).
author:
  - Ethereal Spot contributors (@ethereal-spot)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - ethereal.spot.attributes
  - ethereal.spot.attributes.info
options:
  services:
    description: Endpoint services without the region's prefix, such as V(ecr.api). Exclusive with O(subnet_ids), and one of both is needed.
    type: list
    elements: str
  zones:
    description: Zones that have to be among those found. Needs O(services).
    type: list
    elements: str
    default: []
  subnet_ids:
    description: Subnets of yours, one to six.
    type: list
    elements: str
  vpc_id:
    description: The VPC that O(subnet_ids) have to be in.
    type: str
  min_free_addresses:
    description: How many addresses each of O(subnet_ids) must have left.
    type: int
    default: 0
  instance_types:
    description: Instance types of which every zone has to offer at least one. None are asked for if it is empty.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Find zones
  ethereal.spot.spot_network_info:
    region: us-west-2
    services: [ecs, ecs-agent, ecs-telemetry, ecr.api, ecr.dkr, logs]
    instance_types: [g5.xlarge, g6.xlarge]
  register: network

- name: Check subnets
  ethereal.spot.spot_network_info:
    region: us-west-2
    vpc_id: vpc-0123456789abcdef0
    subnet_ids: [subnet-0123456789abcdef0, subnet-0123456789abcdef1]
    min_free_addresses: 2
"""

RETURN = r"""
zones:
  description: The zones that serve, by name. With O(subnet_ids) those of the subnets, in their order.
  returned: success
  type: list
  elements: str
  sample: [us-west-2a, us-west-2b]
vpc_id:
  description: The VPC of the subnets.
  returned: with O(subnet_ids)
  type: str
  sample: vpc-0123456789abcdef0
subnets:
  description: The subnets, in the order given.
  returned: with O(subnet_ids)
  type: list
  elements: dict
  contains:
    subnet_id:
      description: The subnet.
      returned: always
      type: str
      sample: subnet-0123456789abcdef0
    zone:
      description: Its zone.
      returned: always
      type: str
      sample: us-west-2a
    free_addresses:
      description: How many addresses it has left.
      returned: always
      type: int
      sample: 4090
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.ethereal.spot.plugins.module_utils._aws import ec2
from ansible_collections.ethereal.spot.plugins.module_utils._brain import network_facts as brain
from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import check_instance_types
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import Clients
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import run_module


def look(module: AnsibleAWSModule) -> dict[str, Any]:
    client = Clients(module)("ec2")
    if module.params["instance_types"]:
        check_instance_types(module.params["instance_types"])
    answer = own_subnets(client, module.params) if module.params["subnet_ids"] else zones(client, module.params)
    return {"changed": False, **answer}


def zones(client: Any, params: dict[str, Any]) -> dict[str, Any]:
    region, types = client.meta.region_name, params["instance_types"]
    services = brain.zones_of(ec2.describe_endpoint_services(client, params["services"], region))
    asked = sorted({*set().union(*services.values()), *params["zones"]})
    offering = brain.offering_zones(ec2.describe_offerings(client, types, asked)) if types else None
    suitable = brain.suitable_zones(services, offering, types, region)
    brain.check_zones(params["zones"], services, offering, types, suitable)
    return {"zones": suitable}


def own_subnets(client: Any, params: dict[str, Any]) -> dict[str, Any]:
    wanted, types = params["subnet_ids"], params["instance_types"]
    brain.check_listed(wanted)
    subnets = ec2.describe_subnets(client, wanted)
    vpc_id, views = brain.check_own(
        wanted, subnets, params["vpc_id"], client.meta.region_name, params["min_free_addresses"]
    )
    brain.check_private(wanted, ec2.describe_route_tables(client, vpc_id))
    brain.check_switches(vpc_id, {name: ec2.vpc_switch(client, vpc_id, name) for name in brain.SWITCHES})
    if types:
        found = ec2.describe_offerings(client, types, sorted({view["zone"] for view in views}))
        brain.check_offered(views, brain.offering_zones(found), types)
    return {"zones": [view["zone"] for view in views], "vpc_id": vpc_id, "subnets": views}


def main() -> None:
    words = {"type": "list", "elements": "str"}
    argument_spec = {
        "services": words,
        "zones": {**words, "default": []},
        "subnet_ids": words,
        "vpc_id": {"type": "str"},
        "min_free_addresses": {"type": "int", "default": 0},
        "instance_types": {**words, "default": []},
    }
    module = AnsibleAWSModule(
        argument_spec=argument_spec,
        mutually_exclusive=[("services", "subnet_ids")],
        required_one_of=[("services", "subnet_ids")],
        supports_check_mode=True,
    )
    run_module(module, look)


if __name__ == "__main__":
    main()
