# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resources that IAM judges a call on, where ministack's guess differs from the Service Authorization Reference.

A call must be allowed on each of them. `*` stands for an action that knows no resources: a statement with an ARN never allows it.
"""

from __future__ import annotations

import re
from typing import Any

from ministack.core import responses
from ministack.services import cloudformation
from ministack.services import efs
from moto.autoscaling.models import autoscaling_backends
from moto.ec2.models import ec2_backends

# EC2 members that name a resource, by the type in its ARN.
_EC2_MEMBERS = {
    "InstanceId": "instance",
    "InstanceIds": "instance",
    "VpcId": "vpc",
    "SubnetId": "subnet",
    "SubnetIds": "subnet",
    "GroupId": "security-group",
    "Groups": "security-group",
    "SecurityGroupIds": "security-group",
    "VolumeId": "volume",
    "KeyName": "key-pair",
    "InternetGatewayId": "internet-gateway",
    "RouteTableId": "route-table",
    "RouteTableIds": "route-table",
    "NetworkInterfaceId": "network-interface",
    "AllocationId": "elastic-ip",
    "SnapshotId": "snapshot",
    "ImageId": "image",
    "VpcEndpointId": "vpc-endpoint",
    "VpcEndpointIds": "vpc-endpoint",
    "LaunchTemplateId": "launch-template",
    "NatGatewayId": "natgateway",
    "SpotInstanceRequestIds": "spot-instances-request",
    "FlowLogIds": "vpc-flow-log",
    "DhcpOptionsId": "dhcp-options",
}

# What a Create action makes, as a type in an ARN; the rest of the action's name otherwise, in kebab case.
_EC2_MADE = {
    "AllocateAddress": "elastic-ip",
    "CreateNatGateway": "natgateway",
    "CreateFlowLogs": "vpc-flow-log",
    "CreateDhcpOptions": "dhcp-options",
    "ImportKeyPair": "key-pair",
    "CreateImage": "image",
    "RegisterImage": "image",
    "CopyImage": "image",
    "CopySnapshot": "snapshot",
}

# Create actions that work on what exists and make no resource of their own.
_EC2_MAKES_NONE = {
    "CreateTags",
    "CreateRoute",
    "CreateNetworkAclEntry",
    "CreateLaunchTemplateVersion",
    "CreateVpcEndpointConnectionNotification",
}

# Id prefix -> resource type in EC2's ARNs (Service Authorization Reference, EC2), where they differ.
EC2_TYPES = {
    "i": "instance",
    "sg": "security-group",
    "sgr": "security-group-rule",
    "vol": "volume",
    "snap": "snapshot",
    "ami": "image",
    "rtb": "route-table",
    "igw": "internet-gateway",
    "eni": "network-interface",
    "vpce": "vpc-endpoint",
    "lt": "launch-template",
    "nat": "natgateway",
    "eipalloc": "elastic-ip",
    "key": "key-pair",
    "sir": "spot-instances-request",
    "fl": "vpc-flow-log",
    "dopt": "dhcp-options",
    "acl": "network-acl",
}

# ECS actions by the kind of resource that they are judged on.
_ECS_KINDS = {
    "cluster": {
        "CreateCluster",
        "DeleteCluster",
        "UpdateCluster",
        "UpdateClusterSettings",
        "PutClusterCapacityProviders",
        "DescribeClusters",
        "ListContainerInstances",
        "RegisterContainerInstance",
    },
    "service": {"CreateService", "UpdateService", "DeleteService", "DescribeServices"},
    "task": {"StopTask", "DescribeTasks"},
    "container-instance": {
        "UpdateContainerInstancesState",
        "DescribeContainerInstances",
        "DeregisterContainerInstance",
        "ListTasks",
    },
    "task-definition": {"RunTask", "StartTask", "RegisterTaskDefinition", "DeleteTaskDefinitions"},
    "capacity-provider": {
        "CreateCapacityProvider",
        "UpdateCapacityProvider",
        "DeleteCapacityProvider",
        "DescribeCapacityProviders",
    },
}


def of(service: str, action: str, parameters: dict[str, Any]) -> list[str] | None:
    """ARNs, the one that a refusal names first; None where ministack's own reading of the request is right."""
    reader = _READERS.get(service)
    return reader(action, parameters) if reader else None


def _own(service: str) -> str:
    return f"arn:aws:{service}:{responses.get_region()}:{responses.get_account_id()}"


def _many(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, str) and each]


def ec2_arn(resource: str) -> str:
    """The ARN of a resource by its id."""
    prefix = resource.rsplit("-", 1)[0]
    kind = EC2_TYPES.get(prefix, prefix)
    if kind in ("image", "snapshot"):
        return f"arn:aws:ec2:{responses.get_region()}::{kind}/{resource}"
    return f"{_own('ec2')}:{kind}/{resource}"


def _ec2(action: str, parameters: dict[str, Any]) -> list[str] | None:
    if action == "RunInstances":
        return [f"{_own('ec2')}:instance/*"]
    if action.startswith(("Describe", "Get", "Search")):
        return ["*"]
    if action in ("CreateTags", "DeleteTags"):
        return [ec2_arn(resource) for resource in _many(parameters.get("Resources"))] or ["*"]
    found = []
    if action in _EC2_MADE or (action.startswith("Create") and action not in _EC2_MAKES_NONE):
        kind = _EC2_MADE.get(action) or re.sub(r"(?<!^)(?=[A-Z])", "-", action.removeprefix("Create")).lower()
        found.append(f"{_own('ec2')}:{kind}/*")
    for member, kind in _EC2_MEMBERS.items():
        if action in ("CreateKeyPair", "ImportKeyPair") and member == "KeyName":
            continue
        values = _many(parameters.get(member))
        # Images and snapshots are in no account's name.
        owner = f"arn:aws:ec2:{responses.get_region()}:" if kind in ("image", "snapshot") else _own("ec2")
        found += [f"{owner}:{kind}/{value}" for value in values]
    name = parameters.get("LaunchTemplateName")
    if name and action != "CreateLaunchTemplate":
        backend = ec2_backends[responses.get_account_id()][responses.get_region()]
        known = next((each.id for each in backend.launch_templates.values() if each.name == name), "*")
        found.append(f"{_own('ec2')}:launch-template/{known}")
    if action in ("DisassociateRouteTable", "ReplaceRouteTableAssociation"):
        found += _associated(parameters.get("AssociationId") or "")
    if action == "DisassociateAddress":
        found += _address(parameters.get("AssociationId"), parameters.get("PublicIp"))
    return list(dict.fromkeys(found)) or ["*"]


def _associated(association: str) -> list[str]:
    """The route table and the subnet of an association (service authorization reference of EC2, DisassociateRouteTable)."""
    tables = ec2_backends[responses.get_account_id()][responses.get_region()].route_tables.values()
    table = next((table for table in tables if association in table.associations), None)
    return [ec2_arn(table.id), ec2_arn(table.associations[association])] if table else [f"{_own('ec2')}:route-table/*"]


def _address(association: str | None, public_ip: str | None) -> list[str]:
    """The address of an association (service authorization reference of EC2, DisassociateAddress)."""
    addresses = ec2_backends[responses.get_account_id()][responses.get_region()].addresses
    own = [each for each in addresses if each.public_ip == public_ip or each.association_id == (association or "")]
    return [ec2_arn(each.allocation_id) for each in own] or [f"{_own('ec2')}:elastic-ip/*"]


def _dynamodb(action: str, parameters: dict[str, Any]) -> list[str] | None:
    """Tags name their table by ARN (service authorization reference of DynamoDB); the rest ministack reads well."""
    arn = parameters.get("ResourceArn")
    return [arn] if isinstance(arn, str) and arn.startswith("arn:") else None


def _autoscaling(action: str, parameters: dict[str, Any]) -> list[str] | None:
    if action.startswith("Describe"):
        return ["*"]
    names = _many(parameters.get("AutoScalingGroupName"))
    names += [
        tag["ResourceId"] for tag in parameters.get("Tags") or () if isinstance(tag, dict) and tag.get("ResourceId")
    ]
    backend = autoscaling_backends[responses.get_account_id()][responses.get_region()]
    if not names and parameters.get("InstanceId"):
        names = [
            group.name
            for group in backend.autoscaling_groups.values()
            if any(state.instance.id == parameters["InstanceId"] for state in group.instance_states)
        ]
    found = []
    for name in dict.fromkeys(names):
        group = backend.autoscaling_groups.get(name)
        found.append(group.arn if group else f"{_own('autoscaling')}:autoScalingGroup:*:autoScalingGroupName/{name}")
    return found or None


def _ecs(action: str, parameters: dict[str, Any]) -> list[str] | None:
    kind = next((kind for kind, actions in _ECS_KINDS.items() if action in actions), None)
    if kind is None:
        arn = parameters.get("resourceArn")
        return [arn] if isinstance(arn, str) and arn else ["*"]
    cluster = parameters.get("cluster") or "default"
    cluster_name = cluster.rsplit("/", 1)[-1] if isinstance(cluster, str) else "default"
    if kind == "cluster":
        names = _many(parameters.get("clusters")) or _many(parameters.get("clusterName")) or [cluster_name]
        return [_ecs_arn("cluster", name) for name in names]
    if kind == "service":
        names = _many(parameters.get("services")) or _many(parameters.get("service") or parameters.get("serviceName"))
        return [_ecs_arn("service", name, cluster_name) for name in names] or None
    if kind == "task":
        names = _many(parameters.get("tasks")) or _many(parameters.get("task"))
        return [_ecs_arn("task", name, cluster_name) for name in names] or None
    if kind == "container-instance":
        names = _many(parameters.get("containerInstances")) or _many(parameters.get("containerInstance")) or ["*"]
        return [_ecs_arn("container-instance", name, cluster_name) for name in names]
    if kind == "capacity-provider":
        names = _many(parameters.get("capacityProviders")) or _many(
            parameters.get("capacityProvider") or parameters.get("name")
        )
        return [_ecs_arn("capacity-provider", name) for name in names] or ["*"]
    names = _many(parameters.get("taskDefinitions")) or _many(
        parameters.get("taskDefinition") or parameters.get("family")
    )
    return [_ecs_arn("task-definition", name if ":" in name else f"{name}:*") for name in names] or None


def _ecs_arn(kind: str, name: str, cluster: str = "") -> str:
    if name.startswith("arn:"):
        return name
    return f"{_own('ecs')}:{kind}/{cluster}/{name}" if cluster else f"{_own('ecs')}:{kind}/{name}"


def _cloudformation(action: str, parameters: dict[str, Any]) -> list[str] | None:
    name = parameters.get("StackName")
    if isinstance(name, str) and name:
        return None
    # A change set's ARN is enough to name its stack, which is what the call is judged on (service authorization reference).
    change_set = cloudformation._change_sets.get(parameters.get("ChangeSetName") or "")
    return [change_set["StackId"]] if change_set else ["*"]


def _elasticfilesystem(action: str, parameters: dict[str, Any]) -> list[str] | None:
    own = _own("elasticfilesystem")
    if parameters.get("AccessPointId"):
        return [f"{own}:access-point/{parameters['AccessPointId']}"]
    file_system = parameters.get("FileSystemId") or parameters.get("SourceFileSystemId")
    target = efs._mount_targets.get(parameters.get("MountTargetId") or "")
    if target:
        file_system = target["FileSystemId"]
    resource = parameters.get("ResourceId")
    if resource and not file_system:
        return [
            resource
            if resource.startswith("arn:")
            else f"{own}:{'access-point' if resource.startswith('fsap-') else 'file-system'}/{resource}"
        ]
    if file_system:
        return [file_system if file_system.startswith("arn:") else f"{own}:file-system/{file_system}"]
    return [f"{own}:file-system/*"]


def _kms(action: str, parameters: dict[str, Any]) -> list[str] | None:
    if action not in ("CreateAlias", "UpdateAlias", "DeleteAlias"):
        return None
    found = [f"{_own('kms')}:{parameters.get('AliasName')}"]
    key = parameters.get("TargetKeyId")
    if key:
        found.append(key if key.startswith("arn:") else f"{_own('kms')}:key/{key}")
    return found


def _ssm(action: str, parameters: dict[str, Any]) -> list[str] | None:
    if action.endswith("Association") or parameters.get("ResourceType") == "Association":
        identifier = parameters.get("AssociationId") or parameters.get("ResourceId") or "*"
        found = [f"{_own('ssm')}:association/{identifier}"]
        document = parameters.get("Name")
        if document and action in ("CreateAssociation", "UpdateAssociation"):
            found.append(_document(document))
        return found
    names = _many(parameters.get("Names")) or _many(parameters.get("Path"))
    if not names:
        return None
    return [f"{_own('ssm')}:parameter/{name.strip('/')}" for name in names]


def _document(name: str) -> str:
    """The ARN of a document; AWS's own belong to no account."""
    if name.startswith("arn:"):
        return name
    account = "" if name.startswith("AWS-") else responses.get_account_id()
    return f"arn:aws:ssm:{responses.get_region()}:{account}:document/{name}"


def _monitoring(action: str, parameters: dict[str, Any]) -> list[str] | None:
    """Dashboards are the account's, of no region (service authorization reference of CloudWatch)."""
    names = _many(parameters.get("DashboardName")) or _many(parameters.get("DashboardNames"))
    return [f"arn:aws:cloudwatch::{responses.get_account_id()}:dashboard/{name}" for name in names] or None


# What EventBridge's actions call a rule.
_RULE_MEMBERS = {
    **dict.fromkeys(("DeleteRule", "DescribeRule", "DisableRule", "EnableRule", "PutRule"), "Name"),
    **dict.fromkeys(("ListTargetsByRule", "PutTargets", "RemoveTargets"), "Rule"),
}


def _events(action: str, parameters: dict[str, Any]) -> list[str] | None:
    """A rule of the default bus has no bus in its ARN (service authorization reference of EventBridge)."""
    if action in ("TagResource", "UntagResource", "ListTagsForResource"):
        return _many(parameters.get("ResourceARN")) or None
    name = parameters.get(_RULE_MEMBERS.get(action, ""))
    if not isinstance(name, str):
        return None
    bus = str(parameters.get("EventBusName") or "default").rsplit("/", 1)[-1]
    return [f"{_own('events')}:rule/{name if bus == 'default' else f'{bus}/{name}'}"]


def _iam(action: str, parameters: dict[str, Any]) -> list[str] | None:
    own = f"arn:aws:iam::{responses.get_account_id()}"
    if action == "CreateServiceLinkedRole":
        return [f"{own}:role/aws-service-role/{parameters.get('AWSServiceName')}/*"]
    if action.endswith("InstanceProfile") and parameters.get("InstanceProfileName"):
        return [f"{own}:instance-profile/{parameters['InstanceProfileName']}"]
    if action == "CreatePolicy" and parameters.get("PolicyName"):
        return [f"{own}:policy{parameters.get('Path') or '/'}{parameters['PolicyName']}"]
    return None


def _backup(action: str, parameters: dict[str, Any]) -> list[str] | None:
    own = _own("backup")
    if parameters.get("BackupVaultName"):
        return [f"{own}:backup-vault:{parameters['BackupVaultName']}"]
    if parameters.get("BackupPlanId"):
        return [f"{own}:backup-plan:{parameters['BackupPlanId']}"]
    return None


def _servicequotas(action: str, parameters: dict[str, Any]) -> list[str] | None:
    """Only requests for more know quotas as resources."""
    if action not in ("RequestServiceQuotaIncrease", "PutServiceQuotaIncreaseRequestIntoTemplate"):
        return ["*"]
    return [f"{_own('servicequotas')}:{parameters.get('ServiceCode')}/{parameters['QuotaCode']}"]


def _ecr(action: str, parameters: dict[str, Any]) -> list[str] | None:
    """Repositories are resources, rules and creation templates are none (service authorization reference of Amazon ECR)."""
    if action == "GetAuthorizationToken" or "PullThroughCacheRule" in action or "CreationTemplate" in action:
        return ["*"]
    if parameters.get("resourceArn"):
        return [parameters["resourceArn"]]
    names = _many(parameters.get("repositoryNames")) or _many(parameters.get("repositoryName")) or ["*"]
    return [f"{_own('ecr')}:repository/{name}" for name in names]


# Image Builder's members that name a resource: by ARN, or by the name of what is made, with its type in ARNs and what follows it.
_IMAGE_BUILDER_ARNS = (
    "imageBuildVersionArn",
    "resourceArn",
    "componentBuildVersionArn",
    "imageRecipeArn",
    "infrastructureConfigurationArn",
    "distributionConfigurationArn",
)
_IMAGE_BUILDER_MADE = {
    "CreateComponent": "component",
    "CreateImageRecipe": "image-recipe",
    "CreateInfrastructureConfiguration": "infrastructure-configuration",
    "CreateDistributionConfiguration": "distribution-configuration",
}


def _imagebuilder(action: str, parameters: dict[str, Any]) -> list[str] | None:
    own = _own("imagebuilder")
    if action == "CreateImage":
        recipe = str(parameters.get("imageRecipeArn") or "").rsplit("image-recipe/", 1)[-1]
        return [f"{own}:image/{recipe}/*"]
    if action in _IMAGE_BUILDER_MADE:
        version = {
            "component": f"/{parameters.get('semanticVersion')}/*",
            "image-recipe": f"/{parameters.get('semanticVersion')}",
        }
        kind = _IMAGE_BUILDER_MADE[action]
        return [f"{own}:{kind}/{str(parameters.get('name')).lower()}{version.get(kind, '')}"]
    if parameters.get("lifecycleExecutionId"):
        return [f"{own}:lifecycle-execution/{parameters['lifecycleExecutionId']}"]
    return next((_many(parameters[name]) for name in _IMAGE_BUILDER_ARNS if parameters.get(name)), ["*"])


_READERS = {
    "imagebuilder": _imagebuilder,
    "ec2": _ec2,
    "autoscaling": _autoscaling,
    "dynamodb": _dynamodb,
    "ecr": _ecr,
    "ecs": _ecs,
    "events": _events,
    "monitoring": _monitoring,
    "cloudformation": _cloudformation,
    "elasticfilesystem": _elasticfilesystem,
    "kms": _kms,
    "ssm": _ssm,
    "iam": _iam,
    "backup": _backup,
    "servicequotas": _servicequotas,
}
