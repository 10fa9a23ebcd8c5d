#!/usr/bin/python

# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: spot_placement
short_description: Bring one place to its replicas
version_added: 0.1.0
description:
  - Sets the sizes of a place's spot group and on-demand group and the task count of the ECS service that runs on both, then
    waits until the tasks run, and are healthy if they have a health check.
  - One replica is one task on one instance, so the service gets as many tasks as there are instances.
  - Groups grow first and shrink last. When the service gets fewer tasks, those are waited for before instances go, also with
    O(wait=false). When one group grows while the other shrinks, with O(wait=true) the new instances are in service before
    the old ones go.
  - Scales only groups whose O(ethereal.spot.spot_asg#module:capacity_owner) is V(placement).
  - A run that was interrupted is completed by the next with the same options.
  - Needs the IAM actions C(autoscaling:DescribeAutoScalingGroups), C(autoscaling:DescribeScalingActivities),
    C(ec2:DescribeInstances), C(ecs:DescribeServices), C(ecs:DescribeTaskDefinition), C(ecs:ListTasks),
    C(ecs:DescribeTasks) and C(ecs:DescribeContainerInstances) to look, C(ec2:DescribeVolumes) and
    C(ec2:DescribeLaunchTemplateVersions) with O(prove); C(autoscaling:SetDesiredCapacity) and C(ecs:UpdateService) to scale.
author:
  - Ethereal Spot contributors (@ethereal-spot)
options:
  name:
    description:
      - The name of the place's spot group.
    type: str
    required: true
  on_demand_name:
    description:
      - The name of the place's on-demand group. It may be missing as long as O(on_demand=0).
      - O(name) with C(-od) at its end by default.
    type: str
  spot:
    description:
      - How many replicas run on spot instances.
    type: int
    required: true
  on_demand:
    description:
      - How many replicas run on on-demand instances.
    type: int
    default: 0
  cluster:
    description:
      - The name of the ECS cluster. Without it, only the groups are scaled.
    type: str
  service:
    description:
      - The name of the ECS service in O(cluster).
    type: str
  wait:
    description:
      - Wait until as many tasks as wanted run on the place's instances, and until what shall go is gone.
      - Also when nothing had to be changed, so that a run proves that the place serves.
    type: bool
    default: true
  wait_timeout:
    description:
      - How many seconds the whole run may take at most.
    type: int
    default: 900
  give_up_after:
    description:
      - Fail after this many seconds if launches failed repeatedly and none succeeded.
    type: int
    default: 120
  prove:
    description:
      - Read back what the instances really are, and return it as RV(evidence), by the rules of
        O(ethereal.spot.spot_asg#module:prove), but for those of subnets.
      - Costs nothing while there are no instances, else one call for volumes and one for each launch template version in use.
    type: bool
    default: false
  violations:
    description:
      - What happens with O(prove) if instances are not as they must be. V(fail) fails the module, once the place is as wanted;
        V(report) only returns it.
    type: str
    choices: [fail, report]
    default: fail
notes:
  - In check mode, missing groups and a missing service count as empty. In a real run they are an error.
seealso:
  - module: ethereal.spot.spot_asg
  - module: ethereal.spot.spot_fleet_info
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - ethereal.spot.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
"""

EXAMPLES = r"""
- name: Serve with two replicas on spot
  ethereal.spot.spot_placement:
    region: us-east-1
    name: llm-us-east-1
    spot: 2
    cluster: llm-us-east-1
    service: llm-us-east-1

- name: Move one of them to an on-demand instance
  ethereal.spot.spot_placement:
    region: us-east-1
    name: llm-us-east-1
    spot: 1
    on_demand: 1
    cluster: llm-us-east-1
    service: llm-us-east-1

- name: Empty the place and do not wait until the instances are gone
  ethereal.spot.spot_placement:
    region: us-east-1
    name: llm-us-east-1
    spot: 0
    cluster: llm-us-east-1
    service: llm-us-east-1
    wait: false
"""

RETURN = r"""
after:
  description: The sizes after the run, or as they would be in check mode.
  returned: success
  type: dict
  contains:
    spot:
      description: The size of the spot group.
      type: int
    on_demand:
      description: The size of the on-demand group.
      type: int
    tasks:
      description: The task count of the service, if one was given.
      type: int
  sample: {spot: 2, on_demand: 0, tasks: 2}
before:
  description: The sizes before the run.
  returned: when the place could be read
  type: dict
  contains:
    spot:
      description: The size of the spot group.
      type: int
    on_demand:
      description: The size of the on-demand group.
      type: int
    tasks:
      description: The task count of the service, if one was given.
      type: int
  sample: {spot: 0, on_demand: 0, tasks: 0}
changes:
  description: What was changed, or would be in check mode, in its order.
  returned: when the place could be read
  type: list
  elements: dict
  contains:
    kind:
      description: The step, V(set_desired_capacity) of a group or V(set_desired_count) of the service.
      type: str
    what:
      description: The name of the group or the service.
      type: str
    before:
      description: Its size before.
      type: int
    after:
      description: Its size after.
      type: int
  sample:
    - {kind: set_desired_capacity, what: llm-us-east-1, before: 0, after: 2}
    - {kind: set_desired_count, what: llm-us-east-1, before: 0, after: 2}
evidence:
  description: What the instances are, as RV(ethereal.spot.spot_asg#module:evidence).
  returned: with O(prove), but for check mode
  type: dict
failures:
  description:
    - Failed launches that no successful one has followed, as RV(ethereal.spot.spot_asg#module:reasons), with their C(group)
      and its C(instance_types). The C(market) is the group's, where AWS does not say it.
    - Empty on success.
  returned: always
  type: list
  elements: dict
instances:
  description: The instances of both groups; in check mode, those that are there now.
  returned: success
  type: list
  elements: dict
  contains:
    group:
      description: The name of its group.
      type: str
    instance_id:
      description: Its id.
      type: str
    instance_type:
      description: Its type.
      type: str
    zone:
      description: Its Availability Zone.
      type: str
    lifecycle:
      description: V(spot) or V(on-demand).
      type: str
    lifecycle_state:
      description: What its group does with it.
      type: str
    health:
      description: Its health as its group sees it.
      type: str
    state:
      description: What EC2 says of it.
      type: str
    launch_time:
      description: When it was launched.
      type: str
    private_ip:
      description: Its private address.
      type: str
  sample:
    - group: llm-us-east-1
      health: healthy
      instance_id: i-0123456789abcdef0
      instance_type: g5.xlarge
      launch_time: "2026-01-01T10:00:00+00:00"
      lifecycle: spot
      lifecycle_state: InService
      private_ip: 10.0.0.10
      state: running
      zone: us-east-1a
seconds:
  description: Seconds from the first change until the place was as wanted. Null if nothing was changed or waited for.
  returned: success
  type: float
  sample: 143.2
stopped_tasks:
  description: The tasks that stopped last, with the reasons that ECS gives.
  returned: when waiting failed
  type: list
  elements: dict
violations:
  description: What is not as it must be, as the findings of RV(ethereal.spot.spot_asg#module:evidence).
  returned: when instances are not as they must be
  type: list
  elements: dict
tasks:
  description: The tasks of the service.
  returned: success
  type: list
  elements: dict
  contains:
    arn:
      description: Its ARN.
      type: str
    status:
      description: Its last status.
      type: str
    health:
      description: Its health. V(UNKNOWN) if it has no health check.
      type: str
    instance_id:
      description: The instance that it runs on.
      type: str
    zone:
      description: Its Availability Zone.
      type: str
    started_at:
      description: When it began to run.
      type: str
    started_after:
      description: Seconds from the launch of its instance until then.
      type: int
  sample:
    - arn: "arn:aws:ecs:us-east-1:123456789012:task/llm-us-east-1/0123456789abcdef0123456789abcdef"
      health: HEALTHY
      instance_id: i-0123456789abcdef0
      started_after: 96
      started_at: "2026-01-01T10:01:36+00:00"
      status: RUNNING
      zone: us-east-1a
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.ethereal.spot.plugins.module_utils._aws.fleet_proof import hold
from ansible_collections.ethereal.spot.plugins.module_utils._aws.place import Place
from ansible_collections.ethereal.spot.plugins.module_utils._aws.waiters import Pace
from ansible_collections.ethereal.spot.plugins.module_utils._brain import names
from ansible_collections.ethereal.spot.plugins.module_utils._brain import placement
from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import check_integer
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import EtherealSpotError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet import check_fleet_name
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_evidence import VIOLATIONS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_evidence import VIOLATIONS_FAIL
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import Clients
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import masking_module
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import run_module

PACE = Pace()

ARGUMENTS = {
    "name": {"type": "str", "required": True},
    "on_demand_name": {"type": "str"},
    "spot": {"type": "int", "required": True},
    "on_demand": {"type": "int", "default": 0},
    "cluster": {"type": "str"},
    "service": {"type": "str"},
    "prove": {"type": "bool", "default": False},
    "violations": {"type": "str", "choices": list(VIOLATIONS), "default": VIOLATIONS_FAIL},
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 900},
    "give_up_after": {"type": "int", "default": 120},
}


def read_options(params: dict[str, Any]) -> placement.Wanted:
    name = check_fleet_name(params["name"])
    on_demand_name = check_fleet_name(params["on_demand_name"] or names.on_demand_name(name), "on_demand_name")
    if on_demand_name == name:
        raise InputError("on_demand_name", name, "is the spot group's name, too")
    placement.check_service(params["cluster"], params["service"])
    for option in ("spot", "on_demand", "wait_timeout", "give_up_after"):
        check_integer(params[option], option)
    return placement.Wanted(
        name, on_demand_name, params["spot"], params["on_demand"], params["cluster"], params["service"]
    )


def run(module: AnsibleAWSModule) -> dict[str, Any]:
    params = module.params
    wanted = read_options(params)
    place = Place(Clients(module), wanted, params["wait_timeout"], params["give_up_after"], PACE)
    seen = place.look(with_tasks=module.check_mode)
    placement.check_place(wanted, seen, check_mode=module.check_mode)
    changes = placement.plan(wanted, seen)
    before = placement.current_counts(wanted, seen)
    result: dict[str, Any] = {
        "before": before,
        "changed": bool(changes),
        "changes": [change.public() for change in changes],
        "failures": [],
    }
    if module.check_mode:
        return {**result, **report(module, before, wanted.counts()), **place.describe(seen), "seconds": None}
    if changes or params["wait"]:
        place.remember(seen)
    try:
        place.apply(changes, wait=params["wait"])
        seen = place.wait() if params["wait"] else place.look()
    except EtherealSpotError as error:
        error.details = {**result, **error.details}
        raise
    seconds = round(place.elapsed(), 1) if changes and params["wait"] else None
    after = placement.current_counts(wanted, seen)
    told = place.describe(seen, proved=params["prove"])
    result = {**result, **report(module, before, after), **told, "seconds": seconds}
    if params["prove"] and params["violations"] == VIOLATIONS_FAIL:
        hold(result["evidence"], result)
    return result


def report(module: AnsibleAWSModule, before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    return {"after": after, **({"diff": {"before": before, "after": after}} if module._diff else {})}


def main() -> None:
    module = masking_module(
        argument_spec=ARGUMENTS,
        supports_check_mode=True,
    )
    run_module(module, run)


if __name__ == "__main__":
    main()
