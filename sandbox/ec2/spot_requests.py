# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Spot Instance requests: AWS opens one for every spot instance, and closes it when the instance goes."""

from __future__ import annotations

import secrets
from datetime import UTC
from datetime import datetime
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult

from sandbox.ec2.tags import tag_list


class SpotRequests:
    """All requests, by region."""

    def __init__(self) -> None:
        self._requests: dict[str, dict[str, dict[str, Any]]] = {}

    def reset(self) -> None:
        self._requests.clear()

    def open(self, backend: Any, instance: Any, tags: dict[str, str]) -> str:
        """A fulfilled one-time request for a running instance; returns its id."""
        request_id = f"sir-{secrets.token_hex(4)}"
        now = datetime.now(UTC)
        self._requests.setdefault(backend.region_name, {})[request_id] = {
            "CreateTime": now,
            "InstanceId": instance.id,
            "InstanceInterruptionBehavior": "terminate",
            "LaunchSpecification": {"ImageId": instance.image_id, "InstanceType": instance.instance_type},
            "LaunchedAvailabilityZone": instance.placement.zone,
            "ProductDescription": "Linux/UNIX",
            "SpotInstanceRequestId": request_id,
            "State": "active",
            "Status": _status("fulfilled", "Your spot request is fulfilled."),
            "Type": "one-time",
        }
        backend.create_tags([request_id], tags)
        return request_id

    def close(self, region: str, instance_id: str, code: str, message: str) -> None:
        """Close the request of an instance that is gone; nothing to do for an on-demand one."""
        for request in self._requests.get(region, {}).values():
            if request["InstanceId"] == instance_id and request["State"] == "active":
                request.update(State="closed", Status=_status(code, message))

    def describe(self, backend: Any, ids: list[str], filters: dict[str, list[str]]) -> list[dict[str, Any]]:
        known = self._requests.get(backend.region_name, {})
        unknown = [each for each in ids if each not in known]
        if unknown:
            raise ServiceException(
                "InvalidSpotInstanceRequestID.NotFound", f"The spot instance request ID '{unknown[0]}' does not exist"
            )
        requests = [
            {**request, "Tags": tag_list(backend.tags.get(name, {}))}
            for name, request in known.items()
            if not ids or name in ids
        ]
        return [request for request in requests if _passes(request, filters)]

    def cancel(self, backend: Any, ids: list[str]) -> list[dict[str, Any]]:
        """Cancelling leaves a running instance running (EC2 user guide, "Cancel a Spot Instance request")."""
        for request in self.describe(backend, ids, {}):
            stored = self._requests[backend.region_name][request["SpotInstanceRequestId"]]
            if stored["State"] == "active":
                stored.update(
                    State="cancelled",
                    Status=_status("request-canceled-and-instance-running", "Your Spot request was canceled."),
                )
        return [{"SpotInstanceRequestId": each, "State": "cancelled"} for each in ids]


def _status(code: str, message: str) -> dict[str, Any]:
    return {"Code": code, "Message": message, "UpdateTime": datetime.now(UTC)}


def _passes(request: dict[str, Any], filters: dict[str, list[str]]) -> bool:
    values = {
        "instance-id": request["InstanceId"],
        "spot-instance-request-id": request["SpotInstanceRequestId"],
        "state": request["State"],
        "status-code": request["Status"]["Code"],
        "launched-availability-zone": request["LaunchedAvailabilityZone"],
    }
    tags = {tag["Key"]: tag["Value"] for tag in request["Tags"]}
    for name, wanted in filters.items():
        if name.startswith("tag:"):
            value = tags.get(name[4:])
        elif name == "tag-key":
            value = next((key for key in tags if key in wanted), None)
        elif name in values:
            value = values[name]
        else:
            raise ServiceException("InvalidParameterValue", f"The filter '{name}' is invalid")
        if value not in wanted:
            return False
    return True


def actions(requests: SpotRequests) -> dict[str, Any]:
    def describe_spot_instance_requests(self: Any) -> ActionResult:
        found = requests.describe(
            self.ec2_backend, self._get_param("SpotInstanceRequestIds", []), self._filters_from_querystring()
        )
        return ActionResult({"SpotInstanceRequests": found})

    def cancel_spot_instance_requests(self: Any) -> ActionResult:
        self.error_on_dryrun()
        cancelled = requests.cancel(self.ec2_backend, self._get_param("SpotInstanceRequestIds", []))
        return ActionResult({"CancelledSpotInstanceRequests": cancelled})

    return {
        "describe_spot_instance_requests": describe_spot_instance_requests,
        "cancel_spot_instance_requests": cancel_spot_instance_requests,
    }
