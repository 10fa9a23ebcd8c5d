# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Topics as targets of EventBridge. Source: EventBridge user guide, "Using resource-based policies", "Amazon SNS permissions"."""

from __future__ import annotations

import json

from fleet_kit import Fleet
from fleet_kit import eventually
from sandbox_process import Sandbox


def test_a_topic_hears_of_events_only_if_its_policy_lets_eventbridge_publish(sandbox: Sandbox) -> None:
    fleet = Fleet(sandbox)
    closed, unheard = fleet.mailbox("closed")
    opened, heard = fleet.mailbox("opened")
    sns, events = fleet.client("sns"), fleet.client("events")
    statement = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sns:Publish"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{**statement, "Resource": opened}]})
    sns.set_topic_attributes(TopicArn=opened, AttributeName="Policy", AttributeValue=policy)
    for name, topic in (("a-closed", closed), ("b-opened", opened)):
        events.put_rule(Name=name, EventPattern=json.dumps({"source": ["test"]}))
        events.put_targets(Rule=name, Targets=[{"Id": "t", "Arn": topic}])
    events.put_events(Entries=[{"Source": "test", "DetailType": "told", "Detail": json.dumps({"a": 1})}])
    (message,) = eventually(heard, bool)
    assert json.loads(message["Message"])["detail"] == {"a": 1}
    assert unheard() == []
