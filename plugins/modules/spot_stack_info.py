#!/usr/bin/python
# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: spot_stack_info
version_added: 0.1.0
short_description: Say what CloudFormation stacks need, and how their resources have drifted
description:
  - Reads several stacks of a region at once and gives a verdict for each, so that only stacks that need it cost a run of
    M(amazon.aws.cloudformation).
  - Looks for drift in stacks that stand, with CloudFormation's drift detection, and for kinds that it does not cover with probes of
    its own. These are EFS file systems, KMS keys, ECS clusters, VPC endpoints, and the lifecycle hook by which an ECS capacity
    provider with managed draining drains its group's instances.
  - Says which VPCs of the stacks have a default security group with rules, since that group is no resource of a stack.
  - An ECS service's desired count is no drift, since it belongs to no template.
  - Has CloudFormation validate the template of every stack that is not V(current), which the stock module does not do in check mode.
  - Needs the IAM actions C(cloudformation:DescribeStacks), C(cloudformation:GetTemplate), C(cloudformation:ValidateTemplate),
    C(cloudformation:DescribeStackEvents), and with O(drift) also C(cloudformation:DetectStackDrift),
    C(cloudformation:DescribeStackDriftDetectionStatus), C(cloudformation:DescribeStackResourceDrifts),
    C(cloudformation:ListStackResources), what drift detection itself reads, C(kms:GetKeyRotationStatus),
    C(ecs:DescribeClusters), C(ecs:DescribeCapacityProviders), C(autoscaling:DescribeLifecycleHooks),
    C(elasticfilesystem:DescribeFileSystems), C(elasticfilesystem:DescribeBackupPolicy),
    C(elasticfilesystem:DescribeLifecycleConfiguration), C(elasticfilesystem:DescribeFileSystemPolicy),
    C(ec2:DescribeVpcEndpoints) and C(ec2:DescribeSecurityGroups).
author:
  - Ethereal Spot contributors (@ethereal-spot)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - ethereal.spot.attributes
  - ethereal.spot.attributes.info
options:
  stacks:
    description: The stacks, and what is wanted of them. Only what is given is compared.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The stack's name.
        type: str
        required: true
      template_body:
        description: The wanted template, at most 51,200 bytes.
        type: str
      parameters:
        description: The wanted parameters. Lists are joined by commas.
        type: dict
        default: {}
      tags:
        description: The wanted tags. Other tags are left alone.
        type: dict
        default: {}
      immutable:
        description: Parameters that cannot change once they have a value.
        type: list
        elements: str
        default: []
      account:
        description:
          - The account that the stack can be made in, for a template that refers to what is in that account alone.
          - Credentials of another one are refused, unless the stack is V(current).
        type: str
      account_of:
        description: What says O(stacks[].account), for the message.
        type: str
  drift:
    description: Whether to look for drift.
    type: bool
    default: true
  settle_timeout:
    description:
      - How many seconds to wait for a stack that somebody is changing, before it is told what it then is.
      - By default it is V(busy) at once.
    type: int
    default: 0
  wait_timeout:
    description: Seconds after which a drift detection that has not ended is given up; the drift is then unknown.
    type: int
    default: 300
"""

EXAMPLES = r"""
- name: Look at two stacks
  ethereal.spot.spot_stack_info:
    region: us-west-2
    stacks:
      - name: ethereal-us-west-2-network
        template_body: "{{ lookup('ansible.builtin.file', 'network.template') }}"
        parameters:
          VpcCidr: 10.42.0.0/16
        immutable: [VpcCidr]
      - name: ethereal-us-west-2-region
  register: found

- name: Show what has drifted
  ansible.builtin.debug:
    msg: "{{ found.stacks['ethereal-us-west-2-region'].drift }}"
"""

RETURN = r"""
stacks:
  description: Every stack, by name.
  returned: success
  type: dict
  contains:
    name:
      description: The stack's name.
      returned: always
      type: str
      sample: ethereal-us-west-2-region
    verdict:
      description:
        - V(absent) has to be created; V(current) is as wanted; V(outdated) has to be updated; V(busy) is being changed by someone.
        - V(dead) was never created and must be deleted before it can be; V(delete_failed) can only be deleted;
          V(rollback_failed) needs an operator to continue the rollback, or can be deleted.
      returned: always
      type: str
      sample: current
    differences:
      description: Why a stack is V(outdated). Names only.
      returned: always
      type: dict
      contains:
        template:
          description: Whether the template differs.
          returned: always
          type: bool
          sample: false
        parameters:
          description: The parameters that differ.
          returned: always
          type: list
          elements: str
          sample: [RetentionDays]
        tags:
          description: The tags that differ.
          returned: always
          type: list
          elements: str
          sample: []
    refused:
      description: Immutable parameters that differ. The stack cannot become what is wanted.
      returned: always
      type: list
      elements: dict
      sample: [{parameter: VpcCidr, found: 10.42.0.0/16, wanted: 10.43.0.0/16}]
    status:
      description: CloudFormation's status; null where there is no stack.
      returned: always
      type: str
      sample: CREATE_COMPLETE
    status_reason:
      description: CloudFormation's reason for the status, or null.
      returned: always
      type: str
      sample: null
    stack_id:
      description: The stack's ARN, or null.
      returned: always
      type: str
      sample: arn:aws:cloudformation:us-west-2:123456789012:stack/ethereal-us-west-2-region/0a1b2c3d-0000-0000-0000-000000000000
    outputs:
      description: The stack's outputs.
      returned: always
      type: dict
      sample: {ClusterName: ethereal-us-west-2}
    parameters:
      description: The stack's parameters.
      returned: always
      type: dict
      sample: {Prefix: ethereal}
    tags:
      description: The stack's tags.
      returned: always
      type: dict
      sample: {"ethereal-spot:deployment": ethereal}
    template_hash:
      description: The SHA-256 of the template that CloudFormation holds, without blank space at its end; null if unknown.
      returned: always
      type: str
      sample: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    resources:
      description: Physical ids by logical id. Filled only where drift was looked for.
      returned: always
      type: dict
      sample: {Cluster: ethereal-us-west-2}
    first_failed_event:
      description: What began the failure of the last operation, or null.
      returned: always
      type: dict
      sample: {resource: MountB, type: "AWS::EFS::MountTarget", status: CREATE_FAILED, reason: subnet not found}
    drift:
      description: The resources that differ from the template. Empty also where drift was not looked for.
      returned: always
      type: list
      elements: dict
      contains:
        resource:
          description: The logical id.
          returned: always
          type: str
          sample: Key
        type:
          description: The kind.
          returned: always
          type: str
          sample: AWS::KMS::Key
        status:
          description: V(MODIFIED) or V(DELETED).
          returned: always
          type: str
          sample: MODIFIED
        differences:
          description: The properties that differ. What a container's environment holds is not shown.
          returned: always
          type: list
          elements: dict
          sample: [{path: /EnableKeyRotation, expected: true, actual: false}]
        source:
          description: Who saw it, V(cloudformation) or V(probe).
          returned: always
          type: str
          sample: probe
    drift_unknown:
      description: Why some drift may not have been seen, or null.
      returned: always
      type: str
      sample: null
    open_groups:
      description: Default security groups of the stack's VPCs that have rules. Empty also where drift was not looked for.
      returned: always
      type: list
      elements: str
      sample: [sg-0123456789abcdef0]
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.ethereal.spot.plugins.module_utils._aws import cloudformation
from ansible_collections.ethereal.spot.plugins.module_utils._aws import sts
from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError
from ansible_collections.ethereal.spot.plugins.module_utils._aws.stack_survey import survey
from ansible_collections.ethereal.spot.plugins.module_utils._brain import stacks as brain
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import EtherealSpotError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import Clients
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import masking_module
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import run_module


def look(module: AnsibleAWSModule) -> dict[str, Any]:
    wanted = {stack["name"]: stack for stack in brain.check_wanted(module.params["stacks"])}
    clients = Clients(module)
    found = survey(
        clients, wanted, module.params["drift"], module.params["wait_timeout"], module.params["settle_timeout"]
    )
    stacks = {name: {**found[name], **brain.compare(found[name], wanted[name])} for name in wanted}
    for name, stack in stacks.items():
        if stack["verdict"] != brain.CURRENT and wanted[name]["template_body"] is not None:
            validate(clients("cloudformation"), wanted[name])
        if stack["verdict"] != brain.CURRENT and wanted[name]["account"] is not None:
            check_account(sts.caller_account(clients("sts")), wanted[name])
    return {"changed": False, "stacks": stacks}


def check_account(own: str, wanted: dict[str, Any]) -> None:
    if wanted["account"] != own:
        option = wanted["account_of"] or f"stacks.{wanted['name']}.account"
        raise InputError(option, wanted["account"], f"is another account than that of the credentials, {own}")


def validate(client: Any, wanted: dict[str, Any]) -> None:
    """Fail where CloudFormation would refuse the template, or does not know a parameter."""
    try:
        declared = cloudformation.validate_template(client, wanted["template_body"])
    except AwsError as error:
        if error.code != "ValidationError":
            raise
        raise EtherealSpotError(f"the template of stack {wanted['name']} is invalid: {error.reason}") from error
    for name in wanted["parameters"]:
        if name not in declared:
            raise InputError(f"stacks.{wanted['name']}.parameters", name, "is not a parameter of the template")


def main() -> None:
    argument_spec = {
        "stacks": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": {
                "name": {"type": "str", "required": True},
                "template_body": {"type": "str"},
                "parameters": {"type": "dict", "default": {}},
                "tags": {"type": "dict", "default": {}},
                "immutable": {"type": "list", "elements": "str", "default": []},
                "account": {"type": "str"},
                "account_of": {"type": "str"},
            },
        },
        "drift": {"type": "bool", "default": True},
        "settle_timeout": {"type": "int", "default": 0},
        "wait_timeout": {"type": "int", "default": 300},
    }
    run_module(masking_module(argument_spec=argument_spec, supports_check_mode=True), look)


if __name__ == "__main__":
    main()
