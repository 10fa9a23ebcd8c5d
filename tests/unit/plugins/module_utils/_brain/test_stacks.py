# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ethereal.spot.plugins.module_utils._brain import stacks
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError

BODY = "Resources: {}\n"
STATUSES = botocore.session.get_session().get_service_model("cloudformation").shape_for("StackStatus").enum


def found(status="CREATE_COMPLETE", **changes):
    stack = {
        "name": "gpu-oregon-region",
        "status": status,
        "parameters": {"Prefix": "gpu", "VpcId": "vpc-1"},
        "tags": {"team": "ml", "foreign": "1"},
        "template_hash": stacks.template_hash(BODY),
        "outputs": {},
        "drift": [],
    }
    return {**stack, **changes}


def wanted(**changes):
    return {
        "name": "gpu-oregon-region",
        "template_body": BODY,
        "parameters": {"Prefix": "gpu", "VpcId": "vpc-1"},
        "tags": {"team": "ml"},
        "immutable": ["VpcId"],
        **changes,
    }


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (None, "absent"),
        ("DELETE_COMPLETE", "absent"),
        ("CREATE_COMPLETE", "current"),
        ("UPDATE_COMPLETE", "current"),
        ("UPDATE_ROLLBACK_COMPLETE", "current"),
        ("IMPORT_COMPLETE", "current"),
        ("IMPORT_ROLLBACK_COMPLETE", "current"),
        ("UPDATE_FAILED", "outdated"),
        ("CREATE_IN_PROGRESS", "busy"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "busy"),
        ("UPDATE_ROLLBACK_IN_PROGRESS", "busy"),
        ("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", "busy"),
        ("DELETE_IN_PROGRESS", "busy"),
        ("ROLLBACK_IN_PROGRESS", "busy"),
        ("IMPORT_IN_PROGRESS", "busy"),
        ("IMPORT_ROLLBACK_IN_PROGRESS", "busy"),
        ("UPDATE_IN_PROGRESS", "busy"),
        ("REVIEW_IN_PROGRESS", "dead"),
        ("ROLLBACK_COMPLETE", "dead"),
        ("ROLLBACK_FAILED", "dead"),
        ("CREATE_FAILED", "dead"),
        ("DELETE_FAILED", "delete_failed"),
        ("UPDATE_ROLLBACK_FAILED", "rollback_failed"),
        ("IMPORT_ROLLBACK_FAILED", "rollback_failed"),
    ],
)
def test_verdict_by_status(status, verdict):
    assert stacks.compare(found(status), wanted())["verdict"] == verdict
    # Drift is looked for where, and only where, the stack stands as a template says.
    assert stacks.is_settled(status) == (verdict == "current")


def test_the_table_above_is_complete():
    parameters = test_verdict_by_status.pytestmark[0].args[1]
    assert {status for status, verdict in parameters} - {None} == set(STATUSES)


@pytest.mark.parametrize(
    ("changes", "differences"),
    [
        ({"template_body": "Resources: {A: 1}"}, {"template": True, "parameters": [], "tags": []}),
        ({"template_body": "Resources: {}"}, None),
        ({"template_body": None}, None),
        ({"parameters": {"Prefix": "gpx"}}, {"template": False, "parameters": ["Prefix"], "tags": []}),
        ({"parameters": {"New": 1}}, {"template": False, "parameters": ["New"], "tags": []}),
        ({"parameters": {}}, None),
        ({"tags": {"team": "hpc", "new": "x"}}, {"template": False, "parameters": [], "tags": ["new", "team"]}),
        ({"tags": {}}, None),
    ],
)
def test_only_what_is_wanted_is_compared(changes, differences):
    answer = stacks.compare(found(), wanted(**changes))
    assert answer["verdict"] == ("outdated" if differences else "current")
    if differences:
        assert answer["differences"] == differences


def test_a_template_that_could_not_be_read_is_no_difference():
    assert stacks.compare(found(template_hash=None), wanted())["verdict"] == "current"


@pytest.mark.parametrize(
    ("status", "present", "value", "refused"),
    [
        ("CREATE_COMPLETE", "vpc-1", "vpc-2", True),
        ("CREATE_COMPLETE", "vpc-1", "", True),
        ("CREATE_COMPLETE", "", "vpc-2", False),
        ("CREATE_COMPLETE", "vpc-1", "vpc-1", False),
        ("ROLLBACK_COMPLETE", "vpc-1", "vpc-2", False),
        (None, "vpc-1", "vpc-2", False),
    ],
)
def test_what_cannot_change_is_refused_once_it_is_set(status, present, value, refused):
    answer = stacks.compare(found(status, parameters={"VpcId": present}), wanted(parameters={"VpcId": value}))
    expected = [{"parameter": "VpcId", "found": present, "wanted": value}] if refused else []
    assert answer["refused"] == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (False, "false"), (8000, "8000"), (["a", 1], "a,1"), (None, ""), ("x y", "x y")],
)
def test_parameters_are_text(value, text):
    assert stacks.parameter_text(value) == text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "1gpu"}, "stacks[0].name: '1gpu' must be a letter"),
        ({"name": "a_b"}, "stacks[0].name: 'a_b' must be a letter"),
        ({"name": "a" * 129}, "must be a letter"),
        ({"template_body": ""}, "stacks[0].template_body: '0 bytes' must be 1 to 51200 bytes"),
        ({"template_body": "é" * 25_601}, "stacks[0].template_body: '51202 bytes' must be 1 to 51200 bytes"),
    ],
)
def test_wrong_stacks_are_refused(change, message):
    with pytest.raises(InputError) as error:
        stacks.check_wanted([wanted(**change)])
    assert message in error.value.message


def test_a_stack_is_listed_once():
    with pytest.raises(InputError, match="listed twice"):
        stacks.check_wanted([wanted(), wanted()])


def test_largest_template_is_accepted():
    assert stacks.check_wanted([wanted(template_body="x" * 51_200)])[0]["parameters"]["VpcId"] == "vpc-1"


texts = st.dictionaries(st.sampled_from("abc"), st.sampled_from(["", "1", "2"]))


@given(before=texts, after=texts, immutable=st.lists(st.sampled_from("abc")))
def test_what_was_applied_is_current(before, after, immutable):
    """After an update with what was wanted, nothing differs and nothing is refused."""
    stack = wanted(parameters=after, tags=after, immutable=immutable)
    assert stacks.compare(found(parameters={**before, **after}, tags={**before, **after}), stack) == {
        "verdict": "current",
        "differences": {"template": False, "parameters": [], "tags": []},
        "refused": [],
    }
    answer = stacks.compare(found(parameters=before, tags=before), stack)
    assert (answer["verdict"] == "current") == all(before.get(key) == value for key, value in after.items())
    assert {item["parameter"] for item in answer["refused"]} <= set(immutable) & set(
        answer["differences"]["parameters"]
    )


def event(resource, status, reason="", stack="arn:stack"):
    return {
        "LogicalResourceId": resource,
        "PhysicalResourceId": stack if resource == "Stack" else resource,
        "StackId": stack,
        "ResourceType": f"AWS::X::{resource}",
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
    }


def test_first_failure_is_the_cause():
    newest_first = [
        event("Stack", "UPDATE_ROLLBACK_COMPLETE"),
        event("Stack", "UPDATE_ROLLBACK_IN_PROGRESS", "The following resource(s) failed to create: [MountB, Alias]."),
        event("Alias", "CREATE_FAILED", "Resource creation cancelled"),
        event("MountB", "CREATE_FAILED", "subnet not found"),
        event("MountB", "CREATE_IN_PROGRESS"),
        event("Stack", "UPDATE_IN_PROGRESS", "User Initiated"),
        event("Key", "CREATE_FAILED", "of an earlier operation"),
    ]
    assert stacks.first_failure(newest_first) == {
        "resource": "MountB",
        "type": "AWS::X::MountB",
        "status": "CREATE_FAILED",
        "reason": "subnet not found",
    }
    assert stacks.first_failure(newest_first[-2:]) is None
    assert stacks.first_failure([]) is None


def drifted(kind, status="MODIFIED", resource="R", paths=()):
    return {
        "LogicalResourceId": resource,
        "ResourceType": kind,
        "StackResourceDriftStatus": status,
        "PropertyDifferences": [
            {"PropertyPath": path, "ExpectedValue": "1", "ActualValue": "2", "DifferenceType": "NOT_EQUAL"}
            for path in paths
        ],
    }


def test_drift_leaves_out_what_moves_and_what_is_in_sync():
    drift = stacks.drift_of(
        [
            drifted("AWS::ECS::Service", resource="Moved", paths=["/DesiredCount"]),
            drifted("AWS::ECS::Service", resource="Changed", paths=["/DesiredCount", "/EnableExecuteCommand"]),
            drifted("AWS::EC2::Subnet", "IN_SYNC", "Same"),
            drifted("AWS::EC2::Subnet", "DELETED", "Gone"),
            drifted("AWS::Other::Service", resource="Other", paths=["/DesiredCount"]),
        ]
    )
    assert [(item["resource"], item["status"], [entry["path"] for entry in item["differences"]]) for item in drift] == [
        ("Changed", "MODIFIED", ["/EnableExecuteCommand"]),
        ("Gone", "DELETED", []),
        ("Other", "MODIFIED", ["/DesiredCount"]),
    ]


def test_environment_is_never_shown():
    (item,) = stacks.drift_of(
        [
            drifted(
                "AWS::ECS::TaskDefinition",
                paths=["/ContainerDefinitions/0/Environment/0/Value", "/ContainerDefinitions/0/Environment", "/Family"],
            )
        ]
    )
    assert [(entry["path"], entry["expected"], entry["actual"]) for entry in item["differences"]] == [
        ("/ContainerDefinitions/0/Environment", "(not shown)", "(not shown)"),
        ("/ContainerDefinitions/0/Environment/0/Value", "(not shown)", "(not shown)"),
        ("/Family", "1", "2"),
    ]


def test_probe():
    expected = {"/A": True, "/B": "x"}
    assert stacks.probed_drift("Key", "AWS::KMS::Key", expected, {"/A": True, "/B": "x"}) is None
    assert stacks.probed_drift("Key", "AWS::KMS::Key", expected, None)["status"] == "DELETED"
    drift = stacks.probed_drift("Key", "AWS::KMS::Key", expected, {"/A": False, "/B": "x"})
    assert drift["differences"] == [{"path": "/A", "expected": True, "actual": False}]


@pytest.mark.parametrize(
    ("target", "moves"),
    [
        ({"Path": "/Properties/DesiredCount", "AttributeChangeType": "Modify", "AfterValue": "0"}, True),
        ({"Path": "/Properties/DesiredCount", "AttributeChangeType": "Add"}, True),
        ({"Name": "DesiredCount", "AfterValue": "0"}, True),
        # The template stops naming it: the value stays.
        ({"Path": "/Properties/DesiredCount", "AttributeChangeType": "Remove", "BeforeValue": "0"}, False),
        ({"Path": "/Properties/DesiredCount", "AttributeChangeType": "SyncWithActual"}, False),
        ({"Path": "/Properties/PropagateTags", "AttributeChangeType": "Modify", "AfterValue": "SERVICE"}, False),
    ],
)
def test_change_sets_that_would_move(target, moves):
    change = {
        "ResourceChange": {
            "LogicalResourceId": "Service",
            "ResourceType": "AWS::ECS::Service",
            "Details": [{"Target": {"Attribute": "Properties", **target}}],
        }
    }
    assert stacks.would_move([change]) == (["Service/DesiredCount"] if moves else [])


def test_plan_heal():
    def item(resource, source, status="MODIFIED"):
        paths = [{"path": "/P", "expected": 1, "actual": 2}] if status == "MODIFIED" else []
        return {"resource": resource, "type": "T", "status": status, "differences": paths, "source": source}

    plan = stacks.plan_heal(
        {
            "one": found(drift=[item("A", "cloudformation"), item("B", "cloudformation", "DELETED")]),
            "two": found(drift=[]),
            "three": found(drift=[item("C", "probe"), item("D", "probe", "DELETED")]),
        }
    )
    assert plan == [
        {"stack": "one", "resource": "A", "type": "T", "paths": ["/P"], "how": "change_set"},
        {"stack": "one", "resource": "B", "type": "T", "paths": [], "how": "change_set"},
        {"stack": "three", "resource": "C", "type": "T", "paths": ["/P"], "how": "call"},
    ]
