# Copyright (c) Ethereal Spot contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An AWS request as it arrives: who calls which action of which service, where."""

from __future__ import annotations

import re
from dataclasses import dataclass
from dataclasses import field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs

from botocore.model import ServiceModel

from sandbox.strict import models

_SCOPE = re.compile(r"Credential=([^/,\s]*)/\d{8}/([^/,]+)/([^/,]+)/aws4_request")


@dataclass
class Request:
    """`path` is decoded, `raw_path` as sent; header names are lower case."""

    method: str
    path: str
    raw_path: str
    query_string: str
    headers: dict[str, str]
    body: bytes
    labels: dict[str, str] = field(default_factory=dict)
    # By member name, once the request has been judged.
    parameters: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(self.query_string, keep_blank_values=True)

    @cached_property
    def form(self) -> dict[str, list[str]]:
        """Parameters of the query protocols: the form body, over the query string."""
        if "x-www-form-urlencoded" not in self.headers.get("content-type", ""):
            return self.query
        return {**self.query, **parse_qs(self.body.decode("utf-8", "replace"), keep_blank_values=True)}

    @cached_property
    def _scope(self) -> tuple[str, str, str]:
        """Access key, region and service of the signature, in the header or in the query string."""
        found = _SCOPE.search(self.headers.get("authorization", ""))
        if not found and "X-Amz-Credential" in self.query:
            found = _SCOPE.search("Credential=" + self.query["X-Amz-Credential"][0])
        return (found[1], found[2], found[3]) if found else ("", "", "")

    @property
    def access_key(self) -> str:
        return self._scope[0]

    @property
    def region(self) -> str:
        return self._scope[1] or "us-east-1"

    @property
    def service(self) -> str:
        """The name in the credential scope (`elasticfilesystem`, `states`, `monitoring`); empty for an unsigned request."""
        return self._scope[2]

    @cached_property
    def model(self) -> ServiceModel | None:
        return models.service_model(self.service, self.path) if self.service else None

    @cached_property
    def protocol(self) -> str:
        """How this request is written: ec2, query, json, rest-json, rest-xml; empty for any other."""
        if "x-amz-target" in self.headers:
            return "json"
        if self.model is None:
            return ""
        protocol = self.model.metadata["protocol"]
        if protocol in ("json", "rest-json", "rest-xml"):
            # A service that has moved on to JSON still takes the form of older SDKs (SQS, CloudWatch).
            return "query" if "Action" in self.form and protocol == "json" else protocol
        if protocol == "smithy-rpc-v2-cbor":
            # SDKs write JSON or forms to these services unless they are told otherwise.
            return "query" if "Action" in self.form else ""
        return protocol

    @cached_property
    def action(self) -> str:
        """The operation's name in the model; empty where the request names none that the model knows by its path."""
        if "x-amz-target" in self.headers:
            return self.headers["x-amz-target"].rsplit(".", 1)[-1]
        if self.protocol in ("ec2", "query"):
            return self.form.get("Action", [""])[0]
        if self.protocol in ("rest-json", "rest-xml") and self.model is not None:
            found = models.match(self.model, self.method, self.raw_path, self.query, self.headers)
            if found:
                self.labels = found[1]
                return found[0]
        return ""
