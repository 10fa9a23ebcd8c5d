# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading
import time

import pytest

from ansible_collections.ethereal.spot.plugins.module_utils._aws.concurrency import gather
from ansible_collections.ethereal.spot.plugins.module_utils._aws.errors import AwsError


def test_every_task_gets_its_own_answer_and_all_run_at_once():
    together = threading.Barrier(40, timeout=5)

    def task(number):
        together.wait()
        if number == 7:
            raise AwsError("ask", "UnauthorizedOperation", "no")
        return number

    answers = gather({number: lambda number=number: task(number) for number in range(40)}, 10)
    assert answers.pop(7).code == "UnauthorizedOperation"
    assert answers == {number: number for number in range(40) if number != 7}


def test_a_slow_task_holds_nobody_beyond_the_deadline():
    release = threading.Event()
    started = time.monotonic()
    answers = gather({"slow": release.wait, "fast": lambda: 1}, 0.2)
    assert time.monotonic() - started < 5
    release.set()
    assert answers["fast"] == 1
    assert (answers["slow"].code, answers["slow"].reason) == ("DeadlineExceeded", "no answer within 0.2 seconds")


def test_no_time_is_lost_when_all_have_ended():
    started = time.monotonic()
    assert gather({"one": lambda: 1}, 60) == {"one": 1}
    assert gather({}, 60) == {}
    assert time.monotonic() - started < 5


def test_a_mistake_of_ours_is_raised():
    with pytest.raises(ZeroDivisionError):
        gather({"wrong": lambda: 1 / 0, "slow": threading.Event().wait}, 60)
