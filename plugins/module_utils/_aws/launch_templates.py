# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Calls for EC2 launch templates, one each. PRIVATE to the collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError
from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import translated
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_versions import MARK

# botocore model: DeleteLaunchTemplateVersions.
BATCH = 200

GONE = frozenset(
    {
        "InvalidLaunchTemplateId.NotFound",
        "InvalidLaunchTemplateId.VersionNotFound",
        "InvalidLaunchTemplateName.NotFoundException",
    }
)


def describe_template(client: Any, name: str) -> dict[str, Any] | None:
    """The template of that name; None if there is none."""
    try:
        return _describe_template(client, name)
    except AwsError as error:
        if error.code in GONE:
            return None
        raise


@translated("describe the launch template")
def _describe_template(client: Any, name: str) -> dict[str, Any]:
    return client.describe_launch_templates(LaunchTemplateNames=[name])["LaunchTemplates"][0]


def describe_versions(client: Any, template_id: str, versions: list[str]) -> list[dict[str, Any]]:
    """Versions by number, $Latest or $Default; empty if the template or a version is gone."""
    try:
        return _describe_versions(client, template_id, versions)
    except AwsError as error:
        if error.code in GONE:
            return []
        raise


@translated("describe versions of the launch template")
def _describe_versions(client: Any, template_id: str, versions: list[str]) -> list[dict[str, Any]]:
    answer = client.describe_launch_template_versions(LaunchTemplateId=template_id, Versions=versions)
    return answer["LaunchTemplateVersions"]


@translated("describe all versions of the launch template")
def describe_all_versions(client: Any, template_id: str) -> list[dict[str, Any]]:
    """Every version there is; the newest comes first."""
    pages = client.get_paginator("describe_launch_template_versions").paginate(LaunchTemplateId=template_id)
    return pages.build_full_result()["LaunchTemplateVersions"]


@translated("create the launch template")
def create_template(client: Any, name: str, data: dict[str, Any], tags: dict[str, str]) -> str:
    """Its id. botocore adds a ClientToken that its retries repeat, so none of them makes a second template."""
    extra = {}
    if tags:
        pairs = [{"Key": key, "Value": value} for key, value in sorted(tags.items())]
        extra["TagSpecifications"] = [{"ResourceType": "launch-template", "Tags": pairs}]
    answer = client.create_launch_template(
        LaunchTemplateName=name, LaunchTemplateData=data, VersionDescription=MARK, **extra
    )
    return answer["LaunchTemplate"]["LaunchTemplateId"]


@translated("create a version of the launch template")
def create_version(client: Any, template_id: str, data: dict[str, Any]) -> int:
    """Its number. The data stands alone: without a source version nothing is inherited."""
    answer = client.create_launch_template_version(
        LaunchTemplateId=template_id, LaunchTemplateData=data, VersionDescription=MARK
    )
    return answer["LaunchTemplateVersion"]["VersionNumber"]


def delete_versions(client: Any, template_id: str, numbers: list[int]) -> None:
    """Versions by number; AwsError for one that stays. One that is gone already is no error."""
    for start in range(0, len(numbers), BATCH):
        for item in _delete_versions(client, template_id, [str(each) for each in numbers[start : start + BATCH]]):
            error = item.get("ResponseError", {})
            if error.get("Code") != "launchTemplateVersionDoesNotExist":
                doing = f"delete version {item.get('VersionNumber')} of the launch template"
                raise AwsError(doing, error.get("Code", "unexpectedError"), error.get("Message", ""))


@translated("delete versions of the launch template")
def _delete_versions(client: Any, template_id: str, numbers: list[str]) -> list[dict[str, Any]]:
    """Those that EC2 did not delete: it answers without an error even then."""
    answer = client.delete_launch_template_versions(LaunchTemplateId=template_id, Versions=numbers)
    return answer.get("UnsuccessfullyDeletedLaunchTemplateVersions", [])


def delete_template(client: Any, template_id: str) -> None:
    """The template with all its versions; nothing if it is gone."""
    try:
        _delete_template(client, template_id)
    except AwsError as error:
        if error.code not in GONE:
            raise


@translated("delete the launch template")
def _delete_template(client: Any, template_id: str) -> None:
    client.delete_launch_template(LaunchTemplateId=template_id)
