# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Instance refreshes taken forward: instances replaced a few at a time, with pauses, as their preferences say.

Sources: botocore model, RefreshPreferences; EC2 Auto Scaling user guide, "How an instance refresh works" and "Add
checkpoints to an instance refresh".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.autoscaling import preferences
from sandbox.autoscaling import refresh as refreshes
from sandbox.autoscaling.groups import HELD
from sandbox.autoscaling.groups import LEAVING
from sandbox.autoscaling.groups import Group
from sandbox.autoscaling.groups import Member
from sandbox.autoscaling.groups import Refresh

if TYPE_CHECKING:
    from sandbox.autoscaling.engine import Engine

# How long a refresh goes on without getting anywhere before it fails (user guide, "One-hour timeout").
PATIENCE = 3600
GOING = ("InProgress", "RollbackInProgress")


def step(engine: Engine, group: Group, now: float) -> None:
    """One step of the group's running refresh."""
    refresh = group.running_refresh()
    if refresh is None or "InstanceRefresh" in group.suspended:
        return
    status = refresh.values["Status"]
    if status == "Pending":
        _begin(engine, group, refresh)
    elif status == "Cancelling":
        if _quiet(engine, group):
            refreshes.end(engine, group, refresh, "Cancelled", "The instance refresh was cancelled.")
    elif status == "Baking":
        if now >= refresh.bake_ends:
            _succeed(engine, group, refresh)
    else:
        _Roll(engine, group, refresh, now).run()


def _begin(engine: Engine, group: Group, refresh: Refresh) -> None:
    refresh.values["Status"] = "InProgress"
    refreshes.say(engine, group, refresh, "Started")
    asked = refresh.values["Preferences"]["SkipMatching"] or refresh.values.get("DesiredConfiguration")
    if asked and preferences.by_requirements(group):
        # User guide, limitations: such a refresh fails.
        reason = "SkipMatching and DesiredConfiguration are not supported with InstanceRequirements."
        refreshes.fail(engine, group, refresh, reason)


def _succeed(engine: Engine, group: Group, refresh: Refresh) -> None:
    # From here on the desired configuration is the group's own.
    refresh.before = None
    refreshes.end(engine, group, refresh, "Successful")


def _quiet(engine: Engine, group: Group) -> bool:
    """Whether nothing is under way."""
    still = all(each.lifecycle_state in ("InService", "Standby") for each in group.members)
    return still and not engine.shortfall(group)


class _Roll:
    """One look at a refresh that replaces instances."""

    def __init__(self, engine: Engine, group: Group, refresh: Refresh, now: float) -> None:
        self.engine, self.group, self.refresh, self.now = engine, group, refresh, now
        self.wanted = refresh.values["Preferences"]
        self.scale = engine.context.market.group_wait_scale
        self.warmup = preferences.warmup(group, self.wanted) * self.scale

    def run(self) -> None:
        self._measure()
        if self.refresh.left == 0 and self._old_are_gone():
            self._complete()
        elif self._pausing():
            self.refresh.progress_at = self.now
        elif self.refresh.values["Status"] in GOING and not self._stuck():
            self._replace()

    # -- where it stands ----------------------------------------------------------------------------------------------

    def _ready(self, member: Member) -> bool:
        """In service, and warm where the refresh has launched it."""
        warm = member.id in self.refresh.kept or self.now - member.in_service >= self.warmup
        return member.lifecycle_state == "InService" and warm

    def _measure(self) -> None:
        group, refresh, values = self.group, self.refresh, self.refresh.values
        alive = {each.id: each for each in group.members if each.lifecycle_state not in LEAVING}
        refresh.old = [name for name in refresh.old if name in alive]
        for key, kind in (("ScaleInProtectedInstances", "protected"), ("StandbyInstances", "standby")):
            if self.wanted[key] == "Ignore":
                for name in [name for name in refresh.old if _is(alive[name], kind)]:
                    refresh.old.remove(name)
                    refresh.total -= 1
        new = [each for each in group.held() if each.id not in refresh.kept]
        updated = sum(1 for each in new if self._ready(each))
        left = min(refresh.total, max(len(refresh.old), refresh.total - updated))
        if not refresh.old and all(map(self._ready, new)) and not self.engine.shortfall(group):
            left = 0
        if left < refresh.left:
            refresh.progress_at = self.now
        refresh.left = left
        if values["Status"] == "RollbackInProgress":
            start = values["RollbackDetails"]["PercentageCompleteOnRollback"]
            values["PercentageComplete"] = start * left // refresh.total if refresh.total else 0
        else:
            values["InstancesToUpdate"] = left
            values["PercentageComplete"] = 100 - -(-100 * left // refresh.total) if refresh.total else 100

    def _old_are_gone(self) -> bool:
        return not any(each.lifecycle_state in LEAVING for each in self.group.members)

    def _complete(self) -> None:
        engine, group, refresh = self.engine, self.group, self.refresh
        bake = int(self.wanted.get("BakeTime") or 0)
        if refresh.values["Status"] == "RollbackInProgress":
            refreshes.end(engine, group, refresh, "RollbackSuccessful")
        elif bake:
            refresh.values["Status"] = "Baking"
            refresh.bake_ends = self.now + bake * self.scale
            refreshes.say(engine, group, refresh, "Started Baking")
        else:
            _succeed(engine, group, refresh)

    # -- pauses -------------------------------------------------------------------------------------------------------

    def _pausing(self) -> bool:
        """Stop at a checkpoint that was reached; those that were passed over with it are left out."""
        refresh, percent = self.refresh, self.refresh.values["PercentageComplete"]
        if refresh.left == 0:
            return False
        reached = [each for each in refresh.checkpoints if each <= percent]
        if reached:
            refresh.checkpoints = [each for each in refresh.checkpoints if each > percent]
            refresh.paused_until = self.now + int(self.wanted["CheckpointDelay"]) * self.scale
            refresh.values["StatusReason"] = f"Waiting after the checkpoint of {reached[-1]} percent."
            more = {"CheckpointPercentage": str(reached[-1])}
            refreshes.say(self.engine, self.group, refresh, "Checkpoint Reached", **more)
        if self.now < refresh.paused_until:
            return True
        if self.wanted.get("CheckpointPercentages") and not refresh.checkpoints and self._rolls_forward():
            # botocore model: only a last checkpoint of 100 replaces all instances.
            refresh.old.clear()
        return False

    def _rolls_forward(self) -> bool:
        return self.refresh.values["Status"] == "InProgress"

    def _stuck(self) -> bool:
        """Fail after an hour without progress; hooks of terminating instances and warm-ups are no reason to."""
        members = self.group.members
        warming = any(each.lifecycle_state == "InService" and not self._ready(each) for each in members)
        if warming or any(each.lifecycle_state == "Terminating:Wait" for each in members):
            self.refresh.progress_at = self.now
        if self.now - self.refresh.progress_at < PATIENCE * self.scale:
            return False
        reason = self.refresh.values.get("StatusReason") or "No instance could be replaced."
        refreshes.fail(self.engine, self.group, self.refresh, f"{reason} The operation timed out after one hour.")
        return True

    # -- replacing ----------------------------------------------------------------------------------------------------

    def _replace(self) -> None:
        group, refresh = self.group, self.refresh
        if self._rolls_forward():
            refresh.values.pop("StatusReason", None)
        fit = self._fit()[: self._room()]
        least = -(-group.desired * int(self.wanted["MinHealthyPercentage"]) // 100)
        ahead = self._ahead(least, fit)
        ready = sum(each.weight for each in group.held() if self._ready(each))
        if "Terminate" not in group.suspended:
            for member in list(fit):
                if member.lifecycle_state != "Standby":
                    # A group too small for its percentage goes on one instance at a time.
                    alone = not ahead and _quiet(self.engine, group) and ready >= group.desired
                    if ready - member.weight < least and not alone:
                        break
                    ready -= member.weight
                fit.remove(member)
                refresh.old.remove(member.id)
                self.engine.terminate(group, member, "in response to an instance refresh.")
        rest = sum(each.weight for each in fit if each.lifecycle_state != "Standby")
        refresh.surge = min(ahead, rest)

    def _fit(self) -> list[Member]:
        """Old instances that may be replaced now; says what holds up the others."""
        found, held_up = [], {}
        for name in self.refresh.old:
            member = self.group.member(name)
            if member is None:
                continue
            for key, kind in (("ScaleInProtectedInstances", "protected"), ("StandbyInstances", "standby")):
                if self.wanted[key] == "Wait" and _is(member, kind):
                    held_up[kind] = name
                    break
            else:
                if member.lifecycle_state in ("InService", "Standby"):
                    found.append(member)
        if held_up and not found:
            text = {"protected": "protected from scale in", "standby": "in Standby"}
            kind, name = next(iter(held_up.items()))
            self.refresh.values["StatusReason"] = f"Waiting for instances that are {text[kind]}. For example: {name}."
        return found

    def _room(self) -> int:
        """How many more instances may go before the next checkpoint."""
        refresh = self.refresh
        if not refresh.checkpoints:
            return len(refresh.old)
        allowed = -(-refresh.total * refresh.checkpoints[0] // 100)
        return max(0, allowed - (refresh.total - len(refresh.old)))

    def _ahead(self, least: int, fit: list[Member]) -> int:
        """Units to launch before old instances go: up to the maximum, and one where nothing could go otherwise."""
        desired, most = self.group.desired, self.wanted.get("MaxHealthyPercentage")
        above = desired * int(most) // 100 - desired if most is not None else 0
        smallest = min((each.weight for each in fit if each.lifecycle_state in HELD), default=0)
        must = most is not None or int(self.wanted["MinHealthyPercentage"]) == 100
        return smallest if above <= 0 and must and desired - smallest < least else max(0, above)


def _is(member: Member, kind: str) -> bool:
    standby = member.lifecycle_state == "Standby"
    return standby if kind == "standby" else member.protected and not standby
