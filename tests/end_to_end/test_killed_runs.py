# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""site and teardown, killed with all their processes again and again: whoever runs them once more gets what was wanted."""

from __future__ import annotations

import leftovers
import local_aws
import pytest
from deployment import Account
from deployment import write_inventory

HUB = "us-east-1"
WORKER = "us-west-2"
# Stack operations go on at AWS after their caller is gone, and the next run meets them.
RUNS = 40


@pytest.fixture
def account():
    with local_aws.running() as aws:
        yield Account(aws, local_aws.controller(aws), leftovers.listing(aws.url))


def kill_again_and_again(account: Account, name: str, *arguments: str, every: int = 1) -> int:
    """Each run is killed after as many mutating calls; how many runs were, until one had nothing more to do."""
    for kills in range(RUNS):
        if not account.play_killed(name, *arguments, after=every):
            return kills
    raise AssertionError(f"{name} makes no progress: killed {RUNS} times")


@pytest.mark.slow
def test_whatever_kills_a_removal_the_next_run_goes_on(account, tmp_path):
    """The only place serves, so the placement goes first, and the state forgets last."""
    path = tmp_path / "inventory.yml"
    account.play("site", "-i", write_inventory(path, HUB, {WORKER: {}}))
    inventory = write_inventory(path, HUB, {WORKER: {"spot_place_state": "absent"}})
    kills = kill_again_and_again(account, "site", "-i", inventory, "-e", "teardown_data=true")
    again = account.play("site", "-i", inventory, "-e", "teardown_data=true")
    assert (again.mutating, set(again.changed.values())) == ([], {0})
    places = account.client("dynamodb", HUB).query(
        TableName="ethereal-state",
        KeyConditionExpression="pk = :place",
        ExpressionAttributeValues={":place": {"S": "place"}},
    )
    assert places["Items"] == []
    left = leftovers.listing(account.aws.url) - account.before
    assert [each for each in left if WORKER in each.split()[0]] == []
    assert kills > 5


def test_whatever_kills_a_run_the_next_one_goes_on(account, tmp_path):
    inventory = write_inventory(tmp_path / "inventory.yml", HUB, {WORKER: {}})
    made = kill_again_and_again(account, "site", "-i", inventory, every=2)
    again = account.play("site", "-i", inventory)
    assert (again.mutating, set(again.changed.values())) == ([], {0})
    ecs = account.client("ecs", WORKER)
    service = ecs.describe_services(cluster=f"ethereal-{WORKER}", services=[f"ethereal-{WORKER}"])["services"][0]
    assert service["runningCount"] == 1

    gone = kill_again_and_again(account, "teardown", "-i", inventory, "-e", "teardown_data=true")
    again = account.play("teardown", "-i", inventory, "-e", "teardown_data=true")
    assert (again.mutating, set(again.changed.values())) == ([], {0})
    assert leftovers.listing(account.aws.url) - account.before == set()
    # Fewer would mean that the kills came too late to mean anything.
    assert (made > 5, gone > 5) == (True, True)
