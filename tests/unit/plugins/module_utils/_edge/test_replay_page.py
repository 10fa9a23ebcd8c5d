# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
import pytest

from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.picture import picture
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import Trace
from ansible_collections.ethereal.spot.plugins.module_utils._brain.replay.trace import Zone
from ansible_collections.ethereal.spot.plugins.module_utils._edge import replay_page
from ansible_collections.ethereal.spot.plugins.module_utils._edge.svg_drawing import PAINTS

DAY = 86_400
SVG = "{http://www.w3.org/2000/svg}"


def policy(title: str, availability: float = 99.5, cost: float = 0.4) -> dict[str, Any]:
    return {
        "title": title,
        "availability": availability,
        "cost_ratio": cost,
        "cost_usd": "1234.5",
        "cost_to_omniscient": 1.05,
        "objective": 0.42,
        "on_demand_share": 0.07,
        "preemptions": 12,
        "moves": 3,
        "failed_launches": 40,
        "recovery_seconds": {"p50": 60, "p90": 60, "max": 120},
    }


POLICIES = (
    policy("ethereal.spot, mode default"),
    policy("all on-demand", 100.0, 1.0) | {"recovery_seconds": {"p50": None, "p90": None, "max": None}},
    policy("nothing at all, and that with a title that is longer than one line has room for", 0.0, 0.0),
    policy("dear & <wide>", 99.9999, 1.7),
)


def page(
    days: int = 11, zones: int = 3, regions: int = 3, busy: bool = False, policies: Sequence[dict[str, Any]] = POLICIES
) -> str:
    """A made-up page; with `busy` everything changes as often as a recording can."""
    seconds = days * DAY
    every = 300 if busy else 7200
    ticks = seconds // 300
    changes = range(0, ticks, max(1, every // 300))
    trace = Trace(
        "made-up",
        "2026-01-01",
        300,
        ticks,
        "availability",
        "p3.2xlarge",
        16,
        3_060_000,
        tuple(
            Zone(
                f"region-{n % regions}-{n}",
                f"region-{n % regions}",
                tuple((tick, (tick * 7 + n * 5) % 17) for tick in changes),
                ((0, 1),),
            )
            for n in range(zones)
        ),
    )
    names = [zone.name for zone in trace.zones] + ["on-demand"]
    run = [
        (begin, min(begin + every, seconds), {names[(begin // every * k) % len(names)]: (k, 1) for k in range(1, 4)})
        for begin in range(0, seconds, every)
    ]
    options = {"trace": "made-up.json", "mode": "default", "decisions_sha256": "00ff"}
    return replay_page.replay_page(trace, 4, policies, 0.38, picture(trace, run, 4, 1800), options)


@pytest.fixture(scope="module")
def usual() -> str:
    return page()


def drawings(html: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(text) for text in re.findall(r"<svg.*?</svg>", html, re.DOTALL)]


def test_two_drawings_that_say_what_they_show(usual: str) -> None:
    found = drawings(usual)
    assert len(found) == 2
    for drawing in found:
        title, description = drawing[0], drawing[1]
        assert (title.tag, description.tag, drawing.attrib["role"]) == (f"{SVG}title", f"{SVG}desc", "img")
        assert drawing.attrib["aria-labelledby"].split() == [title.attrib["id"], description.attrib["id"]]
        assert len(title.text) > 10
        assert len(description.text) > 40


def test_the_words_and_figures_are_there(usual: str) -> None:
    shown = ["".join(drawing.itertext()) for drawing in drawings(usual)]
    for word in (
        "ethereal.spot, mode default",
        "all on-demand",
        "99.500 %",
        "100 %",
        "omniscient 0.380",
        "dear & <wide>",
    ):
        assert word in shown[0]
    for word in ("region-0-0", "region-1-1", "on-demand", "gaps", "wanted", "day 0", "day 10"):
        assert word in shown[1]
    assert "Replay of made-up" in usual
    assert "<td>99.999 %</td>" in usual
    assert "<dt>decisions_sha256</dt><dd>00ff</dd>" in usual


def test_what_a_user_names_is_no_markup(usual: str) -> None:
    assert "<wide>" not in usual
    assert "dear &amp; &lt;wide&gt;" in usual


def test_every_colour_is_one_of_both_themes(usual: str) -> None:
    assert set(replay_page.LIGHT) == set(replay_page.DARK) == {"paper", "panel", *PAINTS}
    light, dark = re.findall(r":root \{([^}]*)\}", usual)
    for colors, text in ((replay_page.LIGHT, light), (replay_page.DARK, dark)):
        for name, color in colors.items():
            assert f"--{name}: {color};" in text
    assert usual.index("@media (prefers-color-scheme: dark)") < usual.index(dark)
    for drawing in drawings(usual):
        for element in drawing.iter():
            style = element.attrib.get("style", "")
            assert not re.search(r"#[0-9a-fA-F]{3}", style)
            painted = re.findall(r"(?:fill|stroke): (?!none)([^;]+)", style)
            assert all(re.fullmatch(r"var\(--[a-z0-9-]+\)", paint) for paint in painted), style
            if element.tag == f"{SVG}text":
                # Text without a colour would be black in the dark.
                assert painted, ElementTree.tostring(element)
                assert "var(--font)" in style


def test_identifiers_are_the_pages_own_and_lead_somewhere(usual: str) -> None:
    identifiers = re.findall(r'\bid="([^"]+)"', usual)
    assert len(identifiers) == len(set(identifiers))
    referred = {name for pair in re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', usual) for name in pair if name}
    assert referred <= set(identifiers)


def test_nothing_comes_from_elsewhere(usual: str) -> None:
    for forbidden in ("<script", "<link", "<img", "<iframe", "@import", "javascript:", "src="):
        assert forbidden not in usual
    addresses = set(re.findall(r"\w+://[^\s\"'<]+", usual))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert set(re.findall(r"url\(([^)]*)\)", usual)) <= set(re.findall(r"url\((#[^)]*)\)", usual))
    assert "default-src 'none'" in usual


def test_the_same_replay_gives_the_same_bytes(usual: str) -> None:
    mpl.rcParams["font.size"] = 31
    try:
        assert page() == usual
        assert mpl.rcParams["font.size"] == 31
    finally:
        mpl.rcdefaults()


def test_no_page_is_large() -> None:
    assert len(page(days=45, zones=9, busy=True).encode()) < 1_000_000


@pytest.mark.parametrize(
    "shape",
    [{"days": 1, "zones": 1, "regions": 1}, {"days": 366, "zones": 2, "regions": 1}, {"zones": 20, "regions": 10}],
)
def test_other_shapes_can_be_drawn(shape: dict[str, int]) -> None:
    html = page(**shape, policies=POLICIES[:1])
    times = re.findall(r">(?:day \d+|\d+ h)<", html)
    assert 3 <= len(times) <= 14
    assert len(times) == len(set(times))


def luminance(color: str) -> float:
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear(color), strict=True))


def linear(color: str) -> list[float]:
    parts = [part / 255 for part in bytes.fromhex(color[1:])]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colors", [replay_page.LIGHT, replay_page.DARK], ids=["light", "dark"])
def test_colours_can_be_seen(colors: dict[str, str]) -> None:
    """WCAG 2.2: 4.5 for text, 3 for graphics."""
    for paper in (colors["paper"], colors["panel"]):
        assert all(contrast(colors[name], paper) >= 4.5 for name in ("ink", "soft"))
    assert contrast(colors["ours"], colors["paper"]) >= 4.5
    assert all(contrast(colors[name], colors["paper"]) >= 3 for name in PAINTS if name != "rule")


# Machado, Oliveira and Fernandes 2009, severity 1.0.
SIGHT = {
    "trichromat": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def root(part: float) -> float:
    return part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116


def lab(color: str, matrix: tuple[tuple[float, ...], ...]) -> tuple[float, float, float]:
    parts = linear(color)
    red, green, blue = (
        min(1.0, max(0.0, sum(weight * part for weight, part in zip(row, parts, strict=True)))) for row in matrix
    )
    x = root((0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.9505)
    y = root(0.2126 * red + 0.7152 * green + 0.0722 * blue)
    z = root((0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.089)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


@pytest.mark.parametrize("colors", [replay_page.LIGHT, replay_page.DARK], ids=["light", "dark"])
@pytest.mark.parametrize("sight", SIGHT)
def test_pools_can_be_told_apart(colors: dict[str, str], sight: str) -> None:
    """A difference of 2.3 can just be noticed (CIELAB, CIE76); adjoining areas want a good deal more."""
    pools = [name for name in PAINTS if name.startswith("pool-")] + ["demand"]
    seen = {name: lab(colors[name], SIGHT[sight]) for name in pools}
    for one, other in itertools.combinations(pools, 2):
        distance = sum((a - b) ** 2 for a, b in zip(seen[one], seen[other], strict=True)) ** 0.5
        assert distance > 10, (one, other)
