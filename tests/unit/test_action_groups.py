# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module that playbooks or roles run and that its action group does not name would act in a region that nobody chose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CLOUDS = ("amazon.aws.", "community.aws.", "ethereal.spot.spot_")
# No client of AWS, so no region.
REGIONLESS = {f"ethereal.spot.spot_{name}" for name in ("display", "record", "replay", "validate")}


def actions(node: Any) -> set[str]:
    """Every key in a playbook or a list of tasks that names a module of ours or of AWS's."""
    if isinstance(node, list):
        return {name for item in node for name in actions(item)}
    if not isinstance(node, dict):
        return set()
    named = {key for key in node if isinstance(key, str) and key.startswith(CLOUDS)}
    return named | {name for value in node.values() for name in actions(value)}


def test_the_playbooks_own_group_names_what_they_run():
    groups = yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["action_groups"]
    own = {name if "." in name else f"ethereal.spot.{name}" for name in groups["own"]}
    files = [*ROOT.glob("playbooks/**/*.yml"), *ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("roles/*/handlers/*.yml")]
    run = {name for path in files for name in actions(yaml.safe_load(path.read_text()))}
    assert own == run - REGIONLESS
    modules = {f"ethereal.spot.{path.stem}" for path in ROOT.glob("plugins/modules/*.py")}
    assert {f"ethereal.spot.{name}" for name in groups["spot"] if isinstance(name, str)} == modules - REGIONLESS


def test_plays_that_set_a_region_use_it():
    plays = [play for path in ROOT.glob("playbooks/*.yml") for play in yaml.safe_load(path.read_text())]
    used = [group for play in plays for group in play.get("module_defaults", {})]
    assert set(used) == {"group/ethereal.spot.own"}
