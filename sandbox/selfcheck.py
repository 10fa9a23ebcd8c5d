# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The emulators' private names that the sandbox patches: a new version that lacks one is named at start, not found by a test."""

from __future__ import annotations

import importlib
import sys

# What the frame itself touches; every part lists its own in NEEDS.
FRAME = [
    "ministack.app.SERVICE_HANDLERS",
    "ministack.app._dispatch_service_request",
    "ministack.app._reset_all_state",
    "ministack.core.iam_actions.access_denied_response",
    "ministack.core.iam_actions.extract_resource_arn",
    "ministack.core.iam_actions.request_tag_context",
    "ministack.core.iam_evaluator.enforce",
    "ministack.core.iam_evaluator.find_iam_access_key_account",
    "ministack.core.iam_evaluator.is_root_access_key",
    "ministack.core.iam_evaluator.resolve_credential",
    "ministack.core.responses.request_scope",
    "ministack.services.eventbridge._put_events",
    "ministack.services.iam._instance_profiles",
    "ministack.services.iam._roles",
    "ministack.services.sts._sessions",
    "ministack.services.sts.register_session",
    "moto.core.errors.get_exception_service_model",
    "moto.core.request.Request.from_primitives",
    "moto.ec2.responses.EC2Response.dispatch",
    "moto.autoscaling.responses.AutoScalingResponse.dispatch",
]


def exists(symbol: str) -> bool:
    """Whether a dotted name (module, then attributes) can be resolved."""
    names = symbol.split(".")
    for size in range(len(names), 0, -1):
        try:
            found = importlib.import_module(".".join(names[:size]))
        except ModuleNotFoundError:
            continue
        for name in names[size:]:
            if not hasattr(found, name):
                return False
            found = getattr(found, name)
        return True
    return False


def require(symbols: list[str]) -> None:
    """Exit with status 1 and the name of every missing symbol."""
    missing = [symbol for symbol in [*FRAME, *symbols] if not exists(symbol)]
    if missing:
        sys.exit("sandbox: the emulators lack what it patches: " + ", ".join(missing))
