# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Principals and their credentials."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import quote
from urllib.parse import urlencode

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSPreparedRequest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from ministack.core import iam_evaluator
from ministack.services import sts

from sandbox.environment import ACCOUNT
from sandbox.environment import ROOT_KEY
from sandbox.environment import ROOT_SECRET

ROOT_ARN = f"arn:aws:iam::{ACCOUNT}:root"


def principal(access_key: str) -> str:
    """The ARN behind an access key; empty for a key that nobody has."""
    if not access_key:
        return ""
    account = iam_evaluator.find_iam_access_key_account(access_key) or ACCOUNT
    found = iam_evaluator.resolve_credential(access_key, account)
    return getattr(found, "principal_arn", "")


def credentials(arn: str | None) -> Credentials:
    """Credentials for calls made as a principal: a user, a role or one of its sessions, or root.

    A live session is used as it is, with its session policies; else one is opened without asking the role's trust policy, as the
    services of AWS do once they hold the role.
    """
    if arn is None or arn.endswith(":root"):
        return Credentials(ROOT_KEY, ROOT_SECRET)
    for key, session in list(sts._sessions.items()):
        if session.get("Arn") == arn and session.get("SecretAccessKey"):
            return Credentials(key, session["SecretAccessKey"], session.get("SessionToken"))
    digest = hashlib.sha256(arn.encode()).hexdigest()
    key, secret, token = f"ASIA{digest[:16].upper()}", f"secret-{digest}", f"token-{digest}"
    sts.register_session(key, {**_session(arn), "SecretAccessKey": secret, "SessionToken": token})
    return Credentials(key, secret, token)


def _session(arn: str) -> dict[str, str]:
    name = arn.rsplit("/", 1)[-1]
    if ":role/" in arn:
        account = arn.split(":")[4]
        return {"Arn": f"arn:aws:sts::{account}:assumed-role/{name}/sandbox", "UserId": f"{name}:sandbox"}
    if ":user/" in arn:
        return {"Arn": arn, "UserId": name, "PrincipalType": "User", "PrincipalName": name}
    return {"Arn": arn, "UserId": name}


def signed(
    arn: str | None,
    port: int,
    service: str,
    region: str,
    method: str,
    path: str,
    query: dict[str, Any],
    headers: dict[str, str],
    body: bytes,
) -> AWSPreparedRequest:
    """A request signed as a principal; of the given headers only those that say what is asked are kept."""
    kept = {
        name: value
        for name, value in headers.items()
        if name.lower() in ("content-type", "x-amz-target") or name.lower().startswith("x-amz-meta-")
    }
    url = f"http://127.0.0.1:{port}{quote(path)}"
    if query:
        url += "?" + urlencode(query, doseq=True)
    request = AWSRequest(method=method, url=url, data=body, headers=kept)
    SigV4Auth(credentials(arn), service, region).add_auth(request)
    return request.prepare()


def install() -> None:
    """Let only the sandbox's own key be root: ministack takes `test`, an empty key and any 12 digits for root as well."""
    iam_evaluator.is_root_access_key = lambda access_key: access_key == ROOT_KEY
