# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A copy of the checkout where ansible-test accepts it: below ansible_collections, its own git repository, amazon.aws beside it.

ansible-test resolves links, so a link to the checkout does not do; it asks the enclosing git for files, so a copy below an
ignored folder would be skipped as empty, with success.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
# The files that ansible-test downloads pip's bootstrap to, by core version. Ours takes pip from the Python that runs it, so that the
# package index is the only thing on the network that a test run needs.
GET_PIP = ("get_pip_24_2.py", "get_pip_25_2.py")
GET_PIP_TEXT = """\
import subprocess, sys
wanted = [arg for arg in sys.argv[1:] if not arg.startswith("-")]
subprocess.check_call([sys.executable, "-m", "ensurepip", "--default-pip"], stdout=subprocess.DEVNULL)
subprocess.check_call([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted])
"""


def make(name: str, packages: pathlib.Path) -> pathlib.Path:
    """The collection's folder in a fresh tree; `packages` is the site-packages that holds amazon.aws."""
    base = ROOT / ".cache" / "trees" / name
    shutil.rmtree(base, ignore_errors=True)
    tree = base / "ansible_collections" / "ethereal" / "spot"
    tree.mkdir(parents=True)
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    for file in filter(None, listed.split("\0")):
        if (ROOT / file).is_file():
            (tree / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / file, tree / file)
    subprocess.run(["git", "init", "-q"], cwd=tree, check=True)
    for namespace, collection in (("amazon", "aws"), ("community", "aws")):
        beside = base / "ansible_collections" / namespace / collection
        beside.parent.mkdir(parents=True, exist_ok=True)
        beside.symlink_to(packages / "ansible_collections" / namespace / collection)
    return tree


def home(name: str = "home") -> pathlib.Path:
    """A home of our own for ansible-test: its caches, pip's bootstrap, and the user's pip settings (it drops PIP_* variables)."""
    folder = ROOT / ".cache" / name
    cache = folder / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for name in GET_PIP:
        (cache / name).write_text(GET_PIP_TEXT)
    settings = pathlib.Path(os.path.expanduser("~/.config/pip/pip.conf"))
    link = folder / ".config" / "pip" / "pip.conf"
    link.parent.mkdir(parents=True, exist_ok=True)
    if settings.exists() and not link.exists():
        link.symlink_to(settings)
    return folder
