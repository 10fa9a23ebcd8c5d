# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What moto 5.2.5 lacks of AWS as far as a fleet uses it, put into moto itself: so requests go down to the wire, where
their answers can be lost, and a snapshot of moto has all of it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from moto.autoscaling.exceptions import AutoscalingClientError
from moto.autoscaling.exceptions import ValidationError
from moto.autoscaling.models import AutoScalingBackend
from moto.autoscaling.models import InstanceState
from moto.autoscaling.responses import AutoScalingResponse
from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID as ACCOUNT
from moto.core.responses import ActionResult
from moto.core.responses import EmptyResult
from moto.ec2.exceptions import InvalidLaunchTemplateVersionNotFound
from moto.ec2.models.instances import MetadataOptions
from moto.ec2.models.launch_templates import LaunchTemplate
from moto.ec2.models.launch_templates import LaunchTemplateVersion
from moto.ec2.responses.launch_templates import LaunchTemplates
from moto.ec2.utils import parse_user_data

REGION = "us-east-1"
ACTIVE = ("Pending", "InProgress", "Baking")
HOOK_FIELDS = {
    "NotificationMetadata": "notification_metadata",
    "NotificationTargetARN": "notification_target_arn",
    "RoleARN": "role_arn",
}


def standing_group(name: str = "gpu-fleet") -> Any:
    """moto's own group, for a test that looks at or steers what no request of the module reaches."""
    return get_backend("autoscaling")[ACCOUNT][REGION].autoscaling_groups[name]


def group_of(response: AutoScalingResponse, name: str | None = None) -> Any:
    """The group that a request speaks of."""
    groups = response.autoscaling_backend.autoscaling_groups
    name = name or response._get_params()["AutoScalingGroupName"]
    if name not in groups:
        raise ValidationError(f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found")
    return groups[name]


def kept_by(group: Any, attribute: str, empty: Callable[[], Any]) -> Any:
    """A thing that hangs on a group, and goes with it."""
    if not hasattr(group, attribute):
        setattr(group, attribute, empty())
    return getattr(group, attribute)


def topics_of(group: Any) -> dict[str, list[str]]:
    """The events that each topic hears of."""
    return kept_by(group, "topics", dict)


def refreshes_of(group: Any) -> list[dict[str, Any]]:
    """Its refreshes, newest first."""
    return kept_by(group, "refreshes", list)


def put_notification_configuration(self: AutoScalingResponse) -> ActionResult:
    params = self._get_params()
    topics_of(group_of(self))[params["TopicARN"]] = list(params["NotificationTypes"])
    return EmptyResult()


def describe_notification_configurations(self: AutoScalingResponse) -> ActionResult:
    found = [
        {"AutoScalingGroupName": name, "NotificationType": event, "TopicARN": topic}
        for name in self._get_params()["AutoScalingGroupNames"]
        for topic, events in topics_of(group_of(self, name)).items()
        for event in events
    ]
    return ActionResult({"NotificationConfigurations": found})


def delete_notification_configuration(self: AutoScalingResponse) -> ActionResult:
    topics_of(group_of(self)).pop(self._get_params()["TopicARN"], None)
    return EmptyResult()


def start_instance_refresh(self: AutoScalingResponse) -> ActionResult:
    """A group has one at a time (botocore model: InstanceRefreshInProgressFault)."""
    params, group = self._get_params(), group_of(self)
    kept = refreshes_of(group)
    if any(refresh["Status"] in ACTIVE for refresh in kept):
        raise AutoscalingClientError("InstanceRefreshInProgress", "An Instance Refresh is already in progress")
    asked = {key: params[key] for key in ("Preferences", "DesiredConfiguration") if key in params}
    refresh = {
        "AutoScalingGroupName": group.name,
        "InstanceRefreshId": f"refresh-{len(kept) + 1}",
        "PercentageComplete": 40,
        "Status": "InProgress",
        **copy.deepcopy(asked),
    }
    kept.insert(0, refresh)
    return ActionResult({"InstanceRefreshId": refresh["InstanceRefreshId"]})


def describe_instance_refreshes(self: AutoScalingResponse) -> ActionResult:
    group = group_of(self)
    wanted = self._get_params().get("InstanceRefreshIds")
    ends = kept_by(group, "refresh_ends", list)
    if wanted and ends:
        # What a look at a refresh in progress makes of it, one look after the other; None leaves it.
        end_refresh(group, ends.pop(0))
    found = [item for item in refreshes_of(group) if not wanted or item["InstanceRefreshId"] in wanted]
    return ActionResult({"InstanceRefreshes": found})


def end_refresh(group: Any, status: str | None) -> None:
    """The newest refresh gets that status; one that succeeds has brought what it was to bring."""
    refresh = refreshes_of(group)[0]
    refresh["Status"] = status or refresh["Status"]
    if status != "Successful":
        return
    refresh["PercentageComplete"] = 100
    policy = refresh.get("DesiredConfiguration", {}).get("MixedInstancesPolicy")
    if policy:
        group.mixed_instances_policy = copy.deepcopy(policy)
        group._set_launch_configuration(None, None, mixed_instances_policy=group.mixed_instances_policy)
    for member in group.instance_states:
        remember_launch(member)


def remember_launch(member: Any) -> None:
    """What an instance was launched from: moto shows the template's default version, and no type."""
    group = member.auto_scaling_group
    if not group or not group.ec2_launch_template:
        member.launched_from = None
        return
    template = group.ec2_launch_template
    version = template.get_version(group.launch_template_version).number
    member.launched_from = {
        "LaunchTemplateId": template.id,
        "LaunchTemplateName": template.name,
        "Version": str(version),
    }
    overrides = ((group.mixed_instances_policy or {}).get("LaunchTemplate") or {}).get("Overrides") or [{}]
    member.instance_type = overrides[0].get("InstanceType") or member.instance_type
    shape_instance(member.instance, template.get_version(group.launch_template_version).data)


def shape_instance(instance: Any, data: dict[str, Any]) -> None:
    """What the launch template says of an instance: moto leaves it out of launches by groups."""
    profile = data.get("IamInstanceProfile") or {}
    instance.image_id = data.get("ImageId") or instance.image_id
    if profile:
        arn = profile.get("Arn") or f"arn:aws:iam::{instance.owner_id}:instance-profile/{profile['Name']}"
        instance.iam_instance_profile = {"Arn": arn, "Id": "AIPAEXAMPLEEXAMPLE123"}
    instance.ebs_optimized = bool(data.get("EbsOptimized"))
    instance.monitoring_state = "enabled" if (data.get("Monitoring") or {}).get("Enabled") else "disabled"
    instance.metadata_options = MetadataOptions(data.get("MetadataOptions"))
    # moto gives every instance a root of its own, and leaves it attached where the template has one of that name.
    volumes = instance.ec2_backend.volumes
    kept = {mapping.volume_id for mapping in instance.block_device_mapping.values()}
    for volume in list(volumes.values()):
        if volume.attachment and volume.attachment.instance.id == instance.id and volume.id not in kept:
            del volumes[volume.id]


def keep_hook(backend: AutoScalingBackend, group_name: str, params: dict[str, Any]) -> None:
    """A hook with its target, which moto makes up; what an update does not speak of stays (botocore model)."""
    before = {hook.name: hook for hook in backend.describe_lifecycle_hooks(group_name)}.get(params["LifecycleHookName"])
    made = backend.create_lifecycle_hook(
        params["LifecycleHookName"],
        group_name,
        params.get("LifecycleTransition"),
        params.get("HeartbeatTimeout"),
        params.get("DefaultResult"),
    )
    for field, attribute in HOOK_FIELDS.items():
        setattr(made, attribute, params.get(field, getattr(before, attribute, None)))


def put_lifecycle_hook(self: AutoScalingResponse) -> ActionResult:
    keep_hook(self.autoscaling_backend, group_of(self).name, self._get_params())
    return EmptyResult()


def with_refusal(genuine: Callable[..., Any]) -> Callable[..., Any]:
    """A second group of the same name is refused; moto would put it in place of the first and lose its instances."""

    def create_auto_scaling_group(self: AutoScalingResponse) -> ActionResult:
        name = self._get_params()["AutoScalingGroupName"]
        if name in self.autoscaling_backend.autoscaling_groups:
            raise AutoscalingClientError("AlreadyExists", f"AutoScalingGroup by this name already exists - {name}")
        return genuine(self)

    return create_auto_scaling_group


def with_end(genuine: Callable[..., Any]) -> Callable[..., Any]:
    """What hangs on a group goes with it; moto gives it to the next group of that name."""

    def delete_auto_scaling_group(self: AutoScalingResponse) -> ActionResult:
        name, backend = self._get_params()["AutoScalingGroupName"], self.autoscaling_backend
        answer = genuine(self)
        for kept in (backend.policies, backend.scheduled_actions, backend.lifecycle_hooks):
            for key in [key for key, item in kept.items() if item.auto_scaling_group_name == name]:
                del kept[key]
        return answer

    return delete_auto_scaling_group


def with_token(genuine: Callable[..., Any]) -> Callable[..., Any]:
    """The same request again, as a retry makes it, gets the first answer (botocore model: ClientToken)."""

    def operation(self: LaunchTemplates) -> Any:
        answers = kept_by(self.ec2_backend, "template_answers", dict)
        token = self._get_param("ClientToken")
        if token is None or token not in answers:
            answers[token] = genuine(self)
        return answers[token]

    return operation


def delete_launch_template_versions(self: LaunchTemplates) -> ActionResult:
    """The default one stays, and EC2 says so in an answer that is no error (EC2 API reference)."""
    template, done, failed = self.ec2_backend.get_launch_template(self._get_param("LaunchTemplateId")), [], []
    for number in [int(each) for each in self._get_param("Versions")]:
        shown = {"LaunchTemplateId": template.id, "LaunchTemplateName": template.name, "VersionNumber": number}
        found = next((each for each in template.versions if each.number == number), None)
        if found is None or template.is_default(found):
            code = "unexpectedError" if found else "launchTemplateVersionDoesNotExist"
            failed.append({**shown, "ResponseError": {"Code": code, "Message": "It cannot be deleted."}})
        else:
            template.versions.remove(found)
            done.append(shown)
    return ActionResult(
        {"SuccessfullyDeletedLaunchTemplateVersions": done, "UnsuccessfullyDeletedLaunchTemplateVersions": failed}
    )


def create_version(self: LaunchTemplate, data: dict[str, Any], description: str) -> LaunchTemplateVersion:
    """Numbers go on rising when versions have gone; moto counts those that are left, and cannot launch with user data."""
    self.highest = getattr(self, "highest", 0) + 1
    if isinstance(data.get("UserData"), str):
        data = {**data, "UserData": parse_user_data(data["UserData"])}
    version = LaunchTemplateVersion(self, self.highest, data, description)
    self.versions.append(version)
    return version


def get_version(self: LaunchTemplate, number: Any) -> LaunchTemplateVersion:
    """By number; moto takes the place in the list."""
    wanted = {"$latest": self.versions[-1].number, "$default": self.default_version_number}.get(
        str(number).lower(), number
    )
    for version in self.versions:
        if version.number == int(wanted):
            return version
    raise InvalidLaunchTemplateVersionNotFound(template_id=self.id, version=number)


def extend_moto(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put all of it into moto."""
    for operation in (
        delete_notification_configuration,
        describe_instance_refreshes,
        describe_notification_configurations,
        put_lifecycle_hook,
        put_notification_configuration,
        start_instance_refresh,
    ):
        monkeypatch.setattr(AutoScalingResponse, operation.__name__, operation, raising=False)
    for name, wrap in (("create_auto_scaling_group", with_refusal), ("delete_auto_scaling_group", with_end)):
        monkeypatch.setattr(AutoScalingResponse, name, wrap(getattr(AutoScalingResponse, name)))
    for name in ("create_launch_template", "create_launch_template_version"):
        monkeypatch.setattr(LaunchTemplates, name, with_token(getattr(LaunchTemplates, name)))
    monkeypatch.setattr(
        LaunchTemplates, "delete_launch_template_versions", delete_launch_template_versions, raising=False
    )
    for changed in (create_version, get_version):
        monkeypatch.setattr(LaunchTemplate, changed.__name__, changed)
    monkeypatch.setattr(LaunchTemplate, "default_version", lambda self: self.get_version("$Default"))
    launch = InstanceState.__init__

    def launched(self: Any, *args: Any, **kwargs: Any) -> None:
        launch(self, *args, **kwargs)
        remember_launch(self)

    monkeypatch.setattr(InstanceState, "__init__", launched)
    monkeypatch.setattr(InstanceState, "launch_template", property(lambda self: self.launched_from))
    # moto shows the template's tags as they were at its creation.
    tags = property(lambda self: self.get_tags(), lambda self, value: None)
    monkeypatch.setattr(LaunchTemplate, "tags", tags, raising=False)


class Snapshot:
    """Everything that moto knows of EC2, Auto Scaling and load balancing, to be restored as often as needed.

    The backends themselves stay, since they and the clients of others know each other; what they hold is copied.
    """

    def __init__(self) -> None:
        self._backends = [get_backend(service)[ACCOUNT][REGION] for service in ("autoscaling", "ec2", "elbv2")]
        self._kept = self._copied([backend.__dict__ for backend in self._backends])

    def _copied(self, contents: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return copy.deepcopy(contents, {id(backend): backend for backend in self._backends})

    def restore(self) -> None:
        for backend, contents in zip(self._backends, self._copied(self._kept), strict=True):
            backend.__dict__.clear()
            backend.__dict__.update(contents)
