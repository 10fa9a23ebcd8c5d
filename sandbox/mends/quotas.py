# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Service Quotas for EC2's vCPU limits, which neither emulator has; values come from the market."""

from __future__ import annotations

import json
from typing import Any

from ministack import app as ministack
from ministack.core import iam_actions
from ministack.core import responses
from ministack.core import router

from sandbox.context import Context
from sandbox.errors import error_reply
from sandbox.market import Market

NEEDS = ["ministack.core.router.SERVICE_PATTERNS", "ministack.core.iam_actions.SERVICE_TO_IAM_NAMESPACE"]

# Quota codes of EC2's vCPU limits (EC2 user guide, "Amazon EC2 instance limits"; Service Quotas console).
_NAMES = {
    "L-3819A6DF": "All G and VT Spot Instance Requests",
    "L-7212CCBC": "All P4, P3 and P2 Spot Instance Requests",
    "L-C4BD4855": "All P5 Spot Instance Requests",
    "L-34B43A08": "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests",
    "L-B5D1601B": "All Inf Spot Instance Requests",
    "L-6B0D517C": "All Trn Spot Instance Requests",
    "L-85EED4F7": "All DL Spot Instance Requests",
    "L-E3A00192": "All X Spot Instance Requests",
    "L-DB2E81BA": "Running On-Demand G and VT instances",
    "L-417A185B": "Running On-Demand P instances",
    "L-1216C47A": "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
    "L-1945791B": "Running On-Demand Inf instances",
    "L-2C3B7624": "Running On-Demand Trn instances",
    "L-6E869C2A": "Running On-Demand DL instances",
    "L-7295265B": "Running On-Demand X instances",
}


def install(context: Context) -> None:
    async def handle(method: str, path: str, headers: dict, body: bytes, query: dict) -> Any:
        action = headers.get("x-amz-target", "").rsplit(".", 1)[-1]
        return _answer(context.market, action, json.loads(body or b"{}"))

    ministack.SERVICE_HANDLERS["servicequotas"] = handle
    router.SERVICE_PATTERNS["servicequotas"] = {"target_prefixes": ["ServiceQuotasV20190624"]}
    iam_actions.SERVICE_TO_IAM_NAMESPACE["servicequotas"] = "servicequotas"


def _answer(market: Market, action: str, request: dict) -> Any:
    region = responses.get_region()
    if action == "ListServices":
        return _json({"Services": [{"ServiceCode": "ec2", "ServiceName": "Amazon Elastic Compute Cloud (Amazon EC2)"}]})
    if action in ("ListServiceQuotas", "ListAWSDefaultServiceQuotas"):
        known = _NAMES if request.get("ServiceCode") == "ec2" else ()
        return _json({"Quotas": [_quota(market, region, code) for code in known]})
    if action in ("GetServiceQuota", "GetAWSDefaultServiceQuota"):
        code = request.get("QuotaCode")
        if request.get("ServiceCode") != "ec2" or code not in _NAMES:
            message = "The request failed because the specified service or quota does not exist."
            return error_reply("json", 400, "NoSuchResourceException", message)
        return _json({"Quota": _quota(market, region, code)})
    return error_reply("json", 400, "UnknownOperationException", f"{action} is not served by this sandbox")


def _quota(market: Market, region: str, code: str) -> dict:
    return {
        "ServiceCode": "ec2",
        "ServiceName": "Amazon Elastic Compute Cloud (Amazon EC2)",
        "QuotaArn": f"arn:aws:servicequotas:{region}:{responses.get_account_id()}:ec2/{code}",
        "QuotaCode": code,
        "QuotaName": _NAMES[code],
        "Value": float(market.quota(region, code)),
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }


def _json(document: dict) -> Any:
    return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(document).encode()
