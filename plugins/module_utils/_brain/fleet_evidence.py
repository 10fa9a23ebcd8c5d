# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What instances really are, against what every instance of a fleet must be. PRIVATE to the collection.

Some rules hold for every fleet. The others are what the version of the launch template says that the instance was launched
from: a fleet that has moved on does not make older instances wrong. Volumes that were attached later are judged too.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_subnets
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet import same_profile
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_template import read_template

VIOLATIONS_FAIL = "fail"
VIOLATIONS = (VIOLATIONS_FAIL, "report")
# What is on its way out has lost its volumes, or is about to.
GONE = frozenset({"shutting-down", "terminated"})
NAMED_KEY = "the key that the launch template names"
PRIVATE = "no route to an internet gateway"


def judge(
    members: list[dict[str, Any]],
    described: list[dict[str, Any]],
    volumes: list[dict[str, Any]],
    templates: dict[tuple[str, str], dict[str, Any]],
    route_tables: list[dict[str, Any]] | None = None,
    *,
    public_subnets: bool = False,
) -> dict[str, Any]:
    """Evidence of groups' `members` (DescribeAutoScalingGroups, each with its `group`), by instance id, and what is wrong with it.

    `described` and `volumes` are EC2's answers, `templates` LaunchTemplateData by template id and version. Without
    `route_tables` nothing is said of subnets. What could not be seen is listed as `unproved`, and nothing is compliant then.
    """
    details = {item["InstanceId"]: item for item in described}
    attached: dict[str, list[dict[str, Any]]] = {}
    for volume in volumes:
        for attachment in volume.get("Attachments", []):
            attached.setdefault(attachment.get("InstanceId"), []).append({**volume, "Attachment": attachment})
    instances: dict[str, Any] = {}
    findings: list[dict[str, Any]] = []
    unproved: list[str] = []
    subnets: dict[str, Any] = {}
    for member in sorted(members, key=lambda item: item["InstanceId"]):
        name = member["InstanceId"]
        if name not in details:
            unproved.append(name)
            continue
        detail = details[name]
        if detail["State"]["Name"] in GONE:
            continue
        seen = view(member, detail, attached.get(name, []))
        instances[name] = seen
        if _listed(detail) - {volume["id"] for volume in seen["volumes"]}:
            unproved.append(name)
        template = templates.get(_launched_from(member), {})
        wrong = _wrong(seen, template)
        if route_tables is not None and detail.get("SubnetId"):
            subnet = fleet_subnets.view(detail["SubnetId"], route_tables)
            subnets[detail["SubnetId"]] = subnet
            if not subnet["private"] and not public_subnets:
                wrong.append(("private_subnet", subnet["internet_routes"] or None, PRIVATE))
        findings += [
            {"instance": name, "rule": rule, "found": found, "wanted": wanted} for rule, found, wanted in wrong
        ]
    return {
        "compliant": not findings and not unproved,
        "findings": findings,
        "instances": instances,
        "subnets": subnets,
        "unproved": unproved,
    }


def view(member: dict[str, Any], detail: dict[str, Any], volumes: list[dict[str, Any]]) -> dict[str, Any]:
    """One instance as EC2 has it."""
    options = detail.get("MetadataOptions") or {}
    template_id, version = _launched_from(member)
    return {
        "ebs_optimized": bool(detail.get("EbsOptimized")),
        "group": member["group"],
        "image_id": detail.get("ImageId"),
        "instance_profile": (detail.get("IamInstanceProfile") or {}).get("Arn"),
        "launch_template": {"id": template_id or None, "version": version or None},
        "metadata_options": {
            "hop_limit": options.get("HttpPutResponseHopLimit"),
            "http_endpoint": options.get("HttpEndpoint"),
            "http_protocol_ipv6": options.get("HttpProtocolIpv6", "disabled"),
            "http_tokens": options.get("HttpTokens"),
            "instance_metadata_tags": options.get("InstanceMetadataTags", "disabled"),
        },
        "monitoring": (detail.get("Monitoring") or {}).get("State"),
        "public_addresses": _public_addresses(detail),
        "subnet_id": detail.get("SubnetId"),
        "volumes": [
            {
                "device": volume["Attachment"].get("Device"),
                "encrypted": bool(volume.get("Encrypted")),
                "id": volume["VolumeId"],
                "iops": volume.get("Iops"),
                "kms_key_id": volume.get("KmsKeyId"),
                "size": volume.get("Size"),
                "throughput": volume.get("Throughput"),
                "type": volume.get("VolumeType"),
            }
            for volume in sorted(volumes, key=lambda item: (item["Attachment"].get("Device") or "", item["VolumeId"]))
        ],
    }


def _launched_from(member: dict[str, Any]) -> tuple[str, str]:
    template = member.get("LaunchTemplate") or {}
    return template.get("LaunchTemplateId", ""), str(template.get("Version", ""))


def _listed(detail: dict[str, Any]) -> set[str]:
    return {item["Ebs"]["VolumeId"] for item in detail.get("BlockDeviceMappings", []) if item.get("Ebs")}


def _public_addresses(detail: dict[str, Any]) -> list[str]:
    found = {detail.get("PublicIpAddress")}
    for interface in detail.get("NetworkInterfaces", []):
        found.add((interface.get("Association") or {}).get("PublicIp"))
        for address in interface.get("PrivateIpAddresses", []):
            found.add((address.get("Association") or {}).get("PublicIp"))
    return sorted(filter(None, found))


def _wrong(seen: dict[str, Any], template: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Rule, what was found, what is wanted: for every rule that is broken."""
    wanted = read_template(template)
    options = seen["metadata_options"]
    rules = [
        ("ebs_optimized", seen["ebs_optimized"], True),
        ("metadata_ipv6", options["http_protocol_ipv6"], "disabled"),
        ("metadata_tokens", options["http_tokens"], "required"),
        ("public_address", seen["public_addresses"], []),
    ]
    if seen["monitoring"] != "pending":
        rules.append(("monitoring", seen["monitoring"], "enabled"))
    if template:
        told = (template.get("MetadataOptions") or {}).get("InstanceMetadataTags", "disabled")
        if str(wanted["image_id"]).startswith("ami-"):
            # Templates of others may name a parameter, whose value is not the template's.
            rules.append(("image", seen["image_id"], wanted["image_id"]))
        rules += [
            ("metadata_hop_limit", options["hop_limit"], wanted["metadata_hop_limit"]),
            ("metadata_tags", options["instance_metadata_tags"], told),
        ]
    wrong: list[tuple[str, Any, Any]] = [rule for rule in rules if rule[1] != rule[2]]
    if template and not same_profile(seen["instance_profile"], wanted["iam_instance_profile"]):
        wrong.append(("instance_profile", seen["instance_profile"], wanted["iam_instance_profile"]))
    for volume in seen["volumes"]:
        if not volume["encrypted"]:
            wrong.append(("volume_encryption", {volume["id"]: False}, True))
        elif template and not _same_key(volume["kms_key_id"], wanted["kms_key_arn"]):
            wrong.append(("volume_key", {volume["id"]: volume["kms_key_id"]}, wanted["kms_key_arn"] or NAMED_KEY))
    return wrong


def _same_key(found: str | None, wanted: str | None) -> bool:
    """Whether both name one key; templates of others may have its id alone."""
    if not found or not wanted:
        return False
    return found == wanted or found.rpartition("/")[2] == wanted


def versions_needed(members: list[dict[str, Any]]) -> dict[str, list[str]]:
    """The versions that members were launched from, by template id."""
    needed: dict[str, set[str]] = {}
    for member in members:
        template_id, version = _launched_from(member)
        if template_id and version:
            needed.setdefault(template_id, set()).add(version)
    return {template_id: sorted(versions) for template_id, versions in sorted(needed.items())}


def members_of(groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The members of DescribeAutoScalingGroups entries, each with its group's name."""
    return [
        {**member, "group": group["AutoScalingGroupName"]} for group in groups for member in group.get("Instances", [])
    ]


def sentence(findings: list[dict[str, Any]]) -> str:
    """What is wrong, for a person to read."""
    return "; ".join(
        f"{item['instance']}: {item['rule']} is {item['found']!r}, must be {item['wanted']!r}" for item in findings
    )
