# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Random markets, settings and happenings, read from bytes: what hypothesis shrinks, and any source of bytes can play.

Of each choice the plainest comes first, since that is what a zero byte chooses, and no bytes are all zeros.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence
from typing import Any
from typing import TypeVar

from policy_cloud import DAY
from policy_cloud import HOUR
from policy_cloud import MINUTE
from policy_cloud import NO_CAPACITY
from policy_cloud import PLENTY
from policy_cloud import QUOTA
from policy_cloud import Fleet
from policy_cloud import Machine
from policy_cloud import Offer
from policy_cloud import Watch
from policy_cloud import on_demand
from policy_cloud import spot

from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import ON_DEMAND
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.model import SPOT
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import DEFAULT
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import STRICT
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import Settings
from ansible_collections.ethereal.spot.plugins.module_utils._brain.policy.settings import settings_for

T = TypeVar("T")

LENGTH = 400
REGIONS = ("here", "there", "yonder")
# In millionths of a USD an hour; on-demand is 1,000,000.
PRICES = (300_000, 200_000, 310_000, 400_000, 600_000, 900_000, 1_000_000, 1_200_000)
ON_DEMAND_PRICES = (1_000_000, 1_000_000, 1_100_000)
CODES = (
    NO_CAPACITY,
    "RequestLimitExceeded",
    "UnauthorizedOperation",
    "InsufficientFreeAddressesInSubnet",
    "UnfulfillableCapacity",
    "InvalidParameterValue",
    "Unsupported",
    "Server.InternalError",
)


class Script:
    """Choices from bytes."""

    def __init__(self, content: bytes) -> None:
        self._bytes = iter(content)

    def pick(self, choices: Sequence[T]) -> T:
        return choices[next(self._bytes, 0) % len(choices)]

    def seldom(self) -> bool:
        return next(self._bytes, 0) % 4 == 3


def draw_settings(script: Script, spread: str, modes: Sequence[str]) -> Settings:
    replicas = script.pick((1, 2, 3, 4, 1, 2, 5, 8, 16))
    policy: dict[str, Any] = {"spread": spread}

    def perhaps(name: str, choices: Sequence[Any]) -> None:
        if script.seldom():
            policy[name] = script.pick(choices)

    if script.pick((True, False)):
        policy["max_extra"] = 0
    perhaps("cooldown_seconds", (0, 60, 900))
    perhaps("minimum_stay_seconds", (0, 60, 7200))
    perhaps("move_interval_seconds", (60, 3600))
    perhaps("move_after_seconds", (0, 1200))
    perhaps("advantage_percent", (10, 0, 60))
    perhaps("on_demand_after_seconds", (60, 300, 1200))
    perhaps("on_demand_max_replicas", (0, 1, 2, replicas))
    perhaps("on_demand_max_hours", (1, 2, 6))
    perhaps("on_demand_budget_usd", ("1", "2.5", "8", "40"))
    perhaps("max_hourly_usd", ("0.5", "1", "2.2", "4", "20"))
    return settings_for(
        replicas,
        script.pick(modes),
        policy,
        cold_start_seconds=script.pick((180, 60, 120, 600)),
        warning_seconds=script.pick((120, 0)),
        move_cost=script.pick((200_000, 0)),
    )


def draw_offers(script: Script) -> list[Offer]:
    offers = []
    for region in REGIONS[: script.pick((1, 2, 3))]:
        for zone in "abc"[: script.pick((1, 2, 3))]:
            offer = spot(f"{region}-{zone}", script.pick(PRICES), region)
            offer.capacity = script.pick((PLENTY, 0, 1, 2, 4))
            offer.prior_losses = script.pick((None, 0, 200, 1500))
            offer.data_ready = not script.seldom()
            offers.append(offer)
        if not script.seldom():
            offers.append(on_demand(script.pick(ON_DEMAND_PRICES), f"{region}-od", region))
    return offers


class Play:
    """One fleet and what happens to it, with `faults` on the caller's side if wanted."""

    def __init__(
        self,
        content: bytes,
        spread: str,
        watches: Sequence[Watch] = (),
        faults: Sequence[Callable[[Play], None]] = (),
        modes: Sequence[str] = (DEFAULT, STRICT),
        **more: Any,
    ) -> None:
        self.script = Script(content)
        settings = draw_settings(self.script, spread, modes)
        self.fleet = Fleet(draw_offers(self.script), settings, watches, **more)
        self.happenings = (*HAPPENINGS, *faults)

    def run(self) -> Fleet:
        fleet = self.fleet
        fleet.tell(f"{fleet.settings}; {list(fleet.cloud.offers.values())}")
        try:
            fleet.settle()
            for _happening in range(self.script.pick(range(48))):
                happen = self.script.pick(self.happenings)
                fleet.tell(happen.__name__)
                happen(self)
                # Not everything that happens is told; what is not shows at the next decision.
                if not self.script.seldom():
                    fleet.settle()
        except Exception as error:
            error.add_note("\n".join(f"{when:>7} {what}" for when, what in fleet.story[-60:]))
            raise
        return fleet

    # What the script chooses from.

    def offer(self) -> Offer:
        return self.script.pick(list(self.fleet.cloud.offers.values()))

    def machine(self) -> Machine | None:
        machines = list(self.fleet.cloud.machines.values())
        return self.script.pick(machines) if machines else None

    # What happens.

    def a_minute(self) -> None:
        self.fleet.pass_time(MINUTE)

    def minutes(self) -> None:
        self.fleet.pass_time(self.script.pick((30, 119, 120, 301, 600, 1799)))

    def until_it_looks_again(self) -> None:
        self.fleet.pass_time(min(self.fleet.wake_at - self.fleet.cloud.now, DAY))

    def hours(self) -> None:
        self.fleet.pass_time(self.script.pick((1, 2)) * HOUR)

    def nobody_asks(self) -> None:
        self.fleet.pass_time(self.script.pick((60, 600, HOUR, 8 * HOUR, DAY)), asking=False)

    def a_price_changes(self) -> None:
        offer = self.offer()
        if offer.spot:
            offer.price = self.script.pick(PRICES)

    def capacity_changes(self) -> None:
        """What is beyond the new capacity is warned, or lost at once."""
        offer = self.offer()
        cloud = self.fleet.cloud
        offer.capacity = self.script.pick((0, 1, 2, 3, PLENTY))
        held = [each for each in cloud.machines.values() if each.key == offer.key]
        told = self.fleet.settings.warning_seconds and not self.script.seldom()
        for machine in held[offer.capacity :]:
            if told:
                cloud.warn(machine, self.fleet.settings.warning_seconds)
            else:
                del cloud.machines[machine.number]

    def a_machine_is_warned(self) -> None:
        machine = self.machine()
        if machine and self.fleet.cloud.offers[machine.key].spot:
            self.fleet.cloud.warn(machine, self.script.pick((120, 30, 900)))

    def a_machine_is_lost(self) -> None:
        machine = self.machine()
        if machine:
            del self.fleet.cloud.machines[machine.number]

    def a_start_takes_longer(self) -> None:
        machine = self.machine()
        if machine and machine.ready_at > self.fleet.cloud.now:
            machine.ready_at += self.script.pick((60, 900, 5 * HOUR))

    def a_quota_changes(self) -> None:
        place = (self.script.pick(REGIONS), self.script.pick((SPOT, ON_DEMAND)))
        self.fleet.cloud.quotas[place] = self.script.pick((None, 0, 1, 3, 10))

    def data_come_or_go(self) -> None:
        region = self.script.pick(REGIONS)
        for offer in self.fleet.cloud.offers.values():
            if offer.pool.region == region and offer.spot:
                offer.data_ready = not offer.data_ready

    def launches_fail(self) -> None:
        offer = self.offer()
        offer.code = self.script.pick((None, *CODES, QUOTA[offer.pool.market]))

    # What goes wrong on the caller's side.

    def the_clock_is_put_back(self) -> None:
        self.fleet.clock -= self.script.pick((60, HOUR, DAY))

    def the_clock_is_put_forward(self) -> None:
        self.fleet.clock += self.script.pick((60, HOUR, DAY))

    def a_machine_is_not_seen(self) -> None:
        machine = self.machine()
        if machine:
            machine.hidden = not machine.hidden

    def a_price_is_not_known(self) -> None:
        offer = self.offer()
        offer.hidden = not offer.hidden


HAPPENINGS: tuple[Callable[[Play], None], ...] = (
    Play.a_minute,
    Play.minutes,
    Play.until_it_looks_again,
    Play.hours,
    Play.nobody_asks,
    Play.a_price_changes,
    Play.capacity_changes,
    Play.capacity_changes,
    Play.a_machine_is_warned,
    Play.a_machine_is_lost,
    Play.a_start_takes_longer,
    Play.a_quota_changes,
    Play.data_come_or_go,
    Play.launches_fail,
    Play.launches_fail,
)
# The caller's clock is wrong.
CLOCKS: tuple[Callable[[Play], None], ...] = (Play.the_clock_is_put_back, Play.the_clock_is_put_forward)
# What the caller observes lacks something.
BLIND: tuple[Callable[[Play], None], ...] = (
    Play.a_machine_is_not_seen,
    Play.a_machine_is_not_seen,
    Play.a_price_is_not_known,
    Play.a_price_is_not_known,
)
