# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Systems Manager: parameters, associations."""

from __future__ import annotations

from typing import Any

from sandbox.cloudformation.kinds.base import Call
from sandbox.cloudformation.kinds.base import Kind
from sandbox.cloudformation.kinds.base import Properties
from sandbox.cloudformation.kinds.base import first
from sandbox.cloudformation.kinds.base import gone_is_fine
from sandbox.cloudformation.kinds.base import request
from sandbox.cloudformation.kinds.base import same_order
from sandbox.cloudformation.kinds.base import tag_changes
from sandbox.cloudformation.kinds.base import tag_list
from sandbox.cloudformation.kinds.base import tags_like


class Parameter(Kind):
    kind = "AWS::SSM::Parameter"
    service = "ssm"
    given = ("Type", "Value", "Description", "AllowedPattern", "Tier", "DataType", "Policies")

    def create(self, call: Call, wanted: Properties) -> str:
        ssm = self.api(call)
        name = wanted.get("Name") or f"CFN-{call.name(255)}"
        tags = {"Tags": tag_list(wanted["Tags"])} if wanted.get("Tags") else {}
        ssm.put_parameter(Name=name, **request(ssm, "put_parameter", wanted, self.given), **tags)
        return name

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        ssm = self.api(call)
        if any(old.get(name) != new.get(name) for name in self.given):
            ssm.put_parameter(Name=physical, Overwrite=True, **request(ssm, "put_parameter", new, self.given))
        setting, removing = tag_changes(old.get("Tags"), new.get("Tags"))
        if removing:
            ssm.remove_tags_from_resource(ResourceType="Parameter", ResourceId=physical, TagKeys=removing)
        if setting:
            ssm.add_tags_to_resource(ResourceType="Parameter", ResourceId=physical, Tags=tag_list(setting))

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        gone_is_fine(self.api(call).delete_parameter, Name=physical)

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        ssm = self.api(call)
        # The kind's read handler asks with GetParameters (its schema's handlers).
        found = ssm.get_parameters(Names=[physical])["Parameters"]
        if not found:
            return None
        actual = self.shown(found[0], ("Name", "Type", "Value", "DataType"))
        if expected.keys() & {"Description", "AllowedPattern", "Tier"}:
            mine = [{"Key": "Name", "Values": [physical]}]
            described = first(ssm.describe_parameters(ParameterFilters=mine)["Parameters"]) or {}
            actual.update(self.shown(described, ("Description", "AllowedPattern", "Tier")))
        tags = ssm.list_tags_for_resource(ResourceType="Parameter", ResourceId=physical).get("TagList")
        return {**actual, "Tags": tags_like(tags, expected.get("Tags", {}))}

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        return {"Type": properties["Type"], "Value": properties["Value"]}


class Association(Kind):
    kind = "AWS::SSM::Association"
    service = "ssm"
    given = (
        "ApplyOnlyAtCronInterval",
        "AssociationDispatchAssumeRole",
        "AssociationName",
        "AutomationTargetParameterName",
        "CalendarNames",
        "ComplianceSeverity",
        "DocumentVersion",
        "MaxConcurrency",
        "MaxErrors",
        "Name",
        "OutputLocation",
        "Parameters",
        "ScheduleExpression",
        "ScheduleOffset",
        "SyncCompliance",
        "Targets",
    )

    def create(self, call: Call, wanted: Properties) -> str:
        if "WaitForSuccessTimeoutSeconds" in wanted:
            raise ValueError("the sandbox runs no association, so it cannot wait for one")
        ssm = self.api(call)
        tags = {"Tags": tag_list(wanted["Tags"])} if wanted.get("Tags") else {}
        made = ssm.create_association(**request(ssm, "create_association", wanted, self.given), **tags)
        return made["AssociationDescription"]["AssociationId"]

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        ssm = self.api(call)
        if any(old.get(name) != new.get(name) for name in self.given):
            ssm.update_association(AssociationId=physical, **request(ssm, "update_association", new, self.given))
        setting, removing = tag_changes(old.get("Tags"), new.get("Tags"))
        if removing:
            ssm.remove_tags_from_resource(ResourceType="Association", ResourceId=physical, TagKeys=removing)
        if setting:
            ssm.add_tags_to_resource(ResourceType="Association", ResourceId=physical, Tags=tag_list(setting))

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        gone_is_fine(self.api(call).delete_association, AssociationId=physical)

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        ssm = self.api(call)
        answer = gone_is_fine(ssm.describe_association, AssociationId=physical)
        if answer is None:
            return None
        actual = self.shown(answer["AssociationDescription"], self.given)
        if "Targets" in actual:
            actual["Targets"] = same_order(actual["Targets"], expected.get("Targets"))
        tags = ssm.list_tags_for_resource(ResourceType="Association", ResourceId=physical).get("TagList")
        return {**actual, "Tags": tags_like(tags, expected.get("Tags"))}

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        return {"AssociationId": physical}


KINDS = (Association, Parameter)
