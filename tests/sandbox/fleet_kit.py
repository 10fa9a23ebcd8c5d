# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the spot tests need again and again: a network, images, templates, groups, clusters, and patience."""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import json
import sys
import time
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import botocore.exceptions
import pytest
from sandbox_process import ROOT
from sandbox_process import Sandbox

REGION = "us-west-2"
_CLIENTS: dict[tuple[str, str, str], Any] = {}
TYPES = ("g4dn.xlarge", "g5.xlarge", "g6.xlarge")
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def load(path: str) -> Any:
    """A pure module of the sandbox, which the tests' interpreter can run without the emulators."""
    name = "pure_" + path.replace("/", "_").removesuffix(".py")
    specification = importlib.util.spec_from_file_location(name, ROOT / path)
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module


def eventually(read: Callable[[], Any], holds: Callable[[Any], bool], seconds: float = 8.0) -> Any:
    """The first value that holds; fails with the last one."""
    deadline = time.monotonic() + seconds
    while True:
        value = read()
        if holds(value):
            return value
        assert time.monotonic() < deadline, f"still {value!r}"
        time.sleep(0.05)


@contextlib.contextmanager
def refused(code: str, text: str = "") -> Iterator[None]:
    """The block must end in this AWS error."""
    with pytest.raises(botocore.exceptions.ClientError) as caught:
        yield
    error = caught.value.response["Error"]
    assert error["Code"] == code, error
    assert text in error["Message"], error


class Fleet:
    """Clients of one region, and shortcuts to make what a group needs."""

    def __init__(self, sandbox: Sandbox, region: str = REGION) -> None:
        self.sandbox, self.region = sandbox, region
        self.ec2 = self.client("ec2")
        self.asg = self.client("autoscaling")
        self.ecs = self.client("ecs")
        self.kms = self.client("kms")
        self.subnets = [
            each["SubnetId"]
            for each in sorted(self.ec2.describe_subnets()["Subnets"], key=lambda each: each["AvailabilityZone"])
        ]
        images = self.ec2.describe_images(Owners=["amazon"])["Images"]
        self.image = next(each for each in images if len(each["BlockDeviceMappings"]) == 1)
        self.two_devices = next(each for each in images if len(each["BlockDeviceMappings"]) == 2)

    def client(self, service: str) -> Any:
        """A client of the fleet's region: made once, since EC2's model takes long to load."""
        key = (self.sandbox.url, service, self.region)
        if key not in _CLIENTS:
            _CLIENTS[key] = self.sandbox.client(service, self.region)
        return _CLIENTS[key]

    def market(self, **document: Any) -> None:
        self.sandbox.control("PUT", "market", document)

    def template(self, name: str = "t", **data: Any) -> str:
        data = {"ImageId": self.image["ImageId"], "InstanceType": "g4dn.xlarge", **data}
        return self.ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)["LaunchTemplate"][
            "LaunchTemplateId"
        ]

    def policy(self, template: str, types: tuple[str, ...] = TYPES, **distribution: Any) -> dict[str, Any]:
        """All spot unless the distribution says otherwise."""
        return {
            "LaunchTemplate": {
                "LaunchTemplateSpecification": {"LaunchTemplateId": template, "Version": "1"},
                "Overrides": [{"InstanceType": each} for each in types],
            },
            "InstancesDistribution": {
                "OnDemandPercentageAboveBaseCapacity": 0,
                "SpotAllocationStrategy": "price-capacity-optimized",
                **distribution,
            },
        }

    def group(self, desired: int = 0, name: str = "g", policy: dict | None = None, **options: Any) -> None:
        if policy is None and "LaunchTemplate" not in options:
            policy = self.policy(self.template())
        options.setdefault("VPCZoneIdentifier", ",".join(self.subnets[:3]))
        if policy is not None:
            options["MixedInstancesPolicy"] = policy
        self.asg.create_auto_scaling_group(
            **{"AutoScalingGroupName": name, "MinSize": 0, "MaxSize": 10, "DesiredCapacity": desired, **options}
        )

    def shown(self, name: str = "g") -> dict[str, Any]:
        """The group, or {} where there is none."""
        found = self.asg.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
        return found[0] if found else {}

    def members(self, name: str = "g", state: str = "InService") -> list[dict[str, Any]]:
        return [each for each in self.shown(name).get("Instances", []) if each["LifecycleState"] == state]

    def in_service(self, count: int, name: str = "g") -> list[dict[str, Any]]:
        """Wait until so many instances are in service, and no other instance is left."""
        return eventually(
            lambda: self.shown(name)["Instances"],
            lambda found: len(found) == count and all(each["LifecycleState"] == "InService" for each in found),
        )

    def activities(self, name: str = "g", status: str | None = None) -> list[dict[str, Any]]:
        found = self.asg.describe_scaling_activities(AutoScalingGroupName=name)["Activities"]
        return [each for each in found if status in (None, each["StatusCode"])]

    def resize(self, desired: int, name: str = "g") -> None:
        self.asg.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=desired)

    def instance(self, instance_id: str) -> dict[str, Any]:
        return self.ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]

    def instances(self, group: str = "g") -> list[dict[str, Any]]:
        ids = [each["InstanceId"] for each in self.shown(group)["Instances"]]
        return [self.instance(each) for each in ids]

    def lifecycles(self, group: str = "g") -> dict[str, int]:
        """How many instances of a group are spot and on-demand."""
        found = [each.get("InstanceLifecycle", "on-demand") for each in self.instances(group)]
        return {each: found.count(each) for each in set(found)}

    def volumes(self, instance_id: str) -> dict[str, dict[str, Any]]:
        """Device name -> volume."""
        found = self.ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [instance_id]}])[
            "Volumes"
        ]
        return {each["Attachments"][0]["Device"]: each for each in found}

    # -- events -------------------------------------------------------------------------------------------------------

    def listen(self, pattern: dict[str, Any]) -> Callable[[], list[dict[str, Any]]]:
        """Events of the default bus that match, through a rule and a queue; the result reads all that came so far."""
        events, queues = self.client("events"), self.client("sqs")
        url = queues.create_queue(QueueName="heard")["QueueUrl"]
        arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        allow = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [{**allow, "Resource": arn}]})
        queues.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        events.put_rule(Name="heard", EventPattern=json.dumps(pattern))
        events.put_targets(Rule="heard", Targets=[{"Id": "q", "Arn": arn}])
        heard: list[dict[str, Any]] = []

        def read() -> list[dict[str, Any]]:
            while messages := queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
                for message in messages:
                    heard.append(json.loads(message["Body"]))
                    queues.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return heard

        return read

    def mailbox(self, name: str = "mail", topic: bool = True) -> tuple[str, Callable[[], list[dict[str, Any]]]]:
        """ARN of a topic with a queue behind it, or of the queue alone, and what reads all messages that came so far.

        Of a topic it reads SNS's envelopes.
        """
        sns, sqs = self.client("sns"), self.client("sqs")
        url = sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        if topic:
            allow = {"Effect": "Allow", "Principal": {"Service": "sns.amazonaws.com"}, "Action": "sqs:SendMessage"}
            policy = json.dumps({"Version": "2012-10-17", "Statement": [{**allow, "Resource": arn}]})
            sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
            queue, arn = arn, sns.create_topic(Name=name)["TopicArn"]
            sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue)
        read: list[dict[str, Any]] = []

        def messages() -> list[dict[str, Any]]:
            while found := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
                for message in found:
                    read.append(json.loads(message["Body"]))
                    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return read

        return arn, messages

    # -- ECS ----------------------------------------------------------------------------------------------------------

    def profile(self, name: str = "node", actions: str = "ecs:*") -> str:
        """An instance profile whose role may do so much."""
        iam = self.client("iam")
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
        allow = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document)
        iam.create_instance_profile(InstanceProfileName=name)
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=name)
        return name

    def joining(self, cluster: str = "c", more: str = "", profile: str = "node") -> dict[str, Any]:
        """Template data whose instances join a cluster."""
        script = f"#!/bin/bash\ncat >> /etc/ecs/ecs.config <<'CONFIG'\nECS_CLUSTER={cluster}\n{more}\nCONFIG\n"
        return {
            "IamInstanceProfile": {"Name": profile},
            "UserData": base64.b64encode(script.encode()).decode(),
        }

    def cluster_with_nodes(
        self, desired: int, more: str = "", types: tuple[str, ...] = TYPES, draining: str = "ENABLED", **group: Any
    ) -> None:
        """Cluster c, group and capacity provider g, and `desired` registered instances; managed draining as said."""
        self.profile()
        self.ecs.create_cluster(clusterName="c")
        self.group(desired, policy=self.policy(self.template(**self.joining(more=more)), types), **group)
        self.provide("g", draining=draining)
        self.nodes(desired)

    def provide(self, *groups: str, draining: str = "ENABLED") -> None:
        """A capacity provider for each group, all associated with cluster c."""
        for name in groups:
            provider = {"autoScalingGroupArn": self.shown(name)["AutoScalingGroupARN"], "managedDraining": draining}
            self.ecs.create_capacity_provider(name=name, autoScalingGroupProvider=provider)
        self.ecs.put_cluster_capacity_providers(
            cluster="c", capacityProviders=list(groups), defaultCapacityProviderStrategy=[]
        )

    def nodes(self, count: int | None = None) -> list[str]:
        return eventually(
            lambda: self.ecs.list_container_instances(cluster="c")["containerInstanceArns"],
            lambda found: count is None or len(found) == count,
        )

    def definition(self, gpus: int = 1, family: str = "f", **container: Any) -> str:
        requirements = [{"type": "GPU", "value": str(gpus)}] if gpus else []
        container = {
            "name": "main",
            "image": "busybox",
            "memory": 1024,
            "cpu": 256,
            "resourceRequirements": requirements,
            **container,
        }
        return self.ecs.register_task_definition(family=family, networkMode="bridge", containerDefinitions=[container])[
            "taskDefinition"
        ]["taskDefinitionArn"]

    def service(self, count: int, definition: str | None = None, **options: Any) -> None:
        options.setdefault("deploymentConfiguration", {"minimumHealthyPercent": 0, "maximumPercent": 100})
        if "capacityProviderStrategy" not in options:
            options.setdefault("launchType", "EC2")
        self.ecs.create_service(
            cluster="c",
            serviceName="s",
            taskDefinition=definition or self.definition(),
            desiredCount=count,
            **options,
        )

    def seen(self) -> dict[str, Any]:
        return self.ecs.describe_services(cluster="c", services=["s"])["services"][0]

    def running(self, count: int) -> dict[str, Any]:
        return eventually(
            self.seen, lambda found: (found["runningCount"], found["pendingCount"]) == (count, 0), seconds=12
        )

    def tasks(self, status: str = "RUNNING") -> list[dict[str, Any]]:
        arns = self.ecs.list_tasks(cluster="c", desiredStatus=status)["taskArns"]
        return self.ecs.describe_tasks(cluster="c", tasks=arns)["tasks"] if arns else []

    def interrupt(self, **request: Any) -> dict[str, Any]:
        return self.sandbox.control("POST", "interrupt", {"region": self.region, **request})
