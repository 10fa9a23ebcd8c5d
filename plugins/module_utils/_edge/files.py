# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that modules read and write, as a user names them. PRIVATE to the collection."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError


def read_file(path: str, option: str, limit: int) -> bytes:
    """The content of a regular file of `limit` bytes at most. Raises InputError for any other path."""
    where = Path(path)
    if not where.exists():
        raise InputError(option, path, "does not exist")
    # A pipe or a device would be read for ever.
    if not where.is_file():
        raise InputError(option, path, "is not a file")
    try:
        with where.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise InputError(option, path, f"cannot be read: {error.strerror}") from None
    if len(content) > limit:
        raise InputError(option, path, f"has more than {limit} bytes")
    return content


def check_target(path: str, option: str) -> None:
    """A path at which a file can be written, found before any work is done. Raises InputError otherwise."""
    where = Path(path)
    if where.exists() and not where.is_file():
        raise InputError(option, path, "is not a file")
    if not where.parent.is_dir():
        raise InputError(option, path, "is in a folder that does not exist")
    if not os.access(where if where.exists() else where.parent, os.W_OK):
        raise InputError(option, path, "cannot be written")


def write_file(module: Any, path: str, content: bytes) -> dict[str, Any]:
    """Write a whole file where its content differs, except in check mode. Returns `changed`, `before` and `after`.

    `before` and `after` describe the content for a diff, `before` is None where there was no file.
    """
    where = Path(path)
    before = where.read_bytes() if where.exists() else None
    changed = before != content
    if changed and not module.check_mode:
        handle, temporary = tempfile.mkstemp(dir=module.tmpdir)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        # Of a bare name it would look for the folder "".
        module.atomic_move(temporary, os.path.abspath(path))
    return {"changed": changed, "before": None if before is None else _described(before), "after": _described(content)}


def append_line(path: str, option: str, line: bytes) -> None:
    """Add a line, which ends with a line feed, to a file that is only ever added to; the file is made if it is not there.

    One writer at a time, and the line is on the disk when this returns. What a writer that died left of a line gets its end.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        with os.fdopen(handle, "r+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            torn = file.seek(0, os.SEEK_END) > 0 and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n"
            content = b"\n" + line if torn else line
            if file.write(content) != len(content):
                raise InputError(option, path, "could not take a whole line: is the disk full?")
            os.fsync(file.fileno())
    except OSError as error:
        raise InputError(option, path, f"cannot be written: {error.strerror}") from None


def _described(content: bytes) -> dict[str, Any]:
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
