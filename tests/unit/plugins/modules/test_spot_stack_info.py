# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import collections
import json
from datetime import UTC
from datetime import datetime

import boto3
import pytest

from ansible_collections.ethereal.spot.plugins.module_utils._aws import cloudformation
from ansible_collections.ethereal.spot.plugins.module_utils._aws import managed_draining
from ansible_collections.ethereal.spot.plugins.module_utils._aws import probes
from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import EtherealSpotError
from ansible_collections.ethereal.spot.plugins.modules import spot_stack_info

HOOK = "ecs-managed-draining-termination-hook"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
BODY = "Resources: {}"
ARN = "arn:aws:cloudformation:us-east-1:123456789012:stack/"


class Stacks:
    """CloudFormation's answers for stacks by name, beside moto for what the probes ask."""

    def __init__(self, recorder, aws_error):
        self.known = {}
        self.drifts = {}
        self.resources = {}
        self.events = {}
        self.templates = {}
        self.detections = ["DETECTION_IN_PROGRESS", "DETECTION_COMPLETE"]
        self.detection_errors = []
        self.invalid = None
        self.error = aws_error
        self.recorder = recorder
        for operation in (
            "DescribeStacks",
            "GetTemplate",
            "ValidateTemplate",
            "DescribeStackEvents",
            "DetectStackDrift",
            "DescribeStackDriftDetectionStatus",
            "DescribeStackResourceDrifts",
            "ListStackResources",
        ):
            recorder.answer("cloudformation", operation, getattr(self, operation))

    def add(self, name, status="CREATE_COMPLETE", parameters=None, tags=None, outputs=None, body=BODY):
        self.known[name] = {
            "StackName": name,
            "StackId": ARN + name,
            "StackStatus": status,
            "CreationTime": NOW,
            "Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in (parameters or {}).items()],
            "Tags": [{"Key": k, "Value": v} for k, v in (tags or {}).items()],
            "Outputs": [{"OutputKey": k, "OutputValue": v} for k, v in (outputs or {}).items()],
        }
        self.templates[name] = body

    def DescribeStacks(self, params, region):
        name = params["StackName"]
        if name not in self.known:
            raise self.error("ValidationError", f"Stack with id {name} does not exist", "DescribeStacks")
        return {"Stacks": [self.known[name]]}

    def GetTemplate(self, params, region):
        return {"TemplateBody": self.templates[params["StackName"]]}

    def ValidateTemplate(self, params, region):
        if self.invalid:
            raise self.error("ValidationError", self.invalid)
        return {"Parameters": [{"ParameterKey": "Prefix"}]}

    def DescribeStackEvents(self, params, region):
        pages = self.events[params["StackName"]]
        index = int(params.get("NextToken", 0))
        answer = {"StackEvents": pages[index]}
        return {**answer, "NextToken": str(index + 1)} if index + 1 < len(pages) else answer

    def DetectStackDrift(self, params, region):
        for error in self.detection_errors:
            raise error
        return {"StackDriftDetectionId": "detection-of-" + params["StackName"]}

    def DescribeStackDriftDetectionStatus(self, params, region):
        status = self.detections.pop(0) if len(self.detections) > 1 else self.detections[0]
        return {
            "StackId": ARN,
            "StackDriftDetectionId": params["StackDriftDetectionId"],
            "DetectionStatus": status,
            "DetectionStatusReason": "Failed to detect drift on resource [Key]",
            "Timestamp": NOW,
        }

    def DescribeStackResourceDrifts(self, params, region):
        """One a page."""
        found = self.drifts.get(params["StackName"], [])
        index = int(params.get("NextToken", 0))
        more = {"NextToken": str(index + 1)} if index + 1 < len(found) else {}
        return {"StackResourceDrifts": found[index : index + 1], **more}

    def ListStackResources(self, params, region):
        return {
            "StackResourceSummaries": [
                {
                    "LogicalResourceId": logical,
                    "PhysicalResourceId": physical,
                    "ResourceType": kind,
                    "LastUpdatedTimestamp": NOW,
                    "ResourceStatus": "CREATE_COMPLETE",
                }
                for logical, (kind, physical) in self.resources.get(params["StackName"], {}).items()
            ]
        }


def checked(resource, kind, status, differences=()):
    return {
        "StackId": ARN,
        "LogicalResourceId": resource,
        "ResourceType": kind,
        "StackResourceDriftStatus": status,
        "Timestamp": NOW,
        "PropertyDifferences": [
            {"PropertyPath": path, "ExpectedValue": old, "ActualValue": new, "DifferenceType": "NOT_EQUAL"}
            for path, old, new in differences
        ],
    }


@pytest.fixture
def stacks(recorder, aws_error, monkeypatch):
    monkeypatch.setattr(cloudformation, "DELAY", 0.01)
    return Stacks(recorder, aws_error)


@pytest.fixture
def look(run_module):
    def run(*wanted, check_mode=False, **params):
        return run_module(spot_stack_info, {"stacks": list(wanted), "region": "us-east-1", **params}, check_mode)

    return run


def test_verdicts_of_a_place(look, stacks):
    stacks.add("a-current", parameters={"Prefix": "gpu", "Other": "x"}, tags={"team": "ml"}, outputs={"VpcId": "vpc-1"})
    stacks.add("a-outdated", parameters={"Prefix": "old"})
    stacks.add("a-dead", "ROLLBACK_COMPLETE")
    stacks.events["a-dead"] = [[]]
    wanted = {"template_body": BODY + "\n", "parameters": {"Prefix": "gpu"}, "tags": {"team": "ml"}}
    names = ["a-current", "a-outdated", "a-dead", "a-absent"]
    result = look(*({"name": name, **wanted} for name in names), drift=False)
    assert not result.failed
    assert not result.changed
    assert result.mutating == []
    assert {name: stack["verdict"] for name, stack in result["stacks"].items()} == dict(
        zip(names, ["current", "outdated", "dead", "absent"], strict=True)
    )
    assert result["stacks"]["a-current"]["outputs"] == {"VpcId": "vpc-1"}
    assert result["stacks"]["a-outdated"]["differences"] == {
        "template": False,
        "parameters": ["Prefix"],
        "tags": ["team"],
    }
    # Only what is not current is worth a validation, and no drift was asked for.
    assert result.operations().count("ValidateTemplate") == 3
    assert "DetectStackDrift" not in result.operations()


OTHERS = {"name": "a", "account": "210987654321", "account_of": "worker_container_image: far"}


def test_a_stack_that_would_refer_to_another_account_is_refused(look, stacks, aws):
    refused = look(OTHERS, drift=False)
    assert refused["msg"] == (
        "worker_container_image: far: '210987654321' is another account than that of the credentials, 123456789012"
    )
    assert not look({**OTHERS, "account": "123456789012"}, drift=False).failed
    assert look({"name": "a"}, drift=False).operations("sts") == []
    # What stands as it is wanted was asked about when it was made.
    stacks.add("a")
    found = look(OTHERS, drift=False)
    assert (found["stacks"]["a"]["verdict"], found.operations("sts")) == ("current", [])


def test_a_stack_that_is_changing_is_waited_for(look, stacks):
    stacks.add("a", "UPDATE_IN_PROGRESS")
    stacks.add("b", "DELETE_IN_PROGRESS")
    stacks.add("c", "REVIEW_IN_PROGRESS")
    stacks.add("d")
    seen = collections.Counter()
    describe = stacks.DescribeStacks

    def ending(params, region):
        name = params["StackName"]
        seen[name] += 1
        if seen[name] == 3:
            if name == "a":
                stacks.add("a", "UPDATE_COMPLETE")
            else:
                del stacks.known[name]
        return describe(params, region)

    stacks.recorder.answer("cloudformation", "DescribeStacks", ending)
    wanted = [{"name": name} for name in "abcd"]
    verdicts = {name: stack["verdict"] for name, stack in look(*wanted, drift=False)["stacks"].items()}
    assert verdicts == {"a": "busy", "b": "busy", "c": "dead", "d": "current"}
    verdicts = {
        name: stack["verdict"] for name, stack in look(*wanted, drift=False, settle_timeout=20)["stacks"].items()
    }
    assert verdicts == {"a": "current", "b": "absent", "c": "dead", "d": "current"}
    assert seen == {"a": 3, "b": 3, "c": 2, "d": 2}


def test_a_stack_that_changes_for_too_long_is_busy(look, stacks):
    stacks.add("a", "UPDATE_IN_PROGRESS")
    assert look({"name": "a"}, drift=False, settle_timeout=1)["stacks"]["a"]["verdict"] == "busy"


def test_an_account_without_stacks_is_no_error(look, stacks):
    result = look({"name": "a-region"}, check_mode=True)
    assert result["stacks"]["a-region"]["verdict"] == "absent"
    assert result.operations() == ["DescribeStacks"]


def test_a_stack_changed_by_hand_to_another_template_is_outdated(look, stacks):
    stacks.add("a-region", body="Resources: {Other: {}}")
    result = look({"name": "a-region", "template_body": BODY}, drift=False)
    assert result["stacks"]["a-region"]["differences"]["template"] is True


def test_invalid_template_is_refused(look, stacks):
    stacks.invalid = "Template format error: unsupported structure."
    result = look({"name": "a-region", "template_body": BODY})
    assert result.failed
    assert result["msg"] == "the template of stack a-region is invalid: Template format error: unsupported structure."


def test_unknown_parameter_is_refused(look, stacks):
    result = look({"name": "a-region", "template_body": BODY, "parameters": {"Perfix": "gpu"}})
    assert result.failed
    assert result["msg"] == "stacks.a-region.parameters: 'Perfix' is not a parameter of the template"


def test_immutable_parameters_are_refused(look, stacks):
    stacks.add("a-network", parameters={"VpcCidr": "10.42.0.0/16"})
    result = look(
        {"name": "a-network", "parameters": {"VpcCidr": "10.1.0.0/16"}, "immutable": ["VpcCidr"]}, drift=False
    )
    assert result["stacks"]["a-network"]["refused"] == [
        {"parameter": "VpcCidr", "found": "10.42.0.0/16", "wanted": "10.1.0.0/16"}
    ]


def test_first_failure_over_pages(look, stacks):
    stacks.add("a-region", "UPDATE_ROLLBACK_COMPLETE")

    def event(resource, status, reason):
        return {
            "StackId": ARN + "a-region",
            "StackName": "a-region",
            "EventId": resource + status,
            "Timestamp": NOW,
            "LogicalResourceId": resource,
            "PhysicalResourceId": ARN + "a-region" if resource == "a-region" else resource,
            "ResourceType": "AWS::EFS::MountTarget",
            "ResourceStatus": status,
            "ResourceStatusReason": reason,
        }

    stacks.events["a-region"] = [
        [event("MountC", "UPDATE_FAILED", "Resource update cancelled")],
        [event("MountB", "CREATE_FAILED", "no such subnet"), event("a-region", "UPDATE_IN_PROGRESS", "User Initiated")],
        [event("Key", "CREATE_FAILED", "of an operation before")],
    ]
    result = look({"name": "a-region"}, drift=False)
    assert result["stacks"]["a-region"]["first_failed_event"] == {
        "resource": "MountB",
        "type": "AWS::EFS::MountTarget",
        "status": "CREATE_FAILED",
        "reason": "no such subnet",
    }
    assert result.operations().count("DescribeStackEvents") == 2


def test_drift_of_cloudformation_and_of_probes(look, stacks, aws, recorder):
    """CloudFormation speaks for the key, so it is not probed; for cluster and endpoint nobody else does."""
    stacks.add("a-region")
    stacks.drifts["a-region"] = [
        checked("Service", "AWS::ECS::Service", "MODIFIED", [("/DesiredCount", "0", "2")]),
        checked("Key", "AWS::KMS::Key", "IN_SYNC"),
        checked("NodeGroup", "AWS::EC2::SecurityGroup", "MODIFIED", [("/SecurityGroupEgress/2", "null", "{}")]),
    ]
    stacks.resources["a-region"] = {
        "Key": ("AWS::KMS::Key", "key-1"),
        "Cluster": ("AWS::ECS::Cluster", "gpu"),
        "NodeGroup": ("AWS::EC2::SecurityGroup", "sg-1"),
    }
    recorder.answer(
        "ecs",
        "DescribeClusters",
        {"clusters": [{"status": "ACTIVE", "settings": [{"name": "containerInsights", "value": "disabled"}]}]},
    )
    result = look({"name": "a-region"})
    stack = result["stacks"]["a-region"]
    assert stack["drift_unknown"] is None
    assert stack["drift"] == [
        {
            "resource": "NodeGroup",
            "type": "AWS::EC2::SecurityGroup",
            "status": "MODIFIED",
            "differences": [{"path": "/SecurityGroupEgress/2", "expected": "null", "actual": "{}"}],
            "source": "cloudformation",
        },
        {
            "resource": "Cluster",
            "type": "AWS::ECS::Cluster",
            "status": "MODIFIED",
            "differences": [
                {
                    "path": "/ClusterSettings",
                    "expected": [{"Name": "containerInsights", "Value": "enabled"}],
                    "actual": [{"Name": "containerInsights", "Value": "disabled"}],
                }
            ],
            "source": "probe",
        },
    ]
    assert result.operations("kms") == []
    assert result.mutating == []


def test_a_draining_hook_is_looked_for_where_detection_sees_nothing(look, stacks, aws, recorder, aws_error):
    """Detection knows providers, not what ECS puts on their groups. Where a provider has drifted, its hook follows it."""
    kind, off = managed_draining.KIND, ("/AutoScalingGroupProvider/ManagedDraining", "ENABLED", "DISABLED")
    stacks.add("a-workload")
    stacks.drifts["a-workload"] = [checked("Spot", kind, "IN_SYNC"), checked("OnDemand", kind, "MODIFIED", [off])]
    stacks.resources["a-workload"] = {"Spot": (kind, "gpu"), "OnDemand": (kind, "gpu-od")}
    ecs = Draining(aws_error)
    ecs.hook = False
    recorder.answer("ecs", "DescribeCapacityProviders", ecs.DescribeCapacityProviders)
    recorder.answer("autoscaling", "DescribeLifecycleHooks", ecs.DescribeLifecycleHooks)
    result = look({"name": "a-workload"})
    drift = {item["resource"]: item for item in result["stacks"]["a-workload"]["drift"]}
    assert drift["Spot"]["differences"] == [{"path": managed_draining.HOOK_PATH, "expected": HOOK, "actual": None}]
    assert (drift["Spot"]["status"], drift["Spot"]["source"]) == ("MODIFIED", "probe")
    assert (len(drift), drift["OnDemand"]["source"]) == (2, "cloudformation")
    assert result.operations("ecs") == ["DescribeCapacityProviders"]
    assert result.mutating == []


def test_default_groups_that_are_open(look, stacks, aws):
    """Every new VPC's is, and CloudFormation does not look at it; one of a VPC of somebody else is nobody's business here."""
    ec2 = boto3.client("ec2", region_name="us-east-1")
    vpcs = [ec2.create_vpc(CidrBlock=f"10.{number}.0.0/16")["Vpc"]["VpcId"] for number in range(3)]
    groups = {
        group["VpcId"]: group
        for group in ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["default"]}])[
            "SecurityGroups"
        ]
    }
    closed = groups[vpcs[1]]
    ec2.revoke_security_group_egress(GroupId=closed["GroupId"], IpPermissions=closed["IpPermissionsEgress"])
    if closed["IpPermissions"]:
        ec2.revoke_security_group_ingress(GroupId=closed["GroupId"], IpPermissions=closed["IpPermissions"])
    stacks.add("a-network")
    stacks.resources["a-network"] = {"Vpc": ("AWS::EC2::VPC", vpcs[0])}
    stacks.add("b-network")
    stacks.resources["b-network"] = {"Vpc": ("AWS::EC2::VPC", vpcs[1])}
    stacks.add("c-region")
    found = look({"name": "a-network"}, {"name": "b-network"}, {"name": "c-region"})["stacks"]
    assert {name: stack["open_groups"] for name, stack in found.items()} == {
        "a-network": [groups[vpcs[0]]["GroupId"]],
        "b-network": [],
        "c-region": [],
    }
    unasked = look({"name": "a-network"}, drift=False)
    assert unasked["stacks"]["a-network"]["open_groups"] == []
    assert "DescribeSecurityGroups" not in unasked.operations()


@pytest.mark.parametrize("verdict", ["UPDATE_IN_PROGRESS", "ROLLBACK_COMPLETE", "UPDATE_FAILED"])
def test_drift_is_looked_for_in_stacks_that_stand(look, stacks, verdict):
    stacks.add("a-region", verdict)
    stacks.events["a-region"] = [[]]
    assert "DetectStackDrift" not in look({"name": "a-region"}).operations()


def test_refused_detection_is_told_as_unknown(look, stacks):
    stacks.add("a-region")
    stacks.detection_errors = [stacks.error("AccessDenied", "not authorized")]
    result = look({"name": "a-region"})
    assert not result.failed
    assert result["stacks"]["a-region"]["drift"] == []
    assert "AccessDenied: not authorized" in result["stacks"]["a-region"]["drift_unknown"]


def test_partly_failed_detection_gives_what_it_has(look, stacks):
    stacks.add("a-region")
    stacks.detections = ["DETECTION_FAILED"]
    stacks.drifts["a-region"] = [checked("Vpc", "AWS::EC2::VPC", "DELETED")]
    stack = look({"name": "a-region"})["stacks"]["a-region"]
    assert [item["resource"] for item in stack["drift"]] == ["Vpc"]
    assert stack["drift_unknown"] == "Failed to detect drift on resource [Key]"


def test_detection_without_end_is_given_up(look, stacks):
    stacks.add("a-region")
    stacks.detections = ["DETECTION_IN_PROGRESS"]
    result = look({"name": "a-region"}, wait_timeout=0)
    assert not result.failed
    assert "wait for drift detection" in result["stacks"]["a-region"]["drift_unknown"]


def test_a_refused_read_fails(look, recorder, aws_error):
    recorder.answer("cloudformation", "DescribeStacks", aws_error("AccessDenied", "no"))
    result = look({"name": "a-region"})
    assert result.failed
    assert result["error"]["code"] == "AccessDenied"
    assert result["request_id"] == "request-1"


class TestProbes:
    """Every reader against moto or an answer in AWS's own form."""

    @pytest.fixture
    def client(self, aws):
        return lambda service: boto3.client(service, region_name="us-east-1")

    def test_key(self, client):
        kms = client("kms")
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        assert probes.read_key(client, key) == {"/EnableKeyRotation": False}
        probes.heal(client, "AWS::KMS::Key", key, ["/EnableKeyRotation"], {})
        assert probes.read_key(client, key) == probes.EXPECTED["AWS::KMS::Key"]
        assert probes.read_key(client, "11111111-2222-3333-4444-555555555555") is None

    def test_cluster(self, client, recorder):
        kept = [{"name": "containerInsights", "value": "disabled"}]

        def describe(params, region):
            known = params["clusters"] == ["gpu"]
            return {"clusters": [{"clusterName": "gpu", "status": "ACTIVE", "settings": kept}] if known else []}

        def update(params, region):
            kept[:] = params["settings"]
            return {}

        recorder.answer("ecs", "DescribeClusters", describe)
        recorder.answer("ecs", "UpdateClusterSettings", update)
        assert probes.read_cluster(client, "gpu") != probes.EXPECTED["AWS::ECS::Cluster"]
        probes.heal(client, "AWS::ECS::Cluster", "gpu", ["/ClusterSettings"], {})
        assert probes.read_cluster(client, "gpu") == probes.EXPECTED["AWS::ECS::Cluster"]
        assert probes.read_cluster(client, "other") is None

    def test_file_system(self, client, recorder, aws_error):
        """moto lacks what sets backup, policy and throughput; the answers are in the form of botocore's model."""
        file_system = client("efs").create_file_system(CreationToken="t")["FileSystemId"]
        kept = {"ThroughputMode": "bursting", "Policy": None, "Status": None}

        def policy(params, region):
            if kept["Policy"] is None:
                raise aws_error("PolicyNotFound")
            return {"FileSystemId": file_system, "Policy": kept["Policy"]}

        def backup(params, region):
            if kept["Status"] is None:
                raise aws_error("PolicyNotFound")
            return {"BackupPolicy": {"Status": kept["Status"]}}

        def describe(params, region):
            if params["FileSystemId"] != file_system:
                raise aws_error("FileSystemNotFound")
            return {
                "FileSystems": [{**FILE_SYSTEM, "FileSystemId": file_system, "ThroughputMode": kept["ThroughputMode"]}]
            }

        def keep(*names):
            def update(params, region):
                found = params.get("BackupPolicy", params)
                kept.update({name: found[name] for name in names})
                return {}

            return update

        recorder.answer("efs", "DescribeFileSystems", describe)
        recorder.answer("efs", "DescribeFileSystemPolicy", policy)
        recorder.answer("efs", "DescribeBackupPolicy", backup)
        recorder.answer("efs", "PutFileSystemPolicy", keep("Policy"))
        recorder.answer("efs", "PutBackupPolicy", keep("Status"))
        recorder.answer(
            "efs",
            "UpdateFileSystem",
            lambda params, region: {
                **FILE_SYSTEM,
                "FileSystemId": file_system,
                **keep("ThroughputMode")(params, region),
            },
        )
        expected = probes.EXPECTED["AWS::EFS::FileSystem"]
        before = probes.read_file_system(client, file_system)
        assert {path for path in expected if before[path] != expected[path]} == set(expected)
        probes.heal(client, "AWS::EFS::FileSystem", file_system, expected, {})
        assert probes.read_file_system(client, file_system) == expected
        # What order AWS answers in means nothing.
        kept["Policy"] = json.dumps({"Id": "x", **json.loads(kept["Policy"])})
        assert probes.read_file_system(client, file_system) == expected
        assert probes.read_file_system(client, "fs-0123456789abcdef0") is None
        # What its stack asks for is what is healed.
        asked = {"FilesBackup": "DISABLED", "FilesThroughput": "bursting", "FilesInfrequentAfter": "AFTER_7_DAYS"}
        wanted = probes.expected("AWS::EFS::FileSystem", asked)
        assert (wanted["/BackupPolicy/Status"], wanted["/ThroughputMode"]) == ("DISABLED", "bursting")
        assert wanted["/LifecyclePolicies"][0] == {"TransitionToIA": "AFTER_7_DAYS"}
        probes.heal(client, "AWS::EFS::FileSystem", file_system, ["/BackupPolicy/Status", "/ThroughputMode"], asked)
        assert (kept["Status"], kept["ThroughputMode"]) == ("DISABLED", "bursting")

    def test_endpoint(self, client):
        ec2 = client("ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        endpoints = {
            kind: ec2.create_vpc_endpoint(
                VpcId=vpc,
                VpcEndpointType=kind,
                ServiceName=f"com.amazonaws.us-east-1.{service}",
                **({"PrivateDnsEnabled": False} if kind == "Interface" else {}),
            )["VpcEndpoint"]["VpcEndpointId"]
            for kind, service in (("Gateway", "s3"), ("Interface", "ecs"))
        }
        assert probes.read_endpoint(client, endpoints["Gateway"]) == probes.EXPECTED["AWS::EC2::VPCEndpoint"]
        assert probes.read_endpoint(client, endpoints["Interface"]) == {"/PrivateDnsEnabled": False}
        assert probes.read_endpoint(client, "vpce-0123456789abcdef0") is None

    def test_draining_hook(self, client, recorder, aws_error, monkeypatch):
        """ECS as its developer guide has it: an update takes a while, and the hook comes with the setting, not with the look."""
        monkeypatch.setattr(managed_draining, "DELAY", 0.01)
        ecs = Draining(aws_error)
        for operation in ("DescribeCapacityProviders", "UpdateCapacityProvider"):
            recorder.answer("ecs", operation, getattr(ecs, operation))
        recorder.answer("autoscaling", "DescribeLifecycleHooks", ecs.DescribeLifecycleHooks)
        expected, path = probes.EXPECTED[managed_draining.KIND], managed_draining.HOOK_PATH
        assert managed_draining.read(client, "gpu") == expected == {path: HOOK}
        ecs.hook = False
        assert managed_draining.read(client, "gpu") == {path: None}
        probes.heal(client, managed_draining.KIND, "gpu", [path], {})
        assert ecs.settings == ["DISABLED", "ENABLED"]
        assert managed_draining.read(client, "gpu") == expected
        # Without draining no hook is missing, nor on a group that is gone; a provider that is gone is no provider without a hook.
        ecs.hook, ecs.draining = False, "DISABLED"
        assert managed_draining.read(client, "gpu") == expected
        ecs.draining, ecs.group = "ENABLED", False
        assert managed_draining.read(client, "gpu") == expected
        assert managed_draining.read(client, "other") is None

    @pytest.mark.parametrize("ending", ["UPDATE_FAILED", "UPDATE_IN_PROGRESS"])
    def test_draining_that_cannot_be_set(self, client, recorder, aws_error, monkeypatch, ending):
        monkeypatch.setattr(managed_draining, "DELAY", 0.01)
        monkeypatch.setattr(managed_draining, "UPDATE_SECONDS", 0.05)
        ecs = Draining(aws_error, ending)
        recorder.answer("ecs", "DescribeCapacityProviders", ecs.DescribeCapacityProviders)
        recorder.answer("ecs", "UpdateCapacityProvider", ecs.UpdateCapacityProvider)
        with pytest.raises(EtherealSpotError, match="gpu: managed draining could not be DISABLED: "):
            probes.heal(client, managed_draining.KIND, "gpu", [managed_draining.HOOK_PATH], {})
        assert ecs.settings == ["DISABLED"]

    def test_other_errors_are_not_absence(self, client, recorder, aws_error):
        recorder.answer("kms", "GetKeyRotationStatus", aws_error("AccessDeniedException"))
        with pytest.raises(AwsError, match="AccessDeniedException"):
            probes.read_key(client, "key")


class Draining:
    """A capacity provider, its group's hook, and updates that end after one look."""

    def __init__(self, aws_error, ending="UPDATE_COMPLETE"):
        self.error, self.ending = aws_error, ending
        self.draining, self.status, self.hook, self.group = "ENABLED", "CREATE_COMPLETE", True, True
        self.settings = []

    def DescribeCapacityProviders(self, params, region):
        if params["capacityProviders"] != ["gpu"]:
            return {"capacityProviders": [], "failures": [{"arn": "x", "reason": "MISSING"}]}
        arn = "arn:aws:autoscaling:us-east-1:123456789012:autoScalingGroup:1:autoScalingGroupName/gpu"
        group = {"autoScalingGroupArn": arn, "managedDraining": self.draining}
        found = {"name": "gpu", "status": "ACTIVE", "updateStatus": self.status, "autoScalingGroupProvider": group}
        if self.status == "UPDATE_IN_PROGRESS":
            self.status = self.ending
            self.hook = self.draining == "ENABLED"
        return {"capacityProviders": [found]}

    def UpdateCapacityProvider(self, params, region):
        self.draining = params["autoScalingGroupProvider"]["managedDraining"]
        self.settings.append(self.draining)
        self.status = "UPDATE_IN_PROGRESS"
        return {}

    def DescribeLifecycleHooks(self, params, region):
        assert params == {"AutoScalingGroupName": "gpu", "LifecycleHookNames": [HOOK]}
        if not self.group:
            raise self.error("ValidationError", "AutoScalingGroup name not found - null")
        return {"LifecycleHooks": [{"LifecycleHookName": HOOK}] if self.hook else []}


FILE_SYSTEM = {
    "OwnerId": "123456789012",
    "CreationToken": "t",
    "CreationTime": NOW,
    "LifeCycleState": "available",
    "NumberOfMountTargets": 0,
    "SizeInBytes": {"Value": 0},
    "PerformanceMode": "generalPurpose",
    "Tags": [],
}
