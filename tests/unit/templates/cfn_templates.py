# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The templates that the roles ship, read and resolved for one deployment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
FILES = {path.stem: path for path in sorted((ROOT / "roles").glob("*/files/*.template"))}

# What a Sub of a name stands for in the deployment that the tests look at.
NAMES = {"Prefix": "gpu", "Place": "oregon"}


class Loader(yaml.SafeLoader):
    """Reads the short forms of CloudFormation's functions as {"Fn::X": value}, !Ref as {"Ref": value}."""


def _short_form(loader: Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", _short_form)


class Template:
    """One template as data."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.text = FILES[name].read_text()
        self.data = yaml.load(self.text, Loader)
        self.resources: dict[str, dict[str, Any]] = self.data["Resources"]
        self.parameters: dict[str, dict[str, Any]] = self.data["Parameters"]
        self.outputs: dict[str, dict[str, Any]] = self.data["Outputs"]

    def of_kind(self, kind: str) -> dict[str, dict[str, Any]]:
        """Properties by logical id of the resources of a kind."""
        return {name: item["Properties"] for name, item in self.resources.items() if item["Type"] == kind}

    def only(self, kind: str) -> dict[str, Any]:
        (properties,) = self.of_kind(kind).values()
        return properties


def walk(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every node of a document with its path."""
    yield path, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from walk(item, f"{path}/{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from walk(item, f"{path}/{index}")


def resolved(value: Any) -> Any:
    """A name as it will be, for a plain string or a Sub of prefix and place."""
    if isinstance(value, dict) and set(value) == {"Fn::Sub"}:
        text = value["Fn::Sub"]
        for name, stands_for in NAMES.items():
            text = text.replace("${" + name + "}", stands_for)
        return text
    return value
