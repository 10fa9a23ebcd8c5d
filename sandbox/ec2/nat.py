# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""NAT gateways come and go by their states, and hold their address until they are deleted.

Source: VPC user guide, "Work with NAT gateways" and "Troubleshoot NAT gateways"; EC2 API reference, NatGateway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from moto.core.exceptions import ServiceException
from moto.ec2.models import EC2Backend

if TYPE_CHECKING:
    from sandbox.context import Context

NEEDS = [
    "moto.ec2.models.EC2Backend.create_nat_gateway",
    "moto.ec2.models.EC2Backend.delete_nat_gateway",
    "moto.ec2.models.EC2Backend.release_address",
]
# Minutes on AWS.
PENDING_SECONDS = 0.1
DELETING_SECONDS = 0.1
NOT_ATTACHED = "Gateway.NotAttached"
ASSOCIATED = "Resource.AlreadyAssociated"

_create = EC2Backend.create_nat_gateway
_release_address = EC2Backend.release_address


class NatGateways:
    """What needs the sandbox's timers."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def create(
        self,
        backend: Any,
        subnet_id: str,
        allocation_id: str,
        tags: dict[str, str] | None = None,
        connectivity_type: str = "public",
    ) -> Any:
        """A gateway that is pending; one that cannot work fails a little later, and is not refused."""
        public = (connectivity_type or "public") == "public"
        address = backend.address_by_allocation([allocation_id])[0] if public else None
        taken = address is not None and address.association_id is not None
        gateway = _create(
            backend, subnet_id, None if taken else allocation_id, tags, "private" if taken else connectivity_type
        )
        gateway.connectivity_type = connectivity_type or "public"
        gateway.state = "pending"
        attached = any(each.vpc and each.vpc.id == gateway.vpc_id for each in backend.internet_gateways.values())
        fault = ASSOCIATED if taken else NOT_ATTACHED if public and not attached else None
        self._context.schedule(PENDING_SECONDS, lambda: self._settle(backend, gateway, fault))
        return gateway

    def _settle(self, backend: Any, gateway: Any, fault: str | None) -> None:
        with self._context.moto_lock:
            if gateway.state != "pending":
                return
            gateway.state, gateway.failure_code = ("failed", fault) if fault else ("available", None)
            if fault:
                _let_go(backend, gateway)

    def delete(self, backend: Any, nat_gateway_id: str) -> Any:
        """The gateway goes by way of deleting; a deleted one stays to be described, for about an hour on AWS."""
        gateway = backend.nat_gateways.get(nat_gateway_id)
        if gateway is None:
            raise ServiceException("NatGatewayNotFound", f"The Nat Gateway {nat_gateway_id} was not found")
        if gateway.state not in ("deleting", "deleted"):
            gateway.state = "deleting"
            self._context.schedule(DELETING_SECONDS, lambda: self._end(backend, gateway))
        return gateway

    def _end(self, backend: Any, gateway: Any) -> None:
        with self._context.moto_lock:
            gateway.state = "deleted"
            _let_go(backend, gateway)


def _let_go(backend: Any, gateway: Any) -> None:
    """The address is free again, and the interface goes with its gateway; moto keeps both."""
    for address in backend.addresses:
        if address.eni is gateway._eni:
            address.eni = address.association_id = None
    backend.enis.pop(gateway._eni.id, None)


def release_address(self: Any, address: str | None = None, allocation_id: str | None = None) -> None:
    """An address that a NAT gateway holds stays."""
    found = self.address_by_ip([address]) if address else self.address_by_allocation([allocation_id])
    holders = {gateway._eni.id for gateway in self.nat_gateways.values()}
    if found[0].eni is not None and found[0].eni.id in holders:
        raise ServiceException(
            "InvalidIPAddress.InUse", f"Address {found[0].allocation_id} is in use and cannot be released."
        )
    _release_address(self, address, allocation_id)


def install(context: Context) -> None:
    gateways = NatGateways(context)

    # A bound method of ours would not be given the backend.
    def create_nat_gateway(self: Any, *given: Any, **named: Any) -> Any:
        return gateways.create(self, *given, **named)

    def delete_nat_gateway(self: Any, nat_gateway_id: str) -> Any:
        return gateways.delete(self, nat_gateway_id)

    EC2Backend.create_nat_gateway = create_nat_gateway
    EC2Backend.delete_nat_gateway = delete_nat_gateway
    EC2Backend.release_address = release_address
