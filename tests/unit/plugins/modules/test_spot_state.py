# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import re
import threading
from dataclasses import replace
from datetime import UTC
from datetime import datetime
from datetime import timedelta

import botocore.session
import pytest

from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError
from ansible_collections.ethereal.spot.plugins.module_utils._aws.state_store import Store
from ansible_collections.ethereal.spot.plugins.module_utils._brain import ledger
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import EtherealSpotError
from ansible_collections.ethereal.spot.plugins.modules import spot_state

PREFIX = "ethereal"
TABLE = "ethereal-state"
RECORD = {"kind": "region_rank", "inputs": {"places": {"tokyo": "ap-northeast-1"}}, "rule": {"applied": "x"}}
OTHER_PLACEMENT = {"placement": {"us-west-2": {"spot": 9}}, "expected_epoch": 1}
TOKYO = {
    "region": "ap-northeast-1",
    "status": "RUNNING",
    "tasks": 1,
    "instances": [{"instance_id": "i-1"}],
    "reasons": [],
}


@pytest.fixture
def clients(aws):
    session = botocore.session.Session()
    return {name: session.create_client(name, region_name="us-east-1") for name in ("dynamodb", "ssm")}


@pytest.fixture
def table(clients):
    clients["dynamodb"].create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        BillingMode="PAY_PER_REQUEST",
    )
    return clients["dynamodb"]


@pytest.fixture
def spot(aws, run_module):
    def run(check_mode=False, diff=False, **params):
        return run_module(spot_state, {"prefix": PREFIX, "region": "us-east-1", **params}, check_mode, diff)

    return run


def items(table):
    return {(item["pk"]["S"], item["sk"]["S"]): item for item in table.scan(TableName=TABLE)["Items"]}


def parameters(clients):
    found = clients["ssm"].get_parameters_by_path(Path=f"/{PREFIX}")["Parameters"]
    return {parameter["Name"].rpartition("/")[2]: parameter["Value"] for parameter in found}


def race(recorder, spot, wish, other):
    """Run the module, and let another write between its read and its write."""
    once = threading.Lock()

    def interfere(params, region):
        if once.acquire(blocking=False):
            calls = recorder.calls[:]
            assert not spot(**other).failed
            recorder.calls[:] = calls
        return None

    recorder.answer("dynamodb", "TransactWriteItems", interfere)
    return spot(**wish)


def test_an_empty_table_reads_as_an_empty_state_and_nothing_is_written(table, clients, spot):
    result = spot()
    assert (result.failed, result["changed"], result["exists"], result["published"]) == (False, False, True, False)
    assert result["state"] == {
        "epoch": 0,
        "generation": 1,
        "switch": None,
        "placement": {},
        "active_place": None,
        "active_region": None,
        "decision_id": None,
        "status": None,
        "places": {},
        "ledger": [],
        "published": {},
    }
    assert result.mutating == []
    assert (items(table), parameters(clients)) == ({}, {})


def test_a_placement_is_written_with_its_decision_and_published(table, clients, spot):
    wish = {
        "placement": {"tokyo": {"spot": 3}, "oregon": {"spot": 1, "on_demand": 1}, "idle": {"spot": 0}},
        "decision": RECORD,
        "status": "PROVISIONING",
        "initial_switch": False,
        "places": {"tokyo": TOKYO, "oregon": {"region": "us-west-2"}},
    }
    dry = spot(check_mode=True, diff=True, **wish)
    assert dry.mutating == []
    assert items(table) == {}

    result = spot(diff=True, **wish)
    assert (result.failed, result["changed"], result["published"]) == (False, True, True)
    assert result["state"] == dry["state"]
    assert result["diff"] == dry["diff"] == {"before": result["before"], "after": result["after"]}
    assert [change.get("document") or change["parameter"] for change in result["changes"]] == [
        "placement/current",
        f"decision/{result['state']['decision_id']}",
        "switch/current",
        "status/current",
        "place/oregon",
        "place/tokyo",
        "/ethereal/provisioning-enabled",
        "/ethereal/status",
        "/ethereal/region",
        "/ethereal/instances-info",
    ]
    state = result["state"]
    assert (state["epoch"], state["active_place"], state["active_region"]) == (1, "tokyo", "ap-northeast-1")
    assert state["placement"] == {"tokyo": {"spot": 3, "on_demand": 0}, "oregon": {"spot": 1, "on_demand": 1}}
    assert state["decision_id"].startswith("00000001-")
    assert state["places"]["tokyo"] == TOKYO
    assert parameters(clients) == state["published"]
    assert parameters(clients) == {
        "provisioning-enabled": "false",
        "status": "PROVISIONING",
        "region": "ap-northeast-1",
        "instances-info": '{"total":1,"omitted":0,"instances":[{"instance_id":"i-1","place":"tokyo"}]}',
    }
    stored = items(table)
    assert set(stored) == {
        ("placement", "current"),
        ("switch", "current"),
        ("status", "current"),
        ("decision", state["decision_id"]),
        ("place", "tokyo"),
        ("place", "oregon"),
    }
    for item in stored.values():
        assert (item["schema_version"], item["generation"], item["epoch"]) == ({"N": "1"}, {"N": "1"}, {"N": "1"})
    assert stored["placement", "current"]["placement"]["M"]["tokyo"] == {
        "M": {"spot": {"N": "3"}, "on_demand": {"N": "0"}}
    }
    assert int(stored["decision", state["decision_id"]]["expires_at"]["N"]) > 1_700_000_000
    assert result.operations("dynamodb").count("TransactWriteItems") == 1

    again = spot(**wish)
    assert (again.failed, again["changed"], again["changes"], again.mutating) == (False, False, [], [])


def test_each_new_placement_is_a_new_epoch(table, spot):
    spot(placement={"us-east-1": {"spot": 1}})
    result = spot(placement={"us-west-2": {"spot": 1}}, expected_epoch=1, decision=RECORD)
    assert (result["state"]["epoch"], result["state"]["active_region"]) == (2, "us-west-2")
    result = spot(placement={}, expected_epoch=2)
    assert (result["state"]["epoch"], result["state"]["placement"]) == (3, {})
    assert (result["state"]["active_place"], result["state"]["active_region"], result["state"]["decision_id"]) == (
        None,
    ) * 3
    assert "region" not in result["state"]["published"]
    assert result["changes"][-1] == {
        "view": "region",
        "parameter": "/ethereal/region",
        "before": "us-west-2",
        "after": None,
    }


def test_a_placement_decided_from_an_older_epoch_is_refused(table, clients, spot):
    spot(placement={"us-east-1": {"spot": 1}})
    spot(placement={"us-west-2": {"spot": 1}}, expected_epoch=1)
    before = items(table)
    result = spot(placement={"eu-west-1": {"spot": 1}}, expected_epoch=1, status="FAILED")
    assert result.failed
    assert "expected_epoch: 1 was decided from, but the state is at epoch 2" in result["msg"]
    assert "Read the state again" in result["msg"]
    assert (result["expected_epoch"], result["epoch"], result.mutating) == (1, 2, [])
    assert items(table) == before
    assert spot(status="FAILED", expected_epoch=1).failed
    assert spot(status="FAILED", expected_epoch=2)["changed"]


def test_a_placement_needs_the_epoch_unless_there_is_none(table, spot):
    assert not spot(placement={"us-east-1": {"spot": 1}}, expected_epoch=0).failed
    result = spot(placement={"us-west-2": {"spot": 1}})
    assert result.failed
    assert "expected_epoch: None must be given to change a placement; the state is at epoch 1" in result["msg"]
    # The same placement changes nothing, so there is nothing to protect.
    assert not spot(placement={"us-east-1": {"spot": 1}})["changed"]


def test_somebody_who_writes_in_between_wins_and_a_placement_is_refused(table, recorder, spot):
    spot(placement={"us-east-1": {"spot": 1}})
    result = race(recorder, spot, {"placement": {"eu-west-1": {"spot": 2}}, "expected_epoch": 1}, OTHER_PLACEMENT)
    assert result.failed
    assert "expected_epoch: 1 was decided from, but the state is at epoch 2" in result["msg"]
    assert spot()["state"]["placement"] == {"us-west-2": {"spot": 9, "on_demand": 0}}


def test_a_status_lost_in_a_race_is_written_on_top_of_what_the_other_wrote(table, recorder, spot):
    spot(placement={"us-east-1": {"spot": 1}}, places={"tokyo": TOKYO})
    result = race(recorder, spot, {"places": {"tokyo": {"tasks": 5}}}, {"places": {"tokyo": {"status": "LOST"}}})
    assert not result.failed
    assert result.operations("dynamodb").count("TransactWriteItems") == 2
    assert result["state"]["places"]["tokyo"] == {**TOKYO, "status": "LOST", "tasks": 5}
    assert spot()["state"]["places"]["tokyo"] == {**TOKYO, "status": "LOST", "tasks": 5}


def test_a_status_decided_before_a_placement_is_decided_anew(table, recorder, spot):
    spot(placement={"us-east-1": {"spot": 1}})
    result = race(recorder, spot, {"status": "COMPLETED"}, OTHER_PLACEMENT)
    assert (result.failed, result["state"]["epoch"], result["state"]["status"]) == (False, 2, "COMPLETED")
    assert items(table)["status", "current"]["epoch"] == {"N": "2"}


def test_a_race_lost_again_and_again_is_told(table, recorder, spot):
    spot(placement={"us-east-1": {"spot": 1}})
    count = iter(range(100))

    def interfere(params, region):
        table.put_item(
            TableName=TABLE,
            Item={
                **{
                    name: {"S": value}
                    for name, value in {"pk": "status", "sk": "current", "status": f"{next(count)}"}.items()
                },
                **{name: {"N": "1"} for name in ("schema_version", "generation", "epoch")},
            },
        )

    recorder.answer("dynamodb", "TransactWriteItems", interfere)
    result = spot(status="FAILED")
    assert result.failed
    assert "could not write the state: ConditionalCheckFailed" in result["msg"]
    assert result.operations("dynamodb").count("TransactWriteItems") == 5
    assert result.operations("ssm") == ["GetParameters"]


def test_a_conflict_with_another_transaction_is_tried_again(table, recorder, spot, aws_error):
    refusals = iter([True])

    def conflict(params, region):
        if next(refusals, False):
            error = aws_error("TransactionCanceledException")
            error.response["CancellationReasons"] = [{"Code": "TransactionConflict"}, {"Code": "None"}]
            raise error

    recorder.answer("dynamodb", "TransactWriteItems", conflict)
    result = spot(status="FAILED")
    assert not result.failed
    assert result.operations("dynamodb").count("TransactWriteItems") == 2


def test_other_refusals_are_not_tried_again(table, recorder, spot, aws_error):
    error = aws_error("TransactionCanceledException")
    error.response["CancellationReasons"] = [{"Code": "ValidationError", "Message": "Item size is too large"}]
    recorder.answer("dynamodb", "TransactWriteItems", error)
    result = spot(status="FAILED")
    assert result["msg"] == "could not write the state: ValidationError: Item size is too large"
    assert result["request_id"] == "request-1"
    assert result.operations("dynamodb").count("TransactWriteItems") == 1


def test_the_initial_switch_never_turns_one_that_is_there(table, clients, spot):
    assert spot(initial_switch=True)["state"]["switch"] is True
    assert parameters(clients)["provisioning-enabled"] == "true"
    result = spot(initial_switch=False)
    assert (result["changed"], result["state"]["switch"]) == (False, True)
    result = spot(switch=False)
    assert (result["changed"], result["state"]["switch"]) == (True, False)
    assert parameters(clients)["provisioning-enabled"] == "false"
    assert not spot(initial_switch=True)["changed"]


def test_an_initial_switch_that_is_there_publishes_nothing(table, clients, spot):
    """The control plane may be between its write and its publication: reading the state is not the time to interfere."""
    spot(switch=True)
    clients["ssm"].put_parameter(Name="/ethereal/provisioning-enabled", Value="false", Type="String", Overwrite=True)
    result = spot(initial_switch=True)
    assert (result["changed"], result["published"], result.mutating) == (False, False, [])


def test_places_are_merged_and_removed(table, spot):
    spot(places={"tokyo": TOKYO, "oregon": {"region": "us-west-2"}})
    result = spot(places={"tokyo": {"status": "IDLE", "instances": []}, "oregon": None, "never": None})
    assert result["state"]["places"] == {"tokyo": {**TOKYO, "status": "IDLE", "instances": []}}
    assert set(items(table)) == {("place", "tokyo")}
    assert not spot(places={"tokyo": {"status": "IDLE"}, "oregon": None})["changed"]


def test_a_decision_alone_is_kept_once(table, spot):
    first = spot(decision=RECORD)
    assert (first["changed"], len(items(table)), first["state"]["epoch"]) == (True, 1, 0)
    assert not spot(decision=dict(reversed(RECORD.items())))["changed"]
    assert spot(decision={**RECORD, "more": 1})["changed"]
    assert len(items(table)) == 2


def test_a_decision_for_the_placement_in_force_is_not_kept_again(table, spot):
    spot(placement={"us-east-1": {"spot": 1}}, decision=RECORD)
    result = spot(placement={"us-east-1": {"spot": 1}}, decision={**RECORD, "prices": "others"}, expected_epoch=1)
    assert not result["changed"]


def test_the_table_holds_every_value_exactly(table, spot):
    document = {
        "text": "ü",
        "none": None,
        "yes": True,
        "number": 12345678901234567890,
        "nested": [{"a": [1, "b", False]}],
    }
    assert spot(places={"tokyo": document})["state"]["places"]["tokyo"] == document
    assert spot()["state"]["places"]["tokyo"] == document
    assert not spot(places={"tokyo": document})["changed"]


def test_a_document_of_a_newer_collection_is_refused(table, spot):
    spot(status="COMPLETED")
    table.update_item(
        TableName=TABLE,
        Key={"pk": {"S": "status"}, "sk": {"S": "current"}},
        UpdateExpression="SET schema_version = :two",
        ExpressionAttributeValues={":two": {"N": "2"}},
    )
    for params in ({}, {"switch": True}):
        result = spot(**params)
        assert "the state's document status/current has schema_version 2, this collection knows 1" in result["msg"]
        assert result.mutating == []


def test_a_newer_generation_is_carried_on(table, spot):
    spot(switch=True)
    table.update_item(
        TableName=TABLE,
        Key={"pk": {"S": "switch"}, "sk": {"S": "current"}},
        UpdateExpression="SET generation = :two",
        ExpressionAttributeValues={":two": {"N": "2"}},
    )
    result = spot(placement={"us-east-1": {"spot": 1}})
    assert result["state"]["generation"] == 2
    assert items(table)["placement", "current"]["generation"] == {"N": "2"}


def test_without_a_table_reading_says_so_and_writing_fails(clients, spot):
    result = spot()
    assert (result.failed, result["exists"], result["changed"], result["state"]["epoch"]) == (False, False, False, 0)
    result = spot(switch=True)
    assert result.failed
    assert "there is no table ethereal-state in us-east-1" in result["msg"]
    assert result.mutating == []


def test_without_a_table_check_mode_predicts(clients, spot):
    result = spot(check_mode=True, initial_switch=False, placement={"us-east-1": {"spot": 2}}, decision=RECORD)
    assert (result.failed, result["exists"], result["changed"]) == (False, False, True)
    assert (result["state"]["switch"], result["state"]["epoch"]) == (False, 1)
    assert result["state"]["published"]["region"] == "us-east-1"
    assert result.mutating == []


def test_a_publication_that_fails_says_that_the_state_is_written_and_the_next_run_publishes(
    table, clients, recorder, spot, aws_error
):
    def deny(params, region):
        if params["Name"] == "/ethereal/region":
            raise aws_error("AccessDeniedException", "no")

    recorder.answer("ssm", "PutParameter", deny)
    wish = {"placement": {"us-east-1": {"spot": 1}}, "expected_epoch": 0, "status": "PROVISIONING"}
    result = spot(**wish)
    assert (result.failed, result["changed"], result["published"]) == (True, True, False)
    assert result["msg"] == (
        "could not publish a parameter: AccessDeniedException: no. Written before: placement/current, status/current, "
        "/ethereal/status. Run again to publish the rest"
    )
    assert result["written"] == ["placement/current", "status/current", "/ethereal/status"]
    assert result["state"]["epoch"] == 1
    assert result["state"]["published"] == {"status": "PROVISIONING"}
    assert result["request_id"] == "request-1"

    recorder.answer("ssm", "PutParameter", lambda params, region: None)
    result = spot(**wish)
    assert (result.failed, result["changed"], result["published"]) == (False, True, True)
    assert parameters(clients)["region"] == "us-east-1"
    assert "TransactWriteItems" not in result.operations()


def test_parameters_that_cannot_be_read_fail_before_the_state_is_written(table, recorder, spot, aws_error):
    recorder.answer("ssm", "GetParameters", aws_error("AccessDeniedException"))
    result = spot(status="FAILED")
    assert result.failed
    assert (result.mutating, items(table)) == ([], {})
    result = spot(status="FAILED", publish=False)
    assert (result.failed, result["published"], result["state"]["published"]) == (False, None, None)


def test_only_views_that_differ_are_written(table, spot):
    spot(switch=True, status="COMPLETED")
    result = spot(status="FAILED")
    assert [call.params["Name"] for call in result.mutating if call.service == "ssm"] == ["/ethereal/status"]
    assert not spot(publish=True)["changed"]


def test_publishing_alone_repairs_what_somebody_changed(table, clients, spot):
    spot(switch=True)
    clients["ssm"].put_parameter(Name="/ethereal/provisioning-enabled", Value="false", Type="String", Overwrite=True)
    result = spot()
    assert (result["published"], result["changed"]) == (False, False)
    result = spot(publish=True)
    assert (result["published"], result["changed"]) == (True, True)
    assert parameters(clients)["provisioning-enabled"] == "true"


@pytest.mark.parametrize("count", [0, 45, 46, 500])
def test_any_number_of_instances_can_be_published(table, clients, spot, count):
    """The reference fails at 45 instances and tears the fleet down."""
    instances = [
        {"instance_id": f"i-{n:017x}", "private_ip": f"10.0.{n // 250}.{n % 250}", "zone": "us-east-1a"}
        for n in range(count)
    ]
    result = spot(places={"us-east-1": {"instances": instances}})
    assert not result.failed
    value = parameters(clients)["instances-info"]
    view = json.loads(value)
    assert len(value.encode()) <= 4096
    assert (view["total"], view["omitted"] + len(view["instances"])) == (count, count)
    assert bool(view["omitted"]) == ("warnings" in result)
    if view["omitted"]:
        assert len(value.encode()) > 3900
        assert result["warnings"] == [
            f"the parameter instances-info has no room for {view['omitted']} of the instances"
        ]
    assert spot(places={"us-east-1": {"instances": []}})["state"]["published"]["instances-info"] == (
        '{"total":0,"omitted":0,"instances":[]}'
    )


def test_absent_deletes_the_parameters_and_leaves_the_table(table, clients, spot):
    spot(switch=True, placement={"us-east-1": {"spot": 1}}, status="COMPLETED")
    before = items(table)
    dry = spot(check_mode=True, state="absent")
    assert (dry["changed"], dry.mutating) == (True, [])
    result = spot(state="absent")
    assert (result.failed, result["changed"], result["state"]["published"]) == (False, True, {})
    assert [call.operation for call in result.mutating] == ["DeleteParameters"]
    assert (parameters(clients), items(table)) == ({}, before)
    assert not spot(state="absent")["changed"]


def test_absent_works_without_a_table(clients, spot):
    clients["ssm"].put_parameter(Name="/ethereal/status", Value="COMPLETED", Type="String")
    result = spot(state="absent")
    assert (result.failed, result["changed"], result["exists"]) == (False, True, False)
    assert parameters(clients) == {}


def failure(code="InsufficientInstanceCapacity", ago=60, **more):
    """As spot_placement returns one, with what only the caller knows."""
    moment = datetime.now(UTC) - timedelta(seconds=ago)
    return {
        "code": code,
        "message": "There is no Spot capacity available.",
        "market": "spot",
        "zone": "us-west-2a",
        "time": moment.isoformat(),
        "place": "oregon",
        "region": "us-west-2",
        **more,
    }


def launched(ago=0, **more):
    moment = datetime.now(UTC) - timedelta(seconds=ago)
    return {
        "instance_type": "g5.xlarge",
        "lifecycle": "spot",
        "zone": "us-west-2a",
        "launch_time": moment.isoformat(),
        "place": "oregon",
        "region": "us-west-2",
        **more,
    }


def stored_ledger(table):
    return {sk: item for (pk, sk), item in items(table).items() if pk == "ledger"}


KEY = "pool/oregon/us-west-2a/*/spot"


def test_a_failure_is_remembered_once_and_forgotten_by_a_success(table, recorder, spot):
    failed = failure()
    last = int(datetime.fromisoformat(failed["time"]).timestamp())
    dry = spot(check_mode=True, failures=[failed])
    assert (dry["changed"], dry.mutating, items(table)) == (True, [], {})

    result = spot(failures=[failed], publish=False)
    assert (result.failed, result["changed"]) == (False, True)
    assert result.operations("dynamodb") == ["TransactGetItems", "Query", "Query", "TransactWriteItems"]
    (entry,) = result["state"]["ledger"]
    assert entry.pop("sentence").startswith(
        "oregon us-west-2a spot: no capacity (InsufficientInstanceCapacity), barred"
    )
    assert entry == {
        "key": KEY,
        "scope": "pool",
        "code": "InsufficientInstanceCapacity",
        "message": "There is no Spot capacity available.",
        "count": 1,
        "first": last,
        "last": last,
        "expires": last + 300,
        "shortage": True,
    }
    assert result["before"]["ledger"] == []
    assert [change["document"] for change in result["changes"]] == ["remembered/current", f"ledger/{KEY}"]
    (item,) = stored_ledger(table).values()
    assert item["expires_at"] == {"N": str(last + 600)}
    assert (item["schema_version"], item["generation"], item["epoch"]) == ({"N": "1"}, {"N": "1"}, {"N": "0"})

    again = spot(failures=[failed])
    assert (again["changed"], again.mutating) == (False, [])
    (entry,) = spot(failures=[failure(ago=10)])["state"]["ledger"]
    assert (entry["count"], entry["first"], entry["expires"] - entry["last"]) == (2, last, 600)

    for other in (launched(ago=30), launched(zone="us-west-2b"), launched(lifecycle="on-demand")):
        assert spot(successes=[other]).mutating == []
    dry = spot(check_mode=True, successes=[launched()])
    assert (dry["changed"], dry["state"]["ledger"], len(stored_ledger(table))) == (True, [], 1)
    result = spot(successes=[launched()])
    assert (result["changed"], result["state"]["ledger"]) == (True, [])
    assert items(table) == {}
    assert spot(successes=[launched()])["changed"] is False


def test_the_ledger_is_read_while_it_says_anything(table, spot):
    """Nothing to remember and nothing to forget costs no call."""
    for params in ({}, {"failures": [], "successes": []}, {"successes": [launched()]}):
        result = spot(**params)
        assert (result["state"]["ledger"], result.operations("dynamodb")) == ([], ["TransactGetItems", "Query"])
    spot(failures=[failure()])
    result = spot()
    assert ([entry["key"] for entry in result["state"]["ledger"]], result["changed"]) == ([KEY], False)
    assert result.operations("dynamodb") == ["TransactGetItems", "Query", "Query"]
    spot(successes=[launched()])
    assert spot().operations("dynamodb") == ["TransactGetItems", "Query"]
    spot(failures=[failure(ago=299)])
    table.update_item(
        TableName=TABLE,
        Key={"pk": {"S": "remembered"}, "sk": {"S": "current"}},
        UpdateExpression="SET #until = :past",
        ExpressionAttributeNames={"#until": "until"},
        ExpressionAttributeValues={":past": {"N": "1"}},
    )
    assert spot().operations("dynamodb") == ["TransactGetItems", "Query"]
    # An old entry that DynamoDB has not removed yet is in nobody's way.
    (entry,) = spot(failures=[failure(ago=5)])["state"]["ledger"]
    assert entry["count"] == 2


def test_what_has_expired_is_not_shown_and_still_counts(table, spot):
    spot(failures=[failure(ago=310)])
    assert spot()["state"]["ledger"] == []
    (entry,) = spot(failures=[failure(ago=5)])["state"]["ledger"]
    assert entry["count"] == 2


def test_denied_and_throttled_launches_are_told_and_are_no_shortage(table, spot):
    told = spot(
        failures=[
            failure(code, ago=5) for code in ("UnauthorizedOperation", "RequestLimitExceeded", "VcpuLimitExceeded")
        ]
    )
    assert {entry["key"]: (entry["scope"], entry["shortage"]) for entry in told["state"]["ledger"]} == {
        "account/us-west-2": ("account", False),
        "region-family/us-west-2/oregon/*/on_demand": ("region-family", False),
        "throttle/us-west-2": ("throttle", False),
    }


def test_failures_that_two_runs_tell_at_once_are_both_counted(table, recorder, spot):
    result = race(recorder, spot, {"failures": [failure(ago=5)]}, {"failures": [failure(ago=20)]})
    assert not result.failed
    assert result.operations("dynamodb").count("TransactWriteItems") == 2
    (entry,) = spot()["state"]["ledger"]
    assert entry["count"] == 2


def test_more_than_a_transaction_holds_is_cut(table, spot):
    failures = [failure(zone=None, instance_type=f"g5.{number}xlarge") for number in range(120)]
    result = spot(failures=failures, status="COMPLETED")
    assert not result.failed
    assert (len(stored_ledger(table)), result["state"]["status"]) == (97, "COMPLETED")
    assert spot(failures=failures)["changed"]
    assert len(stored_ledger(table)) == 120
    assert not spot(failures=failures)["changed"]


def test_a_decider_reads_the_ledger_in_one_query(table, recorder, spot):
    spot(failures=[failure(), failure(zone="us-west-2b", ago=700)])
    now = int(datetime.now(UTC).timestamp())
    client = botocore.session.Session().create_client("dynamodb", region_name="us-east-1")
    first = len(recorder.calls)
    found = Store(client, PREFIX).ledger(now)
    assert [call.operation for call in recorder.calls[first:]] == ["Query"]
    asked = ledger.Pool("oregon", "us-west-2", "us-west-2a", "g6.xlarge", "spot")
    assert ledger.barred(found, ledger.keys_of(asked), now).code == "InsufficientInstanceCapacity"
    assert ledger.barred(found, ledger.keys_of(replace(asked, zone="us-west-2b")), now) is None
    assert Store(client, PREFIX).ledger(now + 10_000) == {}


def test_a_decider_without_a_table_remembers_nothing(clients, aws_error, recorder):
    store = Store(clients["dynamodb"], PREFIX)
    assert (store.ledger(0), store.exists) == ({}, False)


def test_a_ledger_that_cannot_be_read_is_an_error(aws_error, recorder):
    client = botocore.session.Session().create_client("dynamodb", region_name="us-east-1")
    recorder.answer("dynamodb", "Query", aws_error("AccessDeniedException", "no"))
    with pytest.raises(AwsError, match="could not read the state: AccessDeniedException: no"):
        Store(client, PREFIX).ledger(0)


@pytest.mark.parametrize(
    ("expression", "value", "message"),
    [
        ("SET schema_version = :value", {"N": "2"}, f"the state's document ledger/{KEY} has schema_version 2"),
        ("SET expires = :value", {"S": "soon"}, "an entry of the failure ledger has expires 'soon', int is expected"),
    ],
)
def test_an_entry_of_another_collection_is_refused(table, clients, spot, expression, value, message):
    spot(failures=[failure()])
    table.update_item(
        TableName=TABLE,
        Key={"pk": {"S": "ledger"}, "sk": {"S": KEY}},
        UpdateExpression=expression,
        ExpressionAttributeValues={":value": value},
    )
    assert message in spot()["msg"]
    assert message in spot(successes=[launched()])["msg"]
    with pytest.raises(EtherealSpotError, match=re.escape(message)):
        Store(clients["dynamodb"], PREFIX).ledger(0)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"prefix": "aws-x"}, "prefix: 'aws-x' must not start with aws"),
        ({"placement": {"Tokyo!": {"spot": 1}}}, "placement: 'Tokyo!' must match"),
        ({"placement": {"tokyo": 3}}, "placement.tokyo: 3 must be a mapping"),
        ({"placement": {"tokyo": {"spott": 1}}}, "placement.tokyo.spott: 1 is unknown; known are spot and on_demand"),
        ({"placement": {"tokyo": {"spot": -1}}}, "placement.tokyo.spot: -1 must be a whole number from 0"),
        ({"placement": {"tokyo": {"spot": True}}}, "placement.tokyo.spot: True must be a whole number"),
        ({"placement": {"tokyo": {"spot": 1.5}}}, "placement.tokyo.spot: 1.5 must be a whole number"),
        (
            {"placement": {"tokyo": {"spot": 1}}},
            "placement: 'tokyo' has no known region: give it as places.<place>.region",
        ),
        ({"expected_epoch": -1, "placement": {}}, "expected_epoch: -1 must be a whole number"),
        ({"decision": {"price": 0.5}}, "decision.price: 0.5 must be a string, since a fraction has no exact form"),
        ({"decision": {"list": [{"n": 10**40}]}}, "decision.list[0].n: 1"),
        ({"decision": {"x": "y" * 300_001}}, "decision: '300002 bytes' is over the limit"),
        ({"places": {"tokyo": {"pk": "x"}}}, "places.tokyo.pk: 'pk' is not a name"),
        ({"places": {"tokyo": {"epoch": 3}}}, "places.tokyo.epoch: 'epoch' is not a name"),
        ({"places": {"tokyo": {"region": "Tokyo"}}}, "places.tokyo.region: 'Tokyo' is not a region's name"),
        ({"places": {"tokyo": {"instances": {"a": 1}}}}, "places.tokyo.instances: {'a': 1} must be a list"),
        ({"places": {"tokyo": "RUNNING"}}, "places.tokyo: 'RUNNING' must be a mapping"),
        ({"places": {f"p{n}": {} for n in range(91)}}, "places: 91 places are given, limit 90"),
        ({"failures": [{"place": "tokyo"}]}, "failures[0].code: None must be a text"),
        ({"failures": [{"zonee": "x"}]}, "failures[0].zonee: 'x' is unknown"),
        ({"successes": [{"place": "tokyo"}]}, "successes[0].lifecycle: None must be spot or on-demand"),
        ({"state": "absent", "failures": []}, "state: 'absent' cannot be combined with failures"),
        ({"status": "SLEEPING"}, "value of status must be one of"),
        ({"switch": True, "initial_switch": True}, "mutually exclusive"),
        ({"state": "absent", "switch": True}, "state: 'absent' cannot be combined with switch"),
    ],
)
def test_bad_input_writes_nothing(table, spot, params, message):
    result = spot(**params)
    assert result.failed
    assert message in result["msg"]
    assert result.mutating == []
