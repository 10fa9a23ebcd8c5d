# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts that make up the sandbox, and the order in which they are installed and reset."""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType
from typing import TYPE_CHECKING

from sandbox import selfcheck

if TYPE_CHECKING:
    from sandbox.context import Context

NAMES = (
    "sandbox.mends",
    "sandbox.ec2",
    "sandbox.autoscaling",
    "sandbox.ecs",
    "sandbox.imagebuilder",
    "sandbox.cloudformation",
)


def _modules() -> list[ModuleType]:
    """The parts that exist."""
    modules = [importlib.import_module(name) for name in NAMES if importlib.util.find_spec(name)]
    return [module for module in modules if hasattr(module, "install")]


def install(context: Context) -> None:
    """Install every part, after checking that each private name they patch still exists."""
    modules = _modules()
    selfcheck.require([symbol for module in modules for symbol in getattr(module, "NEEDS", [])])
    for module in modules:
        module.install(context)


def reset(context: Context) -> None:
    """Let every part forget what it holds and seed anew; both emulators are empty by then."""
    for module in _modules():
        if hasattr(module, "reset"):
            module.reset(context)
