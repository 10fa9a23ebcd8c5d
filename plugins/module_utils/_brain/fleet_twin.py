# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The on-demand group beside a fleet: what its options are, how two results are told as one. PRIVATE to the collection.

Auto Scaling buys no on-demand instance where spot has none: a mixed group's split is fixed (`on_demand_base` and percentage). So
the fallback is a second group of on-demand instances only, of the same template and place, that somebody else fills.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.names import on_demand_name

# What speaks of the spot group alone: its split, its sizes, and what moves them.
NOT_SHARED = frozenset(
    {
        "desired_capacity",
        "enable_cpu_scaling",
        "min_size",
        "on_demand_base",
        "on_demand_percentage_above_base",
        "scaling_policies",
        "scheduled_actions",
        "spot_instance_pools",
        "spot_max_price",
        "spot_strategy",
        "target_cpu_utilization",
        "warm_pool",
    }
)


def members(params: dict[str, Any]) -> list[dict[str, Any]]:
    """The options of every group that a run is about: the fleet, and its on-demand group if that is asked for."""
    if not params["on_demand_group"]:
        return [params]
    if params["on_demand_only"]:
        raise InputError(
            "on_demand_group", True, "has no meaning with on_demand_only: true, which is such a group itself"
        )
    shared = {option: None if option in NOT_SHARED else value for option, value in params.items()}
    return [params, {**shared, "name": on_demand_name(params["name"]), "on_demand_only": True}]


def together(results: list[dict[str, Any]]) -> dict[str, Any]:
    """One result: the fleet's, with that of its on-demand group under `on_demand_group`."""
    first, *others = results
    if not others:
        return first
    (twin,) = others
    whole = {
        **first,
        "changed": first["changed"] or twin["changed"],
        "on_demand_group": {key: value for key, value in twin.items() if key not in ("changed", "diff")},
    }
    if "diff" in first:
        sides = ("before", "after")
        whole["diff"] = {side: {result["asg_name"]: result["diff"][side] for result in results} for side in sides}
    return whole
