#!/usr/bin/python
# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: spot_state
version_added: 0.1.0
short_description: Read and write a deployment's state, and publish it
description:
  - Reads the state of a deployment from its table in the hub's region and changes what the options ask for. Without an option that
    writes, it only reads.
  - All documents of one run are written in one transaction, and only if they are still as they were when the run decided. Content
    that does not differ is not written.
  - Each new placement raises the epoch by one. A placement that was decided from an older epoch is refused.
  - Publishes the state as parameters C(/<prefix>/provisioning-enabled), C(/<prefix>/status), C(/<prefix>/region) and
    C(/<prefix>/instances-info) in the same region, for those who only read. They are written only where they differ.
  - A state that cannot be published is written all the same - the module then fails, says what was written, and a second run
    publishes.
  - The table itself comes with the hub's stack, and stays with it.
  - Needs the IAM actions C(dynamodb:GetItem), C(dynamodb:Query), C(ssm:GetParameters) to read; C(dynamodb:PutItem),
    C(dynamodb:DeleteItem), C(dynamodb:ConditionCheckItem), C(ssm:PutParameter) and C(ssm:DeleteParameters) to write.
author:
  - Ethereal Spot contributors (@ethereal-spot)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - ethereal.spot.attributes
attributes:
  check_mode:
    support: full
    details:
      - Where the table does not exist yet, check mode predicts from an empty state.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  prefix:
    description: The deployment.
    type: str
    required: true
  state:
    description:
      - V(present) reads and writes.
      - V(absent) deletes the published parameters. The table is left to its stack.
    type: str
    choices: [present, absent]
    default: present
  switch:
    description: Turn provisioning by the control plane on or off.
    type: bool
  initial_switch:
    description: As O(switch), but only if the state has no switch yet. A switch that an operator has set stays.
    type: bool
  placement:
    description:
      - Replicas by place, each a mapping with C(spot) and C(on_demand), both V(0) unless given. A place with none of either can be
        left out; an empty mapping places nothing.
      - The place with most replicas, of equals the first by name, is the active place. Its region is taken from
        O(places), the state, C(inputs.places) of O(decision), or the place's name, in this order.
    type: dict
  expected_epoch:
    description:
      - The RV(state.epoch) that the caller decided from. If the state has moved on, the run fails and writes nothing.
      - Required to change a placement, unless there is none.
    type: int
  decision:
    description:
      - The record of the decision that led to O(placement), such as RV(ethereal.spot.spot_region_rank#module:record). It is kept
        for 90 days under an ID made of the epoch and the record's hash, and only if O(placement) differs from the one in force.
      - Without O(placement), the record is kept for itself.
    type: dict
  places:
    description:
      - Status documents by place, merged field by field into what the state has. V(null) removes a place's document.
      - Common fields are C(region), C(status), C(instances) (a list of mappings with C(instance_id), C(instance_type),
        C(lifecycle), C(zone), C(private_ip), C(public_ip)), C(tasks), C(cold_starts) (a list of mappings with C(instance_id) and
        C(seconds) from its launch to its first task) and C(reasons).
      - Numbers with a fraction must be strings.
    type: dict
  status:
    description: The status of the whole, as published.
    type: str
    choices: [PROVISIONING, COMPLETED, NOTAVAILABLE, FAILED, DISABLED]
  failures:
    description:
      - Failed launches to remember, such as RV(ethereal.spot.spot_placement#module:failures), each with C(place) and C(region).
        Fields are C(code), C(message), C(market) (V(spot) or V(on-demand)), C(zone), C(instance_type) and C(time); others that
        these modules return are left aside. C(instance_types) may name the types that were asked for, for a quota's failure
        that names none.
      - A failure is remembered by how far its code reaches - a pool (type, zone and market), a zone, a quota's family of types in
        a region and market, a region, the account, or the place's configuration. It expires, later with each repetition.
      - One that was told before, by its C(time), is not counted again. One that C(recovered) is left out. Throttled calls are
        told, and bar nothing.
    type: list
    elements: dict
  successes:
    description:
      - Launched instances, such as RV(ethereal.spot.spot_placement#module:instances), each with C(place) and C(region). Fields are
        C(lifecycle) (V(spot) or V(on-demand)), C(zone), C(instance_type) and C(launch_time); others that these modules return are
        left aside.
      - What an instance disproves is forgotten, if it was launched after the failure.
    type: list
    elements: dict
  publish:
    description:
      - Whether to bring the published parameters in line with the state.
      - By default, if O(switch), O(placement), O(places) or O(status) is given, or the state changes.
    type: bool
"""

EXAMPLES = r"""
- name: Read the state
  ethereal.spot.spot_state:
    region: us-east-1
    prefix: ethereal
  register: current

- name: Place the workload where it was ranked best
  ethereal.spot.spot_state:
    region: us-east-1
    prefix: ethereal
    placement:
      us-west-2: {spot: 4, on_demand: 0}
    expected_epoch: "{{ current.state.epoch }}"
    decision: "{{ ranked.record }}"
    status: PROVISIONING

- name: Say what runs in a place, and publish it
  ethereal.spot.spot_state:
    region: us-east-1
    prefix: ethereal
    status: COMPLETED
    places:
      us-west-2:
        region: us-west-2
        status: RUNNING
        instances:
          - {instance_id: i-0123456789abcdef0, private_ip: 10.0.0.123}
        tasks: 1

- name: Remember why a place could not serve
  ethereal.spot.spot_state:
    region: us-east-1
    prefix: ethereal
    failures:
      - place: us-west-2
        region: us-west-2
        code: InsufficientInstanceCapacity
        message: There is no Spot capacity available that matches your request.
        market: spot
        zone: us-west-2a
        time: "2026-01-01T10:02:00+00:00"

- name: Switch provisioning off
  ethereal.spot.spot_state:
    region: us-east-1
    prefix: ethereal
    switch: false

- name: Publish again what somebody has changed by hand
  ethereal.spot.spot_state:
    region: us-east-1
    prefix: ethereal
    publish: true

- name: Delete the published parameters
  ethereal.spot.spot_state:
    region: us-east-1
    prefix: ethereal
    state: absent
"""

RETURN = r"""
state:
  description: The state after the run; in check mode, as it would be.
  returned: always, unless the input is wrong
  type: dict
  contains:
    epoch:
      description: How often the placement has changed. 0 while there is none.
      returned: always
      type: int
      sample: 3
    generation:
      description: The generation of the hub, which rises when a new hub takes over.
      returned: always
      type: int
      sample: 1
    switch:
      description: Whether the control plane provisions; null if nobody has said.
      returned: always
      type: bool
      sample: false
    placement:
      description: Replicas by place; empty if nothing is placed.
      returned: always
      type: dict
      sample: {us-west-2: {spot: 4, on_demand: 0}}
    active_place:
      description: The place with most replicas, null if nothing is placed.
      returned: always
      type: str
      sample: us-west-2
    active_region:
      description: The active place's region.
      returned: always
      type: str
      sample: us-west-2
    decision_id:
      description: The ID of the record that led to the placement.
      returned: always
      type: str
      sample: 00000003-5f2c9a7714be
    status:
      description: The status of the whole, null if nobody has said.
      returned: always
      type: str
      sample: COMPLETED
    places:
      description: Status documents by place.
      returned: always
      type: dict
      sample: {us-west-2: {region: us-west-2, status: RUNNING, tasks: 1}}
    ledger:
      description: The failed launches that are remembered and have not expired, by key.
      returned: always
      type: list
      elements: dict
      contains:
        key:
          description: What the failure reaches.
          returned: always
          type: str
        scope:
          description: How far that is.
          returned: always
          type: str
        code:
          description: AWS's error code.
          returned: always
          type: str
        message:
          description: What AWS said last.
          returned: always
          type: str
        count:
          description: How often it came again while it was remembered.
          returned: always
          type: int
        first:
          description: When it was first seen, in seconds since 1970.
          returned: always
          type: int
        last:
          description: When it was last seen, in seconds since 1970.
          returned: always
          type: int
        expires:
          description: When a try is worth it again, in seconds since 1970.
          returned: always
          type: int
        shortage:
          description: Whether AWS lacks capacity. Quotas, prices, denials and throttled calls are none.
          returned: always
          type: bool
        sentence:
          description: All of it for a person.
          returned: always
          type: str
      sample:
        - key: pool/us-west-2/us-west-2a/*/spot
          scope: pool
          code: InsufficientInstanceCapacity
          message: There is no Spot capacity available that matches your request.
          count: 1
          first: 1767261720
          last: 1767261720
          expires: 1767262020
          shortage: true
          sentence: >-
            us-west-2 us-west-2a spot: no capacity (InsufficientInstanceCapacity), barred until 2026-01-01 10:07:00 UTC (5 min):
            There is no Spot capacity available that matches your request.
    published:
      description: The published parameters by their last name; null with O(publish=false).
      returned: always
      type: dict
      sample: {provisioning-enabled: "false", region: us-west-2, status: COMPLETED}
before:
  description: As RV(state), before the run.
  returned: always, unless the input is wrong
  type: dict
  sample: {epoch: 2}
after:
  description: The same as RV(state).
  returned: always, unless the input is wrong
  type: dict
  sample: {epoch: 3}
changes:
  description: The documents and parameters that differ, each with its content C(before) and C(after); null is absent.
  returned: always, unless the input is wrong
  type: list
  elements: dict
  sample:
    - {document: switch/current, before: {enabled: true}, after: {enabled: false}}
    - {parameter: /ethereal/provisioning-enabled, view: provisioning-enabled, before: "true", after: "false"}
exists:
  description: Whether the table exists.
  returned: always, unless the input is wrong
  type: bool
  sample: true
published:
  description: Whether the published parameters say what RV(state) says; null with O(publish=false) and O(state=absent).
  returned: always, unless the input is wrong
  type: bool
  sample: true
written:
  description: The documents and parameters that were written before a publication failed.
  returned: if publishing fails
  type: list
  elements: str
  sample: [switch/current]
"""

from datetime import UTC
from datetime import datetime
from typing import Any
from typing import NoReturn

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError
from ansible_collections.ethereal.spot.plugins.module_utils._aws.state_store import Publication
from ansible_collections.ethereal.spot.plugins.module_utils._aws.state_store import Store
from ansible_collections.ethereal.spot.plugins.module_utils._brain import launch_errors
from ansible_collections.ethereal.spot.plugins.module_utils._brain import launch_outcomes
from ansible_collections.ethereal.spot.plugins.module_utils._brain import ledger
from ansible_collections.ethereal.spot.plugins.module_utils._brain import state
from ansible_collections.ethereal.spot.plugins.module_utils._brain import state_checks
from ansible_collections.ethereal.spot.plugins.module_utils._brain import views
from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import check_integer
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import EtherealSpotError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.names import check_prefix
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import Clients
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import masking_module
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import run_module

WRITING = ("switch", "initial_switch", "placement", "decision", "places", "status", "failures", "successes")


def wanted(params: dict[str, Any]) -> state.Wish:
    """The options, checked."""
    given = {name: params[name] for name in WRITING if params[name] is not None}
    if params["state"] == "absent" and given:
        raise InputError("state", "absent", f"cannot be combined with {', '.join(given)}")
    if params["expected_epoch"] is not None:
        given["expected_epoch"] = check_integer(params["expected_epoch"], "expected_epoch")
    if "placement" in given:
        given["placement"] = state_checks.check_placement(given["placement"])
    if "decision" in given:
        given["decision"] = state_checks.check_document(given["decision"], "decision")
    if "places" in given:
        given["places"] = state_checks.check_places(given["places"])
    if "failures" in given:
        given["failures"] = launch_outcomes.check_failures(given["failures"])
    if "successes" in given:
        given["successes"] = launch_outcomes.check_successes(given["successes"])
    return state.Wish(**given)


def publishes(params: dict[str, Any], changes: list[state.Change]) -> bool:
    """Whether this run brings the published parameters in line."""
    if params["publish"] is not None:
        return params["publish"]
    return bool(changes) or any(params[name] is not None for name in ("switch", "placement", "places", "status"))


def brought(module: AnsibleAWSModule) -> dict[str, Any]:
    params = module.params
    prefix = check_prefix(params["prefix"], "prefix")
    wish = wanted(params)
    clients = Clients(module)
    store = Store(clients("dynamodb"), prefix)
    publication = Publication(clients("ssm"), prefix)

    # Read first: unreadable parameters must not come to light between the state's write and its publication.
    published = None if params["publish"] is False else publication.read()
    now = int(datetime.now(UTC).timestamp())
    documents, changes = store.bring(wish, now, module.check_mode)
    before, after = (
        {**state.summary(found), "ledger": ledger_view(found, now)}
        for found in (documents, state.apply_changes(documents, changes))
    )

    absent = params["state"] == "absent"
    target = dict.fromkeys(views.VIEWS) if absent else views.views_of(after)
    differences = [] if published is None else views.plan_views(published, target)
    to_publish = differences if absent or publishes(params, changes) else []
    result = {
        "changed": bool(changes or to_publish),
        "exists": store.exists,
        "before": {**before, "published": published},
        "changes": [document_change(change) for change in changes]
        + [{**change, "parameter": publication.name[change["view"]]} for change in to_publish],
        "published": None if absent or published is None else to_publish == differences,
        "warnings": views.warnings_about(target) if to_publish else [],
    }
    written = ["/".join(change.key) for change in changes]
    now_published = published
    try:
        for change in [] if module.check_mode else publication.write(to_publish):
            written.append(publication.name[change["view"]])
            now_published = views.apply_views(now_published, [change])
    except AwsError as error:
        raise EtherealSpotError(
            f"{error.message}. Written before: {', '.join(written) or 'nothing'}. Run again to publish the rest",
            **{**result, **error.details, "changed": bool(written), "published": False},
            written=written,
            state={**after, "published": now_published},
        ) from error
    result["after"] = {**after, "published": None if published is None else views.apply_views(published, to_publish)}
    result["state"] = result["after"]
    if module._diff:
        result["diff"] = {"before": result["before"], "after": result["after"]}
    return result


def ledger_view(documents: state.Documents, now: int) -> list[dict[str, Any]]:
    """What has not expired, with what is to be said of it."""
    return [
        {
            **ledger.document(entry),
            "shortage": launch_errors.is_shortage(entry.code),
            "sentence": ledger.sentence(entry, now),
        }
        for _key, entry in sorted(state.ledger_of(documents).items())
        if entry.expires > now
    ]


def document_change(change: state.Change) -> dict[str, Any]:
    return {
        "document": "/".join(change.key),
        "before": None if change.before is None else state.content(change.before),
        "after": None if change.after is None else state.content(change.after),
    }


def main() -> NoReturn:
    module = masking_module(
        argument_spec={
            "prefix": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "switch": {"type": "bool"},
            "initial_switch": {"type": "bool"},
            "placement": {"type": "dict"},
            "expected_epoch": {"type": "int"},
            "decision": {"type": "dict"},
            "places": {"type": "dict"},
            "status": {"type": "str", "choices": list(state_checks.STATUSES)},
            "failures": {"type": "list", "elements": "dict"},
            "successes": {"type": "list", "elements": "dict"},
            "publish": {"type": "bool"},
        },
        mutually_exclusive=[["switch", "initial_switch"]],
        supports_check_mode=True,
    )
    run_module(module, brought)


if __name__ == "__main__":
    main()
