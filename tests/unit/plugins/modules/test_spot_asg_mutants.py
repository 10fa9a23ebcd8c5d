# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the proofs of spot_asg notice what is wrong: mistakes are planted one at a time, and those proofs have to fail."""

from __future__ import annotations

import importlib
import inspect
import textwrap
from collections.abc import Callable
from typing import Any
from typing import NamedTuple

import pytest

from ansible_collections.ethereal.spot.tests.unit.plugins.modules import test_spot_asg_single_changes as proofs
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_cases import CASES
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_cases import FLEETS
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_cases import Things
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import IMAGE
from ansible_collections.ethereal.spot.tests.unit.plugins.modules.fleet_world import World

BRAIN = "ansible_collections.ethereal.spot.plugins.module_utils._brain"


class Mutant(NamedTuple):
    mistake: str
    # The brain's file, its function, and what stands there in place of what.
    file: str
    function: str
    right: str
    wrong: str
    # The single change that tells.
    case: str


MUTANTS = (
    Mutant(
        "keep the group on its old version",
        "fleet_plan",
        "_plan_group",
        "if in_force != chosen:",
        "if False:",
        "disk",
    ),
    Mutant(
        "plan a field of the group that stands as wanted",
        "fleet_plan",
        "_plan_group",
        "if standing[field] != wanted:",
        "if True:",
        "more instances",
    ),
    Mutant(
        "attach no new target group",
        "fleet_plan",
        "_plan_target_groups",
        "sorted(wanted - standing)",
        "[]",
        "other target group",
    ),
    Mutant(
        "keep target groups that are not wanted",
        "fleet_plan",
        "_plan_target_groups",
        "sorted(standing - wanted)",
        "[]",
        "other target group",
    ),
    Mutant(
        "remember a parameter that the image is not from",
        "fleet_plan",
        "_plan_template_tags",
        'fleet["image_parameter"] is None and',
        "False and",
        "image by id",
    ),
    Mutant(
        "take a tag for there whatever its value",
        "fleet_plan",
        "_stands",
        "(key == TAG_ECS_MANAGED or tags[key] == value)",
        "True",
        "environment",
    ),
    Mutant(
        "foretell what a refresh has yet to bring",
        "fleet_refresh",
        "meanwhile",
        'if current["group"] is None:',
        "if True:",
        "image by a refresh that can go back",
    ),
    Mutant(
        "start no refresh",
        "fleet_refresh",
        "plan",
        "if not old:",
        "if True:",
        "types, refreshed",
    ),
    Mutant(
        "put what is to go",
        "fleet_extras",
        "differences",
        "KINDS[kind].delete if after is None else",
        "",
        "no policy",
    ),
    Mutant(
        "forget the target of a hook that is changed",
        "fleet_extras",
        "settled",
        "KINDS[kind].settle(item, standing.get(kind, {}).get(name))",
        "item",
        "patience of a hook",
    ),
    Mutant(
        "show what went as if it stood",
        "fleet_extras",
        "merged",
        "if item is not None",
        "",
        "no hook",
    ),
    Mutant(
        "set a size that is a scaling policy's",
        "fleet",
        "_apply_owner",
        'min(within, fleet["max_size"])',
        'fleet["max_size"]',
        "smallest size above the wanted",
    ),
    Mutant(
        "keep on-demand under a placement",
        "fleet",
        "_apply_owner",
        "fleet[option] = 0",
        "pass",
        "left to a placement",
    ),
    Mutant(
        "keep pools without the strategy that has them",
        "fleet_capacity",
        "_settle_strategies",
        'fleet["spot_instance_pools"] = None',
        "pass",
        "spot not by price",
    ),
)
# One in make test, to see that this can fail and can pass.
SAMPLE = MUTANTS[0]


def plant(monkeypatch: pytest.MonkeyPatch, mutant: Mutant) -> None:
    """Put the mistake into the function, where its own module and those that name the module find it."""
    module = importlib.import_module(f"{BRAIN}.{mutant.file}")
    source = textwrap.dedent(inspect.getsource(getattr(module, mutant.function)))
    assert source.count(mutant.right) == 1, f"{mutant.right!r} stands {source.count(mutant.right)} times"
    planted: dict[str, Any] = {}
    code = compile(
        f"from __future__ import annotations\n{source.replace(mutant.right, mutant.wrong)}", mutant.file, "exec"
    )
    exec(code, vars(module), planted)
    monkeypatch.setattr(module, mutant.function, planted[mutant.function])


@pytest.mark.parametrize(
    "mutant",
    [SAMPLE, *(pytest.param(mutant, marks=pytest.mark.slow) for mutant in MUTANTS[1:])],
    ids=lambda mutant: mutant.mistake,
)
def test_a_planted_mistake_is_noticed(
    world: World, recorder: Any, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, mutant: Mutant
) -> None:
    things, case = Things(world, recorder), CASES[mutant.case]
    things.release(IMAGE)
    assert not run(FLEETS[case.fleet](world, things)).failed
    plant(monkeypatch, mutant)
    with pytest.raises(Exception):  # noqa: B017
        proofs.check(world, run, case, case.options(world, things))
