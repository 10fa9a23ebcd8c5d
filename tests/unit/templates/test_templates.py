# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the project promises of every template; that they are valid at all is the business of cfn-lint."""

from __future__ import annotations

import json
import re

import pytest
from cfn_templates import FILES
from cfn_templates import resolved
from cfn_templates import walk

from ansible_collections.ethereal.spot.plugins.module_utils._aws import probes
from ansible_collections.ethereal.spot.plugins.module_utils._brain import names
from ansible_collections.ethereal.spot.plugins.module_utils._brain.stacks import MOVING
from ansible_collections.ethereal.spot.plugins.module_utils._brain.stacks import TEMPLATE_LIMIT

# Actions that IAM knows no resource for (service authorization reference).
WITHOUT_RESOURCE = {"ec2:DescribeImages", "ecr:GetAuthorizationToken", "tag:GetResources"}
# What holds something that cannot be made again, and what that is worthless without.
DATA = {"AWS::EFS::FileSystem", "AWS::DynamoDB::Table", "AWS::KMS::Key"}


def as_list(value):
    return value if isinstance(value, list) else [value]


def test_all_templates_are_known():
    assert set(FILES) == {"network", "region", "models", "workload", "image", "hub"}


def test_size_leaves_room_for_what_the_roles_put_in(template):
    """Environment and secrets, a model cache's statements, an image's commands; nothing goes into the others."""
    room = 2 if template.name in ("workload", "models", "image") else 1
    assert len(template.text.encode()) < TEMPLATE_LIMIT / room


def test_no_partition_is_named(template):
    assert not re.search(r"arn:aws[a-z-]*:", template.text)


def test_no_secret_is_resolved_into_a_property(template):
    assert "{{" not in template.text


def test_data_outlives_its_stack_unless_the_role_says_otherwise(template):
    for name, resource in template.resources.items():
        policies = (resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy"))
        if resource["Type"] in DATA:
            assert policies == ("RetainExceptOnCreate", "Retain"), name
        elif resource["Type"] == "AWS::Logs::LogGroup":
            assert policies == ("Delete", "Delete"), name
        else:
            assert policies == (None, None), name
    # The roles turn exactly these words before a deletion that takes the data too.
    assert template.text.count("DeletionPolicy: RetainExceptOnCreate") == sum(
        resource["Type"] in DATA for resource in template.resources.values()
    )


def test_everything_that_can_be_encrypted_is(load):
    key = {"Fn::GetAtt": "Key.Arn"}
    region, hub = load("region"), load("hub")
    files = region.only("AWS::EFS::FileSystem")
    assert (files["Encrypted"], files["KmsKeyId"]) == (True, key)
    groups = region.of_kind("AWS::Logs::LogGroup")
    assert len(groups) == 2
    assert all(group["KmsKeyId"] == key for group in groups.values())
    table = hub.only("AWS::DynamoDB::Table")
    assert table["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": key}
    volume = load("workload").only("AWS::ECS::TaskDefinition")["Volumes"][0]["EFSVolumeConfiguration"]
    assert volume["TransitEncryption"] == "ENABLED"
    assert volume["AuthorizationConfig"] == {"AccessPointId": {"Ref": "AccessPointId"}, "IAM": "ENABLED"}
    image, given = load("image"), {"Ref": "KeyArn"}
    (device,) = image.only("AWS::ImageBuilder::ImageRecipe")["BlockDeviceMappings"]
    assert (device["Ebs"]["Encrypted"], device["Ebs"]["KmsKeyId"]) == (True, given)
    assert image.only("AWS::Logs::LogGroup")["KmsKeyId"] == given
    # No other kind that keeps data at rest has crept in unseen.
    for template in (region, hub, image, load("workload"), load("network")):
        kinds = {resource["Type"] for resource in template.resources.values()}
        assert not kinds & {"AWS::S3::Bucket", "AWS::SQS::Queue", "AWS::SNS::Topic", "AWS::EC2::Volume"}


def test_table_can_be_brought_back_and_forgets_what_expires(load):
    table = load("hub").only("AWS::DynamoDB::Table")
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert [item["AttributeName"] for item in table["KeySchema"]] == ["pk", "sk"]


def policy_statements(template):
    """Every allowing statement of identity policies, with where it stands; a conditional one counts."""
    for name, resource in template.resources.items():
        if not resource["Type"].startswith("AWS::IAM::"):
            continue
        properties = resource["Properties"]
        documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
        documents += [properties["PolicyDocument"]] if "PolicyDocument" in properties else []
        for document in documents:
            for path, node in walk(document, name):
                if isinstance(node, dict) and node.get("Effect") == "Allow":
                    yield path, node


def test_roles_are_narrow(template):
    for path, statement in policy_statements(template):
        actions = set(as_list(statement["Action"]))
        assert not any("*" in action for action in actions), path
        if statement["Resource"] == "*":
            assert actions <= WITHOUT_RESOURCE, path


def test_there_are_policies_to_judge(load):
    assert len(list(policy_statements(load("region")))) == 5
    assert len(list(policy_statements(load("models")))) == 5
    assert len(list(policy_statements(load("workload")))) == 5
    assert len(list(policy_statements(load("image")))) == 9


def test_services_assume_roles_for_this_account_only(load):
    roles = load("region").of_kind("AWS::IAM::Role")
    for name, role in roles.items():
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        # EC2 gives no source of its own when it hands a role to an instance. ECR documents none, and takes roles of the registry's account
        # alone, from whoever may pass them (botocore model: CreateRepositoryCreationTemplate.customRoleArn).
        if name not in ("NodeRole", "CacheRole"):
            assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}, name


def test_everybody_in_a_key_policy_is_one_role(load):
    statements = load("region").only("AWS::KMS::Key")["KeyPolicy"]["Statement"]
    everybody = [statement for statement in statements if statement["Principal"] == {"AWS": "*"}]
    assert [statement["Sid"] for statement in everybody] == ["Volumes", "VolumeGrants"]
    for statement in everybody:
        condition = statement["Condition"]
        assert condition["StringEquals"] == {"kms:CallerAccount": {"Ref": "AWS::AccountId"}}
        assert condition["ArnEquals"]["aws:PrincipalArn"]["Fn::Sub"].endswith(
            ":role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
        )
    grants = everybody[1]
    assert grants["Action"] == "kms:CreateGrant"
    assert grants["Condition"]["Bool"] == {"kms:GrantIsForAWSResource": "true"}


def test_nodes_reach_registries_and_files_only(load):
    region = load("region")
    rules = region.of_kind("AWS::EC2::SecurityGroup")["NodeGroup"]["SecurityGroupEgress"]
    assert [(rule["FromPort"], rule.get("CidrIp"), rule.get("DestinationSecurityGroupId")) for rule in rules] == [
        (443, "0.0.0.0/0", None),
        (2049, None, {"Fn::GetAtt": "FilesGroup.GroupId"}),
    ]
    (ingress,) = region.of_kind("AWS::EC2::SecurityGroup")["FilesGroup"]["SecurityGroupIngress"]
    assert ingress["SourceSecurityGroupId"] == {"Fn::GetAtt": "FilesClients.GroupId"}


def test_every_group_declares_both_directions(template):
    """Drift detection compares what a template declares: an undeclared direction could be opened by hand unseen."""
    for name, group in template.of_kind("AWS::EC2::SecurityGroup").items():
        assert group.get("SecurityGroupIngress"), name
        assert group.get("SecurityGroupEgress"), name
    assert not template.of_kind("AWS::EC2::SecurityGroupIngress") | template.of_kind("AWS::EC2::SecurityGroupEgress")


def test_nothing_leads_to_the_internet(load):
    network = load("network")
    assert all(subnet["MapPublicIpOnLaunch"] is False for subnet in network.of_kind("AWS::EC2::Subnet").values())
    nodes = walk(network.outputs["SubnetIds"])
    handed_on = {node["Ref"] for _path, node in nodes if isinstance(node, dict) and "Ref" in node} - {"AWS::NoValue"}
    assert handed_on == {f"Subnet{zone}" for zone in "ABCD"}
    # The one table that leads to the internet gateway is that of the NAT gateways' subnets.
    routes = network.of_kind("AWS::EC2::Route")
    public = {route["RouteTableId"]["Ref"] for route in routes.values() if "GatewayId" in route}
    assert public == {"PublicRouteTable"}
    tables = {
        item["SubnetId"]["Ref"]: item["RouteTableId"]["Ref"]
        for item in network.of_kind("AWS::EC2::SubnetRouteTableAssociation").values()
    }
    assert {subnet for subnet, table in tables.items() if table in public} == {f"PublicSubnet{z}" for z in "ABCD"}
    assert {subnet: tables[subnet] for subnet in handed_on} == {f"Subnet{z}": f"RouteTable{z}" for z in "ABCD"}
    # Nothing of it is there unless it is asked for.
    assert network.data["Conditions"]["HasNat"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "Nat"}, "none"]}]}
    ways = {"AWS::EC2::InternetGateway", "AWS::EC2::VPCGatewayAttachment", "AWS::EC2::NatGateway", "AWS::EC2::EIP"}
    for name, resource in network.resources.items():
        if resource["Type"] in {*ways, "AWS::EC2::Route"} or name.startswith("Public"):
            assert resource["Condition"].startswith("HasNat"), name


def test_a_place_has_room_for_nat_gateways_beside_its_nodes(load):
    """Ranges that stand cannot change: each of the eight subnets has its own eighth of the VPC."""
    ranges = [subnet["CidrBlock"]["Fn::Select"] for subnet in load("network").of_kind("AWS::EC2::Subnet").values()]
    eighths = {"Fn::Cidr": [{"Ref": "VpcCidr"}, 8, {"Ref": "SubnetBits"}]}
    assert sorted(index for index, _blocks in ranges) == list(range(8))
    assert all(blocks == eighths for _index, blocks in ranges)


def test_endpoints_let_through_the_account_alone_where_they_can(load):
    """S3 serves requests of nobody's account as well: a layer of an image, a patch. ECS, ECR and agents' channels are AWS's own matter."""
    own = {"StringEquals": {"aws:PrincipalAccount": {"Ref": "AWS::AccountId"}}}
    open_to_all = set()
    for endpoint in load("network").of_kind("AWS::EC2::VPCEndpoint").values():
        if "PolicyDocument" in endpoint:
            (statement,) = endpoint["PolicyDocument"]["Statement"]
            assert statement["Condition"] == own
        else:
            open_to_all.add(endpoint["ServiceName"]["Fn::Sub"].rpartition("Region}.")[2])
    agents = {"ecs", "ecs-agent", "ecs-telemetry", "ssmmessages"}
    assert open_to_all == {"s3", "ecr.api", "ecr.dkr", *agents}


def test_only_named_groups_could_not_be_replaced(template):
    assert all("GroupName" not in group for group in template.of_kind("AWS::EC2::SecurityGroup").values())


@pytest.mark.parametrize(
    ("name", "kind", "field", "expected"),
    [
        ("region", "AWS::ECS::Cluster", "ClusterName", {"gpu-oregon"}),
        (
            "region",
            "AWS::IAM::Role",
            "RoleName",
            {f"gpu-oregon-{role}" for role in ("node", "task", "exec", "flow", "cache")},
        ),
        ("region", "AWS::IAM::InstanceProfile", "InstanceProfileName", {"gpu-oregon-node"}),
        ("region", "AWS::Logs::LogGroup", "LogGroupName", {"/ecs/gpu/oregon", "/gpu/oregon/flow"}),
        ("region", "AWS::KMS::Alias", "AliasName", {"alias/gpu-oregon-worker"}),
        ("hub", "AWS::KMS::Alias", "AliasName", {"alias/gpu-oregon-hub"}),
        ("hub", "AWS::DynamoDB::Table", "TableName", {names.table_name("gpu")}),
        ("workload", "AWS::ECS::Service", "ServiceName", {"gpu-oregon"}),
        ("workload", "AWS::ECS::TaskDefinition", "Family", {"gpu-oregon"}),
        (
            "workload",
            "AWS::ECS::CapacityProvider",
            "Name",
            {names.group_name("gpu", "oregon"), names.group_name("gpu", "oregon", on_demand=True)},
        ),
    ],
)
def test_names_are_those_of_the_architecture(load, name, kind, field, expected):
    assert {resolved(item[field]) for item in load(name).of_kind(kind).values()} == expected


def test_logs_of_the_key_policy_are_the_log_groups(load):
    region = load("region")
    (logs,) = [item for item in region.only("AWS::KMS::Key")["KeyPolicy"]["Statement"] if item["Sid"] == "Logs"]
    patterns = [
        re.escape(resolved(pattern).rpartition(":")[2]).replace(r"\*", ".*")
        for pattern in logs["Condition"]["ArnLike"]["kms:EncryptionContext:aws:logs:arn"]
    ]
    for group in region.of_kind("AWS::Logs::LogGroup").values():
        assert any(re.fullmatch(pattern, resolved(group["LogGroupName"])) for pattern in patterns)


def test_no_value_that_moves_is_owned_by_a_template(load):
    """An update of the stack must not touch a service's count: it is set while the service is created, and never again."""
    service = load("workload").only("AWS::ECS::Service")
    assert service["DesiredCount"] == {"Fn::If": ["Creating", {"Ref": "InitialCount"}, {"Ref": "AWS::NoValue"}]}
    assert ("AWS::ECS::Service", "/DesiredCount") in MOVING
    # With a strategy, which group a replica may run on would be a template's decision.
    assert service["LaunchType"] == "EC2"
    assert "CapacityProviderStrategy" not in service
    for provider in load("workload").of_kind("AWS::ECS::CapacityProvider").values():
        assert provider["AutoScalingGroupProvider"]["ManagedScaling"] == {"Status": "DISABLED"}
        assert provider["AutoScalingGroupProvider"]["ManagedDraining"] == "ENABLED"


def test_patching_reaches_the_instances_of_both_groups_at_its_times_only(load):
    patching = load("region").only("AWS::SSM::Association")
    (target,) = patching["Targets"]
    assert (target["Key"], [resolved(value) for value in target["Values"]]) == (
        "tag:aws:autoscaling:groupName",
        [names.group_name("gpu", "oregon"), names.group_name("gpu", "oregon", on_demand=True)],
    )
    assert patching["ApplyOnlyAtCronInterval"] is True
    assert load("region").parameters["PatchReboot"]["Default"] == "NoReboot"


def test_notices_are_those_of_ec2(load):
    rule = load("region").only("AWS::Events::Rule")
    assert rule["EventPattern"] == {
        "source": ["aws.ec2"],
        "detail-type": ["EC2 Spot Instance Interruption Warning", "EC2 Instance Rebalance Recommendation"],
    }
    assert len(resolved(rule["Name"])) <= len("gpu-oregon" + names.LONGEST_SUFFIX)


@pytest.mark.parametrize("tells", [True, False])
def test_dashboard_shows_both_groups(load, tells):
    """The body, as Fn::Sub makes it, is a dashboard whose metrics are those of the two groups."""
    region = load("region")
    text, variables = region.only("AWS::CloudWatch::Dashboard")["DashboardBody"]["Fn::Sub"]
    name, notices = resolved(variables["Name"]), resolved(variables["Notices"]["Fn::If"][1])
    text = text.replace("${Name}", name).replace("${Notices}", notices if tells else "")
    widgets = json.loads(text.replace("${AWS::Region}", "us-west-2"))["widgets"]
    rule = resolved(region.only("AWS::Events::Rule")["Name"])
    assert f'"AWS/Events", "TriggeredRules", "RuleName", "{rule}"' in notices
    assert (rule in text) is tells
    for group in (name, f"{name}-od"):
        metrics = [
            line for widget in widgets[:2] for line in widget["properties"]["metrics"] if widget["properties"]["title"]
        ]
        assert [
            "AWS/AutoScaling",
            "GroupDesiredCapacity",
            "AutoScalingGroupName",
            group,
            {"label": "desired"},
        ] in metrics
        assert f'AutoScalingGroupName="{group}"' in json.dumps(widgets).replace("\\", "")
    places = [(widget["x"], widget["y"]) for widget in widgets]
    assert len(set(places)) == len(places)
    assert all(widget["x"] + widget["width"] <= 24 for widget in widgets)


def test_repositories_behind_a_rule_are_encrypted_tagged_and_bounded(load):
    region = load("region")
    rule, shape = region.only("AWS::ECR::PullThroughCacheRule"), region.only("AWS::ECR::RepositoryCreationTemplate")
    # ECR looks for the template under the rule's own prefix (botocore model: CreateRepositoryCreationTemplate.prefix).
    assert rule["EcrRepositoryPrefix"] == shape["Prefix"] == {"Ref": "CachePrefix"}
    assert region.resources["CacheRule"]["DependsOn"] == "CacheTemplate"
    assert shape["EncryptionConfiguration"] == {"EncryptionType": "KMS", "KmsKey": {"Fn::GetAtt": "Key.Arn"}}
    assert shape["AppliedFor"] == ["PULL_THROUGH_CACHE"]
    assert {tag["Key"]: tag["Value"] for tag in shape["ResourceTags"]} == {
        names.TAG_DEPLOYMENT: {"Ref": "Prefix"},
        names.TAG_PLACE: {"Ref": "Place"},
    }
    # An image that is in use must not expire by its age.
    (expiry,) = json.loads(shape["LifecyclePolicy"])["rules"]
    assert expiry["action"] == {"type": "expire"}
    assert expiry["selection"] == {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 10}


def test_a_cached_image_is_pulled_from_the_region_by_a_role_that_may_import_it(load):
    workload = load("workload")
    (container,) = workload.only("AWS::ECS::TaskDefinition")["ContainerDefinitions"]
    here = "${AWS::AccountId}.dkr.ecr.${AWS::Region}.${AWS::URLSuffix}/${CachedRepository}${CachedVersion}"
    assert container["Image"] == {"Fn::If": ["Cached", {"Fn::Sub": here}, {"Ref": "Image"}]}
    repository = "arn:${AWS::Partition}:ecr:${AWS::Region}:${AWS::AccountId}:repository/${CachedRepository}"
    importing = [
        statement["Resource"]
        for _path, statement in policy_statements(workload)
        if "ecr:BatchImportUpstreamImage" in statement["Action"]
    ]
    assert importing == [{"Fn::Sub": repository}]


def test_a_region_without_network_is_its_data_alone(load):
    """That is how a teardown keeps data: under its stack, which a later run completes again or deletes."""
    region = load("region")
    conditions = region.data["Conditions"]
    assert conditions["Serving"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "VpcId"}, ""]}]}
    needs_network = {
        name
        for name, condition in conditions.items()
        if name == "Serving" or {"Condition": "Serving"} in condition.get("Fn::And", [])
    }
    standing = {
        resource["Type"] for resource in region.resources.values() if resource.get("Condition") not in needs_network
    }
    assert standing == {"AWS::KMS::Key", "AWS::KMS::Alias", "AWS::EFS::FileSystem"}
    assert {name for name, output in region.outputs.items() if "Condition" not in output} == {"KeyArn", "FileSystemId"}


def test_probes_expect_what_the_templates_declare(load):
    region, hub, network = load("region"), load("hub"), load("network")
    expected = probes.EXPECTED
    for template in (region, hub):
        assert template.only("AWS::KMS::Key")["EnableKeyRotation"] is expected["AWS::KMS::Key"]["/EnableKeyRotation"]
    assert region.only("AWS::ECS::Cluster")["ClusterSettings"] == expected["AWS::ECS::Cluster"]["/ClusterSettings"]
    files = region.only("AWS::EFS::FileSystem")
    wanted = expected["AWS::EFS::FileSystem"]
    standing = {name: item["Default"] for name, item in region.parameters.items() if name.startswith("Files")}
    assert probes.expected("AWS::EFS::FileSystem", standing) == wanted
    assert files["BackupPolicy"]["Status"] == {"Ref": "FilesBackup"}
    assert files["ThroughputMode"] == {"Ref": "FilesThroughput"}
    tiers = [{"TransitionToIA": {"Ref": "FilesInfrequentAfter"}}, *wanted["/LifecyclePolicies"][1:]]
    assert files["LifecyclePolicies"] == {"Fn::If": ["Tiers", tiers, []]}
    assert probes.normal_policy(files["FileSystemPolicy"]) == probes.normal_policy(wanted["/FileSystemPolicy"])
    for endpoint in network.of_kind("AWS::EC2::VPCEndpoint").values():
        if endpoint["VpcEndpointType"] == "Interface":
            assert endpoint["PrivateDnsEnabled"] is expected["AWS::EC2::VPCEndpoint"]["/PrivateDnsEnabled"]
    assert set(probes.READERS) == set(probes.EXPECTED)
