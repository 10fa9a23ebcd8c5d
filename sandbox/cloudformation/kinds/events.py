# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""EventBridge: buses, their policies, rules."""

from __future__ import annotations

from typing import Any

from sandbox.cloudformation.kinds.base import Call
from sandbox.cloudformation.kinds.base import Kind
from sandbox.cloudformation.kinds.base import Properties
from sandbox.cloudformation.kinds.base import as_json
from sandbox.cloudformation.kinds.base import first
from sandbox.cloudformation.kinds.base import from_json
from sandbox.cloudformation.kinds.base import gone_is_fine
from sandbox.cloudformation.kinds.base import request
from sandbox.cloudformation.kinds.base import same_order
from sandbox.cloudformation.kinds.base import same_reference
from sandbox.cloudformation.kinds.base import tag_changes
from sandbox.cloudformation.kinds.base import tag_list
from sandbox.cloudformation.kinds.base import tags_like


class EventsKind(Kind):
    service = "events"

    def retag(self, call: Call, arn: str, old: Properties, new: Properties) -> None:
        setting, removing = tag_changes(old.get("Tags"), new.get("Tags"))
        if removing:
            self.api(call).untag_resource(ResourceARN=arn, TagKeys=removing)
        if setting:
            self.api(call).tag_resource(ResourceARN=arn, Tags=tag_list(setting))

    def bus(self, call: Call, name: str) -> dict | None:
        return gone_is_fine(self.api(call).describe_event_bus, Name=name)

    def statements(self, call: Call, name: str) -> list[dict]:
        """The statements of a bus's policy."""
        return statements_of((self.bus(call, name) or {}).get("Policy"))

    def put_statement(self, call: Call, name: str, statement: dict) -> None:
        """Put one statement, keeping the others: PutPermission's `Policy` replaces the whole document."""
        others = [item for item in self.statements(call, name) if item.get("Sid") != statement.get("Sid")]
        document = {"Version": "2012-10-17", "Statement": [*others, statement]}
        self.api(call).put_permission(EventBusName=name, Policy=as_json(document))


def statements_of(policy: Any) -> list[dict]:
    found = (from_json(policy) or {}).get("Statement", []) if policy else []
    return found if isinstance(found, list) else [found]


class EventBus(EventsKind):
    kind = "AWS::Events::EventBus"
    given = ("Name", "EventSourceName", "Description", "KmsKeyIdentifier", "DeadLetterConfig", "LogConfig")

    def create(self, call: Call, wanted: Properties) -> str:
        events = self.api(call)
        tags = {"Tags": tag_list(wanted["Tags"])} if wanted.get("Tags") else {}
        events.create_event_bus(**request(events, "create_event_bus", wanted, self.given), **tags)
        call.made(wanted["Name"])
        if "Policy" in wanted:
            events.put_permission(EventBusName=wanted["Name"], Policy=as_json(wanted["Policy"]))
        return wanted["Name"]

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        events = self.api(call)
        names = ("Description", "KmsKeyIdentifier", "DeadLetterConfig", "LogConfig")
        if any(old.get(name) != new.get(name) for name in names):
            events.update_event_bus(Name=physical, **request(events, "update_event_bus", new, names))
        if old.get("Policy") != new.get("Policy"):
            for statement in statements_of(old.get("Policy")):
                if statement.get("Sid"):
                    gone_is_fine(events.remove_permission, EventBusName=physical, StatementId=statement["Sid"])
            for statement in statements_of(new.get("Policy")):
                self.put_statement(call, physical, statement)
        self.retag(call, self.attributes(call, physical, new)["Arn"], old, new)

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        gone_is_fine(self.api(call).delete_event_bus, Name=physical)

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        found = self.bus(call, physical)
        if found is None:
            return None
        actual = self.shown(found, self.given)
        if "KmsKeyIdentifier" in actual:
            actual["KmsKeyIdentifier"] = same_reference(actual["KmsKeyIdentifier"], expected.get("KmsKeyIdentifier"))
        if "Policy" in expected:
            foreign = {
                item["Properties"]["StatementId"]
                for item in call.siblings
                if item["ResourceType"] == "AWS::Events::EventBusPolicy"
            }
            own = [item for item in statements_of(found.get("Policy")) if item.get("Sid") not in foreign]
            if own:
                wanted = statements_of(expected["Policy"])
                document = from_json(found["Policy"])
                actual["Policy"] = {**document, "Statement": same_order(own, wanted)}
        tags = self.api(call).list_tags_for_resource(ResourceARN=found["Arn"])["Tags"]
        return {**actual, "Tags": tags_like(tags, expected.get("Tags"))}

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        return {"Arn": (self.bus(call, physical) or {})["Arn"], "Name": physical}


class EventBusPolicy(EventsKind):
    kind = "AWS::Events::EventBusPolicy"

    def create(self, call: Call, wanted: Properties) -> str:
        self.update(call, "", {}, wanted)
        return f"{wanted.get('EventBusName', 'default')}|{wanted['StatementId']}"

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        bus = new.get("EventBusName", "default")
        if "Statement" in new:
            self.put_statement(call, bus, {"Sid": new["StatementId"], **from_json(new["Statement"])})
            return
        arguments = request(self.api(call), "put_permission", new, ("Action", "Principal", "StatementId", "Condition"))
        self.api(call).put_permission(EventBusName=bus, **arguments)

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        bus, statement = physical.split("|")
        gone_is_fine(self.api(call).remove_permission, EventBusName=bus, StatementId=statement)

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        name = expected.get("EventBusName", "default")
        found = first(item for item in self.statements(call, name) if item.get("Sid") == expected["StatementId"])
        if found is None:
            return None
        statement = {
            key: value for key, value in found.items() if key != "Sid" or "Sid" in (expected.get("Statement") or {})
        }
        actual = {
            "EventBusName": name,
            "StatementId": found["Sid"],
            "Statement": statement,
            "Action": found.get("Action"),
        }
        if "Principal" in expected:
            principal = found.get("Principal")
            account = principal.get("AWS", "").split(":")[4] if isinstance(principal, dict) else principal
            actual["Principal"] = account
        return actual


class Rule(EventsKind):
    kind = "AWS::Events::Rule"
    given = ("Description", "EventBusName", "EventPattern", "RoleArn", "ScheduleExpression", "State")

    def _bus(self, properties: Properties) -> dict[str, str]:
        return {"EventBusName": properties["EventBusName"]} if "EventBusName" in properties else {}

    def _name(self, physical: str) -> str:
        return physical.rsplit("|", 1)[-1]

    def create(self, call: Call, wanted: Properties) -> str:
        events = self.api(call)
        name = wanted.get("Name") or call.name(64)
        tags = {"Tags": tag_list(wanted["Tags"])} if wanted.get("Tags") else {}
        events.put_rule(Name=name, **request(events, "put_rule", wanted, self.given), **tags)
        # Ref gives the rule's name, behind the bus's where that is not the default one (CloudFormation's reference).
        bus = wanted.get("EventBusName", "default")
        physical = name if bus == "default" else f"{bus}|{name}"
        call.made(physical)
        self._target(call, physical, {}, wanted)
        return physical

    def _target(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        events = self.api(call)
        before, after = ({item["Id"]: item for item in side.get("Targets") or []} for side in (old, new))
        if leaving := sorted(before.keys() - after.keys()):
            failed(events.remove_targets(Rule=self._name(physical), Ids=leaving, **self._bus(new)))
        coming = [item for key, item in after.items() if before.get(key) != item]
        if coming:
            arguments = request(events, "put_targets", {"Targets": coming}, ("Targets",))
            failed(events.put_targets(Rule=self._name(physical), **arguments, **self._bus(new)))

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        events = self.api(call)
        if any(old.get(name) != new.get(name) for name in self.given):
            events.put_rule(Name=self._name(physical), **request(events, "put_rule", new, self.given))
        self._target(call, physical, old, new)
        self.retag(call, self.attributes(call, physical, new)["Arn"], old, new)

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        events, name, bus = self.api(call), self._name(physical), self._bus(properties)
        answer = gone_is_fine(events.list_targets_by_rule, Rule=name, **bus)
        if answer and answer["Targets"]:
            events.remove_targets(Rule=name, Ids=[item["Id"] for item in answer["Targets"]], **bus)
        gone_is_fine(events.delete_rule, Name=name, **bus)

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        events, name, bus = self.api(call), self._name(physical), self._bus(expected)
        found = gone_is_fine(events.describe_rule, Name=name, **bus)
        if found is None:
            return None
        actual = self.shown(found, ("Name", *self.given))
        if "EventBusName" in actual:
            actual["EventBusName"] = same_reference(actual["EventBusName"], expected.get("EventBusName"))
        if "EventPattern" in actual:
            actual["EventPattern"] = from_json(actual["EventPattern"], expected.get("EventPattern"))
        targets = events.list_targets_by_rule(Rule=name, **bus)["Targets"]
        wanted = [item["Id"] for item in expected.get("Targets") or []]
        ordered = sorted(targets, key=lambda item: wanted.index(item["Id"]) if item["Id"] in wanted else len(wanted))
        actual["Targets"] = self.schema.like_template("Targets", ordered)
        tags = events.list_tags_for_resource(ResourceARN=found["Arn"])["Tags"]
        return {**actual, "Tags": tags_like(tags, expected.get("Tags"))}

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        return {"Arn": self.api(call).describe_rule(Name=self._name(physical), **self._bus(properties))["Arn"]}


def failed(answer: dict) -> None:
    """Raise what a batch call reports only in its answer."""
    if answer.get("FailedEntryCount"):
        raise ValueError(
            "; ".join(f"{item.get('TargetId')}: {item.get('ErrorMessage')}" for item in answer["FailedEntries"])
        )


KINDS = (EventBus, EventBusPolicy, Rule)
