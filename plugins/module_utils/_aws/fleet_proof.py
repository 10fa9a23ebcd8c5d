# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading back what groups' instances really are. PRIVATE to the collection.

`clients` gives a botocore client for a service's name. Groups without instances cost no call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._aws import ec2
from ansible_collections.ethereal.spot.plugins.module_utils._aws import launch_templates
from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_evidence
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import EtherealSpotError

Clients = Callable[[str], Any]


def prove(
    clients: Clients,
    groups: list[dict[str, Any]],
    *,
    described: list[dict[str, Any]] | None = None,
    known: dict[tuple[str, str], dict[str, Any]] | None = None,
    subnets: bool = False,
    public_subnets: bool = False,
) -> dict[str, Any]:
    """The evidence of fleet_evidence on all instances of DescribeAutoScalingGroups entries.

    `described` are their DescribeInstances entries if they have been read, `known` LaunchTemplateData that has been read, by
    template id and version. With `subnets` the route tables are read too.
    """
    members = fleet_evidence.members_of(groups)
    client = clients("ec2")
    ids = [member["InstanceId"] for member in members]
    if described is None:
        described = ec2.describe_instances(client, ids)
    volumes = ec2.describe_volumes(client, ids)
    templates = dict(known or {})
    for template_id, versions in fleet_evidence.versions_needed(members).items():
        # One by one, since AWS answers nothing where one of several is gone.
        for version in versions:
            if (template_id, version) not in templates:
                for item in launch_templates.describe_versions(client, template_id, [version]):
                    templates[template_id, version] = item["LaunchTemplateData"]
    tables = None
    if subnets:
        networks = sorted({item["VpcId"] for item in described if item.get("VpcId")})
        tables = [table for vpc_id in networks for table in ec2.describe_route_tables(client, vpc_id)]
    return fleet_evidence.judge(members, described, volumes, templates, tables, public_subnets=public_subnets)


def hold(evidence: dict[str, Any], result: dict[str, Any]) -> None:
    """Fail where instances are not as they must be, with all that the run would have told."""
    findings = evidence["findings"]
    if findings:
        text = fleet_evidence.sentence(findings)
        raise EtherealSpotError(f"instances are not as they must be: {text}", **result, violations=findings)
