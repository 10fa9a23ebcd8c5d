# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One replay as one HTML file: figures, charts, options. No script, nothing from the network. PRIVATE to the collection."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from html import escape
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.picture import Picture
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.report import COLUMNS
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.report import LEGEND
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.report import duration
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.report import percent
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.report import summary
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import Trace
from ansible_collections.ethereal.spot.plugins.module_utils._edge.replay_charts import policies_chart
from ansible_collections.ethereal.spot.plugins.module_utils._edge.replay_charts import timeline_chart

# The colours of regions keep apart for readers who see no red or no green, and against the paper by 3:1 and more.
LIGHT = {
    "paper": "#ffffff",
    "panel": "#f4f5f7",
    "ink": "#1b1f24",
    "soft": "#57606a",
    "rule": "#d0d7de",
    "ours": "#0b62b8",
    "others": "#8b949e",
    "gap": "#c9184a",
    "demand": "#3d444d",
    "pool-1": "#0072b2",
    "pool-2": "#d55e00",
    "pool-3": "#008f68",
    "pool-4": "#aa3377",
    "pool-5": "#9513ec",
    "pool-6": "#5e2a08",
    "pool-7": "#a571f4",
    "pool-8": "#3c085e",
}
DARK = {
    "paper": "#0f1318",
    "panel": "#191f27",
    "ink": "#e8ecf1",
    "soft": "#a3adb8",
    "rule": "#353d47",
    "ours": "#5cb0ff",
    "others": "#7c8794",
    "gap": "#ff6b8f",
    "demand": "#d3dae2",
    "pool-1": "#56b4e9",
    "pool-2": "#f08a3c",
    "pool-3": "#2fc294",
    "pool-4": "#e48ac0",
    "pool-5": "#aa42f0",
    "pool-6": "#a1f7a1",
    "pool-7": "#ecec13",
    "pool-8": "#8a7b42",
}
STYLE = """
:root { color-scheme: light dark; --font: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; %s }
@media (prefers-color-scheme: dark) { :root { %s } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 70rem; padding: 2rem 1.25rem 3rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 var(--font); }
h1 { margin: 0; font-size: 1.6rem; line-height: 1.25; } h2 { margin: 2.5rem 0 .25rem; font-size: 1.15rem; }
p { margin: .25rem 0 .75rem; color: var(--soft); max-width: 48rem; }
dl.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem; margin: 1.5rem 0 0; }
dl.figures div { background: var(--panel); border-radius: .5rem; padding: .75rem 1rem; }
dl.figures dt { color: var(--soft); font-size: .85rem; } dl.figures dd { margin: 0; font-size: 1.45rem; font-weight: 600; }
dl.figures dd small { display: block; color: var(--soft); font-size: .8rem; font-weight: 400; }
figure { margin: 0; overflow-x: auto; } figure svg { display: block; width: 100%%; min-width: 44rem; height: auto; }
svg * { stroke-linejoin: round; stroke-linecap: butt; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem 0 .35rem 1rem; border-bottom: 1px solid var(--rule); text-align: right; white-space: nowrap; }
th:first-child { text-align: left; padding-left: 0; } th { color: var(--soft); font-weight: 500; vertical-align: bottom; }
thead th { white-space: normal; } tbody th { white-space: normal; min-width: 11rem; }
tr.ours > * { color: var(--ours); font-weight: 600; }
dl.options { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.5rem; margin: .5rem 0; font-size: .9rem; }
dl.options dt { color: var(--soft); } dl.options dd { margin: 0; overflow-wrap: anywhere; }
@media print { body { max-width: none; } h2 { break-after: avoid; } figure { break-inside: avoid; } }
"""


def replay_page(
    trace: Trace,
    replicas: int,
    policies: Sequence[Mapping[str, Any]],
    omniscient: float,
    picture: Picture,
    options: Mapping[str, str],
) -> str:
    """The page. `policies` are results with a `title`, ours first; `options` are shown as they are, in order."""
    heading = f"Replay of {trace.name}"
    ours = policies[0]
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark">
<title>{escape(heading)}</title>
<style>{STYLE % (_variables(LIGHT), _variables(DARK))}</style>
</head>
<body>
<main>
<h1>{escape(heading)}</h1>
<p>{escape(summary(trace, replicas))}.</p>
<dl class="figures">
{_figures(ours, omniscient)}
</dl>
<h2>Policies compared</h2>
<p>The same recording under each policy, the best objective first. Each step to the right on the left-hand scale is a tenth of the time in
gaps. The dashed line is what a plan without gaps costs when it is made by one who knows the future.</p>
<figure>{_policies(policies, omniscient)}</figure>
<h2>Where replicas ran</h2>
<p>{escape(ours["title"])}. Each column is the mean of {_duration(picture.span_seconds)}.
On top of the stack, in the colour of the grid: instances that were starting. A gap is time with fewer than {replicas} ready.</p>
<figure>{_timeline(picture, replicas)}</figure>
<h2>Figures</h2>
<p>{escape(" ".join(LEGEND).capitalize())}.</p>
<div class="wide">
{_table(policies)}
</div>
<h2>What was replayed</h2>
<dl class="options">
{"".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in options.items())}
</dl>
</main>
</body>
</html>
"""


def _variables(colors: Mapping[str, str]) -> str:
    return " ".join(f"--{name}: {color};" for name, color in colors.items())


def _figures(ours: Mapping[str, Any], omniscient: float) -> str:
    recovery = ours["recovery_seconds"]
    gaps = f"90 %: {duration(recovery['p90'])} at most, the longest {duration(recovery['max'])}"
    tiles = [
        ("Availability", percent(ours["availability"]), "of the time all replicas were ready"),
        ("Cost", f"{ours['cost_ratio']:.3f}", f"beside all on-demand; {ours['cost_usd']} USD"),
        ("Beside the omniscient plan", f"x {ours['cost_to_omniscient']:.3f}", f"which costs {omniscient:.3f}"),
        ("On-demand share", f"{100 * ours['on_demand_share']:.1f} %", "of the instance hours"),
        ("Instances lost", f"{ours['preemptions']}", f"{ours['moves']} moves between regions"),
        ("Median gap", duration(recovery["p50"]), "there was none" if recovery["max"] is None else gaps),
    ]
    return "\n".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}<small>{escape(note)}</small></dd></div>"
        for name, value, note in tiles
    )


def _policies(policies: Sequence[Mapping[str, Any]], omniscient: float) -> str:
    ours = policies[0]
    return policies_chart(
        policies,
        omniscient,
        "Availability and cost by policy",
        f"{ours['title']}: available {percent(ours['availability'])} at {ours['cost_ratio']:.3f} of the cost of all on-demand; "
        f"the omniscient plan costs {omniscient:.3f}. The other {len(policies) - 1} policies' figures stand in the table below.",
    )


def _timeline(picture: Picture, replicas: int) -> str:
    pools = ", ".join(f"{row.name} {row.mean_ready:.2f}" for row in picture.rows)
    return timeline_chart(
        picture,
        replicas,
        "Where replicas ran over time, against what each zone had",
        f"Mean replicas ready by pool: {pools}. {picture.gaps} gaps, {sum(picture.gap_seconds) // 60} minutes in all.",
    )


def _duration(seconds: int) -> str:
    return f"{seconds // 60} minutes" if seconds > 60 else "one minute"


def _table(policies: Sequence[Mapping[str, Any]]) -> str:
    marks = [' class="ours"', *[""] * (len(policies) - 1)]
    head = "".join(f'<th scope="col">{escape(name.capitalize())}</th>' for name in ("policy", *COLUMNS))
    rows = "\n".join(
        f'<tr{mark}><th scope="row">{escape(policy["title"])}</th>'
        + "".join(f"<td>{escape(cell(policy))}</td>" for cell in COLUMNS.values())
        + "</tr>"
        for policy, mark in zip(policies, marks, strict=True)
    )
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>"
