# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who calls, and with which credentials code inside the process calls on somebody's behalf."""

from __future__ import annotations

import hashlib

from ministack.core import iam_evaluator
from ministack.services import sts

from sandbox import calls
from sandbox.environment import ACCOUNT
from sandbox.environment import ROOT_KEY
from sandbox.environment import ROOT_SECRET

Credentials = tuple[str, str, str | None]

ROOT_ARN = f"arn:aws:iam::{ACCOUNT}:root"


def principal(access_key: str) -> str:
    """The ARN behind an access key; empty for a key that nobody has."""
    if not access_key:
        return ""
    account = iam_evaluator.find_iam_access_key_account(access_key) or ACCOUNT
    found = iam_evaluator.resolve_credential(access_key, account)
    return getattr(found, "principal_arn", "")


def credentials(arn: str | None) -> Credentials:
    """Access key, secret and session token for calls made as a principal: a user, a role or one of its sessions, or root.

    A live session is used as it is, with its session policies; else one is opened without asking the role's trust policy, as the
    services of AWS do once they hold the role.
    """
    if arn is None or arn.endswith(":root"):
        return ROOT_KEY, ROOT_SECRET, None
    for key, session in list(sts._sessions.items()):
        if session.get("Arn") == arn and session.get("SecretAccessKey"):
            return key, session["SecretAccessKey"], session.get("SessionToken")
    digest = hashlib.sha256(arn.encode()).hexdigest()
    key, secret, token = f"ASIA{digest[:16].upper()}", f"secret-{digest}", f"token-{digest}"
    name = arn.rsplit("/", 1)[-1]
    if ":role/" in arn:
        account = arn.split(":")[4]
        session = {"Arn": f"arn:aws:sts::{account}:assumed-role/{name}/sandbox", "UserId": f"{name}:sandbox"}
    else:
        session = (
            {"Arn": arn, "UserId": name, "PrincipalType": "User", "PrincipalName": name}
            if ":user/" in arn
            else {"Arn": arn}
        )
    sts.register_session(key, {**session, "SecretAccessKey": secret, "SessionToken": token})
    return key, secret, token


def install() -> None:
    """Let only the sandbox's own key be root, and write every verdict into the call's log entry."""
    # ministack takes `test`, an empty key and any 12 digits for root as well.
    iam_evaluator.is_root_access_key = lambda access_key: access_key == ROOT_KEY
    judge = iam_evaluator.enforce

    def enforce(access_key, action, service, region, resource_arn="*", service_context=None):
        verdict = judge(access_key, action, service, region, resource_arn=resource_arn, service_context=service_context)
        call = calls.current.get()
        if call is not None:
            call.decisions.append({"action": action, "resource": resource_arn, "allowed": verdict is None})
        return verdict

    iam_evaluator.enforce = enforce
