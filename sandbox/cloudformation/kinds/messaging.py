# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""SNS topics and subscriptions, SQS queues, and the policies of both."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from sandbox.cloudformation.kinds.base import Call
from sandbox.cloudformation.kinds.base import Kind
from sandbox.cloudformation.kinds.base import Properties
from sandbox.cloudformation.kinds.base import as_json
from sandbox.cloudformation.kinds.base import from_json
from sandbox.cloudformation.kinds.base import gone_is_fine
from sandbox.cloudformation.kinds.base import is_gone
from sandbox.cloudformation.kinds.base import same_order
from sandbox.cloudformation.kinds.base import same_reference
from sandbox.cloudformation.kinds.base import tag_changes
from sandbox.cloudformation.kinds.base import tag_list
from sandbox.cloudformation.kinds.base import tag_map
from sandbox.cloudformation.kinds.base import tags_like


class Topic(Kind):
    kind = "AWS::SNS::Topic"
    service = "sns"
    settings = (
        "DisplayName",
        "KmsMasterKeyId",
        "FifoTopic",
        "ContentBasedDeduplication",
        "SignatureVersion",
        "TracingConfig",
        "FifoThroughputScope",
        "ArchivePolicy",
    )

    def create(self, call: Call, wanted: Properties) -> str:
        sns = self.api(call)
        refuse(wanted, {*self.settings, "TopicName", "Tags", "Subscription"})
        suffix = ".fifo" if wanted.get("FifoTopic") else ""
        settings = {name: _text(wanted[name]) for name in self.settings if name in wanted}
        arn = sns.create_topic(
            Name=wanted.get("TopicName") or call.name(250) + suffix,
            Attributes=settings,
            **({"Tags": tag_list(wanted["Tags"])} if wanted.get("Tags") else {}),
        )["TopicArn"]
        call.made(arn)
        self._subscribe(call, arn, {}, wanted)
        return arn

    def _subscribe(self, call: Call, arn: str, old: Properties, new: Properties) -> None:
        sns = self.api(call)
        before, after = (
            [(item["Protocol"], item["Endpoint"]) for item in side.get("Subscription") or []] for side in (old, new)
        )
        for item in self._subscriptions(call, arn):
            mine = item["Protocol"], item["Endpoint"]
            if mine in before and mine not in after:
                sns.unsubscribe(SubscriptionArn=item["SubscriptionArn"])
        for protocol, endpoint in after:
            if (protocol, endpoint) not in before:
                sns.subscribe(TopicArn=arn, Protocol=protocol, Endpoint=endpoint)

    def _subscriptions(self, call: Call, arn: str) -> list[dict]:
        pages = self.api(call).get_paginator("list_subscriptions_by_topic").paginate(TopicArn=arn)
        return [item for page in pages for item in page["Subscriptions"]]

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        sns = self.api(call)
        for name in self.settings:
            if old.get(name) != new.get(name):
                sns.set_topic_attributes(TopicArn=physical, AttributeName=name, AttributeValue=_text(new.get(name, "")))
        self._subscribe(call, physical, old, new)
        setting, removing = tag_changes(old.get("Tags"), new.get("Tags"))
        if removing:
            sns.untag_resource(ResourceArn=physical, TagKeys=removing)
        if setting:
            sns.tag_resource(ResourceArn=physical, Tags=tag_list(setting))

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        gone_is_fine(self.api(call).delete_topic, TopicArn=physical)

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        sns = self.api(call)
        answer = gone_is_fine(sns.get_topic_attributes, TopicArn=physical)
        if answer is None:
            return None
        actual = self.shown(answer["Attributes"], self.settings)
        if "KmsMasterKeyId" in actual:
            actual["KmsMasterKeyId"] = same_reference(actual["KmsMasterKeyId"], expected.get("KmsMasterKeyId"))
        actual["TopicName"] = physical.rsplit(":", 1)[-1]
        if "Subscription" in expected:
            others = {item["PhysicalResourceId"] for item in call.siblings if item["ResourceType"] == Subscription.kind}
            found = [
                {"Protocol": item["Protocol"], "Endpoint": item["Endpoint"]}
                for item in self._subscriptions(call, physical)
                if item["SubscriptionArn"] not in others
            ]
            actual["Subscription"] = same_order(found, expected["Subscription"])
        tags = sns.list_tags_for_resource(ResourceArn=physical)["Tags"]
        return {**actual, "Tags": tags_like(tags, expected.get("Tags"))}

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        return {"TopicArn": physical, "TopicName": physical.rsplit(":", 1)[-1]}


def refuse(wanted: Properties, known: set[str]) -> None:
    """Refuse a property rather than drop it."""
    if unknown := wanted.keys() - known:
        raise ValueError(f"the sandbox cannot apply {', '.join(sorted(unknown))}")


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else as_json(value) if isinstance(value, dict) else str(value)


class Subscription(Kind):
    kind = "AWS::SNS::Subscription"
    service = "sns"
    settings = (
        "DeliveryPolicy",
        "FilterPolicy",
        "FilterPolicyScope",
        "RawMessageDelivery",
        "RedrivePolicy",
        "SubscriptionRoleArn",
    )

    def create(self, call: Call, wanted: Properties) -> str:
        refuse(wanted, {*self.settings, "TopicArn", "Protocol", "Endpoint"})
        settings = {name: _text(wanted[name]) for name in self.settings if name in wanted}
        answer = self.api(call).subscribe(
            TopicArn=wanted["TopicArn"],
            Protocol=wanted["Protocol"],
            Endpoint=wanted["Endpoint"],
            Attributes=settings,
            ReturnSubscriptionArn=True,
        )
        return answer["SubscriptionArn"]

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        for name in self.settings:
            if old.get(name) != new.get(name):
                value = _text(new[name]) if name in new else ""
                self.api(call).set_subscription_attributes(
                    SubscriptionArn=physical, AttributeName=name, AttributeValue=value
                )

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        gone_is_fine(self.api(call).unsubscribe, SubscriptionArn=physical)

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        answer = gone_is_fine(self.api(call).get_subscription_attributes, SubscriptionArn=physical)
        if answer is None:
            return None
        actual = self.shown(answer["Attributes"], ("TopicArn", "Protocol", "Endpoint", *self.settings))
        documents = ("DeliveryPolicy", "FilterPolicy", "RedrivePolicy")
        return {**actual, **{name: from_json(actual[name], expected.get(name)) for name in documents if name in actual}}

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        return {"Arn": physical}


class TopicPolicy(Kind):
    kind = "AWS::SNS::TopicPolicy"
    service = "sns"

    def create(self, call: Call, wanted: Properties) -> str:
        self.update(call, "", {}, wanted)
        return call.name(128)

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        document = as_json(new["PolicyDocument"])
        for topic in new["Topics"]:
            self.api(call).set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=document)
        for topic in set(old.get("Topics") or []) - set(new["Topics"]):
            self._default(call, topic)

    def _default(self, call: Call, topic: str) -> None:
        """Put back the policy of a new topic: its owner may do everything."""
        condition = {"StringEquals": {"AWS:SourceOwner": call.account}}
        statement = {
            "Sid": "__default_statement_ID",
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": [
                "SNS:Publish",
                "SNS:Subscribe",
                "SNS:GetTopicAttributes",
                "SNS:SetTopicAttributes",
                "SNS:DeleteTopic",
            ],
            "Resource": topic,
            "Condition": condition,
        }
        document = {"Version": "2008-10-17", "Id": "__default_policy_ID", "Statement": [statement]}
        set_attributes = self.api(call).set_topic_attributes
        gone_is_fine(set_attributes, TopicArn=topic, AttributeName="Policy", AttributeValue=as_json(document))

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        for topic in properties["Topics"]:
            self._default(call, topic)

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        actual: Properties = {"Topics": []}
        for topic in expected["Topics"]:
            answer = gone_is_fine(self.api(call).get_topic_attributes, TopicArn=topic)
            if answer and "Policy" in answer["Attributes"]:
                actual["Topics"].append(topic)
                actual["PolicyDocument"] = from_json(answer["Attributes"]["Policy"], expected["PolicyDocument"])
        return actual if actual["Topics"] else None

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        return {"Id": physical}


class Queue(Kind):
    kind = "AWS::SQS::Queue"
    service = "sqs"
    settings = {
        "ContentBasedDeduplication": "false",
        "DeduplicationScope": "",
        "DelaySeconds": "0",
        "FifoQueue": "",
        "FifoThroughputLimit": "",
        "KmsDataKeyReusePeriodSeconds": "300",
        "KmsMasterKeyId": "",
        "MaximumMessageSize": "262144",
        "MessageRetentionPeriod": "345600",
        "ReceiveMessageWaitTimeSeconds": "0",
        "RedriveAllowPolicy": "",
        "RedrivePolicy": "",
        "SqsManagedSseEnabled": "",
        "VisibilityTimeout": "30",
    }

    def create(self, call: Call, wanted: Properties) -> str:
        suffix = ".fifo" if wanted.get("FifoQueue") else ""
        return self.api(call).create_queue(
            QueueName=wanted.get("QueueName") or call.name(75) + suffix,
            Attributes={name: _text(wanted[name]) for name in self.settings if name in wanted},
            **({"tags": tag_map(wanted["Tags"])} if wanted.get("Tags") else {}),
        )["QueueUrl"]

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        sqs = self.api(call)
        changed = {
            name: _text(new.get(name, default))
            for name, default in self.settings.items()
            if old.get(name) != new.get(name)
        }
        if changed:
            sqs.set_queue_attributes(QueueUrl=physical, Attributes=changed)
        setting, removing = tag_changes(old.get("Tags"), new.get("Tags"))
        if removing:
            sqs.untag_queue(QueueUrl=physical, TagKeys=removing)
        if setting:
            sqs.tag_queue(QueueUrl=physical, Tags=setting)

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        gone_is_fine(self.api(call).delete_queue, QueueUrl=physical)

    def _attributes(self, call: Call, queue: str) -> dict | None:
        answer = gone_is_fine(self.api(call).get_queue_attributes, QueueUrl=queue, AttributeNames=["All"])
        return answer.get("Attributes", {}) if answer else None

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        found = self._attributes(call, physical)
        if found is None:
            return None
        for name in ("RedrivePolicy", "RedriveAllowPolicy"):
            if name in found:
                found[name] = from_json(found[name], expected.get(name))
        actual = self.shown(found, self.settings)
        if "maxReceiveCount" in (redrive := actual.get("RedrivePolicy") or {}):
            # A number in the API's document, a number or its digits in the template's.
            wanted = (expected.get("RedrivePolicy") or {}).get("maxReceiveCount")
            redrive["maxReceiveCount"] = (
                wanted if str(redrive["maxReceiveCount"]) == str(wanted) else redrive["maxReceiveCount"]
            )
        if "KmsMasterKeyId" in actual:
            actual["KmsMasterKeyId"] = same_reference(actual["KmsMasterKeyId"], expected.get("KmsMasterKeyId"))
        actual["QueueName"] = physical.rsplit("/", 1)[-1]
        tags = self.api(call).list_queue_tags(QueueUrl=physical).get("Tags")
        return {**actual, "Tags": tags_like(tags, expected.get("Tags"))}

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        found = self._attributes(call, physical) or {}
        return {"Arn": found["QueueArn"], "QueueName": physical.rsplit("/", 1)[-1], "QueueUrl": physical}


class QueuePolicy(Kind):
    kind = "AWS::SQS::QueuePolicy"
    service = "sqs"

    def create(self, call: Call, wanted: Properties) -> str:
        self.update(call, "", {}, wanted)
        return call.name(128)

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        document = as_json(new["PolicyDocument"])
        for queue in new["Queues"]:
            self.api(call).set_queue_attributes(QueueUrl=queue, Attributes={"Policy": document})
        for queue in set(old.get("Queues") or []) - set(new["Queues"]):
            gone_is_fine(self.api(call).set_queue_attributes, QueueUrl=queue, Attributes={"Policy": ""})

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        for queue in properties["Queues"]:
            gone_is_fine(self.api(call).set_queue_attributes, QueueUrl=queue, Attributes={"Policy": ""})

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        actual: Properties = {"Queues": []}
        for queue in expected["Queues"]:
            try:
                found = (
                    self.api(call).get_queue_attributes(QueueUrl=queue, AttributeNames=["Policy"]).get("Attributes", {})
                )
            except ClientError as error:
                if is_gone(error):
                    continue
                raise
            if found.get("Policy"):
                actual["Queues"].append(queue)
                actual["PolicyDocument"] = from_json(found["Policy"], expected["PolicyDocument"])
        return actual if actual["Queues"] else None

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        return {"Id": physical}


KINDS = (Topic, Subscription, TopicPolicy, Queue, QueuePolicy)
