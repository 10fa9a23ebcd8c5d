# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fleet's warm pool, where AWS takes one. PRIVATE to the collection.

A pool is kept as AWS's request has it, without the group's name. AWS refuses one for a group that may buy spot instances, and for
one with weights (EC2 Auto Scaling user guide, "Warm pools", limitations).
"""

from __future__ import annotations

from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain import checks
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError

OPTION = "warm_pool"
STATES = {"stopped": "Stopped", "running": "Running", "hibernated": "Hibernated"}


def given_warm_pool(params: dict[str, Any]) -> dict[str, Any] | None:
    """The pool under the option's name, None there if it shall go; None altogether if nothing was said of it."""
    entry = params.get(OPTION)
    if entry is None:
        return None
    if entry["state"] == "absent":
        return {OPTION: None}
    bound = entry.get("max_group_prepared_capacity")
    if bound is None:
        # Without it AWS warms as many as the largest size leaves over, and stopped instances pay for their volumes.
        raise InputError(f"{OPTION}.max_group_prepared_capacity", None, "is required")
    bound = checks.check_integer(bound, f"{OPTION}.max_group_prepared_capacity")
    smallest = checks.check_integer(entry["min_size"], f"{OPTION}.min_size")
    if smallest > bound:
        raise InputError(f"{OPTION}.min_size", smallest, f"breaks min_size <= max_group_prepared_capacity ({bound})")
    return {
        OPTION: {
            "InstanceReusePolicy": {"ReuseOnScaleIn": entry["reuse_on_scale_in"]},
            "MaxGroupPreparedCapacity": bound,
            "MinSize": smallest,
            "PoolState": STATES[entry["pool_state"]],
        }
    }


def read_warm_pool(described: dict[str, Any]) -> dict[str, Any]:
    """A pool from its description."""
    reuse = (described.get("InstanceReusePolicy") or {}).get("ReuseOnScaleIn", False)
    return {
        "InstanceReusePolicy": {"ReuseOnScaleIn": reuse},
        # AWS's word for no bound.
        "MaxGroupPreparedCapacity": described.get("MaxGroupPreparedCapacity", -1),
        "MinSize": described.get("MinSize", 0),
        "PoolState": described.get("PoolState", "Stopped"),
    }


def check_allowed(pool: dict[str, Any] | None, fleet: dict[str, Any]) -> None:
    """Whether AWS takes this pool for this fleet."""
    if pool is None:
        return
    if fleet["on_demand_percentage_above_base"] < 100:
        raise InputError(
            OPTION, pool["PoolState"], "needs on_demand_only: true, AWS has no warm pool of spot instances"
        )
    if fleet["instance_weights"]:
        raise InputError(OPTION, pool["PoolState"], "needs a fleet without instance_weights")
