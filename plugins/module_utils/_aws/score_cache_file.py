# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers to score questions in a file, where there is no hub. PRIVATE to the collection."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.ranking.scores import SCHEMA_VERSION

LARGEST_BYTES = 4 * 1024 * 1024


def default_path() -> str:
    """A file of the user's own, below the folder for what may be lost (XDG Base Directory Specification)."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(home, "ethereal.spot", "scores.json")


class FileCache:
    """Documents of `_brain/ranking/scores.py` by fingerprint, in one JSON file that only its owner reads.

    A lock beside the file orders writers, and readers see the old file or the new one, whole. A file that cannot be read as
    one of ours counts as empty; one that a newer version wrote is left alone. Raises OSError.
    """

    placement: Mapping[str, Mapping[str, int]] = {}

    def __init__(self, path: str, now: int) -> None:
        self._path = os.path.abspath(path)
        self._now = now

    def read(self, fingerprints: Collection[str]) -> dict[str, Mapping[str, Any]]:
        """Those of the documents that are kept."""
        kept = self._content()["scores"]
        return {each: kept[each] for each in fingerprints if each in kept}

    def write(self, fingerprint: str, document: Mapping[str, Any]) -> None:
        """Keep a document, and let go of those that have expired."""
        os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
        with self._locked():
            content = self._content()
            if content["schema_version"] != SCHEMA_VERSION:
                return
            content["scores"] = {key: each for key, each in content["scores"].items() if self._lives(each)}
            content["scores"][fingerprint] = dict(document)
            self._replace(json.dumps(content, sort_keys=True, indent=1))

    def _lives(self, document: Any) -> bool:
        expires_at = document.get("expires_at") if isinstance(document, dict) else None
        return isinstance(expires_at, int) and expires_at > self._now

    def _content(self) -> dict[str, Any]:
        empty = {"schema_version": SCHEMA_VERSION, "scores": {}}
        try:
            with open(self._path, "rb") as file:
                content = json.loads(file.read(LARGEST_BYTES))
        except (FileNotFoundError, ValueError, RecursionError):
            return empty
        if not isinstance(content, dict) or not isinstance(content.get("schema_version"), int):
            return empty
        if content["schema_version"] != SCHEMA_VERSION:
            return {"schema_version": content["schema_version"], "scores": {}}
        return content if isinstance(content.get("scores"), dict) else empty

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with open(os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT, 0o600), "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _replace(self, content: str) -> None:
        # mkstemp makes files that only their owner can read.
        handle, path = tempfile.mkstemp(dir=os.path.dirname(self._path), prefix=f"{os.path.basename(self._path)}.")
        try:
            with open(handle, "w", encoding="utf-8") as file:
                file.write(content)
            os.replace(path, self._path)
        except BaseException:
            os.unlink(path)
            raise
