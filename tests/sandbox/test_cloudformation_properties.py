# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every property of every resource of every template, read back through the service's own API.

CREATE_COMPLETE proves nothing: an emulator drops what it does not know. A property without a reader fails by its name, so a
template that starts to use one needs a reader for it (`sandbox/cloudformation/kinds`).
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import pytest
from sandbox_process import ROOT
from sandbox_process import Sandbox
from stack_tools import DATA
from stack_tools import Oracle
from stack_tools import Stacks
from stack_tools import canonical
from stack_tools import load

STACK_TAGS = [{"Key": "deployment", "Value": "audit"}]
OUR_OWN = ("network", "region", "workload", "hub", "image")
PRODUCT = sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("roles/*/files/*.template"))

Known = dict[str, dict[str, str]]


def group_arn(stacks: Stacks, name: str, subnets: str) -> str:
    """An empty Auto Scaling group, for capacity providers."""
    ec2, autoscaling = stacks.client("ec2"), stacks.client("autoscaling")
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    data = {"ImageId": image, "InstanceType": "g5.xlarge"}
    ec2.create_launch_template(LaunchTemplateName=name, LaunchTemplateData=data)
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName=name,
        MinSize=0,
        MaxSize=2,
        LaunchTemplate={"LaunchTemplateName": name, "Version": "1"},
        VPCZoneIdentifier=subnets,
    )
    return autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"][0][
        "AutoScalingGroupARN"
    ]


def gpu_image(stacks: Stacks) -> str:
    """AWS's image for GPU nodes of ECS."""
    name = "/aws/service/ecs/optimized-ami/amazon-linux-2023/gpu/recommended/image_id"
    return stacks.client("ssm").get_parameter(Name=name)["Parameter"]["Value"]


def our_own(name: str, stacks: Stacks, known: Known) -> dict[str, Any]:
    """Parameters of a template in `data`, from the outputs of those before it."""
    if name == "region":
        network = known["network"]
        secret = stacks.client("secretsmanager").create_secret(Name="ecr-pullthroughcache/audit", SecretString="{}")
        here = {"Vpc": network["Vpc"], "Subnets": network["Subnets"], "Group": network["Nodes"]}
        return {**here, "Secret": secret["ARN"]}
    if name == "image":
        network = known["network"]
        return {
            "Parent": gpu_image(stacks),
            "Subnet": network["Subnets"].split(",")[0],
            "Group": network["Nodes"],
            "Key": known["region"]["Key"],
        }
    if name == "workload":
        region = known["region"]
        names = ("Cluster", "Files", "Point", "Role", "Logs")
        return {
            "GroupArn": group_arn(stacks, "audit", known["network"]["Subnets"]),
            **{key: region[key] for key in names},
        }
    return {}


def network_parameters(stacks: Stacks, known: Known) -> dict[str, Any]:
    zones = {f"Zone{letter}": f"us-east-1{letter.lower()}" for letter in "ABCD"}
    place = {"Prefix": "audit", "Place": "here"}
    declared = load((ROOT / "roles/network/files/network.template").read_text())["Parameters"]
    groups = {name: "true" for name in declared if name.startswith("With")}
    return {**place, "VpcCidr": "10.0.0.0/16", "SubnetBits": 13, **zones, "Nat": "per_zone", **groups}


def region_parameters(stacks: Stacks, known: Known) -> dict[str, Any]:
    network = known["roles/network/files/network.template"]
    subnets = network["SubnetIds"].split(",")
    more = stacks.client("ec2")
    for number in range(2):
        made = more.create_subnet(
            VpcId=network["VpcId"], CidrBlock=f"10.1.{number}.0/24", AvailabilityZone=f"us-east-1{'ef'[number]}"
        )
        subnets.append(made["Subnet"]["SubnetId"])
    return {
        "Prefix": "audit",
        "Place": "here",
        "VpcId": network["VpcId"],
        **{f"Subnet{letter}": subnet for letter, subnet in zip("ABCDEF", subnets, strict=True)},
        "ServicePort": 8000,
        "ClientCidr": "10.0.0.0/8",
        "FlowLogs": "true",
        "TopicArn": stacks.client("sns").create_topic(Name="audit-here")["TopicArn"],
        "CachePrefix": "audit-here/hub123",
        "CacheUrl": "registry-1.docker.io",
        "CacheSecretArn": stacks.client("secretsmanager").describe_secret(SecretId="ecr-pullthroughcache/audit")["ARN"],
    }


def workload_parameters(stacks: Stacks, known: Known) -> dict[str, Any]:
    region = known["roles/worker/files/region.template"]
    subnets = known["roles/network/files/network.template"]["SubnetIds"]
    return {
        "Prefix": "audit",
        "Place": "here",
        "GroupArn": group_arn(stacks, "audit-here", subnets),
        "OnDemandGroupArn": group_arn(stacks, "audit-here-od", subnets),
        **{
            name: region[name]
            for name in ("ClusterName", "FileSystemId", "AccessPointId", "TaskRoleArn", "ExecRoleArn")
        },
        **{name: region[name] for name in ("ExecRoleName", "TaskLogGroup")},
        "Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/serve:1",
        "CachedRepository": "audit-here/hub123/library/nginx",
        "CachedVersion": ":1",
        "Models": '{"llama-3": "s3://models/llama-3/1"}',
        "Command": "serve\n--port\n8000",
        "HealthCommand": "true",
        "Port": 8000,
        "SecretArns": "arn:aws:secretsmanager:us-east-1:123456789012:secret:token-abcdef",
        "InitialCount": "0",
    }


def image_parameters(stacks: Stacks, known: Known) -> dict[str, Any]:
    network = known["roles/network/files/network.template"]
    return {
        "Prefix": "audit",
        "Place": "here",
        "Slot": "a",
        "Revision": "0123456789ab",
        "Serial": 1,
        "ParentSource": "resolve:ssm:/some/parameter",
        "ParentImage": gpu_image(stacks),
        "RootDevice": "/dev/xvda",
        "VolumeSize": 100,
        "KeyArn": known["roles/worker/files/region.template"]["KeyArn"],
        "ContainerImage": "123456789012.dkr.ecr.us-east-1.amazonaws.com/serve:1",
        "CachedRepository": "audit-here/quay/serve",
        "CachedVersion": ":1",
        "VpcId": network["VpcId"],
        "SubnetId": network["SubnetIds"].split(",")[0],
        "InstanceTypes": "g4dn.xlarge,g5.xlarge",
    }


def models_parameters(stacks: Stacks, known: Known) -> dict[str, Any]:
    region = known["roles/worker/files/region.template"]
    return {
        "Prefix": "audit",
        "Place": "here",
        **{name: region[name] for name in ("FileSystemId", "AccessPointId", "TaskLogGroup")},
        "Image": "123456789012.dkr.ecr.us-east-1.amazonaws.com/aws-cli:2",
        "Repository": "us-east-1:123456789012:repository/aws-cli",
        "KeyArn": "arn:aws:kms:us-east-1:123456789012:key/01234567-89ab-cdef-0123-456789abcdef",
    }


# What the role puts into a template that no parameter can carry, where the template is refused without it.
FILLED_IN = {
    "roles/worker/files/models.template": (
        "Statement: []",
        'Statement: [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::models/*"}]',
    )
}

# Parameters with which every condition of the template holds. A template that is not here fails by its name.
PARAMETERS: dict[str, Callable[[Stacks, Known], dict[str, Any]]] = {
    "roles/network/files/network.template": network_parameters,
    "roles/worker/files/region.template": region_parameters,
    "roles/worker/files/models.template": models_parameters,
    "roles/worker/files/workload.template": workload_parameters,
    "roles/node_image/files/image.template": image_parameters,
    "roles/hub/files/hub.template": lambda stacks, known: {"Prefix": "audit", "Place": "here"},
}


class Made:
    """One audited stack."""

    def __init__(self, stacks: Stacks, name: str, body: str, parameters: dict[str, Any]) -> None:
        self.stacks = stacks
        self.name = name
        stack = stacks.create(name, body, parameters, Tags=STACK_TAGS)
        assert stack["StackStatus"] == "CREATE_COMPLETE", stacks.events(stack["StackId"])
        self.oracle = Oracle(stacks, name, body, parameters)


@pytest.fixture(scope="module")
def own_stacks(sandbox_process: Sandbox) -> Iterator[dict[str, Made]]:
    """The stacks of our own templates."""
    sandbox_process.control("POST", "reset")
    stacks, made, known = Stacks(sandbox_process), {}, {}
    for name in OUR_OWN:
        made[name] = Made(
            stacks, f"audit-{name}", (DATA / f"{name}.template").read_text(), our_own(name, stacks, known)
        )
        known[name] = stacks.outputs(f"audit-{name}")
    yield made


@pytest.fixture(scope="module")
def product_stacks(sandbox_process: Sandbox, own_stacks: dict[str, Made]) -> Iterator[dict[str, Made]]:
    """The stacks of the product's templates."""
    stacks, made, known = Stacks(sandbox_process), {}, {}
    for number, (path, parameters) in enumerate(PARAMETERS.items()):
        if number == 1:
            network = known["roles/network/files/network.template"]
            stacks.client("ec2").associate_vpc_cidr_block(VpcId=network["VpcId"], CidrBlock="10.1.0.0/16")
        body = (ROOT / path).read_text().replace(*FILLED_IN.get(path, ("", "")))
        made[path] = Made(stacks, f"product-{number}", body, parameters(stacks, known))
        known[path] = stacks.outputs(f"product-{number}")
    yield made


def audit(made: Made) -> list[str]:
    """What is wrong, a line for each property."""
    problems = []
    for logical in made.oracle.active():
        kind, expected = made.oracle.kind(logical), made.oracle.properties(logical)
        if kind.schema.tags:
            own = expected.get(kind.schema.tags) or []
            tags = {**own, "deployment": "audit"} if isinstance(own, dict) else [*own, *STACK_TAGS]
            expected = {**expected, kind.schema.tags: tags}
        call = made.stacks.call(made.name, logical, made.oracle.siblings(logical))
        actual = kind.read(call, made.oracle.physical[logical], expected)
        if actual is None:
            problems.append(f"{logical}: {kind.kind} does not exist")
            continue
        for name, wanted in expected.items():
            if name in kind.unreadable:
                if (kind.kind, name) not in UNREADABLE:
                    problems.append(f"{kind.kind}/{name}: no API shows it and nothing else checks it")
            elif name not in actual:
                if wanted not in ([], {}, ""):
                    problems.append(f"{kind.kind}/{name} of {logical}: no reader, or dropped")
            elif canonical(found := kind.schema.projected(name, actual[name], wanted)) != canonical(wanted):
                problems.append(
                    f"{kind.kind}/{name} of {logical}: is {canonical(found)}, should be {canonical(wanted)}"
                )
    return problems


@pytest.mark.parametrize("name", OUR_OWN)
def test_our_templates(own_stacks: dict[str, Made], name: str) -> None:
    assert audit(own_stacks[name]) == []


@pytest.mark.parametrize("path", PRODUCT)
def test_product_templates(product_stacks: dict[str, Made], path: str) -> None:
    assert path in product_stacks, f"no parameters for {path}: add them to PARAMETERS"
    made = product_stacks[path]
    assert set(made.oracle.template["Resources"]) == set(made.oracle.active()), "a condition does not hold"
    assert audit(made) == []


@pytest.mark.parametrize("name", OUR_OWN)
def test_nothing_drifts_by_itself(own_stacks: dict[str, Made], name: str) -> None:
    made = own_stacks[name]
    assert made.stacks.drifted(made.name) == {}


@pytest.mark.parametrize("path", PRODUCT)
def test_no_product_stack_drifts_by_itself(product_stacks: dict[str, Made], path: str) -> None:
    made = product_stacks[path]
    assert made.stacks.drifted(made.name) == {}


def test_the_audit_sees_what_is_not_so(own_stacks: dict[str, Made]) -> None:
    made = own_stacks["region"]
    group = made.oracle.physical["Logs"]
    made.stacks.client("logs").put_retention_policy(logGroupName=group, retentionInDays=1)
    made.oracle.properties("Point")["BypassNothing"] = "a property that nothing reads"
    try:
        assert audit(made) == [
            "AWS::Logs::LogGroup/RetentionInDays of Logs: is 1, should be 30",
            "AWS::EFS::AccessPoint/BypassNothing of Point: no reader, or dropped",
        ]
    finally:
        made.stacks.client("logs").put_retention_policy(logGroupName=group, retentionInDays=30)
        del made.oracle.properties("Point")["BypassNothing"]


def test_every_kind_of_the_table_is_audited() -> None:
    """The templates in `data` use each kind that the sandbox serves itself."""
    from sandbox.cloudformation import kinds

    used = set()
    for name in OUR_OWN:
        text = (DATA / f"{name}.template").read_text()
        used |= {
            line.split("Type: ")[1].strip()
            for line in text.splitlines()
            if "Type: AWS::" in line and "{Type" not in line
        }
    assert set(kinds.own()) - used == set()


def key_window(made: Made) -> None:
    """How long a deleted key waits shows only when it is deleted."""
    key = made.oracle.physical["Key"]
    kind = made.oracle.kind("Key")
    kind.delete(made.stacks.call(made.name, "Key"), key, made.oracle.properties("Key"))
    kms = made.stacks.client("kms")
    left = kms.describe_key(KeyId=key)["KeyMetadata"]["DeletionDate"] - datetime.datetime.now(datetime.UTC)
    assert round(left / datetime.timedelta(days=1)) == made.oracle.properties("Key")["PendingWindowInDays"]
    kms.cancel_key_deletion(KeyId=key)
    kms.enable_key(KeyId=key)


def function_code(made: Made) -> None:
    """The code is there when it runs."""
    answer = made.stacks.client("lambda").invoke(FunctionName=made.oracle.physical["Function"], Payload=b'{"a": 1}')
    assert json.loads(answer["Payload"].read()) == {"a": 1}


def substitutions(made: Made) -> None:
    found = made.stacks.client("stepfunctions").describe_state_machine(stateMachineArn=made.oracle.physical["Machine"])
    wanted = made.oracle.properties("Machine")["DefinitionSubstitutions"]["Name"]
    assert json.loads(found["definition"])["States"]["Wait"]["Comment"] == wanted


# What no API shows, and the test that sees it nevertheless: in which of our own stacks, and how.
def images_end(made: Made) -> None:
    """What goes with an image shows only when it is deleted; the same build is made anew."""
    kind, image = made.oracle.kind("Image"), made.oracle.physical["Image"]
    call, properties = made.stacks.call(made.name, "Image"), made.oracle.properties("Image")
    ec2, ami = made.stacks.client("ec2"), kind.attributes(call, image, properties)["ImageId"]
    mine = [{"Name": "image-id", "Values": [ami]}]
    assert ec2.describe_images(Filters=mine)["Images"]
    kind.delete(call, image, properties)
    assert ec2.describe_images(Filters=mine)["Images"] == []
    assert kind.create(call, properties) == image


UNREADABLE: dict[tuple[str, str], tuple[str, Callable[[Made], None]]] = {
    ("AWS::ImageBuilder::Image", "DeletionSettings"): ("image", images_end),
    ("AWS::KMS::Key", "PendingWindowInDays"): ("region", key_window),
    ("AWS::Lambda::Function", "Code"): ("hub", function_code),
    ("AWS::StepFunctions::StateMachine", "DefinitionSubstitutions"): ("hub", substitutions),
}


@pytest.mark.parametrize("which", UNREADABLE, ids="/".join)
def test_what_no_api_shows(own_stacks: dict[str, Made], which: tuple[str, str]) -> None:
    name, check = UNREADABLE[which]
    check(own_stacks[name])
