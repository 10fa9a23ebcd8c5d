# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The borders that docs/architecture.md names: who may import whom, and what loads where only botocore exists."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGINS = ROOT / "plugins"
PLUGINS_OURS = "ansible_collections.ethereal.spot.plugins"
OURS = f"{PLUGINS_OURS}.module_utils"
AMAZON = "ansible_collections.amazon.aws.plugins.module_utils"

# Beside the standard library, what each part may import.
ALLOWED = {
    "module_utils/_brain": (f"{OURS}._brain",),
    "module_utils/_aws": ("botocore", f"{OURS}._aws", f"{OURS}._brain"),
    "module_utils/_edge": (
        "ansible.module_utils",
        "boto3",
        "botocore",
        "matplotlib",
        AMAZON,
        f"{OURS}._edge",
        f"{OURS}._aws",
        f"{OURS}._brain",
    ),
    "modules": ("ansible.module_utils", AMAZON, f"{OURS}._edge", f"{OURS}._aws", f"{OURS}._brain"),
    "action": ("ansible", f"{PLUGINS_OURS}.modules", f"{PLUGINS_OURS}.plugin_utils", f"{OURS}._brain"),
    "filter": ("ansible", f"{OURS}._brain"),
    "plugin_utils": ("ansible",),
}
# No clock, no randomness, no world outside: a decision is what its arguments say.
IMPURE = {"asyncio", "os", "random", "secrets", "socket", "subprocess", "threading", "time", "uuid"}
CLOCK = {"now", "today", "utcnow"}
# botocore's own requirements.
BOTOCORE = ("botocore", "dateutil", "jmespath", "six", "urllib3")

FILES = [(part, path) for part in ALLOWED for path in sorted((PLUGINS / part).rglob("*.py"))]


def imported(tree: ast.AST) -> set[str]:
    """Every module that a file imports, wherever in it; `from a import b` counts as a.b, since b may be a module."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


@pytest.mark.parametrize(("part", "path"), FILES, ids=lambda value: value.name if isinstance(value, Path) else "")
def test_imports_stay_within_the_borders(part, path):
    names = imported(ast.parse(path.read_text()))
    third_party = {name for name in names if name.partition(".")[0] not in sys.stdlib_module_names}
    assert {name for name in third_party if not any(within(name, package) for package in ALLOWED[part])} == set()
    private = {name for name in third_party if within(name, AMAZON) and "._" in name.removeprefix(AMAZON)}
    assert private == set(), "only amazon.aws's public names"


@pytest.mark.parametrize(
    "path", [path for part, path in FILES if part == "module_utils/_brain"], ids=lambda path: path.name
)
def test_the_brain_is_pure(path):
    tree = ast.parse(path.read_text())
    assert {name.partition(".")[0] for name in imported(tree)} & IMPURE == set()
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    names = {call.attr for call in calls if isinstance(call, ast.Attribute)}
    assert names & CLOCK == set(), "the time is an argument"
    assert {call.id for call in calls if isinstance(call, ast.Name)} & {
        "open",
        "print",
        "input",
        "exec",
        "eval",
    } == set()


@pytest.mark.parametrize("path", sorted(PLUGINS.rglob("__init__.py")), ids=lambda path: str(path.relative_to(PLUGINS)))
def test_package_files_are_empty(path):
    assert path.read_text() == ""


LOADER = """
import importlib, importlib.abc, sys

allowed = set(sys.stdlib_module_names) | set(sys.argv[2].split(",")) | {"ansible_collections", "_distutils_hack"}

class Gate(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in allowed:
            raise ModuleNotFoundError(f"{name} does not exist here", name=name)

sys.meta_path.insert(0, Gate())
sys.path.insert(0, sys.argv[1])
for missing in ("ansible", "boto3"):
    try:
        importlib.import_module(missing)
    except ModuleNotFoundError:
        continue
    sys.exit(f"{missing} can be imported: the test proves nothing")
for name in sys.argv[3:]:
    importlib.import_module(name)
print(len(sys.argv[3:]))
"""


@pytest.mark.parametrize(("part", "exists"), [("_brain", ()), ("_aws", BOTOCORE)])
def test_loads_where_ansible_and_boto3_do_not_exist(tmp_path, part, exists):
    """The control plane's functions ship these files under the same import path, beside nothing but botocore."""
    bundle = tmp_path / "ansible_collections" / "ethereal" / "spot" / "plugins"
    bundle.parent.mkdir(parents=True)
    bundle.symlink_to(PLUGINS)
    # A package of our own, so that the one in site-packages is not joined to it.
    (tmp_path / "ansible_collections" / "__init__.py").touch()
    package = PLUGINS / "module_utils" / part
    files = [path.relative_to(package).with_suffix("") for path in sorted(package.rglob("*.py"))]
    names = [".".join((OURS, part, *file.parts)) for file in files if file.name != "__init__"]
    command = [sys.executable, "-I", "-c", LOADER, str(tmp_path), ",".join(exists), *names]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) == len(names) > 0
