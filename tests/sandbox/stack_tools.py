# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stacks for tests: making them, waiting for them, and a second opinion on what a template's properties come to."""

from __future__ import annotations

import base64
import ipaddress
import json
import re
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from botocore.exceptions import ClientError
from sandbox_process import ROOT
from sandbox_process import Sandbox

# The kinds need botocore only, but lie in a package beside the tests, not in an installed one.
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from sandbox.cloudformation import kinds
from sandbox.cloudformation.kinds.base import Call

ACCOUNT = "123456789012"
DATA = Path(__file__).with_name("data")


class _Loader(yaml.SafeLoader):
    """YAML with CloudFormation's short forms of functions."""


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_form)
# Versions of policies look like dates.
_Loader.yaml_implicit_resolvers = {
    key: [item for item in items if item[0] != "tag:yaml.org,2002:timestamp"]
    for key, items in _Loader.yaml_implicit_resolvers.items()
}

NOTHING = object()


def load(text: str) -> dict[str, Any]:
    return yaml.load(text, _Loader)


class Stacks:
    """The stacks of one region of a sandbox."""

    def __init__(self, sandbox: Sandbox, region: str = "us-east-1", **credentials: str) -> None:
        self.sandbox = sandbox
        self.region = region
        self.api = sandbox.client("cloudformation", region, **credentials)
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """A client as root, made once: making one costs more than most calls."""
        if service not in self._clients:
            self._clients[service] = self.sandbox.client(service, self.region)
        return self._clients[service]

    def create(self, name: str, body: str, parameters: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
        options.setdefault("Capabilities", ["CAPABILITY_NAMED_IAM"])
        self.api.create_stack(StackName=name, TemplateBody=body, Parameters=as_list(parameters), **options)
        return self.wait(name)

    def update(
        self, name: str, body: str | None, parameters: dict[str, Any] | None = None, **options: Any
    ) -> dict[str, Any]:
        options.setdefault("Capabilities", ["CAPABILITY_NAMED_IAM"])
        template = {"UsePreviousTemplate": True} if body is None else {"TemplateBody": body}
        self.api.update_stack(StackName=name, **template, Parameters=as_list(parameters), **options)
        return self.wait(name)

    def delete(self, name: str, **options: Any) -> dict[str, Any]:
        stack = self.api.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
        self.api.delete_stack(StackName=name, **options)
        return self.wait(stack)

    def wait(self, name: str, seconds: float = 60) -> dict[str, Any]:
        """The stack once nothing is in progress."""
        deadline = time.monotonic() + seconds
        while True:
            stack = self.api.describe_stacks(StackName=name)["Stacks"][0]
            if not stack["StackStatus"].endswith("_IN_PROGRESS") or stack["StackStatus"] == "REVIEW_IN_PROGRESS":
                return stack
            assert time.monotonic() < deadline, f"{name} is still {stack['StackStatus']}"
            time.sleep(0.03)

    def events(self, name: str) -> list[tuple[str, str, str]]:
        """Logical id, status and reason of every event, oldest first."""
        pages = self.api.get_paginator("describe_stack_events").paginate(StackName=name)
        events = [event for page in pages for event in page["StackEvents"]]
        return [
            (event["LogicalResourceId"], event["ResourceStatus"], event.get("ResourceStatusReason", ""))
            for event in reversed(events)
        ]

    def reasons(self, name: str) -> dict[str, str]:
        """The reason of each failed resource."""
        return {logical: reason for logical, status, reason in self.events(name) if status.endswith("_FAILED")}

    def physical(self, name: str) -> dict[str, str]:
        found = self.api.describe_stack_resources(StackName=name)["StackResources"]
        return {item["LogicalResourceId"]: item["PhysicalResourceId"] for item in found}

    def outputs(self, name: str) -> dict[str, str]:
        stack = self.api.describe_stacks(StackName=name)["Stacks"][0]
        return {item["OutputKey"]: item["OutputValue"] for item in stack.get("Outputs", [])}

    def drift(self, name: str) -> dict[str, dict[str, Any]]:
        """Detect drift; StackResourceDrift by logical id."""
        detection = self.api.detect_stack_drift(StackName=name)["StackDriftDetectionId"]
        while True:
            status = self.api.describe_stack_drift_detection_status(StackDriftDetectionId=detection)
            if status["DetectionStatus"] != "DETECTION_IN_PROGRESS":
                break
            time.sleep(0.03)
        assert status["DetectionStatus"] == "DETECTION_COMPLETE", status
        pages = self.api.describe_stack_resource_drifts(StackName=name)
        return {item["LogicalResourceId"]: item for item in pages["StackResourceDrifts"]}

    def drifted(self, name: str) -> dict[str, list[str]]:
        """Logical id -> paths that differ (or its status), of what is not in sync."""
        return {
            logical: [each["PropertyPath"] for each in item.get("PropertyDifferences", [])]
            or [item["StackResourceDriftStatus"]]
            for logical, item in self.drift(name).items()
            if item["StackResourceDriftStatus"] != "IN_SYNC"
        }

    def call(self, name: str, logical: str, siblings: list[dict] | None = None) -> Call:
        """What a kind needs to read a resource of the stack back, with clients of this process."""
        return Call(
            self.client,
            account=ACCOUNT,
            region=self.region,
            stack=name,
            logical=logical,
            siblings=siblings or [],
        )


def as_list(parameters: dict[str, Any] | None) -> list[dict[str, Any]]:
    return [
        {"ParameterKey": key, "UsePreviousValue": True}
        if value is NOTHING
        else {"ParameterKey": key, "ParameterValue": str(value)}
        for key, value in (parameters or {}).items()
    ]


def refused(operation: Any, **arguments: Any) -> tuple[str, str]:
    """Code and message of the error that an operation has to end in."""
    try:
        operation(**arguments)
    except ClientError as refusal:
        error = refusal.response["Error"]
        return error["Code"], error["Message"]
    raise AssertionError("it was not refused")


class Oracle:
    """What a template's properties come to, worked out apart from the sandbox's own engine.

    `Fn::GetAtt` is answered by the services' APIs. `physical` are the stack's resources.
    """

    def __init__(self, stacks: Stacks, name: str, body: str, parameters: dict[str, Any]) -> None:
        self.stacks = stacks
        self.name = name
        self.template = load(body)
        self.physical = stacks.physical(name)
        self.id = stacks.api.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
        declared = self.template.get("Parameters", {})
        defaults = {key: item["Default"] for key, item in declared.items() if "Default" in item}
        self.parameters = {**defaults, **parameters}
        self.lists = {key for key, item in declared.items() if item["Type"].startswith(("CommaDelimited", "List<"))}
        self._conditions: dict[str, bool] = {}
        self._properties: dict[str, dict[str, Any]] = {}

    def active(self) -> list[str]:
        return [
            logical
            for logical, item in self.template["Resources"].items()
            if "Condition" not in item or self.condition(item["Condition"])
        ]

    def kind(self, logical: str) -> Any:
        return kinds.find(self.template["Resources"][logical]["Type"])

    def properties(self, logical: str) -> dict[str, Any]:
        """A resource's properties in the schema's types."""
        if logical not in self._properties:
            resolved = self.resolve(self.template["Resources"][logical].get("Properties", {}))
            self._properties[logical] = self.kind(logical).schema.coerced(resolved)
        return self._properties[logical]

    def siblings(self, logical: str) -> list[dict[str, Any]]:
        resources = self.template["Resources"]
        rules = [other for other in self.active() if other != logical and _stands_alone(resources[other]["Type"])]
        return [
            {
                "ResourceType": resources[other]["Type"],
                "PhysicalResourceId": self.physical[other],
                "Properties": self.properties(other),
            }
            for other in rules
        ]

    def condition(self, name: str) -> bool:
        if name not in self._conditions:
            self._conditions[name] = bool(self.resolve(self.template["Conditions"][name]))
        return self._conditions[name]

    def resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [item for item in map(self.resolve, value) if item is not NOTHING]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            function = getattr(self, "_" + name.removeprefix("Fn::").lower(), None)
            if function is not None and (name.startswith("Fn::") or name in ("Ref", "Condition")):
                return function(argument)
        resolved = {key: self.resolve(item) for key, item in value.items()}
        return {key: item for key, item in resolved.items() if item is not NOTHING}

    def _ref(self, name: str) -> Any:
        pseudo = {
            "AWS::NoValue": NOTHING,
            "AWS::Region": self.stacks.region,
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": self.name,
            "AWS::StackId": self.id,
        }
        if name in pseudo:
            return pseudo[name]
        if name in self.parameters:
            value = str(self.parameters[name])
            return [item.strip() for item in value.split(",")] if name in self.lists else value
        return self.physical[name]

    def _getatt(self, argument: list[str]) -> Any:
        logical, attribute = argument[0], ".".join(argument[1:])
        call = self.stacks.call(self.name, logical)
        return self.kind(logical).attributes(call, self.physical[logical], self.properties(logical))[attribute]

    def _sub(self, argument: Any) -> str:
        text, own = argument if isinstance(argument, list) else (argument, {})

        def replaced(match: re.Match) -> str:
            name = match[1]
            if name.startswith("!"):
                return "${" + name[1:] + "}"
            if name in own:
                return str(self.resolve(own[name]))
            known = name.startswith("AWS::") or name in self.parameters or name in self.physical
            if not known and "." not in name:
                return match[0]
            return str(self._getatt(name.split(".", 1)) if "." in name else self._ref(name))

        return re.sub(r"\$\{([^}]+)\}", replaced, text)

    def _join(self, argument: list[Any]) -> str:
        return argument[0].join(str(item) for item in self.resolve(argument[1]))

    def _split(self, argument: list[Any]) -> list[str]:
        return str(self.resolve(argument[1])).split(argument[0])

    def _select(self, argument: list[Any]) -> Any:
        return self.resolve(argument[1])[int(self.resolve(argument[0]))]

    def _if(self, argument: list[Any]) -> Any:
        return self.resolve(argument[1 if self.condition(argument[0]) else 2])

    def _equals(self, argument: list[Any]) -> bool:
        left, right = self.resolve(argument)
        return str(left) == str(right)

    def _not(self, argument: list[Any]) -> bool:
        return not self.resolve(argument[0])

    def _and(self, argument: list[Any]) -> bool:
        return all(self.resolve(item) for item in argument)

    def _or(self, argument: list[Any]) -> bool:
        return any(self.resolve(item) for item in argument)

    def _condition(self, name: str) -> Any:
        return self.condition(name) if isinstance(name, str) else {"Condition": self.resolve(name)}

    def _base64(self, argument: Any) -> str:
        return base64.b64encode(str(self.resolve(argument)).encode()).decode()

    def _findinmap(self, argument: list[Any]) -> Any:
        first, second, third = self.resolve(argument)
        return self.template["Mappings"][first][second][third]

    def _getazs(self, argument: Any) -> list[str]:
        assert self.resolve(argument) in ("", self.stacks.region)
        zones = self.stacks.client("ec2").describe_availability_zones()["AvailabilityZones"]
        return sorted(zone["ZoneName"] for zone in zones)

    def _cidr(self, argument: list[Any]) -> list[str]:
        block, count, bits = self.resolve(argument)
        network = ipaddress.ip_network(block)
        subnets = network.subnets(new_prefix=network.max_prefixlen - int(bits))
        return [str(next(subnets)) for _turn in range(int(count))]


def _stands_alone(kind: str) -> bool:
    """Whether a kind's state lies in a resource of another kind."""
    return kind in (
        "AWS::EC2::SecurityGroupIngress",
        "AWS::EC2::SecurityGroupEgress",
        "AWS::IAM::Policy",
        "AWS::IAM::RolePolicy",
        "AWS::IAM::ManagedPolicy",
        "AWS::Events::EventBusPolicy",
        "AWS::SNS::Subscription",
    )


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
