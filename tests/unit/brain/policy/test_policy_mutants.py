# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the other tests here notice what is wrong: mistakes are planted one at a time, and those tests have to fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from ansible_collections.ethereal.spot.plugins.module_utils import _brain

HERE = Path(__file__).parent
BRAIN = Path(next(iter(_brain.__path__)))
INSIDE = "ansible_collections/ethereal/spot/plugins/module_utils"


class Mutant(NamedTuple):
    mistake: str
    file: str
    right: str
    wrong: str


MUTANTS = (
    Mutant(
        "forget the cool-down after a loss",
        "policy/memory.py",
        "_replace(down_at=now, cool_until=until",
        "_replace(down_at=now, cool_until=0",
    ),
    Mutant("set no cool-down at a loss", "policy/memory.py", "now + settings.cooldown_seconds)", "0)"),
    Mutant("ignore the expiry of a failure", "ledger.py", "entry.expires > now and", "True and"),
    Mutant("bar nothing after a failure", "ledger.py", "entry.expires > now and", "False and"),
    Mutant(
        "take throttling for want of capacity",
        "policy/memory.py",
        "if is_shortage(told_code(refusal.code, refusal.message)):",
        "if True:",
    ),
    Mutant(
        "forget the launches of this decision in quotas",
        "policy/view.py",
        "quote.room - taken",
        "quote.room",
    ),
    Mutant("count no launch in the hourly bound", "policy/view.py", "self.hourly += quote.price * count", "pass"),
    Mutant(
        "take a warned replica for a healthy one",
        "policy/view.py",
        "in observed.replicas if not each.warned)",
        "in observed.replicas)",
    ),
    Mutant(
        "choose the dearest pool",
        "policy/steps.py",
        "key = min(following, key=lambda key: (following[key], key))",
        "key = max(following, key=lambda key: (following[key], key))",
    ),
    Mutant(
        "let on-demand go as soon as spot is launched",
        "policy/steps.py",
        "fallback.allowed(view, max(missing, wanted - ready))",
        "fallback.allowed(view, missing)",
    ),
    Mutant(
        "go on with on-demand beyond its hours", "policy/steps.py", "0 if fallback.ended(view) else", "0 if False else"
    ),
    Mutant(
        "buy on-demand at once",
        "policy/fallback.py",
        "now - state.short_since < settings.on_demand_after_seconds",
        "False",
    ),
    Mutant(
        "start a day's budget anew at every decision",
        "policy/fallback.py",
        "spent=state.spent + rate * elapsed",
        "spent=rate * elapsed",
    ),
    Mutant(
        "pay for what runs only from the next decision on",
        "policy/fallback.py",
        "elapsed = max(0, now - state.decided_at)",
        "elapsed = 0",
    ),
    Mutant("move whatever its age", "policy/moves.py", "if view.now < settled_at:", "if False:"),
    Mutant(
        "move for any advantage",
        "policy/moves.py",
        "if there * 100 >= here * (100 - settings.advantage_percent):",
        "if there >= here:",
    ),
    Mutant(
        "keep no interval between moves",
        "policy/decide.py",
        "settled and view.spot and now >= state.next_move_at and",
        "settled and view.spot and",
    ),
    Mutant(
        "hand over to a successor that is not ready",
        "policy/one_place.py",
        "places[successor].ready >= settings.replicas:",
        "len(places[successor].spot) >= settings.replicas:",
    ),
    Mutant(
        "begin a move that quota forbids",
        "policy/one_place.py",
        "and (but is None or _could_hold_all(",
        "and (True or _could_hold_all(",
    ),
    Mutant(
        "wake when it is too late",
        "policy/steps.py",
        "wake = min(wake, max(min(opening, default=NEVER), now + MINUTE))",
        "wake = min(wake, now + 100 * MINUTE)",
    ),
    Mutant(
        "count a launch in flight as missing",
        "policy/steps.py",
        "held += view.launch(view.spot_quotes[key]",
        "view.launch(view.spot_quotes[key]",
    ),
    Mutant("launch where the data are not", "policy/view.py", "return quote.data_ready and", "return"),
    Mutant(
        "let the youngest go last",
        "policy/steps.py",
        "(last[each.key], each.since, each.number)",
        "(last[each.key], -each.since, each.number)",
    ),
    Mutant("give the reference rule on-demand", "policy/reference.py", "if quote.pool.market == SPOT:", "if True:"),
)
# Seconds; without a mistake it takes about 60 on a quiet machine.
TIMEOUT = 400
# One in make test, to see that this can fail and can pass.
SAMPLE = MUTANTS[8]


def caught(folder: Path, mutant: Mutant | None) -> bool:
    """Whether the tests fail on the brain with that mistake in it."""
    package = folder / INSIDE
    package.mkdir(parents=True)
    for parent in [package, *package.parents]:
        if parent == folder:
            break
        (parent / "__init__.py").touch()
    shutil.copytree(BRAIN, package / "_brain", ignore=shutil.ignore_patterns("__pycache__"))
    if mutant is not None:
        path = package / "_brain" / mutant.file
        text = path.read_text()
        assert text.count(mutant.right) == 1, (
            f"{mutant.right!r} stands {text.count(mutant.right)} times in {mutant.file}"
        )
        path.write_text(text.replace(mutant.right, mutant.wrong))
    tests = folder / "policy"
    shutil.copytree(HERE, tests, ignore=shutil.ignore_patterns("__pycache__", Path(__file__).name))
    # pytest-ansible would put the checkout's collection in place of the mutated one.
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", os.devnull]
    try:
        done = subprocess.run(
            [*command, "--rootdir", str(tests), "-q", "-x", "-m", "not slow", "-W", "ignore", str(tests)],
            cwd=tests,
            env={**os.environ, "PYTHONPATH": str(folder), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        # A mistake may be one that never ends.
        return True
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.returncode == 1


def test_a_planted_mistake_is_noticed(tmp_path):
    assert caught(tmp_path, SAMPLE)


@pytest.mark.slow
def test_nothing_is_noticed_where_nothing_is_wrong(tmp_path):
    assert not caught(tmp_path, None)


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.mistake)
def test_every_planted_mistake_is_noticed(tmp_path, mutant):
    assert caught(tmp_path, mutant)
