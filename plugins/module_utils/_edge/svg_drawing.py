# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""matplotlib figures as SVG for an HTML page whose style sheet colours them. PRIVATE to the collection.

Every colour is a CSS variable (`PAINTS`) and every font the page's, so that one drawing serves light and dark. The same
figure gives the same bytes with the same version of matplotlib.
"""

from __future__ import annotations

import contextlib
import io
import re
import traceback
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

try:
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
except ImportError:
    # For the module to tell before it draws.
    LIBRARY_PROBLEM: str | None = traceback.format_exc()
else:
    LIBRARY_PROBLEM = None

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
POOL_PAINTS = 8
PAINTS = ("ink", "soft", "rule", "ours", "others", "gap", "demand", *(f"pool-{n}" for n in range(1, POOL_PAINTS + 1)))
# What matplotlib draws with, replaced by the variables in what it wrote.
STAND_INS = {name: f"#{0x010101 * number:06x}" for number, name in enumerate(PAINTS, 1)}
FONT = "DejaVu Sans"
SETTINGS = {
    "axes.edgecolor": STAND_INS["rule"],
    "axes.facecolor": "none",
    "axes.labelcolor": STAND_INS["ink"],
    "axes.linewidth": 0.8,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "none",
    "font.family": FONT,
    "font.size": 9.0,
    "svg.fonttype": "none",
    "svg.hashsalt": "ethereal.spot",
    "text.color": STAND_INS["ink"],
    "text.parse_math": False,
    "xtick.color": STAND_INS["soft"],
    "xtick.major.size": 0,
    "ytick.color": STAND_INS["ink"],
    "ytick.major.size": 0,
}


@contextlib.contextmanager
def settings() -> Iterator[None]:
    """Our settings for what is drawn inside, whatever the user's matplotlibrc says."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        yield


def svg(figure: Any, name: str, title: str, description: str) -> str:
    """The figure as an element for a page: no size of its own, no metadata, no identifiers but those of its texts."""
    written = io.StringIO()
    FigureCanvasSVG(figure).print_svg(written, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    # Written by matplotlib a moment ago, from a string of ours.
    root = ElementTree.fromstring(written.getvalue())
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (f"{{{SVG}}}metadata", f"{{{SVG}}}style"):
                parent.remove(child)
    # matplotlib numbers its elements from 1 in every figure; a page has several, and needs only what is referred to.
    referred = set(re.findall(r'"#([^"]+)"|url\(#([^)]+)\)', written.getvalue()))
    kept = {identifier for pair in referred for identifier in pair if identifier}
    for element in root.iter():
        identifier = element.attrib.pop("id", None)
        if identifier in kept:
            element.set("id", f"{name}-{identifier}")
        for attribute, value in element.attrib.items():
            element.set(attribute, re.sub(r"(^|url\()#(\w)", rf"\1#{name}-\2", value))
        if "d" in element.attrib:
            element.set("d", _shortened(element.attrib["d"]))
        if "style" in element.attrib:
            element.set("style", _themed(element.attrib["style"]))
    view = root.attrib["viewBox"]
    root.attrib.clear()
    root.attrib.update({"viewBox": view, "role": "img", "aria-labelledby": f"{name}-title {name}-desc"})
    for place, (tag, text) in enumerate((("title", title), ("desc", description))):
        element = ElementTree.Element(f"{{{SVG}}}{tag}", {"id": f"{name}-{tag}"})
        element.text = text
        root.insert(place, element)
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", XLINK)
    return ElementTree.tostring(root, encoding="unicode")


def _themed(style: str) -> str:
    for name, color in STAND_INS.items():
        style = style.replace(color, f"var(--{name})")
    return style.replace(f"'{FONT}'", "var(--font)")


def _shortened(path: str) -> str:
    """The path to the hundredth of a point, which is finer than any screen; steps as horizontal and vertical lines."""
    path = re.sub(r"-?\d+\.\d+", lambda match: f"{float(match[0]):.2f}".rstrip("0").rstrip("."), path)
    if set(re.findall("[A-Za-z]", path)) - set("MLz"):
        return " ".join(path.split())
    short: list[str] = []
    at = ("", "")
    for command, x, y in re.findall(r"([MLz])(?:\s+(\S+)\s+(\S+))?", path):
        if command == "z":
            short.append(command)
        elif command == "L" and x == at[0]:
            short.append(f"V{y}")
        elif command == "L" and y == at[1]:
            short.append(f"H{x}")
        else:
            short.append(f"{command}{x} {y}")
        at = (x, y)
    return "".join(short)
