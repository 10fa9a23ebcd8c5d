# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many on-demand instances stand in for spot instances that are not to be had. PRIVATE to the collection.

For fleets that no placement scales: the declared bound is applied by each run, and nothing watches in between.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.activities import Failure
from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import check_integer
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet import EMPTY_SIZES
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet import LARGEST_GROUP
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet import PLACEMENT
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet import PLAYBOOK
from ansible_collections.ethereal.spot.plugins.module_utils._brain.launch_errors import is_shortage

OPTION = "on_demand_fallback_max"
# As Auto Scaling's messages have it.
ON_DEMAND = "on-demand"


def given_bound(params: dict[str, Any]) -> int | None:
    """The bound, checked; None if nothing was said of it."""
    bound = params.get(OPTION)
    if bound is None:
        return None
    if not params["on_demand_group"]:
        raise InputError(OPTION, bound, "needs on_demand_group: true")
    return check_integer(bound, OPTION, 0, LARGEST_GROUP)


def check_bound(bound: int, owner: str, given: dict[str, Any], group: dict[str, Any] | None) -> None:
    """The on-demand group's size is not a placement's, and the group, as given or as it stands, can hold the bound."""
    if owner == PLACEMENT and bound:
        raise InputError(
            OPTION, bound, "must be 0 or left out under capacity_owner: placement, which fills that group itself"
        )
    largest = given.get("max_size", int(group["MaxSize"]) if group else EMPTY_SIZES["max_size"])
    if bound > largest:
        raise InputError(OPTION, bound, f"is more than max_size ({largest}) of the on-demand group")


def owned(given: dict[str, Any], size: int) -> dict[str, Any]:
    """The on-demand group's options with this size: whoever scales the spot group, this one is scaled by each run."""
    return {**given, "capacity_owner": PLAYBOOK, "desired_capacity": size}


def lacks_spot(failures: Iterable[Failure]) -> bool:
    """Whether AWS says that it has no spot capacity.

    Not for a quota, a price ceiling, a denial or a mistake: those are for somebody to mend, and on-demand instances would hide them
    at a price. Nor for a throttled call, after which nothing is known, and not where it is on-demand instances that lack.
    """
    return any(is_shortage(failure.code) and failure.market != ON_DEMAND for failure in failures)


def stand_in(missing: int, failures: Iterable[Failure], current: int, bound: int) -> int:
    """The on-demand group's size, for what the spot group lacks, its launches that failed last, and what stands in by now.

    None once nothing is missing. While spot has no capacity, what is missing, up to the bound, and no less than there is: what runs
    there is not sent away for each spot instance that comes. Where launches are only under way, what there is.
    """
    if missing <= 0:
        return 0
    wanted = max(current, missing) if lacks_spot(failures) else current
    return min(wanted, bound)
