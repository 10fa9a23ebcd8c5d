# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Launch templates as Auto Scaling takes them: named by id or name, and able to launch."""

from __future__ import annotations

from typing import Any

from moto.core.exceptions import ServiceException
from moto.ec2.models import ec2_backends

from sandbox.autoscaling.groups import Group
from sandbox.autoscaling.refusal import invalid
from sandbox.ec2 import lookups
from sandbox.ec2 import types


def specification(group: Group, asked: dict[str, Any]) -> dict[str, str]:
    """A template named by id or name, with both; the version is shown only where it was given."""
    template_id, name = asked.get("LaunchTemplateId"), asked.get("LaunchTemplateName")
    if bool(template_id) == bool(name):
        raise invalid("Valid requests must contain either launchTemplateId or LaunchTemplateName")
    backend = ec2_backends[group.account][group.region]
    kind, value = ("ID", template_id) if template_id else ("name", name)
    found = backend.launch_templates.get(template_id or backend.launch_template_name_to_ids.get(name))
    if found is None:
        raise invalid(
            "You must use a valid fully-formed launch template. The specified launch template, with template "
            f"{kind} {value}, does not exist."
        )
    result = {"LaunchTemplateId": found.id, "LaunchTemplateName": found.name}
    if asked.get("Version"):
        result["Version"] = str(asked["Version"])
        version_of(group, result)
    return result


def version_of(group: Group, template: dict[str, str]) -> Any:
    """The version of a template that a launch takes now. Raises ValidationError where there is none."""
    backend = ec2_backends[group.account][group.region]
    found = backend.launch_templates.get(template["LaunchTemplateId"])
    version = template.get("Version", "$Default")
    try:
        return found.get_version(version)
    except (ServiceException, AttributeError):
        raise invalid(
            "You must use a valid fully-formed launch template. Could not find the specified version "
            f"{version} for the launch template with ID {template['LaunchTemplateId']}."
        ) from None


def launchable(group: Group, template: dict[str, str]) -> dict[str, Any]:
    """A template's data, after the checks that Auto Scaling makes before it takes it."""
    data, backend = version_of(group, template).data, ec2_backends[group.account][group.region]
    problem = None
    if not data.get("ImageId"):
        problem = "The request must contain the parameter ImageId"
    elif lookups.image_id(group.account, group.region, data["ImageId"]) not in backend.amis:
        problem = f"The image id '[{data['ImageId']}]' does not exist"
    groups = list(data.get("SecurityGroupIds") or [])
    for interface in data.get("NetworkInterfaces") or []:
        groups += interface.get("Groups") or []
    missing = [each for each in groups if backend.get_security_group_from_id(each) is None]
    if missing:
        problem = problem or f"The security group '{missing[0]}' does not exist"
    if data.get("KeyName") and data["KeyName"] not in backend.key_pairs:
        problem = problem or f"The key pair '{data['KeyName']}' does not exist"
    profile = data.get("IamInstanceProfile")
    if profile and not problem:
        try:
            lookups.instance_profile(profile.get("Name"), profile.get("Arn"))
        except ServiceException as error:
            problem = error.message
    if data.get("InstanceType") and not types.exists(data["InstanceType"]):
        problem = problem or f"Invalid value '{data['InstanceType']}' for InstanceType."
    if problem:
        raise invalid(f"You must use a valid fully-formed launch template. {problem}")
    return data
