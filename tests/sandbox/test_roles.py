# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The roles against the sandbox: what they leave standing, what they never touch, what they refuse."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from typing import NamedTuple

import pytest
from botocore.exceptions import WaiterError
from sandbox_process import ROOT
from sandbox_process import Sandbox

pytestmark = pytest.mark.slow

REGION = "us-west-2"
NAME = "gpu-oregon"

PLAYBOOK = """
- hosts: oregon
  gather_facts: false
  module_defaults:
    group/ethereal.spot.spot: {region: us-west-2}
  tasks:
    - include_role: {name: "ethereal.spot.{{ item }}"}
      loop: "{{ roles }}"
      vars:
        worker_vpc_id: "{{ network_result.vpc_id | default('') }}"
        worker_subnet_ids: "{{ network_result.subnet_ids | default([]) }}"
    - copy:
        dest: "{{ report }}"
        content: "{{ dict(names | zip(query('ansible.builtin.vars', *facts, default={}))) | to_json }}"
      vars:
        names: [hub, network, worker]
        facts: [hub_result, network_result, worker_result]
      check_mode: false
      changed_when: false
"""

VARIABLES = {
    f"{role}_{name}": value
    for role in ("network", "worker", "hub")
    for name, value in {"prefix": "gpu", "place": "oregon", "region": REGION}.items()
}
VARIABLES |= {"worker_capacity_owner": "placement", "worker_container_image": "public.ecr.aws/docker/library/busybox:1"}


class Run(NamedTuple):
    """What a run of the playbook said, and what it did."""

    failed: bool
    changed: int
    results: dict[str, Any]
    output: str
    mutating: list[str]


class Player:
    def __init__(self, sandbox: Sandbox, scratch: Path) -> None:
        self._sandbox = sandbox
        self._scratch = scratch
        (scratch / "play.yml").write_text(PLAYBOOK)

    def __call__(self, *roles: str, check: bool = False, **variables: Any) -> Run:
        report = self._scratch / "report.json"
        report.unlink(missing_ok=True)
        given = {**VARIABLES, **variables, "roles": list(roles), "report": str(report)}
        given["ansible_python_interpreter"] = sys.executable
        environment = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".collections"),
            "ANSIBLE_DEPRECATION_WARNINGS": "false",
            "ANSIBLE_LOCAL_TEMP": str(self._scratch / "local"),
            "ANSIBLE_REMOTE_TEMP": str(self._scratch / "remote"),
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_ENDPOINT_URL": self._sandbox.url,
            "AWS_SECRET_ACCESS_KEY": "testing",
        }
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        before = len(self._sandbox.calls(mutating=True))
        program = Path(sys.executable).with_name("ansible-playbook")
        command = [
            str(program),
            str(self._scratch / "play.yml"),
            "-i",
            "oregon,",
            "-c",
            "local",
            "-e",
            json.dumps(given),
        ]
        done = subprocess.run(
            [*command, *(["--check"] if check else [])],
            env=environment,
            capture_output=True,
            text=True,
            timeout=500,
            check=False,
        )
        recap = re.search(r"changed=(\d+)", done.stdout)
        assert recap, done.stdout + done.stderr
        calls = self._sandbox.calls(mutating=True)[before:]
        return Run(
            done.returncode != 0,
            int(recap[1]),
            json.loads(report.read_text()) if report.exists() else {},
            " ".join((done.stdout + done.stderr).split()),
            [f"{call['service']}:{call['action']}" for call in calls],
        )


@pytest.fixture
def play(sandbox: Sandbox, tmp_path: Path) -> Player:
    return Player(sandbox, tmp_path)


def fine(run: Run) -> Run:
    assert not run.failed, run.output[-4000:]
    return run


def count(sandbox: Sandbox) -> int:
    found = sandbox.client("ecs", REGION).describe_services(cluster=NAME, services=[NAME])["services"]
    return found[0]["desiredCount"]


def key_of(sandbox: Sandbox, run: Run) -> dict[str, Any]:
    return sandbox.client("kms", REGION).describe_key(KeyId=run.results["worker"]["key_arn"])["KeyMetadata"]


def vpcs(sandbox: Sandbox) -> list[dict[str, Any]]:
    own = [{"Name": "is-default", "Values": ["false"]}]
    return sandbox.client("ec2", REGION).describe_vpcs(Filters=own)["Vpcs"]


def test_life_of_a_worker(sandbox: Sandbox, play: Player) -> None:
    """One story, since every chapter needs the one before."""
    ecs, efs, kms = (sandbox.client(name, REGION) for name in ("ecs", "efs", "kms"))

    foretold = fine(play("network", "worker", check=True))
    assert foretold.mutating == []
    assert foretold.results["worker"]["key_arn"] == "(known after apply)"
    made = fine(play("network", "worker"))
    assert made.changed == foretold.changed == 5
    assert made.results["worker"]["cluster"] == NAME
    file_system = made.results["worker"]["file_system_id"]
    assert count(sandbox) == 0

    # What moves is moved by others, and is nobody's drift.
    ecs.update_service(cluster=NAME, service=NAME, desiredCount=1)
    again = fine(play("network", "worker"))
    assert (again.changed, again.mutating) == (0, [])
    assert "has drifted" not in again.output

    # A new revision leaves the count alone.
    newer = {"worker_container_image": "public.ecr.aws/docker/library/busybox:2"}
    foretold = fine(play("network", "worker", check=True, **newer))
    assert (foretold.changed, foretold.mutating) == (1, [])
    updated = fine(play("network", "worker", **newer))
    assert updated.changed == 1
    assert "ecs:RegisterTaskDefinition" in updated.mutating
    assert count(sandbox) == 1

    # Drift is told, and healed only when asked.
    key_id = key_of(sandbox, made)["KeyId"]
    kms.disable_key_rotation(KeyId=key_id)
    efs.put_backup_policy(FileSystemId=file_system, BackupPolicy={"Status": "DISABLED"})
    ecs.update_service(cluster=NAME, service=NAME, enableExecuteCommand=True)
    told = fine(play("network", "worker", **newer))
    assert (told.changed, told.mutating) == (0, [])
    for resource in ("Key (AWS::KMS::Key)", "Files (AWS::EFS::FileSystem)", "Service (AWS::ECS::Service)"):
        assert f"{resource} of stack {NAME}" in told.output
    assert "/EnableKeyRotation is false, the template says true" in told.output
    foretold = fine(play("network", "worker", check=True, worker_heal_drift=True, **newer))
    assert (foretold.changed, foretold.mutating) == (2, [])
    healed = fine(play("network", "worker", worker_heal_drift=True, **newer))
    assert healed.changed == 2
    assert kms.get_key_rotation_status(KeyId=key_id)["KeyRotationEnabled"] is True
    assert efs.describe_backup_policy(FileSystemId=file_system)["BackupPolicy"]["Status"] == "ENABLED"
    found = ecs.describe_services(cluster=NAME, services=[NAME])["services"][0]
    assert (found["enableExecuteCommand"], found["desiredCount"]) == (False, 1)
    assert fine(play("network", "worker", worker_heal_drift=True, **newer)).changed == 0

    # A network cannot move under what stands on it.
    refused = play("network", network_vpc_cidr="10.77.0.0/20")
    assert refused.failed
    (vpc,) = vpcs(sandbox)
    rule = f"VpcCidr is {vpc['CidrBlock']} and cannot become 10.77.0.0/20"
    assert f"stack {NAME}-network: {rule}" in refused.output
    assert refused.mutating == []

    # Data stays in its stack, with its key, and a later run builds around it.
    absent = {"worker_state": "absent", "network_state": "absent"}
    foretold = fine(play("worker", "network", check=True, **absent))
    gone = fine(play("worker", "network", **absent))
    assert gone.changed == foretold.changed == 4
    assert foretold.mutating == []
    assert gone.results["worker"]["kept"] == [
        f"file system {file_system} and key {made.results['worker']['key_arn']} in stack {NAME}-region"
    ]
    assert vpcs(sandbox) == []
    assert ecs.list_clusters()["clusterArns"] == []
    assert key_of(sandbox, made)["KeyState"] == "Enabled"
    assert len(efs.describe_file_systems()["FileSystems"]) == 1
    assert fine(play("worker", "network", **absent)).changed == 0
    anew = fine(play("network", "worker"))
    assert anew.results["worker"]["file_system_id"] == file_system

    # Until it is said that it may go.
    last = fine(play("worker", "network", worker_teardown_data=True, **absent))
    assert last.results["worker"]["kept"] == []
    assert efs.describe_file_systems()["FileSystems"] == []
    assert key_of(sandbox, made)["KeyState"] == "PendingDeletion"
    assert sandbox.client("cloudformation", REGION).describe_stacks()["Stacks"] == []
    assert fine(play("worker", "network", worker_teardown_data=True, **absent)).changed == 0


def default_group(sandbox: Sandbox) -> dict[str, Any]:
    (vpc,) = vpcs(sandbox)
    mine = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}, {"Name": "group-name", "Values": ["default"]}]
    return sandbox.client("ec2", REGION).describe_security_groups(Filters=mine)["SecurityGroups"][0]


def test_life_of_a_network(sandbox: Sandbox, play: Player) -> None:
    """What is beside its stack, the default security group, and what may change while it stands, endpoints."""
    ec2 = sandbox.client("ec2", REGION)
    foretold = fine(play("network", check=True))
    assert foretold.mutating == []
    made = fine(play("network"))
    assert made.changed == foretold.changed == 2
    group = default_group(sandbox)
    assert (group["IpPermissions"], group["IpPermissionsEgress"]) == ([], [])
    assert fine(play("network")).changed == 0

    everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]
    for opened in (ec2.authorize_security_group_ingress, ec2.authorize_security_group_egress):
        opened(GroupId=group["GroupId"], IpPermissions=everything)
        foretold = fine(play("network", check=True))
        assert (foretold.changed, foretold.mutating) == (1, [])
        closed = fine(play("network"))
        assert closed.changed == 1
        assert {action.partition("Group")[0] for action in closed.mutating} == {"ec2:RevokeSecurity"}
        group = default_group(sandbox)
        assert (group["IpPermissions"], group["IpPermissionsEgress"]) == ([], [])

    # A service that the region or the network's zones lack is refused before the stack is touched.
    lacking = {"service": "ec2", "action": "DescribeVpcEndpointServices", "code": "InvalidServiceName", "status": 400}
    sandbox.control("POST", "faults", [lacking])
    refused = play("network", network_endpoints=["step_functions"])
    sandbox.control("DELETE", "faults")
    assert refused.failed
    assert refused.mutating == []
    before = made.results["network"]["subnet_ids"]
    added = fine(play("network", network_endpoints=["step_functions", "parameters"]))
    assert added.changed == 1
    assert added.mutating.count("ec2:CreateVpcEndpoint") == 2
    assert added.results["network"]["subnet_ids"] == before
    gone = fine(play("network", network_endpoints=["session_manager"]))
    assert gone.mutating.count("ec2:CreateVpcEndpoint") == 1
    assert gone.mutating.count("ec2:DeleteVpcEndpoints") == 1
    fine(play("network", network_state="absent"))
    assert vpcs(sandbox) == []


def test_life_of_a_hub(sandbox: Sandbox, play: Player) -> None:
    dynamodb = sandbox.client("dynamodb", REGION)
    assert fine(play("hub")).results["hub"]["table"] == "gpu-state"
    kept = fine(play("hub", hub_state="absent"))
    assert (kept.changed, kept.mutating) == (0, [])
    assert kept.results["hub"]["kept"][0].startswith("table gpu-state and key arn:")
    assert fine(play("hub")).changed == 0
    foretold = fine(play("hub", check=True, hub_state="absent", hub_teardown_data=True))
    assert foretold.mutating == []
    assert dynamodb.list_tables()["TableNames"] == ["gpu-state"]
    gone = fine(play("hub", hub_state="absent", hub_teardown_data=True))
    assert gone.changed == foretold.changed
    assert gone.results["hub"]["kept"] == []
    assert dynamodb.list_tables()["TableNames"] == []


def test_failed_stacks(sandbox: Sandbox, play: Player) -> None:
    """A failure is told by its cause and leaves nothing; what another tool left dead is replaced."""
    refused = play("network", network_zones=["us-west-2z"])
    assert refused.failed
    assert refused.mutating == []
    assert "zones: 'us-west-2z' does not have com.amazonaws.us-west-2." in refused.output
    sandbox.control(
        "POST", "faults", [{"service": "ec2", "action": "CreateSubnet", "code": "SubnetLimitExceeded", "status": 400}]
    )
    failed = play("network")
    sandbox.control("DELETE", "faults")
    assert failed.failed
    assert f"stack {NAME}-network: AWS::EC2::Subnet SubnetA CREATE_FAILED: " in failed.output
    assert vpcs(sandbox) == []
    cloudformation = sandbox.client("cloudformation", REGION)
    assert cloudformation.describe_stacks()["Stacks"] == []

    cloudformation.create_stack(
        StackName=f"{NAME}-network",
        TemplateBody=json.dumps(
            {"Resources": {"A": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/8"}}}}
        ),
    )
    with pytest.raises(WaiterError, match="ROLLBACK_COMPLETE"):
        cloudformation.get_waiter("stack_create_complete").wait(
            StackName=f"{NAME}-network", WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
    foretold = fine(play("network", check=True))
    assert foretold.mutating == []
    replaced = fine(play("network"))
    assert replaced.changed == foretold.changed == 3
    assert len(vpcs(sandbox)) == 1


ONE_SUBNET = {"network_subnet_ids": ["subnet-0123456789abcdef0"]}
OURS = "network_nat, network_endpoints: are for a network of ours"


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"network_vpc_cidr": "10.0.0.0"}, "vpc_cidr: '10.0.0.0' is not an IPv4 network such as 10.0.0.0/16"),
        ({"network_vpc_cidr": "10.0.0.1/20"}, "vpc_cidr: '10.0.0.1/20' has host bits set"),
        ({"network_vpc_cidr": "10.0.0.0/25"}, "vpc_cidr: '10.0.0.0/25' must be /16 to /24"),
        (
            {"network_zones": [f"us-west-2{zone}" for zone in "aa"]},
            "network_zones: us-west-2a, us-west-2a must be at most",
        ),
        ({"network_zones": [f"us-west-2{zone}" for zone in "abcde"]}, "must be at most four different zones"),
        ({"network_instance_types": ["g5.xlrage"]}, "instance_types: "),
        ({"network_nat": "two"}, "must be one of: none, one, per_zone"),
        ({"network_endpoints": ["secret"]}, "must be one or more of: session_manager"),
        ({**ONE_SUBNET, "network_nat": "one"}, OURS),
        ({**ONE_SUBNET, "network_endpoints": ["sts"]}, OURS),
        (ONE_SUBNET, "subnet_ids: 'subnet-0123456789abcdef0' "),
    ],
)
def test_refusals_of_a_network(sandbox: Sandbox, play: Player, options: dict[str, Any], why: str) -> None:
    refused = play("network", **options)
    assert refused.failed
    assert why in refused.output
    assert refused.mutating == []


def test_subnets_of_the_user(sandbox: Sandbox, play: Player) -> None:
    ec2 = sandbox.client("ec2", REGION)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]

    def subnet(number: int, zone: str, of: str = vpc) -> str:
        made = ec2.create_subnet(VpcId=of, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=zone)
        return made["Subnet"]["SubnetId"]

    one, two, same_zone = subnet(1, "us-west-2a"), subnet(2, "us-west-2b"), subnet(3, "us-west-2b")
    elsewhere = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    other = subnet(4, "us-west-2c", elsewhere)
    public = subnet(5, "us-west-2c")
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.associate_route_table(RouteTableId=table, SubnetId=public)
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    taken = fine(play("network", network_subnet_ids=[one, two], network_vpc_id=vpc))
    assert (taken.changed, taken.mutating) == (0, [])
    network = taken.results["network"]
    assert (network["vpc_id"], network["subnet_ids"], network["owned"]) == (vpc, [one, two], False)
    for wrong, why in (
        ([one, two, same_zone], f"is in us-west-2b as {two} is"),
        ([one, other], f"is in {elsewhere}, {one} is in {vpc}"),
        ([public], f"routes 0.0.0.0/0 to {gateway}: public; name private subnets"),
    ):
        refused = play("network", network_subnet_ids=wrong)
        assert refused.failed
        assert refused.mutating == []
        assert f"subnet_ids: '{wrong[-1]}' {why}" in refused.output
