# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests that AWS's model forbids are refused with AWS's code."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from sandbox_process import Sandbox

# boto3 checks required members and lower bounds itself; here the sandbox must.
UNCHECKED = Config(parameter_validation=False, retries={"total_max_attempts": 1})

GROUP = {"AutoScalingGroupName": "x", "MinSize": 0, "MaxSize": 0}
ROLE = "arn:aws:iam::123456789012:role/x"


@pytest.mark.parametrize(
    ("service", "method", "arguments", "code", "words"),
    [
        # enumerations
        ("ec2", "create_volume", {"AvailabilityZone": "us-east-1a", "VolumeType": "gp9"}, "InvalidParameterValue", "VolumeType"),
        (
            "ec2",
            "run_instances",
            {"MinCount": 1, "MaxCount": 1, "Placement": {"Tenancy": "shared"}},
            "InvalidParameterValue",
            "Placement.Tenancy",
        ),
        (
            "ec2",
            "get_spot_placement_scores",
            {"TargetCapacity": 1, "TargetCapacityUnitType": "gpus"},
            "InvalidParameterValue",
            "TargetCapacityUnitType",
        ),
        ("ecs", "create_service", {"serviceName": "x", "launchType": "FAST"}, "InvalidParameterException", "launchType"),
        ("efs", "create_file_system", {"CreationToken": "x", "ThroughputMode": "fast"}, "ValidationException", "throughputMode"),
        ("cloudformation", "create_stack", {"StackName": "x", "OnFailure": "CRY"}, "ValidationError", "onFailure"),
        ("dynamodb", "create_table", {"TableName": "xxx", "KeySchema": [{"AttributeName": "a", "KeyType": "H"}],
                                      "AttributeDefinitions": []}, "ValidationException", "keySchema.1.member.KeyType"),
        ("ssm", "put_parameter", {"Name": "x", "Value": "x", "Type": "Text"}, "ValidationException", "type"),
        ("kms", "create_key", {"KeyUsage": "FUN"}, "ValidationException", "keyUsage"),
        ("cloudwatch", "put_metric_alarm", {"AlarmName": "x", "EvaluationPeriods": 1, "ComparisonOperator": "More"},
         "ValidationError", "comparisonOperator"),
        ("lambda", "create_function", {"FunctionName": "x", "Role": ROLE, "Code": {}, "Runtime": "python1"},
         "InvalidParameterValueException", "runtime"),
        ("apigatewayv2", "create_api", {"Name": "x", "ProtocolType": "FTP"}, "BadRequestException", "protocolType"),
        ("s3", "put_bucket_versioning", {"Bucket": "b-x", "VersioningConfiguration": {"Status": "On"}}, "InvalidArgument", "Status"),
        # patterns and lengths
        ("events", "put_rule", {"Name": "a b", "EventPattern": "{}"}, "ValidationException", "name"),
        ("iam", "create_role", {"RoleName": "a/b", "AssumeRolePolicyDocument": "{}"}, "ValidationError", "roleName"),
        ("iam", "create_role", {"RoleName": "a" * 65, "AssumeRolePolicyDocument": "{}"}, "ValidationError", "equal to 64"),
        ("logs", "put_retention_policy", {"logGroupName": "a*", "retentionInDays": 3}, "InvalidParameterException", "logGroupName"),
        ("autoscaling", "put_scaling_policy", {"AutoScalingGroupName": "", "PolicyName": "x"}, "ValidationError", "autoScalingGroupName"),
        ("stepfunctions", "create_state_machine", {"name": "n" * 81, "definition": "{}", "roleArn": ROLE}, "ValidationException", "length"),
        ("dynamodb", "describe_table", {"TableName": ""}, "ValidationException", "tableName"),
        # bounds
        ("lambda", "list_functions", {"MaxItems": 10001}, "InvalidParameterValueException", "less than or equal to 10000"),
        ("cloudwatch", "put_metric_alarm", {"AlarmName": "x", "EvaluationPeriods": 0, "ComparisonOperator": "GreaterThanThreshold"},
         "ValidationError", "greater than or equal to 1"),
        ("ec2", "describe_spot_fleet_requests", {"MaxResults": "many"}, "InvalidParameterValue", "MaxResults"),
        ("efs", "describe_file_systems", {"MaxItems": 0}, "ValidationException", "greater than or equal to 1"),
        # required members
        ("ec2", "run_instances", {"MinCount": 1}, "MissingParameter", "MaxCount"),
        ("autoscaling", "create_auto_scaling_group", {"AutoScalingGroupName": "x"}, "ValidationError", "'minSize'"),
        ("ssm", "put_parameter", {"Name": "x"}, "ValidationException", "value"),
        ("sns", "publish", {"TopicArn": "x"}, "ValidationError", "message"),
        ("ecs", "run_task", {}, "InvalidParameterException", "taskDefinition"),
        # types
        ("ssm", "put_parameter", {"Name": "x", "Value": 5, "Type": "String"}, "SerializationException", "value"),
        ("ec2", "run_instances", {"MinCount": "one", "MaxCount": 1}, "InvalidParameterValue", "MinCount"),
        ("autoscaling", "create_auto_scaling_group", {**GROUP, "MaxSize": "two"}, "ValidationError", "maxSize"),
    ],
)  # fmt: skip
def test_refused(sandbox: Sandbox, service: str, method: str, arguments: dict[str, Any], code: str, words: str) -> None:
    with pytest.raises(ClientError) as error:
        getattr(sandbox.client(service, config=UNCHECKED), method)(**arguments)
    found = error.value.response["Error"]
    assert found["Code"] == code, found
    assert words in found["Message"]
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    # What the emulator never saw, it did not do.
    assert sandbox.calls()[-1]["iam"] == []


def test_nothing_that_AWS_takes_is_refused(sandbox: Sandbox) -> None:
    """One call in each protocol with nested lists, maps, timestamps, blobs and headers."""
    ec2 = sandbox.client("ec2")
    tags = [{"ResourceType": "launch-template", "Tags": [{"Key": "a", "Value": "b"}]}]
    data = {
        "InstanceType": "g5.xlarge",
        "BlockDeviceMappings": [
            {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 30, "VolumeType": "gp3", "Encrypted": True}}
        ],
        "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
        "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "k", "Value": "v"}]}],
        "InstanceMarketOptions": {"MarketType": "spot", "SpotOptions": {"SpotInstanceType": "one-time"}},
    }
    ec2.create_launch_template(LaunchTemplateName="t", LaunchTemplateData=data, TagSpecifications=tags)
    ec2.describe_instances(Filters=[{"Name": "tag:a", "Values": ["b", "c"]}], MaxResults=5)
    sandbox.client("cloudwatch").put_metric_data(
        Namespace="n", MetricData=[{"MetricName": "m", "Timestamp": 1700000000, "Value": 1.5, "Unit": "Count"}]
    )
    sandbox.client("sns").create_topic(Name="t", Attributes={"DisplayName": "d"}, Tags=[{"Key": "a", "Value": "b"}])
    queue = sandbox.client("sqs").create_queue(QueueName="q", Attributes={"VisibilityTimeout": "5"})["QueueUrl"]
    sandbox.client("sqs").send_message(QueueUrl=queue, MessageBody="x")
    s3 = sandbox.client("s3")
    s3.create_bucket(Bucket="bucket-x")
    s3.put_object(
        Bucket="bucket-x", Key="a/b c+d", Body=b"\x00\xff", ServerSideEncryption="AES256", Metadata={"a": "b"}
    )
    s3.copy_object(Bucket="bucket-x", Key="copy", CopySource={"Bucket": "bucket-x", "Key": "a/b c+d"})
    rules = [{"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}]
    s3.put_bucket_lifecycle_configuration(Bucket="bucket-x", LifecycleConfiguration={"Rules": rules})
    assert s3.get_object(Bucket="bucket-x", Key="copy")["Body"].read() == b"\x00\xff"
    s3.delete_objects(Bucket="bucket-x", Delete={"Objects": [{"Key": "copy"}]})
    sandbox.client("kms").encrypt(KeyId=sandbox.client("kms").create_key()["KeyMetadata"]["KeyId"], Plaintext=b"x")
    sandbox.client("ssm").put_parameter(Name="/a/b", Value="x", Type="SecureString", Tier="Advanced")
    assert {call["status"] for call in sandbox.calls()} == {200}
    actions = [call["action"] for call in sandbox.calls() if call["service"] == "s3"]
    assert actions == [
        "CreateBucket",
        "PutObject",
        "CopyObject",
        "PutBucketLifecycleConfiguration",
        "GetObject",
        "DeleteObjects",
    ]


def form(sandbox: Sandbox, service: str, **parameters: str) -> tuple[int, str]:
    scope = f"Credential=testing/20260101/us-east-1/{service}/aws4_request"
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0",
    }
    status, content = sandbox.raw("POST", "/", urlencode(parameters), headers)
    return status, content.decode()


def test_an_unknown_parameter_is_refused(sandbox: Sandbox) -> None:
    status, text = form(sandbox, "ec2", Action="DescribeVpcs", Version="2016-11-15", Colour="red")
    assert (status, "<Code>UnknownParameter</Code>" in text) == (400, True)
    status, text = form(sandbox, "ec2", Action="DescribeVpcs", Version="2016-11-15", **{"Filter.1.Nam": "x"})
    assert (status, "Filters.1.member.Nam" in text) == (400, True)
    status, text = form(sandbox, "autoscaling", Action="DescribeAutoScalingGroups", Colour="red")
    assert (status, "<Code>ValidationError</Code>" in text) == (400, True)


@pytest.mark.parametrize("service", ["ec2", "autoscaling", "cloudformation", "iam"])
def test_an_unknown_action_is_answered_at_once_in_xml(sandbox: Sandbox, service: str) -> None:
    status, text = form(sandbox, service, Action="MakeCoffee")
    assert status == 400
    assert "<Code>InvalidAction</Code>" in text
    assert text.startswith("<?xml")


def test_an_action_that_the_emulator_lacks_is_answered_at_once(sandbox: Sandbox) -> None:
    with pytest.raises(ClientError) as error:
        sandbox.client("ec2").describe_verified_access_trust_providers()
    assert error.value.response["Error"]["Code"] == "InvalidAction"
    period = {"Start": "2026-01-01", "End": "2026-01-02"}
    for service, method, arguments in (
        ("fis", "list_experiment_templates", {}),
        ("pricing", "get_attribute_values", {"ServiceCode": "AmazonEC2", "AttributeName": "vcpu"}),
        ("ce", "get_tags", {"TimePeriod": period}),
    ):
        with pytest.raises(ClientError) as error:
            getattr(sandbox.client(service), method)(**arguments)
        assert error.value.response["Error"]["Code"] == "UnknownOperationException"


def test_a_secret_is_not_repeated(sandbox: Sandbox) -> None:
    with pytest.raises(ClientError) as error:
        sandbox.client("ssm").put_parameter(Name="x", Value="hush" * 5000, Type="Text")
    assert "hush" not in str(error.value)
