# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests, templates and properties that CloudFormation refuses, in its words."""

from __future__ import annotations

import pytest
from sandbox_process import Sandbox
from stack_tools import DATA
from stack_tools import Stacks
from stack_tools import refused

TEMPLATE = """
Parameters:
  Prefix: {Type: String, Default: t, AllowedPattern: "[a-z]+"}
  Days: {Type: Number, Default: 7, AllowedValues: [1, 7, 14]}
Resources:
  Logs:
    Type: AWS::Logs::LogGroup
    Properties: {LogGroupName: !Sub "/${Prefix}/logs", RetentionInDays: !Ref Days}
"""


@pytest.fixture
def stacks(sandbox: Sandbox) -> Stacks:
    return Stacks(sandbox)


def test_capabilities(stacks: Stacks) -> None:
    body = (DATA / "region.template").read_text()
    given = [{"ParameterKey": key, "ParameterValue": "x"} for key in ("Vpc", "Subnets", "Group")]
    for capabilities in ([], ["CAPABILITY_IAM"]):
        code, message = refused(
            stacks.api.create_stack, StackName="one", TemplateBody=body, Parameters=given, Capabilities=capabilities
        )
        assert code == "InsufficientCapabilitiesException"
        assert message == "Requires capabilities : [CAPABILITY_NAMED_IAM]"


PARAMETERS = {
    "pattern": ({"Prefix": "T1"}, "Parameter 'Prefix' must match pattern [a-z]+"),
    "values": ({"Days": "3"}, "Parameter 'Days'"),
    "number": ({"Days": "many"}, "Parameter 'Days'"),
}


@pytest.mark.parametrize("which", PARAMETERS)
def test_parameters(stacks: Stacks, which: str) -> None:
    values, text = PARAMETERS[which]
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()]
    code, message = refused(stacks.api.create_stack, StackName="one", TemplateBody=TEMPLATE, Parameters=given)
    assert code == "ValidationError" and message.startswith(text)
    assert stacks.api.describe_stacks()["Stacks"] == []


REFUSED = {
    "no value": ("Parameters: {P: {Type: String}}\nResources: {A: {Type: AWS::SQS::Queue}}", "Parameter"),
    "no resources": ("Description: none", "Template format error: At least one Resources member must be defined."),
    "unknown kind": (
        "Resources: {A: {Type: AWS::SQS::Kew}}",
        "Template format error: Unrecognized resource types: [AWS::SQS::Kew]",
    ),
    "unknown name": (
        "Resources: {A: {Type: AWS::SQS::Queue, Properties: {QueueName: !Ref B}}}",
        "Template format error: Unresolved resource dependencies [B] in the Resources block of the template",
    ),
    "unknown output": (
        "Resources: {A: {Type: AWS::SQS::Queue}}\nOutputs: {O: {Value: !Ref B}}",
        "Template format error: Unresolved resource dependencies [B] in the Outputs block of the template",
    ),
    "circle": (
        "Resources: {A: {Type: AWS::SQS::Queue, DependsOn: B}, B: {Type: AWS::SQS::Queue, DependsOn: A}}",
        "Circular dependency between resources: [A, B]",
    ),
    "too long": ("Resources: {A: {Type: AWS::SQS::Queue}}\n#" + "x" * 51200, "1 validation error detected: Value "),
    "no yaml": ("Resources: {", "Template format error"),
}


@pytest.mark.parametrize("which", REFUSED)
def test_templates_that_are_refused(stacks: Stacks, which: str) -> None:
    body, text = REFUSED[which]
    code, message = refused(stacks.api.create_stack, StackName="one", TemplateBody=body)
    assert code == "ValidationError" and message.startswith(text)
    if which == "too long":
        assert message.endswith("Member must have length less than or equal to 51200")
        stacks.create("two", TEMPLATE)
        assert refused(stacks.api.update_stack, StackName="two", TemplateBody=body)[0] == "ValidationError"
        assert refused(stacks.api.validate_template, TemplateBody=body)[0] == "ValidationError"


PROPERTIES = {
    "unknown": ("{QueueNam: a}", "#: extraneous key [QueueNam] is not permitted"),
    "type": ("{DelaySeconds: soon}", "#/DelaySeconds: expected type: Integer, found: String"),
    "read only": ("{Arn: a}", "#: extraneous key [Arn] is not permitted"),
    "shape": ("{QueueName: [a]}", "#/QueueName: expected type: String, found: JSONArray"),
}


@pytest.mark.parametrize("which", PROPERTIES)
def test_properties_that_are_refused(stacks: Stacks, which: str) -> None:
    properties, text = PROPERTIES[which]
    stack = stacks.create("one", f"Resources: {{A: {{Type: AWS::SQS::Queue, Properties: {properties}}}}}")
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert stacks.reasons("one")["A"] == f"Properties validation failed for resource A with message: {text}"
