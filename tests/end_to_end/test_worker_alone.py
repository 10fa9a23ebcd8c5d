# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Role worker in someone else's play: no inventory or playbook of ours, credentials from module_defaults, rights of its own policy only."""

from __future__ import annotations

import json
import re

import grants
import leftovers
import local_aws
import pytest
import yaml
from deployment import Account
from deployment import Draining

REGION = "eu-west-1"
ELSEWHERE = "eu-central-1"
NAME = "ethereal-solo"
TOPIC = f"arn:aws:sns:{REGION}:123456789012:alerts"


@pytest.fixture(scope="module")
def account():
    """A user without any right but the role's; nothing of it is in the environment."""
    with local_aws.running() as aws:
        known = local_aws.controller(aws, "guest", role="worker")
        environment = {name: value for name, value in known.items() if name.startswith("ANSIBLE_")}
        made = Account(aws, {**environment, "AWS_EC2_METADATA_DISABLED": "true"}, set())
        made.credentials = {
            "region": REGION,
            "endpoint_url": aws.url,
            "access_key": known["AWS_ACCESS_KEY_ID"],
            "secret_key": known["AWS_SECRET_ACCESS_KEY"],
        }
        yield made


@pytest.fixture(scope="module")
def variables(account):
    """The role's variables, for a network and a topic that were there before."""
    ec2, sns = account.client("ec2", REGION), account.client("sns", REGION)
    vpc = ec2.create_vpc(CidrBlock="10.63.0.0/16")["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.63.{number}.0/24", AvailabilityZone=f"{REGION}{zone}")["Subnet"]
        for number, zone in enumerate("ab")
    ]
    sns.create_topic(Name="alerts")
    far = account.client("ecr", ELSEWHERE)
    far.create_repository(repositoryName="serve")
    far.put_image(repositoryName="serve", imageManifest='{"schemaVersion": 2}', imageTag="2")
    account.before.update(leftovers.listing(account.aws.url))
    return {
        "worker_prefix": "ethereal",
        "worker_place": "solo",
        "worker_region": REGION,
        "worker_vpc_id": vpc,
        "worker_subnet_ids": [subnet["SubnetId"] for subnet in subnets],
        "worker_desired_capacity": 1,
        "worker_min_size": 0,
        "worker_max_size": 2,
        "worker_on_demand_base": 0,
        "worker_container_image": f"123456789012.dkr.ecr.{REGION}.amazonaws.com/serve:1",
        "worker_sns_topic_arn": TOPIC,
        "worker_models": {"llama-3": "s3://models/llama-3/1"},
        "worker_models_image": f"123456789012.dkr.ecr.{REGION}.amazonaws.com/aws-cli:2",
        "worker_tags": {"team": "guests"},
    }


@pytest.fixture(scope="module")
def life(account, variables, tmp_path_factory):
    """life(*arguments, **changes) runs the role in a play of its own."""
    playbook = tmp_path_factory.mktemp("play") / "play.yml"

    def run(*arguments, succeed=True, **changes):
        role = {"name": "Have a worker", "ansible.builtin.include_role": {"name": "ethereal.spot.worker"}}
        told = {"name": "Tell", "ansible.builtin.debug": {"var": "worker_result"}}
        play = {
            "name": "Somebody's play",
            "hosts": "localhost",
            "gather_facts": False,
            "module_defaults": {"group/ethereal.spot.spot": account.credentials},
            "tasks": [{**role, "vars": {**variables, **changes}}, told],
        }
        playbook.write_text(yaml.safe_dump([play]))
        return account.play(str(playbook), *arguments, succeed=succeed)

    return run


@pytest.fixture(scope="module")
def first(life):
    prediction = life("--check")
    assert prediction.mutating == []
    made = life()
    assert made.changed == prediction.changed
    return made


@pytest.fixture(scope="module")
def copy():
    """The options of a copy of the files, and a key for it."""
    key = f"arn:aws:kms:{ELSEWHERE}:123456789012:key/11111111-2222-3333-4444-555555555555"
    return {"worker_files_replica_region": ELSEWHERE, "worker_files_replica_kms_key_arn": key}


@pytest.mark.parametrize(
    "changes", [{"worker_prefix": "aws"}, {"worker_place": "a/../b"}, {"worker_tags": {"aws:team": "ml"}}]
)
def test_a_name_that_would_break_others_costs_no_call(life, changes):
    refused = life(succeed=False, **changes)
    assert f"{next(iter(changes)).removeprefix('worker_')}: " in refused.output
    assert refused.calls == []


def test_what_no_type_can_say_is_told_at_once_and_changes_nothing(life):
    wrong = {
        "worker_subnet_ids": [],
        "worker_files_provisioned_mibps": 8,
        "worker_files_replica_region": REGION,
        "worker_files_replica_kms_key_arn": f"arn:aws:kms:{ELSEWHERE}:123456789012:alias/copies",
        "worker_container_image": "",
        "worker_container_command": ["a\nb"],
        "worker_container_environment": {"TOKEN": "{{ '{{' }}resolve:ssm:token}}"},
        "worker_models_image": "",
    }
    refused = life(succeed=False, **wrong)
    assert not [option for option in wrong if option not in refused.output]
    assert refused.mutating == []


def test_it_is_made_and_again_changes_nothing(account, life, first):
    (group,) = account.client("autoscaling", REGION).describe_auto_scaling_groups(AutoScalingGroupNames=[NAME])[
        "AutoScalingGroups"
    ]
    assert (group["MinSize"], group["DesiredCapacity"], group["MaxSize"]) == (0, 1, 2)
    (service,) = account.client("ecs", REGION).describe_services(cluster=NAME, services=[NAME])["services"]
    assert service["status"] == "ACTIVE"
    assert f'"group": "{NAME}"' in json.dumps(first.output).replace("\\", "") or f"group: {NAME}" in first.output
    again = life()
    assert (again.changed, again.mutating) == ({"localhost": 0}, [])
    # The stack remembers which models are there.
    assert "ListTasks" not in {call["action"] for call in again.calls}


def _fills(account):
    """The tasks that fill, by the last word of their command: whether they stopped with 0."""
    ecs = account.client("ecs", REGION)
    arns = [
        arn
        for status in ("RUNNING", "STOPPED")
        for arn in ecs.list_tasks(cluster=NAME, family=f"{NAME}-fill", desiredStatus=status)["taskArns"]
    ]
    return {
        task["overrides"]["containerOverrides"][0]["command"][-1]: [each["exitCode"] for each in task["containers"]]
        for task in ecs.describe_tasks(cluster=NAME, tasks=arns)["tasks"]
    }


def test_its_models_were_filled_before_the_first_node_and_are_never_filled_again(account, life, first):
    assert _fills(account) == {"/models/llama-3": [0]}
    actions = [call["action"] for call in first.calls]
    assert actions.index("RunTask") < actions.index("CreateAutoScalingGroup")
    held = account.client("ssm", REGION).get_parameter(Name="/ethereal/solo/models")["Parameter"]["Value"]
    assert json.loads(held) == {"llama-3": "s3://models/llama-3/1"}
    definition = account.client("ecs", REGION).describe_task_definition(taskDefinition=NAME)["taskDefinition"]
    assert definition["containerDefinitions"][0]["mountPoints"][0]["readOnly"] is True
    elsewhere = life(succeed=False, worker_models={"llama-3": "s3://models/llama-3/2"})
    assert "give the new version a name of its own" in elsewhere.output
    assert elsewhere.mutating == []


def test_a_copy_that_fails_changes_nothing_of_the_workload(account, life, first):
    account.aws.control("PUT", "market", {"runs": {f"{NAME}-fill": {"exit_code": 3}}})
    two = {"llama-3": "s3://models/llama-3/1", "zephyr": "s3://models/zephyr"}
    failed = life(succeed=False, worker_models=two, worker_container_gpus=2)
    assert "fill ended with 3" in failed.output
    assert "the model cache could not be filled; the containers' log is in /ecs/ethereal/solo" in " ".join(
        failed.output.split()
    )
    assert _fills(account)["/models/zephyr"] == [3]
    definition = account.client("ecs", REGION).describe_task_definition(taskDefinition=NAME)["taskDefinition"]
    assert definition["containerDefinitions"][0]["resourceRequirements"][0]["value"] == "1"
    account.aws.control("PUT", "market", {"runs": None})


def _images(account):
    """The account's own images, the image that the fleet's template names, and how many snapshots the images have."""
    ec2 = account.client("ec2", REGION)
    (version,) = ec2.describe_launch_template_versions(LaunchTemplateName=NAME, Versions=["$Latest"])[
        "LaunchTemplateVersions"
    ]
    own = {image["ImageId"] for image in ec2.describe_images(Owners=["self"])["Images"]}
    built = [{"Name": "tag:CreatedBy", "Values": ["EC2 Image Builder"]}]
    return own, version["LaunchTemplateData"]["ImageId"], len(ec2.describe_snapshots(Filters=built)["Snapshots"])


def _scripts(account):
    """What the builds of the images that there are run."""
    builder = account.client("imagebuilder", REGION)
    parts = [part["arn"] for part in builder.list_components()["componentVersionList"]]
    return [builder.get_component(componentBuildVersionArn=part)["component"]["data"] for part in parts]


# With an image of its own: the three runs of this test show that as well.
def test_a_change_is_predicted_and_made(account, life, first, copy):
    changes = {
        **copy,
        "worker_prebaked_image": True,
        "worker_container_image": f"123456789012.dkr.ecr.{ELSEWHERE}.amazonaws.com/serve:2",
        "worker_container_pull_through": True,
        "worker_max_size": 3,
        "worker_log_retention_days": 90,
        "worker_patch_operation": "install",
        "worker_tags": {"squad": "hosts"},
        "worker_models": {"llama-3": "s3://models/llama-3/1", "zephyr": "s3://models/zephyr"},
    }
    prediction = life("--check", **changes)
    assert prediction.mutating == []
    assert life(**changes).changed == prediction.changed
    task = account.client("ecs", REGION).describe_task_definition(taskDefinition=NAME)["taskDefinition"]
    image = task["containerDefinitions"][0]["image"]
    # The image is in the region's ECR before anything can want it, in a repository under the place's key.
    registry, _slash, name = image.removesuffix(":2").partition("/")
    assert registry == f"123456789012.dkr.ecr.{REGION}.amazonaws.com"
    assert re.fullmatch(rf"{NAME}/ecr[0-9a-f]{{3}}/serve", name)
    ecr = account.client("ecr", REGION)
    assert ecr.describe_images(repositoryName=name, imageIds=[{"imageTag": "2"}])["imageDetails"]
    (repository,) = ecr.describe_repositories(repositoryNames=[name])["repositories"]
    key = account.client("kms", REGION).describe_key(KeyId=f"alias/{NAME}-worker")["KeyMetadata"]["Arn"]
    assert repository["encryptionConfiguration"] == {"encryptionType": "KMS", "kmsKey": key}
    assert _fills(account) == {"/models/llama-3": [0], "/models/zephyr": [0]}
    # The nodes' image has what the task asks for, by the same name.
    own, launched, snapshots = _images(account)
    assert (own, snapshots) == ({launched}, 1)
    (script,) = _scripts(account)
    assert f"image='{image}'" in script
    again = life(**changes)
    assert (again.changed, again.mutating) == ({"localhost": 0}, [])
    # The copy keeps its key: EFS cannot change it.
    other = {"worker_files_replica_kms_key_arn": copy["worker_files_replica_kms_key_arn"].replace("1111", "2222")}
    refused = life(**changes | other, succeed=False)
    assert "worker_files_replica_kms_key_arn: 'arn:aws:kms:" in " ".join(refused.output.split())
    assert refused.mutating == []


def test_a_newer_image_is_built_beside_the_one_in_use(account, life, first):
    """What the fleet launches from is never deleted before it launches from another, not even where a build fails."""
    wanted = {"worker_prebaked_image": True, "worker_prebaked_commands": ["echo ${HOME} > /etc/motd"]}
    _own, before, _snapshots = _images(account)
    account.aws.control("PUT", "market", {"image_build_failure": "the command has failed"})
    failed = life(succeed=False, **wanted)
    assert "the command has failed" in failed.output
    assert _images(account) == ({before}, before, 1)
    account.aws.control("PUT", "market", {"image_build_failure": None})
    life(**wanted)
    own, launched, snapshots = _images(account)
    assert (own, snapshots) == ({before, launched}, 2)
    assert launched != before
    (stack,) = account.client("cloudformation", REGION).describe_stacks(StackName=f"{NAME}-image-b")["Stacks"]
    assert {"Key": "team", "Value": "guests"} in stack["Tags"]
    assert sum("echo ${HOME} > /etc/motd" in script for script in _scripts(account)) == 1


def test_the_copy_has_its_key_and_outlives_the_replication(account, life, first, copy):
    """Without the options, below and when everything is removed, it stays in its region and is its owner's to delete."""
    efs = account.client("efs", ELSEWHERE)
    (found,) = efs.describe_file_systems()["FileSystems"]
    assert found["KmsKeyId"] == copy["worker_files_replica_kms_key_arn"]
    life()
    (left,) = efs.describe_file_systems()["FileSystems"]
    assert left["FileSystemProtection"]["ReplicationOverwriteProtection"] == "ENABLED"
    efs.delete_file_system(FileSystemId=left["FileSystemId"])
    # Neither is an image left of a fleet that wants none of its own any more.
    own, _launched, snapshots = _images(account)
    assert (own, snapshots) == (set(), 0)


def test_drift_is_healed_when_asked(account, life, first):
    ec2 = account.client("ec2", REGION)
    named = [{"Name": "tag:Name", "Values": [f"{NAME}-nodes"]}]
    (group,) = ec2.describe_security_groups(Filters=named)["SecurityGroups"]
    opened = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_ingress(GroupId=group["GroupId"], IpPermissions=[opened])
    draining = Draining(account, REGION, NAME)
    draining.delete_hook()
    # One that is removed below with everything else.
    life(worker_heal_drift=True, worker_prebaked_image=True)
    assert draining.stands() == [True, True]
    assert ec2.describe_security_groups(Filters=named)["SecurityGroups"][0]["IpPermissions"] == group["IpPermissions"]


@pytest.fixture
def unending(account, variables):
    """A fill that a run which died has left behind."""
    account.aws.control("PUT", "market", {"runs": {f"{NAME}-fill": "forever"}})
    network = {"awsvpcConfiguration": {"subnets": variables["worker_subnet_ids"]}}
    account.client("ecs", REGION).run_task(
        cluster=NAME, taskDefinition=f"{NAME}-fill", launchType="FARGATE", networkConfiguration=network
    )


@pytest.fixture
def waiting(account):
    """An instance that waits in ECS's hook for a task of no service, which draining leaves alone, for up to 48 hours."""
    ecs, autoscaling = account.client("ecs", REGION), account.client("autoscaling", REGION)
    container = {"name": "job", "image": "busybox", "memory": 64}
    job = ecs.register_task_definition(family="job", networkMode="bridge", containerDefinitions=[container])
    arn = job["taskDefinition"]["taskDefinitionArn"]
    assert ecs.run_task(cluster=NAME, taskDefinition=arn, launchType="EC2")["tasks"]
    ecs.deregister_task_definition(taskDefinition=arn)

    def members():
        groups = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[NAME])["AutoScalingGroups"]
        return {member["InstanceId"]: member["LifecycleState"] for member in groups[0]["Instances"]}

    (instance,) = members()
    autoscaling.terminate_instance_in_auto_scaling_group(InstanceId=instance, ShouldDecrementDesiredCapacity=True)
    assert members() == {instance: "Terminating:Wait"}
    return instance


def test_it_is_removed_and_nothing_is_left(account, life, first, unending, waiting):
    """No hook holds it up: ECS's goes with its provider, and a forced deletion asks none."""
    gone = {"worker_state": "absent", "worker_teardown_data": True}
    prediction = life("--check", **gone)
    assert prediction.mutating == []
    assert life(**gone).changed == prediction.changed
    assert leftovers.listing(account.aws.url) - account.before == set()
    assert life(**gone).changed == {"localhost": 0}


def test_recorded_calls_equal_granted_actions(account, first):
    """Over the whole life: nothing was denied, and nothing is granted that nobody needed."""
    calls = account.aws.control("GET", "calls")
    assert not [call for call in calls for judged in call["iam"] or [] if not judged["allowed"]]
    assert {call["principal"].rpartition("/")[2] for call in calls if call["iam"]} >= {"guest"}
    assert grants.granted_to_role("worker") - grants.recorded(calls, "user/guest") - grants.IMPLIED == set()


def test_no_credentials_are_shown(account, first):
    for name in ("access_key", "secret_key"):
        assert account.credentials[name] not in first.output
