# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a spot group lacks, and so how many on-demand instances stand in: reading only. PRIVATE to the collection."""

from __future__ import annotations

from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._aws import autoscaling
from ansible_collections.ethereal.spot.plugins.module_utils._brain.activities import standing_failures
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_fallback import stand_in
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_status import serving_capacity


def size_of_stand_in(
    client: Any, spot: dict[str, Any] | None, desired: int, on_demand: dict[str, Any] | None, bound: int
) -> int:
    """The size that the on-demand group shall have beside the spot group, which shall have `desired`; both as they stand.

    Activities are read only where something is missing and may be bought.
    """
    if spot is None or not bound:
        missing, failures = 0, []
    else:
        missing = desired - serving_capacity(spot)
        activities = autoscaling.describe_activities(client, spot["AutoScalingGroupName"]) if missing > 0 else []
        failures = standing_failures(activities)
    if on_demand is None:
        return stand_in(missing, failures, 0, bound)
    # Somebody may keep some there, whatever spot has.
    return max(int(on_demand["MinSize"]), stand_in(missing, failures, int(on_demand["DesiredCapacity"]), bound))
