# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write a recording of a spot market that never was, for trying a policy on.

Usage: generate_trace.py [--seed N] [--days N] [--zones N] ... FILE; `.gz` at the end of FILE packs it. The same options give the
same bytes everywhere. Ranges are LOW-HIGH, in per mille.
"""

from __future__ import annotations

import argparse
import dataclasses
import gzip
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / ".collections"))

from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.generate import Options
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.generate import generate
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.generate import text_of


def pair(text: str) -> tuple[int, int]:
    low, _dash, high = text.partition("-")
    return int(low), int(high or low)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a recording of a spot market that never was.")
    parser.add_argument("file", type=pathlib.Path, metavar="FILE")
    for field in dataclasses.fields(Options):
        name = f"--{field.name.replace('_', '-')}"
        if isinstance(field.default, tuple):
            low, high = field.default
            parser.add_argument(
                name, type=pair, default=field.default, metavar="LOW-HIGH", help=f"default {low}-{high}"
            )
        else:
            parser.add_argument(name, type=int, default=field.default, metavar="N", help=f"default {field.default}")
    given = vars(parser.parse_args())
    file = given.pop("file")
    try:
        content = text_of(generate(Options(**given))).encode()
    except InputError as error:
        parser.error(error.message)
    file.write_bytes(gzip.compress(content, mtime=0) if file.suffix == ".gz" else content)


if __name__ == "__main__":
    main()
