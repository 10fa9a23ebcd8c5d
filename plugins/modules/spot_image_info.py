#!/usr/bin/python
# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: spot_image_info
version_added: 0.1.0
short_description: Find images by id or SSM parameter, and whether instance types run them
description:
  - Fails unless every image exists in the region, is available, and runs on the instance type that it is meant for.
  - Needs the IAM actions C(ec2:DescribeImages) and C(ec2:DescribeInstanceTypes), and C(ssm:GetParameter) for images of SSM parameters.
author:
  - Ethereal Spot contributors (@ethereal-spot)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - ethereal.spot.attributes
  - ethereal.spot.attributes.info
options:
  launches:
    description: Images, each with the instance type that it is meant for.
    type: list
    elements: dict
    required: true
    suboptions:
      image:
        description: An AMI's id, or C(resolve:ssm:PARAMETER) with the name of an SSM parameter that holds one.
        type: str
        required: true
      instance_type:
        description: The instance type.
        type: str
        required: true
"""

EXAMPLES = r"""
- name: Find the newest Ubuntu
  ethereal.spot.spot_image_info:
    region: us-west-2
    launches:
      - image: resolve:ssm:/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id
        instance_type: t3.micro
  register: found
"""

RETURN = r"""
images:
  description: The images, by what was given as O(launches[].image).
  returned: success
  type: dict
  contains:
    image_id:
      description: The AMI.
      returned: always
      type: str
      sample: ami-0123456789abcdef0
    root_device_name:
      description: The device of the root volume.
      returned: always
      type: str
      sample: /dev/sda1
    volumes:
      description: The EBS volumes that an instance of it starts with.
      returned: always
      type: list
      elements: dict
      contains:
        device_name:
          description: The device.
          returned: always
          type: str
          sample: /dev/sda1
        size:
          description: The volume's size in GiB.
          returned: always
          type: int
          sample: 8
"""

from typing import Any

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.ethereal.spot.plugins.module_utils._aws import ec2
from ansible_collections.ethereal.spot.plugins.module_utils._aws import ssm_images
from ansible_collections.ethereal.spot.plugins.module_utils._brain import image_facts as brain
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_facts import check_image
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_template import check_resolved
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import Clients
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import run_module


def look(module: AnsibleAWSModule) -> dict[str, Any]:
    clients, launches = Clients(module), module.params["launches"]
    brain.check_launches(launches)
    found: dict[str, dict[str, Any]] = {}
    for index, launch in enumerate(launches):
        if launch["image"] not in found:
            found[launch["image"]] = find(clients, launch["image"], brain.image_option(index))
    ec2_client = clients("ec2")
    types = ec2.describe_instance_types(ec2_client, sorted({launch["instance_type"] for launch in launches}))
    brain.check_types(launches, found, types, ec2_client.meta.region_name)
    return {"changed": False, "images": {given: brain.view(image) for given, image in found.items()}}


def find(clients: Clients, image: str, option: str) -> dict[str, Any]:
    parameter, image_id = brain.parameter_of(image), image
    if parameter:
        image_id = check_resolved(parameter, ssm_images.image_of(clients("ssm"), parameter), option)
    client = clients("ec2")
    return check_image(image_id, ec2.describe_image(client, image_id), client.meta.region_name, option)


def main() -> None:
    launch = {"image": {"type": "str", "required": True}, "instance_type": {"type": "str", "required": True}}
    argument_spec = {"launches": {"type": "list", "elements": "dict", "required": True, "options": launch}}
    run_module(AnsibleAWSModule(argument_spec=argument_spec, supports_check_mode=True), look)


if __name__ == "__main__":
    main()
