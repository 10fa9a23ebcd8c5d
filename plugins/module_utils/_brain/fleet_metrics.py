# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Metrics that a scaling policy keeps at its target: one of CloudWatch, or what a formula makes of several. PRIVATE to the
collection.

Specifications are as AWS's requests have them, in one form, so that they can be compared: lists by name or id, and no
period where it is AWS's own.
"""

from __future__ import annotations

import re
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain import checks
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError
from ansible_collections.ethereal.spot.plugins.module_utils._brain.named_entries import named

STATISTICS = ("Average", "Minimum", "Maximum", "SampleCount", "Sum")
# botocore model: TargetTrackingMetricDataQuery.
QUERY_ID = re.compile(r"[a-z][A-Za-z0-9_]{0,63}")
LONGEST_EXPRESSION = 2_047
PERIODS = (10, 30, 60)
AWS_PERIOD = 60
# CloudWatch writes functions and constants in capitals, and ids with a small letter at their beginning.
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
REFERENCE = re.compile(r"(?<![A-Za-z0-9_])[a-z][A-Za-z0-9_]*")


def check_metric(metric: dict[str, Any], where: str) -> dict[str, Any]:
    """One metric, as CustomizedMetricSpecification has it."""
    statistic = checks.check_choice(metric.get("statistic") or "Average", f"{where}.statistic", STATISTICS)
    return {**_metric(metric, where), "Statistic": statistic, **_unit_and_period(metric, where)}


def check_formula(entries: list[dict[str, Any]], where: str) -> dict[str, Any]:
    """Metrics and expressions over them, one of which is what is kept at the target."""
    queries = []
    entries_by_id = named(entries, where, "id")
    for name, entry in entries_by_id.items():
        if not QUERY_ID.fullmatch(name):
            rule = "must begin with a small letter and have letters, digits and _ only, 64 at most"
            raise InputError(f"{where}[{name}].id", name, rule)
        queries.append(_check_query(name, entry, f"{where}[{name}]", set(entries_by_id)))
    results = [query["Id"] for query in queries if query["ReturnData"]]
    if len(results) != 1:
        raise InputError(f"{where}.return_data", results, "must be true for exactly one")
    return {"Metrics": sorted(queries, key=lambda query: query["Id"])}


def _check_query(name: str, entry: dict[str, Any], where: str, known: set[str]) -> dict[str, Any]:
    query: dict[str, Any] = {"Id": name, "ReturnData": bool(entry.get("return_data", False))}
    if "label" in entry:
        query["Label"] = checks.check_text(entry["label"], f"{where}.label", LONGEST_EXPRESSION)
    parts = sorted({"dimensions", "name", "namespace", "period", "statistic", "unit"} & entry.keys())
    if "expression" in entry:
        if parts:
            raise InputError(where, parts, "do not go with expression")
        query["Expression"] = _check_expression(name, entry["expression"], f"{where}.expression", known)
        return query
    if "name" not in entry or "namespace" not in entry:
        raise InputError(where, parts, "must have either expression, or name and namespace")
    query["MetricStat"] = {
        "Metric": _metric(entry, where),
        "Stat": checks.check_text(entry.get("statistic") or "Average", f"{where}.statistic", 100),
        **_unit_and_period(entry, where),
    }
    return query


def _check_expression(name: str, value: Any, option: str, known: set[str]) -> str:
    expression = checks.check_text(value, option, LONGEST_EXPRESSION)
    for reference in REFERENCE.findall(QUOTED.sub("", expression)):
        if reference not in known:
            raise InputError(option, reference, f"is the id of none of {', '.join(sorted(known))}")
        if reference == name:
            raise InputError(option, reference, "refers to itself")
    return expression


def _metric(metric: dict[str, Any], where: str) -> dict[str, Any]:
    result: dict[str, Any] = {
        "MetricName": checks.check_text(metric.get("name"), f"{where}.name", 255),
        "Namespace": checks.check_text(metric.get("namespace"), f"{where}.namespace", 255),
    }
    if metric.get("dimensions"):
        result["Dimensions"] = [
            {"Name": key, "Value": checks.check_text(str(value), f"{where}.dimensions.{key}", 1024)}
            for key, value in sorted(metric["dimensions"].items())
        ]
    return result


def _unit_and_period(metric: dict[str, Any], where: str) -> dict[str, Any]:
    result: dict[str, Any] = {}
    if metric.get("unit") is not None:
        result["Unit"] = checks.check_text(metric["unit"], f"{where}.unit", 64)
    period = AWS_PERIOD if metric.get("period") is None else metric["period"]
    if period not in PERIODS:
        raise InputError(f"{where}.period", period, f"must be one of {', '.join(map(str, PERIODS))}")
    return {**result, **({"Period": period} if period != AWS_PERIOD else {})}


def read_specification(described: dict[str, Any]) -> dict[str, Any]:
    """A described specification of any kind, in the form of the others."""
    result = {}
    for key, value in described.items():
        if value in (None, "", [], {}) or (key, value) == ("Period", AWS_PERIOD):
            continue
        if key == "Dimensions":
            value = sorted(value, key=lambda item: item["Name"])
        elif key == "Metrics":
            queries = [{"ReturnData": True, **read_specification(query)} for query in value]
            value = sorted(queries, key=lambda query: query["Id"])
        elif isinstance(value, dict):
            value = read_specification(value)
        result[key] = value
    return result
