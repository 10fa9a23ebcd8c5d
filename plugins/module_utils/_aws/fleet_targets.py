# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the topics and queues that a fleet will tell of its instances exist: reading only. PRIVATE to the collection.

Auto Scaling tries them itself, but only once the group is there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError
from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import translated
from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_extras
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError

Clients = Callable[[str], Any]
# SQS has had two names for it.
GONE = frozenset({"NotFound", "AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"})
SNS_DENIAL = "AuthorizationError"


def check_targets(clients: Clients, current: dict[str, Any], fleet: dict[str, Any]) -> list[str]:
    """InputError for a new target that does not exist; warnings for those that we may not look at."""
    warnings = []
    differences = fleet_extras.differences(fleet["extras"], current["extras"])
    for option, arn in fleet_extras.new_targets(differences):
        try:
            _look(clients, arn)
        except AwsError as error:
            if error.code in GONE:
                raise InputError(option, arn, "does not exist") from error
            if not (error.denied or error.code == SNS_DENIAL):
                raise
            warnings.append(f"{option}: {arn} could not be looked at: {error.code}")
    return warnings


def _look(clients: Clients, arn: str) -> None:
    service, account, name = (arn.split(":")[part] for part in (2, 4, 5))
    if service == "sns":
        _look_at_topic(clients("sns"), arn)
    else:
        _look_at_queue(clients("sqs"), name, account)


@translated("look at the topic")
def _look_at_topic(client: Any, arn: str) -> None:
    client.get_topic_attributes(TopicArn=arn)


@translated("look at the queue")
def _look_at_queue(client: Any, name: str, account: str) -> None:
    client.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)
