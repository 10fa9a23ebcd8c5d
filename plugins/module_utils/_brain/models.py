# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The models that a place's file system is to hold: where each comes from, what is still to be filled. PRIVATE to the collection."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from ansible_collections.ethereal.spot.plugins.module_utils._brain.checks import check_kms_key_arn
from ansible_collections.ethereal.spot.plugins.module_utils._brain.errors import InputError

# A folder's name; two dots or a slash would lead out of it.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# Prefixes stand in a policy's resource, where * and ? match and ${ begins a variable.
SOURCE = re.compile(
    r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/[A-Za-z0-9!_.@+=:-]+)*/?",
)
# What a standard parameter holds (botocore model: SSM PutParameter).
RECORD_LIMIT = 4096
# The fill's placeholders in its command.
PLACEHOLDERS = ("{name}", "{source}", "{path}")


def check_models(value: Any, option: str = "models") -> dict[str, str]:
    """Models' names with the prefixes of buckets that they come from, without a slash at the end."""
    if not isinstance(value, Mapping):
        raise InputError(option, value, "must map a model's name to where it comes from: s3://BUCKET/PREFIX")
    found: dict[str, str] = {}
    for name, source in value.items():
        if not isinstance(name, str) or not NAME.fullmatch(name):
            rule = "must be 1 to 64 letters, digits, dots, hyphens and underscores, and begin with a letter or a digit"
            raise InputError(option, name, rule)
        if not isinstance(source, str) or not SOURCE.fullmatch(source):
            raise InputError(f"{option}.{name}", source, "must be s3://BUCKET/PREFIX, without wildcards")
        found[name] = source.removesuffix("/")
    return found


def check_key(value: Any, option: str = "models_kms_key_arn") -> str:
    """The ARN of the key of a bucket, wherever that is. An alias names no key in a policy (KMS developer guide, "Aliases and IAM")."""
    arn = check_kms_key_arn(value, option)
    if ":alias/" in arn:
        raise InputError(option, value, "must be the ARN of the key itself: an alias stands for nothing in a policy")
    return arn


def record(models: Any, recorded: str = "", option: str = "models") -> str:
    """What a place remembers once it holds these models beside those of an earlier `record`; empty without any.

    What is no longer wanted is still there. A model that is there is never written again, since replicas read it: one from elsewhere
    under the same name raises InputError.
    """
    held: dict[str, str] = json.loads(recorded) if recorded else {}
    wanted = check_models(models, option)
    for name, source in wanted.items():
        if name in held and held[name] != source:
            rule = f"is not what the place holds under this name ({held[name]}): give the new version a name of its own"
            raise InputError(f"{option}.{name}", source, rule)
    together = {**held, **wanted}
    text = json.dumps(dict(sorted(together.items())), separators=(",", ":")) if together else ""
    if len(text) > RECORD_LIMIT:
        rule = f"take more than {RECORD_LIMIT} characters where the place remembers them, with those that it holds"
        raise InputError(option, f"{len(together)} models", rule)
    return text


def names(recorded: str | None) -> list[str]:
    """The models of a `record`, by name."""
    return sorted(json.loads(recorded)) if recorded else []


def fills(
    models: Any, recorded: str, path: str, command: Iterable[str] = (), option: str = "models"
) -> list[dict[str, Any]]:
    """What is still to be filled: {name, source, job, command} each, by name; InputError as `record`.

    `job` is the same for the same model, as `spot_task_run` takes it.
    """
    held = json.loads(recorded) if recorded else {}
    wanted = json.loads(record(models, recorded, option) or "{}")
    return [
        {
            "name": name,
            "source": source,
            "job": "fill/" + hashlib.sha256(f"{name}\n{source}".encode()).hexdigest()[:24],
            "command": [_filled_in(word, name, source, path) for word in command],
        }
        for name, source in sorted(wanted.items())
        if name not in held
    ]


def _filled_in(word: str, name: str, source: str, path: str) -> str:
    for placeholder, value in zip(PLACEHOLDERS, (name, source, f"{path.rstrip('/')}/{name}"), strict=True):
        word = word.replace(placeholder, value)
    return word


def statements(models: Any, option: str = "models") -> list[dict[str, Any]]:
    """An IAM policy's statements, for a template, that allow to read these models and nothing else."""
    found: list[dict[str, Any]] = []
    for source in sorted(set(check_models(models, option).values())):
        bucket, _slash, prefix = source.removeprefix("s3://").partition("/")
        below = f"{prefix}/*" if prefix else "*"
        found += [
            {
                "Effect": "Allow",
                "Action": "s3:ListBucket",
                "Resource": {"Fn::Sub": f"arn:${{AWS::Partition}}:s3:::{bucket}"},
                "Condition": {"StringLike": {"s3:prefix": below}},
            },
            {
                "Effect": "Allow",
                "Action": "s3:GetObject",
                "Resource": {"Fn::Sub": f"arn:${{AWS::Partition}}:s3:::{bucket}/{below}"},
            },
        ]
    return found
