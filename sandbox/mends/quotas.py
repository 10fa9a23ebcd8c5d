# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Service Quotas for EC2, which neither emulator has; the values of vCPU limits come from the market."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from typing import Any

from ministack import app as ministack
from ministack.core import iam_actions
from ministack.core import responses
from ministack.core import router

from sandbox.context import Context
from sandbox.errors import error_reply
from sandbox.market import P5_SPOT
from sandbox.market import P_SPOT
from sandbox.market import Market

NEEDS = ["ministack.core.router.SERVICE_PATTERNS", "ministack.core.iam_actions.SERVICE_TO_IAM_NAMESPACE"]

_SERVICE = "Amazon Elastic Compute Cloud (Amazon EC2)"
_PAGE = 100
_ADDRESSES = "L-0263D0A3"
# Quotas of EC2 (EC2 user guide, "Spot Instance quotas" and "On-Demand Instance quotas"; listings of Service Quotas), and what
# AWS gives a new account.
_NAMES = {
    "L-3819A6DF": "All G and VT Spot Instance Requests",
    "L-7212CCBC": "All P Spot Instance Requests",
    P5_SPOT: "All P5 Spot Instance Requests",
    "L-34B43A08": "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests",
    "L-B5D1601B": "All Inf Spot Instance Requests",
    "L-6B0D517C": "All Trn Spot Instance Requests",
    "L-85EED4F7": "All DL Spot Instance Requests",
    "L-88CF9481": "All F Spot Instance Requests",
    "L-E3A00192": "All X Spot Instance Requests",
    "L-DB2E81BA": "Running On-Demand G and VT instances",
    "L-417A185B": "Running On-Demand P instances",
    "L-1216C47A": "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
    "L-1945791B": "Running On-Demand Inf instances",
    "L-2C3B7624": "Running On-Demand Trn instances",
    "L-43DA4232": "Running On-Demand High Memory instances",
    "L-6E869C2A": "Running On-Demand DL instances",
    "L-7295265B": "Running On-Demand X instances",
    "L-74FC7D96": "Running On-Demand F instances",
    "L-F7808C92": "Running On-Demand HPC instances",
    _ADDRESSES: "EC2-VPC Elastic IPs",
}
_NEW_ACCOUNT = {"L-34B43A08": Decimal(5), "L-1216C47A": Decimal(5), _ADDRESSES: Decimal(5)}


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
        return _json({"Services": [{"ServiceCode": "ec2", "ServiceName": _SERVICE}]})
    defaults = action in ("GetAWSDefaultServiceQuota", "ListAWSDefaultServiceQuotas")
    known = [code for code in _NAMES if market.has_quota(region, code)] if request.get("ServiceCode") == "ec2" else []
    wanted = known
    if action in ("GetServiceQuota", "GetAWSDefaultServiceQuota"):
        wanted = [code for code in known if code == request.get("QuotaCode")]
    elif action not in ("ListServiceQuotas", "ListAWSDefaultServiceQuotas"):
        return error_reply("json", 400, "UnknownOperationException", f"{action} is not served by this sandbox")
    if not wanted:
        message = "The request failed because the specified service or quota does not exist."
        return error_reply("json", 400, "NoSuchResourceException", message)
    quotas = [_quota(market, region, code, defaults) for code in wanted]
    return _json({"Quota": quotas[0]}) if action.startswith("Get") else _page(quotas, request)


def _page(quotas: list[dict], request: dict) -> Any:
    try:
        start = int(base64.b64decode(request.get("NextToken") or b"MA=="))
    except ValueError:
        message = "The request failed because the pagination token is not valid."
        return error_reply("json", 400, "InvalidPaginationTokenException", message)
    end = start + int(request.get("MaxResults") or _PAGE)
    more = {"NextToken": base64.b64encode(str(end).encode()).decode()} if end < len(quotas) else {}
    return _json({"Quotas": quotas[start:end], **more})


def _quota(market: Market, region: str, code: str, default: bool) -> dict:
    value = _NEW_ACCOUNT.get(code, Decimal(0)) if default or code == _ADDRESSES else market.quota(region, code)
    split = code == P_SPOT and market.has_quota(region, P5_SPOT)
    return {
        "ServiceCode": "ec2",
        "ServiceName": _SERVICE,
        "QuotaArn": f"arn:aws:servicequotas:{region}:{responses.get_account_id()}:ec2/{code}",
        "QuotaCode": code,
        "QuotaName": "All P4, P3 and P2 Spot Instance Requests" if split else _NAMES[code],
        "Value": float(value),
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }


def _json(document: dict) -> Any:
    return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(document).encode()
