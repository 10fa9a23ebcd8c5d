# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kinds that ministack provisions itself, in its own stores: Lambda, Step Functions, API Gateway, and all that have no kind of ours.

Their calls are not judged by IAM. Properties that ministack drops are put through the API afterwards.
"""

from __future__ import annotations

import functools
from typing import Any

from sandbox.cloudformation.kinds.base import Call
from sandbox.cloudformation.kinds.base import Kind
from sandbox.cloudformation.kinds.base import Properties
from sandbox.cloudformation.kinds.base import from_json
from sandbox.cloudformation.kinds.base import gone_is_fine
from sandbox.cloudformation.kinds.base import request
from sandbox.cloudformation.kinds.base import same_order
from sandbox.cloudformation.kinds.base import tag_changes
from sandbox.cloudformation.kinds.base import tag_map
from sandbox.cloudformation.kinds.base import tags_like
from sandbox.cloudformation.schema import Schema


class Foreign(Kind):
    """A kind that ministack serves."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._attributes: dict[str, dict[str, Any]] = {}

    @functools.cached_property
    def _handlers(self) -> dict[str, Any]:
        from ministack.services.cloudformation import provisioners

        return provisioners._RESOURCE_HANDLERS[self.kind]

    def create(self, call: Call, wanted: Properties) -> str:
        physical, attributes = self._handlers["create"](call.logical, wanted, call.stack)
        call.made(physical)
        self._attributes[physical] = attributes
        self.after(call, physical, wanted)
        return physical

    def after(self, call: Call, physical: str, wanted: Properties) -> None:
        """Put what ministack drops."""

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        update = self._handlers.get("update")
        if update is None:
            raise ValueError(f"the sandbox does not change {self.kind}")
        arguments = (physical, old, new, call.stack)
        if self._handlers.get("update_with_logical_id"):
            arguments = (*arguments, call.logical)
        _physical, attributes = update(*arguments)
        self._attributes[physical] = {**self._attributes.get(physical, {}), **attributes}
        self.after(call, physical, new)

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        arguments = (physical, properties)
        if self._handlers.get("delete_with_logical_id"):
            arguments = (*arguments, call.logical)
        self._handlers["delete"](*arguments)
        self._attributes.pop(physical, None)

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        from ministack.services.cloudformation import drift

        reader, names = drift._DRIFT_READERS[self.kind]
        found = reader(physical, expected)
        return None if found is None else {name: value for name, value in found.items() if name in names}

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        return self._attributes.get(physical, {})


class Mended(Foreign):
    """A kind of ministack that has AWS's schema and a reader of ours."""

    kind: str

    def __init__(self) -> None:
        super().__init__(self.kind)
        self.schema = Schema(self.kind)


class Function(Mended):
    kind = "AWS::Lambda::Function"
    service = "lambda"
    given = (
        "FunctionName",
        "Runtime",
        "Handler",
        "Role",
        "Timeout",
        "MemorySize",
        "Description",
        "Architectures",
        "PackageType",
        "Environment",
        "TracingConfig",
        "DeadLetterConfig",
        "LoggingConfig",
        "EphemeralStorage",
        "VpcConfig",
        "KmsKeyArn",
    )
    unreadable = {"Code": "an archive: the API shows its hash"}

    def after(self, call: Call, physical: str, wanted: Properties) -> None:
        client = self.api(call)
        names = [name for name in ("DeadLetterConfig",) if name in wanted]
        key = {"KMSKeyArn": "KmsKeyArn"} if "KmsKeyArn" in wanted else {}
        if names or key:
            arguments = request(client, "update_function_configuration", wanted, names, **key)
            client.update_function_configuration(FunctionName=physical, **arguments)
        if "ReservedConcurrentExecutions" in wanted:
            arguments = request(client, "put_function_concurrency", wanted, ("ReservedConcurrentExecutions",))
            client.put_function_concurrency(FunctionName=physical, **arguments)

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        client = self.api(call)
        answer = gone_is_fine(client.get_function, FunctionName=physical)
        if answer is None:
            return None
        actual = self.shown(answer["Configuration"], self.given)
        if "ReservedConcurrentExecutions" in expected:
            concurrency = client.get_function_concurrency(FunctionName=physical)
            actual.update(self.shown(concurrency, ("ReservedConcurrentExecutions",)))
        return {**actual, "Tags": tags_like(answer.get("Tags"), expected.get("Tags"))}

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        return {"Arn": self.api(call).get_function(FunctionName=physical)["Configuration"]["FunctionArn"]}


class Permission(Mended):
    kind = "AWS::Lambda::Permission"
    service = "lambda"

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        answer = gone_is_fine(self.api(call).get_policy, FunctionName=expected["FunctionName"])
        statements = from_json(answer["Policy"])["Statement"] if answer else []
        for statement in statements:
            principal = statement["Principal"]
            condition = statement.get("Condition", {})
            actual = {
                "FunctionName": expected["FunctionName"],
                "Action": statement["Action"],
                "Principal": next(iter(principal.values())) if isinstance(principal, dict) else principal,
                "SourceArn": _first(condition, "ArnLike"),
                "SourceAccount": _first(condition, "StringEquals"),
            }
            if all(actual[name] == expected[name] for name in actual if name in expected):
                return actual
        return None


def _first(condition: dict, operator: str) -> Any:
    return next(iter(condition.get(operator, {}).values()), None)


class StateMachine(Mended):
    kind = "AWS::StepFunctions::StateMachine"
    service = "stepfunctions"
    dropped = ("LoggingConfiguration", "TracingConfiguration")
    unreadable = {
        "DefinitionSubstitutions": "they are in the definition",
        "Definition": "shown as DefinitionString",
    }

    def after(self, call: Call, physical: str, wanted: Properties) -> None:
        client = self.api(call)
        names = [name for name in self.dropped if name in wanted]
        if names:
            arguments = request(client, "update_state_machine", wanted, names)
            client.update_state_machine(stateMachineArn=physical, **arguments)

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        client = self.api(call)
        found = gone_is_fine(client.describe_state_machine, stateMachineArn=physical)
        if found is None:
            return None
        names = ("RoleArn", "LoggingConfiguration", "TracingConfiguration", "EncryptionConfiguration")
        actual = self.shown(
            found, names, StateMachineName="name", StateMachineType="type", DefinitionString="definition"
        )
        wanted = expected.get("DefinitionString")
        for name, value in (expected.get("DefinitionSubstitutions") or {}).items():
            wanted = wanted.replace("${" + name + "}", str(value)) if wanted else wanted
        if wanted is not None and from_json(wanted) == from_json(actual.get("DefinitionString")):
            actual["DefinitionString"] = expected["DefinitionString"]
        tags = client.list_tags_for_resource(resourceArn=physical)["tags"]
        return {**actual, "Tags": tags_like(tags, expected.get("Tags"))}

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        return {"Arn": physical, "Name": physical.rsplit(":", 1)[-1]}


class RestApi(Kind):
    """Not ministack's: it keeps the endpoint configuration in the template's spelling, which the API then does not show."""

    kind = "AWS::ApiGateway::RestApi"
    service = "apigateway"
    given = (
        "Description",
        "EndpointConfiguration",
        "DisableExecuteApiEndpoint",
        "BinaryMediaTypes",
        "Policy",
        "Version",
    )
    # The paths of UpdateRestApi's patch operations (API Gateway API reference).
    patched = {"Name": "name", "Description": "description", "DisableExecuteApiEndpoint": "disableExecuteApiEndpoint"}

    def create(self, call: Call, wanted: Properties) -> str:
        known = {*self.given, "Name", "Tags", "ApiKeySourceType"}
        if unknown := wanted.keys() - known:
            raise ValueError(f"the sandbox cannot apply {', '.join(sorted(unknown))}")
        client = self.api(call)
        arguments = request(client, "create_rest_api", wanted, self.given, apiKeySource="ApiKeySourceType")
        tags = {"tags": tag_map(wanted["Tags"])} if wanted.get("Tags") else {}
        return client.create_rest_api(name=wanted.get("Name") or call.name(64), **arguments, **tags)["id"]

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        client = self.api(call)
        changed = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)} - {"Tags"}
        if unknown := changed - self.patched.keys():
            raise ValueError(f"the sandbox cannot change {', '.join(sorted(unknown))}")
        operations = [
            {"op": "replace", "path": f"/{self.patched[name]}", "value": str(new.get(name, ""))}
            for name in sorted(changed)
        ]
        if operations:
            client.update_rest_api(restApiId=physical, patchOperations=operations)
        setting, removing = tag_changes(old.get("Tags"), new.get("Tags"))
        arn = f"arn:aws:apigateway:{call.region}::/restapis/{physical}"
        if removing:
            client.untag_resource(resourceArn=arn, tagKeys=removing)
        if setting:
            client.tag_resource(resourceArn=arn, tags=setting)

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        gone_is_fine(self.api(call).delete_rest_api, restApiId=physical)

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        found = gone_is_fine(self.api(call).get_rest_api, restApiId=physical)
        if found is None:
            return None
        actual = self.shown(found, ("Name", *self.given), ApiKeySourceType="apiKeySource")
        if "Policy" in actual:
            actual["Policy"] = from_json(actual["Policy"], expected.get("Policy"))
        return {**actual, "Tags": tags_like(found.get("tags"), expected.get("Tags"))}

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        items = self.api(call).get_resources(restApiId=physical, limit=500)["items"]
        return {"RestApiId": physical, "RootResourceId": next(item["id"] for item in items if item["path"] == "/")}


class Resource(Mended):
    kind = "AWS::ApiGateway::Resource"
    service = "apigateway"

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        found = gone_is_fine(self.api(call).get_resource, restApiId=expected["RestApiId"], resourceId=physical)
        return {**self.shown(found, ("ParentId", "PathPart")), "RestApiId": expected["RestApiId"]} if found else None

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        return {"ResourceId": physical}


class Method(Mended):
    kind = "AWS::ApiGateway::Method"
    service = "apigateway"

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        where = {"restApiId": expected["RestApiId"], "resourceId": expected["ResourceId"]}
        found = gone_is_fine(self.api(call).get_method, **where, httpMethod=expected["HttpMethod"])
        if found is None:
            return None
        actual = self.shown(
            found, ("HttpMethod", "AuthorizationType", "ApiKeyRequired", "RequestParameters", "AuthorizerId")
        )
        if integration := found.get("methodIntegration"):
            # The method of the integration is `httpMethod` in the API, `IntegrationHttpMethod` in a template.
            spelt_as = {**integration, "integrationHttpMethod": integration.get("httpMethod")}
            actual["Integration"] = self.schema.like_template("Integration", spelt_as)
        return {**actual, "RestApiId": expected["RestApiId"], "ResourceId": expected["ResourceId"]}


class Deployment(Mended):
    kind = "AWS::ApiGateway::Deployment"
    service = "apigateway"

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        found = gone_is_fine(self.api(call).get_deployment, restApiId=expected["RestApiId"], deploymentId=physical)
        return {**self.shown(found, ("Description",)), "RestApiId": expected["RestApiId"]} if found else None

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        return {"DeploymentId": physical}


class Stage(Mended):
    kind = "AWS::ApiGateway::Stage"
    service = "apigateway"

    def after(self, call: Call, physical: str, wanted: Properties) -> None:
        log = wanted.get("AccessLogSetting") or {}
        operations = [
            {"op": "replace", "path": f"/accessLogSettings/{name[0].lower()}{name[1:]}", "value": value}
            for name, value in log.items()
        ]
        if operations:
            where = {"restApiId": wanted["RestApiId"], "stageName": wanted["StageName"]}
            self.api(call).update_stage(**where, patchOperations=operations)

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        where = {"restApiId": expected["RestApiId"], "stageName": expected["StageName"]}
        found = gone_is_fine(self.api(call).get_stage, **where)
        if found is None:
            return None
        names = (
            "DeploymentId",
            "StageName",
            "Description",
            "TracingEnabled",
            "Variables",
            "CacheClusterEnabled",
            "ClientCertificateId",
        )
        actual = self.shown(found, names, AccessLogSetting="accessLogSettings")
        if "MethodSettings" in expected:
            settings = []
            for key, value in found.get("methodSettings", {}).items():
                path, _mark, method = key.rpartition("/")
                # The API writes "*/*" and "~1path/GET" for the template's "/*" and "/path".
                resource = "/*" if path == "*" else path.replace("~1", "/")
                one = {"ResourcePath": resource, "HttpMethod": method, **value}
                settings.append(self.schema.like_template("MethodSettings", [one])[0])
            actual["MethodSettings"] = same_order(settings, expected["MethodSettings"])
        return {
            **actual,
            "RestApiId": expected["RestApiId"],
            "Tags": tags_like(found.get("tags"), expected.get("Tags")),
        }


KINDS = (Function, Permission, StateMachine, RestApi, Resource, Method, Deployment, Stage)
