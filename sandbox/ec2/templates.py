# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Launch templates as AWS keeps them: versions that inherit, can be deleted, and hold nothing of the template's own tags."""

from __future__ import annotations

from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.core.types import Base64EncodedString
from moto.ec2.exceptions import InvalidLaunchTemplateIdNotFound
from moto.ec2.exceptions import InvalidLaunchTemplateNameNotFoundError
from moto.ec2.exceptions import InvalidLaunchTemplateVersionNotFound
from moto.ec2.models.launch_templates import LaunchTemplate
from moto.ec2.models.launch_templates import LaunchTemplateVersion
from moto.ec2.responses import EC2Response
from moto.ec2.utils import generic_filter
from moto.ec2.utils import parse_user_data

NEEDS = [
    "moto.ec2.models.launch_templates.LaunchTemplate.create_version",
    "moto.ec2.models.launch_templates.LaunchTemplate.get_version",
    "moto.ec2.models.launch_templates.LaunchTemplate.default_version",
    "moto.ec2.models.launch_templates.LaunchTemplateVersion",
]

PAGE = 200


def create_version(self: LaunchTemplate, data: dict[str, Any], description: str) -> LaunchTemplateVersion:
    """Numbers go on rising after deletions; the template's own tags are no launch parameter."""
    data = {key: value for key, value in data.items() if value is not None}
    if isinstance(data.get("UserData"), str):
        data["UserData"] = parse_user_data(data["UserData"])
    specifications = [each for each in data.pop("TagSpecifications", []) if each["ResourceType"] != "launch-template"]
    if specifications:
        data["TagSpecifications"] = specifications
    number = getattr(self, "highest_version_number", 0) + 1
    version = LaunchTemplateVersion(self, number, data, description)
    self.versions.append(version)
    self.highest_version_number = number
    return version


def get_version(self: LaunchTemplate, number: Any) -> LaunchTemplateVersion:
    asked = str(number).lower()
    if asked == "$latest":
        return self.versions[-1]
    if asked == "$default":
        return self.default_version()
    for version in self.versions:
        if str(version.number) == asked:
            return version
    raise InvalidLaunchTemplateVersionNotFound(template_id=self.id, version=number)


def default_version(self: LaunchTemplate) -> LaunchTemplateVersion:
    return get_version(self, self.default_version_number)


def find(backend: Any, template_id: str | None, name: str | None) -> LaunchTemplate:
    """The template by id or name, exactly one of them. Raises what EC2 answers."""
    if bool(template_id) == bool(name):
        code = "InvalidParameterCombination" if template_id else "MissingParameter"
        raise ServiceException(code, "Exactly one of LaunchTemplateId and LaunchTemplateName must be specified.")
    return backend.get_launch_template(template_id) if template_id else backend.get_launch_template_by_name(name)


_create_launch_template = EC2Response.create_launch_template


def create_launch_template(self: Any) -> ActionResult:
    name = self._get_param("LaunchTemplateName")
    if not self._get_param("LaunchTemplateData"):
        raise ServiceException("MissingParameter", "The request must contain the parameter LaunchTemplateData")
    token, backend = self._get_param("ClientToken"), self.ec2_backend
    made = getattr(backend, "sandbox_template_tokens", None)
    if made is None:
        made = backend.sandbox_template_tokens = {}
    if token and made.get(token) in backend.launch_templates:
        # botocore model, ClientToken: a repeat of the request gives the first one's result.
        return ActionResult({"LaunchTemplate": _template_view(self, backend.launch_templates[made[token]])})
    result = _create_launch_template(self)
    template = backend.get_launch_template_by_name(name)
    if token:
        made[token] = template.id
    return result


def create_launch_template_version(self: Any) -> ActionResult:
    template = find(self.ec2_backend, self._get_param("LaunchTemplateId"), self._get_param("LaunchTemplateName"))
    source, data = self._get_param("SourceVersion"), dict(self._get_param("LaunchTemplateData", {}))
    if source is not None:
        # botocore model, SourceVersion: the new version inherits all but what the request says.
        data = {**template.get_version(source).data, **data}
    self.error_on_dryrun()
    version = template.create_version(data, self._get_param("VersionDescription"))
    return ActionResult({"LaunchTemplateVersion": _version_view(self, template, version)})


def delete_launch_template_versions(self: Any) -> ActionResult:
    template = find(self.ec2_backend, self._get_param("LaunchTemplateId"), self._get_param("LaunchTemplateName"))
    self.error_on_dryrun()
    done, failed = [], []
    for asked in self._get_param("Versions", []):
        version = next((each for each in template.versions if str(each.number) == str(asked)), None)
        row = {"LaunchTemplateId": template.id, "LaunchTemplateName": template.name, "VersionNumber": int(asked)}
        if version is None:
            message = f"The specified launch template version {asked} does not exist."
            failed.append({**row, "ResponseError": {"Code": "launchTemplateVersionDoesNotExist", "Message": message}})
        elif template.is_default(version):
            message = "The default version of a launch template cannot be deleted."
            failed.append({**row, "ResponseError": {"Code": "unexpectedError", "Message": message}})
        else:
            template.versions.remove(version)
            done.append(row)
    return ActionResult(
        {
            "SuccessfullyDeletedLaunchTemplateVersions": done,
            "UnsuccessfullyDeletedLaunchTemplateVersions": failed,
        }
    )


def describe_launch_templates(self: Any) -> ActionResult:
    backend = self.ec2_backend
    names, ids = self._get_param("LaunchTemplateNames", []), self._get_param("LaunchTemplateIds", [])
    self.error_on_dryrun()
    for template_id in ids:
        if template_id not in backend.launch_templates:
            raise InvalidLaunchTemplateIdNotFound(template_id)
    for name in names:
        if name not in backend.launch_template_name_to_ids:
            raise InvalidLaunchTemplateNameNotFoundError()
    found = [
        each for each in backend.launch_templates.values() if not (names or ids) or each.name in names or each.id in ids
    ]
    found = generic_filter(self._filters_from_querystring(), found)
    rows, token = _page(self, [_template_view(self, each) for each in found])
    return ActionResult({"LaunchTemplates": rows, "NextToken": token})


def describe_launch_template_versions(self: Any) -> ActionResult:
    backend = self.ec2_backend
    template_id, name = self._get_param("LaunchTemplateId"), self._get_param("LaunchTemplateName")
    asked = [str(each) for each in self._get_param("Versions", [])]
    self.error_on_dryrun()
    if template_id or name:
        templates = [find(backend, template_id, name)]
    elif asked and all(each in ("$Latest", "$Default") for each in asked):
        templates = list(backend.launch_templates.values())
    else:
        raise ServiceException("MissingParameter", "The launch template id or the launch template name must be given.")
    least, most = self._get_int_param("MinVersion", 1), self._get_int_param("MaxVersion")
    rows = []
    for template in templates:
        if asked:
            chosen = [template.get_version(each) for each in asked]
        else:
            chosen = [v for v in reversed(template.versions) if v.number >= least and (not most or v.number <= most)]
        rows += [_version_view(self, template, version) for version in chosen]
    rows, token = _page(self, rows)
    return ActionResult({"LaunchTemplateVersions": rows, "NextToken": token})


def _page(response: Any, rows: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], str | None]:
    size = response._get_int_param("MaxResults", PAGE)
    start = int(response._get_param("NextToken") or 0)
    return rows[start : start + size], str(start + size) if start + size < len(rows) else None


def _template_view(response: Any, template: LaunchTemplate) -> dict[str, Any]:
    return {
        "CreateTime": template.create_time,
        "CreatedBy": f"arn:{response.partition}:iam::{response.current_account}:root",
        "DefaultVersionNumber": template.default_version_number,
        "LatestVersionNumber": template.latest_version_number,
        "LaunchTemplateId": template.id,
        "LaunchTemplateName": template.name,
        "Tags": template.get_tags(),
    }


def _version_view(response: Any, template: LaunchTemplate, version: LaunchTemplateVersion) -> dict[str, Any]:
    data = dict(version.data)
    if isinstance(data.get("UserData"), Base64EncodedString):
        data["UserData"] = str(data["UserData"])
    return {
        "CreateTime": version.create_time,
        "CreatedBy": f"arn:{response.partition}:iam::{response.current_account}:root",
        "DefaultVersion": template.is_default(version),
        "LaunchTemplateData": data,
        "LaunchTemplateId": template.id,
        "LaunchTemplateName": template.name,
        "VersionDescription": version.description,
        "VersionNumber": version.number,
    }


def install() -> None:
    LaunchTemplate.create_version = create_version
    LaunchTemplate.get_version = get_version
    LaunchTemplate.default_version = default_version


ACTIONS = {
    "create_launch_template": create_launch_template,
    "create_launch_template_version": create_launch_template_version,
    "delete_launch_template_versions": delete_launch_template_versions,
    "describe_launch_templates": describe_launch_templates,
    "describe_launch_template_versions": describe_launch_template_versions,
}
