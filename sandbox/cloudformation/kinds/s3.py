# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""S3 buckets and their policies."""

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
from sandbox.cloudformation.kinds.base import spelt
from sandbox.cloudformation.kinds.base import tag_list
from sandbox.cloudformation.kinds.base import tags_like


class Aspect:
    """One configuration of a bucket: the property, the calls that put, get and delete it, and the member that carries it."""

    def __init__(self, name: str, method: str, argument: str | None, member: str | None = None) -> None:
        self.name = name
        self.put = f"put_{method}"
        self.get = f"get_{method}"
        self.delete = {"bucket_lifecycle_configuration": "delete_bucket_lifecycle"}.get(method, f"delete_{method}")
        self.argument = argument
        self.member = argument if member is None else member


ASPECTS = (
    Aspect("VersioningConfiguration", "bucket_versioning", "VersioningConfiguration", ""),
    Aspect("PublicAccessBlockConfiguration", "public_access_block", "PublicAccessBlockConfiguration"),
    Aspect("OwnershipControls", "bucket_ownership_controls", "OwnershipControls"),
    Aspect("BucketEncryption", "bucket_encryption", "ServerSideEncryptionConfiguration"),
    Aspect("LifecycleConfiguration", "bucket_lifecycle_configuration", "LifecycleConfiguration", ""),
    Aspect("LoggingConfiguration", "bucket_logging", "BucketLoggingStatus", "LoggingEnabled"),
)


def encryption_to_api(value: dict) -> dict:
    rules = []
    for rule in value["ServerSideEncryptionConfiguration"]:
        default = rule.get("ServerSideEncryptionByDefault")
        applied = {"ApplyServerSideEncryptionByDefault": default} if default else {}
        rules.append(
            {**applied, **({"BucketKeyEnabled": rule["BucketKeyEnabled"]} if "BucketKeyEnabled" in rule else {})}
        )
    return {"Rules": rules}


def encryption_from_api(value: dict) -> dict:
    rules = [
        {**rule, "ServerSideEncryptionByDefault": rule.get("ApplyServerSideEncryptionByDefault")}
        for rule in value["Rules"]
    ]
    return {"ServerSideEncryptionConfiguration": rules}


def lifecycle_to_api(value: dict) -> dict:
    """A rule's days and dates stand flat in a template, in structures in the API."""
    rules = []
    for rule in value["Rules"]:
        result = {"Status": rule["Status"], "Filter": {"Prefix": rule.get("Prefix", "")}}
        if "Id" in rule:
            result["ID"] = rule["Id"]
        if "ExpirationInDays" in rule:
            result["Expiration"] = {"Days": rule["ExpirationInDays"]}
        if "NoncurrentVersionExpiration" in rule:
            result["NoncurrentVersionExpiration"] = rule["NoncurrentVersionExpiration"]
        if "AbortIncompleteMultipartUpload" in rule:
            result["AbortIncompleteMultipartUpload"] = rule["AbortIncompleteMultipartUpload"]
        if "Transitions" in rule:
            result["Transitions"] = [
                {"Days": item["TransitionInDays"], "StorageClass": item["StorageClass"]} for item in rule["Transitions"]
            ]
        known = {
            "Id",
            "Status",
            "Prefix",
            "ExpirationInDays",
            "NoncurrentVersionExpiration",
            "AbortIncompleteMultipartUpload",
        }
        if unknown := rule.keys() - known - {"Transitions"}:
            raise ValueError(f"the sandbox cannot apply {', '.join(sorted(unknown))} of a lifecycle rule")
        rules.append(result)
    return {"Rules": rules}


def lifecycle_from_api(value: dict) -> dict:
    rules = []
    for rule in value["Rules"]:
        result = {"Status": rule["Status"], "Prefix": rule.get("Filter", {}).get("Prefix", rule.get("Prefix", ""))}
        if "ID" in rule:
            result["Id"] = rule["ID"]
        if "Days" in rule.get("Expiration", {}):
            result["ExpirationInDays"] = rule["Expiration"]["Days"]
        for name in ("NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"):
            if name in rule:
                result[name] = rule[name]
        if "Transitions" in rule:
            result["Transitions"] = [
                {"TransitionInDays": item["Days"], "StorageClass": item["StorageClass"]} for item in rule["Transitions"]
            ]
        rules.append(result)
    return {"Rules": rules}


TO_API = {"BucketEncryption": encryption_to_api, "LifecycleConfiguration": lifecycle_to_api}
FROM_API = {"BucketEncryption": encryption_from_api, "LifecycleConfiguration": lifecycle_from_api}


class Bucket(Kind):
    kind = "AWS::S3::Bucket"
    service = "s3"

    def create(self, call: Call, wanted: Properties) -> str:
        bucket = wanted.get("BucketName") or call.name(63, lower=True)
        unknown = wanted.keys() - {aspect.name for aspect in ASPECTS} - {"BucketName", "Tags"}
        if unknown:
            raise ValueError(f"the sandbox cannot apply {', '.join(sorted(unknown))} to a bucket")
        here = {} if call.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": call.region}}
        self.api(call).create_bucket(Bucket=bucket, **here)
        call.made(bucket)
        self.update(call, bucket, {}, wanted)
        return bucket

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        s3 = self.api(call)
        for aspect in ASPECTS:
            before, after = old.get(aspect.name), new.get(aspect.name)
            if before == after:
                continue
            if after is not None:
                self._put(call, physical, aspect, after)
            elif aspect.name == "VersioningConfiguration":
                s3.put_bucket_versioning(Bucket=physical, VersioningConfiguration={"Status": "Suspended"})
            elif aspect.name == "LoggingConfiguration":
                s3.put_bucket_logging(Bucket=physical, BucketLoggingStatus={})
            else:
                getattr(s3, aspect.delete)(Bucket=physical)
        if old.get("Tags") != new.get("Tags"):
            if new.get("Tags"):
                s3.put_bucket_tagging(Bucket=physical, Tagging={"TagSet": tag_list(new["Tags"])})
            else:
                s3.delete_bucket_tagging(Bucket=physical)

    def _put(self, call: Call, bucket: str, aspect: Aspect, value: Any) -> None:
        s3 = self.api(call)
        value = TO_API[aspect.name](value) if aspect.name in TO_API else value
        if aspect.name == "LoggingConfiguration":
            value = {
                "LoggingEnabled": {
                    "TargetBucket": value["DestinationBucketName"],
                    "TargetPrefix": value.get("LogFilePrefix", ""),
                }
            }
        model = s3.meta.service_model.operation_model(s3.meta.method_to_api_mapping[aspect.put])
        getattr(s3, aspect.put)(
            Bucket=bucket, **{aspect.argument: spelt(value, model.input_shape.members[aspect.argument])}
        )

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        gone_is_fine(self.api(call).delete_bucket, Bucket=physical)

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        s3 = self.api(call)
        try:
            s3.head_bucket(Bucket=physical)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchBucket"):
                return None
            raise
        actual: Properties = {"BucketName": physical}
        for aspect in ASPECTS:
            if aspect.name in expected and (found := self._get(call, physical, aspect)) is not None:
                actual[aspect.name] = found
        try:
            tags = s3.get_bucket_tagging(Bucket=physical)["TagSet"]
        except ClientError as error:
            if not is_gone(error):
                raise
            tags = []
        return {**actual, "Tags": tags_like(tags, expected.get("Tags"))}

    def _get(self, call: Call, bucket: str, aspect: Aspect) -> Any:
        try:
            answer = getattr(self.api(call), aspect.get)(Bucket=bucket)
        except ClientError as error:
            if is_gone(error):
                return None
            raise
        answer.pop("ResponseMetadata", None)
        found = answer.get(aspect.member) if aspect.member else answer
        if not found:
            return None
        if aspect.name == "LoggingConfiguration":
            return {"DestinationBucketName": found["TargetBucket"], "LogFilePrefix": found["TargetPrefix"]}
        found = FROM_API[aspect.name](found) if aspect.name in FROM_API else found
        return self.schema.like_template(aspect.name, found)

    def attributes(self, call: Call, physical: str, properties: Properties) -> dict[str, Any]:
        return {
            "Arn": f"arn:aws:s3:::{physical}",
            "DomainName": f"{physical}.s3.amazonaws.com",
            "DualStackDomainName": f"{physical}.s3.dualstack.{call.region}.amazonaws.com",
            "RegionalDomainName": f"{physical}.s3.{call.region}.amazonaws.com",
        }


class BucketPolicy(Kind):
    kind = "AWS::S3::BucketPolicy"
    service = "s3"

    def create(self, call: Call, wanted: Properties) -> str:
        self.update(call, "", {}, wanted)
        return wanted["Bucket"]

    def update(self, call: Call, physical: str, old: Properties, new: Properties) -> None:
        self.api(call).put_bucket_policy(Bucket=new["Bucket"], Policy=as_json(new["PolicyDocument"]))

    def delete(self, call: Call, physical: str, properties: Properties) -> None:
        gone_is_fine(self.api(call).delete_bucket_policy, Bucket=physical)

    def read(self, call: Call, physical: str, expected: Properties) -> Properties | None:
        answer = gone_is_fine(self.api(call).get_bucket_policy, Bucket=physical)
        if answer is None:
            return None
        return {"Bucket": physical, "PolicyDocument": from_json(answer["Policy"], expected["PolicyDocument"])}


KINDS = (Bucket, BucketPolicy)
