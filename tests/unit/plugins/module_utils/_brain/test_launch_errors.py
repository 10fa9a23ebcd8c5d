# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the codes of failed launches mean, each once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.ethereal.spot.plugins.module_utils._brain import launch_errors

# code, scope, whether it tells of capacity, whether trying the same again cannot help, the market that it is about
CODES = [
    ("InsufficientInstanceCapacity", "pool", True, False, None),
    ("Server.InsufficientInstanceCapacity", "pool", True, False, None),
    ("UnfulfillableCapacity", "region", True, False, None),
    ("SpotMaxPriceTooLow", "pool", False, False, None),
    ("MaxSpotInstanceCountExceeded", "region-family", False, False, "spot"),
    ("VcpuLimitExceeded", "region-family", False, False, "on_demand"),
    ("InstanceLimitExceeded", "region-family", False, False, "on_demand"),
    ("MaxFleetCountExceeded", "account", False, False, None),
    ("Unsupported", "pool", False, True, None),
    ("InsufficientFreeAddressesInSubnet", "zone", False, False, None),
    ("InsufficientHostCapacity", "pool", True, False, None),
    ("InsufficientReservedInstanceCapacity", "pool", False, False, None),
    ("ReservationCapacityExceeded", "pool", False, False, None),
    ("SpreadPlacementGroupLimit", "zone", False, True, None),
    ("RequestLimitExceeded", "throttle", False, False, None),
    ("Throttling", "throttle", False, False, None),
    ("ThrottlingException", "throttle", False, False, None),
    ("EC2ThrottledException", "throttle", False, False, None),
    ("InvalidParameterValue", "permanent", False, True, None),
    ("InvalidParameterCombination", "permanent", False, True, None),
    ("InvalidAMIID.NotFound", "permanent", False, True, None),
    ("InvalidLaunchTemplateName.NotFoundException", "permanent", False, True, None),
    ("InvalidUserData.Malformed", "permanent", False, True, None),
    ("UnauthorizedOperation", "account", False, True, None),
    ("AuthFailure", "account", False, True, None),
    ("AuthFailure.ServiceLinkedRoleCreationNotPermitted", "account", False, True, None),
    ("OptInRequired", "account", False, True, None),
    ("Client.InternalError", "permanent", False, True, None),
    ("Client.InvalidKMSKey.InvalidState", "permanent", False, True, None),
    ("Client.InvalidSnapshot.NotFound", "permanent", False, True, None),
    ("Client.VolumeLimitExceeded", "region", False, False, None),
    ("IdempotentParameterMismatch", "permanent", False, True, None),
    ("NobodyHasSeenThis", "unknown", False, False, None),
    ("", "unknown", False, False, None),
]


@pytest.mark.parametrize(("code", "scope", "shortage", "lasting", "market"), CODES)
def test_codes(code: str, scope: str, shortage: bool, lasting: bool, market: str | None) -> None:
    kind = launch_errors.kind_of(code)
    assert (kind.scope, kind.shortage, kind.lasting, kind.market) == (scope, shortage, lasting, market)
    assert launch_errors.scope_of(code) == scope
    assert launch_errors.is_shortage(code) is shortage
    assert launch_errors.is_throttle(code) is (scope == "throttle")


@pytest.mark.parametrize(
    ("code", "denied"),
    [
        ("UnauthorizedOperation", True),
        ("AuthFailure", True),
        ("OptInRequired", True),
        ("AccessDeniedException", True),
        ("UnrecognizedClientException", True),
        ("MaxFleetCountExceeded", False),
        ("RequestLimitExceeded", False),
        ("InvalidAMIID.NotFound", False),
    ],
)
def test_denials(code: str, denied: bool) -> None:
    assert launch_errors.is_denial(code) is denied


@pytest.mark.parametrize(
    ("code", "message", "told"),
    [
        (
            "InsufficientInstanceCapacity",
            "You have reached the limit of 7 instances in this spread placement group.",
            "SpreadPlacementGroupLimit",
        ),
        ("InsufficientInstanceCapacity", "There is no Spot capacity available.", "InsufficientInstanceCapacity"),
        ("VcpuLimitExceeded", "the spread placement group has a limit", "VcpuLimitExceeded"),
    ],
)
def test_a_message_may_mean_another_code(code: str, message: str, told: str) -> None:
    assert launch_errors.told_code(code, message) == told


@given(st.text() | st.sampled_from(sorted(launch_errors.KINDS)).flatmap(lambda code: st.text().map(code.__add__)))
def test_every_code_has_a_scope_and_only_want_of_capacity_is_a_shortage(code: str) -> None:
    kind = launch_errors.kind_of(code)
    assert kind.scope in launch_errors.SCOPES
    assert kind.says
    if kind.shortage:
        assert kind.scope in ("pool", "region")
        assert not launch_errors.is_denial(code) and not launch_errors.is_throttle(code)
