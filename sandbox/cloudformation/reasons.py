# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What CloudFormation says of a resource that failed: the handler's message in AWS's wording."""

from __future__ import annotations

import uuid

from botocore.exceptions import BotoCoreError
from botocore.exceptions import ClientError

# The service's name in a message of the AWS SDK for Java, in which AWS's handlers are written, by botocore's.
SERVICES = {
    "dynamodb": "DynamoDb",
    "ec2": "Ec2",
    "ecs": "AmazonECS",
    "efs": "Efs",
    "events": "EventBridge",
    "iam": "Iam",
    "kms": "Kms",
    "logs": "CloudWatchLogs",
    "s3": "S3",
    "sns": "Sns",
    "sqs": "Sqs",
    "ssm": "Ssm",
    "cloudwatch": "CloudWatch",
    "lambda": "Lambda",
    "stepfunctions": "Sfn",
    "apigateway": "ApiGateway",
}

# HandlerErrorCode by a part of the API's error code (CloudFormation CLI user guide, handler error codes), first match wins.
CODES = (
    ("AccessDenied", ("AccessDenied", "Unauthorized", "NotAuthorized")),
    ("Throttling", ("Throttl", "RequestLimitExceeded", "TooManyRequests", "SlowDown")),
    ("ServiceLimitExceeded", ("LimitExceeded",)),
    ("AlreadyExists", ("AlreadyExists", "Duplicate", "EntityAlreadyExists", "AlreadyOwned")),
    ("NotFound", ("NotFound", "NoSuch", "NotExist", "DoesNotExist")),
    ("ResourceConflict", ("Conflict", "InUse", "DependencyViolation")),
    ("ServiceInternalError", ("Internal",)),
)


class Failure(Exception):
    """A resource operation failed; the text is the event's reason."""


def reason(error: Exception, service: str) -> str:
    """A ResourceStatusReason for what a kind raised."""
    if isinstance(error, Failure):
        return str(error)
    if isinstance(error, ClientError):
        answer = error.response
        code, message = answer["Error"]["Code"], answer["Error"].get("Message", "")
        metadata = answer.get("ResponseMetadata", {})
        text = (
            f"{message} (Service: {SERVICES.get(service, service)}, Status Code: {metadata.get('HTTPStatusCode', 400)}, "
            f"Request ID: {metadata.get('RequestId') or uuid.uuid4()}) (SDK Attempt Count: 1)"
        )
        return wrapped(
            text, next((name for name, parts in CODES if any(part in code for part in parts)), "InvalidRequest")
        )
    if isinstance(error, BotoCoreError):
        return f"Model validation failed ({error})"
    return wrapped(str(error), "GeneralServiceException")


def wrapped(text: str, code: str) -> str:
    return f'Resource handler returned message: "{text}" (RequestToken: {uuid.uuid4()}, HandlerErrorCode: {code})'
