#!/usr/bin/python
# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: spot_stack_heal
version_added: 0.1.0
short_description: Bring drifted resources back to what their stack's template says
description:
  - Looks for drift as M(ethereal.spot.spot_stack_info) does, and reverts it.
  - What CloudFormation saw, it reverts itself with a change set whose deployment mode is C(REVERT_DRIFT), under the stack's own
    template and parameters. What only a probe saw is set by a direct call. ECS puts a draining hook that was deleted anew when
    managed draining is turned off and on.
  - An ECS service's desired count is never reverted. A change set that would set it is deleted and the module fails.
  - A resource that drift detection does not cover and that is gone cannot be healed. It is in RV(remaining).
  - Needs the IAM actions of M(ethereal.spot.spot_stack_info), and C(cloudformation:CreateChangeSet),
    C(cloudformation:DescribeChangeSet), C(cloudformation:ExecuteChangeSet), C(cloudformation:DeleteChangeSet),
    C(kms:EnableKeyRotation), C(ecs:UpdateClusterSettings), C(ecs:UpdateCapacityProvider), C(elasticfilesystem:PutBackupPolicy),
    C(elasticfilesystem:PutFileSystemPolicy), C(elasticfilesystem:PutLifecycleConfiguration),
    C(elasticfilesystem:UpdateFileSystem), C(ec2:ModifyVpcEndpoint), and without O(role_arn) or a role of the stack's own also what
    the resources need.
  - Needs a botocore that knows C(DeploymentMode).
author:
  - Ethereal Spot contributors (@ethereal-spot)
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
options:
  stacks:
    description: The stacks. Those that do not exist or are being changed are left alone.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The stack's name.
        type: str
        required: true
      parameters:
        description: Parameters to set instead of their present values.
        type: dict
        default: {}
  role_arn:
    description: The role under which CloudFormation changes resources. The stack's own, else the caller's, without it.
    type: str
  wait_timeout:
    description: Seconds after which any one step of a stack is given up.
    type: int
    default: 1200
"""

EXAMPLES = r"""
- name: Revert what was changed by hand
  ethereal.spot.spot_stack_heal:
    region: us-west-2
    stacks:
      - name: ethereal-us-west-2-network
      - name: ethereal-us-west-2-region

- name: Revert drift around a service, whose count the template sets only at creation
  ethereal.spot.spot_stack_heal:
    region: us-west-2
    stacks:
      - name: ethereal-us-west-2-workload
        parameters:
          InitialCount: ""
"""

RETURN = r"""
changes:
  description: The resources that were, or in check mode would be, brought back.
  returned: success
  type: list
  elements: dict
  contains:
    stack:
      description: The stack.
      returned: always
      type: str
      sample: ethereal-us-west-2-region
    resource:
      description: The logical id.
      returned: always
      type: str
      sample: NodeGroup
    type:
      description: The kind.
      returned: always
      type: str
      sample: AWS::EC2::SecurityGroup
    paths:
      description: The properties; none where the resource was deleted.
      returned: always
      type: list
      elements: str
      sample: [/SecurityGroupEgress/2]
    how:
      description: By V(change_set) or by V(call).
      returned: always
      type: str
      sample: change_set
remaining:
  description: Drift that is still there, as RV(ethereal.spot.spot_stack_info#module:stacks.drift), with the stack's name.
  returned: success
  type: list
  elements: dict
  sample: []
"""

import hashlib
import json
from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.ethereal.spot.plugins.module_utils._aws import cloudformation
from ansible_collections.ethereal.spot.plugins.module_utils._aws import probes
from ansible_collections.ethereal.spot.plugins.module_utils._aws.stack_survey import survey
from ansible_collections.ethereal.spot.plugins.module_utils._brain import stacks as brain
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import EtherealSpotError
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import Clients
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import masking_module
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import run_module


def heal(module: AnsibleAWSModule) -> dict[str, Any]:
    wanted = {stack["name"]: stack for stack in brain.check_wanted(module.params["stacks"])}
    clients = Clients(module)
    timeout = module.params["wait_timeout"]
    found = survey(clients, wanted, True, timeout)
    changes = brain.plan_heal(found)
    if changes and not module.check_mode:
        apply(clients, changes, found, wanted, module.params["role_arn"], timeout)
        left = survey(clients, wanted, True, timeout)
    else:
        left = found
    remaining = [
        {"stack": name, **item}
        for name, stack in left.items()
        for item in stack["drift"]
        if not (module.check_mode and _planned(changes, name, item["resource"]))
    ]
    result: dict[str, Any] = {"changed": bool(changes), "changes": changes, "remaining": remaining}
    result["warnings"] = [
        f"{item['resource']} of stack {item['stack']} has drifted and could not be healed" for item in remaining
    ] + [f"drift of stack {name}: {stack['drift_unknown']}" for name, stack in left.items() if stack["drift_unknown"]]
    if module._diff:
        result["diff"] = difference(found, changes)
    return result


def _planned(changes: list[dict[str, Any]], stack: str, resource: str) -> bool:
    return any(change["stack"] == stack and change["resource"] == resource for change in changes)


def apply(
    clients: Clients,
    changes: list[dict[str, Any]],
    found: dict[str, dict[str, Any]],
    wanted: dict[str, dict[str, Any]],
    role_arn: str | None,
    timeout: int,
) -> None:
    """Every stack in order: its change set first, since that may make resources anew, then the direct calls."""
    for name in {change["stack"]: None for change in changes}:
        mine = [change for change in changes if change["stack"] == name]
        if any(change["how"] == "change_set" for change in mine):
            revert(clients("cloudformation"), found[name], wanted[name]["parameters"], role_arn, timeout)
        for change in mine:
            if change["how"] == "call":
                resource = found[name]["resources"][change["resource"]]
                probes.heal(clients, change["type"], resource, change["paths"], found[name]["parameters"])


def revert(client: Any, found: dict[str, Any], overrides: dict[str, str], role_arn: str | None, timeout: int) -> None:
    """Make, look at and execute a change set that reverts a stack's drift. One with nothing to change is deleted."""
    name = found["name"]
    parameters = [
        {"ParameterKey": key, "ParameterValue": overrides[key]}
        if key in overrides
        else {"ParameterKey": key, "UsePreviousValue": True}
        for key in found["parameters"]
    ]
    # The same drift gives the same name, and what a run that died here has left under it goes first.
    digest = hashlib.sha256(json.dumps(found["drift"], sort_keys=True, default=str).encode()).hexdigest()
    label = f"revert-drift-{digest[:32]}"
    cloudformation.delete_change_set(client, name, label)
    cloudformation.create_drift_revert(client, name, label, parameters, role_arn)
    if not cloudformation.wait_for_change_set(client, name, label, timeout):
        cloudformation.delete_change_set(client, name, label)
        return
    moving = brain.would_move(cloudformation.change_set_changes(client, name, label))
    if moving:
        cloudformation.delete_change_set(client, name, label)
        raise EtherealSpotError(
            f"reverting the drift of stack {name} would set {', '.join(moving)}, which belongs to no template"
        )
    cloudformation.execute_change_set(client, name, label)
    cloudformation.wait_for_update(client, name, timeout)


def difference(found: dict[str, dict[str, Any]], changes: list[dict[str, Any]]) -> dict[str, Any]:
    """What is planned as before and after, by stack, resource and path."""
    sides: dict[str, dict[str, Any]] = {"before": {}, "after": {}}
    for change in changes:
        item = next(item for item in found[change["stack"]]["drift"] if item["resource"] == change["resource"])
        key = f"{change['stack']}/{change['resource']}"
        if item["status"] == "DELETED":
            sides["before"][key], sides["after"][key] = "absent", "present"
        for entry in item["differences"]:
            sides["before"].setdefault(key, {})[entry["path"]] = entry["actual"]
            sides["after"].setdefault(key, {})[entry["path"]] = entry["expected"]
    return sides


def main() -> None:
    argument_spec = {
        "stacks": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": {
                "name": {"type": "str", "required": True},
                "parameters": {"type": "dict", "default": {}},
            },
        },
        "role_arn": {"type": "str"},
        "wait_timeout": {"type": "int", "default": 1200},
    }
    run_module(masking_module(argument_spec=argument_spec, supports_check_mode=True), heal)


if __name__ == "__main__":
    main()
