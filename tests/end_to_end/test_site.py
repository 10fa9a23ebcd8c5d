# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""site, again, in check mode, with drift, healed, and torn down: each step judged by AWS's own account of calls and state."""

from __future__ import annotations

import contextlib
import json
import pathlib
import re
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import grants
import leftovers
import local_aws
import pytest
from deployment import ROOT
from deployment import Account
from deployment import Draining

HUB = "us-east-1"
BEST = "us-west-2"
OTHER = "eu-west-1"
MARKET = {
    "scores": {BEST: 9, OTHER: 9},
    "prices": {
        BEST: {"*": {"g4dn.xlarge": "0.2105", "g5.xlarge": "0.4012", "g6.xlarge": "0.3207"}},
        OTHER: {"*": {"g4dn.xlarge": "0.2351", "g5.xlarge": "0.4533"}},
    },
}
UNCHANGED = {HUB: 0, BEST: 0, OTHER: 0}


@pytest.fixture(scope="module")
def account():
    with local_aws.running() as aws:
        aws.control("PUT", "market", MARKET)
        environment = local_aws.controller(aws)
        yield Account(aws, environment, leftovers.listing(aws.url))


@pytest.fixture(scope="module")
def prediction(account):
    """site --check on the empty account."""
    return account.play("site", "--check")


@pytest.fixture(scope="module")
def first(account, prediction):
    """site on the empty account."""
    return account.play("site")


def test_check_mode_on_an_empty_account_makes_no_mutating_call(prediction):
    assert prediction.mutating == []


def test_a_run_that_leaves_places_out_is_refused(account):
    refused = account.play("site", "--limit", BEST, succeed=False)
    assert f"--limit leaves out {', '.join(sorted([OTHER, HUB]))}:" in " ".join(refused.output.split())
    assert refused.calls == []


def test_what_would_cost_too_much_is_refused_before_anything_is_made(account, prediction):
    for option in ("spot_max_hourly_usd=0.10", "spot_max_monthly_usd=70"):
        refused = account.play("site", "-e", option, succeed=False)
        assert f"{option.replace('=', ': ').rstrip('0').rstrip('.')}" in refused.output
        assert "is less than the estimate at the worst spot price" in refused.output
        assert {call["action"] for call in refused.calls} == {"DescribeSpotPriceHistory", "GetProducts"}


def test_without_a_ceiling_no_price_is_asked_for_before_there_is_a_state(first):
    actions = [call["action"] for call in first.calls]
    assert "GetProducts" not in actions[: actions.index("CreateStack")]


def test_check_mode_predicts_what_the_first_run_does(prediction, first):
    assert prediction.changed == first.changed


def test_the_workload_runs_in_the_best_place_only(account, first):
    for region, tasks in ((BEST, 1), (OTHER, 0)):
        ecs = account.client("ecs", region)
        service = ecs.describe_services(cluster=f"ethereal-{region}", services=[f"ethereal-{region}"])["services"][0]
        assert (service["desiredCount"], service["runningCount"]) == (tasks, tasks)
        groups = account.client("autoscaling", region).describe_auto_scaling_groups()["AutoScalingGroups"]
        assert {group["AutoScalingGroupName"]: len(group["Instances"]) for group in groups} == {
            f"ethereal-{region}": tasks,
            f"ethereal-{region}-od": 0,
        }


def test_every_volume_is_encrypted_with_the_customer_key(account, first):
    key = account.client("kms", BEST).describe_key(KeyId=f"alias/ethereal-{BEST}-worker")["KeyMetadata"]["Arn"]
    ec2 = account.client("ec2", BEST)
    instance = _instances(ec2)[0]
    volumes = ec2.describe_volumes(Filters=[{"Name": "attachment.instance-id", "Values": [instance["InstanceId"]]}])[
        "Volumes"
    ]
    assert volumes
    assert {(volume["Encrypted"], volume.get("KmsKeyId"), volume["VolumeType"]) for volume in volumes} == {
        (True, key, "gp3")
    }
    assert instance["MetadataOptions"]["HttpTokens"] == "required"
    assert "PublicIpAddress" not in instance
    assert instance["InstanceLifecycle"] == "spot"


def _instances(ec2: Any) -> list[dict[str, Any]]:
    found = ec2.describe_instances(Filters=[{"Name": "instance-state-name", "Values": ["running"]}])["Reservations"]
    return [instance for reservation in found for instance in reservation["Instances"]]


def test_the_state_is_published(account, first):
    ssm = account.client("ssm", HUB)
    published = {
        name: ssm.get_parameter(Name=f"/ethereal/{name}")["Parameter"]["Value"]
        for name in ("provisioning-enabled", "status", "region", "instances-info")
    }
    assert published["provisioning-enabled"] == "false"
    assert published["status"] == "COMPLETED"
    assert published["region"] == BEST
    assert _instances(account.client("ec2", BEST))[0]["InstanceId"] in published["instances-info"]


def test_a_second_run_changes_nothing(account, first):
    again = account.play("site")
    assert again.changed == UNCHANGED
    assert again.mutating == []


def test_check_mode_on_a_converged_account_predicts_nothing(account, first):
    check = account.play("site", "--check")
    assert check.changed == UNCHANGED
    assert check.mutating == []


def test_a_recorded_placement_stays_whatever_the_market_says(account, first):
    account.aws.control("PUT", "market", {"scores": {BEST: 1, OTHER: 10}})
    try:
        again = account.play("site")
    finally:
        account.aws.control("PUT", "market", {"scores": MARKET["scores"]})
    assert again.changed == UNCHANGED
    assert not [call for call in again.calls if call["action"] == "GetSpotPlacementScores"]


def test_status_reads_only_and_names_every_place(account, first, tmp_path):
    written = tmp_path / "evidence.json"
    status = account.play("status", "-e", f"evidence_file={written}")
    assert status.mutating == []
    assert all(place in status.output for place in (HUB, BEST, OTHER))
    assert re.search(rf"{BEST}: a task runs \d+ s after its instance's launch: within the 120 s", status.output)
    evidence = json.loads(written.read_text())
    assert {place: (len(seen["instances"]), seen["compliant"]) for place, seen in evidence.items()} == {
        BEST: (1, True),
        OTHER: (0, True),
    }


class Node:
    """What ECS and the group say of a node that goes and of its replacement, each with the time of the first look that saw it."""

    FACTS = 7

    def __init__(self, account: Account) -> None:
        self.ecs, self.ec2 = account.client("ecs", BEST), account.client("ec2", BEST)
        self.autoscaling = account.client("autoscaling", BEST)
        self.name = f"ethereal-{BEST}"
        self.seen: dict[str, float] = {}
        (self.instance,) = (instance["InstanceId"] for instance in _instances(self.ec2))
        (self.node,) = self._listed("list_container_instances", "containerInstanceArns")
        (self.task,) = self._listed("list_tasks", "taskArns")
        # ECS shows stopped tasks for a while, so those of nodes that went before are still there.
        self.earlier = {task["taskArn"] for task in self._tasks()} - {self.task}
        self.began = time.monotonic()

    def _listed(self, operation: str, key: str) -> list[str]:
        return getattr(self.ecs, operation)(cluster=self.name)[key]

    def look(self) -> None:
        nodes = self.ecs.describe_container_instances(cluster=self.name, containerInstances=[self.node])[
            "containerInstances"
        ]
        tasks = {task["taskArn"]: task for task in self._tasks() if task["taskArn"] not in self.earlier}
        old = tasks.pop(self.task)
        new = [task for task in tasks.values() if task.get("containerInstanceArn") not in (None, self.node)]
        ready = [
            task for task in new if task["lastStatus"] == "RUNNING" and task["healthStatus"] in ("UNKNOWN", "HEALTHY")
        ]
        launched = [instance for instance in _instances(self.ec2) if instance["InstanceId"] != self.instance]
        (group,) = self.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[self.name])["AutoScalingGroups"]
        serving = {each["InstanceId"] for each in group["Instances"] if each["LifecycleState"] == "InService"}
        facts = {
            "drain": not nodes or nodes[0]["status"] == "DRAINING",
            "task stopped": old["lastStatus"] == "STOPPED",
            "replacement launched": bool(launched),
            "replacement in service": bool(serving - {self.instance}),
            "task placed on it": bool(new),
            "healthy": bool(ready),
            "instance lost": self.instance not in {instance["InstanceId"] for instance in _instances(self.ec2)},
        }
        for name, true in facts.items():
            if true:
                self.seen.setdefault(name, time.monotonic() - self.began)

    def watch(self, record_property: Any, seconds: float = 40) -> None:
        """Look until everything has been seen."""
        while self.began + seconds > time.monotonic() and len(self.seen) < self.FACTS:
            self.look()
        record_property("order of events", json.dumps(self.seen))
        assert len(self.seen) == self.FACTS, self.seen

    def stop_code(self) -> str:
        """Why the task stopped: TerminationNotice if it was lost with its instance."""
        return next(task["stopCode"] for task in self._tasks() if task["taskArn"] == self.task)

    def activities(self) -> dict[str, Any]:
        """The group's own account: when the replacement was launched and in service, when the old one began to go and was gone."""
        found = self.autoscaling.describe_scaling_activities(AutoScalingGroupName=self.name)["Activities"]
        launch = next(each for each in found if each["Description"].startswith("Launching"))
        end = next(each for each in found if each["Description"] == f"Terminating EC2 instance: {self.instance}")
        return {"launch": launch, "end": end}

    def _tasks(self) -> list[dict[str, Any]]:
        arns = [
            arn
            for status in ("RUNNING", "STOPPED")
            for arn in self.ecs.list_tasks(cluster=self.name, desiredStatus=status)["taskArns"]
        ]
        return self.ecs.describe_tasks(cluster=self.name, tasks=sorted({*arns, self.task}))["tasks"]


def test_a_rebalanced_node_is_drained_by_ecs_before_it_goes(account, first, record_property):
    """Nothing tells the node's agent of it: ECS drains, by its hook on the group, once the replacement serves."""
    node = Node(account)
    account.aws.control("PUT", "market", {"boot_seconds": 1})
    try:
        recommendation = {"region": BEST, "instance_ids": [node.instance], "events": ["rebalance"]}
        account.aws.control("POST", "interrupt", recommendation)
        node.watch(record_property)
    finally:
        account.aws.control("PUT", "market", {"boot_seconds": None})
    begins = ("replacement launched", "replacement in service", "drain", "task stopped")
    for order in ((*begins, "instance lost"), (*begins, "task placed on it", "healthy")):
        times = [node.seen[name] for name in order]
        assert times == sorted(times), node.seen
    # It stopped before its instance ended, and by the group's own clock nothing went before the replacement served.
    assert node.stop_code() != "TerminationNotice"
    told = node.activities()
    assert "rebalance recommendation" in told["end"]["Cause"]
    assert told["launch"]["EndTime"] <= told["end"]["StartTime"]


def test_an_interrupted_node_is_drained_before_it_is_lost_and_replaced(account, first, record_property):
    """A warning without a rebalance recommendation before it, which is the harder case; nobody runs a playbook meanwhile."""
    node = Node(account)
    loss = {"region": BEST, "instance_ids": [node.instance], "events": ["warning", "loss"], "notice_seconds": 4}
    account.aws.control("POST", "interrupt", loss)
    node.watch(record_property)
    order = sorted(node.seen, key=lambda name: node.seen[name])
    assert order.index("drain") <= order.index("task stopped") < order.index("task placed on it")
    assert node.seen["drain"] < 4, "within the notice"
    assert node.seen["task stopped"] <= node.seen["instance lost"]
    assert node.stop_code() != "TerminationNotice"
    assert node.seen["replacement launched"] <= node.seen["task placed on it"] <= node.seen["healthy"]
    # What runs now is published by the next run, and that is all it does.
    assert account.play("site").changed == {HUB: 1, BEST: 0, OTHER: 0}


def _remembered(account: Account) -> dict[str, str]:
    """The failure ledger: AWS's codes by key."""
    found = account.client("dynamodb", HUB).query(
        TableName="ethereal-state",
        KeyConditionExpression="pk = :ledger",
        ExpressionAttributeValues={":ledger": {"S": "ledger"}},
    )
    return {item["sk"]["S"]: item["code"]["S"] for item in found["Items"]}


@contextlib.contextmanager
def _best_place_out_of_capacity(account: Account) -> Iterator[None]:
    """Its instances are lost, and no other is to be had there."""
    ec2 = account.client("ec2", BEST)
    lost = [instance["InstanceId"] for instance in _instances(ec2)]
    account.aws.control("PUT", "market", {"capacity": {BEST: {"*": 0}}})
    try:
        loss = {"region": BEST, "instance_ids": lost, "events": ["loss"], "notice_seconds": 1}
        account.aws.control("POST", "interrupt", loss)
        deadline = time.monotonic() + 30
        while _instances(ec2) and time.monotonic() < deadline:
            time.sleep(0.2)
        yield
    finally:
        account.aws.control("PUT", "market", {"capacity": {BEST: None}})


def test_a_place_without_capacity_is_remembered_and_forgotten_once_it_launches(account, first):
    with _best_place_out_of_capacity(account):
        short = account.play("site", "-e", "spot_wait_timeout=30", succeed=False)
        assert short.changed == {HUB: 1, BEST: 0, OTHER: 0}
        assert _remembered(account) == {f"region/{BEST}/{BEST}/spot": "UnfulfillableCapacity"}
        status = account.play("status")
        assert status.mutating == []
        assert f"launches fail in {BEST} spot: no capacity for what was asked (UnfulfillableCapacity" in status.output
        ranked = account.play("rank").output
        assert re.search(rf"{BEST} +rejected +no capacity for what was asked \(UnfulfillableCapacity\)", ranked)
    mended = account.play("site")
    assert mended.changed == {HUB: 1, BEST: 0, OTHER: 0}
    assert _remembered(account) == {}
    again = account.play("site")
    assert (again.changed, again.mutating) == (UNCHANGED, [])
    # Nothing is remembered, so nobody asks for it: the state's documents and the places', for both tasks that read them.
    asked = [call["action"] for call in again.calls if call["service"] == "dynamodb"]
    assert (asked.count("TransactGetItems"), asked.count("Query")) == (2, 2)


@pytest.fixture
def topic(account):
    """A topic of the same name in every worker's region, as the inventory speaks of it."""
    topics = [(client := account.client("sns", region), client.create_topic(Name="alerts")) for region in (BEST, OTHER)]
    yield "arn:aws:sns:{{ spot_region | default(inventory_hostname) }}:123456789012:alerts"
    for client, made in topics:
        client.delete_topic(TopicArn=made["TopicArn"])


def test_an_update_is_predicted_and_made_once(account, first, topic):
    # Private nodes reach no registry but their region's ECR.
    image = {"spot_container_image": "quay.io/org/serve:2", "spot_container_pull_through": True}
    more = {"spot_sns_topic_arn": topic, "spot_patch_operation": "install", **image}
    copier = "123456789012.dkr.ecr.{{ spot_region | default(inventory_hostname) }}.amazonaws.com/aws-cli:2"
    models = {"spot_models": {"llama-3": "s3://models/llama-3/1"}, "spot_models_image": copier}
    wanted = {"spot_disk_size": 120, "spot_tags": {"owner": "research"}, **more, **models}
    update = ("-e", json.dumps(wanted))
    check = account.play("site", "--check", *update)
    assert check.mutating == []
    made = account.play("site", *update)
    assert made.changed == check.changed
    assert made.changed[BEST] > 0
    assert account.play("site", *update).changed == UNCHANGED
    templates = account.client("ec2", BEST).describe_launch_template_versions(
        LaunchTemplateName=f"ethereal-{BEST}", Versions=["$Latest"]
    )["LaunchTemplateVersions"]
    assert templates[0]["LaunchTemplateData"]["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] == 120
    for region in (BEST, OTHER):
        repository = f"ethereal-{region}/quay/org/serve"
        task = account.client("ecs", region).describe_task_definition(taskDefinition=f"ethereal-{region}")
        (container,) = task["taskDefinition"]["containerDefinitions"]
        assert container["image"] == f"123456789012.dkr.ecr.{region}.amazonaws.com/{repository}:2"
        cached = account.client("ecr", region).describe_images(repositoryName=repository, imageIds=[{"imageTag": "2"}])
        assert len(cached["imageDetails"]) == 1
    assert account.play("site").changed[BEST] > 0


def test_nat_gateways_come_and_go_under_a_running_workload(account, first):
    ec2 = account.client("ec2", BEST)
    (running,) = _instances(ec2)
    subnet = ec2.describe_subnets(SubnetIds=[running["SubnetId"]])["Subnets"][0]
    zones = len(_private_subnets(ec2, running["VpcId"]))
    up = [{"Name": "state", "Values": ["available"]}]
    check = account.play("site", "--check", "-e", "spot_nat=one")
    assert check.mutating == []
    for nat, gateways in (("one", 1), ("per_zone", zones), ("none", 0)):
        made = account.play("site", "-e", f"spot_nat={nat}")
        assert made.changed == check.changed == {HUB: 0, BEST: 1, OTHER: 1}
        assert len(ec2.describe_nat_gateways(Filters=up)["NatGateways"]) == gateways
        assert len(ec2.describe_addresses()["Addresses"]) == gateways
        assert len(_private_subnets(ec2, running["VpcId"])) == zones
    assert [instance["InstanceId"] for instance in _instances(ec2)] == [running["InstanceId"]]
    after = ec2.describe_subnets(SubnetIds=[running["SubnetId"]])["Subnets"][0]
    assert after == subnet
    assert account.play("site").changed == UNCHANGED


def _private_subnets(ec2: Any, vpc: str) -> list[str]:
    """The VPC's subnets without a route to an internet gateway."""
    tables = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["RouteTables"]
    return [
        association["SubnetId"]
        for table in tables
        if not any(route.get("GatewayId", "").startswith("igw-") for route in table["Routes"])
        for association in table["Associations"]
        if not association["Main"]
    ]


def test_drift_is_told_and_healed_only_when_asked(account, first):
    ec2 = account.client("ec2", OTHER)
    (group,) = ec2.describe_security_groups(Filters=[{"Name": "tag:Name", "Values": [f"ethereal-{OTHER}-nodes"]}])[
        "SecurityGroups"
    ]
    opened = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=opened)
    draining = Draining(account, OTHER, f"ethereal-{OTHER}")
    draining.turn_off()
    draining.delete_hook("-od")

    told = account.play("site")
    assert told.changed == UNCHANGED
    assert told.mutating == []
    assert "drift" in told.output.lower()
    assert all(f"{resource} (AWS::ECS::CapacityProvider)" in told.output for resource in ("Spot", "OnDemand"))
    check = account.play("site", "--check", "-e", "heal_drift=true")
    # One for each stack: the region's and the workload's.
    assert check.changed[OTHER] == 2
    assert check.mutating == []
    healed = account.play("site", "-e", "heal_drift=true")
    assert healed.changed == {HUB: 0, BEST: 0, OTHER: 2}
    after = ec2.describe_security_groups(GroupIds=[group["GroupId"]])["SecurityGroups"][0]
    assert after["IpPermissions"] == group["IpPermissions"]
    assert draining.stands() == [True, True]
    assert account.play("site", "-e", "heal_drift=true").changed == UNCHANGED


def test_a_place_that_cannot_launch_leaves_its_failures_behind_before_the_next_is_tried(account, first):
    account.client("dynamodb", HUB).update_item(
        TableName="ethereal-state",
        Key={"pk": {"S": "placement"}, "sk": {"S": "current"}},
        UpdateExpression="SET placement = :nowhere",
        ExpressionAttributeValues={":nowhere": {"M": {}}},
    )
    with _best_place_out_of_capacity(account):
        moved = account.play("site", "-e", "spot_wait_timeout=30")
    assert _remembered(account) == {f"region/{BEST}/{BEST}/spot": "UnfulfillableCapacity"}
    assert f"active in {OTHER}" in account.play("status").output
    written = [call["time"] for call in moved.calls if call["action"] == "TransactWriteItems"]
    launched = [
        call["time"]
        for call in moved.calls
        if (call["action"], call["region"]) == ("SetDesiredCapacity", OTHER) and call["mutating"]
    ]
    assert len([time for time in written if time < min(launched)]) == 3


def test_teardown_keeps_data_unless_told(account, first):
    """The file systems and the state table stay, each in its stack with its key; everything else goes, with what still runs."""
    account.aws.control("PUT", "market", {"runs": {f"ethereal-{BEST}-fill": "forever"}})
    subnets = account.client("ec2", BEST).describe_subnets()["Subnets"]
    account.client("ecs", BEST).run_task(
        cluster=f"ethereal-{BEST}",
        taskDefinition=f"ethereal-{BEST}-fill",
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": {"subnets": [subnets[0]["SubnetId"]]}},
    )
    account.play("teardown")
    left = leftovers.listing(account.aws.url) - account.before
    assert {name.split()[1] for name in left} == {"cloudformation", "dynamodb", "efs", "kms"}
    assert account.play("teardown").changed == UNCHANGED


def test_teardown_leaves_nothing(account, first):
    account.play("teardown", "-e", "teardown_data=true")
    assert leftovers.listing(account.aws.url) - account.before == set()
    assert account.play("teardown", "-e", "teardown_data=true").changed == UNCHANGED


def test_recorded_calls_equal_granted_actions(account, first):
    """Over the whole life: nothing was denied, and nothing is granted that nobody needed."""
    calls = account.aws.control("GET", "calls")
    denied = [call for call in calls for judged in call["iam"] or [] if not judged["allowed"]]
    assert denied == []
    assert grants.all_granted() - grants.recorded(calls, "user/controller") - grants.IMPLIED == set()


def test_the_demo_runs_and_leaves_no_process():
    done = subprocess.run(
        [ROOT / ".venvs/dev/bin/python", ROOT / "tools/demo.py"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every region: nothing" in done.stdout
    port = re.search(r"http://127\.0\.0\.1:(\d+)", done.stdout)[1]
    processes = [pathlib.Path(entry, "cmdline") for entry in pathlib.Path("/proc").glob("[0-9]*")]
    assert not [entry for entry in processes if entry.exists() and f"sandbox\0{port}" in entry.read_text()]
