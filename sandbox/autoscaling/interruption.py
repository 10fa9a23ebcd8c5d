# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Interruption on demand: EC2's events with AWS's shapes and timing, then the loss.

Sources: EC2 user guide, "Spot Instance interruption notices" and "EC2 instance rebalance recommendations"; EC2 Auto Scaling
user guide, "Capacity Rebalancing in Auto Scaling to replace at-risk Spot Instances".
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from ministack.core import responses
from moto.ec2.models import ec2_backends
from moto.utilities.utils import get_partition

if TYPE_CHECKING:
    from sandbox.autoscaling.engine import Engine

KINDS = ("rebalance", "warning", "loss")
# AWS gives two minutes; tests cannot wait for them unless they ask to.
DEFAULT_NOTICE_SECONDS = 120.0


class InterruptError(ValueError):
    """A request that cannot be used; one line with field, value and rule."""


def interrupt(engine: Engine, request: Any) -> dict[str, Any]:
    """Interrupt spot instances as asked: {region, instance_ids | asg, events, notice_seconds}.

    Returns {"instance_ids": [...], "events": [...]}. The loss comes `notice_seconds` after the warning, or after the call
    where no warning was asked for. Raises InterruptError before anything happens.
    """
    context = engine.context
    region, ids, events, notice = _checked(engine, request)
    backend = ec2_backends[context.account][region]
    with context.moto_lock, responses.request_scope(context.account, region):
        chosen = [_spot(backend, each) for each in ids]
        for instance in chosen:
            if "rebalance" in events:
                _emit(engine, region, instance, "EC2 Instance Rebalance Recommendation", {})
                _at_risk(engine, region, instance.id)
            if "warning" in events:
                detail = {"instance-action": "terminate"}
                _emit(engine, region, instance, "EC2 Spot Instance Interruption Warning", detail)
                found = engine.store.of_instance(region, instance.id)
                if found:
                    engine.tell("warned", *found)
                    _at_risk(engine, region, instance.id)
    if "loss" in events:
        for instance in chosen:
            context.schedule(notice, lambda instance=instance: _lose(engine, region, instance))
    return {"instance_ids": ids, "events": events, "notice_seconds": notice}


def _checked(engine: Engine, request: Any) -> tuple[str, list[str], list[str], float]:
    if not isinstance(request, dict):
        raise InterruptError("interrupt: a request is an object")
    unknown = sorted(set(request) - {"region", "instance_ids", "asg", "events", "notice_seconds"})
    if unknown:
        raise InterruptError(f"{unknown[0]}: unknown key; known are region, instance_ids, asg, events, notice_seconds")
    region = request.get("region")
    if not isinstance(region, str) or region not in ec2_backends[engine.context.account]:
        raise InterruptError(f"region: {region!r} must be a region's name")
    if ("instance_ids" in request) == ("asg" in request):
        raise InterruptError("instance_ids, asg: exactly one must be given")
    events = request.get("events", list(KINDS))
    if not isinstance(events, list) or not events or any(each not in KINDS for each in events):
        raise InterruptError(f"events: {events!r} must be a list of {', '.join(KINDS)}")
    notice = request.get("notice_seconds", DEFAULT_NOTICE_SECONDS)
    if isinstance(notice, bool) or not isinstance(notice, int | float) or notice < 0:
        raise InterruptError(f"notice_seconds: {notice!r} must be a number of at least 0")
    if "asg" in request:
        group = engine.find(region, request["asg"])
        if group is None:
            raise InterruptError(f"asg: {request['asg']!r} must be a group in {region}")
        ids = [each.id for each in group.members if each.market == "spot" and each.instance.state_code in (0, 16)]
    else:
        ids = request["instance_ids"]
        if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
            raise InterruptError(f"instance_ids: {ids!r} must be a list of instance ids")
    return region, ids, events, float(notice)


def _spot(backend: Any, instance_id: str) -> Any:
    instance = backend.get_instance_by_id(instance_id)
    if instance is None or instance.lifecycle != "spot" or instance.state_code not in (0, 16):
        raise InterruptError(f"instance_ids: {instance_id!r} must be a running spot instance of {backend.region_name}")
    return instance


def _emit(engine: Engine, region: str, instance: Any, detail_type: str, detail: dict[str, Any]) -> None:
    # The zone stands where other events have region and account: real warnings look like this, and consumers must parse `detail`.
    resource = f"arn:{get_partition(region)}:ec2:{instance.placement.zone}:instance/{instance.id}"
    engine.context.emit(region, "aws.ec2", detail_type, {"instance-id": instance.id, **detail}, [resource])


def _at_risk(engine: Engine, region: str, instance_id: str) -> None:
    """Groups with capacity rebalancing replace the instance now, on a warning alone too; the others do nothing before the loss."""
    found = engine.store.of_instance(region, instance_id)
    if found:
        group, member = found
        member.at_risk = bool(group.values["CapacityRebalance"])
        engine.advance(group)


def _lose(engine: Engine, region: str, instance: Any) -> None:
    with engine.context.moto_lock, responses.request_scope(engine.context.account, region):
        if instance.state_code in (0, 16):
            engine.reclaim(region, instance)
