#!/usr/bin/python

# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: spot_fleet_info
short_description: Tell what fleets have, what they should have, and why that differs
version_added: 0.1.0
description:
  - Reads Auto Scaling groups, their instances and their failed launches, and an ECS service on request.
  - Says in sentences why a fleet is not as wanted.
  - Needs the IAM actions C(autoscaling:DescribeAutoScalingGroups), C(autoscaling:DescribeScalingActivities) and
    C(ec2:DescribeInstances), C(ecs:DescribeServices) with O(service),
    C(elasticfilesystem:DescribeReplicationConfigurations) with O(file_system_id), and C(ec2:DescribeVolumes),
    C(ec2:DescribeLaunchTemplateVersions) and C(ec2:DescribeRouteTables) with O(prove).
author:
  - Ethereal Spot contributors (@ethereal-spot)
options:
  names:
    description:
      - The names of the groups.
    type: list
    elements: str
  prefix:
    description:
      - The deployment whose groups are read, found by their tag.
    type: str
  failures_within:
    description:
      - How old failed launches may be, in minutes.
    type: int
    default: 60
  cluster:
    description:
      - The name of an ECS cluster.
    type: str
  service:
    description:
      - The name of an ECS service in O(cluster) to read, too.
    type: str
  file_system_id:
    description:
      - An EFS file system whose copy in another region is read, too.
    type: str
  prove:
    description:
      - Read back what the instances really are, and return it as RV(evidence), by the rules of
        O(ethereal.spot.spot_asg#module:prove).
    type: bool
    default: false
  allow_public_subnets:
    description:
      - Find nothing wrong with subnets that have a route to an internet gateway.
    type: bool
    default: false
seealso:
  - module: ethereal.spot.spot_asg
  - module: ethereal.spot.spot_placement
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - ethereal.spot.attributes
  - ethereal.spot.attributes.info
"""

EXAMPLES = r"""
- name: Look at a place
  ethereal.spot.spot_fleet_info:
    region: us-east-1
    names: [llm-us-east-1, llm-us-east-1-od]
    cluster: llm-us-east-1
    service: llm-us-east-1
  register: fleet

- name: Keep for auditors what its instances are
  ethereal.spot.spot_fleet_info:
    region: us-east-1
    prefix: llm
    prove: true
  register: proved

- name: Say why it is not as wanted
  ansible.builtin.debug:
    var: fleet.why

- name: Look at everything that a deployment has in the region
  ethereal.spot.spot_fleet_info:
    region: us-east-1
    prefix: llm
"""

RETURN = r"""
evidence:
  description:
    - What the instances of all groups are, as RV(ethereal.spot.spot_asg#module:evidence). Null without O(prove).
  returned: success
  type: dict
fleets:
  description: The groups, in the order of O(names), or by name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name of the group.
      type: str
    exists:
      description: Whether there is such a group. All else is missing if not.
      type: bool
    arn:
      description: The ARN of the group.
      type: str
    tags:
      description: The tags of the group.
      type: dict
    wanted:
      description: What the group is set to.
      type: dict
      contains:
        desired_capacity:
          description: How many instances it shall have.
          type: int
        min_size:
          description: Its smallest size.
          type: int
        max_size:
          description: Its largest size.
          type: int
        capacity_owner:
          description: Who sets its size.
          type: str
        instance_types:
          description: Its instance types.
          type: list
          elements: str
        on_demand_base:
          description: How many instances are on-demand first.
          type: int
        on_demand_percentage_above_base:
          description: The share of on-demand instances above them.
          type: int
        spot_strategy:
          description: How spot pools are chosen. Null if no spot instance is bought.
          type: str
    actual:
      description: What it has.
      type: dict
      contains:
        in_service:
          description: How many instances serve.
          type: int
        by_market:
          description: Those by V(spot) and V(on-demand).
          type: dict
        by_zone:
          description: Those by Availability Zone.
          type: dict
        instances:
          description: All instances of the group, as RV(ethereal.spot.spot_placement#module:instances).
          type: list
          elements: dict
    failures:
      description:
        - Failed launches within O(failures_within), as RV(ethereal.spot.spot_asg#module:reasons).
        - C(recovered) says whether a launch succeeded later.
      type: list
      elements: dict
    why:
      description: Why the group is not as wanted. Empty if it is.
      type: list
      elements: str
  sample:
    - name: llm-us-east-1
      exists: true
      wanted: {desired_capacity: 2, min_size: 0, max_size: 50}
      actual: {in_service: 1, by_market: {spot: 1}, by_zone: {us-east-1a: 1}}
      why: ["llm-us-east-1 wants 2 instances, 1 serve."]
replication:
  description: The copy of O(file_system_id). Null if none was asked for or there is none.
  returned: success
  type: dict
  contains:
    file_system_id:
      description: The id of the copy, in RV(replication.region).
      type: str
    last_replicated:
      description: What was written before is in the copy; what was written later may not be. Null until the first copy is complete.
      type: str
    message:
      description: What AWS says of a replication that is paused or failed.
      type: str
    region:
      description: The copy's region.
      type: str
    status:
      description: V(ENABLED) while AWS keeps the copy up to date.
      type: str
  sample:
    file_system_id: fs-0123456789abcdef0
    last_replicated: "2026-03-01T11:58:07+00:00"
    message: null
    region: us-west-2
    status: ENABLED
service:
  description: The ECS service. Null if none was asked for or it does not exist.
  returned: success
  type: dict
  contains:
    name:
      description: Its name.
      type: str
    cluster:
      description: The name of its cluster.
      type: str
    wanted:
      description: How many tasks it wants.
      type: int
    running:
      description: How many of them run.
      type: int
    pending:
      description: How many of them are starting.
      type: int
    steady:
      description: Whether it has what it wants.
      type: bool
    event:
      description: Its latest event, if it is not steady.
      type: str
    status:
      description: Its status.
      type: str
  sample: {name: llm-us-east-1, cluster: llm-us-east-1, wanted: 2, running: 2, pending: 0, steady: true, event: null}
why:
  description: Why anything is not as wanted. Empty if all is.
  returned: success
  type: list
  elements: str
  sample: ["llm-us-east-1 wants 2 instances, 1 serve."]
"""

from datetime import UTC
from datetime import datetime
from datetime import timedelta
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.ethereal.spot.plugins.module_utils._aws import autoscaling
from ansible_collections.ethereal.spot.plugins.module_utils._aws import ec2
from ansible_collections.ethereal.spot.plugins.module_utils._aws import ecs
from ansible_collections.ethereal.spot.plugins.module_utils._aws import efs
from ansible_collections.ethereal.spot.plugins.module_utils._aws.fleet_proof import prove
from ansible_collections.ethereal.spot.plugins.module_utils._brain import files
from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_status
from ansible_collections.ethereal.spot.plugins.module_utils._brain import names
from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import check_integer
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet import check_fleet_name
from ansible_collections.ethereal.spot.plugins.module_utils._brain.placement import check_service
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import Clients
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import masking_module
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import run_module

ARGUMENTS = {
    "names": {"type": "list", "elements": "str"},
    "prefix": {"type": "str"},
    "failures_within": {"type": "int", "default": 60},
    "cluster": {"type": "str"},
    "service": {"type": "str"},
    "file_system_id": {"type": "str"},
    "prove": {"type": "bool", "default": False},
    "allow_public_subnets": {"type": "bool", "default": False},
}


def check_options(params: dict[str, Any]) -> None:
    if params["names"] is None and params["prefix"] is None:
        raise InputError("names", None, "is needed, or prefix")
    if params["names"] is not None:
        if not params["names"]:
            raise InputError("names", params["names"], "must name at least one group")
        for index, name in enumerate(params["names"]):
            check_fleet_name(name, f"names[{index}]")
    if params["prefix"] is not None:
        names.check_prefix(params["prefix"], "prefix")
    if params["file_system_id"] is not None:
        files.check_file_system_id(params["file_system_id"], "file_system_id")
    check_service(params["cluster"], params["service"])
    check_integer(params["failures_within"], "failures_within")


def run(module: AnsibleAWSModule) -> dict[str, Any]:
    params = module.params
    check_options(params)
    clients = Clients(module)
    filters = [{"Name": f"tag:{names.TAG_DEPLOYMENT}", "Values": [params["prefix"]]}] if params["prefix"] else None
    groups = autoscaling.describe_groups(clients("autoscaling"), params["names"], filters)
    found = {group["AutoScalingGroupName"]: group for group in groups}
    members = [member["InstanceId"] for group in groups for member in group.get("Instances", [])]
    described = ec2.describe_instances(clients("ec2"), members) if members else []
    since = datetime.now(UTC) - timedelta(minutes=params["failures_within"])
    fleets = []
    for name in params["names"] or sorted(found):
        if name in found:
            activities = autoscaling.describe_activities(clients("autoscaling"), name)
            fleets.append(fleet_status.group_view(found[name], described, activities, since))
        else:
            fleets.append({"exists": False, "name": name, "why": [f"{name} does not exist."]})
    why = [sentence for fleet in fleets for sentence in fleet["why"]]
    service = None
    if params["service"]:
        answer = ecs.describe_service(clients("ecs"), params["cluster"], params["service"])
        service = fleet_status.service_view(answer) if answer else None
        why += fleet_status.why_service(params["service"], service)
    replication = None
    if params["file_system_id"]:
        answer = efs.replication_of(clients("efs"), params["file_system_id"])
        replication = files.replication_view(answer, params["file_system_id"]) if answer else None
        why += files.why_replication(params["file_system_id"], replication)
    evidence = None
    if params["prove"]:
        public = params["allow_public_subnets"]
        evidence = prove(clients, groups, described=described, subnets=True, public_subnets=public)
    return {
        "changed": False,
        "evidence": evidence,
        "fleets": fleets,
        "replication": replication,
        "service": service,
        "why": why,
    }


def main() -> None:
    module = masking_module(
        argument_spec=ARGUMENTS,
        mutually_exclusive=[("names", "prefix")],
        supports_check_mode=True,
    )
    run_module(module, run)


if __name__ == "__main__":
    main()
