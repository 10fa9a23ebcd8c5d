# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Print what a queue hears from an Auto Scaling group until it has heard of an event, or 20 seconds: one name a line, in no order."""

from __future__ import annotations

import json
import sys
import time

import boto3

endpoint, queue, last = sys.argv[1:]
client = boto3.client(
    "sqs",
    region_name="us-east-1",
    endpoint_url=endpoint,
    aws_access_key_id="testing",
    aws_secret_access_key="testing",
)
heard: set[str] = set()
end = time.monotonic() + 20
while last not in heard and time.monotonic() < end:
    answer = client.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
    for message in answer.get("Messages", []):
        heard.add(json.loads(json.loads(message["Body"])["Message"])["Event"])
        client.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
print("\n".join(heard))
