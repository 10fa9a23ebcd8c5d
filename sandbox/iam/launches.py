# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a launch needs: EC2 checks RunInstances on every resource that it uses, and the role that it hands to the instance.

Auto Scaling asks for the same of whoever gives a group a launch template (Auto Scaling user guide, "Launch template support":
ec2:RunInstances, ec2:CreateTags where the template tags, iam:PassRole where it has an instance profile).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ministack.core import responses
from ministack.services import iam
from moto.ec2.models import ec2_backends

from sandbox.calls import Call


@dataclass(frozen=True)
class Launch:
    """`roles` are names or ARNs of roles, `tags` the tag specifications of the template."""

    resources: tuple[str, ...]
    roles: tuple[str, ...]
    tags: tuple[dict[str, Any], ...]


def needed(call: Call, parameters: dict[str, Any]) -> Launch | None:
    """What the call must be allowed for what it launches or makes Auto Scaling launch; None for any other call."""
    if (call.service, call.action) == ("ec2", "RunInstances"):
        template = _template(parameters.get("LaunchTemplate"))
        tags = template.get("TagSpecifications") or ()
        return _launch({**template, **parameters, "TagSpecifications": tags}, parameters.get("LaunchTemplate"))
    if call.service == "autoscaling" and call.action in ("CreateAutoScalingGroup", "UpdateAutoScalingGroup"):
        mixed = (parameters.get("MixedInstancesPolicy") or {}).get("LaunchTemplate") or {}
        template = parameters.get("LaunchTemplate") or mixed.get("LaunchTemplateSpecification")
        if template:
            return _launch(_template(template), template)
    return None


def _backend() -> Any:
    return ec2_backends[responses.get_account_id()][responses.get_region()]


def _template(specification: dict[str, Any] | None) -> dict[str, Any]:
    """The data of the version that a specification names; empty where there is none, which the emulator then reports."""
    found = _find(specification)
    if found is None:
        return {}
    version = (specification or {}).get("Version") or "$Default"
    numbers = {"$Latest": found.latest_version().number, "$Default": found.default_version_number}
    number = str(numbers.get(version, version))
    return next((dict(each.data) for each in found.versions if str(each.number) == number), {})


def _find(specification: dict[str, Any] | None) -> Any:
    if not specification:
        return None
    backend = _backend()
    wanted = specification.get("LaunchTemplateId"), specification.get("LaunchTemplateName")
    return next(
        (each for each in backend.launch_templates.values() if each.id == wanted[0] or each.name == wanted[1]), None
    )


def _launch(data: dict[str, Any], specification: dict[str, Any] | None) -> Launch:
    region = responses.get_region()
    own = f"arn:aws:ec2:{region}:{responses.get_account_id()}"
    resources = [f"{own}:instance/*", f"{own}:network-interface/*", f"{own}:volume/*"]
    if data.get("ImageId"):
        resources.append(f"arn:aws:ec2:{region}::image/{data['ImageId']}")
    if data.get("SubnetId"):
        resources.append(f"{own}:subnet/{data['SubnetId']}")
    if data.get("KeyName"):
        resources.append(f"{own}:key-pair/{data['KeyName']}")
    resources += [f"{own}:security-group/{group}" for group in data.get("SecurityGroupIds") or ()]
    template = _find(specification)
    if template is not None:
        resources.append(f"{own}:launch-template/{template.id}")
    roles = _roles(data.get("IamInstanceProfile") or {})
    return Launch(tuple(resources), tuple(roles), tuple(data.get("TagSpecifications") or ()))


def _roles(profile: dict[str, Any]) -> list[str]:
    return roles_of_profile(profile.get("Name") or (profile.get("Arn") or "").rsplit("/", 1)[-1])


def roles_of_profile(name: str) -> list[str]:
    """The names of the roles in an instance profile; none where there is no such profile."""
    stored = iam._instance_profiles.get(name) if name else None
    return [role if isinstance(role, str) else role["RoleName"] for role in (stored or {}).get("Roles", ())]
