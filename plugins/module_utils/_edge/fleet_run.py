# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run of spot_asg: plan every group that it is about, then change, wait and tell. PRIVATE to the collection."""

from __future__ import annotations

import zoneinfo
from dataclasses import dataclass
from datetime import UTC
from datetime import datetime
from typing import Any

from ansible.module_utils.common.warnings import warn
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.ethereal.spot.plugins.module_utils._aws import autoscaling
from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError
from ansible_collections.ethereal.spot.plugins.module_utils._aws.fleet_changes import EXISTS
from ansible_collections.ethereal.spot.plugins.module_utils._aws.fleet_changes import apply_absent
from ansible_collections.ethereal.spot.plugins.module_utils._aws.fleet_changes import apply_plan
from ansible_collections.ethereal.spot.plugins.module_utils._aws.fleet_fallback import size_of_stand_in
from ansible_collections.ethereal.spot.plugins.module_utils._aws.fleet_proof import hold
from ansible_collections.ethereal.spot.plugins.module_utils._aws.fleet_proof import prove
from ansible_collections.ethereal.spot.plugins.module_utils._aws.fleet_state import read_fleet
from ansible_collections.ethereal.spot.plugins.module_utils._aws.fleet_state import settle_fleet
from ansible_collections.ethereal.spot.plugins.module_utils._aws.fleet_state import with_extras
from ansible_collections.ethereal.spot.plugins.module_utils._aws.fleet_targets import check_targets
from ansible_collections.ethereal.spot.plugins.module_utils._aws.fleet_wait import follow_refresh
from ansible_collections.ethereal.spot.plugins.module_utils._aws.fleet_wait import known_activities
from ansible_collections.ethereal.spot.plugins.module_utils._aws.fleet_wait import wait_ready
from ansible_collections.ethereal.spot.plugins.module_utils._aws.waiters import Pace
from ansible_collections.ethereal.spot.plugins.module_utils._aws.waiters import wait_group_gone
from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_fallback
from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_plan
from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_refresh
from ansible_collections.ethereal.spot.plugins.module_utils._brain import fleet_versions
from ansible_collections.ethereal.spot.plugins.module_utils._brain.activities import standing_failures
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet import PLACEMENT
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet import given_fleet
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet import whole_fleet
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_evidence import VIOLATIONS_FAIL
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_extras import LIFECYCLE_HOOKS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_hooks import late_hooks
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_report import describe
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_settings import NO_PROTECTION
from ansible_collections.ethereal.spot.plugins.module_utils._brain.fleet_status import missing
from ansible_collections.ethereal.spot.plugins.module_utils._edge.module import Clients


@dataclass
class Fleet:
    """A group on its way: what was asked for, what stands, what has to change."""

    params: dict[str, Any]
    given: dict[str, Any]
    current: dict[str, Any]
    wanted: dict[str, Any]
    data: dict[str, Any] | None
    changes: list[fleet_plan.Change]
    before: dict[str, Any]

    @property
    def name(self) -> str:
        return self.params["name"]


class FleetRun:
    """Groups, each given by its options, brought to be as wanted or to be gone; what they are then, as results."""

    def __init__(self, module: AnsibleAWSModule, clients: Clients, pace: Pace) -> None:
        self._module = module
        self._clients = clients
        self._pace = pace

    def absent(self, groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
        found = {params["name"]: read_fleet(self._clients, params["name"]) for params in groups}
        unprotect = self._module.params["deletion_protection"] == NO_PROTECTION
        changes = {name: fleet_plan.plan_absent(current, unprotect=unprotect) for name, current in found.items()}
        results = []
        for name, current in found.items():
            before = fleet_plan.view(current)
            if not self._module.check_mode:
                apply_absent(
                    self._clients, name, current, changes[name], self._module.params["wait_timeout"], self._pace
                )
            results.append(self._report(name, changes[name], before, {}))
        return results

    def present(self, groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
        now = datetime.now(UTC)
        # Reads the controller's time zone database, which most runs need not.
        zones = zoneinfo.available_timezones() if self._module.params["scheduled_actions"] else ()
        # Every group's options are checked before anything of any is changed.
        fleets: list[Fleet] = []
        bound = fleet_fallback.given_bound(self._module.params)
        for params in groups:
            given = given_fleet(params, self._module.region, check_mode=self._module.check_mode, now=now, zones=zones)
            current = read_fleet(self._clients, params["name"])
            if fleets and bound is not None:
                given = self._with_fallback(fleets[0], given, current, bound)
            changes, wanted, data, current = self._plan(params, given, current)
            fleets.append(Fleet(params, given, current, wanted, data, changes, fleet_plan.view(current)))
        if self._module.check_mode:
            return [self._foretell(fleet) for fleet in fleets]
        known = [self._carry_out(fleet) for fleet in fleets]
        return [self._conclude(fleet, seen) for fleet, seen in zip(fleets, known, strict=True)]

    def _with_fallback(
        self, fleet: Fleet, given: dict[str, Any], current: dict[str, Any], bound: int
    ) -> dict[str, Any]:
        """The on-demand group's options with the size that the fleet's lack of spot instances asks for."""
        owner, group = fleet.wanted["capacity_owner"], current["group"]
        fleet_fallback.check_bound(bound, owner, given, group)
        if owner == PLACEMENT:
            return given
        desired = fleet.wanted["desired_capacity"]
        size = size_of_stand_in(self._clients("autoscaling"), fleet.current["group"], desired, group, bound)
        return fleet_fallback.owned(given, size)

    def _foretell(self, fleet: Fleet) -> dict[str, Any]:
        wanted, data = fleet.wanted, fleet.data
        if not fleet.params["wait"]:
            wanted, data = fleet_refresh.meanwhile(fleet.current, wanted, data, fleet.changes)
        after = fleet_plan.view_after(fleet.current, wanted, data) if fleet.changes else fleet.before
        return {
            **self._report(fleet.name, fleet.changes, fleet.before, after),
            **describe(fleet.name, fleet.current, after),
            "evidence": None,
            "reasons": [],
            "refresh": None,
        }

    def _carry_out(self, fleet: Fleet) -> set[str]:
        """Make the changes. Returns the ids of the scaling activities from before them."""
        params, name = fleet.params, fleet.name
        if fleet.current["deleting"]:
            wait_group_gone(self._clients("autoscaling"), name, params["wait_timeout"], self._pace)
        watched = params["wait"] and fleet.current["group"]
        known = known_activities(self._clients("autoscaling"), name) if watched else set()
        if fleet.changes:
            try:
                apply_plan(self._clients, name, fleet.current, fleet.wanted, fleet.data, fleet.changes, self._pace)
            except AwsError as error:
                if error.code not in EXISTS:
                    raise
                # Made meanwhile, by a retry of our own whose first answer was lost or by somebody else: start from there.
                again, wanted, data, current = self._plan(params, fleet.given, read_fleet(self._clients, name))
                apply_plan(self._clients, name, current, wanted, data, again, self._pace)
                fleet.wanted = wanted
            fleet.current = with_extras(self._clients, name, read_fleet(self._clients, name), fleet.wanted)
        return known

    def _conclude(self, fleet: Fleet, seen: set[str]) -> dict[str, Any]:
        """Wait, if that was asked for, and tell what stands."""
        params, name, current = fleet.params, fleet.name, fleet.current
        refresh = fleet_refresh.to_follow(current["refreshes"], fleet.changes)
        if params["wait"]:
            limits = params["wait_timeout"], params["give_up_after"]
            if refresh:
                client = self._clients("autoscaling")
                refresh = follow_refresh(client, name, refresh["InstanceRefreshId"], params["wait_timeout"], self._pace)
                # It may have brought the configuration that it was started with.
                current = with_extras(self._clients, name, read_fleet(self._clients, name), fleet.wanted)
            current["group"] = wait_ready(self._clients("autoscaling"), name, seen, *limits, self._pace)
        after = fleet_plan.view(current)
        reasons = []
        if missing(current["group"]):
            reasons = standing_failures(autoscaling.describe_activities(self._clients("autoscaling"), name))
        evidence = None
        if params["wait"] if params["prove"] is None else params["prove"]:
            in_force = current["in_force"]
            known = {(in_force["id"], str(in_force["number"])): in_force["data"]}
            public = params["allow_public_subnets"]
            evidence = prove(self._clients, [current["group"]], known=known, subnets=True, public_subnets=public)
        result = {
            **self._report(name, fleet.changes, fleet.before, after),
            **describe(name, current, after),
            "evidence": evidence,
            "reasons": [failure.public() for failure in reasons],
            "refresh": fleet_refresh.view(refresh),
        }
        if evidence and params["violations"] == VIOLATIONS_FAIL:
            hold(evidence, result)
        return result

    def _plan(
        self, params: dict[str, Any], given: dict[str, Any], current: dict[str, Any]
    ) -> tuple[list[fleet_plan.Change], dict[str, Any], dict[str, Any] | None, dict[str, Any]]:
        """Changes, the fleet as it shall be, its template's data, and what stands, with all that was asked for."""
        standing = fleet_plan.current_fleet(current)
        fleet = whole_fleet(given, standing, on_demand_only=params["on_demand_only"])
        fleet["refresh"] = fleet_refresh.given_refresh(params["instance_refresh"])
        fleet["keep_versions"] = fleet_versions.given_keep(params["keep_versions"])
        current = with_extras(self._clients, params["name"], current, fleet)
        public = params["allow_public_subnets"]
        fleet, data, warnings = settle_fleet(
            self._clients, self._module.region, current, standing, given, fleet, allow_public_subnets=public
        )
        warnings += check_targets(self._clients, current, fleet)
        for warning in [*warnings, *late_hooks(fleet["extras"].get(LIFECYCLE_HOOKS, {}), fleet)]:
            # Not module.warn: amazon.aws puts its warnings into the result as well, which ansible-core deprecates.
            warn(warning)
        changes = fleet_refresh.plan(current, fleet, data, fleet_plan.plan(current, fleet, data))
        return fleet_versions.plan(current, fleet, data, changes), fleet, data, current

    def _report(
        self, name: str, changes: list[fleet_plan.Change], before: dict[str, Any], after: dict[str, Any]
    ) -> dict[str, Any]:
        result: dict[str, Any] = {
            "after": after,
            "asg_name": name,
            "before": before,
            "changed": bool(changes),
            "changes": [change.public() for change in changes],
        }
        if self._module._diff:
            result["diff"] = {"before": before, "after": after}
        return result
