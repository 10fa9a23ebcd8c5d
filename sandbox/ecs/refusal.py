# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Refusals of ECS, as exceptions inside and AWS errors outside."""

from __future__ import annotations

from typing import Any

from ministack.services import ecs


class Refusal(Exception):
    """An error that the API answers with code and message, status 400."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def cluster_name(data: dict[str, Any]) -> str:
    """The name of the cluster that a request is for. Raises ClusterNotFoundException."""
    name = ecs._resolve_cluster_name(data.get("cluster") or "default")
    if name is None or name not in ecs._clusters:
        raise Refusal("ClusterNotFoundException", "Cluster not found.")
    return name
