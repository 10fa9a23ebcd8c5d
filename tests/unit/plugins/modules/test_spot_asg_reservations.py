# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet's capacity reservations and fabric adapters, against moto."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import REGION
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import World
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import foretold

ONE = {"region": REGION, "name": "gpu-fleet"}
FIRST = "capacity-reservations-first"
RESERVATION = "cr-0123456789abcdef0"
GROUP = "arn:aws:resource-groups:us-east-1:123456789012:group/gpu"
SHOWN = {
    "AvailabilityZone": f"{REGION}a",
    "CapacityReservationId": RESERVATION,
    "InstanceType": "g5.xlarge",
    "ReservationType": "default",
    "State": "active",
}
EFA_TYPES = {"instance_types": ["g4dn.12xlarge", "g5.48xlarge"]}


@pytest.fixture
def reserved(recorder: Any) -> dict[str, Any]:
    """A reservation, which moto has none of."""
    shown = dict(SHOWN)
    recorder.answer("ec2", "DescribeCapacityReservations", lambda params, region: {"CapacityReservations": [shown]})
    return shown


def specification(world: World) -> dict[str, Any]:
    return world.group()["CapacityReservationSpecification"]


def test_reservations_come_and_go(world: World, run: Callable[..., Any], reserved: dict[str, Any]) -> None:
    made = foretold(run, world.options(capacity_reservation={"preference": FIRST, "ids": [RESERVATION]}))
    assert made["after"]["capacity_reservation"] == {
        "ids": [RESERVATION],
        "preference": FIRST,
        "resource_group_arns": [],
    }
    assert specification(world) == {
        "CapacityReservationPreference": FIRST,
        "CapacityReservationTarget": {"CapacityReservationIds": [RESERVATION]},
    }
    # What stands is not looked at again.
    other = run({**ONE, "max_size": 40})
    assert "DescribeCapacityReservations" not in other.operations("ec2")

    groups = foretold(run, {**ONE, "capacity_reservation": {"preference": FIRST, "resource_group_arns": [GROUP]}})
    assert [call.operation for call in groups.mutating] == ["UpdateAutoScalingGroup"]
    assert specification(world)["CapacityReservationTarget"] == {"CapacityReservationResourceGroupArns": [GROUP]}

    foretold(run, {**ONE, "capacity_reservation": {"preference": "default"}})
    assert specification(world) == {"CapacityReservationPreference": "default"}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"preference": "open"}, "value of preference must be one of"),
        ({"preference": "none", "ids": [RESERVATION]}, "capacity_reservation.ids: "),
        ({"preference": "default", "resource_group_arns": [GROUP]}, "needs preference: capacity-reservations-first or"),
        ({"preference": FIRST, "ids": ["cr-1"]}, "capacity_reservation.ids[0]: 'cr-1' must be cr- and 17"),
        ({"preference": FIRST, "ids": [RESERVATION, RESERVATION]}, "is listed twice"),
        ({"preference": FIRST, "resource_group_arns": ["gpu"]}, "must be the ARN of a resource group"),
        (
            {"preference": FIRST, "resource_group_arns": [GROUP.replace("us-east-1", "eu-west-1")]},
            "is in eu-west-1, the fleet is in us-east-1",
        ),
        (
            {"preference": FIRST, "resource_group_arns": [GROUP.replace("aws:", "aws-cn:", 1)]},
            "is in partition aws-cn",
        ),
    ],
)
def test_bad_reservation(world: World, run: Callable[..., Any], given: dict[str, Any], says: str) -> None:
    refused = run(world.options(capacity_reservation=given))
    assert refused.failed
    assert says in refused["msg"]
    assert refused.mutating == []


@pytest.mark.parametrize(
    ("shown", "says"),
    [
        ({"CapacityReservationId": "cr-0123456789abcdef1"}, "does not exist in us-east-1"),
        ({"State": "expired"}, "is expired: no instance can run in it"),
        ({"ReservationType": "capacity-block"}, "is a Capacity Block, which needs a market type that excludes spot"),
        ({"Interruptible": True}, "is interruptible, which needs"),
        ({"InstanceType": "g6.xlarge"}, "is for g6.xlarge, which is not one of instance_types"),
        ({"AvailabilityZone": f"{REGION}f"}, "is in us-east-1f, subnet_ids are in us-east-1a, us-east-1b"),
    ],
)
def test_reservation_that_nothing_can_use(
    world: World, run: Callable[..., Any], reserved: dict[str, Any], shown: dict[str, Any], says: str
) -> None:
    reserved.update(shown)
    refused = run(world.options(capacity_reservation={"preference": FIRST, "ids": [RESERVATION]}))
    assert refused.failed
    assert "capacity_reservation.ids: 'cr-0123456789abcdef0'" in refused["msg"]
    assert says in refused["msg"]
    assert refused.mutating == []


def test_reservations_serve_on_demand_only(world: World, run: Callable[..., Any]) -> None:
    wish = {"preference": FIRST, "resource_group_arns": [GROUP]}
    for options in ({"on_demand_base": 0, "min_size": 0}, {"capacity_owner": "placement"}):
        refused = run(world.options(capacity_reservation=wish, **options))
        assert "capacity_reservation.preference: 'capacity-reservations-first' has no effect" in refused["msg"]
        assert refused.mutating == []
    assert not run(
        world.options(capacity_reservation=wish, capacity_owner="placement", on_demand_group=True), check_mode=True
    ).failed
    none = {"capacity_reservation": {"preference": "none"}}
    refused = run(world.options(availability_zone_distribution="reservations-then-balanced", **none))
    assert "excludes capacity_reservation.preference: none" in refused["msg"]
    run(world.options(capacity_reservation=wish, availability_zone_distribution="reservations-then-balanced"))
    # What contradicts that which stands is refused, what has nothing to do with it is not.
    assert "has no effect" in run({**ONE, "on_demand_base": 0})["msg"]
    assert not run({**ONE, "max_size": 40}).failed


def open_to_itself(world: World, *, inward: bool = True, outward: bool = True) -> None:
    """Let a group have all traffic from and to itself."""
    rule = [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": world.security_group}]}]
    if inward:
        world.ec2.authorize_security_group_ingress(GroupId=world.security_group, IpPermissions=rule)
    if outward:
        world.ec2.authorize_security_group_egress(GroupId=world.security_group, IpPermissions=rule)


def interfaces(world: World) -> list[dict[str, Any]]:
    return world.versions()[-1]["LaunchTemplateData"]["NetworkInterfaces"]


def test_adapters_come_and_go(world: World, run: Callable[..., Any]) -> None:
    open_to_itself(world)
    place = {"subnet_ids": world.subnets[:1], "security_group_ids": [world.security_group]}
    made = foretold(run, world.options(efa=True, **EFA_TYPES, **place))
    assert interfaces(world) == [
        {
            "AssociatePublicIpAddress": False,
            "DeleteOnTermination": True,
            "DeviceIndex": 0,
            "Groups": [world.security_group],
            "InterfaceType": "efa",
            "NetworkCardIndex": 0,
        }
    ]
    assert made["warnings"] == ["efa: AWS advises a cluster placement_group, for low latency"]

    # Other options leave the adapters; other types bring another number, and a version of the template.
    foretold(run, {**ONE, "disk_size": 200})
    assert [item["InterfaceType"] for item in interfaces(world)] == ["efa"]
    foretold(run, {**ONE, "instance_types": ["p4d.24xlarge"]})
    cards = [(item["NetworkCardIndex"], item["DeviceIndex"], item["InterfaceType"]) for item in interfaces(world)]
    assert cards == [(0, 0, "efa"), (1, 1, "efa-only"), (2, 1, "efa-only"), (3, 1, "efa-only")]
    assert [item["Groups"] for item in interfaces(world)] == [[world.security_group]] * 4
    assert ["AssociatePublicIpAddress" in item for item in interfaces(world)] == [True, False, False, False]

    foretold(run, {**ONE, "efa": False})
    assert len(interfaces(world)) == 1
    assert "InterfaceType" not in interfaces(world)[0]


def test_adapters_fit_every_type(world: World, run: Callable[..., Any]) -> None:
    open_to_itself(world)
    foretold(run, world.options(efa=True, instance_types=["p4d.24xlarge", "g5.48xlarge"]))
    assert len(interfaces(world)) == 1
    refused = run({**ONE, "instance_types": ["g5.48xlarge", "g5.xlarge"]})
    assert refused["msg"].endswith("efa: True is not supported by instance type g5.xlarge")
    assert refused.mutating == []
    refused = run({**ONE, "instance_requirements": {"vcpu_count": {"min": 4}, "memory_mib": {"min": 1024}}})
    assert "efa: True needs instance_types" in refused["msg"]
    assert refused.mutating == []


@pytest.mark.parametrize(("inward", "outward"), [(False, False), (True, False), (False, True)])
def test_adapters_need_an_open_group(world: World, run: Callable[..., Any], inward: bool, outward: bool) -> None:
    open_to_itself(world, inward=inward, outward=outward)
    refused = run(world.options(efa=True, **EFA_TYPES))
    assert "must allow all traffic from itself and to itself" in refused["msg"]
    assert world.security_group in refused["msg"]
    assert refused.mutating == []


def test_adapters_in_several_zones_are_told(world: World, run: Callable[..., Any]) -> None:
    open_to_itself(world)
    told = run(world.options(efa=True, **EFA_TYPES), check_mode=True)
    assert told["warnings"] == ["efa: its traffic does not cross zones, and subnet_ids are in us-east-1a, us-east-1b"]
