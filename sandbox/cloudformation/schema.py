# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AWS's resource schemas: what a kind's properties are, what replaces it, what can be read back, how it is tagged."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any


class PropertyError(ValueError):
    """The template's properties do not fit the kind's schema."""


@functools.cache
def _entries() -> dict[str, dict]:
    return json.loads(Path(__file__).with_name("schemas.json").read_text())


class Schema:
    """One kind's schema."""

    def __init__(self, kind: str) -> None:
        entry = _entries()[kind]
        self.kind = kind
        self._schema: dict = entry["schema"]
        self._create_only: list[str] = entry["create_only"]
        self._conditional: list[str] = entry["conditional"]
        self.read_only = frozenset(entry["read_only"])
        self.write_only = frozenset(name for name in entry["write_only"] if "/" not in name)
        # A name that the template may give: CloudFormation refuses to replace a resource that keeps it.
        self.names_itself: list[str] = [name for name in entry["primary"] if name in self._create_only]
        self.readable: bool = entry["readable"]
        self.tags: str | None = entry["tags"]
        self.system_tags: bool = entry["system_tags"]

    @property
    def names(self) -> list[str]:
        """The properties' names."""
        return list(self._schema["properties"])

    @property
    def tags_are_a_map(self) -> bool:
        """Whether the tag property is `{key: value}` (SSM) and not a list of `Key` and `Value`."""
        return bool(self.tags) and self._resolve(self._schema["properties"][self.tags]).get("type") == "object"

    def coerced(self, properties: dict) -> dict:
        """The properties in the schema's types, as CloudFormation converts strings to numbers and booleans.

        Raises:
            PropertyError: an unknown, missing or ill-typed property, in CloudFormation's wording.
        """
        refused = sorted(properties.keys() & self.read_only)
        problems = [f"#: extraneous key [{name}] is not permitted" for name in refused]
        result = self._coerce(properties, self._schema, "#", problems)
        if problems:
            raise PropertyError(f"Properties validation failed for resource with message: {'; '.join(problems)}")
        return result

    def recreation(self, name: str) -> str:
        """`Always`, `Conditionally` or `Never`: whether a change of this property replaces the resource."""
        if name in self._create_only:
            return "Always"
        nested = any(path.startswith(f"{name}/") for path in self._create_only)
        return "Conditionally" if nested or name in self._conditional else "Never"

    def replaced_by(self, old: dict, new: dict) -> bool:
        """Whether going from `old` to `new` needs another physical resource."""
        return any(
            _at(old, path.split("/")) != _at(new, path.split("/")) for path in [*self._create_only, *self._conditional]
        )

    def like_template(self, name: str, value: Any) -> Any:
        """An API's value for a property in the template's spelling: the schema's member names and types."""
        return self._respell(value, self._schema["properties"][name])

    def projected(self, name: str, value: Any, expected: Any) -> Any:
        """`value` without the members that the template does not set: an API adds its defaults to structures."""
        return self._project(value, expected, self._schema["properties"][name])

    def _resolve(self, schema: Any) -> dict:
        while isinstance(schema, dict) and "$ref" in schema:
            _root, section, name = schema["$ref"].split("/", 2)
            schema = self._schema[section][name.split("/")[0]]
        return schema if isinstance(schema, dict) else {}

    def _coerce(self, value: Any, schema: Any, path: str, problems: list[str]) -> Any:
        schema = self._resolve(schema)
        kinds = schema.get("type")
        kinds = [kinds] if isinstance(kinds, str) else kinds or []
        if isinstance(value, dict) and ("object" in kinds or "properties" in schema):
            return self._coerce_object(value, schema, path, problems)
        if isinstance(value, list) and ("array" in kinds or not kinds):
            items = schema.get("items", {})
            return [self._coerce(item, items, f"{path}/{number}", problems) for number, item in enumerate(value)]
        if not kinds or isinstance(value, dict | list):
            if (kinds and not ({"array", "object"} & set(kinds))) or (
                isinstance(value, list | dict)
                and kinds
                and ("array" if isinstance(value, list) else "object") not in kinds
            ):
                problems.append(f"{path}: expected type: {kinds[0].title()}, found: {_json_type(value)}")
            return value
        result, fits = _scalar(value, kinds)
        if not fits:
            problems.append(f"{path}: expected type: {kinds[0].title()}, found: {_json_type(value)}")
        elif "enum" in schema and result not in schema["enum"]:
            problems.append(f"{path}: {result} is not a valid enum value")
        return result

    def _coerce_object(self, value: dict, schema: dict, path: str, problems: list[str]) -> dict:
        members = schema.get("properties")
        if members is None:
            additional = schema.get("additionalProperties") or next(
                iter((schema.get("patternProperties") or {}).values()), {}
            )
            return {key: self._coerce(item, additional, f"{path}/{key}", problems) for key, item in value.items()}
        problems.extend(
            f"{path}: required key [{name}] not found" for name in schema.get("required", []) if name not in value
        )
        result = {}
        for key, item in value.items():
            if key not in members:
                problems.append(f"{path}: extraneous key [{key}] is not permitted")
                continue
            result[key] = self._coerce(item, members[key], f"{path}/{key}", problems)
        return result

    def _respell(self, value: Any, schema: Any) -> Any:
        schema = self._resolve(schema)
        if isinstance(value, list):
            return [self._respell(item, schema.get("items", {})) for item in value]
        if isinstance(value, dict):
            members = schema.get("properties")
            if not members:
                return value
            spelling = {name.lower(): name for name in members}
            known = {spelling[key.lower()]: item for key, item in value.items() if key.lower() in spelling}
            return {name: self._respell(item, members[name]) for name, item in known.items()}
        kinds = schema.get("type")
        return _scalar(value, [kinds] if isinstance(kinds, str) else kinds or [])[0]

    def _project(self, value: Any, expected: Any, schema: Any) -> Any:
        schema = self._resolve(schema)
        if isinstance(value, dict) and isinstance(expected, dict) and schema.get("properties"):
            members = schema["properties"]
            return {
                key: self._project(item, expected[key], members.get(key, {}))
                for key, item in value.items()
                if key in expected
            }
        if isinstance(value, list) and isinstance(expected, list):
            items = schema.get("items", {})
            return [self._project_item(item, number, value, expected, items) for number, item in enumerate(value)]
        return value

    def _project_item(self, item: Any, number: int, value: list, expected: list, schema: Any) -> Any:
        """One element, on the expected one that it is; else on that of its place; else on what any of them sets."""
        for wanted in expected:
            if self._project(item, wanted, schema) == wanted:
                return wanted
        if len(value) == len(expected):
            return self._project(item, expected[number], schema)
        union: dict = {}
        for wanted in expected:
            union.update(wanted if isinstance(wanted, dict) else {})
        return self._project(item, union, schema) if union else item


def _at(value: Any, path: list[str]) -> Any:
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return None
        value = value[name]
    return value


def _json_type(value: Any) -> str:
    if isinstance(value, bool):
        return "Boolean"
    return {dict: "JSONObject", list: "JSONArray", str: "String", int: "Integer"}.get(type(value), "Number")


def _scalar(value: Any, kinds: list[str]) -> tuple[Any, bool]:
    """The value in one of these JSON types, and whether it fits."""
    for kind in kinds:
        if kind == "string":
            if isinstance(value, str):
                return value, True
        elif kind == "boolean":
            if isinstance(value, bool):
                return value, True
            if str(value).lower() in ("true", "false"):
                return str(value).lower() == "true", True
        elif kind in ("integer", "number") and not isinstance(value, bool):
            try:
                number = float(value)
            except (TypeError, ValueError):
                continue
            if number.is_integer():
                return int(number), True
            if kind == "number":
                return number, True
    if "string" in kinds and isinstance(value, bool | int | float):
        return str(value).lower() if isinstance(value, bool) else str(value), True
    return value, not kinds
