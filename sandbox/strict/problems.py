# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One thing that is wrong with a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.model import Shape


@dataclass(frozen=True)
class Problem:
    """`kind` is missing, unknown, type, enum, pattern, minimum, maximum, shortest or longest; `path` names members, dots between."""

    kind: str
    path: str
    shape: Shape
    value: Any
    rule: Any = None

    def constraint(self) -> str:
        """The rule in the words of AWS's validation errors."""
        if self.kind == "missing":
            return "Member must not be null"
        if self.kind == "enum":
            return f"Member must satisfy enum value set: [{', '.join(self.rule)}]"
        if self.kind == "pattern":
            return f"Member must satisfy regular expression pattern: {self.rule}"
        if self.kind == "minimum":
            return f"Member must have value greater than or equal to {self.rule}"
        if self.kind == "maximum":
            return f"Member must have value less than or equal to {self.rule}"
        if self.kind == "shortest":
            return f"Member must have length greater than or equal to {self.rule}"
        if self.kind == "longest":
            return f"Member must have length less than or equal to {self.rule}"
        if self.kind == "type":
            return f"Member must be of type {self.shape.type_name}"
        return "Member is not recognized"

    @property
    def secret(self) -> bool:
        """Whether the value must not be repeated."""
        return bool(self.shape.metadata.get("sensitive")) or isinstance(self.value, bytes)

    def sentence(self) -> str:
        """`Value 'x' at 'member' failed to satisfy constraint: ...`; a sensitive value is not repeated."""
        levels = self.path.split(".")
        path = ".".join([levels[0][:1].lower() + levels[0][1:], *levels[1:]])
        if self.kind in ("missing", "unknown"):
            shown = "Value null"
        elif self.secret:
            shown = "Value"
        else:
            shown = f"Value '{self.value}'"
        return f"{shown} at '{path}' failed to satisfy constraint: {self.constraint()}"
