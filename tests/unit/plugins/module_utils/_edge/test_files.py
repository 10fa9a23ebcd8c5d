# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._edge import files


def test_a_file_is_read_up_to_a_limit(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"12345")
    assert files.read_file(str(path), "trace", 5) == b"12345"
    with pytest.raises(InputError, match="has more than 4 bytes"):
        files.read_file(str(path), "trace", 4)


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    dangling = tmp_path / "dangling"
    dangling.symlink_to(tmp_path / "none")
    for path, rule in ((pipe, "is not a file"), (tmp_path, "is not a file"), (dangling, "does not exist")):
        with pytest.raises(InputError, match=rule):
            files.read_file(str(path), "trace", 5)


@pytest.mark.parametrize(
    ("name", "rule"), [("", "is not a file"), ("none/a", "is in a folder that does not exist"), ("file/a", "folder")]
)
def test_targets_that_cannot_be_written(tmp_path: Path, name: str, rule: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=rule):
        files.check_target(str(tmp_path / name), "page")


def test_targets_without_the_right_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said by os.access, which allows root, whom tests may run as, everything."""
    monkeypatch.setattr(os, "access", lambda path, how: False)
    with pytest.raises(InputError, match="cannot be written"):
        files.check_target(str(tmp_path / "a"), "page")


def test_a_file_is_written_only_where_it_differs(tmp_path: Path) -> None:
    moves: list[str] = []

    def atomic_move(source: str, target: str) -> None:
        moves.append(target)
        os.replace(source, target)

    path = str(tmp_path / "page")
    (tmp_path / "work").mkdir()
    module = SimpleNamespace(check_mode=True, tmpdir=str(tmp_path / "work"), atomic_move=atomic_move)
    checked = files.write_file(module, path, b"1")
    assert (checked["changed"], checked["before"], os.path.exists(path)) == (True, None, False)
    module.check_mode = False
    assert files.write_file(module, path, b"1") == checked
    assert Path(path).read_bytes() == b"1"
    again = files.write_file(module, path, b"1")
    assert (again["changed"], again["before"]) == (False, checked["after"])
    assert moves == [path]
    assert list((tmp_path / "work").iterdir()) == []


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("no device that is always full here")
    with pytest.raises(InputError, match="cannot be written"):
        files.append_line("/dev/full", "samples", b"1\n")
