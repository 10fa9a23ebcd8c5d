#!/usr/bin/python
# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: spot_record
version_added: 0.2.0
short_description: Record a spot market for replay
description:
  - Adds what M(ethereal.spot.spot_region_rank) has just learned to a file of samples, one JSON object a line, and turns the samples
    into a recording that M(ethereal.spot.spot_replay) replays.
  - Makes no client. C(ethereal.spot.record) is the playbook that asks and records; C(docs/replay.md) says how to run it on a schedule.
  - The samples keep what AWS said. What it did not say, for example a score that was refused, stays unknown there.
  - A score is no capacity. The recording counts O(score_threshold) and more as room for as many instances as the score was asked for,
    and less as none. Whether that is near the truth of a market nobody can tell without launching instances.
author:
  - Ethereal Spot contributors (@ethereal-spot)
attributes:
  check_mode:
    description: Can run in C(check_mode) and return the changes it would make, without making them.
    support: full
  diff_mode:
    description: Returns the state before and after the change when run with C(--diff).
    support: full
    details: The number of samples, and size and SHA-256 of the recording.
  idempotent:
    description: A second run with the same options on unchanged samples reports no change.
    support: partial
    details: Every run with O(record) adds a sample, since time has passed.
options:
  samples:
    description: The file of samples. It is made if it is not there, only added to, and locked meanwhile.
    type: path
    required: true
  record:
    description:
      - RV(ethereal.spot.spot_region_rank#module:record) of a run with C(single_zone=true), best with C(refresh=true).
      - One of O(record) and O(trace) is required.
    type: dict
  trace:
    description:
      - A file to write the recording to, in the format C(spot-trace/1); packed if its name ends with C(.gz).
      - Only samples that asked for the same instance types, number of instances and operating system as the newest are used.
    type: path
  name:
    description: The name of the recording.
    type: str
    default: market
  interval_seconds:
    description: How often the market is sampled, and so the length of the recording's ticks, from 60 to 86400.
    type: int
    default: 600
  carry_seconds:
    description: For how long what was last known of a zone holds where samples or scores are missing. Then it counts as no capacity.
    type: int
    default: 1800
  score_threshold:
    description: The least placement score of a single zone, from 1 to 10, that counts as capacity.
    type: int
    default: 5
  on_demand_price:
    description:
      - What an instance costs on demand, in USD an hour.
      - By default the cheapest of the newest sample that tells any.
    type: str
"""

EXAMPLES = r"""
- name: Ask for scores and prices
  ethereal.spot.spot_region_rank:
    region: us-east-1
    regions: [us-east-1, us-west-2, eu-west-1]
    instance_types: [g4dn.xlarge, g5.xlarge, g6.xlarge]
    target_capacity: 4
    single_zone: true
    refresh: true
    check_quota: false
    price_window_days: 0
  register: rank

- name: Keep the answer, and make a recording of all that were kept
  ethereal.spot.spot_record:
    samples: /var/lib/spot/market.jsonl
    record: "{{ rank.record }}"
    trace: /var/lib/spot/market.json.gz
"""

RETURN = r"""
sample:
  description: What was added.
  returned: when O(record) is given
  type: dict
  sample: {at: "2026-01-05T14:00:07Z", capacity: 4, zones: {us-east-1a: {region: us-east-1, score: 9, price: "0.3271"}}}
broken_lines:
  description: How many lines of the file are no samples. They are left out.
  returned: when O(trace) is given
  type: int
  sample: 0
counts:
  description:
    - What the recording was made of - C(samples) used, C(other_samples) that asked for something else, C(ticks) of the recording, and
      C(missing_ticks) among them that have no sample.
  returned: when O(trace) is given
  type: dict
  sample: {samples: 1008, other_samples: 0, ticks: 1010, missing_ticks: 2}
text:
  description: The same for people, as lines.
  returned: success
  type: list
  elements: str
  sample: ["2026-01-05T14:00:07Z: 9 zones of 3 regions, scores 3 to 9, 0.31 to 0.52 USD an hour"]
"""

import gzip
import os
from datetime import UTC
from datetime import datetime
from typing import Any
from typing import NoReturn

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.ethereal.spot.plugins.module_utils._brain.money import money
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.canonical import canonical_lines
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.generate import text_of
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.recorder import Conversion
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.recorder import check_conversion
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.recorder import read_samples
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.recorder import recording
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.recorder import sample_line
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.recorder import sample_of
from ansible_collections.ethereal.spot.plugins.module_utils._edge.files import append_line
from ansible_collections.ethereal.spot.plugins.module_utils._edge.files import check_target
from ansible_collections.ethereal.spot.plugins.module_utils._edge.files import read_file
from ansible_collections.ethereal.spot.plugins.module_utils._edge.files import write_file
from ansible_collections.ethereal.spot.plugins.module_utils._edge.results import run_module

# A sample of ten zones every minute for a year.
LARGEST_BYTES = 1024**3


def recorded(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    conversion = check_conversion(
        Conversion(
            name=params["name"],
            interval_seconds=params["interval_seconds"],
            carry_seconds=params["carry_seconds"],
            score_threshold=params["score_threshold"],
            on_demand_price=None
            if params["on_demand_price"] is None
            else money(params["on_demand_price"], "on_demand_price"),
        )
    )
    for target in ("samples", "trace"):
        if params[target] is not None:
            check_target(params[target], target)
    result: dict[str, Any] = {"changed": False, "text": []}
    diff: dict[str, dict[str, Any]] = {"before": {}, "after": {}}
    line = b""
    if params["record"] is not None:
        result["sample"] = sample_of(params["record"], datetime.now(UTC))
        line = canonical_lines([result["sample"]])
    content = read_file(params["samples"], "samples", LARGEST_BYTES) if os.path.exists(params["samples"]) else b""
    if line:
        if not module.check_mode:
            append_line(params["samples"], "samples", line)
        result["changed"] = True
        result["text"].append(sample_line(result["sample"]))
        lines = content.count(b"\n")
        diff["before"]["samples"], diff["after"]["samples"] = lines, lines + 1
    if params["trace"] is not None:
        samples, result["broken_lines"] = read_samples(content + b"\n" + line)
        document, result["counts"] = recording(samples, conversion)
        written = write_file(module, params["trace"], _packed(params["trace"], text_of(document).encode()))
        result["changed"] = result["changed"] or written["changed"]
        result["text"].append(_made(document, result["counts"]))
        diff["before"]["trace"], diff["after"]["trace"] = written["before"], written["after"]
    return {**result, **({"diff": diff} if module._diff else {})}


def _packed(path: str, content: bytes) -> bytes:
    """The same content gives the same file: no time of packing in it."""
    return gzip.compress(content, mtime=0) if path.endswith(".gz") else content


def _made(document: dict[str, Any], counts: dict[str, int]) -> str:
    days = document["ticks"] * document["gap_seconds"] / 86_400
    return (
        f"{document['name']}: {days:.1f} days from {document['start']} in {len(document['zones'])} zones, "
        f"{counts['samples']} samples, {counts['missing_ticks']} of {counts['ticks']} ticks without one"
    )


def main() -> NoReturn:
    module = AnsibleModule(
        argument_spec={
            "samples": {"type": "path", "required": True},
            "record": {"type": "dict"},
            "trace": {"type": "path"},
            "name": {"type": "str", "default": "market"},
            "interval_seconds": {"type": "int", "default": 600},
            "carry_seconds": {"type": "int", "default": 1800},
            "score_threshold": {"type": "int", "default": 5},
            "on_demand_price": {"type": "str"},
        },
        required_one_of=[["record", "trace"]],
        supports_check_mode=True,
    )
    run_module(module, recorded)


if __name__ == "__main__":
    main()
