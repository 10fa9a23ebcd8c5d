# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""State Manager's associations. Sources: botocore model, CreateAssociation, UpdateAssociation, DeleteAssociation; Systems Manager
user guide, "Cron and rate expressions" and "AWS-RunPatchBaseline"; Service Authorization Reference."""

from __future__ import annotations

from typing import Any

import pytest
from fleet_kit import refused
from sandbox_process import Sandbox
from test_frame_iam import ACCOUNT
from test_frame_iam import User
from test_frame_iam import allow
from test_frame_iam import denied

PATCHING: dict[str, Any] = {
    "Name": "AWS-RunPatchBaseline",
    "AssociationName": "patching",
    "Parameters": {"Operation": ["Scan"]},
    "Targets": [{"Key": "tag:aws:autoscaling:groupName", "Values": ["g"]}],
    "ScheduleExpression": "cron(0 3 ? * SUN *)",
    "ApplyOnlyAtCronInterval": True,
    "MaxErrors": "1",
}


def test_an_update_forgets_what_it_does_not_name(sandbox: Sandbox) -> None:
    ssm = sandbox.client("ssm")
    made = ssm.create_association(**PATCHING)["AssociationDescription"]
    assert made.items() >= PATCHING.items()
    changed = {"Parameters": {"Operation": ["Install"]}, "Targets": PATCHING["Targets"]}
    ssm.update_association(AssociationId=made["AssociationId"], **changed)
    shown = ssm.describe_association(AssociationId=made["AssociationId"])["AssociationDescription"]
    assert shown.items() >= changed.items()
    assert not shown.keys() & {"ScheduleExpression", "MaxErrors", "AssociationName"}
    assert (shown["Name"], shown["AssociationVersion"]) == (PATCHING["Name"], "2")
    ssm.delete_association(AssociationId=made["AssociationId"])
    assert ssm.list_associations()["Associations"] == []
    with refused("AssociationDoesNotExist"):
        ssm.describe_association(AssociationId=made["AssociationId"])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"Name": "AWS-RunNothing"}, "InvalidDocument"),
        ({"Parameters": {}}, "InvalidParameters"),
        ({"Parameters": {"Operation": ["scan"]}}, "InvalidParameters"),
        ({"Parameters": {"Operation": ["Scan"], "Reboot": ["no"]}}, "InvalidParameters"),
        ({"Targets": []}, "InvalidTarget"),
        ({"ScheduleExpression": "cron(0 3 * * *)"}, "InvalidSchedule"),
        ({"ScheduleExpression": "rate(29 minutes)", "ApplyOnlyAtCronInterval": False}, "InvalidSchedule"),
        ({"ScheduleExpression": "rate(1 day)"}, "InvalidSchedule"),
        ({"MaxErrors": "many"}, "ValidationException"),
    ],
)
def test_what_aws_refuses(sandbox: Sandbox, change: dict[str, Any], code: str) -> None:
    with refused(code):
        sandbox.client("ssm").create_association(**{**PATCHING, **change})


def test_a_reset_forgets_them(sandbox: Sandbox) -> None:
    sandbox.client("ssm").create_association(**PATCHING)
    sandbox.control("POST", "reset")
    assert sandbox.client("ssm").list_associations()["Associations"] == []


def test_an_association_needs_its_document_as_well(sandbox: Sandbox) -> None:
    associations = allow("ssm:*Association", f"arn:aws:ssm:*:{ACCOUNT}:association/*")
    without = User(sandbox, associations, name="without")
    with denied("AccessDeniedException"):
        without.client("ssm").create_association(**PATCHING)
    document = allow("ssm:CreateAssociation", "arn:aws:ssm:*::document/AWS-RunPatchBaseline")
    User(sandbox, associations, document).client("ssm").create_association(**PATCHING)


def test_rules_and_dashboards_are_judged_by_name(sandbox: Sandbox) -> None:
    """A rule of the default bus has no bus in its ARN, a dashboard no region."""
    user = User(
        sandbox,
        allow("events:*", f"arn:aws:events:us-east-1:{ACCOUNT}:rule/mine-*"),
        allow("cloudwatch:*", f"arn:aws:cloudwatch::{ACCOUNT}:dashboard/mine-*"),
    )
    events, cloudwatch = user.client("events"), user.client("cloudwatch")
    events.put_rule(Name="mine-1", EventPattern='{"source": ["aws.ec2"]}')
    events.put_targets(Rule="mine-1", Targets=[{"Id": "t", "Arn": f"arn:aws:sns:us-east-1:{ACCOUNT}:t"}])
    cloudwatch.put_dashboard(DashboardName="mine-1", DashboardBody='{"widgets": []}')
    cloudwatch.delete_dashboards(DashboardNames=["mine-1"])
    with denied("AccessDeniedException"):
        events.put_rule(Name="other", EventPattern='{"source": ["aws.ec2"]}')
    with denied("AccessDeniedException"):
        events.list_targets_by_rule(Rule="other")
    with denied("AccessDeniedException"):
        cloudwatch.put_dashboard(DashboardName="other", DashboardBody='{"widgets": []}')
