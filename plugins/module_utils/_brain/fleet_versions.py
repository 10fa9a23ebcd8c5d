# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which versions of a fleet's launch template nobody needs any more. PRIVATE to the collection.

`current` has `all_versions` (DescribeLaunchTemplateVersions entries of the template that carries the fleet's name) and
`all_refreshes` (DescribeInstanceRefreshes), both empty where nobody asked to prune. Only versions that carry our mark
go or count: somebody may launch from another one by its number.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain import checks
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_plan import DELETE_VERSION
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_plan import UPDATE_GROUP
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_plan import Change
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_plan import choose_version
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_refresh import active

# The description of every version that we make.
MARK = "Made by ethereal.spot"
# EC2 keeps this many of a template (EC2 user guide, "Restrictions for launch templates").
LARGEST_NUMBER = 10_000


def given_keep(value: Any, option: str = "keep_versions") -> int | None:
    """How many unneeded versions stay; None if all."""
    return None if value is None else checks.check_integer(value, option, 0, LARGEST_NUMBER)


def plan(
    current: dict[str, Any], fleet: dict[str, Any], data: dict[str, Any] | None, changes: list[Change]
) -> list[Change]:
    """The changes with the deletion of versions: all but the newest `keep_versions` of those that nobody needs.

    Needed are the default version, what the group launches from before a refresh and after the changes, what its
    members run, and what a refresh in progress brings; what that one would go back to is still the group's.
    """
    if fleet.get("keep_versions") is None or not current["all_versions"]:
        return changes
    needed = _needed(current, data, changes)
    unneeded = sorted(
        (item["VersionNumber"] for item in current["all_versions"] if _unneeded(item, needed)),
        reverse=True,
    )
    gone = sorted(unneeded[fleet["keep_versions"] :])
    return [*changes, *(Change(DELETE_VERSION, "launch_template_version", number, None) for number in gone)]


def _unneeded(item: dict[str, Any], needed: set[str]) -> bool:
    ours = item.get("VersionDescription") == MARK
    return ours and not item.get("DefaultVersion") and str(item["VersionNumber"]) not in needed


def _needed(current: dict[str, Any], data: dict[str, Any] | None, changes: list[Change]) -> set[str]:
    template_id = current["template"]["LaunchTemplateId"]
    used = [choose_version(current, data)]
    moves = any(change.kind == UPDATE_GROUP and change.what == "launch_template" for change in changes)
    if current["in_force"] and not moves:
        used.append({"id": current["in_force"]["id"], "version": str(current["in_force"]["number"])})
    specifications = [member.get("LaunchTemplate") or {} for member in (current["group"] or {}).get("Instances", [])]
    refresh = active(current["all_refreshes"]) or {}
    policy = (refresh.get("DesiredConfiguration") or {}).get("MixedInstancesPolicy") or {}
    specifications.append((policy.get("LaunchTemplate") or {}).get("LaunchTemplateSpecification") or {})
    used += [{"id": item.get("LaunchTemplateId"), "version": item.get("Version")} for item in specifications]
    latest = str(max(item["VersionNumber"] for item in current["all_versions"]))
    return {latest if item["version"] == "$Latest" else item["version"] for item in used if item["id"] == template_id}
