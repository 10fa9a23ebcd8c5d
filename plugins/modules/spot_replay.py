#!/usr/bin/python
# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: spot_replay
version_added: 0.2.0
short_description: Replay the placement policy on a recorded spot market
description:
  - Runs the policy over a recording of a spot market in the format C(spot-trace/1), minute by minute, and tells how available the
    replicas would have been and what they would have cost.
  - Other policies are run over the same recording for comparison, and a plan without gaps is made by one who knows the future.
  - Makes no client and needs no credentials, no network and no AWS SDK. C(docs/replay.md) describes the format, the rules of a replay
    and the canonical form of the decisions.
  - The same recording and options give the same result everywhere.
requirements:
  - matplotlib >= 3.8, for O(page) only
author:
  - Ethereal Spot contributors (@ethereal-spot)
attributes:
  check_mode:
    description: Can run in C(check_mode) and return the changes it would make, without making them.
    support: full
    details: Replays all the same, and writes neither O(page) nor O(decisions).
  diff_mode:
    description: Returns the state before and after the change when run with C(--diff).
    support: full
    details: Size and SHA-256 of the files that are written.
  idempotent:
    description: A second run with the same options on an unchanged recording reports no change.
    support: full
options:
  trace:
    description:
      - The recording, C(.json) or C(.json.gz).
      - Refused are other formats, sums that differ from the number of ticks, negative numbers, a zone without region, C(NaN), and more
        than 16 MiB after unpacking.
    type: path
    required: true
  replicas:
    description: How many replicas are wanted the whole time, from 1 to 1000.
    type: int
    default: 1
  cold_start_seconds:
    description: How long an instance takes from its launch until it is ready.
    type: int
    default: 180
  warning_seconds:
    description: How long before a loss the policy is told of it, in whole minutes that count. AWS gives 120 seconds, and 0 means none.
    type: int
    default: 120
  move_cost:
    description: What the first replica in a region costs beside its hours, in USD, such as the transfer of its data.
    type: str
    default: "0.20"
  mode:
    description:
      - V(default) weighs cost against gaps, V(strict) pays for fewer gaps.
      - V(reference) is the plain rule of best score, then price, with all replicas in one region.
    type: str
    choices: [default, strict, reference]
    default: default
  policy:
    description:
      - Settings of the policy by name, in place of those of O(mode), for example C(advantage_percent), C(max_extra),
        C(on_demand_max_replicas) or C(max_hourly_usd).
      - The error about an unknown name lists all of them.
    type: dict
    default: {}
  seed:
    description: For policies that draw lots. None of the present ones does, so every seed gives the same.
    type: int
    default: 0
  baselines:
    description:
      - The other policies to compare with, all of them when left out, none with an empty list.
      - V(on_demand) is all on demand; V(one_region) is one region by itself, spread over its zones, as the mean over all regions.
      - V(reference) is what O(mode=reference) does, with the capacity of the recording in place of scores; V(cheapest_region) the same
        without scores.
      - V(round_robin) tries zone after zone; V(round_robin_on_demand) runs on demand meanwhile.
      - V(spothedge), V(spothedge_1) and V(spothedge_2) are SpotHedge of the SkyServe paper (EuroSys 2025) with none, one and two replicas
        more than wanted.
    type: list
    elements: str
  page:
    description: A file to write the page with the charts to. HTML without script, for light and dark, of less than a megabyte.
    type: path
  decisions:
    description: A file to write the decisions to, in canonical form, one a line.
    type: path
"""

EXAMPLES = r"""
- name: Replay the recording of one's own market
  ethereal.spot.spot_replay:
    trace: market.json.gz
    replicas: 4
  register: replay

- name: Show how the policies compare
  ethereal.spot.spot_display:
    lines: "{{ replay.text }}"

- name: Draw what fewer gaps cost where instances start slowly
  ethereal.spot.spot_replay:
    trace: market.json.gz
    replicas: 4
    mode: strict
    cold_start_seconds: 420
    page: replay.html

- name: Keep the decisions of the policy alone
  ethereal.spot.spot_replay:
    trace: market.json.gz
    replicas: 4
    baselines: []
    decisions: decisions.jsonl
"""

RETURN = r"""
availability:
  description: Percent of the time with all replicas ready. The first 30 minutes do not count.
  returned: success
  type: float
  sample: 99.6034
cost_ratio:
  description: The cost beside that of all replicas on demand the whole time.
  returned: success
  type: float
  sample: 0.3912
cost_usd:
  description: The cost in USD, moves included.
  returned: success
  type: str
  sample: "1259.84"
cost_to_omniscient:
  description: The cost beside that of the omniscient plan.
  returned: success
  type: float
  sample: 1.0108
objective:
  description: RV(cost_ratio) and five times the share of time that was not available, the smaller the better.
  returned: success
  type: float
  sample: 0.4110
on_demand_share:
  description: The share of instance hours that ran on demand.
  returned: success
  type: float
  sample: 0.0724
preemptions:
  description: How many spot instances were lost.
  returned: success
  type: int
  sample: 145
moves:
  description: How often a region received its first replica after another region did.
  returned: success
  type: int
  sample: 15
failed_launches:
  description: How many launches found no capacity.
  returned: success
  type: int
  sample: 1630
recovery_seconds:
  description: How long gaps lasted, null where there was none.
  returned: success
  type: dict
  contains:
    p50:
      description: Half of them at most.
      returned: success
      type: int
      sample: 60
    p90:
      description: Nine of ten at most.
      returned: success
      type: int
      sample: 60
    max:
      description: The longest.
      returned: success
      type: int
      sample: 120
omniscient:
  description: A feasible plan without gaps by one who knows the future.
  returned: success
  type: dict
  contains:
    cost_ratio:
      description: Its cost beside that of all replicas on demand.
      returned: success
      type: float
      sample: 0.387
baselines:
  description:
    - The other policies, each with C(name), C(title) and the same figures as above.
  returned: success
  type: list
  elements: dict
  sample: [{name: on_demand, title: all on-demand, availability: 100.0, cost_ratio: 1.0}]
decisions:
  description: How often the policy ordered a launch or a termination.
  returned: success
  type: int
  sample: 914
decisions_sha256:
  description: The SHA-256 of the decisions in canonical form, equal wherever the same policy decides on the same facts.
  returned: success
  type: str
  sample: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
days:
  description: How long the recording is.
  returned: success
  type: float
  sample: 10.96
text:
  description: All policies in a table, as lines.
  returned: success
  type: list
  elements: str
  sample: ["market: 11.0 days from 2023-08-07, p3.2xlarge in 3 zones of 3 regions, 4 replicas wanted"]
"""

from collections.abc import Callable
from collections.abc import Mapping
from typing import Any
from typing import NoReturn

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.basic import missing_required_lib

from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import check_choice
from ansible_collections.ethereal.spot.plugins.module_utils._brain.money import money
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.canonical import canonical_lines
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.picture import picture
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.report import compared
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.report import report_lines
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.run import BASELINES
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.run import Options
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.run import Outcome
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.run import check_options
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.run import replay
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.simulator import WARM_UP_SECONDS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import LARGEST_BYTES
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import Trace
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import read_trace
from ansible_collections.ethereal.spot.plugins.module_utils._edge.files import check_target
from ansible_collections.ethereal.spot.plugins.module_utils._edge.files import read_file
from ansible_collections.ethereal.spot.plugins.module_utils._edge.files import write_file
from ansible_collections.ethereal.spot.plugins.module_utils._edge.results import run_module

# What a page shows of the options, beside the trace and the policy's settings.
SHOWN = ("replicas", "mode", "cold_start_seconds", "warning_seconds", "move_cost", "seed")
TARGETS = ("page", "decisions")


def wanted(params: Mapping[str, Any]) -> Options:
    """The options of the replay, checked."""
    return check_options(
        Options(
            replicas=params["replicas"],
            cold_start_seconds=params["cold_start_seconds"],
            warning_seconds=params["warning_seconds"],
            move_cost=money(params["move_cost"], "move_cost"),
            mode=params["mode"],
            policy=params["policy"],
            seed=params["seed"],
        )
    )


def replayed(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    options = wanted(params)
    for index, name in enumerate(params["baselines"] or []):
        check_choice(name, f"baselines[{index}]", BASELINES)
    for target in TARGETS:
        if params[target] is not None:
            check_target(params[target], target)
    if params["page"] is not None:
        check_library(module)
    trace = read_trace(read_file(params["trace"], "trace", LARGEST_BYTES))

    outcome = replay(trace, options, params["baselines"])
    result = outcome.public()
    policies = compared(result, options.mode)
    omniscient = result["omniscient"]["cost_ratio"]
    contents: dict[str, Callable[[], bytes]] = {
        "page": lambda: page_of(params, trace, outcome, policies, omniscient).encode(),
        "decisions": lambda: canonical_lines(outcome.decision_records),
    }
    written = {
        target: write_file(module, params[target], contents[target]())
        for target in TARGETS
        if params[target] is not None
    }
    if module._diff and written:
        result["diff"] = {
            side: {target: change[side] for target, change in written.items()} for side in ("before", "after")
        }
    return {
        **result,
        "changed": any(change["changed"] for change in written.values()),
        "text": report_lines(trace, options.replicas, policies, omniscient),
    }


def check_library(module: AnsibleModule) -> None:
    # Imported where a page is wanted only: matplotlib takes longer to load than a short recording to replay.
    from ansible_collections.ethereal.spot.plugins.module_utils._edge.svg_drawing import LIBRARY_PROBLEM

    if LIBRARY_PROBLEM:
        module.fail_json(msg=missing_required_lib("matplotlib", reason="to draw the page"), exception=LIBRARY_PROBLEM)


def page_of(
    params: Mapping[str, Any], trace: Trace, outcome: Outcome, policies: list[Mapping[str, Any]], omniscient: float
) -> str:
    from ansible_collections.ethereal.spot.plugins.module_utils._edge.replay_page import replay_page

    replicas = params["replicas"]
    shown = {name: str(params[name]) for name in SHOWN} | {
        f"policy.{name}": str(value) for name, value in sorted(params["policy"].items())
    }
    origin = {
        "recording": trace.name,
        "source": trace.source,
        "licence": trace.licence,
        "decisions": f"{policies[0]['decisions']}, SHA-256 {policies[0]['decisions_sha256']}",
    }
    drawn = picture(trace, outcome.timeline["policy"], replicas, WARM_UP_SECONDS)
    return replay_page(trace, replicas, policies, omniscient, drawn, shown | {k: v for k, v in origin.items() if v})


def main() -> NoReturn:
    module = AnsibleModule(
        argument_spec={
            "trace": {"type": "path", "required": True},
            "replicas": {"type": "int", "default": 1},
            "cold_start_seconds": {"type": "int", "default": 180},
            "warning_seconds": {"type": "int", "default": 120},
            "move_cost": {"type": "str", "default": "0.20"},
            "mode": {"type": "str", "choices": ["default", "strict", "reference"], "default": "default"},
            "policy": {"type": "dict", "default": {}},
            "seed": {"type": "int", "default": 0},
            "baselines": {"type": "list", "elements": "str"},
            "page": {"type": "path"},
            "decisions": {"type": "path"},
        },
        supports_check_mode=True,
    )
    run_module(module, replayed)


if __name__ == "__main__":
    main()
